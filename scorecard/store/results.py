"""Writing results: one transaction for a shard, only what changed, and never the same effect twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, delete, func, insert, or_, select, tuple_, type_coerce

from scorecard.checklist import Checklist
from scorecard.evidence import Unavailable
from scorecard.judge import Judged
from scorecard.model import Cause, ServiceKey
from scorecard.store import codec, current
from scorecard.store.changes import (
    SUMMED,
    Changes,
    Known,
    ServiceResult,
    cause_of_change,
    day_row,
    event_row,
    exclusion_event,
    exclusion_row,
    finding_row,
    kept_evidence,
    observation_row,
    score_event,
    state,
    summary_row,
)
from scorecard.store.current import Applies, Policies, Registered
from scorecard.store.cycles import finish_if_complete
from scorecard.store.engine import Database, chunks
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
    waiver,
)


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
        """
        with self.db.write() as connection:
            if not self._claim(connection, cycle_id, shard, results, started, finished):
                return False
            known = current.registered(connection, [result.key for result in results])
            ids = sorted(entry.id for entry in known.values())
            for part in chunks(ids):
                # On PostgreSQL two shards of one service add it up one after the other; SQLite has one writer anyway.
                connection.execute(
                    select(service.c.id).where(service.c.id.in_(part)).order_by(service.c.id).with_for_update()
                ).all()
            fresh = self._observe(connection, cycle_id, results, known, finished)
            changes = self._compare(connection, cycle_id, fresh, known, finished)
            self._write(connection, changes, {entry.id: entry for entry in known.values()}, cycle_id, finished)
            finish_if_complete(connection, cycle_id, finished)
            return True

    def settle(self, now: datetime) -> int:
        """Write down what expired since the sums were made: findings, events at the instant of expiry, sums.

        A pure function of what is stored and of `now`; it may run anywhere and any number of times. Returns how many
        services moved.
        """
        with self.db.read() as connection:
            ids = self._crossed(connection, now)
        for part in chunks(ids, 200):
            with self.db.write() as connection:
                entries = {
                    row.id: Registered(row.id, codec.decode_service(row.document))
                    for row in connection.execute(
                        select(service.c.id, service.c.document)
                        .where(service.c.id.in_(part))
                        .order_by(service.c.id)
                        .with_for_update()
                    )
                }
                changes = self._expired(connection, entries, now)
                changes.moved |= {
                    (service_id, name)
                    for service_id, entry in entries.items()
                    for name in self.checklists
                    if self.applies(name, entry.service)
                }
                self._write(connection, changes, entries, 0, now)
        return len(ids)

    def roll_up(self, now: datetime) -> None:
        """Keep the day's score of every service that was looked at within a day."""
        recent = select(observation.c.service_id).where(observation.c.at > now - timedelta(days=1))
        query = select(summary).where(summary.c.service_id.in_(recent))
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
                and found[entry.id].get(name) != current.basis(checklist, entry.service, now.date())
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
        answers = [seen.value for result in results for seen in result.observations]
        unanswered = sum(isinstance(value, Unavailable) for value in answers)
        counts = {"services": len(results), "answered": len(answers) - unanswered, "unknown": unanswered}
        taken = connection.scalar(
            select(func.count()).where(shard_run.c.cycle_id == cycle_id, shard_run.c.shard == shard)
        )
        if taken:
            return False
        connection.execute(
            insert(shard_run).values(cycle_id=cycle_id, shard=shard, started_at=started, finished_at=finished, **counts)
        )
        self._count_hour(connection, cycle_id, shard, counts, started, finished)
        return True

    def _count_hour(
        self,
        connection: Connection,
        cycle_id: int,
        shard: str,
        counts: Mapping[str, int],
        started: datetime,
        finished: datetime,
    ) -> None:
        cadence = connection.scalar(select(cycle.c.cadence).where(cycle.c.id == cycle_id))
        if cadence is None:
            raise LookupError(f"there is no cycle {cycle_id}")
        at = finished.replace(minute=0, second=0, microsecond=0)
        key = and_(hour.c.cadence == cadence, hour.c.shard == shard, hour.c.hour == at)
        old = connection.execute(select(hour).where(key)).first()
        took = int((finished - started).total_seconds() * 1000)
        row = {
            "cadence": cadence,
            "shard": shard,
            "hour": at,
            "runs": 1 + (old.runs if old else 0),
            "milliseconds": took + (old.milliseconds if old else 0),
        }
        row |= {name: count + (getattr(old, name) if old else 0) for name, count in counts.items()}
        self.db.upsert(connection, hour, [row])

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
        for kept_part in chunks(list(shared.values())):
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
        ids = {known[result.key].id: result for result in results}
        times = current.load_times(connection, list(ids))
        stored: dict[int, dict[tuple[str, str, str], Any]] = defaultdict(dict)
        query = select(finding)
        if not any(result.complete for result in results):
            touched = {row for result in results for pairs in result.judged.values() for row, _ in pairs}
            query = query.where(finding.c.row.in_(sorted(touched)))
        digests: dict[int, dict[str, str]] = defaultdict(dict)
        for part in chunks(list(ids)):
            for row in connection.execute(query.where(finding.c.service_id.in_(part))):
                stored[row.service_id][row.checklist, row.row, row.check_id] = row
            seen = select(observation.c.service_id, observation.c.kind, observation.c.digest)
            for row in connection.execute(seen.where(observation.c.service_id.in_(part))):
                digests[row.service_id][row.kind] = row.digest
        changes = Changes()
        for service_id, result in ids.items():
            known_of = Known(stored[service_id], times.get(service_id, {}), digests[service_id])
            self._compare_one(changes, service_id, result, known_of, cycle_id, now)
        return changes

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
            judged_now |= {(name, row, "") for row, _ in result.excluded.get(name, ())}
            changes.gone += [(service_id, *key) for key in stored if key[0] == name and key not in judged_now]
        for name, pairs in result.judged.items():
            for row_id, judged in pairs:
                self._compare_finding(changes, (service_id, name, row_id), judged, result, known, cycle_id, now)
        for name, exclusions in result.excluded.items():
            for row_id, exclusion in exclusions:
                body = codec.encode_exclusion(exclusion)
                old = stored.get((name, row_id, ""))
                if old is None or old.body != body:
                    changes.findings.append(exclusion_row(service_id, name, row_id, body, now, cycle_id))
                if old is None:
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
        if old is not None and (old.body == body or _overtaken(judged, result, known.times)):
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
            cause = cause_of_change(before, judged, whole=name in result.complete and before is not None)
            kept = kept_evidence(changes, judged, result, known.digests)
            changes.events.append(event_row(service_id, name, row_id, judged, before, cause, kept, cycle_id, now))

    def _expired(self, connection: Connection, entries: Mapping[int, Registered], now: datetime) -> Changes:
        changes = Changes()
        times = current.load_times(connection, list(entries))
        query = select(finding).where(finding.c.service_id.in_(list(entries)), finding.c.check_id != "")
        for row in connection.execute(query):
            judged = current.timed(codec.decode_judged(row.body), times.get(row.service_id, {}))
            after = judged.at(now)
            if after is judged or judged.expires_at is None:
                continue
            body = codec.encode_judged(after)
            since = judged.expires_at
            changes.findings.append(
                finding_row(row.service_id, row.checklist, row.row, after, body, since, row.cycle_id)
            )
            changes.events.append(
                event_row(row.service_id, row.checklist, row.row, after, judged, "expiry", {}, row.cycle_id, since)
            )
        return changes

    def _crossed(self, connection: Connection, now: datetime) -> list[int]:
        aged = [and_(observation.c.expires_at <= now, observation.c.expires_at > summary.c.as_of)]
        for within in {policy.measured_within for policy in self.policies.by_tier.values()}:
            # Milliseconds are compared as numbers: `at + within` crosses `now` where `at` crosses `now - within`.
            limit = int(within / timedelta(milliseconds=1))
            as_of = type_coerce(summary.c.as_of, BigInteger)
            aged.append(
                and_(observation.c.at <= now - within, type_coerce(observation.c.at, BigInteger) > as_of - limit)
            )
        by_age = select(observation.c.service_id).join(summary, summary.c.service_id == observation.c.service_id)
        ended = (
            select(waiver.c.service_id)
            .join(summary, summary.c.service_id == waiver.c.service_id)
            .where(waiver.c.expires_at <= now, waiver.c.expires_at > summary.c.as_of)
        )
        found = set(connection.scalars(by_age.where(or_(*aged)).distinct())) | set(connection.scalars(ended.distinct()))
        return sorted(found)

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
        for rows in chunks(list(changes.shared.values())):
            self.db.insert_new(connection, evidence, rows)
        for name, checklist in self.checklists.items():
            ids = [service_id for service_id, moved in changes.moved if moved == name and service_id in entries]
            causes = changes.causes(name)
            for part in chunks(ids):
                changes.events += self._sum_up(
                    connection,
                    checklist,
                    {service_id: entries[service_id] for service_id in part},
                    causes,
                    cycle_id,
                    now,
                )
        if changes.events:
            connection.execute(insert(event), changes.events)

    def _sum_up(
        self,
        connection: Connection,
        checklist: Checklist,
        entries: Mapping[int, Registered],
        causes: Mapping[int, str],
        cycle_id: int,
        now: datetime,
    ) -> list[dict[str, Any]]:
        services = {service_id: entry.service for service_id, entry in entries.items()}
        rows = current.load_rows(connection, services, checklist, now.date())
        times = current.load_times(connection, list(services))
        waivers = current.load_waivers(connection, services)
        query = select(summary).where(summary.c.service_id.in_(list(services)), summary.c.checklist == checklist.name)
        before = {row.service_id: row for row in connection.execute(query)}
        written, events = [], []
        for service_id, entry in services.items():
            taken_at = max((at for at, _ in times.get(service_id, {}).values()), default=None)
            standing = current.standing(
                entry,
                checklist,
                rows[service_id],
                self.policies.of(entry.tier),
                waivers.get(service_id, ()),
                taken_at,
                now,
            )
            old = before.get(service_id)
            row = summary_row(service_id, standing, old, current.basis(checklist, entry, now.date()), now)
            written.append(row)
            if old is None or any(getattr(old, name) != row[name] for name in SUMMED):
                ended = any(
                    old is not None and old.as_of < each.expires_at <= now for each in waivers.get(service_id, ())
                )
                cause = causes.get(service_id) or ("waiver" if ended else "expiry")
                events.append(score_event(service_id, standing, old, cause, cycle_id, now))
        self.db.upsert(connection, summary, written)
        self.db.upsert(connection, day, [day_row(row, now) for row in written])
        return events


def _overtaken(judged: Judged, result: ServiceResult, times: current.Times) -> bool:
    """Whether another run stored newer evidence for a finding while this one, which did not ask for it, went on.

    Two first cycles judge a service whole at the same time; the slower must not take the quicker one's findings back.
    """
    observed = {seen.kind.kind() for seen in result.observations}
    newer = [times[kind][0] for kind in judged.kinds if kind in times and kind not in observed]
    if not newer or len(newer) < sum(kind not in observed for kind in judged.kinds):
        return False
    if judged.observed_at is None:
        return judged.cause is Cause.NO_DATA
    return judged.observed_at < min(newer)
