"""What this process counts about itself. The runner, the scheduler and the reload tell it; `/metrics` shows it.

Counters live in the process and begin at zero with it, as Prometheus expects. What must outlive a process, or is known
to another one (last successful run, queue lag, unknown findings), is read from the store instead.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Mapping
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from scorecard.model import Cadence

# The `_created` series double the page and Prometheus has no use for them in its text format.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own lack

_REMEMBERED = 86_400.0
"""Seconds for which calls are remembered one by one: longer than any period of a cadence should be."""
_RUN_BUCKETS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)


class Telemetry:
    """The counters of one process. Every method may be called from any thread."""

    def __init__(self, version: str = "") -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._recent: deque[tuple[float, str, str, int]] = deque()
        self._lock = threading.Lock()
        self._probes = Counter(
            "scorecard_probes",
            "Answers of a probe about one service, by outcome: ok, absent, or the cause of unknown.",
            ["probe", "outcome"],
            registry=self.registry,
        )
        self._suspect = Counter(
            "scorecard_suspect_runs",
            "Runs in which a probe found that the fault is the scorecard's own: its control target failed as well.",
            ["probe"],
            registry=self.registry,
        )
        self._calls = Counter(
            "scorecard_calls",
            "Calls to an integration that counts and limits them, by place: for AWS the instance, account and region.",
            ["system", "place"],
            registry=self.registry,
        )
        self._run = Histogram(
            "scorecard_run_duration_seconds",
            "How long one run of a cadence took, from its plan to its last stored finding.",
            ["cadence"],
            buckets=_RUN_BUCKETS,
            registry=self.registry,
        )
        self._skipped = Counter(
            "scorecard_runs_skipped",
            "Runs that were due while the one before was still under way.",
            ["cadence"],
            registry=self.registry,
        )
        self._reload = Gauge(
            "scorecard_config_last_reload_successful",
            "1 when the newest configuration is in force, 0 when it was refused and the last good one stays.",
            registry=self.registry,
        )
        self._build = Gauge(
            "scorecard_build_info", "Always 1; the version is the label.", ["version"], registry=self.registry
        )
        self._build.labels(version).set(1)
        self._reload.set(1)
        for cadence in Cadence:
            # A counter that is there from the start lets `increase()` see the first event.
            self._skipped.labels(cadence.value)

    def probe(self, name: str, outcome: str, count: int = 1) -> None:
        """Count answers of the probe `name`: `ok`, `absent`, or a `Cause` such as `timeout`."""
        self._probes.labels(name, outcome).inc(count)

    def called(self, system: str, place: str, count: int = 1) -> None:
        """Calls were made to a `place` of a `system`: `aws`, `main/111122223333/eu-west-1`."""
        self._calls.labels(system, place).inc(count)
        with self._lock:
            self._recent.append((time.monotonic(), system, place, count))
            self._forget()

    def calls(self, within: timedelta) -> Mapping[str, str]:
        """Calls of this process within the period of a cadence, which is one run, by system, in words."""
        since = time.monotonic() - within.total_seconds()
        with self._lock:
            recent = tuple(one for one in self._recent if one[0] >= since)
        found: dict[str, str] = {}
        for system in sorted({one[1] for one in recent}):
            tally: Tally[str] = Tally()
            for _, of, place, count in recent:
                tally[place] += count if of == system else 0
            (place, most), *_ = tally.most_common(1)
            places = sum(1 for count in tally.values() if count)
            spread = f"{places} places, the most to {place}: {most}" if places > 1 else place
            found[system] = f"{tally.total()} to {spread}"
        return found

    def _forget(self) -> None:
        limit = time.monotonic() - _REMEMBERED
        while self._recent and self._recent[0][0] < limit:
            self._recent.popleft()

    def suspect(self, name: str, count: int = 1) -> None:
        """The probe `name` blamed ourselves; a count of 0 only lets `increase()` see the first time."""
        self._suspect.labels(name).inc(count)

    def run(self, cadence: str, seconds: float) -> None:
        """A run ended after `seconds` of the monotonic clock."""
        self._run.labels(cadence).observe(max(seconds, 0.0))

    def skipped(self, cadence: str, count: int = 1) -> None:
        """Runs were due and not begun, since the one before had not ended."""
        self._skipped.labels(cadence).inc(count)

    def reloaded(self, *, successful: bool) -> None:
        """A changed configuration was taken up, or refused."""
        self._reload.set(1 if successful else 0)
