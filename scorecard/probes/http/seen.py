"""From a libcurl answer to evidence: what one GET showed, and the command that repeats it."""

from __future__ import annotations

import shlex
from functools import lru_cache

from scorecard.egress.answer import Got
from scorecard.egress.body import Content, read_content
from scorecard.egress.prober import ProberSettings
from scorecard.evidence import Exhibit, Unavailable
from scorecard.evidence.base import EXCERPT_LIMIT, Fact
from scorecard.evidence.health import Endpoint, Reply
from scorecard.model import Cause
from scorecard.redact import redact_text

_CONTENT_TYPE_LENGTH = 200
_LOCATION_LENGTH = 2000


def endpoint(got: Got, *, reached_before: bool) -> Endpoint | Unavailable:
    """What a check judges. An error of our own is no reply of the target's: `unknown: probe_error`."""
    if got.cause is Cause.PROBE_ERROR:
        return Unavailable(Cause.PROBE_ERROR, f"GET {got.url}: {got.detail}")
    content = _content(got.body, got.header("content-type")) if got.body else Content()
    return Endpoint(
        url=got.url,
        reply=got.reply,
        status=got.status,
        milliseconds=round(got.milliseconds, 3),
        detail=got.detail,
        content_type=got.header("content-type")[:_CONTENT_TYPE_LENGTH],
        login_page=content.login_page,
        html=content.html,
        well_formed=content.well_formed,
        location=redact_text(got.header("location")[:_LOCATION_LENGTH]),
        certificate_expires_in=got.certificate_expires_in,
        reached_before=reached_before,
    )


def exhibit(got: Got, settings: ProberSettings) -> Exhibit:
    """What a person sees, and repeats by hand."""
    facts: dict[str, Fact] = {"reply": got.reply.value, "milliseconds": round(got.milliseconds, 3)}
    if got.reply is Reply.ANSWERED:
        facts["status"] = got.status
    told = {
        "detail": got.detail,
        "content_type": got.header("content-type")[:_CONTENT_TYPE_LENGTH],
        "location": redact_text(got.header("location")[:_LOCATION_LENGTH]),
        "address": got.address,
    }
    facts |= {name: value for name, value in told.items() if value}
    seconds = settings.timeout.total_seconds()
    request = f"curl -sS -i --max-time {seconds:g} {shlex.quote(got.url)}"
    return Exhibit(source="http", request=request, facts=facts, excerpt=_excerpt(got.body))


# Health endpoints say the same thing for years, and many services say the same.
@lru_cache(maxsize=512)
def _remembered(body: bytes, content_type: str) -> Content:
    return read_content(body, content_type)


@lru_cache(maxsize=512)
def _redacted(body: bytes) -> str:
    text = redact_text(body.decode("utf-8", "replace"))
    return text.encode()[:EXCERPT_LIMIT].decode("utf-8", "ignore")


def _content(body: bytes, content_type: str) -> Content:
    if len(body) <= EXCERPT_LIMIT:
        return _remembered(body, content_type)
    return read_content(body, content_type)


def _excerpt(body: bytes) -> str:
    # Cut before redacting, so that its time is bounded, and once more after it, for it may add.
    return _redacted(body[:EXCERPT_LIMIT]) if body else ""
