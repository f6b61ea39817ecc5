"""The real server under load is told to end: it drains requests and work, drops nothing, and ends with 0."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scorecard.demo.pages import free_port
from scorecard.store import open_store

CLIENTS = 6
SERVICES = 20


class Slow(BaseHTTPRequestHandler):
    """A service that takes a second to say that it is well."""

    def do_GET(self) -> None:
        time.sleep(1.0)
        body = b'{"status": "ok"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def target() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def ask(port: int, path: str) -> tuple[str, int]:
    """One request over a connection of its own: `refused`, `dropped`, or `answered` with the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.connect()
    except OSError:
        return "refused", 0
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return "dropped", 0
    finally:
        connection.close()
    return "answered", answer.status


def catalogue(folder: Path, url: str) -> None:
    names = [f"s{number:02}" for number in range(SERVICES)]
    spec = f"spec: {{url: '{url}', health: {{liveness: /livez, readiness: /readyz}}}}"
    text = "---\n".join(f"kind: Service\nmetadata: {{name: {name}, team: crew}}\n{spec}\n" for name in names)
    (folder / "services.yaml").write_text(text)
    (folder / "scorecard.yaml").write_text(
        "catalog: [{files: services.yaml}]\n"
        "store: sqlite:///scorecard.db\n"
        "cadence: {live: 2s}\n"
        "probing: {allow: [127.0.0.1/32]}\n"
    )


def wait_for(port: int, process: subprocess.Popen[str], holds: str) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()[1]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/runs", timeout=5) as answer:
                if any(run["state"] == holds for run in json.load(answer)["items"]):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail(f"no run came to be {holds}")


def test_sigterm_with_work_and_requests_in_flight_drains_drops_nothing_and_ends_with_0(tmp_path: Path) -> None:
    with target() as url:
        catalogue(tmp_path, url)
        port = free_port()
        command = [sys.executable, "-m", "scorecard.cli", "serve", "--port", str(port)]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        results: Counter[tuple[str, int]] = Counter()
        stopping = threading.Event()

        def client(number: int) -> None:
            paths = ("/api/v1/services", "/livez", "/services", "/metrics", "/api/v1/services/s01/scorecard", "/")
            while not stopping.is_set():
                outcome = ask(port, paths[number % len(paths)])
                results[outcome] += 1
                if outcome[0] == "refused":
                    return

        try:
            wait_for(port, process, "done")
            clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
            for thread in clients:
                thread.start()
            wait_for(port, process, "running")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
            took = time.monotonic() - began
        finally:
            stopping.set()
            process.kill()
        for thread in clients:
            thread.join(40)

    assert process.returncode == 0, said
    assert took < 25
    assert "Traceback" not in said
    outcomes = Counter(word for (word, _), count in results.items() for _ in range(count))
    assert outcomes["dropped"] == 0, results
    assert outcomes["answered"] > CLIENTS
    assert {status for (word, status) in results if word == "answered"} == {200}
    whole_and_once(tmp_path)


def whole_and_once(folder: Path) -> None:
    """What runs at the end has its effect, and nobody holds the store."""
    store = open_store(f"sqlite:///{folder / 'scorecard.db'}", checklists={}, policies={}, periods={})
    store.db.own()
    assert store.ready() == ""
    for cycle in store.cycles(200):
        assert cycle.shards_done <= cycle.shards
        assert cycle.state != "running" or cycle.shards_done < cycle.shards
    store.close()
