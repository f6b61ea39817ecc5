"""The Law: what turns unknown never raises a score, a level or a coverage, and never turns a gate to go.

First on the arithmetic alone, over rows of generated findings; then on the whole pipe, over generated checklists and
evidence. An oracle written from the specification's sentences, in floats, stands beside the arithmetic.
"""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from scorecard.check import (
    Category,
    Finding,
    Item,
    Row,
    each,
    failed,
    fingerprint,
    not_applicable,
    passed,
    share,
    unknown,
    warned,
)
from scorecard.checklist import Checklist, ChecklistRow, NotApplicable, default_required
from scorecard.evidence import Absent, Evidence, Observation, Sample, Unavailable, Window
from scorecard.evidence.samples import SampleKind, SeriesState, settle
from scorecard.gate import Decision, decide
from scorecard.judge import Judged, RowResult, Seen, Snapshot, judge, judge_check, row_status
from scorecard.model import (
    Cadence,
    Cause,
    Exemption,
    GatePolicy,
    Provenance,
    Requirement,
    Risk,
    Service,
    ServiceType,
    Spec,
    Status,
    Verdict,
    Waiver,
)
from scorecard.score import Score, score

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PAYMENTS = Service(name="payments", type=ServiceType.WEB)
many = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

# --- generated findings ----------------------------------------------------------------------------------------------

risks = st.sampled_from(list(Risk))
# Weighted towards what passes, so that a gate that says go is not a rarity.
statuses = st.sampled_from(
    [*[Status.PASS] * 6, Status.WARN, Status.WARN, Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE]
)
provenances = st.sampled_from([*[Provenance.PROBED] * 4, *Provenance])


@st.composite
def findings(draw: st.DrawFn, row: str, index: int) -> Judged:
    status = draw(statuses)
    observed = NOW - timedelta(hours=draw(st.sampled_from([0, 0, 0, 1, 30, 60])))
    return Judged(
        id=f"check-{index}",
        requirement=draw(st.sampled_from(list(Requirement))),
        rule_version=1,
        status=status,
        code=status.value,
        message="seen",
        cause=Cause.NO_DATA if status is Status.UNKNOWN else None,
        provenance=draw(provenances),
        observed_at=observed,
        expires_at=observed + timedelta(hours=draw(st.sampled_from([61, 90]))),
        fingerprint=f"{row}/{index}" if status is Status.FAIL else "",
    )


@st.composite
def row_results(draw: st.DrawFn, index: int) -> RowResult:
    row = f"row-{index}"
    weight = draw(risks).weight
    exclusion = draw(
        st.sampled_from(
            [
                *[None] * 8,
                NotApplicable("does not apply to a web service"),
                NotApplicable("cold standby", "payments-lead", date(2026, 12, 31)),
            ]
        )
    )
    if exclusion:
        return RowResult(id=row, weight=weight, status=Status.NOT_APPLICABLE, checks=(), exclusion=exclusion)
    checks = tuple(draw(findings(row, number)) for number in range(draw(st.integers(1, 4))))
    return RowResult(id=row, weight=weight, status=row_status(checks), checks=checks)


@st.composite
def several_rows(draw: st.DrawFn) -> tuple[RowResult, ...]:
    return tuple(draw(row_results(index)) for index in range(draw(st.integers(0, 5))))


def blocking(rows: tuple[RowResult, ...]) -> frozenset[str]:
    return frozenset(row.id for row in rows if row.weight >= Risk.HIGH.weight)


def added_up(rows: tuple[RowResult, ...], bar: float = 80) -> Score:
    return score(rows, bar=bar, required_rows=blocking(rows))


def snapshot_of(rows: tuple[RowResult, ...]) -> Snapshot:
    checklist = Checklist(
        name="law", version=1, title="Law", rows=(), required_rows=blocking(rows), nearly_within=15, digest="sha256:"
    )
    return Snapshot(service=PAYMENTS, checklist=checklist, taken_at=NOW, run="1", rows=rows)


policies = st.builds(
    GatePolicy,
    minimum_score=st.sampled_from([0.0, 30.0, 60.0, 80.0, 90.0]),
    minimum_coverage=st.sampled_from([0.0, 30.0, 60.0, 90.0]),
    measured_within=st.sampled_from([timedelta(hours=2), timedelta(hours=48), timedelta(hours=96)]),
    maximum_waivers=st.integers(0, 3),
    maximum_exempt_rows=st.integers(0, 3),
)


