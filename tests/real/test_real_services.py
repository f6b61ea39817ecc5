"""The main job on real input: Debian's Prometheus, Alertmanager and blackbox exporter are the services.

The whole server runs as a user runs it, and a real Prometheus scrapes the result.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from scorecard.demo.pages import free_port

T = TypeVar("T")

pytestmark = pytest.mark.prometheus


@contextmanager
def running(*command: str, cwd: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    log = (cwd / f"{Path(command[0]).name}-{time.monotonic_ns()}.log").open("wb")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCORECARD__")}
    with subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log, env=environment) as process:
        try:
            wait_for(lambda: get(ready), process)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
            log.close()


def get(url: str) -> str:
    answer = requests.get(url, timeout=5)
    answer.raise_for_status()
    return answer.text


def wait_for(look: Callable[[], T], process: subprocess.Popen[bytes] | None = None, seconds: float = 60) -> T:
    until = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except (requests.RequestException, KeyError, IndexError):
            found = None
        if found:
            return found
        assert process is None or process.poll() is None, "the program ended"
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(0.2)


SERVICE = """
apiVersion: scorecard/v1
kind: Service
metadata: {{name: {name}, team: observability}}
spec: {{url: "http://127.0.0.1:{port}", health: {{liveness: {live}, readiness: {ready}}}}}
---
"""


@pytest.fixture(scope="module")
def ports(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """A scorecard that measures a real Prometheus, Alertmanager and blackbox exporter, and is scraped by the first."""
    folder = tmp_path_factory.mktemp("real")
    port = {name: free_port() for name in ("prometheus", "alertmanager", "blackbox", "scorecard")}
    (folder / "services").mkdir()
    (folder / "services" / "all.yaml").write_text(
        SERVICE.format(name="prometheus", port=port["prometheus"], live="/-/healthy", ready="/-/ready")
        + SERVICE.format(name="alertmanager", port=port["alertmanager"], live="/-/healthy", ready="/-/ready")
        + SERVICE.format(name="blackbox", port=port["blackbox"], live="/-/healthy", ready="/metrics")
        + SERVICE.format(name="nobody-home", port=free_port(), live="/livez", ready="/readyz")
    )
    (folder / "scorecard.yaml").write_text("probing: {allow: [127.0.0.1/32]}\ncadence: {live: 2s}\n")
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        "  - job_name: scorecard\n"
        "    honor_labels: true\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{port['scorecard']}']}}]\n"
    )
    (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    (folder / "blackbox.yml").write_text("modules: {http: {prober: http}}\n")
    local = {name: f"127.0.0.1:{number}" for name, number in port.items()}
    with ExitStack() as stack:
        start = stack.enter_context
        start(
            running(
                program("prometheus"),
                "--config.file=prometheus.yml",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={local['prometheus']}",
                cwd=folder,
                ready=f"http://{local['prometheus']}/-/ready",
            )
        )
        start(
            running(
                program("prometheus-alertmanager"),
                "--config.file=alertmanager.yml",
                f"--storage.path={folder / 'alertmanager'}",
                "--cluster.listen-address=",
                f"--web.listen-address={local['alertmanager']}",
                cwd=folder,
                ready=f"http://{local['alertmanager']}/-/ready",
            )
        )
        start(
            running(
                program("prometheus-blackbox-exporter"),
                "--config.file=blackbox.yml",
                f"--web.listen-address={local['blackbox']}",
                cwd=folder,
                ready=f"http://{local['blackbox']}/-/healthy",
            )
        )
        start(
            running(
                str(Path(sys.executable).parent / "scorecard"),
                "serve",
                "--port",
                str(port["scorecard"]),
                cwd=folder,
                ready=f"http://{local['scorecard']}/readyz",
            )
        )
        yield port


def health_row(ports: dict[str, int], name: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        document = json.loads(get(f"http://127.0.0.1:{ports['scorecard']}/api/v1/services/{name}/scorecard"))
        row = next(row for row in document["rows"] if row["id"] == "health-endpoints")
        measured = {check["id"]: check for check in row["checks"]}
        return measured if measured["liveness"]["cause"] != "no_data" else None

    found = wait_for(look)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["prometheus", "alertmanager", "blackbox"])
def test_a_real_server_has_liveness_and_readiness(ports: dict[str, int], name: str) -> None:
    checks = health_row(ports, name)
    assert checks["liveness"]["status"] == "pass"
    assert checks["readiness"]["status"] == "pass"
    assert "200" in checks["readiness"]["message"]
    assert any("curl" in exhibit["request"] for exhibit in checks["readiness"]["evidence"])


def test_a_real_prometheus_is_no_catch_all(ports: dict[str, int]) -> None:
    assert health_row(ports, "prometheus")["not-a-catch-all"]["status"] == "pass"


def test_a_service_that_was_never_reached_is_unknown_and_not_failed(ports: dict[str, int]) -> None:
    checks = health_row(ports, "nobody-home")
    assert (checks["liveness"]["status"], checks["liveness"]["cause"]) == ("unknown", "unreachable")


def test_a_real_prometheus_scrapes_the_scores(ports: dict[str, int]) -> None:
    def ask(query: str) -> list[Any]:
        url = f"http://127.0.0.1:{ports['prometheus']}/api/v1/query?query={query}"
        result: list[Any] = json.loads(get(url))["data"]["result"]
        return result

    wait_for(lambda: len(ask("scorecard_service_score_ratio%7Bchecklist=%22production-readiness%22%7D")) == 4)
    health_row(ports, "prometheus")
    up = wait_for(lambda: ask("scorecard_probe_up%7Bservice=%22prometheus%22,endpoint=%22readiness%22%7D"))
    assert up[0]["value"][1] == "1"
    assert up[0]["metric"]["job"] == "scorecard"
    statuses = wait_for(lambda: ask("scorecard_row_status%7Bservice=%22nobody-home%22,row=%22health-endpoints%22%7D"))
    assert [one["metric"]["status"] for one in statuses] == ["unknown"]
