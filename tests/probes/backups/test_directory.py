"""Dumps in real directories, looked at by the probe."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scorecard.evidence import Absent
from scorecard.evidence.backups import Backup, DumpBackups
from scorecard.model import BackupRef, Cause, Service, Spec
from scorecard.probes import Upstream
from scorecard.probes.backups import DumpsProbe

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_NOBODY = 65534


def write(path: Path, size: int, days_ago: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    at = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(path, (at, at))
    return path


def looked_at(*entries: BackupRef, deadline: float = 20.0) -> tuple[Backup, ...]:
    service = Service(name="payments", spec=Spec(backups=entries))
    ((_, answer),) = DumpsProbe(lambda: NOW, deadline).ask([service], Upstream())
    assert isinstance(answer, DumpBackups)
    return answer.backups


def one(place: Path | str) -> Backup:
    (backup,) = looked_at(BackupRef(resource="ledger", dumps=str(place)))
    return backup


@pytest.fixture
def week(tmp_path: Path) -> Path:
    """Eight daily dumps, the newest of this noon."""
    for day in range(8):
        write(tmp_path / f"ledger-{day}.dump", 1000 + day, day)
    return tmp_path


def test_a_series_of_dumps_is_its_newest_its_sizes_and_how_long_they_are_kept(week: Path) -> None:
    backup = one(week)
    assert (backup.name, backup.copies, backup.newest, backup.newest_at) == ("ledger", 8, "ledger-0.dump", NOW)
    assert (backup.size, backup.sizes_before[:2], len(backup.sizes_before)) == (1000, (1001, 1002), 7)
    assert backup.retention_days == 8.0, "the oldest is seven days old, and goes when the next one comes"


def test_seven_daily_dumps_are_kept_seven_days(week: Path) -> None:
    (week / "ledger-7.dump").unlink()
    assert one(week).retention_days == 7.0


def test_a_single_dump_shows_no_retention(tmp_path: Path) -> None:
    write(tmp_path / "a.dump", 5, 30)
    assert one(tmp_path).retention_days == 0.0


def test_the_directory_is_the_resource_where_no_other_is_named(week: Path) -> None:
    (backup,) = looked_at(BackupRef(resource=str(week)))
    assert (backup.name, backup.copies) == (str(week), 8)


def test_a_pattern_takes_one_of_two_databases(week: Path) -> None:
    write(week / "cards-0.dump", 7, 0.5)
    assert one(week / "ledger-*.dump").copies == 8
    assert one(week / "cards-*").newest == "cards-0.dump"
    assert one(week / "none-*").lacking


def test_what_is_no_dump_is_not_counted(week: Path) -> None:
    for name in ("ledger-9.dump.part", ".ledger.dump.swp", "ledger-0.dump.sha256", "backup.log", "x.tmp"):
        write(week / name, 1, 0)
    (week / "latest.dump").symlink_to(week / "ledger-3.dump")
    assert (one(week).copies, one(week).newest) == (8, "ledger-0.dump")


def test_a_dump_in_the_directory_format_is_one_dump(tmp_path: Path) -> None:
    for day in range(2):
        write(tmp_path / f"d{day}" / "3001.dat.gz", 500, day)
        write(tmp_path / f"d{day}" / "toc.dat", 20, day)
    backup = one(tmp_path)
    assert (backup.copies, backup.newest, backup.size, backup.sizes_before) == (2, "d0", 520, (520,))


def test_a_folder_for_each_day_is_looked_into(tmp_path: Path) -> None:
    for day in range(3):
        write(tmp_path / "2026" / f"{20 + day}" / "ledger.dump", 9, 3 - day)
    assert (one(tmp_path).copies, one(tmp_path).newest) == (3, "2026/22/ledger.dump")


def test_an_empty_directory_shows_with_authority_that_there_is_no_dump(tmp_path: Path) -> None:
    backup = one(tmp_path)
    assert (backup.lacking, backup.unread) == (f"there is no dump at {tmp_path}", None)


def test_a_directory_that_is_not_there_says_nothing_about_the_service(tmp_path: Path) -> None:
    backup = one(tmp_path / "gone")
    assert backup.unread is not None
    assert (backup.unread.cause, backup.lacking) == (Cause.NO_DATA, "")
    assert "is it mounted here?" in backup.unread.detail


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user may enter; the folders that pytest makes are for their owner alone."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def test_what_cannot_be_listed_makes_the_whole_unknown(open_place: Path) -> None:
    write(open_place / "ledger-1.dump", 10, 1)
    (open_place / "locked").mkdir(mode=0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(_NOBODY)
    try:
        backup = one(open_place)
    finally:
        os.seteuid(before)
    assert backup.unread is not None
    assert (backup.unread.cause, backup.unread.detail) == (
        Cause.ACCESS_DENIED,
        f"{open_place}/locked: permission denied",
    )
    assert backup.newest_at is None, "the newest may be where nobody could look"


def test_a_file_system_that_does_not_answer_in_time_is_left_behind(tmp_path: Path) -> None:
    for number in range(4000):
        (tmp_path / f"{number}.dump").touch()
    (backup,) = looked_at(BackupRef(resource=str(tmp_path)), deadline=0.0)
    assert backup.unread is not None
    assert backup.unread.cause is Cause.TIMEOUT


def test_a_service_without_a_directory_has_none() -> None:
    entries = (BackupRef(resource="arn:aws:rds:eu-west-1:111122223333:db:a"), BackupRef(resource="s3://dumps/a/"))
    service = Service(name="payments", spec=Spec(backups=entries))
    ((_, answer),) = DumpsProbe(lambda: NOW).ask([service], Upstream())
    assert isinstance(answer, Absent)


def test_the_evidence_shows_a_command_that_lists_the_same(week: Path) -> None:
    service = Service(name="payments", spec=Spec(backups=(BackupRef(resource="x", dumps=f"{week}/ledger-*.dump"),)))
    ((_, answer),) = DumpsProbe(lambda: NOW).ask([service], Upstream())
    assert isinstance(answer, DumpBackups)
    (exhibit,) = answer.exhibits
    assert exhibit.request == f"ls -lt --time-style=full-iso {week}/ledger-*.dump"
    assert exhibit.facts["newest"] == "ledger-0.dump"
