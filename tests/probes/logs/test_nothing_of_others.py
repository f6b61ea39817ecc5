"""Lines of other people, in every place where a log holds them, show up nowhere in the whole scorecard."""

from __future__ import annotations

import io
import logging
import sqlite3
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scorecard.app import Running
from scorecard.logging import configure
from scorecard.model import ServiceKey
from tests.probes.logs.estate import App, good, line, serving, stamp, to_file

CANARY = "C4naryOfSomebodyElse"
PASSWORD = "hunter2-of-our-own-line"


def chatty(app: App, request: object) -> None:
    """Log other people's requests around ours, near it in every way."""
    given = request.headers["X-Correlation-ID"]  # type: ignore[attr-defined]
    app.write(line(CANARY, path="/v1/ping", customer=CANARY))
    app.write(f"{stamp()} GET /v1/ping?card={CANARY} 200")
    app.write(line("in a field of another service", service=f"ledger-{CANARY}", **{CANARY: CANARY}))
    good(app, request)  # type: ignore[arg-type]
    app.write(line("ours, with a secret", correlation_id=given, password=PASSWORD))
    app.write(f'{{"broken": "{CANARY}')


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Running, io.StringIO]]:
    write = to_file(tmp_path / "app.log")
    write(line(CANARY))
    (tmp_path / "services").mkdir()
    (tmp_path / "scorecard.yaml").write_text("probing: {allow: [127.0.0.1/32], timeout: 2s}\n")
    lines, before = io.StringIO(), logging.getLogger().handlers[:]
    configure(stream=lines)
    with serving(App(write, chatty)) as url:
        (tmp_path / "services" / "shop.yaml").write_text(
            "metadata: {name: shop, team: sales}\n"
            "spec:\n"
            f"  url: {url}\n"
            "  correlation: {path: /v1/ping}\n"
            "  logs: {file: {path: app.log}}\n"
        )
        scorecard = Running(tmp_path / "scorecard.yaml", {})
        yield scorecard, lines
        scorecard.stop()
    logging.getLogger().handlers[:] = before


def idle(scorecard: Running) -> None:
    until = time.monotonic() + 60
    while scorecard.dispatcher.pending():
        assert time.monotonic() < until
        time.sleep(0.02)


def cells(path: Path) -> str:
    """Every cell of every table, what is compressed included."""
    found = []
    with sqlite3.connect(path) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - our own table names
                found += [zlib.decompress(cell).decode() if isinstance(cell, bytes) else str(cell) for cell in row]
    return "\n".join(found)


def test_the_whole_scorecard_keeps_our_own_line_redacted_and_nobody_else_s(
    running: tuple[Running, io.StringIO], tmp_path: Path
) -> None:
    scorecard, lines = running
    assert scorecard.live.outcome.problems == ()
    scorecard.planner.tick()
    idle(scorecard)  # the run that sends, and the one that looks
    first = scorecard.flask.test_client().get("/api/v1/services/shop/scorecard", headers={"Host": "127.0.0.1"}).json
    row = next(row for row in first["rows"] if row["id"] == "structured-logs")
    check = next(check for check in row["checks"] if check["id"] == "correlation-id")
    assert "a JSON line carries the id in correlation_id" in check["message"], check
    scorecard.planner.measure(ServiceKey("shop"), None, "a test")
    idle(scorecard)

    client = scorecard.flask.test_client()
    pages = (
        "/services/shop", "/rows/structured-logs", "/services.csv", "/metrics", "/api/v1/services/shop",
        "/api/v1/services/shop/scorecard", "/api/v1/services/shop/history", "/api/v1/runs",
    )  # fmt: skip
    seen = {page: client.get(page, headers={"Host": "127.0.0.1"}).get_data(as_text=True) for page in pages}
    seen["the store"] = cells(tmp_path / "scorecard.db")
    seen["our logs"] = lines.getvalue()
    # Our own line did arrive.
    assert "GET /v1/ping" in seen["the store"]
    assert "correlation_id" in seen["/services/shop"]
    assert {(place, word) for place, text in seen.items() for word in (CANARY, PASSWORD) if word in text} == set()
