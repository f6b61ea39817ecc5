"""Errors as `application/problem+json`, each with a type that stays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
_BASE = "/api/docs#problem-"

TYPES: Mapping[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be read"),
    "sign-in-required": (401, "A token is needed"),
    "forbidden-origin": (403, "Another site sent this request"),
    "wrong-token": (403, "The token is for another service or another kind of evidence"),
    "not-registered": (404, "No such service is registered"),
    "not-found": (404, "There is nothing at this address"),
    "method-not-allowed": (405, "This address does not take the method"),
    "managed-elsewhere": (409, "The service is defined in a file of the catalogue"),
    "name-differs": (409, "The body names another service than the address"),
    "refused": (409, "The rules refuse what was sent"),
    "key-reused": (409, "The idempotency key belongs to another request"),
    "changed-meanwhile": (412, "The service changed since it was read"),
    "too-large": (413, "The body is larger than 256 KiB"),
    "unsupported-media-type": (415, "The body is not JSON"),
    "unknown-host": (421, "This host name is not one of ours"),
    "too-many": (429, "Too many wrong tokens came from this address"),
    "invalid": (422, "The request does not fit its schema"),
    "fault": (500, "The scorecard failed"),
    "not-ready": (503, "The store cannot be used"),
}
"""Every type of problem, with its HTTP status and title. A type is never renamed."""

_BY_STATUS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}


@dataclass(frozen=True, slots=True)
class Problem(Exception):  # noqa: N818 - the media type's own word
    """An error that the caller is told."""

    kind: str
    """A key of TYPES."""
    detail: str
    errors: tuple[tuple[tuple[str | int, ...], str], ...] = ()
    """(where, what) for each thing that is wrong."""
    members: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the answer."""
    headers: Mapping[str, str] = field(default_factory=dict)


def problem(
    kind: str,
    detail: str,
    *,
    errors: Iterable[tuple[tuple[str | int, ...], str]] = (),
    headers: Mapping[str, str] | None = None,
    **members: Any,  # noqa: ANN401 - any JSON
) -> Problem:
    """Make one; `members` are further keys of the answer."""
    return Problem(kind, detail, tuple(errors), members, headers or {})


def invalid(place: str, error: ValidationError) -> Problem:
    """What pydantic found wrong in the query or the body."""
    found = tuple(
        ((place, *entry["loc"]), _said(entry["type"], entry["msg"])) for entry in error.errors(include_url=False)
    )
    loc, message = found[0]
    return Problem("invalid", f"{'.'.join(map(str, loc))}: {message}", found)


def bad_cursor(cursor: str) -> Problem:
    """A cursor that no page of the list gave.

    Not found, since it fits the schema: a cursor is any text, and a client that keeps to the schema meets no 422.
    """
    words = f"{cursor[:80]!a} is not a cursor of this list; take `next` of the page before, or none for the first page"
    return Problem("not-found", f"query.after: {words}", ((("query", "after"), words),))


def _said(kind: str, message: str) -> str:
    return "unknown parameter" if kind == "extra_forbidden" else message.removeprefix("Value error, ")


def render(error: Problem) -> Response:
    """The answer to a problem."""
    status, title = TYPES[error.kind]
    body = {
        "type": f"{_BASE}{error.kind}",
        "title": title,
        "status": status,
        "detail": error.detail,
        "instance": request.path,
        "errors": [{"loc": list(loc), "message": message} for loc, message in error.errors],
        **error.members,
    }
    response = Response(json.dumps(body, ensure_ascii=True), status=status, mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(error.headers)
    return response


def from_http(error: HTTPException) -> Problem | None:
    """Werkzeug's own errors in our form; None for one that is no error, such as a redirect."""
    status = error.code or 500
    kind = _BY_STATUS.get(status)
    if kind is None:
        return None
    detail = {
        404: f"nothing is served at {request.path}",
        405: f"{request.path} does not take {request.method}",
        413: "the body may have 256 KiB at most",
    }.get(status, (error.description or TYPES[kind][1]).splitlines()[0])
    allowed = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(allowed))} if allowed else {}
    return Problem(kind, detail, (), {}, headers)
