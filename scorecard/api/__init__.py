"""The HTTP API: `blueprint(deps)`. A thin layer over Flask and pydantic that reads the store and never probes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, request
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from scorecard.api import badge, facts, health, openapi, page, pushing, registration, services
from scorecard.api.answers import respond
from scorecard.api.attempts import Attempts
from scorecard.api.idempotency import Idempotency, Kept
from scorecard.api.operations import Call, Operation
from scorecard.api.parameters import given
from scorecard.api.problems import Problem, from_http, invalid, problem, render
from scorecard.api.schemas import scorecard_schema
from scorecard.egress.strict_json import BadJsonError, read_json
from scorecard.guard import refusal
from scorecard.logging import get_logger
from scorecard.serving import Deps
from scorecard.store import StoreError

__all__ = ["OPERATIONS", "blueprint", "openapi_document", "scorecard_schema"]

MAX_BODY = 256 * 1024
"""Bytes of a request's body."""

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY")
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
_KEY = re.compile(r"[!-~]{1,255}")
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_WEB = Path(__file__).resolve().parent.parent / "_web"

log = get_logger(__name__)


OPERATIONS: tuple[Operation, ...] = (
    *services.OPERATIONS[:1],
    *registration.OPERATIONS,
    *services.OPERATIONS[1:],
    *pushing.OPERATIONS,
    *badge.OPERATIONS,
    *facts.OPERATIONS,
    *page.describing(lambda: OPERATIONS),
    *health.OPERATIONS,
)
"""Every operation, in the order in which they are documented."""


