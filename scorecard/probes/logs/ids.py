"""The request that is searched for: fresh ids, the headers that carry them, and whether the response has them too."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from scorecard.egress.answer import Get, Got
from scorecard.evidence import Unavailable
from scorecard.evidence.health import Reply
from scorecard.evidence.logs import Sent
from scorecard.model import Cause, Service, ServiceKey

_REQUEST_ID = "X-Request-ID"
_CORRELATION_ID = "X-Correlation-ID"
_TRACEPARENT = "traceparent"
_BODY = 65_536
"""Bytes of the answer; nothing in it is looked at."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Made for one request, and never again."""

    header: str
    correlation_id: str
    trace_id: str
    span_id: str
    control_id: str

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What the request carries."""
        traceparent = f"00-{self.trace_id}-{self.span_id}-01"
        values = {self.header: self.correlation_id, _REQUEST_ID: self.correlation_id, _TRACEPARENT: traceparent}
        if self.header.lower() == _REQUEST_ID.lower():
            values = {self.header: self.correlation_id, _TRACEPARENT: traceparent}
        return tuple(values.items())


def fresh_ids(header: str) -> Ids:
    """Ids that nobody had before."""
    if header.lower() == _TRACEPARENT:  # it has a form of its own, and is sent anyway
        header = _CORRELATION_ID
    return Ids(
        header,
        f"scorecard-{uuid.uuid4()}",
        secrets.token_hex(16),
        secrets.token_hex(8),
        f"scorecard-{uuid.uuid4()}",
    )


def address(service: Service) -> str | Unavailable:
    """The declared path of a safe GET; the readiness path unless there is one."""
    given = service.spec.correlation.path or service.spec.health.readiness
    if not given:
        return Unavailable(
            Cause.NOT_CONFIGURED,
            "neither spec.correlation.path nor spec.health.readiness is given",
            "spec:\n  correlation: {path: /v1/ping}",
        )
    if "://" in given:
        return given
    if not service.spec.url:
        return Unavailable(Cause.NOT_CONFIGURED, f"the path {given} has no spec.url", "spec:\n  url: https://HOST")
    return f"{service.spec.url.rstrip('/')}/{given.lstrip('/')}"


def request(key: ServiceKey, url: str, ids: Ids) -> Get:
    """The GET that carries the ids."""
    return Get(key=key, url=url, headers=ids.headers, budget=_BODY)


def sent(
    got: Got,
    ids: Ids,
    answered_at: datetime,
    not_before: datetime,
    marks: dict[str, tuple[str, str]],
    patience: float,
) -> Sent:
    """What was sent, and how it ended."""
    began = max(not_before, answered_at - timedelta(milliseconds=got.milliseconds))
    return Sent(
        sent_at=began,
        url=got.url,
        header=ids.header,
        correlation_id=ids.correlation_id,
        trace_id=ids.trace_id,
        span_id=ids.span_id,
        control_id=ids.control_id,
        reply=got.reply,
        status=got.status,
        milliseconds=round(got.milliseconds, 3),
        detail=got.detail[:300],
        echoed=_echoed(got, ids),
        marks=marks,
        patience=patience,
    )


def _echoed(got: Got, ids: Ids) -> str:
    for name, value in got.headers:
        if ids.correlation_id in value or ids.trace_id in value:
            return name[:80]
    return ""


_CAUSES = {
    Reply.TIMED_OUT: Cause.TIMEOUT,
    Reply.BROKEN: Cause.BAD_RESPONSE,
    Reply.TLS_FAILED: Cause.BAD_RESPONSE,
    Reply.NOT_SENT: Cause.SCORECARD_FAULT,
}


def unanswered(one: Sent) -> Unavailable | None:
    """Why a request need not be searched for: nobody says that the service took it."""
    if one.reply is Reply.ANSWERED:
        return None
    words = one.detail or one.reply.replace("_", " ")
    return Unavailable(_CAUSES.get(one.reply, Cause.UNREACHABLE), f"GET {one.url}: {words}")
