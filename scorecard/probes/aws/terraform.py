"""What is read of a Terraform state and of a plan, by the limited child: names, and the attributes that are compared.

A state is JSON of version 4, which Terraform 0.12 and newer and OpenTofu write. A plan is what `terraform show -json`
prints of it (https://developer.hashicorp.com/terraform/internals/json-format). Both hold passwords in plain text, so
that nothing leaves here but addresses, ARNs, ids of EC2, and attributes that stand in `ATTRIBUTES`.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scorecard.egress.strict_json import BadJsonError, read_json
from scorecard.evidence.infrastructure import Drifted, Managed
from scorecard.isolation import UnreadableError
from scorecard.model import Cause

LIMIT = 64 << 20
"""Bytes of a state or a plan."""
STATE_VERSION = 4
PLAN_MAJOR = "1"
_DEPTH = 64
"""Attributes of a Web ACL nest some thirty levels."""
_MOST = 8_000
"""Resources of one state that are handed out; an answer of the child may have 4 MiB."""
_MOST_DRIFT = 500
_WORD, _ADDRESS = 200, 400
"""Characters of a value and of an address that are kept."""

_STORE = ("storage_encrypted", "backup_retention_period", "deletion_protection", "iam_database_authentication_enabled")
_SEARCH = (
    "encrypt_at_rest.enabled", "node_to_node_encryption.enabled", "domain_endpoint_options.enforce_https",
    "domain_endpoint_options.tls_security_policy",
)  # fmt: skip
_LISTENER = ("port", "protocol", "ssl_policy")
_TARGETS = ("port", "protocol", "target_type", "health_check.enabled", "health_check.path", "health_check.protocol")
_BALANCER = ("internal", "load_balancer_type", "ip_address_type")
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "aws_db_instance": ("multi_az", *_STORE, "publicly_accessible", "instance_class"),
    "aws_rds_cluster": _STORE,
    "aws_rds_cluster_instance": ("publicly_accessible", "instance_class"),
    "aws_dynamodb_table": ("point_in_time_recovery.enabled", "deletion_protection_enabled", "billing_mode"),
    "aws_s3_bucket": (),
    "aws_s3_bucket_versioning": ("versioning_configuration.status",),
    "aws_s3_bucket_server_side_encryption_configuration": (
        "rule.apply_server_side_encryption_by_default.sse_algorithm",
    ),
    "aws_s3_bucket_public_access_block": (
        "block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets",
    ),
    "aws_elasticache_replication_group": (
        "at_rest_encryption_enabled", "transit_encryption_enabled", "automatic_failover_enabled", "multi_az_enabled",
        "snapshot_retention_limit",
    ),
    "aws_efs_file_system": ("encrypted",),
    "aws_ebs_volume": ("encrypted", "size", "type"),
    "aws_opensearch_domain": _SEARCH,
    "aws_elasticsearch_domain": _SEARCH,
    "aws_ecs_service": ("desired_count", "deployment_circuit_breaker.enable", "deployment_circuit_breaker.rollback"),
    "aws_lambda_function": ("memory_size", "timeout", "runtime"),
    "aws_autoscaling_group": ("min_size", "max_size"),
    "aws_instance": ("instance_type",),
    "aws_lb": _BALANCER,
    "aws_alb": _BALANCER,
    "aws_lb_listener": _LISTENER,
    "aws_alb_listener": _LISTENER,
    "aws_lb_target_group": _TARGETS,
    "aws_alb_target_group": _TARGETS,
}  # fmt: skip
"""Terraform's type to the attributes that are compared with what runs, blocks by their names.

