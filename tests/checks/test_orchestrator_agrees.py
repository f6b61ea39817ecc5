"""`health-endpoints/orchestrator-agrees`: whoever decides about traffic and restarts asks what is declared."""

from __future__ import annotations

import pytest

from checks.health_endpoints import row
from scorecard.evidence import Evidence, Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.orchestrator import OwnCheck, PodChecks, TargetChecks
from scorecard.judge import Judged
from scorecard.model import AwsRef, Cause, Health, KubernetesRef, Service, Spec, Status
from tests.checks.conftest import Ask

HEALTH = Health(liveness="/livez", readiness="https://shop.example.net/readyz?full=1")
AWS, CLUSTER = AwsRef(tags={"Service": "shop"}), KubernetesRef(namespace="shop", selector="app=web")
IN_AWS = Service(name="shop", spec=Spec(health=HEALTH, aws=AWS))
IN_CLUSTER = Service(name="shop", spec=Spec(health=HEALTH, kubernetes=CLUSTER))
IN_BOTH = Service(name="shop", spec=Spec(health=HEALTH, aws=AWS, kubernetes=CLUSTER))
LOST = Unavailable(Cause.ACCESS_DENIED, "pods is forbidden")


def group(*paths: str) -> TargetChecks:
    return TargetChecks(items=(OwnCheck(name="arn:tg", kind="target group", paths=paths, words="TCP"),))


def pods(*paths: str, **more: object) -> PodChecks:
    return PodChecks(
        items=(OwnCheck(name="shop/Deployment/web", kind="Deployment", paths=paths, words="no probe"),), **more
    )  # type: ignore[arg-type] # by name


def agrees(ask: Ask, service: Service, *seen: Evidence, absent: tuple[type[Evidence], ...] = ()) -> Judged:
    return ask(row, "orchestrator-agrees", *seen, absent=absent, service=service)


@pytest.mark.parametrize(
    ("paths", "status", "code"),
    [
        (("/readyz",), Status.PASS, "ok"),
        (("/readyz/",), Status.PASS, "ok"),
        (("/sidecar", "/livez"), Status.PASS, "ok"),
        (("/",), Status.FAIL, "another-path"),
        ((), Status.FAIL, "no-path"),
    ],
)
def test_one_of_the_declared_paths_must_be_asked(ask: Ask, paths: tuple[str, ...], status: Status, code: str) -> None:
    for found in (agrees(ask, IN_AWS, group(*paths)), agrees(ask, IN_CLUSTER, pods(*paths))):
        assert (found.status, found.code) == (status, code)


def test_both_must_agree_where_both_are_named(ask: Ask) -> None:
    assert agrees(ask, IN_BOTH, group("/readyz"), pods("/livez")).status is Status.PASS
    assert agrees(ask, IN_BOTH, group("/readyz"), pods("/")).status is Status.FAIL
    assert agrees(ask, IN_BOTH, pods("/livez"), absent=(TargetChecks,)).status is Status.PASS


def test_what_is_not_known_is_unknown_and_never_helps(ask: Ask) -> None:
    assert agrees(ask, IN_BOTH, group("/readyz")).status is Status.UNKNOWN
    assert agrees(ask, IN_BOTH, group("/")).status is Status.FAIL
    assert agrees(ask, IN_CLUSTER, pods("/livez", missing=(LOST,))).status is Status.UNKNOWN
    unseen = TargetChecks(items=(Unseen("arn:tg", LOST),))
    assert agrees(ask, IN_AWS, unseen).cause is Cause.ACCESS_DENIED


def test_without_a_target_group_there_is_nobody_to_agree(ask: Ask) -> None:
    assert agrees(ask, IN_AWS, absent=(TargetChecks,)).status is Status.NOT_APPLICABLE


def test_without_declared_paths_it_is_not_configured(ask: Ask) -> None:
    found = agrees(ask, Service(name="shop", spec=Spec(aws=AWS)), group("/readyz"))
    assert (found.cause, "liveness: /livez" in found.lines) == (Cause.NOT_CONFIGURED, True)
