"""Multi-AZ deployment: survives the loss of an availability zone."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Peer,
    Risk,
    Row,
    each,
    failed,
    not_applicable,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Absent, Unavailable
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
    also_of,
)
from scorecard.evidence.kubernetes import PodPlacement, Workload, Workloads, ZoneRule
from scorecard.model import Service, ServiceType, Status

_RUNS = frozenset({ServiceType.WEB, ServiceType.GRPC, ServiceType.WORKER})


@dataclass(frozen=True, slots=True)
class Limits:
    """How uneven capacity may be."""

    largest_share: float = 0.7
    """Of a tier's healthy capacity in one zone, from 0 to 1."""


_PEERS = (
    Peer(
        "database",
        "Prowler `rds_instance_multi_az`, checkov `CKV_AWS_157`",
        "They read the flag. Here the standby must be in a second zone, by its own zone or the subnet group's; a "
        "read replica in one zone is a warning, and not a failure, for its source has the standby.",
    ),
    Peer(
        "database",
        "Prowler `rds_cluster_multi_az`",
        "It reads the cluster's flag. Here the members' zones count: two members in one zone fail.",
    ),
    Peer(
        "database",
        "Prowler `elasticache_redis_cluster_multi_az_enabled`, "
        "`elasticache_redis_cluster_automatic_failover_enabled`, checkov `CKV2_AWS_50`",
        "They read the flags. Here every shard needs nodes in two zones besides.",
    ),
    Peer(
        "database",
        "Prowler `opensearch_service_domains_fault_tolerant_data_nodes`",
        "It asks for three data nodes. Here two in two zones pass, since the rule is about the loss of a zone.",
    ),
    Peer(
        "configuration",
        "Prowler `autoscaling_group_multiple_az`, `elbv2_is_in_multiple_az`, `awslambda_function_vpc_multi_az`",
        "They judge what may run where. Here that only advises: `placement` looks where healthy capacity is, and "
        "a group over three zones whose instances all stand in one fails.",
    ),
)

row = Row(
    title="Multi-AZ deployment",
    category=Category.RELIABILITY,
    risk=Risk.HIGH,
    why="A service in one zone goes down with that zone.",
    limits=Limits,
    peers=_PEERS,
)


@row.required(
    remedy="""
    ECS, in Terraform: two tasks or more over subnets in two zones:

    ```hcl
    resource "aws_ecs_service" "payments" {
      desired_count = 2
      network_configuration {
        subnets = [aws_subnet.private_a.id, aws_subnet.private_b.id]
      }
      availability_zone_rebalancing = "ENABLED"
    }
    ```

    Kubernetes:

    ```yaml
    topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: topology.kubernetes.io/zone
        whenUnsatisfiable: DoNotSchedule
        labelSelector: {matchLabels: {app: payments}}
    ```
    """
)
def placement(
    service: Service,
    seen: Placement | Unavailable | Absent,
    pods: PodPlacement | Unavailable | Absent,
    limits: Limits,
) -> Finding:
    """Healthy capacity of each tier sits in two availability zones or more, none holding over {largest_share:.0%}."""
    sources = _sources(service, seen, pods)
    items = [item for one in sources if isinstance(one, Placement | PodPlacement) for item in one.items]
    empty = _no_capacity(service, _nowhere(sources))
    found = each(items, lambda one: _tier(one, limits), missing=_missing(sources), empty=empty, things="tiers")
    if found.status is Status.NOT_APPLICABLE and found.subjects:
        return dataclasses.replace(failed("no-capacity", found.message), subjects=found.subjects)
    return found


Source = Placement | PodPlacement | Spreads | Workloads | Unavailable | Absent


def _sources(service: Service, aws: Source, kubernetes: Source) -> tuple[Source, ...]:
    """Those that the service's file names: one that runs in Kubernetes alone is not looked for in AWS."""
    if service.spec.kubernetes is None:
        return (aws,)
    return (kubernetes,) if service.spec.aws is None else (aws, kubernetes)


