"""The sums as they stand at an instant: as they are stored, and walked on where time changed them since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Column, Connection, FromClause, MetaData, Table, and_, exists, insert, select, union_all

from scorecard.checklist import Checklist
from scorecard.store import codec
from scorecard.store.current import Policies
from scorecard.store.engine import Database, chunks
from scorecard.store.sums import load_held, walk
from scorecard.store.tables import service, summary

_walked = Table(
    "walked",
    MetaData(),
    *[Column(column.name, column.type, nullable=True) for column in summary.c],
    prefixes=["TEMPORARY"],
)
_REMEMBERED = 50_000


class Standings:
    """The part of the store that reads sums. With a scheduler alive all of them are stored as they stand."""

    db: Database
    checklists: Mapping[str, Checklist]
    policies: Policies

    def __init__(self) -> None:
        self._on: dict[tuple[int, str], tuple[Mapping[str, Any], dict[str, Any]]] = {}
        self._on_lock = Lock()

    def sums(self, connection: Connection, now: datetime) -> FromClause:
        """The table `summary` as it stands at `now`, whoever could or could not write down what time changed.

        It lasts as long as the connection's transaction.
        """
        due = [dict(row) for row in connection.execute(select(summary).where(summary.c.next_at <= now)).mappings()]
        due = [row for row in due if row["checklist"] in self.checklists]
        if not due:
            return summary
        _walked.create(connection)
        connection.execute(insert(_walked), self._walk_on(connection, due, now))
        passed_on = exists().where(
            and_(_walked.c.service_id == summary.c.service_id, _walked.c.checklist == summary.c.checklist)
        )
        return union_all(select(summary).where(~passed_on), select(_walked)).subquery("sums")

    def _walk_on(self, connection: Connection, due: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        todo: dict[str, list[int]] = defaultdict(list)
        with self._on_lock:
            for row in due:
                before, after = self._on.get((row["service_id"], row["checklist"]), (None, None))
                # Nothing else changes a sum than time, until it is stored anew.
                if (
                    after
                    and before == row
                    and after["as_of"] <= now
                    and (not after["next_at"] or after["next_at"] > now)
                ):
                    found.append(after | {"changed_at": now})
                else:
                    todo[row["checklist"]].append(row["service_id"])
        old = {(row["service_id"], row["checklist"]): row for row in due}
        fresh = {}
        for name, ids in todo.items():
            for part in chunks(ids):
                query = select(service.c.id, service.c.document).where(service.c.id.in_(part))
                services = {row.id: codec.decode_service(row.document) for row in connection.execute(query)}
                for held in load_held(connection, services, self.checklists[name], self.policies):
                    walked = walk(held, now).sum
                    if walked is not None:
                        fresh[held.id, name] = (old[held.id, name], walked)
        with self._on_lock:
            if len(self._on) > _REMEMBERED:
                self._on.clear()
            self._on |= fresh
        return found + [walked for _, walked in fresh.values()]
