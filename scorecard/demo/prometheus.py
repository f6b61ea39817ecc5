"""The demo's Prometheus: Debian's, where it is installed, else a server of our own that answers its queries."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from scorecard.demo.pages import HOST, Page, Pages, free_port
from scorecard.demo.series import Source, exposition
from scorecard.demo.stand_in import StandIn

_SCRAPED = "500ms"
_PATIENCE = 15.0
"""Seconds that a Prometheus may take until it has two samples of a counter."""
_SENDS_TO = "/api/v1/alertmanagers"
_TWO_SAMPLES = "/api/v1/query?query=count(rate(process_cpu_seconds_total%5B1m%5D))"


class Prometheus:
    """Scrapes the fleet's metrics and answers queries, at an address that is known before it is started."""

    def __init__(
        self,
        folder: Path,
        services: Mapping[str, Source],
        clock: Callable[[], datetime],
        *,
        rules: Path | None = None,
        alertmanager: str = "",
        binary: str | None = None,
    ) -> None:
        """Take the port.

        Args:
            folder: where its configuration and its data go.
            services: what has metrics, by name.
            clock: the wall clock.
            rules: a folder of the rule files that it evaluates, `*.yaml`; none unless given.
            alertmanager: the address of whoever it sends alerts to; nobody unless given.
            binary: the program; looked for on PATH unless given, and done without where it is not there or empty.
        """
        self._folder, self._rules, self._alertmanager = folder, rules, alertmanager
        self._binary = shutil.which("prometheus") if binary is None else binary
        self._exporter = Pages(
            lambda _: Page(200, exposition(services, clock()).encode(), "text/plain; version=0.0.4; charset=utf-8")
        )
        self._stand_in = None if self._binary else Pages(StandIn(services, clock, rules, alertmanager))
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def real(self) -> bool:
        """Whether it is a Prometheus."""
        return self._stand_in is None

    @property
    def url(self) -> str:
        """Its base address."""
        return self._stand_in.url if self._stand_in else f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Scrape twice, so that a rate has a value; after a while without that go on all the same."""
        self._exporter.start()
        if self._stand_in is not None:
            self._stand_in.start()
            return
        file = self._write()
        self._process = subprocess.Popen(  # noqa: S603 - the program that PATH has, and arguments of our own
            [
                str(self._binary),
                f"--config.file={file}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={HOST}:{self._port}",
                "--log.level=error",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self._process.poll() is None and not self._ready():
            time.sleep(0.1)

    def _write(self) -> Path:
        """Its configuration."""
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._exporter.url.removeprefix("http://")
        config: dict[str, Any] = {
            "global": {"scrape_interval": _SCRAPED, "evaluation_interval": "2s"},
            "scrape_configs": [
                {"job_name": "fleet", "honor_labels": True, "static_configs": [{"targets": [target]}]},
            ],
        }
        if self._rules:
            config["rule_files"] = [f"{self._rules.resolve()}/*.yaml"]
        if self._alertmanager:
            receiver = self._alertmanager.removeprefix("http://")
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [receiver]}]}]}
        file = self._folder / "prometheus.yml"
        file.write_text(json.dumps(config), encoding="utf-8")
        return file

    def _ready(self) -> bool:
        """Whether a rate has a value, and whether it knows whom it sends alerts to."""
        sends = not self._alertmanager or bool(self._asked(_SENDS_TO, "activeAlertmanagers"))
        return sends and bool(self._asked(_TWO_SAMPLES, "result"))

    def _asked(self, path: str, key: str) -> Any:  # noqa: ANN401 - a part of an answer
        try:
            with urllib.request.urlopen(self.url + path, timeout=2) as answer:  # noqa: S310 - our own loopback
                return json.load(answer)["data"][key]
        except (OSError, urllib.error.URLError, ValueError):
            return None

    def stop(self) -> None:
        """End it and what it scrapes."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._stand_in is not None:
            self._stand_in.stop()
        self._exporter.stop()
