"""Adding up, by examples worked out by hand; the general rules are in `test_law.py`."""

from __future__ import annotations

from datetime import date

import pytest

from scorecard.checklist import NotApplicable
from scorecard.judge import Judged, RowResult, row_status
from scorecard.model import Level, Provenance, Requirement, Status
from scorecard.score import points, score

LETTERS = {
    "p": Status.PASS,
    "w": Status.WARN,
    "f": Status.FAIL,
    "u": Status.UNKNOWN,
    "n": Status.NOT_APPLICABLE,
}


def row(row_id: str, weight: int, required: str, advisory: str = "", declared: bool = False) -> RowResult:
    """A row whose checks have these statuses by letter."""
    checks = tuple(
        Judged(
            id=f"{kind}-{index}",
            requirement=kind,
            rule_version=1,
            status=LETTERS[letter],
            code="c",
            message="m",
            provenance=Provenance.DECLARED if declared else Provenance.PROBED,
            fingerprint=f"{row_id}/{kind}/{index}" if letter == "f" else "",
        )
        for kind, letters in ((Requirement.REQUIRED, required), (Requirement.ADVISORY, advisory))
        for index, letter in enumerate(letters)
    )
    return RowResult(id=row_id, weight=weight, status=row_status(checks), checks=checks)


def total(*rows: RowResult, bar: float = 90) -> tuple[float | None, float | None, float | None, Level]:
    done = score(rows, bar=bar, required_rows=frozenset(r.id for r in rows if r.weight >= 7))
    return done.score, done.score_upper, done.coverage, done.level


@pytest.mark.parametrize(
    ("required", "advisory", "status", "credit", "upper"),
    [
        ("p", "", "pass", 100.0, 100.0),
        ("pp", "p", "pass", 100.0, 100.0),
        ("pw", "", "warn", 75.0, 75.0),
        ("p", "f", "warn", 80.0, 80.0),
        ("p", "u", "warn", 80.0, 100.0),
        ("p", "w", "warn", 90.0, 90.0),
        ("w", "w", "warn", 50.0, 50.0),
        ("ppp", "pwf", "warn", 90.0, 90.0),
        ("pf", "p", "fail", 0.0, 0.0),
        ("pu", "p", "unknown", 0.0, 100.0),
        ("fu", "p", "fail", 0.0, 0.0),
        ("pn", "n", "pass", 100.0, 100.0),
        ("n", "p", "unknown", 0.0, 100.0),
        ("n", "f", "unknown", 0.0, 80.0),
        ("n", "", "unknown", 0.0, 100.0),
        ("", "p", "unknown", 0.0, 100.0),
        ("wu", "uf", "unknown", 0.0, 70.0),
    ],
)
def test_a_row_earns_what_its_checks_do(required: str, advisory: str, status: str, credit: float, upper: float) -> None:
    one = row("r", 10, required, advisory)
    assert one.status.value == status
    assert total(one)[:2] == (credit, upper)


def test_the_example_of_three_rows() -> None:
    rows = (row("a", 10, "pp"), row("b", 7, "f"), row("c", 4, "u"))
    assert total(*rows) == (47.6, 66.6, 80.9, Level.NOT_READY)


def test_scores_are_rounded_down() -> None:
    rows = (row("a", 2, "p"), row("b", 2, "p"), row("c", 2, "f"))
    assert total(*rows)[0] == 66.6


def test_rows_that_do_not_apply_are_in_no_denominator_and_exemptions_are_counted() -> None:
    exempt = RowResult(
        id="e",
        weight=10,
        status=Status.NOT_APPLICABLE,
        checks=(),
        exclusion=NotApplicable("cold standby", "lead", date(2027, 3, 1)),
    )
    by_type = RowResult(
        id="t", weight=10, status=Status.NOT_APPLICABLE, checks=(), exclusion=NotApplicable("is a worker")
    )
    done = score((row("a", 4, "p"), exempt, by_type), bar=80, required_rows=frozenset())
    assert (done.score, done.coverage, done.exempt_rows) == (100.0, 100.0, 1)
    nothing = score((exempt, by_type), bar=80, required_rows=frozenset())
    assert (nothing.score, nothing.score_upper, nothing.coverage, nothing.verified_only) == (None,) * 4
    assert nothing.level is Level.UNKNOWN


def test_what_was_declared_counts_as_unknown_in_the_verified_score() -> None:
    rows = (row("a", 10, "p"), row("b", 10, "p", declared=True))
    done = score(rows, bar=80, required_rows=frozenset())
    assert (done.score, done.verified_only) == (100.0, 50.0)


@pytest.mark.parametrize(
    ("rows", "bar", "level"),
    [
        ([row("a", 10, "p"), row("b", 7, "w")], 79, Level.READY),
        ([row("a", 10, "p"), row("b", 7, "w")], 80, Level.NEARLY),
        ([row("a", 10, "p"), row("b", 7, "w")], 95, Level.NOT_READY),
        ([row("a", 10, "pp"), row("b", 7, "f"), *[row(f"c{i}", 10, "p") for i in range(6)]], 80, Level.NEARLY),
        ([row("a", 10, "u"), *[row(f"c{i}", 10, "p") for i in range(9)]], 80, Level.UNKNOWN),
        ([row("a", 10, "u"), row("b", 10, "f"), *[row(f"c{i}", 10, "p") for i in range(9)]], 80, Level.NOT_READY),
        ([row("a", 10, "f"), *[row(f"c{i}", 10, "p") for i in range(9)]], 80, Level.NOT_READY),
        ([row("a", 4, "u"), *[row(f"c{i}", 10, "p") for i in range(9)]], 90, Level.READY),
    ],
)
def test_the_level_is_the_first_that_holds(rows: list[RowResult], bar: float, level: Level) -> None:
    assert total(*rows, bar=bar)[3] is level


def test_unknown_is_the_lowest_level() -> None:
    assert sorted(Level, key=lambda level: level.rank) == [
        Level.UNKNOWN,
        Level.NOT_READY,
        Level.NEARLY,
        Level.READY,
    ]


def test_points_are_what_passing_a_row_would_add() -> None:
    rows = [row("a", 10, "p"), row("b", 7, "f"), row("c", 4, "w"), row("d", 2, "u")]
    assert [points(one, rows) for one in rows] == [0.0, 30.4, 8.6, 8.6]
    passing = [row(one.id, one.weight, "p") if one.id == "b" else one for one in rows]
    before, after = total(*rows)[0], total(*passing)[0]
    assert before is not None
    assert after is not None
    assert abs(after - before - 30.4) <= 0.11
