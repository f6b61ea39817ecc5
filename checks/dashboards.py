"""Dashboards for key metrics: they exist, their panels have data, and they cover the golden signals."""

from dataclasses import dataclass

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Risk,
    Row,
    each,
    failed,
    not_applicable,
    passed,
    share,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Unavailable
from scorecard.evidence.dashboards import (
    Dashboards,
    DeclaredDashboard,
    Emptiness,
    PanelData,
    PanelSeen,
    PanelState,
    Signal,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How empty a dashboard may be."""

    panels_with_data: float = 0.8
    """Share of the data panels, from 0 to 1."""


row = Row(
    title="Dashboards for key metrics",
    category=Category.MONITORING,
    risk=Risk.MEDIUM,
    why="Without a picture of traffic, errors and latency the on-call engineer guesses.",
    limits=Limits,
)


@row.required(
    remedy="""
    Name the dashboard in the service file, by its uid in Grafana (the part after `/d/` in its address); one that many
    services share takes the service's variables:

    ```yaml
    spec:
      dashboards:
        - {grafana: golden-signals, variables: {service: payments}}
    ```

    Without `dashboards` in the service file those count that carry the tag `service:payments` in Grafana. `GET
    /api/search?query=payments` lists the uids that the scorecard's token may see:

    ```sh
    curl -sS -H "Authorization: Bearer $GRAFANA_TOKEN" \\
      'https://grafana.example.net/api/search?query=payments' | jq -r '.[] | [.uid, .title] | @tsv'
    ```
    """
)
def exists(seen: Dashboards) -> Finding:
    """Each declared dashboard, or each that is tagged `service:NAME`, is found in Grafana or CloudWatch."""

    def judge(one: DeclaredDashboard) -> Item:
        if one.seen is None:
            return failed("not-found", "there is no such dashboard")
        if isinstance(one.seen, Unavailable):
            return unavailable(one.seen)
        by_tag = ", found by its tag" if one.tagged else ""
        return passed(f"{one.seen.title!r} has {len(one.seen.panels)} data panels ({one.seen.model} model{by_tag})")

    return each(seen.declared, judge, missing=seen.missing, things="dashboards")


@row.required(
    remedy="""
    Run the query of each empty panel as the evidence shows it. The panel's line says why it is empty:

    - a metric that the data source does not know is not scraped, or was renamed;
    - a label mismatch: the series are there under other labels, which the line names. For a dashboard that many
      services share, give it the service's values:

      ```yaml
      spec:
        dashboards: [{grafana: golden-signals, variables: {service: payments, namespace: prod}}]
      ```

    - a query that the data source refuses has to be mended;
    - a panel that is empty on a good day says so in its description, and is not counted while it is empty:

      ```
      scorecard: may be empty
      ```
    """
)
def panels_have_data(seen: PanelData, limits: Limits) -> Finding:
    """At least {panels_with_data:.0%} of the data panels return a series now."""

    def judge(panel: PanelSeen) -> Item:
        if panel.state is PanelState.DATA:
            return passed(panel.words)
        if panel.state is PanelState.CONSTANT:
            return warned("constant", panel.words)
        if panel.state is PanelState.BROKEN:
            return failed("broken", panel.words)
        if panel.state is PanelState.UNKNOWN:
            return unavailable(panel.unknown or Unavailable(Cause.NO_DATA, panel.words))
        if panel.may_be_empty:
            return not_applicable(f"its description says that it may be empty: {panel.words}")
        return failed(panel.emptiness or Emptiness.UNEXPLAINED, panel.words)

    declared = sum(panel.may_be_empty and panel.state is PanelState.EMPTY for panel in seen.panels)
    empty: Item = failed("no-panels", f"no data panel on {seen.dashboards} dashboards")
    if declared:
        empty = unknown(Cause.NO_DATA, f"all {declared} data panels are empty, and say that they may be")
    return share(
        seen.panels, judge, at_least=limits.panels_with_data, missing=seen.missing, empty=empty, things="panels"
    )


@dataclass(frozen=True, slots=True)
class Covered:
    """One golden signal, and the panels that show it."""

    name: str
    shown: tuple[str, ...]
    """Panels with data."""
    possible: tuple[str, ...]
    """Panels of which it is not known whether they show it."""


@row.advisory(
    remedy="""
    Add the panel that is missing:

    ```promql
    # latency
    histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{service="payments"}[5m])))
    # traffic
    sum(rate(http_requests_total{service="payments"}[5m]))
    # errors
    sum(rate(http_requests_total{service="payments",status=~"5.."}[5m]))
      / sum(rate(http_requests_total{service="payments"}[5m]))
    # saturation
    max(rate(process_cpu_seconds_total{service="payments"}[5m]))
    ```

    A panel whose metrics have names of their own says in its description what it shows, as `scorecard: signal latency`;
    for a whole organisation its words stand in `scorecard.yaml`:

    ```yaml
    vocabulary:
      signals: {latency: [duration, latency, checkout_time]}
    ```
    """
)
def golden_signals(seen: PanelData) -> Finding:
    """Latency, traffic, errors and saturation each have a panel with data."""
    unread = seen.missing[0] if seen.missing else None
    doubtful = {
        panel.name: panel.unknown or Unavailable(Cause.NO_DATA, panel.words) for panel in seen.panels if panel.possible
    }

    def judge(signal: Covered) -> Item:
        if signal.shown:
            more = f" and {len(signal.shown) - 1} more" if len(signal.shown) > 1 else ""
            return passed(f"{signal.shown[0]}{more}")
        if signal.possible:
            return unavailable(doubtful[signal.possible[0]])
        if unread is not None:
            return unavailable(unread)
        return failed("not-shown", "no panel with data shows it")

    signals = [
        Covered(
            signal.value,
            tuple(panel.name for panel in seen.panels if signal in panel.signals),
            tuple(panel.name for panel in seen.panels if signal in panel.possible),
        )
        for signal in Signal
    ]
    return each(signals, judge, things="golden signals")
