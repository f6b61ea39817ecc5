"""Dashboards of CloudWatch, from their bodies to the verdicts of the row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scorecard.config import load_config
from scorecard.demo.aws import AwsRefusal, Endpoint
from scorecard.evidence import Observation
from scorecard.evidence.cloudwatch import CloudWatchDashboards
from scorecard.evidence.dashboards import Dashboards, Emptiness, PanelData, PanelState, Signal
from scorecard.judge import Judged, Seen, judge_check
from scorecard.model import AwsRef, Cause, DashboardRef, Service, Spec
from scorecard.probes import Context, Upstream
from scorecard.probes.aws.widgets import read_widgets
from scorecard.probes.grafana import probes as grafana_probes
from scorecard.registry import installed
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, NOW, REGION, Asking

Aws = tuple[Endpoint, Asking]
ALB = ["LoadBalancer", "app/payments/1"]
FULL = {"RequestCount", "TargetResponseTime", "HTTPCode_Target_5XX_Count", "CPUUtilization"}
"""Metrics that have data, and that CloudWatch knows; `Quiet` it only knows, `Moved` under other dimensions."""
SERVICE = Service(
    name="payments",
    spec=Spec(aws=AwsRef(account=ACCOUNT), dashboards=(DashboardRef(cloudwatch="payments"),)),
)


def widget(*metrics: list[Any], kind: str = "metric", **properties: object) -> dict[str, Any]:
    about = {
        "region": REGION,
        "title": str(metrics[0][1]) if metrics and len(metrics[0]) > 1 else kind,
        "metrics": list(metrics),
    }
    return {"type": kind, "properties": about | properties}


def alb(name: str, *options: dict[str, Any]) -> list[Any]:
    return ["AWS/ApplicationELB", name, *ALB, *options]


def put(endpoint: Endpoint, *widgets: dict[str, Any], **body: object) -> list[Mapping[str, Any]]:
    """Have the dashboard `payments` hold these; the list takes what is asked of the data."""
    asked: list[Mapping[str, Any]] = []

    def dashboard(parameters: Mapping[str, Any]) -> dict[str, Any]:
        if parameters["DashboardName"] != "payments":
            raise AwsRefusal("ResourceNotFound", "Dashboard does not exist", 404)
        return {"DashboardName": "payments", "DashboardBody": json.dumps({"widgets": widgets, **body})}

    def data(parameters: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(parameters)
        if any("(" in str(query.get("Expression")) for query in parameters["MetricDataQueries"]):
            raise AwsRefusal("ValidationError", "Error in expression", 400)
        named = {
            query["Id"]: query["MetricStat"]["Metric"]["MetricName"]
            for query in parameters["MetricDataQueries"]
            if "MetricStat" in query
        }
        return {
            "MetricDataResults": [
                {
                    "Id": key,
                    "StatusCode": "Forbidden" if name == "Theirs" else "Complete",
                    "Timestamps": [NOW] if name in FULL else [],
                    "Values": [1.0] if name in FULL else [],
                }
                for key, name in named.items()
            ]
        }

    def metrics(parameters: Mapping[str, Any]) -> dict[str, Any]:
        if parameters["MetricName"] == "Gone":
            return {"Metrics": []}
        other = "app/payments/1" if parameters["MetricName"] != "Moved" else "app/renamed/2"
        return {"Metrics": [{**parameters, "Dimensions": [{"Name": "LoadBalancer", "Value": other}]}]}

    endpoint.on(ACCOUNT, "cloudwatch:GetDashboard", dashboard)
    endpoint.on(ACCOUNT, "cloudwatch:GetMetricData", data)
    endpoint.on(ACCOUNT, "cloudwatch:ListMetrics", metrics)
    return asked


def judged(asking: Asking, base: Path, check: str, service: Service = SERVICE) -> Judged:
    file = base / "none.yaml"
    file.write_text("catalog: []\n")
    context = Context(config=load_config(file, {}), clock=lambda: NOW, cache=base, base=base)
    known = {
        (service.key, CloudWatchDashboards): Observation(
            CloudWatchDashboards, NOW, asking.one(CloudWatchDashboards, service)
        )
    }
    for probe in grafana_probes(context):
        ((key, answer),) = probe.ask([service], Upstream(known))
        known[key, probe.answers] = Observation(probe.answers, NOW, answer)
    row = next(row for row in installed().checklist("production-readiness", Path()).rows if row.id == "dashboards")
    one = next(one for one in row.checks if one.id == check)
    seen = Seen({kind: found for (_, kind), found in known.items() if kind in {Dashboards, PanelData}})
    return judge_check(row, one, service, seen, NOW)


def test_a_dashboard_of_the_golden_signals_passes_the_row(aws: Aws, tmp_path: Path) -> None:
    endpoint, asking = aws
    put(endpoint, *(widget(alb(name)) for name in sorted(FULL)), {"type": "text", "properties": {"markdown": "hello"}})

    verdicts = {check: judged(asking, tmp_path, check) for check in ("exists", "panels-have-data", "golden-signals")}

    assert {check: one.status.value for check, one in verdicts.items()} == {
        "exists": "pass",
        "panels-have-data": "pass",
        "golden-signals": "pass",
    }
    assert "4 data panels" in verdicts["exists"].subjects[0].message


def test_why_a_widget_shows_nothing_is_said(aws: Aws) -> None:
    endpoint, asking = aws
    put(
        endpoint,
        widget(alb("RequestCount"), alb("Gone")),
        widget(alb("Quiet")),
        widget(alb("Moved")),
        widget(alb("Gone")),
        widget([{"expression": "SUM(((", "id": "e1"}], title="wrong"),
        widget(title="nothing"),
        widget(alb("Theirs")),
        widget(alb("RequestCount"), region="us-east-1"),
        widget(kind="log", query="SOURCE '/ecs/payments' | fields @message"),
    )

    seen: Any = asking.one(CloudWatchDashboards, SERVICE)

    assert [(one.state, one.emptiness, one.unknown.cause if one.unknown else None) for one in seen.panels] == [
        (PanelState.DATA, None, None),
        (PanelState.EMPTY, Emptiness.NO_SAMPLE, None),
        (PanelState.EMPTY, Emptiness.LABEL_MISMATCH, None),
        (PanelState.EMPTY, Emptiness.UNKNOWN_METRIC, None),
        (PanelState.BROKEN, None, None),
        (PanelState.BROKEN, None, None),
        (PanelState.UNKNOWN, None, Cause.ACCESS_DENIED),
        (PanelState.UNKNOWN, None, Cause.NOT_CONFIGURED),
        (PanelState.UNKNOWN, None, Cause.NOT_SUPPORTED),
    ]
    assert "app/renamed/2" in seen.panels[2].words


def test_a_dashboard_that_is_not_there_fails_and_one_that_may_not_be_read_is_unknown(aws: Aws, tmp_path: Path) -> None:
    endpoint, asking = aws
    put(endpoint)
    gone = Service(name="ledger", spec=Spec(aws=AwsRef(account=ACCOUNT), dashboards=(DashboardRef(cloudwatch="gone"),)))

    assert judged(asking, tmp_path, "exists", gone).subjects[0].code == "not-found"
    endpoint.denied.add("cloudwatch:GetDashboard")

    assert judged(asking, tmp_path, "exists").cause is Cause.ACCESS_DENIED


@pytest.mark.parametrize("denied", ["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"])
def test_denied_data_makes_a_widget_unknown_and_denied_names_leave_it_empty(aws: Aws, denied: str) -> None:
    endpoint, asking = aws
    put(endpoint, widget(alb("Quiet")))
    endpoint.denied.add(denied)

    (panel,) = asking.one(CloudWatchDashboards, SERVICE).panels

    if denied == "cloudwatch:GetMetricData":
        assert (panel.state, panel.unknown.cause) == (PanelState.UNKNOWN, Cause.ACCESS_DENIED)
    else:
        assert (panel.state, panel.emptiness) == (PanelState.EMPTY, Emptiness.UNEXPLAINED)


def test_dots_in_metrics_stand_for_what_is_above() -> None:
    body = {
        "widgets": [
            widget(
                alb("RequestCount", {"id": "m1", "visible": False}),
                [".", "HTTPCode_Target_5XX_Count", ".", ".", {"id": "m2", "stat": "Sum"}],
                ["...", "app/ledger/2"],
                [{"expression": "m2/m1", "id": "rate", "label": "errors"}],
            )
        ]
    }

    (found,) = read_widgets("payments", body)

    assert [(str(line.metric) if line.metric else line.expression, line.stat) for line in found.lines] == [
        ("AWS/ApplicationELB RequestCount {LoadBalancer=app/payments/1}", "Average"),
        ("AWS/ApplicationELB HTTPCode_Target_5XX_Count {LoadBalancer=app/payments/1}", "Sum"),
        ("AWS/ApplicationELB HTTPCode_Target_5XX_Count {LoadBalancer=app/ledger/2}", "Average"),
        ("m2/m1", "Average"),
    ]


def test_a_dashboard_is_asked_for_the_time_that_it_shows(aws: Aws) -> None:
    endpoint, asking = aws
    asked = put(endpoint, widget(alb("RequestCount"), period=60), start="-P30D")

    seen: Any = asking.one(CloudWatchDashboards, SERVICE)

    assert seen.panels[0].signals == (Signal.TRAFFIC,)
    (query,) = asked[0]["MetricDataQueries"]
    # Of what is older than 15 days CloudWatch keeps five minutes at the finest.
    assert query["MetricStat"]["Period"] == 300
    assert asked[0]["EndTime"] - asked[0]["StartTime"] == timedelta(days=30).total_seconds()


@pytest.mark.parametrize("body", ["", "[]", '{"widgets": [1]}', '{"widgets": [{"type": "metric", "properties": [1]}]}'])
def test_a_body_that_is_not_one_is_a_bad_response(aws: Aws, body: str) -> None:
    endpoint, asking = aws
    endpoint.on(ACCOUNT, "cloudwatch:GetDashboard", {"DashboardName": "payments", "DashboardBody": body})

    (one,) = asking.one(CloudWatchDashboards, SERVICE).declared

    assert getattr(one.seen, "cause", None) is Cause.BAD_RESPONSE


def test_a_service_in_two_worlds_is_asked_in_each(aws: Aws) -> None:
    endpoint, asking = aws
    put(endpoint, widget(alb("RequestCount")))
    estate.tagged(endpoint, {})
    twins = [
        Service(name=name, spec=Spec(aws=AwsRef(account=ACCOUNT), dashboards=(DashboardRef(cloudwatch="payments"),)))
        for name in ("a", "b", "c")
    ]

    asking(CloudWatchDashboards, twins)

    # The role, the dashboard, its one widget: once for the three.
    assert asking.calls == {f"main/{ACCOUNT}/{REGION}": 3}
