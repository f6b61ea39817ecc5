"""The page of one service: the verdict, what was seen row by row, how to fix it, and what changed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from flask import Response, abort, redirect, request

from scorecard.checklist import Checklist
from scorecard.document import Document
from scorecard.model import Cadence, GatePolicy, Level, Service, ServiceKey, Status, Verdict
from scorecard.site import charts, pushed, words
from scorecard.site.findings import short, shown
from scorecard.site.frame import Pages, service_url
from scorecard.site.query import address
from scorecard.store.views import Change, DayScore

_DAYS = 365
_CHANGES = 80
_AT_ONCE = 4
"""Changes of one instant that are shown one by one; more of them are folded."""
_NEAR = 5
_REASONS = 40
_CHANGE = 240
"""Characters of what a change says."""
_ACTING = frozenset({Status.FAIL, Status.UNKNOWN, Status.WARN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What changed at one instant."""

    at: datetime
    shown: tuple[Change, ...]
    folded: tuple[Change, ...]
    """The changes of findings, where there are too many to read."""
    first: bool
    """All that is folded was seen for the first time."""

    @property
    def after(self) -> str:
        """The instant just after it, for a link to the scorecard as it stood then; empty where none was measured."""
        if all(change.demo for change in (*self.shown, *self.folded)):
            return ""
        whole = self.at.replace(microsecond=0)
        return _rfc3339(whole if whole == self.at else whole + timedelta(seconds=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which scorecard of the service was asked for."""

    service: Service
    checklist: Checklist
    at: datetime | None
    """The past instant; None for now."""
    problem: str
    """What of the question could not be read."""


def page(pages: Pages, name: str) -> Response:
    """`/services/NAME`."""
    asked = _asked(pages, name)
    if isinstance(asked, Response):
        return asked
    store, key = pages.deps.store, asked.service.key
    doc = store.document(key, asked.checklist.name, pages.now, asked.at)
    if doc is None:
        days = store.history([key], asked.checklist.name, _DAYS, pages.now).get(key, ())
        simulated = asked.at is not None and any(day.simulated and day.day == asked.at.date() for day in days)
        return _render(pages, asked, "unmeasured.html", status=404 if asked.at else 200, simulated=simulated)
    rows = shown(doc, asked.checklist)
    history = store.history([key], asked.checklist.name, _DAYS, pages.now).get(key, ())
    before = request.args.get("before", "")
    changes = store.changes(
        key=key,
        checklist=asked.checklist.name,
        until=asked.at,
        limit=_CHANGES + 1,
        before_id=int(before) if before.isascii() and before.isdecimal() and len(before) < 16 else None,  # noqa: PLR2004 - an id
    )
    policy = store.policy(asked.service.tier)
    return _render(
        pages,
        asked,
        "service.html",
        doc=doc,
        rows=rows,
        acting=[
            row for row in rows if row.status in {Status.FAIL, Status.UNKNOWN, Status.WARN} and not row.unsupported
        ],
        unsupported=[row for row in rows if row.unsupported],
        passing=[row for row in rows if row.status is Status.PASS],
        excluded=[row for row in rows if row.status is Status.NOT_APPLICABLE],
        not_asked=[asked.checklist.row(row).row.title for row in doc["not_asked"]],
        level=Level(doc["level"]),
        tally=words.tally(row.status for row in rows),
        segments=charts.segments((row.status, row.doc["weight"]) for row in rows),
        verdict=verdict(doc, asked.checklist, policy),
        policy=policy,
        bar=policy.minimum_score if policy.checklist == asked.checklist.name else None,
        trend=_trend(history, changes, pages.now.date(), policy, asked.checklist),
        trend_days=_DAYS,
        moments=moments(changes[:_CHANGES]),
        older=changes[_CHANGES - 1].id if len(changes) > _CHANGES else None,
        next_run=next_run(pages),
        snippets=_snippets(pages, key, asked.checklist),
        waivers=[waiver for waiver in store.waivers(key) if waiver.active(pages.now)],
        pushed=pushed.lines(store.pushed(key, limit=pushed.SHOWN)) if asked.at is None else [],
    )


def measure(pages: Pages, name: str) -> Response:
    """`POST /services/NAME/measure`: plan a measurement, then show its run."""
    key = ServiceKey(name, request.form.get("environment", "") or "production")
    service = pages.deps.store.service(key)
    if service is None:
        return missing(pages, key)
    if not pages.forms.genuine(request):
        return pages.failure(
            403,
            "This form is too old",
            "It was made more than twelve hours ago, or not by this site. Load the page again.",
        )
    row = request.form.get("row", "")
    if row and row not in pages.deps.store.primary(service).by_id and row not in pages.deps.registry.rows:
        abort(404, f"There is no row {row}.")
    run = pages.deps.measure(service.key, row or None, "site")
    return redirect(f"/runs/{run}", 303)  # type: ignore[return-value] # werkzeug's response is Flask's base


def missing(pages: Pages, key: ServiceKey) -> Response:
    """404 for a service that is not registered, with the names that are nearest."""
    import difflib

    registered = {str(service.key): service.key for service in pages.deps.store.services()}
    near = difflib.get_close_matches(str(key), registered, n=_NEAR, cutoff=0.5)
    return pages.render(
        "error.html",
        title="No such service",
        crumbs=(("Services", "/services"), (str(key), "")),
        status=404,
        section="services",
        message=f"No service is registered as {key}.",
        near=[(name, service_url(registered[name])) for name in near],
        search=True,
    )


def verdict(doc: Document, checklist: Checklist, policy: GatePolicy) -> tuple[str, str, list[str]]:
    """The sentence that stands above the page: (verdict, sentence, reasons)."""
    gate = doc["gate"]
    if gate is None:
        return "", f"The gate asks {policy.checklist}, not {checklist.name}.", []
    word = Verdict(gate["verdict"])
    reasons = [short(reason) for reason in gate["reasons"][:_REASONS]]
    sentences = {
        Verdict.GO: "A launch may go ahead",
        Verdict.NO_GO: "A launch may not go ahead",
        Verdict.CANNOT_TELL: "Nobody can tell whether a launch may go ahead",
    }
    if word is Verdict.GO:
        return word.value, f"{sentences[word]}: {reasons[0]}.", reasons[1:]
    return word.value, f"{sentences[word]}: {words.count(len(gate['reasons']), 'reason')}.", reasons


def moments(changes: Sequence[Change]) -> list[Moment]:
    """Changes by instant, newest first; the score's own change stands before those of the findings."""
    found = []
    readable = [replace(change, message=short(change.message, _CHANGE)) for change in changes]
    for at, together in itertools.groupby(readable, key=lambda change: change.at):
        ordered = sorted(together, key=lambda change: bool(change.row))
        scores = tuple(change for change in ordered if not change.row)
        findings = tuple(ordered[len(scores) :])
        fold = len(findings) > _AT_ONCE
        found.append(
            Moment(
                at=at,
                shown=scores if fold else (*scores, *findings),
                folded=findings if fold else (),
                first=fold and not any(change.before for change in findings),
            )
        )
    return found


def next_run(pages: Pages) -> list[tuple[Cadence, datetime | None, timedelta]]:
    """(cadence, when the next run is due, its period); None where none has run yet."""
    store = pages.deps.store
    last = store.health(pages.now).last_success
    return [
        (cadence, last[cadence] + period if cadence in last else None, period)
        for cadence, period in store.periods.items()
    ]


def _asked(pages: Pages, name: str) -> Asked | Response:
    environment = request.args.get("environment", "").strip() or "production"
    key = ServiceKey(name, environment)
    service = pages.deps.store.service(key)
    if service is None:
        return missing(pages, key)
    if service.key != key:
        kept = {k: v for k, v in request.args.items() if k in {"at", "checklist"}}
        return redirect(service_url(service.key, **kept), 301)  # type: ignore[return-value] # werkzeug's response is Flask's base
    at, problem = read_instant(request.args.get("at", "").strip())
    if at and at > pages.now:
        at, problem = None, f"{words.utc(at)} has not come yet; this is the scorecard of now."
    named = request.args.get("checklist", "").strip()
    checklist = pages.checklist(named) if named else pages.deps.store.primary(service)
    if checklist is None:
        problem = f"No checklist “{named[:60]}” is configured; this is the primary one."
        checklist = pages.deps.store.primary(service)
    return Asked(service=service, checklist=checklist, at=at, problem=problem)


def read_instant(text: str) -> tuple[datetime | None, str]:
    """A past instant from the address: RFC 3339, or a day, whose end is meant; with what is wrong with it."""
    if not text:
        return None, ""
    try:
        if len(text) == len("2026-11-23"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC), ""
        at = datetime.fromisoformat(text.replace(" ", "+"))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC), ""
    except (ValueError, OverflowError):
        return None, f"“{text[:60]}” is no instant: write a day such as 2026-11-23, or 2026-11-23T04:10:00Z."


def _rfc3339(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _render(pages: Pages, asked: Asked, template: str, *, status: int = 200, **context: Any) -> Response:  # noqa: ANN401 - of a template
    service = asked.service
    value, token = pages.forms.token(request)
    response = pages.render(
        template,
        title=str(service.key),
        section="services",
        crumbs=(("Services", "/services"), (str(service.key), "")),
        status=status,
        service=service,
        checklist=asked.checklist,
        at=asked.at,
        problem=asked.problem,
        form_token=token,
        measure_url=f"/services/{quote(service.name, safe='')}/measure",
        here=lambda **values: service_url(
            service.key,
            **{
                "checklist": "" if asked.checklist == pages.deps.store.primary(service) else asked.checklist.name,
                "at": _rfc3339(asked.at) if asked.at else "",
            }
            | values,
        ),
        **context,
    )
    return pages.forms.remember(response, value, secure=request.is_secure)


def _trend(
    history: Sequence[DayScore], changes: Sequence[Change], today: date, policy: GatePolicy, checklist: Checklist
) -> object:
    by_day: dict[date, list[str]] = {}
    for change in changes:
        what = f"{change.row}: {change.after}" if change.row else f"score {change.after}"
        by_day.setdefault(change.at.date(), []).append(what)
    marks = [(day, "; ".join(found[:4])) for day, found in sorted(by_day.items())]
    bar = policy.minimum_score if policy.checklist == checklist.name else None
    return charts.trend(history, today, length=_DAYS, bar=bar, marks=marks)


def _snippets(pages: Pages, key: ServiceKey, checklist: Checklist) -> list[tuple[str, str]]:
    """What a person pastes elsewhere: the badge for a README, queries for Prometheus, the gate for a pipeline."""
    base = pages.base
    labels = f'service="{key.name}",environment="{key.environment}"'
    badge = address(
        f"{base}/badge/{key.name}.svg", environment="" if key.environment == "production" else key.environment
    )
    return [
        ("Badge, Markdown", f"[![readiness of {key}]({badge})]({base}{service_url(key)})"),
        ("Score, PromQL", f'100 * scorecard_service_score_ratio{{{labels},checklist="{checklist.name}"}}'),
        ("Rows that fail, PromQL", f'scorecard_row_status{{{labels},checklist="{checklist.name}",status="fail"}} == 1'),
        ("Gate in a pipeline", f"scorecard gate {key.name} --environment {key.environment} --server {base}"),
    ]
