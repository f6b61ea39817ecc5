"""The contract of a check: what is refused at import, what ids and rules are made of, what each() and share() say."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from scorecard.check import (
    Category,
    Finding,
    Item,
    Now,
    Requirement,
    Risk,
    Row,
    each,
    failed,
    fingerprint,
    not_applicable,
    passed,
    share,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Absent, Evidence, HealthEndpoints, Unavailable, Window
from scorecard.model import Cadence, Cause, Scope, Service, ServiceType, Status


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Evidence):
    cadence: ClassVar[Cadence] = Cadence.LIVE
    number: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Evidence):
    scope: ClassVar[Scope] = Scope.REPOSITORY


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    at_most: int = 3


@dataclasses.dataclass(frozen=True, slots=True)
class OtherLimits:
    at_most: int = 3


@pytest.fixture
def row() -> Row:
    return Row(title="Row", category=Category.SECURITY, risk=Risk.HIGH, why="Because.", limits=Limits)


def takes_nothing() -> Finding:
    """It takes nothing."""
    return passed("ok")


def takes_only_the_service(service: Service) -> Finding:
    """It takes no evidence."""
    return passed(service.name)


def takes_a_number(seen: int) -> Finding:
    """It takes a number."""
    return passed(str(seen))


def takes_what_is_not_annotated(seen) -> Finding:  # type: ignore[no-untyped-def]  # noqa: ANN001 - the point
    """It says nothing of what it takes."""
    return passed(str(seen))


def takes_any_evidence(seen: Evidence) -> Finding:
    """It takes whatever there is."""
    return passed(str(seen))


def takes_two_kinds_in_one(seen: Seen | Slow) -> Finding:
    """It takes one of two."""
    return passed(str(seen))


def takes_only_what_is_missing(seen: Unavailable | Absent) -> Finding:
    """It takes what is not there."""
    return passed(str(seen))


def takes_a_window_of_what_keeps_none(seen: Window[Seen]) -> Finding:
    """It takes a window."""
    return passed(str(seen))


def takes_a_window_of_numbers(seen: Window[int]) -> Finding:  # type: ignore[type-var]
    """It takes a window of numbers."""
    return passed(str(seen))


def takes_limits_of_another_row(seen: Seen, limits: OtherLimits) -> Finding:
    """It takes the limits of another row."""
    return passed(f"{seen} {limits}")


def takes_any_number_of_things(*seen: Seen) -> Finding:
    """It takes many."""
    return passed(str(seen))


def takes_whatever_is_called_whatever(seen: Seen, **more: Seen) -> Finding:
    """It takes more."""
    return passed(f"{seen} {more}")


def returns_a_word(seen: Seen) -> str:
    """It returns a word."""
    return str(seen)


def returns_nothing_it_says(seen: Seen):  # type: ignore[no-untyped-def]  # noqa: ANN201 - the point
    """It returns what it likes."""
    return str(seen)


def has_no_rule(seen: Seen) -> Finding:
    return passed(str(seen))


WRONG = [
    takes_nothing,
    takes_only_the_service,
    takes_a_number,
    takes_what_is_not_annotated,
    takes_any_evidence,
    takes_two_kinds_in_one,
    takes_only_what_is_missing,
    takes_a_window_of_what_keeps_none,
    takes_a_window_of_numbers,
    takes_limits_of_another_row,
    takes_any_number_of_things,
    takes_whatever_is_called_whatever,
    returns_a_word,
    returns_nothing_it_says,
    has_no_rule,
]


@pytest.mark.parametrize("function", WRONG, ids=lambda function: function.__name__)
def test_a_wrong_check_is_a_type_error_that_names_it(row: Row, function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        row.required(remedy="`none`")(function)
    assert row.checks == ()


def may_take_everything(
    seen: Seen,
    slow: Slow | Unavailable | Absent,
    window: Window[HealthEndpoints],
    service: Service,
    now: Now,
    limits: Limits,
) -> Finding:
    """At most {at_most}."""
    return passed(f"{seen} {slow} {window} {service} {now} {limits}")


def test_what_a_check_may_ask_for_is_read_from_its_annotations(row: Row) -> None:
    row.required(remedy="`none`")(may_take_everything)
    check = row.check("may-take-everything")
    assert [(w.parameter, w.kind, w.windowed, w.takes_unavailable, w.takes_absent) for w in check.wants] == [
        ("seen", Seen, False, False, False),
        ("slow", Slow, False, True, True),
        ("window", HealthEndpoints, True, False, False),
    ]
    assert [name for name, _ in check.values] == ["service", "now", "limits"]
    assert check.cadence is Cadence.LIVE
    assert check.rule(Limits(at_most=5)) == "At most 5."


def test_ids_are_the_names_of_file_and_function_with_hyphens(row: Row) -> None:
    row.module = "checks.multi_az"
    row.advisory(remedy="\n    One line:\n\n        `code`\n    ", types=[ServiceType.JOB])(may_take_everything)
    check = row.check("may-take-everything")
    assert row.id == "multi-az"
    assert check.requirement is Requirement.ADVISORY
    assert check.types == {ServiceType.JOB}
    assert check.remedy == "One line:\n\n    `code`"
    with pytest.raises(KeyError):
        row.check("may_take_everything")


def test_two_checks_of_one_name_are_refused(row: Row) -> None:
    row.required(remedy="`none`")(may_take_everything)
    with pytest.raises(TypeError, match="two checks are called may-take-everything"):
        row.advisory(remedy="`none`")(may_take_everything)


def test_a_rule_that_names_a_limit_which_is_not_there_is_refused_at_import(row: Row) -> None:
    def check(seen: Seen) -> Finding:
        """At most {at_mots}."""
        return passed(str(seen))

    with pytest.raises(KeyError, match="at_mots"):
        row.required(remedy="`none`")(check)
    with pytest.raises(KeyError, match="at_mots"):
        row.awaits("later", Requirement.REQUIRED, rule="At most {at_mots}.", remedy="`none`", awaits="the probe")


def test_limits_that_are_no_dataclass_are_refused() -> None:
    with pytest.raises(TypeError, match="limits of 'Row' is not a dataclass"):
        Row(title="Row", category=Category.SECURITY, risk=Risk.LOW, why="Because.", limits=int)


def test_a_check_that_awaits_its_probe_has_no_evidence_and_is_in_no_scope(row: Row) -> None:
    row.awaits("later", Requirement.REQUIRED, rule="At most {at_most}.", remedy="\n  `none`\n  ", awaits="the probe")
    check = row.check("later")
    assert (check.kinds, check.cadence, check.remedy, check.awaits) == ((), None, "`none`", "the probe")
    assert check.in_scope(None)
    assert not any(check.in_scope(scope) for scope in Scope)


def test_a_check_is_in_a_scope_that_can_answer_all_of_its_evidence(row: Row) -> None:
    def files(slow: Slow) -> Finding:
        """It reads files."""
        return passed(str(slow))

    def both(slow: Slow, seen: Seen) -> Finding:
        """It reads files and looks."""
        return passed(f"{slow} {seen}")

    row.required(remedy="`none`")(files)
    row.required(remedy="`none`")(both)
    assert row.check("files").in_scope(Scope.REPOSITORY)
    assert not row.check("both").in_scope(Scope.REPOSITORY)


# --- findings --------------------------------------------------------------------------------------------------------


def test_the_words_of_a_finding() -> None:
    assert (passed("m").status, passed("m").code) == (Status.PASS, "ok")
    assert (warned("old", "m").status, warned("old", "m").code) == (Status.WARN, "old")
    assert (failed("bad", "m").status, failed("bad", "m").code) == (Status.FAIL, "bad")
    assert not_applicable("m").status is Status.NOT_APPLICABLE
    lost = unknown(Cause.ACCESS_DENIED, "m", lines="x: y")
    assert (lost.status, lost.code, lost.cause, lost.lines) == (
        Status.UNKNOWN,
        "access-denied",
        Cause.ACCESS_DENIED,
        "x: y",
    )
    assert unavailable(Unavailable(Cause.ACCESS_DENIED, "m", lines="x: y")) == lost


@dataclasses.dataclass(frozen=True)
class Thing:
    name: str
    says: Item


def things(*says: Item) -> list[Thing]:
    return [Thing(f"t{index}", item) for index, item in enumerate(says)]


def said(thing: Thing) -> Item:
    return thing.says


OK, OLD, BAD = passed("fine"), warned("old", "is old"), failed("bad", "is bad")
LOST, NONE = unknown(Cause.TIMEOUT, "is silent"), not_applicable("is another kind")
MISSING = Unavailable(Cause.ACCESS_DENIED, "list: denied")


@pytest.mark.parametrize(
    ("finding", "status", "message"),
    [
        (each(things(OK, OK), said, things="alerts"), "pass", "all 2 alerts pass"),
        (each(things(OK), said), "pass", "fine"),
        (each(things(OK, OLD, BAD), said, things="alerts"), "fail", "1 of 3 alerts: t2: is bad"),
        (each(things(BAD), said), "fail", "t0: is bad"),
        (
            each(things(*[BAD] * 5, OK), said, things="alerts"),
            "fail",
            "5 of 6 alerts: t0: is bad; t1: is bad; t2: is bad; and 2 more",
        ),
        (each(things(OK, LOST), said), "unknown", "1 of 2 subjects: t1: is silent"),
        (each(things(OK, OLD), said), "warn", "1 of 2 subjects: t1: is old"),
        (each([], said, things="alerts"), "not_applicable", "there are no alerts"),
        (each([], said, empty=BAD), "fail", "is bad"),
        (each([], said, empty=BAD, missing=[MISSING]), "unknown", "list: denied"),
        (each(things(OK), said, missing=[MISSING]), "unknown", "list: denied"),
        (each(things(NONE), said, missing=[MISSING]), "unknown", "list: denied"),
        (each(things(OK, BAD), said, missing=[MISSING]), "fail", "1 of 2 subjects: t1: is bad"),
        (
            share(things(OK, OK, OLD, BAD), said, at_least=0.75, things="panels"),
            "pass",
            "3 of 4 panels pass; 75% are needed",
        ),
        (
            share(things(OK, OK, BAD), said, at_least=0.8, things="panels"),
            "fail",
            "2 of 3 panels pass; 80% are needed",
        ),
        (
            share(things(OK, LOST), said, at_least=0.8, things="panels"),
            "unknown",
            "1 of 2 panels pass; 80% are needed; 1 could not be read",
        ),
        (share([], said, at_least=0.8, things="panels"), "not_applicable", "there are no panels"),
        (share(things(NONE), said, at_least=0.8, empty=BAD), "fail", "is bad"),
        (share(things(OK), said, at_least=0.8, missing=[MISSING]), "unknown", "list: denied"),
    ],
)
def test_many_subjects_come_to_one_finding(finding: Finding, status: str, message: str) -> None:
    assert (finding.status.value, finding.message) == (status, message)


def test_a_share_is_counted_in_decimals() -> None:
    """0.55 * 20 is a little over 11 in binary, 0.07 * 100 a little over 7."""
    for percent, total in itertools.product(range(1, 101), (20, 50, 100)):
        if percent * total % 100:
            continue
        good = percent * total // 100
        says = [*[OK] * good, *[BAD] * (total - good)]
        assert share(things(*says), said, at_least=percent / 100).status is Status.PASS, (percent, total)
        assert share(things(*says[1:], BAD), said, at_least=percent / 100).status is Status.FAIL, (percent, total)


def test_the_verdict_of_every_subject_is_kept() -> None:
    finding = each(things(OK, LOST, BAD), said)
    assert [(s.name, s.status.value, s.cause) for s in finding.subjects] == [
        ("t0", "pass", None),
        ("t1", "unknown", Cause.TIMEOUT),
        ("t2", "fail", None),
    ]


def test_failures_of_one_kind_keep_its_code_and_of_several_do_not() -> None:
    assert each(things(BAD, BAD), said).code == "bad"
    assert each(things(BAD, failed("worse", "is worse")), said).code == "several"


def test_a_waiver_is_bound_to_codes_and_subjects_and_not_to_words() -> None:
    one = each(things(BAD, OK), said)
    reworded = each(things(failed("bad", "went bad on Monday"), OK), said)
    assert fingerprint("row", "check", one) == fingerprint("row", "check", reworded)
    others = [
        each(things(OK, BAD), said),
        each(things(BAD, BAD), said),
        each(things(failed("worse", "is bad"), OK), said),
    ]
    prints = {fingerprint("row", "check", finding) for finding in (one, *others)}
    assert len(prints) == 4
    assert fingerprint("row", "other", one) not in prints
