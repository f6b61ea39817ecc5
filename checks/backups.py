"""Automated backups with tested restore: a backup counts when a restore of it was validated recently."""

import dataclasses
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Now,
    Provenance,
    Risk,
    Row,
    Rung,
    each,
    failed,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Absent, Evidence, Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.backups import (
    AwsBackups,
    AwsRestores,
    AwsRestoreTesting,
    Backup,
    BackupKind,
    BackupTarget,
    BucketDrills,
    BucketDumps,
    DumpBackups,
    OwnDrills,
    PushedDrills,
    RepositoryDrills,
    Restore,
    RestoreOutcome,
    RestoreSource,
    RestoreTesting,
    backup_targets,
    restores_of,
)
from scorecard.model import Service, Status


@dataclass(frozen=True, slots=True)
class Limits:
    """How long backups are kept, and how old the last restore may be."""

    retention_days: int = 7
    smallest_share: float = 0.5
    """Of the median size of the dumps before it, from 0 to 1: a newest dump under it has lost something."""
    restored_within_days: int = 100
    """Older is a warning."""
    restored_at_most_days: int = 180
    """Older is a failure."""


SEEN, REPORTED, DECLARED = "validated", "reported", "declared"
AGING, COMPLETED, NATIVE = "getting-old", "not-validated", "native-restore"

row = Row(
    title="Automated backups with tested restore",
    category=Category.RELIABILITY,
    risk=Risk.CRITICAL,
    why="A backup that was never restored is a hope; a truncated dump and an empty one look the same as a good one.",
    limits=Limits,
    needs_state=True,
    ladder=(
        Rung("Restored and validated where we see it: AWS Backup, or our own drill", Status.PASS, frozenset({SEEN})),
        Rung("Restored and validated, reported by a pipeline with its token", Status.PASS, frozenset({REPORTED})),
        Rung("Restored and validated, and that is getting old", Status.WARN, frozenset({AGING})),
        Rung("Restored and validated, by a report that somebody wrote into a file", Status.WARN, frozenset({DECLARED})),
        Rung("Restored, and nobody looked at what came back", Status.WARN, frozenset({COMPLETED, NATIVE})),
        Rung(
            "A restore that failed, took too long, proves nothing or is long ago",
            Status.FAIL,
            frozenset({"drill-failed", "too-slow", "proves-nothing", "stale"}),
        ),
        Rung("Never restored", Status.FAIL, frozenset({"never-restored"})),
    ),
)

_SKEW = timedelta(minutes=5)
"""By how much the clock of whoever wrote a report may be ahead of ours."""
_LINES = """spec:
  backups:
    - {resource: "%s", recovery_time: 1h, recovery_point: 24h}"""
_AWS_LINES = """spec:
  aws: {account: "%s"}"""
_NOT_MAPPED = (
    "AWS tells of no backups of its own; it is of another account or region than spec.aws, or a replica or a member of"
    " a cluster: name the original or the cluster"
)
_NO_READER = "backups of this kind of resource are not looked at by this version; name its dumps beside it"
_READ = frozenset({"rds", "dynamodb", "s3", "elasticfilesystem", "ec2"})
"""Services in ARNs whose backups are looked at."""
_ALWAYS = frozenset({BackupKind.RDS, BackupKind.AURORA, BackupKind.DYNAMODB, BackupKind.EFS})
"""Datastores that count whether or not the service names them."""
_EXAMPLE = "arn:aws:rds:REGION:ACCOUNT:db:NAME"


# --- automated -------------------------------------------------------------------------------------------------------