def _missing(sources: Sequence[Source]) -> list[Unavailable]:
    lost = [one for one in sources if isinstance(one, Unavailable)]
    return lost + [part for one in sources if not isinstance(one, Unavailable | Absent) for part in one.missing]


def _nowhere(sources: Sequence[Source]) -> Item:
    """The verdict where no source has anything."""
    return not_applicable("; ".join(one.reason for one in sources if isinstance(one, Absent)) or "there is no capacity")


def _no_capacity(service: Service, nowhere: Item) -> Item:
    """What serves requests or takes work runs somewhere: where none of it is found, it was not looked for there."""
    if service.type not in _RUNS:
        return nowhere
    words = f"a {service.type} service runs on something, and spec.aws or spec.kubernetes is to lead there"
    return unknown(Cause.NOT_CONFIGURED, f"{nowhere.message}; {words}")


def _tier(one: Tier | Unseen | Gone, limits: Limits) -> Item:
    if not isinstance(one, Tier):
        return _unread(one)
    if one.by_design:
        return passed(one.by_design + also_of(one))
    if one.unplaced:
        return _unplaced(one, limits)
    if one.idle and not one.healthy:
        return not_applicable(one.idle)
    return _placed(one, limits)


def _placed(one: Tier, limits: Limits) -> Item:
    """Of a tier whose every healthy unit has its zone."""
    if not one.healthy:
        return failed("no-capacity", f"the {one.kind} has no healthy {one.units}{also_of(one)}")
    busiest, most = one.zones[0]
    spread = ", ".join(f"{zone} {count}" for zone, count in one.zones) + also_of(one)
    if len(one.zones) == 1:
        return failed("one-zone", f"the {one.kind} stands in one zone, {busiest}, with healthy {one.units}: {spread}")
    if most > limits.largest_share * one.healthy:
        return warned("uneven", f"{most / one.healthy:.0%} of the healthy {one.units} are in {busiest}: {spread}")
    return passed(f"healthy {one.units} in {len(one.zones)} zones: {spread}")


def _unplaced(one: Tier, limits: Limits) -> Item:
    """What is unplaced may all be where the most is, or all in a zone of its own: only what holds both ways is said."""
    if any(lost.count is None for lost in one.unplaced):
        return unavailable(one.unplaced[0])
    lost = sum(part.count or 0 for part in one.unplaced)
    busiest, most = one.zones[0] if one.zones else ("a zone that is not known", 0)
    together = dataclasses.replace(one, unplaced=(), zones=((busiest, most + lost), *one.zones[1:]))
    apart = dataclasses.replace(
        one, unplaced=(), zones=_sorted((*one.zones, *((f"unknown-{i}", 1) for i in range(lost))))
    )
    worst, best = _placed(together, limits), _placed(apart, limits)
    return worst if worst.status is best.status else unavailable(one.unplaced[0])


def _sorted(zones: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(zones, key=lambda pair: -pair[1]))


def _unread(one: Unseen | Gone) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    return failed("gone", "the service's file names it, and AWS does not have it")


@row.required(
    remedy="""
    ```hcl
    resource "aws_db_instance" "payments" {
      multi_az             = true
      db_subnet_group_name = aws_db_subnet_group.two_zones.name
    }

    resource "aws_rds_cluster_instance" "payments" {
      count             = 2
      availability_zone = element(["ap-southeast-2a", "ap-southeast-2b"], count.index)
    }

    resource "aws_elasticache_replication_group" "payments" {
      automatic_failover_enabled = true
      multi_az_enabled           = true
      num_cache_clusters         = 2
    }
    ```
    """
)
def database(seen: Standbys) -> Finding:
    """Each database, cache and file system has a standby in a second availability zone that takes over by itself."""
    return each(seen.items, _standby, missing=seen.missing, things="databases and caches")


