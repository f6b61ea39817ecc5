"""The launch decision: go, no-go, or cannot tell. Pure; evaluated at the instant it is asked, never remembered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from scorecard.judge import Judged, RowResult, Snapshot
from scorecard.model import GatePolicy, Requirement, Status, Verdict, Waiver, format_duration
from scorecard.score import Score, score, waived


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gate says, and every reason that leads there."""

    verdict: Verdict
    reasons: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """Exit code of `scorecard gate`."""
        return self.verdict.exit_code


def cannot_tell(reason: str) -> Decision:
    """The decision where there is nothing to decide from."""
    return Decision(verdict=Verdict.CANNOT_TELL, reasons=(reason,))


def decide(snapshot: Snapshot, policy: GatePolicy, waivers: Iterable[Waiver], now: datetime) -> Decision:
    """Decide whether a launch may go ahead.

    Args:
        snapshot: the service's findings on the policy's checklist; expiry is applied here.
        policy: the bar of the service's tier.
        waivers: all waivers of the service in this environment.
        now: the instant of the question, UTC.
    """
    if not snapshot.measured:
        return cannot_tell("nothing was measured yet")
    rows = snapshot.at(now).rows
    active = tuple(waiver for waiver in waivers if waiver.service == snapshot.service.key and waiver.active(now))
    covered = _covered(rows, active)
    required = snapshot.checklist.required_rows
    counted = score(
        (waived(row, covered) for row in rows),
        bar=policy.minimum_score,
        required_rows=required,
        nearly_within=snapshot.checklist.nearly_within,
    )
    no = [*_failures(rows, required, covered), *_over_the_limits(counted, policy, active)]
    if no:
        return Decision(verdict=Verdict.NO_GO, reasons=tuple(no))
    doubts = [*_blind_spots(snapshot, rows, policy, now), *_too_little(counted, policy)]
    if doubts:
        return Decision(verdict=Verdict.CANNOT_TELL, reasons=tuple(doubts))
    reasons = [f"score {counted.score} of at least {policy.minimum_score:g}, coverage {counted.coverage} %"]
    reasons += [f"{waiver.row}/{waiver.check} is waived until {waiver.expires_at:%Y-%m-%d}" for waiver in active]
    return Decision(verdict=Verdict.GO, reasons=tuple(reasons))


def _covered(rows: tuple[RowResult, ...], active: tuple[Waiver, ...]) -> frozenset[str]:
    permitted = {(waiver.row, waiver.check, waiver.fingerprint) for waiver in active}
    return frozenset(
        check.fingerprint
        for row in rows
        for check in row.checks
        if check.status is Status.FAIL and (row.id, check.id, check.fingerprint) in permitted
    )


def _deciding(row: RowResult) -> tuple[Judged, ...]:
    return tuple(check for check in row.checks if check.requirement is Requirement.REQUIRED)


def _failures(rows: tuple[RowResult, ...], required: frozenset[str], covered: frozenset[str]) -> Iterable[str]:
    for row in rows:
        if row.id in required and row.applies:
            for check in _deciding(row):
                if check.status is Status.FAIL and check.fingerprint not in covered:
                    yield f"{row.id}/{check.id}: {check.message}"


def _over_the_limits(counted: Score, policy: GatePolicy, active: tuple[Waiver, ...]) -> Iterable[str]:
    if counted.score_upper is not None and counted.score_upper < policy.minimum_score:
        yield f"even if every unknown passed, the score would be {counted.score_upper}, under {policy.minimum_score:g}"
    if len(active) > policy.maximum_waivers:
        yield f"{len(active)} waivers, {policy.maximum_waivers} are allowed"
    if counted.exempt_rows > policy.maximum_exempt_rows:
        yield f"{counted.exempt_rows} exempt rows, {policy.maximum_exempt_rows} are allowed"


def _blind_spots(snapshot: Snapshot, rows: tuple[RowResult, ...], policy: GatePolicy, now: datetime) -> Iterable[str]:
    required = snapshot.checklist.required_rows
    for row_id in snapshot.not_asked:
        if row_id in required:
            yield f"{row_id}: was not asked"
    for row in rows:
        if row.id not in required or not row.applies:
            continue
        deciding = _deciding(row)
        if row.not_asked:
            yield f"{row.id}: {', '.join(row.not_asked)} was not asked"
        if all(check.status is Status.NOT_APPLICABLE for check in deciding):
            yield f"{row.id}: none of its required checks applies"
        for check in deciding:
            if check.status is Status.UNKNOWN:
                yield f"{row.id}/{check.id}: {check.cause.word if check.cause else 'unknown'}: {check.message}"
            elif check.observed_at is not None and now - check.observed_at > policy.measured_within:
                limit = format_duration(policy.measured_within)
                yield f"{row.id}/{check.id}: last seen {check.observed_at:%Y-%m-%d %H:%M} UTC, over {limit} ago"


def _too_little(counted: Score, policy: GatePolicy) -> Iterable[str]:
    if counted.score is None or counted.coverage is None:
        yield "no row of the checklist applies"
        return
    if counted.coverage < policy.minimum_coverage:
        yield f"coverage is {counted.coverage} %, {policy.minimum_coverage:g} % is needed"
    if counted.score < policy.minimum_score:
        yield f"the score is {counted.score} and could be {counted.score_upper}; {policy.minimum_score:g} is needed"
