"""Reading many services: lists with keyset cursors, the fleet, and how the scorecard itself is doing."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    Connection,
    Float,
    FromClause,
    Integer,
    Select,
    String,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
)

from scorecard.checklist import Checklist
from scorecard.model import Cadence, Cause, Level, Lifecycle, ServiceKey, Status, Verdict
from scorecard.store import codec
from scorecard.store.cycles import DONE, RUNNING, SKIPPED, Cycles
from scorecard.store.engine import chunks, storable
from scorecard.store.standing import Standings
from scorecard.store.tables import cycle, day, finding, observation, service
from scorecard.store.views import (
    LETTER_STATUSES,
    STATUS_LETTERS,
    CycleView,
    Fleet,
    Health,
    Page,
    Query,
    RowCounts,
    Summary,
    TeamRow,
)

MAX_LIMIT = 200
_CACHE_SECONDS = 5
_DROPS = 10
_MEASURED_WITHIN = timedelta(hours=24)
_LATE_PERIODS = 3
_CURSOR = TypeAdapter(tuple[int | float | str, str, str])
_LARGEST = 2**62
"""A number in a cursor; more than any score, and than any instant in microseconds."""
_OURS = ("pass", "warn", "fail", "unknown")


class QueryError(ValueError):
    """A filter, sort or cursor that is none; the message names it."""


class CursorError(QueryError):
    """A cursor that no page of the list gave."""


class Lists(Standings):
    """The part of the store that tells of many services at once."""

    periods: Mapping[Cadence, timedelta]

    def __init__(self) -> None:
        super().__init__()
        self._fleets: dict[str, tuple[datetime, Fleet]] = {}
        self._trends: dict[tuple[str, date], tuple[tuple[date, float, int], ...]] = {}
        self._healths: tuple[datetime, Health] | None = None
        self._lists_lock = Lock()

    def summaries(self, query: Query, now: datetime) -> Page:
        """A page of services.

        Raises:
            QueryError: unknown checklist, row, sort or cursor, or a filter that no text can be.
        """
        checklist = self._checklist(query.checklist)
        _refuse_unstorable(query)
        limit = max(1, min(query.limit, MAX_LIMIT))
        with self.db.read() as connection:
            sums = self.sums(connection, now)
            base = self._listed(checklist, query, sums, now)
            order, descending = self._order(query.sort, sums)
            ranked = base.add_columns(order.label("rank"))
            if query.after:
                ranked = ranked.where(_after(order, query.after, descending=descending))
            ranked = ranked.order_by(order.desc() if descending else order, service.c.name, service.c.environment)
            total = connection.scalar(base.with_only_columns(func.count())) or 0
            rows = list(connection.execute(ranked.limit(limit + 1)))
            items = self._to_summaries(connection, checklist, rows[:limit], sums, now)
        cursor = _cursor(rows[limit - 1]) if len(rows) > limit else ""
        return Page(items, cursor, total)

    def summary(self, key: ServiceKey, checklist: str, now: datetime) -> Summary | None:
        """One service as a list shows it; None where it is not registered."""
        found = self._checklist(checklist)
        if not (storable(key.name) and storable(key.environment)):
            return None
        with self.db.read() as connection:
            sums = self.sums(connection, now)
            listed = self._listed(found, Query(checklist=checklist), sums, now)
            query = listed.where(service.c.name == key.name, service.c.environment == key.environment)
            rows = list(connection.execute(query))
            return self._to_summaries(connection, found, rows, sums, now)[0] if rows else None

    def fleet(self, checklist: str, now: datetime) -> Fleet:
        """The overview of production services; at most a few seconds old."""
        with self._lists_lock:
            cached = self._fleets.get(checklist)
            if cached and timedelta() <= now - cached[0] < timedelta(seconds=_CACHE_SECONDS):
                return cached[1]
        fleet = self._fleet(self._checklist(checklist), now)
        with self._lists_lock:
            self._fleets[checklist] = (now, fleet)
        return fleet

    def health(self, now: datetime) -> Health:
        """How the scorecard itself is doing; at most a few seconds old."""
        with self._lists_lock:
            cached = self._healths
            if cached and timedelta() <= now - cached[0] < timedelta(seconds=_CACHE_SECONDS):
                return cached[1]
        health = self._health(now)
        with self._lists_lock:
            self._healths = (now, health)
        return health

    def forget(self) -> None:
        """Drop what is remembered for a few seconds: after a reload, and in tests."""
        with self._lists_lock:
            self._fleets.clear()
            self._trends.clear()
            self._healths = None

    # --- lists -------------------------------------------------------------------------------------------------------

    def _checklist(self, name: str) -> Checklist:
        if name not in self.checklists:
            raise QueryError(f"checklist: {name!r} is not one of {', '.join(self.checklists)}")
        return self.checklists[name]

    def _listed(self, checklist: Checklist, query: Query, sums: FromClause, now: datetime) -> Select[Any]:
        joined = service.outerjoin(sums, and_(sums.c.service_id == service.c.id, sums.c.checklist == checklist.name))
        base = select(service, sums).select_from(joined).where(service.c.active)
        for condition in self._conditions(checklist, query, sums, now):
            base = base.where(condition)
        return base

    def _conditions(self, checklist: Checklist, query: Query, sums: FromClause, now: datetime) -> Iterable[Any]:
        if query.q:
            pattern = "%" + query.q.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            columns = (service.c.name, service.c.team)
            yield or_(*[func.lower(column).like(pattern, escape="\\") for column in columns])
        for column in ("team", "tier", "environment", "lifecycle"):
            if getattr(query, column):
                yield service.c[column] == getattr(query, column)
        yield from self._sum_conditions(checklist, query, sums, now)
        if query.stale is not None:
            stale = _stale(now)
            yield stale if query.stale else ~stale

    def _sum_conditions(self, checklist: Checklist, query: Query, sums: FromClause, now: datetime) -> Iterable[Any]:
        if query.level is not None:
            unmeasured = sums.c.service_id.is_(None)
            level = sums.c.level == query.level
            yield or_(level, unmeasured) if query.level is Level.UNKNOWN else level
        if query.below:
            yield or_(sums.c.level != Level.READY.value, sums.c.level.is_(None))
        if query.measured is not None or query.below:
            yield ~_measured(now) if query.measured is False else _measured(now)
        if query.score_from is not None:
            yield sums.c.score >= query.score_from
        if query.score_below is not None:
            yield sums.c.score < query.score_below
        if query.row or query.status is not None:
            yield self._row_condition(checklist, query, sums)

    def _row_condition(self, checklist: Checklist, query: Query, sums: FromClause) -> Any:  # noqa: ANN401 - an SQL condition
        ids = [row.id for row in checklist.rows]
        if not query.row:
            return sums.c.rows.like(f"%{STATUS_LETTERS[query.status]}%") if query.status else literal(value=True)
        if query.row not in ids:
            raise QueryError(f"row: {query.row!r} is not a row of {checklist.name}")
        letter = func.substr(sums.c.rows, ids.index(query.row) + 1, 1)
        return letter == STATUS_LETTERS[query.status] if query.status else letter != ""

    def _order(self, sort: str, sums: FromClause) -> tuple[Any, bool]:
        descending = sort.startswith("-")
        taken = select(func.max(observation.c.at)).where(observation.c.service_id == service.c.id).scalar_subquery()
        orders = {
            "score": func.coalesce(sums.c.score, cast(-1.0, Float)),
            "coverage": func.coalesce(sums.c.coverage, cast(-1.0, Float)),
            "name": service.c.name,
            "team": service.c.team,
            "tier": service.c.tier,
            "age": func.coalesce(type_coerce(taken, BigInteger), 0),
        }
        name = sort.removeprefix("-")
        if name not in orders:
            raise QueryError(f"sort: {sort!r} is not one of {', '.join(orders)}")
        # The oldest look first is the newest instant last.
        return orders[name], descending

    def _to_summaries(
        self, connection: Connection, checklist: Checklist, rows: Sequence[Any], sums: FromClause, now: datetime
    ) -> tuple[Summary, ...]:
        ids = [row.id for row in rows]
        taken: dict[int, datetime] = {}
        stale: set[int] = set()
        for part in chunks(ids):
            query = select(observation.c.service_id, func.max(observation.c.at)).where(
                observation.c.service_id.in_(part)
            )
            taken |= dict(tuple(row) for row in connection.execute(query.group_by(observation.c.service_id)))
            old = select(service.c.id).where(service.c.id.in_(part), _stale(now))
            stale |= set(connection.scalars(old))
        elsewhere = self._verdicts_elsewhere(connection, checklist, rows, sums)
        return tuple(
            to_summary(row, checklist, taken.get(row.id), stale=row.id in stale, elsewhere=elsewhere.get(row.id, ""))
            for row in rows
        )

    def _verdicts_elsewhere(
        self, connection: Connection, checklist: Checklist, rows: Sequence[Any], sums: FromClause
    ) -> dict[int, str]:
        """The verdict of the gate by service, where the gate asks another checklist than the one listed."""
        asked: dict[str, list[int]] = {}
        for row in rows:
            gate = self.policies.of(row.tier).checklist
            if gate != checklist.name:
                asked.setdefault(gate, []).append(row.id)
        found: dict[int, str] = {}
        for gate, ids in asked.items():
            for part in chunks(ids):
                query = select(sums.c.service_id, sums.c.verdict).where(
                    sums.c.checklist == gate, sums.c.service_id.in_(part)
                )
                found |= dict(tuple(row) for row in connection.execute(query))
        return found

    # --- the fleet ---------------------------------------------------------------------------------------------------

    def _fleet(self, checklist: Checklist, now: datetime) -> Fleet:
        production = and_(
            service.c.active,
            service.c.lifecycle == Lifecycle.PRODUCTION.value,
            service.c.environment == "production",
        )
        with self.db.read() as connection:
            sums = self.sums(connection, now)
            joined = service.outerjoin(
                sums, and_(sums.c.service_id == service.c.id, sums.c.checklist == checklist.name)
            )
            query = select(service.c.id, service.c.name, service.c.team, sums.c.score, sums.c.level, sums.c.rows)
            rows = list(connection.execute(query.select_from(joined).where(production)))
            fresh = set(
                connection.scalars(
                    select(observation.c.service_id).where(observation.c.at > now - _MEASURED_WITHIN).distinct()
                )
            )
            before = self._share_meeting(connection, checklist.name, now.date() - timedelta(days=30), production)
            drops = self._drops(connection, checklist.name, now.date() - timedelta(days=7), rows)
            trend = self._trend(connection, checklist.name, now.date(), production)
            findings, unknown = _count_findings(connection, checklist.name)
        ids = [row.id for row in checklist.rows]
        measured = [row for row in rows if row.id in fresh]
        meeting = sum(row.level == Level.READY.value for row in measured)
        bars = Counter(min(int(row.score // 10) * 10, 90) for row in measured if row.score is not None)
        return Fleet(
            services=len(rows),
            meeting=meeting,
            below=len(measured) - meeting,
            unmeasured=len(rows) - len(measured),
            meeting_30_days_ago=before,
            distribution=tuple((bound, bars.get(bound, 0)) for bound in range(0, 100, 10)),
            rows=_row_counts(ids, [row.rows or "" for row in rows]),
            teams=_teams(ids, rows),
            drops=drops,
            trend=trend,
            unknown_share=unknown / findings if findings else 0.0,
        )

    def _share_meeting(self, connection: Connection, checklist: str, on: date, production: Any) -> float | None:  # noqa: ANN401 - an SQL condition
        query = (
            select(day.c.level, func.count())
            .join(service, service.c.id == day.c.service_id)
            .where(production, day.c.checklist == checklist, day.c.day == on)
            .group_by(day.c.level)
        )
        counts = {row[0]: row[1] for row in connection.execute(query)}
        total = sum(counts.values())
        return counts.get(Level.READY.value, 0) / total if total else None

    def _drops(
        self, connection: Connection, checklist: str, on: date, rows: Sequence[Any]
    ) -> tuple[tuple[ServiceKey, float, float], ...]:
        query = select(day.c.service_id, day.c.score).where(day.c.checklist == checklist, day.c.day == on)
        then = {row[0]: row[1] for row in connection.execute(query)}
        fallen = [
            (ServiceKey(row.name), float(then[row.id]), float(row.score))
            for row in rows
            if row.score is not None and then.get(row.id) is not None and row.score < then[row.id]
        ]
        return tuple(sorted(fallen, key=lambda drop: (drop[2] - drop[1], drop[0]))[:_DROPS])

    def _trend(
        self,
        connection: Connection,
        checklist: str,
        today: date,
        production: Any,  # noqa: ANN401 - an SQL condition
    ) -> tuple[tuple[date, float, int], ...]:
        # Past days do not change any more; only today's point is read again.
        def read(condition: Any) -> tuple[tuple[date, float, int], ...]:  # noqa: ANN401 - an SQL condition
            query = (
                select(day.c.day, func.avg(day.c.score), func.count(day.c.score))
                .join(service, service.c.id == day.c.service_id)
                .where(production, day.c.checklist == checklist, condition)
                .group_by(day.c.day)
                .order_by(day.c.day)
            )
            return tuple((row[0], round(float(row[1]), 1), int(row[2])) for row in connection.execute(query) if row[2])

        key = (checklist, today)
        if key not in self._trends:
            self._trends = {key: read(and_(day.c.day < today, day.c.day >= today - timedelta(days=90)))}
        return self._trends[key] + read(day.c.day == today)

    # --- ourselves ---------------------------------------------------------------------------------------------------

    def _health(self, now: datetime) -> Health:
        with self.db.read() as connection:
            done = select(cycle.c.cadence, func.max(cycle.c.finished_at)).where(cycle.c.state == DONE)
            finished = {row[0]: row[1] for row in connection.execute(done.group_by(cycle.c.cadence))}
            last = {cadence: finished[cadence.value] for cadence in Cadence if cadence.value in finished}
            first = select(cycle.c.cadence, func.min(cycle.c.planned_at)).group_by(cycle.c.cadence)
            begun = {row[0]: row[1] for row in connection.execute(first)}
            oldest = connection.scalar(select(func.min(cycle.c.planned_at)).where(cycle.c.state == RUNNING))
            skipped = connection.scalar(select(func.count()).where(cycle.c.state == SKIPPED)) or 0
            by_cause, findings = _counted_findings(connection)
            kinds = connection.execute(
                select(observation.c.kind, func.count())
                .where(observation.c.value.like('{"unavailable"%'))
                .group_by(observation.c.kind)
            )
            by_kind = {row[0]: row[1] for row in kinds}
            services = connection.scalar(select(func.count()).where(service.c.active)) or 0
        # One that never ended well counts from its first plan.
        since = {cadence: last.get(cadence) or begun.get(cadence.value, now) for cadence in self.periods}
        late = tuple(
            cadence for cadence, period in self.periods.items() if now - since[cadence] > _LATE_PERIODS * period
        )
        recent: tuple[CycleView, ...] = self.cycles(limit=20) if isinstance(self, Cycles) else ()
        return Health(
            last_success=last,
            running=tuple(view for view in recent if view.state == RUNNING),
            recent=recent,
            skipped=skipped,
            unknown_by_cause=by_cause,
            unknown_by_kind=by_kind,
            queue_lag_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
            late=late,
            services=services,
            findings=findings,
            unknown_findings=sum(by_cause.values()),
        )


def _counted_findings(connection: Connection) -> tuple[dict[Cause, int], int]:
    """Unknown findings by cause, and all that have a status of ours.

    One pass in the order of the index: with 800,000 findings a temporary table of groups takes three times as long.
    """
    columns = (finding.c.checklist, finding.c.status, finding.c.cause)
    causes: Counter[Cause] = Counter()
    total = 0
    for row in connection.execute(select(*columns, func.count().label("number")).group_by(*columns)):
        total += row.number if row.status in _OURS else 0
        if row.status == Status.UNKNOWN.value and row.cause:
            causes[Cause(row.cause)] += row.number
    return dict(causes), total


def _stale(now: datetime) -> Any:  # noqa: ANN401 - an SQL condition
    live = [name for name, kind in codec.kinds().items() if kind.cadence is Cadence.LIVE and kind.window]
    return exists().where(
        observation.c.service_id == service.c.id, observation.c.kind.in_(live), observation.c.expires_at <= now
    )


def _measured(now: datetime) -> Any:  # noqa: ANN401 - an SQL condition
    return exists().where(observation.c.service_id == service.c.id, observation.c.at > now - _MEASURED_WITHIN)


def _after(order: Any, cursor: str, *, descending: bool) -> Any:  # noqa: ANN401 - SQL expressions
    refused = CursorError(f"after: {cursor!r} is not a cursor of this list")
    try:
        rank, name, environment = _CURSOR.validate_json(base64.urlsafe_b64decode(cursor.encode() + b"=="))
    except (ValueError, TypeError) as error:
        raise refused from error
    words = [text for text in (rank, name, environment) if isinstance(text, str)]
    if isinstance(rank, str) is not isinstance(order.type, String) or not all(map(storable, words)):
        raise refused
    if not isinstance(rank, str) and not abs(rank) < _LARGEST:
        raise refused
    if isinstance(order.type, BigInteger | Integer):
        rank = int(rank)
    beyond = order < rank if descending else order > rank
    same = and_(
        order == rank, or_(service.c.name > name, and_(service.c.name == name, service.c.environment > environment))
    )
    return or_(beyond, same)


def _refuse_unstorable(query: Query) -> None:
    for name in ("q", "team", "tier", "environment", "lifecycle"):
        if not storable(getattr(query, name)):
            raise QueryError(f"{name}: it holds a NUL or half a character")


def _cursor(row: Any) -> str:  # noqa: ANN401 - a result row
    text = json.dumps([row.rank, row.name, row.environment], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def to_summary(
    row: Any,  # noqa: ANN401 - a result row
    checklist: Checklist,
    taken_at: datetime | None,
    *,
    stale: bool,
    elsewhere: str = "",
) -> Summary:
    """A joined row of `service` and `summary` as a value; `elsewhere` is the verdict on the gate's own checklist."""
    verdict = elsewhere or row.verdict
    measured = row.rows is not None
    statuses = tuple(
        (entry.id, LETTER_STATUSES[letter]) for entry, letter in zip(checklist.rows, row.rows or "", strict=False)
    )
    return Summary(
        key=ServiceKey(row.name, row.environment),
        team=row.team,
        tier=row.tier,
        type=row.type,
        lifecycle=row.lifecycle,
        checklist=checklist.name,
        score=row.score,
        score_upper=row.score_upper,
        coverage=row.coverage,
        verified_only=row.verified_only,
        level=Level(row.level) if measured else Level.UNKNOWN,
        exempt_rows=row.exempt_rows if measured else 0,
        verdict=Verdict(verdict) if verdict else None,
        rows=statuses,
        taken_at=taken_at,
        stale=stale,
        demo=row.demo,
    )


