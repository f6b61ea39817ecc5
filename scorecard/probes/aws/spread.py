"""Where capacity may run by its configuration, and through which NAT gateway it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Spread, Spreads, Unseen, WayOut, WaysOut
from scorecard.model import Cause
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.balancers import LOAD_BALANCERS, classic
from scorecard.probes.aws.calls import sweep
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.mapping import GROUPS
from scorecard.probes.aws.placement import FUNCTIONS, SERVICES, ecs_services, functions
from scorecard.probes.aws.question import Question, Read, Reader
from scorecard.probes.aws.stores import Known, by_arn
from scorecard.probes.aws.zones import SUBNETS, Subnet, subnets, zones_of

ROUTE_TABLES = sweep("ec2", "DescribeRouteTables", "RouteTables", MaxResults=100)
NAT_GATEWAYS = sweep("ec2", "DescribeNatGateways", "NatGateways", MaxResults=1000)


def _groups(lane: Lane, arns: Sequence[Arn]) -> Known:
    return by_arn(lane, arns, GROUPS, "AutoScalingGroupARN")


def _subnets_of(one: Item) -> tuple[str, ...]:
    """Of an ECS service, an Auto Scaling group or a function; none where they do not say."""
    network = (one.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    joined = str(one.get("VPCZoneIdentifier") or "")
    lists: Iterable[Sequence[str]] = (
        network.get("subnets") or (),
        [part.strip() for part in joined.split(",") if part.strip()],
        (one.get("VpcConfig") or {}).get("SubnetIds") or (),
    )
    return tuple(dict.fromkeys(one for part in lists for one in part))


def _spread(lane: Lane, known: Known, kind: str, desired: str, least: str = "") -> Read:
    found: dict[str, Sequence[Spread] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable):
            found[name] = one
            continue
        ids = _subnets_of(one)
        if not ids and not desired:
            found[name] = ()
            continue
        where: Mapping[str, Subnet] | Unavailable = subnets(lane) if ids else {}
        if isinstance(where, Unavailable):
            found[name] = where
        else:
            found[name] = (
                Spread(
                    name=name,
                    kind=kind,
                    zones=zones_of(ids, where),
                    desired=one.get(desired) if desired else None,
                    least=one.get(least) if least else None,
                    placed=bool(ids),
                ),
            )
    return found


def _balancers(lane: Lane, arns: Sequence[Arn]) -> Read:
    found: dict[str, Sequence[Spread] | Unavailable] = {arn.text: why for arn in arns if (why := classic(arn))}
    for name, one in by_arn(lane, arns, LOAD_BALANCERS, "LoadBalancerArn").items():
        if name in found:
            continue
        where = subnets(lane)
        if isinstance(one, Unavailable) or isinstance(where, Unavailable):
            found[name] = one if isinstance(one, Unavailable) else where  # type: ignore[assignment] # one of the two
            continue
        ids = [zone["SubnetId"] for zone in one.get("AvailabilityZones", ())]
        found[name] = (Spread(name=name, kind="load balancer", zones=zones_of(ids, where)),)
    return found


SPREADS = Question(
    "spreads",
    Spreads,
    (
        Reader(
            ("ecs:service",),
            lambda lane, arns: _spread(lane, ecs_services(lane, arns), "ECS service", "desiredCount"),
            (SERVICES, SUBNETS),
        ),
        Reader(
            ("autoscaling:autoScalingGroup",),
            lambda lane, arns: _spread(lane, _groups(lane, arns), "Auto Scaling group", "DesiredCapacity", "MinSize"),
            (GROUPS, SUBNETS),
        ),
        Reader(
            ("lambda:function",),
            lambda lane, arns: _spread(lane, functions(lane, arns), "Lambda function", ""),
            (FUNCTIONS, SUBNETS),
        ),
        Reader(("elasticloadbalancing:loadbalancer",), _balancers, (LOAD_BALANCERS, SUBNETS)),
    ),
    "ECS services, Auto Scaling groups, functions in a VPC or load balancers",
)


# --- the way out -----------------------------------------------------------------------------------------------------


def _ways(lane: Lane, known: Known) -> Read:
    found: dict[str, Sequence[WayOut | Unseen] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable):
            found[name] = one
        else:
            ids = _subnets_of(one)
            found[name] = _ways_out(lane, ids) if ids else ()
    return found


def _ways_out(lane: Lane, ids: Sequence[str]) -> Sequence[WayOut | Unseen] | Unavailable:
    where, tables, gateways = subnets(lane), lane.all(ROUTE_TABLES), lane.all(NAT_GATEWAYS)
    if isinstance(where, Unavailable):
        return where
    if tables.missing or gateways.missing:
        return tables.missing or gateways.missing or ()
    nats = {one["NatGatewayId"]: one for one in gateways.items}
    return [_way(where[one], where, tables.items, nats) for one in ids if one in where]


def _way(
    subnet: Subnet, where: Mapping[str, Subnet], tables: Sequence[Item], nats: Mapping[str, Item]
) -> WayOut | Unseen:
    own = [t for t in tables if any(a.get("SubnetId") == subnet.id for a in t.get("Associations", ()))]
    main = [t for t in tables if t.get("VpcId") == subnet.vpc and any(a.get("Main") for a in t.get("Associations", ()))]
    if not own and not main:
        return Unseen(subnet.id, Unavailable(Cause.NO_DATA, f"the route table of {subnet.id} is not listed"))
    routes = [route for route in (own or main)[0].get("Routes", ()) if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    route: Item = next((one for one in routes if one.get("NatGatewayId")), {})
    gateway = str(route.get("NatGatewayId", ""))
    nat = nats.get(gateway, {})
    home = where.get(str(nat.get("SubnetId", "")))
    regional = nat.get("AvailabilityMode") == "regional"
    # Who shares another account's VPC sees its routes, and not its gateways.
    if gateway and route.get("State") != "blackhole" and not home and not regional:
        words = f"{gateway}, through which {subnet.id} leaves, is not listed with a subnet"
        return Unseen(subnet.id, Unavailable(Cause.NO_DATA, words))
    lost = route.get("State") == "blackhole" or nat.get("State") in {"failed", "deleting", "deleted"}
    zones = () if lost or not home else (home.zone,)
    return WayOut(
        name=subnet.id, zone=subnet.zone, gateway=gateway, gateway_zones=zones, regional=regional and not lost
    )


WAYS_OUT = Question(
    "ways-out",
    WaysOut,
    (
        Reader(
            ("ecs:service",),
            lambda lane, arns: _ways(lane, ecs_services(lane, arns)),
            (SERVICES, SUBNETS, ROUTE_TABLES, NAT_GATEWAYS),
        ),
        Reader(
            ("autoscaling:autoScalingGroup",),
            lambda lane, arns: _ways(lane, _groups(lane, arns)),
            (GROUPS, SUBNETS, ROUTE_TABLES, NAT_GATEWAYS),
        ),
        Reader(
            ("lambda:function",),
            lambda lane, arns: _ways(lane, functions(lane, arns)),
            (FUNCTIONS, SUBNETS, ROUTE_TABLES, NAT_GATEWAYS),
        ),
    ),
    "subnets that hold capacity",
)
