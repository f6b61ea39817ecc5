"""The demo's dashboards in Grafana's three models: one that is shared, one for workers, and some with a defect each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

_PROMETHEUS = {"type": "prometheus", "uid": "prom"}


class Screen(StrEnum):
    """Which dashboard a service has."""

    SHARED = "the one for all services, with the service's name in its variable"
    WORKERS = "the one for all workers, found by its tag"
    DELETED = "one that was deleted in Grafana"
    OTHER_LABELS = "one whose panels ask for the service by the name that it once had"
    RENAMED_METRICS = "one whose metrics were renamed since it was drawn"
    ORDERS_ONLY = "one that shows orders, and none of latency, errors and saturation"


def reference(screen: Screen, service: str) -> list[dict[str, Any]]:
    """`spec.dashboards` of a service; nothing for one that its tag finds."""
    if screen is Screen.WORKERS:
        return []
    if screen is Screen.SHARED:
        return [{"grafana": "golden-signals", "variables": {"service": service}}]
    return [{"grafana": f"{service}-overview"}]


def classic(screens: Mapping[str, Screen]) -> dict[str, dict[str, Any]]:
    """Dashboards by uid, as far as they are stored in the classic model."""
    made = {"golden-signals": _shared()}
    for service, screen in screens.items():
        panels = _DEFECTS.get(screen)
        if panels is not None:
            made[f"{service}-overview"] = {
                "title": f"{service}: overview",
                "tags": [f"service:{service}"],
                "schemaVersion": 39,
                "time": {"from": "now-1h", "to": "now"},
                "panels": [_panel(number, *panel) for number, panel in enumerate(panels(service), 1)],
            }
    return made


LIBRARY: Mapping[str, dict[str, Any]] = {
    "processor": {
        "type": "gauge",
        "title": "Processor",
        "datasource": _PROMETHEUS,
        "targets": [{"refId": "A", "expr": 'max(rate(process_cpu_seconds_total{service="$service"}[5m]))'}],
    }
}
"""Library panels by uid."""


def workers(screens: Mapping[str, Screen]) -> tuple[str, list[str], dict[str, Any]]:
    """Name, tags and v2 spec of the dashboard of all workers."""
    queries = {
        "Duration": "histogram_quantile(0.95, sum by (le) (rate(worker_job_duration_seconds_bucket[5m])))",
        "Jobs": "sum by (service) (rate(worker_jobs_total[5m]))",
        "Failures": 'sum(rate(worker_jobs_total{outcome="failure"}[5m]))',
        "Waiting": "max by (service) (queue_messages_waiting)",
    }
    tags = [f"service:{service}" for service, screen in screens.items() if screen is Screen.WORKERS]
    elements = {f"panel-{number}": _element(number, *one) for number, one in enumerate(queries.items(), 1)}
    items = [
        {"kind": "GridLayoutItem", "spec": {"element": {"kind": "ElementReference", "name": name}}} for name in elements
    ]
    spec = {
        "title": "Workers",
        "tags": tags,
        "timeSettings": {"from": "now-1h", "to": "now"},
        "variables": [],
        "elements": elements,
        "layout": {"kind": "GridLayout", "spec": {"items": items}},
    }
    return "workers", tags, spec


def _element(number: int, title: str, expression: str) -> dict[str, Any]:
    query = {
        "kind": "DataQuery",
        "group": "prometheus",
        "version": "v0",
        "datasource": {"name": "prom"},
        "spec": {"expr": expression},
    }
    panel_query = {"kind": "PanelQuery", "spec": {"refId": "A", "hidden": False, "query": query}}
    return {
        "kind": "Panel",
        "spec": {
            "id": number,
            "title": title,
            "description": "",
            "data": {"kind": "QueryGroup", "spec": {"queries": [panel_query], "queryOptions": {}}},
            "vizConfig": {"kind": "VizConfig", "group": "timeseries", "version": "12.1.0", "spec": {}},
        },
    }


def _panel(number: int, title: str, expression: str, description: str = "") -> dict[str, Any]:
    target = {"refId": "A", "expr": expression, "datasource": _PROMETHEUS}
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "description": description,
        "datasource": _PROMETHEUS,
        "targets": [target],
    }


def _shared() -> dict[str, Any]:
    chosen = '{service="$service"}'
    saturation = {
        "id": 10,
        "type": "row",
        "title": "Saturation",
        "collapsed": True,
        "panels": [{"id": 11, "title": "Processor", "libraryPanel": {"uid": "processor", "name": "Processor"}}],
    }
    return {
        "title": "Golden signals",
        "tags": ["shared"],
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "service",
                    "type": "query",
                    "datasource": _PROMETHEUS,
                    "query": {"query": "label_values(http_requests_total, service)", "refId": "A"},
                    "refresh": 1,
                    "current": {"text": "checkout", "value": "checkout"},
                }
            ]
        },
        "panels": [
            {"id": 1, "type": "text", "title": "About", "options": {"content": "One dashboard for every service."}},
            _panel(
                2,
                "Latency, 95th percentile",
                "histogram_quantile(0.95, sum by (le) "
                f"(rate(http_request_duration_seconds_bucket{chosen}[$__rate_interval])))",
            ),
            _panel(3, "Traffic", f"sum(rate(http_requests_total{chosen}[$__rate_interval]))"),
            _panel(4, "Errors", 'sum(rate(http_requests_total{service="$service",status=~"5.."}[$__rate_interval]))'),
            _panel(
                5,
                "Requests over a minute",
                'http_request_duration_seconds_bucket{service="$service",le="60"}',
                "A good day has none of them.\n\nscorecard: may be empty",
            ),
            saturation,
        ],
    }


def _other_labels(service: str) -> list[tuple[str, str]]:
    former = f'{{service="{service}-v1"}}'
    return [
        ("Traffic", f"sum(rate(http_requests_total{former}[5m]))"),
        ("Latency", f"histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{former}[5m])))"),
        ("Errors", f'sum(rate(http_requests_total{{service="{service}-v1",status=~"5.."}}[5m]))'),
        ("Memory", f'process_resident_memory_bytes{{service="{service}"}}'),
    ]


def _renamed(service: str) -> list[tuple[str, str]]:
    chosen = f'{{service="{service}"}}'
    return [
        ("Traffic", f"sum(rate(http_request_total{chosen}[5m]))"),
        ("Latency", f"histogram_quantile(0.95, sum by (le) (rate(http_request_seconds_bucket{chosen}[5m])))"),
        ("Errors", f"sum(rate(http_request_failed_total{chosen}[5m]))"),
        ("Memory", f"process_resident_memory_bytes{chosen}"),
    ]


def _orders(service: str) -> list[tuple[str, str]]:
    return [
        ("Orders", f'sum(increase(orders_created_total{{service="{service}"}}[1h]))'),
        ("Items in a basket", f'avg(basket_items{{service="{service}"}})'),
    ]


_DEFECTS = {Screen.OTHER_LABELS: _other_labels, Screen.RENAMED_METRICS: _renamed, Screen.ORDERS_ONLY: _orders}
