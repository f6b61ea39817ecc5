"""The beat: APScheduler ticks once a second; what is due is decided here, on the monotonic clock.

A tick number of the database, not the wall clock, names a cycle, so that a clock that jumps neither stops the beat nor
repeats a plan, and so that two schedulers share one plan: who plans a tick second gets nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError

from scorecard.logging import get_logger
from scorecard.model import Cadence, ServiceKey
from scorecard.store import Store, StoreError
from scorecard.store.cycles import RUNNING
from scorecard.store.engine import problem
from scorecard.telemetry import Telemetry
from scorecard.work import ONE, Dispatcher, Item, items, plan_shards

log = get_logger(__name__)

BEAT_SECONDS = 1.0
_SILENCE_SECONDS = 5.0
_SPREAD = 0.5
"""Shards of a cycle begin spread over this share of its period, but for the first cycle."""
_ROLL_UP_SECONDS = 3600.0
_RETRY_SECONDS = 30.0
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept."""

    samples: timedelta
    history: timedelta
    evidence: timedelta = timedelta(days=90)


class Planner:
    """Decides what is due. `tick` may be called by anyone, any number of times."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        *,
        retention: Callable[[], Retention],
        clock: Callable[[], datetime],
        telemetry: Telemetry,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the store, where items go, and both clocks."""
        self._store = store
        self._dispatcher = dispatcher
        self._retention = retention
        self._clock = clock
        self._monotonic = monotonic
        self._telemetry = telemetry
        self._seen: dict[Cadence, tuple[int, float]] = {}
        """Cadence to the newest tick seen and when, on the monotonic clock, we saw it first."""
        self._due: dict[str, float] = {}
        self._resubmitted = -_RETRY_SECONDS
        self._waits: dict[int, float] = {}
        """Unfinished cycle to when, on the monotonic clock, we saw it first."""
        self.last_error = ""

    def tick(self) -> None:
        """Plan what is due, take up what is unfinished, write down what expired. Never raises for the store."""
        try:
            for cadence, period in self._store.periods.items():
                self._plan(cadence, period.total_seconds())
            self._reconcile()
            self._store.settle(self._clock())
            self._keep_house()
        except (SQLAlchemyError, StoreError) as error:
            if problem(error) != self.last_error:
                log.exception("the store does not take what is due", error=problem(error))
            self.last_error = problem(error)
        else:
            self.last_error = ""

    def next_run(self, cadence: Cadence) -> timedelta:
        """How long until a cadence is due."""
        _, since = self._seen.get(cadence, (0, self._monotonic()))
        left = self._store.periods[cadence].total_seconds() - (self._monotonic() - since)
        return timedelta(seconds=max(0.0, left))

    def measure(self, key: ServiceKey, row: str | None, requested_by: str) -> int:
        """Plan a measurement of one service now; returns the cycle."""
        shard = f"{ONE}{key}"
        detail = {"service": str(key), "row": row or ""}
        cycle_id = self._store.plan_on_demand((shard,), self._clock(), requested_by, detail)
        self._dispatcher.submit(Item(cycle_id, "on-demand", shard, detail))
        return cycle_id

    def soon(self) -> None:
        """Make every cadence due at the next tick: the catalogue changed."""
        self._due = dict.fromkeys((cadence.value for cadence in Cadence), 0.0)

    def _plan(self, cadence: Cadence, period: float) -> None:
        newest, now = self._store.last_tick(cadence), self._monotonic()
        first = cadence not in self._seen
        tick, since = self._seen.get(cadence) or (newest, now - self._gone_by(cadence, period))
        if newest != tick:
            # Somebody else planned: our period begins anew.
            tick, since = newest, now
        self._seen[cadence] = (tick, since)
        hurried = self._due.pop(cadence.value, None) is not None
        if now - since < period and not hurried:
            return
        services = [entry.service for entry in self._store.registered().values()]
        shards = plan_shards(services, cadence)
        planned = self._store.plan(cadence, tick + 1, shards, self._clock())
        self._seen[cadence] = (tick + 1, now)
        if planned is None:
            if shards:
                self._telemetry.skipped(cadence.value)
            return
        spread = 0.0 if first or hurried else period * _SPREAD
        for number, item in enumerate(items(planned)):
            self._dispatcher.submit(item, after=spread * number / len(shards))

    def _gone_by(self, cadence: Cadence, period: float) -> float:
        """How much of a period is over when we join: a restart does not clone every repository again.

        All of it, where a service is new or its definition changed. None of it while a cycle runs: that one is taken
        up, and another would only be skipped.
        """
        newest = self._store.newest_cycle(cadence)
        if newest is None:
            return period
        if newest.state == RUNNING:
            return 0.0
        registered = self._store.registered()
        if any(self._store.outdated(registered, self._clock()).values()):
            return period
        # The wall clock may have been set meanwhile; it costs a period at most.
        return min(max((self._clock() - newest.planned_at).total_seconds(), 0.0), period)

    def _reconcile(self) -> None:
        """Submit again what has no result and is not under way: after a crash, or a worker that was killed.

        On PostgreSQL another process may be at it. It is given a period first, so that nothing is asked twice.
        """
        now = self._monotonic()
        if now - self._resubmitted < _RETRY_SECONDS:
            return
        self._resubmitted = now
        unfinished = self._store.unfinished()
        self._waits = {planned.id: self._waits.get(planned.id, now) for planned in unfinished}
        for planned in unfinished:
            if not planned.shards:
                self._store.close_cycle(planned.id, self._clock())
            if now - self._waits[planned.id] >= self._patience(planned.cadence):
                for item in items(planned):
                    self._dispatcher.submit(item)

    def _patience(self, cadence: str) -> float:
        if self._store.db.sqlite:
            return 0.0
        periods = {each.value: period.total_seconds() for each, period in self._store.periods.items()}
        return min(periods.get(cadence, _RETRY_SECONDS), _PATIENCE_SECONDS)

    def _keep_house(self) -> None:
        now = self._monotonic()
        if now < self._due.get("house", 0.0):
            return
        self._due["house"] = now + _ROLL_UP_SECONDS
        at, keep = self._clock(), self._retention()
        self._store.roll_up(at)
        self._store.prune(at, samples=keep.samples, history=keep.history, evidence_kept=keep.evidence)