def _standby(one: Standby | Unseen | Gone) -> Item:
    if not isinstance(one, Standby):
        return _unread(one)
    if one.by_design:
        return passed(one.by_design + also_of(one))
    where = f"in {', '.join(one.zones)}" if one.zones else f"in {one.zone_count} zones"
    said = f"the {one.kind} is {where}, {one.words}{also_of(one)}"
    if one.replica_of and not one.automatic:
        return warned(
            "replica-in-one-zone",
            f"{said}; it is a replica of {one.replica_of}, and its readers go down with that zone",
        )
    if not one.automatic:
        return failed("no-standby", said)
    if one.zone_count < 2:  # noqa: PLR2004 - two zones
        return failed("one-zone", said)
    return passed(said)


@row.advisory(
    remedy="""
    ```hcl
    resource "aws_lb" "main" {
      subnets = [aws_subnet.public_a.id, aws_subnet.public_b.id]
    }

    resource "aws_autoscaling_group" "payments" {
      min_size            = 2
      vpc_zone_identifier = [aws_subnet.private_a.id, aws_subnet.private_b.id]
    }
    ```
    """
)
def configuration(
    service: Service, seen: Spreads | Unavailable | Absent, workloads: Workloads | Unavailable | Absent
) -> Finding:
    """Subnets, load balancer zones, desired count and topology spread keep capacity in two zones."""
    sources = _sources(service, seen, workloads)
    items = [item for one in sources if isinstance(one, Spreads | Workloads) for item in one.items]
    return each(
        items,
        lambda one: _workload(one) if isinstance(one, Workload) else _spread(one),
        missing=_missing(sources),
        empty=_nowhere(sources),
        things="configurations",
    )


def _spread(one: Spread | Unseen) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if one.desired == 0:
        return not_applicable(f"the {one.kind} asks for nothing now")
    if one.placed and len(one.zones) < 2:  # noqa: PLR2004 - two zones
        return failed("one-zone", f"the subnets of the {one.kind} are in {', '.join(one.zones) or 'no zone'} only")
    if one.desired == 1:
        return failed("one-asked-for", f"the {one.kind} asks for 1, and two zones need 2")
    if one.least is not None and one.least < 2:  # noqa: PLR2004 - two zones
        return warned("may-shrink", f"the {one.kind} asks for {one.desired} now and may shrink to {one.least}")
    number = f"asks for {one.desired}" if one.desired is not None else "may run"
    return passed(f"the {one.kind} {number} in {', '.join(one.zones) or 'what its capacity provider places'}")


def _workload(one: Workload) -> Item:
    if one.replicas == 0:
        return not_applicable(f"the {one.kind} asks for nothing now")
    if one.replicas == 1:
        return failed("one-asked-for", f"the {one.kind} asks for 1, and two zones need 2")
    if one.rule is ZoneRule.NONE:
        return failed("no-spread", f"nothing spreads the {one.replicas} pods of the {one.kind} over zones")
    if one.rule is ZoneRule.PREFERRED:
        return warned("soft-spread", f"the {one.kind} is spread over zones where the scheduler can: {one.words}")
    return passed(f"the {one.kind} asks for {one.replicas}, spread over zones: {one.words}")


@row.advisory(
    remedy="""
    ```hcl
    resource "aws_nat_gateway" "zone" {
      for_each      = aws_subnet.public
      subnet_id     = each.value.id
      allocation_id = aws_eip.nat[each.key].id
    }
    ```

    with one route table a zone whose `0.0.0.0/0` leads to that zone's gateway.
    """
)
def nat(seen: WaysOut) -> Finding:
    """Each zone that holds capacity leaves through a NAT gateway of its own."""
    return each(seen.items, _way_out, missing=seen.missing, things="subnets")


def _way_out(one: WayOut | Unseen) -> Item:
    if isinstance(one, Unseen):
        return unavailable(one.why)
    if not one.gateway:
        return not_applicable("it leaves through no NAT gateway")
    if one.regional:
        return passed(f"{one.gateway} stands in every zone by itself")
    if not one.gateway_zones:
        return failed("no-gateway", f"its route leads to {one.gateway}, which is gone")
    where = ", ".join(one.gateway_zones)
    if one.zone not in one.gateway_zones:
        return failed("another-zone", f"it is in {one.zone} and leaves through {one.gateway} in {where}")
    return passed(f"it leaves through {one.gateway} in its own zone {where}")
