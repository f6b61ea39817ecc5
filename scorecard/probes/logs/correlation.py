"""`CorrelationSearch`: a request with fresh ids is sent in one run, and searched for in the service's log later.

A run of its own, which only looks, comes once the lag limit is over. A line that is not there by then is
looked for once more in the next run that sends: it is late, or there is none. What was sent travels in the evidence
itself, so that any process can search for it. Where somebody waits for the answer (the command line, "measure again")
all is done in one run.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scorecard.egress.prober import Prober
from scorecard.evidence import Absent, Answer, Evidence, Unavailable
from scorecard.evidence.logs import CorrelationSearch, Downstream, LogSystem, Search, Sent, Trace
from scorecard.model import Cause, Service, ServiceKey, ServiceType
from scorecard.probes import Upstream
from scorecard.probes.logs.exhibits import exhibits
from scorecard.probes.logs.hunt import HOPELESS, Hunt, run
from scorecard.probes.logs.ids import Ids, address, fresh_ids, request, sent, unanswered
from scorecard.probes.logs.lanes import Lanes
from scorecard.probes.logs.lines import FieldNames
from scorecard.probes.logs.others import Others, Registered
from scorecard.probes.logs.places import Places
from scorecard.probes.logs.source import Source, SourceError
from scorecard.probes.logs.verify import Wanted

_MARKED_WITHIN = 30.0
"""Seconds; a file on a disk that hangs is not waited for."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What there is to do about one service."""

    service: Service
    url: str
    logs: Mapping[str, Source | Unavailable]
    """This service's own log under its name, and those of its downstreams."""
    alone: bool = True
    """No other service that is asked has the same log."""

    @property
    def source(self) -> Source | Unavailable:
        return self.logs[self.service.name]

    def readable(self) -> Iterator[tuple[str, Source]]:
        for name, source in self.logs.items():
            if not isinstance(source, Unavailable):
                yield name, source


