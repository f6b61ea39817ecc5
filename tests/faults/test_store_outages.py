"""The database goes away, or is full, or nobody beats: nothing acknowledged is lost, nothing old is called a go."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from scorecard.model import Cadence, Status, Verdict
from scorecard.schedule import Planner, Retention, Scheduler
from scorecard.store import Store, open_store
from scorecard.work import InProcess, Item
from tests import postgres
from tests.conftest import START, Clock
from tests.faults.stories import Steps, Story, opened, told
from tests.store.fleet import LISTS, PERIODS, POLICY, Fleet, Ping

# --- PostgreSQL stops ------------------------------------------------------------------------------------------------


@pytest.fixture
def own_cluster(program: Callable[[str], str]) -> Iterator[postgres.Cluster]:
    """A PostgreSQL of this test, that it may stop."""
    with postgres.cluster(Path(program("initdb"))) as running:
        yield running


def retried(what: Callable[[], object]) -> None:
    """As the reconciler does: what failed is done again, under the same key."""
    for _ in range(20):
        try:
            what()
        except SQLAlchemyError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the store did not come back")


def stopped_often(cluster: postgres.Cluster, stops: int) -> None:
    with cluster.database() as url:
        store = opened(url)
        store.migrate()
        steps = Steps(store, 0, lambda: None)
        Story(store).live()
        expected, count = told(store), steps.count
        store.close()
    stopped = 0
    for number in range(stops):
        with cluster.database() as url:
            store = opened(url)
            store.migrate()
            at = 1 + (number * count) // stops + number % 3

            def stop() -> None:
                nonlocal stopped
                stopped += 1
                cluster.stop("immediate")
                cluster.start()

            Steps(store, at, stop)
            for step in Story(store).steps():
                retried(step)
            assert told(store) == expected, f"stopped at step {at}"
            store.close()
    assert stopped == stops


@pytest.mark.postgres
def test_what_was_acknowledged_is_stored_when_postgres_stops_in_mid_transaction(own_cluster: postgres.Cluster) -> None:
    stopped_often(own_cluster, 2)


@pytest.mark.postgres
@pytest.mark.faults
def test_what_was_acknowledged_is_stored_when_postgres_stops_in_mid_transaction_fifteen_times(
    own_cluster: postgres.Cluster,
) -> None:
    stopped_often(own_cluster, 15)


@pytest.mark.postgres
def test_a_store_that_is_away_is_not_ready_and_comes_back_without_a_restart(own_cluster: postgres.Cluster) -> None:
    with own_cluster.database() as url:
        store = opened(url)
        store.migrate()
        Story(store).live()
        before = told(store)
        own_cluster.stop("immediate")

        assert store.ready() != ""
        assert store.settle_if_possible(START + timedelta(days=1)) != ""
        with pytest.raises(SQLAlchemyError):
            store.decision(Story(store).fleet.enrol("payments").key, START)
        own_cluster.start()

        assert store.ready() == ""
        assert told(store) == before
        store.close()


# --- the disk is full ------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    assert mount
    command = [mount, "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run([shutil.which("umount") or "umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no byte free; the file that took them."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        block = b"x" * 4096
        try:
            while True:
                file.write(block)
        except OSError:
            pass
    return path


class Beating:
    """A planner that works its own items."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.monotonic = 1000.0
        self.items: list[Item] = []
        self.planner = Planner(
            fleet.store,
            self,
            retention=lambda: Retention(samples=timedelta(days=2), history=timedelta(days=400)),
            clock=fleet.clock,
            telemetry=fleet.telemetry,
            monotonic=lambda: self.monotonic,
        )

    def submit(self, item: Item, *, after: float = 0.0) -> None:
        del after
        if item not in self.items:
            self.items.append(item)

    def pending(self) -> int:
        return len(self.items)

    def drain(self, timeout: float) -> bool:
        del timeout
        return True

    def go(self, seconds: float = 60) -> int:
        """Let time go by, tick and work; how many items the store did not take."""
        self.monotonic += seconds
        self.fleet.clock.forward(seconds=seconds)
        self.planner.tick()
        failed, todo, self.items = 0, self.items, []
        for item in todo:
            try:
                self.fleet.worker.run(item)
            except SQLAlchemyError:
                failed += 1
        return failed