def waiver_of(row: str, check: str, print_: str) -> Waiver:
    return Waiver(
        id=1,
        service=PAYMENTS.key,
        row=row,
        check=check,
        fingerprint=print_,
        reason="launch on Monday",
        requested_by="payments-lead",
        approved_by="platform-lead",
        approved_at=NOW - timedelta(days=1),
        expires_at=NOW + timedelta(days=30),
    )


def some_waivers(draw: st.DrawFn, rows: tuple[RowResult, ...]) -> tuple[Waiver, ...]:
    failing = [(row.id, c.id, c.fingerprint) for row in rows for c in row.checks if c.status is Status.FAIL]
    chosen = draw(st.lists(st.sampled_from(failing), unique=True)) if failing else []
    return tuple(waiver_of(*one) for one in chosen)


def turn_unknown(row: RowResult, index: int) -> RowResult:
    checks = tuple(
        dataclasses.replace(check, status=Status.UNKNOWN, cause=Cause.TIMEOUT, code="timeout", fingerprint="")
        if number == index
        else check
        for number, check in enumerate(row.checks)
    )
    return dataclasses.replace(row, checks=checks, status=row_status(checks))


@st.composite
def lost_findings(draw: st.DrawFn, rows: tuple[RowResult, ...]) -> tuple[RowResult, ...]:
    """The rows with some of their findings turned unknown; one at least."""
    places = [(r, c) for r, row in enumerate(rows) for c in range(len(row.checks))]
    assume(places)
    after = list(rows)
    for r, c in draw(st.lists(st.sampled_from(places), min_size=1, unique=True)):
        after[r] = turn_unknown(after[r], c)
    return tuple(after)


def assert_no_higher(after: Score, before: Score) -> None:
    for name in ("score", "verified_only", "coverage"):
        new, old = getattr(after, name), getattr(before, name)
        assert old is None or (new is not None and new <= old), name
    # Where no row applied there was no score, and nothing that could be raised: an exemption may have ended since.
    assert before.score is None or after.level.rank <= before.level.rank


# --- the Law on the arithmetic ---------------------------------------------------------------------------------------


@many
@given(several_rows(), st.sampled_from([50.0, 80.0, 90.0]), st.data())
def test_a_finding_that_turns_unknown_raises_nothing(
    rows: tuple[RowResult, ...], bar: float, data: st.DataObject
) -> None:
    after = data.draw(lost_findings(rows))
    assert_no_higher(added_up(after, bar), added_up(rows, bar))
    assert (added_up(after).score_upper or 0) >= (added_up(rows).score_upper or 0), "doubt only widens the range"


@many
@given(several_rows(), policies, st.data())
def test_a_finding_that_turns_unknown_never_turns_the_gate_to_go(
    rows: tuple[RowResult, ...], policy: GatePolicy, data: st.DataObject
) -> None:
    waivers = some_waivers(data.draw, rows)
    after = data.draw(lost_findings(rows))
    before = decide(snapshot_of(rows), policy, waivers, NOW)
    event(f"before: {before.verdict}")
    if decide(snapshot_of(after), policy, waivers, NOW).verdict is Verdict.GO:
        assert before.verdict is Verdict.GO


@many
@given(several_rows(), policies, st.lists(st.integers(0, 100), min_size=2, max_size=2).map(sorted), st.data())
def test_growing_old_raises_nothing(
    rows: tuple[RowResult, ...], policy: GatePolicy, hours: list[int], data: st.DataObject
) -> None:
    sooner, later = (NOW + timedelta(hours=hour) for hour in hours)
    old = snapshot_of(rows)
    assert_no_higher(added_up(old.at(later).rows), added_up(old.at(sooner).rows))
    waivers = some_waivers(data.draw, rows)
    if decide(old, policy, waivers, later).verdict is Verdict.GO:
        assert decide(old, policy, waivers, sooner).verdict is Verdict.GO


@many
@given(several_rows(), st.integers(0, 100), st.integers(0, 100))
def test_expiry_depends_on_the_instant_alone(rows: tuple[RowResult, ...], first: int, second: int) -> None:
    """Read at one instant and again at a later one, or at the later one at once: the same."""
    one, other = sorted((NOW + timedelta(hours=first), NOW + timedelta(hours=second)))
    at_once, in_steps = snapshot_of(rows).at(other), snapshot_of(rows).at(one).at(other)
    assert added_up(at_once.rows) == added_up(in_steps.rows)
    assert [row.status for row in at_once.rows] == [row.status for row in in_steps.rows]