@row.required(
    remedy="""
    ```hcl
    resource "aws_db_instance" "payments" {
      backup_retention_period = 14
    }

    resource "aws_dynamodb_table" "payments" {
      point_in_time_recovery { enabled = true }
    }

    resource "aws_s3_bucket_versioning" "data" {
      bucket = aws_s3_bucket.data.id
      versioning_configuration { status = "Enabled" }
    }
    ```

    and say in the service file what is backed up and how much may be lost; for dumps, where they are:

    ```yaml
    spec:
      backups:
        - {resource: "arn:aws:rds:ap-southeast-2:111122223333:db:payments", recovery_time: 1h, recovery_point: 24h}
        - {resource: ledger, dumps: "/backups/ledger/*.dump", recovery_time: 1h, recovery_point: 24h}
    ```
    """
)
def automated(
    dumps: DumpBackups | Unavailable | Absent,
    buckets: BucketDumps | Unavailable | Absent,
    aws: AwsBackups | Unavailable | Absent,
    service: Service,
    limits: Limits,
    now: Now,
) -> Finding:
    """Each is kept {retention_days} days or more, the newest within its recovery point, and no dump shrank by half."""
    found = {backup.name: backup for backup in _backups(dumps, buckets, aws)}
    targets = _targets(service, aws)
    missing = (*_missing(dumps), *_missing(buckets), *_missing(aws, service))

    def judge(target: BackupTarget) -> Item:
        backup = found.get(target.name)
        if backup is not None:
            return _judge_backup(backup, target, limits, now)
        if missing:
            return unavailable(missing[0])
        if target.in_aws:
            return _not_found(target)
        if not target.dumps:
            return unknown(Cause.NOT_CONFIGURED, "nothing says where its backups are")
        return unknown(Cause.NO_DATA, "its backups were not looked at yet")

    nothing = unknown(Cause.NOT_CONFIGURED, "the service names nothing that is backed up", lines=_LINES % _EXAMPLE)
    finding = each(targets, judge, missing=missing, empty=nothing, things="resources")
    return _with_lines(finding, {backup.name: backup.unread.lines for backup in found.values() if backup.unread})


def _not_found(target: BackupTarget) -> Item:
    """The verdict on an ARN of which AWS told nothing."""
    if _part(target.name, 2) not in _READ:
        return unknown(Cause.NOT_SUPPORTED, _NO_READER)
    return unknown(Cause.NOT_CONFIGURED, _NOT_MAPPED)


def _part(arn: str, index: int) -> str:
    """A part of an ARN, empty where it does not have so many."""
    return "".join(arn.split(":")[index : index + 1])


def _judge_backup(backup: Backup, target: BackupTarget, limits: Limits, now: datetime) -> Item:
    if backup.unread is not None:
        return unavailable(backup.unread)
    faults = [("no-backup", backup.lacking)] if backup.lacking else list(_faults(backup, target, limits, now))
    if faults and backup.partly is not None:
        return unavailable(backup.partly)
    if faults:
        return failed(faults[0][0] if len(faults) == 1 else "several", "; ".join(words for _, words in faults))
    doubt = _doubt(backup, target, now) or _by_hand(backup, now)
    if doubt is not None:
        return doubt
    assert backup.retention_days is not None  # noqa: S101 - that would be a doubt
    kept = "for ever" if math.isinf(backup.retention_days) else f"{backup.retention_days:.0f} days"
    by = f" by {' and '.join(backup.protected_by)}" if backup.protected_by else ""
    if backup.continuous or backup.newest_at is None:
        return passed(f"every change is kept{by}, {kept}")
    return passed(f"backed up {_span(now - backup.newest_at)} ago{by}, kept {kept}")


def _doubt(backup: Backup, target: BackupTarget, now: datetime) -> Item | None:
    """What keeps a backup without a fault from passing."""
    if backup.retention_days is None:
        return unknown(Cause.NO_DATA, "nobody can tell for how long its backups are kept")
    if backup.continuous:
        return None
    if backup.newest_at is None:
        return unknown(Cause.NO_DATA, "nobody can tell when its newest backup was made")
    if backup.newest_at > now + _SKEW:
        return unknown(Cause.BAD_RESPONSE, f"its newest backup is of {_utc(backup.newest_at)}, which has not come yet")
    if target.recovery_point is None:
        words = (
            f"its newest backup is {_span(now - backup.newest_at)} old, and no recovery_point says how old it may be"
        )
        return unknown(Cause.NOT_CONFIGURED, words)
    return None


