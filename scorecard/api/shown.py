"""Values of the store and the registry in the shapes of the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from scorecard.api import schemas
from scorecard.check import Check, Row
from scorecard.checklist import Checklist
from scorecard.model import Service, Waiver
from scorecard.store.views import Change, CycleView, DayScore, Summary
from scorecard.validators import validator


def item(summary: Summary) -> schemas.ServiceItem:
    """A service in a list."""
    return schemas.ServiceItem(
        name=summary.key.name,
        environment=summary.key.environment,
        team=summary.team,
        tier=summary.tier,
        type=summary.type,  # type: ignore[arg-type]  # pydantic reads the word
        lifecycle=summary.lifecycle,  # type: ignore[arg-type]  # as above
        checklist=summary.checklist,
        score=summary.score,
        score_upper=summary.score_upper,
        coverage=summary.coverage,
        level=summary.level,
        verdict=summary.verdict,
        exempt_rows=summary.exempt_rows,
        taken_at=summary.taken_at,
        stale=summary.stale,
        rows=dict(summary.rows),
    )


def registered(service: Service, *, by_api: bool) -> dict[str, Any]:
    """A service as it is registered; only what differs from the defaults stands under `spec`."""
    flat = validator(Service).dump_python(service, mode="json")
    spec = validator(Service).dump_python(service, mode="json", exclude_defaults=True).get("spec", {})
    return {
        "apiVersion": "scorecard/v1",
        "kind": "Service",
        "metadata": {name: flat[name] for name in schemas.Metadata.model_fields},
        "environment": service.environment,
        "spec": spec,
        "origin": service.origin,
        "registered_by": "api" if by_api else "catalogue",
    }


def change(found: Change) -> schemas.ChangeItem:
    """One transition."""
    return schemas.ChangeItem(
        id=found.id,
        service=found.key.name,
        environment=found.key.environment,
        checklist=found.checklist,
        at=found.at,
        row=found.row or None,
        check=found.check or None,
        before=found.before or None,
        after=found.after or None,
        cause=found.cause,  # type: ignore[arg-type]  # pydantic reads the word
        message=found.message,
    )


def day(found: DayScore) -> schemas.DayItem:
    """The last score of a day."""
    return schemas.DayItem(
        day=found.day,
        score=found.score,
        score_upper=found.score_upper,
        coverage=found.coverage,
        level=found.level,
        simulated=found.simulated,
    )


def run(cycle: CycleView) -> schemas.Run:
    """One cycle of measuring."""
    return schemas.Run(
        id=cycle.id,
        cadence=cycle.cadence,
        state=cycle.state,  # type: ignore[arg-type]  # pydantic reads the word
        planned_at=cycle.planned_at,
        finished_at=cycle.finished_at,
        shards=cycle.shards,
        shards_done=cycle.shards_done,
        services=cycle.services,
        answered=cycle.answered,
        unknown=cycle.unknown,
    )


def waiver(found: Waiver, now: datetime) -> schemas.WaiverItem:
    """A waiver, and whether it counts now."""
    return schemas.WaiverItem(
        id=found.id,
        service=found.service.name,
        environment=found.service.environment,
        row=found.row,
        check=found.check,
        fingerprint=found.fingerprint,
        reason=found.reason,
        requested_by=found.requested_by,
        approved_by=found.approved_by,
        approved_at=found.approved_at,
        expires_at=found.expires_at,
        revoked=found.revoked,
        active=found.active(now),
    )


def row(found: Row, checklists: Mapping[str, Checklist]) -> schemas.RowInfo:
    """A row as its file describes it."""
    limits = found.default_limits()
    return schemas.RowInfo(
        id=found.id,
        title=found.title,
        category=found.category,
        risk=found.risk,
        weight=found.risk.weight,
        why=found.why,
        types=sorted(found.types),
        needs_state=found.needs_state,
        links=list(found.links),
        checklists=[name for name, checklist in checklists.items() if found.id in checklist.by_id],
        checks=[_check(check, limits) for check in found.checks],
    )


def _check(check: Check, limits: object) -> schemas.CheckInfo:
    ages = [kind.oldest() for kind in check.kinds]
    return schemas.CheckInfo(
        id=check.id,
        requirement=check.requirement,
        rule=check.rule(limits),
        rule_version=check.version,
        remedy=check.remedy,
        types=sorted(check.types),
        evidence=[kind.kind() for kind in check.kinds],
        awaits=check.awaits or None,
        maximum_age_seconds=int(min(ages).total_seconds()) if ages else None,
    )


def checklist(found: Checklist) -> schemas.ChecklistInfo:
    """A checklist in force."""
    return schemas.ChecklistInfo(
        name=found.name,
        title=found.title,
        version=found.version,
        digest=found.digest,
        nearly_within=found.nearly_within,
        rows=[
            schemas.ChecklistRowInfo(
                id=entry.id,
                title=entry.row.title,
                risk=entry.risk,
                weight=entry.weight,
                required=entry.id in found.required_rows,
                types=sorted(entry.types),
                needs_state=entry.needs_state,
                checks=[check.id for check in entry.checks],
            )
            for entry in found.rows
        ],
    )


def problems(found: Iterable[Any]) -> list[str]:
    """What is wrong with configuration and catalogue, each in a line."""
    return [str(problem) for problem in found]