What a deployment changes by itself is none of them: images, revisions, engine versions, desired capacity.
"""
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\d*:\S{1,300}")
_EC2_ID = re.compile(r"[a-z]{1,16}-[0-9a-f]{8,17}")
_PLAN_KEYS = frozenset({"planned_values", "resource_changes", "resource_drift", "configuration"})
"""What only a plan has; `terraform show -json` of a state has a format_version, too."""


@dataclass(frozen=True, slots=True)
class ReadState:
    """A question: the resources of a state."""

    data: str
    """The document, by `packed`."""


@dataclass(frozen=True, slots=True)
class StateRead:
    """What is in a state."""

    serial: int
    terraform: str
    resources: tuple[Managed, ...]
    """Those that are compared, and those that can be told from what runs by an ARN or an id."""
    count: int
    """All of them."""


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """A question: what a plan saw."""

    data: str


@dataclass(frozen=True, slots=True)
class PlanRead:
    """What is in a plan."""

    terraform: str
    timestamp: str
    """RFC 3339; empty of a Terraform before 1.5."""
    drift: tuple[Drifted, ...]
    changes: int
    errored: bool
    complete: bool


def packed(data: bytes) -> str:
    """A document as it goes to the child: its frames are JSON, and a state shrinks to a tenth."""
    return base64.b64encode(zlib.compress(data, 1)).decode()


def _unpacked(data: str) -> Any:  # noqa: ANN401 - a JSON document
    body = base64.b64decode(data)
    inflate = zlib.decompressobj()
    text = inflate.decompress(body, LIMIT + 1)
    del body
    if len(text) > LIMIT:
        raise _unreadable(f"it is over {LIMIT >> 20} MiB")
    try:
        document = read_json(text, depth=_DEPTH)
    except BadJsonError as error:
        # The reader's words may quote a key of the document.
        kind = "nested too deep" if "nested" in str(error) else "no JSON, or only the beginning of it"
        raise _unreadable(f"it is {kind}") from None
    if not isinstance(document, dict):
        raise _unreadable("it is no JSON object")
    return document


def _unreadable(words: str, cause: Cause = Cause.BAD_RESPONSE) -> UnreadableError:
    return UnreadableError(cause, words)


# --- states ----------------------------------------------------------------------------------------------------------


def read_state(question: ReadState) -> StateRead:
    """The resources of a state.

    Raises:
        UnreadableError: it is none, or of another version.
    """
    document = _unpacked(question.data)
    if "encrypted_data" in document:
        raise _unreadable("OpenTofu has encrypted it, and the scorecard has no key", Cause.NOT_SUPPORTED)
    version = document.get("version")
    if version != STATE_VERSION:
        shown = version if isinstance(version, int) else "none"
        raise _unreadable(f"it is a state of version {shown}, and version {STATE_VERSION} is read")
    listed, serial = document.get("resources"), document.get("serial")
    if not isinstance(listed, list) or not isinstance(serial, int):
        raise _unreadable("it has no list of resources, or no serial")
    found: list[Managed] = []
    count = 0
    for resource in listed:
        for one in _instances(resource):
            count += 1
            if one.arn or one.id or one.type in ATTRIBUTES:
                found.append(one)
        if len(found) > _MOST:
            raise _unreadable(f"it has over {_MOST:,} resources", Cause.NOT_SUPPORTED)
    return StateRead(serial, _text(document.get("terraform_version"))[:40], tuple(found), count)


def _instances(resource: Any) -> Iterator[Managed]:  # noqa: ANN401 - a JSON value
    if not isinstance(resource, dict) or not isinstance(resource.get("instances"), list):
        raise _unreadable("one of its resources has no list of instances")
    if resource.get("mode") != "managed":
        return
    type_, module = _text(resource.get("type")), _text(resource.get("module"))
    base = f"{module}.{type_}.{_text(resource.get('name'))}" if module else f"{type_}.{_text(resource.get('name'))}"
    for one in resource["instances"]:
        attributes = one.get("attributes") if isinstance(one, dict) else None
        if not isinstance(attributes, dict):
            raise _unreadable("one of its instances has no attributes, as a Terraform before 0.12 wrote it")
        if "deposed" not in one:
            yield _managed(f"{base}{_index(one.get('index_key'))}"[:_ADDRESS], type_, attributes, one)


def _index(key: object) -> str:
    if isinstance(key, str):
        return f'["{key}"]'
    return f"[{key}]" if isinstance(key, int) else ""


def _managed(address: str, type_: str, attributes: Mapping[str, Any], one: Mapping[str, Any]) -> Managed:
    arn = next((name for key in ("arn", "id") if _ARN.fullmatch(name := _text(attributes.get(key)))), "")
    if not arn and type_.startswith("aws_s3_bucket_") and (bucket := _text(attributes.get("bucket"))):
        arn = f"arn:aws:s3:::{bucket}"
    id_ = _text(attributes.get("id"))
    sensitive = _sensitive(one.get("sensitive_attributes"))
    values: list[tuple[str, str]] = []
    hidden: list[str] = []
    for name in ATTRIBUTES.get(type_, ()):
        value = _dig(attributes, name)
        if value is not None and any(name == path or name.startswith(f"{path}.") for path in sensitive):
            hidden.append(name)
        elif value is not None:
            values.append((name, value))
    return Managed(
        name=address,
        type=type_[:_WORD],
        arn=arn.removesuffix(":*"),
        id=id_ if not arn and _EC2_ID.fullmatch(id_) else "",
        attributes=tuple(values),
        hidden=tuple(hidden),
    )


def _sensitive(paths: object) -> set[str]:
    """Paths that the state marks, without the indices in them."""
    found = set()
    for path in paths if isinstance(paths, list) else ():
        steps = path if isinstance(path, list) else [path]
        names = [step.get("value") for step in steps if isinstance(step, dict) and step.get("type") == "get_attr"]
        found.add(".".join(name for name in names if isinstance(name, str)))
    return found - {""}


def _dig(attributes: Mapping[str, Any], path: str) -> str | None:
    """An attribute as text; a block of which there is one is gone through. None where it is not given."""
    value: Any = attributes
    for name in path.split("."):
        if isinstance(value, list):
            value = value[0] if len(value) == 1 else None
        value = value.get(name) if isinstance(value, dict) else None
    return written(value)


def written(value: object) -> str | None:
    """A plain value as both sides write it; None for what is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
    return value[:_WORD] if isinstance(value, str) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# --- plans -----------------------------------------------------------------------------------------------------------


