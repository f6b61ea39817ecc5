"""The rows of the checklists: what each asks, how the fleet stands on it, how it is measured and fixed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, abort, request

from scorecard.check import Check
from scorecard.checklist import Checklist, ChecklistRow
from scorecard.model import Requirement, Status
from scorecard.site import services, words
from scorecard.site.frame import Pages
from scorecard.site.query import address
from scorecard.store.views import Fleet, Query, TeamRow

_SERVICES = 20
_TEAMS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A row of a checklist with how production services stand on it."""

    row: ChecklistRow
    counts: tuple[tuple[Status, int], ...]
    blocks: bool
    measured: bool
    """This version measures at least one of its required checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kind of evidence that a check rests on."""

    name: str
    says: str
    cadence: str
    oldest: str


def index(pages: Pages) -> Response:
    """`/rows`."""
    store = pages.deps.store
    tables = [
        (checklist, standings(checklist, store.fleet(checklist.name, pages.now)))
        for checklist in store.checklists.values()
    ]
    return pages.render(
        "rows.html", title="Rows", section="rows", crumbs=(("Rows", ""),), tables=tables, link=linker(pages)
    )


def page(pages: Pages, row_id: str) -> Response:
    """`/rows/ROW`, as the named checklist uses it, else the first that has it."""
    checklist = _checklist(pages, row_id)
    row = checklist.by_id[row_id]
    fleet = pages.deps.store.fleet(checklist.name, pages.now)
    query = Query(
        checklist=checklist.name,
        lifecycle="production",
        environment="production",
        row=row_id,
        status=Status.FAIL,
        limit=_SERVICES,
    )
    failing = pages.deps.store.summaries(query, pages.now)
    standing = next(found for found in standings(checklist, fleet) if found.row.id == row_id)
    return pages.render(
        "row.html",
        title=row.row.title,
        section="rows",
        crumbs=(("Rows", "/rows"), (row_id, "")),
        checklist=checklist,
        row=row,
        standing=standing,
        applicable=sum(found for status, found in standing.counts if status is not Status.NOT_APPLICABLE),
        share=_share(row, checklist),
        teams=worst_teams(fleet.teams, row_id),
        failing=failing,
        lines=services.lines(pages, failing.items, checklist),
        checks=[(check, check.rule(row.limits), sources(check)) for check in _ordered(row.checks)],
        thresholds=thresholds(row),
        also=[
            other for other in pages.deps.store.checklists.values() if row_id in other.by_id and other is not checklist
        ],
        link=linker(pages),
    )


def standings(checklist: Checklist, fleet: Fleet) -> list[Standing]:
    """The rows of a checklist in its order, with their counts, worst status first."""
    counts: Mapping[str, Mapping[Status, int]] = {counted.row: counted.counts for counted in fleet.rows}
    return [
        Standing(
            row=row,
            counts=tuple(
                (status, counts[row.id][status]) for status in words.STATUS_ORDER if counts.get(row.id, {}).get(status)
            ),
            blocks=row.id in checklist.required_rows,
            measured=any(check.function for check in row.checks if check.requirement is Requirement.REQUIRED),
        )
        for row in checklist.rows
    ]


def worst_teams(teams: Sequence[TeamRow], row: str) -> list[tuple[str, int, int]]:
    """(team, services that fail the row, services to which it applies), most first."""
    failing = [
        (team.team, team.failing[row], team.applicable.get(row, 0)) for team in teams if team.failing.get(row, 0)
    ]
    return sorted(failing, key=lambda team: (-team[1], -team[1] / max(team[2], 1), team[0]))[:_TEAMS]


def sources(check: Check) -> list[Source]:
    """What a check rests on, how often it is looked at, and how old it may grow."""
    return [
        Source(
            name=kind.kind(),
            says=" ".join((kind.__doc__ or "").split("\n\n")[0].split()),
            cadence=kind.cadence.value,
            oldest=words.period(kind.oldest()),
        )
        for kind in check.kinds
    ]


def thresholds(row: ChecklistRow) -> list[tuple[str, Any, bool]]:
    """(name, value in force, whether the checklist set it) of a row's limits."""
    if row.limits is None:
        return []
    usual = row.row.default_limits()
    return [
        (field.name, getattr(row.limits, field.name), getattr(row.limits, field.name) != getattr(usual, field.name))
        for field in dataclasses.fields(row.limits)  # type: ignore[arg-type] # a limits dataclass, see Row
    ]


def linker(pages: Pages) -> object:
    """Makes the address of the production services that a number counts."""
    first = next(iter(pages.deps.store.checklists))

    def link(checklist: Checklist, **values: str) -> str:
        named = "" if checklist.name == first else checklist.name
        return address("/services", lifecycle="production", environment="production", checklist=named, **values)

    return link


def _checklist(pages: Pages, row_id: str) -> Checklist:
    named = pages.checklist(request.args.get("checklist", ""))
    if named and row_id in named.by_id:
        return named
    having = (checklist for checklist in pages.deps.store.checklists.values() if row_id in checklist.by_id)
    return next(having, None) or abort(404, f"No configured checklist has a row {row_id}.")


def _ordered(checks: Sequence[Check]) -> list[Check]:
    return sorted(checks, key=lambda check: check.requirement is not Requirement.REQUIRED)


def _share(row: ChecklistRow, checklist: Checklist) -> float:
    """What the row is worth in points where every row applies."""
    return 100 * row.weight / sum(other.weight for other in checklist.rows)
