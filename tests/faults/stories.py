"""A story that a store lives through, step by step: each step may be taken again after a crash, with one effect."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import event as hooks
from sqlalchemy import select

from scorecard.evidence import Unavailable
from scorecard.model import Cadence, Cause, Service
from scorecard.store import Store, open_store
from scorecard.store.tables import cycle, day, event, finding, hour, observation, service, shard_run, summary
from scorecard.work import items, plan_shards
from tests.conftest import START, Clock
from tests.store.fleet import LISTS, PERIODS, POLICY, Build, Fleet, Ping, Spread

SERVICES = ("ledger", "payments", "search")


def opened(url: str) -> Store:
    """A store with the small checklists."""
    store = open_store(url, checklists=LISTS, policies={"default": POLICY}, periods=PERIODS)
    store.db.own()
    return store


class Story:
    """Three services, four cycles, an outage, an expiry."""

    def __init__(self, store: Store) -> None:
        self.fleet = Fleet(store, Clock(START))

    def steps(self) -> Iterator[Callable[[], None]]:
        """Every step, in order."""
        yield self._begin
        for cadence in Cadence:
            yield lambda cadence=cadence: self._cycle(cadence, 1)  # type: ignore[misc]
        yield self._break
        yield lambda: self._cycle(Cadence.LIVE, 2)
        yield lambda: self._cycle(Cadence.PLATFORM, 2)
        yield self._expire
        yield lambda: self._cycle(Cadence.LIVE, 3)

    def live(self) -> None:
        """All of them; those that have their effect already have none."""
        for step in self.steps():
            step()

    def _begin(self) -> None:
        self.fleet.clock.at = START
        for name in SERVICES:
            self.fleet.enrol(name)
        self.fleet.sync()

    def _break(self) -> None:
        self.fleet.clock.at = START + timedelta(minutes=1)
        key = Service(name="payments").key
        self.fleet.tell(key, Ping(ok=False), Build(steps=1))
        self.fleet.refuse(key, Spread, Unavailable(Cause.TIMEOUT, "slow"))

    def _expire(self) -> None:
        self.fleet.clock.at = START + timedelta(minutes=20)
        # The beat says once more what it has said: settling at an instant that is over changes nothing.
        self.fleet.store.settle(self.fleet.clock())

    def _cycle(self, cadence: Cadence, tick: int) -> None:
        store, now = self.fleet.store, self.fleet.clock()
        services = [entry.service for entry in store.registered().values()]
        store.plan(cadence, tick, plan_shards(services, cadence), now)
        for planned in store.unfinished():
            view = store.cycle(planned.id)
            assert view is not None
            # What a later step began waits for that step, and its clock.
            if (view.cadence, view.tick) == (cadence.value, tick):
                for item in items(planned):
                    self.fleet.worker.run(item)


def told(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is stored, without the numbers that a database gives."""
    named = select(service.c.name)
    queries = {
        "services": select(service.c.name, service.c.document, service.c.active),
        "cycles": select(cycle.c.cadence, cycle.c.tick, cycle.c.state, cycle.c.shards),
        "shards": select(
            cycle.c.cadence, cycle.c.tick, shard_run.c.shard, shard_run.c.services, shard_run.c.unknown
        ).join(cycle, cycle.c.id == shard_run.c.cycle_id),
        "hours": select(hour.c.cadence, hour.c.shard, hour.c.hour, hour.c.runs, hour.c.services, hour.c.answered),
        "observations": named.add_columns(
            observation.c.kind, observation.c.at, observation.c.value, observation.c.digest
        ).join(observation, observation.c.service_id == service.c.id),
        "findings": named.add_columns(
            finding.c.checklist, finding.c.row, finding.c.check_id, finding.c.status, finding.c.body, finding.c.since
        ).join(finding, finding.c.service_id == service.c.id),
        "events": named.add_columns(
            event.c.checklist, event.c.row, event.c.check_id, event.c.at, event.c.before, event.c.after, event.c.cause
        ).join(event, event.c.service_id == service.c.id),
        "sums": named.add_columns(
            summary.c.checklist, summary.c.score, summary.c.rows, summary.c.verdict, summary.c.basis, summary.c.next_at
        ).join(summary, summary.c.service_id == service.c.id),
        "days": named.add_columns(day.c.checklist, day.c.day, day.c.score).join(day, day.c.service_id == service.c.id),
    }
    with store.db.read() as connection:
        return {name: sorted(map(tuple, connection.execute(query)), key=repr) for name, query in queries.items()}


class Steps:
    """Counts what a store says to its database, and does something at one of them."""

    def __init__(self, store: Store, at: int, act: Callable[[], None]) -> None:
        self.count = 0
        self._at = at
        self._act = act
        hooks.listen(store.db.engine, "before_cursor_execute", self._step)
        hooks.listen(store.db.engine, "commit", self._step)

    def _step(self, *_: object) -> None:
        self.count += 1
        if self.count == self._at:
            self._act()


def kill_ourselves() -> None:
    """As the kernel does when memory is short: nothing of ours runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(what: Callable[[], None]) -> int:
    """Run something in a process of its own; how it ended: 0, or minus the signal's number."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            what()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
