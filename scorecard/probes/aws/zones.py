"""Zone ids: a zone's name means another place in every account, its id the same everywhere."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scorecard.evidence import Unavailable
from scorecard.probes.aws.calls import sweep
from scorecard.probes.aws.lane import Lane

ZONES = sweep("ec2", "DescribeAvailabilityZones", "AvailabilityZones")
SUBNETS = sweep("ec2", "DescribeSubnets", "Subnets", MaxResults=1000)


@dataclass(frozen=True, slots=True)
class Subnet:
    """One subnet."""

    id: str
    vpc: str
    zone: str
    """Its zone's id."""
    network: ipaddress.IPv4Network


def zone_ids(lane: Lane) -> Mapping[str, str] | Unavailable:
    """Zone names of this account to zone ids."""
    swept = lane.all(ZONES)
    return swept.missing or {str(zone["ZoneName"]): str(zone["ZoneId"]) for zone in swept.items}


def subnets(lane: Lane) -> Mapping[str, Subnet] | Unavailable:
    """Every subnet of the account and region by its id."""
    swept = lane.all(SUBNETS)
    if swept.missing:
        return swept.missing
    found = (
        Subnet(one["SubnetId"], one["VpcId"], one["AvailabilityZoneId"], ipaddress.IPv4Network(one["CidrBlock"]))
        for one in swept.items
        if one.get("CidrBlock")
    )
    return {subnet.id: subnet for subnet in found}


def subnet_of(address: str, vpc: str, known: Mapping[str, Subnet]) -> Subnet | None:
    """The subnet that an address of a VPC is in."""
    try:
        wanted = ipaddress.IPv4Address(address)
    except ValueError:
        return None
    return next((one for one in known.values() if one.vpc == vpc and wanted in one.network), None)


def counted(zones: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """How often each zone, the most first."""
    return tuple(sorted(Counter(zones).items(), key=lambda pair: (-pair[1], pair[0])))


def zones_of(ids: Iterable[Any], known: Mapping[str, Subnet]) -> tuple[str, ...]:
    """The zones of subnets, without repetition; a subnet that is gone has none."""
    return tuple(sorted({known[one].zone for one in ids if one in known}))
