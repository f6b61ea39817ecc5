"""What runs of a state's resources: the attributes of `scorecard.probes.aws.terraform`, as AWS has them now.

The resources are found by their ARNs in the state, whether they carry the service's tags or not. Each kind is described
by the sweep that other questions make of it, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.aws import Gone, Resources, Unseen
from scorecard.evidence.infrastructure import Live, LiveInfrastructure, Managed, TerraformState, Values
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.aws import stores
from scorecard.probes.aws.arns import Arn, read_arn
from scorecard.probes.aws.backups import CONTINUOUS, VERSIONING
from scorecard.probes.aws.balancers import LISTENERS, LOAD_BALANCERS
from scorecard.probes.aws.calls import Call, single, sweep
from scorecard.probes.aws.encryption import BUCKET_ENCRYPTION
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.mapping import GROUPS
from scorecard.probes.aws.placement import (
    FUNCTIONS,
    INSTANCES,
    SERVICES,
    TARGET_GROUPS,
    cluster_of,
    ecs_services,
    functions,
)
from scorecard.probes.aws.places import Places
from scorecard.probes.aws.stores import Known, by_arn
from scorecard.probes.aws.terraform import ATTRIBUTES, written

SCALABLE = sweep("application-autoscaling", "DescribeScalableTargets", "ScalableTargets", ServiceNamespace="ecs")
PUBLIC_ACCESS = single(
    "s3",
    "GetPublicAccessBlock",
    "Bucket",
    nothing={"NoSuchBucket", "NoSuchPublicAccessBlockConfiguration"},
    actions=("s3:GetBucketPublicAccessBlock",),
)
_LEFT = "_left"
"""Key of an item of ours: attributes that something else sets, and what."""
_MADE_BY = (
    "aws:autoscaling:groupName",
    "aws:ec2:fleet-id",
    "aws:ec2spot:fleet-request-id",
    "aws:cloudformation:stack-name",
)
"""Tags that AWS sets on an instance that another resource made."""

Of = Callable[[Item], object]
"""A value out of AWS's description."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Some types of Terraform that are one kind of resource."""

    types: tuple[str, ...]
    read: Callable[[Lane, Sequence[Arn]], Known]
    """Those that are there, by ARN."""
    calls: tuple[Call, ...]
    attributes: Mapping[str, Of]
    pending: Mapping[str, Of] | None = None
    """Attributes to what AWS will set them to later; None of it where nothing waits."""

    def live(self, address: str, arn: str, item: Item) -> Live:
        """One resource as it runs."""
        return Live(
            name=address,
            arn=arn,
            attributes=_values(self.attributes, item, empty=True),
            changing=_values(self.pending or {}, item, empty=False),
            left=tuple(item.get(_LEFT, ())),
        )


def _values(of: Mapping[str, Of], item: Item, *, empty: bool) -> Values:
    found = ((name, written(value(item))) for name, value in of.items())
    return tuple((name, value or "") for name, value in found if value is not None or empty)


def _at(path: str) -> Of:
    """A field, blocks by their names."""

    def dig(item: Item) -> object:
        value: Any = item
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return dig


def _flag(path: str) -> Of:
    """A field that is true or false, and false where AWS leaves it out."""
    dig = _at(path)
    return lambda item: bool(dig(item))


def _is(path: str, *words: str) -> Of:
    """Whether a field says one of these."""
    dig = _at(path)
    return lambda item: dig(item) in words


# --- kinds whose description is more than one sweep ------------------------------------------------------------------


def _tables(lane: Lane, arns: Sequence[Arn]) -> Known:
    """DynamoDB tables, with what their continuous backups say."""
    found: dict[str, Item | Unavailable] = {}
    names = {arn.text: arn.id.partition("/")[0] for arn in arns}
    continuous = lane.one(CONTINUOUS, names.values())
    for arn, table in stores.tables(lane, arns).items():
        swept = continuous[names[arn]]
        if isinstance(table, Unavailable) or swept.missing:
            found[arn] = table if isinstance(table, Unavailable) else swept.missing or table
        else:
            found[arn] = {**table, **swept.first}
    return found


def _buckets(call: Call) -> Callable[[Lane, Sequence[Arn]], Known]:
    """Buckets by one call each; what is not configured is an empty answer."""

    def read(lane: Lane, arns: Sequence[Arn]) -> Known:
        answers = lane.one(call, (arn.id for arn in arns))
        found = {arn.text: answers[arn.id] for arn in arns}
        return {name: one.missing or one.first for name, one in found.items() if one.nothing != "NoSuchBucket"}

    return read