@dataclass(slots=True)
class CorrelationProbe:
    """Sends one GET to each service in one sweep, and looks into each log with a few threads."""

    prober: Prober
    places: Places
    names: FieldNames
    clock: Callable[[], datetime]
    limits: Mapping[LogSystem, float]

    name = "correlation"
    answers: type[Evidence] = CorrelationSearch
    needs: tuple[type[Evidence], ...] = ()
    due_every: timedelta | None = None
    """Every run."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Search for what the run before sent, and send anew; or, where somebody waits, send and search."""
        plans: dict[ServiceKey, _Plan] = {}
        for service in services:
            planned = self._plan(service, services, upstream)
            if isinstance(planned, _Plan):
                plans[service.key] = planned
            else:
                yield service.key, planned
        if not plans:
            return
        shared = Counter(plan.source.name for plan in plans.values() if not isinstance(plan.source, Unavailable))
        plans = {
            key: plan if isinstance(plan.source, Unavailable) else replace(plan, alone=shared[plan.source.name] == 1)
            for key, plan in plans.items()
        }
        others = Registered(frozenset(service.name for service in services), upstream.find)
        with Lanes({source.lane for plan in plans.values() for _, source in plan.readable()}) as lanes:
            ask = self._again if upstream.again else self._and_wait if upstream.patient else self._in_turn
            yield from ask(plans, others, upstream, lanes)

    def _plan(self, service: Service, services: Sequence[Service], upstream: Upstream) -> _Plan | Unavailable | Absent:
        if service.type is ServiceType.GRPC:
            return Unavailable(Cause.NOT_SUPPORTED, "requests over gRPC are not sent by this version")
        if service.type is not ServiceType.WEB:
            return Absent(f"a {service.type} is not sent requests")
        url = address(service)
        if isinstance(url, Unavailable):
            return url
        logs: dict[str, Source | Unavailable] = {}
        known = {one.key: one for one in services} if service.spec.downstream else {}
        for name in service.spec.downstream:
            key = ServiceKey(name, service.environment)
            found = known.get(key) or upstream.find(key)
            missing = Unavailable(Cause.NOT_CONFIGURED, f"the downstream service {key} is not registered")
            logs[name] = self.places.of(found) if found else missing
        logs[service.name] = self.places.of(service)
        return _Plan(service, url, logs)

    # --- two phases, in runs apart

    def _in_turn(
        self, plans: dict[ServiceKey, _Plan], others: Registered, upstream: Upstream, lanes: Lanes
    ) -> Iterator[tuple[ServiceKey, Answer]]:
        now = self.clock()
        before = {key: _before(upstream, key) for key in plans}
        todo: dict[ServiceKey, _Plan] = {}
        for key, plan in plans.items():
            last = before[key]
            if last is not None and last.pending is not None and self._too_soon(plan, last.pending, now):
                yield key, last
            else:
                todo[key] = plan
        settled, hunts = self._waiting(todo, before, now, others)
        fresh = self._send(todo, lanes)
        for key, plan in todo.items():
            if settled.complete(key):
                yield key, self._evidence(plan, fresh.get(key), settled, before[key], patient=False)
        for hunt in run(hunts, lanes, self.clock, upstream.tell):
            if settled.take(hunt):
                key = hunt.owner
                yield key, self._evidence(todo[key], fresh.get(key), settled, before[key], patient=False)

    def _again(
        self, plans: dict[ServiceKey, _Plan], others: Registered, upstream: Upstream, lanes: Lanes
    ) -> Iterator[tuple[ServiceKey, Answer]]:
        """Look for what the last run sent, and send nothing."""
        now = self.clock()
        before = {key: _before(upstream, key) for key in plans}
        due = {
            key: plan
            for key, plan in plans.items()
            if (last := before[key]) and last.pending and not self._too_soon(plan, last.pending, now)
        }
        settled, hunts = self._waiting(due, before, now, others)
        for key, plan in plans.items():
            if settled.complete(key):
                yield key, self._looked(plan, settled, before[key])
        for hunt in run(hunts, lanes, self.clock, upstream.tell):
            if settled.take(hunt):
                yield hunt.owner, self._looked(plans[hunt.owner], settled, before[hunt.owner])

    def _looked(self, plan: _Plan, settled: _Settling, last: CorrelationSearch | None) -> Answer:
        """The result, where every log has one; else what was there before, and how long the line was waited for."""
        key = plan.service.key
        if last is None:
            return Unavailable(Cause.NO_DATA, "no request was sent yet")
        one = settled.sent.get(key)
        if one is None:
            return last
        results = {name: self._result(plan, name, one, settled) for name in plan.logs}
        if unanswered(one) is not None or all(_final(result) for result in results.values()):
            return self._evidence(plan, None, settled, last, patient=True)
        after = round((self.clock() - one.sent_at).total_seconds(), 3)
        missing = {name: after for name, result in results.items() if _not_there(result)}
        return replace(last, pending=replace(one, not_there=missing))

    def _waiting(
        self,
        plans: Mapping[ServiceKey, _Plan],
        before: Mapping[ServiceKey, CorrelationSearch | None],
        now: datetime,
        others: Registered,
    ) -> tuple[_Settling, list[Hunt]]:
        """What was sent and not found yet, with a search in each log; what is too old is given up."""
        hunts: list[Hunt] = []
        waiting: dict[ServiceKey, Sent] = {}
        for key, plan in plans.items():
            last = before[key]
            pending = last.pending if last else None
            if pending is None or not timedelta() <= now - pending.sent_at <= CorrelationSearch.oldest():
                continue
            waiting[key] = pending
            if unanswered(pending) is None:
                hunts += self._hunts(plan, pending, pending.marks, others)
        return _Settling(waiting, hunts), hunts

    def _too_soon(self, plan: _Plan, pending: Sent, now: datetime) -> bool:
        """A line may still be on its way."""
        return timedelta() <= now - pending.sent_at < timedelta(seconds=self._patience(plan))

    def _patience(self, plan: _Plan) -> float:
        return max((self.limits[source.system] for _, source in plan.readable()), default=0.0)

    # --- both at once

    def _and_wait(
        self, plans: dict[ServiceKey, _Plan], others: Registered, upstream: Upstream, lanes: Lanes
    ) -> Iterator[tuple[ServiceKey, Answer]]:
        fresh = self._send(plans, lanes)
        hunts: list[Hunt] = []
        for key, plan in plans.items():
            one, began = fresh[key]
            if unanswered(one) is None:
                hunts += self._hunts(plan, one, one.marks, others, began=began)
        settled = _Settling({key: one for key, (one, _) in fresh.items()}, hunts)
        for key, plan in plans.items():
            if settled.complete(key):
                yield key, self._evidence(plan, fresh[key], settled, None, patient=True)
        for hunt in run(hunts, lanes, self.clock, upstream.tell):
            if settled.take(hunt):
                yield hunt.owner, self._evidence(plans[hunt.owner], fresh[hunt.owner], settled, None, patient=True)

    # --- parts of both

    def _send(self, plans: dict[ServiceKey, _Plan], lanes: Lanes) -> dict[ServiceKey, tuple[Sent, float]]:
        """Mark every log, then send every request; with the moment each was sent, on the monotonic clock."""
        begun = self.clock()
        asked: list[tuple[ServiceKey, str, Source, Future[str]]] = [
            (key, name, source, lanes.submit(source, lambda source=source: source.mark(begun)))  # type: ignore[misc] # mypy loses the default
            for key, plan in plans.items()
            for name, source in plan.readable()
        ]
        marks: defaultdict[ServiceKey, dict[str, tuple[str, str]]] = defaultdict(dict)
        for key, name, source, future in asked:
            try:
                marks[key][name] = (source.name, future.result(timeout=_MARKED_WITHIN))
            except (SourceError, TimeoutError):
                continue  # the search will say what is wrong with the log
        ids: dict[ServiceKey, Ids] = {
            key: fresh_ids(plan.service.spec.correlation.header) for key, plan in plans.items()
        }
        started = self.clock()
        found: dict[ServiceKey, tuple[Sent, float]] = {}
        for got in self.prober.get_many([request(key, plan.url, ids[key]) for key, plan in plans.items()]):
            if isinstance(got.key, ServiceKey):
                began = time.monotonic() - got.milliseconds / 1000
                patience = self._patience(plans[got.key])
                one = sent(got, ids[got.key], self.clock(), started, dict(marks[got.key]), patience)
                found[got.key] = (one, began)
        return found

    def _hunts(
        self,
        plan: _Plan,
        one: Sent,
        marks: Mapping[str, tuple[str, str]],
        others: Registered,
        *,
        began: float | None = None,
    ) -> list[Hunt]:
        """A search in each log that was marked before the request, and is the same still."""
        hunts = []
        for name, source in plan.readable():
            marked, mark = marks.get(name, ("", ""))
            if marked != source.name:
                continue
            wanted = Wanted(
                sent=one,
                system=source.system,
                service=name,
                others=Others(others, ServiceKey(name, plan.service.environment), frozenset(plan.logs)),
                alone=plan.alone,
                declared_field=plan.service.spec.correlation.field,
                names=self.names,
            )
            until = began + self.limits[source.system] if began is not None else 0.0
            own = name == plan.service.name
            hunts.append(
                Hunt(
                    owner=plan.service.key,
                    source=source,
                    wanted=wanted,
                    mark=mark,
                    by_path=own,
                    began=began,
                    until=until,
                    missed=one.not_there.get(name, 0.0),
                )
            )
        return hunts

    def _evidence(
        self,
        plan: _Plan,
        fresh: tuple[Sent, float] | None,
        settled: _Settling,
        before: CorrelationSearch | None,
        *,
        patient: bool,
    ) -> Answer:
        key, name = plan.service.key, plan.service.name
        one = settled.sent.get(key)
        new = fresh[0] if fresh else None
        pending = None if patient or new is None or name not in new.marks else new
        if one is None and pending is None:
            one = new  # nothing can be searched for, and why is known now
        if one is None:
            kept = before or CorrelationSearch()
            return self._told(
                plan,
                replace(kept, declared_field=plan.service.spec.correlation.field, pending=pending, exhibits=()),
            )
        results = {other: self._result(plan, other, one, settled) for other in plan.logs}
        return self._told(
            plan,
            CorrelationSearch(
                declared_field=plan.service.spec.correlation.field,
                sent=one,
                searched_at=self.clock(),
                result=results.pop(name),
                downstream=tuple(Downstream(name=other, result=found) for other, found in results.items()),
                pending=pending,
            ),
        )

    def _told(self, plan: _Plan, found: CorrelationSearch) -> CorrelationSearch:
        return replace(found, exhibits=exhibits(found, plan.service.name, plan.logs, self.prober.settings))

    def _result(self, plan: _Plan, name: str, one: Sent, settled: _Settling) -> Search | Unavailable:
        source = plan.logs[name]
        if isinstance(source, Unavailable):
            return source
        if (lost := unanswered(one)) is not None:
            return lost
        found = settled.results.get((plan.service.key, name))
        if found is not None:
            return found
        try:
            source.mark(one.sent_at)
        except SourceError as error:
            return error.unavailable
        return Unavailable(Cause.NO_DATA, f"{source.name}: it was not read when the request was sent")


