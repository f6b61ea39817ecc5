"""`scorecard doctor` on Prometheus, Alertmanager and Grafana's alerting, and the checks that would be unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from scorecard.cli.doctor_alerting import examine
from scorecard.config import load_config
from scorecard.demo.pages import Asked, Page, Pages, document
from scorecard.model import AlertsRef, GrafanaAlerts, PrometheusAlerts, Service, Spec
from tests.probes.alerting.fake import FakePrometheus, groups, rule, serving

Told = dict[str, tuple[str, bool | None]]
Examined = Callable[..., Told]
TREE = {"route": {"receiver": "on-call"}, "receivers": [{"name": "on-call", "webhook_configs": [{"url": "http://x"}]}]}
BY_PROMETHEUS = AlertsRef(prometheus=PrometheusAlerts(matchers={}))


class Known(FakePrometheus):
    """One that knows an Alertmanager."""

    def answer(self, path: str, params: dict[str, str]) -> tuple[int, object]:
        if path == "/api/v1/alertmanagers":
            return 200, {"status": "success", "data": {"activeAlertmanagers": [{"url": "http://127.0.0.1:9093/api"}]}}
        return super().answer(path, params)


def alertmanager(config: dict[str, object]) -> Callable[[Asked], Page]:
    return lambda asked: (
        document({"config": {"original": json.dumps(config)}}) if asked.path == "/api/v2/status" else document({}, 404)
    )


@pytest.fixture
def examined(tmp_path: Path) -> Examined:
    """Subject to what is told of it."""

    def look(*refs: AlertsRef, **urls: str) -> Told:
        lines = ["probing: {allow: [127.0.0.1]}", "integrations:"]
        lines += [f"  {kind}: [{{name: main, url: '{url}', timeout: 2s}}]" for kind, url in urls.items()]
        file = tmp_path / "scorecard.yaml"
        file.write_text("\n".join(lines if urls else lines[:1]) + "\n")
        services = [Service(name="payments", spec=Spec(alerts=refs or (BY_PROMETHEUS,)))]
        told = examine(load_config(file, {}), services)
        return {subject: (message, good) for subject, message, good in told}

    return look


@pytest.fixture
def serve() -> object:
    with ExitStack() as stack:

        def start(answer: Callable[[Asked], Page]) -> str:
            pages = Pages(answer)
            pages.start()
            stack.callback(pages.stop)
            return pages.url

        yield start


def test_what_can_be_asked_is_told_in_numbers(examined: Examined, serve: Callable[..., str]) -> None:
    with serving(Known(rules=groups(rule("Down", "up == 0"), rule("Slow", "up == 0")))) as prometheus:
        told = examined(prometheus=prometheus.url, alertmanager=serve(alertmanager(TREE)))
    assert told == {
        "prometheus/main rules": ("it evaluates 2 alerting rules", True),
        "prometheus/main queries": ("it answers queries and remembers a week", True),
        "prometheus/main sending": ("it sends alerts to http://127.0.0.1:9093/api", True),
        "alertmanager/main tree": ("1 of its receivers has a configuration", True),
    }


@pytest.mark.parametrize(
    ("path", "subject", "check", "good"),
    [
        ("/api/v1/rules", "prometheus/main rules", "alerts/exist", False),
        ("/api/v1/query", "prometheus/main queries", "alerts/can-fire", False),
        ("/api/v1/alertmanagers", "prometheus/main sending", "alerts/routed", False),
        ("/api/v1/status/config", "prometheus/main configuration", "external labels", None),
    ],
)
def test_a_permission_that_lacks_names_the_checks(
    examined: Examined, path: str, subject: str, check: str, *, good: bool | None
) -> None:
    with serving(Known(status={path: 403})) as prometheus:
        message, found = examined(prometheus=prometheus.url)[subject]
    assert (found, "answered 403" in message, check in message) == (good, True, True)


def test_a_short_memory_is_told(examined: Examined) -> None:
    with serving(Known(reach=7_200.0)) as prometheus:
        message, good = examined(prometheus=prometheus.url)["prometheus/main queries"]
    assert (message, good) == (
        "prometheus/main remembers 2.0 h; how often an alert fires is told after a week; unknown: alerts/actionable",
        None,
    )


def test_a_tree_whose_receivers_tell_nobody_is_broken(examined: Examined, serve: Callable[..., str]) -> None:
    lost = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    told = examined(alertmanager=serve(alertmanager(lost)))
    assert told["alertmanager/main tree"] == ("0 of its receivers have a configuration", False)


def test_an_alertmanager_that_refuses_leaves_routing_unknown(examined: Examined, serve: Callable[..., str]) -> None:
    message, good = examined(alertmanager=serve(lambda _: document({}, 401)))["alertmanager/main tree"]
    assert (good, "answered 401" in message, "unknown: alerts/routed" in message) == (False, True, True)


def test_a_token_of_grafana_that_may_read_one_thing_and_not_the_next(
    examined: Examined, serve: Callable[..., str]
) -> None:
    def answer(asked: Asked) -> Page:
        return document([]) if asked.path.endswith("alert-rules") else document({"message": "no"}, 403)

    told = examined(AlertsRef(grafana=GrafanaAlerts(matchers={})), grafana=serve(answer))
    assert told["grafana/main alerting rules"][1] is True
    message, good = told["grafana/main alerting changes"]
    assert (good, "annotations:read" in message, "unknown: alerts/actionable" in message) == (False, True, True)


def test_a_service_whose_instance_nobody_configured_is_told_with_the_lines(examined: Examined) -> None:
    told = examined()
    message, good = told["payments"]
    assert (good, "integrations: {prometheus:" in message, "alerts/exist" in message) == (None, True, True)
    assert "unknown: alerts/routed" in told["alertmanager"][0]
