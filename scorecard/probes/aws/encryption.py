"""Whether stores are encrypted on their disks and on the way to them, and what the load balancers listen with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scorecard.evidence import Unavailable
from scorecard.evidence.aws import DataAtRest, DataInTransit, Encryption, Unseen
from scorecard.model import Cause
from scorecard.probes.aws import stores
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import Call, single
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.mapping import DATA
from scorecard.probes.aws.placement import INSTANCES
from scorecard.probes.aws.question import Question, Read, Reader
from scorecard.probes.aws.stores import Known

BUCKET_ENCRYPTION = single(
    "s3",
    "GetBucketEncryption",
    "Bucket",
    nothing={"NoSuchBucket", "ServerSideEncryptionConfigurationNotFoundError"},
    actions=("s3:GetEncryptionConfiguration",),
)
BUCKET_POLICY = single("s3", "GetBucketPolicy", "Bucket", nothing={"NoSuchBucket", "NoSuchBucketPolicy"})
DB_PARAMETERS = single("rds", "DescribeDBParameters", "DBParameterGroupName", "Parameters", MaxRecords=100)
CLUSTER_PARAMETERS = single(
    "rds", "DescribeDBClusterParameters", "DBClusterParameterGroupName", "Parameters", MaxRecords=100
)
_FORCING = {"postgres": "rds.force_ssl", "sqlserver": "rds.force_ssl", "mysql": "require_secure_transport",
            "mariadb": "require_secure_transport", "docdb": "tls", "neptune": "neptune_enforce_ssl"}  # fmt: skip
"""A word in the engine's name to the parameter that has it refuse plain connections."""
_ON = frozenset({"1", "on", "true", "enabled", "tls1.2+", "tls1.3+", "fips-140-3"})

Judge = Callable[[Item], tuple[bool | None, str]]
"""An item of AWS to (encrypted, what was seen)."""


def _each(known: Known, kind: str, judge: Judge) -> Read:
    """One `Encryption` for each."""
    found: dict[str, Sequence[Encryption] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable):
            found[name] = one
        else:
            encrypted, words = judge(one)
            found[name] = (Encryption(name=name, kind=DATA[kind], encrypted=encrypted, words=words),)
    return found


def _flag(name: str, key: str = "") -> Judge:
    """A field that is true or false, and the one that names the key."""

    def judge(one: Item) -> tuple[bool, str]:
        value: Any = one
        for part in name.split("."):
            value = (value or {}).get(part)
        by = _by_key(one, key) if value and key else ""
        return bool(value), f"{name} is {'true' if value else 'false'}{by}"

    return judge


def _by_key(one: Item, key: str = "KmsKeyId") -> str:
    return f", key {one[key]}" if one.get(key) else ""


def _store(kind: str, read: Callable[[Lane, Sequence[Arn]], Known], judge: Judge, *calls: Call) -> Reader:
    """Judges each store of a kind by its own description."""
    return Reader((kind,), lambda lane, arns: _each(read(lane, arns), kind, judge), calls)


def _no_question(kind: str, words: str) -> Reader:
    return Reader(
        (kind,),
        lambda _lane, arns: {
            arn.text: (Encryption(name=arn.text, kind=DATA[kind], encrypted=None, words=words),) for arn in arns
        },
        (),
    )


# --- on the disk -----------------------------------------------------------------------------------------------------


def _table(one: Item) -> tuple[bool, str]:
    """DynamoDB encrypts every table; the question is only with whose key."""
    sse = one.get("SSEDescription") or {}
    key = sse.get("KMSMasterKeyArn") if sse.get("Status") in {"ENABLED", "UPDATING"} else None
    return True, f"encrypted with {key}" if key else "encrypted with a key that DynamoDB owns"


def _buckets(lane: Lane, arns: Sequence[Arn]) -> Read:
    found: dict[str, Sequence[Encryption] | Unavailable] = {}
    answers = lane.one(BUCKET_ENCRYPTION, (arn.id for arn in arns))
    for arn in arns:
        swept = answers[arn.id]
        if swept.missing:
            found[arn.text] = swept.missing
        elif swept.nothing != "NoSuchBucket":
            rules = (swept.first.get("ServerSideEncryptionConfiguration") or {}).get("Rules") or ()
            kinds = [(rule.get("ApplyServerSideEncryptionByDefault") or {}).get("SSEAlgorithm") for rule in rules]
            named = ", ".join(str(kind) for kind in kinds if kind)
            words = f"default encryption is {named}" if named else "there is no default encryption"
            found[arn.text] = (Encryption(name=arn.text, kind="S3 bucket", encrypted=bool(named), words=words),)
    return found


