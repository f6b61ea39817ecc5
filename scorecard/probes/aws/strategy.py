"""How a new revision takes the place of the old one: the strategy, what it waits for, and how requests are drained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scorecard.evidence import Unavailable
from scorecard.evidence.releases import Draining, Drainings, HealthGate, HealthGates, Strategies, Strategy, Way
from scorecard.model import Cause
from scorecard.probes.aws import codedeploy
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import single
from scorecard.probes.aws.definitions import TASK_DEFINITION, containers
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.placement import FUNCTIONS, SERVICES, TARGET_GROUPS, cluster_of, ecs_services, functions
from scorecard.probes.aws.question import Question, Read, Reader, of_known
from scorecard.probes.aws.rollback import configuration, controller, foreign

DEPLOYMENT_CONFIG = single(
    "codedeploy", "GetDeploymentConfig", "deploymentConfigName", nothing={"DeploymentConfigDoesNotExistException"}
)
ATTRIBUTES = single(
    "elbv2", "DescribeTargetGroupAttributes", "TargetGroupArn", "Attributes", nothing={"TargetGroupNotFound"}
)
_ROUTES = {"TimeBasedCanary": Way.CANARY, "TimeBasedLinear": Way.LINEAR}
_GROUP = "CodeDeploy deployment group"
_STOP_SECONDS = 30
"""From SIGTERM to SIGKILL where a container does not say.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""
_DELAY = "deregistration_delay.timeout_seconds"


# --- the strategy ----------------------------------------------------------------------------------------------------


def _service_strategies(lane: Lane, arns: Sequence[Arn]) -> Read:
    named = {arn.text: arn for arn in arns}
    return of_known(ecs_services(lane, arns), lambda name, service: _service_strategy(lane, named[name], service))


def _service_strategy(lane: Lane, arn: Arn, service: Item) -> Sequence[Strategy] | Unavailable:
    if controller(service) == "EXTERNAL":
        return foreign(lane, arn)
    if controller(service) == "CODE_DEPLOY":
        groups = codedeploy.of_service(lane, cluster_of(arn), arn.last)
        if groups.missing:
            return groups.missing
        if not groups.items:
            words = f"{lane.label}: no deployment group of CodeDeploy deploys {arn.text}, which waits for one"
            return Unavailable(Cause.NO_DATA, words)
        return _of_groups(lane, arn.text, "ECS service", groups.items)
    about = configuration(lane, arn, service)
    if isinstance(about, Unavailable):
        return about
    hooks = [str(one.get("hookTargetArn", "hook")) for one in about.get("lifecycleHooks", ())]
    alarm = about.get("alarms") or {}
    names = [str(one) for one in alarm.get("alarmNames", ())] if alarm.get("enable") else []
    return (_in_ecs(arn.text, service, about, (*names, *hooks)),)


def _in_ecs(name: str, service: Item, about: Item, watched: Sequence[str]) -> Strategy:
    strategy = str(about.get("strategy") or "ROLLING")
    if strategy != "ROLLING":
        way = Way(strategy.lower().replace("_", "/"))
        return Strategy(
            name=name, kind="ECS service", way=way, kept="all of the old tasks", watched_by=tuple(watched),
            words=f"strategy {strategy}",
        )  # fmt: skip
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html: 0 for a daemon.
    daemon = service.get("schedulingStrategy") == "DAEMON"
    least = about.get("minimumHealthyPercent")
    least = (0 if daemon else 100) if least is None else int(least)
    desired = int(service.get("desiredCount") or 0)
    kept = math.ceil(desired * least / 100)
    of = f" of {desired} tasks, that is {kept}" if desired else ""
    return Strategy(
        name=name,
        kind="ECS service",
        way=Way.ROLLING if least else Way.AT_ONCE,
        kept=f"{least} %{of}" if least else "",
        watched_by=tuple(watched),
        words=f"minimumHealthyPercent {least}, maximumPercent {about.get('maximumPercent', 'not said')}",
    )


