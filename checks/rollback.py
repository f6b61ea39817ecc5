"""Rollback procedure tested and documented: the way back is automatic, was gone, and is written down."""

from dataclasses import dataclass

from scorecard.check import Category, Requirement, Risk, Row


@dataclass(frozen=True, slots=True)
class Limits:
    """How old the last rollback may be."""

    tested_within_days: int = 180
    """Older is a warning."""
    tested_at_most_days: int = 365
    """Older is a failure."""


row = Row(
    title="Rollback procedure tested and documented",
    category=Category.DEPLOYMENT,
    risk=Risk.HIGH,
    why="A way back that nobody has gone is found to be closed in the middle of the outage.",
    limits=Limits,
)

row.awaits(
    "automatic",
    Requirement.REQUIRED,
    rule="A bad deployment is rolled back by the platform itself, not by a person who notices it.",
    remedy="""
    ECS, in Terraform:

    ```hcl
    resource "aws_ecs_service" "payments" {
      deployment_circuit_breaker {
        enable   = true
        rollback = true
      }
      alarms {
        enable      = true
        rollback    = true
        alarm_names = [aws_cloudwatch_metric_alarm.errors.alarm_name]
      }
    }
    ```

    Helm: `helm upgrade --install --atomic --timeout 5m payments ./chart`. A Kubernetes Deployment alone stops at a bad
    revision but does not go back: add `--atomic`, Argo Rollouts or Flagger.
    """,
    awaits="the AWS probe and the manifest reader",
)

row.awaits(
    "tested",
    Requirement.REQUIRED,
    rule=(
        "A real rollback or a drill succeeded within {tested_within_days} days, at most {tested_at_most_days}, "
        "and no later one failed."
    ),
    remedy="""
    Roll staging back to the revision before, see that it is healthy, and push the record of the drill:

    ```sh
    aws ecs update-service --cluster staging --service payments --task-definition payments:41
    aws ecs wait services-stable --cluster staging --services payments
    curl --fail https://payments.staging.example.net/readyz
    scorecard push drill rollback-drill.json
    ```
    """,
    awaits="the AWS probe and the drill reader",
)

row.awaits(
    "documented",
    Requirement.REQUIRED,
    rule="A runbook for rollback has a command block and a step that verifies the result.",
    remedy="""
    Write `runbooks/rollback.md`:

    ````markdown
    # Rollback

    ## Roll back
    ```sh
    aws ecs update-service --cluster production --service payments --task-definition payments:PREVIOUS
    ```

    ## Verify
    ```sh
    curl --fail https://payments.example.net/readyz
    ```
    The error rate is back under 0.1 % within five minutes. Otherwise call the on-call of the platform.
    ````
    """,
    awaits="the rollback runbook reader",
)
