"""Where capacity sits now: ECS tasks, Auto Scaling instances, healthy targets, Lambda functions, queues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Placement, Tier
from scorecard.model import Cause
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import batch, single, sweep
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.mapping import GROUPS
from scorecard.probes.aws.question import Question, Read, Reader
from scorecard.probes.aws.zones import SUBNETS, ZONES, Subnet, counted, subnet_of, subnets, zone_ids

SERVICES = batch("ecs", "DescribeServices", "services", "services", 10)
TASK_ARNS = single(
    "ecs", "ListTasks", "cluster", "taskArns", nothing={"ClusterNotFoundException"}, desiredStatus="RUNNING"
)
TASKS = batch("ecs", "DescribeTasks", "tasks", "tasks", 100)
INSTANCES = sweep("ec2", "DescribeInstances", "Reservations.Instances", MaxResults=1000)
TARGET_GROUPS = sweep("elbv2", "DescribeTargetGroups", "TargetGroups", PageSize=400)
TARGET_HEALTH = single(
    "elbv2", "DescribeTargetHealth", "TargetGroupArn", "TargetHealthDescriptions", nothing={"TargetGroupNotFound"}
)
FUNCTIONS = sweep("lambda", "ListFunctions", "Functions")

_ASG_TAG = "aws:autoscaling:groupName"
_ALONE = "EC2 instances"


# --- ECS -------------------------------------------------------------------------------------------------------------


def cluster_of(arn: Arn) -> str:
    """The cluster in an ARN of an ECS service; the old form, without one, is of the cluster `default`."""
    return arn.id.partition("/")[0] if "/" in arn.id else "default"


def ecs_services(lane: Lane, arns: Sequence[Arn]) -> Mapping[str, Item | Unavailable]:
    """The ECS services that are there, by ARN."""
    clusters: dict[str, list[Arn]] = defaultdict(list)
    for arn in arns:
        clusters[cluster_of(arn)].append(arn)
    found: dict[str, Item | Unavailable] = {}
    for cluster, members in sorted(clusters.items()):
        swept = lane.of(SERVICES, (arn.text for arn in members), cluster=cluster)
        known = {one["serviceArn"]: one for one in swept.items if one.get("status") != "INACTIVE"}
        for arn in members:
            answer = known.get(arn.text, swept.missing)
            if answer is not None:
                found[arn.text] = answer
    return found


def _tasks(lane: Lane, arns: Sequence[Arn]) -> Read:
    services, names = ecs_services(lane, arns), zone_ids(lane)
    listed = lane.one(TASK_ARNS, {cluster_of(arn) for arn in arns})
    groups: dict[tuple[str, str], list[Item]] = defaultdict(list)
    missing: dict[str, Unavailable | None] = {}
    for cluster, swept in listed.items():
        seen = lane.of(TASKS, (str(one[""]) for one in swept.items), cluster=cluster)
        missing[cluster] = swept.missing or seen.missing
        for task in seen.items:
            groups[cluster, str(task.get("group", ""))].append(task)
    found: dict[str, Sequence[Tier] | Unavailable] = {}
    for arn in arns:
        service, cluster = services.get(arn.text), cluster_of(arn)
        if service is None:
            continue
        why = missing[cluster] or (names if isinstance(names, Unavailable) else None)
        if isinstance(service, Unavailable) or isinstance(names, Unavailable) or why:
            found[arn.text] = service if isinstance(service, Unavailable) else why or Unavailable(Cause.NO_DATA, "")
            continue
        healthy = [task for task in groups[cluster, f"service:{arn.last}"] if _serves(task)]
        zones = [names.get(str(task.get("availabilityZone", ""))) for task in healthy]
        idle = "" if service.get("desiredCount") else "it asks for 0 tasks"
        words = f"{lane.label}, {TASKS.name}: a task without its zone"
        found[arn.text] = (_tier(arn, "ECS service", "tasks", zones, words, idle),)
    return found


def _serves(task: Item) -> bool:
    """Running, and not said to be unhealthy; a task without a health check is UNKNOWN."""
    return task.get("lastStatus") == "RUNNING" and task.get("healthStatus") != "UNHEALTHY"


def _tier(
    arn: Arn, kind: str, units: str, zones: Sequence[str | None], unplaced: str, idle: str, name: str = ""
) -> Tier:
    lost = sum(zone is None for zone in zones)
    return Tier(
        name=name or arn.text,
        kind=kind,
        units=units,
        zones=counted(zone for zone in zones if zone is not None),
        unplaced=(Unavailable(Cause.NO_DATA, unplaced, count=lost),) if lost else (),
        idle="" if zones else idle,
    )


# --- instances and targets -------------------------------------------------------------------------------------------


def _groups(lane: Lane, arns: Sequence[Arn]) -> Read:
    swept, names = lane.all(GROUPS), zone_ids(lane)
    known = {one["AutoScalingGroupARN"]: one for one in swept.items}
    found: dict[str, Sequence[Tier] | Unavailable] = {}
    for arn in arns:
        group = known.get(arn.text)
        if group is None and swept.missing:
            found[arn.text] = swept.missing
        elif group is not None and isinstance(names, Unavailable):
            found[arn.text] = names
        elif group is not None and not isinstance(names, Unavailable):
            serving = [
                one
                for one in group.get("Instances", ())
                if one.get("LifecycleState") == "InService" and one.get("HealthStatus", "").upper() == "HEALTHY"
            ]
            zones = [names.get(one["AvailabilityZone"]) for one in serving]
            words = f"{lane.label}, {GROUPS.name}: an instance without its zone"
            idle = "" if group.get("DesiredCapacity") else "it asks for 0 instances"
            found[arn.text] = (_tier(arn, "Auto Scaling group", "instances", zones, words, idle),)
    return found


def _instances_of(lane: Lane) -> tuple[Mapping[str, Item], Unavailable | None]:
    """Those that are there, running or not, and why others may be there too; an hour after its end one is listed."""
    swept = lane.all(INSTANCES)
    return {one["InstanceId"]: one for one in swept.items if _state(one) != "terminated"}, swept.missing


def _state(instance: Item) -> str:
    return str((instance.get("State") or {}).get("Name", ""))


def _zone(instance: Item, names: Mapping[str, str]) -> str | None:
    return names.get(str((instance.get("Placement") or {}).get("AvailabilityZone", "")))


def _instances(lane: Lane, arns: Sequence[Arn]) -> Read:
    """Instances that stand alone; those of an Auto Scaling group are that group's."""
    (known, missing), names = _instances_of(lane), zone_ids(lane)
    found: dict[str, Sequence[Tier] | Unavailable] = {}
    for arn in arns:
        one = known.get(arn.id)
        if one is None:
            if missing:
                # It may be capacity in another zone than the others': no zone of its own, and no number.
                found[arn.text] = (Tier(name=_ALONE, kind=_ALONE, units="instances", unplaced=(missing,)),)
        elif any(tag.get("Key") == _ASG_TAG for tag in one.get("Tags", ())):
            found[arn.text] = ()
        elif isinstance(names, Unavailable):
            found[arn.text] = names
        else:
            zones = [_zone(one, names)] if _state(one) == "running" else []
            words, idle = f"{lane.label}, {INSTANCES.name}: an instance without its zone", f"{arn.id} is {_state(one)}"
            # One tier of all instances of a service: `_merged` adds them up by their name.
            found[arn.text] = (_tier(arn, _ALONE, "instances", zones, words, idle, _ALONE),)
    return found


