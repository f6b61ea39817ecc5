"""The row `multi-az` where a service runs in Kubernetes, alone or beside AWS."""

from __future__ import annotations

import pytest

from checks.multi_az import row
from scorecard.evidence import Evidence, Unavailable
from scorecard.evidence.aws import Placement, Spread, Spreads, Tier, Unseen
from scorecard.evidence.kubernetes import PodPlacement, Workload, Workloads, ZoneRule
from scorecard.judge import Judged
from scorecard.model import AwsRef, Cause, KubernetesRef, Service, Spec, Status
from tests.checks.conftest import Ask

CLUSTER = KubernetesRef(namespace="shop", selector="app=web")
ALONE = Service(name="shop", spec=Spec(kubernetes=CLUSTER))
BOTH = Service(name="shop", spec=Spec(kubernetes=CLUSTER, aws=AwsRef(tags={"Service": "shop"})))
LOST = Unavailable(Cause.TIMEOUT, "kubernetes/main, GET /api/v1/nodes: no answer")
PASS, WARN, FAIL, UNKNOWN, NONE = Status.PASS, Status.WARN, Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE


def tier(kind: str, *zones: int, unplaced: int = 0) -> Tier:
    return Tier(
        name=f"shop/{kind}/web",
        kind=kind,
        units="pods",
        zones=tuple((f"eu-west-1{letter}", count) for letter, count in zip("abc", zones, strict=False)),
        unplaced=(Unavailable(LOST.cause, LOST.detail, count=unplaced),) if unplaced else (),
    )


def pods(*zones: int, unplaced: int = 0, missing: tuple[Unavailable, ...] = ()) -> PodPlacement:
    return PodPlacement(items=(tier("Deployment", *zones, unplaced=unplaced),), missing=missing)


def tasks(*zones: int) -> Placement:
    return Placement(items=(tier("ECS service", *zones),))


def placed(ask: Ask, service: Service, *seen: Evidence, absent: tuple[type[Evidence], ...] = ()) -> Judged:
    return ask(row, "placement", *seen, absent=absent, service=service)


class TestPlacement:
    @pytest.mark.parametrize(
        ("seen", "status"),
        [
            (pods(2, 1), PASS),
            (pods(3), FAIL),
            (pods(), FAIL),
            (pods(4, 1), WARN),
            (pods(1, unplaced=1), UNKNOWN),
            (pods(2, 2, unplaced=1), PASS),
            (pods(2, 1, missing=(LOST,)), UNKNOWN),
        ],
    )
    def test_pods_alone_decide_where_nothing_runs_in_aws(self, ask: Ask, seen: PodPlacement, status: Status) -> None:
        assert placed(ask, ALONE, seen).status is status

    @pytest.mark.parametrize(
        ("aws", "seen", "status"),
        [
            (tasks(1, 1), pods(1, 1), PASS),
            (tasks(2), pods(1, 1), FAIL),
            (tasks(1, 1), pods(2), FAIL),
        ],
    )
    def test_both_count_where_both_are_named(
        self, ask: Ask, aws: Placement, seen: PodPlacement, status: Status
    ) -> None:
        assert placed(ask, BOTH, aws, seen).status is status

    def test_nothing_in_aws_leaves_it_to_the_pods(self, ask: Ask) -> None:
        assert placed(ask, BOTH, pods(1, 1), absent=(Placement,)).status is PASS
        assert placed(ask, BOTH, absent=(Placement, PodPlacement)).status is UNKNOWN

    @pytest.mark.parametrize("known", [tasks(1, 1), pods(1, 1)])
    def test_losing_one_of_two_sources_makes_it_unknown(self, ask: Ask, known: Evidence) -> None:
        assert placed(ask, BOTH, known).status is UNKNOWN

    @pytest.mark.parametrize("known", [tasks(2), pods(2)])
    def test_a_failure_that_was_seen_stays_one(self, ask: Ask, known: Evidence) -> None:
        assert placed(ask, BOTH, known).status is FAIL

    def test_where_no_cluster_is_named_kubernetes_is_nobodys_concern(self, ask: Ask) -> None:
        assert placed(ask, Service(name="shop"), tasks(1, 1)).status is PASS


def workload(rule: ZoneRule = ZoneRule.REQUIRED, replicas: int = 2) -> Workload:
    return Workload(name="shop/Deployment/web", kind="Deployment", replicas=replicas, rule=rule, words="as written")


class TestConfiguration:
    @pytest.mark.parametrize(
        ("one", "status", "code"),
        [
            (workload(), PASS, "ok"),
            (workload(ZoneRule.PREFERRED), WARN, "soft-spread"),
            (workload(ZoneRule.NONE), FAIL, "no-spread"),
            (workload(replicas=1), FAIL, "one-asked-for"),
            (workload(replicas=0), NONE, "not-applicable"),
            (Unseen("shop/Deployment/web", LOST), UNKNOWN, "timeout"),
        ],
    )
    def test_a_workload_is_spread_by_its_definition(
        self, ask: Ask, one: Workload | Unseen, status: Status, code: str
    ) -> None:
        found = ask(row, "configuration", Workloads(items=(one,)), service=ALONE)
        assert (found.status, found.code) == (status, code)

    def test_what_is_in_aws_counts_beside_it(self, ask: Ask) -> None:
        narrow = Spreads(items=(Spread(name="arn", kind="ECS service", zones=("euw1-az1",), desired=2),))
        assert ask(row, "configuration", narrow, Workloads(items=(workload(),)), service=BOTH).status is FAIL
        assert ask(row, "configuration", Workloads(items=(workload(),)), service=BOTH).status is UNKNOWN
