"""Dashboards for key metrics: they exist, their panels have data, and they cover the golden signals."""

from dataclasses import dataclass

from scorecard.check import Category, Requirement, Risk, Row


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

row.awaits(
    "exists",
    Requirement.REQUIRED,
    rule="Each declared dashboard is found in Grafana or CloudWatch.",
    remedy="""
    Name the dashboard in the service file, by its uid in Grafana (the part after `/d/` in its address) or its name in
    CloudWatch; one that many services share takes the service's variables:

    ```yaml
    spec:
      dashboards:
        - {grafana: golden-signals, variables: {service: payments}}
        - {cloudwatch: payments}
    ```
    """,
    awaits="the Grafana probe and the AWS probe",
)

row.awaits(
    "panels-have-data",
    Requirement.REQUIRED,
    rule="At least {panels_with_data:.0%} of the data panels return a series now.",
    remedy="""
    Run the query of each empty panel against its data source; a metric that is not there is not
    scraped, or was renamed:

    ```sh
    promtool query instant http://prometheus:9090 'rate(http_requests_total{service="payments"}[5m])'
    curl -s 'http://prometheus:9090/api/v1/label/__name__/values' | jq -r '.data[]' | grep http_
    ```
    """,
    awaits="the Grafana probe",
)

row.awaits(
    "golden-signals",
    Requirement.ADVISORY,
    rule="Latency, traffic, errors and saturation each have a panel.",
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
    """,
    awaits="the Grafana probe",
)
