"""JSON log lines with the ids that let one request be followed, and without secrets.

Every line has `timestamp` (RFC 3339, UTC), `level`, `message`, `service`, and, within a request or a run, its
`correlation_id`, `request_id` and `trace_id`. The ids come from `X-Correlation-ID`, `X-Request-ID` and `traceparent`
and are returned in the same headers: what our own checklist asks of a service.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from scorecard.redact import redact, redact_text

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SERVICE = "readiness-scorecard"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_OURS = frozenset({"timestamp", "level", "message", "service", "correlation_id", "request_id", "trace_id", "span_id"})


# --- set-up ----------------------------------------------------------------------------------------------------------


def configure(*, stream: TextIO | None = None, level: str = "INFO") -> None:
    """Send our log lines, and those of every library, to `stream` (standard error) as JSON, one object a line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_the_service,
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendered(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def warn_on_stderr() -> None:
    """Send our own warnings and errors to standard error, the same lines; for a command, whose output is data.

    Without it structlog writes to standard output, with the local variables of every frame.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _name_the_service,
            *_rendered(),
        ],
        # Asked at each line, since the stream may be another by then.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=False,
    )


def _rendered() -> tuple[Any, ...]:
    return (
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        _without_secrets,
        # ASCII only: a lone surrogate in foreign text must not cost the line.
        structlog.processors.JSONRenderer(ensure_ascii=True, default=str),
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: `log.info("run ended", cadence="live", seconds=2.1)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


@contextmanager
def bound(**values: str | int) -> Iterator[None]:
    """Let every line within the block carry these, such as `correlation_id=run`."""
    with structlog.contextvars.bound_contextvars(**values):
        yield


def _name_the_service(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.setdefault("service", SERVICE)
    return line


def _without_secrets(_logger: object, _method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    return {
        key: redact_text(str(value)) if key in _OURS else redact(value, key)
        for key, value in line.items()
        if not key.startswith("_")
    }


# --- requests --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trace:
    """The ids of one request."""

    correlation_id: str
    request_id: str
    trace_id: str
    span_id: str
    flags: str = "01"

    @property
    def traceparent(self) -> str:
        """As W3C Trace Context has it, with our own span."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that tell the caller."""
        return (
            ("X-Correlation-ID", self.correlation_id),
            ("X-Request-ID", self.request_id),
            ("traceparent", self.traceparent),
        )


def trace(*, correlation_id: str = "", request_id: str = "", traceparent: str = "") -> Trace:
    """The ids that a caller sent; made anew where one is missing, or is not fit to be written into a log."""
    parent = _TRACEPARENT.fullmatch(traceparent)
    usable = parent if parent and set(parent[1]) != {"0"} and set(parent[2]) != {"0"} else None
    request = request_id if _ID.fullmatch(request_id) else ""
    correlation = correlation_id if _ID.fullmatch(correlation_id) else ""
    return Trace(
        correlation_id=correlation or request or str(uuid.uuid4()),
        request_id=request or str(uuid.uuid4()),
        trace_id=usable[1] if usable else secrets.token_hex(16),
        span_id=secrets.token_hex(8),
        flags=usable[3] if usable else "01",
    )


class RequestLog:
    """WSGI middleware: binds the ids, returns them in headers, and writes one line for each request.

    The line tells method, path, status and milliseconds. The query is left out: it is where secrets stand.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app
        self.log = get_logger("scorecard.http")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        ids = trace(
            correlation_id=environ.get("HTTP_X_CORRELATION_ID", ""),
            request_id=environ.get("HTTP_X_REQUEST_ID", ""),
            traceparent=environ.get("HTTP_TRACEPARENT", ""),
        )
        environ["scorecard.trace"] = ids
        begun = time.perf_counter()
        status = ["500"]

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:  # noqa: ANN401 - WSGI's signature
            status[0] = line.partition(" ")[0]
            return start_response(line, [*headers, *ids.headers], exc_info)

        with bound(correlation_id=ids.correlation_id, request_id=ids.request_id, trace_id=ids.trace_id):
            try:
                return self.app(environ, start)
            finally:
                self.log.info(
                    "request",
                    method=environ.get("REQUEST_METHOD", ""),
                    path=environ.get("PATH_INFO", ""),
                    status=int(status[0]),
                    milliseconds=round((time.perf_counter() - begun) * 1000, 1),
                    span_id=ids.span_id,
                )
