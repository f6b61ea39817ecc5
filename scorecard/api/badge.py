"""The badge: score, level word, date; grey and "stale" past its age, grey where nothing was measured."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from flask import Response

from scorecard.api import parameters
from scorecard.api.answers import conditional, etag
from scorecard.api.operations import Call, operation
from scorecard.model import Level, ServiceKey

if TYPE_CHECKING:
    from scorecard.store.views import Summary

MEDIA_TYPE = "image/svg+xml"
_GREY = "#5a5f66"
# White text on each of these has a contrast of 4.5 to 1 or more.
_COLOURS = {Level.READY: "#1d7a3e", Level.NEARLY: "#8a5a00", Level.NOT_READY: "#b3261e", Level.UNKNOWN: _GREY}
_LABEL = "readiness"


@operation(
    "GET",
    "/badge/{name}.svg",
    tag="scorecards",
    query=parameters.InEnvironment,
    media_type=MEDIA_TYPE,
    statuses={404: "A grey badge that says `not registered`."},
)
def badge(call: Call[parameters.InEnvironment]) -> Response:
    """A badge with the score, the level and the date of the newest observation.

    It is grey and says "stale" once a live answer is past its age. Link it to the service's page.
    """
    key = ServiceKey(call.path["name"], call.query.environment)
    service = call.deps.store.service(key)
    if service is None:
        return _answer(_drawn("not registered", _GREY, f"{key.name[:63]}: not registered"), 404)
    checklist = call.deps.store.primary(service)
    summary = call.deps.store.summary(service.key, checklist.name, call.now)
    words, colour = _said(summary)
    return _answer(_drawn(words, colour, f"{service.key}: {words} ({checklist.title})"), 200)


def _said(summary: Summary | None) -> tuple[str, str]:
    if summary is None or summary.score is None or summary.taken_at is None:
        return "not measured", _GREY
    day = f"{summary.taken_at:%Y-%m-%d}"
    # Rounded down to a whole number, so that 89.9 is not shown as the 90 that a bar may ask for.
    text = f"{int(summary.score)} {summary.level.word} · {day}"
    return (f"stale · {text}", _GREY) if summary.stale else (text, _COLOURS[summary.level])


def _drawn(words: str, colour: str, title: str) -> str:
    left, right = _width(_LABEL), _width(words)
    width = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
        f'<rect width="{width}" height="20" rx="3" fill="{colour}"/>'
        f'<path d="M3 0h{left - 3}v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#3d4147"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14" textLength="{left - 12}">{_LABEL}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 12}">{escape(words)}</text>'
        "</g></svg>"
    )


def _width(text: str) -> int:
    """The text at 11 px, with 6 px on either side; `textLength` makes every font fit it."""
    return 12 + sum(4 if letter in " .·:ijlt1-" else 7 for letter in text)


def _answer(svg: str, status: int) -> Response:
    body = svg.encode()
    response = Response(body, status=status, mimetype=MEDIA_TYPE)
    # Image proxies keep what they are not told to ask for again.
    response.headers["Cache-Control"] = "no-cache"
    return conditional(response, lambda: etag(body))


OPERATIONS: tuple[Any, ...] = (badge,)