def _by_hand(backup: Backup, now: datetime) -> Item | None:
    """Snapshots that are fresh and kept long enough, and that nobody can be seen to make the next of."""
    if not backup.by_hand or backup.newest_at is None:
        return None
    newest = f"{' and '.join(backup.protected_by)}, the newest {_span(now - backup.newest_at)} old"
    return warned("by-hand", f"automated backups are off; {newest}, and nothing of AWS makes the next one")


def _faults(backup: Backup, target: BackupTarget, limits: Limits, now: datetime) -> Iterable[tuple[str, str]]:
    if backup.retention_days is not None and backup.retention_days < limits.retention_days:
        counted = "its backups are" if backup.copies is None else f"{backup.copies} backups are there,"
        words = f"{counted} kept {backup.retention_days:.1f} days; {limits.retention_days} are needed"
        yield "short-retention", words
    if backup.newest_at is not None and target.recovery_point is not None and not backup.continuous:
        age = now - backup.newest_at
        if age > target.recovery_point:
            allowed = f"the recovery point allows {_span(target.recovery_point)}"
            yield "stale-backup", f"its newest backup{_named(backup)} is {_span(age)} old; {allowed}"
    if backup.size == 0:
        yield "empty", f"its newest backup{_named(backup)} is empty"
    elif backup.size is not None and backup.sizes_before:
        usual = statistics.median(backup.sizes_before)
        if backup.size < limits.smallest_share * usual:
            share = f"{backup.size / usual:.0%} of the median of the {len(backup.sizes_before)} before it"
            yield "shrunk", f"its newest backup{_named(backup)} has {backup.size:,} bytes, {share}"


def _named(backup: Backup) -> str:
    return f" {backup.newest}" if backup.newest else ""


def _backups(dumps: object, buckets: object, aws: object) -> Iterable[Backup]:
    for source in (dumps, buckets):
        if isinstance(source, DumpBackups | BucketDumps):
            yield from source.backups
    for item in aws.items if isinstance(aws, AwsBackups) else ():
        if isinstance(item, Backup):
            yield item
        elif isinstance(item, Unseen):
            yield Backup(name=item.name, kind=BackupKind.OTHER, unread=item.why)
        else:
            yield Backup(name=item.name, kind=BackupKind.OTHER, lacking="AWS has no such resource")


# --- restore-tested --------------------------------------------------------------------------------------------------


