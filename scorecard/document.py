"""The scorecard document: one shape for `check`, `show`, the API, the site and the frozen review. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scorecard.check import Check
from scorecard.evidence import Evidence, Exhibit, Observation
from scorecard.gate import Decision
from scorecard.judge import Judged, RowResult, Snapshot
from scorecard.model import Requirement, Status
from scorecard.score import Score, credit, points

SCHEMA = 1

Document = dict[str, Any]


def rfc3339(at: datetime | None) -> str | None:
    """An instant as RFC 3339 in UTC, to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def document(
    snapshot: Snapshot,
    score: Score,
    gate: Decision | None,
    observations: Mapping[str, Observation],
    *,
    waived: Mapping[str, str] | None = None,
) -> Document:
    """Render a snapshot.

    Args:
        snapshot: as it stands at the instant of the question (`Snapshot.at`).
        score: the sum of its rows.
        gate: the launch decision; None where the checklist is not the one the gate asks.
        observations: the evidence behind it, by kind.
        waived: fingerprint to a sentence about the waiver that covers it.
    """
    service = snapshot.service
    measured = snapshot.measured
    return {
        "schema": SCHEMA,
        "service": service.name,
        "environment": service.environment,
        "team": service.team,
        "tier": service.tier,
        "type": service.type.value,
        "taken_at": rfc3339(snapshot.taken_at),
        "run": snapshot.run,
        "checklist": {
            "name": snapshot.checklist.name,
            "version": snapshot.checklist.version,
            "digest": snapshot.checklist.digest,
        },
        "score": score.score if measured else None,
        "score_upper": score.score_upper if measured else None,
        "coverage": score.coverage if measured else None,
        "verified_only": score.verified_only if measured else None,
        "level": score.level.value,
        "exempt_rows": score.exempt_rows,
        "rows": [_row(row, snapshot, observations, waived or {}) for row in snapshot.rows],
        "not_asked": list(snapshot.not_asked),
        "gate": {"verdict": gate.verdict.value, "reasons": list(gate.reasons), "exit_code": gate.exit_code}
        if gate
        else None,
    }


def _row(
    result: RowResult, snapshot: Snapshot, observations: Mapping[str, Observation], waived: Mapping[str, str]
) -> Document:
    row = snapshot.checklist.row(result.id)
    exclusion = result.exclusion
    return {
        "id": result.id,
        "title": row.row.title,
        "category": row.row.category.value,
        "risk": row.risk.value,
        "weight": result.weight,
        "status": result.status.value,
        "credit": round(float(credit(result)), 4),
        "points": points(result, snapshot.rows),
        "waiver": next((waived[check.fingerprint] for check in result.checks if check.fingerprint in waived), None),
        "not_applicable": {
            "reason": exclusion.reason,
            "declared_by": exclusion.by or None,
            "until": exclusion.until.isoformat() if exclusion.until else None,
        }
        if exclusion
        else None,
        "not_asked": list(result.not_asked),
        "checks": [
            _check(judged, next(c for c in row.checks if c.id == judged.id), row.limits, observations)
            for judged in result.checks
        ],
    }


def _check(judged: Judged, check: Check, limits: object, observations: Mapping[str, Observation]) -> Document:
    return {
        "id": judged.id,
        "requirement": judged.requirement.value,
        "rule": check.rule(limits),
        "rule_version": judged.rule_version,
        "status": judged.status.value,
        "cause": judged.cause.value if judged.cause else None,
        "code": judged.code,
        "message": judged.message,
        "lines": judged.lines or None,
        "remedy": check.remedy,
        "provenance": judged.provenance.value,
        "fingerprint": judged.fingerprint or None,
        "subjects": [
            {
                "name": subject.name,
                "status": subject.status.value,
                "code": subject.code,
                "cause": subject.cause.value if subject.cause else None,
                "message": subject.message,
                "where": subject.where or None,
            }
            for subject in judged.subjects
        ],
        "observed_at": rfc3339(judged.observed_at),
        "expires_at": rfc3339(judged.expires_at),
        "evidence": [_exhibit(exhibit) for kind in judged.kinds for exhibit in _exhibits(observations.get(kind))],
    }


def _exhibits(observation: Observation | None) -> tuple[Exhibit, ...]:
    if observation is None or not isinstance(observation.value, Evidence):
        return ()
    return observation.value.exhibits


def _exhibit(exhibit: Exhibit) -> Document:
    return {
        "source": exhibit.source,
        "request": exhibit.request,
        "facts": dict(exhibit.facts),
        "excerpt": exhibit.excerpt,
        "digest": exhibit.digest,
        "visibility": exhibit.visibility.value,
    }


def failing(doc: Document) -> list[tuple[Document, Document]]:
    """The (row, check) pairs of a document that need somebody to act, worst points first."""
    pairs = [
        (row, check)
        for row in doc["rows"]
        for check in row["checks"]
        if check["status"] in {Status.FAIL, Status.WARN, Status.UNKNOWN}
        and (check["requirement"] == Requirement.REQUIRED or check["status"] != Status.UNKNOWN)
    ]
    return sorted(pairs, key=lambda pair: -pair[0]["points"])
