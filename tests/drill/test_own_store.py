"""Our own store is drilled by the same code, and the report of it feeds row 10 of our own checklist."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from checks.backups import row
from scorecard.app import Running
from scorecard.catalog import load_catalog
from scorecard.checklist import ChecklistRow
from scorecard.cli.main import run
from scorecard.config import load_config
from scorecard.drill.evidence import restore_of
from scorecard.drill.report import DrillReport, Result, read_report
from scorecard.evidence import Absent, Observation
from scorecard.evidence.backups import PushedDrills
from scorecard.judge import Judged, Seen, judge_check
from tests.drill.conftest import Shop
from tests.postgres import Cluster

ROOT = Path(__file__).parents[2]


def measured(folder: Path, store: str = "") -> None:
    """A directory with a configuration, and a store of one service that was judged."""
    assert run(["init", "."]) == 0
    if store:
        config = yaml.safe_load((folder / "scorecard.yaml").read_text())
        (folder / "scorecard.yaml").write_text(yaml.safe_dump({**config, "store": store}))
    running = Running(folder / "scorecard.yaml", {})
    running.planner.tick()
    while running.dispatcher.pending():
        time.sleep(0.05)
    running.stop()


def report_in(folder: Path) -> DrillReport:
    return read_report((folder / "report.json").read_bytes(), name="report.json")


def on_our_own_row(report: DrillReport) -> Judged:
    """What the row says of our own catalogue entry, with this report pushed."""
    catalog = load_catalog(load_config(None, {}, directory=ROOT), now=report.finished_at, rows=frozenset())
    (service,) = catalog.services
    now = report.finished_at
    pushed = PushedDrills(drills=(restore_of(report, name="push 1", pushed_by="ci"),), missing=())
    observations = {PushedDrills: Observation(PushedDrills, now, pushed)}
    check = row.check("restore-tested")
    absent = {kind: Observation(kind, now, Absent("there is none")) for kind in check.kinds if kind is not PushedDrills}
    bound = ChecklistRow(
        id=row.id,
        row=row,
        risk=row.risk,
        types=row.types,
        needs_state=row.needs_state,
        limits=row.default_limits(),
        checks=row.checks,
    )
    return judge_check(bound, check, service, Seen({**observations, **absent}, {}), now)


def test_the_drill_of_an_sqlite_store_writes_the_report_that_passes_our_own_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    measured(tmp_path)
    assert run(["db", "backup", "store.backup"]) == 0
    assert run(["db", "drill", "store.backup", "-o", "json=report.json"]) == 0
    report = report_in(tmp_path)
    assert (report.kind, report.result) == ("sqlite-copy", Result.SUCCESS)
    judged = on_our_own_row(report)
    assert judged.status.value == "pass", judged.message


def test_a_damaged_backup_of_an_sqlite_store_fails_our_own_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    measured(tmp_path)
    assert run(["db", "backup", "store.backup"]) == 0
    body = bytearray((tmp_path / "store.backup").read_bytes())
    body[len(body) // 2] ^= 0xFF
    (tmp_path / "store.backup").write_bytes(bytes(body))
    assert run(["db", "drill", "store.backup", "-o", "json=report.json"]) == 1
    report = report_in(tmp_path)
    assert (report.result, report.code) == (Result.FAILURE, "corrupt")
    assert on_our_own_row(report).status.value == "fail"


@pytest.mark.postgres
def test_a_postgresql_store_is_drilled_on_another_server_and_its_own_is_refused(
    other: Shop, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = yaml.safe_load((ROOT / "deploy" / "drills" / "scorecard.yaml").read_text())

    def spec_on(server: Cluster) -> None:
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump({**spec, "scratch": {"host": str(server.folder)}}))

    with cluster.database() as url:
        measured(tmp_path, url)
        assert run(["db", "backup", "store.backup"]) == 0
        assert run(["db", "drill", "store.backup"]) == 2
        spec_on(cluster)
        assert run(["db", "drill", "store.backup", "--spec", "spec.yaml", "-o", "json=report.json"]) == 2
        assert report_in(tmp_path).code == "production"
        spec_on(other.cluster)
        said = run(["db", "drill", "store.backup", "--spec", "spec.yaml", "-o", "json=report.json"])
        report = report_in(tmp_path)
        assert (said, report.message) == (0, "")
    assert {one.name: one.ok for one in report.verifications}["schema version"]
    judged = on_our_own_row(report)
    assert judged.status.value == "pass", judged.message
    assert other.left_behind() == []
