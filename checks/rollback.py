"""Rollback procedure tested and documented: the way back is automatic, was gone, and is written down."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Now,
    Requirement,
    Risk,
    Row,
    each,
    failed,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.releases import Rollback, RollbackSetting, RollbackSettings, RollbackTrace, RollbackTraces


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

_SKEW = timedelta(minutes=5)
"""By how much AWS's clock may be ahead of ours."""
_LINES = """spec:
  aws: {account: "111122223333", tags: {Service: SERVICE}}"""


# --- automatic -------------------------------------------------------------------------------------------------------


@row.required(
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

    CodeDeploy, which deploys Lambda functions too:

    ```hcl
    resource "aws_codedeploy_deployment_group" "payments" {
      auto_rollback_configuration {
        enabled = true
        events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
      }
    }
    ```

    Helm: `helm upgrade --install --atomic --timeout 5m payments ./chart`. A Kubernetes Deployment alone stops at a bad
    revision but does not go back: add `--atomic`, Argo Rollouts or Flagger.
    """
)
def automatic(seen: RollbackSettings | Unavailable | Absent) -> Finding:
    """A bad deployment is rolled back by the platform itself, not by a person who notices it."""
    if isinstance(seen, Unavailable):
        return unavailable(seen)
    if isinstance(seen, Absent):
        return _nothing_deployed(seen)
    return each(seen.items, _goes_back, missing=seen.missing, things="things that are deployed")


def _goes_back(one: RollbackSetting | Unseen) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if one.ways:
        return passed(f"{one.kind}: {' and '.join(one.ways)} takes a bad deployment back ({one.words})")
    if one.stops:
        return warned(
            "stops-only", f"{one.kind}: a bad deployment stops and stays; nothing takes it back ({one.words})"
        )
    return failed("no-rollback", f"{one.kind}: nothing takes a bad deployment back ({one.words})")


def _nothing_deployed(absent: Absent) -> Finding:
    """That AWS deploys nothing of a service does not say that nobody does."""
    words = f"{absent.reason}: what deploys the service was not found"
    return unknown(Cause.NOT_CONFIGURED, words, lines=_LINES)


# --- tested ----------------------------------------------------------------------------------------------------------


@row.required(
    remedy="""
    Roll a deployment back for once, on a quiet day, and see that the service is healthy. A deployment that its alarm or
    its circuit breaker takes back leaves the trace by itself; on request:

    ```sh
    aws ecs list-service-deployments --cluster production --service payments --status IN_PROGRESS
    aws ecs stop-service-deployment --service-deployment-arn ARN --stop-type ROLLBACK
    curl --fail https://payments.example.net/readyz
    ```

    ECS lists its deployments for 90 days; the scorecard remembers the rollbacks that it saw.
    """
)
def tested(seen: RollbackTraces | Unavailable | Absent, limits: Limits, now: Now) -> Finding:
    """A rollback succeeded within {tested_within_days} days, at most {tested_at_most_days}, and no later one failed."""
    if isinstance(seen, Unavailable | Absent):
        return _nothing_deployed(seen) if isinstance(seen, Absent) else unavailable(seen)
    missing = [*seen.missing, *(one.why for one in seen.items if isinstance(one, Unseen))]
    traces = [one for one in seen.items if isinstance(one, RollbackTrace)]
    rollbacks = sorted(_past(traces, now), key=lambda pair: (pair[0].at, not pair[0].succeeded), reverse=True)
    if rollbacks and not rollbacks[0][0].succeeded:
        rollback, name = rollbacks[0]
        return failed("rollback-failed", f"the newest rollback failed: {_named(rollback, name, now)}")
    if missing:
        # What could not be read may hold a newer one that failed, and may hold the one that is looked for.
        return unavailable(missing[0])
    if not rollbacks:
        return failed("never-rolled-back", f"no rollback was ever seen{_memory(traces)}")
    return _by_age(*rollbacks[0], limits, now)


def _by_age(rollback: Rollback, name: str, limits: Limits, now: datetime) -> Finding:
    days, named = (now - rollback.at) / timedelta(days=1), _named(rollback, name, now)
    if days > limits.tested_at_most_days:
        return failed("stale", f"the newest rollback is older than {limits.tested_at_most_days} days: {named}")
    if days > limits.tested_within_days:
        return warned("getting-old", f"the newest rollback is getting old: {named}")
    return passed(f"the newest rollback succeeded: {named}")


def _past(traces: Iterable[RollbackTrace], now: datetime) -> Iterable[tuple[Rollback, str]]:
    """(rollback, of what). One that has not come yet proves nothing, unless it failed."""
    for trace in traces:
        for one in trace.rollbacks:
            if one.at <= now + _SKEW or not one.succeeded:
                yield one, trace.name


def _named(rollback: Rollback, name: str, now: datetime) -> str:
    days = max((now - rollback.at) / timedelta(days=1), 0)
    return f"{name}, deployment {rollback.id}, {days:.0f} days ago"


def _memory(traces: Iterable[RollbackTrace]) -> str:
    kept = [one.kept_days for one in traces if one.kept_days is not None]
    return f"; ECS lists those of the last {max(kept)} days" if kept else ""


# --- documented ------------------------------------------------------------------------------------------------------

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