@row.required(
    remedy="""
    Restore the newest dump into a scratch database, with questions that an empty or half restored one cannot answer,
    and push the report from the pipeline with a token of the service:

    ```sh
    scorecard drill restore drills/payments.yaml -o json=report.json
    scorecard push drill report.json --service payments --server https://scorecard.example.net
    ```

    Or let this scorecard do it, by its own schedule:

    ```yaml
    # scorecard.yaml
    drills:
      - {spec: drills/payments.yaml, every: 7d}
    ```

    Or let AWS Backup do it every month, and report the result of your own validation:

    ```hcl
    resource "aws_backup_restore_testing_plan" "monthly" {
      name                = "monthly"
      schedule_expression = "cron(0 3 1 * ? *)"
      recovery_point_selection {
        algorithm             = "LATEST_WITHIN_WINDOW"
        include_vaults        = ["*"]
        recovery_point_types  = ["SNAPSHOT", "CONTINUOUS"]
        selection_window_days = 7
      }
    }
    ```

    ```sh
    aws backup put-restore-validation-result --restore-job-id JOB --validation-status SUCCESSFUL
    ```

    A report in the repository counts for less, since anybody can write one; name it beside its resource:

    ```yaml
    spec:
      backups:
        - {resource: ledger, dumps: /backups/ledger, drill: drills/ledger-*.json, recovery_time: 1h}
    ```
    """
)
def restore_tested(  # noqa: PLR0913, PLR0917 - one for each place that tells of restores; the judge gives them
    own: OwnDrills | Unavailable | Absent,
    pushed: PushedDrills | Unavailable | Absent,
    repository: RepositoryDrills | Unavailable | Absent,
    bucket: BucketDrills | Unavailable | Absent,
    jobs: AwsRestores | Unavailable | Absent,
    stores: AwsBackups | Unavailable | Absent,
    testing: AwsRestoreTesting | Unavailable | Absent,
    service: Service,
    limits: Limits,
    now: Now,
) -> Finding:
    """Restored in {restored_within_days} days ({restored_at_most_days} at most), validated, in its recovery time."""
    reports = (own, pushed, repository, bucket)
    missing = tuple(part for source in reports for part in _missing(source))
    missing += (*_missing(jobs, service), *_missing(stores, service))
    restores = tuple(_seen(*reports, jobs))
    targets = _targets(service, stores) or _targets_of_reports(restores, service)
    unseen, planned_for = _unseen(jobs), _planned(testing)
    proofs = {target.name: _proof(target, targets, restores, limits, now) for target in targets}

    def judge(target: BackupTarget) -> Item:
        # What could not be read may hold a newer drill that failed, and may hold the one that is looked for.
        proof = proofs[target.name]
        lost = (*unseen.get(target.name, ()), *missing)
        item = unavailable(lost[0]) if lost and not proof.failure_seen else proof.item
        planned = planned_for.get(target.name) if item.status in {Status.FAIL, Status.WARN} else None
        return dataclasses.replace(item, message=f"{item.message}; {planned}") if planned else item

    nothing = unknown(Cause.NOT_CONFIGURED, "the service names nothing that is backed up", lines=_LINES % _EXAMPLE)
    finding = _with_lines(each(targets, judge, missing=missing, empty=nothing, things="resources"))
    weakest = max((proof.provenance for proof in proofs.values() if proof.provenance), key=_rank, default=None)
    return dataclasses.replace(finding, provenance=weakest)


def _rank(provenance: Provenance) -> int:
    return provenance.rank


@dataclass(frozen=True, slots=True)
class _Seen:
    """A restore with how it reached us."""

    restore: Restore
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class _Proof:
    """What is proven of one resource."""

    item: Item
    provenance: Provenance | None = None
    """Of the restore that it rests on."""
    failure_seen: bool = False
    """It rests on a restore that was seen to fail, whatever else could not be read."""


def _proof(
    target: BackupTarget, targets: Sequence[BackupTarget], seen: Sequence[_Seen], limits: Limits, now: datetime
) -> _Proof:
    mine = restores_of(target, targets, (one.restore for one in seen))
    here = [one for one in seen if one.restore in mine]
    proving = [one for one in here if not _flaw(one.restore, now) and _decides(one.restore)]
    proving.sort(key=lambda one: (_finished(one.restore), one.restore.outcome is RestoreOutcome.FAILED))
    newer: list[_Seen] = []
    for one in reversed(proving):
        bad = _failure(one.restore, target)
        if bad is not None and not newer:
            return _Proof(bad, one.provenance, failure_seen=True)
        if bad is not None:
            break
        newer.append(one)
    if not newer:
        return _Proof(_nothing(here, seen, targets, now))
    judged = [(_judge_restore(one, target, limits, now), one) for one in newer]
    item, best = min(judged, key=lambda pair: _ORDER.index(pair[0].status))
    return _Proof(item, best.provenance)


_ORDER = (Status.PASS, Status.WARN, Status.UNKNOWN, Status.FAIL)


def _decides(restore: Restore) -> bool:
    return restore.outcome in {RestoreOutcome.COMPLETED, RestoreOutcome.FAILED}


def _finished(restore: Restore) -> datetime:
    assert restore.finished is not None  # noqa: S101 - one without an end is flawed
    return restore.finished


def _flaw(restore: Restore, now: datetime) -> str:
    """Why a restore proves nothing. A failure is believed whatever else is wrong with its report."""
    if restore.finished is None:
        return "it does not say when it finished" if _decides(restore) else "it has not ended"
    if restore.outcome is RestoreOutcome.FAILED:
        return ""
    if restore.finished > now + _SKEW:
        return f"finished at {_utc(restore.finished)}, which has not come yet"
    return "; ".join(restore.flaws)


