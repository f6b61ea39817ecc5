"""Dumps in S3 and snapshots of RDS, against moto; what moto cannot do is asked of the session's PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer

from scorecard.drill.report import DrillReport, Result
from scorecard.drill.snapshot import restore_snapshot
from tests.drill.conftest import Shop, setting

pytestmark = pytest.mark.postgres

REGION = "eu-west-1"
ROWS = [{"rows": {"table": "orders", "at_least": 20_000}}]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def client(service: str, endpoint: str) -> Any:  # noqa: ANN401 - boto3 has no types
    return boto3.client(service, region_name=REGION, endpoint_url=endpoint)


@pytest.fixture
def bucket(endpoint: str, request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - as above
    name = "dumps-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:10]
    client("s3", endpoint).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return boto3.resource("s3", region_name=REGION, endpoint_url=endpoint).Bucket(name)


def source(bucket: Any, key: str, endpoint: str, **more: str) -> dict[str, Any]:  # noqa: ANN401 - as above
    return {"s3": f"s3://{bucket.name}/{key}", "endpoint_url": endpoint, "region": REGION, **more}


def test_the_newest_dump_under_a_prefix_is_fetched_checked_and_restored(shop: Shop, endpoint: str, bucket: Any) -> None:  # noqa: ANN401
    data = (shop.folder / "shop.dump").read_bytes()
    bucket.put_object(Key="nightly/a.dump", Body=b"old")
    bucket.put_object(Key="nightly/b.dump", Body=data)
    bucket.put_object(Key="nightly/b.dump.sha256", Body=f"{hashlib.sha256(data).hexdigest()}  b.dump\n".encode())
    report = shop.drill(source(bucket, "nightly/", endpoint), verifications=ROWS, amcheck="off")
    assert (report.code, report.message) == ("", "")
    assert report.backup.id == "nightly/b.dump"
    assert next(step.detail for step in report.steps if step.name == "checksum") == "as expected"


def test_a_directory_dump_of_many_objects_is_restored_and_one_that_is_missing_is_seen(
    shop: Shop,
    endpoint: str,
    bucket: Any,  # noqa: ANN401
) -> None:
    files = sorted((shop.folder / "shop.d").iterdir(), key=lambda file: file.stat().st_size)
    for file in files:
        bucket.put_object(Key=f"nightly/shop.d/{file.name}", Body=file.read_bytes())
    of = source(bucket, "nightly/", endpoint)
    assert shop.drill(of, verifications=ROWS, amcheck="off").code == ""
    bucket.Object(f"nightly/shop.d/{files[-1].name}").delete()
    report = shop.drill(of, verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "truncated"), report.message


@pytest.mark.parametrize(
    ("key", "result", "code"),
    [("nothing/", Result.FAILURE, "no-backup"), ("", Result.FAILURE, "no-backup")],
)
def test_an_empty_prefix_is_no_backup(
    shop: Shop,
    endpoint: str,
    bucket: Any,  # noqa: ANN401
    key: str,
    result: Result,
    code: str,
) -> None:
    report = shop.drill(source(bucket, key, endpoint), verifications=ROWS)
    assert (report.result, report.code) == (result, code)


def test_a_bucket_that_is_not_there_tells_nothing_about_the_backup(shop: Shop, endpoint: str) -> None:
    of = {"s3": "s3://no-such-bucket/x", "endpoint_url": endpoint, "region": REGION}
    report = shop.drill(of, verifications=ROWS)
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "no-source")
    assert "NoSuchBucket" in report.message


class Instances:
    """A production instance with a snapshot, and drills of it."""

    def __init__(self, shop: Shop, endpoint: str) -> None:
        self.shop = shop
        self.endpoint = endpoint
        self.rds = client("rds", endpoint)

    def names(self) -> list[str]:
        return [one["DBInstanceIdentifier"] for one in self.rds.describe_db_instances()["DBInstances"]]

    def drill(self, folder: Path, scratch: dict[str, Any] | None = None, **changes: Any) -> DrillReport:  # noqa: ANN401
        rds = {"instance": "shop", "region": REGION, "endpoint_url": self.endpoint, "instance_class": "db.t3.micro"}
        spec = self.shop.spec(
            {"rds": rds},
            scratch=scratch or {"host": str(self.shop.cluster.folder), "database": "shop"},
            **{"production": [{"host": "shop.example.internal"}], "verifications": ROWS, **changes},
        )
        return restore_snapshot(spec, setting(folder))


@pytest.fixture(scope="module")
def instances(shop: Shop, endpoint: str) -> Instances:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        made = Instances(shop, endpoint)
        made.rds.create_db_instance(
            DBInstanceIdentifier="shop",
            DBInstanceClass="db.t3.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="shop",
            MasterUserPassword="canary-password",
        )
        made.rds.create_db_snapshot(DBSnapshotIdentifier="shop-nightly", DBInstanceIdentifier="shop")
    return made


def test_a_snapshot_is_restored_into_an_instance_of_the_drills_own_verified_and_deleted(
    instances: Instances, tmp_path: Path
) -> None:
    report = instances.drill(tmp_path)
    assert (report.kind, report.result, report.code, report.message) == ("rds-snapshot", Result.SUCCESS, "", "")
    assert [step.name for step in report.steps] == [
        "refuse production", "sweep", "find", "age", "restore", "verify", "delete",
    ]  # fmt: skip
    assert report.backup.id == "shop-nightly"
    assert report.backup.size == 20 << 30
    told = next(step.detail for step in report.steps if step.name == "verify")
    assert "nothing here shows that it is the restored one" in told
    assert report.verifications[0].vacuous is None
    assert instances.names() == ["shop"]


def test_the_database_that_a_spec_gives_in_place_of_the_instance_is_only_read_from(
    instances: Instances, tmp_path: Path
) -> None:
    instances.drill(tmp_path)
    with psycopg.connect(instances.shop.cluster.url("shop")) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM pg_extension WHERE extname = 'amcheck')"
        ).fetchone()
    assert row == (20_000, 0)


def test_an_answer_that_is_wrong_fails_the_drill_and_the_instance_is_deleted(
    instances: Instances, tmp_path: Path
) -> None:
    report = instances.drill(tmp_path, verifications=[{"rows": {"table": "orders", "at_least": 10**9}}])
    assert (report.result, report.code) == (Result.FAILURE, "too-few-rows")
    assert instances.names() == ["shop"]


def test_an_endpoint_that_cannot_be_asked_is_said_and_the_instance_is_deleted(
    instances: Instances, tmp_path: Path
) -> None:
    report = instances.drill(tmp_path, scratch={"host": str(tmp_path)})
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "server-lost")
    assert report.restore_seconds is not None
    assert instances.names() == ["shop"]


@pytest.mark.parametrize(
    ("changes", "result", "code"),
    [
        ({"verifications": []}, Result.FAILURE, "no-verifications"),
        ({"recovery_time": "1ms"}, Result.FAILURE, "too-slow"),
        ({"recovery_point": "1ms"}, Result.FAILURE, "stale"),
    ],
)
def test_snapshots_fail_for_the_reasons_of_dumps(
    instances: Instances, tmp_path: Path, changes: dict[str, Any], result: Result, code: str
) -> None:
    report = instances.drill(tmp_path, **changes)
    assert (report.result, report.code) == (result, code)
    assert instances.names() == ["shop"]


def test_what_a_drill_that_died_left_is_deleted_and_nothing_that_only_looks_like_it(
    instances: Instances, tmp_path: Path
) -> None:
    names = {
        "drill-shop-20200101000000-0a1b2c3d": [{"Key": "scorecard-drill", "Value": "2020-01-01T05:00:00Z"}],
        "drill-shop-20200101000000-0a1b2c3e": [{"Key": "scorecard-drill", "Value": "2999-01-01T05:00:00Z"}],
        "drill-shop-20200101000000-0a1b2c3f": [],
        "drill-by-hand": [{"Key": "scorecard-drill", "Value": "2020-01-01T05:00:00Z"}],
    }
    for name, tags in names.items():
        instances.rds.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier=name, DBSnapshotIdentifier="shop-nightly", Tags=tags
        )
    try:
        report = instances.drill(tmp_path)
        swept, *left = names
        assert swept in next(step.detail for step in report.steps if step.name == "sweep")
        assert sorted(instances.names()) == sorted(["shop", *left])
    finally:
        for name in set(instances.names()) - {"shop"}:
            instances.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_an_interrupted_drill_deletes_its_instance(instances: Instances, tmp_path: Path) -> None:
    made = setting(tmp_path)
    stopping = replace(made, tell=lambda word: made.stop.set() if word == "verify" else None)
    spec = instances.shop.spec(
        {"rds": {"instance": "shop", "region": REGION, "endpoint_url": instances.endpoint}},
        scratch={"host": str(instances.shop.cluster.folder), "database": "shop"},
        verifications=ROWS,
    )
    report = restore_snapshot(spec, stopping)
    assert (report.result, report.code) == (Result.NOT_CARRIED_OUT, "interrupted")
    assert instances.names() == ["shop"]