def _of_groups(lane: Lane, name: str, kind: str, groups: Sequence[Item]) -> Sequence[Strategy] | Unavailable:
    configs = lane.one(DEPLOYMENT_CONFIG, (str(one.get("deploymentConfigName") or "") for one in groups))
    missing = next((one.missing for one in configs.values() if one.missing), None)
    if missing:
        return missing
    return tuple(
        _of_group(
            name if len(groups) == 1 else f"{name} by {codedeploy.label(group)}",
            kind,
            group,
            configs[str(group.get("deploymentConfigName") or "")].first.get("deploymentConfigInfo") or {},
        )
        for group in groups
    )


def _of_group(name: str, kind: str, group: Item, config: Item) -> Strategy:
    platform = str(group.get("computePlatform") or "Server")
    style = str((group.get("deploymentStyle") or {}).get("deploymentType") or "IN_PLACE")
    route = _ROUTES.get(str((config.get("trafficRoutingConfig") or {}).get("type") or ""))
    kept = "the old revision"
    if platform == "Server" and style == "IN_PLACE":
        way, kept = _in_place(config.get("minimumHealthyHosts") or {})
    elif route is not None:
        way = route
    else:
        # ECS: the whole of the traffic moves to new tasks. Lambda: an alias is switched. Neither takes the old away.
        way = Way.BLUE_GREEN
    words = f"deployment group {codedeploy.label(group)}, {group.get('deploymentConfigName', 'no configuration')}"
    return Strategy(name=name, kind=kind, way=way, kept=kept, watched_by=codedeploy.alarms(group), words=words)


def _in_place(hosts: Mapping[str, Any]) -> tuple[Way, str]:
    value = int(hosts.get("value") or 0)
    unit = "%" if hosts.get("type") == "FLEET_PERCENT" else "instances"
    return (Way.ROLLING, f"{value} {unit}") if value else (Way.AT_ONCE, "")


def _group_strategies(lane: Lane, arns: Sequence[Arn]) -> Read:
    return {
        name: one if isinstance(one, Unavailable) else _of_groups(lane, name, _GROUP, (one,))
        for name, one in codedeploy.groups_named(lane, arns).items()
    }


def _function_strategies(lane: Lane, arns: Sequence[Arn]) -> Read:
    deployed = codedeploy.of_functions(lane)
    found: dict[str, Sequence[Strategy] | Unavailable] = {}
    for name, one in functions(lane, arns).items():
        if isinstance(one, Unavailable):
            found[name] = one
            continue
        groups = deployed.of(str(one["FunctionName"]))
        if groups.missing:
            found[name] = groups.missing
        elif groups.items:
            found[name] = _of_groups(lane, name, "Lambda function", groups.items)
        else:
            words = "no deployment group of CodeDeploy deploys it: every request goes to the new code at once"
            kept = "the old code, until the new is there"
            found[name] = (Strategy(name=name, kind="Lambda function", way=Way.AT_ONCE, kept=kept, words=words),)
    return found


STRATEGIES = Question(
    "strategies",
    Strategies,
    (
        Reader(("ecs:service",), _service_strategies, (SERVICES, *codedeploy.OF_SERVICES, DEPLOYMENT_CONFIG)),
        Reader((codedeploy.KIND,), _group_strategies, (*codedeploy.NAMED, DEPLOYMENT_CONFIG)),
        Reader(("lambda:function",), _function_strategies, (FUNCTIONS, *codedeploy.OF_FUNCTIONS, DEPLOYMENT_CONFIG)),
    ),
    "ECS services, Lambda functions or deployment groups",
)


# --- what a deployment waits for -------------------------------------------------------------------------------------


def target_groups_of(service: Item) -> tuple[str, ...]:
    """The ARNs of the target groups that an ECS service registers its tasks in, alternate ones included."""
    balancers = [*service.get("loadBalancers", ())]
    for part in service.get("taskSets", ()):
        balancers += part.get("loadBalancers", ())
    found = [one.get("targetGroupArn") for one in balancers]
    found += [(one.get("advancedConfiguration") or {}).get("alternateTargetGroupArn") for one in balancers]
    return tuple(dict.fromkeys(str(one) for one in found if one))


