"""How the demo's services answer: one function per defect, from a request to an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SLOW_SECONDS = 1.3
"""Over the one second that the checklist allows, under the demo's deadline."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service sends back."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0
    """Seconds before it."""
    announced: int | None = None
    """The Content-Length that is claimed; the true one unless given."""


@dataclass(frozen=True, slots=True)
class Silence:
    """The connection stays open and nothing comes."""


Behaviour = Callable[[str, int], Answer | Silence]
"""(path, requests answered before on that path) to the answer."""


def said(code: int, *, after: float = 0.0, **facts: str) -> Answer:
    """A JSON answer."""
    return Answer(code, json.dumps(facts).encode(), after=after)


def healthy(path: str, _count: int) -> Answer:
    """Liveness, readiness and a ping answer 200, a version is told, and everything else is 404."""
    if path == "/livez":
        return said(200, status="alive")
    if path == "/readyz":
        return said(200, status="ready")
    if path == "/v1/ping":
        return said(200, pong="yes")
    if path == "/version":
        return said(200, revision="3f2a9c1")
    return said(404, error="no such path")


def not_ready(path: str, count: int) -> Answer:
    """Readiness says, in a well-formed answer, that the service is not ready."""
    if path == "/readyz":
        return said(503, status="not ready", database="connection pool exhausted")
    return healthy(path, count)


def without_liveness(path: str, count: int) -> Answer:
    """The liveness endpoint that the catalogue names does not exist."""
    return said(404, error="no such path") if path == "/livez" else healthy(path, count)


LOGIN = b"""<!doctype html>
<html lang="en"><head><title>Sign in</title></head>
<body><h1>Sign in to continue</h1>
<form action="/session" method="post"><label>User <input name="username"></label>
<label>Password <input type="password" name="password"></label><button>Sign in</button></form></body></html>
"""


def login_page(_path: str, _count: int) -> Answer:
    """A sign-in page answers 200 to every path, health endpoints too."""
    return Answer(200, LOGIN, "text/html; charset=utf-8")


_APPLICATION = b"""<!doctype html>
<html lang="en"><head><title>Shop</title></head><body><div id="app"></div></body></html>
"""


def catch_all(path: str, count: int) -> Answer:
    """The fallback of a single page application answers 200 to every path that does not exist."""
    if path in {"/livez", "/readyz", "/v1/ping"}:
        return healthy(path, count)
    return Answer(200, _APPLICATION, "text/html; charset=utf-8")


def slow(path: str, count: int) -> Answer:
    """Readiness takes longer than a second, each time."""
    return said(200, after=SLOW_SECONDS, status="ready") if path == "/readyz" else healthy(path, count)


def hanging(path: str, count: int) -> Answer | Silence:
    """Readiness answered once and then never again: the connection is taken and nothing comes."""
    if path == "/readyz" and count:
        return Silence()
    return healthy(path, count)


def erroring(path: str, count: int) -> Answer:
    """Readiness fails with an error that nobody caught."""
    if path == "/readyz":
        return Answer(500, b"Internal Server Error", "text/plain")
    return healthy(path, count)


def broken_protocol(path: str, count: int) -> Answer:
    """Liveness promises more bytes than it sends, as a process that dies while it answers does."""
    if path == "/livez":
        return Answer(200, b'{"status":', announced=4096)
    return healthy(path, count)
