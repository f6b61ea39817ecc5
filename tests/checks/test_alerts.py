"""The row `alerts`: what alert rules come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date

import pytest

from checks.alerts import row
from scorecard.check import Row
from scorecard.evidence import AlertRule, Alerts, AlertSource, LiveAlerts, Silence, Unavailable
from scorecard.judge import Judged
from scorecard.model import Cause, Status

Ask = Callable[..., Judged]

UNREAD = Unavailable(Cause.BAD_RESPONSE, "payments: alerts/b.yaml: line 3: a duplicate key", count=1)
SEVERITIES = {"page": ("critical", "page"), "ticket": ("warning",), "info": ("info",)}


def rule(name: str = "PaymentsDown", **changes: object) -> AlertRule:
    whole = AlertRule(
        name=name,
        where="alerts/a.yaml:4",
        source=AlertSource.FILE,
        severity="critical",
        runbook_url="https://github.com/example/payments/blob/main/runbooks/PaymentsDown.md",
        expression='up{job="payments"} == 0',
        for_seconds=300.0,
        absence=True,
    )
    return dataclasses.replace(whole, **changes)


def alerts(*rules: AlertRule, **changes: object) -> Alerts:
    return Alerts(rules=rules, files=("alerts/a.yaml",), severities=SEVERITIES, **changes)


@pytest.fixture
def ask(ask: Ask) -> Ask:
    """Of a service whose alerts stand in files alone."""

    def of_files(row: Row, check: str, seen: Alerts, **more: object) -> Judged:
        return ask(row, check, seen, absent=(LiveAlerts,), **more)

    return of_files


class TestExist:
    def test_one_alert_that_pages_passes(self, ask: Ask) -> None:
        judged = ask(row, "exist", alerts(rule(), rule("Slow", severity="warning")))
        assert judged.status is Status.PASS
        assert "1 of 2 alerts" in judged.message

    def test_it_passes_whatever_could_not_be_read(self, ask: Ask) -> None:
        assert ask(row, "exist", alerts(rule(), missing=(UNREAD,))).status is Status.PASS

    def test_none_that_pages_fails_and_is_unknown_when_something_was_not_read(self, ask: Ask) -> None:
        judged = ask(row, "exist", alerts(rule(severity="warning")))
        assert (judged.status, judged.code) == (Status.FAIL, "none-pages")
        assert "critical or page" in judged.message
        assert ask(row, "exist", alerts(rule(severity="warning"), missing=(UNREAD,))).status is Status.UNKNOWN

    def test_a_declared_place_without_alerts_fails(self, ask: Ask) -> None:
        assert ask(row, "exist", alerts()).code == "none"

    def test_an_alert_that_cannot_be_evaluated_does_not_count(self, ask: Ask) -> None:
        judged = ask(row, "exist", alerts(rule(problem="the expression does not parse")))
        assert (judged.status, judged.code) == (Status.FAIL, "broken")

    def test_the_vocabulary_decides_in_any_case_of_letters(self, ask: Ask) -> None:
        assert ask(row, "exist", alerts(rule(severity="Page"))).status is Status.PASS
        other = dataclasses.replace(alerts(rule(severity="sev1")), severities={"page": ("sev1",)})
        assert ask(row, "exist", other).status is Status.PASS


class TestSeverity:
    def test_known_severities_pass(self, ask: Ask) -> None:
        judged = ask(row, "severity", alerts(rule(), rule("Slow", severity="warning"), rule("Note", severity="info")))
        assert judged.status is Status.PASS
        assert len(judged.subjects) == 3

    @pytest.mark.parametrize(("severity", "code"), [("", "no-severity"), ("urgent", "other-severity")])
    def test_no_severity_and_an_unknown_one_fail_with_the_place(self, ask: Ask, severity: str, code: str) -> None:
        judged = ask(row, "severity", alerts(rule(), rule("Slow", severity=severity)))
        assert (judged.status, judged.code) == (Status.FAIL, code)
        assert "alerts/a.yaml:4" in judged.message
        assert [subject.status for subject in judged.subjects] == [Status.PASS, Status.FAIL]

    def test_no_alert_fails(self, ask: Ask) -> None:
        assert ask(row, "severity", alerts()).status is Status.FAIL

    def test_what_was_not_read_keeps_it_from_passing(self, ask: Ask) -> None:
        assert ask(row, "severity", alerts(rule(), missing=(UNREAD,))).status is Status.UNKNOWN

    def test_two_alerts_of_one_name_are_two_subjects(self, ask: Ask) -> None:
        judged = ask(row, "severity", alerts(rule(), rule(severity="warning")))
        assert [subject.name for subject in judged.subjects] == ["PaymentsDown", "PaymentsDown #2"]

    def test_a_silence_at_the_rule_makes_a_warning_and_ends(self, ask: Ask) -> None:
        silence = Silence("alerts/severity", date(2026, 12, 1), "moving to sev words", "alerts/a.yaml:3")
        judged = ask(row, "severity", alerts(rule(severity="", silences=(silence,))))
        assert (judged.status, judged.code) == (Status.WARN, "silenced")
        ended = dataclasses.replace(silence, until=date(2026, 11, 1))
        assert ask(row, "severity", alerts(rule(severity="", silences=(ended,)))).status is Status.FAIL


class TestRunbookLink:
    def test_a_link_passes_and_none_fails(self, ask: Ask) -> None:
        assert ask(row, "runbook-link", alerts(rule())).status is Status.PASS
        judged = ask(row, "runbook-link", alerts(rule(), rule("Slow", runbook_url="")))
        assert (judged.status, judged.code) == (Status.FAIL, "no-runbook")

    def test_a_template_of_the_alerts_name_is_told_to_be_empty(self, ask: Ask) -> None:
        judged = ask(row, "runbook-link", alerts(rule(runbook_url="https://r.example.net/{{ $labels.alertname }}")))
        assert "`$labels.alertname` is empty" in judged.message

    def test_a_template_warns_unless_it_was_rendered(self, ask: Ask) -> None:
        template = "https://runbooks.example.net/{{ $labels.pod }}"
        judged = ask(row, "runbook-link", alerts(rule(runbook_url=template)))
        assert (judged.status, judged.code) == (Status.WARN, "template")
        rendered = rule(runbook_url=template, rendered_runbook_url="https://runbooks.example.net/PaymentsDown")
        assert ask(row, "runbook-link", alerts(rendered)).status is Status.PASS

    def test_no_alert_fails(self, ask: Ask) -> None:
        assert ask(row, "runbook-link", alerts()).status is Status.FAIL


class TestHealthy:
    def test_a_rule_that_nothing_was_seen_evaluating_warns(self, ask: Ask) -> None:
        assert ask(row, "healthy", alerts(rule())).code == "not-seen"

    def test_a_problem_fails(self, ask: Ask) -> None:
        assert ask(row, "healthy", alerts(rule(problem="unknown field 'fo'"))).status is Status.FAIL

    def test_a_short_wait_warns_unless_it_is_listed_or_asks_for_absence(self, ask: Ask) -> None:
        hasty = rule(for_seconds=30.0, absence=False)
        assert ask(row, "healthy", alerts(hasty)).code == "fires-at-once"
        assert ask(row, "healthy", alerts(hasty), at_once=("PaymentsDown",)).code == "not-seen"
        assert ask(row, "healthy", alerts(hasty, hasty), at_once=("PaymentsDown",)).code == "not-seen"
        assert ask(row, "healthy", alerts(dataclasses.replace(hasty, absence=True))).code == "not-seen"