def _encryption_rule(item: Item) -> object:
    rules = (item.get("ServerSideEncryptionConfiguration") or {}).get("Rules") or ()
    kinds = [(rule.get("ApplyServerSideEncryptionByDefault") or {}).get("SSEAlgorithm") for rule in rules]
    return kinds[0] if kinds else None


def _listeners(lane: Lane, arns: Sequence[Arn]) -> Known:
    """Listeners, of whose ARNs the load balancer's are the first part."""
    owners = {arn.text: _balancer_of(arn) for arn in arns}
    answers = lane.one(LISTENERS, owners.values())
    found: dict[str, Item | Unavailable] = {}
    for arn, owner in owners.items():
        one = next((one for one in answers[owner].items if one.get("ListenerArn") == arn), answers[owner].missing)
        if one is not None:
            found[arn] = one
    return found


def _balancer_of(arn: Arn) -> str:
    return arn.text.replace(":listener/", ":loadbalancer/").rpartition("/")[0]


def _scaled(lane: Lane, arns: Sequence[Arn]) -> Known:
    """ECS services; how many tasks one asks for is nobody's drift where something else says it."""
    swept, found = lane.all(SCALABLE), dict(ecs_services(lane, arns))
    counted = [one for one in swept.items if one.get("ScalableDimension") == "ecs:service:DesiredCount"]
    scaled = {str(one.get("ResourceId")) for one in counted}
    for arn in arns:
        one = found.get(arn.text)
        if one is None or isinstance(one, Unavailable):
            continue
        if one.get("schedulingStrategy") == "DAEMON":
            found[arn.text] = {**one, _LEFT: (("desired_count", "one task on each instance"),)}
        elif f"service/{cluster_of(arn)}/{arn.last}" in scaled:
            found[arn.text] = {**one, _LEFT: (("desired_count", "Application Auto Scaling"),)}
        elif swept.missing:
            found[arn.text] = swept.missing
    return found


def _instances(lane: Lane, arns: Sequence[Arn]) -> Known:
    swept = lane.all(INSTANCES)
    known = {one["InstanceId"]: one for one in swept.items if (one.get("State") or {}).get("Name") != "terminated"}
    answers = {arn.text: known.get(arn.id, swept.missing) for arn in arns}
    return {name: answer for name, answer in answers.items() if answer is not None}


def _swept(call: Call, key: str) -> Callable[[Lane, Sequence[Arn]], Known]:
    return lambda lane, arns: by_arn(lane, arns, call, key)


