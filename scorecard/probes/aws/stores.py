"""The stores themselves, one sweep of a kind for its three questions: standby, on the way, on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scorecard.evidence import Unavailable
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import Call, batch, single, sweep
from scorecard.probes.aws.lane import Item, Lane

DB_INSTANCES = sweep("rds", "DescribeDBInstances", "DBInstances", MaxRecords=100)
DB_CLUSTERS = sweep("rds", "DescribeDBClusters", "DBClusters", MaxRecords=100)
TABLE = single("dynamodb", "DescribeTable", "TableName", nothing={"ResourceNotFoundException"})
VOLUMES = sweep("ec2", "DescribeVolumes", "Volumes", MaxResults=500)
FILE_SYSTEMS = sweep("efs", "DescribeFileSystems", "FileSystems", MaxItems=100)
REPLICATION_GROUPS = sweep("elasticache", "DescribeReplicationGroups", "ReplicationGroups", MaxRecords=100)
CACHE_CLUSTERS = sweep("elasticache", "DescribeCacheClusters", "CacheClusters", MaxRecords=100, ShowCacheNodeInfo=True)
SERVERLESS_CACHES = sweep("elasticache", "DescribeServerlessCaches", "ServerlessCaches", MaxResults=100)
MOUNT_TARGETS = single(
    "efs", "DescribeMountTargets", "FileSystemId", "MountTargets", nothing={"FileSystemNotFound"}, MaxItems=100
)
DOMAINS = batch("opensearch", "DescribeDomains", "DomainStatusList", "DomainNames", 5)

Known = Mapping[str, Item | Unavailable]
"""By ARN. What is not in it does not exist any more."""


def by_arn(lane: Lane, arns: Sequence[Arn], call: Call, key: str) -> Known:
    """Those of a sweep, `key` being where the answer has the ARN."""
    swept = lane.all(call)
    known = {str(one.get(key, "")): one for one in swept.items}
    answers = {arn.text: known.get(arn.text, swept.missing) for arn in arns}
    return {name: answer for name, answer in answers.items() if answer is not None}


def databases(lane: Lane, arns: Sequence[Arn]) -> Known:
    """RDS instances."""
    return by_arn(lane, arns, DB_INSTANCES, "DBInstanceArn")


def clusters(lane: Lane, arns: Sequence[Arn]) -> Known:
    """Aurora clusters, and Multi-AZ clusters of RDS."""
    return by_arn(lane, arns, DB_CLUSTERS, "DBClusterArn")


def replication_groups(lane: Lane, arns: Sequence[Arn]) -> Known:
    """ElastiCache replication groups."""
    return by_arn(lane, arns, REPLICATION_GROUPS, "ARN")


def cache_clusters(lane: Lane, arns: Sequence[Arn]) -> Known:
    """ElastiCache clusters: Memcached, and the members of replication groups."""
    return by_arn(lane, arns, CACHE_CLUSTERS, "ARN")


def serverless_caches(lane: Lane, arns: Sequence[Arn]) -> Known:
    """ElastiCache serverless caches."""
    return by_arn(lane, arns, SERVERLESS_CACHES, "ARN")


def file_systems(lane: Lane, arns: Sequence[Arn]) -> Known:
    """EFS file systems."""
    return by_arn(lane, arns, FILE_SYSTEMS, "FileSystemArn")


def tables(lane: Lane, arns: Sequence[Arn]) -> Known:
    """DynamoDB tables."""
    names = {arn.text: arn.id.partition("/")[0] for arn in arns}
    swept = lane.one(TABLE, names.values())
    found = {arn: swept[name].missing or swept[name].first.get("Table") for arn, name in names.items()}
    return {arn: answer for arn, answer in found.items() if answer is not None}


def domains(lane: Lane, arns: Sequence[Arn]) -> Known:
    """OpenSearch domains."""
    swept = lane.of(DOMAINS, (arn.id for arn in arns))
    known = {one["ARN"]: one for one in swept.items if not one.get("Deleted")}
    answers = {arn.text: known.get(arn.text, swept.missing) for arn in arns}
    return {name: answer for name, answer in answers.items() if answer is not None}


def volumes(lane: Lane, arns: Sequence[Arn]) -> Known:
    """EBS volumes."""
    swept = lane.all(VOLUMES)
    known = {one["VolumeId"]: one for one in swept.items}
    answers = {arn.text: known.get(arn.id, swept.missing) for arn in arns}
    return {name: answer for name, answer in answers.items() if answer is not None}
