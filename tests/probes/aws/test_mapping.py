"""Which resources a service has."""

from __future__ import annotations

from typing import Any

import pytest

from scorecard.demo.aws import AwsRefusal, Endpoint
from scorecard.demo.aws_protocol import Asked
from scorecard.evidence import Unavailable
from scorecard.evidence.aws import DataAtRest, Gone, Placement, Resources, Standbys, Unseen
from scorecard.model import AwsRef, Cause, Service, Spec
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, REGION, Asking, arn

Aws = tuple[Endpoint, Asking]
DB, LEDGER_DB = arn("rds", "db:payments"), arn("rds", "db:ledger")


def names(answer: Any) -> list[str]:  # noqa: ANN401 - Resources
    return [one.name for one in answer.resources]


def database(name: str = "payments", **more: object) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceArn": arn("rds", f"db:{name}"),
        "Engine": "postgres",
        "MultiAZ": False,
        "StorageEncrypted": True,
        "AvailabilityZone": f"{REGION}a",
        **more,
    }


def test_a_service_has_what_carries_all_of_its_tags(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(
        endpoint,
        {
            DB: {"Service": "payments", "Stage": "production"},
            arn("rds", "db:staging"): {"Service": "payments", "Stage": "staging"},
            LEDGER_DB: {"Service": "ledger", "Stage": "production"},
        },
    )

    seen = asking.one(Resources, estate.payments(tags={"Service": "payments", "Stage": "production"}))

    assert names(seen) == [DB]


def test_every_page_of_every_region_is_read_once_for_all_services(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {arn("rds", f"db:d{i}"): {"Service": f"s{i % 50}"} for i in range(250)})

    seen = asking(Resources, [estate.service(f"s{i}") for i in range(50)])

    assert {len(names(answer)) for answer in seen.values()} == {5}
    # Three pages, the Auto Scaling groups, and the role.
    assert asking.calls == {f"main/{ACCOUNT}/{REGION}": 5}


def test_an_auto_scaling_group_is_found_by_its_own_tags(aws: Aws) -> None:
    endpoint, asking = aws
    group = arn("autoscaling", "autoScalingGroup:1f:autoScalingGroupName/payments")
    endpoint.list(
        ACCOUNT,
        "autoscaling:DescribeAutoScalingGroups",
        "AutoScalingGroups",
        [
            {
                "AutoScalingGroupName": "payments",
                "AutoScalingGroupARN": group,
                "MinSize": 2,
                "MaxSize": 2,
                "DesiredCapacity": 2,
                "DefaultCooldown": 300,
                "AvailabilityZones": [f"{REGION}a"],
                "HealthCheckType": "EC2",
                "CreatedTime": estate.NOW,
                "Tags": estate.pairs({"Service": "payments"}),
            }
        ],
    )

    assert names(asking.one(Resources)) == [group]


def test_a_restored_copy_is_listed_apart_and_judged_by_nobody(aws: Aws) -> None:
    endpoint, asking = aws
    copy = arn("rds", "db:awsbackup-restore-test-1")
    estate.tagged(
        endpoint,
        {DB: {"Service": "payments"}, copy: {"Service": "payments", "awsbackup-restore-test": "job-1"}},
    )
    endpoint.list(
        ACCOUNT,
        "rds:DescribeDBInstances",
        "DBInstances",
        [database(), database("awsbackup-restore-test-1", StorageEncrypted=False)],
    )

    seen = asking.one(Resources)

    assert (names(seen), seen.restored) == ([DB], (copy,))
    assert [one.name for one in asking.one(DataAtRest).items] == [DB]


def test_tags_that_nothing_carries_are_not_configured_and_the_tag_to_add_is_said(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {LEDGER_DB: {"Service": "ledger"}})

    seen = asking.one(Resources)

    assert isinstance(seen, Unavailable)
    assert seen.cause is Cause.NOT_CONFIGURED
    assert "carries the tag Service=payments" in seen.detail
    assert '"Service" = "payments"' in seen.lines


def test_a_resource_that_two_services_claim_says_so_for_both(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DB: {"Service": "payments"}})
    ledger = Service(name="ledger", spec=Spec(aws=AwsRef(account=ACCOUNT, resources=(DB,))))

    seen: Any = asking(Resources, [estate.payments(), ledger])

    assert seen["payments"].resources[0].claimed_by == ("ledger",)
    assert seen["ledger"].resources[0].claimed_by == ("payments",)


