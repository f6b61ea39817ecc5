"""What every page stands in: its templates, its clock, the last full run, and what the scorecard cannot see."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from flask import Response, g, request
from markupsafe import Markup

import scorecard
from scorecard.checklist import Checklist
from scorecard.model import Cadence, Cause, ServiceKey, Status
from scorecard.serving import Deps
from scorecard.site import charts, markdown, words
from scorecard.site.forms import Forms
from scorecard.site.query import address
from scorecard.store.views import Health

WEB = Path(scorecard.__file__).parent / "_web"
"""`web/`: a link in a checkout, a folder of its own in the wheel."""

_BLIND = 0.1
"""More of the findings unknown than this, and a scorecard says so before it shows a number."""
_FORESEEN = frozenset({Cause.NOT_SUPPORTED, Cause.NOT_CONFIGURED})
"""Unknown because nobody asked for more yet, not because something went wrong."""

Crumbs = Sequence[tuple[str, str]]
"""(words, address) from the overview down; the page itself stands last, without an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The last full run of one cadence."""

    cadence: Cadence
    at: datetime | None
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """How many of the findings are unknown, and why."""

    unknown: int
    findings: int
    causes: tuple[tuple[str, int], ...]
    trouble: bool
    """More than a tenth is unknown for a reason that is neither "not supported" nor "not configured"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whether the numbers of a page can be relied on."""

    runs: tuple[LastRun, ...]
    late: tuple[LastRun, ...]
    blind: Blind | None
    """None where no more than a tenth is unknown."""
    unsettled: str
    """Why what expired could not be written down; empty when it could."""


def trust(health: Health, unsettled: str = "") -> Trust:
    """What has to be said above every page."""
    runs = tuple(
        LastRun(cadence=cadence, at=health.last_success.get(cadence), late=cadence in health.late)
        for cadence in Cadence
        if cadence in health.last_success or cadence in health.late
    )
    unforeseen = sum(found for cause, found in health.unknown_by_cause.items() if cause not in _FORESEEN)
    blind = None
    if health.findings and health.unknown_findings > _BLIND * health.findings:
        blind = Blind(
            unknown=health.unknown_findings,
            findings=health.findings,
            causes=tuple(words.causes(health.unknown_by_cause)),
            trouble=unforeseen > _BLIND * health.findings,
        )
    return Trust(runs=runs, late=tuple(run for run in runs if run.late), blind=blind, unsettled=unsettled)


class Pages:
    """Renders pages for one application."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
        self.forms = Forms(_signing_key(deps))
        self._assets = _asset_versions(WEB / "static")
        self._templates = _environment(self)

    @property
    def now(self) -> datetime:
        """The instant of this request; the same for everything on a page."""
        if "site_now" not in g:
            g.site_now = self.deps.clock()
        return g.site_now  # type: ignore[no-any-return] # flask.g holds anything

    def settle(self) -> None:
        """Before each page: write down what expired, so that a dead scheduler leaves no old answer standing."""
        if request.endpoint != "site.static":
            g.site_unsettled = self.deps.store.settle_if_possible(self.now)

    def checklist(self, name: str) -> Checklist | None:
        """A configured checklist; the first of them where no name is given."""
        checklists = self.deps.store.checklists
        return checklists.get(name) if name else next(iter(checklists.values()))

    def asset(self, name: str) -> str:
        """The address of a static file, with its digest, so that a browser keeps it until it changes."""
        return f"/assets/{name}?v={self._assets[name]}"

    def render(
        self,
        template: str,
        *,
        title: str,
        crumbs: Crumbs = (),
        status: int = 200,
        section: str = "",
        **context: Any,  # noqa: ANN401 - what its template asks for
    ) -> Response:
        """Render a page in its frame.

        Args:
            template: its file.
            title: of the window and, where the template says no other, of the page.
            crumbs: the way to it.
            status: of the answer.
            section: the part of the navigation it belongs to.
            context: what its template asks for.
        """
        html = self._templates.get_template(template).render(
            title=title,
            crumbs=crumbs,
            section=section,
            now=self.now,
            trust=self._trust(),
            version=self.deps.version,
            checklists=tuple(self.deps.store.checklists.values()),
            **context,
        )
        return Response(html, status=status, content_type="text/html; charset=utf-8")

    @property
    def base(self) -> str:
        """Our own address as people use it, without a slash at its end."""
        return str(self.deps.config().server.public_url or request.url_root).rstrip("/")

    def empty(self, title: str, section: str) -> Response:
        """The page where nothing is registered yet: how to add a service."""
        return self.render("empty.html", title=title, section=section, base=self.base)

    def failure(self, status: int, title: str, message: str) -> Response:
        """A page that can be made without the store."""
        html = self._templates.get_template("error.html").render(
            title=title,
            crumbs=(),
            section="",
            now=self.now,
            trust=None,
            version=self.deps.version,
            checklists=(),
            message=message,
            near=(),
            search=status == 404,  # noqa: PLR2004 - not found
        )
        return Response(html, status=status, content_type="text/html; charset=utf-8")

    def _trust(self) -> Trust:
        return trust(self.deps.store.health(self.now), g.get("site_unsettled", ""))


def service_url(key: ServiceKey, **values: str) -> str:
    """The page of a service in its environment."""
    environment = "" if key.environment == "production" else key.environment
    return address(f"/services/{quote(key.name, safe='')}", environment=environment, **values)


def team_url(team: str) -> str:
    """The page of a team."""
    return f"/teams/{quote(team, safe='')}"


def row_url(row: str, checklist: str = "") -> str:
    """The page of a row; of a checklist's where it is not the first."""
    return address(f"/rows/{quote(row, safe='')}", checklist=checklist)


def _environment(pages: Pages) -> jinja2.Environment:
    # Escaping is on for every template, whatever its name; an undefined name is an error, not an empty text.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "signed": words.signed,
        "percent": words.percent,
        "count": words.count,
        "ago": words.time_tag,
        "utc": words.utc,
        "instant": words.instant,
        "period": words.period,
        "listed": words.listed,
        "markdown": markdown.render,
        "markline": markdown.line,
        "duration": words.duration,
    }
    environment.globals |= {
        "asset": pages.asset,
        "address": address,
        "service_url": service_url,
        "team_url": team_url,
        "row_url": row_url,
        "Status": Status,
        "range_bar": charts.range_bar,
        "stack": charts.stack,
        "sprite": Markup((WEB / "static" / "icons.svg").read_text(encoding="utf-8")),  # noqa: S704 - our own file
    }
    return environment


def _asset_versions(folder: Path) -> Mapping[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in folder.iterdir() if file.is_file()
    }


def _signing_key(deps: Deps) -> str:
    """The configured session key, so that several replicas accept one another's forms; else one for this process."""
    configured = deps.config().auth.read_secret("session_key")
    return configured.reveal() if configured else secrets.token_urlsafe(32)