@many
@given(several_rows())
def test_scores_are_shares_of_a_hundred_and_the_range_holds(rows: tuple[RowResult, ...]) -> None:
    total = added_up(rows)
    if not any(row.applies for row in rows):
        assert (total.score, total.score_upper, total.coverage, total.verified_only) == (None, None, None, None)
        return
    assert total.score is not None
    assert total.score_upper is not None
    assert total.coverage is not None
    assert total.verified_only is not None
    assert 0 <= total.verified_only <= total.score <= total.score_upper <= 100
    assert 0 <= total.coverage <= 100


@many
@given(several_rows(), st.data())
def test_whatever_the_unknown_turns_out_to_be_the_score_is_in_the_range(
    rows: tuple[RowResult, ...], data: st.DataObject
) -> None:
    resolved = []
    for row in rows:
        checks = tuple(
            dataclasses.replace(
                check,
                status=data.draw(st.sampled_from([s for s in Status if s is not Status.UNKNOWN])),
                cause=None,
            )
            if check.status is Status.UNKNOWN
            else check
            for check in row.checks
        )
        resolved.append(row if row.exclusion else dataclasses.replace(row, checks=checks, status=row_status(checks)))
    before, after = added_up(rows), added_up(tuple(resolved))
    assert (before.score or 0) <= (after.score or 0) <= (before.score_upper or 0)


@many
@given(several_rows(), policies, st.data())
def test_a_waiver_covers_what_failed_and_nothing_that_is_unknown(
    rows: tuple[RowResult, ...], policy: GatePolicy, data: st.DataObject
) -> None:
    """With every failure waived, the gate says what it would say had those passed; unless the waivers are too many."""
    waivers = some_waivers(data.draw, rows)
    covered = {one.fingerprint for one in waivers}
    kept = []
    for row in rows:
        checks = tuple(
            dataclasses.replace(check, status=Status.PASS, fingerprint="") if check.fingerprint in covered else check
            for check in row.checks
        )
        kept.append(row if row.exclusion else dataclasses.replace(row, checks=checks, status=row_status(checks)))
    lenient = dataclasses.replace(policy, maximum_waivers=len(waivers))
    with_waivers = decide(snapshot_of(rows), lenient, waivers, NOW)
    assert with_waivers.verdict is decide(snapshot_of(tuple(kept)), lenient, (), NOW).verdict
    if len(waivers) > policy.maximum_waivers:
        assert decide(snapshot_of(rows), policy, waivers, NOW).verdict is Verdict.NO_GO


@many
@given(several_rows(), policies, st.data())
def test_waivers_for_anything_else_change_nothing_but_their_count(
    rows: tuple[RowResult, ...], policy: GatePolicy, data: st.DataObject
) -> None:
    every = [(row.id, check.id, check.fingerprint) for row in rows for check in row.checks]
    assume(every)
    row, check, print_ = data.draw(st.sampled_from(every))
    strangers = (
        waiver_of(row, check, "sha256:of another finding"),
        waiver_of("another-row", check, print_),
        waiver_of(row, "another-check", print_),
        dataclasses.replace(waiver_of(row, check, print_), service=PAYMENTS.key._replace(environment="staging")),
        dataclasses.replace(waiver_of(row, check, print_), revoked=True),
        dataclasses.replace(waiver_of(row, check, print_), expires_at=NOW),
        dataclasses.replace(waiver_of(row, check, print_), approved_by="payments-lead"),
    )
    lenient = dataclasses.replace(policy, maximum_waivers=len(strangers))
    alone = decide(snapshot_of(rows), lenient, (), NOW)
    assert decide(snapshot_of(rows), lenient, strangers, NOW).verdict is alone.verdict


