"""Whether the scorecard itself is alive and ready. Only the store decides on readiness; the body tells the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from scorecard.api.operations import Call, Reply, operation
from scorecard.api.schemas import Alive, CheckResult, Ready
from scorecard.model import Cause
from scorecard.serving import Deps
from scorecard.store import StoreError
from scorecard.store.views import Health

_BLIND = 0.1
"""Share of findings that are unknown by our own fault, past which we say so."""
_SILENT_SECONDS = 30
"""The beat is once a second."""
OUR_FAULT = frozenset({Cause.SCORECARD_FAULT, Cause.PROBE_ERROR, Cause.EXPIRED})
"""Causes of unknown that no service can do anything about."""


@operation("GET", "/livez", tag="health", answer=Alive)
def livez(call: Call[object]) -> Alive:  # type: ignore[type-var]  # no parameters
    """Whether the process answers. It looks at nothing else."""
    return Alive(status="alive", version=call.deps.version)


@operation(
    "GET",
    "/readyz",
    tag="health",
    answer=Ready,
    statuses={503: "The store or its migrations are not ready; the body is the same."},
)
def readyz(call: Call[object]) -> Reply:  # type: ignore[type-var]  # no parameters
    """Whether questions can be answered: 503 only while the store or its migrations are not ready.

    A late scheduler, a refused configuration and blindness are told in the body: restarting would not mend them.
    """
    reason = _guarded(call.deps.store.ready)
    checks = {"store": _said(reason, "answers, and its tables are those of this version")}
    if not reason and call.deps.facts().get("stopping"):
        reason = "the process was told to end"
        checks["process"] = _said(reason, "")
    if not reason:
        checks |= _informative(call.deps, call.now)
    body = Ready(status="not ready" if reason else "ready", version=call.deps.version, checks=checks)
    return Reply(body=body, status=503 if reason else 200, headers={"Cache-Control": "no-store"})


def _guarded(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (SQLAlchemyError, StoreError, OSError) as error:
        return f"the store does not answer: {type(error).__name__}"


def _informative(deps: Deps, now: datetime) -> dict[str, CheckResult]:
    problems = deps.problems()
    first = f"{len(problems)} problems; the first: {problems[0]}" if problems else ""
    found = {"configuration": _said(first, "in force as it is written")}
    try:
        health = deps.store.health(now)
    except (SQLAlchemyError, StoreError) as error:
        return found | {"scheduler": _said(f"cannot be told: {type(error).__name__}", "")}
    ours = sum(count for cause, count in health.unknown_by_cause.items() if cause in OUR_FAULT)
    blind = health.findings and ours / health.findings > _BLIND
    return found | {
        "scheduler": _said(_scheduler(deps.facts(), health), "every cadence ran in time"),
        "sight": _said(
            f"{ours} of {health.findings} findings are unknown by the scorecard's own fault" if blind else "",
            "few findings are unknown by the scorecard's own fault",
        ),
    }


def _scheduler(facts: Mapping[str, Any], health: Health) -> str:
    """What is wrong with the beat; empty when nothing is."""
    silent = float(facts.get("beat_seconds_ago", 0.0))
    troubles = [
        f"{cadence} is late, its last success was {health.last_success[cadence]:%Y-%m-%d %H:%M} UTC"
        for cadence in health.late
    ]
    if silent > _SILENT_SECONDS:
        troubles.append(f"no beat for {silent:.0f} s")
    if facts.get("store_error"):
        troubles.append(str(facts["store_error"]))
    drills = facts.get("drills", ())
    troubles += [f"{one['spec']} {one['said']}" for one in drills if one["said"].startswith("cannot be planned")]
    return "; ".join(troubles)


def _said(trouble: str, well: str) -> CheckResult:
    return CheckResult(status="trouble", message=trouble) if trouble else CheckResult(status="ok", message=well)


OPERATIONS = (livez, readyz)
