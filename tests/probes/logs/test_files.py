"""A log in files: rotated, truncated, gzipped, half written, huge, or not to be read."""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from scorecard.model import Cause
from scorecard.probes.logs.files import READ_AT_MOST, FileSource, base_name
from scorecard.probes.logs.source import SourceError
from tests.probes.logs.estate import utc

NEEDLE = "scorecard-0c5e7f3a"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text("old line\n" * 100)
    return path


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def found(source: FileSource, mark: str, *needles: str) -> list[str]:
    return [line.text for line in source.find(needles or (NEEDLE,), mark, utc()).lines]


def test_only_lines_after_the_mark_are_found(log: Path) -> None:
    append(log, f"{NEEDLE} before\n")
    source = FileSource(log)
    mark = source.mark(utc())
    append(log, f"{NEEDLE} after\nanother\n")
    assert found(source, mark) == [f"{NEEDLE} after"]


def test_without_a_needle_every_line_after_the_mark_is_found(log: Path) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    append(log, "one\ntwo\n")
    assert [line.text for line in source.find((), mark, utc()).lines] == ["one", "two"]


def test_a_line_that_is_half_written_is_found_once_it_is_whole(log: Path) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    append(log, f'{{"id":"{NEEDLE}"')
    assert found(source, mark) == []
    append(log, "}\n")
    assert found(source, mark) == [f'{{"id":"{NEEDLE}"}}']


def test_a_line_that_was_half_written_at_the_mark_is_read_whole(log: Path) -> None:
    append(log, '{"half":')
    source = FileSource(log)
    mark = source.mark(utc())
    append(log, f'"{NEEDLE}"}}\n')
    assert found(source, mark) == [f'{{"half":"{NEEDLE}"}}']


def renamed(log: Path) -> None:
    log.rename(log.with_name("app.log.1"))
    log.write_text("new file\n")


def renamed_and_packed(log: Path) -> None:
    with gzip.open(log.with_name("app.log.1.gz"), "wb") as packed:
        packed.write(log.read_bytes())
    log.unlink()
    log.write_text("new file\n")


def dated(log: Path) -> None:
    log.rename(log.with_name("app.2026-11-24.0.log"))
    log.write_text("new file\n")


def copied_and_truncated(log: Path) -> None:
    shutil.copy(log, log.with_name("app.log-20261124"))
    os.truncate(log, 0)
    append(log, "new content\n" * 200)


@pytest.mark.parametrize("rotate", [renamed, renamed_and_packed, dated, copied_and_truncated])
def test_a_rotation_between_the_request_and_the_search_loses_nothing(log: Path, rotate: Callable[[Path], None]) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    append(log, f"{NEEDLE} in time\n")
    rotate(log)
    assert found(source, mark) == [f"{NEEDLE} in time"]


@pytest.mark.parametrize("rotate", [renamed, renamed_and_packed, dated, copied_and_truncated])
def test_a_line_in_the_file_after_a_rotation_is_found(log: Path, rotate: Callable[[Path], None]) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    rotate(log)
    append(log, f"{NEEDLE} in the new file\n")
    assert found(source, mark) == [f"{NEEDLE} in the new file"]


def test_another_file_under_the_same_number_is_read_from_its_beginning(log: Path) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    # What a copy-and-truncate that has grown past the mark comes to: same number, larger, other content.
    log.write_text(f"{NEEDLE} first\n" + "grown\n" * 500)
    assert found(source, mark) == [f"{NEEDLE} first"]


def test_the_files_of_a_directory_are_read_as_one_log(tmp_path: Path) -> None:
    for name in ("a.log", "b.json", "pods/x/0.log"):
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old\n")
    source = FileSource(tmp_path / "logs")
    mark = source.mark(utc())
    append(tmp_path / "logs/pods/x/0.log", f"{NEEDLE}\n")
    (tmp_path / "logs/new.log").write_text(f"{NEEDLE} too\n")
    assert sorted(found(source, mark)) == [NEEDLE, f"{NEEDLE} too"]


def test_other_files_beside_a_file_are_not_its_log(log: Path) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    log.with_name("other.log").write_text(f"{NEEDLE}\n")
    assert found(source, mark) == []


def test_interleaved_writers_are_read_line_by_line(log: Path) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    append(log, "".join(f"writer {number % 3} {NEEDLE if number == 500 else number}\n" for number in range(1000)))
    assert found(source, mark) == [f"writer 2 {NEEDLE}"]


def test_a_huge_log_is_searched_from_the_mark_and_says_that_there_is_more(log: Path) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    append(log, f"{NEEDLE} first\n")
    with log.open("ab") as file:
        file.truncate(READ_AT_MOST * 40)  # sparse: 320 MiB without a newline
    lines = source.find((NEEDLE,), mark, utc())
    assert [line.text for line in lines.lines] == [f"{NEEDLE} first"]
    assert lines.cut


