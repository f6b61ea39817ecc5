"""The beat: what is due is decided on the monotonic clock, once for everybody, whatever the wall clock does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from scorecard.model import Cadence
from scorecard.schedule import Planner, Retention, Scheduler, periods
from scorecard.store import Store
from scorecard.work import Item
from tests.conftest import START, Clock
from tests.store.fleet import LISTS, PERIODS, POLICY, Fleet


class Hand:
    """A dispatcher by hand: it keeps what was submitted."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.after: list[float] = []

    def submit(self, item: Item, *, after: float = 0.0) -> None:
        if item not in self.items:
            self.items.append(item)
            self.after.append(after)

    def pending(self) -> int:
        return len(self.items)

    def drain(self, timeout: float) -> bool:
        del timeout
        return True


class Ticking:
    """A planner with both of its clocks in hand."""

    def __init__(self, fleet: Fleet, monotonic: float = 1000.0) -> None:
        self.fleet = fleet
        self.hand = Hand()
        self.monotonic = monotonic
        self.planner = Planner(
            fleet.store,
            self.hand,
            retention=lambda: Retention(samples=timedelta(days=2), history=timedelta(days=400)),
            clock=fleet.clock,
            telemetry=fleet.telemetry,
            monotonic=lambda: self.monotonic,
        )

    def tick(self, seconds: float = 0.0, *, wall: float | None = None) -> None:
        """Let time go by, on the wall as well unless said otherwise, and tick."""
        self.monotonic += seconds
        self.fleet.clock.forward(seconds=seconds if wall is None else wall)
        self.planner.tick()

    def work(self) -> None:
        """Run everything that was submitted."""
        todo, self.hand.items, self.hand.after = self.hand.items, [], []
        for item in todo:
            self.fleet.worker.run(item)

    def cycles(self, cadence: Cadence = Cadence.LIVE) -> list[tuple[int, str]]:
        return [(each.tick, each.state) for each in self.fleet.store.cycles(1000) if each.cadence == cadence.value][
            ::-1
        ]


@pytest.fixture
def fleet(open_a_store: Callable[..., Store], clock: Clock) -> Fleet:
    store = open_a_store(checklists=LISTS, policies={"default": POLICY}, periods=PERIODS)
    store.db.own()
    store.migrate()
    made = Fleet(store, clock)
    made.add("payments")
    return made


@pytest.fixture
def ticking(fleet: Fleet) -> Ticking:
    return Ticking(fleet)


def test_the_first_tick_plans_every_cadence_at_once(ticking: Ticking) -> None:
    ticking.tick()

    assert sorted(item.cadence for item in ticking.hand.items) == ["live", "platform", "source"]
    assert set(ticking.hand.after) == {0.0}


def test_a_cadence_is_planned_once_in_its_period(ticking: Ticking) -> None:
    ticking.tick()
    ticking.work()
    for _ in range(600):
        ticking.tick(1)
        ticking.work()

    assert ticking.cycles() == [(number, "done") for number in range(1, 12)]
    assert ticking.cycles(Cadence.PLATFORM) == [(1, "done")]
    assert timedelta(0) <= ticking.planner.next_run(Cadence.LIVE) <= timedelta(seconds=60)


def test_an_overrun_is_skipped_and_counted_and_never_piles_up(ticking: Ticking) -> None:
    ticking.tick()
    for _ in range(3):
        ticking.tick(60)
    assert ticking.cycles() == [(1, "running"), (2, "skipped"), (3, "skipped"), (4, "skipped")]
    assert len([item for item in ticking.hand.items if item.cadence == "live"]) == 1
    counted = ticking.fleet.telemetry.registry.get_sample_value("scorecard_runs_skipped_total", {"cadence": "live"})
    assert counted == 3

    ticking.work()
    ticking.tick(60)

    assert ticking.cycles()[-1] == (5, "running")
    assert ticking.fleet.store.health(ticking.fleet.clock()).skipped == 3


@pytest.mark.parametrize("jump", [-3600, 10 * 365 * 86400], ids=["back an hour", "forward ten years"])
def test_a_clock_that_jumps_delays_no_run(ticking: Ticking, jump: float) -> None:
    ticking.tick()
    ticking.work()
    for _ in range(3):
        ticking.tick(60)
        ticking.work()
    ticking.tick(1, wall=jump)
    ticking.work()
    for _ in range(3):
        ticking.tick(60)
        ticking.work()

    assert ticking.cycles() == [(number, "done") for number in range(1, 8)]


