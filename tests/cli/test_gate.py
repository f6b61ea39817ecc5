"""`scorecard gate`: fails closed, whatever answers."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from scorecard.cli import client

from .conftest import Call

Answer = Callable[[BaseHTTPRequestHandler], None]


def says(body: object, status: int = 200, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    return answer


def verdict(word: str, code: int, *reasons: str) -> dict[str, object]:
    return {"verdict": word, "reasons": list(reasons), "exit_code": code}


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything so; yields its address and the requests it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.command} {self.path}")
            answer(self)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (verdict("go", 0, "score 91 of at least 90"), 0),
        (verdict("no-go", 1, "alerts/exist: none of 3 alerts pages"), 1),
        (verdict("cannot-tell", 3, "nothing was measured yet"), 3),
    ],
)
def test_the_servers_verdict_is_the_exit_code(body: dict[str, object], code: int, here: Path, scorecard: Call) -> None:
    with serving(says(body)) as (url, seen):
        done = scorecard("gate", "payments", "--server", url, "--environment", "staging", "-o", "json")
    assert done.code == code
    assert done.json == {"service": "payments", "environment": "staging", **body}
    assert seen == ["GET /api/v1/services/payments/gate?environment=staging"]
    assert not list(here.iterdir())


GARBAGE = {
    "html": says(b"<html>welcome</html>"),
    "nothing": says(b""),
    "a list": says([verdict("go", 0)]),
    "another verdict": says(verdict("maybe", 0)),
    "a verdict with another code": says(verdict("no-go", 0)),
    "no verdict": says({"reasons": [], "exit_code": 0}),
    "no code": says({"verdict": "go", "reasons": []}),
    "a code that is no number": says({"verdict": "go", "reasons": [], "exit_code": True}),
    "a key twice": says(b'{"verdict": "no-go", "verdict": "go", "reasons": [], "exit_code": 0}'),
    "bad UTF-8": says(b'{"verdict": "\xff"}'),
    "deep": says(b"[" * 100_000),
    "a go that is not there": says(verdict("go", 0), status=404),
    "a go and a fault": says(verdict("go", 0), status=500),
    "a redirect": says(b"", status=302, Location="http://127.0.0.1:1/"),
    "half a document": says(b'{"verdict": "go", "reasons": [], "exit_code": 0'),
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.usefixtures("here")
def test_an_answer_that_makes_no_sense_is_cannot_tell(answer: Answer, scorecard: Call) -> None:
    with serving(answer) as (url, _):
        done = scorecard("gate", "payments", "--server", url, "-o", "json")
    assert done.code == 3
    assert done.json["verdict"] == "cannot-tell"
    assert "Traceback" not in done.err


@pytest.mark.usefixtures("here")
def test_a_server_that_is_down_is_cannot_tell(scorecard: Call) -> None:
    done = scorecard("gate", "payments", "--server", "http://127.0.0.1:1")
    assert done.code == 3
    assert "refused" in done.out
    assert scorecard("gate", "payments", "--server", "http://no-such-host.invalid").code == 3


@pytest.mark.usefixtures("here")
def test_a_server_that_drips_is_cannot_tell_by_the_deadline(scorecard: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "DEADLINE", 1.0)
    stop = Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not stop.wait(0.1):
            request.wfile.write(b" ")

    began = time.monotonic()
    with serving(drip) as (url, _):
        done = scorecard("gate", "payments", "--server", url)
        stop.set()
    assert done.code == 3
    assert time.monotonic() - began < 15


@pytest.mark.usefixtures("here")
def test_a_parameter_that_the_server_refuses_is_a_usage_error(scorecard: Call) -> None:
    with serving(says({"detail": "environment: is not a name"}, status=422)) as (url, _):
        done = scorecard("gate", "payments", "--server", url, "--environment", "Bad Name")
    assert (done.code, done.out) == (2, "")
    assert "is not a name" in done.err


@pytest.mark.parametrize("url", ["scorecard.example.net", "ftp://example.net", "http://", "/somewhere"])
@pytest.mark.usefixtures("here")
def test_a_server_that_is_no_address_is_a_usage_error(url: str, scorecard: Call) -> None:
    done = scorecard("gate", "payments", "--server", url)
    assert (done.code, done.out) == (2, "")


@pytest.mark.usefixtures("here")
def test_a_name_is_one_part_of_the_path(scorecard: Call) -> None:
    with serving(says(verdict("go", 0))) as (url, seen):
        scorecard("gate", "../../livez?", "--server", url)
    assert seen == ["GET /api/v1/services/..%2F..%2Flivez%3F/gate?environment=production"]


def test_measure_has_the_server_measure_first(here: Path, scorecard: Call) -> None:
    states = iter(["running", "done"])

    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path.endswith("/gate?environment=production"):
            says(verdict("go", 0))(request)
        else:
            status = 202 if request.command == "POST" else 200
            says({"id": 7, "state": next(states)}, status=status)(request)

    with serving(answer) as (url, seen):
        done = scorecard("gate", "payments", "--measure", "--server", url)
    assert done.code == 0
    assert seen == [
        "POST /api/v1/services/payments/measure?environment=production",
        "GET /api/v1/runs/7",
        "GET /api/v1/services/payments/gate?environment=production",
    ]
    assert not list(here.iterdir())


# --- report only, break glass ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_report_only_turns_1_into_0_and_nothing_else(scorecard: Call) -> None:
    for word, code, exits in (("no-go", 1, 0), ("cannot-tell", 3, 3), ("go", 0, 0)):
        with serving(says(verdict(word, code, "why"))) as (url, _):
            done = scorecard("gate", "payments", "--server", url, "--report-only", "-o", "json")
        assert (done.code, done.json["verdict"], done.json["exit_code"]) == (exits, word, code)


def test_breaking_the_glass_exits_0_and_is_recorded_with_the_person(here: Path, scorecard: Call) -> None:
    with serving(says(verdict("no-go", 1, "alerts/exist: none"))) as (url, _):
        done = scorecard(
            "gate", "payments", "--server", url, "--break-glass", "fix for the outage of today", "-o", "json"
        )
    assert done.code == 0
    assert done.json["verdict"] == "no-go"
    assert done.json["break_glass"] == "fix for the outage of today"
    [record] = [json.loads(line) for line in (here / "break-glass.jsonl").read_text().splitlines()]
    assert record["person"] == getpass.getuser()
    assert (record["service"], record["verdict"], record["reasons"]) == ("payments", "no-go", ["alerts/exist: none"])
    assert record["person"] in done.err
    assert "fix for the outage of today" in done.err


def test_breaking_the_glass_needs_a_reason_and_a_record(here: Path, scorecard: Call) -> None:
    assert scorecard("gate", "payments", "--break-glass", " ").code == 2
    (here / "break-glass.jsonl").mkdir()
    done = scorecard("gate", "payments", "--server", "http://127.0.0.1:1", "--break-glass", "because")
    assert (done.code, done.out) == (2, "")
    assert "without a record nothing is let through" in done.err


# --- without a server ------------------------------------------------------------------------------------------------


def test_without_a_store_nothing_was_measured(here: Path, scorecard: Call) -> None:
    done = scorecard("gate", "payments", "-o", "json")
    assert done.code == 3
    assert "there is no store yet" in done.json["reasons"][0]
    assert not list(here.iterdir())


@pytest.mark.usefixtures("in_fleet")
def test_measure_without_a_server_probes_from_here(scorecard: Call) -> None:
    done = scorecard("gate", "ledger", "--measure", "-o", "json")
    assert done.code == 1
    assert any(reason.startswith("health-endpoints/liveness") for reason in done.json["reasons"])
    assert not Path("scorecard.db").exists()


@pytest.mark.usefixtures("here")
def test_a_bad_configuration_is_2_and_not_3(scorecard: Call) -> None:
    Path("scorecard.yaml").write_text("stroe: x\n")
    done = scorecard("gate", "payments")
    assert (done.code, done.out) == (2, "")
