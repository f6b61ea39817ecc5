"""Alarms of CloudWatch as alerts, from the answer of AWS to the verdict of the row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scorecard.config import load_config
from scorecard.demo.aws import Endpoint
from scorecard.evidence import Absent, Alerts, LiveAlerts, Observation, Routing, Series, Unavailable
from scorecard.evidence.cloudwatch import CloudWatchAlerts
from scorecard.judge import Judged, Seen, judge_check
from scorecard.model import AlertsRef, AwsRef, Cause, CloudWatchAlarms, Service, Spec
from scorecard.probes import Context, Upstream
from scorecard.probes.alerting import probes as alerting_probes
from scorecard.registry import installed
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, NOW, REGION, Asking, arn

Aws = tuple[Endpoint, Asking]
TOPIC = arn("sns", "on-call")
LINK = "https://wiki.example.net/runbooks/errors"
CHECKS = ("exist", "severity", "runbook-link", "healthy", "routed", "can-fire", "actionable")
SERVICE = Service(
    name="payments",
    spec=Spec(
        aws=AwsRef(account=ACCOUNT, tags={"Service": "payments"}),
        alerts=(AlertsRef(cloudwatch=CloudWatchAlarms(prefix="payments-")),),
    ),
)


def alarm(name: str, **more: object) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmArn": arn("cloudwatch", f"alarm:{name}"),
        "AlarmDescription": f"severity: critical\nrunbook: {LINK}",
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "StateValue": "OK",
        "StateReason": "Threshold Crossed: no",
        "StateUpdatedTimestamp": NOW - timedelta(days=30),
        "AlarmConfigurationUpdatedTimestamp": NOW - timedelta(days=40),
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "HTTPCode_Target_5XX_Count",
        "Dimensions": [{"Name": "LoadBalancer", "Value": "app/payments/1"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 5,
        "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }


def composite(name: str, rule: str, **more: object) -> dict[str, Any]:
    kept = {key: value for key, value in alarm(name).items() if key.startswith(("Alarm", "Actions", "State"))}
    return {**kept, "AlarmRule": rule, **more}


def put(endpoint: Endpoint, *alarms: dict[str, Any], subscribed: bool = True) -> None:
    metric = [one for one in alarms if "AlarmRule" not in one]
    above = [one for one in alarms if "AlarmRule" in one]
    answer = {"MetricAlarms": metric, "CompositeAlarms": above, "LogAlarms": []}
    endpoint.on(ACCOUNT, "cloudwatch:DescribeAlarms", answer)
    confirmed = f"{TOPIC}:1f" if subscribed else "PendingConfirmation"
    endpoint.list(
        ACCOUNT, "sns:ListSubscriptions", "Subscriptions", [{"TopicArn": TOPIC, "SubscriptionArn": confirmed}]
    )


@dataclass
class Way:
    """From AWS's answers to the verdicts: CloudWatch, the probes of alerting, the checks."""

    asking: Asking
    base: Path

    def alerts(self) -> dict[str, Any]:
        answer = self.asking.one(CloudWatchAlerts, SERVICE)
        assert isinstance(answer, CloudWatchAlerts), answer
        return {one.name: one for one in answer.alerts}

    def judged(self, check: str) -> Judged:
        file = self.base / "none.yaml"
        file.write_text("catalog: []\n")
        live, routing = alerting_probes(
            Context(config=load_config(file, {}), clock=lambda: NOW, cache=self.base, base=self.base)
        )
        known = {
            (SERVICE.key, Alerts): Observation(Alerts, NOW, Absent("the service names no rule files")),
            (SERVICE.key, CloudWatchAlerts): Observation(
                CloudWatchAlerts, NOW, self.asking.one(CloudWatchAlerts, SERVICE)
            ),
        }
        for probe in (live, routing):
            ((key, answer),) = probe.ask([SERVICE], Upstream(known))
            known[key, probe.answers] = Observation(probe.answers, NOW, answer)
        row = next(row for row in installed().checklist("production-readiness", Path()).rows if row.id == "alerts")
        one = next(one for one in row.checks if one.id == check)
        seen = Seen({kind: found for (_, kind), found in known.items() if kind in {Alerts, LiveAlerts, Routing}})
        return judge_check(row, one, SERVICE, seen, NOW)


