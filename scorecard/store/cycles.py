"""Cycles and shards: every plan and every effect exactly once, whoever ticks and however often an item runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from scorecard.model import Cadence
from scorecard.store.engine import Database
from scorecard.store.tables import cycle, shard_run
from scorecard.store.views import CycleView

ON_DEMAND = "on-demand"
RUNNING, DONE, SKIPPED = "running", "done", "skipped"
_ASKING = 1
"""The lock under which ticks of measurements on demand are numbered."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A cycle that this call planned, or found unfinished."""

    id: int
    cadence: str
    shards: tuple[str, ...]
    detail: Mapping[str, Any]


class Cycles:
    """The part of the store that plans."""

    db: Database

    def last_tick(self, cadence: Cadence) -> int:
        """The newest planned tick of a cadence; 0 before the first."""
        with self.db.read() as connection:
            return connection.scalar(select(func.max(cycle.c.tick)).where(cycle.c.cadence == cadence.value)) or 0

    def newest_cycle(self, cadence: Cadence) -> CycleView | None:
        """The newest planned cycle of a cadence."""
        query = _view().where(cycle.c.cadence == cadence.value).order_by(cycle.c.tick.desc()).limit(1)
        with self.db.read() as connection:
            row = connection.execute(query).first()
            return _to_view(row) if row else None

    def plan(self, cadence: Cadence, tick: int, shards: tuple[str, ...], now: datetime) -> Planned | None:
        """Plan a tick with its shards, once.

        None where another scheduler planned it, and where the cycle before has not ended: that one is then counted as
        skipped and nothing piles up.
        """
        return self._plan(cadence.value, tick, shards, now, "", {})

    def plan_on_demand(
        self, shards: tuple[str, ...], now: datetime, requested_by: str, detail: Mapping[str, Any]
    ) -> int:
        """Plan a measurement that somebody asked for; returns the cycle."""
        with self.db.write() as connection:
            self.db.alone(connection, _ASKING)
            tick = (connection.scalar(select(func.max(cycle.c.tick)).where(cycle.c.cadence == ON_DEMAND)) or 0) + 1
            return _insert(connection, ON_DEMAND, tick, shards, now, RUNNING, requested_by, detail)

    def _plan(
        self,
        cadence: str,
        tick: int,
        shards: tuple[str, ...],
        now: datetime,
        requested_by: str,
        detail: Mapping[str, Any],
    ) -> Planned | None:
        try:
            with self.db.write() as connection:
                running = connection.scalar(
                    select(func.count()).where(cycle.c.cadence == cadence, cycle.c.state == RUNNING)
                )
                state = SKIPPED if running else RUNNING
                cycle_id = _insert(connection, cadence, tick, shards, now, state, requested_by, detail)
                if not shards and state == RUNNING:
                    connection.execute(update(cycle).where(cycle.c.id == cycle_id).values(state=DONE, finished_at=now))
        except IntegrityError:
            return None
        return Planned(cycle_id, cadence, shards, detail) if state == RUNNING and shards else None

    def unfinished(self) -> tuple[Planned, ...]:
        """Running cycles with the shards that have no result yet: what a reconciler defers again."""
        with self.db.read() as connection:
            found = []
            for row in connection.execute(select(cycle).where(cycle.c.state == RUNNING).order_by(cycle.c.id)):
                done = set(connection.scalars(select(shard_run.c.shard).where(shard_run.c.cycle_id == row.id)))
                detail = json.loads(row.detail)
                left = tuple(shard for shard in detail["shards"] if shard not in done)
                found.append(Planned(row.id, row.cadence, left, detail))
            return tuple(found)

    def close_cycle(self, cycle_id: int, now: datetime) -> None:
        """Close a cycle of which every shard has its result."""
        with self.db.write() as connection:
            finish_if_complete(connection, cycle_id, now)

    def cycle(self, cycle_id: int) -> CycleView | None:
        """One cycle."""
        with self.db.read() as connection:
            row = connection.execute(_view().where(cycle.c.id == cycle_id)).first()
            return _to_view(row) if row else None

    def cycle_detail(self, cycle_id: int) -> Mapping[str, Any]:
        """What a cycle was asked for: its shards, and the service and row of one on demand."""
        with self.db.read() as connection:
            text = connection.scalar(select(cycle.c.detail).where(cycle.c.id == cycle_id))
            return json.loads(text) if text else {}

    def cycles(self, limit: int = 50, before_id: int | None = None) -> tuple[CycleView, ...]:
        """The newest cycles, newest first."""
        query = _view().order_by(cycle.c.id.desc()).limit(limit)
        if before_id is not None:
            query = query.where(cycle.c.id < before_id)
        with self.db.read() as connection:
            return tuple(_to_view(row) for row in connection.execute(query))


def finish_if_complete(connection: Connection, cycle_id: int, now: datetime) -> None:
    """Close a cycle in the transaction of its last shard.

    Two last shards at once would each miss the other's row, so each locks the cycle before it counts: at the end of its
    transaction, which keeps nobody waiting, and without the key, which the other's `shard_run` refers to.
    """
    connection.execute(select(cycle.c.id).where(cycle.c.id == cycle_id).with_for_update(key_share=True)).all()
    done = select(func.count()).where(shard_run.c.cycle_id == cycle_id).scalar_subquery()
    connection.execute(
        update(cycle)
        .where(and_(cycle.c.id == cycle_id, cycle.c.state == RUNNING, cycle.c.shards <= done))
        .values(state=DONE, finished_at=now)
    )


def _insert(
    connection: Connection,
    cadence: str,
    tick: int,
    shards: tuple[str, ...],
    now: datetime,
    state: str,
    requested_by: str,
    detail: Mapping[str, Any],
) -> int:
    result = connection.execute(
        insert(cycle).values(
            cadence=cadence,
            tick=tick,
            planned_at=now,
            finished_at=now if state == SKIPPED else None,
            state=state,
            shards=len(shards),
            requested_by=requested_by,
            detail=json.dumps({**detail, "shards": list(shards)}),
        )
    )
    return int(result.inserted_primary_key[0])  # type: ignore[index] # an insert of one row has one


def _view() -> Any:  # noqa: ANN401 - a select
    counts = (
        select(
            shard_run.c.cycle_id,
            func.count().label("shards_done"),
            func.sum(shard_run.c.services).label("services"),
            func.sum(shard_run.c.answered).label("answered"),
            func.sum(shard_run.c.unknown).label("unknown"),
        )
        .group_by(shard_run.c.cycle_id)
        .subquery()
    )
    return select(cycle, counts.c.shards_done, counts.c.services, counts.c.answered, counts.c.unknown).outerjoin(
        counts, counts.c.cycle_id == cycle.c.id
    )


def _to_view(row: Row[Any]) -> CycleView:
    return CycleView(
        id=row.id,
        cadence=row.cadence,
        tick=row.tick,
        planned_at=row.planned_at,
        finished_at=row.finished_at,
        state=row.state,
        shards=row.shards,
        shards_done=row.shards_done or 0,
        services=row.services or 0,
        answered=row.answered or 0,
        unknown=row.unknown or 0,
    )