def _service_gates(lane: Lane, arns: Sequence[Arn]) -> Read:
    services = ecs_services(lane, arns)
    balanced = [
        arn
        for arn in arns
        if not isinstance(one := services.get(arn.text), Unavailable) and one is not None and target_groups_of(one)
    ]
    swept = lane.all(TARGET_GROUPS) if balanced else None
    groups = {str(one["TargetGroupArn"]): one for one in (swept.items if swept else ())}
    inside = containers(lane, [arn for arn in arns if arn not in balanced and _known(services.get(arn.text))])
    found: dict[str, Sequence[HealthGate] | Unavailable] = {}
    for arn in arns:
        service = services.get(arn.text)
        if service is None:
            continue
        if isinstance(service, Unavailable):
            found[arn.text] = service
        elif controller(service) == "EXTERNAL":
            found[arn.text] = foreign(lane, arn)
        elif arn in balanced:
            mine = [groups[one] for one in target_groups_of(service) if one in groups]
            grace = int(service.get("healthCheckGracePeriodSeconds") or 0)
            lost = swept.missing if swept and len(mine) < len(target_groups_of(service)) else None
            found[arn.text] = lost or (_by_target_groups(arn.text, mine, grace),)
        else:
            parts = inside[arn.text]
            grace = int(service.get("healthCheckGracePeriodSeconds") or 0)
            found[arn.text] = (
                parts
                if isinstance(parts, Unavailable)
                else (_by_containers(arn.text, [one.definition for one in parts], grace),)
            )
    return found


def _known(service: Item | Unavailable | None) -> bool:
    return service is not None and not isinstance(service, Unavailable) and controller(service) != "EXTERNAL"


def _by_target_groups(name: str, groups: Sequence[Item], grace: int) -> HealthGate:
    checking = [one for one in groups if one.get("HealthCheckEnabled", True)]
    return HealthGate(
        name=name,
        kind="ECS service",
        waits_for=tuple(dict.fromkeys(_check(one) for one in checking)),
        port_only=bool(checking) and all(_only_port(one) for one in checking),
        grace_seconds=grace,
    )


def _only_port(group: Item) -> bool:
    return group.get("HealthCheckProtocol") in {"TCP", "TLS", "UDP", "TCP_UDP"}


def _check(group: Item) -> str:
    protocol, name = str(group.get("HealthCheckProtocol", "")), str(group.get("TargetGroupName", ""))
    asked = (
        f"port {group.get('HealthCheckPort', '')}" if _only_port(group) else f"GET {group.get('HealthCheckPath', '')}"
    )
    return f"{protocol} {asked} of target group {name}"


def _by_containers(name: str, definitions: Sequence[Item], grace: int) -> HealthGate:
    checking = [one for one in definitions if (one.get("healthCheck") or {}).get("command") not in (None, [], ["NONE"])]
    starts = [int((one["healthCheck"]).get("startPeriod") or 0) for one in checking]
    return HealthGate(
        name=name,
        kind="ECS service",
        waits_for=tuple(dict.fromkeys(f"the health check of container {one['name']}" for one in checking)),
        grace_seconds=max(grace, min(starts, default=0)),
    )


def _group_gates(lane: Lane, arns: Sequence[Arn]) -> Read:
    found: dict[str, Sequence[HealthGate] | Unavailable] = {}
    for name, group in codedeploy.groups_named(lane, arns).items():
        if isinstance(group, Unavailable):
            found[name] = group
            continue
        if group.get("computePlatform") in {"ECS", "Lambda"}:
            # Its health check is that of the service or the function, which is asked about itself.
            found[name] = ()
        elif (group.get("deploymentStyle") or {}).get("deploymentOption") == "WITH_TRAFFIC_CONTROL":
            waits = ("the health check of its load balancer",)
            found[name] = (HealthGate(name=name, kind=_GROUP, waits_for=waits),)
        else:
            words = f"{lane.label}: what {codedeploy.label(group)} validates stands in the AppSpec of its revision"
            found[name] = Unavailable(Cause.NOT_SUPPORTED, words)
    return found


