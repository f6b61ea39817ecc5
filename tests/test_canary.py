"""A canary secret placed in twenty places shows up nowhere: not in the store, the logs, the site, the API, the metrics.

The whole scorecard runs in this process over a hostile service, a hostile repository and a hostile configuration.
"""

from __future__ import annotations

import io
import logging
import sqlite3
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from scorecard.app import Running
from scorecard.logging import configure
from scorecard.model import ServiceKey

CANARY = "tok3nC4naryQ7xZ9"
AWS_KEY = "AKIAC4NARYQ7XZ9TOK3N"
GITHUB = "ghp_C4naryQ7xZ9tok3nC4naryQ7xZ9tok3n123"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJDNG5hcnkifQ.C4naryQ7xZ9signature"
NEEDLES = (CANARY, AWS_KEY, GITHUB, JWT, "C4naryQ7xZ9signature")

RULES = f"""
groups:
  - name: shop
    rules:
      - alert: ShopDown
        expr: up{{job="shop", password="{CANARY}"}} == 0
        for: 5m
        labels: {{severity: critical, api_key: {CANARY}}}
        annotations:
          runbook_url: https://deploy:{CANARY}@runbooks.example.net/shop?token={CANARY}
          summary: "Authorization: Bearer {CANARY}"
      - alert: ShopSlow
        expr: rate(requests[5m]) ) token={CANARY}
        labels: {{severity: warning}}
        annotations: {{runbook_url: runbooks/slow.md}}
"""

RECORD = f"""---
status: accepted
date: 2026-01-05
---
# {{n}}. Use the vault, password={CANARY}

## Context
{GITHUB} was in the code, and the secret_key: {CANARY} too, which we want to end now for good reasons.

## Decision
aws_secret_access_key = {CANARY} and {AWS_KEY} go to the vault before the end of this month, all of them.

## Consequences
https://admin:{CANARY}@vault.example.net/ is asked at start; without the vault the service does not start.
"""

RUNBOOK = f"""# ShopSlow

## Meaning
Authorization: Bearer {JWT} is needed. TODO: password={CANARY}

## Diagnosis
```sh
curl -H 'X-Api-Key: {CANARY}' https://ops:{CANARY}@shop.example.net/
```
[broken](https://x:{CANARY}@nowhere.example.net/) [lost](lost.md?token={CANARY})
"""


@Request.application
def shop(request: Request) -> Response:
    """A service that gives secrets away in its body, its headers and its redirects."""
    if request.path == "/livez":
        body = f'{{"status": "up", "password": "{CANARY}", "aws": "{AWS_KEY}", "jwt": "{JWT}"}}'
        return Response(body, 200, {"Content-Type": "application/json", "Set-Cookie": f"session={CANARY}"})
    if request.path == "/readyz":
        return Response("", 302, {"Location": f"https://user:{CANARY}@login.example.net/?token={CANARY}"})
    return Response(f"no such page; api_key={CANARY} {GITHUB}", 404, {"X-Auth-Token": CANARY})


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Running, io.StringIO, Path]]:
    repository = tmp_path / "shop"
    (repository / "adr").mkdir(parents=True)
    (repository / "alerts").mkdir()
    (repository / "runbooks").mkdir()
    for number in range(1, 4):
        (repository / "adr" / f"000{number}-vault.md").write_text(RECORD.replace("{n}", str(number)))
    (repository / "alerts" / "shop.rules.yaml").write_text(RULES)
    (repository / "runbooks" / "slow.md").write_text(RUNBOOK)
    (repository / "alerts" / f"password={CANARY}.rules.yaml").write_text("groups: [{name: x, rules: [{alert: ]}]\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.net", "-C", str(repository)]
    subprocess.run([*git[:5], "init", "-q", str(repository)], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", f"password={CANARY}"], check=True)
    server = make_server("127.0.0.1", 0, shop, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "token").write_text(CANARY)
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "shop.yaml").write_text(
        "metadata: {name: shop, team: sales}\n"
        "spec:\n"
        f"  url: http://127.0.0.1:{server.server_port}\n"
        "  health: {liveness: /livez, readiness: /readyz}\n"
        "  repositories: [{url: ./shop}]\n"
        "  alerts: [{files: alerts/*.yaml}]\n"
        "  runbooks: [runbooks/]\n"
    )
    (tmp_path / "scorecard.yaml").write_text(
        "probing: {allow: [127.0.0.1/32], timeout: 2s}\n"
        "integrations: {github: [{name: main, url: https://api.github.com, token_file: token}]}\n"
    )
    lines = io.StringIO()
    before = logging.getLogger().handlers[:]
    configure(stream=lines)
    scorecard = Running(tmp_path / "scorecard.yaml", {"AWS_SECRET_ACCESS_KEY": CANARY})
    yield scorecard, lines, tmp_path
    scorecard.stop()
    server.shutdown()
    logging.getLogger().handlers[:] = before


def measured(scorecard: Running) -> None:
    scorecard.planner.tick()
    until = time.monotonic() + 60
    while scorecard.dispatcher.pending():
        assert time.monotonic() < until
        time.sleep(0.05)
    scorecard.planner.measure(ServiceKey("shop"), None, "a test")
    while scorecard.dispatcher.pending():
        assert time.monotonic() < until
        time.sleep(0.05)


def stored(path: Path) -> str:
    """Every cell of every table, what is compressed included."""
    cells = []
    with sqlite3.connect(path) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - our own table names
                cells += [zlib.decompress(cell).decode() if isinstance(cell, bytes) else str(cell) for cell in row]
    return "\n".join(cells)


def test_a_canary_secret_in_twenty_places_shows_up_nowhere(running: tuple[Running, io.StringIO, Path]) -> None:
    scorecard, lines, folder = running
    assert scorecard.live.outcome.problems == ()
    measured(scorecard)
    client = scorecard.flask.test_client()
    host = {"Host": "127.0.0.1", "Authorization": f"Bearer {CANARY}", "X-Correlation-ID": f"password={CANARY}"}
    pages = (
        "/", "/services", "/services/shop", "/rows/alerts", "/rows/runbooks", "/teams/sales", "/health", "/runs",
        "/services.csv", "/metrics", "/badge/shop.svg", "/readyz", "/api/v1/services", "/api/v1/services/shop",
        "/api/v1/services/shop/scorecard", "/api/v1/services/shop/history", "/api/v1/services/shop/gate",
        f"/services?q=x&token={CANARY}", f"/api/v1/services?password={CANARY}", "/api/v1/runs",
    )  # fmt: skip
    seen = {page: client.get(page, headers=host).get_data(as_text=True) for page in pages}
    seen["the store"] = stored(folder / "scorecard.db")
    seen["the logs"] = lines.getvalue()
    # What was looked at did arrive: the needles were really in reach.
    assert "ShopDown" in seen["/api/v1/services/shop/scorecard"]
    assert "[redacted]" in seen["/api/v1/services/shop/scorecard"]
    assert "shard measured" in seen["the logs"]
    found = {(place, needle) for place, text in seen.items() for needle in NEEDLES if needle in text}
    assert found == set()
