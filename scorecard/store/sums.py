"""Sums that time alone changes: what expires, when the gate's limit is crossed, when a waiver or an exemption ends.

A pure walk from one such instant to the next, over what is stored of a service. Writing its steps down is `settle`;
reading at an instant that nobody wrote down yet takes the same steps without writing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from scorecard.checklist import Checklist
from scorecard.judge import Judged
from scorecard.model import GatePolicy, Service, Waiver
from scorecard.store import codec, current
from scorecard.store.changes import SUMMED, day_row, event_row, finding_row, score_event, summary_row
from scorecard.store.current import Policies, Stored
from scorecard.store.engine import chunks
from scorecard.store.tables import summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Everything that one service's sum under one checklist is made from."""

    id: int
    entry: Service
    checklist: Checklist
    policy: GatePolicy
    waivers: tuple[Waiver, ...]
    times: current.Times
    stored: Stored
    old: Mapping[str, Any] | None
    """Its row of `summary`."""

    @property
    def taken_at(self) -> datetime | None:
        """The newest observation."""
        return max((at for at, _ in self.times.values()), default=None)


@dataclass(slots=True)
class Walked:
    """What a walk comes to: rows of tables."""

    sum: dict[str, Any] | None = None
    findings: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    days: dict[date, dict[str, Any]] = field(default_factory=dict)


def load_held(
    connection: Connection, entries: Mapping[int, Service], checklist: Checklist, policies: Policies
) -> list[Held]:
    """Read what sums are made from."""
    ids = list(entries)
    stored = current.load_stored(connection, ids, checklist.name)
    times = current.load_times(connection, ids)
    waivers = current.load_waivers(connection, entries)
    before: dict[int, Mapping[str, Any]] = {}
    for part in chunks(ids):
        query = select(summary).where(summary.c.service_id.in_(part), summary.c.checklist == checklist.name)
        before |= {row["service_id"]: row for row in connection.execute(query).mappings()}
    return [
        Held(
            id=service_id,
            entry=entry,
            checklist=checklist,
            policy=policies.of(entry.tier),
            waivers=waivers.get(service_id, ()),
            times=times.get(service_id, {}),
            stored=stored[service_id],
            old=before.get(service_id),
        )
        for service_id, entry in entries.items()
    ]


def walk(held: Held, until: datetime) -> Walked:
    """Step through every instant at which time alone changed the sum, up to `until`."""
    walked = Walked()
    if held.old is None:
        return walked
    at = _start(held.old)
    while at is not None and at <= until:
        row = _step(held, walked, at, walked.sum or held.old, cause="", basis=held.old["basis"], cycle_id=0)
        at = row["next_at"]
    if walked.sum is not None:
        walked.sum = walked.sum | {"as_of": until, "changed_at": until}
    return walked


def add_up(held: Held, now: datetime, *, cause: str, cycle_id: int) -> Walked:
    """Make a sum anew, because something was measured."""
    walked = Walked()
    basis = current.basis(held.checklist, held.entry, now.date(), held.policy)
    cause = cause or current.shifted(held.old["basis"] if held.old else None, basis)
    if not cause and held.old and held.old["aged"]:
        cause = "scorecard"  # as with a finding that had expired: we had not looked for too long
    _step(held, walked, now, held.old, cause=cause, basis=basis, cycle_id=cycle_id)
    return walked


def _start(old: Mapping[str, Any]) -> datetime | None:
    next_at: datetime | None = old["next_at"]
    as_of: datetime = old["as_of"]
    return None if next_at is None else max(next_at, as_of)


def _step(
    held: Held,
    walked: Walked,
    at: datetime,
    old: Mapping[str, Any] | None,
    *,
    cause: str,
    basis: str,
    cycle_id: int,
) -> dict[str, Any]:
    _expire(held, walked, at, old["as_of"] if old else at, cycle_id)
    excluded = current.exclusions(held.entry, held.checklist, at.date())
    rows = current.build_rows(held.checklist, held.stored, excluded)
    standing = current.standing(held.entry, held.checklist, rows, held.policy, held.waivers, held.taken_at, at)
    row = summary_row(held.id, standing, old, held.times, basis, at)
    if old is None or any(old[name] != row[name] for name in SUMMED):
        why = cause or _why(held, old, at)
        walked.events.append(score_event(held.id, standing, old, why, cycle_id, at))
    walked.sum = row
    walked.days[at.date()] = day_row(row, at)
    return row


def _expire(held: Held, walked: Walked, at: datetime, floor: datetime, cycle_id: int) -> None:
    for row_id, checks in held.stored.items():
        for check_id, judged in checks.items():
            after: Judged = judged.at(at)
            if after is judged or judged.expires_at is None:
                continue
            since = max(judged.expires_at, floor)
            checks[check_id] = after
            walked.findings[row_id, check_id] = finding_row(
                held.id, held.checklist.name, row_id, after, codec.encode_judged(after), since, cycle_id
            )
            walked.events.append(
                event_row(held.id, held.checklist.name, row_id, after, judged, "expiry", {}, cycle_id, since)
            )


def _why(held: Held, old: Mapping[str, Any] | None, at: datetime) -> str:
    """Why time changed a sum: a waiver began or ended, an exemption ended, or something grew old."""
    since: datetime = old["as_of"] if old else at
    # No sum waits for the very instant it was made at, but after a waiver that was granted since.
    ends = [end for waiver in held.waivers for end in (waiver.approved_at, waiver.expires_at) if not waiver.revoked]
    if at == since or any(since < end <= at for end in ends):
        return "waiver"
    before = current.exclusions(held.entry, held.checklist, since.date())
    after = current.exclusions(held.entry, held.checklist, at.date())
    return "exemption" if before.keys() - after.keys() else "expiry"
