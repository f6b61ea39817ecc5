"""The two probes against a Grafana as documented, in front of a real Prometheus."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scorecard.evidence import Unavailable
from scorecard.evidence.dashboards import Dashboard, Dashboards, Emptiness, PanelData, PanelState, Signal
from scorecard.model import Cause, DashboardRef, Service, Spec
from scorecard.store.codec import decode_answer, encode_answer
from tests.probes.grafana import estate
from tests.probes.grafana.estate import GOLDEN, TOKEN, Asked, Grafana, classic, panel, service, shown

pytestmark = pytest.mark.prometheus
Serve = Callable[[Grafana], str]
Ask = Callable[..., Asked]


@pytest.fixture(params=["directly", "by Grafana's proxy"])
def seen(request: pytest.FixtureRequest, prometheus: str, serve: Serve, ask: Ask) -> Callable[..., dict[str, Any]]:
    """What is seen of the panels of one dashboard: `seen(panel, ..., templating=...)`."""

    def look(*panels: dict[str, Any], given: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        grafana = Grafana(prometheus, dashboards={"one": classic(*panels, **more)})
        direct = {"prometheus": prometheus} if request.param == "directly" else {}
        return shown(ask(grafana=serve(grafana), **direct).run(service("payments", "one", **(given or {}))))

    return look


@pytest.mark.parametrize(
    ("query", "emptiness", "words"),
    [
        ("http_reqests_total", Emptiness.UNKNOWN_METRIC,
         "know the metric http_reqests_total; it knows http_requests_total"),
        ('http_requests_total{service="payment",status="200"}', Emptiness.LABEL_MISMATCH,
         'service="payment" among http_requests_total{status="200"}; it has service ledger, payments'),
        ('http_requests_total{pod="x"}', Emptiness.LABEL_MISMATCH, "its series have no label pod"),
        ('rate(http_requests_total{service="payments"}[1m] offset 90d)', Emptiness.BEYOND_RETENTION, "90d ago"),
        ("sum(queue_depth) > 100", Emptiness.NOTHING_LEFT, "leaves none of them"),
        ('queue_depth{service="ledger"} * on (service) idle_connections', Emptiness.NOTHING_LEFT, "leaves none"),
        ('queue_depth{service="payments",env="prod",x="1",y="2"}', Emptiness.LABEL_MISMATCH, "together"),
    ],
)  # fmt: skip
def test_an_empty_panel_says_why(
    seen: Callable[..., dict[str, Any]], query: str, emptiness: Emptiness, words: str
) -> None:
    one = seen(panel("P", query))["P"]
    assert (one.state, one.emptiness) == (PanelState.EMPTY, emptiness)
    assert words in one.words


def test_a_query_that_is_refused_is_broken_with_the_servers_words(seen: Callable[..., dict[str, Any]]) -> None:
    found = seen(
        panel("Syntax", "sum(rate(http_requests_total[1m])"),
        panel("Variable", "up{x=$nobody}"),
        panel("Join", "http_requests_total + on (service) http_requests_total"),
    )
    assert {one.state for one in found.values()} == {PanelState.BROKEN}
    assert "parse error" in found["Syntax"].words
    assert "duplicate series" in found["Join"].words


def test_zeros_and_constants_are_data_and_say_so(seen: Callable[..., dict[str, Any]]) -> None:
    found = seen(
        panel("Zero", "idle_connections"),
        panel("Nan", "sum(idle_connections) / sum(idle_connections)"),
        panel("Constant", 'sum(rate(nothing_total{status=~"5.."}[1m])) or vector(0)'),
        panel("Filled", 'sum(rate(http_requests_total{status=~"5.."}[1m])) or vector(0)'),
        panel("Scalar", "scalar(sum(queue_depth))"),
    )
    assert {name: one.state for name, one in found.items()} == {
        "Zero": PanelState.DATA,
        "Nan": PanelState.DATA,
        "Constant": PanelState.CONSTANT,
        "Filled": PanelState.DATA,
        "Scalar": PanelState.DATA,
    }
    assert found["Zero"].words == "1 series, all 0"
    assert found["Nan"].words == "1 series, none of them a number"
    assert (found["Constant"].signals, found["Filled"].signals) == ((), (Signal.ERRORS,))


def test_a_panel_of_several_queries_shows_what_those_with_data_show(seen: Callable[..., dict[str, Any]]) -> None:
    found = seen(
        panel("Two", "sum(rate(http_requests_total[1m]))", 'sum(rate(gone_total{status="500"}[1m]))'),
        panel("Hidden", "gone", targets=[{"expr": "gone"}, {"expr": "queue_depth", "hide": True}]),
        panel(
            "Arithmetic",
            targets=[
                {"refId": "A", "expr": "queue_depth", "hide": True},
                {"refId": "B", "datasource": {"type": "__expr__", "uid": "__expr__"}, "expression": "$A * 2"},
            ],
            datasource={"uid": "-- Mixed --"},
        ),
        panel("Taken", datasource={"uid": "-- Dashboard --"}, targets=[{"refId": "A", "panelId": 1}]),
        panel("None", targets=[]),
    )
    assert {name: one.state.value for name, one in found.items()} == {
        "Two": "data",
        "Hidden": "empty",
        "Arithmetic": "data",
        "Taken": "data",
        "None": "broken",
    }
    assert found["Two"].signals == (Signal.TRAFFIC,)


def test_a_shared_dashboard_counts_with_the_variables_of_the_service(prometheus: str, serve: Serve, ask: Ask) -> None:
    variable = {
        "name": "service",
        "type": "query",
        "query": "label_values(http_requests_total, service)",
        "refresh": 1,
        "includeAll": True,
    }
    board = classic(
        panel("Traffic", 'sum(rate(http_requests_total{service=~"$service"}[$__rate_interval]))'),
        panel("Queue", 'queue_depth{service="${service}"}'),
        templating={"list": [variable]},
    )
    grafana = Grafana(prometheus, dashboards={"shared": board})
    services = [
        service("payments", "shared", service="payments"),
        service("ledger", "shared", service="ledger"),
        service("gone", "shared", service="gone"),
        service("all", "shared"),
    ]
    answers = ask(grafana=serve(grafana)).run(*services)
    states = {name: [one.state.value for one in shown(answers, name).values()] for name in answers}
    assert states == {
        "payments": ["data", "data"],
        "ledger": ["data", "data"],
        "gone": ["empty", "empty"],
        "all": ["data", "empty"],
    }
    assert grafana.calls["/api/dashboards/uid/shared"] == 1


@pytest.mark.parametrize(
    ("variable", "state"),
    [
        ({"type": "query", "query": "label_values(service)", "current": {"value": "payments"}, "refresh": 1}, "data"),
        ({"type": "query", "query": {"query": 'label_values(up{job="app"}, job)'}, "refresh": 1}, "empty"),
        ({"type": "query", "query": "query_result(topk(1, queue_depth))", "regex": '/service="([^"]+)"/'}, "data"),
        ({"type": "query", "query": "metrics(queue)"}, "empty"),
        ({"type": "query", "query": "label_names()", "regex": "service"}, "empty"),
        ({"type": "query", "query": "something else"}, "unknown"),
        ({"type": "query", "query": "label_values(service)", "datasource": {"uid": "loki"}}, "unknown"),
        ({"type": "query", "query": "label_values(service)", "includeAll": True, "allValue": ".*"}, "data"),
        ({"type": "custom", "query": "payments,ledger", "includeAll": True, "current": {"value": ["$__all"]}}, "data"),
        ({"type": "constant", "query": "ledger"}, "data"),
        ({"type": "textbox", "query": "nobody"}, "empty"),
    ],
)
def test_variables_of_every_type_are_put_in(
    seen: Callable[..., dict[str, Any]], variable: dict[str, Any], state: str
) -> None:
    found = seen(panel("P", 'queue_depth{service=~"$v"}'), templating={"list": [{"name": "v", **variable}]})
    assert found["P"].state.value == state, found["P"].words


def test_data_sources_are_found_by_uid_name_default_variable_and_import(
    seen: Callable[..., dict[str, Any]],
) -> None:
    found = seen(
        panel("Default", "queue_depth"),
        panel("Null", "queue_depth", datasource=None),
        panel("Name", "queue_depth", datasource="Prometheus"),
        panel("Uid", "queue_depth", datasource={"type": "prometheus", "uid": "prom"}),
        panel("Variable", "queue_depth", datasource={"type": "prometheus", "uid": "${ds}"}),
        panel("Old variable", "queue_depth", datasource="$ds"),
        panel("Import", "queue_depth", datasource="${DS_PROMETHEUS}"),
        panel("Gone", "queue_depth", datasource={"type": "prometheus", "uid": "gone"}),
        panel("Loki", '{app="x"}', datasource={"type": "loki", "uid": "loki"}),
        templating={"list": [{"name": "ds", "type": "datasource", "query": "prometheus"}]},
        __inputs=[{"name": "DS_PROMETHEUS", "type": "datasource", "pluginId": "prometheus"}],
    )
    states = {name: one.state.value for name, one in found.items()}
    assert states.pop("Gone") == "broken"
    assert states.pop("Loki") == "unknown"
    assert found["Loki"].unknown.cause is Cause.NOT_SUPPORTED
    assert set(states.values()) == {"data"}


def test_ad_hoc_filters_and_time_shifts_count(seen: Callable[..., dict[str, Any]]) -> None:
    adhoc = {"name": "f", "type": "adhoc", "filters": [{"key": "service", "operator": "=", "value": "payments"}]}
    found = seen(
        panel("Filtered", "idle_connections"),
        panel("Left out", 'queue_depth{service="ledger"}'),
        panel("Shifted", "queue_depth", timeShift="30d"),
        templating={"list": [adhoc]},
    )
    assert [one.state.value for one in found.values()] == ["data", "empty", "empty"]
    assert found["Shifted"].emptiness is Emptiness.BEYOND_RETENTION


V2_QUERY = {
    "kind": "DataQuery",
    "group": "prometheus",
    "datasource": {"name": "prom"},
    "spec": {"expr": "sum(rate(http_requests_total[1m]))"},
}
V2 = {
    "title": "Newer",
    "elements": {
        "panel-1": {
            "kind": "Panel",
            "spec": {
                "id": 1,
                "title": "Traffic",
                "data": {"spec": {"queries": [{"kind": "PanelQuery", "spec": {"query": V2_QUERY}}]}},
                "vizConfig": {"kind": "VizConfig", "group": "stat"},
            },
        },
        "panel-2": {"kind": "LibraryPanel", "spec": {"id": 2, "title": "Queue", "libraryPanel": {"uid": "lib"}}},
    },
}  # fmt: skip


def test_dashboards_of_all_three_models_are_read_with_their_library_panels(
    prometheus: str, serve: Serve, ask: Ask
) -> None:
    grafana = Grafana(
        prometheus,
        dashboards={"old": GOLDEN},
        resources={("v1", "middle"): classic(panel("Queue", "queue_depth")), ("v2beta1", "new"): V2},
        library={"lib": panel("Queue", "queue_depth", kind="gauge")},
        served=("v1", "v1beta1", "v2beta1"),
        namespace="stacks-17",
    )
    answers = ask(grafana=serve(grafana)).run(service("payments", "old", "middle", "new", "none"))
    dashboards = answers["payments"][0]
    assert isinstance(dashboards, Dashboards)
    models = [one.seen.model.value if isinstance(one.seen, Dashboard) else one.seen for one in dashboards.declared]
    assert models == ["classic", "v1", "v2", None]
    data = answers["payments"][1]
    assert isinstance(data, PanelData)
    assert data.dashboards == 3
    assert [one.state.value for one in data.panels] == ["data"] * 7
    assert {signal for one in data.panels for signal in one.signals} == set(Signal)


def test_a_dashboard_of_the_newer_model_is_asked_for_where_grafana_says_it_is(serve: Serve, ask: Ask) -> None:
    grafana = Grafana(resources={("v2beta1", "new"): V2}, served=("v2beta1",), namespace="org-3")
    ask(grafana=serve(grafana)).run(service("payments", "new"))
    assert [path for path in grafana.asked if "dashboard" in path] == [
        "/api/dashboards/uid/new",
        "/apis/dashboard.grafana.app/v2beta1/namespaces/org-3/dashboards/new",
    ]


def test_without_a_declaration_the_tagged_dashboards_count(prometheus: str, serve: Serve, ask: Ask) -> None:
    boards = {f"other-{number}": classic(tags=["team"]) for number in range(1500)}
    boards["mine"] = classic(panel("Queue", "queue_depth"), tags=["x", "service:payments"])
    grafana = Grafana(prometheus, dashboards=boards)
    answers = ask(grafana=serve(grafana)).run(service("payments"), service("ledger"))
    found = answers["payments"][0]
    assert isinstance(found, Dashboards)
    assert [(one.name, one.tagged) for one in found.declared] == [("grafana/main mine", True)]
    missing = answers["ledger"][0]
    assert isinstance(missing, Unavailable)
    assert (missing.cause, "service:ledger" in missing.lines) == (Cause.NOT_CONFIGURED, True)
    assert grafana.calls["/api/search"] == 2


def test_a_viewers_token_suffices_by_the_proxy(prometheus: str, serve: Serve, ask: Ask) -> None:
    grafana = Grafana(prometheus, dashboards={"golden": GOLDEN}, role="Viewer")
    found = shown(ask(grafana=serve(grafana), prometheus=prometheus).run(service("payments", "golden")))
    assert {one.state for one in found.values()} == {PanelState.DATA}
    assert grafana.calls["/api/datasources/proxy/uid/prom/api/v1/query"] == 4


def test_two_grafanas_are_asked_for_their_own_dashboards_and_one_prometheus_once(
    prometheus: str, serve: Serve, tmp_path: Path
) -> None:
    first, second = (Grafana(prometheus, dashboards={name: GOLDEN}) for name in ("one", "two"))
    (tmp_path / "headers").write_text("X-Tenant: shop\n")
    yaml = f"""integrations:
  grafana:
  - {{name: main, url: '{serve(first)}', token_file: token, headers_file: headers}}
  - {{name: other, url: '{serve(second)}', token_file: token}}
  prometheus: [{{name: main, url: '{prometheus}/'}}]
