"""Questions that take time: a run asks, and an item of its own looks for the answer, so that no thread waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

import pytest

from scorecard.evidence import Answer, Evidence
from scorecard.model import Cadence, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.run import Runner
from scorecard.store import Store
from scorecard.telemetry import Telemetry
from scorecard.work import Item, Worker, items
from tests.conftest import Clock
from tests.store.fleet import LISTS, PERIODS, POLICY, Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited(Evidence):
    """What is asked in one run and answered in a later one."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM

    due: datetime | None = None

    @property
    def answered_at(self) -> datetime | None:
        return self.due


@dataclass
class Slow:
    """Asks, and has the answer of whoever was asked a minute later."""

    clock: Clock
    name: str = "slow"
    answers: type[Evidence] = Awaited
    needs: tuple[type[Evidence], ...] = ()
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        for each in services:
            self.asked.append((each.name, upstream.again))
            wait = each.name != "quick" and not upstream.again
            yield each.key, Awaited(due=self.clock() + timedelta(seconds=60) if wait else None)


@pytest.fixture
def slow(open_a_store: Callable[..., Store], clock: Clock) -> tuple[Fleet, Slow, list[tuple[Item, float]]]:
    """Two services, of which one answers in time; the probe; and what is to run later."""
    store = open_a_store(checklists=LISTS, policies={"default": POLICY}, periods=PERIODS)
    store.db.own()
    store.migrate()
    fleet = Fleet(store, clock)
    fleet.enrol("quick")
    fleet.enrol("patient")
    fleet.sync()
    probe, later = Slow(clock), []
    fleet.runner = Runner((*fleet.probes, probe), clock=clock, telemetry=Telemetry(), pause=lambda _: None)
    fleet.worker = Worker(
        store, lambda: fleet.runner, clock, Telemetry(), later=lambda item, after: later.append((item, after))
    )
    return fleet, probe, later


def test_a_question_that_takes_time_gets_an_item_of_its_own_that_looks_for_its_answer(
    slow: tuple[Fleet, Slow, list[tuple[Item, float]]],
) -> None:
    fleet, probe, later = slow
    planned = fleet.store.plan(Cadence.PLATFORM, 1, ("all",), fleet.clock())
    assert planned
    assert fleet.worker.run(Item(planned.id, "platform", "all"))
    ((second, after),) = later
    assert 60 <= after < 61
    probe.asked.clear()

    assert not fleet.worker.run(second)
    assert probe.asked == []
    fleet.clock.forward(seconds=61)
    assert fleet.worker.run(second)

    assert probe.asked == [("patient", True)]
    assert len(later) == 1
    assert fleet.store.unfinished() == ()


def test_a_second_look_that_was_lost_is_taken_up_from_the_store(
    slow: tuple[Fleet, Slow, list[tuple[Item, float]]],
) -> None:
    fleet, probe, later = slow
    planned = fleet.store.plan(Cadence.PLATFORM, 1, ("all",), fleet.clock())
    assert planned
    fleet.worker.run(Item(planned.id, "platform", "all"))
    later.clear()
    probe.asked.clear()
    fleet.clock.forward(seconds=61)

    (left,) = fleet.store.unfinished()
    for each in items(left):
        fleet.worker.run(each)

    assert probe.asked == [("patient", True)]


def test_a_run_without_an_open_question_plans_nothing(slow: tuple[Fleet, Slow, list[tuple[Item, float]]]) -> None:
    fleet, _, later = slow
    fleet.services = [each for each in fleet.services if each.name == "quick"]
    fleet.sync()
    planned = fleet.store.plan(Cadence.PLATFORM, 1, ("all",), fleet.clock())
    assert planned

    fleet.worker.run(Item(planned.id, "platform", "all"))

    assert later == []
    assert fleet.store.unfinished() == ()
