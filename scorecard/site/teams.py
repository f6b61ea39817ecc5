"""Teams: how many of their services meet the bar, and the fixes that are worth most."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, abort, request

from scorecard.checklist import Checklist
from scorecard.model import ServiceKey, Status
from scorecard.site import overview, services
from scorecard.site.frame import Pages
from scorecard.store.views import Query, Summary

_FIXES = 3
_PAGE = 80
"""Teams on a page: each is a line with a cell for every row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One row that fails for one service, and what passing it would add to the service's score."""

    key: ServiceKey
    row: str
    title: str
    points: float
    saw: str


def index(pages: Pages) -> Response:
    """`/teams`."""
    checklist = pages.checklist(request.args.get("checklist", "")) or abort(404, "No such checklist is configured.")
    fleet = pages.deps.store.fleet(checklist.name, pages.now)
    heats = overview.heats(fleet.teams, checklist)
    asked = request.args.get("page", "")
    number = int(asked) if asked.isascii() and asked.isdecimal() and 0 < len(asked) < 6 else 1  # noqa: PLR2004 - a page
    number = max(1, min(number, -(-len(heats) // _PAGE)))
    first = (number - 1) * _PAGE
    return pages.render(
        "teams.html",
        title="Teams",
        section="teams",
        crumbs=(("Teams", ""),),
        checklist=checklist,
        heats=heats[first : first + _PAGE],
        total=len(heats),
        first=first,
        before=number - 1 if first else None,
        after=number + 1 if first + _PAGE < len(heats) else None,
    )


def page(pages: Pages, team: str) -> Response:
    """`/teams/TEAM`."""
    store = pages.deps.store
    checklist = pages.checklist(request.args.get("checklist", "")) or abort(404, "No such checklist is configured.")
    found = store.summaries(Query(checklist=checklist.name, team=team, limit=200), pages.now)
    record = next((known for known in store.teams() if known.name == team), None)
    if not found.items and record is None:
        abort(404, f"No team is called {team}, and no service names it as its owner.")
    fleet = store.fleet(checklist.name, pages.now)
    heat = next((heat for heat in overview.heats(fleet.teams, checklist) if heat.team.team == team), None)
    return pages.render(
        "team.html",
        title=team,
        section="teams",
        crumbs=(("Teams", "/teams"), (team, "")),
        checklist=checklist,
        record=record,
        team=team,
        found=found,
        heat=heat,
        lines=services.lines(pages, found.items[:50], checklist),
        fixes=fixes(pages, found.items, checklist),
    )


def points(summary: Summary, row: str, checklist: Checklist) -> float:
    """What passing a failing row would add to a service's score, rounded down: a failing row earns nothing now."""
    weights = checklist.by_id
    total = sum(weights[found].weight for found, status in summary.rows if status is not Status.NOT_APPLICABLE)
    return 1000 * weights[row].weight // total / 10 if total else 0.0


def fixes(pages: Pages, summaries: tuple[Summary, ...], checklist: Checklist) -> list[Fix]:
    """The fixes worth most; production services count before others, the lowest score first among equals."""
    candidates = sorted(
        (found.lifecycle != "production", -points(found, row, checklist), found.score or 0.0, found.key, row)
        for found in summaries
        for row, status in found.rows
        if status is Status.FAIL
    )
    return [
        Fix(
            key=key,
            row=row,
            title=checklist.by_id[row].row.title,
            points=-worth,
            saw=_saw(pages, key, row, checklist),
        )
        for _, worth, _, key, row in candidates[:_FIXES]
    ]


def _saw(pages: Pages, key: ServiceKey, row_id: str, checklist: Checklist) -> str:
    """The message of the failing check."""
    doc = pages.deps.store.document(key, checklist.name, pages.now)
    for row in doc["rows"] if doc else ():
        if row["id"] == row_id:
            for check in row["checks"]:
                if check["status"] == Status.FAIL and check["requirement"] == "required":
                    return str(check["message"])
    return ""
