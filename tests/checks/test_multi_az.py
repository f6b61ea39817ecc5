"""The row `multi-az`: where capacity and standbys sit, as a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from checks.multi_az import row
from scorecard.check import Named
from scorecard.evidence import Unavailable
from scorecard.evidence.aws import (
    Gone,
    Placement,
    Spread,
    Spreads,
    Standby,
    Standbys,
    Tier,
    Unseen,
    WayOut,
    WaysOut,
)
from scorecard.judge import Judged
from scorecard.model import Cause, Service, ServiceType, Status

DENIED = Unavailable(Cause.ACCESS_DENIED, "rds:DescribeDBInstances in eu-west-1: AccessDenied")
ZONELESS = Unavailable(Cause.NO_DATA, "a task without its zone", count=1)
PASS, WARN, FAIL, UNKNOWN, NONE = Status.PASS, Status.WARN, Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE
Ask = Callable[..., Judged]


def tier(*zones: int, lost: int = 0, **more: object) -> Tier:
    return Tier(
        name="arn:tasks",
        kind="ECS service",
        units="tasks",
        zones=tuple((f"az{index}", count) for index, count in enumerate(zones, start=1)),
        unplaced=(Unavailable(Cause.NO_DATA, "a task without its zone", count=lost),) if lost else (),
        **more,
    )


def standby(*zones: str, automatic: bool = True, **more: object) -> Standby:
    given = {"zone_count": len(zones), "words": "MultiAZ is on", **more}
    return Standby(name="arn:db", kind="RDS instance", automatic=automatic, zones=zones, **given)


def spread(*zones: str, **more: object) -> Spread:
    return Spread(name="arn:svc", kind="ECS service", zones=zones, **more)


def way(zone: str, gateway: str = "nat-1", *there: str, regional: bool = False) -> WayOut:
    return WayOut(name=f"subnet-{zone}", zone=zone, gateway=gateway, gateway_zones=there, regional=regional)


CASES: list[tuple[str, str, Any, Status, str]] = [
    ("two zones", "placement", tier(1, 1), PASS, "healthy tasks in 2 zones: az1 1, az2 1"),
    ("two of three", "placement", tier(2, 1), PASS, "az1 2, az2 1"),
    ("uneven", "placement", tier(3, 1), WARN, "75% of the healthy tasks are in az1: az1 3, az2 1"),
    ("one zone", "placement", tier(4), FAIL, "the ECS service stands in one zone, az1, with healthy tasks: az1 4"),
    ("one task", "placement", tier(1), FAIL, "healthy tasks: az1 1"),
    ("nothing healthy", "placement", tier(), FAIL, "has no healthy tasks"),
    ("nothing asked for", "placement", tier(idle="it asks for 0 tasks"), FAIL, "it asks for 0 tasks"),
    ("by design", "placement", tier(by_design="it is regional"), PASS, "it is regional"),
    ("claimed twice", "placement", tier(1, 1, claimed_by=("ledger",)), PASS, "claimed by ledger too"),
    ("gone", "placement", Gone("arn:tasks"), FAIL, "AWS does not have it"),
    ("denied", "placement", Unseen("arn:tasks", DENIED), UNKNOWN, "AccessDenied"),
    ("a zone too few is known", "placement", tier(1, lost=1), UNKNOWN, "without its zone"),
    ("one task somewhere", "placement", tier(lost=1), FAIL, "a zone that is not known"),
    ("enough zones either way", "placement", tier(2, 2, lost=1), PASS, "az1 3, az2 2"),
    ("too much either way", "placement", tier(8, 1, lost=1), WARN, "90%"),
    ("perhaps too much", "placement", tier(3, 1, lost=1), UNKNOWN, "without its zone"),
    ("a pair", "database", standby("az1", "az2"), PASS, "in az1, az2, MultiAZ is on"),
    ("a pair of unnamed zones", "database", standby(zone_count=2), PASS, "in 2 zones"),
    ("no standby", "database", standby("az1", automatic=False, words="MultiAZ is off"), FAIL, "MultiAZ is off"),
    ("two nodes and no failover", "database", standby("az1", "az2", automatic=False), FAIL, "az1, az2"),
    ("a standby in the same zone", "database", standby("az1"), FAIL, "in az1"),
    ("a replica", "database", standby("az1", automatic=False, replica_of="main"), WARN, "a replica of main"),
    ("a replica with a standby", "database", standby("az1", "az2", replica_of="main"), PASS, "az2"),
    ("regional", "database", standby(by_design="three zones"), PASS, "three zones"),
    ("a database is gone", "database", Gone("arn:db"), FAIL, "AWS does not have it"),
    ("a database is unseen", "database", Unseen("arn:db", DENIED), UNKNOWN, "AccessDenied"),
    ("a database of two", "database", standby("az1", "az2", claimed_by=("ledger",)), PASS, "claimed by ledger too"),
    ("two subnets", "configuration", spread("az1", "az2", desired=2), PASS, "asks for 2 in az1, az2"),
    ("one subnet", "configuration", spread("az1", desired=2), FAIL, "in az1 only"),
    ("one task asked for", "configuration", spread("az1", "az2", desired=1), FAIL, "asks for 1"),
    ("nothing asked", "configuration", spread("az1", desired=0), NONE, "asks for nothing now"),
    ("may shrink", "configuration", spread("az1", "az2", desired=4, least=1), WARN, "may shrink to 1"),
    ("placed by another", "configuration", spread(desired=3, placed=False), PASS, "capacity provider"),
    ("a configuration is unseen", "configuration", Unseen("arn:svc", DENIED), UNKNOWN, "AccessDenied"),
    ("its own gateway", "nat", way("az1", "nat-1", "az1"), PASS, "its own zone az1"),
    ("another's gateway", "nat", way("az2", "nat-1", "az1"), FAIL, "in az2 and leaves through nat-1 in az1"),
    ("a gateway that is gone", "nat", way("az1"), FAIL, "nat-1, which is gone"),
    ("a regional gateway", "nat", way("az1", regional=True), PASS, "in every zone"),
    ("no gateway", "nat", way("az1", ""), NONE, "no NAT gateway"),
    ("a way is unseen", "nat", Unseen("subnet-a", DENIED), UNKNOWN, "AccessDenied"),
]
KINDS: dict[str, Any] = {"placement": Placement, "database": Standbys, "configuration": Spreads, "nat": WaysOut}


@pytest.mark.parametrize(("check", "item", "status", "words"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_one_subject_is_judged_as_the_rule_says(ask: Ask, check: str, item: Named, status: Status, words: str) -> None:
    judged = ask(row, check, KINDS[check](items=(item,)))

    assert (judged.status, words in judged.message) == (status, True), judged.message
    assert judged.subjects[0].name == item.name


def test_the_worst_tier_decides_and_is_named(ask: Ask) -> None:
    judged = ask(row, "placement", Placement(items=(tier(2, 2), Tier(name="arn:b", kind="k", units="u"))))

    assert (judged.status, judged.code) == (FAIL, "no-capacity")
    assert judged.message.startswith("1 of 2 tiers: arn:b")


def test_an_empty_tier_beside_one_that_serves_is_the_one_that_a_deployment_swaps(ask: Ask) -> None:
    idle = Tier(name="arn:green", kind="target group", units="targets", idle="no target is registered")

    assert ask(row, "placement", Placement(items=(tier(1, 1), idle))).status is PASS


@pytest.mark.parametrize("check", KINDS)
def test_what_may_be_elsewhere_leaves_no_pass(ask: Ask, check: str) -> None:
    good = {
        "placement": tier(1, 1),
        "database": standby("az1", "az2"),
        "configuration": spread("az1", "az2"),
        "nat": way("az1", "nat-1", "az1"),
    }
    assert ask(row, check, KINDS[check](items=(good[check],))).status is PASS

    judged = ask(row, check, KINDS[check](items=(good[check],), missing=(DENIED,)))

    assert (judged.status, judged.cause) == (UNKNOWN, Cause.ACCESS_DENIED)


@pytest.mark.parametrize("check", ["database", "configuration", "nat"])
def test_a_service_without_such_a_thing_is_not_asked(ask: Ask, check: str) -> None:
    assert ask(row, check, absent=(KINDS[check],)).status is NONE


@pytest.mark.parametrize(
    ("kind", "status"), [(ServiceType.WEB, UNKNOWN), (ServiceType.WORKER, UNKNOWN), (ServiceType.STATIC, NONE)]
)
def test_what_serves_runs_somewhere_though_nothing_of_it_carries_the_tag(
    ask: Ask, kind: ServiceType, status: Status
) -> None:
    judged = ask(row, "placement", absent=(Placement,), service=Service(name="payments", type=kind))

    assert judged.status is status
    assert judged.cause is (Cause.NOT_CONFIGURED if status is UNKNOWN else None)
    assert ("runs on something" in judged.message) is (status is UNKNOWN)


def test_the_largest_share_is_the_checklists_to_say(ask: Ask) -> None:
    seen = Placement(items=(tier(3, 1),))

    assert ask(row, "placement", seen, largest_share=0.8).status is PASS
    assert "none holding over 70%" in row.check("placement").rule(row.default_limits())


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "topology.kubernetes.io/zone" in row.check("placement").remedy
