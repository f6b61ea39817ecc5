"""`scorecard db`: backup, restore, drill and check of a store that was really measured into."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from scorecard.app import Running
from scorecard.cli.main import run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a configuration and a store of one service that was judged."""
    monkeypatch.chdir(tmp_path)
    assert run(["init", "."]) == 0
    running = Running(tmp_path / "scorecard.yaml", {})
    running.planner.tick()
    while running.dispatcher.pending():
        time.sleep(0.05)
    running.stop()
    return tmp_path


def test_a_backup_restores_and_equals_the_store(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "check"]) == 0
    assert run(["db", "backup", "copy.db"]) == 0
    assert run(["db", "drill", "copy.db"]) == 0
    assert "equal to the store" in capsys.readouterr().err
    (folder / "scorecard.db").rename(folder / "gone.db")
    assert run(["db", "restore", "copy.db"]) == 0
    assert run(["db", "check"]) == 0


def test_a_backup_replaces_nothing_and_a_restore_wants_a_fresh_place(folder: Path) -> None:
    (folder / "copy.db").write_text("mine")
    assert run(["db", "backup", "copy.db"]) == 2
    assert (folder / "copy.db").read_text() == "mine"
    assert run(["db", "backup", "other.db"]) == 0
    assert run(["db", "restore", "other.db"]) == 2


def test_a_damaged_backup_fails_its_drill(folder: Path) -> None:
    assert run(["db", "backup", "copy.db"]) == 0
    body = bytearray((folder / "copy.db").read_bytes())
    body[len(body) // 2] ^= 0xFF
    (folder / "copy.db").write_bytes(bytes(body))
    assert run(["db", "drill", "copy.db"]) == 1


def test_a_sum_that_somebody_changed_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(folder / "scorecard.db") as connection:
        changed = connection.execute("UPDATE summary SET score = 99.9").rowcount
    assert changed
    assert run(["db", "check"]) == 1
    assert "does not hold together" in capsys.readouterr().err


def test_a_store_that_is_not_there_cannot_be_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["db", "check"]) == 3