def _attached(lane: Lane, arns: Sequence[Arn]) -> Read:
    """The volumes of instances, which seldom carry tags of their own."""
    instances, disks = lane.all(INSTANCES), lane.all(stores.VOLUMES)
    known = {one["InstanceId"]: one for one in instances.items}
    volumes = {one["VolumeId"]: one for one in disks.items}
    judge = _flag("Encrypted", "KmsKeyId")
    found: dict[str, Sequence[Encryption | Unseen] | Unavailable] = {}
    for arn in arns:
        one = known.get(arn.id)
        if one is None or (one.get("State") or {}).get("Name") == "terminated":
            if one is None and instances.missing:
                found[arn.text] = instances.missing
            continue
        items: list[Encryption | Unseen] = []
        for mapping in one.get("BlockDeviceMappings", ()):
            volume = str((mapping.get("Ebs") or {}).get("VolumeId", ""))
            name = arn.text.replace(":instance/" + arn.id, ":volume/" + volume)
            if volume in volumes:
                encrypted, words = judge(volumes[volume])
                items.append(Encryption(name=name, kind="EBS volume", encrypted=encrypted, words=words))
            elif disks.missing:
                items.append(Unseen(name, disks.missing))
        found[arn.text] = items
    return found


_STORAGE, _DISK = _flag("StorageEncrypted", "KmsKeyId"), _flag("Encrypted", "KmsKeyId")
_CACHE = _flag("AtRestEncryptionEnabled", "KmsKeyId")
DATA_AT_REST = Question(
    "data-at-rest",
    DataAtRest,
    (
        _store("rds:db", stores.databases, _STORAGE, stores.DB_INSTANCES),
        _store("rds:cluster", stores.clusters, _STORAGE, stores.DB_CLUSTERS),
        _store("dynamodb:table", stores.tables, _table, stores.TABLE),
        Reader(("s3",), _buckets, (BUCKET_ENCRYPTION,)),
        _store("ec2:volume", stores.volumes, _DISK, stores.VOLUMES),
        Reader(("ec2:instance",), _attached, (INSTANCES, stores.VOLUMES)),
        _store("elasticfilesystem:file-system", stores.file_systems, _DISK, stores.FILE_SYSTEMS),
        _store("elasticache:replicationgroup", stores.replication_groups, _CACHE, stores.REPLICATION_GROUPS),
        _store("elasticache:cluster", stores.cache_clusters, _CACHE, stores.CACHE_CLUSTERS),
        _store(
            "elasticache:serverlesscache",
            stores.serverless_caches,
            lambda one: (True, f"a serverless cache is always encrypted{_by_key(one)}"),
            stores.SERVERLESS_CACHES,
        ),
        _store("es:domain", stores.domains, _flag("EncryptionAtRestOptions.Enabled"), stores.DOMAINS),
    ),
    "databases, tables, buckets, volumes, file systems, caches or search domains",
    gone=True,
)


# --- on the way ------------------------------------------------------------------------------------------------------


def _forced(engine: str, groups: Sequence[str], swept: Mapping[str, Any]) -> Unavailable | tuple[bool | None, str]:
    parameter = next((name for word, name in _FORCING.items() if word in engine), None)
    if parameter is None:
        return Unavailable(Cause.NOT_SUPPORTED, f"whether {engine} takes plain connections is not read from RDS")
    for group in groups:
        answer = swept[group]
        if answer.missing:
            return answer.missing  # type: ignore[no-any-return] # Swept
        for one in answer.items:
            if one.get("ParameterName") == parameter:
                value = str(one.get("ParameterValue", "")).strip()
                words = f"{parameter} = {value or '(not set)'} in {group}"
                return value.lower() in _ON, words
    return False, f"{parameter} is not set in {', '.join(groups) or 'any parameter group'}"


def _databases_on_the_way(lane: Lane, arns: Sequence[Arn]) -> Read:
    """Members of a cluster take the cluster's parameters, and are asked about as it is."""
    known, clusters = stores.databases(lane, arns), _Clusters(lane)
    groups = {
        str(group["DBParameterGroupName"])
        for one in known.values()
        if not isinstance(one, Unavailable) and not one.get("DBClusterIdentifier")
        for group in one.get("DBParameterGroups", ())
    }
    swept = lane.one(DB_PARAMETERS, groups)
    found: dict[str, Sequence[Encryption] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable):
            found[name] = one
        elif cluster := one.get("DBClusterIdentifier"):
            found[name] = clusters.member(name, str(cluster))
        else:
            applied = {g["DBParameterGroupName"]: g.get("ParameterApplyStatus") for g in one["DBParameterGroups"]}
            seen = _forced(str(one["Engine"]), list(applied), swept)
            found[name] = _encryption(name, "rds:db", seen, _pending(applied))
    return found


def _clusters_on_the_way(lane: Lane, arns: Sequence[Arn]) -> Read:
    clusters = _Clusters(lane)
    return {
        name: one if isinstance(one, Unavailable) else clusters.read(name, "rds:cluster", one)
        for name, one in stores.clusters(lane, arns).items()
    }


