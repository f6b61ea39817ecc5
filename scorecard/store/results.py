"""Writing results: one transaction for a shard, only what changed, and never the same effect twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from scorecard.checklist import Checklist
from scorecard.evidence import Unavailable
from scorecard.judge import Judged
from scorecard.model import Cause, ServiceKey
from scorecard.store import codec, current
from scorecard.store.changes import (
    Changes,
    Known,
    ServiceResult,
    cause_of_change,
    day_row,
    ended_event,
    event_row,
    exclusion_event,
    exclusion_row,
    finding_row,
    kept_evidence,
    observation_row,
    overtaken,
    state,
)
from scorecard.store.current import Applies, Policies, Registered
from scorecard.store.cycles import finish_if_complete
from scorecard.store.engine import Database, chunks
from scorecard.store.sums import Walked, add_up, load_held, walk
from scorecard.store.tables import (
    cycle,
    day,
    event,
    evidence,
    finding,
    hour,
    observation,
    service,
    shard_run,
    summary,
)

_SETTLED_AT_ONCE = 200


class Results:
    """The part of the store that takes results."""

    db: Database
    checklists: Mapping[str, Checklist]
    policies: Policies
    applies: Applies

    def record(
        self, cycle_id: int, shard: str, results: Sequence[ServiceResult], started: datetime, finished: datetime
    ) -> bool:
        """Store what a shard of a cycle found, exactly once.

        False where this shard has its effect already. Findings older than those stored are left out.

        Raises:
            LookupError: there is no such cycle.
        """
        with self.db.write() as connection:
            if not self._claim(connection, cycle_id, shard, results, started, finished):
                return False
            known = current.registered(connection, [result.key for result in results])
            entries = {entry.id: entry for entry in known.values()}
            _lock(connection, sorted(entries))
            # What expired before we looked again is history of its own.
            self._settle(connection, entries, started)
            fresh = self._observe(connection, cycle_id, results, known, finished)
            changes = self._compare(connection, cycle_id, fresh, known, finished)
            self._write(connection, changes, entries, cycle_id, finished)
            finish_if_complete(connection, cycle_id, finished)
            return True

    def settle(self, now: datetime) -> int:
        """Write down what time alone changed since the sums were made: findings, events at their instants, sums.

        A pure function of what is stored and of `now`; it may run anywhere and any number of times. Returns how many
        services it looked at.
        """
        with self.db.read() as connection:
            query = select(summary.c.service_id).where(summary.c.next_at <= now).distinct()
            ids = sorted(connection.scalars(query))
        for part in chunks(ids, _SETTLED_AT_ONCE):
            with self.db.write() as connection:
                _lock(connection, part)
                query = select(service.c.id, service.c.document).where(service.c.id.in_(part))
                entries = {
                    row.id: Registered(row.id, codec.decode_service(row.document)) for row in connection.execute(query)
                }
                self._settle(connection, entries, now)
        return len(ids)

    def roll_up(self, now: datetime) -> None:
        """Keep the day's score of every service that was looked at within a day."""
        recent = select(observation.c.service_id).where(observation.c.at > now - timedelta(days=1))
        query = (
            select(summary)
            .join(service, service.c.id == summary.c.service_id)
            .where(service.c.active, summary.c.service_id.in_(recent))
        )
        with self.db.write() as connection:
            rows = [day_row(dict(row), now) for row in connection.execute(query).mappings()]
            for part in chunks(rows):
                self.db.upsert(connection, day, part)

    def outdated(self, entries: Mapping[ServiceKey, Registered], now: datetime) -> dict[ServiceKey, frozenset[str]]:
        """The checklists under which a service must be judged whole: it is new, or changed, or an exemption ended."""
        found: dict[int, dict[str, str]] = defaultdict(dict)
        ids = [entry.id for entry in entries.values()]
        with self.db.read() as connection:
            for part in chunks(ids):
                query = select(summary.c.service_id, summary.c.checklist, summary.c.basis)
                for row in connection.execute(query.where(summary.c.service_id.in_(part))):
                    found[row.service_id][row.checklist] = row.basis
        return {
            key: frozenset(
                name
                for name, checklist in self.checklists.items()
                if self.applies(name, entry.service)
                and found[entry.id].get(name)
                != current.basis(checklist, entry.service, now.date(), self.policies.of(entry.service.tier))
            )
            for key, entry in entries.items()
        }

    # --- steps of a transaction --------------------------------------------------------------------------------------

    def _claim(
        self,
        connection: Connection,
        cycle_id: int,
        shard: str,
        results: Sequence[ServiceResult],
        started: datetime,
        finished: datetime,
    ) -> bool:
        cadence = connection.scalar(select(cycle.c.cadence).where(cycle.c.id == cycle_id))
        if cadence is None:
            raise LookupError(f"there is no cycle {cycle_id}")
        answers = [seen.value for result in results for seen in result.observations]
        unanswered = sum(isinstance(value, Unavailable) for value in answers)
        counts = {"services": len(results), "answered": len(answers) - unanswered, "unknown": unanswered}
        key = {"cycle_id": cycle_id, "shard": shard, "started_at": started, "finished_at": finished}
        if not self.db.claim(connection, shard_run, key | counts):
            return False
        took = int((finished - started).total_seconds() * 1000)
        at = finished.replace(minute=0, second=0, microsecond=0)
        row = {"cadence": cadence, "shard": shard, "hour": at, "runs": 1, "milliseconds": took, **counts}
        self.db.upsert(connection, hour, [row], adding=("runs", "milliseconds", *counts))
        return True

    def _observe(
        self,
        connection: Connection,
        cycle_id: int,
        results: Sequence[ServiceResult],
        known: Mapping[ServiceKey, Registered],
        now: datetime,
    ) -> list[ServiceResult]:
        """Write observations; returns the results of services of which nobody has newer ones."""
        newest: dict[tuple[int, str], int] = {}
        for part in chunks([entry.id for entry in known.values()]):
            query = select(observation.c.service_id, observation.c.kind, observation.c.cycle_id)
            for row in connection.execute(query.where(observation.c.service_id.in_(part))):
                newest[row.service_id, row.kind] = row.cycle_id
        fresh, rows, shared = [], [], {}
        for result in results:
            entry = known.get(result.key)
            if entry is None:
                continue
            late = any(newest.get((entry.id, seen.kind.kind()), -1) > cycle_id for seen in result.observations)
            if late:
                continue
            fresh.append(result)
            for seen in result.observations:
                observed, kept = observation_row(entry.id, seen, result, cycle_id, now)
                rows.append(observed)
                if kept:
                    shared[kept["digest"]] = kept
        for kept_part in chunks(sorted(shared.values(), key=lambda row: row["digest"])):
            self.db.insert_new(connection, evidence, kept_part)
        for part in chunks(rows):
            self.db.upsert(connection, observation, part)
        return fresh

    def _compare(
        self,
        connection: Connection,
        cycle_id: int,
        results: Sequence[ServiceResult],
        known: Mapping[ServiceKey, Registered],
        now: datetime,
    ) -> Changes:
        changes = Changes()
        ids = {known[result.key].id: result for result in results}
        times = current.load_times(connection, list(ids))
        stored: dict[int, dict[tuple[str, str, str], Any]] = defaultdict(dict)
        query = select(finding)
        if not any(result.complete for result in results):
            touched = {row for result in results for pairs in result.judged.values() for row, _ in pairs}
            query = query.where(finding.c.row.in_(sorted(touched)))
        digests: dict[int, dict[str, str]] = defaultdict(dict)
        bases: dict[int, dict[str, str]] = defaultdict(dict)
        for part in chunks(list(ids)):
            for row in connection.execute(query.where(finding.c.service_id.in_(part))):
                stored[row.service_id][row.checklist, row.row, row.check_id] = row
            seen = select(observation.c.service_id, observation.c.kind, observation.c.digest)
            for row in connection.execute(seen.where(observation.c.service_id.in_(part))):
                digests[row.service_id][row.kind] = row.digest
            old = select(summary.c.service_id, summary.c.checklist, summary.c.basis, summary.c.aged)
            for row in connection.execute(old.where(summary.c.service_id.in_(part))):
                bases[row.service_id][row.checklist] = row.basis
                if row.aged and ids[row.service_id].observations:
                    changes.moved.add((row.service_id, row.checklist))
        entries = {entry.id: entry for entry in known.values()}
        for service_id, result in ids.items():
            shifts = self._shifts(entries[service_id], result.complete, bases[service_id], now)
            known_of = Known(stored[service_id], times.get(service_id, {}), digests[service_id], shifts)
            self._compare_one(changes, service_id, result, known_of, cycle_id, now)
        return changes

    def _shifts(
        self, entry: Registered, complete: Iterable[str], bases: Mapping[str, str], now: datetime
    ) -> dict[str, str]:
        """By what the basis of each checklist that was judged whole differs from before."""
        policy = self.policies.of(entry.service.tier)
        return {
            name: current.shifted(
                bases.get(name), current.basis(self.checklists[name], entry.service, now.date(), policy)
            )
            for name in complete
            if name in self.checklists
        }

    def _compare_one(
        self,
        changes: Changes,
        service_id: int,
        result: ServiceResult,
        known: Known,
        cycle_id: int,
        now: datetime,
    ) -> None:
        stored = known.findings
        for name in result.complete:
            changes.moved.add((service_id, name))
            judged_now = {(name, row, judged.id) for row, judged in result.judged.get(name, ())}
            excluded = {row for row, _ in result.excluded.get(name, ())}
            for key, old in stored.items():
                if key[0] != name or key in judged_now or (key[1] in excluded and not key[2]):
                    continue
                changes.gone.append((service_id, *key))
                # A row that ceased to apply takes its checks with it, and says so itself.
                if key[1] not in excluded:
                    place, shift = (service_id, *key), known.shifts.get(name, "")
                    changes.events.append(ended_event(place, old.status, shift, cycle_id, now))
        for name, pairs in result.judged.items():
            for row_id, judged in pairs:
                self._compare_finding(changes, (service_id, name, row_id), judged, result, known, cycle_id, now)
        for name, exclusions in result.excluded.items():
            for row_id, exclusion in exclusions:
                body = codec.encode_exclusion(exclusion)
                old = stored.get((name, row_id, ""))
                if old is None or old.body != body:
                    changes.findings.append(exclusion_row(service_id, name, row_id, body, now, cycle_id))
                    changes.events.append(exclusion_event(service_id, name, row_id, exclusion, body, cycle_id, now))

    def _compare_finding(
        self,
        changes: Changes,
        place: tuple[int, str, str],
        judged: Judged,
        result: ServiceResult,
        known: Known,
        cycle_id: int,
        now: datetime,
    ) -> None:
        service_id, name, row_id = place
        old = known.findings.get((name, row_id, judged.id))
        body = codec.encode_judged(current.untimed(judged, known.times))
        if old is not None and (old.body == body or overtaken(judged, result, known.times)):
            return
        before = codec.decode_judged(old.body) if old is not None else None
        moved = before is None or state(before) != state(judged)
        since = now if moved or old is None else old.since
        changes.findings.append(finding_row(service_id, name, row_id, judged, body, since, cycle_id))
        if not moved:
            return
        changes.moved.add((service_id, name))
        # What this version cannot look at begins as it stays: a transition would say nothing.
        if before is not None or judged.cause is not Cause.NOT_SUPPORTED:
            cause = cause_of_change(before, judged, known.shifts.get(name, ""))
            kept = kept_evidence(changes, judged, result, known.digests)
            changes.events.append(event_row(service_id, name, row_id, judged, before, cause, kept, cycle_id, now))

    def _settle(self, connection: Connection, entries: Mapping[int, Registered], now: datetime) -> None:
        due: dict[str, list[int]] = defaultdict(list)
        for part in chunks(list(entries)):
            query = select(summary.c.service_id, summary.c.checklist)
            for row in connection.execute(query.where(summary.c.service_id.in_(part), summary.c.next_at <= now)):
                due[row.checklist].append(row.service_id)
        for name, ids in due.items():
            if name in self.checklists:
                services = {service_id: entries[service_id].service for service_id in ids}
                held = load_held(connection, services, self.checklists[name], self.policies)
                self._write_sums(connection, [walk(one, now) for one in held])

    def _write(
        self,
        connection: Connection,
        changes: Changes,
        entries: Mapping[int, Registered],
        cycle_id: int,
        now: datetime,
    ) -> None:
        for part in chunks(changes.gone, 100):
            key = tuple_(finding.c.service_id, finding.c.checklist, finding.c.row, finding.c.check_id)
            connection.execute(delete(finding).where(key.in_(part)))
        for rows in chunks(changes.findings):
            self.db.upsert(connection, finding, rows)
        for rows in chunks(sorted(changes.shared.values(), key=lambda row: row["digest"])):
            self.db.insert_new(connection, evidence, rows)
        for part in chunks(sorted(changes.referred)):
            # Evidence that history refers to is kept from now on, not from when it was first seen.
            connection.execute(update(evidence).where(evidence.c.digest.in_(part)).values(stored_at=now, referred=True))
        if changes.events:
            connection.execute(insert(event), changes.events)
        for name, checklist in self.checklists.items():
            ids = sorted(service_id for service_id, moved in changes.moved if moved == name and service_id in entries)
            causes = changes.causes(name)
            services = {service_id: entries[service_id].service for service_id in ids}
            held = load_held(connection, services, checklist, self.policies)
            walked = [add_up(one, now, cause=causes.get(one.id, ""), cycle_id=cycle_id) for one in held]
            self._write_sums(connection, walked)

    def _write_sums(self, connection: Connection, walked: Sequence[Walked]) -> None:
        for part in chunks(walked):
            self.db.upsert(connection, summary, [one.sum for one in part if one.sum is not None])
            self.db.upsert(connection, finding, [row for one in part for row in one.findings.values()])
            self.db.upsert(connection, day, [row for one in part for row in one.days.values()])
            events = [row for one in part for row in one.events]
            if events:
                connection.execute(insert(event), events)


def _lock(connection: Connection, ids: Sequence[int]) -> None:
    """On PostgreSQL two shards of one service add it up one after the other; SQLite has one writer anyway."""
    for part in chunks(ids):
        # The key is left free: a row that refers to the service need not wait.
        query = select(service.c.id).where(service.c.id.in_(part)).order_by(service.c.id)
        connection.execute(query.with_for_update(key_share=True)).all()