class _Settling:
    """What is known of each service's request, and what is still searched for."""

    def __init__(self, sent_before: Mapping[ServiceKey, Sent], hunts: Sequence[Hunt]) -> None:
        self.sent = sent_before
        self.results: dict[tuple[ServiceKey, str], Search | Unavailable] = {}
        self._open: defaultdict[ServiceKey, int] = defaultdict(int)
        for hunt in hunts:
            self._open[hunt.owner] += 1

    def complete(self, key: ServiceKey) -> bool:
        """Whether nothing of it is searched for any more."""
        return self._open[key] == 0

    def take(self, hunt: Hunt) -> bool:
        """Keep the result of a search; True where it was the service's last."""
        if hunt.result is not None:
            self.results[hunt.owner, hunt.wanted.service] = hunt.result
        self._open[hunt.owner] -= 1
        return self.complete(hunt.owner)


def _final(result: Search | Unavailable) -> bool:
    """Whether looking again would be in vain."""
    if isinstance(result, Unavailable):
        return result.cause in HOPELESS
    return result.trace not in {Trace.NO_LINE, Trace.NOTHING_NEWER}


def _not_there(result: Search | Unavailable) -> bool:
    """Whether all of the log was looked at, and has no line of the request."""
    return isinstance(result, Search) and not _final(result) and not result.cut


def _before(upstream: Upstream, key: ServiceKey) -> CorrelationSearch | None:
    last = upstream.last(key, CorrelationSearch)
    return last.value if last is not None and isinstance(last.value, CorrelationSearch) else None
