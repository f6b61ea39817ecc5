"""The gate: every reason for no-go and for cannot-tell, one at a time."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta

import pytest

from scorecard.checklist import Checklist, NotApplicable
from scorecard.gate import Decision, cannot_tell, decide
from scorecard.judge import Judged, RowResult, Snapshot, row_status
from scorecard.model import Cause, GatePolicy, Requirement, Service, ServiceKey, Status, Verdict, Waiver

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PAYMENTS = Service(name="payments")
POLICY = GatePolicy()


def check(
    check_id: str = "check",
    status: Status = Status.PASS,
    requirement: Requirement = Requirement.REQUIRED,
    age: timedelta = timedelta(0),
) -> Judged:
    return Judged(
        id=check_id,
        requirement=requirement,
        rule_version=1,
        status=status,
        code="c",
        message=f"{check_id} is {status.value}",
        cause=Cause.TIMEOUT if status is Status.UNKNOWN else None,
        observed_at=NOW - age,
        expires_at=NOW + timedelta(days=1),
        fingerprint=f"sha256:{check_id}" if status is Status.FAIL else "",
    )


def row(row_id: str, *checks: Judged, weight: int = 10) -> RowResult:
    return RowResult(id=row_id, weight=weight, status=row_status(checks), checks=checks)


def exempt(row_id: str) -> RowResult:
    reason = NotApplicable("cold standby", "lead", date(2027, 3, 1))
    return RowResult(id=row_id, weight=10, status=Status.NOT_APPLICABLE, checks=(), exclusion=reason)


def snapshot(*rows: RowResult, not_asked: tuple[str, ...] = ()) -> Snapshot:
    required = frozenset([*(one.id for one in rows if one.weight >= 7), *not_asked])
    checklist = Checklist(
        name="c", version=1, title="C", rows=(), required_rows=required, nearly_within=15, digest="sha256:c"
    )
    return Snapshot(service=PAYMENTS, checklist=checklist, taken_at=NOW, run="1", rows=tuple(rows), not_asked=not_asked)


def waiver(row_id: str = "bad", check_id: str = "broken", **more: object) -> Waiver:
    base = Waiver(
        id=1,
        service=PAYMENTS.key,
        row=row_id,
        check=check_id,
        fingerprint=f"sha256:{check_id}",
        reason="launch on Monday",
        requested_by="payments-lead",
        approved_by="platform-lead",
        approved_at=NOW - timedelta(days=1),
        expires_at=NOW + timedelta(days=30),
    )
    return dataclasses.replace(base, **more)


FINE = row("fine", check())
MANY = tuple(row(f"fine-{index}", check()) for index in range(9))
BAD = row("bad", check("broken", Status.FAIL))


def gate(
    *rows: RowResult, policy: GatePolicy = POLICY, waivers: tuple[Waiver, ...] = (), not_asked: tuple[str, ...] = ()
) -> Decision:
    return decide(snapshot(*rows, not_asked=not_asked), policy, waivers, NOW)


def test_everything_fine_is_go_and_says_by_what() -> None:
    decision = gate(FINE)
    assert (decision.verdict, decision.exit_code) == (Verdict.GO, 0)
    assert decision.reasons == ("score 100.0 of at least 80, coverage 100.0 %",)


def test_a_blocking_row_that_failed_is_no_go_with_its_finding() -> None:
    decision = gate(BAD, *MANY)
    assert (decision.verdict, decision.exit_code) == (Verdict.NO_GO, 1)
    assert decision.reasons == ("bad/broken: broken is fail",)


def test_a_row_that_does_not_block_may_fail_while_the_score_holds() -> None:
    assert gate(row("low", check("broken", Status.FAIL), weight=2), *MANY).verdict is Verdict.GO


def test_an_advisory_failure_never_blocks() -> None:
    advisory = check("nice", Status.FAIL, Requirement.ADVISORY)
    assert gate(row("fine", check(), advisory)).verdict is Verdict.GO


def test_an_upper_bound_under_the_minimum_is_no_go() -> None:
    low = tuple(row(f"low-{index}", check("broken", Status.FAIL), weight=4) for index in range(9))
    decision = gate(FINE, *low)
    assert decision.verdict is Verdict.NO_GO
    assert decision.reasons == ("even if every unknown passed, the score would be 21.7, under 80",)


def test_more_waivers_than_the_tier_allows_are_no_go_used_or_not() -> None:
    decision = gate(FINE, policy=GatePolicy(maximum_waivers=0), waivers=(waiver(),))
    assert (decision.verdict, decision.reasons) == (Verdict.NO_GO, ("1 waivers, 0 are allowed",))


def test_more_exemptions_than_the_tier_allows_are_no_go() -> None:
    decision = gate(FINE, exempt("a"), exempt("b"), policy=GatePolicy(maximum_exempt_rows=1))
    assert (decision.verdict, decision.reasons) == (Verdict.NO_GO, ("2 exempt rows, 1 are allowed",))


def test_a_blocking_row_that_is_unknown_is_cannot_tell() -> None:
    decision = gate(row("dark", check("lost", Status.UNKNOWN)), *MANY)
    assert (decision.verdict, decision.exit_code) == (Verdict.CANNOT_TELL, 3)
    assert decision.reasons == ("dark/lost: timeout: lost is unknown",)


def test_a_failure_comes_before_what_is_unknown() -> None:
    assert gate(BAD, row("dark", check("lost", Status.UNKNOWN)), *MANY).verdict is Verdict.NO_GO


def test_a_finding_older_than_the_tier_allows_is_cannot_tell() -> None:
    policy = GatePolicy(measured_within=timedelta(hours=48))
    assert gate(row("old", check(age=timedelta(hours=48))), policy=policy).verdict is Verdict.GO
    decision = gate(row("old", check(age=timedelta(hours=49))), policy=policy)
    assert decision.verdict is Verdict.CANNOT_TELL
    assert decision.reasons == ("old/check: last seen 2026-11-21 11:00 UTC, over 2d ago",)


def test_what_expired_since_is_cannot_tell_although_it_once_failed() -> None:
    decision = decide(snapshot(BAD, *MANY), POLICY, (), NOW + timedelta(days=2))
    assert decision.verdict is Verdict.CANNOT_TELL


def test_coverage_under_the_minimum_is_cannot_tell() -> None:
    dark = tuple(row(f"dark-{index}", check("lost", Status.UNKNOWN), weight=4) for index in range(2))
    decision = gate(FINE, *dark, policy=GatePolicy(minimum_score=0, minimum_coverage=80))
    assert decision.verdict is Verdict.CANNOT_TELL
    assert decision.reasons == ("coverage is 55.5 %, 80 % is needed",)


def test_a_score_that_might_still_reach_the_minimum_is_cannot_tell() -> None:
    dark = row("dark", check("lost", Status.UNKNOWN), weight=4)
    decision = gate(FINE, dark, policy=GatePolicy(minimum_score=80, minimum_coverage=0))
    assert decision.verdict is Verdict.CANNOT_TELL
    assert decision.reasons == ("the score is 71.4 and could be 100.0; 80 is needed",)


def test_a_blocking_row_that_was_not_asked_is_cannot_tell() -> None:
    decision = gate(FINE, not_asked=("secrets",))
    assert (decision.verdict, decision.reasons) == (Verdict.CANNOT_TELL, ("secrets: was not asked",))
    half = dataclasses.replace(FINE, not_asked=("history",))
    assert gate(half).verdict is Verdict.CANNOT_TELL


def test_a_blocking_row_of_which_nothing_applies_is_cannot_tell() -> None:
    decision = gate(row("empty", check("gone", Status.NOT_APPLICABLE)), *MANY)
    assert decision.verdict is Verdict.CANNOT_TELL
    assert "empty: none of its required checks applies" in decision.reasons


def test_nothing_measured_and_nothing_that_applies_are_cannot_tell() -> None:
    nothing = dataclasses.replace(snapshot(FINE), taken_at=None)
    assert decide(nothing, POLICY, (), NOW) == cannot_tell("nothing was measured yet")
    assert gate(exempt("a")).reasons == ("no row of the checklist applies",)


# --- waivers ---------------------------------------------------------------------------------------------------------


def test_a_waiver_lets_one_finding_through_and_is_named() -> None:
    decision = gate(BAD, *MANY, waivers=(waiver(),))
    assert decision.verdict is Verdict.GO
    assert decision.reasons == (
        "score 100.0 of at least 80, coverage 100.0 %",
        "bad/broken is waived until 2026-12-23",
    )


@pytest.mark.parametrize(
    "other",
    [
        {"fingerprint": "sha256:other"},
        {"row": "fine"},
        {"check": "other"},
        {"service": ServiceKey("payments", "staging")},
        {"service": ServiceKey("ledger")},
        {"revoked": True},
        {"approved_by": ""},
        {"approved_by": "payments-lead"},
        {"approved_at": NOW + timedelta(seconds=1)},
        {"expires_at": NOW},
        {"fingerprint": ""},
    ],
    ids=str,
)
def test_a_waiver_of_anything_else_does_not(other: dict[str, object]) -> None:
    assert gate(BAD, *MANY, waivers=(waiver(**other),)).verdict is Verdict.NO_GO


def test_a_waiver_never_covers_what_is_unknown() -> None:
    lost = check("broken", Status.UNKNOWN)
    for fingerprint in ("", "sha256:broken"):
        decision = gate(row("bad", lost), *MANY, waivers=(waiver(fingerprint=fingerprint),))
        assert decision.verdict is Verdict.CANNOT_TELL


def test_one_of_two_failures_waived_is_still_no_go() -> None:
    two = row("bad", check("broken", Status.FAIL), check("worse", Status.FAIL))
    decision = gate(two, *MANY, waivers=(waiver(),))
    assert decision.reasons == ("bad/worse: worse is fail",)
