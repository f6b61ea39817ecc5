"""Judging: what is supplied to a check, what a bug in one does, how rows and times come out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

import pytest

from scorecard.check import Category, Finding, Now, Requirement, Risk, Row, failed, passed, unknown, warned
from scorecard.checklist import Checklist, ChecklistRow, default_required
from scorecard.evidence import Absent, Evidence, Observation, Sample, Unavailable, Window
from scorecard.judge import Seen, judge
from scorecard.model import Cadence, Cause, Exemption, Provenance, Scope, Service, ServiceType, Spec, Status

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PAYMENTS = Service(name="payments")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page(Evidence):
    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    text: str = "hello"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class File(Evidence):
    scope: ClassVar[Scope] = Scope.REPOSITORY
    text: str = "hello"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgePing(Evidence):
    cadence: ClassVar[Cadence] = Cadence.LIVE
    window: ClassVar[int] = 3


def fine(page: Page) -> Finding:
    """The page is there."""
    return passed(page.text)


def file(file: File) -> Finding:
    """The file is there."""
    return passed(file.text)


def both(page: Page, file: File) -> Finding:
    """Both are there."""
    return passed(page.text + file.text)


def checklist(*rows: tuple[str, list[Callable[..., Finding]]], risk: Risk = Risk.CRITICAL) -> Checklist:
    bound = []
    for name, functions in rows:
        row = Row(title=name, category=Category.SECURITY, risk=risk, why="Because.")
        row.module = f"law.{name}"
        for function in functions:
            row.required(remedy="`none`")(function)
        bound.append(
            ChecklistRow(
                id=row.id, row=row, risk=risk, types=row.types, needs_state=False, limits=None, checks=row.checks
            )
        )
    every = tuple(bound)
    return Checklist(
        name="c",
        version=1,
        title="C",
        rows=every,
        required_rows=default_required(every),
        nearly_within=15,
        digest="sha256:c",
    )


def seen(*values: Evidence, at: datetime = NOW, **kinds: Unavailable | Absent) -> Seen:
    observed = {type(value): Observation(type(value), at, value) for value in values}
    names = {"page": Page, "file": File}
    observed |= {names[name]: Observation(names[name], at, value) for name, value in kinds.items()}
    return Seen(observed)


# --- bugs ------------------------------------------------------------------------------------------------------------


class BrokenTextError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even this")


def recurse(depth: int = 0) -> int:
    return recurse(depth + 1) + 1


def divide() -> float:
    return 1 / 0


RAISED: list[BaseException | Callable[[], object]] = [
    ValueError("no"),
    TypeError("no"),
    KeyError("no"),
    IndexError("no"),
    AttributeError("no"),
    LookupError("no"),
    ArithmeticError("no"),
    OverflowError("no"),
    AssertionError("no"),
    NotImplementedError("no"),
    RuntimeError("no"),
    StopIteration("no"),
    UnicodeDecodeError("utf-8", b"x", 0, 1, "no"),
    OSError("no"),
    TimeoutError("no"),
    ConnectionResetError("no"),
    EOFError("no"),
    ImportError("no"),
    SystemExit(1),
    MemoryError(),
    BaseException("no"),
    BaseExceptionGroup("several", [ValueError("a"), SystemExit(2)]),
    BrokenTextError(),
    ValueError("\ud800 lone surrogate"),
    recurse,
    divide,
]


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: getattr(raised, "__name__", type(raised).__name__))
def test_whatever_a_check_raises_makes_it_unknown_and_nothing_else(
    raised: BaseException | Callable[[], object],
) -> None:
    def breaks(page: Page) -> Finding:
        """It breaks."""
        if isinstance(raised, BaseException):
            raise raised
        return passed(f"{page}{raised()}")

    snapshot = judge(PAYMENTS, checklist(("first", [breaks, fine]), ("second", [fine])), seen(Page()), NOW)
    broken, whole = snapshot.rows[0].checks
    assert (broken.status, broken.cause) == (Status.UNKNOWN, Cause.PROBE_ERROR)
    assert broken.message.startswith("a bug in first/breaks: ")
    assert broken.expires_at is not None
    assert whole.status is Status.PASS
    assert (snapshot.rows[0].status, snapshot.rows[1].status) == (Status.UNKNOWN, Status.PASS)


def test_an_interruption_by_a_person_is_not_swallowed() -> None:
    def breaks(page: Page) -> Finding:
        """It is interrupted."""
        raise KeyboardInterrupt(page.text)

    with pytest.raises(KeyboardInterrupt):
        judge(PAYMENTS, checklist(("first", [breaks])), seen(Page()), NOW)


@pytest.mark.parametrize("returned", [None, True, "pass", Status.PASS, Finding(Status.FAIL, None, "no code")], ids=repr)
def test_what_is_no_finding_is_a_bug(returned: object) -> None:
    def breaks(page: Page) -> Finding:
        """It returns something else."""
        return returned if page else passed("never")  # type: ignore[return-value]

    found = judge(PAYMENTS, checklist(("first", [breaks])), seen(Page()), NOW).rows[0].checks[0]
    assert (found.status, found.cause) == (Status.UNKNOWN, Cause.PROBE_ERROR)


def test_the_words_of_a_bug_are_cut() -> None:
    def breaks(page: Page) -> Finding:
        """It talks."""
        raise ValueError(page.text * 100_000)

    found = judge(PAYMENTS, checklist(("first", [breaks])), seen(Page()), NOW).rows[0].checks[0]
    assert len(found.message) < 600


# --- what a check is given -------------------------------------------------------------------------------------------

DENIED = Unavailable(Cause.ACCESS_DENIED, "GET /page: 403", lines="token_file: x")
GONE = Absent("there is no page")


@pytest.mark.parametrize(
    ("evidence", "status", "cause", "message"),
    [
        (seen(Page(), File()), "pass", None, "hellohello"),
        (seen(File(), page=DENIED), "unknown", "access_denied", "GET /page: 403"),
        (seen(File(), page=GONE), "not_applicable", None, "there is no page"),
        (seen(page=DENIED, file=GONE), "unknown", "access_denied", "GET /page: 403"),
        (seen(page=GONE, file=DENIED), "unknown", "access_denied", "GET /page: 403"),
        (seen(Page()), "unknown", "no_data", "not measured yet"),
        (seen(), "unknown", "no_data", "not measured yet"),
        (dataclasses.replace(seen(Page(), File()), probed=frozenset({Page})), "unknown", "not_supported", None),
    ],
)
def test_missing_evidence_decides_before_absent_evidence(
    evidence: Seen, status: str, cause: str | None, message: str | None
) -> None:
    found = judge(PAYMENTS, checklist(("first", [both])), evidence, NOW).rows[0].checks[0]
    assert found.status.value == status
    assert (found.cause and found.cause.value) == cause
    assert message in {None, found.message}


def test_a_check_may_look_at_what_is_missing_and_at_what_does_not_exist() -> None:
    def copes(page: Page | Unavailable | Absent) -> Finding:
        """It copes."""
        return warned("other", type(page).__name__)

    for value, word in ((DENIED, "Unavailable"), (GONE, "Absent")):
        found = judge(PAYMENTS, checklist(("first", [copes])), seen(page=value), NOW).rows[0].checks[0]
        assert (found.status, found.message) == (Status.WARN, word)


def test_a_check_is_given_the_service_and_the_instant() -> None:
    def reads(page: Page, service: Service, now: Now) -> Finding:
        """It reads them."""
        return passed(f"{page.text} {service.name} {now:%H:%M}")

    found = judge(PAYMENTS, checklist(("first", [reads])), seen(Page()), NOW).rows[0].checks[0]
    assert found.message == "hello payments 12:00"


def test_a_window_is_given_whole_and_what_is_not_configured_has_none() -> None:
    def counts(pings: Window[JudgePing]) -> Finding:
        """It counts."""
        return passed(f"{len(pings.samples)} samples")

    one = checklist(("first", [counts]))
    window = Window((Sample(NOW - timedelta(minutes=1), JudgePing()), Sample(NOW, DENIED)))
    newest = Observation(JudgePing, NOW, DENIED)
    found = judge(PAYMENTS, one, Seen({JudgePing: newest}, {JudgePing: window}), NOW).rows[0].checks[0]
    assert found.message == "2 samples"
    unset = Unavailable(Cause.NOT_CONFIGURED, "nothing is named", lines="url: x")
    silent = Seen({JudgePing: Observation(JudgePing, NOW, unset)}, {JudgePing: window})
    assert judge(PAYMENTS, one, silent, NOW).rows[0].checks[0].lines == "url: x"
    empty = Seen({JudgePing: Observation(JudgePing, NOW, JudgePing())})
    assert judge(PAYMENTS, one, empty, NOW).rows[0].checks[0].cause is Cause.NO_DATA


# --- which rows and checks -------------------------------------------------------------------------------------------


def test_a_scope_asks_only_what_it_can_answer() -> None:
    both_scopes = checklist(("first", [fine, file]), ("second", [fine]))
    snapshot = judge(PAYMENTS, both_scopes, seen(Page(), File()), NOW, scope=Scope.REPOSITORY)
    assert [row.id for row in snapshot.rows] == ["first"]
    assert [check.id for check in snapshot.rows[0].checks] == ["file"]
    assert snapshot.rows[0].not_asked == ("fine",)
    assert snapshot.not_asked == ("second",)


def test_only_the_rows_that_were_named_are_asked() -> None:
    snapshot = judge(
        PAYMENTS, checklist(("first", [fine]), ("second", [fine])), seen(Page()), NOW, rows=frozenset({"second"})
    )
    assert ([row.id for row in snapshot.rows], snapshot.not_asked) == (["second"], ("first",))


@pytest.mark.parametrize(("until", "applies"), [(date(2026, 11, 22), True), (date(2026, 11, 23), False)])
def test_an_exemption_holds_to_the_end_of_its_last_day(until: date, applies: bool) -> None:
    exemption = Exemption(reason="cold standby", declared_by="lead", approved_by="platform", until=until)
    service = Service(name="payments", spec=Spec(exempt={"first": exemption}))
    result = judge(service, checklist(("first", [fine])), seen(Page()), NOW).rows[0]
    assert result.applies is applies
    assert result.status is (Status.PASS if applies else Status.NOT_APPLICABLE)
    if not applies:
        assert result.exclusion is not None
        assert (result.exclusion.reason, result.exclusion.by, result.exclusion.exempt) == ("cold standby", "lead", True)


def test_a_row_for_other_types_does_not_apply() -> None:
    one = checklist(("first", [fine]))
    only_jobs = dataclasses.replace(one, rows=(dataclasses.replace(one.rows[0], types=frozenset({ServiceType.JOB})),))
    result = judge(PAYMENTS, only_jobs, seen(Page()), NOW).rows[0]
    assert (result.status, result.exclusion and result.exclusion.reason) == (
        Status.NOT_APPLICABLE,
        "does not apply to a web service",
    )


# --- times -----------------------------------------------------------------------------------------------------------


def test_a_finding_is_as_old_as_its_oldest_evidence_and_expires_with_the_first() -> None:
    evidence = Seen(
        {
            Page: Observation(Page, NOW - timedelta(minutes=30), Page()),
            File: Observation(File, NOW - timedelta(hours=40), File()),
        }
    )
    found = judge(PAYMENTS, checklist(("first", [both])), evidence, NOW).rows[0].checks[0]
    assert found.observed_at == NOW - timedelta(hours=40)
    assert found.expires_at == NOW + timedelta(minutes=90)


def test_past_its_age_a_finding_is_unknown_with_what_it_said_before() -> None:
    snapshot = judge(PAYMENTS, checklist(("first", [fine])), seen(Page(text="was fine")), NOW)
    assert snapshot.at(NOW + timedelta(minutes=119)).rows[0].status is Status.PASS
    late = snapshot.at(NOW + timedelta(minutes=120))
    assert (late.rows[0].status, late.rows[0].checks[0].cause) == (Status.UNKNOWN, Cause.EXPIRED)
    assert late.rows[0].checks[0].message == ("last seen 2026-11-23 12:00 UTC, too long ago to count; then: was fine")
    assert late.at(NOW + timedelta(days=9)) == late


def test_a_failure_that_expired_has_no_fingerprint_to_waive() -> None:
    def bad(page: Page) -> Finding:
        """It is bad."""
        return failed("bad", page.text)

    snapshot = judge(PAYMENTS, checklist(("first", [bad])), seen(Page()), NOW)
    assert snapshot.rows[0].checks[0].fingerprint.startswith("sha256:")
    assert snapshot.at(NOW + timedelta(hours=3)).rows[0].checks[0].fingerprint == ""


def test_a_finding_is_only_as_strong_as_its_weakest_evidence() -> None:
    evidence = seen(Page(), File(provenance=Provenance.DECLARED))
    assert judge(PAYMENTS, checklist(("first", [both])), evidence, NOW).rows[0].checks[0].provenance is (
        Provenance.DECLARED
    )


def test_where_one_source_suffices_an_old_one_beside_it_makes_nothing_older() -> None:
    def either(page: Page | Unavailable, file: File | Unavailable) -> Finding:
        """One is there."""
        there = [one.text for one in (page, file) if not isinstance(one, Unavailable)]
        return passed(there[0]) if there else unknown(Cause.NO_DATA, "neither is there")

    fresh = Observation(Page, NOW, Page())
    old = Observation(File, NOW - timedelta(hours=60), File(provenance=Provenance.DECLARED))
    one = checklist(("first", [either]))
    found = judge(PAYMENTS, one, Seen({Page: fresh, File: old}), NOW).rows[0].checks[0]
    alone = judge(PAYMENTS, one, Seen({Page: fresh}), NOW).rows[0].checks[0]
    assert found == alone
    assert (found.status, found.observed_at, found.provenance) == (Status.PASS, NOW, Provenance.PROBED)


def test_a_snapshot_of_nothing_was_never_measured() -> None:
    snapshot = judge(PAYMENTS, checklist(("first", [fine])), Seen(), NOW)
    assert (snapshot.taken_at, snapshot.measured) == (None, False)


def test_a_row_none_of_whose_required_checks_applies_is_unknown() -> None:
    snapshot = judge(PAYMENTS, checklist(("first", [fine])), seen(page=GONE), NOW)
    assert snapshot.rows[0].status is Status.UNKNOWN


def test_a_finding_may_rest_on_an_earlier_time_than_its_evidence() -> None:
    def earlier(page: Page) -> Finding:
        """It was seen earlier."""
        return unknown(Cause.NO_DATA, page.text).at(NOW - timedelta(hours=1))

    found = judge(PAYMENTS, checklist(("first", [earlier])), seen(Page()), NOW).rows[0].checks[0]
    assert (found.observed_at, found.expires_at) == (NOW - timedelta(hours=1), NOW + timedelta(hours=1))


def test_advisory_findings_colour_a_row_and_never_decide_it() -> None:
    row = Row(title="row", category=Category.SECURITY, risk=Risk.LOW, why="Because.")
    row.module = "law.row"

    def worse(page: Page) -> Finding:
        """It is worse."""
        return failed("bad", page.text)

    row.required(remedy="`none`")(fine)
    row.advisory(remedy="`none`")(worse)
    assert row.check("worse").requirement is Requirement.ADVISORY
    one = checklist(("x", [fine]))
    coloured = dataclasses.replace(one, rows=(dataclasses.replace(one.rows[0], row=row, checks=row.checks),))
    assert judge(PAYMENTS, coloured, seen(Page()), NOW).rows[0].status is Status.WARN
