"""Structured JSON logs with correlation IDs: a request that we send is found again in the service's log."""

from dataclasses import dataclass

from scorecard.check import Category, Requirement, Risk, Row
from scorecard.model import ServiceType

_TAKES_REQUESTS = (ServiceType.WEB, ServiceType.GRPC)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a log may be unstructured, and how late a line may come."""

    lines: int = 500
    """The newest lines that are looked at."""
    not_json: float = 0.01
    """Share of lines that need not be JSON objects; more is a warning."""
    not_json_at_most: float = 0.10
    """More is a failure."""
    lines_with_fields: float = 0.95
    """Share of lines that carry every field."""
    file_lag_seconds: float = 3
    loki_lag_seconds: float = 30
    elasticsearch_lag_seconds: float = 60
    cloudwatch_lag_seconds: float = 120


row = Row(
    title="Structured JSON logs with correlation IDs",
    category=Category.LOGGING,
    risk=Risk.MEDIUM,
    why="A request that cannot be followed through the logs cannot be explained to the customer who made it.",
    limits=Limits,
)

_LOGS = """
    Write one JSON object a line. Python:

    ```python
    import structlog

    structlog.configure(processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ])
    ```

    and name the log in the service file:

    ```yaml
    spec:
      logs: {cloudwatch: {group: /ecs/payments}}   # or file: {path}, loki: {selector}, elasticsearch: {index}
    ```
    """

row.awaits(
    "json",
    Requirement.REQUIRED,
    rule="Of the last {lines} lines at most {not_json:.0%} are no JSON objects, and never over {not_json_at_most:.0%}.",
    remedy=_LOGS,
    awaits="the log probe",
)

row.awaits(
    "fields",
    Requirement.REQUIRED,
    rule="{lines_with_fields:.0%} of the lines carry a timestamp (RFC 3339), a level and a message.",
    remedy=_LOGS,
    awaits="the log probe",
)

row.awaits(
    "correlation-id",
    Requirement.REQUIRED,
    rule=(
        "A request with a fresh correlation id is found by that id in a JSON log line within {file_lag_seconds:g} s in "
        "a file, {loki_lag_seconds:g} s in Loki, {elasticsearch_lag_seconds:g} s in Elasticsearch and "
        "{cloudwatch_lag_seconds:g} s in CloudWatch, and an id that was never sent is not."
    ),
    remedy="""
    Bind the id of the request to every line that is logged while it is served:

    ```python
    @app.before_request
    def bind_correlation_id() -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            correlation_id=request.headers.get("X-Correlation-ID") or str(uuid.uuid4())
        )
    ```

    Many services do not log health checks: name a safe GET that is logged, in the service file:

    ```yaml
    spec:
      correlation: {path: /v1/ping, header: X-Correlation-ID, field: correlation_id}
    ```
    """,
    awaits="the log probe",
    types=_TAKES_REQUESTS,
)

row.awaits(
    "echoed",
    Requirement.ADVISORY,
    rule="The response carries the correlation id of its request.",
    remedy="""
    Send the id back, so that a customer can quote it:

    ```python
    @app.after_request
    def echo_correlation_id(response: Response) -> Response:
        response.headers["X-Correlation-ID"] = structlog.contextvars.get_contextvars()["correlation_id"]
        return response
    ```
    """,
    awaits="the log probe",
    types=_TAKES_REQUESTS,
)

row.awaits(
    "reaches-downstream",
    Requirement.ADVISORY,
    rule="Each declared downstream service logs the same correlation id.",
    remedy="""
    Send the id on with every call, and declare who must log it:

    ```python
    session.get(url, headers={"X-Correlation-ID": structlog.contextvars.get_contextvars()["correlation_id"]})
    ```

    ```yaml
    spec:
      downstream: [ledger]
    ```
    """,
    awaits="the log probe",
    types=_TAKES_REQUESTS,
)
