"""kill -9 after any step of the store: exactly one result for each run, service and check."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from scorecard.model import Cadence
from scorecard.schedule import Planner, Retention
from scorecard.store import StoreError
from scorecard.work import InProcess
from tests import postgres
from tests.faults.stories import SERVICES, Steps, Story, in_child, kill_ourselves, opened, told
from tests.store.fleet import LISTS

Fresh = Callable[[], AbstractContextManager[str]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """A new store with its tables, in each kind of database; its address."""

    @contextmanager
    def file() -> Iterator[str]:
        empty, used = tmp_path / "empty.db", tmp_path / "used.db"
        if not empty.exists():
            store = opened(f"sqlite:///{empty}")
            store.migrate()
            store.close()
        for old in tmp_path.glob("used.db*"):
            old.unlink()
        shutil.copy(empty, used)
        yield f"sqlite:///{used}"

    if request.param == "sqlite":
        return file
    running: postgres.Cluster = request.getfixturevalue("cluster")
    template: str = request.getfixturevalue("template")
    return lambda: running.database(template)


def undisturbed(fresh: Fresh) -> tuple[int, dict[str, list[tuple[object, ...]]]]:
    """How many steps the story takes, and what it comes to."""
    with fresh() as url:
        store = opened(url)
        steps = Steps(store, 0, kill_ourselves)
        Story(store).live()
        count = steps.count
        result = told(store)
        store.close()
    return count, result


def killed_at(url: str, step: int) -> int:
    """Live the story in a process that is killed at a step."""

    def child() -> None:
        store = opened(url)
        Steps(store, step, kill_ourselves)
        Story(store).live()

    return in_child(child)


def after_every(fresh: Fresh, stride: int) -> None:
    steps, expected = undisturbed(fresh)
    assert steps > 100
    assert len(expected["findings"]) == 10 * len(SERVICES)
    for step in range(1, steps + 1, stride):
        with fresh() as url:
            assert killed_at(url, step) == -signal.SIGKILL
            store = opened(url)
            Story(store).live()
            assert told(store) == expected, f"killed at step {step}"
            store.close()


def test_a_kill_after_a_few_steps_loses_and_doubles_nothing(fresh: Fresh) -> None:
    after_every(fresh, 41)


@pytest.mark.faults
def test_a_kill_after_any_step_loses_and_doubles_nothing(fresh: Fresh) -> None:
    after_every(fresh, 1)


def test_a_killed_writer_lets_another_one_write(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'one.db'}"
    store = opened(url)
    store.migrate()
    with pytest.raises(StoreError, match="has a writing process already"):
        opened(url)
    store.close()

    def child() -> None:
        opened(url)
        kill_ourselves()

    assert in_child(child) == -signal.SIGKILL
    opened(url).close()


# --- two schedulers --------------------------------------------------------------------------------------------------

FASTER = 100
"""The planners' monotonic clock runs this many times as fast as ours: a period of a minute is over in 0.6 s."""


def beat(url: str, seconds: float) -> None:
    """A scheduler with its workers, for a while."""
    store = opened(url)
    story = Story(store)
    for name in SERVICES:
        story.fleet.enrol(name)
    dispatcher = InProcess(story.fleet.worker.run)
    planner = Planner(
        store,
        dispatcher,
        retention=lambda: Retention(samples=timedelta(days=2), history=timedelta(days=400)),
        clock=story.fleet.clock,
        telemetry=story.fleet.telemetry,
        monotonic=lambda: time.monotonic() * FASTER,
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        planner.tick()
        time.sleep(0.01)
    dispatcher.drain(20)


def two_of_which_one_is_killed(url: str, after: float) -> None:
    store = opened(url)
    Story(store)._begin()
    store.close()
    child = os.fork()
    if child == 0:
        try:
            beat(url, 30)
        finally:
            os._exit(1)
    survivor = os.fork()
    if survivor == 0:
        status = 1
        try:
            beat(url, 3)
            status = 0
        finally:
            os._exit(status)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    _, status = os.waitpid(survivor, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    check_once(url)


def check_once(url: str) -> None:
    """Whatever was planned was planned once, and had its effect once."""
    store = opened(url)
    found = told(store)
    live = sorted((tick, state) for cadence, tick, state, _ in found["cycles"] if cadence == Cadence.LIVE.value)
    assert [tick for tick, _ in live] == list(range(1, len(live) + 1))
    assert len(live) >= 2
    assert all(state != "running" for _, state in live[:-1])
    done = [(cadence, tick) for cadence, tick, state, _ in found["cycles"] if state == "done"]
    shards = [(cadence, tick) for cadence, tick, *_ in found["shards"]]
    assert len(shards) == len(set(shards))
    assert set(done) <= set(shards)
    assert sum(runs for *_, runs, _, _ in found["hours"]) == len(shards)
    transitions = Counter((*each[:4], each[5], each[6]) for each in found["events"] if each[2])
    assert set(transitions.values()) == {1}
    begun = Counter(each[:4] for each in transitions if not each[4])
    assert len(begun) == 4 * len(LISTS) * len(SERVICES)
    assert set(begun.values()) == {1}
    store.close()


@pytest.mark.postgres
def test_two_schedulers_of_which_one_is_killed_do_everything_once(cluster: postgres.Cluster, template: str) -> None:
    with cluster.database(template) as url:
        two_of_which_one_is_killed(url, 0.7)


@pytest.mark.postgres
@pytest.mark.faults
def test_two_schedulers_of_which_one_is_killed_do_everything_once_forty_times(
    cluster: postgres.Cluster, template: str
) -> None:
    for number in range(40):
        with cluster.database(template) as url:
            two_of_which_one_is_killed(url, 0.3 + number * 0.03)
