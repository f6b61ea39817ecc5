"""The API described: as an OpenAPI document, and as a page for people, made from that document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Response, render_template, request
from markupsafe import Markup

from scorecard.api.answers import conditional, etag
from scorecard.api.openapi import document
from scorecard.api.operations import Call, Operation, operation
from scorecard.api.problems import TYPES

_STYLE = Path(__file__).resolve().parent.parent / "_web" / "static" / "api-docs.css"
_EXAMPLE = {"name": "payments", "row": "health-endpoints", "id": "1"}
_REGISTRATION = {"kind": "Service", "metadata": {"name": "payments", "team": "payments-platform", "tier": "tier-1"}}
_QUERIES = (
    ("Services under 80", "scorecard_service_score_ratio < 0.8"),
    (
        "Rows that fail, by team",
        (
            'count by (team, row) (scorecard_row_status{status="fail"} * on (service, environment) '
            "group_left (team) scorecard_service_info)"
        ),
    ),
    ("Certificates that end within 14 days", "scorecard_certificate_expiry_timestamp_seconds - time() < 14 * 86400"),
    (
        "Rows that nobody has been able to prove for a day",
        "time() - scorecard_row_last_proven_timestamp_seconds > 86400",
    ),
)


def describing(operations: Callable[[], Iterable[Operation]]) -> tuple[Operation, ...]:
    """The operations that describe all of them; `operations` is asked late, since they are among them."""

    @cache
    def described(version: str) -> dict[str, Any]:
        return document(operations(), version)

    @operation("GET", "/api/openapi.json", tag="configuration", media_type="application/json")
    def get_openapi(call: Call[Any]) -> Response:
        """The OpenAPI 3.1 document of this API."""
        body = json.dumps(described(call.deps.version), ensure_ascii=True, indent=2).encode()
        response = Response(body, mimetype="application/json", headers={"Cache-Control": "no-cache"})
        return conditional(response, lambda: etag(body))

    @operation("GET", "/api/docs", tag="configuration", media_type="text/html")
    def get_docs(call: Call[Any]) -> Response:
        """This API for people, with examples."""
        found = described(call.deps.version)
        html = render_template(
            "api_docs.html",
            api=found,
            groups=list(_groups(found, operations())),
            problems=TYPES,
            queries=_QUERIES,
            said=_said,
        )
        body = html.encode()
        response = Response(body, mimetype="text/html", headers={"Cache-Control": "no-cache"})
        return conditional(response, lambda: etag(body))

    @operation("GET", "/api/docs.css", tag="configuration", media_type="text/css")
    def get_docs_style(_call: Call[Any]) -> Response:
        """The style of that page."""
        body = _STYLE.read_bytes()
        response = Response(body, mimetype="text/css", headers={"Cache-Control": "no-cache"})
        return conditional(response, lambda: etag(body))

    return get_openapi, get_docs, get_docs_style


def _said(words: str) -> Markup:
    """A text in which what stands between backticks is code; everything is escaped."""
    parts = words.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


def _groups(found: Mapping[str, Any], operations: Iterable[Operation]) -> Iterable[tuple[Mapping[str, str], list[Any]]]:
    entries = tuple(operations)
    for tag in found["tags"]:
        members = [
            {
                "method": entry.method,
                "path": entry.path,
                "curl": _curl(entry, request.host_url),
                **found["paths"][entry.path][entry.method.lower()],
            }
            for entry in entries
            if entry.tag == tag["name"]
        ]
        yield tag, members


def _curl(entry: Operation, base: str) -> str:
    """A command that can be pasted, on the service `payments`."""
    parts = urlsplit(base)
    path = entry.path
    for name, value in _EXAMPLE.items():
        path = path.replace(f"{{{name}}}", "production-readiness" if name == "name" and "checklists" in path else value)
    query = entry.curl if entry.curl.startswith("?") else ""
    verb = "" if entry.method == "GET" else f"-X {entry.method} "
    data = ""
    if entry.body is not None:
        token = ' -H "Authorization: Bearer $SCORECARD_TOKEN"' if entry.needs_token else ""
        data = f"{token} -H 'Content-Type: application/json' -d '{json.dumps(entry.example or _REGISTRATION)}'"
    return f"curl -s {verb}'{parts.scheme}://{parts.netloc}{path}{query}'{data}"
