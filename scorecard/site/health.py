"""How the scorecard itself is doing: runs, what is unknown and why, and what is wrong with the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from flask import Response, abort, request

from scorecard.model import Cadence, ServiceKey
from scorecard.site import words
from scorecard.site.frame import Pages
from scorecard.store.views import Health

_RUNS = 50
_PROBLEMS = 50


def page(pages: Pages) -> Response:
    """`/health`."""
    store = pages.deps.store
    health = store.health(pages.now)
    problems = pages.deps.problems()
    return pages.render(
        "health.html",
        title="Health of the scorecard",
        section="health",
        crumbs=(("Health", ""),),
        health=health,
        cadences=_cadences(health, store.periods, pages.now),
        causes=words.causes(health.unknown_by_cause),
        kinds=sorted(health.unknown_by_kind.items(), key=lambda item: (-item[1], item[0])),
        problems=problems[:_PROBLEMS],
        more_problems=max(0, len(problems) - _PROBLEMS),
        facts={name: _in_words(value) for name, value in {**pages.deps.facts(), **health.facts}.items()},
    )


def _in_words(fact: object) -> object:
    """A figure as it is, and several of them in one line."""
    if isinstance(fact, Mapping):
        return ", ".join(f"{name} {value}" for name, value in fact.items())
    if isinstance(fact, list | tuple):
        return "; ".join(str(_in_words(one)) for one in fact) or "none"
    return fact


def runs(pages: Pages) -> Response:
    """`/runs`."""
    before = request.args.get("before", "")
    before_id = int(before) if before.isascii() and before.isdecimal() and len(before) < 16 else None  # noqa: PLR2004 - an id
    found = pages.deps.store.cycles(_RUNS + 1, before_id)
    return pages.render(
        "runs.html",
        title="Runs",
        section="health",
        crumbs=(("Health", "/health"), ("Runs", "")),
        runs=found[:_RUNS],
        older=found[_RUNS - 1].id if len(found) > _RUNS else None,
    )


def run(pages: Pages, run_id: int) -> Response:
    """`/runs/ID`."""
    found = pages.deps.store.cycle(run_id) if run_id < 2**53 else None
    if found is None:
        abort(404, f"There is no run {run_id}; runs are kept for {_kept(pages)}.")
    detail = pages.deps.store.cycle_detail(run_id)
    service = detail.get("service")
    return pages.render(
        "run.html",
        title=f"Run {run_id}",
        section="health",
        crumbs=(("Health", "/health"), ("Runs", "/runs"), (str(run_id), "")),
        run=found,
        service=ServiceKey.parse(service) if isinstance(service, str) else None,
        row=detail.get("row") or "",
    )


def waivers(pages: Pages) -> Response:
    """`/waivers`: what each waiver hides from the gate, the next to end first."""
    found = sorted(pages.deps.store.waivers(), key=lambda waiver: (waiver.expires_at, waiver.id))
    now = pages.now
    return pages.render(
        "waivers.html",
        title="Waivers",
        section="waivers",
        crumbs=(("Waivers", ""),),
        active=[waiver for waiver in found if waiver.active(now)],
        ended=[waiver for waiver in reversed(found) if not waiver.active(now)][:100],
        soon=now + timedelta(days=14),
    )


def _cadences(
    health: Health, periods: Mapping[Cadence, timedelta], now: datetime
) -> list[tuple[Cadence, datetime | None, datetime | None, timedelta, bool]]:
    """(cadence, last full run, next one due, period, late)."""
    found = []
    for cadence, period in periods.items():
        last = health.last_success.get(cadence)
        due = max(last + period, now) if last else None
        found.append((cadence, last, due, period, cadence in health.late))
    return found


def _kept(pages: Pages) -> str:
    return words.period(pages.deps.config().retention.samples)
