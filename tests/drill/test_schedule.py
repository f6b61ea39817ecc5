"""Drills by schedule: begun when they are due, one at a time, their reports kept as our own and judged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from scorecard.app import Running
from scorecard.config import ConfigError, load_config
from scorecard.drill.report import report_of
from scorecard.evidence.pushed import Pushed, PushedKind
from scorecard.model import Provenance, ServiceKey
from scorecard.store.pushes import READ_AT_MOST
from scorecard.strict_yaml import Document
from tests.drill.conftest import Shop

KEY = ServiceKey("shop")
SERVICE = {
    "apiVersion": "scorecard/v1",
    "kind": "Service",
    "metadata": {"name": "shop", "team": "shop", "tier": "default", "type": "job", "lifecycle": "production"},
    "spec": {"backups": [{"resource": "shop", "dumps": "dumps/", "recovery_time": "1h", "recovery_point": "24h"}]},
}
ROWS = [{"rows": {"table": "orders", "at_least": 20_000}}]


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()
        self.breaks_drills = False

    def __call__(self) -> datetime:
        if self.breaks_drills and threading.current_thread().name.startswith("drill"):
            raise RuntimeError("the clock is gone")
        return datetime.now(UTC) + self.ahead  # noqa: TID251 - dumps are as old as their files


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(shop: Shop, tmp_path: Path, clock: Clock) -> Iterator[Running]:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "shop.yaml").write_text(yaml.safe_dump(SERVICE))
    shop.file(tmp_path, shop.folder / "shop.dump", resource="shop", verifications=ROWS, amcheck="off")
    (tmp_path / "scorecard.yaml").write_text(yaml.safe_dump({"drills": [{"spec": "drill.yaml", "every": "7d"}]}))
    made = Running(tmp_path / "scorecard.yaml", {}, clock=clock)
    yield made
    made.stop()


def reports(running: Running) -> list[Pushed]:
    return list(running.store.pushed(KEY, PushedKind.DRILL))


def until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to hold within 30 s")


def fresh(running: Running) -> None:
    """Let the schedule look at once, as it does after five minutes."""
    running.drills._looked.clear()


@pytest.mark.postgres
def test_a_drill_that_is_due_is_carried_out_kept_as_our_own_and_judged(running: Running, clock: Clock) -> None:
    running.drills.tick()
    running.drills.tick()
    until(lambda: bool(reports(running)))
    (kept,) = reports(running)
    assert (kept.provenance, kept.pushed_by) == (Provenance.PROBED, "schedule")
    assert report_of(Document.of(dict(kept.document), name="kept")).result == "success"
    until(lambda: running.drills.facts()[0]["said"] == "success")
    until(lambda: not running.dispatcher.pending())

    fresh(running)
    running.drills.tick()
    until(lambda: all(one.done() for one in running.drills._running.values()))
    assert len(reports(running)) == 1

    clock.ahead = timedelta(days=8)
    fresh(running)
    running.drills.tick()
    until(lambda: len(reports(running)) == 2)
    # The dump is eight days old by now, and the spec names no recovery point.
    assert reports(running)[0].document["result"] == "success"


def restore_tested(running: Running) -> tuple[str, str, str]:
    """The verdict on row 10's restores, as the API tells it."""
    told = running.flask.test_client().get("/api/v1/services/shop/scorecard").get_json()
    row = next(one for one in told["rows"] if one["id"] == "backups")
    check = next(one for one in row["checks"] if one["id"] == "restore-tested")
    return check["status"], check["subjects"][0]["code"], check["provenance"]


@pytest.mark.postgres
def test_our_own_drill_passes_the_row_and_fails_it_once_the_backup_is_bad(
    shop: Shop, running: Running, tmp_path: Path, clock: Clock
) -> None:
    running.drills.tick()
    until(lambda: running.drills.facts()[0]["said"] == "success" and not running.dispatcher.pending())
    assert restore_tested(running) == ("pass", "validated", "probed")

    half = tmp_path / "half.dump"
    half.write_bytes((shop.folder / "shop.dump").read_bytes()[:-2000])
    shop.file(tmp_path, half, resource="shop", verifications=ROWS, amcheck="off")
    clock.ahead = timedelta(days=8)
    fresh(running)
    running.drills.tick()
    until(lambda: running.drills.facts()[0]["said"] == "failure truncated" and not running.dispatcher.pending())
    assert restore_tested(running) == ("fail", "drill-failed", "probed")

    good = reports(running)[-1].document
    for _ in range(READ_AT_MOST + 1):
        running.store.push(KEY, PushedKind.DRILL, good, clock(), pushed_by="ci")
    running.measure(KEY, "backups", "test")
    until(lambda: not running.dispatcher.pending())
    assert restore_tested(running) == ("fail", "drill-failed", "probed"), "no number of reports hides our own"


@pytest.mark.postgres
def test_a_drill_that_runs_when_the_server_ends_drops_its_database_and_keeps_no_report(
    shop: Shop, running: Running, tmp_path: Path
) -> None:
    marker = "--\n-- PostgreSQL database dump complete"
    slow = tmp_path / "slow.sql"
    slow.write_text(
        (shop.folder / "shop.sql").read_text().replace(marker, f"SELECT pg_catalog.pg_sleep(20);\n{marker}")
    )
    shop.file(tmp_path, slow, resource="shop", verifications=ROWS)
    running.drills.tick()
    until(lambda: any(name.startswith("drill_") for name in shop.left_behind()))
    assert running.drills.stop(20)
    assert shop.left_behind() == []
    assert reports(running) == []


def test_a_spec_that_cannot_be_read_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "scorecard.yaml").write_text(yaml.safe_dump({"drills": [{"spec": "none.yaml"}]}))
    made = Running(tmp_path / "scorecard.yaml", {})
    try:
        made.drills.tick()
        assert "No such file" in made.drills.facts()[0]["said"]
        told = made.flask.test_client().get("/readyz").get_json()
        assert "none.yaml cannot be planned" in str(told["checks"]["scheduler"])
    finally:
        made.stop()


@pytest.mark.parametrize(
    ("drills", "said"),
    [
        ([{"spec": "a.yaml", "every": "1m"}], "an hour or more"),
        ([{"spec": "a.yaml"}, {"spec": "a.yaml"}], "stands here twice"),
        ([{"spec": "a.yaml", "evry": "1d"}], "did you mean `every`?"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said(tmp_path: Path, drills: object, said: str) -> None:
    (tmp_path / "scorecard.yaml").write_text(yaml.safe_dump({"drills": drills}))
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        load_config(tmp_path / "scorecard.yaml", {})


def test_a_bug_in_a_drill_is_told_and_the_next_look_begins_another(running: Running, clock: Clock) -> None:
    clock.breaks_drills = True
    running.drills.tick()
    until(lambda: "a bug ended it: RuntimeError" in running.drills.facts()[0]["said"])
    assert not reports(running)

    clock.breaks_drills = False
    fresh(running)
    running.drills.tick()
    until(lambda: len(reports(running)) == 1)
