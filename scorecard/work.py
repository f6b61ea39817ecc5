"""Work items: a shard of a cycle, run at least once, with its effect stored exactly once.

The in-process dispatcher is the one for SQLite. What it promises is the contract of every dispatcher: an item that was
submitted runs unless the process ends; one that runs twice has one effect (`store.record`); draining lets what runs
finish and claims nothing more.
"""

from __future__ import annotations

import math
import queue
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from scorecard.checklist import rests_on
from scorecard.evidence import Evidence
from scorecard.judge import Seen
from scorecard.logging import get_logger
from scorecard.model import Cadence, Service, ServiceKey
from scorecard.run import Asked, Runner
from scorecard.store import Planned, Store
from scorecard.store.cycles import ON_DEMAND
from scorecard.telemetry import Telemetry

log = get_logger(__name__)

SHARD_SIZE = 100
"""Services in a shard of live probes."""
ONE = "service:"
"""Prefix of the shard of a single service, asked for by somebody."""
ALL = "all"
AGAIN, NOT_BEFORE = "again", "not_before"
"""In an item's detail: the kinds of evidence of which an earlier run asked, and from when on they are answered."""
_SLACK = 0.1
"""Seconds; the wall clock and the one that items wait by need not agree."""

LANES: Mapping[str, int] = {ON_DEMAND: 2, Cadence.LIVE.value: 16, Cadence.PLATFORM.value: 2, Cadence.SOURCE.value: 2}
"""Threads by cadence: a slow clone, or a hanging Prometheus, keeps no health probe waiting."""


@dataclass(frozen=True, slots=True)
class Item:
    """One shard of one cycle."""

    cycle_id: int
    cadence: str
    shard: str
    detail: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)


class Dispatcher(Protocol):
    """Runs items, here or elsewhere."""

    def submit(self, item: Item, *, after: float = 0.0) -> None:
        """Run an item, not before `after` seconds from now. One that is waiting or running already is left as it is."""
        ...

    def pending(self) -> int:
        """Items that wait or run."""
        ...

    def drain(self, timeout: float) -> bool:
        """Claim nothing more, let what runs finish; False where it did not within `timeout` seconds."""
        ...


def plan_shards(services: Sequence[Service], cadence: Cadence) -> tuple[str, ...]:
    """The shards of a cycle: by stable hash for live probes, by repository for source, one for platform.

    A platform probe asks each Prometheus, Grafana and account once for all services, so its shard is not split.
    """
    if not services:
        return ()
    if cadence is Cadence.PLATFORM:
        return (ALL,)
    groups = {_group(service, cadence) for service in services}
    count = max(1, math.ceil(len(groups) / SHARD_SIZE))
    used = {_bucket(group, count) for group in groups}
    return tuple(f"{bucket}/{count}" for bucket in sorted(used))


def members(services: Iterable[Service], cadence: str, shard: str) -> tuple[Service, ...]:
    """The services of a shard, from its name alone: whoever runs it comes to the same."""
    if shard.startswith(ONE):
        key = ServiceKey.parse(shard.removeprefix(ONE))
        return tuple(service for service in services if service.key == key)
    if shard == ALL:
        return tuple(services)
    bucket, count = (int(part) for part in shard.split("/"))
    return tuple(service for service in services if _bucket(_group(service, Cadence(cadence)), count) == bucket)


def _group(service: Service, cadence: Cadence) -> str:
    # Services of one repository go together, so that it is read once.
    if cadence is Cadence.SOURCE and service.spec.repositories:
        return service.spec.repositories[0].url
    return str(service.key)


def _bucket(group: str, count: int) -> int:
    return zlib.crc32(group.encode("utf-8", "surrogatepass")) % count


