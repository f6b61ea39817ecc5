"""No secrets in code or environment variables: not at HEAD, not in history, not as a literal in a definition."""

from collections.abc import Iterator
from dataclasses import dataclass

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Peer,
    Requirement,
    Risk,
    Row,
    each,
    failed,
    passed,
    unavailable,
    unknown,
)
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.secrets import Environments, PlainSecret, Variables

_PEERS = (
    Peer(
        "environment",
        "Prowler `ecs_task_definitions_no_environment_secrets`, `awslambda_function_no_secrets_in_variables`",
        "They run detect-secrets over the variables of task definitions and functions, whether or not they run: known "
        "forms, entropy, keywords, so that the ARN of a secret may fail. Here the name and the structure of the value "
        "decide, a reference passes, and only what runs is read, the versions behind aliases included.",
    ),
    Peer(
        "environment",
        "checkov `CKV_AWS_45`",
        "It looks for keys of AWS in the variables of a function in Terraform. Here those that run are read, for "
        "secrets of every kind.",
    ),
)

row = Row(
    title="No secrets in code or environment variables",
    category=Category.SECURITY,
    risk=Risk.CRITICAL,
    why="A credential in a repository is in every clone of it, for ever, and in the hands of everyone who has one.",
    peers=_PEERS,
)

row.awaits(
    "repository",
    Requirement.REQUIRED,
    rule="No file at the head of the default branch holds anything that looks like a live secret.",
    remedy="""
    Rotate the secret first: it is known. Then read it at run time:

    ```python
    password = boto3.client("secretsmanager").get_secret_value(SecretId="payments/db")["SecretString"]
    ```

    A value that is no secret is silenced at its line:

    ```python
    EXAMPLE = "AKIA..."  # scorecard: ignore secrets/repository until 2027-01-31: example from the manual
    ```
    """,
    awaits="the secret scanner",
)

row.awaits(
    "history",
    Requirement.REQUIRED,
    rule="No commit holds a secret whose rotation is not recorded.",
    remedy="""
    Rotate it, then record that in the service file; rewriting history does not take it back from those who have it:

    ```yaml
    spec:
      rotated:
        - {secret: "src/settings.py@3f2a", on: 2026-05-01}
    ```
    """,
    awaits="the secret scanner",
)


@row.required(
    remedy="""
    ECS, in Terraform: a reference in `secrets` in place of a value in `environment`:

    ```hcl
    secrets = [{ name = "DB_PASSWORD", valueFrom = aws_secretsmanager_secret.db.arn }]
    ```

    Kubernetes:

    ```yaml
    env:
      - name: DB_PASSWORD
        valueFrom: {secretKeyRef: {name: payments-db, key: password}}
    ```

    Compose: `DB_PASSWORD_FILE: /run/secrets/db_password` with a `secrets:` entry. Take `.env` out of the repository:
    `git rm --cached .env && echo .env >> .gitignore`.
    """
)
def environment(seen: Environments | Unavailable | Absent) -> Finding:
    """No definition gives a literal value to an environment variable whose name says that it is secret."""
    if isinstance(seen, Unavailable):
        return unavailable(seen)
    if isinstance(seen, Absent):
        words = f"{seen.reason}: the variables of the service were not found"
        return unknown(Cause.NOT_CONFIGURED, words, lines=_LINES)
    return each(_looked_at(seen), _judge, missing=seen.missing, things="variables and places")


@dataclass(frozen=True, slots=True)
class _Literal:
    """One variable that holds a secret, and where; a subject of its own, so that a waiver of it is of no other."""

    name: str
    secret: PlainSecret
    place: Variables

    @property
    def where(self) -> str:
        """Its definition."""
        return self.place.where


def _looked_at(seen: Environments) -> Iterator[_Literal | Variables | Unseen]:
    for one in seen.items:
        if isinstance(one, Unseen) or not one.plain:
            yield one
        else:
            yield from (_Literal(f"{secret.name}, in {one.name}", secret, one) for secret in one.plain)


def _judge(one: _Literal | Variables | Unseen) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if isinstance(one, Variables):
        return passed(f"{one.kind}: none of its {one.count} variables is a literal secret")
    mark = f", fingerprint {one.secret.fingerprint}" if one.secret.fingerprint else ""
    return failed("literal", f"{one.place.kind}: a {one.secret.kind} in plain text in {one.place.where}{mark}")


_LINES = """spec:
  aws: {account: "111122223333", tags: {Service: SERVICE}}"""