def _targets(lane: Lane, arns: Sequence[Arn]) -> Read:
    swept = lane.all(TARGET_GROUPS)
    known = {one["TargetGroupArn"]: one for one in swept.items}
    health = lane.one(TARGET_HEALTH, (arn.text for arn in arns if arn.text in known))
    places = _Places(lane)
    found: dict[str, Sequence[Tier] | Unavailable] = {}
    for arn in arns:
        group = known.get(arn.text)
        if group is None:
            if swept.missing:
                found[arn.text] = swept.missing
        elif health[arn.text].missing:
            found[arn.text] = health[arn.text].missing or Unavailable(Cause.NO_DATA, "")
        else:
            found[arn.text] = places.tier(arn, group, health[arn.text].items)
    return found


class _Places:
    """Finds the zones of targets; asks for instances and subnets only where there are such targets."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def tier(self, arn: Arn, group: Item, targets: Sequence[Item]) -> Sequence[Tier] | Unavailable:
        kind = str(group.get("TargetType", "instance"))
        if kind in {"lambda", "alb"}:
            why = "a Lambda function" if kind == "lambda" else "another load balancer"
            return (Tier(name=arn.text, kind="target group", units="targets", by_design=f"its target is {why}"),)
        # Of two groups that a deployment swaps, one stands empty.
        registered = [one for one in targets if one.get("TargetHealth", {}).get("State") != "draining"]
        ids = [str(one["Target"]["Id"]) for one in registered if one.get("TargetHealth", {}).get("State") == "healthy"]
        zones = self._of_addresses(ids, group) if kind == "ip" else self._of_instances(ids)
        if isinstance(zones, Unavailable):
            return zones
        words = f"{self._lane.label}: the zone of a {kind} target is not known"
        idle = "" if registered else "no target is registered"
        return (_tier(arn, "target group", "targets", zones, words, idle),)

    def _of_instances(self, ids: Sequence[str]) -> list[str | None] | Unavailable:
        if not ids:
            return []
        (known, missing), names = _instances_of(self._lane), zone_ids(self._lane)
        if isinstance(names, Unavailable):
            return names
        if missing and not all(one in known for one in ids):
            return missing
        return [_zone(known.get(one, {}), names) for one in ids]

    def _of_addresses(self, ids: Sequence[str], group: Item) -> list[str | None] | Unavailable:
        known = subnets(self._lane) if ids else {}
        if isinstance(known, Unavailable):
            return known
        places = (subnet_of(one, str(group.get("VpcId", "")), known) for one in ids)
        return [place.zone if place else None for place in places]


# --- what needs no capacity of its own -------------------------------------------------------------------------------


def functions(lane: Lane, arns: Sequence[Arn]) -> Mapping[str, Item | Unavailable]:
    """The Lambda functions that are there, by ARN."""
    swept = lane.all(FUNCTIONS)
    known: Mapping[str, Any] = {one["FunctionArn"]: one for one in swept.items}
    answers = {arn.text: known.get(arn.text, swept.missing) for arn in arns}
    return {name: answer for name, answer in answers.items() if answer is not None}


def _functions(lane: Lane, arns: Sequence[Arn]) -> Read:
    found: dict[str, Sequence[Tier] | Unavailable] = {}
    for name, one in functions(lane, arns).items():
        if isinstance(one, Unavailable):
            found[name] = one
            continue
        ids = (one.get("VpcConfig") or {}).get("SubnetIds") or ()
        known: Mapping[str, Subnet] | Unavailable = subnets(lane) if ids else {}
        if isinstance(known, Unavailable):
            found[name] = known
        elif not ids:
            why = "a Lambda function outside of a VPC runs in every zone of its region"
            found[name] = (Tier(name=name, kind="Lambda function", units="subnets", by_design=why),)
        else:
            zones = counted(known[one].zone for one in ids if one in known)
            found[name] = (Tier(name=name, kind="Lambda function", units="subnets", zones=zones),)
    return found


def _queues(_lane: Lane, arns: Sequence[Arn]) -> Read:
    why = "SQS keeps every message in several zones of its region"
    return {arn.text: (Tier(name=arn.text, kind="SQS queue", units="zones", by_design=why),) for arn in arns}


def _merged(one: Tier, other: Tier) -> Tier:
    """Instances that stand alone add up to one tier; everything else is named by its ARN and was seen twice."""
    if one.kind != _ALONE:
        return one
    zones = [zone for zone, count in (*one.zones, *other.zones) for _ in range(count)]
    idle = f"{one.idle}; {other.idle}" if one.idle and other.idle else ""
    return replace(one, zones=counted(zones), unplaced=(*one.unplaced, *other.unplaced), idle=idle)


PLACEMENT = Question(
    "placement",
    Placement,
    (
        Reader(("ecs:service",), _tasks, (SERVICES, TASK_ARNS, TASKS, ZONES)),
        Reader(("autoscaling:autoScalingGroup",), _groups, (GROUPS, ZONES)),
        Reader(("ec2:instance",), _instances, (INSTANCES, ZONES)),
        Reader(
            ("elasticloadbalancing:targetgroup",), _targets, (TARGET_GROUPS, TARGET_HEALTH, INSTANCES, SUBNETS, ZONES)
        ),
        Reader(("lambda:function",), _functions, (FUNCTIONS, SUBNETS)),
        Reader(("sqs",), _queues, ()),
    ),
    "tasks, instances, targets or functions",
    _merged,
    gone=True,
)
