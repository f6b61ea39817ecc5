"""What AWS keeps of a service's data, and what was restored of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import re2

from scorecard.evidence import Unavailable
from scorecard.evidence.backups import (
    AwsBackups,
    AwsRestores,
    Backup,
    BackupKind,
    Restore,
    RestoreOutcome,
    RestoreSource,
)
from scorecard.probes.aws import stores
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import single, sweep
from scorecard.probes.aws.lane import Item, Lane, Swept
from scorecard.probes.aws.question import Question, Read, Reader

RECOVERY_POINTS = single(
    "backup",
    "ListRecoveryPointsByResource",
    "ResourceArn",
    "RecoveryPoints",
    nothing={"ResourceNotFoundException"},
    MaxResults=1000,
)
RESTORE_JOBS = single(
    "backup",
    "ListRestoreJobsByProtectedResource",
    "ResourceArn",
    "RestoreJobs",
    nothing={"ResourceNotFoundException"},
    MaxResults=1000,
)
CONTINUOUS = single(
    "dynamodb",
    "DescribeContinuousBackups",
    "TableName",
    nothing={"TableNotFoundException", "ResourceNotFoundException"},
)
VERSIONING = single("s3", "GetBucketVersioning", "Bucket", nothing={"NoSuchBucket"})
LIFECYCLE = single(
    "s3",
    "GetBucketLifecycleConfiguration",
    "Bucket",
    nothing={"NoSuchLifecycleConfiguration"},
    actions=("s3:GetLifecycleConfiguration",),
)
SNAPSHOTS = sweep("ec2", "DescribeSnapshots", "Snapshots", OwnerIds=["self"], MaxResults=1000)
RESTORE_EVENTS = sweep(
    "rds",
    "DescribeEvents",
    "Events",
    SourceType="db-instance",
    EventCategories=["restoration"],
    Duration=20_160,  # minutes: a fortnight, the longest that RDS remembers
    MaxRecords=100,
)
_PITR_DAYS = 35
"""Of DynamoDB, where the table says no other."""
_FROM_SNAPSHOT = re2.compile(
    r"(?i)restored from snapshot\s+(?:rds:)?([a-z0-9-]+?)(?:-\d{4}-\d{2}-\d{2}-\d{2}-\d{2})?\.?$"
)


# --- backups ---------------------------------------------------------------------------------------------------------


def _with_points(lane: Lane, own: Mapping[str, Backup | Unavailable]) -> Read:
    """Each resource's own backups beside the recovery points that AWS Backup has of it."""
    points = lane.one(RECOVERY_POINTS, [name for name, one in own.items() if isinstance(one, Backup)])
    return {
        name: one
        if isinstance(one, Unavailable)
        else (_merged(replace(one, partly=points[name].missing), points[name]),)
        for name, one in own.items()
    }


def _merged(own: Backup, points: Swept) -> Backup:
    done = sorted(
        (
            one["CreationDate"]
            for one in points.items
            if one.get("Status") in {"COMPLETED", "AVAILABLE"} and not one.get("ParentRecoveryPointArn")
        ),
    )
    if not done:
        return own
    steps = [(after - before).total_seconds() for before, after in pairwise(done)]
    kept = (sum(steps) + (statistics.median(steps) if steps else 0)) / 86_400
    by = (*own.protected_by, f"AWS Backup ({len(done)} recovery points)")
    newest = max(filter(None, (own.newest_at, _utc(done[-1]))))
    longest = max(own.retention_days or 0.0, round(kept, 2))
    return replace(own, lacking="", protected_by=by, newest_at=newest, retention_days=longest)


def _databases(lane: Lane, arns: Sequence[Arn]) -> Read:
    known = stores.databases(lane, arns)
    own: dict[str, Backup | Unavailable] = {}
    passed: dict[str, Sequence[Backup] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable):
            own[name] = one
        elif one.get("DBClusterIdentifier") or one.get("ReadReplicaSourceDBInstanceIdentifier"):
            passed[name] = ()  # its data is that of its cluster, or of what it copies
        else:
            own[name] = _rds(name, BackupKind.RDS, one)
    return {**passed, **_with_points(lane, own)}


def _clusters(lane: Lane, arns: Sequence[Arn]) -> Read:
    known = stores.clusters(lane, arns)
    own = {
        name: one if isinstance(one, Unavailable) else _rds(name, BackupKind.AURORA, one) for name, one in known.items()
    }
    return _with_points(lane, own)


def _rds(name: str, kind: BackupKind, one: Item) -> Backup:
    days, newest = one.get("BackupRetentionPeriod"), one.get("LatestRestorableTime")
    if not days:
        words = "automated backups are off (BackupRetentionPeriod is 0), and AWS Backup has no recovery point of it"
        return Backup(name=name, kind=kind, lacking=words)
    by = f"{'Aurora' if kind is BackupKind.AURORA else 'RDS'} automated backups"
    return Backup(
        name=name,
        kind=kind,
        protected_by=(by,),
        newest_at=None if newest is None else _utc(newest),
        retention_days=float(days),
    )