@pytest.fixture
def way(aws: Aws, tmp_path: Path) -> Way:
    return Way(aws[1], tmp_path)


def test_an_alarm_with_severity_runbook_and_a_subscribed_topic_passes_the_row(aws: Aws, way: Way) -> None:
    put(aws[0], alarm("payments-errors"))

    verdicts = {check: way.judged(check).status.value for check in CHECKS}

    assert set(verdicts.values()) == {"pass"}, verdicts


def test_alarms_of_other_prefixes_and_alarms_that_only_scale_are_no_alerts_of_the_service(aws: Aws, way: Way) -> None:
    scaling = "arn:aws:autoscaling:eu-west-1:111122223333:scalingPolicy:1:autoScalingGroupName/a:policyName/up"
    put(
        aws[0],
        alarm("ledger-errors"),
        alarm("payments-scale", AlarmActions=[scaling]),
    )

    assert way.alerts() == {}
    assert way.judged("exist").code == "none"


SEVERITIES = [
    ("payments-json", '{"severity": "critical", "team": "money"}', {}, "critical"),
    ("payments-both", "Severity: P1", {"severity": "warning"}, "P1"),
    ("payments-tag-critical", "too many", {"Severity": "warning"}, "warning"),
    ("payments-errors-critical", "too many", {}, "critical"),
    ("payments-CriticalErrors", "too many", {}, "critical"),
    ("payments-views-of-page-are-low", "too few", {}, ""),
    ("payments-errors", "", {}, ""),
]


def test_severity_is_in_the_description_in_a_tag_or_a_word_of_the_vocabulary_in_the_name(aws: Aws, way: Way) -> None:
    put(aws[0], *(alarm(name, AlarmDescription=description) for name, description, _, _ in SEVERITIES))
    estate.tagged(aws[0], {arn("cloudwatch", f"alarm:{name}"): tags for name, _, tags, _ in SEVERITIES})

    assert {name: one.severity for name, one in way.alerts().items()} == {one[0]: one[3] for one in SEVERITIES}
    assert {one.name: one.code for one in way.judged("severity").subjects} == {
        name: {"P1": "other-severity", "": "no-severity"}.get(severity, "ok") for name, _, _, severity in SEVERITIES
    }


RUNBOOKS = {
    "payments-key": (f"runbook_url: {LINK}", LINK),
    "payments-link": (f"See the [runbook]({LINK}).", LINK),
    "payments-address": (f"More at {LINK}.", LINK),
    "payments-another": ("Dashboard: https://grafana.example.net/d/1", ""),
    "payments-none": ("", ""),
}


def test_the_runbook_is_what_the_description_calls_one(aws: Aws, way: Way) -> None:
    put(aws[0], *(alarm(name, AlarmDescription=description) for name, (description, _) in RUNBOOKS.items()))

    assert {name: one.runbook_url for name, one in way.alerts().items()} == {
        name: url for name, (_, url) in RUNBOOKS.items()
    }
    assert {one.name: one.code for one in way.judged("runbook-link").subjects} == {
        name: "ok" if url else "no-runbook" for name, (_, url) in RUNBOOKS.items()
    }


def test_an_alarm_that_tells_nobody_is_seen(aws: Aws, way: Way) -> None:
    function = arn("lambda", "function:page")
    put(
        aws[0],
        alarm("payments-disabled", ActionsEnabled=False),
        alarm("payments-mute", AlarmActions=[]),
        alarm("payments-unread"),
        alarm("payments-called", AlarmActions=[TOPIC, function]),
        alarm("payments-far", AlarmActions=[arn("sns", "on-call", region="us-east-1")]),
        subscribed=False,
    )

    assert {one.name: one.code for one in way.judged("routed").subjects} == {
        "payments-disabled": "unsent",
        "payments-mute": "unsent",
        "payments-unread": "black-hole",
        "payments-called": "ok",
        "payments-far": "ok",
    }


