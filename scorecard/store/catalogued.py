"""Services and teams as they are registered; history follows a rename, and nothing is lost when one goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from scorecard.checklist import Checklist
from scorecard.model import Service, ServiceKey, Team
from scorecard.store import codec
from scorecard.store.changes import dropped_event
from scorecard.store.current import Applies
from scorecard.store.engine import Database, chunks, storable
from scorecard.store.tables import event, finding, former_name, service, summary, team

CATALOGUE, API = "catalogue", "api"
_REGISTERING = 2
"""The lock under which processes register services one after the other."""


class Catalogued:
    """The part of the store that knows who is registered."""

    db: Database
    checklists: Mapping[str, Checklist]
    applies: Applies

    def sync(self, services: Iterable[Service], teams: Iterable[Team], now: datetime) -> None:
        """Take up the catalogue: what it no longer names is kept, with its history, as gone."""
        wanted = {entry.key: entry for entry in services}
        with self.db.write() as connection:
            self.db.alone(connection, _REGISTERING)
            for entry in wanted.values():
                _follow_rename(connection, entry)
            known = {
                ServiceKey(row.name, row.environment): row
                for row in connection.execute(select(service).order_by(service.c.id).with_for_update(key_share=True))
            }
            self._put(connection, wanted.values(), known, CATALOGUE, now)
            gone = [
                row.id for key, row in known.items() if row.source == CATALOGUE and row.active and key not in wanted
            ]
            for service_id in gone:
                connection.execute(
                    update(service).where(service.c.id == service_id).values(active=False, changed_at=now)
                )
            self._drop_what_does_not_apply(connection, wanted, now)
            connection.execute(delete(team))
            rows = [{"name": entry.name, "document": codec.encode_team(entry)} for entry in teams]
            if rows:
                connection.execute(insert(team), rows)

    def register(self, entry: Service, now: datetime) -> None:
        """Register or change one service through the API; the catalogue does not remove it."""
        with self.db.write() as connection:
            self.db.alone(connection, _REGISTERING)
            _follow_rename(connection, entry)
            known = {
                ServiceKey(row.name, row.environment): row
                for row in connection.execute(select(service).where(service.c.name == entry.name))
            }
            self._put(connection, [entry], known, API, now)
            self._drop_what_does_not_apply(connection, {entry.key: entry}, now)

    def unregister(self, key: ServiceKey, now: datetime) -> bool:
        """Take a service out of the lists; its history stays. False where it is not registered."""
        if not (storable(key.name) and storable(key.environment)):
            return False
        with self.db.write() as connection:
            done = connection.execute(
                update(service)
                .where(service.c.name == key.name, service.c.environment == key.environment, service.c.active)
                .values(active=False, changed_at=now)
            )
            return done.rowcount > 0

    def services(self, *, include_gone: bool = False) -> tuple[Service, ...]:
        """All registered services, by name and environment."""
        query = select(service.c.document).order_by(service.c.name, service.c.environment)
        if not include_gone:
            query = query.where(service.c.active)
        with self.db.read() as connection:
            return tuple(codec.decode_service(text) for text in connection.scalars(query))

    def service(self, key: ServiceKey) -> Service | None:
        """The registered service of that name, or of that former name."""
        with self.db.read() as connection:
            service_id = find(connection, key)
            if service_id is None:
                return None
            text = connection.scalar(select(service.c.document).where(service.c.id == service_id, service.c.active))
            return codec.decode_service(text) if text else None

    def registered_by_api(self, key: ServiceKey) -> bool:
        """Whether the service came through the API and not from the catalogue's files."""
        if not (storable(key.name) and storable(key.environment)):
            return False
        with self.db.read() as connection:
            source = connection.scalar(
                select(service.c.source).where(service.c.name == key.name, service.c.environment == key.environment)
            )
            return bool(source == API)

    def teams(self) -> tuple[Team, ...]:
        """All teams of the catalogue, by name."""
        with self.db.read() as connection:
            return tuple(
                codec.decode_team(text) for text in connection.scalars(select(team.c.document).order_by(team.c.name))
            )

    def _drop_what_does_not_apply(
        self, connection: Connection, entries: Mapping[ServiceKey, Service], now: datetime
    ) -> None:
        """Take sums and findings away under checklists that no longer apply; history keeps that they were there."""
        query = select(service.c.id, service.c.name, service.c.environment, summary.c.checklist, summary.c.score).join(
            summary, summary.c.service_id == service.c.id
        )
        gone = []
        for row in connection.execute(query):
            entry = entries.get(ServiceKey(row.name, row.environment))
            if entry is not None and not (row.checklist in self.checklists and self.applies(row.checklist, entry)):
                gone.append(row)
        for part in chunks(gone, 100):
            keys = [(row.id, row.checklist) for row in part]
            for table in (summary, finding):
                connection.execute(delete(table).where(tuple_(table.c.service_id, table.c.checklist).in_(keys)))
            ids = sorted({row.id for row in part})
            connection.execute(update(service).where(service.c.id.in_(ids)).values(changed_at=now))
            connection.execute(insert(event), [dropped_event(row.id, row.checklist, row.score, now) for row in part])

    def _put(
        self,
        connection: Connection,
        entries: Iterable[Service],
        known: Mapping[ServiceKey, Any],
        source: str,
        now: datetime,
    ) -> None:
        for entry in entries:
            values = {
                "team": entry.team,
                "tier": entry.tier,
                "type": entry.type.value,
                "lifecycle": entry.lifecycle.value,
                "document": codec.encode_service(entry),
                "source": source,
                "active": True,
                "demo": entry.demo,
            }
            row = known.get(entry.key)
            if row is None:
                connection.execute(
                    insert(service).values(
                        name=entry.name, environment=entry.environment, first_seen=now, changed_at=now, **values
                    )
                )
            elif any(getattr(row, name) != value for name, value in values.items()):
                connection.execute(update(service).where(service.c.id == row.id).values(changed_at=now, **values))


def find(connection: Connection, key: ServiceKey) -> int | None:
    """A service's id, by its name or a former one."""
    if not (storable(key.name) and storable(key.environment)):
        return None
    service_id = connection.scalar(
        select(service.c.id).where(service.c.name == key.name, service.c.environment == key.environment)
    )
    if service_id is None:
        service_id = connection.scalar(
            select(former_name.c.service_id).where(
                former_name.c.name == key.name, former_name.c.environment == key.environment
            )
        )
    return service_id


def _follow_rename(connection: Connection, entry: Service) -> None:
    """Give the row of a former name the new one, so that its history goes on."""
    for old in entry.formerly:
        row = connection.scalar(
            select(service.c.id).where(service.c.name == old, service.c.environment == entry.environment)
        )
        taken = connection.scalar(
            select(service.c.id).where(service.c.name == entry.name, service.c.environment == entry.environment)
        )
        if row is not None and taken is None:
            connection.execute(update(service).where(service.c.id == row).values(name=entry.name))
            taken = row
        if taken is not None and row in {None, taken}:
            known = connection.scalar(
                select(former_name.c.service_id).where(
                    former_name.c.name == old, former_name.c.environment == entry.environment
                )
            )
            if known is None:
                connection.execute(
                    insert(former_name).values(name=old, environment=entry.environment, service_id=taken)
                )
