"""The store: what was seen, what it came to, and what changed. The only SQL of the project.

One object, made of parts by what they are asked: who is registered, what is planned, what was found, and three kinds of
reading. Every read takes the instant it is asked at, and applies expiry at it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import and_, delete, exists, insert, or_, select, true, update
from sqlalchemy.exc import SQLAlchemyError

from scorecard.checklist import Checklist
from scorecard.model import Cadence, GatePolicy, ServiceKey, Waiver
from scorecard.store import migrate
from scorecard.store.catalogued import Catalogued, find
from scorecard.store.changes import ServiceResult
from scorecard.store.current import Applies, Policies, Registered, everywhere, registered
from scorecard.store.cycles import Cycles, Planned
from scorecard.store.documents import Documents
from scorecard.store.engine import Database, StoreError, check, problem
from scorecard.store.lists import Lists, QueryError
from scorecard.store.metric_rows import MetricRows
from scorecard.store.pushes import Pushes, Token
from scorecard.store.results import Results
from scorecard.store.tables import cycle, day, event, evidence, hour, observation, summary, waiver
from scorecard.store.views import Change, DayScore

_PASSING = timedelta(hours=1)
"""Evidence that no transition refers to is kept this long after something newer took its place."""

__all__ = [
    "Planned",
    "QueryError",
    "Registered",
    "ServiceResult",
    "Store",
    "StoreError",
    "Token",
    "open_store",
]


class Store(Catalogued, Cycles, Results, Documents, Lists, MetricRows, Pushes):
    """Everything that is kept."""

    def __init__(
        self,
        database: Database,
        *,
        checklists: Mapping[str, Checklist],
        policies: Mapping[str, GatePolicy],
        periods: Mapping[Cadence, timedelta],
        applies: Applies = everywhere,
    ) -> None:
        """Take an open database; `migrate` makes or upgrades its tables."""
        super().__init__()
        self.db = database
        self.configure(checklists=checklists, policies=policies, periods=periods, applies=applies)

    def configure(
        self,
        *,
        checklists: Mapping[str, Checklist],
        policies: Mapping[str, GatePolicy],
        periods: Mapping[Cadence, timedelta],
        applies: Applies = everywhere,
    ) -> None:
        """Take up a changed configuration."""
        self.applies = applies
        self.checklists = dict(checklists)
        self.policies = Policies(dict(policies))
        self.periods = dict(periods)
        self.forget()

    def migrate(self) -> None:
        """Bring the tables to this version's schema.

        Raises:
            StoreError: the database does not answer, or was made by a later version.
        """
        migrate.upgrade(self.db)

    def ready(self) -> str:
        """Why the store cannot be used now; empty when it can."""
        return check(self.db) or migrate.pending(self.db)

    def registered(self, keys: Sequence[ServiceKey] | None = None) -> dict[ServiceKey, Registered]:
        """Active services with their ids."""
        with self.db.read() as connection:
            return registered(connection, keys)

    def settle_if_possible(self, now: datetime) -> str:
        """Write down what expired; empty when done, else why it could not be written.

        Pages call it before they read, so that a dead scheduler cannot leave an old answer standing.
        """
        if not self.db.owned:
            return "another process writes to this store"
        try:
            self.settle(now)
        except SQLAlchemyError as error:
            return problem(error)
        return ""

    def grant(self, granted: Waiver) -> int:
        """Keep an approved waiver; returns its id. The gate counts it from its approval on."""
        with self.db.write() as connection:
            service_id = find(connection, granted.service)
            if service_id is None:
                raise LookupError(f"{granted.service} is not registered")
            result = connection.execute(
                insert(waiver).values(
                    service_id=service_id,
                    row=granted.row,
                    check_id=granted.check,
                    fingerprint=granted.fingerprint,
                    reason=granted.reason,
                    requested_by=granted.requested_by,
                    approved_by=granted.approved_by,
                    approved_at=granted.approved_at,
                    expires_at=granted.expires_at,
                    revoked=granted.revoked,
                )
            )
            # The sums are made again at its approval: at the next settling, where that is over.
            waits = or_(summary.c.next_at.is_(None), summary.c.next_at > granted.approved_at)
            connection.execute(
                update(summary).where(summary.c.service_id == service_id, waits).values(next_at=granted.approved_at)
            )
            return int(result.inserted_primary_key[0])  # type: ignore[index] # an insert of one row has one

    def seed(self, key: ServiceKey, checklist: str, days: Sequence[DayScore], changes: Sequence[Change]) -> None:
        """Write history that was not measured, marked as demo data for ever."""
        with self.db.write() as connection:
            service_id = find(connection, key)
            if service_id is None:
                raise LookupError(f"{key} is not registered")
            self.db.insert_new(
                connection,
                day,
                [
                    {
                        "service_id": service_id,
                        "checklist": checklist,
                        "day": entry.day,
                        "score": entry.score,
                        "score_upper": entry.score_upper,
                        "coverage": entry.coverage,
                        "level": entry.level.value,
                        "demo": True,
                    }
                    for entry in days
                ],
            )
            rows = [
                {
                    "service_id": service_id,
                    "checklist": checklist,
                    "row": change.row,
                    "check_id": change.check,
                    "at": change.at,
                    "cycle_id": 0,
                    "before": change.before,
                    "after": change.after,
                    "cause": change.cause,
                    "message": change.message,
                    "body": "{}",
                    "demo": True,
                }
                for change in changes
            ]
            if rows:
                connection.execute(insert(event), rows)

    def prune(
        self, now: datetime, *, samples: timedelta, history: timedelta, evidence_kept: timedelta = timedelta(days=90)
    ) -> None:
        """Forget what is older than the configuration keeps: shard results, evidence, hours, days and transitions.

        What is still in force is kept however old: evidence that a service rests on now, and the last transition of
        each check before the cut, without which no later instant could be shown.
        """
        with self.db.write() as connection:
            old = select(cycle.c.id).where(cycle.c.finished_at < now - samples)
            connection.execute(delete(cycle).where(cycle.c.id.in_(old)))
            in_force = select(observation.c.digest).where(observation.c.digest == evidence.c.digest)
            # Some evidence, such as a search for a fresh id, is new at every look: only what history shows is kept.
            passing = and_(~evidence.c.referred, evidence.c.stored_at < now - _PASSING)
            past = or_(evidence.c.stored_at < now - evidence_kept, passing)
            connection.execute(delete(evidence).where(past, ~in_force.exists()))
            cut = now - history
            connection.execute(delete(hour).where(hour.c.hour < cut))
            oldest: date = cut.date()
            connection.execute(delete(day).where(day.c.day < oldest))
            later = event.alias()
            follows = exists().where(
                later.c.service_id == event.c.service_id,
                later.c.checklist == event.c.checklist,
                later.c.row == event.c.row,
                later.c.check_id == event.c.check_id,
                later.c.at < cut,
                later.c.id > event.c.id,
            )
            connection.execute(delete(event).where(event.c.at < cut, or_(follows, event.c.demo == true())))
        self.prune_pushes(now, history)

    def close(self) -> None:
        """Close every connection."""
        self.db.close()


def open_store(
    url: str,
    *,
    checklists: Mapping[str, Checklist],
    policies: Mapping[str, GatePolicy],
    periods: Mapping[Cadence, timedelta],
    applies: Applies = everywhere,
    base: Path | None = None,
) -> Store:
    """Open a store; nothing is written.

    Raises:
        StoreError: not an address of a store, or its driver is not installed.
    """
    database = Database(url, base)
    return Store(database, checklists=checklists, policies=policies, periods=periods, applies=applies)
