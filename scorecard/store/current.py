"""The current state of services: their rows as the findings and observations have them, and the sums over those."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, select

from scorecard.checklist import Checklist, NotApplicable
from scorecard.evidence import Evidence, Observation, Unavailable, Window
from scorecard.gate import Decision, decide
from scorecard.judge import Judged, RowResult, Seen, Snapshot, row_of
from scorecard.model import Cause, GatePolicy, Service, ServiceKey, Status, Waiver
from scorecard.score import Score, score
from scorecard.store import codec
from scorecard.store.engine import chunks
from scorecard.store.tables import MICROSECOND, evidence, finding, observation, service, waiver

Times = Mapping[str, tuple[datetime, datetime]]
"""Kind of evidence to (observed at, expires at)."""


@dataclass(frozen=True, slots=True)
class Policies:
    """The gate's bars by tier, with `default` for the others."""

    by_tier: Mapping[str, GatePolicy]

    def of(self, tier: str) -> GatePolicy:
        """The bar of a tier."""
        return self.by_tier.get(tier) or self.by_tier.get("default") or GatePolicy()


@dataclass(frozen=True, slots=True)
class Registered:
    """A service with its id."""

    id: int
    service: Service


def basis(checklist: Checklist, entry: Service, today: date, policy: GatePolicy) -> str:
    """What a service's sums rest on besides evidence, as four digests: see `BASIS`.

    When it changes every row is judged again from the stored evidence.
    """
    excluded = [row.id for row in checklist.rows if row.exclusion(entry, today)]
    parts = (checklist.digest, codec.encode_service(entry), "\n".join(excluded), codec.encode_policy(policy))
    return " ".join(codec.digest(part).removeprefix("sha256:")[:_DIGITS] for part in parts)


BASIS = ("checklist", "service", "exemption", "checklist")
"""What each part of a basis is of, as the cause of a change: checklist, definition, excluded rows, launch bar."""
_DIGITS = 16


def shifted(old: str | None, new: str) -> str:
    """Why a basis differs from an older one: the checklist before the exclusions before the definition.

    Empty where it does not; `service` for a service that had none.
    """
    if old is None:
        return "service"
    was, now = old.split(" "), new.split(" ")
    moved = {word for word, before, after in zip(BASIS, was, now, strict=True) if before != after}
    return next((word for word in ("checklist", "exemption", "service") if word in moved), "")


def registered(connection: Connection, keys: Iterable[ServiceKey] | None = None) -> dict[ServiceKey, Registered]:
    """Active services by key; all of them unless keys are given."""
    query = select(service.c.id, service.c.document).where(service.c.active)
    found: dict[ServiceKey, Registered] = {}
    if keys is None:
        rows = list(connection.execute(query))
    else:
        names = sorted({key.name for key in keys})
        rows = [row for part in chunks(names) for row in connection.execute(query.where(service.c.name.in_(part)))]
    wanted = None if keys is None else set(keys)
    for row in rows:
        entry = codec.decode_service(row.document)
        if wanted is None or entry.key in wanted:
            found[entry.key] = Registered(row.id, entry)
    return found


def load_times(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, tuple[datetime, datetime]]]:
    """When each kind of evidence of each service was observed, and when it expires by its own age."""
    kinds = codec.kinds()
    found: dict[int, dict[str, tuple[datetime, datetime]]] = defaultdict(dict)
    for part in chunks(ids):
        query = select(observation.c.service_id, observation.c.kind, observation.c.at).where(
            observation.c.service_id.in_(part)
        )
        for row in connection.execute(query):
            if row.kind in kinds:
                found[row.service_id][row.kind] = (row.at, row.at + kinds[row.kind].oldest())
    return found


Stored = dict[str, dict[str, Judged]]
"""Row to check to finding."""


def load_stored(connection: Connection, ids: Sequence[int], checklist: str) -> dict[int, Stored]:
    """The stored findings of services under a checklist, with their times, not yet expired."""
    times = load_times(connection, ids)
    stored: dict[int, Stored] = {service_id: defaultdict(dict) for service_id in ids}
    for part in chunks(ids):
        query = select(finding.c.service_id, finding.c.row, finding.c.check_id, finding.c.body).where(
            finding.c.service_id.in_(part), finding.c.checklist == checklist, finding.c.check_id != ""
        )
        for row in connection.execute(query):
            judged = timed(codec.decode_judged(row.body), times.get(row.service_id, {}))
            stored[row.service_id][row.row][row.check_id] = judged
    return stored


def timed(judged: Judged, times: Times) -> Judged:
    """A stored finding with the times of its evidence, where it has no other of its own."""
    if judged.observed_at is not None:
        return judged
    seen = [times[kind] for kind in judged.kinds if kind in times]
    if not seen:
        return judged
    return dataclasses.replace(
        judged, observed_at=min(at for at, _ in seen), expires_at=min(expires for _, expires in seen)
    )


def untimed(judged: Judged, times: Times) -> Judged:
    """What is stored of a finding: its times only where they are not those of its evidence."""
    seen = [times[kind] for kind in judged.kinds if kind in times]
    own = (judged.observed_at, judged.expires_at)
    if not seen or own != (min(at for at, _ in seen), min(expires for _, expires in seen)):
        return judged
    return dataclasses.replace(judged, observed_at=None, expires_at=None)


def exclusions(entry: Service, checklist: Checklist, today: date) -> dict[str, NotApplicable]:
    """The rows that do not apply to a service on a day, by id."""
    found = ((row.id, row.exclusion(entry, today)) for row in checklist.rows)
    return {row_id: exclusion for row_id, exclusion in found if exclusion}


