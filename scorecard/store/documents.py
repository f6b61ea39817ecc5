"""Reading one service: its scorecard now or at any past instant, the gate's word, its history and changes."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, false, func, or_, select

from scorecard.checklist import Checklist, NotApplicable
from scorecard.document import Document, document
from scorecard.evidence import Observation
from scorecard.gate import Decision, cannot_tell
from scorecard.judge import Seen, judge_check
from scorecard.model import GatePolicy, Level, Service, ServiceKey, Verdict, Waiver
from scorecard.store import codec, current
from scorecard.store.catalogued import find
from scorecard.store.current import Applies, Policies, Standing
from scorecard.store.engine import Database, chunks, storable
from scorecard.store.sums import load_held
from scorecard.store.tables import day, event, evidence, observation, service, waiver
from scorecard.store.views import Change, DayScore


class Documents:
    """The part of the store that tells of one service."""

    db: Database
    checklists: Mapping[str, Checklist]
    policies: Policies
    applies: Applies

    def checklists_of(self, entry: Service) -> dict[str, Checklist]:
        """The checklists that a service is measured against, in the order of the configuration."""
        return {name: checklist for name, checklist in self.checklists.items() if self.applies(name, entry)}

    def primary(self, entry: Service) -> Checklist:
        """The first checklist that applies to a service: badge, lists, pages, `check`."""
        return next(iter(self.checklists_of(entry).values()), next(iter(self.checklists.values())))

    def policy(self, tier: str) -> GatePolicy:
        """The launch bar of a tier."""
        return self.policies.of(tier)

    def document(self, key: ServiceKey, checklist: str, now: datetime, at: datetime | None = None) -> Document | None:
        """The scorecard document as it stands at `now`, or stood at a past instant.

        None where the service is not registered (for `at`: never was), or the checklist is not configured.
        """
        if checklist not in self.checklists:
            return None
        with self.db.read() as connection:
            entry = _entry(connection, key, gone=at is not None)
            if entry is None:
                return None
            if at is not None and at < now:
                return self._past(connection, entry, self.checklists[checklist], at)
            standing = self._standing(connection, entry, self.checklists[checklist], now)
            seen = current.load_seen(connection, [entry.id]).get(entry.id, Seen())
            waivers = current.load_waivers(connection, {entry.id: entry.service}).get(entry.id, ())
        decision = standing.decision or self.decision(entry.service.key, now)
        observations = {kind.kind(): observation for kind, observation in seen.observations.items()}
        return document(standing.snapshot, standing.score, decision, observations, waived=_waived(waivers, now))

    def decision(self, key: ServiceKey, now: datetime) -> Decision:
        """The launch decision on the checklist of the service's tier, made now."""
        with self.db.read() as connection:
            entry = _entry(connection, key)
            if entry is None:
                return cannot_tell(f"{key} is not registered")
            name = self.policies.of(entry.service.tier).checklist
            if name not in self.checklists:
                return cannot_tell(f"the checklist {name} of tier {entry.service.tier} is not configured")
            decision = self._standing(connection, entry, self.checklists[name], now).decision
        return decision or cannot_tell("nothing was measured yet")

    def seen(self, key: ServiceKey) -> Seen:
        """All stored evidence of a service, to look at or to judge again."""
        with self.db.read() as connection:
            entry = _entry(connection, key)
            return current.load_seen(connection, [entry.id]).get(entry.id, Seen()) if entry else Seen()

    def load(self, entries: Sequence[current.Registered], kinds: Sequence[type[Any]] | None) -> dict[ServiceKey, Seen]:
        """The stored evidence of many services; all kinds unless some are given."""
        with self.db.read() as connection:
            seen = current.load_seen(connection, [entry.id for entry in entries], kinds)
        return {entry.service.key: seen.get(entry.id, Seen()) for entry in entries}

    def waivers(self, key: ServiceKey | None = None) -> tuple[Waiver, ...]:
        """All waivers, or those of one service."""
        with self.db.read() as connection:
            held = select(service.c.name, service.c.environment).join(waiver, waiver.c.service_id == service.c.id)
            keys = [ServiceKey(*row) for row in connection.execute(held.distinct())] if key is None else [key]
            entries = current.registered(connection, keys)
            found = current.load_waivers(connection, {entry.id: entry.service for entry in entries.values()})
        return tuple(granted for waivers in found.values() for granted in waivers)

    def history(
        self, keys: Sequence[ServiceKey], checklist: str, days: int, now: datetime
    ) -> dict[ServiceKey, tuple[DayScore, ...]]:
        """The last score of each day on which a service was measured, oldest first; a missing day is a gap."""
        found: dict[ServiceKey, list[DayScore]] = defaultdict(list)
        first = now.date() - timedelta(days=days)
        with self.db.read() as connection:
            ids = {service_id: key for key in keys if (service_id := find(connection, key)) is not None}
            for part in chunks(list(ids)):
                query = (
                    select(day)
                    .where(day.c.service_id.in_(part), day.c.checklist == checklist, day.c.day >= first)
                    .order_by(day.c.day)
                )
                for row in connection.execute(query):
                    found[ids[row.service_id]].append(
                        DayScore(
                            day=row.day,
                            score=row.score,
                            score_upper=row.score_upper,
                            coverage=row.coverage,
                            level=Level(row.level),
                            simulated=row.demo,
                        )
                    )
        return {key: tuple(found.get(key, ())) for key in keys}

    def changes(
        self,
        *,
        checklist: str,
        key: ServiceKey | None = None,
        row: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        scores_only: bool = False,
        limit: int = 100,
        before_id: int | None = None,
    ) -> tuple[Change, ...]:
        """Transitions, newest first."""
        query = (
            select(event, service.c.name, service.c.environment)
            .join(service, service.c.id == event.c.service_id)
            .where(event.c.checklist == checklist)
            .order_by(event.c.at.desc(), event.c.id.desc())
            .limit(limit)
        )
        if not (storable(checklist) and storable(row)):
            return ()
        with self.db.read() as connection:
            if key is not None:
                query = query.where(event.c.service_id == (find(connection, key) or -1))
            if before_id is not None:
                # Newest first by instant: what expired unnoticed is written later than it happened.
                last = select(event.c.at).where(event.c.id == before_id).scalar_subquery()
                query = query.where(or_(event.c.at < last, and_(event.c.at == last, event.c.id < before_id)))
            for condition in (
                event.c.row == row if row else None,
                event.c.row == "" if scores_only else None,
                event.c.at >= since if since else None,
                event.c.at <= until if until else None,
            ):
                if condition is not None:
                    query = query.where(condition)
            return tuple(_change(found) for found in connection.execute(query))

    def _standing(
        self, connection: Connection, entry: current.Registered, checklist: Checklist, now: datetime
    ) -> Standing:
        held = load_held(connection, {entry.id: entry.service}, checklist, self.policies)[0]
        rows = current.build_rows(checklist, held.stored, current.exclusions(entry.service, checklist, now.date()))
        standing = current.standing(entry.service, checklist, rows, held.policy, held.waivers, held.taken_at, now)
        newest = connection.scalar(select(func.max(observation.c.cycle_id)).where(observation.c.service_id == entry.id))
        snapshot = dataclasses.replace(standing.snapshot, run="" if newest is None else str(newest))
        return dataclasses.replace(standing, snapshot=snapshot)

    def _past(
        self, connection: Connection, entry: current.Registered, checklist: Checklist, at: datetime
    ) -> Document | None:
        """Rebuild the document of a past instant from the last transition of each check before it.

        Whatever expired has a transition of its own at that instant, so nothing is expired here. Seeded history has
        no findings to show.
        """
        past = _Past()
        same = and_(
            event.c.service_id == entry.id,
            event.c.checklist == checklist.name,
            event.c.at <= at,
            event.c.demo == false(),
        )
        newest = select(func.max(event.c.id).label("id")).where(same).group_by(event.c.row, event.c.check_id).subquery()
        for row in connection.execute(select(event).join(newest, newest.c.id == event.c.id)):
            past.take(row)
        if not past.total:
            return None
        past.fill(checklist, entry.service, at)
        rows = current.build_rows(checklist, past.stored, past.excluded)
        policy = self.policies.of(entry.service.tier)
        standing = current.standing(entry.service, checklist, rows, policy, (), at, _BEGINNING)
        observations = _past_evidence(connection, past.digests, at)
        return past.over(document(standing.snapshot, standing.score, None, observations))


