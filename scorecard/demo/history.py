"""Ninety days of history that were not measured: simulated per row, added up by the real arithmetic, marked as demo."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from scorecard.check import failed, fingerprint
from scorecard.checklist import Checklist, ChecklistRow, required_checks
from scorecard.demo.backups import Keeping, report
from scorecard.demo.lessons import LESSONS, Lesson
from scorecard.evidence.pushed import PushedKind
from scorecard.judge import Judged, RowResult
from scorecard.model import Requirement, Service, ServiceKey, Status, Waiver
from scorecard.score import Score, score
from scorecard.store import Store
from scorecard.store.views import Change, DayScore

DAYS = 90
_DRILLED = timedelta(days=6)
"""How long ago the drill was that a pipeline is shown to have pushed."""
_GAP = frozenset({47, 48})
"""Days ago on which nothing was measured: a gap, not a zero."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """The day, counted back from today, on which a row came to its present status, and what it was before."""

    days_ago: int
    before: Status
    after: Status

    def at(self, days_ago: int) -> Status:
        return self.before if days_ago > self.days_ago else self.after


def seed(store: Store, now: datetime) -> None:
    """Write the history of every demo service that the store knows, and one waiver; once for a store.

    Args:
        store: migrated, with the demo's services registered.
        now: history ends on the day before.
    """
    first = ServiceKey(LESSONS[0].name)
    if any(store.history([first], name, DAYS + 1, now)[first] for name in store.checklists):
        return
    for lesson in LESSONS:
        service = store.service(ServiceKey(lesson.name))
        if service is not None:
            checklist = store.primary(service)
            days, changes = simulated(lesson, service, checklist, store.policy(service.tier).minimum_score, now.date())
            store.seed(service.key, checklist.name, days, changes)
        if service is not None and lesson.keeping is Keeping.PUSHED:
            pushed = report(lesson.name, now - _DRILLED)
            store.push(service.key, PushedKind.DRILL, pushed, now, pushed_by=f"{lesson.name}-ci (demo)")
    store.grant(waiver(now))


def waiver(now: datetime) -> Waiver:
    """The waiver of `recommendations`: bound to what its readiness endpoint is expected to be found as."""
    row, check = "health-endpoints", "readiness"
    return Waiver(
        id=0,
        service=ServiceKey("recommendations"),
        row=row,
        check=check,
        fingerprint=fingerprint(row, check, failed("bad-answer", "")),
        reason="The model is being retrained; pages fall back to best sellers until then.",
        requested_by="storefront-lead",
        approved_by="platform-lead",
        approved_at=now - timedelta(days=3),
        expires_at=now + timedelta(days=11),
    )


def simulated(
    lesson: Lesson, service: Service, checklist: Checklist, bar: float, today: date
) -> tuple[list[DayScore], list[Change]]:
    """Scores and transitions of one service; the same for the same service and day, whoever asks."""
    chance = random.Random(lesson.name)  # noqa: S311 - a simulation that repeats, no secret
    rows = [row for row in checklist.rows if row.exclusion(service, today) is None]
    turns = {row.id: _turn(row, lesson, chance) for row in rows if _measured(row, service)}
    days: list[DayScore] = []
    changes: list[Change] = []
    for days_ago in range(DAYS, 0, -1):
        if days_ago in _GAP:
            continue
        day = today - timedelta(days=days_ago)
        counted = _score(rows, turns, days_ago, checklist, bar)
        turned = [row for row in rows if row.id in turns and turns[row.id].days_ago == days_ago]
        if turned and days:
            at = datetime.combine(day, time(chance.randrange(7, 18), chance.randrange(60)), UTC)
            changes += _changes(service.key, checklist.name, at, turned, turns, (days[-1].score, counted.score))
        days.append(
            DayScore(
                day=day,
                score=counted.score,
                score_upper=counted.score_upper,
                coverage=counted.coverage,
                level=counted.level,
            )
        )
    return days, changes


def _measured(row: ChecklistRow, service: Service) -> bool:
    """Whether this version can decide the row: each of its required checks has a function."""
    asked = [check for check in required_checks(row) if service.type in check.types]
    return bool(asked) and all(check.function is not None for check in asked)


def _turn(row: ChecklistRow, lesson: Lesson, chance: random.Random) -> _Turn:
    after = final_status(row, lesson.expected)
    if after is Status.PASS:
        mended = chance.randrange(15, DAYS + 40)
        return _Turn(mended, Status.FAIL, Status.PASS)
    if after is Status.UNKNOWN:
        return _Turn(DAYS + 1, Status.UNKNOWN, Status.UNKNOWN)
    broken = chance.randrange(3, 28) if chance.random() < 0.7 else DAYS + 1  # noqa: PLR2004 - most broke lately
    return _Turn(broken, Status.PASS, after)


def final_status(row: ChecklistRow, expected: Mapping[str, str]) -> Status:
    """What a row comes to in the demo."""
    found = {
        Status(expected[f"{row.id}/{check.id}"]): check.requirement
        for check in row.checks
        if f"{row.id}/{check.id}" in expected
    }
    required = {status for status, requirement in found.items() if requirement is Requirement.REQUIRED}
    for status in (Status.FAIL, Status.UNKNOWN):
        if status in required:
            return status
    return Status.WARN if found else Status.PASS


def _score(
    rows: list[ChecklistRow], turns: Mapping[str, _Turn], days_ago: int, checklist: Checklist, bar: float
) -> Score:
    results = [_result(row, turns[row.id].at(days_ago) if row.id in turns else Status.UNKNOWN) for row in rows]
    return score(results, bar=bar, required_rows=checklist.required_rows, nearly_within=checklist.nearly_within)


def _result(row: ChecklistRow, status: Status) -> RowResult:
    check = Judged(
        id="simulated",
        requirement=Requirement.REQUIRED,
        rule_version=1,
        status=status,
        code="demo",
        message="demo data",
    )
    return RowResult(id=row.id, weight=row.weight, status=status, checks=(check,))


def _changes(
    key: ServiceKey,
    checklist: str,
    at: datetime,
    turned: list[ChecklistRow],
    turns: Mapping[str, _Turn],
    scores: tuple[float | None, float | None],
) -> Iterator[Change]:
    for row in turned:
        turn = turns[row.id]
        message = "demo data: " + ("mended" if turn.after is Status.PASS else f"{row.row.title}: {turn.after.word}")
        yield _change(key, checklist, at, (row.id, required_checks(row)[0].id), (turn.before, turn.after), message)
    before, after = scores
    if before != after:
        yield _change(key, checklist, at, ("", ""), (_text(before), _text(after)), "demo data: the score follows")


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _change(
    key: ServiceKey, checklist: str, at: datetime, where: tuple[str, str], turn: tuple[str, str], message: str
) -> Change:
    return Change(
        id=0,
        key=key,
        checklist=checklist,
        at=at,
        row=where[0],
        check=where[1],
        before=str(turn[0]),
        after=str(turn[1]),
        cause="service",
        message=message,
        demo=True,
    )
