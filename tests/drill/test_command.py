"""`scorecard drill restore` as a person and a pipeline call it: exit codes, report, table, dry run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scorecard.cli.main import run
from scorecard.drill.report import Result, read_report
from tests.drill.conftest import Shop

ROWS = [{"rows": {"table": "orders", "at_least": 20_000}}]


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("changes", "code", "result"),
    [
        ({}, 0, Result.SUCCESS),
        ({"verifications": []}, 1, Result.FAILURE),
        ({"production": [{"database": "shop"}]}, 2, Result.NOT_CARRIED_OUT),
        ({"scratch": {"host": "/nowhere"}}, 3, Result.NOT_CARRIED_OUT),
    ],
)
def test_the_exit_code_is_that_of_the_result_and_the_report_is_always_written(
    shop: Shop,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    code: int,
    result: Result,
) -> None:
    spec = shop.file(tmp_path, shop.folder / "shop.dump", **{"verifications": ROWS, "amcheck": "off", **changes})
    out = tmp_path / "report.json"
    assert run(["drill", "restore", str(spec), "-o", "table", "-o", f"json={out}", "--commit", "abc"]) == code
    report = read_report(out.read_bytes(), name="report.json")
    assert (report.result, report.commit) == (result, "abc")
    said = capsys.readouterr()
    assert f"result   {result.value}" in said.out
    assert "shop.dump" in said.err or report.code in said.err


def test_a_spec_that_is_wrong_is_exit_2_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "drill.yaml").write_text("service: a\nsorce: {path: x}\n")
    assert run(["drill", "restore", str(tmp_path / "drill.yaml")]) == 2
    assert "drill.yaml:2: sorce: unknown key; did you mean `source`?" in capsys.readouterr().err


def test_a_dry_run_connects_to_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = {
        "service": "a",
        "resource": "r",
        "source": {"path": "nothing-here"},
        "scratch": {"host": "/nowhere"},
        "production": [{"database": "a"}],
        "verifications": ROWS,
    }
    (tmp_path / "drill.yaml").write_text(json.dumps(spec))
    assert run(["drill", "restore", str(tmp_path / "drill.yaml"), "--dry-run"]) == 0
    assert "orders has 20000 rows or more" in capsys.readouterr().out
