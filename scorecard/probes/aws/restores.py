"""What was restored of what AWS keeps, and what AWS Backup is set up to restore."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import re2

from scorecard.evidence import Unavailable
from scorecard.evidence.backups import (
    AwsRestores,
    AwsRestoreTesting,
    Restore,
    RestoreOutcome,
    RestoreSource,
    RestoreTesting,
    RestoreTestingPlan,
)
from scorecard.probes.aws import stores
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import single, sweep
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.question import Question, Read, Reader

RESTORE_JOBS = single(
    "backup",
    "ListRestoreJobsByProtectedResource",
    "ResourceArn",
    "RestoreJobs",
    nothing={"ResourceNotFoundException"},
    MaxResults=1000,
)
RESTORE_EVENTS = sweep(
    "rds",
    "DescribeEvents",
    "Events",
    SourceType="db-instance",
    EventCategories=["restoration"],
    Duration=20_160,  # minutes: a fortnight, the longest that RDS remembers
    MaxRecords=100,
)
PLANS = sweep("backup", "ListRestoreTestingPlans", "RestoreTestingPlans", MaxResults=1000)
SELECTIONS = single(
    "backup",
    "ListRestoreTestingSelections",
    "RestoreTestingPlanName",
    "RestoreTestingSelections",
    nothing={"ResourceNotFoundException"},
    MaxResults=1000,
)
_FROM_SNAPSHOT = re2.compile(
    r"(?i)restored from snapshot\s+(?:rds:)?([a-z0-9-]+?)(?:-\d{4}-\d{2}-\d{2}-\d{2}-\d{2})?\.?$"
)


# --- restores --------------------------------------------------------------------------------------------------------


def _jobs(lane: Lane, arns: Sequence[Arn]) -> dict[str, Sequence[Restore] | Unavailable]:
    swept = lane.one(RESTORE_JOBS, [arn.text for arn in arns])
    return {arn.text: swept[arn.text].missing or tuple(_restores(arn.text, swept[arn.text].items)) for arn in arns}


def _restores(name: str, jobs: Iterable[Item]) -> Iterable[Restore]:
    for job in jobs:
        if job.get("ParentJobId"):
            continue  # a part of another job, which says how the whole went
        status, validation = str(job.get("Status")), str(job.get("ValidationStatus") or "")
        started, finished = job.get("CreationDate"), job.get("CompletionDate")
        failed = status == "FAILED" or validation == "FAILED"
        plan = str((job.get("CreatedBy") or {}).get("RestoreTestingPlanArn") or "").rpartition(":")[2]
        words = str(job.get("ValidationStatusMessage" if validation else "StatusMessage") or "")
        said = f"{status.lower()}, validation {validation.lower() or 'was not reported'}"
        yield Restore(
            name=f"restore job {job['RestoreJobId']}" + (f" of the plan {plan}" if plan else ""),
            source=RestoreSource.AWS_BACKUP,
            resource=name,
            outcome=RestoreOutcome.FAILED if failed else _OUTCOMES.get(status, RestoreOutcome.RUNNING),
            started=None if started is None else _utc(started),
            finished=None if finished is None else _utc(finished),
            seconds=None if finished is None or started is None else (finished - started).total_seconds(),
            recovery_point_time=_maybe_utc(job.get("RecoveryPointCreationDate")),
            validated=status == "COMPLETED" and validation == "SUCCESSFUL",
            detail=f"{said}: {words}"[:300] if words else said,
        )


_OUTCOMES = {"COMPLETED": RestoreOutcome.COMPLETED, "ABORTED": RestoreOutcome.NOT_CARRIED_OUT}


def _databases_restored(lane: Lane, arns: Sequence[Arn]) -> Read:
    """Restore jobs, and instances that RDS made from a snapshot of its own within a fortnight."""
    found, events = _jobs(lane, arns), lane.all(RESTORE_EVENTS)
    for arn in arns:
        jobs = found[arn.text]
        if isinstance(jobs, Unavailable):
            continue
        native = tuple(_native(arn, events.items))
        if events.missing and not jobs:
            found[arn.text] = events.missing
        else:
            found[arn.text] = (*jobs, *native)
    return found


def _native(arn: Arn, events: Iterable[Item]) -> Iterable[Restore]:
    for event in events:
        said = _FROM_SNAPSHOT.search(str(event.get("Message", "")).strip())
        if said and said.group(1) == arn.id and event.get("Date"):
            yield Restore(
                name=f"instance {event.get('SourceIdentifier', '')}",
                source=RestoreSource.NATIVE,
                resource=arn.text,
                outcome=RestoreOutcome.COMPLETED,
                finished=_utc(event["Date"]),
                detail=str(event["Message"])[:300],
            )


def _tables_restored(lane: Lane, arns: Sequence[Arn]) -> Read:
    """Restore jobs, and tables of the service that were made of another of its tables."""
    found, known = _jobs(lane, arns), stores.tables(lane, arns)
    for one in known.values():
        if isinstance(one, Unavailable):
            continue
        summary = one.get("RestoreSummary") or {}
        source = found.get(str(summary.get("SourceTableArn", "")))
        if source is None or isinstance(source, Unavailable) or summary.get("RestoreInProgress"):
            continue
        restore = Restore(
            name=f"table {one['TableName']}",
            source=RestoreSource.NATIVE,
            resource=str(summary["SourceTableArn"]),
            outcome=RestoreOutcome.COMPLETED,
            finished=_utc(summary["RestoreDateTime"]),
        )
        found[restore.resource] = (*source, restore)
    unread = next((one for one in known.values() if isinstance(one, Unavailable)), None)
    # What could not be described may be the restore of any of them.
    return found if unread is None else {name: one or unread for name, one in found.items()}


AWS_RESTORES = Question(
    "restores",
    AwsRestores,
    (
        Reader(("rds:db",), _databases_restored, (RESTORE_JOBS, RESTORE_EVENTS)),
        Reader(("dynamodb:table",), _tables_restored, (RESTORE_JOBS, stores.TABLE)),
        Reader(("rds:cluster", "s3", "elasticfilesystem:file-system", "ec2:volume"), _jobs, (RESTORE_JOBS,)),
    ),
    "restores",
)


# --- restore testing -------------------------------------------------------------------------------------------------

_TYPES = {
    "rds:db": "RDS",
    "rds:cluster": "Aurora",
    "dynamodb:table": "DynamoDB",
    "s3": "S3",
    "elasticfilesystem:file-system": "EFS",
    "ec2:volume": "EBS",
}
"""What a selection calls the types of what it has restored."""


def _testing(lane: Lane, arns: Sequence[Arn]) -> Read:
    plans = lane.all(PLANS)
    by_name = {str(plan["RestoreTestingPlanName"]): plan for plan in plans.items}
    selected = lane.one(SELECTIONS, by_name)
    missing = plans.missing or next((swept.missing for swept in selected.values() if swept.missing), None)
    if missing is not None:
        return {arn.text: missing for arn in arns}
    types = {name: {str(one.get("ProtectedResourceType")) for one in swept.items} for name, swept in selected.items()}
    return {
        arn.text: (
            RestoreTesting(
                name=arn.text,
                plans=tuple(
                    RestoreTestingPlan(name=name, ran_at=_maybe_utc(plan.get("LastExecutionTime")))
                    for name, plan in sorted(by_name.items())
                    if _TYPES[arn.kind] in types[name]
                ),
            ),
        )
        for arn in arns
    }


RESTORE_TESTING = Question(
    "restore-testing", AwsRestoreTesting, (Reader(tuple(_TYPES), _testing, (PLANS, SELECTIONS)),), "datastores"
)


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _maybe_utc(at: Any) -> datetime | None:  # noqa: ANN401 - a member that may not be there
    return None if at is None else _utc(at)
