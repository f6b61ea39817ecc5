"""The operations on services: lists, scorecards, history, the gate, and measuring again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from scorecard.api import parameters, schemas, shown
from scorecard.api.operations import Call, Reply, operation
from scorecard.api.problems import Problem, bad_cursor, problem
from scorecard.checklist import Checklist
from scorecard.document import Document
from scorecard.gate import cannot_tell
from scorecard.model import Service, ServiceKey
from scorecard.store.lists import CursorError, QueryError

_SKEW = timedelta(minutes=1)
"""What a caller's clock may be ahead of ours; such an instant is taken as now."""
_CHANGES = 1000
"""Transitions that a comparison lists at most."""


@operation(
    "GET",
    "/api/v1/services",
    tag="services",
    query=parameters.ServicesParameters,
    answer=schemas.ServicePage,
    problems=("not-found",),
    curl="?team=payments-platform&score_below=80&sort=score",
)
def list_services(call: Call[parameters.ServicesParameters]) -> Reply:
    """Services, the lowest score first.

    The filters are those of the site's page. Services that were never measured have `score: null` and come first.
    """
    asked = call.query
    checklist = _checklist_name(call, asked.checklist)
    if asked.row is not None and asked.row not in call.deps.store.checklists[checklist].by_id:
        raise problem("not-found", f"checklist {checklist} has no row {asked.row}")
    try:
        page = call.deps.store.summaries(asked.as_query(checklist), call.now)
    except CursorError as error:
        raise bad_cursor(asked.after) from error
    except QueryError as error:
        raise problem("not-found", str(error)) from error
    body = schemas.ServicePage(
        items=[shown.item(found) for found in page.items], next=page.next or None, total=page.total
    )
    return Reply(body=body, next=page.next)


@operation(
    "GET",
    "/api/v1/services/{name}/scorecard",
    tag="scorecards",
    query=parameters.ScorecardParameters,
    answer=schemas.Scorecard,
    problems=("not-registered", "not-found"),
)
def get_scorecard(call: Call[parameters.ScorecardParameters]) -> Document:
    """The scorecard document, now or at any past instant.

    The same shape as `scorecard check -o json`. What expired by now, or by that instant, is unknown in it.
    """
    service = _service(call)
    return _document(call, service, _checklist_of(call, service), call.query.at)


@operation(
    "GET",
    "/api/v1/services/{name}/history",
    tag="scorecards",
    query=parameters.HistoryParameters,
    answer=schemas.History,
    problems=("not-registered", "not-found"),
)
def get_history(call: Call[parameters.HistoryParameters]) -> Reply:
    """The score of each day, and every change with its cause, newest first."""
    service = _service(call)
    checklist = _checklist_of(call, service)
    store, limit = call.deps.store, call.query.limit
    days = store.history([service.key], checklist.name, call.query.days, call.now)[service.key]
    changes = store.changes(
        checklist=checklist.name, key=service.key, limit=limit + 1, before_id=_number(call.query.after)
    )
    following = str(changes[limit - 1].id) if len(changes) > limit else ""
    body = schemas.History(
        service=service.name,
        environment=service.environment,
        checklist=checklist.name,
        days=[shown.day(found) for found in days],
        items=[shown.change(found) for found in changes[:limit]],
        next=following or None,
        total=len(changes[:limit]),
    )
    return Reply(body=body, next=following)


@operation(
    "GET",
    "/api/v1/services/{name}/diff",
    tag="scorecards",
    query=parameters.DiffParameters,
    answer=schemas.Difference,
    problems=("not-registered", "not-found"),
    curl="?from=2026-11-01T00:00:00Z",
)
def get_diff(call: Call[parameters.DiffParameters]) -> schemas.Difference:
    """What changed between two instants.

    Each change has its cause: service, checklist, rule, expiry, waiver, exemption or scorecard.
    """
    service = _service(call)
    checklist = _checklist_of(call, service)
    first, last = sorted([min(call.query.from_, call.now), min(call.query.to or call.now, call.now)])
    before, after = _document(call, service, checklist, first), _document(call, service, checklist, last)
    changes = call.deps.store.changes(
        checklist=checklist.name, key=service.key, since=first, until=last, limit=_CHANGES
    )
    return schemas.Difference.model_validate(
        {
            "service": service.name,
            "environment": service.environment,
            "from": {**_side(before, first), "verdict": _verdict(call, service, before, first)},
            "to": {**_side(after, last), "verdict": _verdict(call, service, after, last)},
            "rows": _rows_that_differ(before, after),
            "changes": [shown.change(found) for found in changes],
        }
    )