_DB_PENDING = {
    "multi_az": "MultiAZ", "backup_retention_period": "BackupRetentionPeriod", "instance_class": "DBInstanceClass",
    "iam_database_authentication_enabled": "IAMDatabaseAuthenticationEnabled",
}  # fmt: skip
_STORE = {
    "storage_encrypted": _flag("StorageEncrypted"),
    "backup_retention_period": _at("BackupRetentionPeriod"),
    "deletion_protection": _flag("DeletionProtection"),
    "iam_database_authentication_enabled": _flag("IAMDatabaseAuthenticationEnabled"),
}
_MEMBER = {"publicly_accessible": _flag("PubliclyAccessible"), "instance_class": _at("DBInstanceClass")}
_PENDING = {name: _at(f"PendingModifiedValues.{key}") for name, key in _DB_PENDING.items()}
KINDS: tuple[Kind, ...] = (
    Kind(
        ("aws_db_instance",),
        stores.databases,
        (stores.DB_INSTANCES,),
        {"multi_az": _flag("MultiAZ"), **_STORE, **_MEMBER},
        _PENDING,
    ),
    Kind(("aws_rds_cluster_instance",), stores.databases, (stores.DB_INSTANCES,), _MEMBER, _PENDING),
    Kind(("aws_rds_cluster",), stores.clusters, (stores.DB_CLUSTERS,), _STORE, _PENDING),
    Kind(
        ("aws_dynamodb_table",),
        _tables,
        (stores.TABLE, CONTINUOUS),
        {
            "point_in_time_recovery.enabled": _is(
                "ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus", "ENABLED"
            ),
            "deletion_protection_enabled": _flag("DeletionProtectionEnabled"),
            # AWS leaves it out of a table that never was on demand.
            "billing_mode": lambda item: _at("BillingModeSummary.BillingMode")(item) or "PROVISIONED",
        },
    ),
    Kind(("aws_s3_bucket",), _buckets(VERSIONING), (VERSIONING,), {}),
    Kind(
        ("aws_s3_bucket_versioning",),
        _buckets(VERSIONING),
        (VERSIONING,),
        {"versioning_configuration.status": lambda item: item.get("Status") or "Disabled"},
    ),
    Kind(
        ("aws_s3_bucket_server_side_encryption_configuration",),
        _buckets(BUCKET_ENCRYPTION),
        (BUCKET_ENCRYPTION,),
        {"rule.apply_server_side_encryption_by_default.sse_algorithm": _encryption_rule},
    ),
    Kind(
        ("aws_s3_bucket_public_access_block",),
        _buckets(PUBLIC_ACCESS),
        (PUBLIC_ACCESS,),
        {
            "block_public_acls": _flag("PublicAccessBlockConfiguration.BlockPublicAcls"),
            "block_public_policy": _flag("PublicAccessBlockConfiguration.BlockPublicPolicy"),
            "ignore_public_acls": _flag("PublicAccessBlockConfiguration.IgnorePublicAcls"),
            "restrict_public_buckets": _flag("PublicAccessBlockConfiguration.RestrictPublicBuckets"),
        },
    ),
    Kind(
        ("aws_elasticache_replication_group",),
        stores.replication_groups,
        (stores.REPLICATION_GROUPS,),
        {
            "at_rest_encryption_enabled": _flag("AtRestEncryptionEnabled"),
            "transit_encryption_enabled": _flag("TransitEncryptionEnabled"),
            "automatic_failover_enabled": _is("AutomaticFailover", "enabled", "enabling"),
            "multi_az_enabled": _is("MultiAZ", "enabled"),
            "snapshot_retention_limit": lambda item: item.get("SnapshotRetentionLimit", 0),
        },
    ),
    Kind(("aws_efs_file_system",), stores.file_systems, (stores.FILE_SYSTEMS,), {"encrypted": _flag("Encrypted")}),
    Kind(
        ("aws_ebs_volume",),
        stores.volumes,
        (stores.VOLUMES,),
        {"encrypted": _flag("Encrypted"), "size": _at("Size"), "type": _at("VolumeType")},
    ),
    Kind(
        ("aws_opensearch_domain", "aws_elasticsearch_domain"),
        stores.domains,
        (stores.DOMAINS,),
        {
            "encrypt_at_rest.enabled": _flag("EncryptionAtRestOptions.Enabled"),
            "node_to_node_encryption.enabled": _flag("NodeToNodeEncryptionOptions.Enabled"),
            "domain_endpoint_options.enforce_https": _flag("DomainEndpointOptions.EnforceHTTPS"),
            "domain_endpoint_options.tls_security_policy": _at("DomainEndpointOptions.TLSSecurityPolicy"),
        },
    ),
    Kind(
        ("aws_ecs_service",),
        _scaled,
        (SERVICES, SCALABLE),
        {
            "desired_count": _at("desiredCount"),
            "deployment_circuit_breaker.enable": _flag("deploymentConfiguration.deploymentCircuitBreaker.enable"),
            "deployment_circuit_breaker.rollback": _flag("deploymentConfiguration.deploymentCircuitBreaker.rollback"),
        },
    ),
    Kind(
        ("aws_lambda_function",),
        functions,
        (FUNCTIONS,),
        {"memory_size": _at("MemorySize"), "timeout": _at("Timeout"), "runtime": _at("Runtime")},
    ),
    Kind(
        ("aws_autoscaling_group",),
        _swept(GROUPS, "AutoScalingGroupARN"),
        (GROUPS,),
        {"min_size": _at("MinSize"), "max_size": _at("MaxSize")},
    ),
    Kind(("aws_instance",), _instances, (INSTANCES,), {"instance_type": _at("InstanceType")}),
    Kind(
        ("aws_lb", "aws_alb"),
        _swept(LOAD_BALANCERS, "LoadBalancerArn"),
        (LOAD_BALANCERS,),
        {
            "internal": _is("Scheme", "internal"),
            "load_balancer_type": _at("Type"),
            "ip_address_type": _at("IpAddressType"),
        },
    ),
    Kind(
        ("aws_lb_listener", "aws_alb_listener"),
        _listeners,
        (LISTENERS,),
        {"port": _at("Port"), "protocol": _at("Protocol"), "ssl_policy": _at("SslPolicy")},
    ),
    Kind(
        ("aws_lb_target_group", "aws_alb_target_group"),
        _swept(TARGET_GROUPS, "TargetGroupArn"),
        (TARGET_GROUPS,),
        {
            "port": _at("Port"),
            "protocol": _at("Protocol"),
            "target_type": _at("TargetType"),
            "health_check.enabled": _flag("HealthCheckEnabled"),
            "health_check.path": _at("HealthCheckPath"),
            "health_check.protocol": _at("HealthCheckProtocol"),
        },
    ),
)
CALLS: tuple[Call, ...] = tuple(
    dict.fromkeys((*(call for kind in KINDS for call in kind.calls), INSTANCES, stores.VOLUMES))
)
_BY_TYPE = {type_: kind for kind in KINDS for type_ in kind.types}


