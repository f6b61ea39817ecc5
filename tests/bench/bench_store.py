"""The store at 10,000 services: a full run, the live cycle, lists, the overview, metrics, and how cost grows.

Prints what is measured and ratios within this one run; absolute times are those of the machine.

    python tests/bench/bench_store.py [SERVICES] [URL]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from scorecard.app import checklists
from scorecard.config import load_config
from scorecard.evidence import ControlPath, Endpoint, Evidence, Exhibit, HealthEndpoints, Observation, Reply, Window
from scorecard.evidence.base import Sample
from scorecard.judge import Seen
from scorecard.model import Cadence, GatePolicy, Service, ServiceKey
from scorecard.registry import installed
from scorecard.run import Asked, Runner
from scorecard.store import ServiceResult, Store, open_store
from scorecard.store.codec import decode_window, encode_window
from scorecard.store.current import Registered
from scorecard.store.views import Query
from scorecard.telemetry import Telemetry
from scorecard.work import SHARD_SIZE
from tests.conftest import START, Clock

PERIODS = {
    Cadence.LIVE: timedelta(seconds=60),
    Cadence.PLATFORM: timedelta(minutes=15),
    Cadence.SOURCE: timedelta(hours=24),
}
SAMPLES = 20


class Spent:
    """Seconds on the wall and on the processor."""

    wall = 0.0
    cpu = 0.0


@contextmanager
def spending() -> Iterator[Spent]:
    """Measure a block."""
    spent, wall, cpu = Spent(), time.perf_counter(), time.process_time()
    yield spent
    spent.wall, spent.cpu = time.perf_counter() - wall, time.process_time() - cpu


def health(url: str, *, up: bool, milliseconds: float) -> HealthEndpoints:
    """One look at two endpoints."""
    one = Endpoint(
        url=url,
        reply=Reply.ANSWERED,
        status=200 if up else 503,
        milliseconds=milliseconds,
        well_formed=True,
        content_type="application/json",
    )
    shown = Exhibit(source="http", request=f"curl -sS {url}", facts={"status": one.status}, excerpt='{"status":"ok"}')
    return HealthEndpoints(liveness=one, readiness=one, exhibits=(shown, shown))


class Fleet:
    """Services, and what a run over them saw."""

    def __init__(self, url: str, count: int) -> None:
        registry = installed()
        used = checklists(load_config(None, {}), registry)
        self.store: Store = open_store(url, checklists=used, policies={"default": GatePolicy()}, periods=PERIODS)
        self.store.db.own()
        self.store.migrate()
        self.clock = Clock(START)
        self.runner = Runner((), clock=self.clock, telemetry=Telemetry())
        self.runner.probed = frozenset({HealthEndpoints, ControlPath})
        services = [
            Service(name=f"service-{number:05}", team=f"team-{number % 200}", tier=f"tier-{number % 3}")
            for number in range(count)
        ]
        self.store.sync(services, (), self.clock())
        self.registered = self.store.registered()
        self.windows: dict[ServiceKey, Window[HealthEndpoints]] = {}
        keys = sorted(self.registered)
        self.shards = [keys[start : start + SHARD_SIZE] for start in range(0, len(keys), SHARD_SIZE)]

    def look(self, changed: Callable[[int], bool]) -> list[list[ServiceResult]]:
        """Judge a run, in shards; not part of what is measured."""
        found = []
        for shard in self.shards:
            entries = {key: self.registered[key] for key in shard}
            outdated = self.store.outdated(entries, self.clock())
            found.append([self._judge(entry, outdated[key], changed) for key, entry in entries.items()])
        return found

    def _judge(self, entry: Registered, whole: frozenset[str], changed: Callable[[int], bool]) -> ServiceResult:
        url = f"https://{entry.service.name}.example.net"
        now = self.clock()
        value = health(f"{url}/livez", up=not changed(entry.id), milliseconds=1.0 + now.second / 7)
        before = self.windows.get(entry.service.key) or Window(
            tuple(Sample(now - timedelta(seconds=60 * back), value) for back in range(SAMPLES, 0, -1))
        )
        # A run has its window from the store.
        before = decode_window(HealthEndpoints, encode_window(before)) or before
        window = before.append(Sample(now, value), SAMPLES)
        if changed(entry.id):
            window = Window(tuple(Sample(each.at, value) for each in window.samples))
        self.windows[entry.service.key] = window
        kinds: tuple[Evidence, ...] = (value,)
        if whole:
            kinds = (value, ControlPath(endpoints=(Endpoint(url=url, reply=Reply.ANSWERED, status=404),)))
        new = tuple(Observation(type(each), now, each) for each in kinds)
        seen = Seen({each.kind: each for each in new}, {HealthEndpoints: window}, self.runner.probed)
        return self.runner.result(entry.service, self.store.checklists_of(entry.service), Asked(seen, new), now, whole)

    def record(self, found: list[list[ServiceResult]]) -> Spent:
        """Store a run: what is measured."""
        now = self.clock()
        shards = tuple(f"{number}/{len(found)}" for number in range(len(found)))
        planned = self.store.plan(Cadence.LIVE, self.store.last_tick(Cadence.LIVE) + 1, shards, now)
        assert planned is not None
        with spending() as spent:
            for shard, results in zip(shards, found, strict=True):
                assert self.store.record(planned.id, shard, results, now, now)
        return spent


def size(path: Path) -> int:
    """Bytes of an SQLite store with its log."""
    return sum(part.stat().st_size for part in path.parent.glob(path.name + "*"))


def shown(name: str, spent: Spent, goal: str, count: int) -> None:
    """One line."""
    per = 1e6 * spent.cpu / count
    print(f"{name:44} {spent.wall:8.3f} s  cpu {spent.cpu:8.3f} s  {per:8.1f} µs a service   {goal}")  # noqa: T201 - a bench prints


def runs(fleet: Fleet) -> tuple[Spent, Spent, Spent]:
    """A first run, one in which nothing changed, and one in which one service in a hundred changed."""
    first = fleet.record(fleet.look(lambda _: False))
    fleet.clock.forward(seconds=60)
    same = fleet.record(fleet.look(lambda _: False))
    fleet.clock.forward(seconds=60)
    changed = fleet.record(fleet.look(lambda number: number % 100 == 0))
    return first, same, changed


def reading(fleet: Fleet, count: int) -> None:
    """Pages, metrics and the beat."""
    store, now = fleet.store, fleet.clock()
    query = Query(checklist="production-readiness")
    latest = store.metric_rows(now + timedelta(minutes=2)).seq
    for name, goal, ask in (
        ("a page of the list, by score", "100 ms", lambda: store.summaries(query, now)),
        (
            "a page of the list, by age",
            "100 ms",
            lambda: store.summaries(Query(checklist=query.checklist, sort="age"), now),
        ),
        ("the overview", "100 ms", lambda: (store.forget(), store.fleet(query.checklist, now))),
        ("health", "", lambda: (store.forget(), store.health(now))),
        ("metrics, all of them", "100 ms", lambda: store.metric_rows(now)),
        (
            "metrics, nothing since",
            "5 ms",
            lambda: store.metric_rows(now, latest),
        ),
        ("a beat with nothing due", "", lambda: store.settle(now)),
        ("one document", "100 ms", lambda: store.document(fleet.shards[0][0], query.checklist, now)),
    ):
        ask()
        with spending() as spent:
            ask()
        shown(name, spent, goal and f"goal {goal}", count)
    with spending() as spent:
        moved = store.settle(now + timedelta(minutes=16))
    shown(f"settling {moved} services that expired", spent, "", count)


def main(count: int, url: str) -> None:
    """Everything."""
    with tempfile.TemporaryDirectory() as folder:
        costs = {}
        for scale in [count] if url else sorted({100, count // 10, count}):
            path = Path(folder) / f"{scale}.db"
            fleet = Fleet(url or f"sqlite:///{path}", scale)
            first, same, changed = runs(fleet)
            costs[scale] = 1e6 * same.cpu / scale
            shown(f"{scale}: first run", first, "", scale)
            shown(f"{scale}: a run in which nothing changed", same, f"{100 * same.cpu / 60:.1f} % of a core", scale)
            shown(f"{scale}: a run in which 1 % changed", changed, "goal 0.5 s SQLite, 1 s PostgreSQL", scale)
            if scale == count:
                if not url:
                    before = size(path)
                    print(f"{'size now':44} {before / 1e6:8.1f} MB, {before / scale:.0f} bytes a service")  # noqa: T201 - a bench prints
                reading(fleet, scale)
            fleet.store.close()
        small, large = min(costs), max(costs)
        print(f"cost a service, {large} against {small} services: {costs[large] / costs[small]:.2f} (goal 0.8 to 1.2)")  # noqa: T201 - a bench prints


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, sys.argv[2] if len(sys.argv) > 2 else "")
