"""Secrets management: each secret has a level, and the service is as safe as its weakest."""

from dataclasses import dataclass

from scorecard.check import Category, Requirement, Risk, Row


@dataclass(frozen=True, slots=True)
class Limits:
    """The level that every secret needs."""

    level: int = 2
    """0 hardcoded, 1 plain environment, 2 a secret store, 3 dynamic."""


row = Row(
    title="Secrets management",
    category=Category.SECURITY,
    risk=Risk.HIGH,
    why="A secret that is copied about and never changes is known to more people every year.",
    limits=Limits,
)

row.awaits(
    "level",
    Requirement.REQUIRED,
    rule="Every secret is of level {level} or more (0 hardcoded, 1 plain environment, 2 secret store, 3 dynamic).",
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
    """,
    awaits="the definition reader and the AWS probe",
)

row.awaits(
    "rotation",
    Requirement.REQUIRED,
    rule="Every secret in a store has rotation on and was rotated in time.",
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
    """,
    awaits="the AWS probe and the Vault probe",
)

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
    awaits="the AWS probe and the Vault probe",
)
