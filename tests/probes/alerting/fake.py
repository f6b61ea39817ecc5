"""A Prometheus of our own that answers as 2.42 does, and as one that is slow, partial, broken or just restarted."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PART = re.compile(r'label_replace\((.*?), "scorecard_part", "(\d+)", "", ""\)', re.DOTALL)


def rule(name: str, query: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - keys of a rule
    whole = {
        "state": "inactive", "name": name, "query": query, "duration": 300, "keepFiringFor": 0,
        "labels": {"severity": "critical"}, "annotations": {"runbook_url": f"https://r.example.net/{name}"},
        "alerts": [], "health": "ok", "evaluationTime": 0.0003, "lastEvaluation": "2026-11-24T10:00:00.123456789Z",
        "type": "alerting",
    }  # fmt: skip
    return {**whole, **changes}


def groups(*rules: dict[str, Any], size: int = 100) -> dict[str, Any]:
    made = [
        {
            "name": f"g{start}", "file": "/etc/prometheus/rules.yaml", "rules": list(rules[start : start + size]),
            "interval": 60, "limit": 0, "evaluationTime": 0.01, "lastEvaluation": "2026-11-24T10:00:00.1Z",
        }
        for start in range(0, len(rules), size)
    ]  # fmt: skip
    return {"status": "success", "data": {"groups": made}}


def vector(*samples: tuple[dict[str, str], float]) -> dict[str, Any]:
    result = [{"metric": labels, "value": [1795417818.763, str(value)]} for labels, value in samples]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


@dataclass
class FakePrometheus:
    """What it answers, by path; queries by what is asked of each part."""

    rules: Any = field(default_factory=groups)
    returns: Callable[[str], list[dict[str, str]]] = lambda _: [{}]
    """The label sets that a part of a query has."""
    refuses: str = ""
    """A query with this in it is refused, as one that cannot be evaluated."""
    status: dict[str, int] = field(default_factory=dict)
    delay: dict[str, float] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    started: str = "2026-11-01T00:00:00Z"
    reach: float = 700_000.0
    calls: Counter[str] = field(default_factory=Counter)
    url: str = ""

    def answer(self, path: str, params: dict[str, str]) -> tuple[int, Any]:
        if path == "/api/v1/rules":
            return 200, self.rules
        if path == "/api/v1/query":
            return self._query(params["query"])
        if path == "/api/v1/status/runtimeinfo":
            return 200, {"status": "success", "data": {"startTime": self.started}}
        if path == "/api/v1/status/config":
            return 200, {"status": "success", "data": {"yaml": "global: {external_labels: {region: eu}}"}}
        return 404, {"status": "error"}

    def _query(self, text: str) -> tuple[int, Any]:
        if self.refuses and self.refuses in text:
            return 422, {"status": "error", "errorType": "execution", "error": "many-to-many matching not allowed"}
        parts = _PART.findall(text)
        if parts:
            return 200, vector(
                *(({**labels, "scorecard_part": part}, 1.0) for one, part in parts for labels in self.returns(one))
            )
        if "min_over_time" in text:
            return 200, vector(({}, self.reach))
        return 200, vector(({}, 1_795_000_000.0)) if "vector(time())" in text else vector()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = Lock()

    def _respond(self, query: str) -> None:
        fake: FakePrometheus = self.server.fake  # type: ignore[attr-defined]
        path = urlsplit(self.path).path
        with self.lock:
            fake.calls[path] += 1
        time.sleep(fake.delay.get(path, 0))
        status, document = fake.answer(path, {name: values[0] for name, values in parse_qs(query).items()})
        body = fake.raw.get(path) or json.dumps(document).encode()
        try:
            self.send_response(fake.status.get(path, status))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        self._respond(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._respond(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that left is quiet."""


@contextmanager
def serving(fake: FakePrometheus) -> Iterator[FakePrometheus]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.fake = fake  # type: ignore[attr-defined]
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