class Scheduler:
    """Calls `Planner.tick` once a second, whatever the wall clock does."""

    def __init__(self, tick: Callable[[], None]) -> None:
        """Take what is to be called."""
        self._tick = tick
        self._beat = time.monotonic()
        self._stop = threading.Event()
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._watch = threading.Thread(target=self._watchdog, name="beat-watchdog", daemon=True)

    def start(self) -> None:
        """Begin; the first tick comes at once."""
        self._arm()
        self._scheduler.start()
        self._watch.start()

    def stop(self) -> None:
        """Tick no more; waits for the tick that runs."""
        self._stop.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    @property
    def silent_for(self) -> float:
        """Seconds since the last tick ended."""
        return time.monotonic() - self._beat

    def _arm(self) -> None:
        self._scheduler.add_job(
            self._call,
            "interval",
            seconds=BEAT_SECONDS,
            id="tick",
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            next_run_time=None if self._scheduler.running else _now(),
        )

    def _call(self) -> None:
        try:
            self._tick()
        except Exception:
            log.exception("tick failed")
        finally:
            self._beat = time.monotonic()

    def _watchdog(self) -> None:
        # APScheduler waits by the wall clock: set back an hour, it would be silent for an hour.
        while not self._stop.wait(BEAT_SECONDS):
            if self.silent_for > _SILENCE_SECONDS:
                self._scheduler.reschedule_job("tick", trigger="interval", seconds=BEAT_SECONDS)


def _now() -> datetime:
    from datetime import UTC

    return datetime.fromtimestamp(time.time(), UTC)


def periods(cadences: Mapping[str, timedelta]) -> dict[Cadence, timedelta]:
    """The configured periods by cadence."""
    return {Cadence(name): period for name, period in cadences.items()}