def test_after_a_clock_went_forward_ten_years_and_back_the_scorecard_is_right_again(ticking: Ticking) -> None:
    ticking.tick()
    ticking.work()
    (service,) = ticking.fleet.services
    forward = 10 * 365 * 86400.0
    ticking.tick(1, wall=forward)
    ticking.tick(60, wall=-forward + 60)
    ticking.work()
    ticking.planner.soon()
    ticking.tick(1)
    ticking.work()

    store, now = ticking.fleet.store, ticking.fleet.clock()
    store.forget()
    assert store.summary(service.key, "main", now).score == 91.3  # type: ignore[union-attr]
    assert store.document(service.key, "main", now)["score"] == 91.3  # type: ignore[index]


def test_two_planners_share_every_tick_exactly_once(fleet: Fleet) -> None:
    first, second = Ticking(fleet, 1000.0), Ticking(fleet, 777_000.3)
    done: list[Item] = []
    for step in range(48 * 6):
        order = (first, second) if step % 3 else (second, first)
        order[0].tick(10)
        order[1].tick(10, wall=0)
        for each in (first, second):
            done += [item for item in each.hand.items if item.cadence == "live"]
            if each.hand.items:
                each.work()

    ticks = first.cycles()
    assert ticks == [(number, "done") for number in range(1, len(ticks) + 1)]
    assert 48 <= len(ticks) <= 50
    assert {item.cycle_id for item in done} == {each.id for each in fleet.store.cycles(100) if each.cadence == "live"}