def test_an_alarm_without_actions_is_told_by_the_composite_alarm_that_asks_it(aws: Aws, way: Way) -> None:
    put(
        aws[0],
        alarm("payments-errors", AlarmActions=[]),
        composite("payments-down", 'ALARM("payments-errors") AND NOT ALARM(payments-deploying)'),
        alarm("payments-deploying", AlarmActions=[]),
    )

    assert way.judged("routed").status.value == "pass"
    assert way.judged("can-fire").status.value == "pass"
    assert way.alerts()["payments-down"].for_seconds == 300


def test_a_composite_alarm_whose_children_are_gone_cannot_fire(aws: Aws, way: Way) -> None:
    put(aws[0], composite("payments-down", "ALARM(payments-gone)"))

    assert way.judged("can-fire").status.value == "fail"


YOUNG = {"StateValue": "INSUFFICIENT_DATA", "AlarmConfigurationUpdatedTimestamp": NOW - timedelta(minutes=2)}
CAN_FIRE: list[tuple[dict[str, Any], list[str], Series, str]] = [
    ({"StateValue": "INSUFFICIENT_DATA"}, [], Series.NONE, "no-series"),
    ({"StateValue": "INSUFFICIENT_DATA"}, ["app/other/2"], Series.NO_LABELS, "no-labels"),
    ({"StateValue": "INSUFFICIENT_DATA"}, ["app/payments/1"], Series.FOUND, "ok"),
    ({"TreatMissingData": "ignore"}, [], Series.NONE, "no-series"),
    ({"TreatMissingData": "notBreaching"}, [], Series.UNKNOWN, "no_data"),
    ({"TreatMissingData": "notBreaching"}, ["app/payments/1"], Series.FOUND, "ok"),
    ({"StateValue": "ALARM", "TreatMissingData": "breaching"}, [], Series.ABSENCE, "ok"),
    ({}, [], Series.FOUND, "ok"),
    (YOUNG, [], Series.UNKNOWN, "no_data"),
]


def test_whether_an_alarm_can_fire_is_seen_by_its_state_or_by_the_metrics_that_there_are(aws: Aws, way: Way) -> None:
    put(
        aws[0],
        *(alarm(f"payments-{n}", MetricName=f"m{n}", **more) for n, (more, _, _, _) in enumerate(CAN_FIRE)),
    )

    def metrics(asked: Any) -> dict[str, Any]:  # noqa: ANN401 - parameters
        there = CAN_FIRE[int(asked["MetricName"][1:])][1]
        pairs = [[{"Name": "LoadBalancer", "Value": value}] for value in there]
        return {"Metrics": [{**asked, "Dimensions": pair} for pair in pairs]}

    aws[0].on(ACCOUNT, "cloudwatch:ListMetrics", metrics)

    assert [one.series for one in way.alerts().values()] == [series for _, _, series, _ in CAN_FIRE]
    assert [one.cause.value if one.cause else one.code for one in way.judged("can-fire").subjects] == [
        code for _, _, _, code in CAN_FIRE
    ]


def changes(name: str, to: str, count: int) -> list[dict[str, Any]]:
    return [
        {
            "AlarmName": name,
            "Timestamp": NOW - timedelta(hours=hour),
            "HistoryItemType": "StateUpdate",
            "HistorySummary": f"Alarm updated from {'OK' if to == 'ALARM' else 'ALARM'} to {to}",
        }
        for hour in range(1, count + 1)
    ]


