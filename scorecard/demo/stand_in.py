"""What answers in place of a Prometheus, where none is installed: it knows the demo's series by their labels.

It has no values: no alert of it fires, and every series of a result is worth one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from scorecard.demo.evaluation import Labels, NotEvaluatedError, chosen, returned
from scorecard.demo.pages import Asked, Page, document
from scorecard.demo.series import Source, series
from scorecard.model import parse_duration

_CLOCK = "vector(time())"


class StandIn:
    """Answers what Prometheus' HTTP API is asked about the demo."""

    def __init__(
        self,
        services: Mapping[str, Source],
        clock: Callable[[], datetime],
        rules: Path | None = None,
        alertmanager: str = "",
    ) -> None:
        """Know the fleet; as for `scorecard.demo.prometheus.Prometheus`."""
        self._services, self._clock, self._rules = services, clock, rules
        self._alertmanager = alertmanager
        self._started = clock()

    def __call__(self, asked: Asked) -> Page:
        """One request."""
        path = asked.path
        if path == "/api/v1/query":
            return self._query(asked.parameters.get("query", ""))
        if path.startswith("/api/v1/label/") and path.endswith("/values"):
            label = path.removeprefix("/api/v1/label/").removesuffix("/values")
            selector = asked.parameters.get("match[]", "")
            found = chosen(selector, self._known()) if selector else self._known()
            return _success(sorted({one[label] for one in found if label in one}))
        if path == "/api/v1/rules":
            return _success({"groups": list(self._groups())})
        active = [{"url": f"{self._alertmanager}/api/v2/alerts"}] if self._alertmanager else []
        known = {
            "/api/v1/alertmanagers": {"activeAlertmanagers": active, "droppedAlertmanagers": []},
            "/api/v1/status/runtimeinfo": {"startTime": _written(self._started)},
            "/api/v1/status/config": {"yaml": "global: {}\n"},
        }
        return _success(known[path]) if path in known else Page(404, b"404 page not found\n", "text/plain")

    def _known(self) -> list[Labels]:
        return [{"__name__": name, **labels} for name, labels, _ in series(self._services, self._clock())]

    def _query(self, query: str) -> Page:
        at = self._clock().timestamp()
        try:
            found = returned(query, self._known())
        except NotEvaluatedError as error:
            return _refused("execution", error, 422)
        except ValueError as error:
            return _refused("bad_data", error, 400)
        value = f"{at:.3f}" if query == _CLOCK else "1"
        result = [{"metric": labels, "value": [at, value]} for labels in found]
        return _success({"resultType": "vector", "result": result})

    def _groups(self) -> Iterator[dict[str, Any]]:
        for file in sorted(self._rules.glob("*.yaml")) if self._rules else ():
            for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
                rules = [self._rule(rule) for rule in group["rules"]]
                yield {"name": group["name"], "file": str(file), "rules": rules, "interval": 2, "limit": 0}

    def _rule(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        trouble = ""
        try:
            returned(rule["expr"], self._known())
        except ValueError as error:
            trouble = str(error)
        return {
            "state": "inactive",
            "name": rule["alert"],
            "query": rule["expr"],
            "duration": parse_duration(rule.get("for", "0s")).total_seconds(),
            "labels": rule.get("labels", {}),
            "annotations": rule.get("annotations", {}),
            "alerts": [],
            "health": "err" if trouble else "ok",
            "lastError": trouble,
            "evaluationTime": 0.0003,
            "lastEvaluation": _written(self._clock()),
            "type": "alerting",
        }


def _success(data: object) -> Page:
    return document({"status": "success", "data": data})


def _refused(kind: str, error: ValueError, status: int) -> Page:
    return document({"status": "error", "errorType": kind, "error": str(error)}, status)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
