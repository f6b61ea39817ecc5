"""The row `rollback`: whether deployments go back by themselves and did, as a verdict; what it waits for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.rollback import row
from scorecard.check import Row
from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.releases import Rollback, RollbackSetting, RollbackSettings, RollbackTrace, RollbackTraces
from scorecard.judge import Judged
from scorecard.model import Cause, Status

Ask = Callable[..., Judged]
DENIED = Unavailable(Cause.ACCESS_DENIED, "ecs:ListServiceDeployments: AccessDenied")
ARN = "arn:aws:ecs:eu-west-1:111122223333:service/production/payments"
LOST = Unseen("arn:other", DENIED)
RANK = [Status.FAIL, Status.UNKNOWN, Status.WARN, Status.PASS]


def setting(*ways: str, **more: object) -> RollbackSetting:
    return RollbackSetting(name=ARN, kind="ECS service", ways=ways, **more)


def trace(now: datetime, *rollbacks: tuple[float, bool], name: str = ARN) -> RollbackTrace:
    """(days ago, succeeded) of each."""
    made = [
        Rollback(id=f"d-{index}", at=now - timedelta(days=days), succeeded=succeeded)
        for index, (days, succeeded) in enumerate(rollbacks)
    ]
    return RollbackTrace(name=name, kind="ECS service", rollbacks=tuple(made), kept_days=90)


@pytest.mark.parametrize(
    ("seen", "status", "code", "words"),
    [
        (setting("the circuit breaker"), "pass", "ok", "the circuit breaker takes a bad deployment back"),
        (setting("blue/green", "2 alarms"), "pass", "ok", "blue/green and 2 alarms takes"),
        (setting(stops=True, words="circuit breaker without rollback"), "warn", "stops-only", "without rollback"),
        (setting(words="circuit breaker off, no alarms"), "fail", "no-rollback", "circuit breaker off, no alarms"),
        (LOST, "unknown", "access-denied", "AccessDenied"),
    ],
)
def test_automatic_is_what_the_platform_does_by_itself(
    ask: Ask, seen: RollbackSetting | Unseen, status: str, code: str, words: str
) -> None:
    judged = ask(row, "automatic", RollbackSettings(items=(seen,)))
    assert (judged.status.value, judged.code) == (status, code)
    assert words in judged.message


def test_one_thing_that_does_not_go_back_fails_beside_others_that_do(ask: Ask) -> None:
    other = RollbackSetting(name="arn:other", kind="Lambda function")
    judged = ask(row, "automatic", RollbackSettings(items=(setting("the circuit breaker"), other, LOST)))
    assert (judged.status.value, [one.status.value for one in judged.subjects]) == ("fail", ["pass", "fail", "unknown"])


@pytest.mark.parametrize("check", ["automatic", "tested"])
def test_a_service_of_which_aws_deploys_nothing_is_not_configured_and_does_not_get_away(ask: Ask, check: str) -> None:
    kind = {"automatic": RollbackSettings, "tested": RollbackTraces}[check]
    judged = ask(row, check, absent=(kind,))
    assert (judged.status.value, judged.cause) == ("unknown", Cause.NOT_CONFIGURED)
    assert "spec:" in judged.lines


@pytest.mark.parametrize(
    ("rollbacks", "status", "code", "words"),
    [
        ([(10, True)], "pass", "ok", "10 days ago"),
        ([(180, True)], "pass", "ok", "180 days ago"),
        ([(181, True)], "warn", "getting-old", "getting old"),
        ([(365, True)], "warn", "getting-old", "365 days ago"),
        ([(366, True)], "fail", "stale", "older than 365 days"),
        ([(5, False), (10, True)], "fail", "rollback-failed", "the newest rollback failed"),
        ([(5, True), (10, False)], "pass", "ok", "5 days ago"),
        ([(5, True), (5, False)], "fail", "rollback-failed", "failed"),
        ([(-3, True)], "fail", "never-rolled-back", "no rollback was ever seen; ECS lists those of the last 90 days"),
        ([], "fail", "never-rolled-back", "no rollback was ever seen"),
    ],
)
def test_tested_is_the_newest_rollback_and_its_age(
    ask: Ask, now: datetime, rollbacks: list[tuple[float, bool]], status: str, code: str, words: str
) -> None:
    judged = ask(row, "tested", RollbackTraces(items=(trace(now, *rollbacks),)))
    assert (judged.status.value, judged.code) == (status, code)
    assert words in judged.message


def test_the_thresholds_are_the_checklists(ask: Ask, now: datetime) -> None:
    seen = RollbackTraces(items=(trace(now, (40, True)),))
    assert ask(row, "tested", seen, tested_within_days=30).status is Status.WARN
    assert ask(row, "tested", seen, tested_within_days=10, tested_at_most_days=30).status is Status.FAIL


def test_a_rollback_of_anything_of_the_service_counts_for_it(ask: Ask, now: datetime) -> None:
    seen = RollbackTraces(items=(trace(now), trace(now, (3, True), name="arn:worker")))
    judged = ask(row, "tested", seen)
    assert judged.status is Status.PASS
    assert "arn:worker" in judged.message


def test_what_could_not_be_read_leaves_no_verdict_but_a_failure_that_was_seen(ask: Ask, now: datetime) -> None:
    for items, status in [
        ((trace(now, (3, True)), LOST), Status.UNKNOWN),
        ((trace(now), LOST), Status.UNKNOWN),
        ((trace(now, (3, False)), LOST), Status.FAIL),
    ]:
        assert ask(row, "tested", RollbackTraces(items=items)).status is status
    assert (
        ask(row, "tested", RollbackTraces(items=(trace(now, (3, True)),), missing=(DENIED,))).status is Status.UNKNOWN
    )


histories = st.lists(st.tuples(st.sampled_from([1.0, 100.0, 200.0, 400.0]), st.booleans()), max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(histories, min_size=1, max_size=3), lost=st.integers(0, 2))
def test_the_law_losing_one_thing_never_raises_the_verdict(
    ask: Ask, now: datetime, parts: list[list[tuple[float, bool]]], lost: int
) -> None:
    items = [trace(now, *one, name=f"arn:{index}") for index, one in enumerate(parts)]
    whole = ask(row, "tested", RollbackTraces(items=tuple(items)))
    index = lost % len(items)
    partial = ask(
        row, "tested", RollbackTraces(items=(*items[:index], Unseen(f"arn:{index}", DENIED), *items[index + 1 :]))
    )
    # Unknown is worth as little as a failure.
    assert RANK.index(partial.status) <= max(RANK.index(whole.status), RANK.index(Status.UNKNOWN))
    assert not (whole.status is Status.FAIL and partial.status in {Status.PASS, Status.WARN})


def test_documented_waits_for_the_reader_of_rollback_runbooks(waits: Callable[[Row, str], str]) -> None:
    assert waits(row, "documented") == "the rollback runbook reader"


def test_a_rule_shows_the_threshold_in_force() -> None:
    assert "within 180 days, at most 365" in row.check("tested").rule(row.default_limits())


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "deployment_circuit_breaker" in row.check("automatic").remedy
