"""What is read of each kind of resource: one account, asked once, and looked at item by item."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from scorecard.evidence import Evidence
from scorecard.evidence.aws import (
    DataAtRest,
    DataInTransit,
    Listeners,
    Placement,
    Spreads,
    Standbys,
    Unseen,
    WaysOut,
)
from scorecard.model import Cause
from scorecard.probes.aws.encryption import refuses_plain
from tests.probes.aws import estate, stock

Seen = dict[type[Evidence], dict[str, Any]]
KINDS: tuple[type[Evidence], ...] = (Placement, Standbys, Spreads, WaysOut, Listeners, DataInTransit, DataAtRest)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """What the seven questions bring, each item under the end of its name."""
    with (
        pytest.MonkeyPatch.context() as environment,
        estate.endpoint_and_probes(tmp_path_factory.mktemp("aws")) as (endpoint, asking),
    ):
        estate.credentials(environment)
        estate.zones(endpoint)
        estate.subnets(endpoint)
        stock.fill(endpoint)
        yield {kind: {short(item.name): item for item in asking.one(kind).items} for kind in KINDS}


def short(name: str) -> str:
    """`rds:db:pair` of an ARN."""
    parts = name.split(":")
    return ":".join((parts[2], *parts[5:])) if len(parts) > 5 else name


AZ = {"a": "euw1-az3", "b": "euw1-az1", "c": "euw1-az2"}


def zones(letters: str) -> tuple[str, ...]:
    return tuple(sorted(AZ[letter] for letter in letters))


def counted(**counts: int) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(((AZ[z], n) for z, n in counts.items()), key=lambda pair: (-pair[1], pair[0])))


LB = "elasticloadbalancing:"
CASES: list[tuple[type[Evidence], str, dict[str, Any]]] = [
    (Placement, "ecs:service/main/even", {"zones": counted(a=1, b=1), "unplaced": (), "idle": ""}),
    (Placement, "ecs:service/main/down", {"zones": (), "unplaced": (), "idle": ""}),
    (Placement, "ecs:service/main/off", {"zones": (), "idle": "it asks for 0 tasks"}),
    (Placement, "ecs:service/main/lost", {"zones": (), "lost": [1]}),
    (Placement, "autoscaling:autoScalingGroup:1f:autoScalingGroupName/workers", {"zones": counted(a=1, b=1)}),
    (Placement, "autoscaling:autoScalingGroup:1f:autoScalingGroupName/parked", {"idle": "it asks for 0 instances"}),
    (Placement, "EC2 instances", {"zones": counted(a=1, b=1), "idle": ""}),
    (Placement, f"{LB}targetgroup/instances/1", {"zones": counted(a=1), "units": "targets"}),
    (Placement, f"{LB}targetgroup/shared/1", {"zones": counted(a=1, b=1)}),
    (Placement, f"{LB}targetgroup/empty/1", {"zones": (), "idle": "no target is registered"}),
    (Placement, f"{LB}targetgroup/outside/1", {"zones": (), "lost": [1]}),
    (Placement, f"{LB}targetgroup/function/1", {"by_design": "its target is a Lambda function"}),
    (
        Placement,
        "lambda:function:free",
        {"by_design": "a Lambda function outside of a VPC runs in every zone of its region"},
    ),
    (Placement, "lambda:function:inside", {"zones": counted(a=1, c=1), "by_design": ""}),
    (Placement, "sqs:jobs", {"by_design": "SQS keeps every message in several zones of its region"}),
    (Standbys, "rds:db:pair", {"automatic": True, "zones": zones("ab"), "words": "MultiAZ is on"}),
    (Standbys, "rds:db:unnamed", {"automatic": True, "zones": zones("ac"), "zone_count": 2}),
    (Standbys, "rds:db:narrow", {"automatic": True, "zones": zones("a"), "zone_count": 1}),
    (Standbys, "rds:db:single", {"automatic": False, "zones": zones("a"), "words": "MultiAZ is off"}),
    (Standbys, "rds:db:replica", {"automatic": False, "replica_of": "pair"}),
    (Standbys, "rds:db:wide-a", {"automatic": True, "zones": zones("ab")}),
    (Standbys, "rds:db:thin-1", {"automatic": True, "zones": zones("a")}),
    (Standbys, "rds:cluster:wide", {"automatic": True, "zones": zones("ab"), "words": "2 members"}),
    (Standbys, "rds:cluster:thin", {"automatic": True, "zones": zones("a"), "zone_count": 1}),
    (
        Standbys,
        "rds:cluster:first",
        {"by_design": "Aurora Serverless v1 starts again in another zone by itself"},
    ),
    (Standbys, "elasticache:replicationgroup:sessions", {"automatic": True, "zone_count": 2}),
    (Standbys, "elasticache:replicationgroup:lopsided", {"automatic": True, "zones": zones("c")}),
    (
        Standbys,
        "elasticache:replicationgroup:manual",
        {"automatic": False, "words": "automatic failover is disabled, 1 shard"},
    ),
    (Standbys, "elasticache:cluster:sessions-001", {"automatic": True, "zone_count": 2}),
    (Standbys, "elasticache:cluster:memo", {"automatic": False, "zones": zones("ab")}),
    (
        Standbys,
        "elasticache:serverlesscache:quick",
        {"by_design": "a serverless cache keeps its data in several zones of its region"},
    ),
    (Standbys, "es:domain/wide", {"automatic": True, "zones": zones("ab"), "zone_count": 2}),
    (Standbys, "es:domain/thin", {"automatic": False, "zones": zones("a")}),
    (Standbys, "es:domain/public", {"automatic": True, "zones": (), "zone_count": 2}),
    (Standbys, "elasticfilesystem:file-system/fs-wide", {"automatic": True, "zones": zones("ab")}),
    (Standbys, "elasticfilesystem:file-system/fs-thin", {"automatic": True, "zones": zones("b")}),
    (Standbys, "elasticfilesystem:file-system/fs-one", {"automatic": False, "words": "a One Zone file system"}),
    (Standbys, "dynamodb:table/ledger", {"by_design": "DynamoDB keeps every table in three zones of its region"}),
    (Standbys, "s3:tight", {"by_design": "S3 keeps every object in three zones of its region or more"}),
    (Spreads, "ecs:service/main/even", {"zones": zones("ab"), "desired": 2, "least": None, "placed": True}),
    (Spreads, "ecs:service/main/lost", {"zones": (), "desired": 1, "placed": False}),
    (
        Spreads,
        "autoscaling:autoScalingGroup:1f:autoScalingGroupName/workers",
        {"zones": zones("ab"), "desired": 3, "least": 1},
    ),
    (Spreads, "lambda:function:inside", {"zones": zones("ac"), "desired": None}),
    (Spreads, f"{LB}loadbalancer/app/edge/1", {"zones": zones("ab")}),
    (Spreads, f"{LB}loadbalancer/veteran", {"cause": Cause.NOT_SUPPORTED}),
    (WaysOut, "subnet-a", {"zone": AZ["a"], "gateway": "nat-a", "gateway_zones": zones("a")}),
    (WaysOut, "subnet-b", {"zone": AZ["b"], "gateway": "nat-a", "gateway_zones": zones("a"), "regional": False}),
    (WaysOut, "subnet-c", {"gateway": "nat-gone", "gateway_zones": ()}),
    (Listeners, f"{LB}listener/app/edge/1/443", {"policy": "new", "versions": ("TLSv1.2", "TLSv1.3")}),
    (Listeners, f"{LB}listener/app/edge/1/8443", {"policy": "old", "versions": ("TLSv1", "TLSv1.1", "TLSv1.2")}),
    (Listeners, f"{LB}listener/app/edge/1/80", {"redirects": True, "where": "HTTP:80 of edge"}),
    (Listeners, f"{LB}listener/app/edge/1/8080", {"redirects": False}),
    (Listeners, f"{LB}listener/app/common/1/443", {"policy": "new"}),
    (Listeners, f"{LB}listener/app/common/1/80", {"redirects": True}),
    (Listeners, f"{LB}listener/app/common/1/8080", {"redirects": False}),
    (Listeners, f"{LB}loadbalancer/veteran", {"cause": Cause.NOT_SUPPORTED}),
    (DataInTransit, "rds:db:pair", {"encrypted": True, "words": "rds.force_ssl = 1 in forced", "pending": ""}),
    (DataInTransit, "rds:db:waiting", {"encrypted": True, "pending": "forced is pending-reboot"}),
    (DataInTransit, "rds:db:narrow", {"encrypted": False, "words": "rds.force_ssl = 0 in open"}),
    (DataInTransit, "rds:db:single", {"encrypted": False, "words": "rds.force_ssl is not set in unset"}),
    (DataInTransit, "rds:db:oracle", {"cause": Cause.NOT_SUPPORTED}),
    (DataInTransit, "rds:db:thin-1", {"encrypted": False}),
    (DataInTransit, "rds:cluster:wide", {"encrypted": True}),
    (DataInTransit, "rds:cluster:thin", {"words": "require_secure_transport = OFF in mysql-open"}),
    (DataInTransit, "rds:cluster:first", {"encrypted": True}),
    (DataInTransit, "elasticache:replicationgroup:sessions", {"encrypted": True}),
    (DataInTransit, "elasticache:replicationgroup:lopsided", {"encrypted": False}),
    (DataInTransit, "elasticache:replicationgroup:manual", {"encrypted": False}),
    (DataInTransit, "elasticache:cluster:memo", {"encrypted": False}),
    (DataInTransit, "elasticache:serverlesscache:quick", {"encrypted": True}),
    (DataInTransit, "es:domain/wide", {"encrypted": True}),
    (DataInTransit, "es:domain/thin", {"encrypted": False}),
    (DataInTransit, "s3:tight", {"encrypted": True}),
    (DataInTransit, "s3:loose", {"encrypted": False, "words": "no statement refuses plain requests"}),
    (DataInTransit, "s3:plain", {"encrypted": False, "words": "it has no policy that refuses plain requests"}),
    (DataInTransit, "dynamodb:table/ledger", {"encrypted": None}),
    (DataAtRest, "rds:db:pair", {"encrypted": True, "words": "StorageEncrypted is true, key key-1"}),
    (DataAtRest, "rds:db:single", {"encrypted": False, "words": "StorageEncrypted is false"}),
    (DataAtRest, "rds:cluster:wide", {"encrypted": True}),
    (DataAtRest, "rds:cluster:thin", {"encrypted": False}),
    (DataAtRest, "dynamodb:table/ledger", {"encrypted": True, "words": "encrypted with k"}),
    (DataAtRest, "s3:tight", {"encrypted": True, "words": "default encryption is aws:kms"}),
    (DataAtRest, "s3:loose", {"encrypted": False, "words": "there is no default encryption"}),
    (DataAtRest, "ec2:volume/vol-1", {"encrypted": True}),
    (DataAtRest, "ec2:volume/vol-open", {"encrypted": False, "kind": "EBS volume"}),
    (DataAtRest, "elasticfilesystem:file-system/fs-wide", {"encrypted": True}),
    (DataAtRest, "elasticfilesystem:file-system/fs-thin", {"encrypted": False}),
    (DataAtRest, "elasticache:replicationgroup:sessions", {"encrypted": True}),
    (DataAtRest, "elasticache:replicationgroup:manual", {"encrypted": False}),
    (DataAtRest, "elasticache:cluster:memo", {"encrypted": False}),
    (DataAtRest, "elasticache:serverlesscache:quick", {"encrypted": True}),
    (DataAtRest, "es:domain/thin", {"encrypted": False}),
]


@pytest.mark.parametrize(("kind", "name", "expected"), CASES, ids=[f"{k.kind()} {name}" for k, name, _ in CASES])
def test_a_resource_is_read_as_it_is(seen: Seen, kind: type[Evidence], name: str, expected: dict[str, Any]) -> None:
    item = seen[kind][name]
    if isinstance(item, Unseen):
        assert expected == {"cause": item.why.cause}
        return
    found = {key: [one.count for one in item.unplaced] if key == "lost" else getattr(item, key) for key in expected}

    assert found == expected


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_ended_and_what_belongs_to_another_is_no_item(seen: Seen, kind: type[Evidence]) -> None:
    ended = {"ecs:service/main/ended", "ec2:instance/i-5", "ec2:volume/vol-gone", "dynamodb:table/dropped"}
    # Of a table no question about the way to it is asked, so that nobody learns there that it is gone.
    ended -= {"dynamodb:table/dropped"} if kind is DataInTransit else set()

    assert ended.isdisjoint(seen[kind])
    assert "ec2:instance/i-3" not in seen[kind], "it is the Auto Scaling group's"


TIGHT = stock.TIGHT


@pytest.mark.parametrize(
    ("statement", "refuses"),
    [
        (TIGHT, True),
        ({**TIGHT, "Principal": {"AWS": "*"}, "Action": ["*"], "Resource": "*"}, True),
        ({**TIGHT, "Condition": {"Bool": {"aws:securetransport": False}}}, True),
        ({**TIGHT, "Effect": "Allow"}, False),
        ({**TIGHT, "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}, False),
        ({**TIGHT, "Action": "s3:PutObject"}, False),
        ({**TIGHT, "Resource": "arn:aws:s3:::tight"}, False),
        ({**TIGHT, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, False),
        ({**TIGHT, "Condition": {**TIGHT["Condition"], "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, False),
        ({key: value for key, value in TIGHT.items() if key != "Condition"}, False),
    ],
)
def test_a_policy_refuses_plain_requests_when_it_refuses_everybody_everything(
    statement: stock.Item, refuses: bool
) -> None:
    assert refuses_plain(json.dumps({"Statement": statement}), "arn:aws:s3:::tight") is refuses