@dataclass(frozen=True, slots=True)
class _Clusters:
    """What the parameter groups of clusters force."""

    lane: Lane

    def member(self, name: str, cluster: str) -> Sequence[Encryption] | Unavailable:
        """Of a member that is claimed."""
        swept = self.lane.all(stores.DB_CLUSTERS)
        one = next((one for one in swept.items if one.get("DBClusterIdentifier") == cluster), None)
        if one is None:
            return swept.missing or ()
        return self.read(name, "rds:db", one)

    def read(self, name: str, kind: str, one: Item) -> Sequence[Encryption] | Unavailable:
        """Of a cluster, under the name of what is claimed."""
        group = str(one["DBClusterParameterGroup"])
        seen = _forced(str(one["Engine"]), [group], self.lane.one(CLUSTER_PARAMETERS, [group]))
        states = {m.get("DBClusterParameterGroupStatus") for m in one.get("DBClusterMembers", ())} - {None, "in-sync"}
        return _encryption(name, kind, seen, f"{group} is {' and '.join(sorted(states))}" if states else "")


def _pending(applied: Mapping[str, object]) -> str:
    return ", ".join(f"{group} is {state}" for group, state in applied.items() if state and state != "in-sync")


def _encryption(
    name: str, kind: str, seen: Unavailable | tuple[bool | None, str], pending: str
) -> Sequence[Encryption] | Unavailable:
    if isinstance(seen, Unavailable):
        return seen
    return (Encryption(name=name, kind=DATA[kind], encrypted=seen[0], words=seen[1], pending=pending),)


def _replication_group(one: Item) -> tuple[bool, str]:
    enabled, mode = bool(one.get("TransitEncryptionEnabled")), str(one.get("TransitEncryptionMode") or "required")
    if not enabled:
        return False, "TransitEncryptionEnabled is false"
    return mode != "preferred", f"TransitEncryptionEnabled is true, mode {mode}"


def _bucket_policies(lane: Lane, arns: Sequence[Arn]) -> Read:
    found: dict[str, Sequence[Encryption] | Unavailable] = {}
    answers = lane.one(BUCKET_POLICY, (arn.id for arn in arns))
    for arn in arns:
        swept = answers[arn.id]
        if swept.missing:
            found[arn.text] = swept.missing
        elif swept.nothing != "NoSuchBucket":
            policy = str(swept.first.get("Policy") or "")
            refuses = refuses_plain(policy, arn.text)
            words = "its policy refuses plain requests" if refuses else "no statement refuses plain requests"
            words = words if policy else "it has no policy that refuses plain requests"
            found[arn.text] = (Encryption(name=arn.text, kind="S3 bucket", encrypted=refuses, words=words),)
    return found


def refuses_plain(policy: str, bucket: str) -> bool:
    """Whether a bucket policy denies everybody everything on its objects where `aws:SecureTransport` is false."""
    if not policy:
        return False
    return any(_refuses(statement, bucket) for statement in _statements(json.loads(policy)))


def _refuses(statement: Mapping[str, Any], bucket: str) -> bool:
    conditions = statement.get("Condition") or {}
    # All conditions must hold, so that another one beside it would let some plain requests through.
    plain = len(conditions) == 1 and any(
        operator in {"Bool", "BoolIfExists"}
        and {str(key).lower(): _texts(value) for key, value in tests.items()} == {"aws:securetransport": ["false"]}
        for operator, tests in conditions.items()
    )
    principal = statement.get("Principal")
    everybody = principal == "*" or (isinstance(principal, dict) and "*" in _texts(principal.get("AWS")))
    everything = not {"*", "s3:*"}.isdisjoint(_texts(statement.get("Action")))
    objects = not {"*", f"{bucket}/*", f"{bucket}*"}.isdisjoint(_texts(statement.get("Resource")))
    return statement.get("Effect") == "Deny" and plain and everybody and everything and objects


def _statements(policy: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - a JSON document
    found = policy.get("Statement", ()) if isinstance(policy, dict) else ()
    yield from (one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict))


def _texts(value: object) -> list[str]:
    given = value if isinstance(value, list) else [] if value is None else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in given]


_CLUSTER = _flag("TransitEncryptionEnabled")
DATA_IN_TRANSIT = Question(
    "data-in-transit",
    DataInTransit,
    (
        Reader(
            ("rds:db",),
            _databases_on_the_way,
            (stores.DB_INSTANCES, DB_PARAMETERS, stores.DB_CLUSTERS, CLUSTER_PARAMETERS),
        ),
        Reader(("rds:cluster",), _clusters_on_the_way, (stores.DB_CLUSTERS, CLUSTER_PARAMETERS)),
        _store(
            "elasticache:replicationgroup", stores.replication_groups, _replication_group, stores.REPLICATION_GROUPS
        ),
        _store("elasticache:cluster", stores.cache_clusters, _CLUSTER, stores.CACHE_CLUSTERS),
        _store(
            "elasticache:serverlesscache",
            stores.serverless_caches,
            lambda _: (True, "a serverless cache takes TLS connections only"),
            stores.SERVERLESS_CACHES,
        ),
        _store("es:domain", stores.domains, _flag("DomainEndpointOptions.EnforceHTTPS"), stores.DOMAINS),
        Reader(("s3",), _bucket_policies, (BUCKET_POLICY,)),
        _no_question("dynamodb:table", "its clients use HTTPS, and no setting of DynamoDB refuses plain connections"),
    ),
    "databases, caches, buckets or search domains",
    gone=True,
)
