"""Whether what is stored holds together: what a database checks itself, and what only we can check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from scorecard.evidence import Unavailable
from scorecard.store import codec, current, migrate
from scorecard.store.changes import summary_row
from scorecard.store.cycles import DONE
from scorecard.store.engine import chunks, problem
from scorecard.store.sums import Held, load_held
from scorecard.store.tables import cycle, event, evidence, finding, metadata, observation, service, shard_run, summary

if TYPE_CHECKING:
    from scorecard.store import Store

_SUMS = ("score", "score_upper", "coverage", "verified_only", "level", "rows", "exempt_rows")
_TOLD = 20
"""Problems of one kind that are told one by one."""


def verify(store: Store) -> tuple[str, ...]:
    """Everything that does not hold together, a line each; empty where all does. It only reads.

    The database's own checks, the schema, keys that lead nowhere, evidence against its digest, findings against their
    columns, sums against the findings they are of, cycles against their shards.
    """
    found: list[str] = []
    try:
        if store.db.sqlite:
            with store.db.read() as connection:
                found += _sqlite_itself(connection)
        pending = migrate.pending(store.db)
        if pending:
            return (*found, pending)
        with store.db.read() as connection:
            for look in (_orphans, _evidence, _findings, _events, _cycles):
                found += _first(list(look(connection)))
            found += _first(list(_sums(store, connection)))
    except SQLAlchemyError as error:
        found.append(problem(error))
    return tuple(found)


def _first(problems: list[str]) -> list[str]:
    more = len(problems) - _TOLD
    return problems[:_TOLD] + ([f"{more} more of these"] if more > 0 else [])


def _sqlite_itself(connection: Connection) -> Iterator[str]:
    for row in connection.execute(text("PRAGMA integrity_check")):
        if row[0] != "ok":
            yield f"SQLite: {row[0]}"
    for row in connection.execute(text("PRAGMA foreign_key_check")):
        yield f"SQLite: a row of {row[0]} refers to a row of {row[2]} that is not there"


def _orphans(connection: Connection) -> Iterator[str]:
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            lost = select(func.count()).select_from(table).where(~select(1).where(key.column == key.parent).exists())
            count = connection.scalar(lost)
            if count:
                yield f"{count} rows of {table.name} refer to a row of {key.column.table.name} that is not there"
    gone = select(observation.c.service_id, observation.c.kind).where(
        observation.c.digest != "", ~select(1).where(evidence.c.digest == observation.c.digest).exists()
    )
    for row in connection.execute(gone):
        yield f"service {row.service_id}: the evidence {row.kind} that it rests on is not kept"


def _evidence(connection: Connection) -> Iterator[str]:
    kinds = codec.kinds()
    for row in connection.execute(select(evidence)):
        if codec.digest(row.value) != row.digest:
            yield f"evidence {row.digest}: what is stored has the digest {codec.digest(row.value)}"
    for row in connection.execute(select(observation.c.service_id, observation.c.kind, observation.c.value)):
        if row.value and row.kind in kinds:
            answer = codec.decode_answer(kinds[row.kind], row.value)
            if isinstance(answer, Unavailable) and '"unavailable"' not in row.value:
                yield f"service {row.service_id}: {answer.detail}"
    for row in connection.execute(select(service.c.name, service.c.environment, service.c.document)):
        try:
            key = codec.decode_service(row.document).key
        except ValueError:
            yield f"service {row.name}: its definition cannot be read"
            continue
        if key != (row.name, row.environment):
            yield f"service {row.name}@{row.environment}: its definition is that of {key}"


def _findings(connection: Connection) -> Iterator[str]:
    for row in connection.execute(select(finding)):
        place = f"service {row.service_id}: {row.checklist}/{row.row}/{row.check_id or '-'}"
        try:
            if not row.check_id:
                codec.decode_exclusion(row.body)
                continue
            judged = codec.decode_judged(row.body)
        except ValueError:
            yield f"{place} cannot be read"
            continue
        cause = judged.cause.value if judged.cause else ""
        if (judged.id, judged.status.value, cause) != (row.check_id, row.status, row.cause):
            yield f"{place} is {row.status} in its column and {judged.status.value} in its body"


def _events(connection: Connection) -> Iterator[str]:
    for row in connection.execute(select(event.c.id, event.c.row, event.c.check_id, event.c.after, event.c.body)):
        try:
            body = json.loads(row.body)
            told = codec.decode_judged(json.dumps(body["finding"])).status.value if "finding" in body else row.after
        except (ValueError, TypeError):
            yield f"event {row.id} cannot be read"
            continue
        if told != row.after:
            yield f"event {row.id} is {row.after} in its column and {told} in its body"


def _cycles(connection: Connection) -> Iterator[str]:
    done = select(shard_run.c.cycle_id, func.count().label("count")).group_by(shard_run.c.cycle_id).subquery()
    query = select(cycle, func.coalesce(done.c.count, 0).label("done")).outerjoin(done, done.c.cycle_id == cycle.c.id)
    for row in connection.execute(query):
        if row.done > row.shards or (row.state == DONE and row.done != row.shards):
            yield f"cycle {row.id} is {row.state} with {row.done} of {row.shards} shards"


def _sums(store: Store, connection: Connection) -> Iterator[str]:
    """Sums against the findings that they are of, where the configuration is still that under which they were made."""
    for name, checklist in store.checklists.items():
        ids = list(connection.scalars(select(summary.c.service_id).where(summary.c.checklist == name)))
        for part in chunks(ids):
            query = select(service.c.id, service.c.document).where(service.c.id.in_(part))
            services: dict[int, Any] = {}
            for row in connection.execute(query):
                try:
                    services[row.id] = codec.decode_service(row.document)
                except ValueError:
                    continue  # told above
            try:
                held = load_held(connection, services, checklist, store.policies)
            except ValueError:
                yield f"{name}: sums cannot be made from what is stored"
                continue
            for one in held:
                yield from _sum(one)


def _sum(held: Held) -> Iterator[str]:
    old = held.old
    if old is None:
        return
    at = old["as_of"]
    if current.basis(held.checklist, held.entry, at.date(), held.policy) != old["basis"]:
        return
    rows = current.build_rows(held.checklist, held.stored, current.exclusions(held.entry, held.checklist, at.date()))
    standing = current.standing(held.entry, held.checklist, rows, held.policy, held.waivers, held.taken_at, at)
    made = summary_row(held.id, standing, old, held.times, old["basis"], at)
    for column in _SUMS:
        if made[column] != old[column]:
            yield (
                f"{held.entry.key} on {held.checklist.name}: {column} is {old[column]}, "
                f"its findings come to {made[column]}"
            )
