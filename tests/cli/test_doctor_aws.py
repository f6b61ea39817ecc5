"""`scorecard doctor` on AWS: who we are in each account, what is denied, and the checks that would be unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scorecard.cli.doctor_aws import examine
from scorecard.config import load_config
from scorecard.demo.aws import Endpoint, serving
from scorecard.model import AlertsRef, AwsRef, CloudWatchAlarms, Service, Spec
from scorecard.registry import installed
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, REGION, Clock, arn

LABEL = f"aws/main/{ACCOUNT}/{REGION}"
Examined = Callable[..., dict[str, tuple[str, bool | None]]]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Endpoint, str]]:
    estate.credentials(monkeypatch)
    endpoint = Endpoint(Clock())
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/scorecard/readiness-scorecard"
    endpoint.on(ACCOUNT, "sts:GetCallerIdentity", {"UserId": "A", "Account": ACCOUNT, "Arn": role})
    database = {
        "DBInstanceIdentifier": "payments",
        "DBInstanceArn": arn("rds", "db:payments"),
        "StorageEncrypted": True,
    }
    estate.tagged(endpoint, {database["DBInstanceArn"]: {"Service": "payments"}})  # type: ignore[dict-item]
    endpoint.list(ACCOUNT, "rds:DescribeDBInstances", "DBInstances", [database])
    with serving(endpoint) as url:
        yield endpoint, url
    assert not endpoint.wrong


@pytest.fixture
def examined(endpoint: tuple[Endpoint, str], tmp_path: Path) -> Examined:
    def look(account: str = ACCOUNT, *services: Service) -> dict[str, tuple[str, bool | None]]:
        estate.asking_of(tmp_path, endpoint[1], Clock())
        spec = Spec(
            aws=AwsRef(account=account, tags={"Service": "payments"}),
            alerts=(AlertsRef(cloudwatch=CloudWatchAlarms(prefix="payments-")),),
        )
        known = services or (Service(name="payments", spec=spec),)
        checklists = [installed().checklist("production-readiness", Path())]
        told = examine(load_config(tmp_path / "scorecard.yaml", {}), known, checklists, Clock())
        return {subject: (message, good) for subject, message, good in told}

    return look


def test_an_account_that_allows_everything_says_who_we_are(examined: Examined) -> None:
    told = examined()

    assert told[LABEL][1] is True
    assert "assumed-role/scorecard" in told[LABEL][0]
    assert told[f"{LABEL} permissions"][1] is True


@pytest.mark.parametrize(
    ("denied", "action", "check", "other"),
    [
        ("cloudwatch:DescribeAlarmHistory", "cloudwatch:DescribeAlarmHistory", "alerts/actionable", "alerts/exist"),
        ("cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarms", "alerts/exist", "dashboards/exists"),
        ("resourcegroupstaggingapi:GetResources", "tag:GetResources", "alerts/exist", "logs"),
    ],
)
def test_a_denied_action_is_named_with_the_checks_that_it_costs(
    endpoint: tuple[Endpoint, str], examined: Examined, denied: str, action: str, check: str, other: str
) -> None:
    endpoint[0].denied.add(denied)

    message, good = examined()[f"{LABEL} {action}"]

    assert good is False
    assert check in message
    assert other not in message


def test_credentials_of_another_account_are_seen_before_anything_else(
    endpoint: tuple[Endpoint, str], examined: Examined
) -> None:
    other = "444455556666"
    endpoint[0].on(other, "sts:GetCallerIdentity", {"UserId": "A", "Account": ACCOUNT, "Arn": "arn:aws:iam::1:user/x"})

    told = examined(other)

    assert list(told) == [f"aws/main/{other}/{REGION}"]
    assert "name a role" in told[f"aws/main/{other}/{REGION}"][0]


def test_without_an_account_the_checks_that_stay_unknown_are_named(examined: Examined) -> None:
    without = Service(name="ledger", spec=Spec(aws=AwsRef(tags={"Service": "ledger"})))

    message, good = examined("", without)["ledger"]

    assert good is None
    assert "spec.aws.account" in message