def _tables(lane: Lane, arns: Sequence[Arn]) -> Read:
    names = {arn.text: arn.id.partition("/")[0] for arn in arns}
    swept = lane.one(CONTINUOUS, names.values())
    own: dict[str, Backup | Unavailable] = {}
    for name, table in names.items():
        answer = swept[table]
        if answer.missing:
            own[name] = answer.missing
        elif not answer.nothing:
            own[name] = _table(name, answer.first["ContinuousBackupsDescription"])
    return _with_points(lane, own)


def _table(name: str, described: Item) -> Backup:
    recovery = described.get("PointInTimeRecoveryDescription") or {}
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        words = "point-in-time recovery is off, and AWS Backup has no recovery point of it"
        return Backup(name=name, kind=BackupKind.DYNAMODB, lacking=words)
    newest = recovery.get("LatestRestorableDateTime")
    return Backup(
        name=name,
        kind=BackupKind.DYNAMODB,
        protected_by=("point-in-time recovery",),
        newest_at=None if newest is None else _utc(newest),
        retention_days=float(recovery.get("RecoveryPeriodInDays") or _PITR_DAYS),
    )


def _buckets(lane: Lane, arns: Sequence[Arn]) -> Read:
    names = {arn.text: arn.id for arn in arns}
    versions, rules = lane.one(VERSIONING, names.values()), lane.one(LIFECYCLE, names.values())
    own: dict[str, Backup | Unavailable] = {}
    for name, bucket in names.items():
        seen, ends = versions[bucket], rules[bucket]
        if seen.missing or ends.missing:
            own[name] = seen.missing or ends.missing  # type: ignore[assignment] # one of the two
        elif not seen.nothing:
            own[name] = _bucket(name, seen.first, ends.first)
    return _with_points(lane, own)


def _bucket(name: str, versioning: Item, lifecycle: Item) -> Backup:
    if versioning.get("Status") != "Enabled":
        state = str(versioning.get("Status") or "off").lower()
        words = f"versioning is {state}, and AWS Backup has no recovery point of it"
        return Backup(name=name, kind=BackupKind.S3, lacking=words)
    days = [
        float(rule["NoncurrentVersionExpiration"]["NoncurrentDays"])
        for rule in lifecycle.get("Rules", ())
        if rule.get("Status") == "Enabled" and "NoncurrentDays" in (rule.get("NoncurrentVersionExpiration") or {})
    ]
    return Backup(
        name=name,
        kind=BackupKind.S3,
        protected_by=("versioning",),
        continuous=True,
        retention_days=min(days, default=math.inf),
    )


def _file_systems(lane: Lane, arns: Sequence[Arn]) -> Read:
    words = "AWS Backup has no recovery point of it"
    return _with_points(lane, _of_points_only(stores.file_systems(lane, arns), BackupKind.EFS, words))


def _of_points_only(known: stores.Known, kind: BackupKind, words: str) -> dict[str, Backup | Unavailable]:
    return {
        name: one if isinstance(one, Unavailable) else Backup(name=name, kind=kind, lacking=words)
        for name, one in known.items()
    }


def _volumes(lane: Lane, arns: Sequence[Arn]) -> Read:
    words = "it has no snapshot, and AWS Backup has no recovery point of it"
    own = _of_points_only(stores.volumes(lane, arns), BackupKind.EBS, words)
    swept, ids = lane.all(SNAPSHOTS), {arn.text: arn.id for arn in arns}
    for name, one in own.items():
        if isinstance(one, Unavailable):
            continue
        mine = [shot for shot in swept.items if shot.get("VolumeId") == ids[name] and shot.get("State") == "completed"]
        if mine:
            dates = [{"CreationDate": shot["StartTime"], "Status": "COMPLETED"} for shot in mine]
            made = _merged(one, Swept(tuple(dates)))
            own[name] = replace(made, protected_by=(f"{len(mine)} snapshots",))
        elif swept.missing:
            own[name] = swept.missing
    return _with_points(lane, own)


AWS_BACKUPS = Question(
    "backups",
    AwsBackups,
    (
        Reader(("rds:db",), _databases, (stores.DB_INSTANCES, RECOVERY_POINTS)),
        Reader(("rds:cluster",), _clusters, (stores.DB_CLUSTERS, RECOVERY_POINTS)),
        Reader(("dynamodb:table",), _tables, (CONTINUOUS, RECOVERY_POINTS)),
        Reader(("s3",), _buckets, (VERSIONING, LIFECYCLE, RECOVERY_POINTS)),
        Reader(("elasticfilesystem:file-system",), _file_systems, (stores.FILE_SYSTEMS, RECOVERY_POINTS)),
        Reader(("ec2:volume",), _volumes, (stores.VOLUMES, SNAPSHOTS, RECOVERY_POINTS)),
    ),
    "databases, tables, buckets, file systems or volumes",
    gone=True,
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


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _maybe_utc(at: Any) -> datetime | None:  # noqa: ANN401 - a member that may not be there
    return None if at is None else _utc(at)
