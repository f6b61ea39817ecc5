"""Reading for `/metrics`: all services at once, or only those of which something differs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, FromClause, and_, or_, select

from scorecard.evidence import Endpoint, HealthEndpoints, Reply
from scorecard.model import ServiceKey, Status
from scorecard.store import codec, current
from scorecard.store.engine import chunks
from scorecard.store.lists import to_summary
from scorecard.store.standing import Standings
from scorecard.store.tables import former_name, from_number, observation, service, to_number, waiver
from scorecard.store.views import EndpointFacts, MetricChanges, MetricRow, Summary

_OVERLAP = timedelta(seconds=5)
"""Rows are read again this long, since a transaction becomes visible after the instant it writes."""


Kinds = Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]
"""Checklist to its rows in order, each with the kinds of evidence that it rests on."""

_KNOWN = frozenset({Status.PASS, Status.WARN, Status.FAIL})


class MetricRows(Standings):
    """The part of the store that metrics are made from."""

    def metric_rows(self, now: datetime, since: int = 0) -> MetricChanges:
        """What `/metrics` shows of services that changed since an earlier call's `seq`; everything for 0."""
        after = from_number(since) - _OVERLAP if since else None
        with self.db.read() as connection:
            sums = self.sums(connection, now)
            query = select(service).where(service.c.active)
            if after is not None:
                moved = or_(
                    service.c.changed_at >= after,
                    # What nobody wrote down yet has `now` as the instant of its change.
                    service.c.id.in_(select(sums.c.service_id).where(sums.c.changed_at >= after)),
                    service.c.id.in_(select(observation.c.service_id).where(observation.c.at >= after)),
                )
                query = query.where(moved)
            found = list(connection.execute(query))
            kinds = self._kinds()
            rows = tuple(row for part in chunks(found) for row in self._metric_rows(connection, part, sums, kinds, now))
            removed = _gone(connection, after)
        return MetricChanges(to_number(now), rows, removed, complete=after is None)

    def _metric_rows(
        self, connection: Connection, found: Sequence[Any], sums_now: FromClause, kinds: Kinds, now: datetime
    ) -> list[MetricRow]:
        ids = [row.id for row in found]
        times = current.load_times(connection, ids)
        sums: dict[int, dict[str, Any]] = defaultdict(dict)
        for row in connection.execute(select(sums_now).where(sums_now.c.service_id.in_(ids))):
            sums[row.service_id][row.checklist] = row
        endpoints = _endpoints(connection, ids, now)
        # Few services have a waiver, and reading a service's document is what costs most here.
        waived = set(connection.scalars(select(waiver.c.service_id).where(waiver.c.service_id.in_(ids))))
        services = {row.id: codec.decode_service(row.document) for row in found if row.id in waived}
        waivers = current.load_waivers(connection, services)
        result = []
        for row in found:
            seen = times.get(row.id, {})
            taken_at = max((at for at, _ in seen.values()), default=None)
            stored = sums.get(row.id, {})
            joined = {
                name: to_summary(_joined(row, stored[name]), checklist, taken_at, stale=False)
                for name, checklist in self.checklists.items()
                if name in stored
            }
            policy = self.policies.of(row.tier)
            verdict = joined[policy.checklist].verdict if policy.checklist in joined else None
            result.append(
                MetricRow(
                    key=ServiceKey(row.name, row.environment),
                    team=row.team,
                    tier=row.tier,
                    type=row.type,
                    verdict=verdict if taken_at else None,
                    summaries=tuple(each for each in joined.values() if each.score is not None),
                    last_proven=_last_proven(joined, stored, seen, kinds),
                    waivers=tuple((each.row, each.expires_at) for each in waivers.get(row.id, ()) if each.active(now)),
                    endpoints=endpoints.get(row.id, ()),
                )
            )
        return result

    def _kinds(self) -> Kinds:
        return {
            name: tuple(
                (row.id, tuple({kind.kind() for check in row.checks for kind in check.kinds})) for row in each.rows
            )
            for name, each in self.checklists.items()
        }


def _last_proven(
    joined: Mapping[str, Summary], stored: Mapping[str, Any], seen: current.Times, kinds: Kinds
) -> tuple[tuple[str, datetime], ...]:
    """While a row is known: its oldest observation, as `proven_at` has it. Once it is unknown: what was kept then."""
    proven: dict[str, datetime] = {}
    for name, summary_ in joined.items():
        statuses = dict(summary_.rows)
        kept = json.loads(stored[name].last_proven)
        for row_id, needed in kinds[name]:
            status = statuses.get(row_id)
            if status is Status.UNKNOWN:
                if row_id in kept:
                    proven[row_id] = from_number(kept[row_id])
            elif status in _KNOWN:
                times = [seen[kind][0] for kind in needed if kind in seen]
                if times:
                    proven[row_id] = min(times)
    return tuple(sorted(proven.items()))


def _joined(service_row: Any, summary_row: Any) -> SimpleNamespace:  # noqa: ANN401 - result rows
    """A service row and a summary row, read as one."""
    return SimpleNamespace(**{**summary_row._asdict(), **service_row._asdict()})


def _gone(connection: Connection, after: datetime | None) -> tuple[ServiceKey, ...]:
    """Keys that no active service has: of services that went, and former names."""
    query = select(service.c.name, service.c.environment)
    went = query.where(~service.c.active)
    if after is not None:
        went = went.where(service.c.changed_at >= after)
    named = select(former_name.c.name, former_name.c.environment)
    if after is not None:
        named = named.join(service, service.c.id == former_name.c.service_id).where(service.c.changed_at >= after)
    keys = {ServiceKey(row.name, row.environment) for each in (went, named) for row in connection.execute(each)}
    taken: set[ServiceKey] = set()
    for part in chunks(sorted({key.name for key in keys})):
        active = connection.execute(query.where(service.c.active, service.c.name.in_(part)))
        taken |= {ServiceKey(row.name, row.environment) for row in active}
    return tuple(sorted(keys - taken))


def _endpoints(connection: Connection, ids: Sequence[int], now: datetime) -> dict[int, tuple[EndpointFacts, ...]]:
    query = select(observation.c.service_id, observation.c.at, observation.c.value).where(
        and_(
            observation.c.service_id.in_(ids),
            observation.c.kind == HealthEndpoints.kind(),
            observation.c.at >= now - HealthEndpoints.oldest(),
        )
    )
    found = {}
    for row in connection.execute(query):
        value = codec.decode_answer(HealthEndpoints, row.value) if row.value else None
        if isinstance(value, HealthEndpoints):
            pairs = (("liveness", value.liveness), ("readiness", value.readiness))
            found[row.service_id] = tuple(
                _facts(name, endpoint, row.at)
                for name, endpoint in pairs
                if isinstance(endpoint, Endpoint) and endpoint.reply is not Reply.NOT_SENT
            )
    return found


def _facts(name: str, endpoint: Endpoint, at: datetime) -> EndpointFacts:
    days = endpoint.certificate_expires_in
    return EndpointFacts(
        endpoint=name,
        up=endpoint.reply is Reply.ANSWERED and endpoint.status // 100 == 2,  # noqa: PLR2004 - 2xx
        seconds=endpoint.milliseconds / 1000,
        certificate_expires_at=at + timedelta(days=days) if days is not None else None,
    )
