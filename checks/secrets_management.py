"""Secrets management: each secret has a level, and the service is as safe as its weakest."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Now,
    Peer,
    Requirement,
    Risk,
    Row,
    Rung,
    each,
    failed,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.secrets import KeptSecret, Rotation, Rotations, SecretLevels
from scorecard.model import Status


@dataclass(frozen=True, slots=True)
class Limits:
    """The level that every secret needs."""

    level: int = 2
    """0 hardcoded, 1 plain environment, 2 a secret store, 3 dynamic."""


_PEERS = (
    Peer(
        "rotation",
        "Prowler `secretsmanager_automatic_rotation_enabled`, checkov `CKV2_AWS_57`",
        "They ask of every secret of the account or of the code whether rotation is on. Here those that the service "
        "takes are asked, whether the last one came in time counts too, and a SecureString of SSM fails, since nothing "
        "rotates it.",
    ),
    Peer(
        "rotation",
        "Prowler `secretsmanager_secret_rotated_periodically`, checkov `CKV_AWS_304`",
        "They take 90 days for every secret. Here each has the time that its own schedule says.",
    ),
)

row = Row(
    title="Secrets management",
    category=Category.SECURITY,
    risk=Risk.HIGH,
    why="A secret that is copied about and never changes is known to more people every year.",
    limits=Limits,
    peers=_PEERS,
    ladder=(
        Rung("Level 3, dynamic: IAM authentication, or RDS makes and rotates it", Status.PASS, frozenset({"level-3"})),
        Rung("Level 2, stored: Secrets Manager or an SSM SecureString", Status.PASS, frozenset({"level-2"})),
        Rung("Level 1, plain: a variable or a parameter that anybody reads", Status.FAIL, frozenset({"level-1"})),
        Rung("Level 0, hardcoded: in the code", Status.FAIL, frozenset({"level-0"})),
    ),
)

_GRACE = timedelta(days=1)
"""Rotation falls into a window of hours after its date."""
_LINES = """spec:
  aws: {account: "111122223333", tags: {Service: SERVICE}}"""


@row.required(
    remedy="""
    From level 0 or 1 to 2:

    ```sh
    aws secretsmanager create-secret --name payments/db --secret-string file://password.txt
    ```

    ```hcl
    secrets = [{ name = "DB_PASSWORD", valueFrom = aws_secretsmanager_secret.db.arn }]
    ```

    To level 3, without a password at all: `iam_database_authentication_enabled = true` on the RDS instance, and in the
    pipeline OIDC in place of keys:

    ```yaml
    permissions: {id-token: write}
    steps:
      - uses: aws-actions/configure-aws-credentials@v4
        with: {role-to-assume: "arn:aws:iam::111122223333:role/deploy", aws-region: ap-southeast-2}
    ```
    """
)
def level(seen: SecretLevels | Unavailable | Absent, limits: Limits) -> Finding:
    """Every secret is of level {level} or more (0 hardcoded, 1 plain environment, 2 secret store, 3 dynamic)."""
    if isinstance(seen, Unavailable):
        return unavailable(seen)
    if isinstance(seen, Absent) or not (seen.items or seen.missing):
        return _no_secret(seen)

    def judge(one: KeptSecret | Unseen) -> Item:
        if isinstance(one, Unseen):
            return unavailable(one.why)
        words = f"level {one.level}, {one.kind}: {one.words}"
        verdict = passed(words) if one.level >= limits.level else failed("", words)
        return dataclasses.replace(verdict, code=f"level-{one.level}")

    finding = each(seen.items, judge, missing=seen.missing, things="secrets")
    levels = [one.level for one in seen.items if isinstance(one, KeptSecret)]
    if finding.status is not Status.PASS or not levels:
        return finding
    weakest = min(levels)
    return dataclasses.replace(
        finding,
        code=f"level-{weakest}",
        message=f"the service is of level {weakest}, as its weakest of {len(levels)} secrets",
    )


def _no_secret(seen: SecretLevels | Absent) -> Finding:
    """What reads its secrets by itself, from Vault or a file, shows none of them here."""
    reason = seen.reason if isinstance(seen, Absent) else "no secret was found"
    words = f"{reason}: where the service has its secrets from was not seen"
    return unknown(Cause.NOT_CONFIGURED, words, lines=_LINES)


@row.required(
    remedy="""
    ```hcl
    resource "aws_secretsmanager_secret_rotation" "db" {
      secret_id           = aws_secretsmanager_secret.db.id
      rotation_lambda_arn = aws_lambda_function.rotate.arn
      rotation_rules { automatically_after_days = 30 }
    }

    resource "aws_db_instance" "payments" {
      manage_master_user_password = true
    }
    ```
    """
)
def rotation(seen: Rotations | Unavailable | Absent, now: Now) -> Finding:
    """Every secret in a store has rotation on and was rotated in time."""
    if isinstance(seen, Unavailable):
        return unavailable(seen)
    if isinstance(seen, Absent):
        return _no_secret(seen)
    return each(seen.items, lambda one: _rotated(one, now), missing=seen.missing, things="stored secrets")


def _rotated(one: Rotation | Unseen, now: datetime) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if not one.enabled:
        why = f" ({one.by})" if one.by and not one.by.startswith("arn:") else ""
        return failed("no-rotation", f"{one.kind}: rotation is off{why}")
    if one.impaired:
        return failed("impaired", f"{one.kind}: rotation does not work: {one.impaired}")
    due = one.due or _reckoned(one)
    if due is not None and now > due + _GRACE:
        return failed("overdue", f"{one.kind}: rotation was due on {due:%Y-%m-%d}, {_last(one)}")
    if one.last is None and one.by != "RDS":
        return warned("not-yet-rotated", f"{one.kind}: rotation is on, {_last(one)}")
    by = " by RDS" if one.by == "RDS" else ""
    return passed(
        f"{one.kind}: rotated{by}{f', {_last(one)}' if one.last else ''}{f', due {due:%Y-%m-%d}' if due else ''}"
    )


def _reckoned(one: Rotation) -> datetime | None:
    """When it is due by its interval, where AWS does not say."""
    since = one.last or one.created
    return since + timedelta(days=one.every_days) if since is not None and one.every_days else None


def _last(one: Rotation) -> str:
    return f"last rotated on {one.last:%Y-%m-%d}" if one.last else "and it was never rotated"


row.awaits(
    "access",
    Requirement.ADVISORY,
    rule="Few may read each secret, and every reading is logged.",
    remedy="""
    ```hcl
    data "aws_iam_policy_document" "read_db_secret" {
      statement {
        actions   = ["secretsmanager:GetSecretValue"]
        resources = [aws_secretsmanager_secret.db.arn]
      }
    }
    ```

    in place of `secretsmanager:*` or `resources = ["*"]`; CloudTrail logs the reads, Vault an audit device.
    """,
    awaits="the reader of IAM and resource policies and the Vault probe",
)