class Worker:
    """Runs one item: load what is known, probe, judge, store."""

    def __init__(
        self,
        store: Store,
        runner: Callable[[], Runner],
        clock: Callable[[], datetime],
        telemetry: Telemetry,
        *,
        later: Callable[[Item, float], None] = lambda _item, _after: None,
    ) -> None:
        """Take what an item needs; the runner is asked for anew each time, since a reload changes it.

        `later` runs an item after so many seconds. Without it the planner takes up what is due, a little later.
        """
        self._store = store
        self._runner = runner
        self._clock = clock
        self._telemetry = telemetry
        self._later = later

    def run(self, item: Item) -> bool:
        """Run an item; False where its effect was there already, and where its time has not come."""
        started, began = self._clock(), time.monotonic()
        again = frozenset(item.detail.get(AGAIN, ()))
        if again and started < datetime.fromisoformat(item.detail[NOT_BEFORE]):
            return False
        store, runner = self._store, self._runner()
        wanted = None
        if item.shard.startswith(ONE):
            wanted = [ServiceKey.parse(item.shard.removeprefix(ONE))]
        registered = store.registered(wanted)
        services = members([entry.service for entry in registered.values()], item.cadence, item.shard)
        on_demand = item.cadence == ON_DEMAND
        kinds = self._of_row(item, runner.kinds(None if on_demand else Cadence(item.cadence)), runner)
        if again:
            kinds = frozenset(kind for kind in kinds if kind.kind() in again)
        mine = {service.key: registered[service.key] for service in services}
        outdated = store.outdated(mine, started)
        beside = kinds | runner.upstream_of(kinds) | self._mixed_with(kinds)
        changed = {key for key, names in outdated.items() if names}
        known = store.load([entry for key, entry in mine.items() if key not in changed], sorted(beside, key=str))
        known |= store.load([mine[key] for key in changed], None)
        if again:
            services = tuple(each for each in services if each.key in known and _open(known[each.key], kinds))
        asked = runner.ask(services, known, kinds, at_once=on_demand and not again, again=bool(again))
        now = self._clock()
        results = [
            runner.result(service, store.checklists_of(service), asked[service.key], now, outdated[service.key])
            for service in services
        ]
        stored = store.record(item.cycle_id, item.shard, results, started, now)
        if stored and not on_demand:
            self._look_again(item, asked.values(), now)
        self._telemetry.run(item.cadence, time.monotonic() - began)
        log.info(
            "shard measured",
            cycle=item.cycle_id,
            cadence=item.cadence,
            shard=item.shard,
            services=len(services),
            seconds=round(time.monotonic() - began, 3),
            stored=stored,
        )
        return stored

    def _look_again(self, item: Item, asked: Iterable[Asked], now: datetime) -> None:
        """Plan the second half of questions that take time: an item of its own, in place of a thread that waits."""
        due = [
            (observation.kind.kind(), at)
            for each in asked
            for observation in each.new
            if isinstance(observation.value, Evidence) and (at := observation.value.answered_at) is not None
        ]
        if not due:
            return
        at = max(at for _, at in due)
        detail = {AGAIN: sorted({kind for kind, _ in due}), NOT_BEFORE: at.isoformat()}
        cycle_id = self._store.plan_on_demand((item.shard,), now, "scorecard", detail)
        wait = max(0.0, (at - self._clock()).total_seconds()) + _SLACK
        self._later(Item(cycle_id, ON_DEMAND, item.shard, detail), wait)

    def _mixed_with(self, kinds: frozenset[type]) -> frozenset[type]:
        """Other evidence that checks of these kinds read as well."""
        return frozenset(
            other
            for checklist in self._store.checklists.values()
            for row in checklist.rows
            for check in row.checks
            if not kinds.isdisjoint(rests_on(row, check))
            for other in rests_on(row, check)
        )

    def _of_row(self, item: Item, kinds: frozenset[type[Evidence]], runner: Runner) -> frozenset[type[Evidence]]:
        row_id = item.detail.get("row")
        if not row_id:
            return kinds
        wanted = {
            kind
            for checklist in self._store.checklists.values()
            for row in checklist.rows
            if row.id == row_id
            for check in row.checks
            for kind in rests_on(row, check)
        }
        todo = set(wanted)
        while todo:
            todo = set(runner.upstream_of(todo)) - wanted
            wanted |= todo
        return frozenset(wanted) & kinds


def _open(seen: Seen, kinds: frozenset[type[Evidence]]) -> bool:
    """Whether a service has a question that waits for its answer."""
    values = [observation.value for kind, observation in seen.observations.items() if kind in kinds]
    return any(isinstance(value, Evidence) and value.answered_at is not None for value in values)


class InProcess:
    """The dispatcher of one process: a lane of threads for each cadence."""

    def __init__(self, run: Callable[[Item], bool]) -> None:
        """Start the lanes; `run` does an item and may raise."""
        self._run = run
        self._queues: dict[str, queue.PriorityQueue[tuple[float, int, Item | None]]] = {}
        self._known: set[Item] = set()
        self._lock = threading.Lock()
        self._sequence = 0
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        for lane, count in LANES.items():
            self._queues[lane] = queue.PriorityQueue()
            for number in range(count):
                thread = threading.Thread(
                    target=self._work, args=(self._queues[lane],), name=f"{lane}-{number}", daemon=True
                )
                thread.start()
                self._threads.append(thread)

    def submit(self, item: Item, *, after: float = 0.0) -> None:
        """See Dispatcher."""
        with self._lock:
            if self._stopping.is_set() or item in self._known:
                return
            self._known.add(item)
            self._sequence += 1
            self._queues[item.cadence].put((time.monotonic() + after, self._sequence, item))

    def pending(self) -> int:
        """See Dispatcher."""
        with self._lock:
            return len(self._known)

    def drain(self, timeout: float) -> bool:
        """See Dispatcher."""
        self._stopping.set()
        for lane, count in LANES.items():
            for _ in range(count):
                self._queues[lane].put((-1.0, 0, None))
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, lane: queue.PriorityQueue[tuple[float, int, Item | None]]) -> None:
        while not self._stopping.is_set():
            due, sequence, item = lane.get()
            if item is None or self._stopping.is_set():
                return
            wait = due - time.monotonic()
            if wait > 0:
                # The soonest item stands first; a sooner one that comes meanwhile is taken at the next look.
                lane.put((due, sequence, item))
                self._stopping.wait(min(wait, 0.2))
                continue
            try:
                self._run(item)
            except BaseException as error:
                log.exception(
                    "shard failed",
                    cycle=item.cycle_id,
                    shard=item.shard,
                    error=type(error).__name__,
                    exc_info=error,
                )
            finally:
                with self._lock:
                    self._known.discard(item)


def items(planned: Planned) -> tuple[Item, ...]:
    """The items of a cycle that have no result yet."""
    return tuple(Item(planned.id, planned.cadence, shard, planned.detail) for shard in planned.shards)
