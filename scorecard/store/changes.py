"""What a transaction of results is made of: values in, rows of tables out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scorecard.checklist import ChecklistRow, NotApplicable
from scorecard.document import rfc3339
from scorecard.evidence import Evidence, Observation, Window
from scorecard.judge import Judged, Snapshot
from scorecard.model import Cause, ServiceKey, Status
from scorecard.store import codec, current
from scorecard.store.current import Standing
from scorecard.store.tables import to_number
from scorecard.store.views import STATUS_LETTERS

_CAUSES = ("service", "rule", "checklist", "exemption", "waiver", "expiry", "scorecard")
_OURS = {Cause.SCORECARD_FAULT, Cause.PROBE_ERROR, Cause.NOT_SUPPORTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResult:
    """What one run found out about one service."""

    key: ServiceKey
    observations: tuple[Observation, ...]
    windows: Mapping[type[Evidence], Window[Any]] = field(default_factory=dict)
    judged: Mapping[str, tuple[tuple[str, Judged], ...]] = field(default_factory=dict)
    """Checklist to (row, finding), for the checks that rest on what was observed."""
    excluded: Mapping[str, tuple[tuple[str, NotApplicable], ...]] = field(default_factory=dict)
    """Checklist to rows that do not apply; only where it is complete."""
    judged_from: Mapping[str, datetime] = field(default_factory=dict)
    """Kind of evidence to when that was observed from which this run judged, its own and what it had loaded."""
    complete: frozenset[str] = frozenset()
    """Checklists of which every row was judged: what is stored besides is removed."""


@dataclass(slots=True)
class Changes:
    """What a transaction is going to write."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    gone: list[tuple[int, str, str, str]] = field(default_factory=list)
    moved: set[tuple[int, str]] = field(default_factory=set)
    """(service, checklist) whose sum must be made again."""
    shared: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Evidence to keep, by digest."""
    referred: set[str] = field(default_factory=set)
    """Digests of evidence that the events refer to."""

    def causes(self, checklist: str) -> dict[int, str]:
        """Why each service's score may move: the causes of its transitions, the service's own first."""
        found: dict[int, set[str]] = defaultdict(set)
        for row in self.events:
            if row["checklist"] == checklist:
                found[row["service_id"]].add(row["cause"])
        return {service_id: min(causes, key=_CAUSES.index) for service_id, causes in found.items()}


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of one service."""

    findings: Mapping[tuple[str, str, str], Any]
    """(checklist, row, check) to the row of `finding`."""
    times: current.Times
    digests: Mapping[str, str]
    shifts: Mapping[str, str]
    """Checklist to what its basis shifted by, where it was judged whole."""


def overtaken(judged: Judged, result: ServiceResult, times: current.Times) -> bool:
    """Whether another run stored newer evidence of a kind that this finding rests on, while this one went on.

    Two cycles judge a new service whole at the same time; the slower one must not take back what the quicker one found.
    """
    return any(
        kind in times and (kind not in result.judged_from or result.judged_from[kind] < times[kind][0])
        for kind in judged.kinds
    )


SUMMED = ("score", "score_upper", "coverage", "level", "rows", "verdict")
"""Columns of a sum whose change is a transition of the score."""


def state(judged: Judged) -> tuple[object, ...]:
    """What makes two findings the same for history: status, cause, failing subjects, rule version."""
    return judged.status, judged.cause, judged.fingerprint, judged.rule_version


def cause_of_change(before: Judged | None, after: Judged, shift: str) -> str:
    """Why a finding moved: rule, expiry, scorecard, what its basis shifted by (checklist, exemption), or service."""
    if before is not None and before.rule_version != after.rule_version:
        return "rule"
    if after.cause is Cause.EXPIRED:
        return "expiry"
    if after.cause in _OURS or (before is not None and before.cause in {*_OURS, Cause.EXPIRED}):
        return "scorecard"
    return shift or "service"


