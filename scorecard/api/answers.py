"""Turns what an operation answers into HTTP: JSON, ETag and 304, `Link: rel=next`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from pydantic import BaseModel

from scorecard.api.operations import Operation, Reply


def plain(body: Any) -> Any:  # noqa: ANN401 - a model or any JSON
    """A model as the JSON that it stands for."""
    return body.model_dump(mode="json", by_alias=True) if isinstance(body, BaseModel) else body


def etag(body: bytes) -> str:
    """A weak validator: the same answer, not the same bytes on the wire."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'


def matches(header: str, tag: str) -> bool:
    """Whether an `If-Match` or `If-None-Match` names the tag; weakly compared."""
    bare = tag.removeprefix("W/")
    return header.strip() == "*" or bare in {part.strip().removeprefix("W/") for part in header.split(",")}


def respond(operation: Operation, result: Any) -> Response:  # noqa: ANN401 - a model, a document, a Reply or a Response
    """The answer over HTTP."""
    if isinstance(result, Response):
        return result
    reply = result if isinstance(result, Reply) else Reply(body=result, status=operation.status)
    if reply.body is None:
        return Response(status=reply.status, headers=dict(reply.headers))
    body = json.dumps(plain(reply.body), ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    response = Response(body, status=reply.status, mimetype=operation.media_type)
    response.headers["Cache-Control"] = "no-cache" if operation.method == "GET" else "no-store"
    response.headers.update(reply.headers)
    if reply.next:
        response.headers["Link"] = f'<{_with_cursor(reply.next)}>; rel="next"'
    return conditional(response, lambda: etag(body)) if operation.method == "GET" else response


def conditional(response: Response, tag: Callable[[], str]) -> Response:
    """Add the ETag, and answer 304 to who has it already."""
    if response.status_code != 200:  # noqa: PLR2004 - only a success is cached
        return response
    response.headers["ETag"] = tag()
    if "If-None-Match" in request.headers and matches(request.headers["If-None-Match"], response.headers["ETag"]):
        response.status_code = 304
        response.set_data(b"")
        del response.headers["Content-Type"]
    return response


def _with_cursor(cursor: str) -> str:
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "after"]
    return f"{request.path}?{urlencode([*kept, ('after', cursor)])}"
