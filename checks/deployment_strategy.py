"""Deployment strategy: a deployment takes nothing away from the users, and stops when it goes wrong."""

from dataclasses import dataclass

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Risk,
    Row,
    each,
    failed,
    not_applicable,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.releases import Draining, Drainings, HealthGate, HealthGates, Strategies, Strategy, Way
from scorecard.model import Service


@dataclass(frozen=True, slots=True)
class Limits:
    """Which services are of the top tier."""

    top_tiers: tuple[str, ...] = ("tier-1",)
    """Words of `metadata.tier`."""


row = Row(
    title="Deployment strategy without downtime",
    category=Category.DEPLOYMENT,
    risk=Risk.MEDIUM,
    why="A service that goes down for each deployment is deployed seldom, in large steps, at night.",
    limits=Limits,
)

_LINES = """spec:
  aws: {account: "111122223333", tags: {Service: SERVICE}}"""
_THINGS = "things that are deployed"


def _nothing_deployed(absent: Absent) -> Finding:
    """That AWS deploys nothing of a service does not say that nobody does."""
    words = f"{absent.reason}: what deploys the service was not found"
    return unknown(Cause.NOT_CONFIGURED, words, lines=_LINES)


@row.required(
    remedy="""
    ```hcl
    resource "aws_ecs_service" "payments" {
      deployment_minimum_healthy_percent = 100
      deployment_maximum_percent         = 200
    }
    ```

    Kubernetes: `strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}`.
    """
)
def zero_downtime(seen: Strategies | Unavailable | Absent) -> Finding:
    """Deployments are rolling with a healthy minimum, blue/green or canary."""
    if isinstance(seen, Unavailable):
        return unavailable(seen)
    if isinstance(seen, Absent):
        return _nothing_deployed(seen)
    return each(seen.items, _keeps_serving, missing=seen.missing, things=_THINGS)


def _keeps_serving(one: Strategy | Unseen) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if not one.kept:
        return failed("takes-all-down", f"{one.kind}: a deployment may take all of it down at once ({one.words})")
    return passed(f"{one.kind}: {one.way}, {one.kept} goes on serving ({one.words})")


@row.required(
    remedy="""
    ```hcl
    resource "aws_ecs_service" "payments" {
      health_check_grace_period_seconds = 60
    }

    resource "aws_lb_target_group" "payments" {
      health_check {
        path    = "/readyz"
        matcher = "200"
      }
    }
    ```

    Kubernetes: `readinessProbe: {httpGet: {path: /readyz, port: 8080}}` and `minReadySeconds: 10`.
    """
)
def health_gated(seen: HealthGates | Unavailable | Absent) -> Finding:
    """A deployment waits for the health of what is new, after a grace period for its start."""
    if isinstance(seen, Unavailable):
        return unavailable(seen)
    if isinstance(seen, Absent):
        return _nothing_deployed(seen)
    return each(seen.items, _waits, missing=seen.missing, things=_THINGS)


def _waits(one: HealthGate | Unseen) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if not one.waits_for:
        return failed("no-gate", f"{one.kind}: a deployment waits for no health check, no hook and no alarm")
    waits = " and ".join(one.waits_for)
    if one.port_only:
        return warned("port-only", f"{one.kind}: a deployment waits for an open port only: {waits}")
    if one.grace_seconds == 0:
        return warned("no-grace", f"{one.kind}: no grace period for its start; a deployment waits for {waits}")
    grace = f" after {one.grace_seconds} s of grace" if one.grace_seconds else ""
    return passed(f"{one.kind}: a deployment waits for {waits}{grace}")


@row.required(
    remedy="""
    ```hcl
    resource "aws_lb_target_group" "payments" {
      deregistration_delay = 30
    }
    ```

    with `"stopTimeout": 60` in the container definition, and SIGTERM handled: stop accepting, finish, exit 0.
    Kubernetes: `terminationGracePeriodSeconds: 60` and `lifecycle: {preStop: {sleep: {seconds: 5}}}`.
    """
)
def draining(seen: Drainings | Unavailable | Absent) -> Finding:
    """The deregistration delay is more than nothing and within the stop timeout, so that requests are finished."""
    if isinstance(seen, Unavailable):
        return unavailable(seen)
    if isinstance(seen, Absent):
        return _nothing_deployed(seen)
    return each(seen.items, _drains, missing=seen.missing, things="services")


def _drains(one: Draining | Unseen) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if one.delay_seconds is None:
        return not_applicable(f"{one.kind}: {one.by_design}")
    if not one.shortest_delay_seconds:
        return failed("no-draining", f"{one.kind}: a deregistration delay of 0 s cuts off the requests under way")
    if one.delay_seconds > one.stop_seconds:
        words = (
            f"its deregistration delay of {one.delay_seconds} s is longer than its stop timeout of {one.stop_seconds} s"
        )
        return warned("outlasts-stop", f"{one.kind}: {words}")
    return passed(
        f"{one.kind}: requests have {one.delay_seconds} s to end, and the containers {one.stop_seconds} s to stop"
    )


@row.advisory(
    remedy="""
    ```hcl
    resource "aws_codedeploy_deployment_group" "payments" {
      deployment_config_name = "CodeDeployDefault.ECSCanary10Percent5Minutes"
      alarm_configuration {
        enabled = true
        alarms  = [aws_cloudwatch_metric_alarm.errors.alarm_name]
      }
      auto_rollback_configuration {
        enabled = true
        events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
      }
    }
    ```
    """
)
def canary_watched(seen: Strategies | Unavailable | Absent) -> Finding:
    """A canary is watched by alarms that stop it."""
    if isinstance(seen, Unavailable):
        return unavailable(seen)
    if isinstance(seen, Absent):
        return _nothing_deployed(seen)
    return each(seen.items, _watched, missing=seen.missing, things="canaries")


def _watched(one: Strategy | Unseen) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if not one.way.gradual:
        return not_applicable(f"{one.kind}: its deployments are {one.way}")
    if not one.watched_by:
        return failed("unwatched", f"{one.kind}: {one.way} without an alarm that stops it is only slow ({one.words})")
    return passed(f"{one.kind}: {one.way}, stopped by {', '.join(one.watched_by)}")


@row.advisory(
    remedy="""
    ```hcl
    resource "aws_ecs_service" "payments" {
      deployment_configuration {
        strategy             = "BLUE_GREEN"
        bake_time_in_minutes = 10
      }
    }
    ```
    """
)
def fits_tier(seen: Strategies | Unavailable | Absent, service: Service, limits: Limits) -> Finding:
    """A service of the top tier is deployed blue/green or by canary."""
    if service.tier not in limits.top_tiers:
        return not_applicable(f"asked of the top tier; this service is of {service.tier}")
    if isinstance(seen, Unavailable):
        return unavailable(seen)
    if isinstance(seen, Absent):
        return _nothing_deployed(seen)
    return each(seen.items, _fits, missing=seen.missing, things=_THINGS)


def _fits(one: Strategy | Unseen) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if one.way is Way.BLUE_GREEN or one.way.gradual:
        return passed(f"{one.kind}: {one.way}")
    return failed("too-plain", f"{one.kind}: {one.way} ({one.words}); the top tier is deployed blue/green or by canary")
