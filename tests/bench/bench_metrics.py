"""`/metrics` of 10,000 services on a real store: `python -m tests.bench.bench_metrics [SERVICES]`.

Prints milliseconds and megabytes of a scrape when nothing changed, when 1 % of the services did, right after a live run
that was recorded all at once, some seconds after one, and of the first one; and what the client library's collector
takes for the same series. The goal is 100 ms and 100 MB when nothing changed or the run is a while ago, and a fifth of
the library's time.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from scorecard.evidence import Observation, Sample, Window
from scorecard.judge import Seen
from scorecard.metrics.warm import EVERY_SECONDS
from scorecard.model import Cadence, Service
from scorecard.run import Asked
from tests.api.estate import Estate, control, endpoints, opened

GOAL_SECONDS = 0.1
GOAL_MEGABYTES = 100.0
GOAL_RATIO = 0.2
BATCH = 250
ROUNDS = 7


def measure(estate: Estate, services: list[Service], tick: int) -> None:
    """A live run over services, recorded in shards."""
    shards = tuple(str(start) for start in range(0, len(services), BATCH))
    planned = estate.store.plan(Cadence.LIVE, tick, shards, estate.now)
    assert planned is not None
    seen = (endpoints(milliseconds=10.0 + tick), control())
    new = tuple(Observation(type(value), estate.now, value) for value in seen)
    windows = {type(seen[0]): Window(tuple(Sample(estate.now, seen[0]) for _ in range(3)))}
    asked = Asked(Seen({each.kind: each for each in new}, windows, estate.runner.probed), new)
    for shard in shards:
        part = services[int(shard) : int(shard) + BATCH]
        registered = estate.store.registered([service.key for service in part])
        whole = estate.store.outdated(registered, estate.now)
        results = [
            estate.runner.result(service, estate.store.checklists_of(service), asked, estate.now, whole[service.key])
            for service in part
        ]
        estate.store.record(planned.id, shard, results, estate.now, estate.now)


def scrape(client: FlaskClient) -> int:
    """One scrape as Prometheus does it, without compression; bytes."""
    return sum(len(part) for part in client.get("/metrics", buffered=False).iter_encoded())


def seconds(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The median of some rounds."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def resident() -> float:
    """Megabytes of this process in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


class Collector:
    """The same series through the client library."""

    def __init__(self, text: str) -> None:
        self.families = [
            (family.name, list(family.samples[0].labels), [(list(s.labels.values()), s.value) for s in family.samples])
            for family in text_string_to_metric_families(text)
            if family.name.startswith("scorecard_") and family.type == "gauge" and family.samples
        ]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Build every family, as a custom collector does at each scrape."""
        for name, labels, samples in self.families:
            family = GaugeMetricFamily(name, "as before", labels=labels)
            for values, number in samples:
                family.add_metric(values, number)
            yield family


def main() -> int:
    """Measure, print, and exit 1 when a goal is missed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name:
        estate = opened(Path(name))
        services = [Service(name=f"service-{number:05}", team=f"team-{number % 200}") for number in range(count)]
        estate.sync(*services)
        measure(estate, services, 1)
        client = estate.client()
        estate.now += timedelta(seconds=20)
        before = resident()
        start = time.perf_counter()
        size = scrape(client)
        first = time.perf_counter() - start
        steady = seconds(lambda: scrape(client))
        grown = resident() - before
        taken = {}
        for label, part, tick, pause in (
            ("1 % changed", services[: count // 100], 2, 0.0),
            ("all, just now", services, 3, 0.0),
            ("all, a while ago", services, 4, 3 * EVERY_SECONDS),
        ):
            estate.now += timedelta(seconds=60)
            measure(estate, part, tick)
            estate.now += timedelta(seconds=pause)
            time.sleep(pause)
            start = time.perf_counter()
            scrape(client)
            taken[label] = time.perf_counter() - start
            estate.now += timedelta(seconds=20)
            scrape(client)
        collector = Collector(client.get("/metrics").text)
        series = sum(len(samples) for _, _, samples in collector.families)
        registry = CollectorRegistry()
        registry.register(collector)
        library = seconds(lambda: generate_latest(registry), 3)
        estate.store.close()
    ratio = steady / library
    lines = (
        f"{count} services, {series} series, {size / 1e6:.1f} MB of text",
        f"nothing changed   {steady * 1000:7.0f} ms   goal {GOAL_SECONDS * 1000:.0f} ms",
        *(f"{label:17}  {found * 1000:7.0f} ms" for label, found in taken.items()),
        f"first scrape      {first * 1000:7.0f} ms",
        f"client library    {library * 1000:7.0f} ms   ours is {ratio:.0%} of it, goal {GOAL_RATIO:.0%}",
        f"memory            {grown:7.0f} MB   goal {GOAL_MEGABYTES:.0f} MB",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    slowest = max(steady, taken["all, a while ago"])
    return 0 if slowest <= GOAL_SECONDS and grown <= GOAL_MEGABYTES and ratio <= GOAL_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
