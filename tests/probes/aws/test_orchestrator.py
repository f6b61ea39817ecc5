"""Which paths target groups ask: those that are tagged, and those of a tagged ECS service."""

from __future__ import annotations

from typing import Any

import pytest

from scorecard.demo.aws import Endpoint
from scorecard.evidence import Absent
from scorecard.evidence.aws import Unseen
from scorecard.evidence.orchestrator import OwnCheck, TargetChecks
from scorecard.model import Cause
from tests.probes.aws.estate import ACCOUNT, Asking, arn, tagged

GROUP = arn("elasticloadbalancing", "targetgroup/web/73e2d6bc24d8a067")
SERVICE = arn("ecs", "service/main/web")
TAGS = {"Service": "payments"}


def filled(endpoint: Endpoint, *tagged_ones: str, groups: tuple[dict[str, Any], ...], balanced: bool = True) -> None:
    tagged(endpoint, dict.fromkeys(tagged_ones, TAGS))
    endpoint.list(ACCOUNT, "elbv2:DescribeTargetGroups", "TargetGroups", groups)
    through = [{"targetGroupArn": GROUP, "containerName": "web", "containerPort": 8080}] if balanced else []
    service = {"serviceArn": SERVICE, "status": "ACTIVE", "loadBalancers": through}
    endpoint.on(ACCOUNT, "ecs:DescribeServices", {"services": [service]})


def group(protocol: str = "HTTP", path: str | None = "/readyz?deep=1", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - AWS's
    found = {"TargetGroupArn": GROUP, "HealthCheckProtocol": protocol, "HealthCheckEnabled": True, **more}
    return found | ({"HealthCheckPath": path} if path else {})


@pytest.mark.parametrize("name", [GROUP, SERVICE])
def test_a_group_is_found_by_its_tags_and_through_its_service(aws: tuple[Endpoint, Asking], name: str) -> None:
    endpoint, asking = aws
    filled(endpoint, name, groups=(group(),))
    assert asking.one(TargetChecks).items == (
        OwnCheck(name=GROUP, kind="target group", paths=("/readyz",), words="HTTP"),
    )


def test_found_both_ways_it_is_one(aws: tuple[Endpoint, Asking]) -> None:
    endpoint, asking = aws
    filled(endpoint, GROUP, SERVICE, groups=(group(),))
    assert len(asking.one(TargetChecks).items) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [(group("TCP", None), "TCP: whether the port is open"), (group(HealthCheckEnabled=False), "no health check")],
)
def test_a_group_that_asks_no_path_says_what_it_does(
    aws: tuple[Endpoint, Asking], given: dict[str, Any], words: str
) -> None:
    endpoint, asking = aws
    filled(endpoint, GROUP, groups=(given,))
    (one,) = asking.one(TargetChecks).items
    assert (one.paths, one.words) == ((), words)


def test_without_a_load_balancer_there_is_none(aws: tuple[Endpoint, Asking]) -> None:
    endpoint, asking = aws
    filled(endpoint, SERVICE, groups=(), balanced=False)
    assert isinstance(asking.one(TargetChecks), Absent)


def test_groups_that_may_not_be_described_are_unseen(aws: tuple[Endpoint, Asking]) -> None:
    endpoint, asking = aws
    filled(endpoint, GROUP, SERVICE, groups=(group(),))
    endpoint.denied = {"elbv2:DescribeTargetGroups"}
    (one,) = asking.one(TargetChecks).items
    assert isinstance(one, Unseen)
    assert one.why.cause is Cause.ACCESS_DENIED
