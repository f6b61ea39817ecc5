"""The operations on what services are measured with: checklists, rows, teams, runs, waivers, configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from scorecard.api import parameters, schemas, shown
from scorecard.api.operations import Call, Reply, operation
from scorecard.api.problems import bad_cursor, problem


@operation(
    "GET",
    "/api/v1/checklists",
    tag="checklists",
    query=parameters.ListParameters,
    answer=schemas.ChecklistPage,
    problems=("not-found",),
)
def list_checklists(call: Call[parameters.ListParameters]) -> Reply:
    """The checklists in force; the first that applies to a service is its primary one."""
    found = list(call.deps.store.checklists.values())
    page, following = _page(found, lambda checklist: checklist.name, call.query)
    items = [shown.checklist(checklist) for checklist in page]
    return Reply(body=schemas.ChecklistPage(items=items, next=following or None, total=len(found)), next=following)


@operation("GET", "/api/v1/checklists/{name}", tag="checklists", answer=schemas.ChecklistInfo, problems=("not-found",))
def get_checklist(call: Call[Any]) -> schemas.ChecklistInfo:
    """One checklist: its rows in order, their weights, and which of them block a launch."""
    found = call.deps.store.checklists.get(call.path["name"])
    if found is None:
        raise problem("not-found", f"no checklist {call.path['name'][:63]!a} is configured")
    return shown.checklist(found)


@operation(
    "GET",
    "/api/v1/rows",
    tag="checklists",
    query=parameters.ListParameters,
    answer=schemas.RowPage,
    problems=("not-found",),
)
def list_rows(call: Call[parameters.ListParameters]) -> Reply:
    """Every installed row with its checks: rule, remedy, and the evidence it rests on."""
    found = list(call.deps.registry.rows.values())
    page, following = _page(found, lambda row: row.id, call.query)
    items = [shown.row(row, call.deps.store.checklists) for row in page]
    return Reply(body=schemas.RowPage(items=items, next=following or None, total=len(found)), next=following)


@operation("GET", "/api/v1/rows/{row}", tag="checklists", answer=schemas.RowInfo, problems=("not-found",))
def get_row(call: Call[Any]) -> schemas.RowInfo:
    """One row."""
    found = call.deps.registry.rows.get(call.path["row"])
    if found is None:
        raise problem("not-found", f"no installed row is called {call.path['row'][:63]!a}")
    return shown.row(found, call.deps.store.checklists)


@operation(
    "GET",
    "/api/v1/teams",
    tag="services",
    query=parameters.ListParameters,
    answer=schemas.TeamPage,
    problems=("not-found",),
)
def list_teams(call: Call[parameters.ListParameters]) -> Reply:
    """The teams of the catalogue, and those that only a service names."""
    store = call.deps.store
    known = {team.name: team for team in store.teams()}
    owned = Counter(service.team for service in store.services() if service.environment == "production")
    names = sorted({*known, *owned} - {""})
    page, following = _page(names, lambda name: name, call.query)
    items = [
        schemas.TeamItem(
            name=name,
            parent=(known[name].parent or None) if name in known else None,
            channel=(known[name].channel or None) if name in known else None,
            timezone=known[name].timezone if name in known else None,
            services=owned[name],
        )
        for name in page
    ]
    return Reply(body=schemas.TeamPage(items=items, next=following or None, total=len(names)), next=following)


@operation(
    "GET", "/api/v1/runs", tag="runs", query=parameters.ListParameters, answer=schemas.RunPage, problems=("not-found",)
)
def list_runs(call: Call[parameters.ListParameters]) -> Reply:
    """Cycles of measuring, newest first."""
    limit = call.query.limit
    cycles = call.deps.store.cycles(limit + 1, _id(call.query.after) if call.query.after else None)
    following = str(cycles[limit - 1].id) if len(cycles) > limit else ""
    items = [shown.run(cycle) for cycle in cycles[:limit]]
    return Reply(body=schemas.RunPage(items=items, next=following or None, total=len(items)), next=following)


@operation("GET", "/api/v1/runs/{id}", tag="runs", answer=schemas.Run, problems=("not-found",))
def get_run(call: Call[Any]) -> schemas.Run:
    """One cycle of measuring: how far it is, and how many questions were answered."""
    cycle = call.deps.store.cycle(_id(call.path["id"]))
    if cycle is None:
        raise problem("not-found", f"there is no run {call.path['id'][:20]}")
    return shown.run(cycle)


@operation(
    "GET",
    "/api/v1/waivers",
    tag="gate",
    query=parameters.ListParameters,
    answer=schemas.WaiverPage,
    problems=("not-found",),
)
def list_waivers(call: Call[parameters.ListParameters]) -> Reply:
    """Every waiver, the next to end first."""
    found = sorted(call.deps.store.waivers(), key=lambda waiver: (waiver.expires_at, waiver.id))
    page, following = _page(found, lambda waiver: str(waiver.id), call.query)
    items = [shown.waiver(waiver, call.now) for waiver in page]
    return Reply(body=schemas.WaiverPage(items=items, next=following or None, total=len(found)), next=following)


@operation(
    "POST",
    "/api/v1/reload",
    tag="configuration",
    answer=schemas.Reloaded,
    problems=("key-reused",),
)
def reload(call: Call[Any]) -> schemas.Reloaded:
    """Take up a changed configuration and catalogue, as SIGHUP does.

    A bad one is refused and the last good one stays in force: the answer is 200 with `successful: false` and every
    problem with its file and line.
    """
    outcome = call.deps.reload()
    return schemas.Reloaded(successful=bool(outcome.successful), problems=shown.problems(outcome.problems))


T = TypeVar("T")


def _page(found: Sequence[T], name: Callable[[T], str], query: parameters.ListParameters) -> tuple[Sequence[T], str]:
    """The items after the one that the cursor names, and the cursor of the following page; empty on the last."""
    names = [name(item) for item in found]
    if query.after and query.after not in names:
        raise bad_cursor(query.after)
    start = names.index(query.after) + 1 if query.after else 0
    page = found[start : start + query.limit]
    more = start + query.limit < len(found)
    return page, name(page[-1]) if more else ""


def _id(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 - what a database's integer holds
        raise problem("not-found", f"{text[:40]!a} is not a number of a run")
    return int(text)


OPERATIONS = (
    list_checklists,
    get_checklist,
    list_rows,
    get_row,
    list_teams,
    list_runs,
    get_run,
    list_waivers,
    reload,
)
