"""A dashboard in any of the three models comes to the same panels, and no document at all raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scorecard.evidence import Unavailable
from scorecard.evidence.dashboards import Dashboard, Model, Panel, Signal, SourceRef
from scorecard.model import Cause
from scorecard.probes.grafana.models import read_dashboard

EXPRESSION = 'sum(rate(http_requests_total{service="$service"}[5m]))'


def read(document: object, library: Mapping[str, Any] | None = None) -> Dashboard:
    return read_dashboard(document, base="https://grafana.example.net/", uid="asked", panels=(library or {}).get)


def classic_panel(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - as Grafana has it
    return {"id": 4, "type": "timeseries", "title": "Traffic", "targets": [{"refId": "A", "expr": EXPRESSION}], **more}


CLASSIC = {"uid": "u1", "title": "Overview", "schemaVersion": 39, "panels": [classic_panel(datasource={"uid": "p"})]}
V1 = {
    "kind": "Dashboard",
    "apiVersion": "dashboard.grafana.app/v1beta1",
    "metadata": {"name": "u1"},
    "spec": {name: value for name, value in CLASSIC.items() if name != "uid"},
}


def v2(query: Mapping[str, Any], config: Mapping[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    return {
        "kind": "Dashboard",
        "apiVersion": "dashboard.grafana.app/v2beta1",
        "metadata": {"name": "u1"},
        "spec": {
            "title": "Overview",
            "elements": {
                "panel-4": {
                    "kind": "Panel",
                    "spec": {
                        "id": 4,
                        "title": "Traffic",
                        "data": {
                            "kind": "QueryGroup",
                            "spec": {"queries": [{"kind": "PanelQuery", "spec": {"refId": "A", **query}}]},
                        },
                        "vizConfig": config,
                    },
                }
            },
            **more,
        },
    }


BETA = v2(
    {
        "query": {
            "kind": "DataQuery",
            "group": "prometheus",
            "datasource": {"name": "p"},
            "spec": {"expr": EXPRESSION},
        }
    },
    {"kind": "VizConfig", "group": "timeseries", "spec": {}},
)
ALPHA = v2(
    {
        "query": {"kind": "prometheus", "spec": {"expr": EXPRESSION}},
        "datasource": {"type": "prometheus", "uid": "p"},
    },
    {"kind": "timeseries", "spec": {}},
)


def test_the_same_panel_is_read_from_every_model() -> None:
    models = {Model.CLASSIC: [{"dashboard": CLASSIC, "meta": {}}, CLASSIC], Model.V1: [V1], Model.V2: [BETA, ALPHA]}
    for model, documents in models.items():
        for document in documents:
            dashboard = read(document)
            assert (dashboard.model, dashboard.uid, dashboard.title) == (model, "u1", "Overview")
            [panel] = dashboard.panels
            assert (panel.name, panel.kind, panel.id) == ("Traffic (panel 4)", "timeseries", 4)
            assert (panel.queries[0].expression, panel.queries[0].source.uid) == (EXPRESSION, "p")


def test_panels_are_found_in_collapsed_rows_in_rows_of_old_and_in_nested_layouts() -> None:
    collapsed = {"panels": [{"type": "row", "collapsed": True, "panels": [classic_panel()]}]}
    old = {"schemaVersion": 14, "rows": [{"title": "Requests", "panels": [classic_panel(type="graph")]}]}
    item = {"kind": "AutoGridLayoutItem", "spec": {"element": {"kind": "ElementReference", "name": "panel-4"}}}
    row = {"kind": "RowsLayoutRow", "spec": {"layout": {"kind": "AutoGridLayout", "spec": {"items": [item]}}}}
    tab = {"kind": "TabsLayoutTab", "spec": {"layout": {"kind": "RowsLayout", "spec": {"rows": [row]}}}}
    nested = json.loads(json.dumps(BETA))
    nested["spec"]["layout"] = {"kind": "TabsLayout", "spec": {"tabs": [tab]}}
    for document in (collapsed, old, nested):
        assert [panel.name for panel in read(document).panels] == ["Traffic (panel 4)"]


def test_an_element_that_no_layout_shows_is_no_panel() -> None:
    document = json.loads(json.dumps(BETA))
    document["spec"]["elements"]["panel-9"] = document["spec"]["elements"]["panel-4"]
    item = {"kind": "GridLayoutItem", "spec": {"element": {"kind": "ElementReference", "name": "panel-9"}}}
    document["spec"]["layout"] = {"kind": "GridLayout", "spec": {"items": [item]}}
    assert len(read(document).panels) == 1


def test_texts_news_and_lists_are_no_data_panels_and_a_repeated_copy_is_none() -> None:
    kinds = ("text", "row", "news", "dashlist", "alertlist", "annolist")
    panels = [{"id": number, "type": kind, "title": kind} for number, kind in enumerate(kinds)]
    copy = classic_panel(id=9, repeatPanelId=4)
    assert [panel.id for panel in read({"panels": [*panels, classic_panel(), copy]}).panels] == [4]


def test_a_graph_without_a_query_is_a_data_panel_and_an_unknown_plugin_without_one_is_not() -> None:
    panels = [classic_panel(id=1, targets=[]), classic_panel(id=2, targets=[], type="acme-clock-panel")]
    assert [panel.id for panel in read({"panels": panels}).panels] == [1]


def test_a_library_panel_is_its_model_under_the_dashboards_title() -> None:
    reference = {"id": 7, "title": "Ours", "libraryPanel": {"uid": "lib", "name": "Shared"}}
    document = json.loads(json.dumps(BETA))
    spec = {"id": 7, "title": "Ours", "libraryPanel": {"uid": "lib", "name": "Shared"}}
    document["spec"]["elements"] = {"panel-7": {"kind": "LibraryPanel", "spec": spec}}
    for one in ({"panels": [reference]}, document):
        [panel] = read(one, {"lib": classic_panel()}).panels
        assert (panel.name, panel.queries[0].expression) == ("Ours (panel 7)", EXPRESSION)
        assert "does not exist" in read(one, {}).panels[0].fault
        denied = Unavailable(Cause.ACCESS_DENIED, "403")
        assert read(one, {"lib": denied}).panels[0].unread == denied


def test_a_query_takes_the_panels_data_source_unless_the_panel_is_mixed() -> None:
    def source(panel: object, target: object) -> SourceRef:
        targets = [{"expr": "up", "datasource": target}]
        [found] = read({"panels": [classic_panel(datasource=panel, targets=targets)]}).panels
        return found.queries[0].source

    assert source({"uid": "a"}, {"uid": "b"}).uid == "a"
    assert source({"uid": "-- Mixed --"}, {"uid": "b"}).uid == "b"
    assert source(None, {"uid": "b"}).uid == "b"
    assert source("Prometheus", None).uid == "Prometheus"
    assert source(None, None) == SourceRef()


def test_a_description_says_that_a_panel_may_be_empty_and_what_it_shows() -> None:
    def panel(description: str) -> Panel:
        return read({"panels": [classic_panel(description=description)]}).panels[0]

    assert panel("Timeouts of a day.\n\n- Scorecard: may be empty").may_be_empty
    assert not panel("The scorecard may be empty").may_be_empty
    assert panel("scorecard: signal latency, errors").signals == (Signal.LATENCY, Signal.ERRORS)
    assert panel("nothing").signals == ()


def test_variables_of_the_two_models_come_to_the_same() -> None:
    classic = {
        "templating": {
            "list": [
                {
                    "name": "service",
                    "type": "query",
                    "datasource": {"type": "prometheus", "uid": "p"},
                    "query": {"query": "label_values(up, service)", "refId": "x"},
                    "current": {"value": ["$__all"]},
                    "includeAll": True,
                    "multi": True,
                    "refresh": 2,
                    "sort": 1,
                    "regex": "/a(.*)/",
                }
            ]
        }
    }
    query = {
        "kind": "DataQuery",
        "group": "prometheus",
        "datasource": {"name": "p"},
        "spec": {"query": "label_values(up, service)"},
    }
    spec = {
        "name": "service",
        "query": query,
        "current": {"value": ["$__all"]},
        "includeAll": True,
        "multi": True,
        "refresh": "onTimeRangeChanged",
        "sort": "alphabeticalAsc",
        "regex": "/a(.*)/",
    }
    newer = {"elements": {}, "variables": [{"kind": "QueryVariable", "spec": spec}]}
    assert read(classic).variables == read(newer).variables


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
KEYS = (
    "dashboard spec elements layout panels rows targets datasource uid type title id libraryPanel templating list "
    "variables query current value options filters kind name group description vizConfig data queries meta time "
    "from __inputs repeatPanelId expr hide panelId timeSettings refresh sort"
)
keys = st.sampled_from(KEYS.split()) | st.text(max_size=5)
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6), max_leaves=40
)


@settings(max_examples=500, deadline=None)
@given(documents)
def test_any_document_at_all_is_read_without_raising(document: object) -> None:
    assert isinstance(read(document), Dashboard)
    assert isinstance(read({"dashboard": document}), Dashboard)
    assert isinstance(
        read({"spec": {"elements": {"a": document}, "variables": [document], "layout": document}}), Dashboard
    )
    assert isinstance(read({"panels": [document], "templating": {"list": [document]}}, {"": document}), Dashboard)


def test_rows_nested_a_thousand_deep_are_read() -> None:
    document: dict[str, Any] = classic_panel()
    for _ in range(1000):
        document = {"type": "row", "panels": [document]}
    assert len(read({"panels": [document]}).panels) == 1