def read_plan(question: ReadPlan) -> PlanRead:
    """What a plan saw.

    Raises:
        UnreadableError: it is none, or of another format.
    """
    document = _unpacked(question.data)
    version = _text(document.get("format_version"))
    if version.partition(".")[0] != PLAN_MAJOR:
        shown = version[:20] or "none"
        raise _unreadable(f"it is a plan of format_version {shown}, and {PLAN_MAJOR}.x is read")
    if _PLAN_KEYS.isdisjoint(document):
        raise _unreadable("it is no plan: terraform show -json of a plan's file prints one")
    drift = [one for one in _changes(document, "resource_drift") if _acts(one)]
    return PlanRead(
        terraform=_text(document.get("terraform_version"))[:40],
        timestamp=_text(document.get("timestamp"))[:40],
        drift=tuple(_drifted(one) for one in drift[:_MOST_DRIFT]),
        changes=sum(_acts(one) for one in _changes(document, "resource_changes")),
        errored=document.get("errored") is True or len(drift) > _MOST_DRIFT,
        complete=document.get("complete") is not False,
    )


def _changes(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    listed = document.get(key) or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise _unreadable(f"its {key} is no list of changes")
    if not all(isinstance(one.get("change"), dict) for one in listed):
        raise _unreadable(f"one entry of its {key} has no change")
    return listed


def _acts(one: Mapping[str, Any]) -> bool:
    """Whether anything differs: data that is read, and what only moved to another address, does not."""
    actions = one["change"].get("actions")
    if not isinstance(actions, list):
        raise _unreadable("one of its changes has no actions")
    return one.get("mode") != "data" and not set(map(str, actions)) <= {"no-op", "read"}


def _drifted(one: Mapping[str, Any]) -> Drifted:
    change = one["change"]
    before, after = (value if isinstance(value, dict) else {} for value in (change.get("before"), change.get("after")))
    names = sorted(str(key) for key in {*before, *after} if before.get(key) != after.get(key))
    actions = tuple(str(action)[:20] for action in change["actions"][:4])
    shown = tuple(name[:80] for name in names[:20]) if "delete" not in actions else ()
    return Drifted(_text(one.get("address"))[:_ADDRESS] or "an address that is not given", actions, shown)


ANSWERS: Mapping[str, tuple[type[Any], Callable[[Any], object]]] = {
    "ReadState": (ReadState, read_state),
    "ReadPlan": (ReadPlan, read_plan),
}


def main() -> None:
    """What the limited child runs."""
    from scorecard.isolation.child import serve

    serve(ANSWERS)
