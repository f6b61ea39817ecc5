"""The policy of `scorecard iam-policy` under moto's enforcement of IAM: it suffices, and a part of it for the rest.

moto is asked where it is right; what it leaves out or makes up is asked of our own endpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scorecard.config import load_config
from scorecard.evidence.aws import DataAtRest, DataInTransit, Resources, Standbys, Unseen
from scorecard.evidence.cloudwatch import CloudWatchAlerts
from scorecard.model import AlertsRef, AwsRef, Cause, CloudWatchAlarms, Service, Spec
from scorecard.probes import Context
from scorecard.probes.aws import probes
from scorecard.probes.aws.policy import policy
from tests.probes.aws.estate import REGION, Asking, Clock, asking_of

ACCOUNT = "123456789012"
TAGS = [{"Key": "Service", "Value": "payments"}]
SERVICE = Service(
    name="payments",
    spec=Spec(
        aws=AwsRef(account=ACCOUNT, tags={"Service": "payments"}),
        alerts=(AlertsRef(cloudwatch=CloudWatchAlarms(prefix="payments-")),),
    ),
)


_NAMES = {
    "tag:": "tagging:",
    "cloudwatch:": "monitoring:",
    "s3:GetEncryptionConfiguration": "s3:ListBucket",
}
"""IAM's own names to those that moto enforces, which go by how a request is signed, and leave some operations out."""
_OTHER = re.compile("|".join(_NAMES))


@dataclass
class Moto:
    """moto with IAM enforced, and the keys of somebody who may take roles and nothing else."""

    url: str
    keys: dict[str, str]

    def role(self, name: str, document: dict[str, Any]) -> None:
        iam = client(self.url, "iam")
        runner = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/runner"}
        statement = {"Effect": "Allow", "Principal": runner, "Action": "sts:AssumeRole"}
        trust = {"Version": "2012-10-17", "Statement": [statement]}
        allowed = document["Statement"][0]
        # Its ListBucket stands for GetEncryptionConfiguration, and the policy's own ListBucket would undo a denial.
        given = [action for action in allowed["Action"] if action not in _NAMES.values()]
        allowed["Action"] = [_OTHER.sub(lambda found: _NAMES[found[0]], action) for action in given]
        self.enforce(on=False)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName=name, PolicyName="scorecard", PolicyDocument=json.dumps(document))
        self.enforce(on=True)

    def enforce(self, *, on: bool) -> None:
        import requests

        requests.post(f"{self.url}/moto-api/reset-auth", data="0" if on else "inf", timeout=5).raise_for_status()


def client(url: str, service: str) -> Any:  # noqa: ANN401 - boto3's
    import boto3

    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id="admin", aws_secret_access_key="admin"
    )


def stock(url: str) -> None:
    """A database, a table, a bucket and an alarm."""
    client(url, "rds").create_db_instance(
        DBInstanceIdentifier="payments", Engine="postgres", DBInstanceClass="db.t3.micro", StorageEncrypted=True,
        MultiAZ=True, AllocatedStorage=20, MasterUsername="me", MasterUserPassword="not-a-secret", Tags=TAGS,
    )  # fmt: skip
    client(url, "dynamodb").create_table(
        TableName="payments", BillingMode="PAY_PER_REQUEST", Tags=TAGS,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    s3 = client(url, "s3")
    s3.create_bucket(Bucket="payments", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_tagging(Bucket="payments", Tagging={"TagSet": TAGS})
    s3.put_bucket_encryption(
        Bucket="payments",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        },
    )
    client(url, "cloudwatch").put_metric_alarm(
        AlarmName="payments-errors", Namespace="payments", MetricName="errors", Statistic="Sum", Period=60,
        EvaluationPeriods=5, Threshold=1, ComparisonOperator="GreaterThanThreshold", Tags=TAGS,
        AlarmDescription="severity: critical",
    )  # fmt: skip


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """Started once, and imported here alone: it takes its time."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    stock(url)
    iam = client(url, "iam")
    iam.create_user(UserName="runner")
    take = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
    iam.put_user_policy(UserName="runner", PolicyName="take", PolicyDocument=json.dumps(take))
    made = iam.create_access_key(UserName="runner")["AccessKey"]
    found = Moto(url, {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]})
    found.enforce(on=True)
    yield found
    found.enforce(on=False)
    server.stop()


@pytest.fixture
def as_runner(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    for name, value in moto.keys.items():
        monkeypatch.setenv(name, value)
    yield moto
    moto.enforce(on=False)  # which counts for every moto of this process


def asking(moto: Moto, base: Path, role: str) -> Asking:
    asking_of(base, moto.url, Clock())
    file = base / "scorecard.yaml"
    file.write_text(file.read_text().replace(":role/scorecard", f":role/{role}"))
    context = Context(config=load_config(file, {}), clock=Clock(), cache=base, base=base)
    return Asking(probes(context))


def items(answer: Any) -> dict[str, object]:  # noqa: ANN401 - evidence with items
    return {one.name.split(":")[2]: one.why.cause if isinstance(one, Unseen) else one.encrypted for one in answer.items}


def test_the_printed_policy_suffices(as_runner: Moto, tmp_path: Path) -> None:
    as_runner.role("enough", policy())
    ask = asking(as_runner, tmp_path, "enough")

    assert items(ask.one(DataAtRest, SERVICE)) == {"rds": True, "dynamodb": True, "s3": True}
    assert [one.automatic for one in ask.one(Standbys, SERVICE).items if one.kind == "RDS instance"] == [True]
    assert items(ask.one(DataInTransit, SERVICE))["s3"] is False
    assert [one.severity for one in ask.one(CloudWatchAlerts, SERVICE).alerts] == ["critical"]


@pytest.mark.parametrize(
    ("action", "left"),
    [
        ("rds:DescribeDBInstances", {"rds": Cause.ACCESS_DENIED, "dynamodb": True, "s3": True}),
        ("dynamodb:DescribeTable", {"rds": True, "dynamodb": Cause.ACCESS_DENIED, "s3": True}),
        ("s3:GetEncryptionConfiguration", {"rds": True, "dynamodb": True, "s3": Cause.ACCESS_DENIED}),
    ],
)
def test_without_an_action_only_what_needs_it_is_access_denied(
    as_runner: Moto, tmp_path: Path, action: str, left: dict[str, object]
) -> None:
    document = policy()
    document["Statement"][0]["Action"].remove(action)
    name = action.replace(":", "-")
    as_runner.role(name, document)

    assert items(asking(as_runner, tmp_path, name).one(DataAtRest, SERVICE)) == left


def test_without_the_listing_all_of_it_is_access_denied_and_the_action_is_named(
    as_runner: Moto, tmp_path: Path
) -> None:
    document = policy()
    document["Statement"][0]["Action"].remove("tag:GetResources")
    as_runner.role("blind", document)

    answer = asking(as_runner, tmp_path, "blind").one(Resources, SERVICE)

    assert answer.cause is Cause.ACCESS_DENIED
    assert "GetResources" in answer.detail
