"""Fixtures that many tests share. A skip with CI=true is a failure."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scorecard import logging
from scorecard.app import checklists
from scorecard.config import load_config
from scorecard.model import Cadence, GatePolicy
from scorecard.registry import installed
from scorecard.store import Store, open_store
from tests import postgres

START = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


LONGEST = ("tests/demo/", "tests/site/test_browser.py")
"""What is begun first, so that no worker is left alone with it at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the others in their order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any):  # noqa: ANN201, ANN401 - pytest-xdist's hook, untyped
    """A file is one worker's, so that its servers start once; all that ask the demo share one.

    Groups by mark do nothing with pytest 9.2 and pytest-xdist 3.8: the name of the group does not reach the scheduler.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "demo" if nodeid.startswith("tests/demo/") else nodeid.partition("::")[0]

    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # noqa: ANN201, ARG001 - pytest's hook
    report = yield
    # Hostile text gets into what a test logs, and a lone surrogate ends the worker that has to send it.
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as a failure with CI=true: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def log_lines() -> None:
    """Our log lines as the server writes them, and away from what a test prints: JSON, ASCII, no local variables."""
    logging.configure(stream=io.StringIO())


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """The path of a real program from Debian's packages; the test is skipped where it is not installed."""

    def find(name: str) -> str:
        path = shutil.which(name) or shutil.which(name, path="/usr/lib/postgresql/15/bin:/usr/sbin")
        if path is None:
            pytest.skip(f"{name} is not installed; as root, make test installs it")
        return path

    return find


class Clock:
    """A wall clock that a test sets."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **delta: float) -> datetime:
        self.at += timedelta(**delta)
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def cluster(program: Callable[[str], str]) -> Iterator[postgres.Cluster]:
    """A running PostgreSQL of this session."""
    with postgres.cluster(Path(program("initdb"))) as running:
        yield running


@pytest.fixture(scope="session")
def template(cluster: postgres.Cluster) -> str:
    """A database with the store's tables, to copy."""
    cluster.execute("CREATE DATABASE with_tables")
    made = open_store(cluster.url("with_tables"), checklists={}, policies={}, periods={})
    made.migrate()
    made.close()
    return "with_tables"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a store of the test's own, in each kind of database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'scorecard.db'}"
        return
    running: postgres.Cluster = request.getfixturevalue("cluster")
    with running.database(request.getfixturevalue("template")) as url:
        yield url


@pytest.fixture
def open_a_store(store_url: str) -> Iterator[Callable[..., Store]]:
    """Opens stores on the test's one database, with the shipped checklists; they are closed at the end."""
    opened: list[Store] = []
    used = checklists(load_config(None, {}), installed())

    def open_one(**changes: Any) -> Store:  # noqa: ANN401 - the options of open_store
        options = {
            "checklists": used,
            "policies": {"default": GatePolicy()},
            "periods": {
                Cadence.LIVE: timedelta(seconds=60),
                Cadence.PLATFORM: timedelta(minutes=15),
                Cadence.SOURCE: timedelta(hours=24),
            },
            **changes,
        }
        store = open_store(store_url, **options)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_a_store: Callable[..., Store]) -> Store:
    """A store of our own, with its tables made."""
    store = open_a_store()
    store.db.own()
    store.migrate()
    return store
