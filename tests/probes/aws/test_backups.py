"""What AWS keeps and what was restored of it, on an endpoint whose answers botocore's models have checked."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scorecard.demo.aws import AwsRefusal, Endpoint
from scorecard.evidence import Absent
from scorecard.evidence.aws import Gone, Resources, Unseen
from scorecard.evidence.backups import (
    AwsBackups,
    AwsRestores,
    AwsRestoreTesting,
    Backup,
    Restore,
    RestoreOutcome,
    RestoreSource,
)
from scorecard.model import AwsRef, BackupRef, Cause, Service, Spec
from scorecard.probes.aws.policy import actions
from tests.probes.aws.estate import ACCOUNT, Asking, arn, payments, tagged

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DB, TABLE, DISK = arn("rds", "db:payments"), arn("dynamodb", "table/carts"), arn("ec2", "volume/vol-1")
FILES, BUCKET = arn("elasticfilesystem", "file-system/fs-1"), "arn:aws:s3:::receipts"
Aws = tuple[Endpoint, Asking]


def owned(endpoint: Endpoint, *names: str) -> None:
    tagged(endpoint, {name: {"Service": "payments"} for name in names})


def database(endpoint: Endpoint, **more: object) -> None:
    one = {
        "DBInstanceIdentifier": "payments",
        "DBInstanceArn": DB,
        "BackupRetentionPeriod": 14,
        "LatestRestorableTime": NOW - timedelta(minutes=4),
        **more,
    }
    endpoint.list(ACCOUNT, "rds:DescribeDBInstances", "DBInstances", [one])


def points(endpoint: Endpoint, *days: float, status: str = "COMPLETED") -> None:
    made = [{"RecoveryPointArn": f"arn:{day}", "CreationDate": NOW - day * DAY, "Status": status} for day in days]
    endpoint.on(ACCOUNT, "backup:ListRecoveryPointsByResource", {"RecoveryPoints": made})


def jobs(endpoint: Endpoint, *made: dict[str, Any]) -> None:
    endpoint.on(ACCOUNT, "backup:ListRestoreJobsByProtectedResource", {"RestoreJobs": list(made)})


def job(number: int = 1, **more: object) -> dict[str, Any]:
    return {
        "RestoreJobId": f"job-{number}",
        "Status": "COMPLETED",
        "ValidationStatus": "SUCCESSFUL",
        "CreationDate": NOW - 9 * DAY,
        "CompletionDate": NOW - 9 * DAY + timedelta(minutes=40),
        "RecoveryPointCreationDate": NOW - 10 * DAY,
        **more,
    }


def test_an_rds_instance_keeps_its_automated_backups(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint)
    points(endpoint)
    (one,) = asking.one(AwsBackups).items
    assert isinstance(one, Backup)
    assert (one.retention_days, one.newest_at, one.protected_by) == (
        14.0,
        NOW - timedelta(minutes=4),
        ("RDS automated backups",),
    )


def test_automated_backups_that_are_off_are_no_backup_unless_aws_backup_has_some(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint, BackupRetentionPeriod=0)
    points(endpoint)
    (one,) = asking.one(AwsBackups).items
    assert "BackupRetentionPeriod is 0" in one.lacking


def snapshots(endpoint: Endpoint, *days: float, **more: object) -> None:
    made = [
        {"DBSnapshotIdentifier": f"s-{day}", "Status": "available", "SnapshotCreateTime": NOW - day * DAY, **more}
        for day in days
    ]
    endpoint.list(ACCOUNT, "rds:DescribeDBSnapshots", "DBSnapshots", made)


def test_manual_snapshots_are_told_where_nothing_else_backs_a_database_up(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint, BackupRetentionPeriod=0)
    points(endpoint)
    snapshots(endpoint, 1, 2, 9)
    (one,) = asking.one(AwsBackups).items
    assert (one.lacking, one.by_hand, one.protected_by) == ("", True, ("3 manual snapshots",))
    assert (one.newest_at, one.retention_days) == (NOW - DAY, 12.0)
    snapshots(endpoint, 1, Status="creating")
    asking.probes[0].places._lanes.clear()  # type: ignore[attr-defined] # nothing is kept of what was asked
    (none,) = asking.one(AwsBackups).items
    assert (none.by_hand, "BackupRetentionPeriod is 0" in none.lacking) == (False, True)


def test_manual_snapshots_that_could_not_be_listed_are_kept_in_mind(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint, BackupRetentionPeriod=0)
    points(endpoint)
    endpoint.denied.add("rds:DescribeDBSnapshots")
    (one,) = asking.one(AwsBackups).items
    assert (bool(one.lacking), one.partly.cause) == (True, Cause.ACCESS_DENIED)


def test_manual_snapshots_are_not_asked_for_where_there_is_more(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint)
    points(endpoint)
    endpoint.denied.add("rds:DescribeDBSnapshots")
    (one,) = asking.one(AwsBackups).items
    assert (one.by_hand, one.partly) == (False, None)


# --- what `backups` names by its ARN ---------------------------------------------------------------------------------


def named(*arns: str) -> Service:
    backups = tuple(BackupRef(resource=name) for name in arns)
    return Service(name="payments", spec=Spec(aws=AwsRef(account=ACCOUNT), backups=backups))


def test_a_database_that_only_backups_names_is_looked_at(aws: Aws) -> None:
    endpoint, asking = aws
    database(endpoint)
    points(endpoint)
    (one,) = asking.one(AwsBackups, named(DB)).items
    assert (one.name, one.retention_days) == (DB, 14.0)
    (resource,) = asking.one(Resources, named(DB)).resources
    assert (resource.holds_data, resource.declared) == (True, True)


def test_a_database_that_backups_names_and_aws_does_not_have_is_gone(aws: Aws) -> None:
    endpoint, asking = aws
    database(endpoint)
    points(endpoint)
    other = arn("rds", "db:ledger")
    assert asking.one(AwsBackups, named(other)).items == (Gone(other),)


def test_what_backups_names_in_another_account_or_region_is_no_resource_and_costs_no_other(aws: Aws) -> None:
    endpoint, asking = aws
    database(endpoint)
    points(endpoint)
    elsewhere = (arn("rds", "db:payments", account="999988887777"), arn("rds", "db:payments", region="us-west-2"))
    answer = asking.one(AwsBackups, named(DB, *elsewhere))
    assert ([one.name for one in answer.items], answer.missing) == ([DB], ())


# --- restore testing -------------------------------------------------------------------------------------------------


def plans(endpoint: Endpoint, **covered: tuple[str, ...]) -> None:
    """Plans by name with the types that they cover; `monthly` ran a day ago."""
    endpoint.list(
        ACCOUNT,
        "backup:ListRestoreTestingPlans",
        "RestoreTestingPlans",
        [
            {
                "RestoreTestingPlanName": name,
                "RestoreTestingPlanArn": arn("backup", f"restore-testing-plan:{name}"),
                "CreationTime": NOW - 90 * DAY,
                "ScheduleExpression": "cron(0 3 1 * ? *)",
                **({"LastExecutionTime": NOW - DAY} if name == "monthly" else {}),
            }
            for name in covered
        ],
        page=1,
    )

    def selections(asked: Any) -> dict[str, Any]:  # noqa: ANN401 - parameters of the operation
        name = asked["RestoreTestingPlanName"]
        return {
            "RestoreTestingSelections": [
                {
                    "RestoreTestingPlanName": name,
                    "RestoreTestingSelectionName": kind.lower(),
                    "ProtectedResourceType": kind,
                    "IamRoleArn": arn("iam", "role/restore", region=""),
                    "CreationTime": NOW - 90 * DAY,
                    "ValidationWindowHours": 4,
                }
                for kind in covered[name]
            ]
        }

    endpoint.on(ACCOUNT, "backup:ListRestoreTestingSelections", selections)


def test_restore_testing_plans_are_told_of_the_types_that_they_cover(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB, TABLE)
    plans(endpoint, monthly=("RDS", "EFS"), forgotten=("RDS",))
    answer = asking.one(AwsRestoreTesting)
    found = {one.name: [str(plan) for plan in one.plans] for one in answer.items}
    assert found == {DB: ["forgotten, which never ran", "monthly, which last ran on 2026-11-22"], TABLE: []}
    told = "forgotten, which never ran, monthly, which last ran on 2026-11-22"
    assert {one.facts.get("plans") for one in answer.exhibits} == {None, told}


@pytest.mark.parametrize("operation", ["backup:ListRestoreTestingPlans", "backup:ListRestoreTestingSelections"])
def test_restore_testing_that_is_not_told_is_not_known(aws: Aws, operation: str) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    plans(endpoint, monthly=("RDS",))
    endpoint.denied.add(operation)
    (one,) = asking.one(AwsRestoreTesting).items
    assert isinstance(one, Unseen)
    assert one.why.cause is Cause.ACCESS_DENIED


def test_recovery_points_of_aws_backup_stand_beside_them(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint, BackupRetentionPeriod=0)
    points(endpoint, 0.5, 1.5, 30.5)
    (one,) = asking.one(AwsBackups).items
    assert (one.lacking, one.newest_at) == ("", NOW - DAY / 2)
    assert one.retention_days == 45.0, "thirty days and a step"


def test_a_recovery_point_that_is_not_complete_is_none(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint, BackupRetentionPeriod=0)
    points(endpoint, 1, status="PARTIAL")
    assert asking.one(AwsBackups).items[0].lacking


def test_what_aws_backup_may_have_and_does_not_tell_is_kept_in_mind(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint)
    endpoint.denied.add("backup:ListRecoveryPointsByResource")
    (one,) = asking.one(AwsBackups).items
    assert one.retention_days == 14.0
    assert one.partly.cause is Cause.ACCESS_DENIED


def test_members_of_a_cluster_and_replicas_are_not_asked_for_backups_of_their_own(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    points(endpoint)
    for other in ({"DBClusterIdentifier": "c"}, {"ReadReplicaSourceDBInstanceIdentifier": "main"}):
        database(endpoint, **other)
        assert isinstance(asking.one(AwsBackups), Absent)


def test_a_table_a_bucket_a_file_system_and_a_disk(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, TABLE, BUCKET, FILES, DISK)
    recovery = {
        "PointInTimeRecoveryStatus": "ENABLED",
        "RecoveryPeriodInDays": 21,
        "LatestRestorableDateTime": NOW - timedelta(minutes=5),
    }
    endpoint.on(
        ACCOUNT,
        "dynamodb:DescribeContinuousBackups",
        {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": recovery,
            }
        },
    )
    endpoint.on(ACCOUNT, "s3:GetBucketVersioning", {"Status": "Enabled"})
    expiry = {"ID": "old", "Status": "Enabled", "Prefix": "", "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
    endpoint.on(ACCOUNT, "s3:GetBucketLifecycleConfiguration", {"Rules": [expiry]})
    endpoint.list(
        ACCOUNT,
        "efs:DescribeFileSystems",
        "FileSystems",
        [
            {
                "FileSystemId": "fs-1",
                "FileSystemArn": FILES,
                "OwnerId": ACCOUNT,
                "CreationToken": "x",
                "CreationTime": NOW,
                "LifeCycleState": "available",
                "NumberOfMountTargets": 0,
                "SizeInBytes": {"Value": 1},
                "PerformanceMode": "generalPurpose",
                "Tags": [],
            }
        ],
    )
    endpoint.list(ACCOUNT, "ec2:DescribeVolumes", "Volumes", [{"VolumeId": "vol-1"}])
    shots = [{"VolumeId": "vol-1", "State": "completed", "StartTime": NOW - day * DAY} for day in range(1, 9)]
    endpoint.list(ACCOUNT, "ec2:DescribeSnapshots", "Snapshots", shots)
    points(endpoint)
    found = {one.name: one for one in asking.one(AwsBackups).items}
    assert (found[TABLE].retention_days, found[TABLE].newest_at) == (21.0, NOW - timedelta(minutes=5))
    assert (found[BUCKET].continuous, found[BUCKET].retention_days) == (True, 30.0)
    assert found[FILES].lacking == "AWS Backup has no recovery point of it"
    assert (found[DISK].retention_days, found[DISK].newest_at) == (8.0, NOW - DAY)


@pytest.mark.parametrize(("answer", "words"), [({}, "versioning is off"), ({"Status": "Suspended"}, "is suspended")])
def test_a_bucket_without_versions_has_no_backup(aws: Aws, answer: dict[str, str], words: str) -> None:
    endpoint, asking = aws
    owned(endpoint, BUCKET)
    endpoint.on(ACCOUNT, "s3:GetBucketVersioning", answer)
    endpoint.on(ACCOUNT, "s3:GetBucketLifecycleConfiguration", _no_lifecycle)
    points(endpoint)
    assert words in asking.one(AwsBackups).items[0].lacking


def test_versions_without_an_end_are_kept_for_ever(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, BUCKET)
    endpoint.on(ACCOUNT, "s3:GetBucketVersioning", {"Status": "Enabled"})
    endpoint.on(ACCOUNT, "s3:GetBucketLifecycleConfiguration", _no_lifecycle)
    points(endpoint)
    assert asking.one(AwsBackups).items[0].retention_days == math.inf


def _no_lifecycle(_parameters: object) -> dict[str, Any]:
    raise AwsRefusal("NoSuchLifecycleConfiguration", "there is none", 404)


def test_what_the_file_names_and_aws_does_not_have_is_gone(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint)
    endpoint.list(ACCOUNT, "rds:DescribeDBInstances", "DBInstances", [])
    points(endpoint)
    assert asking.one(AwsBackups, payments(resources=(DB,))).items == (Gone(DB),)


JOBS = {
    "validated": (job(), RestoreOutcome.COMPLETED, True, "completed, validation successful"),
    "not validated": (
        job(ValidationStatus=None),
        RestoreOutcome.COMPLETED,
        False,
        "completed, validation was not reported",
    ),
    "the validation failed": (
        job(ValidationStatus="FAILED", ValidationStatusMessage="no rows"),
        RestoreOutcome.FAILED,
        False,
        "validation failed: no rows",
    ),
    "the validation timed out": (job(ValidationStatus="TIMED_OUT"), RestoreOutcome.COMPLETED, False, "timed_out"),
    "the restore failed": (
        job(Status="FAILED", ValidationStatus=None, StatusMessage="out of space"),
        RestoreOutcome.FAILED,
        False,
        "out of space",
    ),
    "it still runs": (
        job(Status="RUNNING", ValidationStatus=None, CompletionDate=None),
        RestoreOutcome.RUNNING,
        False,
        "running",
    ),
    "it was ended": (job(Status="ABORTED", ValidationStatus=None), RestoreOutcome.NOT_CARRIED_OUT, False, "aborted"),
}


@pytest.mark.parametrize(("seen", "outcome", "validated", "words"), JOBS.values(), ids=JOBS)
def test_a_restore_job_is_its_status_and_its_validation(
    aws: Aws, seen: dict[str, Any], outcome: RestoreOutcome, validated: bool, words: str
) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint)
    endpoint.list(ACCOUNT, "rds:DescribeEvents", "Events", [])
    jobs(endpoint, {key: value for key, value in seen.items() if value is not None})
    (one,) = asking.one(AwsRestores).items
    assert isinstance(one, Restore)
    assert (one.outcome, one.validated, one.source, one.resource) == (
        outcome,
        validated,
        RestoreSource.AWS_BACKUP,
        DB,
    )
    assert words in one.detail
    assert endpoint.wrong == []


def test_a_job_tells_its_time_its_recovery_point_and_its_plan(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint)
    endpoint.list(ACCOUNT, "rds:DescribeEvents", "Events", [])
    plan = arn("backup", "restore-testing-plan:monthly")
    jobs(endpoint, job(CreatedBy={"RestoreTestingPlanArn": plan}), job(2, ParentJobId="job-1"))
    (one,) = asking.one(AwsRestores).items
    assert (one.seconds, one.recovery_point_time) == (2400.0, NOW - 10 * DAY)
    assert one.name == "restore job job-1 of the plan monthly"


def test_an_instance_made_of_a_snapshot_is_a_native_restore(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint)
    jobs(endpoint)
    events = [
        {
            "SourceIdentifier": "payments-drill",
            "SourceType": "db-instance",
            "Message": f"Restored from snapshot rds:{name}-2026-11-20-03-05",
            "EventCategories": ["restoration"],
            "Date": NOW - 2 * DAY,
        }
        for name in ("payments", "payments-other")
    ]
    endpoint.list(ACCOUNT, "rds:DescribeEvents", "Events", events)
    (one,) = asking.one(AwsRestores).items
    assert (one.source, one.finished, one.validated) == (RestoreSource.NATIVE, NOW - 2 * DAY, False)


def test_a_denied_call_leaves_the_resource_unseen(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint)
    endpoint.list(ACCOUNT, "rds:DescribeEvents", "Events", [])
    endpoint.denied.add("backup:ListRestoreJobsByProtectedResource")
    (one,) = asking.one(AwsRestores).items
    assert isinstance(one, Unseen)
    assert one.why.cause is Cause.ACCESS_DENIED


def test_no_restore_at_all_is_a_complete_look(aws: Aws) -> None:
    endpoint, asking = aws
    owned(endpoint, DB)
    database(endpoint)
    endpoint.list(ACCOUNT, "rds:DescribeEvents", "Events", [])
    jobs(endpoint)
    assert isinstance(asking.one(AwsRestores), Absent)


def test_the_policy_allows_what_is_asked_and_it_only_reads() -> None:
    asked = {action for action, kinds in actions().items() if {"AwsBackups", "AwsRestores"} & kinds}
    assert {
        "backup:ListRecoveryPointsByResource",
        "backup:ListRestoreJobsByProtectedResource",
        "dynamodb:DescribeContinuousBackups",
        "s3:GetBucketVersioning",
        "s3:GetLifecycleConfiguration",
        "rds:DescribeEvents",
        "ec2:DescribeSnapshots",
    } <= asked
    assert all(action.partition(":")[2].startswith(("List", "Get", "Describe")) for action in asked)
