"""What backs a service's data up, and what came of restoring it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar

from scorecard.evidence.aws import Gone, Unseen
from scorecard.evidence.base import Evidence, Unavailable
from scorecard.model import Cadence, Provenance, Scope, Service


class BackupKind(StrEnum):
    """What keeps the backups of a resource."""

    DIRECTORY = "directory"
    """Dumps in a directory."""
    BUCKET = "bucket"
    """Dumps as objects under an `s3://` prefix."""
    RDS = "rds"
    AURORA = "aurora"
    DYNAMODB = "dynamodb"
    S3 = "s3"
    EFS = "efs"
    EBS = "ebs"
    OTHER = "other"
    """A resource that AWS Backup protects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The backups of one resource."""

    name: str
    """The resource as the catalogue names it, else its ARN."""
    kind: BackupKind
    protected_by: tuple[str, ...] = ()
    """What makes or keeps the backups, in words."""
    copies: int | None = None
    """How many there are; None where they are not counted one by one."""
    newest: str = ""
    """The newest one's own name."""
    newest_at: datetime | None = None
    """The newest point in time that can be restored."""
    retention_days: float | None = None
    """For how long a backup is kept; `inf` for ever; None where nobody can tell."""
    by_hand: bool = False
    """Nothing of the platform makes the next one: they are snapshots that somebody, or some program, asked for."""
    continuous: bool = False
    """Every change is kept as it is made (versions of objects), so that there is no newest backup to grow old."""
    size: int | None = None
    """Bytes of the newest."""
    sizes_before: tuple[int, ...] = ()
    """Bytes of those before it, newest first."""
    lacking: str = ""
    """The source answered with authority that there is no backup: what it showed instead."""
    unread: Unavailable | None = None
    """Why nothing is known of it."""
    partly: Unavailable | None = None
    """Why there may be more and newer backups than these."""


@dataclass(frozen=True, slots=True)
class Dump:
    """One dump, as its place lists it."""

    name: str
    at: datetime
    """When it was written."""
    size: int
    """Bytes."""


UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".incomplete", ".filepart", ".crdownload", ".lock")
"""Ends of names of what is still being written."""
BESIDE = (".sha256", ".sha512", ".sha1", ".md5", ".sum", ".sig", ".asc", ".json", ".yaml", ".log", ".txt", ".md")
"""Ends of names of what stands beside dumps and is none, unless the catalogue's pattern names it."""
CONTENTS = "toc.dat"
"""What has this file is one dump, with all that stands beside it: `pg_dump --format=directory`."""
_SIZES = 10
"""Earlier dumps whose sizes the newest is compared with."""