def test_a_full_disk_is_told_invents_nothing_and_goes_on_without_a_restart_when_there_is_room(small_disk: Path) -> None:
    fleet = Fleet(opened(f"sqlite:///{small_disk / 'scorecard.db'}"), Clock(START))
    fleet.store.migrate()
    payments = fleet.add("payments")
    for number in range(30):
        fleet.enrol(f"s{number:02}")
    fleet.sync()
    beating = Beating(fleet)
    assert beating.go() == 0
    stored = told(fleet.store)
    # Close to full, the log of the database keeps a reserve of its own: more is written until that is used up as well.
    filler = fill(small_disk)
    for service in fleet.services:
        fleet.tell(service.key, Ping(ok=False))
    troubles = []
    for _ in range(40):
        beating.go()
        troubles.append(beating.planner.last_error or fleet.store.db.trouble)
        for service in fleet.services:
            fleet.tell(service.key, Ping(ok=len(troubles) % 2 == 0))

    assert "full" in troubles[-1]
    assert "full" in fleet.store.ready()
    assert "full" in fleet.store.settle_if_possible(fleet.clock() + timedelta(days=1))
    now = fleet.clock() + timedelta(hours=1)
    assert fleet.store.decision(payments.key, now).verdict is Verdict.CANNOT_TELL
    found = fleet.store.summary(payments.key, "main", now)
    assert found is not None
    assert (found.verdict, dict(found.rows)["alive"]) == (Verdict.CANNOT_TELL, Status.UNKNOWN)
    assert set(stored["events"]) <= set(told(fleet.store)["events"])

    filler.unlink()
    for service in fleet.services:
        fleet.tell(service.key, Ping(ok=True))

    assert fleet.store.ready() == ""
    for _ in range(3):
        beating.go()
    assert beating.go() == 0
    assert beating.planner.last_error == ""
    fleet.store.forget()
    assert dict(fleet.store.summary(payments.key, "main", fleet.clock()).rows)["alive"] is Status.PASS  # type: ignore[union-attr]
    cycles = [each for each in fleet.store.cycles(500) if each.cadence == "live"]
    assert [each.state for each in cycles].count("running") == 0
    with fleet.store.db.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    fleet.store.close()


# --- nobody beats ----------------------------------------------------------------------------------------------------


def nobody(fleet: Fleet) -> None:
    """The scheduler is dead."""


def never_worked(fleet: Fleet) -> None:
    """The workers are killed: what is planned is never done."""
    beating = Beating(fleet)
    for _ in range(20):
        beating.monotonic += 60
        fleet.clock.forward(seconds=60)
        beating.planner.tick()


def hanging_workers(fleet: Fleet) -> None:
    """Every worker hangs."""
    dispatcher = InProcess(lambda _: bool(time.sleep(2)))
    for item in fleet.plan(Cadence.LIVE):
        dispatcher.submit(item)
    dispatcher.drain(0)


def raising_ticks(fleet: Fleet) -> None:
    """Every tick raises."""
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(1)
        raise RuntimeError("a bug")

    beat(fleet, tick, lambda: bool(ticks))


def hanging_ticks(fleet: Fleet) -> None:
    """The beat is deadlocked."""
    begun: list[int] = []

    def tick() -> None:
        begun.append(1)
        time.sleep(2)

    beat(fleet, tick, lambda: bool(begun))


def beat(_: Fleet, tick: Callable[[], None], begun: Callable[[], bool]) -> None:
    scheduler = Scheduler(tick)
    scheduler.start()
    end = time.monotonic() + 20
    while not begun():
        assert time.monotonic() < end
        time.sleep(0.01)
    scheduler.stop()


@pytest.mark.parametrize("trouble", [nobody, never_worked, hanging_workers, raising_ticks, hanging_ticks])
def test_whatever_keeps_us_from_measuring_health_says_late_and_no_old_go_stands(
    tmp_path: Path, trouble: Callable[[Fleet], None]
) -> None:
    fleet = Fleet(opened(f"sqlite:///{tmp_path / 'scorecard.db'}"), Clock(START))
    fleet.store.migrate()
    service = fleet.add("payments")
    fleet.run()
    assert fleet.store.decision(service.key, START).verdict is Verdict.GO

    trouble(fleet)
    fleet.clock.at = START

    late = fleet.until(minutes=3, seconds=1)
    assert Cadence.LIVE in fleet.store.health(late).late
    now = fleet.until(minutes=12)
    for _ in ("only read", "written down"):
        fleet.store.forget()
        assert fleet.store.decision(service.key, now).verdict is Verdict.CANNOT_TELL
        assert fleet.store.summary(service.key, "main", now).verdict is Verdict.CANNOT_TELL  # type: ignore[union-attr]
        assert fleet.store.metric_rows(now).rows[0].verdict is Verdict.CANNOT_TELL
        assert fleet.store.document(service.key, "main", now)["gate"]["verdict"] == "cannot-tell"  # type: ignore[index]
        fleet.store.settle(now)
    fleet.store.close()


def test_the_store_of_a_reader_who_may_not_write_says_what_expired(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'scorecard.db'}"
    writer = opened(url)
    writer.migrate()
    fleet = Fleet(writer, Clock(START))
    service = fleet.add("payments")
    fleet.run()
    reader: Store = open_store(url, checklists=LISTS, policies={"default": POLICY}, periods=PERIODS)
    now = START + timedelta(minutes=15)

    assert reader.settle_if_possible(now) == "another process writes to this store"
    assert reader.summary(service.key, "main", now).verdict is Verdict.CANNOT_TELL  # type: ignore[union-attr]
    reader.close()
    writer.close()
