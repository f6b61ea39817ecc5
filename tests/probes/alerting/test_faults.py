"""A Prometheus that is slow, partial, broken, denied, or just restarted; and one with 10,000 rules, calls counted."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scorecard.evidence import Answer, Unavailable
from scorecard.evidence.alerting import LiveAlerts, RuleHealth, Series
from scorecard.model import AlertsRef, Cause, PrometheusAlerts, Service, Spec
from tests.probes.alerting.conftest import alerts_of, ask, instances, live, service
from tests.probes.alerting.fake import FakePrometheus, groups, rule, serving

PAYMENTS = service("payments", service="payments")
OURS = rule("Ours", 'rate(errors_total{service="payments"}[5m]) > 1')
RULES, QUERY = "/api/v1/rules", "/api/v1/query"


def seen(fake: FakePrometheus) -> Answer:
    with serving(fake):
        return ask(live(instances(prometheus=fake.url)), PAYMENTS)["payments"]


class TestNoRules:
    @pytest.mark.parametrize(
        ("status", "cause"),
        [
            (401, Cause.ACCESS_DENIED),
            (403, Cause.ACCESS_DENIED),
            (429, Cause.RATE_LIMITED),
            (500, Cause.BAD_RESPONSE),
            (503, Cause.UNREACHABLE),
            (504, Cause.TIMEOUT),
            (404, Cause.BAD_RESPONSE),
        ],
    )
    def test_a_status_has_its_cause(self, status: int, cause: Cause) -> None:
        answer = seen(FakePrometheus(status={RULES: status}))
        assert isinstance(answer, Unavailable)
        assert (answer.cause, str(status) in answer.detail) == (cause, True)

    @pytest.mark.parametrize("body", [b"<html>", b" ", b"[]", b'{"status":"success"}', b'{"status":"error"}', b'{"a":'])
    def test_an_answer_that_breaks_its_contract_is_none(self, body: bytes) -> None:
        answer = seen(FakePrometheus(raw={RULES: body}))
        assert isinstance(answer, Unavailable)
        assert answer.cause is Cause.BAD_RESPONSE

    def test_one_that_hangs_ends_by_its_timeout_and_holds_up_no_other(self) -> None:
        hanging, good = FakePrometheus(delay={RULES: 8}), FakePrometheus(rules=groups(OURS))
        named = AlertsRef(prometheus=PrometheusAlerts(matchers={"service": "other"}, instance="second"))
        other = Service(name="other", spec=Spec(alerts=(named,)))
        with serving(good), serving(hanging):
            answers = ask(live(instances(prometheus=(good.url, hanging.url))), PAYMENTS, other)
        assert isinstance(answers["payments"], LiveAlerts)
        lost = answers["other"]
        assert isinstance(lost, Unavailable)
        assert lost.cause is Cause.TIMEOUT

    def test_one_that_is_gone_is_unreachable(self) -> None:
        fake = FakePrometheus()
        with serving(fake):
            pass
        answer = ask(live(instances(prometheus=fake.url)), PAYMENTS)["payments"]
        assert isinstance(answer, Unavailable)
        assert answer.cause is Cause.UNREACHABLE

    def test_one_that_nobody_configured_has_lines_to_add(self) -> None:
        answer = ask(live(instances()), PAYMENTS)["payments"]
        assert isinstance(answer, Unavailable)
        assert (answer.cause, "prometheus: [{name: main" in answer.lines) == (Cause.NOT_CONFIGURED, True)


class TestPartial:
    def test_warnings_leave_something_missing(self) -> None:
        answer = seen(FakePrometheus(rules={**groups(OURS), "warnings": ["store a is down"]}))
        assert isinstance(answer, LiveAlerts)
        assert "store a is down" in answer.missing[0].detail
        assert set(alerts_of(answer)) == {"Ours"}

    @pytest.mark.parametrize("bad", [{"name": None}, {"query": 1}, {"labels": []}, {"duration": "5m"}, {"alerts": 7}])
    def test_a_rule_that_is_not_read_leaves_something_missing(self, bad: dict[str, Any]) -> None:
        answer = seen(FakePrometheus(rules=groups(OURS, {**rule("Bad", "up"), **bad})))
        assert isinstance(answer, LiveAlerts)
        assert (len(answer.alerts), answer.missing[0].cause) == (1, Cause.BAD_RESPONSE)

    def test_queries_without_an_answer_leave_series_and_history_unknown(self) -> None:
        found = alerts_of(seen(FakePrometheus(rules=groups(OURS), status={QUERY: 503})))["Ours"]
        assert (found.series, found.series_cause) == (Series.UNKNOWN, Cause.UNREACHABLE)
        assert (found.firings, found.firings_unknown is not None) == (None, True)

    def test_a_generic_rule_that_nobody_could_look_into_may_be_anyones(self) -> None:
        answer = seen(FakePrometheus(rules=groups(OURS, rule("Any", "sum by (service) (x) > 1")), status={QUERY: 503}))
        assert isinstance(answer, LiveAlerts)
        assert [(one.cause, one.count) for one in answer.missing] == [(Cause.UNREACHABLE, 1)]

    def test_a_generic_rule_that_cannot_be_the_services_is_in_nobodys_way(self) -> None:
        other = rule("Other", "sum by (service) (x) > 1", labels={"service": "ledger"})
        answer = seen(FakePrometheus(rules=groups(OURS, other, rule("None", "sum(x) > 1")), status={QUERY: 503}))
        assert isinstance(answer, LiveAlerts)
        assert answer.missing == ()

    def test_an_expression_that_is_refused_costs_only_itself(self) -> None:
        rules = [rule(f"R{n}", f'metric_{n}{{service="payments"}} > 1') for n in range(20)]
        found = alerts_of(
            seen(FakePrometheus(rules=groups(*rules), refuses="metric_7{", returns=lambda _: [{"service": "payments"}]))
        )
        assert {name for name, one in found.items() if one.series is not Series.FOUND} == {"R7"}


class TestRestarted:
    def test_rules_that_were_not_evaluated_yet_are_unknown(self) -> None:
        fresh = rule("Ours", OURS["query"], health="unknown", lastEvaluation="0001-01-01T00:00:00Z")
        assert alerts_of(seen(FakePrometheus(rules=groups(fresh))))["Ours"].health is RuleHealth.UNKNOWN

    @pytest.mark.parametrize(
        ("started", "series"), [("2026-11-01T00:00:00Z", Series.NONE), ("2026-11-18T11:05:00Z", Series.UNKNOWN)]
    )
    def test_series_that_are_not_there_count_once_it_has_scraped(self, started: str, series: Series) -> None:
        # The clock of our server stands at 1,795,000,000 s: 2026-11-18 11:06:40 UTC.
        fake = FakePrometheus(rules=groups(OURS), returns=lambda _: [], started=started)
        assert alerts_of(seen(fake))["Ours"].series is series

    def test_a_short_memory_is_no_proof_of_calm(self) -> None:
        why = alerts_of(seen(FakePrometheus(rules=groups(OURS), reach=7_200.0)))["Ours"].firings_unknown
        assert why is not None
        assert "2.0 h" in why.detail


def test_ten_thousand_rules_for_a_thousand_services_are_a_few_calls() -> None:
    rules = [rule(f"Ours{n}", f'errors_total{{service="svc-{n % 1000}"}} > {n}') for n in range(9_000)]
    rules += [rule(f"Any{n}", f"sum by (service) (rate(any_{n}_total[5m])) > 1") for n in range(1_000)]
    services = [service(f"svc-{n}", service=f"svc-{n}") for n in range(1_000)]

    def returns(text: str) -> list[dict[str, str]]:
        named = re.search(r'service="([^"]+)"', text)
        return [{"service": named.group(1) if named else "svc-1"}]

    fake = FakePrometheus(rules=groups(*rules), returns=returns)
    with serving(fake):
        found = ask(live(instances(prometheus=fake.url)), *services)
    assert fake.calls[RULES] == 1
    assert (len(alerts_of(found["svc-1"])), len(alerts_of(found["svc-2"]))) == (1_009, 9)
    assert sum(fake.calls.values()) < 80, dict(fake.calls)
    assert not [one for answer in found.values() if isinstance(answer, LiveAlerts) for one in answer.missing]