@dataclass(slots=True)
class _Past:
    """What the transitions before an instant come to."""

    stored: current.Stored = field(default_factory=lambda: defaultdict(dict))
    excluded: dict[str, NotApplicable] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    total: dict[str, Any] = field(default_factory=dict)
    run: str = ""

    def take(self, row: Row[Any]) -> None:
        body = json.loads(row.body)
        if not row.row:
            self.total = body
            self.run = str(row.cycle_id) if row.cycle_id else ""
        elif "exclusion" in body:
            self.excluded[row.row] = codec.decode_exclusion(json.dumps(body["exclusion"]))
        elif "finding" in body:
            self.stored[row.row][row.check_id] = codec.decode_judged(json.dumps(body["finding"]))
            self.digests |= body["evidence"]

    def fill(self, checklist: Checklist, entry: Service, at: datetime) -> None:
        """What no version of then could look at has no transition."""
        then = self.total.get("checklist", {}).get("digest")
        for listed in checklist.rows:
            if listed.id not in self.total["rows"] and then != checklist.digest:
                continue
            for check in listed.checks:
                if check.id not in self.stored[listed.id] and (check.function is None or then == checklist.digest):
                    seen = Seen(probed=frozenset())
                    self.stored[listed.id][check.id] = judge_check(listed, check, entry, seen, at)

    def over(self, rebuilt: Document) -> Document:
        """The document with its head as it was then."""
        total = self.total
        rebuilt["rows"] = [row for row in rebuilt["rows"] if row["id"] in total["rows"]]
        for name in ("team", "tier", "type", *_SCORES):
            rebuilt[name] = total[name]
        rebuilt["taken_at"] = total["taken_at"]
        rebuilt["run"] = self.run
        rebuilt["checklist"] = {"name": rebuilt["checklist"]["name"], **total["checklist"]}
        if total["verdict"]:
            code = Verdict(total["verdict"]).exit_code
            rebuilt["gate"] = {"verdict": total["verdict"], "reasons": total["reasons"], "exit_code": code}
        return rebuilt


