"""Work items: shards that everybody comes to alike, and what every dispatcher promises."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.evidence import Unavailable
from scorecard.model import Cadence, Cause, Repository, Service, ServiceKey, Spec
from scorecard.store import Store
from scorecard.store.codec import encode_answer
from scorecard.store.tables import observation
from scorecard.work import SHARD_SIZE, Dispatcher, InProcess, Item, members, plan_shards
from tests.conftest import Clock
from tests.store.fleet import LISTS, PERIODS, POLICY, Build, Fleet, Spread

# --- shards ----------------------------------------------------------------------------------------------------------

services_of_one_repository = st.lists(
    st.builds(
        lambda name, url: Service(name=name, spec=Spec(repositories=(Repository(url=url),) if url else ())),
        st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True),
        st.sampled_from(["", "https://example.net/mono", "https://example.net/b"]),
    ),
    unique_by=lambda service: service.key,
    max_size=250,
)


@given(services=services_of_one_repository, cadence=st.sampled_from(list(Cadence)))
def test_every_service_is_in_exactly_one_shard_and_no_shard_is_empty(services: list[Service], cadence: Cadence) -> None:
    shards = plan_shards(services, cadence)

    parts = [members(services, cadence.value, shard) for shard in shards]
    assert Counter(service.key for part in parts for service in part) == Counter(service.key for service in services)
    assert all(parts)


def test_live_shards_hold_about_a_hundred_services() -> None:
    services = [Service(name=f"s{number}") for number in range(10_000)]

    sizes = [len(members(services, "live", shard)) for shard in plan_shards(services, Cadence.LIVE)]

    assert len(sizes) == 10_000 / SHARD_SIZE
    assert max(sizes) < 2 * SHARD_SIZE


def test_services_of_one_repository_are_read_together() -> None:
    mono = Spec(repositories=(Repository(url="https://example.net/mono"),))
    services = [Service(name=f"s{number}", spec=mono) for number in range(300)]

    assert len(plan_shards(services, Cadence.SOURCE)) == 1


def test_the_shard_of_one_service_is_that_service() -> None:
    services = [Service(name="a"), Service(name="a", environment="staging")]

    assert members(services, "on-demand", "service:a@staging") == (services[1],)


# --- what every dispatcher promises ----------------------------------------------------------------------------------


class Start(Protocol):
    """Starts a dispatcher that runs items by a function."""

    def __call__(self, run: Callable[[Item], bool]) -> Dispatcher: ...


@pytest.fixture
def start() -> Iterator[Start]:
    """The dispatchers of a test, drained at its end."""
    started: list[Dispatcher] = []

    def start_one(run: Callable[[Item], bool]) -> Dispatcher:
        dispatcher = InProcess(run)
        started.append(dispatcher)
        return dispatcher

    yield start_one
    for dispatcher in started:
        dispatcher.drain(5)


def item(number: int = 1, shard: str = "0/1", cadence: str = "live") -> Item:
    return Item(number, cadence, shard)


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds; the bound is generous, the machine may be busy."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.005)


def test_every_item_runs_once(start: Start) -> None:
    ran: list[int] = []
    dispatcher = start(lambda each: ran.append(each.cycle_id) or True)

    for number in range(50):
        dispatcher.submit(item(number))
    until(lambda: len(ran) == 50)

    assert sorted(ran) == list(range(50))
    until(lambda: dispatcher.pending() == 0)


def test_an_item_that_waits_or_runs_is_not_taken_twice_and_afterwards_it_is(start: Start) -> None:
    go, ran = threading.Event(), []

    def run(each: Item) -> bool:
        ran.append(each)
        return go.wait(10)

    dispatcher = start(run)
    for _ in range(5):
        dispatcher.submit(item())
    until(lambda: len(ran) == 1)
    dispatcher.submit(item())
    go.set()
    until(lambda: dispatcher.pending() == 0)
    assert len(ran) == 1

    dispatcher.submit(item())

    until(lambda: len(ran) == 2)


@pytest.mark.parametrize("bug", [ValueError, SystemExit, MemoryError])
def test_an_item_that_raises_keeps_no_other_from_running(start: Start, bug: type[BaseException]) -> None:
    ran = []

    def run(each: Item) -> bool:
        if each.cycle_id % 2:
            raise bug
        ran.append(each.cycle_id)
        return True

    dispatcher = start(run)
    for number in range(10):
        dispatcher.submit(item(number, cadence="source"))

    until(lambda: len(ran) == 5)
    until(lambda: dispatcher.pending() == 0)


def test_an_item_for_later_waits_and_keeps_no_other_waiting(start: Start) -> None:
    ran: list[int] = []
    dispatcher = start(lambda each: ran.append(each.cycle_id) or True)

    dispatcher.submit(item(1, cadence="source"), after=0.5)
    dispatcher.submit(item(2, cadence="source"))
    until(lambda: len(ran) == 2)

    assert ran == [2, 1]


def test_one_lane_that_hangs_keeps_no_other_lane_waiting(start: Start) -> None:
    go, ran = threading.Event(), []

    def run(each: Item) -> bool:
        if each.cadence == "source":
            go.wait(10)
        else:
            ran.append(each.cadence)
        return True

    dispatcher = start(run)
    for number in range(10):
        dispatcher.submit(item(number, cadence="source"))
    for cadence in ("live", "platform", "on-demand"):
        dispatcher.submit(item(99, cadence=cadence))

    until(lambda: sorted(ran) == ["live", "on-demand", "platform"])
    go.set()


def test_draining_lets_what_runs_finish_and_claims_nothing_more(start: Start) -> None:
    go, begun, done = threading.Event(), [], []

    def run(each: Item) -> bool:
        begun.append(each.cycle_id)
        go.wait(10)
        done.append(each.cycle_id)
        return True

    dispatcher = start(run)
    for number in range(10):
        dispatcher.submit(item(number, cadence="platform"))
    until(lambda: len(begun) == 2)
    threading.Timer(0.2, go.set).start()

    assert dispatcher.drain(10)
    dispatcher.submit(item(77))

    assert sorted(done) == sorted(begun)
    assert len(begun) == 2


def test_draining_says_when_it_could_not_wait_that_long(start: Start) -> None:
    go = threading.Event()
    begun = threading.Event()

    def run(_: Item) -> bool:
        begun.set()
        return go.wait(10)

    dispatcher = start(run)
    dispatcher.submit(item())
    assert begun.wait(10)

    assert not dispatcher.drain(0.05)
    go.set()


# --- what a worker does ----------------------------------------------------------------------------------------------


@pytest.fixture
def fleet(open_a_store: Callable[..., Store], clock: Clock) -> Fleet:
    store = open_a_store(checklists=LISTS, policies={"default": POLICY}, periods=PERIODS)
    store.db.own()
    store.migrate()
    return Fleet(store, clock)


def test_a_measurement_of_one_row_asks_only_what_that_row_rests_on(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    shard = f"service:{service.key}"
    cycle = fleet.store.plan_on_demand((shard,), fleet.clock(), "ann", {"service": str(service.key), "row": "spread"})
    asked = [probe.asked for probe in fleet.probes]  # type: ignore[attr-defined]

    fleet.worker.run(Item(cycle, "on-demand", shard, fleet.store.cycle_detail(cycle)))

    assert [probe.asked - before for probe, before in zip(fleet.probes, asked, strict=True)] == [0, 1, 0]  # type: ignore[attr-defined]


def test_a_measurement_of_a_service_that_went_meanwhile_closes_its_cycle(fleet: Fleet) -> None:
    service = fleet.add("payments")
    cycle = fleet.store.plan_on_demand((f"service:{service.key}",), fleet.clock(), "ann", {})
    fleet.remove(service)

    assert fleet.worker.run(Item(cycle, "on-demand", f"service:{service.key}"))

    assert fleet.store.cycle(cycle).state == "done"  # type: ignore[union-attr]


def test_stored_evidence_that_cannot_be_read_is_no_data_and_never_a_guess(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    bad = [
        "",
        "{",
        "[]",
        "null",
        "7",
        '{"schema":99,"evidence":{}}',
        '{"schema":1,"evidence":{"zones":"many"}}',
        '{"x":1}',
    ]
    for text in bad:
        with fleet.store.db.write() as connection:
            connection.execute(
                observation.update().where(observation.c.kind == "Spread").values(value=text, digest="", window=b"junk")
            )

        seen = fleet.store.seen(service.key)

        value = seen.observations[Spread].value
        assert isinstance(value, Unavailable), text
        assert value.cause is Cause.NO_DATA
        assert Spread not in seen.windows
        assert seen.observations[Build].value == Build(steps=3, note="why")
        assert fleet.store.document(service.key, "main", fleet.clock()) is not None


def test_what_is_stored_is_read_back_as_it_was(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.refuse(service.key, Spread, Unavailable(Cause.RATE_LIMITED, "429", count=3))
    fleet.run()

    seen = fleet.store.seen(ServiceKey("payments"))

    assert seen.observations[Spread].value == Unavailable(Cause.RATE_LIMITED, "429", count=3)
    assert '"schema":1' in encode_answer(Build(steps=1))