def test_a_sample_of_a_huge_log_is_its_end(log: Path) -> None:
    with log.open("ab") as file:
        file.truncate(READ_AT_MOST * 40)
    append(log, "\n" + "last\n" * 600)
    assert [line.text for line in FileSource(log).sample(500, utc()).lines] == ["last"] * 500


def test_a_sample_goes_on_in_the_rotations_of_a_log(log: Path) -> None:
    with gzip.open(log.with_name("app.log.2.gz"), "wb") as packed:
        packed.write(b"packed\n" * 100)
    os.utime(log.with_name("app.log.2.gz"), (1, 1))
    texts = [line.text for line in FileSource(log).sample(150, utc()).lines]
    assert texts == ["packed"] * 50 + ["old line"] * 100


def test_a_sample_of_a_directory_takes_from_each_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "noisy.log").write_text("noisy\n" * 1000)
    (tmp_path / "quiet.log").write_text("quiet\n" * 1000)
    texts = [line.text for line in FileSource(tmp_path).sample(500, utc()).lines]
    assert (texts.count("noisy"), texts.count("quiet")) == (250, 250)


def test_the_last_half_line_is_no_part_of_a_sample(log: Path) -> None:
    append(log, "half")
    assert [line.text for line in FileSource(log).sample(2, utc()).lines] == ["old line", "old line"]


def test_a_gzip_bomb_ends_at_its_limit(tmp_path: Path, log: Path) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    packer = zlib.compressobj(wbits=31)
    with (tmp_path / "app.log.1.gz").open("wb") as file:
        for _ in range(300):
            file.write(packer.compress(b"0" * (1 << 20)))
        file.write(packer.flush())
    lines = source.find((NEEDLE,), mark, utc())
    assert (lines.lines, lines.cut) == ((), True)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: data[:20] + b"xxxx" + data[24:]])
def test_a_broken_gzip_file_is_read_as_far_as_it_goes_and_said_to_be_cut(
    log: Path, damage: Callable[[bytes], bytes]
) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    body = b"".join(f"{number} line\n".encode() for number in range(50_000))
    log.with_name("app.log.1.gz").write_bytes(damage(gzip.compress(body)))
    assert source.find((NEEDLE,), mark, utc()).cut


def test_gzip_files_one_after_the_other_are_one_log(log: Path) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    log.with_name("app.log.1.gz").write_bytes(gzip.compress(b"first\n") + gzip.compress(f"{NEEDLE}\n".encode()))
    assert found(source, mark) == [NEEDLE]


def test_a_link_that_leads_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{NEEDLE}\n")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "app.log").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceError, match="leads out of its directory"):
        FileSource(logs).mark(utc())
    with pytest.raises(SourceError, match="leads out of its directory"):
        FileSource(logs / "app.log").mark(utc())


def test_a_link_within_the_directory_is_followed(tmp_path: Path) -> None:
    (tmp_path / "app-1.log").write_text("old\n")
    (tmp_path / "current").symlink_to("app-1.log")
    source = FileSource(tmp_path / "current")
    mark = source.mark(utc())
    append(tmp_path / "app-1.log", f"{NEEDLE}\n")
    assert found(source, mark) == [NEEDLE]


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "app.log")
    with pytest.raises(SourceError, match="no regular file"):
        FileSource(tmp_path / "app.log").sample(500, utc())


@pytest.mark.parametrize("name", ["missing.log", "missing/app.log"])
def test_a_file_that_is_not_there_is_unknown(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError) as error:
        FileSource(tmp_path / name).mark(utc())
    assert error.value.unavailable.cause is Cause.NO_DATA
    assert name in error.value.unavailable.detail


@pytest.mark.parametrize("mark", ["", "{}", "[1]", '{"newest":1,"files":[[1]]}', "null"])
def test_a_mark_that_cannot_be_read_is_unknown(log: Path, mark: str) -> None:
    with pytest.raises(SourceError):
        FileSource(log).find((NEEDLE,), mark, utc())


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("app.log", "app.log"), ("app.log.1", "app.log"), ("app.log.12.gz", "app.log"), ("app.log-20261124", "app.log"),
        ("app.2026-11-24.log", "app.log"), ("app-2026-11-24.0.log.gz", "app.log"), ("0.log", "0.log"),
        ("0.log.20261124-151833", "0.log"), ("app2.log", "app2.log"),
    ],
)  # fmt: skip
def test_a_rotation_is_known_by_its_name(name: str, base: str) -> None:
    assert base_name(name) == base