@many
@given(several_rows(), policies, st.randoms())
def test_the_order_of_rows_and_checks_does_not_matter(
    rows: tuple[RowResult, ...], policy: GatePolicy, random: object
) -> None:
    shuffled = []
    for row in rows:
        checks = list(row.checks)
        random.shuffle(checks)  # type: ignore[attr-defined]
        status = row.status if row.exclusion else row_status(tuple(checks))
        shuffled.append(dataclasses.replace(row, checks=tuple(checks), status=status))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert added_up(tuple(shuffled)) == added_up(rows)
    before, after = decide(snapshot_of(rows), policy, (), NOW), decide(snapshot_of(tuple(shuffled)), policy, (), NOW)
    assert after.verdict is before.verdict
    assert sorted(after.reasons) == sorted(before.reasons)


# --- an oracle -------------------------------------------------------------------------------------------------------

NAIVE_CREDIT = {"pass": 1.0, "warn": 0.5, "fail": 0.0, "unknown": 0.0}
NAIVE_WEIGHT = {"critical": 10, "high": 7, "medium": 4, "low": 2}


def naive_status(checks: list[tuple[str, str]]) -> str:
    """Row status by the specification's sentence, from (requirement, status) pairs."""
    asked = [(requirement, status) for requirement, status in checks if status != "not_applicable"]
    required = [status for requirement, status in asked if requirement == "required"]
    advisory = [status for requirement, status in asked if requirement == "advisory"]
    if not required:
        return "fail" if "fail" in required else "unknown"
    if "fail" in required:
        return "fail"
    if "unknown" in required:
        return "unknown"
    if "warn" in required + advisory or "fail" in advisory or "unknown" in advisory:
        return "warn"
    return "pass"


def naive_credit(checks: list[tuple[str, str]]) -> float:
    if naive_status(checks) in {"fail", "unknown"}:
        return 0.0
    required = [NAIVE_CREDIT[status] for kind, status in checks if kind == "required" and status != "not_applicable"]
    advisory = [NAIVE_CREDIT[status] for kind, status in checks if kind == "advisory" and status != "not_applicable"]
    first = sum(required) / len(required)
    return 0.8 * first + 0.2 * sum(advisory) / len(advisory) if advisory else first


def naive_upper(checks: list[tuple[str, str]]) -> float:
    """Every unknown check, and every row without an applicable check, taken as a pass."""
    taken = [(kind, "pass" if status == "unknown" else status) for kind, status in checks]
    if all(status == "not_applicable" for kind, status in taken if kind == "required"):
        taken.append(("required", "pass"))
    return naive_credit(taken)


@many
@given(several_rows(), st.sampled_from([50.0, 80.0, 90.0]))
def test_the_arithmetic_is_what_the_specification_says(rows: tuple[RowResult, ...], bar: float) -> None:
    total = added_up(rows, bar)
    applicable = [row for row in rows if row.exclusion is None]
    pairs = {row.id: [(check.requirement.value, check.status.value) for check in row.checks] for row in applicable}
    weight = sum(row.weight for row in applicable)
    if not weight:
        assert total.score is None
        assert total.level.value == "unknown"
        return
    verified = {
        row.id: [
            (
                check.requirement.value,
                "unknown"
                if check.provenance.value in {"declared", "attested"} and check.status.value != "not_applicable"
                else check.status.value,
            )
            for check in row.checks
        ]
        for row in applicable
    }
    exact = 100 * sum(row.weight * naive_credit(pairs[row.id]) for row in applicable) / weight
    expected = {
        "score": exact,
        "score_upper": 100 * sum(row.weight * naive_upper(pairs[row.id]) for row in applicable) / weight,
        "coverage": 100 * sum(r.weight for r in applicable if naive_status(pairs[r.id]) != "unknown") / weight,
        "verified_only": 100 * sum(row.weight * naive_credit(verified[row.id]) for row in applicable) / weight,
    }
    for name, value in expected.items():
        shown = getattr(total, name)
        assert -1e-6 <= value - shown < 0.1 + 1e-6, name
        assert shown == round(shown, 1), name
    for row in applicable:
        assert row.status.value == naive_status(pairs[row.id])
    if abs(exact - bar) > 1e-6 and abs(exact - bar + 15) > 1e-6:
        assert total.level.value == naive_level(rows, pairs, exact, bar)


def naive_level(rows: tuple[RowResult, ...], pairs: dict[str, list[tuple[str, str]]], exact: float, bar: float) -> str:
    required = [row.id for row in rows if row.weight >= 7 and row.id in pairs]
    critical = [naive_status(pairs[row.id]) for row in rows if row.weight == 10 and row.id in pairs]
    if exact >= bar and all(naive_status(pairs[row]) in {"pass", "warn"} for row in required):
        return "ready"
    if "unknown" in critical and "fail" not in critical:
        return "unknown"
    if exact >= bar - 15 and "fail" not in critical:
        return "nearly"
    return "not-ready"


