"""Grafana's alerting, from a server that answers as its documentation has it; a real Grafana was not at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from scorecard.evidence import Observation, Unavailable
from scorecard.evidence.alerting import LiveAlert, LiveAlerts, Routing, RuleHealth, Series
from scorecard.model import AlertsRef, Cause, GrafanaAlerts, Service, Spec
from scorecard.probes import Upstream
from scorecard.probes.alerting.routing import RoutingProbe
from tests.probes.alerting.conftest import alerts_of, ask, clock, instances, live

SERVICE = Service(
    name="payments", spec=Spec(alerts=(AlertsRef(grafana=GrafanaAlerts(matchers={"service": "payments"})),))
)


def rule(number: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - keys of a rule
    whole = {
        "id": number, "uid": f"u{number}", "orgID": 1, "folderUID": "f", "ruleGroup": "g", "title": f"R{number}",
        "condition": "C", "data": [{"refId": "A", "model": {"expr": "up > 0"}}], "noDataState": "NoData",
        "execErrState": "Error", "for": "5m", "isPaused": False,
        "labels": {"service": "payments", "severity": "critical"},
        "annotations": {"runbook_url": "https://r.example.net/x"},
    }  # fmt: skip
    return {**whole, **changes}


DEFINED = [
    rule(1),
    rule(2, isPaused=True),
    rule(
        3, labels={"severity": "critical"}, data=[{"refId": "A", "model": {"expr": 'rate(x{service="payments"}[5m])'}}]
    ),
    rule(4, labels={"service": "ledger"}),
    rule(5),
    rule(6, notification_settings={"receiver": "direct"}),
]
STATES = [
    {"uid": "u1", "name": "R1", "health": "ok", "state": "inactive"},
    {"uid": "u3", "name": "R3", "health": "error", "lastError": "no such host", "state": "inactive"},
    {"uid": "u5", "name": "R5", "health": "nodata", "state": "inactive"},
]
CHANGES = [{"alertId": 1, "newState": "Alerting", "prevState": "Pending"}] * 3 + [
    {"alertId": 1, "newState": "Normal", "prevState": "Alerting"}
]
ANSWERS: dict[str, Any] = {
    "/api/v1/provisioning/alert-rules": DEFINED,
    "/api/prometheus/grafana/api/v1/rules": {"data": {"groups": [{"name": "g", "folderUid": "f", "rules": STATES}]}},
    "/api/annotations": CHANGES,
    "/api/v1/provisioning/policies": {
        "receiver": "nobody",
        "routes": [{"receiver": "pager", "object_matchers": [["severity", "=", "critical"]]}],
    },
    "/api/v1/provisioning/contact-points": [
        {"name": "pager", "type": "pagerduty"},
        {"name": "direct", "type": "slack"},
    ],
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answers: dict[str, Any] = self.server.answers  # type: ignore[attr-defined]
        found = answers.get(urlsplit(self.path).path, 403)
        body = json.dumps({} if isinstance(found, int) else found).encode()
        self.send_response(found if isinstance(found, int) else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def grafana(**changes: Any) -> Iterator[str]:  # noqa: ANN401 - whatever it answers
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers = {**ANSWERS, **changes}  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def seen(**changes: Any) -> dict[str, LiveAlert]:  # noqa: ANN401 - as above
    with grafana(**changes) as url:
        return alerts_of(ask(live(instances(grafana=url)), SERVICE)["payments"])


def test_labels_and_queries_say_whose_a_rule_is() -> None:
    assert set(seen()) == {"R1", "R2", "R3", "R5", "R6"}


def test_health_errors_pauses_and_missing_data_are_told() -> None:
    found = seen()
    assert (found["R1"].health, found["R1"].series, found["R1"].for_seconds) == (RuleHealth.OK, Series.FOUND, 300.0)
    assert found["R2"].paused
    assert (found["R3"].health, found["R3"].last_error) == (RuleHealth.ERROR, "no such host")
    assert found["R5"].series is Series.NONE


def test_a_state_that_may_not_be_read_is_unknown_and_the_rules_are_there() -> None:
    found = seen(**{"/api/prometheus/grafana/api/v1/rules": 403, "/api/annotations": 403})["R1"]
    assert (found.health, found.series_cause) == (RuleHealth.UNKNOWN, Cause.ACCESS_DENIED)
    assert found.firings_unknown is not None


def test_firings_are_counted_by_changes_of_state() -> None:
    found = seen()
    assert (found["R1"].firings, found["R2"].firings) == (3, 0)


def test_rules_that_may_not_be_read_are_not_none() -> None:
    with grafana(**{"/api/v1/provisioning/alert-rules": 401}) as url:
        answer = ask(live(instances(grafana=url)), SERVICE)["payments"]
    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.ACCESS_DENIED


def test_its_own_policies_route_and_a_rule_may_name_its_contact_point() -> None:
    with grafana() as url:
        found = instances(grafana=url)
        known = {(SERVICE.key, LiveAlerts): Observation(LiveAlerts, clock(), ask(live(found), SERVICE)["payments"])}
        answer = ask(RoutingProbe(found), SERVICE, upstream=Upstream(known))["payments"]
    assert isinstance(answer, Routing)
    ways = {alert.name: alert.ways for alert in answer.alerts}
    assert [way.receivers for way in ways["R1"]] == [("pager",)]
    assert [(way.receivers, way.reaches) for way in ways["R6"]] == [(("direct",), True)]
