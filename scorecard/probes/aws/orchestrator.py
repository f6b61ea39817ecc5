"""Which paths the target groups ask, those that carry the service's tags and those of its ECS services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.orchestrator import OwnCheck, TargetChecks
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.placement import SERVICES, TARGET_GROUPS, ecs_services
from scorecard.probes.aws.question import Question, Read, Reader

_HTTP = frozenset({"HTTP", "HTTPS"})


def _groups(lane: Lane, arns: Sequence[Arn]) -> Read:
    return _of(lane, {arn.text: [arn.text] for arn in arns}, own=True)


def _services(lane: Lane, arns: Sequence[Arn]) -> Read:
    wanted: dict[str, Sequence[str] | Unavailable] = {
        name: one
        if isinstance(one, Unavailable)
        else [part["targetGroupArn"] for part in one.get("loadBalancers", ()) if part.get("targetGroupArn")]
        for name, one in ecs_services(lane, arns).items()
    }
    return _of(lane, wanted)


def _of(lane: Lane, wanted: Mapping[str, Sequence[str] | Unavailable], *, own: bool = False) -> Read:
    """By resource: the checks of its target groups; of `own` groups that do not exist nothing is said."""
    if not any(wanted.values()):
        return {name: one if isinstance(one, Unavailable) else () for name, one in wanted.items()}
    swept = lane.all(TARGET_GROUPS)
    known = {one["TargetGroupArn"]: one for one in swept.items}
    found: dict[str, Sequence[OwnCheck | Unseen] | Unavailable] = {}
    for name, groups in wanted.items():
        if isinstance(groups, Unavailable):
            found[name] = groups
            continue
        items: list[OwnCheck | Unseen] = [_check(known[arn]) for arn in groups if arn in known]
        if swept.missing:
            items += [Unseen(arn, swept.missing) for arn in groups if arn not in known]
        if items or not own:
            found[name] = items
    return found


def _check(group: Item) -> OwnCheck:
    protocol = str(group.get("HealthCheckProtocol", ""))
    path = str(group.get("HealthCheckPath") or "").partition("?")[0]
    asks = group.get("HealthCheckEnabled", True) and protocol in _HTTP and path
    words = protocol if asks else f"{protocol}: whether the port is open"
    words = words if group.get("HealthCheckEnabled", True) else "no health check"
    return OwnCheck(name=str(group["TargetGroupArn"]), kind="target group", paths=(path,) if asks else (), words=words)


TARGET_CHECKS = Question(
    "target-checks",
    TargetChecks,
    (
        Reader(("elasticloadbalancing:targetgroup",), _groups, (TARGET_GROUPS,)),
        Reader(("ecs:service",), _services, (SERVICES, TARGET_GROUPS)),
    ),
    "target groups or ECS services",
)