def test_an_alarm_that_flaps_and_one_that_fires_for_weeks_are_not_actionable(aws: Aws, way: Way) -> None:
    put(
        aws[0],
        alarm("payments-flapping"),
        alarm("payments-old", StateValue="ALARM", StateUpdatedTimestamp=NOW - timedelta(days=9)),
        alarm("payments-calm"),
    )
    history = [*changes("payments-flapping", "ALARM", 25), *changes("payments-calm", "OK", 30)]
    aws[0].list(ACCOUNT, "cloudwatch:DescribeAlarmHistory", "AlarmHistoryItems", history, page=10)

    items = {item.name: item.code for item in way.judged("actionable").subjects}

    assert items == {"payments-flapping": "flapping", "payments-old": "furniture", "payments-calm": "ok"}


def test_an_evaluation_that_fails_is_not_healthy_and_one_that_never_was_is_unknown(aws: Aws, way: Way) -> None:
    put(
        aws[0],
        alarm("payments-broken", EvaluationState="EVALUATION_ERROR"),
        alarm("payments-new", StateValue="INSUFFICIENT_DATA", StateReason="Unchecked: Initial alarm creation"),
    )

    items = {item.name: item.status.value for item in way.judged("healthy").subjects}

    assert items == {"payments-broken": "fail", "payments-new": "unknown"}


@pytest.mark.parametrize(
    ("denied", "unknown"),
    [
        (
            "cloudwatch:DescribeAlarms",
            {"exist", "severity", "runbook-link", "healthy", "routed", "can-fire", "actionable"},
        ),
        ("cloudwatch:DescribeAlarmHistory", {"actionable"}),
        ("cloudwatch:ListMetrics", {"can-fire"}),
        ("sns:ListSubscriptions", {"routed"}),
    ],
)
def test_what_is_denied_costs_the_checks_that_need_it(aws: Aws, way: Way, denied: str, unknown: set[str]) -> None:
    put(aws[0], alarm("payments-errors", TreatMissingData="ignore"))
    metric = {key: alarm("x")[key] for key in ("Namespace", "MetricName", "Dimensions")}
    aws[0].list(ACCOUNT, "cloudwatch:ListMetrics", "Metrics", [metric])
    aws[0].denied.add(denied)

    judged = {check: way.judged(check) for check in CHECKS}

    assert {check for check, one in judged.items() if one.status.value == "unknown"} == unknown
    assert {one.cause for one in judged.values() if one.status.value == "unknown"} == {Cause.ACCESS_DENIED}
    assert {one.status.value for check, one in judged.items() if check not in unknown} <= {"pass"}


def test_without_tags_an_alarm_whose_severity_only_a_tag_could_tell_is_not_judged(aws: Aws, way: Way) -> None:
    put(aws[0], alarm("payments-errors", AlarmDescription=f"runbook: {LINK}"), alarm("payments-slow"))
    aws[0].denied.add("resourcegroupstaggingapi:GetResources")

    judged = way.judged("severity")

    assert judged.status.value == "unknown"
    assert list(way.alerts()) == ["payments-slow"]


def test_without_an_account_the_alarms_are_not_configured(way: Way) -> None:
    service = Service(name="payments", spec=Spec(alerts=SERVICE.spec.alerts))

    answer = way.asking(CloudWatchAlerts, [service])["payments"]

    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.NOT_CONFIGURED


def test_one_account_is_asked_once_for_the_alarms_of_all_services(aws: Aws, way: Way) -> None:
    put(aws[0], *(alarm(f"s{number}-errors") for number in range(40)))
    services = [
        Service(
            name=f"s{number}",
            spec=Spec(
                aws=AwsRef(account=ACCOUNT), alerts=(AlertsRef(cloudwatch=CloudWatchAlarms(prefix=f"s{number}-")),)
            ),
        )
        for number in range(40)
    ]

    found: Any = way.asking(CloudWatchAlerts, services)

    assert [len(one.alerts) for one in found.values()] == [1] * 40
    # The role; alarms, their tags, their history, subscriptions.
    assert way.asking.calls == {f"main/{ACCOUNT}/{REGION}": 5}