def _row_counts(ids: Sequence[str], packed: Sequence[str]) -> tuple[RowCounts, ...]:
    counted = []
    for index, row_id in enumerate(ids):
        letters = Counter(rows[index] for rows in packed if index < len(rows))
        counted.append(RowCounts(row=row_id, counts={LETTER_STATUSES[letter]: n for letter, n in letters.items()}))
    return tuple(counted)


def _teams(ids: Sequence[str], rows: Sequence[Any]) -> tuple[TeamRow, ...]:
    by_team: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_team[row.team].append(row)
    teams = []
    for name, members in by_team.items():
        scores = [row.score for row in members if row.score is not None]
        counts = {count.row: count.counts for count in _row_counts(ids, [row.rows or "" for row in members])}
        teams.append(
            TeamRow(
                team=name,
                services=len(members),
                meeting=sum(row.level == Level.READY.value for row in members),
                mean_score=round(sum(scores) / len(scores), 1) if scores else None,
                failing={row: counted.get(Status.FAIL, 0) for row, counted in counts.items()},
                unknown={row: counted.get(Status.UNKNOWN, 0) for row, counted in counts.items()},
                applicable={
                    row: sum(counted.values()) - counted.get(Status.NOT_APPLICABLE, 0)
                    for row, counted in counts.items()
                },
            )
        )
    return tuple(sorted(teams, key=lambda team: (team.mean_score is None, team.mean_score or 0.0, team.team)))


def _count_findings(connection: Connection, checklist: str) -> tuple[int, int]:
    query = (
        select(finding.c.status, func.count())
        .where(finding.c.checklist == checklist, finding.c.status != Status.NOT_APPLICABLE.value)
        .group_by(finding.c.status)
    )
    counts = {row[0]: row[1] for row in connection.execute(query)}
    return sum(counts.values()), counts.get(Status.UNKNOWN.value, 0)