def test_the_weights_are_those_of_the_specification() -> None:
    assert {risk.value: risk.weight for risk in Risk} == NAIVE_WEIGHT


# --- each() and share() ----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Thing:
    name: str
    status: Status


def verdict_on(thing: Thing) -> Item:
    return {
        Status.PASS: passed("fine"),
        Status.WARN: warned("old", "getting old"),
        Status.FAIL: failed("broken", "is broken"),
        Status.UNKNOWN: unknown(Cause.TIMEOUT, "did not answer"),
        Status.NOT_APPLICABLE: not_applicable("is not one"),
    }[thing.status]


LOST = Unavailable(Cause.ACCESS_DENIED, "list: access denied")
ONE_LOST = dataclasses.replace(LOST, count=1)
# In the order of the Law; a check that does not apply is not compared, since it leaves the mean.
RANK = {Status.UNKNOWN: 0, Status.FAIL: 1, Status.WARN: 2, Status.PASS: 3}
things = st.lists(statuses, max_size=12).map(
    lambda found: tuple(Thing(f"thing-{index}", status) for index, status in enumerate(found))
)
missings = st.lists(st.sampled_from([LOST, ONE_LOST, dataclasses.replace(LOST, count=3)]), max_size=2).map(tuple)
shares = st.sampled_from([0.05, 0.5, 0.55, 0.7, 0.8, 0.95, 1.0])
empties = st.sampled_from([None, failed("none", "there is none"), passed("none is needed")])


@many
@given(things, missings, empties, shares, st.booleans(), st.data())
def test_a_subject_that_is_lost_never_raises_the_finding(
    some: tuple[Thing, ...],
    missing: tuple[Unavailable, ...],
    empty: Item | None,
    least: float,
    whole: bool,
    data: st.DataObject,
) -> None:
    def judge_all(subjects: tuple[Thing, ...], gone: tuple[Unavailable, ...]) -> Finding:
        if whole:
            return each(subjects, verdict_on, missing=gone, empty=empty)
        return share(subjects, verdict_on, at_least=least, missing=gone, empty=empty)

    before = judge_all(some, missing)
    assume(before.status is not Status.NOT_APPLICABLE)
    lost = data.draw(st.dictionaries(st.integers(0, max(len(some) - 1, 0)), st.sampled_from(["turned", "one", "some"])))
    kept = []
    gone = list(missing)
    for index, thing in enumerate(some):
        how = lost.get(index)
        if how in {None, "turned"}:
            kept.append(thing if how is None else dataclasses.replace(thing, status=Status.UNKNOWN))
        else:
            gone.append(ONE_LOST if how == "one" else LOST)
    after = judge_all(tuple(kept), tuple(gone))
    assert after.status is not Status.NOT_APPLICABLE
    assert RANK[after.status] <= RANK[before.status]


@many
@given(things, missings, shares, st.booleans(), st.randoms())
def test_the_order_of_subjects_does_not_matter(
    some: tuple[Thing, ...], missing: tuple[Unavailable, ...], least: float, whole: bool, random: object
) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def judge_all(subjects: tuple[Thing, ...]) -> Finding:
        if whole:
            return each(subjects, verdict_on, missing=missing)
        return share(subjects, verdict_on, at_least=least, missing=missing)

    before, after = judge_all(some), judge_all(tuple(shuffled))
    assert (after.status, after.code) == (before.status, before.code)
    assert fingerprint("row", "check", after) == fingerprint("row", "check", before)


@many
@given(things, st.integers(0, 3), shares, st.booleans())
def test_a_verdict_holds_for_every_way_the_missing_part_could_turn_out(
    some: tuple[Thing, ...], count: int, least: float, whole: bool
) -> None:
    def judge_all(subjects: tuple[Thing, ...], gone: tuple[Unavailable, ...]) -> Status:
        if whole:
            return each(subjects, verdict_on, missing=gone).status
        return share(subjects, verdict_on, at_least=least, missing=gone).status

    gone = (dataclasses.replace(LOST, count=count),) if count else ()
    said = judge_all(some, gone)
    if said in {Status.UNKNOWN, Status.NOT_APPLICABLE}:
        return
    known = [thing for thing in some if thing.status is not Status.UNKNOWN]
    unclear = len(some) - len(known) + count
    for outcome in itertools.combinations_with_replacement([Status.PASS, Status.FAIL], unclear):
        extra = [Thing(f"extra-{index}", status) for index, status in enumerate(outcome)]
        assert judge_all((*known, *extra), ()) is said


