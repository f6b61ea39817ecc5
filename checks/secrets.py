"""No secrets in code or environment variables: not at HEAD, not in history, not as a literal in a definition."""

from scorecard.check import Category, Requirement, Risk, Row

row = Row(
    title="No secrets in code or environment variables",
    category=Category.SECURITY,
    risk=Risk.CRITICAL,
    why="A credential in a repository is in every clone of it, for ever, and in the hands of everyone who has one.",
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

row.awaits(
    "environment",
    Requirement.REQUIRED,
    rule="No definition gives a literal value to an environment variable whose name says that it is secret.",
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
    """,
    awaits="the definition reader and the AWS probe",
)
