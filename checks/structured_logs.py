"""Structured JSON logs with correlation IDs: a request that we send is found again in the service's log."""

from collections.abc import Callable, Mapping
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
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import (
    CorrelationSearch,
    Downstream,
    LogSample,
    LogSystem,
    Reply,
    Search,
    Sent,
    Trace,
    Unavailable,
)
from scorecard.evidence.logs import LINE_FIELDS
from scorecard.model import Service, ServiceType

_TAKES_REQUESTS = (ServiceType.WEB, ServiceType.GRPC)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a log may be unstructured, and how late a line may come."""

    not_json: float = 0.01
    """Share of the last 500 lines that need not be JSON objects; more is a warning."""
    not_json_at_most: float = 0.10
    """More is a failure."""
    lines_with_fields: float = 0.95
    """Share of lines that carry every field."""
    skew_seconds: float = 300
    """How far a line's own timestamp may be from our clock."""
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


# --- the lines -------------------------------------------------------------------------------------------------------


@row.required(remedy=_LOGS)
def json(seen: LogSample, limits: Limits) -> Finding:
    """Of the last 500 lines at most {not_json:.0%} are no JSON objects, and never over {not_json_at_most:.0%}."""
    other = seen.lines - seen.json_objects
    if not seen.lines:
        return unknown(Cause.NO_DATA, "the log holds no line")
    counted = f"{other} of the last {seen.lines} lines are no JSON objects"
    if other <= limits.not_json * seen.lines:
        return passed(counted if other else f"all of the last {seen.lines} lines are JSON objects")
    if other <= limits.not_json_at_most * seen.lines:
        return warned("some-text", f"{counted} ({other / seen.lines:.1%})")
    return failed("text", f"{counted} ({other / seen.lines:.1%})")


@row.required(remedy=_LOGS)
def fields(seen: LogSample, limits: Limits) -> Finding:
    """{lines_with_fields:.0%} of the lines carry a timestamp (RFC 3339), a level and a message."""
    if not seen.lines:
        return unknown(Cause.NO_DATA, "the log holds no line")
    counted = f"{seen.complete} of the last {seen.lines} lines carry {', '.join(LINE_FIELDS)}"
    if seen.complete >= limits.lines_with_fields * seen.lines:
        return passed(counted)
    why = [f"{number} without {name}" for name, number in seen.lacking.items()]
    if seen.bad_timestamps:
        why.append(f"{seen.bad_timestamps} with a timestamp that is not RFC 3339")
    if seen.json_objects < seen.lines:
        why.append(f"{seen.lines - seen.json_objects} no JSON objects")
    return failed("fields", f"{counted}; {', '.join(why)}")


# --- the request that we sent ----------------------------------------------------------------------------------------


def _lag_limit(system: LogSystem, limits: Limits) -> float:
    return {
        LogSystem.FILE: limits.file_lag_seconds,
        LogSystem.LOKI: limits.loki_lag_seconds,
        LogSystem.ELASTICSEARCH: limits.elasticsearch_lag_seconds,
        LogSystem.CLOUDWATCH: limits.cloudwatch_lag_seconds,
    }[system]


def _not_searched(seen: CorrelationSearch) -> Finding:
    if seen.pending is None:
        return unknown(Cause.NO_DATA, "no request was sent yet")
    waited = max(seen.pending.not_there.values(), default=0.0)
    looked = f"not in the log {waited:.0f} s later; the next run looks again" if waited else "not searched for yet"
    return unknown(Cause.NO_DATA, f"GET {seen.pending.url} was sent at {seen.pending.sent_at:%H:%M:%S} UTC, {looked}")


def _asked(sent: Sent | None) -> str:
    if sent is None:
        return "the request"
    return f"GET {sent.url} (answered {sent.status})" if sent.status else f"GET {sent.url}"


def _found(result: Search, declared: str, limits: Limits) -> Item:
    """A JSON line carries the id in the declared field; what may be wrong with it besides."""
    limit = _lag_limit(result.system, limits)
    there = result.lag_at_least if result.lag_at_least is not None else result.lag
    if there is not None and there > limit:
        return warned(
            "late", f"a JSON line carries the id in {declared}, and came {there:.1f} s later; limit {limit:g} s"
        )
    if result.says_service:
        return warned("other-name", f"the line with the id in {declared} says it is of {result.says_service}")
    if result.lacking:
        return warned("incomplete-line", f"the line with the id in {declared} lacks {', '.join(result.lacking)}")
    if result.skew is not None and abs(result.skew) > limits.skew_seconds:
        return warned("clock", f"the timestamp of the line with the id is {abs(result.skew):.0f} s from our clock")
    if there is not None and there > limit / 2:
        return warned("slow", f"the line with the id came after {there:.1f} s, over half of the limit of {limit:g} s")
    within = f" within {max(0.1, result.lag):.1f} s" if result.lag is not None else ""
    return passed(f"a JSON line carries the id in {declared}{within}")


def _text(result: Search, asked: str) -> Item:
    text = result.skew is None and not result.line.startswith("{")
    what = "a line that is no JSON object" if text else "a longer text"
    return failed("in-text", f"{asked}: its id is in the log only within {what}")


