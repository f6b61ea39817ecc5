"""Which panels show data, by their plugin."""

from __future__ import annotations

_WITHOUT_DATA = frozenset(
    {
        "row", "text", "news", "dashlist", "alertlist", "annolist", "welcome", "gettingstarted", "pluginlist",
        "live", "debug", "alertGroups", "library-panel-ref", "grafana-clock-panel", "volkovlabs-image-panel",
    }
)  # fmt: skip
"""Panels of Grafana's own that show something else than a query's result."""
_CORE = frozenset(
    {
        "graph", "timeseries", "stat", "singlestat", "gauge", "bargauge", "table", "table-old", "heatmap", "piechart",
        "grafana-piechart-panel", "barchart", "histogram", "state-timeline", "status-history", "xychart", "trend",
        "candlestick", "logs", "traces", "nodeGraph", "flamegraph", "geomap", "grafana-worldmap-panel",
    }
)  # fmt: skip
"""Panels that are nothing without a query. A plugin that we do not know may need none: a clock, a picture."""


def shows_data(kind: str, *, asks: bool) -> bool:
    """Whether a panel of this kind is a data panel; `asks` says whether it has a query."""
    if kind in _WITHOUT_DATA:
        return False
    return asks or kind in _CORE