# --- the Law on the whole pipe ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inventory(Evidence):
    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    found: tuple[Thing, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mirror(Evidence):
    found: tuple[Thing, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LawPing(Evidence):
    cadence: ClassVar[Cadence] = Cadence.LIVE
    window: ClassVar[int] = 10
    answered: bool


def every_one(seen: Inventory) -> Finding:
    """Every thing is fine."""
    return each(seen.found, verdict_on, missing=seen.missing)


def enough(seen: Mirror) -> Finding:
    """Four fifths are fine."""
    return share(seen.found, verdict_on, at_least=0.8, missing=seen.missing)


def both(seen: Inventory, mirror: Mirror) -> Finding:
    """Both sources are fine."""
    return each((*seen.found, *mirror.found), verdict_on, missing=(*seen.missing, *mirror.missing))


def either(seen: Inventory | Unavailable, mirror: Mirror | Unavailable) -> Finding:
    """One of two sources is fine."""
    said = [
        each(source.found, verdict_on, missing=source.missing, empty=failed("none", "there is none"))
        if isinstance(source, Evidence)
        else unknown(source.cause, source.detail)
        for source in (seen, mirror)
    ]
    return max(said, key=lambda one: {Status.PASS: 3, Status.WARN: 2, Status.UNKNOWN: 1}.get(one.status, 0))


def some_there(mirror: Mirror | Absent) -> Finding:
    """There is something."""
    if isinstance(mirror, Absent):
        return failed("none", mirror.reason)
    return each(mirror.found, verdict_on, missing=mirror.missing, empty=failed("none", "there is none"))


def answers(seen: Window[LawPing]) -> Finding:
    """It answers."""
    kinds = [
        SampleKind.UNCLEAR
        if not isinstance(sample.value, LawPing)
        else SampleKind.GOOD
        if sample.value.answered
        else SampleKind.BAD
        for sample in seen.samples
    ]
    state = settle(kinds, fall=3, rise=2)
    if state is SeriesState.UP:
        return passed("it answers")
    return failed("silent", "it does not answer") if state is SeriesState.DOWN else unknown(Cause.NO_DATA, "no run")


RULES = (every_one, enough, both, either, some_there, answers)


def row_of(index: int, rules: list[tuple[object, Requirement]], risk: Risk, *, needs_state: bool) -> ChecklistRow:
    row = Row(title="Law", category=Category.SECURITY, risk=risk, why="Because.", needs_state=needs_state)
    row.module = f"law.row_{index}"
    for rule, requirement in rules:
        register = row.required if requirement is Requirement.REQUIRED else row.advisory
        register(remedy="`none`")(rule)  # type: ignore[type-var]
    return ChecklistRow(
        id=row.id,
        row=row,
        risk=risk,
        types=row.types,
        needs_state=needs_state,
        limits=None,
        checks=row.checks,
    )


@st.composite
def checklists(draw: st.DrawFn) -> Checklist:
    rows = tuple(
        row_of(
            index,
            draw(
                st.lists(
                    st.tuples(st.sampled_from(RULES), st.sampled_from(list(Requirement))),
                    min_size=1,
                    max_size=4,
                    unique_by=lambda pair: pair[0],
                )
            ),
            draw(risks),
            needs_state=draw(st.booleans()),
        )
        for index in range(draw(st.integers(1, 4)))
    )
    return Checklist(
        name="law",
        version=1,
        title="Law",
        rows=rows,
        required_rows=default_required(rows),
        nearly_within=15,
        digest="sha256:law",
    )


@st.composite
def services(draw: st.DrawFn) -> Service:
    exempt = {
        f"row-{index}": Exemption(
            reason="cold standby", declared_by="payments-lead", approved_by="platform-lead", until=until
        )
        for index, until in draw(
            st.dictionaries(st.integers(0, 3), st.sampled_from([date(2026, 11, 22), date(2026, 11, 25)]), max_size=1)
        ).items()
    }
    return Service(name="payments", stateless=draw(st.booleans()), spec=Spec(exempt=exempt))


ages = st.sampled_from(
    [timedelta(0), timedelta(minutes=5), timedelta(hours=1), timedelta(hours=3), timedelta(hours=49)]
)
pings = st.sampled_from([LawPing(answered=True), LawPing(answered=True), LawPing(answered=False), LOST])


@st.composite
def evidence(draw: st.DrawFn) -> Seen:
    observations = {}
    windows = {}
    for kind in (Inventory, Mirror):
        value = draw(
            st.builds(kind, found=things, missing=missings, provenance=provenances)
            | st.builds(kind, found=things, provenance=provenances)
            | st.sampled_from([LOST, Absent("a complete look found none")])
        )
        observations[kind] = Observation(kind, NOW - draw(ages), value)
    last = NOW - draw(ages)
    pinged = draw(st.lists(pings, max_size=10))
    if pinged:
        samples = tuple(
            Sample(last - timedelta(minutes=len(pinged) - 1 - index), value) for index, value in enumerate(pinged)
        )
        windows[LawPing] = Window(samples)
        observations[LawPing] = Observation(LawPing, samples[-1].at, samples[-1].value)
    return Seen(observations, windows)


@st.composite
def less_evidence(draw: st.DrawFn, seen: Seen) -> Seen:
    """The same with some part of it unknown: a source, a thing, a sample, or how old it is."""
    observations, windows = dict(seen.observations), dict(seen.windows)
    for kind in draw(st.sets(st.sampled_from([Inventory, Mirror]), max_size=2)):
        one = observations[kind]
        how = draw(st.sampled_from(["source", "forgotten", "older", "thing"]))
        event(f"lost: {how}")
        if how == "source":
            observations[kind] = dataclasses.replace(one, value=LOST)
        elif how == "forgotten":
            del observations[kind]
        elif how == "older":
            observations[kind] = dataclasses.replace(one, at=one.at - timedelta(days=3))
        elif isinstance(one.value, kind):
            observations[kind] = dataclasses.replace(one, value=draw(fewer_things(one.value)))
    if LawPing in windows:
        samples = tuple(
            dataclasses.replace(sample, value=LOST) if draw(st.booleans()) else sample
            for sample in windows[LawPing].samples
        )
        windows[LawPing] = Window(samples)
        observations[LawPing] = dataclasses.replace(observations[LawPing], value=samples[-1].value)
    return Seen(observations, windows)


@st.composite
def fewer_things(draw: st.DrawFn, value: Inventory | Mirror) -> Inventory | Mirror:
    kept = []
    gone = list(value.missing)
    for thing in value.found:
        how = draw(st.sampled_from(["kept", "turned", "one", "some"]))
        if how == "kept":
            kept.append(thing)
        elif how == "turned":
            kept.append(dataclasses.replace(thing, status=Status.UNKNOWN))
        else:
            gone.append(ONE_LOST if how == "one" else LOST)
    return dataclasses.replace(value, found=tuple(kept), missing=tuple(gone))


def gate_of(snapshot: Snapshot, policy: GatePolicy, at: datetime = NOW) -> Decision:
    return decide(snapshot, policy, (), at)


def score_of(snapshot: Snapshot) -> Score:
    return score(snapshot.rows, bar=80, required_rows=snapshot.checklist.required_rows)


@many
@given(checklists(), services(), evidence(), policies, st.data())
def test_evidence_that_is_lost_raises_nothing_on_the_whole_pipe(
    checklist: Checklist, service: Service, seen: Seen, policy: GatePolicy, data: st.DataObject
) -> None:
    before = judge(service, checklist, seen, NOW)
    after = judge(service, checklist, data.draw(less_evidence(seen)), NOW)
    for row in (*before.rows, *after.rows):
        for check in row.checks:
            assert "a bug in" not in check.message
    assert_no_higher(score_of(after), score_of(before))
    if gate_of(after, policy).verdict is Verdict.GO:
        assert gate_of(before, policy).verdict is Verdict.GO


@many
@given(checklists(), services(), evidence(), policies, st.integers(0, 200), st.integers(0, 200))
def test_a_snapshot_that_grows_old_raises_nothing_and_ends_in_cannot_tell(
    checklist: Checklist, service: Service, seen: Seen, policy: GatePolicy, first: int, second: int
) -> None:
    sooner, later = sorted((NOW + timedelta(hours=first), NOW + timedelta(hours=second)))
    snapshot = judge(service, checklist, seen, NOW)
    assert_no_higher(score_of(snapshot.at(later)), score_of(snapshot.at(sooner)))
    # An exemption that ends is no evidence that was lost: there is one fewer of what may have been too many.
    applied_alike = [row.applies for row in snapshot.at(sooner).rows] == [
        row.applies for row in snapshot.at(later).rows
    ]
    if applied_alike and gate_of(snapshot, policy, later).verdict is Verdict.GO:
        assert gate_of(snapshot, policy, sooner).verdict is Verdict.GO
    assert score_of(snapshot.at(NOW + timedelta(days=30))).coverage in {0.0, None}, "nothing is known for ever"
    if any(row.id in checklist.required_rows and row.applies for row in snapshot.rows):
        assert gate_of(snapshot, policy, NOW + timedelta(days=30)).verdict is not Verdict.GO


@many
@given(checklists(), evidence())
def test_what_was_read_again_at_the_same_instant_is_judged_the_same(checklist: Checklist, seen: Seen) -> None:
    assert judge(PAYMENTS, checklist, seen, NOW) == judge(PAYMENTS, checklist, seen, NOW)


def test_an_exemption_that_ended_leaves_no_old_go_standing() -> None:
    exemption = Exemption(
        reason="cold standby", declared_by="payments-lead", approved_by="platform-lead", until=date(2026, 11, 24)
    )
    service = Service(name="payments", spec=Spec(exempt={"row-0": exemption}))
    rows = (
        row_of(0, [(every_one, Requirement.REQUIRED)], Risk.CRITICAL, needs_state=False),
        row_of(1, [(enough, Requirement.REQUIRED)], Risk.HIGH, needs_state=False),
    )
    checklist = Checklist(
        name="law",
        version=1,
        title="Law",
        rows=rows,
        required_rows=default_required(rows),
        nearly_within=15,
        digest="sha256:law",
    )
    fine = Mirror(found=(Thing("one", Status.PASS),))
    snapshot = judge(service, checklist, Seen({Mirror: Observation(Mirror, NOW, fine)}), NOW)
    policy = GatePolicy(measured_within=timedelta(hours=48), minimum_score=0, minimum_coverage=0)
    assert gate_of(snapshot, policy).verdict is Verdict.GO
    ended = NOW + timedelta(hours=40)
    assert gate_of(snapshot, policy, ended).verdict is Verdict.CANNOT_TELL
    assert snapshot.at(ended).rows[0].status is Status.UNKNOWN
    assert score_of(snapshot.at(ended)).exempt_rows == 0


@pytest.mark.parametrize("status", list(Status))
def test_one_check_alone_scores_what_the_table_says(status: Status) -> None:
    check = Judged(id="c", requirement=Requirement.REQUIRED, rule_version=1, status=status, code="c", message="m")
    row = RowResult(id="row-0", weight=10, status=row_status((check,)), checks=(check,))
    expected = {"pass": 100.0, "warn": 50.0, "fail": 0.0, "unknown": 0.0, "not_applicable": 0.0}
    assert added_up((row,)).score == expected[status.value]
    assert added_up((row,)).score_upper == {"pass": 100.0, "warn": 50.0, "fail": 0.0}.get(status.value, 100.0)


def status_of_either(*observations: Observation) -> Status:
    row = row_of(0, [(either, Requirement.REQUIRED)], Risk.HIGH, needs_state=False)
    return judge_check(row, row.checks[0], PAYMENTS, Seen({one.kind: one for one in observations}), NOW).status


def test_a_source_that_has_nothing_is_worth_no_less_than_one_that_is_lost() -> None:
    inventory = Observation(Inventory, NOW, Inventory(found=(Thing("thing-0", Status.PASS),)))
    nothing = Observation(Mirror, NOW, Absent("a complete look found none"))

    assert status_of_either(inventory, Observation(Mirror, NOW, LOST)) is Status.PASS
    assert status_of_either(inventory, nothing) is Status.PASS


def test_a_check_of_which_every_source_has_nothing_does_not_apply() -> None:
    nothing = [Observation(kind, NOW, Absent("a complete look found none")) for kind in (Inventory, Mirror)]

    assert status_of_either(*nothing) is Status.NOT_APPLICABLE
