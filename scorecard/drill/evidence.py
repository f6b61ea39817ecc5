"""A drill report as evidence: the same, whichever probe read it."""

from __future__ import annotations

from datetime import UTC, datetime

from scorecard.drill.report import DrillReport, ReportError, Result, contradictions
from scorecard.evidence.backups import Restore, RestoreOutcome, RestoreSource

_NEVER = datetime(9000, 1, 1, tzinfo=UTC)
"""Later than any report: whether one finished in the future is judged with the clock of the judging."""
_OUTCOMES = {
    Result.SUCCESS: RestoreOutcome.COMPLETED,
    Result.FAILURE: RestoreOutcome.FAILED,
    Result.NOT_CARRIED_OUT: RestoreOutcome.NOT_CARRIED_OUT,
}
_LONGEST = 300


def restore_of(report: DrillReport, *, name: str, found_by: str = "", pushed_by: str = "") -> Restore:
    """The restore that a report tells of; `name` is where a person finds the report again.

    Only what judging needs: queries and their answers stay in the report.
    """
    flaws = contradictions(report, _NEVER)
    done = report.result is Result.SUCCESS
    return Restore(
        name=name,
        source=RestoreSource.DRILL,
        resource=report.resource,
        outcome=_OUTCOMES[report.result],
        started=report.started_at,
        finished=report.finished_at,
        seconds=report.recovery_seconds,
        recovery_point_time=report.backup.created_at,
        validated=done and not flaws,
        detail=_detail(report)[:_LONGEST],
        flaws=flaws,
        recovery_time_seconds=report.recovery_time_seconds,
        found_by=found_by,
        pushed_by=pushed_by,
    )


def why_no_report(error: ReportError) -> str:
    """Why a text that should be a report is none, in one line."""
    first, more = error.problems[0], len(error.problems) - 1
    where = (f"line {first.line}", first.key) if first.line else (first.key,)
    rest = f"; and {more} more" if more else ""
    return ": ".join(["no drill report", *filter(None, where), first.message]) + rest


def _detail(report: DrillReport) -> str:
    if report.result is not Result.SUCCESS:
        words = report.message or next((step.detail or step.name for step in report.steps if not step.ok), "")
        return f"{report.code}: {words}" if report.code and words else report.code or words
    count = len(report.verifications)
    return f"{count} verification{'' if count == 1 else 's'} held"
