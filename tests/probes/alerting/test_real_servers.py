"""A real Prometheus and a real Alertmanager, with one alert for each thing that can be the matter."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from scorecard.evidence import Absent, Observation
from scorecard.evidence.alerting import LiveAlert, LiveAlerts, RoutedAlert, Routing, RuleHealth, Series
from scorecard.evidence.repository import Alerts
from scorecard.model import Cause, Service
from scorecard.probes import Upstream
from scorecard.probes.alerting.routing import RoutingProbe
from tests.probes.alerting.conftest import (
    Find,
    Running,
    alertmanager,
    alerts_of,
    ask,
    clock,
    exporter,
    get,
    instances,
    live,
    prometheus,
    service,
    until,
)

pytestmark = pytest.mark.prometheus

METRICS = """\
# TYPE http_requests_total counter
http_requests_total{service="payments",code="200"} 100
http_requests_total{service="payments",code="500"} 3
http_requests_total{service="ledger",code="200"} 50
# TYPE queue_length gauge
queue_length{service="payments",queue="in"} 2
queue_length{service="ledger",queue="in"} 40
# TYPE service_info gauge
service_info{service="payments",owner="pay"} 1
service_info{service="payments",owner="pay",zone="b"} 1
"""


def alert(name: str, expr: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - keys of a rule
    labels = {"severity": "critical", **more.pop("labels", {})}
    annotations = {"runbook_url": f"https://runbooks.example.net/{name}", **more.pop("annotations", {})}
    waits = {"for": more.pop("wait")} if "wait" in more else {}
    return {"alert": name, "expr": expr, **waits, "labels": labels, "annotations": annotations, **more}


RULES = {
    "groups": [
        {
            "name": "payments",
            "rules": [
                alert("ByLabel", "vector(1) > 2", labels={"service": "payments"}),
                alert(
                    "BySelector", 'rate(http_requests_total{service="payments",code="500"}[1m]) > 5', **{"for": "5m"}
                ),
                alert("ByPattern", 'queue_length{service=~"payments|billing"} > 100'),
                alert("Anyone", "sum by (service) (queue_length) > 1000"),
                alert(
                    "Deep", "sum by (service) (queue_length > 1000) > 1 and on (service) (http_requests_total > 9e9)"
                ),
                alert("Renamed", "queue_length > 5000", labels={"service": "{{ $labels.service }}"}),
                alert("NotOurs", 'queue_length{service="ledger"} > 100'),
                alert("Nobodys", "sum(queue_length) > 1000"),
                alert("Gone", 'absent(queue_length{service="payments"})'),
                alert("NoMetric", 'rate(htp_requests_total{service="payments"}[1m]) > 5'),
                alert("NoLabel", 'http_requests_total{service="payments",code="503"} > 5'),
                alert("NothingLeft", 'queue_length{service="payments"} > 5 and on (queue) http_requests_total'),
                alert("Broken", 'queue_length{service="payments"} * on (service) group_left (owner) service_info > 5'),
                alert(
                    "Firing",
                    'queue_length{service="payments"} > 1',
                    # Neither the rule's name nor its own labels are among `$labels`: they come to nothing.
                    annotations={
                        "runbook_url": "https://runbooks.example.net/{{ $labels.queue }}"
                        "{{ $labels.alertname }}{{ $labels.severity }}"
                    },
                ),
                alert("Unless", 'queue_length{service="payments"} > 900 unless on () maintenance == 1'),
                alert("Escaped", r'http_requests_total{service="payments",code=~"5\\d\\d|\"x\""} > 1e6'),
                {"record": "service:queue:sum", "expr": "sum by (service) (queue_length)"},
            ],
        }
    ]
}

TREE = {
    "route": {
        "receiver": "nobody",
        "group_by": ["alertname"],
        "routes": [
            {"matchers": ['service="payments"', 'severity="critical"'], "receiver": "payments-on-call"},
            {"match": {"service": "ledger"}, "receiver": "empty"},
        ],
    },
    "receivers": [
        {"name": "nobody"},
        {"name": "empty"},
        {"name": "payments-on-call", "webhook_configs": [{"url": "http://127.0.0.1:9/hook"}]},
    ],
}


@pytest.fixture(scope="module")
def estate(find: Find, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Running]]:
    folder = tmp_path_factory.mktemp("estate")
    with ExitStack() as stack:
        page = stack.enter_context(exporter(METRICS))
        manager = stack.enter_context(alertmanager(find, folder / "alertmanager", TREE))
        settings = {
            "global": {"external_labels": {"region": "eu"}},
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [manager.url.removeprefix("http://")]}]}]},
        }
        target = f"127.0.0.1:{page.server_address[1]}"
        running = stack.enter_context(
            prometheus(find, folder / "prometheus", RULES, targets=(target,), settings=settings)
        )
        until(lambda: len(running.query("rate(http_requests_total[10s])")) == 3)
        until(lambda: running.query('ALERTS{alertstate="firing",alertname="Firing"}'))
        until(lambda: get(f"{running.url}/api/v1/alertmanagers")["data"]["activeAlertmanagers"])
        yield running, manager


@pytest.fixture(scope="module")
def seen(estate: tuple[Running, Running]) -> dict[str, LiveAlert]:
    probe = live(instances(prometheus=estate[0].url))
    return alerts_of(ask(probe, service("payments", service="payments"))["payments"])


OURS = {
    "ByLabel", "BySelector", "ByPattern", "Anyone", "Deep", "Renamed", "Gone", "NoMetric", "NoLabel", "NothingLeft",
    "Broken", "Firing", "Unless", "Escaped",
}  # fmt: skip


class TestWhoseAlertsTheyAre:
    def test_labels_selectors_and_series_say_so(self, seen: dict[str, LiveAlert]) -> None:
        assert set(seen) == OURS

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("ByLabel", 'its label service="payments"'),
            ("BySelector", 'its selector service="payments"'),
            ("ByPattern", 'its selector service=~"payments|billing"'),
            ("Anyone", "its expression returns a series of the service"),
            ("Renamed", "its expression returns a series of the service"),
        ],
    )
    def test_the_reason_is_told(self, seen: dict[str, LiveAlert], name: str, why: str) -> None:
        assert seen[name].belongs == why

    def test_another_service_has_its_own(self, estate: tuple[Running, Running]) -> None:
        probe = live(instances(prometheus=estate[0].url))
        found = ask(probe, service("ledger", service="ledger"), service("web", service="web"))
        assert set(alerts_of(found["ledger"])) == {"NotOurs", "Anyone", "Renamed", "Deep"}
        assert set(alerts_of(found["web"])) == set()

    def test_one_prometheus_is_asked_once_for_all_services(self, estate: tuple[Running, Running]) -> None:
        probe = live(instances(prometheus=estate[0].url))
        ask(probe, service("payments", service="payments"))
        alone = probe.calls
        many = [service(f"payments-{number}", service="payments") for number in range(200)]
        ask(probe, *many)
        assert probe.calls == alone < 12

    def test_a_service_without_live_alerts_is_not_asked_about(self, estate: tuple[Running, Running]) -> None:
        probe = live(instances(prometheus=estate[0].url))
        assert isinstance(ask(probe, Service(name="quiet"))["quiet"], Absent)
        assert probe.calls == 0


class TestHowTheyAre:
    @pytest.mark.parametrize(
        ("name", "series"),
        [
            ("ByLabel", Series.FOUND),
            ("BySelector", Series.FOUND),
            ("ByPattern", Series.FOUND),
            ("Anyone", Series.FOUND),
            ("Deep", Series.FOUND),
            ("Gone", Series.ABSENCE),
            ("NoMetric", Series.NONE),
            ("NoLabel", Series.NO_LABELS),
            ("NothingLeft", Series.NOTHING_LEFT),
            ("Firing", Series.FOUND),
            ("Unless", Series.FOUND),
            ("Escaped", Series.FOUND),
        ],
    )
    def test_whether_it_can_fire(self, seen: dict[str, LiveAlert], name: str, series: Series) -> None:
        found = seen[name]
        if found.series is Series.UNKNOWN:  # the Prometheus is seconds old, which is said instead of a failure
            assert (found.series_cause, "was started" in found.series_detail) == (Cause.NO_DATA, True)
            assert series in {Series.NONE, Series.NO_LABELS, Series.NOTHING_LEFT}
        else:
            assert found.series is series

    def test_an_error_of_evaluation_is_told_in_its_words(self, seen: dict[str, LiveAlert]) -> None:
        assert seen["Broken"].health is RuleHealth.ERROR
        assert "many-to-many" in seen["Broken"].last_error
        assert seen["BySelector"].health is RuleHealth.OK

    def test_a_firing_alert_says_so_and_renders_its_link(self, seen: dict[str, LiveAlert]) -> None:
        found = seen["Firing"]
        assert (found.state, found.rendered_runbook_url) == ("firing", "https://runbooks.example.net/in")
        assert 0 <= found.firing_seconds < 300
        assert seen["Anyone"].state == "inactive"
        assert seen["BySelector"].for_seconds == 300

    def test_a_history_of_seconds_is_not_taken_for_a_week(self, seen: dict[str, LiveAlert]) -> None:
        short = seen["Anyone"].firings_unknown
        assert short is not None
        assert short.cause is Cause.NO_DATA

    def test_external_labels_go_along(self, seen: dict[str, LiveAlert]) -> None:
        assert seen["Anyone"].fixed_labels == {
            "alertname": "Anyone",
            "region": "eu",
            "service": "payments",
            "severity": "critical",
        }
        assert seen["Anyone"].open_labels == ()
        assert seen["ByPattern"].open_labels == ("*",)


@pytest.fixture(scope="module")
def routed(estate: tuple[Running, Running]) -> dict[str, dict[str, RoutedAlert]]:
    found = instances(prometheus=estate[0].url, alertmanager=estate[1].url)
    services = (service("payments", service="payments"), service("ledger", service="ledger"))
    known = {}
    for one in services:
        answer = ask(live(found), one)[one.name]
        known[one.key, LiveAlerts] = Observation(LiveAlerts, clock(), answer)
        known[one.key, Alerts] = Observation(Alerts, clock(), Absent("none in files"))
    probe = RoutingProbe(found)
    answers = ask(probe, *services, upstream=Upstream(known))
    assert probe.calls == 2, "one for the tree, one for whether the Prometheus sends to it"
    whole = {}
    for name, answer in answers.items():
        assert isinstance(answer, Routing)
        whole[name] = {alert.name: alert for alert in answer.alerts}
    return whole


class TestWhereTheyGo:
    def test_the_receiver_that_the_tree_leads_to(self, routed: dict[str, dict[str, RoutedAlert]]) -> None:
        (way,) = routed["payments"]["Anyone"].ways
        assert (way.receivers, way.reaches, way.when) == (("payments-on-call",), True, "")

    def test_a_receiver_without_a_configuration_is_a_black_hole(
        self, routed: dict[str, dict[str, RoutedAlert]]
    ) -> None:
        (way,) = routed["ledger"]["Anyone"].ways
        assert (way.receivers, way.silent, way.reaches) == (("empty",), ("empty",), False)

    def test_amtool_agrees_on_every_alert(
        self, routed: dict[str, dict[str, RoutedAlert]], seen: dict[str, LiveAlert], estate: tuple[Running, Running],
        find: Find,
    ) -> None:  # fmt: skip
        for name, one in seen.items():
            pairs = [f"{label}={value}" for label, value in one.fixed_labels.items()]
            command = [find("amtool"), f"--alertmanager.url={estate[1].url}", "config", "routes", "test", *pairs]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            assert said == ",".join(routed["payments"][name].ways[0].receivers)

    def test_a_prometheus_that_knows_no_alertmanager_sends_nothing(self, find: Find, tmp_path: Path) -> None:
        rules = {"groups": [{"name": "a", "rules": [alert("A", "vector(1) > 2", labels={"service": "payments"})]}]}
        with (
            prometheus(find, tmp_path / "prometheus", rules) as lonely,
            alertmanager(find, tmp_path / "alertmanager", TREE) as manager,
        ):
            found = instances(prometheus=lonely.url, alertmanager=manager.url)
            one = service("payments", service="payments")
            known = {(one.key, LiveAlerts): Observation(LiveAlerts, clock(), ask(live(found), one)["payments"])}
            answer = ask(RoutingProbe(found), one, upstream=Upstream(known))["payments"]
        assert isinstance(answer, Routing)
        assert "knows no Alertmanager" in answer.alerts[0].unsent


class TestHistory:
    def test_what_fired_too_often_or_too_long_is_counted_over_a_week(self, find: Find, tmp_path: Path) -> None:
        now = int(time.time()) // 60 * 60
        rules = {
            "groups": [
                {
                    "name": "a",
                    "rules": [
                        alert("Flapping", "vector(1) > 2", labels={"service": "payments"}),
                        alert("Calm", "vector(1) > 2", labels={"service": "payments"}),
                    ],
                }
            ]
        }
        with prometheus(find, tmp_path / "p", rules, backfill=past(now)) as running:
            until(lambda: running.query("ALERTS or vector(1)"))
            answer = ask(live(instances(prometheus=running.url)), service("payments", service="payments"))["payments"]
        found = alerts_of(answer)
        assert found["Flapping"].firings_unknown is None
        assert (found["Flapping"].firings, found["Calm"].firings) == (30, 1)


def past(now: int) -> str:
    """Eight days of `up`, and alerts that fired 30 times, once, and for somebody else."""
    lines = ["# TYPE up gauge"]
    start = now - 8 * 86_400
    lines += [f'up{{job="app",instance="a"}} 1 {at}' for at in range(start, now - 7200, 240)]
    lines.append("# TYPE ALERTS gauge")
    spells = {("Flapping", "payments"): 30, ("Calm", "payments"): 1, ("Flapping", "ledger"): 7}
    for (name, whose), count in spells.items():
        for number in range(count):
            began = now - 6 * 86_400 + number * 7200
            labels = f'alertname="{name}",alertstate="firing",service="{whose}",severity="critical"'
            lines += [f"ALERTS{{{labels}}} 1 {at}" for at in range(began, began + 1800, 30)]
    return "\n".join([*lines, "# EOF", ""])
