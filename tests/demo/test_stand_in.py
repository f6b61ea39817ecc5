"""Without Debian's programs the demo's own servers stand in for Prometheus and Alertmanager, and teach the same."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scorecard.demo.evaluation import NotEvaluatedError, returned
from scorecard.demo.fleet import deployed_rules, watched, wiki_pages
from scorecard.demo.lessons import LESSONS
from scorecard.demo.monitoring import Monitoring
from scorecard.evidence import LiveAlerts, Observation, Routing
from scorecard.probes import Upstream
from scorecard.probes.alerting.live import LiveAlertsProbe
from scorecard.probes.alerting.routing import RoutingProbe
from tests.probes.alerting.conftest import SEVERITIES, clock, instances, service

SERVICES = [service(lesson.name) for lesson in LESSONS]
Seen = dict[str, dict[str, tuple[str, ...]]]


def seen_by(monitoring: Monitoring) -> Seen:
    """Service to alert to what is seen of it: health, series, receivers that tell nobody."""
    found = instances(prometheus=monitoring.prometheus.url, alertmanager=monitoring.alertmanager.url)
    live = dict(LiveAlertsProbe(found, SEVERITIES, clock).ask(SERVICES, Upstream()))
    observed = {(key, LiveAlerts): Observation(LiveAlerts, clock(), answer) for key, answer in live.items()}
    seen: Seen = {}
    for key, routing in RoutingProbe(found).ask(SERVICES, Upstream(observed, {})):
        alerts = live[key]
        assert isinstance(alerts, LiveAlerts)
        routed = {one.name: one for one in routing.alerts} if isinstance(routing, Routing) else {}
        seen[key.name] = {
            one.name: (
                one.health.value,
                one.series.value,
                *(name for way in routed[one.name].ways for name in way.silent),
            )
            for one in alerts.alerts
        }
    return seen


def monitored(folder: Path, *, installed: bool, expected: Seen | None = None) -> Seen:
    """What is seen at last; a Prometheus that was just started takes some seconds until it has evaluated everything."""
    watching = {lesson.name: watched(lesson) for lesson in LESSONS}
    day = datetime(2026, 11, 1, tzinfo=UTC).date()
    monitoring = Monitoring(folder, watching, wiki_pages(LESSONS, day), clock, installed=installed)
    assert monitoring.prometheus.real is installed
    monitoring.rules.mkdir(parents=True)
    for name, text in deployed_rules(LESSONS, monitoring.wiki.url).items():
        (monitoring.rules / name).write_text(text)
    monitoring.start()
    try:
        until = time.monotonic() + 20
        seen = seen_by(monitoring)
        while expected not in (None, seen) and time.monotonic() < until:
            time.sleep(0.3)
            seen = seen_by(monitoring)
        return seen
    finally:
        monitoring.stop()


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return monitored(tmp_path_factory.mktemp("ours"), installed=False)


def test_a_rule_in_error_a_shared_rule_and_a_black_hole_are_seen(stand_in: Seen) -> None:
    assert stand_in["exchange-rates"]["ExchangeRatesErrorShare"][0] == "err"
    assert stand_in["thumbnails"] == {"CacheUseless": ("ok", "found")}
    assert stand_in["subscriptions"]["SubscriptionsSlow"] == ("ok", "found", "subscriptions-team")
    assert stand_in["newsletter"] == {}


@pytest.mark.prometheus
def test_debians_programs_say_the_same(stand_in: Seen, program: object, tmp_path: Path) -> None:
    for name in ("prometheus", "prometheus-alertmanager"):
        assert program(name)  # type: ignore[operator]
    assert monitored(tmp_path, installed=True, expected=stand_in) == stand_in


SERIES = [
    {"__name__": "requests", "service": name, "status": status} for name in ("a", "b") for status in ("200", "500")
]


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ('requests{service="a",status=~"5.."}', [SERIES[1]]),
        ("sum by (service) (rate(requests[5m])) > 3", [{"service": "a"}, {"service": "b"}]),
        ("sum(requests)", [{}]),
        ("sum(nothing)", []),
        ("absent(nothing)", [{}]),
        ("absent(requests)", []),
        ('requests{status="500"} / on (service) requests{status="200"}', [{"service": "a"}, {"service": "b"}]),
        ('requests unless on (service) requests{service="a"}', SERIES[2:]),
        ('sum by (service) (requests) and on (service) requests{service="b"}', [{"service": "b"}]),
        ('sum(nothing) or sum(label_replace(requests, "part", "1", "", "")) by (part)', [{"part": "1"}]),
        ("vector(time())", [{}]),
    ],
)
def test_our_server_knows_which_series_an_expression_returns(query: str, labels: list[dict[str, str]]) -> None:
    assert returned(query, SERIES) == sorted(labels, key=lambda one: sorted(one.items()))


def test_it_says_what_cannot_be_evaluated() -> None:
    with pytest.raises(NotEvaluatedError, match="many-to-many matching not allowed"):
        returned("requests / on (service) requests", SERIES)
    with pytest.raises(ValueError, match="unclosed"):
        returned("sum(", SERIES)