def observation_row(
    service_id: int, seen: Observation, result: ServiceResult, cycle_id: int, now: datetime
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A row of `observation`, and one of `evidence` where the answer is shared by digest."""
    text = codec.encode_answer(seen.value)
    window = result.windows.get(seen.kind)
    # Evidence that keeps a window changes with every sample; the others are shared and stored once by digest.
    shared = window is None and isinstance(seen.value, Evidence)
    digest = codec.digest(text) if shared else ""
    kind = seen.kind.kind()
    lagging = [
        judged.expires_at
        for pairs in result.judged.values()
        for _, judged in pairs
        if kind in judged.kinds and judged.expires_at is not None
    ]
    row = {
        "service_id": service_id,
        "kind": kind,
        "at": seen.at,
        "expires_at": min([seen.expires_at, *lagging]) if window is not None else seen.expires_at,
        "cycle_id": cycle_id,
        "digest": digest,
        "value": "" if shared else text,
        "window": codec.encode_window(window) if window is not None else None,
    }
    kept = {"digest": digest, "kind": kind, "value": text, "stored_at": now, "referred": False} if shared else None
    return row, kept


def kept_evidence(changes: Changes, judged: Judged, result: ServiceResult, stored: Mapping[str, str]) -> dict[str, str]:
    """The digests of the evidence behind a transition, so that any past instant can be shown with it.

    Evidence of a window, which is otherwise not kept, is put aside for it.
    """
    digests = {kind: stored[kind] for kind in judged.kinds if stored.get(kind)}
    for seen in result.observations:
        kind = seen.kind.kind()
        if kind in judged.kinds and kind not in digests:
            text = codec.encode_answer(seen.value)
            digests[kind] = codec.digest(text)
            row = {"digest": digests[kind], "kind": kind, "value": text, "stored_at": seen.at, "referred": True}
            changes.shared[digests[kind]] = row
    changes.referred.update(digests.values())
    return digests


def finding_row(
    service_id: int, checklist: str, row: str, judged: Judged, body: str, since: datetime, cycle_id: int
) -> dict[str, Any]:
    """A row of `finding`."""
    return {
        "service_id": service_id,
        "checklist": checklist,
        "row": row,
        "check_id": judged.id,
        "status": judged.status.value,
        "cause": judged.cause.value if judged.cause else "",
        "body": body,
        "since": since,
        "cycle_id": cycle_id,
    }


def exclusion_row(service_id: int, checklist: str, row: str, body: str, now: datetime, cycle_id: int) -> dict[str, Any]:
    """A row of `finding` for a row that does not apply."""
    return {
        "service_id": service_id,
        "checklist": checklist,
        "row": row,
        "check_id": "",
        "status": Status.NOT_APPLICABLE.value,
        "cause": "",
        "body": body,
        "since": now,
        "cycle_id": cycle_id,
    }


def exclusion_event(
    service_id: int, checklist: str, row: str, exclusion: NotApplicable, body: str, cycle_id: int, now: datetime
) -> dict[str, Any]:
    """A row of `event` for a row that ceased to apply."""
    return _event(
        service_id,
        checklist,
        at=now,
        row=row,
        cycle_id=cycle_id,
        after=Status.NOT_APPLICABLE.value,
        cause="exemption" if exclusion.exempt else "service",
        message=exclusion.reason,
        body=json.dumps({"exclusion": json.loads(body)}),
    )


def ended_event(
    place: tuple[int, str, str, str], before: str, shift: str, cycle_id: int, now: datetime
) -> dict[str, Any]:
    """A row of `event` for an exclusion that ended, or a check that is no longer asked: nothing stands there now."""
    service_id, checklist, row, check_id = place
    return _event(
        service_id,
        checklist,
        at=now,
        row=row,
        check_id=check_id,
        cycle_id=cycle_id,
        before=before,
        after=Status.NOT_APPLICABLE.value if check_id else Status.UNKNOWN.value,
        cause=shift or "checklist",
        message="the checklist no longer asks it" if check_id else "the row applies again",
    )


def _event(service_id: int, checklist: str, *, at: datetime, **columns: Any) -> dict[str, Any]:  # noqa: ANN401 - the other columns of `event`
    empty: dict[str, Any] = {
        "row": "",
        "check_id": "",
        "cycle_id": 0,
        "before": "",
        "after": "",
        "body": "{}",
        "demo": False,
    }
    row = empty | {"service_id": service_id, "checklist": checklist, "at": at} | columns
    return row | {"message": codec.clean(row["message"])}


def event_row(  # noqa: PLR0913, PLR0917 - the columns of an event
    service_id: int,
    checklist: str,
    row: str,
    judged: Judged,
    before: Judged | None,
    cause: str,
    kept: Mapping[str, str],
    cycle_id: int,
    at: datetime,
) -> dict[str, Any]:
    """A row of `event`: the whole finding, and the digests of what it rests on."""
    return _event(
        service_id,
        checklist,
        at=at,
        row=row,
        check_id=judged.id,
        cycle_id=cycle_id,
        before=before.status.value if before else "",
        after=judged.status.value,
        cause=cause,
        message=judged.message,
        body=json.dumps({"finding": json.loads(codec.encode_judged(judged)), "evidence": dict(kept)}),
    )


def score_event(
    service_id: int,
    standing: Standing,
    old: Mapping[str, Any] | None,
    cause: str,
    cycle_id: int,
    now: datetime,
) -> dict[str, Any]:
    """A row of `event` for a change of the sum, with everything that a document of that instant is headed by."""
    total, snapshot = standing.score, standing.snapshot
    measured = snapshot.measured
    body = {
        "team": snapshot.service.team,
        "tier": snapshot.service.tier,
        "type": snapshot.service.type.value,
        "score": total.score if measured else None,
        "score_upper": total.score_upper if measured else None,
        "coverage": total.coverage if measured else None,
        "verified_only": total.verified_only if measured else None,
        "level": total.level.value,
        "exempt_rows": total.exempt_rows,
        "verdict": standing.decision.verdict.value if standing.decision else "",
        "reasons": list(standing.decision.reasons) if standing.decision else [],
        "checklist": {"version": snapshot.checklist.version, "digest": snapshot.checklist.digest},
        "taken_at": rfc3339(snapshot.taken_at),
        "rows": {row.id: row.status.value for row in snapshot.rows},
    }
    before = "" if old is None or old["score"] is None else str(old["score"])
    after = "" if body["score"] is None else str(body["score"])
    return _event(
        service_id,
        snapshot.checklist.name,
        at=now,
        cycle_id=cycle_id,
        before=before,
        after=after,
        cause=cause,
        message=f"score {before or 'none'} to {after or 'none'}, {total.level.word}",
        body=json.dumps(body),
    )


def dropped_event(service_id: int, checklist: str, score: float | None, now: datetime) -> dict[str, Any]:
    """A row of `event` for a service that is no longer measured against a checklist."""
    before = "" if score is None else str(score)
    message = f"no longer measured against {checklist}"
    return _event(service_id, checklist, at=now, before=before, cause="checklist", message=message)


def summary_row(
    service_id: int,
    standing: Standing,
    old: Mapping[str, Any] | None,
    times: current.Times,
    basis: str,
    now: datetime,
) -> dict[str, Any]:
    """A row of `summary`; rows that became unknown keep when they were last proven."""
    total, snapshot = standing.score, standing.snapshot
    measured = snapshot.measured
    return {
        "service_id": service_id,
        "checklist": snapshot.checklist.name,
        "score": total.score if measured else None,
        "score_upper": total.score_upper if measured else None,
        "coverage": total.coverage if measured else None,
        "verified_only": total.verified_only if measured else None,
        "level": total.level.value,
        "level_rank": total.level.rank,
        "verdict": standing.decision.verdict.value if standing.decision else "",
        "exempt_rows": total.exempt_rows,
        "rows": "".join(STATUS_LETTERS[row.status] for row in snapshot.rows),
        "last_proven": json.dumps(_last_proven(snapshot, old, times, basis, now)),
        "basis": basis,
        "as_of": now,
        "next_at": standing.next_at,
        "aged": standing.aged,
        "changed_at": now,
    }


def _last_proven(
    snapshot: Snapshot, old: Mapping[str, Any] | None, times: current.Times, basis: str, now: datetime
) -> dict[str, int]:
    if old is None:
        return {}
    proven: dict[str, int] = json.loads(old["last_proven"])
    # Letters stand in the order of the checklist that they were made under.
    same = old["basis"].split(" ")[0] == basis.split(" ", maxsplit=1)[0]
    before = dict(zip([row.id for row in snapshot.checklist.rows], old["rows"] if same else "", strict=False))
    for row in snapshot.rows:
        if row.status is not Status.UNKNOWN:
            proven.pop(row.id, None)
        elif before.get(row.id, "u") != "u":
            proven[row.id] = to_number(proven_at(snapshot.checklist.by_id[row.id], times) or now)
    return proven


def proven_at(row: ChecklistRow, times: current.Times) -> datetime | None:
    """The last time a row was not unknown, while it is not: its oldest observation."""
    kinds = {kind.kind() for check in row.checks for kind in check.kinds}
    return min((times[kind][0] for kind in kinds if kind in times), default=None)


def day_row(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A row of `day`."""
    return {
        "service_id": row["service_id"],
        "checklist": row["checklist"],
        "day": now.date(),
        "score": row["score"],
        "score_upper": row["score_upper"],
        "coverage": row["coverage"],
        "level": row["level"],
        "demo": False,
    }