_SCORES = ("score", "score_upper", "coverage", "verified_only", "level", "exempt_rows")
_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _entry(connection: Connection, key: ServiceKey, *, gone: bool = False) -> current.Registered | None:
    service_id = find(connection, key)
    row = connection.execute(select(service).where(service.c.id == service_id)).first() if service_id else None
    if row is None or not (row.active or gone):
        return None
    return current.Registered(row.id, codec.decode_service(row.document))


def _waived(waivers: Sequence[Waiver], now: datetime) -> dict[str, str]:
    return {
        waiver.fingerprint: f"waived until {waiver.expires_at:%Y-%m-%d}: {waiver.reason} ({waiver.approved_by})"
        for waiver in waivers
        if waiver.active(now)
    }


def _past_evidence(connection: Connection, digests: Mapping[str, str], at: datetime) -> dict[str, Observation]:
    kinds = codec.kinds()
    found = {}
    query = select(evidence).where(evidence.c.digest.in_(list(digests.values())))
    for row in connection.execute(query):
        if row.kind in kinds:
            kind = kinds[row.kind]
            found[row.kind] = Observation(kind, at, codec.decode_answer(kind, row.value))
    return found


def _change(row: Row[Any]) -> Change:
    return Change(
        id=row.id,
        key=ServiceKey(row.name, row.environment),
        checklist=row.checklist,
        at=row.at,
        row=row.row,
        check=row.check_id,
        before=row.before,
        after=row.after,
        cause=row.cause,
        message=row.message,
        demo=row.demo,
    )