@dataclass
class LiveProbe:
    """Describes the resources of all services' states at once."""

    places: Places
    name: str = "live-infrastructure"
    answers: type[Evidence] = LiveInfrastructure
    needs: tuple[type[Evidence], ...] = (TerraformState, Resources)

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """An answer for each service that has a state."""
        plans: dict[ServiceKey, _Plan] = {}
        answers: dict[ServiceKey, Answer] = {}
        for service in services:
            state, lanes = upstream.answer(service.key, TerraformState), self.places.lanes(service)
            if not isinstance(state, TerraformState):
                answers[service.key] = state if isinstance(state, Unavailable | Absent) else Absent("no state")
            elif isinstance(lanes, Unavailable):
                answers[service.key] = lanes
            else:
                mapped = upstream.answer(service.key, Resources)
                plans[service.key] = _Plan.of(state, mapped if isinstance(mapped, Resources) else None, lanes)
        wanted: dict[int, tuple[Lane, dict[Kind, set[Arn]], set[Arn]]] = {}
        for plan in plans.values():
            plan.want(wanted)
        lanes_asked = [lane for lane, _, _ in wanted.values()]
        read = self.places.each_lane(lanes_asked, lambda lane: _Look.at(lane, *wanted[id(lane)][1:]))
        looks = {id(lane): look for lane, look in zip(lanes_asked, read, strict=True)}
        for service in services:
            answer = answers.get(service.key)
            yield service.key, answer if answer is not None else plans[service.key].answer(looks)
        self.places.count(upstream)


@dataclass(frozen=True, slots=True)
class _Look:
    """What was read in one account and region."""

    known: Mapping[Kind, Known]
    made: Mapping[str, bool | Unavailable]
    """By ARN of an instance or a volume: whether another resource made it."""

    @classmethod
    def at(cls, lane: Lane, kinds: Mapping[Kind, Iterable[Arn]], suspects: Iterable[Arn]) -> _Look:
        """Ask for each kind once."""
        return cls(
            {kind: _read(lane, kind, sorted(arns)) for kind, arns in kinds.items()}, _made(lane, sorted(suspects))
        )


def _read(lane: Lane, kind: Kind, arns: Sequence[Arn]) -> Known:
    try:
        return kind.read(lane, arns)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # AWS's answers are as its model says, or they are no answers.
        names = ", ".join(call.name for call in kind.calls)
        words = f"{lane.label}, {names}: another document than was asked for ({type(error).__name__})"
        return {arn.text: Unavailable(Cause.BAD_RESPONSE, words) for arn in arns}


def _made(lane: Lane, suspects: Sequence[Arn]) -> dict[str, bool | Unavailable]:
    """Whether each instance was made by a group or a fleet, and each volume with its instance."""
    found: dict[str, bool | Unavailable] = {}
    if not suspects:
        return found
    instances = lane.all(INSTANCES)
    by_group = {
        str(one.get("InstanceId"))
        for one in instances.items
        if any(str(tag.get("Key")) in _MADE_BY for tag in one.get("Tags", ()))
    }
    with_instance = {
        str((mapping.get("Ebs") or {}).get("VolumeId"))
        for one in instances.items
        for mapping in one.get("BlockDeviceMappings", ())
        if (mapping.get("Ebs") or {}).get("DeleteOnTermination")
    }
    for arn in suspects:
        made = arn.id in by_group or arn.id in with_instance
        found[arn.text] = instances.missing if instances.missing and not made else made
    return found