def build_rows(
    checklist: Checklist, stored: Mapping[str, Mapping[str, Judged]], excluded: Mapping[str, NotApplicable]
) -> tuple[RowResult, ...]:
    """Rows from stored findings, in the checklist's order.

    A row for which nothing is stored is unknown: never measured, or an exemption that ended since.
    """
    rows = []
    for row in checklist.rows:
        exclusion = excluded.get(row.id)
        if exclusion:
            rows.append(
                RowResult(id=row.id, weight=row.weight, status=Status.NOT_APPLICABLE, checks=(), exclusion=exclusion)
            )
            continue
        found = stored.get(row.id, {})
        checks = tuple(judged for check in row.checks if (judged := found.get(check.id)) is not None)
        rows.append(row_of(row.id, row.weight, checks))
    return tuple(rows)


def load_waivers(connection: Connection, ids: Mapping[int, Service]) -> dict[int, tuple[Waiver, ...]]:
    """All waivers of services."""
    found: dict[int, list[Waiver]] = defaultdict(list)
    for part in chunks(list(ids)):
        for row in connection.execute(select(waiver).where(waiver.c.service_id.in_(part)).order_by(waiver.c.id)):
            found[row.service_id].append(
                Waiver(
                    id=row.id,
                    service=ids[row.service_id].key,
                    row=row.row,
                    check=row.check_id,
                    fingerprint=row.fingerprint,
                    reason=row.reason,
                    requested_by=row.requested_by,
                    approved_by=row.approved_by,
                    approved_at=row.approved_at,
                    expires_at=row.expires_at,
                    revoked=row.revoked,
                )
            )
    return {service_id: tuple(waivers) for service_id, waivers in found.items()}


@dataclass(frozen=True, slots=True)
class Standing:
    """A service's rows as they stand at an instant, with their sum and the gate's word where it asks this checklist."""

    snapshot: Snapshot
    score: Score
    decision: Decision | None
    next_at: datetime | None
    """When time alone may change it; None for never."""
    aged: bool
    """Whether a finding that stands is too old for the gate."""


def standing(
    entry: Service,
    checklist: Checklist,
    rows: tuple[RowResult, ...],
    policy: GatePolicy,
    waivers: Sequence[Waiver],
    taken_at: datetime | None,
    now: datetime,
) -> Standing:
    """Add up rows that may be old: expiry is applied here."""
    snapshot = Snapshot(service=entry, checklist=checklist, taken_at=taken_at, run="", rows=rows).at(now)
    total = score(
        snapshot.rows,
        bar=policy.minimum_score,
        required_rows=checklist.required_rows,
        nearly_within=checklist.nearly_within,
    )
    asked = policy.checklist == checklist.name
    decision = decide(snapshot, policy, waivers, now) if asked else None
    coming = [at for at in _instants(rows, policy if asked else None, waivers if asked else ()) if at > now]
    aged = asked and any(
        check.observed_at is not None and now - check.observed_at > policy.measured_within
        for row in snapshot.rows
        for check in row.checks
        if check.status is not Status.UNKNOWN
    )
    return Standing(snapshot, total, decision, min(coming, default=None), aged)


def _instants(rows: Iterable[RowResult], policy: GatePolicy | None, waivers: Iterable[Waiver]) -> Iterator[datetime]:
    """Every instant at which time alone may change a sum."""
    for row in rows:
        if row.exclusion and row.exclusion.until:
            yield datetime.combine(row.exclusion.until + timedelta(days=1), time(), UTC)
        for check in row.checks:
            if check.expires_at is not None and check.cause is not Cause.EXPIRED:
                yield check.expires_at
            if policy is not None and check.observed_at is not None:
                yield check.observed_at + policy.measured_within + MICROSECOND
    for granted in waivers:
        if not granted.revoked:
            yield granted.approved_at
            yield granted.expires_at


def load_seen(
    connection: Connection, ids: Sequence[int], kinds: Iterable[type[Evidence]] | None = None
) -> dict[int, Seen]:
    """The stored evidence of services, to judge again; all kinds unless some are given."""
    by_name: Mapping[str, type[Evidence]] = codec.kinds()
    if kinds is not None:
        by_name = {kind.kind(): kind for kind in kinds}
    observations: dict[int, dict[type[Evidence], Observation]] = defaultdict(dict)
    windows: dict[int, dict[type[Evidence], Window[Evidence]]] = defaultdict(dict)
    for part in chunks(ids):
        query = (
            select(observation, evidence.c.value.label("shared"))
            .outerjoin(evidence, evidence.c.digest == observation.c.digest)
            .where(observation.c.service_id.in_(part), observation.c.kind.in_(list(by_name)))
        )
        for row in connection.execute(query):
            kind = by_name[row.kind]
            text = row.value or row.shared
            value = (
                codec.decode_answer(kind, text)
                if text
                else Unavailable(Cause.NO_DATA, "the stored evidence is no longer kept")
            )
            observations[row.service_id][kind] = Observation(kind, row.at, value)
            if row.window:
                window = codec.decode_window(kind, row.window)
                if window:
                    windows[row.service_id][kind] = window
    return {service_id: Seen(observations[service_id], windows.get(service_id, {})) for service_id in observations}


Applies = Callable[[str, Service], bool]
"""(checklist, service): whether the configuration measures the service against it."""


def everywhere(_checklist: str, _service: Service) -> bool:
    """Every checklist applies to every service."""
    return True