@operation(
    "GET",
    "/api/v1/services/{name}/gate",
    tag="gate",
    query=parameters.InEnvironment,
    answer=schemas.Gate,
    problems=("not-registered",),
)
def get_gate(call: Call[parameters.InEnvironment]) -> schemas.Gate:
    """The launch decision, made now: go, no-go or cannot-tell, with every reason.

    It is never remembered. For a service that is not registered the answer is 404, whose body carries the verdict
    cannot-tell besides, so that a client that looks at nothing else fails closed.
    """
    try:
        service = _service(call)
    except Problem as missing:
        decision = cannot_tell(missing.detail)
        raise problem(
            "not-registered",
            missing.detail,
            verdict=decision.verdict.value,
            reasons=list(decision.reasons),
            exit_code=decision.exit_code,
        ) from missing
    decision = call.deps.store.decision(service.key, call.now)
    return schemas.Gate(
        verdict=decision.verdict,
        reasons=list(decision.reasons),
        exit_code=decision.exit_code,  # type: ignore[arg-type]  # one of the three
    )


@operation(
    "POST",
    "/api/v1/services/{name}/measure",
    tag="runs",
    query=parameters.MeasureParameters,
    answer=schemas.Run,
    status=202,
    problems=("not-registered", "not-found", "key-reused"),
    curl="?row=health-endpoints",
)
def measure(call: Call[parameters.MeasureParameters]) -> Reply:
    """Measure the service now, without waiting for its cadence.

    The answer names the run to follow. With an `Idempotency-Key` a repeated request within 24 hours is answered as the
    first one was, and measures once.
    """
    service, row = _service(call), call.query.row
    if row is not None and not any(row in checklist.by_id for checklist in call.deps.store.checklists.values()):
        raise problem("not-found", f"no configured checklist has a row {row}")
    run_id = call.deps.measure(service.key, row, "api")
    cycle = call.deps.store.cycle(run_id)
    if cycle is None:
        raise problem("fault", f"run {run_id} was planned and cannot be found")
    return Reply(body=shown.run(cycle), status=202, headers={"Location": f"/api/v1/runs/{run_id}"})


# --- what several share ----------------------------------------------------------------------------------------------


def _service(call: Call[Any]) -> Service:
    key = ServiceKey(call.path["name"], call.query.environment)
    found = call.deps.store.service(key)
    if found is None:
        raise problem("not-registered", f"{str(key)[:130]} is not registered")
    return found


def _checklist_name(call: Call[Any], name: str | None) -> str:
    checklists = call.deps.store.checklists
    if name is not None and name not in checklists:
        raise problem("not-found", f"checklist {name} is not one of {', '.join(checklists)}")
    return name or next(iter(checklists))


def _checklist_of(call: Call[Any], service: Service) -> Checklist:
    name = call.query.checklist
    return call.deps.store.checklists[_checklist_name(call, name)] if name else call.deps.store.primary(service)


def _document(call: Call[Any], service: Service, checklist: Checklist, at: datetime | None) -> Document:
    if at is not None and at > call.now + _SKEW:
        words = f"{at:%Y-%m-%dT%H:%M:%SZ} is in the future: now is {call.now:%Y-%m-%dT%H:%M:%SZ}"
        raise problem("not-found", f"query.at: {words}", errors=((("query", "at"), words),))
    past = at if at is not None and at < call.now else None
    found = call.deps.store.document(service.key, checklist.name, call.now, past)
    if found is None:
        raise problem(
            "not-found",
            f"{service.key} had not been measured on {checklist.name} by {past or call.now:%Y-%m-%d %H:%M} UTC"
            f"{_simulated(call, service, checklist, past)}",
        )
    return found


def _simulated(call: Call[Any], service: Service, checklist: Checklist, past: datetime | None) -> str:
    """What to add where the demo made up a score for that day."""
    if past is None:
        return ""
    back = (call.now.date() - past.date()).days + 1
    days = call.deps.store.history([service.key], checklist.name, back, call.now)[service.key]
    made_up = any(day.simulated and day.day == past.date() for day in days)
    return "; the demo made up the score of that day, and a simulated day has no document" if made_up else ""


def _number(cursor: str) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdecimal()) or len(cursor) > 18:  # noqa: PLR2004 - what a database's integer holds
        raise bad_cursor(cursor)
    return int(cursor)


def _side(document: Document, at: datetime) -> dict[str, Any]:
    return {"at": at, **{name: document[name] for name in ("score", "score_upper", "coverage", "level", "checklist")}}


def _verdict(call: Call[Any], service: Service, shown_one: Document, at: datetime) -> str | None:
    """The gate's verdict at an instant, on the checklist that the gate asks; None where that was not measured."""
    store = call.deps.store
    gate = shown_one["gate"]
    asks = store.policy(service.tier).checklist
    if gate is None and asks in store.checklists and asks != shown_one["checklist"]["name"]:
        other = store.document(service.key, asks, call.now, at if at < call.now else None)
        gate = other["gate"] if other else None
    return str(gate["verdict"]) if gate else None


def _rows_that_differ(before: Document, after: Document) -> list[dict[str, Any]]:
    old = {row["id"]: row["status"] for row in before["rows"]}
    new = {row["id"]: row["status"] for row in after["rows"]}
    return [
        {"row": row, "before": old.get(row), "after": new.get(row)}
        for row in dict.fromkeys([*new, *old])
        if old.get(row) != new.get(row)
    ]


OPERATIONS = (list_services, get_scorecard, get_history, get_diff, get_gate, measure)
