"""The row `alerts`, of alerts that something evaluates: health, routing, series, how often they fire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checks.alerts import row
from scorecard.evidence import (
    AlertRule,
    Alerts,
    AlertSource,
    LiveAlert,
    LiveAlerts,
    RoutedAlert,
    Routing,
    RuleHealth,
    Series,
    Unavailable,
    Way,
)
from scorecard.judge import Judged
from scorecard.model import Cause, Scope, Status

Ask = Callable[..., Judged]

SEVERITIES = {"page": ("critical", "page"), "ticket": ("warning",), "info": ("info",)}
LOST = Unavailable(Cause.TIMEOUT, "GET http://prometheus:9090/api/v1/rules: not complete within 10 s")
NO_WEEK = Unavailable(Cause.NO_DATA, "prometheus/main remembers 3.0 h")


def alert(name: str = "PaymentsDown", **changes: Any) -> LiveAlert:  # noqa: ANN401 - fields of the class
    whole: dict[str, Any] = {
        "name": name,
        "where": "prometheus/main rules.yaml;payments",
        "source": AlertSource.PROMETHEUS,
        "severity": "critical",
        "runbook_url": "https://runbooks.example.net/PaymentsDown",
        "for_seconds": 300.0,
        "labels": {"severity": "critical"},
        "instance": "prometheus/main",
        "belongs": 'its label service="payments"',
        "health": RuleHealth.OK,
        "firings": 2,
        "series": Series.FOUND,
    }
    return LiveAlert(**{**whole, **changes})


def live(*alerts: LiveAlert, **changes: Any) -> LiveAlerts:  # noqa: ANN401 - fields of the class
    return LiveAlerts(alerts=alerts, severities=SEVERITIES, rules_seen=40, **changes)


def in_file(name: str = "PaymentsDown", **changes: Any) -> Alerts:  # noqa: ANN401 - fields of the rule
    whole: dict[str, Any] = {
        "name": name,
        "where": "alerts/a.yaml:4",
        "source": AlertSource.FILE,
        "severity": "critical",
        "runbook_url": "",
        "labels": {"severity": "critical"},
    }
    return Alerts(rules=(AlertRule(**{**whole, **changes}),), files=("alerts/a.yaml",), severities=SEVERITIES)


@pytest.fixture
def of_live(ask: Ask) -> Ask:
    """Of a service whose alerts stand in no file."""

    def asked(check: str, *seen: LiveAlerts | Routing, **more: object) -> Judged:
        return ask(row, check, *seen, absent=(Alerts,), **more)

    return asked


class TestSources:
    def test_live_alerts_alone_suffice(self, of_live: Ask) -> None:
        for check in ("exist", "severity", "runbook-link", "healthy"):
            assert of_live(check, live(alert())).status is Status.PASS

    def test_no_rule_of_the_service_fails_and_says_how_many_were_looked_through(self, of_live: Ask) -> None:
        judged = of_live("exist", live())
        assert (judged.status, judged.code) == (Status.FAIL, "none")
        assert "none of the 40 rules" in judged.message

    def test_a_partial_answer_neither_fails_nor_passes(self, of_live: Ask) -> None:
        assert of_live("exist", live(missing=(LOST,))).cause is Cause.TIMEOUT
        assert of_live("severity", live(alert(), missing=(LOST,))).cause is Cause.TIMEOUT
        assert of_live("exist", live(alert(), missing=(LOST,))).status is Status.PASS, "it was seen"

    def test_a_rule_of_a_file_is_judged_once_and_as_it_is_evaluated(self, ask: Ask) -> None:
        judged = ask(row, "runbook-link", live(alert()), in_file())
        assert (judged.status, len(judged.subjects)) == (Status.PASS, 1)

    def test_a_rule_of_a_file_that_nobody_evaluates_counts_too(self, ask: Ask) -> None:
        judged = ask(row, "runbook-link", live(alert()), in_file("PaymentsSlow"))
        assert [(one.name, one.status) for one in judged.subjects] == [
            ("PaymentsDown", Status.PASS),
            ("PaymentsSlow", Status.FAIL),
        ]

    def test_files_alone_do_not_pass_while_the_prometheus_is_not_known(self, ask: Ask) -> None:
        judged = ask(row, "severity", in_file())
        assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.NO_DATA)

    def test_a_service_that_names_neither_has_lines_to_add(self, ask: Ask) -> None:
        judged = ask(row, "exist", absent=(Alerts, LiveAlerts))
        assert (judged.cause, "prometheus:" in judged.lines) == (Cause.NOT_CONFIGURED, True)

    def test_the_scope_of_a_directory_holds_what_files_can_say(self) -> None:
        asked = [check.id for check in row.checks if check.in_scope(Scope.REPOSITORY)]
        assert asked == ["exist", "severity", "runbook-link", "healthy"]


class TestHealthy:
    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({}, Status.PASS, "ok"),
            ({"health": RuleHealth.ERROR, "last_error": "many-to-many"}, Status.FAIL, "error"),
            ({"health": RuleHealth.UNKNOWN}, Status.UNKNOWN, "no-data"),
            ({"paused": True}, Status.FAIL, "paused"),
            ({"for_seconds": 0.0}, Status.WARN, "fires-at-once"),
            ({"for_seconds": 0.0, "absence": True}, Status.PASS, "ok"),
        ],
    )
    def test_each_state_has_its_verdict(
        self, of_live: Ask, changes: dict[str, object], status: Status, code: str
    ) -> None:
        judged = of_live("healthy", live(alert(**changes)))
        assert (judged.status, judged.code) == (status, code)

    def test_the_words_of_an_error_are_told(self, of_live: Ask) -> None:
        judged = of_live("healthy", live(alert(health=RuleHealth.ERROR, last_error="many-to-many matching")))
        assert "many-to-many matching" in judged.message


class TestRouted:
    def routed(self, *ways: Way, unsent: str = "") -> Routing:
        return Routing(alerts=(RoutedAlert(name="A", where="w", ways=ways, by="alertmanager/main", unsent=unsent),))

    def test_a_receiver_with_a_configuration_passes(self, ask: Ask) -> None:
        judged = ask(row, "routed", self.routed(Way(receivers=("pager",), muted=("weekends",))))
        assert (judged.status, "pager" in judged.message, "weekends" in judged.message) == (Status.PASS, True, True)

    def test_a_black_hole_fails_and_is_named(self, ask: Ask) -> None:
        judged = ask(row, "routed", self.routed(Way(receivers=("null",), silent=("null",))))
        assert (judged.status, judged.code, "null" in judged.message) == (Status.FAIL, "black-hole", True)

    def test_one_of_two_receivers_suffices(self, ask: Ask) -> None:
        both = Way(receivers=("null", "pager"), silent=("null",))
        assert ask(row, "routed", self.routed(both)).status is Status.PASS

    def test_labels_that_are_not_known_warn_where_they_may_lead_to_nobody(self, ask: Ask) -> None:
        judged = ask(
            row,
            "routed",
            self.routed(
                Way(receivers=("pager",)), Way(receivers=("null",), silent=("null",), when='namespace="kube-system"')
            ),
        )
        assert (judged.status, 'namespace="kube-system"' in judged.message) == (Status.WARN, True)

    def test_an_alert_that_is_never_sent_fails(self, ask: Ask) -> None:
        judged = ask(row, "routed", self.routed(unsent="prometheus/main knows no Alertmanager"))
        assert (judged.status, judged.code) == (Status.FAIL, "unsent")


class TestCanFire:
    @pytest.mark.parametrize(
        ("series", "status", "code"),
        [
            (Series.FOUND, Status.PASS, "ok"),
            (Series.ABSENCE, Status.PASS, "ok"),
            (Series.NONE, Status.FAIL, "no-series"),
            (Series.NO_LABELS, Status.WARN, "no-labels"),
            (Series.NOTHING_LEFT, Status.WARN, "nothing-left"),
            (Series.UNKNOWN, Status.UNKNOWN, "timeout"),
        ],
    )
    def test_each_look_has_its_verdict(self, of_live: Ask, series: Series, status: Status, code: str) -> None:
        judged = of_live("can-fire", live(alert(series=series, series_detail="why", series_cause=Cause.TIMEOUT)))
        assert (judged.status, judged.code) == (status, code)


class TestActionable:
    def test_calm_alerts_pass_at_the_limit(self, of_live: Ask) -> None:
        assert of_live("actionable", live(alert(firings=20, firing_seconds=7 * 86_400.0))).status is Status.PASS

    def test_what_fires_too_long_or_too_often_fails(self, of_live: Ask) -> None:
        assert of_live("actionable", live(alert(firing_seconds=7.1 * 86_400))).code == "furniture"
        assert of_live("actionable", live(alert(firings=21))).code == "flapping"

    def test_a_short_history_passes_nothing_and_still_fails_what_it_saw(self, of_live: Ask) -> None:
        assert of_live("actionable", live(alert(firings_unknown=NO_WEEK))).cause is Cause.NO_DATA
        assert of_live("actionable", live(alert(firings=21, firings_unknown=NO_WEEK))).status is Status.FAIL