def openapi_document(version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document: what `scorecard openapi` prints."""
    return openapi.document(OPERATIONS, version)


def blueprint(deps: Deps) -> Blueprint:
    """All routes of the API, the badge and the health endpoints."""
    bp = Blueprint("api", __name__, template_folder=str(_WEB / "templates"))
    answered, attempts = Idempotency(), Attempts()
    for entry in OPERATIONS:
        bp.add_url_rule(
            entry.route,
            endpoint=entry.id,
            view_func=_view(entry, deps, answered, attempts),
            methods=[entry.method],
            provide_automatic_options=not entry.path.startswith("/api/"),
        )
    # Whatever else is asked under /api is answered here, so that its errors are problem+json as well.
    bp.add_url_rule(
        "/api/<path:rest>",
        endpoint="nothing",
        view_func=_nothing,
        methods=_METHODS,
        provide_automatic_options=False,
    )
    bp.before_request(lambda: _refused(deps))
    bp.after_request(_secured)
    bp.register_error_handler(Problem, render)
    bp.register_error_handler(HTTPException, _http_error)
    # By its number too: the site answers 404 for the whole application, and a number counts before a class.
    bp.register_error_handler(404, _http_error)
    bp.register_error_handler(DBAPIError, _store_error)
    bp.register_error_handler(StoreError, _store_error)
    bp.register_error_handler(Exception, _fault)
    return bp


def _view(entry: Operation, deps: Deps, answered: Idempotency, attempts: Attempts) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        _refuse_large()
        now = deps.clock()
        token = attempts.token(deps.store, request, path, now) if entry.needs_token else None
        call: Call[Any] = Call(
            deps=deps,
            now=now,
            query=_query(entry),
            path=path,
            body=_body(entry),
            if_match=request.headers.get("If-Match", ""),
            if_none_match=request.headers.get("If-None-Match", ""),
            token=token,
        )
        if entry.tag != "health":
            # What expired since is written down before anything is read, so that no old answer stands.
            deps.store.settle_if_possible(now)
        key = request.headers.get("Idempotency-Key") if entry.method == "POST" else None
        if key is None:
            return respond(entry, entry.handler(call))
        return _once(entry, call, answered, key)

    return view


def _once(entry: Operation, call: Call[Any], answered: Idempotency, key: str) -> Response:
    if not _KEY.fullmatch(key):
        message = "1 to 255 visible characters of ASCII are expected"
        raise problem("invalid", f"Idempotency-Key: {message}", errors=[(("header", "Idempotency-Key"), message)])

    given: list[Response] = []

    def answer() -> Kept:
        response = respond(entry, entry.handler(call))
        given.append(response)
        headers = tuple((name, value) for name, value in response.headers.items() if name != "Content-Length")
        body = b"" if entry.shown_once else response.get_data()
        return Kept(call.now, "", response.status_code, headers, body)

    shown = call.token.id if call.token else ""
    asked = f"{request.method}\n{request.full_path}\n{shown}\n".encode() + request.get_data()
    kept = answered.once(key, asked, call.now, answer)
    if given:
        return given[0]
    if entry.shown_once:
        raise problem("key-reused", "an earlier request with this Idempotency-Key was answered; it is shown once only")
    return Response(kept.body, status=kept.status, headers=list(kept.headers))


def _query(entry: Operation) -> Any:  # noqa: ANN401 - the operation's own model
    values, repeated = given(request.args)
    if repeated:
        errors = [(("query", name), "is given more than once") for name in repeated]
        raise problem("invalid", f"query.{repeated[0]}: is given more than once", errors=errors)
    try:
        return entry.query.model_validate(values)
    except ValidationError as error:
        raise invalid("query", error) from error


def _body(entry: Operation) -> Any:  # noqa: ANN401 - any JSON
    if entry.body is None:
        if entry.method != "GET" and request.mimetype in _FORMS and "X-Requested-With" not in request.headers:
            # A form of another site can send this type without asking anybody.
            raise problem("unsupported-media-type", f"{request.mimetype} is what a form sends; send JSON or no body")
        return None
    if request.mimetype != "application/json":
        raise problem(
            "unsupported-media-type", f"application/json is expected, not {request.mimetype[:80] or 'nothing'}"
        )
    try:
        return read_json(request.get_data())
    except BadJsonError as error:
        raise problem("bad-request", f"the body: {error}", errors=[(("body",), str(error))]) from error


def _refuse_large() -> None:
    # werkzeug cuts a body of unsaid length off at the limit and says nothing: one byte more tells.
    request.max_content_length = MAX_BODY + 1
    if (request.content_length or 0) > MAX_BODY or len(request.get_data()) > MAX_BODY:
        raise RequestEntityTooLarge


def _refused(deps: Deps) -> Response | None:
    refused = refusal(deps.config(), request.method, request.headers)
    return render(problem(refused.kind, refused.detail)) if refused else None


def _nothing(rest: str) -> Response:
    """No operation is here, or not with this method."""
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None  # noqa: S101 - inside a request there is one
    allowed = [method for method in _METHODS if _operation_at(adapter, f"/api/{rest}", method)]
    if not allowed:
        raise NotFound
    methods = [*allowed, *(["HEAD"] if "GET" in allowed else []), "OPTIONS"]
    if request.method == "OPTIONS":
        return Response(status=204, headers={"Allow": ", ".join(sorted(methods))})
    raise MethodNotAllowed(valid_methods=methods)


def _operation_at(adapter: Any, path: str, method: str) -> bool:  # noqa: ANN401 - werkzeug's MapAdapter
    if method == "OPTIONS":
        return False
    try:
        endpoint, _ = adapter.match(path, method=method)
    except HTTPException:
        return False
    return not endpoint.endswith(".nothing")


def _secured(response: Response) -> Response:
    """What a browser is told about every answer: nothing is run, framed or guessed at."""
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response


def _http_error(error: HTTPException) -> Any:  # noqa: ANN401 - a response, or the exception itself, as Flask takes it
    told = from_http(error)
    return render(told) if told else error


def _store_error(error: Exception) -> Response:
    log.error("the store does not answer", path=request.path, error=type(error).__name__)
    return render(problem("not-ready", "the store does not answer; see /readyz", headers={"Retry-After": "5"}))


def _fault(error: Exception) -> Response:
    log.error("a request failed", path=request.path, exc_info=error)
    trace = request.environ.get("scorecard.trace")
    told = f"; correlation id {trace.correlation_id}" if trace else ""
    return render(problem("fault", f"a bug in the scorecard answered {request.method} {request.path}{told}"))
