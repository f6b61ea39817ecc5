"""What AWS keeps of a service's data."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from scorecard.evidence import Unavailable
from scorecard.evidence.backups import (
    AwsBackups,
    Backup,
    BackupKind,
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
BY_HAND = single(
    "rds",
    "DescribeDBSnapshots",
    "DBInstanceIdentifier",
    "DBSnapshots",
    nothing={"DBSnapshotNotFound"},
    SnapshotType="manual",
    MaxRecords=100,
)
"""Snapshots that were asked for, by a person or a program: RDS makes no next one."""
SNAPSHOTS = sweep("ec2", "DescribeSnapshots", "Snapshots", OwnerIds=["self"], MaxResults=1000)
_PITR_DAYS = 35
"""Of DynamoDB, where the table says no other."""


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
    return {**passed, **_with_snapshots(lane, _with_points(lane, own), known)}


def _with_snapshots(lane: Lane, made: Read, known: stores.Known) -> Read:
    """The snapshots of what nothing else backs up."""
    bare: dict[str, tuple[Backup, str]] = {}
    for name, backups in made.items():
        one = known[name]
        if not isinstance(backups, Unavailable) and not isinstance(one, Unavailable) and backups[0].lacking:
            bare[name] = backups[0], str(one["DBInstanceIdentifier"])
    shots = lane.one(BY_HAND, [id_ for _, id_ in bare.values()])
    return {**made, **{name: (_by_hand(backup, shots[id_]),) for name, (backup, id_) in bare.items()}}


def _by_hand(bare: Backup, shots: Swept) -> Backup:
    """The backups of a database as its manual snapshots; each is there until somebody deletes it."""
    done = [
        {"CreationDate": one["SnapshotCreateTime"], "Status": "COMPLETED"}
        for one in shots.items
        if one.get("Status") == "available" and one.get("SnapshotCreateTime")
    ]
    partly = bare.partly or shots.missing
    if not done:
        return replace(bare, partly=partly)
    made = _merged(bare, Swept(tuple(done)))
    by = f"{len(done)} manual snapshots"
    return replace(made, protected_by=(by,), copies=len(done), by_hand=True, partly=partly)


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
        Reader(("rds:db",), _databases, (stores.DB_INSTANCES, RECOVERY_POINTS, BY_HAND)),
        Reader(("rds:cluster",), _clusters, (stores.DB_CLUSTERS, RECOVERY_POINTS)),
        Reader(("dynamodb:table",), _tables, (CONTINUOUS, RECOVERY_POINTS)),
        Reader(("s3",), _buckets, (VERSIONING, LIFECYCLE, RECOVERY_POINTS)),
        Reader(("elasticfilesystem:file-system",), _file_systems, (stores.FILE_SYSTEMS, RECOVERY_POINTS)),
        Reader(("ec2:volume",), _volumes, (stores.VOLUMES, SNAPSHOTS, RECOVERY_POINTS)),
    ),
    "databases, tables, buckets, file systems or volumes",
    gone=True,
)


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