def _failure(restore: Restore, target: BackupTarget) -> Item | None:
    where = f"{restore.name}, {_utc(_finished(restore))}"
    if restore.outcome is RestoreOutcome.FAILED:
        return failed("drill-failed", f"the newest restore failed: {restore.detail or 'no reason is given'} ({where})")
    allowed = _allowed(restore, target)
    if allowed is not None and restore.seconds is not None and restore.seconds > allowed.total_seconds():
        took = _span(timedelta(seconds=restore.seconds))
        return failed("too-slow", f"the newest restore took {took}; the recovery time is {_span(allowed)} ({where})")
    return None


def _allowed(restore: Restore, target: BackupTarget) -> timedelta | None:
    if target.recovery_time is not None or restore.recovery_time_seconds is None:
        return target.recovery_time
    return timedelta(seconds=restore.recovery_time_seconds)


def _judge_restore(one: _Seen, target: BackupTarget, limits: Limits, now: datetime) -> Item:
    """The verdict on a restore that completed, and in time as far as is known."""
    restore = one.restore
    ago = now - _finished(restore)
    took = "" if restore.seconds is None else f" in {_span(timedelta(seconds=restore.seconds))}"
    when = f"{took} {_span(ago)} ago ({restore.name})"
    if ago > timedelta(days=limits.restored_at_most_days):
        return failed("stale", f"last restored{when}; {limits.restored_at_most_days} days at most are allowed")
    weak = _weakness(restore, target, when)
    if weak is not None:
        return weak
    if one.provenance is Provenance.DECLARED:
        return warned(DECLARED, f"a report in a file says restored and validated{when}: declared, not seen")
    if ago > timedelta(days=limits.restored_within_days):
        return warned(AGING, f"restored and validated{when}; more than {limits.restored_within_days} days ago")
    by = f", reported with the token {restore.pushed_by}" if restore.pushed_by else ""
    code = REPORTED if one.provenance is Provenance.REPORTED else SEEN
    return dataclasses.replace(passed(f"restored and validated{when}{by}"), code=code)


def _weakness(restore: Restore, target: BackupTarget, when: str) -> Item | None:
    """What keeps a recent restore from proving that the data comes back in time."""
    if _allowed(restore, target) is None:
        return unknown(Cause.NOT_CONFIGURED, f"restored{when}, and no recovery_time says how long it may take")
    if restore.source is RestoreSource.NATIVE:
        return warned(NATIVE, f"restored{when}, and nobody validated what came back")
    if not restore.validated:
        return warned(COMPLETED, f"restored{when}; not validated{_because(restore)}")
    if restore.seconds is None:
        return unknown(Cause.NO_DATA, f"restored and validated{when}; nobody can tell how long it took")
    return None


def _because(restore: Restore) -> str:
    return f": {restore.detail}" if restore.detail else ""


def _nothing(here: Sequence[_Seen], seen: Sequence[_Seen], targets: Sequence[BackupTarget], now: datetime) -> Item:
    """The verdict where no restore of the resource counts, with what there is instead."""
    flawed = [one.restore for one in here if _flaw(one.restore, now) and _decides(one.restore)]
    if flawed:
        newest = max(flawed, key=lambda restore: restore.finished or datetime.min.replace(tzinfo=now.tzinfo))
        return failed("proves-nothing", f"{newest.name} proves nothing: {_flaw(newest, now)}")
    tried = [one.restore for one in here if not _decides(one.restore)]
    if tried:
        return failed("never-restored", f"{tried[-1].name} is {tried[-1].outcome}, and no restore before it counts")
    owned = {
        id(restore) for target in targets for restore in restores_of(target, targets, (one.restore for one in seen))
    }
    others = sorted({one.restore.resource for one in seen if id(one.restore) not in owned})
    if others:
        words = ", ".join(f"{name!r}" for name in others[:3])
        return failed(
            "never-restored", f"no restore of it was seen; there are reports of {words}, which it is not called"
        )
    return failed("never-restored", "no restore of it was ever seen")


