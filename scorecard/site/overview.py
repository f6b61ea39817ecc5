"""The overview: how much of production meets the bar, and what to fix first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Response, abort, request

from scorecard.checklist import Checklist
from scorecard.model import Level, Status, Waiver
from scorecard.site import charts
from scorecard.site.frame import Pages
from scorecard.site.query import address
from scorecard.store.views import DayScore, Fleet, Query, TeamRow

_SHOWN = 8
_ENDING = timedelta(days=14)
_TREND_DAYS = 90
_HEATS = 4
_TEAMS = 40
"""Teams in the heat table of the overview, lowest first; all of them are on their own page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of the heat table."""

    row: str
    failing: int
    unknown: int
    applicable: int

    @property
    def heat(self) -> int:
        """0 for none failing, up to 4 by the share that fails."""
        return -(-self.failing * _HEATS // self.applicable) if self.applicable else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """One line of the heat table."""

    team: TeamRow
    cells: tuple[Cell, ...]


def page(pages: Pages) -> Response:
    """`/`."""
    checklist = pages.checklist(request.args.get("checklist", "")) or abort(404, "No such checklist is configured.")
    store = pages.deps.store
    fleet = store.fleet(checklist.name, pages.now)
    any_service = store.summaries(Query(checklist=checklist.name, limit=1), pages.now).items
    if not any_service:
        return pages.empty("Overview", "overview")
    largest = max((count for _, count in fleet.distribution), default=0)
    share = fleet.meeting / fleet.services if fleet.services else None
    before = fleet.meeting_30_days_ago
    return pages.render(
        "overview.html",
        title="Overview",
        section="overview",
        checklist=checklist,
        fleet=fleet,
        share=share,
        change=None if share is None or before is None else 100 * (share - before),
        columns=[(low, count, charts.column(count, largest)) for low, count in fleet.distribution],
        failed=most_failed(fleet, checklist),
        heats=heats(fleet.teams, checklist)[:_TEAMS],
        teams=len(fleet.teams),
        trend=charts.trend(_mean_days(fleet), pages.now.date(), length=_TREND_DAYS),
        trend_days=_TREND_DAYS,
        waivers=ending(store.waivers(), pages),
        demo=any_service[0].demo,
        link=_linker(checklist, pages),
    )


def most_failed(fleet: Fleet, checklist: Checklist) -> list[tuple[str, str, int, int]]:
    """(row, title, services that fail it, services to which it applies), most first."""
    found = []
    for counted in fleet.rows:
        failing = counted.counts.get(Status.FAIL, 0)
        applicable = sum(counted.counts.values()) - counted.counts.get(Status.NOT_APPLICABLE, 0)
        if failing:
            found.append((counted.row, checklist.row(counted.row).row.title, failing, applicable))
    return sorted(found, key=lambda item: (-item[2], item[0]))[:_SHOWN]


def heats(teams: Sequence[TeamRow], checklist: Checklist) -> list[Heat]:
    """The heat table, lowest mean score first; a team that was never measured comes before all others."""
    ordered = sorted(teams, key=lambda team: (team.mean_score if team.mean_score is not None else -1, team.team))
    return [
        Heat(
            team=team,
            cells=tuple(
                Cell(
                    row=row.id,
                    failing=team.failing.get(row.id, 0),
                    unknown=team.unknown.get(row.id, 0),
                    applicable=team.applicable.get(row.id, 0),
                )
                for row in checklist.rows
            ),
        )
        for team in ordered
    ]


def ending(waivers: Sequence[Waiver], pages: Pages) -> list[Waiver]:
    """Waivers that count now and end within a fortnight, the next to end first."""
    now = pages.now
    return sorted(
        (waiver for waiver in waivers if waiver.active(now) and waiver.expires_at - now <= _ENDING),
        key=lambda waiver: waiver.expires_at,
    )


def _mean_days(fleet: Fleet) -> list[DayScore]:
    return [
        DayScore(day=day, score=mean, score_upper=mean, coverage=None, level=Level.UNKNOWN)
        for day, mean, _ in fleet.trend
    ]


def _linker(checklist: Checklist, pages: Pages) -> object:
    """Makes the address of a list of the services that a number of this page counts."""
    first = next(iter(pages.deps.store.checklists))
    named = "" if checklist.name == first else checklist.name

    def link(**values: str) -> str:
        return address("/services", lifecycle="production", environment="production", checklist=named, **values)

    return link
