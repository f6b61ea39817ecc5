"""The demo's Prometheus: Debian's, where it is installed, else a server of our own that answers its queries.

Ours knows which series there are, and no arithmetic: a query whose selectors all find series has one result.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import promql_parser

from scorecard.demo.pages import HOST, Asked, Page, Pages, document
from scorecard.demo.series import exposition, series

_SCRAPED = "500ms"
_PATIENCE = 15.0
"""Seconds that a Prometheus may take until it has two samples of a counter."""
_TWO_SAMPLES = "/api/v1/query?query=count(rate(process_cpu_seconds_total%5B1m%5D))"


class Prometheus:
    """Scrapes the fleet's metrics and answers queries, at an address that is known before it is started."""

    def __init__(
        self,
        folder: Path,
        services: Mapping[str, str],
        clock: Callable[[], datetime],
        *,
        rules: str = "",
        binary: str | None = None,
    ) -> None:
        """Take the port.

        Args:
            folder: where its configuration and its data go.
            services: name to type of what has metrics.
            clock: the wall clock.
            rules: a glob of rule files that it evaluates; none unless given.
            binary: the program; looked for on PATH unless given, and done without where it is not there or empty.
        """
        self._folder, self._rules = folder, rules
        self._binary = shutil.which("prometheus") if binary is None else binary
        self._exporter = Pages(
            lambda _: Page(200, exposition(services, clock()).encode(), "text/plain; version=0.0.4; charset=utf-8")
        )
        self._stand_in = None if self._binary else Pages(StandIn(services, clock))
        self._port = _free_port()
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
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._exporter.url.removeprefix("http://")
        config: dict[str, Any] = {
            "global": {"scrape_interval": _SCRAPED, "evaluation_interval": "2s"},
            "scrape_configs": [
                {"job_name": "fleet", "honor_labels": True, "static_configs": [{"targets": [target]}]},
            ],
        }
        if self._rules:
            config["rule_files"] = [self._rules]
        file = self._folder / "prometheus.yml"
        file.write_text(json.dumps(config), encoding="utf-8")
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
        while time.monotonic() < until and self._process.poll() is None and not self._has_rates():
            time.sleep(0.1)

    def _has_rates(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + _TWO_SAMPLES, timeout=2) as answer:  # noqa: S310 - our own loopback
                return bool(json.load(answer)["data"]["result"])
        except (OSError, urllib.error.URLError, ValueError):
            return False

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


class StandIn:
    """What our own server answers in place of a Prometheus."""

    def __init__(self, services: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        """Know the fleet."""
        self._services, self._clock = services, clock

    def __call__(self, asked: Asked) -> Page:
        """A query, or the values of a label."""
        known = [{"__name__": name, **labels} for name, labels, _ in series(self._services, self._clock())]
        if asked.path == "/api/v1/query":
            return self._query(asked.parameters.get("query", ""), known)
        if asked.path.startswith("/api/v1/label/") and asked.path.endswith("/values"):
            label = asked.path.removeprefix("/api/v1/label/").removesuffix("/values")
            chosen = known
            if asked.parameters.get("match[]"):
                chosen = _chosen(promql_parser.parse(asked.parameters["match[]"]), known)
            return document({"status": "success", "data": sorted({one[label] for one in chosen if label in one})})
        return Page(404, b"404 page not found\n", "text/plain")

    def _query(self, query: str, known: list[dict[str, str]]) -> Page:
        try:
            tree = promql_parser.parse(query)
        except ValueError as error:
            return document({"status": "error", "errorType": "bad_data", "error": str(error)}, 400)
        at = self._clock().timestamp()
        found = [{"metric": labels, "value": [at, "1"]} for labels in _results(tree, known)]
        return document({"status": "success", "data": {"resultType": "vector", "result": found}})


def _results(tree: Any, known: list[dict[str, str]]) -> list[dict[str, str]]:  # noqa: ANN401 - the parser's own types
    """The labels of the results: by the labels that the outermost operator groups by, else one without any."""
    selected: list[list[dict[str, str]]] = []

    def visit(node: Any) -> None:  # noqa: ANN401 - as above
        if isinstance(node, promql_parser.VectorSelector):
            selected.append(_chosen(node, known))

    promql_parser.walk(tree, visit)
    if not all(selected):
        return []
    labels: list[str] = []
    if isinstance(tree, promql_parser.AggregateExpr) and tree.modifier is not None:
        labels = list(tree.modifier.labels)
    groups = {tuple((name, one[name]) for name in labels if name in one) for chosen in selected for one in chosen}
    return [dict(group) for group in sorted(groups)] or [{}]


def _chosen(selector: Any, known: list[dict[str, str]]) -> list[dict[str, str]]:  # noqa: ANN401 - as above

    def fits(labels: dict[str, str]) -> bool:
        if selector.name and labels["__name__"] != selector.name:
            return False
        for matcher in selector.matchers.matchers:
            value, operator = labels.get(matcher.name, ""), str(matcher.op)
            equal = operator in {"MatchOp.Equal", "MatchOp.NotEqual"}
            met = value == matcher.value if equal else re.fullmatch(matcher.value, value) is not None
            if met == (operator in {"MatchOp.NotEqual", "MatchOp.NotRe"}):
                return False
        return True

    return [one for one in known if fits(one)]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