"""
    refs = (DashboardRef(grafana="one"), DashboardRef(grafana="two", instance="other"))
    lost = (DashboardRef(grafana="two"), DashboardRef(grafana="x", instance="third"), DashboardRef(cloudwatch="c"))
    asked = estate.asked(tmp_path, yaml=yaml)
    answers = asked.run(
        Service(name="payments", spec=Spec(dashboards=refs)), Service(name="ledger", spec=Spec(dashboards=lost))
    )
    assert len(answers["payments"][1].panels) == 8  # type: ignore[union-attr]
    found = answers["ledger"][0]
    assert isinstance(found, Dashboards)
    causes = [one.seen.cause if isinstance(one.seen, Unavailable) else one.seen for one in found.declared]
    assert causes == [None, Cause.NOT_CONFIGURED, Cause.NO_DATA]
    assert asked.panels.calls == 2 + 4


def test_the_request_of_each_query_repeats_it_and_shows_no_token(
    prometheus: str, serve: Serve, ask: Ask, tmp_path: Path
) -> None:
    grafana = Grafana(prometheus, dashboards={"golden": GOLDEN})
    answers = ask(grafana=serve(grafana)).run(service("payments", "golden"))
    exhibits = [exhibit for answer in answers["payments"] for exhibit in answer.exhibits]  # type: ignore[union-attr]
    assert len(exhibits) == 5
    for exhibit in exhibits:
        assert TOKEN not in exhibit.request
        assert "$GRAFANA_TOKEN" in exhibit.request
        done = subprocess.run(
            ["sh", "-c", exhibit.request],
            env={**os.environ, "GRAFANA_TOKEN": TOKEN},
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        assert re.search(r'"status": ?"success".*"value"|"dashboard":', done.stdout), shlex.split(exhibit.request)


def test_what_was_seen_is_stored_and_read_again(prometheus: str, serve: Serve, ask: Ask) -> None:
    grafana = Grafana(prometheus, dashboards={"golden": GOLDEN, "bad": classic(panel("Gone", "gone"))})
    for answer in ask(grafana=serve(grafana)).run(service("payments", "golden", "bad", "none"))["payments"]:
        assert not isinstance(answer, Unavailable)
        assert decode_answer(type(answer), encode_answer(answer)) == answer  # type: ignore[arg-type]


def test_five_hundred_dashboards_cost_a_call_each_and_shared_queries_are_asked_once(
    prometheus: str, serve: Serve, ask: Ask
) -> None:
    board = classic(*(panel(f"Panel {number}", f"queue_depth > {number % 5 - 1}") for number in range(20)))
    grafana = Grafana(prometheus, dashboards={f"board-{number}": board for number in range(500)})
    asked = ask(grafana=serve(grafana), prometheus=prometheus)
    services = [service(f"service-{number}", f"board-{number}") for number in range(500)]
    answers = asked.run(*services)
    assert asked.dashboards.calls == 500
    # The data sources; five distinct queries; what is asked about the one that may be empty.
    assert asked.panels.calls <= 1 + 5 + 5
    assert Counter(grafana.asked).most_common(1)[0][1] == 1
    assert {len(shown(answers, one.name)) for one in services} == {20}