def _function_gates(lane: Lane, arns: Sequence[Arn]) -> Read:
    deployed = codedeploy.of_functions(lane)
    found: dict[str, Sequence[HealthGate] | Unavailable] = {}
    for name, one in functions(lane, arns).items():
        if isinstance(one, Unavailable):
            found[name] = one
            continue
        groups = deployed.of(str(one["FunctionName"]))
        hooks = [f"its hook {hook}" for g in groups.items for hook in deployed.hooks.get(g["deploymentGroupId"], ())]
        alarms = [f"alarm {alarm}" for group in groups.items for alarm in codedeploy.alarms(group)]
        gate = HealthGate(name=name, kind="Lambda function", waits_for=tuple(dict.fromkeys((*hooks, *alarms))))
        found[name] = groups.missing or (gate,)
    return found


HEALTH_GATES = Question(
    "health-gates",
    HealthGates,
    (
        Reader(("ecs:service",), _service_gates, (SERVICES, TARGET_GROUPS, TASK_DEFINITION)),
        Reader((codedeploy.KIND,), _group_gates, codedeploy.NAMED),
        Reader(("lambda:function",), _function_gates, (FUNCTIONS, *codedeploy.OF_FUNCTIONS)),
    ),
    "ECS services, Lambda functions or deployment groups",
)


# --- requests under way ----------------------------------------------------------------------------------------------


def _drainings(lane: Lane, arns: Sequence[Arn]) -> Read:
    services = ecs_services(lane, arns)
    groups = {name: target_groups_of(one) for name, one in services.items() if not isinstance(one, Unavailable)}
    attributes = lane.one(ATTRIBUTES, (one for many in groups.values() for one in many))
    inside = containers(lane, [arn for arn in arns if groups.get(arn.text)])
    found: dict[str, Sequence[Draining] | Unavailable] = {
        name: one for name, one in services.items() if isinstance(one, Unavailable)
    }
    for name, mine in groups.items():
        if not mine:
            found[name] = (Draining(name=name, kind="ECS service", by_design="no load balancer sends it requests"),)
            continue
        parts = inside[name]
        lost = next((attributes[one].missing for one in mine if attributes[one].missing), None)
        delays = [delay for one in mine if (delay := _delay(attributes[one].items)) is not None]
        if isinstance(parts, Unavailable) or lost:
            found[name] = lost or parts  # type: ignore[assignment] # one of them is Unavailable
        elif not delays:
            words = f"{lane.label}, {ATTRIBUTES.name}: no deregistration delay of the target groups of {name}"
            found[name] = Unavailable(Cause.BAD_RESPONSE, words)
        else:
            serving = {str(one.get("containerName")) for one in services[name].get("loadBalancers", ())}  # type: ignore[union-attr] # Unavailable is left out above
            of = [one.definition for one in parts]
            chosen = [one for one in of if one["name"] in serving] or of
            found[name] = (
                Draining(
                    name=name,
                    kind="ECS service",
                    delay_seconds=max(delays),
                    shortest_delay_seconds=min(delays),
                    stop_seconds=min((int(one.get("stopTimeout") or _STOP_SECONDS) for one in chosen), default=30),
                ),
            )
    return found


def _delay(attributes: Sequence[Item]) -> int | None:
    values = {str(one.get("Key")): str(one.get("Value", "")) for one in attributes}
    return int(values[_DELAY]) if values.get(_DELAY, "").isdecimal() else None


def _function_drainings(lane: Lane, arns: Sequence[Arn]) -> Read:
    words = "each request ends in the version in which it began"
    return {
        name: one if isinstance(one, Unavailable) else (Draining(name=name, kind="Lambda function", by_design=words),)
        for name, one in functions(lane, arns).items()
    }


DRAININGS = Question(
    "drainings",
    Drainings,
    (
        Reader(("ecs:service",), _drainings, (SERVICES, ATTRIBUTES, TASK_DEFINITION)),
        Reader(("lambda:function",), _function_drainings, (FUNCTIONS,)),
    ),
    "ECS services or Lambda functions",
)
