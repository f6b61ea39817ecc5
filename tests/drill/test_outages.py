"""The scratch server dies, or its disk is full: that is told as such, and nothing is left once the server is back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from scorecard.drill.report import Result
from tests.drill.conftest import Shop
from tests.postgres import Cluster

pytestmark = pytest.mark.postgres

ROWS = [{"rows": {"table": "orders", "at_least": 20_000}}]
SLEEP = "SELECT pg_catalog.pg_sleep(20);\n"
TRAILER = "--\n-- PostgreSQL database dump complete"


@pytest.fixture(scope="module")
def slow(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slow") / "slow.sql"
    path.write_text((shop.folder / "shop.sql").read_text().replace(TRAILER, f"{SLEEP}{TRAILER}"))
    return path


def when_restoring(running: Cluster, then: Callable[[int], object]) -> threading.Thread:
    """Do something to the process that restores, as soon as there is one."""

    def look() -> None:
        query = "SELECT pid FROM pg_stat_activity WHERE datname ~ '^drill_' AND query ~ 'pg_sleep'"
        for _ in range(600):
            with psycopg.connect(running.url("postgres")) as connection:
                row = connection.execute(query).fetchone()
            if row is not None:
                then(row[0])
                return
            time.sleep(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    return thread


def test_a_process_of_the_server_that_is_killed_in_mid_restore_is_told_and_the_database_is_dropped(
    other: Shop, slow: Path
) -> None:
    killer = when_restoring(other.cluster, lambda pid: os.kill(pid, signal.SIGKILL))
    report = other.drill(slow, verifications=ROWS, amcheck="off")
    killer.join()
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "server-lost"), report.message
    assert report.steps[-1].ok, report.steps[-1].detail
    assert other.left_behind() == []


def test_a_server_that_is_killed_in_mid_restore_is_told_and_the_next_drill_drops_what_is_left(
    other: Shop, slow: Path
) -> None:
    killer = when_restoring(other.cluster, lambda _: other.cluster.stop("immediate"))
    report = other.drill(slow, verifications=ROWS, amcheck="off", patience=0.5)
    killer.join()
    other.cluster.start()
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "server-lost"), report.message
    assert not report.steps[-1].ok
    assert "the next drill on this server does it" in report.steps[-1].detail
    after = other.drill(other.folder / "shop.dump", verifications=ROWS, amcheck="off")
    assert after.result is Result.SUCCESS
    assert other.left_behind() == []


@pytest.fixture
def tiny(other: Shop) -> Iterator[str]:
    """A tablespace on a disk that an empty database nearly fills."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("a small disk of our own needs root and mount")
    folder = other.cluster.folder / "tiny"
    folder.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode:
        folder.rmdir()
        pytest.skip(f"a small disk of our own cannot be mounted: {done.stderr.decode().strip()}")
    try:
        shutil.chown(folder, "postgres", "postgres")
        other.cluster.execute(f"CREATE TABLESPACE tiny LOCATION '{folder}'")
        # A new database is a file with holes at first: there is room for it, not for the five megabytes of the shop.
        (folder / "filler").write_bytes(bytes(shutil.disk_usage(folder).free - 3_000_000))
        yield "tiny"
        other.cluster.execute("DROP TABLESPACE tiny")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def test_a_full_disk_is_told_and_the_database_is_dropped(other: Shop, tiny: str) -> None:
    scratch = {"host": str(other.cluster.folder), "tablespace": tiny}
    report = other.drill(
        other.folder / "shop.dump", verifications=ROWS, scratch=scratch, limits={"disk_factor": 0.001}, amcheck="off"
    )
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "disk-full"), report.message
    assert other.left_behind() == []
    before = other.drill(other.folder / "shop.dump", scratch=scratch, limits={"disk_factor": 100})
    assert (before.result, before.code) == (Result.NOT_CARRIED_OUT, "disk-full"), before.message
    assert "are free for the scratch database" in before.message