def backup_of_dumps(
    target: BackupTarget, kind: BackupKind, dumps: Iterable[Dump], *, protected_by: str = "dumps"
) -> Backup:
    """What a series of dumps comes to.

    Kept is the span from the oldest to the newest with one usual step: of seven daily dumps the oldest is six days
    older than the newest, and goes when it is seven days old.
    """
    series = sorted(dumps, key=lambda dump: (dump.at, dump.name))
    if not series:
        return Backup(name=target.name, kind=kind, lacking=f"there is no dump at {target.dumps}")
    steps = [(after.at - before.at).total_seconds() for before, after in pairwise(series)]
    kept = sum(steps) + (statistics.median(steps) if steps else 0)
    newest = series[-1]
    return Backup(
        name=target.name,
        kind=kind,
        protected_by=(protected_by,),
        copies=len(series),
        newest=newest.name,
        newest_at=newest.at,
        retention_days=round(kept / 86_400, 2),
        size=newest.size,
        sizes_before=tuple(dump.size for dump in series[-2 : -2 - _SIZES : -1]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpBackups(Evidence):
    """The dumps in the directories that the service's `backups` name."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    backups: tuple[Backup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketDumps(Evidence):
    """The dumps under the `s3://` prefixes that the service's `backups` name."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    backups: tuple[Backup, ...]


class RestoreSource(StrEnum):
    """Who restored."""

    AWS_BACKUP = "aws-backup"
    """A restore job of AWS Backup."""
    NATIVE = "native"
    """The datastore's own restore, such as a new instance from a snapshot."""
    DRILL = "drill"
    """A restore drill that wrote a report."""


class RestoreOutcome(StrEnum):
    """How a restore ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    """The restore itself, or the validation of what was restored."""
    RUNNING = "running"
    NOT_CARRIED_OUT = "not-carried-out"
    """It could not be tried: nothing was learnt about the backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """One restore, wherever it was seen: one shape for jobs of AWS Backup, native restores and drill reports."""

    name: str
    """The job's id, the report's path, or the push."""
    source: RestoreSource
    resource: str
    """What was restored, in the source's own words."""
    outcome: RestoreOutcome
    started: datetime | None = None
    finished: datetime | None = None
    seconds: float | None = None
    """How long the data was not usable: the recovery time that was reached."""
    recovery_point_time: datetime | None = None
    """When the backup was made that was restored."""
    validated: bool = False
    """What was restored was looked into, and held."""
    detail: str = ""
    """What the validation, or the failure, says."""
    flaws: tuple[str, ...] = ()
    """Why a report proves nothing, whatever it says; the check, which has the clock, sees a finish in the future."""
    recovery_time_seconds: float | None = None
    """The recovery time that the report was held against; None where it names none."""
    found_by: str = ""
    """The `drill` of the catalogue that found the report."""
    pushed_by: str = ""
    """The name of the token with which it was pushed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drills(Evidence):
    """Reports of restore drills from one place. `missing` are reports that could not be read."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    drills: tuple[Restore, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryDrills(Drills):
    """Drill reports in the service's repositories, where its `backups` name them: declared, whoever wrote them."""

    cadence: ClassVar[Cadence] = Cadence.SOURCE

    provenance: Provenance = Provenance.DECLARED


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketDrills(Drills):
    """Drill reports under `s3://` patterns that the service's `backups` name: declared, whoever put them there."""

    provenance: Provenance = Provenance.DECLARED


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedDrills(Drills):
    """Drill reports that a pipeline pushed with a token bound to the service."""

    provenance: Provenance = Provenance.REPORTED


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDrills(Drills):
    """Reports of the restore drills that this scorecard runs by its own schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsBackups(Evidence):
    """What RDS, Aurora, DynamoDB, S3, EBS and AWS Backup keep of each datastore of the service."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Backup | Unseen | Gone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRestores(Evidence):
    """Restore jobs of AWS Backup with their validation, and restores that RDS and DynamoDB made themselves."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Restore | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTestingPlan:
    """A restore testing plan of AWS Backup."""

    name: str
    ran_at: datetime | None = None
    """When it last ran; None where it never did."""

    def __str__(self) -> str:
        """As a sentence goes on."""
        ran = "never ran" if self.ran_at is None else f"last ran on {self.ran_at:%Y-%m-%d}"
        return f"{self.name}, which {ran}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTesting:
    """The restore testing plans that cover the type of one resource; a selection may still leave the resource out."""

    name: str
    plans: tuple[RestoreTestingPlan, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRestoreTesting(Evidence):
    """What AWS Backup is set up to restore by itself. It proves no restore: only its jobs do."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[RestoreTesting | Unseen, ...]


# --- what is asked about ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupTarget:
    """One thing that must come back, with what its owner says of it."""

    name: str
    """The resource; where only its dumps are named, their place."""
    dumps: str = ""
    """Where its dumps are: a path, whose last part may be a pattern, or an `s3://` prefix; empty where AWS keeps its
    backups."""
    drills: tuple[str, ...] = ()
    """What finds the reports of its drills, whatever they call it."""
    recovery_time: timedelta | None = None
    recovery_point: timedelta | None = None

    @property
    def in_directory(self) -> bool:
        """Its dumps are files of the scorecard's own machine."""
        return bool(self.dumps) and not self.dumps.startswith("s3://")

    @property
    def in_bucket(self) -> bool:
        """Its dumps are objects in S3."""
        return self.dumps.startswith("s3://")

    @property
    def in_aws(self) -> bool:
        """AWS itself keeps its backups."""
        return not self.dumps and self.name.startswith("arn:")

    def called(self, words: str) -> bool:
        """Whether these words name it, in full."""
        return _plain(words) in {_plain(self.name), _plain(self.dumps)} - {""}

    def called_short(self, words: str) -> bool:
        """Whether these words are the last part of its name: `payments` for `arn:…:db:payments`."""
        mine = [text for text in (_plain(self.name), _plain(self.dumps)) if text]
        theirs = _plain(words).removeprefix("./")
        return bool(theirs) and any(text.endswith((f"/{theirs}", f":{theirs}")) for text in mine)


def _plain(name: str) -> str:
    return name.strip().rstrip("/").removeprefix("file://").lower()


def backup_targets(service: Service) -> tuple[BackupTarget, ...]:
    """What the service's `backups` name, each resource once; entries that only find drill reports name none."""
    merged: dict[str, BackupTarget] = {}
    for entry in service.spec.backups:
        name = entry.resource or entry.dumps
        if not name:
            continue
        place = entry.dumps or ("" if name.startswith("arn:") else name)
        before = merged.get(name, BackupTarget(name=name))
        merged[name] = BackupTarget(
            name=name,
            dumps=before.dumps or place,
            drills=(*before.drills, *filter(None, [entry.drill])),
            recovery_time=_stricter(before.recovery_time, entry.recovery_time),
            recovery_point=_stricter(before.recovery_point, entry.recovery_point),
        )
    return tuple(merged.values())


def _stricter(*times: timedelta | None) -> timedelta | None:
    return min((time for time in times if time is not None), default=None)


def drill_globs(service: Service) -> tuple[str, ...]:
    """Everything that finds drill reports of the service: globs in its repositories, and `s3://` patterns."""
    return tuple(dict.fromkeys(entry.drill for entry in service.spec.backups if entry.drill))


def restores_of(
    target: BackupTarget, targets: Iterable[BackupTarget], restores: Iterable[Restore]
) -> tuple[Restore, ...]:
    """The restores that are of this target and of no other.

    A report belongs to what its `drill` entry names beside it, else to the resource that it calls by its full name,
    else to the only one whose name ends with it.
    """
    everything = tuple(targets)
    return tuple(restore for restore in restores if _owner(restore, everything) == target)


def _owner(restore: Restore, targets: tuple[BackupTarget, ...]) -> BackupTarget | None:
    bound = [target for target in targets if restore.found_by and restore.found_by in target.drills]
    named = [target for target in bound or targets if target.called(restore.resource)]
    if len(named) == 1:
        return named[0]
    if len(bound) == 1:
        return bound[0]
    short = [target for target in targets if target.called_short(restore.resource)]
    return short[0] if len(short) == 1 else None
