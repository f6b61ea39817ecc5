"""The scratch database: never production's, always dropped, one for each drill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from scorecard.drill.folder import temporary_folder
from scorecard.drill.report import Result, read_report
from scorecard.drill.scratch import scram
from scorecard.drill.server import addresses_of, overlap
from tests.drill.conftest import Shop
from tests.postgres import Cluster

pytestmark = pytest.mark.postgres

ROWS = [{"rows": {"table": "orders", "at_least": 20_000}}]
COMMAND = [sys.executable, "-c", "from scorecard.cli import main; main()", "drill", "restore"]


def identifier(cluster: Cluster) -> str:
    with psycopg.connect(cluster.url("postgres")) as connection:
        row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("how", ["host", "loopback", "database", "identifier"])
def test_production_is_refused_by_name_address_database_and_number(shop: Shop, how: str) -> None:
    production = {
        "host": {"host": str(shop.cluster.folder)},
        "loopback": {"host": "127.0.0.1"},
        "database": {"database": "shop"},
        "identifier": {"system_identifier": identifier(shop.cluster)},
    }[how]
    report = shop.drill(shop.folder / "shop.dump", production=[{"host": "192.0.2.1"}, production])
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "production")
    assert "create" not in {step.name for step in report.steps}


def test_another_port_of_productions_host_is_not_production(shop: Shop) -> None:
    report = shop.drill(
        shop.folder / "shop.dump",
        production=[{"host": str(shop.cluster.folder), "port": 5433}],
        verifications=ROWS,
        amcheck="off",
    )
    assert report.result is Result.SUCCESS


def test_every_name_of_this_machines_loopback_is_one_address() -> None:
    names = ["127.0.0.1", "127.0.0.2", "::1", "localhost", "/run/postgresql"]
    assert all(overlap(addresses_of("127.0.0.1"), addresses_of(name)) for name in names)
    assert overlap(addresses_of("/run/postgresql"), addresses_of("/run/../run/postgresql"))
    assert not overlap(addresses_of("/run/postgresql"), addresses_of("/run/other"))
    assert not overlap(addresses_of("192.0.2.1"), addresses_of("192.0.2.2"))
    assert not overlap(addresses_of("192.0.2.1"), addresses_of("127.0.0.1"))


def test_two_drills_at_once_both_succeed(shop: Shop) -> None:
    with ThreadPoolExecutor(3) as pool:
        reports = list(
            pool.map(lambda _: shop.drill(shop.folder / "shop.dump", verifications=ROWS, amcheck="off"), range(3))
        )
    assert [(one.result, one.message) for one in reports] == [(Result.SUCCESS, "")] * 3
    assert len({one.steps[-1].detail for one in reports}) == 3


def test_what_a_killed_drill_left_is_swept_by_the_next_and_nothing_else_is(shop: Shop, tmp_path: Path) -> None:
    spec = shop.file(tmp_path, _slow(shop, tmp_path), verifications=ROWS)
    (tmp_path / "tmp").mkdir()
    child = subprocess.Popen(
        [*COMMAND, str(spec)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )
    try:
        _until(lambda: any(name.startswith("drill_") for name in shop.left_behind()))
        running = shop.drill(shop.folder / "shop.dump", verifications=ROWS, amcheck="off")
        assert "dropped" not in " ".join(step.detail for step in running.steps if step.name == "sweep")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    shop.cluster.execute("CREATE DATABASE drill_of_mine")
    try:
        _until(lambda: not shop.locks())
        after = shop.drill(shop.folder / "shop.dump", verifications=ROWS, amcheck="off")
        assert "a drill that died left behind" in next(step.detail for step in after.steps if step.name == "sweep")
        assert shop.left_behind() == ["drill_of_mine"]
        assert list((tmp_path / "tmp").iterdir()) != []
        with temporary_folder(tmp_path / "tmp") as mine, temporary_folder(tmp_path / "tmp") as other:
            assert {mine, other} == set((tmp_path / "tmp").iterdir())
    finally:
        shop.cluster.execute("DROP DATABASE drill_of_mine")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_drill_drops_its_database_and_writes_its_report(
    shop: Shop, tmp_path: Path, number: signal.Signals
) -> None:
    spec = shop.file(tmp_path, _slow(shop, tmp_path), verifications=ROWS)
    command = [*COMMAND, str(spec), "-o", f"json={tmp_path / 'report.json'}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as child:
        _until(lambda: any(name.startswith("drill_") for name in shop.left_behind()))
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    report = read_report((tmp_path / "report.json").read_bytes(), name="report.json")
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "interrupted")


def test_a_drill_past_its_time_limit_is_ended_and_is_too_slow_where_that_is_past_the_recovery_time(
    shop: Shop, tmp_path: Path
) -> None:
    slow = _slow(shop, tmp_path)
    report = shop.drill(slow, verifications=ROWS, limits={"time": "1s"})
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "time-limit")
    report = shop.drill(slow, verifications=ROWS, limits={"time": "1s"}, recovery_time="100ms")
    assert (report.result, report.code) == (Result.FAILURE, "too-slow")


def test_a_question_without_an_answer_in_time_tells_nothing_about_the_backup(shop: Shop) -> None:
    slow = {"query": {"name": "slow", "sql": "SELECT count(*) FROM orders, pg_sleep(9)", "at_least": 1}}
    report = shop.drill(
        shop.folder / "shop.dump", verifications=[*ROWS, slow], amcheck="off", limits={"statement_timeout": "200ms"}
    )
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "statement-timeout")


def test_a_server_that_does_not_answer_tells_nothing_about_the_backup(shop: Shop, tmp_path: Path) -> None:
    report = shop.drill(shop.folder / "shop.dump", scratch={"host": str(tmp_path)})
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "server-lost")


def test_a_dump_that_needs_more_than_the_free_disk_is_not_begun(shop: Shop) -> None:
    report = shop.drill(shop.folder / "shop.dump", limits={"disk_factor": 1e9})
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "disk-full")
    assert "create" not in {step.name for step in report.steps}


def test_a_secret_reaches_neither_the_report_nor_an_argument_nor_the_servers_log(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("canary-5f3c\n")
    shop.cluster.execute("ALTER SYSTEM SET log_statement = 'all'")
    shop.cluster.execute("SELECT pg_reload_conf()")
    seen: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.01):
            for one in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(one.read_bytes().decode("utf-8", "replace"))
                except OSError:
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        report = shop.drill(
            shop.folder / "shop.dump",
            verifications=ROWS,
            amcheck="off",
            scratch={"host": str(shop.cluster.folder), "password_file": str(tmp_path / "password")},
        )
    finally:
        stop.set()
        watcher.join()
        shop.cluster.execute("ALTER SYSTEM RESET log_statement")
        shop.cluster.execute("SELECT pg_reload_conf()")
    assert report.result is Result.SUCCESS
    assert "canary-5f3c" not in "\n".join([str(report), *seen])
    log = (shop.cluster.folder / "log").read_text()
    assert "CREATE ROLE drill_shop" in log
    assert "PASSWORD 'SCRAM-SHA-256$" in log


def test_a_scram_verifier_lets_its_password_in(shop: Shop) -> None:
    shop.cluster.execute(f"CREATE ROLE verifier PASSWORD '{scram('a b:c')}'")
    try:
        with psycopg.connect(shop.cluster.url("postgres")) as connection:
            row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'verifier'").fetchone()
        assert row is not None
        # Another form than a verifier's would have been hashed again.
        assert row[0].startswith("SCRAM-SHA-256$4096:")
    finally:
        shop.cluster.execute("DROP ROLE verifier")


def test_a_user_without_superuser_carries_the_drill_out_too(shop: Shop) -> None:
    shop.cluster.execute("CREATE ROLE driller LOGIN CREATEDB CREATEROLE")
    try:
        report = shop.drill(
            shop.folder / "shop.dump", verifications=ROWS, scratch={"host": str(shop.cluster.folder), "user": "driller"}
        )
        assert (report.code, report.message) == ("", "")
        told = next(step.detail for step in report.steps if step.name == "verify")
        assert "corruption not looked for" in told
        assert next(step.detail for step in report.steps if step.name == "space").startswith("not checked")
    finally:
        shop.cluster.execute("DROP ROLE driller")


def test_a_superuser_that_no_restricted_role_can_replace_ends_the_drill_unless_the_spec_accepts_it(other: Shop) -> None:
    rules = other.cluster.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all postgres trust\n")
    other.cluster.execute("SELECT pg_reload_conf()")
    scratch = {"host": str(other.cluster.folder)}
    try:
        report = other.drill(other.folder / "shop.dump", verifications=ROWS, scratch=scratch, amcheck="off")
        assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "no-restricted-role")
        accepted = {**scratch, "superuser": True}
        report = other.drill(other.folder / "shop.dump", verifications=ROWS, scratch=accepted, amcheck="off")
        assert (report.code, report.message) == ("", "")
        assert "as the user postgres" in next(step.detail for step in report.steps if step.name == "create")
    finally:
        rules.write_text(before)
        other.cluster.execute("SELECT pg_reload_conf()")
    assert other.left_behind() == []


def _slow(shop: Shop, folder: Path) -> Path:
    """A dump whose restore takes long: building an index sleeps."""
    path = folder / "slow.sql"
    if not path.exists():
        plain = (shop.folder / "shop.sql").read_text()
        marker = "--\n-- PostgreSQL database dump complete"
        path.write_text(plain.replace(marker, f"SELECT pg_catalog.pg_sleep(20);\n{marker}"))
    return path


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to hold within 30 s")
