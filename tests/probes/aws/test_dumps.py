"""Dumps and drill reports in buckets, on an endpoint whose answers botocore's models have checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from scorecard.demo.aws import AwsRefusal
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.backups import Backup, BackupKind, BucketDrills, BucketDumps, RestoreOutcome
from scorecard.model import AwsRef, BackupRef, Cause, Provenance, Service, Spec
from scorecard.probes.aws import dumps, reports
from scorecard.probes.aws.policy import actions, policy
from tests.probes.aws.estate import ACCOUNT, NOW, Asking
from tests.probes.aws.reused import Aws, aws, served

__all__ = ["aws", "served"]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NIGHTLY = "s3://ledger-dumps/nightly/"
REPORTS = "s3://drills/ledger-*.json"


@dataclass
class Buckets:
    """What is in some buckets, listed in pages and read whole."""

    page: int = 1000
    objects: dict[str, dict[str, tuple[bytes, datetime, int]]] = field(default_factory=dict)
    """Bucket, then key, to what is in it, when it was written, how large it is said to be."""
    listed: list[str] = field(default_factory=list)
    got: list[str] = field(default_factory=list)

    def put(self, place: str, *, ago: timedelta = HOUR, size: int = 0, body: bytes = b"") -> None:
        bucket, _, key = place.removeprefix("s3://").partition("/")
        self.objects.setdefault(bucket, {})[key] = body, NOW - ago, size or len(body)

    def listing(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        self.listed.append(f"{asked['Bucket']}/{asked['Prefix']}")
        if asked["Bucket"] not in self.objects:
            raise AwsRefusal("NoSuchBucket", "The specified bucket does not exist", 404)
        keys = sorted(key for key in self.objects[asked["Bucket"]] if key.startswith(asked["Prefix"]))
        start = int(asked.get("ContinuationToken") or 0)
        found = [(key, self.objects[asked["Bucket"]][key]) for key in keys[start : start + self.page]]
        more = start + self.page < len(keys)
        return {
            "Contents": [
                {"Key": key, "LastModified": at, "Size": size, "ETag": f'"{at:%s}"'} for key, (_, at, size) in found
            ],
            "IsTruncated": more,
            **({"NextContinuationToken": str(start + self.page)} if more else {}),
        }

    def get(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        self.got.append(asked["Key"])
        body, at, _ = self.objects[asked["Bucket"]][asked["Key"]]
        return {"Body": body, "ContentRange": f"bytes 0-{len(body) - 1}/{len(body)}", "LastModified": at}


@pytest.fixture
def buckets(aws: Aws) -> Buckets:
    endpoint, asking = aws
    found = Buckets()
    endpoint.on(ACCOUNT, "s3:ListObjectsV2", found.listing)
    endpoint.on(ACCOUNT, "s3:GetObject", found.get)
    for probe in asking.probes:
        if isinstance(probe, reports.BucketDrillsProbe):
            probe._known.clear()
    return found


def ledger(*entries: BackupRef, name: str = "ledger", account: bool = True) -> Service:
    about = AwsRef(account=ACCOUNT) if account else None
    return Service(name=name, spec=Spec(aws=about, backups=entries or (BackupRef(resource="ledger", dumps=NIGHTLY),)))


def only(asking: Asking, *entries: BackupRef) -> Backup:
    answer = asking.one(BucketDumps, ledger(*entries))
    assert isinstance(answer, BucketDumps), answer
    (found,) = answer.backups
    return found


class TestDumps:
    def test_their_age_and_sizes_are_those_of_the_series(self, aws: Aws, buckets: Buckets) -> None:
        buckets.page = 3
        for day in range(8):
            buckets.put(f"{NIGHTLY}ledger-{day}.dump", ago=day * DAY + HOUR, size=1000 + day)
        found = only(aws[1])
        assert (found.name, found.kind, found.copies) == ("ledger", BackupKind.BUCKET, 8)
        assert (found.newest, found.newest_at, found.size) == ("nightly/ledger-0.dump", NOW - HOUR, 1000)
        assert found.sizes_before == (1001, 1002, 1003, 1004, 1005, 1006, 1007)
        assert found.retention_days == 8.0

    def test_an_empty_prefix_and_a_bucket_that_is_not_there_are_no_backup(self, aws: Aws, buckets: Buckets) -> None:
        buckets.put("s3://ledger-dumps/nightly-of-others/x.dump", size=9)
        assert only(aws[1]).lacking == f"there is no dump at {NIGHTLY}"
        gone = only(aws[1], BackupRef(resource="s3://gone/x"))
        assert (gone.lacking, gone.unread) == ("there is no bucket gone", None)

    def test_what_is_denied_or_breaks_off_is_not_known(self, aws: Aws, buckets: Buckets) -> None:
        endpoint, asking = aws
        endpoint.denied.add("s3:ListObjectsV2")
        found = only(asking)
        assert found.lacking == ""
        assert found.unread is not None
        assert found.unread.cause is Cause.ACCESS_DENIED
        endpoint.denied.clear()
        buckets.page = 1
        for day in (1, 2):
            buckets.put(f"{NIGHTLY}{day}.dump", ago=day * DAY, size=9)

        def second_page_denied(asked: Mapping[str, Any]) -> Mapping[str, Any]:
            if asked.get("ContinuationToken"):
                raise AwsRefusal("AccessDenied", "Access Denied", 403)
            return buckets.listing(asked)

        endpoint.on(ACCOUNT, "s3:ListObjectsV2", second_page_denied)
        broken = only(asking, BackupRef(resource="s3://ledger-dumps/nightly"))
        assert broken.unread is not None

    def test_more_than_are_looked_through_is_not_known(
        self,
        aws: Aws,
        buckets: Buckets,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(dumps, "LISTING", dumps.Call(**{**_fields(dumps.LISTING), "most": 4}))
        buckets.page = 2
        for day in range(5):
            buckets.put(f"{NIGHTLY}{day}.dump", ago=day * DAY, size=9)
        found = only(aws[1])
        assert found.unread is not None
        assert (found.unread.cause, len(buckets.listed)) == (Cause.NOT_SUPPORTED, 2)

    @pytest.mark.parametrize(
        ("place", "expected"),
        [
            (NIGHTLY, {"nightly/a.dump", "nightly/2026/b.sql.gz", "nightly/c"}),
            ("s3://ledger-dumps/nightly", {"nightly/a.dump", "nightly/2026/b.sql.gz", "nightly/c"}),
            ("s3://ledger-dumps/nightly/*.dump", {"nightly/a.dump"}),
            ("s3://ledger-dumps/*/2026/*", {"nightly/2026/b.sql.gz"}),
            ("s3://ledger-dumps/nightly/a.dump.sha256", {"nightly/a.dump.sha256"}),
            ("s3://ledger-dumps/night*/?", {"nightly/c"}),
            ("s3://ledger-dumps", {"nightly/a.dump", "nightly/2026/b.sql.gz", "nightly/c", "nightly-old/d.dump"}),
        ],
    )
    def test_a_place_names_its_dumps_and_nothing_else(self, place: str, expected: set[str]) -> None:
        keys = [
            "nightly/a.dump",
            "nightly/a.dump.sha256",
            "nightly/.hidden/a.dump",
            "nightly/a.dump.part",
            "nightly/2026/",
            "nightly/2026/b.sql.gz",
            "nightly/c/toc.dat",
            "nightly/c/3001.dat.gz",
            "nightly/d/3001.dat.gz",
            "nightly-old/d.dump",
        ]
        pattern = dumps.read_pattern(place)
        assert pattern is not None
        objects = [{"Key": key, "LastModified": NOW, "Size": 1} for key in keys if key.startswith(pattern.prefix)]
        found = {one.name: one.size for one in dumps.dumps_of(pattern, objects)}
        assert set(found) == expected
        assert found.get("nightly/c", 2) == 2, "a folder's dump has the size of all its parts"

    def test_one_listing_serves_all_services_that_name_the_prefix(self, aws: Aws, buckets: Buckets) -> None:
        buckets.put(f"{NIGHTLY}a.dump", size=9)
        services = [ledger(name=f"ledger-{number}") for number in range(5)]
        answers = aws[1](BucketDumps, services)
        assert len(answers) == 5
        assert buckets.listed == ["ledger-dumps/nightly/"]

    def test_who_names_none_has_none_and_who_names_no_account_is_told(self, aws: Aws, buckets: Buckets) -> None:
        _, asking = aws
        directory = ledger(BackupRef(resource="/dumps"))
        assert isinstance(asking.one(BucketDumps, directory), Absent)
        assert isinstance(asking.one(BucketDrills, directory), Absent)
        (found,) = asking.one(BucketDumps, ledger(account=False)).backups
        assert (found.unread.cause, "spec:" in found.unread.lines) == (Cause.NOT_CONFIGURED, True)
        assert buckets.listed == []


def _fields(call: dumps.Call) -> dict[str, Any]:
    return {name: getattr(call, name) for name in call.__dataclass_fields__}


def report(day: int, **more: object) -> bytes:
    check = {"name": "rows", "query": "select count(*) from ledger", "expected": "> 0", "actual": "9", "ok": True}
    document = {
        "schema": 1,
        "service": "ledger",
        "resource": "ledger",
        "kind": "postgres-dump",
        "backup": {"id": "ledger.dump", "created_at": f"2026-11-{day:02}T01:00:00Z"},
        "started_at": f"2026-11-{day:02}T03:00:00Z",
        "finished_at": f"2026-11-{day:02}T03:12:00Z",
        "result": "success",
        "verifications": [check],
        "tool": {"name": "scorecard"},
        **more,
    }
    return json.dumps(document).encode()


def drills(asking: Asking) -> BucketDrills:
    answer = asking.one(BucketDrills, ledger(BackupRef(resource="ledger", drill=REPORTS)))
    assert isinstance(answer, BucketDrills), answer
    return answer


class TestReports:
    def test_they_are_read_declared_and_bound_to_what_names_them(self, aws: Aws, buckets: Buckets) -> None:
        failure = report(2, result="failure", code="truncated", message="end of file", verifications=[])
        buckets.put("s3://drills/ledger-1.json", ago=2 * DAY, body=report(1))
        buckets.put("s3://drills/ledger-2.json", ago=DAY, body=failure)
        buckets.put("s3://drills/cards-2.json", body=b"{")
        seen = drills(aws[1])
        assert (seen.provenance, seen.missing) == (Provenance.DECLARED, ())
        bad, good = seen.drills
        assert (good.name, good.found_by, good.validated) == ("s3://drills/ledger-1.json", REPORTS, True)
        assert (bad.outcome, bad.detail) == (RestoreOutcome.FAILED, "truncated: end of file")
        assert seen.exhibits[0].facts["newest"] == "s3://drills/ledger-2.json"

    def test_an_object_that_did_not_change_is_fetched_once(self, aws: Aws, buckets: Buckets) -> None:
        endpoint, asking = aws
        buckets.put("s3://drills/ledger-1.json", body=report(1))
        first = drills(asking)
        for probe in asking.probes:
            probe.places._lanes.clear()  # type: ignore[attr-defined] # every probe of AWS has them
        assert drills(asking).drills == first.drills
        assert (len(buckets.listed), buckets.got) == (2, ["ledger-1.json"])
        assert not endpoint.wrong

    def test_only_the_newest_few_are_read(
        self,
        aws: Aws,
        buckets: Buckets,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(reports, "MOST_REPORTS", 2)
        for day in (1, 2, 3):
            buckets.put(f"s3://drills/ledger-{9 - day}.json", ago=(10 - day) * DAY, body=report(day))
        assert [one.name[-6] for one in drills(aws[1]).drills] == ["6", "7"]

    def test_what_is_no_report_or_too_large_or_denied_is_missing(self, aws: Aws, buckets: Buckets) -> None:
        endpoint, asking = aws
        buckets.put("s3://drills/ledger-1.json", body=report(1))
        buckets.put("s3://drills/ledger-2.json", body=b'{"schema": 1, "service": "ledger"}')
        buckets.put("s3://drills/ledger-3.json", body=b"x", size=reports.LIMIT + 1)
        seen = drills(asking)
        assert len(seen.drills) == 1
        assert {one.cause for one in seen.missing} == {Cause.BAD_RESPONSE, Cause.NOT_SUPPORTED}
        assert any("no drill report" in one.detail for one in seen.missing)
        assert "ledger-3.json" not in buckets.got
        buckets.put("s3://drills/ledger-4.json", body=report(4))
        endpoint.denied.add("s3:GetObject")
        for probe in asking.probes:
            probe.places._lanes.clear()  # type: ignore[attr-defined] # every probe of AWS has them
        assert Cause.ACCESS_DENIED in {one.cause for one in drills(asking).missing}

    def test_no_bucket_and_no_permission_to_list_are_missing_not_absent(self, aws: Aws, buckets: Buckets) -> None:
        endpoint, asking = aws
        assert [one.cause for one in drills(asking).missing] == [Cause.NO_DATA]
        endpoint.denied.add("s3:ListObjectsV2")
        for probe in asking.probes:
            probe.places._lanes.clear()  # type: ignore[attr-defined] # every probe of AWS has them
        assert [one.cause for one in drills(asking).missing] == [Cause.ACCESS_DENIED]
        assert buckets.got == []
        nowhere = asking.one(BucketDrills, ledger(BackupRef(drill=REPORTS), account=False))
        assert isinstance(nowhere, Unavailable)


def test_the_policy_lists_buckets_and_names_what_needs_it() -> None:
    assert actions()["s3:ListBucket"] == {"BucketDumps", "BucketDrills"}
    assert "BucketDrills" in actions()["s3:GetObject"]
    assert "s3:ListBucket" in policy()["Statement"][0]["Action"]
