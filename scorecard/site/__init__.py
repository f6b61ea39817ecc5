"""The site: server-rendered pages over the store. Complete without script; nothing here probes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from scorecard.guard import refusal
from scorecard.site import health, overview, rows, service, services, teams
from scorecard.site.frame import WEB, Pages
from scorecard.store import StoreError
from scorecard.store.engine import problem

if TYPE_CHECKING:
    from scorecard.serving import Deps

__all__ = ["blueprint"]

_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_YEAR = 365 * 24 * 3600


def blueprint(deps: Deps) -> Blueprint:
    """The pages of the site, with their style sheet, script and icons under `/assets/`."""
    pages = Pages(deps)
    site = Blueprint("site", __name__, static_folder=str(WEB / "static"), static_url_path="/assets")
    for rule, name, view in (
        ("/", "overview", overview.page),
        ("/search", "search", services.search),
        ("/services", "services", services.page),
        ("/services.csv", "services_csv", services.csv),
        ("/services/<name>", "service", service.page),
        ("/rows", "rows", rows.index),
        ("/rows/<row_id>", "row", rows.page),
        ("/teams", "teams", teams.index),
        ("/teams/<team>", "team", teams.page),
        ("/waivers", "waivers", health.waivers),
        ("/health", "health", health.page),
        ("/runs", "runs", health.runs),
        ("/runs/<int:run_id>", "run", health.run),
    ):
        site.add_url_rule(rule, name, partial(view, pages))
    site.add_url_rule("/services/<name>/measure", "measure", partial(service.measure, pages), methods=["POST"])
    site.before_request(partial(_guard, pages))
    site.before_request(pages.settle)
    site.after_request(_secure)
    site.register_error_handler(HTTPException, partial(_refused, pages))
    site.register_error_handler(StoreError, partial(_unanswered, pages))
    site.register_error_handler(SQLAlchemyError, partial(_unanswered, pages))
    site.register_error_handler(Exception, partial(_failed, pages))
    site.app_errorhandler(404)(partial(_lost, pages))
    return site


def _secure(response: Response) -> Response:
    """Set the browser's rules. Pages are asked for again each time; assets are kept by the digest in their address."""
    for header, value in _HEADERS.items():
        response.headers[header] = value
    if request.endpoint == "site.static":
        if "v" in request.args:
            response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    else:
        response.headers["Cache-Control"] = "no-cache"
    return response


def _refused(pages: Pages, error: HTTPException) -> Response:
    if error.code is None or error.code < 400:  # noqa: PLR2004 - a redirect is an answer
        return error.get_response()  # type: ignore[return-value] # werkzeug's response is Flask's base
    return pages.failure(error.code, error.name, error.description or "")


def _lost(pages: Pages, error: HTTPException) -> Response | HTTPException:
    """An address that nothing answers; the API's own are left to it."""
    if request.path.startswith(("/api/", "/badge/")):
        return error
    return _secure(pages.failure(404, "No such page", f"Nothing is at {request.path}."))


def _guard(pages: Pages) -> Response | None:
    """Refuse what another site's page makes a browser ask, and host names that are not ours."""
    refused = refusal(pages.deps.config(), request.method, request.headers)
    return pages.failure(refused.status, "Not answered", f"{refused.detail}.") if refused else None


def _unanswered(pages: Pages, error: Exception) -> Response:
    current_app.logger.warning("the store did not answer a page: %s", error)
    reason = problem(error) if isinstance(error, SQLAlchemyError) else str(error)
    return pages.failure(503, "The store does not answer", f"{reason}. Nothing can be shown until it does.")


def _failed(pages: Pages, error: Exception) -> Response:
    current_app.logger.error("a page failed: %s", request.path, exc_info=error)
    return pages.failure(
        500, "This page failed", "The fault is ours and is in the log of the server. Other pages are not affected."
    )