def _other_key(result: Search, declared: str) -> Item:
    return warned(
        "other-key",
        f"a JSON line carries the id under {result.key}, not under {declared}; rename the key, or declare "
        f"spec.correlation.field: {result.key}",
    )


def _no_line(result: Search, asked: str) -> Item:
    if result.cut:
        cause = Cause.NO_DATA if result.system is LogSystem.FILE else Cause.BAD_RESPONSE
        return unknown(cause, f"{asked}: none of the {result.lines} lines looked at is of it, and the log had more")
    return unknown(
        Cause.NO_DATA,
        f"{asked}: the log has newer lines and none of it; name a request that is logged: spec.correlation.path",
    )


_NOTHING: Mapping[Trace, Callable[[Search, str], Item]] = {
    Trace.INVENTED: lambda _, asked: unknown(
        Cause.BAD_RESPONSE, f"{asked}: an id that was never sent was found too, so that finding one proves nothing"
    ),
    Trace.IN_TEXT: _text,
    Trace.WITHOUT_ID: lambda _, asked: failed(
        "without-id", f"the log has the line of {asked}, by path and time, and no line carries its id"
    ),
    Trace.ANOTHER_SERVICE: lambda result, asked: unknown(
        Cause.NO_DATA, f"{asked}: only lines of {result.says_service} carry the id, and none of this service"
    ),
    Trace.NOTHING_NEWER: lambda _, asked: unknown(Cause.NO_DATA, f"{asked}: the log has no line that is newer"),
    Trace.NO_LINE: _no_line,
}


@row.required(
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

    Many services do not log health checks: name a safe GET that is logged, and the key of the id, in the service file:

    ```yaml
    spec:
      correlation: {path: /v1/ping, header: X-Correlation-ID, field: correlation_id}
    ```

    `docs/how-to/structured-logs.md` has it for Java, Node, Go and .NET.
    """,
    types=_TAKES_REQUESTS,
)
def correlation_id(seen: CorrelationSearch, limits: Limits) -> Finding:
    """A fresh id is found in its field of a JSON line within {file_lag_seconds:g} s in a file,
    {loki_lag_seconds:g} s in Loki, {elasticsearch_lag_seconds:g} s in Elasticsearch, {cloudwatch_lag_seconds:g} s in
    CloudWatch, and an id that was never sent is not.
    """  # noqa: D205 - a rule is one sentence, however long
    result = seen.result
    if result is None:
        return _not_searched(seen)
    if isinstance(result, Unavailable):
        finding = unavailable(result)
    else:
        item = _judge(result, seen, limits)
        finding = Finding(item.status, item.code, item.message, item.cause)
    return finding.at(seen.searched_at) if seen.searched_at else finding


def _judge(result: Search, seen: CorrelationSearch, limits: Limits) -> Item:
    if result.trace is Trace.IN_FIELD:
        return _found(result, seen.declared_field, limits)
    if result.trace is Trace.UNDER_ANOTHER_KEY:
        return _other_key(result, seen.declared_field)
    return _NOTHING[result.trace](result, _asked(seen.sent))


@row.advisory(
    remedy="""
    Send the id back, so that a customer can quote it:

    ```python
    @app.after_request
    def echo_correlation_id(response: Response) -> Response:
        response.headers["X-Correlation-ID"] = structlog.contextvars.get_contextvars()["correlation_id"]
        return response
    ```
    """,
    types=_TAKES_REQUESTS,
)
def echoed(seen: CorrelationSearch) -> Finding:
    """The response carries the correlation id of its request."""
    sent = seen.newest
    if sent is None:
        return unknown(Cause.NO_DATA, "no request was sent yet")
    if sent.reply is not Reply.ANSWERED:
        cause = Cause.TIMEOUT if sent.reply is Reply.TIMED_OUT else Cause.UNREACHABLE
        words = sent.detail or sent.reply.replace("_", " ")
        return unknown(cause, f"GET {sent.url}: {words}").at(sent.sent_at)
    if sent.echoed:
        return passed(f"the response to GET {sent.url} carries the id in {sent.echoed}").at(sent.sent_at)
    return failed("not-echoed", f"the response to GET {sent.url} ({sent.status}) carries none of the ids").at(
        sent.sent_at
    )


@row.advisory(
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
    types=_TAKES_REQUESTS,
)
def reaches_downstream(seen: CorrelationSearch, service: Service, limits: Limits) -> Finding:
    """Each declared downstream service logs the same correlation id."""
    if not service.spec.downstream:
        return not_applicable("no downstream services are declared")
    if seen.result is None:
        return _not_searched(seen)
    known = {part.name: part for part in seen.downstream}
    unasked = Unavailable(Cause.NO_DATA, "its log was not searched yet")
    parts = [known.get(name, Downstream(name=name, result=unasked)) for name in service.spec.downstream]

    def judge(part: Downstream) -> Item:
        result = part.result
        if isinstance(result, Unavailable):
            return unknown(result.cause, result.detail)
        if result.trace is Trace.NO_LINE and not result.cut:
            return failed("not-reached", "its log has newer lines, and none carries the id")
        return _judge(result, seen, limits)

    finding = each(parts, judge, things="downstream services")
    return finding.at(seen.searched_at) if seen.searched_at else finding
