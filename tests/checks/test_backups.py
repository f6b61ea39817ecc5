"""The row `backups`: what was seen of backups and of their restores, as a verdict."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from checks.backups import row
from scorecard.evidence import Absent, Evidence, Unavailable
from scorecard.evidence.aws import Gone, Unseen
from scorecard.evidence.backups import (
    AwsBackups,
    AwsRestores,
    AwsRestoreTesting,
    Backup,
    BackupKind,
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
    RestoreTestingPlan,
)
from scorecard.judge import Judged
from scorecard.model import BackupRef, Cause, Provenance, Service, Spec, Status

Ask = Callable[..., Judged]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DUMPS = "/backups/ledger"
RDS = "arn:aws:rds:ap-southeast-2:111122223333:db:payments"
DENIED = Unavailable(Cause.ACCESS_DENIED, "permission denied")
SOURCES = (OwnDrills, PushedDrills, RepositoryDrills, BucketDrills)
AWS = (AwsRestores, AwsBackups, AwsRestoreTesting)
DUMPED = (DumpBackups, BucketDumps)


def service(*entries: BackupRef) -> Service:
    declared = entries or (BackupRef(resource=DUMPS, recovery_time=HOUR, recovery_point=DAY),)
    return Service(name="payments", spec=Spec(backups=declared))


def backup(**more: object) -> Backup:
    values: dict[str, object] = {
        "name": DUMPS,
        "kind": BackupKind.DIRECTORY,
        "newest": "ledger-7.dump",
        "newest_at": NOW - 3 * HOUR,
        "retention_days": 14.0,
        "size": 1000,
        "sizes_before": (990, 1010, 980),
        **more,
    }
    return Backup(**values)  # type: ignore[arg-type] # fields of the class, by name


def restore(days: float = 10, **more: object) -> Restore:
    finished = NOW - timedelta(days=days)
    values: dict[str, object] = {
        "name": "push 1",
        "source": RestoreSource.DRILL,
        "resource": DUMPS,
        "outcome": RestoreOutcome.COMPLETED,
        "started": finished - timedelta(minutes=12),
        "finished": finished,
        "seconds": 720.0,
        "validated": True,
        **more,
    }
    return Restore(**values)  # type: ignore[arg-type] # fields of the class, by name


FAILED = {"outcome": RestoreOutcome.FAILED, "validated": False, "detail": "truncated: end of file"}


@pytest.fixture
def tested(ask: Ask) -> Ask:
    """`tested(*entries, pushed=(…), own=(…), repository=(…), bucket=(…), missing=(kind, …))`; others are absent."""

    def judged(
        *entries: BackupRef,
        pushed: tuple[Restore, ...] = (),
        own: tuple[Restore, ...] = (),
        repository: tuple[Restore, ...] = (),
        bucket: tuple[Restore, ...] = (),
        missing: tuple[type[Evidence], ...] = (),
        aws: tuple[Evidence, ...] = (),
        **limits: object,
    ) -> Judged:
        given = dict(zip(SOURCES, (own, pushed, repository, bucket), strict=True))
        seen = [
            kind(drills=drills, missing=(DENIED,) if kind in missing else ())
            for kind, drills in given.items()
            if drills or kind in missing
        ]
        seen += aws
        taken = {type(one) for one in seen}
        absent = tuple(kind for kind in (*SOURCES, *AWS) if kind not in taken)
        return ask(row, "restore-tested", *seen, absent=absent, service=service(*entries), **limits)

    return judged


# --- automated -------------------------------------------------------------------------------------------------------

BACKUPS = {
    "kept a fortnight, made this morning": (backup(), "pass", "ok", "backed up 3.0 h ago, kept 14 days"),
    "kept six days": (backup(retention_days=6.0, copies=6), "fail", "short-retention", "6 backups are there, kept 6.0"),
    "kept for ever": (backup(retention_days=math.inf), "pass", "ok", "kept for ever"),
    "the newest is a day and an hour old": (
        backup(newest_at=NOW - 25 * HOUR),
        "fail",
        "stale-backup",
        "ledger-7.dump is 25.0 h old; the recovery point allows 24.0 h",
    ),
    "the newest is just old enough": (backup(newest_at=NOW - 24 * HOUR), "pass", "ok", "24.0 h ago"),
    "the newest lost half": (backup(size=494), "fail", "shrunk", "494 bytes, 50% of the median of the 3 before it"),
    "the newest has just half": (backup(size=495), "pass", "ok", "backed up"),
    "the newest is empty": (backup(size=0), "fail", "empty", "ledger-7.dump is empty"),
    "the first is empty": (backup(size=0, sizes_before=()), "fail", "empty", "is empty"),
    "two faults": (backup(size=1, retention_days=1.0), "fail", "several", "kept 1.0 days; 7 are needed; its newest"),
    "nothing is there": (backup(lacking="there is no dump at /b"), "fail", "no-backup", "there is no dump at /b"),
    "it cannot be read": (backup(unread=DENIED), "unknown", "access-denied", "permission denied"),
    "the newest is of tomorrow": (backup(newest_at=NOW + DAY), "unknown", "bad-response", "has not come yet"),
    "nobody knows how long it is kept": (backup(retention_days=None), "unknown", "no-data", "for how long"),
    "every version is kept": (
        backup(continuous=True, newest_at=None, size=None, sizes_before=(), retention_days=math.inf),
        "pass",
        "ok",
        "every change is kept, for ever",
    ),
    "versions are kept three days": (
        backup(continuous=True, newest_at=None, size=None, retention_days=3.0),
        "fail",
        "short-retention",
        "kept 3.0 days",
    ),
}


@pytest.mark.parametrize(("seen", "status", "code", "words"), BACKUPS.values(), ids=BACKUPS)
def test_a_backup_is_kept_long_enough_fresh_and_whole(
    ask: Ask, seen: Backup, status: str, code: str, words: str
) -> None:
    judged = ask(row, "automated", DumpBackups(backups=(seen,)), absent=(AwsBackups, BucketDumps), service=service())
    assert (judged.status.value, judged.code) == (status, code)
    assert words in judged.message


def test_without_a_recovery_point_nobody_can_tell_and_the_lines_are_given(ask: Ask) -> None:
    judged = ask(
        row,
        "automated",
        DumpBackups(backups=(backup(),)),
        absent=(AwsBackups, BucketDumps),
        service=service(BackupRef(resource=DUMPS)),
    )
    assert judged.cause is Cause.NOT_CONFIGURED
    assert f'{{resource: "{DUMPS}", recovery_time: 1h, recovery_point: 24h}}' in judged.lines


def test_taking_the_recovery_point_away_does_not_turn_a_failure_into_more(ask: Ask) -> None:
    old = DumpBackups(backups=(backup(newest_at=NOW - 9 * DAY),))
    assert ask(row, "automated", old, absent=(AwsBackups, BucketDumps), service=service()).status is Status.FAIL
    assert (
        ask(row, "automated", old, absent=(AwsBackups, BucketDumps), service=service(BackupRef(resource=DUMPS))).status
        is Status.UNKNOWN
    )


def test_each_resource_has_its_own_verdict_and_the_worst_counts(ask: Ask) -> None:
    seen = DumpBackups(backups=(backup(), backup(name="/backups/cards", size=0)))
    entries = [BackupRef(resource=name, recovery_point=DAY) for name in (DUMPS, "/backups/cards")]
    judged = ask(row, "automated", seen, absent=(AwsBackups, BucketDumps), service=service(*entries))
    assert [(one.name, one.status.value) for one in judged.subjects] == [(DUMPS, "pass"), ("/backups/cards", "fail")]
    assert judged.status is Status.FAIL


def test_dumps_in_s3_are_judged_like_those_in_a_directory(ask: Ask) -> None:
    place = "s3://dumps/ledger/"
    entry = BackupRef(resource=place, recovery_point=DAY)
    for more, status in (({}, Status.PASS), ({"size": 1}, Status.FAIL), ({"unread": DENIED}, Status.UNKNOWN)):
        seen = BucketDumps(backups=(backup(name=place, kind=BackupKind.BUCKET, **more),))
        judged = ask(row, "automated", seen, absent=(DumpBackups, AwsBackups), service=service(entry))
        assert judged.status is status


def test_dumps_in_s3_of_a_service_that_names_no_account_ask_for_it(ask: Ask) -> None:
    place, lines = "s3://dumps/ledger/", 'spec:\n  aws: {account: "111122223333"}'
    why = Unavailable(Cause.NOT_CONFIGURED, "spec.aws is not given", lines)
    seen = BucketDumps(backups=(Backup(name=place, kind=BackupKind.BUCKET, unread=why),))
    entry = BackupRef(resource=place, recovery_point=DAY)
    judged = ask(row, "automated", seen, absent=(DumpBackups, AwsBackups), service=service(entry))
    assert (judged.status, judged.lines) == (Status.UNKNOWN, lines)


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({}, "warn", "by-hand"),
        ({"newest_at": NOW - 2 * DAY}, "fail", "stale-backup"),
        ({"retention_days": 2.0}, "fail", "short-retention"),
        ({"partly": DENIED}, "warn", "by-hand"),
        ({"partly": DENIED, "newest_at": NOW - 2 * DAY}, "unknown", "access-denied"),
    ],
)
def test_snapshots_that_were_asked_for_are_a_warning_at_most(
    ask: Ask, more: dict[str, object], status: str, code: str
) -> None:
    made = backup(name=RDS, kind=BackupKind.RDS, by_hand=True, size=None, sizes_before=(), **more)
    judged = ask(row, "automated", in_aws(made), absent=DUMPED, service=service(IN_AWS))
    assert (judged.status.value, judged.code) == (status, code)


def test_a_resource_that_was_not_looked_at_is_unknown(ask: Ask) -> None:
    entries = (BackupRef(resource=DUMPS, recovery_point=DAY), BackupRef(resource="/new", recovery_point=DAY))
    judged = ask(
        row, "automated", DumpBackups(backups=(backup(),)), absent=(AwsBackups, BucketDumps), service=service(*entries)
    )
    assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.NO_DATA)


def test_a_service_that_names_no_backup_is_not_configured(ask: Ask) -> None:
    nothing = Service(name="payments")
    for check in ("automated", "restore-tested"):
        judged = ask(row, check, absent=(*DUMPED, *SOURCES, *AWS), service=nothing)
        assert judged.cause is Cause.NOT_CONFIGURED, check
        assert "backups:" in judged.lines


def test_limits_can_be_overridden(ask: Ask, tested: Ask) -> None:
    seen = DumpBackups(backups=(backup(retention_days=14.0, size=700),))
    assert (
        ask(row, "automated", seen, absent=(AwsBackups, BucketDumps), service=service(), retention_days=30).code
        == "short-retention"
    )
    assert (
        ask(row, "automated", seen, absent=(AwsBackups, BucketDumps), service=service(), smallest_share=0.8).code
        == "shrunk"
    )
    assert tested(pushed=(restore(50),), restored_within_days=30).status is Status.WARN
    assert tested(pushed=(restore(50),), restored_at_most_days=40).code == "stale"


# --- restore-tested --------------------------------------------------------------------------------------------------

RESTORES = {
    "a good one": ((restore(),), "pass", "reported", "restored and validated in 12 min 10 days ago"),
    "a hundred days ago": ((restore(100),), "pass", "reported", "100 days ago"),
    "a hundred and one": ((restore(101),), "warn", "getting-old", "more than 100 days ago"),
    "a hundred and eighty": ((restore(180),), "warn", "getting-old", "180 days ago"),
    "a hundred and eighty-one": ((restore(181),), "fail", "stale", "180 days at most are allowed"),
    "the newest failed": ((restore(30), restore(2, **FAILED)), "fail", "drill-failed", "truncated: end of file"),
    "one failed, and the next was good": ((restore(2), restore(30, **FAILED)), "pass", "reported", "2 days ago"),
    "a failure, the good one long before": ((restore(150), restore(2, **FAILED)), "fail", "drill-failed", "failed"),
    "it took longer than allowed": ((restore(seconds=3601.0),), "fail", "too-slow", "took 60 min; the recovery time"),
    "it took as long as allowed": ((restore(seconds=3600.0),), "pass", "reported", "in 60 min"),
    "a slow one, and the next in time": ((restore(2), restore(9, seconds=9000.0)), "pass", "reported", "2 days ago"),
    "completed and nobody looked": ((restore(validated=False),), "warn", "not-validated", "not validated"),
    "a native restore": (
        (restore(source=RestoreSource.NATIVE, validated=False, seconds=None),),
        "warn",
        "native-restore",
        "nobody validated what came back",
    ),
    "a native one after a good one": (
        (restore(50), restore(1, source=RestoreSource.NATIVE, validated=False)),
        "pass",
        "reported",
        "50 days ago",
    ),
    "it proves nothing": (
        (restore(validated=False, flaws=("none of its verifications reads a table",)),),
        "fail",
        "proves-nothing",
        "none of its verifications reads a table",
    ),
    "one proves nothing, the one before does": (
        (restore(20), restore(1, validated=False, flaws=("it says success without a verification",))),
        "pass",
        "reported",
        "20 days ago",
    ),
    "it finished in the future": ((restore(-1),), "fail", "proves-nothing", "which has not come yet"),
    "a failure in the future is believed": ((restore(1), restore(-1, **FAILED)), "fail", "drill-failed", "failed"),
    "it still runs": (
        (restore(outcome=RestoreOutcome.RUNNING, finished=None, validated=False),),
        "fail",
        "never-restored",
        "is running",
    ),
    "it could not be carried out": (
        (restore(outcome=RestoreOutcome.NOT_CARRIED_OUT, validated=False),),
        "fail",
        "never-restored",
        "is not-carried-out",
    ),
    "a running one changes nothing": (
        (restore(20), restore(outcome=RestoreOutcome.RUNNING, finished=None, validated=False)),
        "pass",
        "reported",
        "20 days ago",
    ),
    "nobody knows how long it took": ((restore(seconds=None),), "unknown", "no-data", "how long it took"),
    "it is of another resource": ((restore(resource="cards"),), "fail", "never-restored", "reports of 'cards'"),
}


@pytest.mark.parametrize(("seen", "status", "code", "words"), RESTORES.values(), ids=RESTORES)
def test_a_restore_is_recent_validated_and_in_time(
    tested: Ask, seen: tuple[Restore, ...], status: str, code: str, words: str
) -> None:
    for order in (seen, seen[::-1]):
        judged = tested(pushed=order)
        assert (judged.status.value, judged.code) == (status, code)
        assert words in judged.message


def test_a_backup_that_was_never_restored_fails(tested: Ask) -> None:
    judged = tested()
    assert (judged.status, judged.code) == (Status.FAIL, "never-restored")


def test_a_declared_report_is_a_warning_a_reported_one_and_our_own_pass(tested: Ask) -> None:
    declared, reported, own = tested(repository=(restore(),)), tested(pushed=(restore(),)), tested(own=(restore(),))
    assert [one.status for one in (declared, reported, own)] == [Status.WARN, Status.PASS, Status.PASS]
    assert [one.subjects[0].code for one in (declared, reported, own)] == ["declared", "reported", "validated"]
    assert [one.provenance for one in (declared, reported, own)] == [
        Provenance.DECLARED,
        Provenance.REPORTED,
        Provenance.PROBED,
    ]


def test_a_pushed_report_beside_a_declared_one_is_not_weakened_by_it(tested: Ask) -> None:
    judged = tested(pushed=(restore(20),), repository=(restore(5),))
    assert (judged.status, judged.provenance) == (Status.PASS, Provenance.REPORTED)


def test_the_finding_is_as_strong_as_the_weakest_proof_of_its_resources(tested: Ask) -> None:
    entries = [BackupRef(resource=name, recovery_time=HOUR) for name in (DUMPS, RDS)]
    judged = tested(*entries, own=(restore(),), pushed=(restore(resource=RDS),))
    assert (judged.status, judged.provenance) == (Status.PASS, Provenance.REPORTED)


def test_a_declared_failure_is_believed(tested: Ask) -> None:
    assert tested(own=(restore(9),), repository=(restore(2, **FAILED),)).code == "drill-failed"


def test_who_pushed_it_is_said(tested: Ask) -> None:
    assert "reported with the token ci-payments" in tested(pushed=(restore(pushed_by="ci-payments"),)).message


def test_without_a_recovery_time_nobody_can_tell(tested: Ask) -> None:
    judged = tested(BackupRef(resource=DUMPS), pushed=(restore(),))
    assert judged.cause is Cause.NOT_CONFIGURED
    assert DUMPS in judged.lines


def test_the_recovery_time_of_the_report_stands_in_where_the_catalogue_has_none(tested: Ask) -> None:
    entry = BackupRef(resource=DUMPS)
    assert tested(entry, pushed=(restore(recovery_time_seconds=900.0),)).status is Status.PASS
    assert tested(entry, pushed=(restore(recovery_time_seconds=600.0),)).code == "too-slow"
    assert tested(pushed=(restore(seconds=4000.0, recovery_time_seconds=9000.0),)).code == "too-slow", (
        "the catalogue's own counts first"
    )


@pytest.mark.parametrize("said", [RDS, RDS.upper(), "payments", "db:payments"])
def test_a_report_calls_its_resource_by_its_name_or_the_end_of_it(tested: Ask, said: str) -> None:
    judged = tested(BackupRef(resource=RDS, recovery_time=HOUR), pushed=(restore(resource=said),))
    assert judged.status is Status.PASS


def test_a_short_name_of_two_resources_is_of_neither(tested: Ask) -> None:
    table = "arn:aws:dynamodb:ap-southeast-2:111122223333:table/payments"
    entries = [BackupRef(resource=name, recovery_time=HOUR) for name in (RDS, table)]
    judged = tested(*entries, pushed=(restore(resource="payments"),))
    assert [one.code for one in judged.subjects] == ["never-restored", "never-restored"]


def test_a_drill_named_beside_its_resource_belongs_to_it_whatever_it_says(tested: Ask) -> None:
    entry = BackupRef(resource=RDS, drill="drills/p-*.json", recovery_time=HOUR)
    other = BackupRef(resource=DUMPS, recovery_time=HOUR)
    judged = tested(entry, other, own=(restore(),), repository=(restore(resource="pg", found_by="drills/p-*.json"),))
    assert [(one.name, one.code) for one in judged.subjects] == [(RDS, "declared"), (DUMPS, "validated")]


def test_where_only_drills_are_named_the_resources_are_those_of_the_reports(tested: Ask) -> None:
    entry = BackupRef(drill="drills/*.json", recovery_time=HOUR)
    reports = (restore(resource="ledger"), restore(resource="cards", seconds=9999.0))
    judged = tested(entry, repository=reports)
    assert [(one.name, one.code) for one in judged.subjects] == [("ledger", "declared"), ("cards", "too-slow")]


def test_a_failure_that_was_seen_stays_where_another_source_is_lost(tested: Ask) -> None:
    assert tested(pushed=(restore(2, **FAILED),), missing=(RepositoryDrills,)).code == "drill-failed"


def test_what_could_not_be_read_may_hold_a_failure_and_may_hold_the_restore(tested: Ask) -> None:
    for pushed in ((restore(),), (), (restore(300),)):
        judged = tested(pushed=pushed, missing=(RepositoryDrills,))
        assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.ACCESS_DENIED)


def test_each_rung_of_the_ladder_is_reached_by_a_finding_and_each_finding_stands_on_one(tested: Ask) -> None:
    reached = {tested(pushed=seen).subjects[0].code for seen, *_ in RESTORES.values()}
    reached |= {tested(**{source: (restore(),)}).subjects[0].code for source in ("own", "repository", "bucket")}
    on_ladder = frozenset().union(*(rung.codes for rung in row.ladder))
    assert reached - {"no-data"} == on_ladder


# --- AWS -------------------------------------------------------------------------------------------------------------

JOB = {"source": RestoreSource.AWS_BACKUP, "resource": RDS, "name": "restore job 7 of the plan monthly"}
IN_AWS = BackupRef(resource=RDS, recovery_time=HOUR, recovery_point=DAY)


def in_aws(*items: Backup | Unseen | Gone, missing: tuple[Unavailable, ...] = ()) -> AwsBackups:
    return AwsBackups(items=items, missing=missing)


def test_a_datastore_that_nobody_named_counts_and_asks_to_be_named(ask: Ask, tested: Ask) -> None:
    table = "arn:aws:dynamodb:ap-southeast-2:111122223333:table/carts"
    stores = in_aws(backup(name=table, kind=BackupKind.DYNAMODB))
    judged = ask(row, "automated", DumpBackups(backups=(backup(),)), stores, absent=(BucketDumps,), service=service())
    assert [(one.name, one.status.value) for one in judged.subjects] == [(DUMPS, "pass"), (table, "unknown")]
    assert table in judged.lines
    assert [one.code for one in tested(pushed=(restore(),), aws=(stores,)).subjects] == ["reported", "never-restored"]


def test_a_bucket_and_a_disk_count_where_they_are_named(ask: Ask) -> None:
    bucket = "arn:aws:s3:::receipts"
    off = backup(name=bucket, kind=BackupKind.S3, lacking="versioning is off")
    dumps = DumpBackups(backups=(backup(),))
    assert ask(row, "automated", dumps, in_aws(off), absent=(BucketDumps,), service=service()).status is Status.PASS
    named = service(BackupRef(resource=DUMPS, recovery_point=DAY), BackupRef(resource=bucket, recovery_point=DAY))
    assert ask(row, "automated", dumps, in_aws(off), absent=(BucketDumps,), service=named).code == "no-backup"


def test_what_aws_does_not_have_and_what_it_does_not_tell(ask: Ask) -> None:
    gone = ask(row, "automated", in_aws(Gone(RDS)), absent=DUMPED, service=service(IN_AWS))
    assert (gone.status, gone.code) == (Status.FAIL, "no-backup")
    unseen = ask(row, "automated", in_aws(Unseen(RDS, DENIED)), absent=DUMPED, service=service(IN_AWS))
    assert (unseen.status, unseen.cause) == (Status.UNKNOWN, Cause.ACCESS_DENIED)


def test_a_resource_of_another_account_or_of_a_kind_that_is_not_read_is_unknown(ask: Ask) -> None:
    judged = ask(row, "automated", in_aws(), absent=DUMPED, service=service(IN_AWS))
    assert judged.cause is Cause.NOT_CONFIGURED
    assert judged.lines == 'spec:\n  aws: {account: "111122223333"}'
    cache = BackupRef(resource="arn:aws:elasticache:eu-west-1:111122223333:cluster:c", recovery_point=DAY)
    other = ask(row, "automated", in_aws(), absent=DUMPED, service=service(cache))
    assert (other.status, other.cause) == (Status.UNKNOWN, Cause.NOT_SUPPORTED)
    for short in ("arn:aws", "arn:aws:s3"):
        entry = BackupRef(resource=short, recovery_point=DAY)
        judged = ask(row, "automated", in_aws(), absent=DUMPED, service=service(entry))
        assert judged.status is Status.UNKNOWN
        assert judged.cause is not Cause.PROBE_ERROR


def test_a_fault_is_unknown_where_there_may_be_more_backups_than_were_seen(ask: Ask) -> None:
    short = backup(name=RDS, kind=BackupKind.RDS, retention_days=3.0, size=None, sizes_before=())
    for partly, status in ((None, Status.FAIL), (DENIED, Status.UNKNOWN)):
        seen = in_aws(dataclasses.replace(short, partly=partly))
        assert ask(row, "automated", seen, absent=DUMPED, service=service(IN_AWS)).status is status
    good = in_aws(dataclasses.replace(short, partly=DENIED, retention_days=14.0))
    assert ask(row, "automated", good, absent=DUMPED, service=service(IN_AWS)).status is Status.PASS


def test_without_aws_in_the_service_file_nothing_is_missed_there() -> None:
    nothing = Unavailable(Cause.NOT_CONFIGURED, "spec.aws is not given")
    check = row.check("automated").function
    assert check is not None
    seen = DumpBackups(backups=(backup(),))
    for entries, status in (((), Status.PASS), ((IN_AWS,), Status.UNKNOWN)):
        about = service(*(BackupRef(resource=DUMPS, recovery_point=DAY), *entries))
        assert check(seen, Absent("none"), nothing, about, row.default_limits(), NOW).status is status


@pytest.mark.parametrize(
    ("job", "status", "code"),
    [
        (restore(**JOB), "pass", "validated"),
        (restore(**{**JOB, "validated": False}), "warn", "not-validated"),
        (restore(**JOB, **FAILED), "fail", "drill-failed"),
        (Unseen(RDS, DENIED), "unknown", "access-denied"),
    ],
)
def test_a_restore_job_is_judged_by_its_validation(tested: Ask, job: Restore | Unseen, status: str, code: str) -> None:
    judged = tested(IN_AWS, aws=(AwsRestores(items=(job,)),))
    assert (judged.status.value, judged.subjects[0].code) == (status, code)


@pytest.mark.parametrize(
    ("plans", "words"),
    [
        ((), "no restore testing plan of AWS Backup covers its type"),
        ((RestoreTestingPlan(name="monthly"),), "monthly, which never ran"),
        ((RestoreTestingPlan(name="monthly", ran_at=NOW - DAY),), "monthly, which last ran on 2026-11-22"),
    ],
)
def test_a_restore_testing_plan_is_shown_and_proves_nothing(
    tested: Ask, plans: tuple[RestoreTestingPlan, ...], words: str
) -> None:
    testing = AwsRestoreTesting(items=(RestoreTesting(name=RDS, plans=plans),))
    judged = tested(IN_AWS, aws=(testing,))
    assert (judged.status, judged.code) == (Status.FAIL, "never-restored")
    assert words in judged.message
    assert words not in tested(IN_AWS, own=(restore(resource=RDS),), aws=(testing,)).message


def test_a_restore_testing_plan_that_could_not_be_read_costs_nothing(tested: Ask) -> None:
    for testing in (AwsRestoreTesting(items=(Unseen(RDS, DENIED),)), AwsRestoreTesting(items=(), missing=(DENIED,))):
        assert tested(IN_AWS, own=(restore(resource=RDS),), aws=(testing,)).status is Status.PASS


def test_a_report_in_a_bucket_is_a_warning_at_most_and_its_failure_is_believed(tested: Ask) -> None:
    good, bad = tested(bucket=(restore(),)), tested(own=(restore(9),), bucket=(restore(2, **FAILED),))
    assert (good.status, good.subjects[0].code, good.provenance) == (Status.WARN, "declared", Provenance.DECLARED)
    assert bad.code == "drill-failed"


def test_reports_that_have_no_place_to_be_read_from_are_lost_not_absent() -> None:
    check = row.check("restore-tested").function
    assert check is not None
    nowhere = Unavailable(Cause.NOT_CONFIGURED, "spec.aws is not given")
    own, absent = OwnDrills(drills=(restore(),)), Absent("none")
    for bucket, status in ((absent, Status.PASS), (nowhere, Status.UNKNOWN)):
        seen = (own, absent, absent, bucket, *[absent] * len(AWS))
        assert check(*seen, service(), row.default_limits(), NOW).status is status


def test_what_is_not_told_of_one_resource_leaves_the_others_alone(tested: Ask) -> None:
    entries = (IN_AWS, BackupRef(resource=DUMPS, recovery_time=HOUR))
    judged = tested(*entries, own=(restore(),), aws=(AwsRestores(items=(Unseen(RDS, DENIED),)),))
    assert [one.status.value for one in judged.subjects] == ["unknown", "pass"]


# --- the Law ---------------------------------------------------------------------------------------------------------

HELPS = {Status.FAIL: 0, Status.UNKNOWN: 0, Status.WARN: 1, Status.PASS: 2}
outcomes = st.sampled_from([*[RestoreOutcome.COMPLETED] * 5, *RestoreOutcome])
restores = st.builds(
    restore,
    st.sampled_from([-1, 1, 5, 50, 120, 200]),
    outcome=outcomes,
    validated=st.sampled_from([True, True, False]),
    seconds=st.sampled_from([60.0, 60.0, 60.0, 9000.0, None]),
    source=st.sampled_from([RestoreSource.DRILL, RestoreSource.DRILL, RestoreSource.NATIVE]),
    resource=st.sampled_from([DUMPS, DUMPS, RDS, "cards"]),
    flaws=st.sampled_from([(), (), ("without a verification",)]),
)
parts = st.lists(restores, max_size=3).map(tuple)


@settings(max_examples=300, deadline=None)
@given(st.tuples(parts, parts, parts, parts), st.sampled_from(SOURCES), st.booleans(), st.booleans())
def test_losing_a_source_or_a_part_of_it_never_helps(
    drills: tuple[tuple[Restore, ...], ...], lost: type[Evidence], whole: bool, two: bool
) -> None:
    names = (DUMPS, RDS) if two else (DUMPS,)
    entries = tuple(BackupRef(resource=name, recovery_time=HOUR) for name in names)
    check = row.check("restore-tested").function
    assert check is not None

    def judged(sources: dict[type[Evidence], object]) -> Status:
        absent = [Absent("none")] * len(AWS)
        places = (sources[kind] for kind in SOURCES)
        return check(*places, *absent, service(*entries), row.default_limits(), NOW).status

    before = {
        kind: kind(drills=given) if given else Absent("none") for kind, given in zip(SOURCES, drills, strict=True)
    }
    seen = before[lost]
    after: object = DENIED
    if not whole and isinstance(seen, Evidence):
        after = dataclasses.replace(seen, drills=seen.drills[1:], missing=(DENIED,))  # type: ignore[attr-defined,call-arg]
    first, second = judged(before), judged({**before, lost: after})
    event(f"{first} then {second}")
    assert HELPS[second] <= HELPS[first]
    assert second in {Status.UNKNOWN, Status.FAIL}, "nothing passes while something could not be read"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            backup,
            name=st.sampled_from([DUMPS, "/other"]),
            size=st.sampled_from([None, 0, 400, 1000]),
            retention_days=st.sampled_from([None, 3.0, 14.0, math.inf]),
            newest_at=st.sampled_from([None, NOW - HOUR, NOW - 3 * DAY, NOW + DAY]),
            continuous=st.booleans(),
        ),
        max_size=2,
        unique_by=lambda one: one.name,
    ).map(tuple),
    st.data(),
)
def test_losing_anything_of_a_backup_never_helps(backups: tuple[Backup, ...], data: st.DataObject) -> None:
    entries = tuple(BackupRef(resource=name, recovery_point=DAY) for name in (DUMPS, "/other"))
    check = row.check("automated").function
    assert check is not None

    def judged(seen: object) -> Status:
        return check(seen, Absent("none"), Absent("none"), service(*entries), row.default_limits(), NOW).status

    before = judged(DumpBackups(backups=backups))
    changes = [DENIED, DumpBackups(backups=backups[1:], missing=(DENIED,)), DumpBackups(backups=backups[1:])]
    if backups:
        first = backups[0]
        losses = ({"unread": DENIED}, {"retention_days": None}, {"newest_at": None})
        changes += [DumpBackups(backups=(dataclasses.replace(first, **loss), *backups[1:])) for loss in losses]
    after = judged(data.draw(st.sampled_from(changes)))
    event(f"{before} then {after}")
    assert HELPS[after] <= HELPS[before]


@pytest.mark.parametrize(
    ("check", "words"),
    [("automated", "7 days or more"), ("restore-tested", "100 days (180 at most)")],
)
def test_a_rule_shows_the_threshold_in_force(check: str, words: str) -> None:
    assert words in row.check(check).rule(row.default_limits())


def test_the_remedy_gives_the_lines_to_write() -> None:
    assert "scorecard push drill report.json" in row.check("restore-tested").remedy
    assert "recovery_point: 24h" in row.check("automated").remedy