_SUSPECTS = frozenset({"ec2:instance", "ec2:volume"})


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where each resource of one service is asked about."""

    wanted: tuple[tuple[Managed, Arn, Lane], ...]
    unseen: tuple[Unseen, ...]
    suspects: tuple[tuple[Arn, Lane], ...]

    @classmethod
    def of(cls, state: TerraformState, mapped: Resources | None, lanes: Sequence[Lane]) -> _Plan:
        """The resources of a state that are compared, and those of the service that something else may have made."""
        wanted: list[tuple[Managed, Arn, Lane]] = []
        unseen: list[Unseen] = []
        for one in state.resources:
            if one.type not in ATTRIBUTES:
                continue
            arn = read_arn(one.arn)
            lane = _lane(arn, lanes) if arn else Unavailable(Cause.NO_DATA, "the state gives no ARN for it")
            if arn is None or isinstance(lane, Unavailable):
                unseen.append(Unseen(one.name, lane))  # type: ignore[arg-type] # without an ARN there is no lane
            else:
                wanted.append((one, arn, lane))
        suspects = [
            (arn, lane)
            for resource in (mapped.resources if mapped else ())
            if resource.kind in _SUSPECTS and (arn := read_arn(resource.name))
            for lane in [_lane(arn, lanes)]
            if isinstance(lane, Lane)
        ]
        return cls(tuple(wanted), tuple(unseen), tuple(suspects))

    def want(self, wanted: dict[int, tuple[Lane, dict[Kind, set[Arn]], set[Arn]]]) -> None:
        """Add what this service needs to what is asked of each lane."""
        for managed, arn, lane in self.wanted:
            kinds = wanted.setdefault(id(lane), (lane, defaultdict(set), set()))[1]
            kinds[_BY_TYPE[managed.type]].add(arn)
        for arn, lane in self.suspects:
            wanted.setdefault(id(lane), (lane, defaultdict(set), set()))[2].add(arn)

    def answer(self, looks: Mapping[int, _Look]) -> LiveInfrastructure:
        """What was seen of this service."""
        items: list[Live | Unseen | Gone] = list(self.unseen)
        for managed, arn, lane in self.wanted:
            kind = _BY_TYPE[managed.type]
            found = looks[id(lane)].known[kind].get(arn.text)
            if found is None:
                items.append(Gone(managed.name))
            elif isinstance(found, Unavailable):
                items.append(Unseen(managed.name, found))
            else:
                items.append(kind.live(managed.name, arn.text, found))
        made = {arn.text: looks[id(lane)].made[arn.text] for arn, lane in self.suspects}
        return LiveInfrastructure(
            items=tuple(items),
            derived=tuple(name for name, one in made.items() if one is True),
            underived=tuple(Unseen(name, one) for name, one in made.items() if isinstance(one, Unavailable)),
            exhibits=_exhibits(self.wanted),
        )


def _lane(arn: Arn, lanes: Sequence[Lane]) -> Lane | Unavailable:
    """Where a resource is asked about; the first region for a bucket, whose ARN does not say."""
    account = lanes[0].account
    if arn.account and account.account and arn.account != account.account:
        words = f"it is in the account {arn.account}, and spec.aws.account is {account.account}"
        return Unavailable(Cause.NOT_CONFIGURED, words)
    found = next((lane for lane in lanes if lane.region == arn.region), None)
    if found is None and arn.region:
        words = f"it is in {arn.region}, which regions of integrations.aws {account.name} does not name"
        return Unavailable(Cause.NOT_CONFIGURED, words)
    return found or lanes[0]


def _exhibits(wanted: Sequence[tuple[Managed, Arn, Lane]]) -> tuple[Exhibit, ...]:
    from botocore import xform_name

    made = []
    for kind in dict.fromkeys(_BY_TYPE[managed.type] for managed, _, _ in wanted):
        count = sum(managed.type in kind.types for managed, _, _ in wanted)
        commands = "; ".join(f"aws {call.service} {xform_name(call.operation, '-')}" for call in kind.calls)
        made.append(Exhibit(source="aws", request=commands, facts={"type": kind.types[0], "resources": count}))
    return tuple(made)
