"""Files as they are on a bad day: rotated while huge, with holes, NULs, broken text, parts of lines, others' lines."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scorecard.evidence import Trace
from scorecard.model import Service
from scorecard.probes.logs.files import READ_AT_MOST, FileSource
from scorecard.probes.logs.lines import LONGEST_LINE
from tests.probes.logs.estate import (
    App,
    Asked,
    Style,
    file_logs,
    good,
    line,
    sampled,
    searched,
    service,
    serving,
    stamp,
    to_file,
    utc,
)

Ask = Callable[..., Asked]
NEEDLE = "scorecard-0c5e7f3a"
HUGE = READ_AT_MOST * 3


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log that is larger than what is looked at of one file."""
    path = tmp_path / "app.log"
    with path.open("w") as file:
        file.write(f"begun at {stamp()}\n")
        file.write(("x" * 999 + "\n") * (HUGE // 1000))
    return path


def append(path: Path, data: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(data.encode() if isinstance(data, str) else data)


def found(source: FileSource, mark: str, *needles: str) -> list[str]:
    return [each.text for each in source.find(needles or (NEEDLE,), mark, utc()).lines]


# --- rotation of what is huge ----------------------------------------------------------------------------------------


def renamed(log: Path) -> None:
    log.rename(log.with_name("app.log.1"))
    log.write_text("new file\n")


def renamed_and_packed(log: Path) -> None:
    with log.open("rb") as plain, gzip.open(log.with_name("app.log.1.gz"), "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed)
    log.unlink()
    log.write_text("new file\n")


def copied_and_truncated(log: Path) -> None:
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, "new content\n")


def copied_and_truncated_under_a_writer_that_goes_on_where_it_was(log: Path) -> None:
    size = log.stat().st_size
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    with log.open("r+b") as file:
        file.seek(size)
        file.write(b"new content\n")


ROTATIONS = [
    renamed,
    renamed_and_packed,
    copied_and_truncated,
    copied_and_truncated_under_a_writer_that_goes_on_where_it_was,
]


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_a_line_before_the_rotation_of_a_huge_log_is_found(log: Path, rotate: Callable[[Path], None]) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    append(log, f"{NEEDLE} in time\n")
    rotate(log)
    assert found(source, mark) == [f"{NEEDLE} in time"]


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_a_line_after_the_rotation_of_a_huge_log_is_found(log: Path, rotate: Callable[[Path], None]) -> None:
    source = FileSource(log)
    mark = source.mark(utc())
    rotate(log)
    append(log, f"{NEEDLE} in the new file\n")
    assert found(source, mark) == [f"{NEEDLE} in the new file"]


def test_a_new_file_that_begins_like_the_old_one_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    banner = "the same banner at each start\n" * 20
    log.write_text(banner)
    source = FileSource(log)
    mark = source.mark(utc())
    log.rename(tmp_path / "app.log.1")
    log.write_text(banner + f"{NEEDLE} soon\n" + "later\n" * 100)
    assert found(source, mark) == [f"{NEEDLE} soon"]


def test_a_line_right_after_the_nuls_of_a_truncation_is_read(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append(log, b"\0" * (LONGEST_LINE * 2) + line("first").encode() + b"\n" + line("second").encode() + b"\n")
    lines = FileSource(log).sample(500, utc()).lines
    assert [each.entry() is not None for each in lines] == [True, True]


def test_a_sparse_file_of_two_gigabytes_is_marked_searched_and_sampled(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append(log, line("begun") + "\n")
    os.truncate(log, 2 << 30)
    source = FileSource(log)
    mark = source.mark(utc())
    append(log, f"\n{NEEDLE} here\n")
    assert found(source, mark) == [f"{NEEDLE} here"]
    assert [each.text for each in source.sample(500, utc()).lines] == [f"{NEEDLE} here"]


# --- what is in the lines --------------------------------------------------------------------------------------------


@contextmanager
def one(tmp_path: Path, style: Style) -> Iterator[tuple[Service, Callable[[bytes], None]]]:
    log = tmp_path / "app.log"
    append(log, line("started") + "\n")
    app = App(to_file(log), style)
    with serving(app) as url:
        yield service(url=url, logs=file_logs()), lambda data: append(log, data)


def given(request: object) -> str:
    return str(request.headers["X-Correlation-ID"])  # type: ignore[attr-defined]


def in_two_writes(app: App, request: object) -> None:
    text = line(correlation_id=given(request))
    app.raw(text[:40])  # type: ignore[attr-defined]
    app.raw(text[40:] + "\n")  # type: ignore[attr-defined]


STYLES: list[tuple[str, Callable[[str], bytes], Trace]] = [
    ("in docker's parts", lambda text: b"".join(
        json.dumps({"log": part, "stream": "stdout", "time": stamp()}).encode() + b"\n"
        for part in (text[:30], text[30:50], text[50:] + "\n")
    ), Trace.IN_FIELD),
    ("in the parts of CRI", lambda text: (
        f"{stamp()} stdout P {text[:30]}\n{stamp()} stderr F noise\n{stamp()} stdout P {text[30:50]}\n"
        f"{stamp()} stdout F {text[50:]}\n"
    ).encode(), Trace.IN_FIELD),
    ("after a broken byte", lambda text: b"\xff\xfe caf\xe9\n" + text.encode() + b"\n", Trace.IN_FIELD),
    ("with a broken byte in it", lambda text: text.encode().replace(b"GET", b"caf\xe9 GET") + b"\n", Trace.IN_FIELD),
    ("after NULs", lambda text: b"\0" * 5000 + text.encode() + b"\n", Trace.IN_FIELD),
    ("with carriage returns", lambda text: text.encode() + b"\r\n", Trace.IN_FIELD),
    ("after a line of a megabyte", lambda text: b"y" * (1 << 20) + b"\n" + text.encode() + b"\n", Trace.IN_FIELD),
    ("in a line of a megabyte", lambda text: json.dumps(
        {**json.loads(text), "body": "y" * (1 << 20)}
    ).encode() + b"\n", Trace.IN_FIELD),
    ("in colours", lambda text: b"\x1b[32m" + text.encode() + b"\x1b[0m\n", Trace.IN_TEXT),
    ("in an array", lambda text: b"[" + text.encode() + b"]\n", Trace.IN_TEXT),
    ("as a string", lambda text: json.dumps(json.loads(text)["correlation_id"]).encode() + b"\n", Trace.IN_TEXT),
    ("in journald's export", lambda text: (
        f"__REALTIME_TIMESTAMP=1795550067305056\nMESSAGE={text}\n\n"
    ).encode(), Trace.IN_TEXT),
    ("twice in one line", lambda text: text.encode() + text.encode() + b"\n", Trace.IN_TEXT),
    ("in a query", lambda text: json.dumps(
        {**json.loads(text), "correlation_id": None, "url": f"/v1/ping?id={json.loads(text)['correlation_id']}"}
    ).encode() + b"\n", Trace.IN_TEXT),
    ("as a key", lambda text: json.dumps(
        {**json.loads(text), "correlation_id": None, json.loads(text)["correlation_id"]: 1}
    ).encode() + b"\n", Trace.IN_TEXT),
    ("in capitals", lambda text: text.upper().encode() + b"\n", Trace.NO_LINE),
]  # fmt: skip


@pytest.mark.parametrize(("write", "trace"), [style[1:] for style in STYLES], ids=[style[0] for style in STYLES])
def test_a_line_is_taken_for_what_it_is(ask: Ask, tmp_path: Path, write: Callable[[str], bytes], trace: Trace) -> None:
    def style(_app: App, request: object) -> None:
        append(tmp_path / "app.log", write(line(correlation_id=given(request))))
        append(tmp_path / "app.log", line("something else") + "\n")

    with one(tmp_path, style) as (payments, _):
        assert searched(ask().wait_for(payments)["payments"]).trace is trace


def test_numbers_strings_and_arrays_are_json_and_no_objects(ask: Ask, tmp_path: Path) -> None:
    append(tmp_path / "app.log", '1\n"text"\n[{"message": 1}]\nnull\ntrue\n' + line() + "\n")
    seen = sampled(ask().sample(service(logs=file_logs()))["payments"])
    assert (seen.lines, seen.json_objects) == (6, 1)


# --- others in the same file -----------------------------------------------------------------------------------------


def test_two_services_that_share_a_log_and_a_path_are_not_taken_for_one_another(ask: Ask, tmp_path: Path) -> None:
    log = to_file(tmp_path / "app.log")
    log(line("started"))

    def silent(_app: App, _request: object) -> None:
        """Log nothing."""

    with serving(App(log, good)) as noisy, serving(App(log, silent)) as quiet:
        one = service("one", noisy, file_logs())
        two = service("two", quiet, file_logs())
        answers = ask().wait_for(one, two)
    assert searched(answers["one"]).trace is Trace.IN_FIELD
    assert searched(answers["two"]).trace is Trace.NO_LINE


def test_a_line_that_names_nobody_in_a_shared_log_is_not_held_against_one_of_them(ask: Ask, tmp_path: Path) -> None:
    log = to_file(tmp_path / "app.log")
    log(line("started"))

    def without(app: App, request: object) -> None:
        app.write(line("request", path=request.path))  # type: ignore[attr-defined]

    def named(app: App, request: object) -> None:
        app.write(line("request", path=request.path, service="three"))  # type: ignore[attr-defined]

    def silent(_app: App, _request: object) -> None:
        """Log nothing."""

    with (
        serving(App(log, without)) as noisy,
        serving(App(log, silent)) as quiet,
        serving(App(log, named)) as honest,
    ):
        answers = ask().wait_for(
            service("one", noisy, file_logs()),
            service("two", quiet, file_logs()),
            service("three", honest, file_logs()),
        )
    traces = {name: searched(answer).trace for name, answer in answers.items()}
    assert traces == {"one": Trace.NO_LINE, "two": Trace.NO_LINE, "three": Trace.WITHOUT_ID}
