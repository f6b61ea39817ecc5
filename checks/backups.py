"""Automated backups with tested restore: a backup counts when a restore of it was validated recently."""

from dataclasses import dataclass

from scorecard.check import Category, Requirement, Risk, Row


@dataclass(frozen=True, slots=True)
class Limits:
    """How long backups are kept, and how old the last restore may be."""

    retention_days: int = 7
    restored_within_days: int = 100
    """Older is a warning."""
    restored_at_most_days: int = 180
    """Older is a failure."""


row = Row(
    title="Automated backups with tested restore",
    category=Category.RELIABILITY,
    risk=Risk.CRITICAL,
    why="A backup that was never restored is a hope; a truncated dump and an empty one look the same as a good one.",
    limits=Limits,
    needs_state=True,
)

row.awaits(
    "automated",
    Requirement.REQUIRED,
    rule="Backups are kept for {retention_days} days or more, and the newest is within the declared recovery point.",
    remedy="""
    ```hcl
    resource "aws_db_instance" "payments" {
      backup_retention_period = 14
    }

    resource "aws_dynamodb_table" "payments" {
      point_in_time_recovery { enabled = true }
    }

    resource "aws_s3_bucket_versioning" "data" {
      bucket = aws_s3_bucket.data.id
      versioning_configuration { status = "Enabled" }
    }
    ```

    and say in the service file what is backed up and how much may be lost:

    ```yaml
    spec:
      backups:
        - {resource: "arn:aws:rds:ap-southeast-2:111122223333:db:payments", recovery_time: 1h, recovery_point: 24h}
    ```
    """,
    awaits="the AWS probe and the dump reader",
)

row.awaits(
    "restore-tested",
    Requirement.REQUIRED,
    rule=(
        "A restore within {restored_within_days} days, at most {restored_at_most_days}, was validated and finished "
        "within the recovery time."
    ),
    remedy="""
    Restore the newest dump into a scratch database, with questions that an empty or half restored one cannot answer:

    ```sh
    scorecard drill restore drills/payments.yaml
    ```

    Or let AWS Backup do it every month, and report the result of your own validation:

    ```hcl
    resource "aws_backup_restore_testing_plan" "monthly" {
      name                = "monthly"
      schedule_expression = "cron(0 3 1 * ? *)"
      recovery_point_selection {
        algorithm             = "LATEST_WITHIN_WINDOW"
        include_vaults        = ["*"]
        recovery_point_types  = ["SNAPSHOT", "CONTINUOUS"]
        selection_window_days = 7
      }
    }
    ```

    ```sh
    aws backup put-restore-validation-result --restore-job-id JOB --validation-status SUCCESSFUL
    ```
    """,
    awaits="the AWS probe and the drill reader",
)
