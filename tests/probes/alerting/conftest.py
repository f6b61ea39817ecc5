"""Real Prometheus and Alertmanager on loopback, and what the tests ask of the probes."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from scorecard.config.integrations import Integrations
from scorecard.demo.pages import free_port
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import Answer
from scorecard.evidence.alerting import LiveAlert, LiveAlerts
from scorecard.model import AlertsRef, PrometheusAlerts, Service, Spec
from scorecard.probes import Upstream
from scorecard.probes.alerting.lane import Instances
from scorecard.probes.alerting.live import LiveAlertsProbe

SEVERITIES = {"page": ("critical", "page"), "ticket": ("warning",), "info": ("info",)}
Find = Callable[[str], str]


def clock() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


def instances(**kinds: str | tuple[str, ...]) -> Instances:
    """The probes' view of a configuration; each kind one address, or several named main, second, third."""
    configured: dict[str, list[dict[str, str]]] = {}
    for kind, urls in kinds.items():
        named = zip(("main", "second", "third"), (urls,) if isinstance(urls, str) else urls, strict=False)
        configured[kind] = [{"name": name, "url": url, "timeout": "5s"} for name, url in named]
    return Instances(
        Integrations.model_validate(configured), AddressPolicy.of(["127.0.0.1"], never=()), Resolver(deadline=2.0)
    )


def service(name: str, **matchers: str) -> Service:
    ref = AlertsRef(prometheus=PrometheusAlerts(matchers=matchers))
    return Service(name=name, spec=Spec(alerts=(ref,)))


def ask(probe: Any, *services: Service, upstream: Upstream | None = None) -> dict[str, Answer]:  # noqa: ANN401 - any probe
    return {key.name: answer for key, answer in probe.ask(services, upstream or Upstream())}


def live(found: Instances) -> LiveAlertsProbe:
    return LiveAlertsProbe(found, SEVERITIES, clock)


def alerts_of(answer: Answer) -> dict[str, LiveAlert]:
    assert isinstance(answer, LiveAlerts), answer
    return {alert.name: alert for alert in answer.alerts}


def get(url: str) -> Any:  # noqa: ANN401 - JSON
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
        body = answer.read()
    return json.loads(body) if body[:1] in b"[{" else body


def until(look: Callable[[], Any], seconds: float = 30) -> Any:  # noqa: ANN401 - what is looked for
    end = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except (OSError, urllib.error.URLError):
            found = None
        if found:
            return found
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.1)


class Page(BaseHTTPRequestHandler):
    """Answers with the text that its server holds."""

    def do_GET(self) -> None:
        body = self.server.text.encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def exporter(text: str) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.text = text  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Running:
    """A program that answers at an address."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    def query(self, text: str) -> list[Any]:
        return list(get(f"{self.url}/api/v1/query?query={quote(text)}")["data"]["result"])


@contextmanager
def program_at(url: str, folder: Path, *command: str, ready: str = "/-/ready") -> Iterator[Running]:
    log = (folder / "log").open("ab")
    with subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process:
        try:
            until(lambda: get(f"{url}{ready}"))
            yield Running(url, folder, process)
        finally:
            process.terminate()
            process.wait(20)
            log.close()


@contextmanager
def prometheus(
    find: Find,
    folder: Path,
    rules: dict[str, Any],
    *,
    targets: tuple[str, ...] = (),
    settings: dict[str, Any] | None = None,
    backfill: str = "",
) -> Iterator[Running]:
    folder.mkdir(exist_ok=True)
    if backfill:
        (folder / "past.txt").write_text(backfill)
        (folder / "data").mkdir(exist_ok=True)
        making = [find("promtool"), "tsdb", "create-blocks-from", "openmetrics", "past.txt", "data"]
        subprocess.run(making, cwd=folder, check=True, capture_output=True)
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules, sort_keys=False))
    whole = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "app", "static_configs": [{"targets": list(targets)}]}],
    }
    for key, value in (settings or {}).items():
        whole[key] = {**whole[key], **value} if isinstance(whole.get(key), dict) else value
    (folder / "prometheus.yml").write_text(yaml.safe_dump(whole))
    url = f"http://127.0.0.1:{free_port()}"
    command = (
        find("prometheus"),
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address={url.removeprefix('http://')}",
    )
    with program_at(url, folder, *command) as running:
        yield running


@contextmanager
def alertmanager(find: Find, folder: Path, config: dict[str, Any]) -> Iterator[Running]:
    folder.mkdir(exist_ok=True)
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{free_port()}"
    command = (
        find("prometheus-alertmanager"),
        "--config.file=alertmanager.yml",
        "--storage.path=data",
        "--cluster.listen-address=",
        f"--web.listen-address={url.removeprefix('http://')}",
    )
    with program_at(url, folder, *command) as running:
        yield running


@pytest.fixture(scope="session")
def find(program: Find) -> Find:
    return program
