"""What takes over when the zone of a database, a cache or a file system is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Standby, Standbys
from scorecard.probes.aws import stores
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.mapping import DATA
from scorecard.probes.aws.question import Question, Read, Reader
from scorecard.probes.aws.zones import ZONES, zone_ids

Names = Mapping[str, str]
"""Zone names to zone ids."""


def _ids(zones: Iterable[object], names: Names) -> tuple[str, ...]:
    """Zone ids without repetition; a name that the account does not know stays, so that it counts as a zone."""
    return tuple(sorted({names.get(str(zone), str(zone)) for zone in zones if zone}))


def _standby(
    name: str, kind: str, zones: tuple[str, ...], words: str, *, automatic: bool, count: int | None = None
) -> Standby:
    number = len(zones) if count is None else count
    return Standby(name=name, kind=DATA[kind], automatic=automatic, zones=zones, zone_count=number, words=words)


def _by_design(name: str, kind: str, why: str) -> Standby:
    return Standby(name=name, kind=DATA[kind], automatic=True, zones=(), zone_count=0, words=why, by_design=why)


def _databases(lane: Lane, arns: Sequence[Arn]) -> Read:
    known, names = stores.databases(lane, arns), zone_ids(lane)
    found: dict[str, Sequence[Standby] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable):
            found[name] = one
        elif isinstance(names, Unavailable):
            found[name] = names
        elif one.get("DBClusterIdentifier"):
            why = f"a member of the cluster {one['DBClusterIdentifier']}, whose members stand in for one another"
            found[name] = _members(lane, name, one, names, why)
        else:
            found[name] = (_database(name, one, names),)
    return found


def _database(name: str, one: Item, names: Names) -> Standby:
    here, there = one.get("AvailabilityZone"), one.get("SecondaryAvailabilityZone")
    group = one.get("DBSubnetGroup") or {}
    possible = [(subnet.get("SubnetAvailabilityZone") or {}).get("Name") for subnet in group.get("Subnets", ())]
    multi = bool(one.get("MultiAZ"))
    # The pair where AWS names it; else where the subnet group lets a standby be.
    zones = _ids([here, there] if there else possible if multi else [here], names)
    source = str(one.get("ReadReplicaSourceDBInstanceIdentifier") or "")
    words = f"MultiAZ is {'on' if multi else 'off'}" + (", over the zones of its subnet group" * (multi and not there))
    seen = _standby(name, "rds:db", zones, words, automatic=multi)
    return replace(seen, replica_of=source)


def _members(lane: Lane, name: str, one: Item, names: Names, why: str) -> Sequence[Standby] | Unavailable:
    """A member that is claimed without its cluster is judged as the cluster is."""
    swept = lane.all(stores.DB_INSTANCES)
    if swept.missing:
        return swept.missing
    cluster = one["DBClusterIdentifier"]
    members = [other for other in swept.items if other.get("DBClusterIdentifier") == cluster]
    zones = _ids((member.get("AvailabilityZone") for member in members), names)
    return (_standby(name, "rds:db", zones, f"{why}: {len(members)} members", automatic=len(members) > 1),)


def _clusters(lane: Lane, arns: Sequence[Arn]) -> Read:
    known, names, swept = stores.clusters(lane, arns), zone_ids(lane), lane.all(stores.DB_INSTANCES)
    where = {str(one["DBInstanceIdentifier"]): one.get("AvailabilityZone") for one in swept.items}
    found: dict[str, Sequence[Standby] | Unavailable] = {}
    for name, one in known.items():
        members = (
            [] if isinstance(one, Unavailable) else [m["DBInstanceIdentifier"] for m in one.get("DBClusterMembers", ())]
        )
        if isinstance(one, Unavailable):
            found[name] = one
        elif isinstance(names, Unavailable):
            found[name] = names
        elif one.get("EngineMode") == "serverless":
            why = "Aurora Serverless v1 starts again in another zone by itself"
            found[name] = (_by_design(name, "rds:cluster", why),)
        elif swept.missing and not all(member in where for member in members):
            found[name] = swept.missing
        else:
            # Not `AvailabilityZones` of the cluster, which always lists three and says where the storage is.
            zones = _ids((where.get(member) for member in members), names)
            words = f"{len(members)} members"
            found[name] = (_standby(name, "rds:cluster", zones, words, automatic=len(members) > 1),)
    return found


def _replication_groups(lane: Lane, arns: Sequence[Arn]) -> Read:
    known, names = stores.replication_groups(lane, arns), zone_ids(lane)
    found: dict[str, Sequence[Standby] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable) or isinstance(names, Unavailable):
            found[name] = one if isinstance(one, Unavailable) else names  # type: ignore[assignment] # one of the two
        else:
            found[name] = (_replication_group(name, "elasticache:replicationgroup", one, names),)
    return found


def _replication_group(name: str, kind: str, one: Item, names: Names) -> Standby:
    failover = str(one.get("AutomaticFailover", "disabled"))
    shards = [
        _ids((node.get("PreferredAvailabilityZone") for node in shard.get("NodeGroupMembers", ())), names)
        for shard in one.get("NodeGroups", ())
    ]
    # Every shard holds data of its own: the one with the fewest zones decides.
    zones = min(shards, key=len, default=())
    words = f"automatic failover is {failover}, {len(shards)} shard{'' if len(shards) == 1 else 's'}"
    return _standby(name, kind, zones, words, automatic=failover in {"enabled", "enabling"})


def _cache_clusters(lane: Lane, arns: Sequence[Arn]) -> Read:
    """A cluster that stands alone; a node of a replication group is judged as its group is."""
    known, names = stores.cache_clusters(lane, arns), zone_ids(lane)
    found: dict[str, Sequence[Standby] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable) or isinstance(names, Unavailable):
            found[name] = one if isinstance(one, Unavailable) else names  # type: ignore[assignment] # one of the two
        elif one.get("ReplicationGroupId"):
            found[name] = _node(lane, name, str(one["ReplicationGroupId"]), names)
        else:
            nodes = one.get("CacheNodes", ())
            zones = _ids((node.get("CustomerAvailabilityZone") for node in nodes), names)
            words = f"{one.get('Engine', '')} without a replication group, {len(nodes)} nodes: nothing takes over"
            found[name] = (_standby(name, "elasticache:cluster", zones, words.strip(), automatic=False),)
    return found


def _node(lane: Lane, name: str, group: str, names: Names) -> Sequence[Standby] | Unavailable:
    swept = lane.all(stores.REPLICATION_GROUPS)
    one = next((one for one in swept.items if one.get("ReplicationGroupId") == group), None)
    if one is None:
        return swept.missing or ()
    seen = _replication_group(name, "elasticache:cluster", one, names)
    return (replace(seen, words=f"a node of the replication group {group}: {seen.words}"),)


def _serverless_caches(lane: Lane, arns: Sequence[Arn]) -> Read:
    why = "a serverless cache keeps its data in several zones of its region"
    return {
        name: one if isinstance(one, Unavailable) else (_by_design(name, "elasticache:serverlesscache", why),)
        for name, one in stores.serverless_caches(lane, arns).items()
    }


def _domains(lane: Lane, arns: Sequence[Arn]) -> Read:
    known, names = stores.domains(lane, arns), zone_ids(lane)
    found: dict[str, Sequence[Standby] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable) or isinstance(names, Unavailable):
            found[name] = one if isinstance(one, Unavailable) else names  # type: ignore[assignment] # one of the two
            continue
        config = one.get("ClusterConfig") or {}
        aware = bool(config.get("ZoneAwarenessEnabled"))
        zones = _ids((one.get("VPCOptions") or {}).get("AvailabilityZones") or (), names)
        # A domain outside of a VPC does not say which zones it is in, only how many.
        count = (config.get("ZoneAwarenessConfig") or {}).get("AvailabilityZoneCount", 2) if aware else 1
        words = f"zone awareness is {'on' if aware else 'off'}, data nodes: {config.get('InstanceCount', '?')}"
        spread = aware and int(config.get("InstanceCount", 0)) > 1
        found[name] = (_standby(name, "es:domain", zones, words, automatic=spread, count=int(count)),)
    return found


def _file_systems(lane: Lane, arns: Sequence[Arn]) -> Read:
    """A regional one keeps its files in several zones; it is reached where it has mount targets."""
    kind, known = "elasticfilesystem:file-system", stores.file_systems(lane, arns)
    regional = [
        str(one["FileSystemId"])
        for one in known.values()
        if not isinstance(one, Unavailable) and not one.get("AvailabilityZoneId")
    ]
    targets = lane.one(stores.MOUNT_TARGETS, regional)
    found: dict[str, Sequence[Standby] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable):
            found[name] = one
        elif zone := one.get("AvailabilityZoneId"):
            found[name] = (_standby(name, kind, (str(zone),), "a One Zone file system", automatic=False),)
        else:
            swept = targets[str(one["FileSystemId"])]
            reached = tuple(sorted({str(t["AvailabilityZoneId"]) for t in swept.items if t.get("AvailabilityZoneId")}))
            words = f"a regional file system with mount targets in {', '.join(reached) or 'no zone'}"
            if swept.missing:
                found[name] = swept.missing
            elif reached:
                found[name] = (_standby(name, kind, reached, words, automatic=True),)
            else:
                found[name] = (_by_design(name, kind, words),)
    return found


def _tables(lane: Lane, arns: Sequence[Arn]) -> Read:
    why = "DynamoDB keeps every table in three zones of its region"
    return {
        name: one if isinstance(one, Unavailable) else (_by_design(name, "dynamodb:table", why),)
        for name, one in stores.tables(lane, arns).items()
    }


def _buckets(_lane: Lane, arns: Sequence[Arn]) -> Read:
    """By design, without a call; directory buckets, which are in one zone, have ARNs of another service."""
    why = "S3 keeps every object in three zones of its region or more"
    return {arn.text: (_by_design(arn.text, "s3", why),) for arn in arns}


STANDBYS = Question(
    "standbys",
    Standbys,
    (
        Reader(("rds:db",), _databases, (stores.DB_INSTANCES, ZONES)),
        Reader(("rds:cluster",), _clusters, (stores.DB_CLUSTERS, stores.DB_INSTANCES, ZONES)),
        Reader(("elasticache:replicationgroup",), _replication_groups, (stores.REPLICATION_GROUPS, ZONES)),
        Reader(("elasticache:cluster",), _cache_clusters, (stores.CACHE_CLUSTERS, stores.REPLICATION_GROUPS, ZONES)),
        Reader(("elasticache:serverlesscache",), _serverless_caches, (stores.SERVERLESS_CACHES,)),
        Reader(("es:domain",), _domains, (stores.DOMAINS, ZONES)),
        Reader(("elasticfilesystem:file-system",), _file_systems, (stores.FILE_SYSTEMS, stores.MOUNT_TARGETS)),
        Reader(("dynamodb:table",), _tables, (stores.TABLE,)),
        Reader(("s3",), _buckets, ()),
    ),
    "databases, caches or file systems",
    gone=True,
)