def test_planners_that_tick_at_the_same_time_plan_a_tick_once(fleet: Fleet) -> None:
    both = [Ticking(fleet, 1000.0), Ticking(fleet, 5000.0)]
    for _ in range(10):
        barrier = threading.Barrier(2)

        def tick(each: Ticking, barrier: threading.Barrier = barrier) -> None:
            each.monotonic += 60
            barrier.wait()
            each.planner.tick()

        threads = [threading.Thread(target=tick, args=(each,)) for each in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for each in both:
            each.work()

    cycles = both[0].cycles()
    assert [tick for tick, _ in cycles] == list(range(1, len(cycles) + 1))
    assert {each.planner.last_error for each in both} == {""}
    done = [tick for tick, state in cycles if state == "done"]
    assert len(done) >= 10


def test_what_a_crash_left_without_a_result_is_taken_up_again(fleet: Fleet) -> None:
    crashed = Ticking(fleet)
    crashed.tick()
    restarted = Ticking(fleet)

    for _ in range(70):
        restarted.tick(10)

    assert {(item.cadence, item.shard) for item in restarted.hand.items} == {
        (item.cadence, item.shard) for item in crashed.hand.items
    }
    restarted.work()
    assert restarted.cycles()[0] == (1, "done")


def test_what_is_unfinished_is_taken_up_at_once_where_nobody_else_can_be_at_it(fleet: Fleet) -> None:
    Ticking(fleet).tick()
    joined = Ticking(fleet)

    joined.tick(1)

    alone = fleet.store.db.sqlite
    assert len(joined.hand.items) == (3 if alone else 0)
    assert joined.cycles() == [(1, "running")]


def test_a_restart_measures_nothing_again_before_it_is_due(fleet: Fleet) -> None:
    before = Ticking(fleet)
    before.tick()
    before.work()
    restarted = Ticking(fleet, 50.0)

    restarted.tick(20)
    assert restarted.hand.items == []
    restarted.tick(39)
    assert restarted.hand.items == []
    restarted.tick(1)

    assert [item.cadence for item in restarted.hand.items] == ["live"]


def test_a_restart_with_a_new_service_measures_at_once(fleet: Fleet) -> None:
    before = Ticking(fleet)
    before.tick()
    before.work()
    fleet.add("ledger")

    restarted = Ticking(fleet, 50.0)
    restarted.tick(1)

    assert sorted(item.cadence for item in restarted.hand.items) == ["live", "platform", "source"]


def test_a_cycle_whose_shards_all_have_results_is_closed_by_the_reconciler(ticking: Ticking) -> None:
    ticking.tick()
    ticking.work()
    with ticking.fleet.store.db.write() as connection:
        connection.execute(text("UPDATE cycle SET state = 'running', finished_at = NULL WHERE cadence = 'live'"))

    ticking.tick(31)

    assert ticking.cycles()[0] == (1, "done")


def test_measuring_on_demand_goes_at_once_and_waits_for_no_cadence(ticking: Ticking) -> None:
    ticking.tick()
    ticking.hand.items.clear()
    (service,) = ticking.fleet.services

    cycle = ticking.planner.measure(service.key, "spread", "ann")
    again = ticking.planner.measure(service.key, None, "bob")

    assert again == cycle + 1
    assert [(item.cycle_id, item.shard, item.detail["row"]) for item in ticking.hand.items] == [
        (cycle, "service:payments", "spread"),
        (again, "service:payments", ""),
    ]
    ticking.work()
    assert [ticking.fleet.store.cycle(each).state for each in (cycle, again)] == ["done", "done"]  # type: ignore[union-attr]


def test_a_changed_catalogue_is_measured_at_the_next_tick(ticking: Ticking) -> None:
    ticking.tick()
    ticking.work()

    ticking.planner.soon()
    ticking.tick(1)

    assert sorted(item.cadence for item in ticking.hand.items) == ["live", "platform", "source"]


def test_later_cycles_are_spread_over_half_of_their_period(ticking: Ticking) -> None:
    for number in range(250):
        ticking.fleet.enrol(f"s{number}")
    ticking.fleet.sync()
    ticking.tick()
    ticking.work()

    ticking.tick(60)

    assert len(ticking.hand.after) == 3
    assert ticking.hand.after == [0.0, 10.0, 20.0]


def test_a_catalogue_without_services_plans_empty_cycles_that_are_done(ticking: Ticking) -> None:
    ticking.fleet.remove(ticking.fleet.services[0])

    ticking.tick()

    assert ticking.hand.items == []
    assert ticking.cycles() == [(1, "done")]


def test_a_tick_writes_down_what_expired(ticking: Ticking) -> None:
    ticking.tick()
    ticking.work()
    (service,) = ticking.fleet.services

    ticking.tick(1, wall=16 * 60)

    newest = ticking.fleet.store.changes(checklist="main", key=service.key, limit=1)
    assert [each.cause for each in newest] == ["expiry"]
    assert newest[0].at == START + timedelta(minutes=15)


def test_a_store_that_does_not_take_what_is_due_is_told_and_tried_again(ticking: Ticking) -> None:
    store = ticking.fleet.store
    ticking.tick()
    ticking.work()
    with store.db.write() as connection:
        connection.execute(text("ALTER TABLE cycle RENAME TO cycle_away"))

    ticking.tick(61)
    assert "cycle" in ticking.planner.last_error
    with store.db.write() as connection:
        connection.execute(text("ALTER TABLE cycle_away RENAME TO cycle"))
    ticking.tick(1)

    assert ticking.planner.last_error == ""
    assert ticking.cycles()[-1] == (2, "running")


def test_the_house_is_kept_once_an_hour(ticking: Ticking) -> None:
    ticking.tick()
    ticking.work()
    for _ in range(4):
        ticking.tick(86400)
        ticking.work()

    assert [tick for tick, _ in ticking.cycles()] == [3, 4, 5]


# --- the thread ------------------------------------------------------------------------------------------------------


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.01)


def test_the_scheduler_ticks_and_outlives_a_tick_that_raises_and_stops() -> None:
    ticks = []

    def tick() -> None:
        ticks.append(time.monotonic())
        raise ValueError("a bug")

    scheduler = Scheduler(tick)
    scheduler.start()
    until(lambda: len(ticks) >= 3)
    scheduler.stop()
    count = len(ticks)
    time.sleep(1.2)

    assert len(ticks) == count


def test_a_scheduler_that_was_never_started_stops() -> None:
    Scheduler(lambda: None).stop()


def test_a_tick_that_hangs_is_told_by_the_silence() -> None:
    go = threading.Event()
    scheduler = Scheduler(lambda: go.wait(20) and None)
    scheduler.start()

    until(lambda: scheduler.silent_for > 0.5)

    go.set()
    until(lambda: scheduler.silent_for < 0.5)
    scheduler.stop()


def test_periods_are_read_by_cadence() -> None:
    assert periods({"live": timedelta(seconds=5)}) == {Cadence.LIVE: timedelta(seconds=5)}
