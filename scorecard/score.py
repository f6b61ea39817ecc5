"""Adding up: row credits, score, its upper bound, coverage, level. Pure and exact: fractions, rounded down once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from scorecard.judge import Judged, RowResult, row_status
from scorecard.model import Level, Requirement, Risk, Status

_CREDITS = {
    Status.PASS: Fraction(1),
    Status.WARN: Fraction(1, 2),
    Status.FAIL: Fraction(0),
    Status.UNKNOWN: Fraction(0),
}
_REQUIRED_SHARE = Fraction(4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score and what it must never be shown without. All of 0 to 100, rounded down to one decimal.

    None where no row applies.
    """

    score: float | None
    score_upper: float | None
    """What it would be if every unknown passed."""
    coverage: float | None
    """The share of weight that was measured."""
    verified_only: float | None
    """What it would be with declared and attested findings taken as unknown."""
    level: Level
    exempt_rows: int


def score(
    rows: Iterable[RowResult],
    *,
    bar: float,
    required_rows: frozenset[str],
    nearly_within: float = 15,
) -> Score:
    """Add up the rows of one service.

    Args:
        rows: all rows that were asked, with those that do not apply.
        bar: the minimum score of the service's tier.
        required_rows: the rows that must pass or warn for `ready`.
        nearly_within: points under the bar for `nearly`.
    """
    every = tuple(rows)
    # A fleet has thousands of services and few different sums: what a sum is made from decides it.
    made_from = (bar, required_rows, nearly_within, tuple(_made_from(row) for row in every))
    known = _known.get(made_from)
    if known is None:
        if len(_known) >= _KNOWN:
            _known.clear()
        known = _known[made_from] = _score(every, bar, required_rows, nearly_within)
    return known


_KNOWN = 4096
_known: dict[object, Score] = {}


def _made_from(row: RowResult) -> object:
    exempt = None if row.exclusion is None else row.exclusion.exempt
    checks = tuple((check.requirement, check.status, check.provenance.verified) for check in row.checks)
    return row.id, row.weight, row.status, exempt, checks


def _score(every: tuple[RowResult, ...], bar: float, required_rows: frozenset[str], nearly_within: float) -> Score:
    applicable = [row for row in every if row.applies]
    value = _total(applicable, credit)
    return Score(
        score=_floor(value),
        score_upper=_floor(_total(applicable, credit_upper)),
        coverage=_floor(_total(applicable, lambda row: Fraction(row.status is not Status.UNKNOWN))),
        verified_only=_floor(_total(applicable, lambda row: credit(verified(row)))),
        level=_level(applicable, value, bar, required_rows, nearly_within),
        exempt_rows=sum(row.exclusion is not None and row.exclusion.exempt for row in every),
    )


def credit(row: RowResult) -> Fraction:
    """What a row earns of its weight, from 0 to 1."""
    if row.status in {Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE}:
        return Fraction(0)
    required = _mean(row.checks, Requirement.REQUIRED)
    advisory = _mean(row.checks, Requirement.ADVISORY)
    if required is None:
        return Fraction(0)
    return required if advisory is None else _REQUIRED_SHARE * required + (1 - _REQUIRED_SHARE) * advisory


def credit_upper(row: RowResult) -> Fraction:
    """What a row would earn if every unknown check, and every row without an applicable check, passed."""
    checks = tuple(_resolve(check, Status.PASS) if check.status is Status.UNKNOWN else check for check in row.checks)
    required = _mean(checks, Requirement.REQUIRED)
    if required is None:
        required = Fraction(1)
    elif row_status(checks) is Status.FAIL:
        return Fraction(0)
    advisory = _mean(checks, Requirement.ADVISORY)
    return required if advisory is None else _REQUIRED_SHARE * required + (1 - _REQUIRED_SHARE) * advisory


def points(row: RowResult, rows: Iterable[RowResult]) -> float:
    """What passing this row would add to the score, rounded down to one decimal."""
    total = sum(other.weight for other in rows if other.applies)
    if not row.applies or not total:
        return 0.0
    return _floor(100 * row.weight * (1 - credit(row)) / Fraction(total)) or 0.0


def verified(row: RowResult) -> RowResult:
    """The row with everything that no machine saw taken as unknown."""
    return _with_checks(
        row, tuple(check if check.provenance.verified else _resolve(check, Status.UNKNOWN) for check in row.checks)
    )


def waived(row: RowResult, fingerprints: frozenset[str]) -> RowResult:
    """The row with the failing findings of these fingerprints taken as passes, as the gate counts them."""
    return _with_checks(
        row,
        tuple(
            _resolve(check, Status.PASS) if check.status is Status.FAIL and check.fingerprint in fingerprints else check
            for check in row.checks
        ),
    )


def _with_checks(row: RowResult, checks: tuple[Judged, ...]) -> RowResult:
    if not row.applies:
        return row
    return dataclasses.replace(row, checks=checks, status=row_status(checks))


def _resolve(check: Judged, status: Status) -> Judged:
    if check.status is Status.NOT_APPLICABLE:
        return check
    return dataclasses.replace(check, status=status, cause=None, fingerprint="")


def _mean(checks: Iterable[Judged], requirement: Requirement) -> Fraction | None:
    credits_ = [
        _CREDITS[check.status]
        for check in checks
        if check.requirement is requirement and check.status is not Status.NOT_APPLICABLE
    ]
    return sum(credits_, Fraction(0)) / len(credits_) if credits_ else None


def _total(rows: list[RowResult], earned: Callable[[RowResult], Fraction]) -> Fraction | None:
    weight = sum(row.weight for row in rows)
    return 100 * sum((row.weight * earned(row) for row in rows), Fraction(0)) / weight if weight else None


def _floor(value: Fraction | None) -> float | None:
    return None if value is None else math.floor(value * 10) / 10


def _level(
    rows: list[RowResult], value: Fraction | None, bar: float, required_rows: frozenset[str], nearly_within: float
) -> Level:
    if value is None:
        return Level.UNKNOWN
    critical = [row for row in rows if row.weight == Risk.CRITICAL.weight]
    if value >= bar and all(row.status in {Status.PASS, Status.WARN} for row in rows if row.id in required_rows):
        return Level.READY
    if any(row.status is Status.FAIL for row in critical):
        return Level.NOT_READY
    if any(row.status is Status.UNKNOWN for row in critical):
        return Level.UNKNOWN
    return Level.NEARLY if value >= Fraction(bar) - Fraction(nearly_within) else Level.NOT_READY
