"""The list of services: filters, one page of rows, the same as CSV, and the search that leads there."""

from __future__ import annotations

import csv as csv_writer
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from flask import Response, redirect, request
from markupsafe import Markup

from scorecard.checklist import Checklist
from scorecard.model import Level, Lifecycle, ServiceKey, Status
from scorecard.site import charts, words
from scorecard.site.frame import Pages, service_url
from scorecard.site.query import LARGEST_PAGE, Filters, read
from scorecard.store import QueryError
from scorecard.store.views import DayScore, Page, Query, Summary

_SPARK_DAYS = 30
_FOUND = 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = (
    "name",
    "environment",
    "team",
    "tier",
    "type",
    "lifecycle",
    "score",
    "score_upper",
    "coverage",
    "level",
    "verdict",
    "taken_at",
    "stale",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One service of the list."""

    summary: Summary
    bar: float
    spark: Markup
    change: float | None
    """Of the score over the days of the line; None with fewer than two."""


def page(pages: Pages) -> Response:
    """`/services`."""
    store = pages.deps.store
    filters = filters_of(pages)
    checklist = store.checklists[filters.query.checklist]
    found, problems = _find(pages, filters)
    if not (found.total or problems or filters.narrowed):
        return pages.empty("Services", "services")
    context = {
        "filters": filters,
        "problems": problems,
        "found": found,
        "checklist": checklist,
        "lines": _lines(pages, found, checklist),
        "teams": team_names(pages, found.items),
        "tiers": sorted({*store.policies.by_tier, *(summary.tier for summary in found.items)} - {"default"}),
        "lifecycles": tuple(Lifecycle),
        "levels": tuple(Level),
        "statuses": tuple(Status),
        "said": sentence(found.total, filters, checklist),
        "csv": filters.url("/services.csv"),
        "json": filters.api_url,
    }
    return pages.render(
        "services.html",
        title="Services",
        section="services",
        crumbs=(("Services", ""),),
        status=422 if problems else 200,
        **context,
    )


def csv(pages: Pages) -> Response:
    """`/services.csv`: every service that matches, without pages."""
    filters = filters_of(pages)
    if filters.problems:
        return Response("\n".join(filters.problems) + "\n", status=422, content_type="text/plain; charset=utf-8")
    query = replace(filters.query, after="", limit=LARGEST_PAGE)
    now = pages.now
    try:
        first = pages.deps.store.summaries(query, now)
    except QueryError as error:
        return Response(f"{error}\n", status=422, content_type="text/plain; charset=utf-8")

    def lines() -> Iterator[str]:
        checklist = pages.deps.store.checklists[query.checklist]
        rows = [row.id for row in checklist.rows]
        yield _csv_line([*_COLUMNS, *rows])
        found = first
        while True:
            for summary in found.items:
                statuses = dict(summary.rows)
                yield _csv_line([*_cells(summary), *(statuses[row].value if row in statuses else "" for row in rows)])
            if not found.next:
                return
            found = pages.deps.store.summaries(replace(query, after=found.next), now)

    return Response(
        lines(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="services.csv"'},
    )


def search(pages: Pages) -> Response:
    """`/search?q=`: the page of the one service that has this name, else everything that is named like it."""
    wanted = request.args.get("q", "").strip()[:200]
    store = pages.deps.store
    key = ServiceKey.parse(wanted.lower())
    exact = store.service(key) if wanted else None
    if exact:
        return redirect(service_url(exact.key), 303)  # type: ignore[return-value] # werkzeug's response is Flask's base
    filters = read({"q": wanted}, store.checklists, default=next(iter(store.checklists)), rows=())
    found = store.summaries(replace(filters.query, sort="name", limit=_FOUND), pages.now)
    folded = wanted.lower()
    rows = [
        (row, checklist)
        for checklist in store.checklists.values()
        for row in checklist.rows
        if folded and (folded in row.id or folded in row.row.title.lower())
    ]
    teams = [team for team in team_names(pages, found.items) if folded and folded in team.lower()]
    return pages.render(
        "search.html",
        title=f"Search: {wanted}" if wanted else "Search",
        crumbs=(("Search", ""),),
        wanted=wanted,
        found=found if wanted else None,
        rows=rows,
        found_teams=teams[:_FOUND],
    )


def filters_of(pages: Pages) -> Filters:
    """The filters of this request."""
    checklists = pages.deps.store.checklists
    asked = checklists.get(request.args.get("checklist", "")) or next(iter(checklists.values()))
    return read(request.args, checklists, default=asked.name, rows=[row.id for row in asked.rows])


def team_names(pages: Pages, summaries: Iterable[Summary]) -> list[str]:
    """The teams that the catalogue names, and the owners of the services at hand."""
    named = (team.name for team in pages.deps.store.teams())
    return sorted({*named, *(summary.team for summary in summaries)} - {""})


def sentence(total: int, filters: Filters, checklist: Checklist) -> str:
    """What the list shows, in words: `12 services of team payments with multi-az fail, measured against …`."""
    query = filters.query
    what = f"{query.lifecycle} service" if query.lifecycle else "service"
    clauses = [
        words.count(total, what),
        *_owned(query),
        *_standing(query),
        *_scored(query.score_from, query.score_below),
    ]
    return f"{' '.join(clauses)}, measured against {checklist.title} v{checklist.version}."


def quoted(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def sparks(pages: Pages, keys: list[ServiceKey], checklist: str) -> Mapping[ServiceKey, tuple[DayScore, ...]]:
    """The days behind the small lines, for the services of one page."""
    return pages.deps.store.history(keys, checklist, _SPARK_DAYS, pages.now)


def lines(pages: Pages, summaries: tuple[Summary, ...], checklist: Checklist) -> list[Line]:
    """Services as the list draws them."""
    history = sparks(pages, [summary.key for summary in summaries], checklist.name)
    today: date = pages.now.date()
    drawn = []
    for summary in summaries:
        days = history.get(summary.key, ())
        scores = [day.score for day in days if day.score is not None]
        drawn.append(
            Line(
                summary=summary,
                bar=pages.deps.store.policy(summary.tier).minimum_score,
                spark=charts.spark(days, today, _SPARK_DAYS),
                change=scores[-1] - scores[0] if len(scores) > 1 else None,
            )
        )
    return drawn


def _lines(pages: Pages, found: Page, checklist: Checklist) -> list[Line]:
    return lines(pages, found.items, checklist)


def _find(pages: Pages, filters: Filters) -> tuple[Page, tuple[str, ...]]:
    """The page of services; empty, with the reasons, where a filter cannot be read."""
    nothing = Page((), "", 0)
    if filters.problems:
        return nothing, filters.problems
    try:
        return pages.deps.store.summaries(filters.query, pages.now), ()
    except QueryError as error:
        return nothing, (str(error),)


def _owned(query: Query) -> Iterator[str]:
    if query.team:
        yield f"of team {query.team}"
    if query.tier:
        yield f"of {query.tier}"
    if query.environment:
        yield f"in {query.environment}"
    if query.q:
        yield f"named like “{query.q}”"


def _standing(query: Query) -> Iterator[str]:
    if query.row:
        yield f"with {query.row} {query.status.word}" if query.status else f"to which {query.row} was put"
    elif query.status:
        yield f"with a row that is {query.status.word}"
    if query.below:
        yield "that were measured and are not ready"
    if query.measured is not None:
        yield f"that were {'' if query.measured else 'not '}measured in 24 h"
    if query.level:
        yield f"that are {query.level.word}"
    if query.stale is not None:
        yield "with a stale answer" if query.stale else "without a stale answer"


def _scored(low: float | None, high: float | None) -> Iterator[str]:
    # 100.1 stands for "100 and all", which nobody should read.
    under = f"under {high:g}" if high is not None and high <= 100 else ""  # noqa: PLR2004 - the full score
    if low is not None:
        yield f"that score {low:g} {'to ' + under if under else 'or more'}"
    elif under:
        yield f"that score {under}"


def _cells(summary: Summary) -> list[str]:
    taken = f"{summary.taken_at:%Y-%m-%dT%H:%M:%SZ}" if summary.taken_at else ""
    return [
        summary.key.name,
        summary.key.environment,
        summary.team,
        summary.tier,
        summary.type,
        summary.lifecycle,
        *(
            f"{value:g}" if value is not None else ""
            for value in (summary.score, summary.score_upper, summary.coverage)
        ),
        summary.level.value,
        summary.verdict.value if summary.verdict else "",
        taken,
        "yes" if summary.stale else "no",
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _csv_line(cells: list[str]) -> str:
    out = io.StringIO()
    csv_writer.writer(out).writerow([quoted(cell) for cell in cells])
    return out.getvalue()