def test_a_denied_listing_is_access_denied_and_costs_only_who_asks_about_groups(
    aws: Aws,
) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DB: {"Service": "payments"}})
    endpoint.list(ACCOUNT, "rds:DescribeDBInstances", "DBInstances", [database()])
    endpoint.denied.add("autoscaling:DescribeAutoScalingGroups")

    assert asking.one(DataAtRest).missing == ()
    assert [why.cause for why in asking.one(Placement).missing] == [Cause.ACCESS_DENIED]


def test_what_is_tagged_and_gone_is_no_subject(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DB: {"Service": "payments"}, LEDGER_DB: {"Service": "payments"}})
    endpoint.list(ACCOUNT, "rds:DescribeDBInstances", "DBInstances", [database()])

    assert [one.name for one in asking.one(Standbys).items] == [DB]


def test_a_sweep_that_breaks_off_keeps_the_pages_that_came(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DB: {"Service": "payments"}, LEDGER_DB: {"Service": "payments"}})
    endpoint.list(ACCOUNT, "rds:DescribeDBInstances", "DBInstances", [database(), database("ledger")], page=1)

    def refuse(asked: Asked) -> None:
        if asked.name == "rds:DescribeDBInstances" and asked.parameters.get("Marker"):
            raise AwsRefusal("AccessDenied", "no more", 403)

    endpoint.before = refuse

    lost, came = asking.one(DataAtRest).items

    assert isinstance(lost, Unseen)
    assert (lost.name, lost.why.cause) == (LEDGER_DB, Cause.ACCESS_DENIED)
    assert (came.name, came.encrypted) == (DB, True)


def test_what_the_file_names_and_aws_does_not_have_is_gone(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {LEDGER_DB: {"Service": "payments"}})
    service = estate.payments(resources=(DB,))

    assert asking.one(DataAtRest, service).items == (Gone(DB),)
    assert asking.one(Standbys, service).items == (Gone(DB),)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (arn("rds", "db:payments", account="999900001111"), "is of the account 999900001111"),
        (arn("rds", "db:payments", region="us-east-1"), "is in us-east-1, which regions of integrations.aws main"),
    ],
)
def test_what_is_named_and_cannot_be_asked_about_is_not_configured_and_not_gone(
    aws: Aws, named: str, words: str
) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DB: {"Service": "payments"}})
    endpoint.list(ACCOUNT, "rds:DescribeDBInstances", "DBInstances", [database()])

    service = estate.payments(resources=(named,))
    seen, stores = asking.one(Resources, service), asking.one(DataAtRest, service)

    assert (names(seen), seen.unseen_data.cause) == ([DB], Cause.NOT_CONFIGURED)
    assert ([one.name for one in stores.items], stores.missing[0].cause) == ([DB], Cause.NOT_CONFIGURED)
    assert words in stores.missing[0].detail


def test_a_subject_that_two_services_claim_says_so(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DB: {"Service": "payments"}})
    endpoint.list(ACCOUNT, "rds:DescribeDBInstances", "DBInstances", [database()])
    ledger = Service(name="ledger", spec=Spec(aws=AwsRef(account=ACCOUNT, resources=(DB,))))

    seen: Any = asking(DataAtRest, [estate.payments(), ledger])

    assert (seen["payments"].items[0].claimed_by, seen["ledger"].items[0].claimed_by) == (("ledger",), ("payments",))