def _targets_of_reports(restores: Iterable[_Seen], service: Service) -> tuple[BackupTarget, ...]:
    """Where the service names its drill reports and no resource: what the reports are of."""
    times = [entry.recovery_time for entry in service.spec.backups if entry.recovery_time is not None]
    names = dict.fromkeys(one.restore.resource for one in restores)
    return tuple(BackupTarget(name=name, recovery_time=min(times, default=None)) for name in names)


def _seen(*sources: Evidence | Unavailable | Absent) -> Iterable[_Seen]:
    for source in sources:
        if isinstance(source, OwnDrills | PushedDrills | RepositoryDrills | BucketDrills):
            yield from (_Seen(restore, source.provenance) for restore in source.drills)
        elif isinstance(source, AwsRestores):
            yield from (_Seen(item, source.provenance) for item in source.items if isinstance(item, Restore))


def _unseen(jobs: Evidence | Unavailable | Absent) -> dict[str, tuple[Unavailable, ...]]:
    """Resources whose restores AWS did not tell."""
    items = jobs.items if isinstance(jobs, AwsRestores) else ()
    return {item.name: (item.why,) for item in items if isinstance(item, Unseen)}


def _planned(testing: Evidence | Unavailable | Absent) -> dict[str, str]:
    """What AWS Backup is set up to restore, in words: a plan proves nothing, and says why there is no proof."""
    items = testing.items if isinstance(testing, AwsRestoreTesting) else ()
    found: dict[str, str] = {}
    for item in items:
        if isinstance(item, RestoreTesting):
            plans = " and ".join(map(str, item.plans))
            found[item.name] = (
                f"its type is covered by the restore testing of AWS Backup: {plans}"
                if plans
                else "no restore testing plan of AWS Backup covers its type"
            )
    return found


# --- both ------------------------------------------------------------------------------------------------------------


def _targets(service: Service, stores: Evidence | Unavailable | Absent) -> tuple[BackupTarget, ...]:
    """What the service names, and the databases and file systems that it has besides.

    A bucket or a disk may hold what can be made again: it counts where the service names it.
    """
    named = backup_targets(service)
    names = {target.name for target in named}
    items = stores.items if isinstance(stores, AwsBackups) else ()
    besides = [
        item.name for item in items if isinstance(item, Backup) and item.kind in _ALWAYS and item.name not in names
    ]
    return (*named, *(BackupTarget(name=name) for name in besides))


def _missing(source: Evidence | Unavailable | Absent, service: Service | None = None) -> tuple[Unavailable, ...]:
    """What could not be read; of AWS nothing is missed where the service names nothing there."""
    if isinstance(source, Unavailable):
        idle = source.cause is Cause.NOT_CONFIGURED and service is not None and not _in_aws(service)
        return () if idle else (source,)
    return source.missing if isinstance(source, Evidence) else ()


def _in_aws(service: Service) -> bool:
    """Whether anything of the service is said to be in AWS."""
    return service.spec.aws is not None or any(target.in_aws for target in backup_targets(service))


def _with_lines(finding: Finding, known: Mapping[str, str] = MappingProxyType({})) -> Finding:
    """A finding that lacks configuration says which lines to add; `known` are those that a probe gave, by resource."""
    if finding.cause is not Cause.NOT_CONFIGURED or finding.lines:
        return finding
    first = next((subject for subject in finding.subjects if subject.cause is Cause.NOT_CONFIGURED), None)
    if first is not None and known.get(first.name):
        return dataclasses.replace(finding, lines=known[first.name])
    if first is not None and first.message == _NOT_MAPPED:
        return dataclasses.replace(finding, lines=_AWS_LINES % (_part(first.name, 4) or "111122223333"))
    return dataclasses.replace(finding, lines=_LINES % (first.name if first else _EXAMPLE))


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _span(time: timedelta) -> str:
    """A duration as a person says it: `12 min`, `3.5 h`, `40 days`."""
    seconds = time.total_seconds()
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{max(seconds, 0):.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
