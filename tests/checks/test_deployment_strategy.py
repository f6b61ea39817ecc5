"""The row `deployment-strategy`: what AWS says of deployments, as a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checks.deployment_strategy import row
from scorecard.evidence import Evidence, Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.releases import Draining, Drainings, HealthGate, HealthGates, Strategies, Strategy, Way
from scorecard.judge import Judged
from scorecard.model import Cause, Service, Status

Ask = Callable[..., Judged]
DENIED = Unavailable(Cause.ACCESS_DENIED, "ecs:DescribeServices: AccessDenied")
LOST = Unseen("arn:other", DENIED)
KINDS: dict[str, type[Evidence]] = {
    "zero-downtime": Strategies,
    "health-gated": HealthGates,
    "draining": Drainings,
    "canary-watched": Strategies,
    "fits-tier": Strategies,
}
TOP = Service(name="payments", tier="tier-1")


def strategy(way: Way = Way.ROLLING, kept: str = "100 % of 2 tasks, that is 2", **more: object) -> Strategy:
    return Strategy(name="arn:svc", kind="ECS service", way=way, kept=kept, **more)


def gate(*waits: str, **more: object) -> HealthGate:
    return HealthGate(name="arn:svc", kind="ECS service", waits_for=waits, **more)


def draining(delay: int | None, stop: int = 30, shortest: int | None = None) -> Draining:
    least = delay if shortest is None else shortest
    why = "no load balancer sends it requests" if delay is None else ""
    return Draining(
        name="arn:svc", kind="ECS service", delay_seconds=delay, shortest_delay_seconds=least, stop_seconds=stop,
        by_design=why,
    )  # fmt: skip


CASES: list[tuple[str, Any, str, str, str]] = [
    ("zero-downtime", strategy(), "pass", "ok", "rolling, 100 % of 2 tasks"),
    ("zero-downtime", strategy(Way.CANARY, "the old revision"), "pass", "ok", "canary"),
    ("zero-downtime", strategy(Way.BLUE_GREEN, "the old revision"), "pass", "ok", "blue/green"),
    ("zero-downtime", strategy(Way.AT_ONCE, ""), "fail", "takes-all-down", "all of it down at once"),
    ("zero-downtime", LOST, "unknown", "access-denied", "AccessDenied"),
    ("health-gated", gate("GET /readyz", grace_seconds=60), "pass", "ok", "GET /readyz after 60 s of grace"),
    ("health-gated", gate("its hook BeforeAllowTraffic"), "pass", "ok", "its hook"),
    ("health-gated", gate("GET /readyz", grace_seconds=0), "warn", "no-grace", "no grace period"),
    ("health-gated", gate("TCP port", grace_seconds=9, port_only=True), "warn", "port-only", "an open port only"),
    ("health-gated", gate(grace_seconds=60), "fail", "no-gate", "waits for no health check"),
    ("health-gated", LOST, "unknown", "access-denied", "AccessDenied"),
    ("draining", draining(30, 30), "pass", "ok", "30 s to end"),
    ("draining", draining(31, 30), "warn", "outlasts-stop", "31 s is longer than its stop timeout of 30 s"),
    ("draining", draining(0), "fail", "no-draining", "0 s cuts off"),
    ("draining", draining(30, shortest=0), "fail", "no-draining", "0 s cuts off"),
    ("draining", draining(None), "not_applicable", "not-applicable", "no load balancer"),
    ("draining", LOST, "unknown", "access-denied", "AccessDenied"),
    ("canary-watched", strategy(Way.CANARY, watched_by=("errors",)), "pass", "ok", "stopped by errors"),
    ("canary-watched", strategy(Way.LINEAR), "fail", "unwatched", "is only slow"),
    ("canary-watched", strategy(Way.BLUE_GREEN), "not_applicable", "not-applicable", "its deployments are blue/green"),
    ("canary-watched", LOST, "unknown", "access-denied", "AccessDenied"),
    ("fits-tier", strategy(Way.BLUE_GREEN), "pass", "ok", "blue/green"),
    ("fits-tier", strategy(Way.LINEAR), "pass", "ok", "linear"),
    ("fits-tier", strategy(), "fail", "too-plain", "the top tier is deployed blue/green or by canary"),
    ("fits-tier", LOST, "unknown", "access-denied", "AccessDenied"),
]


@pytest.mark.parametrize(("check", "seen", "status", "code", "words"), CASES)
def test_a_verdict_on_one_thing(ask: Ask, check: str, seen: Any, status: str, code: str, words: str) -> None:  # noqa: ANN401 - an item
    judged = ask(row, check, KINDS[check](items=(seen,)), service=TOP)  # type: ignore[call-arg] # every kind here has items
    assert (judged.status.value, judged.code) == (status, code)
    assert words in judged.message


@pytest.mark.parametrize(("check", "seen", "status", "code", "words"), CASES)
def test_the_law_what_is_lost_beside_a_thing_leaves_a_failure_or_nothing(
    ask: Ask, check: str, seen: Any, status: str, code: str, words: str  # noqa: ANN401 - an item
) -> None:  # fmt: skip
    for evidence in (
        KINDS[check](items=(seen, LOST)),  # type: ignore[call-arg] # as above
        KINDS[check](items=(seen,), missing=(DENIED,)),  # type: ignore[call-arg] # as above
    ):
        judged = ask(row, check, evidence, service=TOP)
        assert judged.status is (Status.FAIL if status == "fail" else Status.UNKNOWN), (code, words)


@pytest.mark.parametrize("check", KINDS)
def test_a_service_of_which_aws_deploys_nothing_is_not_configured(ask: Ask, check: str) -> None:
    judged = ask(row, check, absent=(KINDS[check],), service=TOP)
    assert (judged.status.value, judged.cause) == ("unknown", Cause.NOT_CONFIGURED)


def test_only_the_top_tier_is_asked_for_more_than_rolling(ask: Ask) -> None:
    seen = Strategies(items=(strategy(),))
    assert ask(row, "fits-tier", seen).status is Status.NOT_APPLICABLE
    assert ask(row, "fits-tier", seen, top_tiers=("default",)).status is Status.FAIL


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "deregistration_delay" in row.check("draining").remedy
