"""An AWS that has one of everything: answers made from botocore's output shapes, so that every call finds something.

What an answer must say for the next call to be made (an ARN, an id) is taken from the resources of the same AWS
service; every list holds an item for each of them. A call that is added later is answered as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

from scorecard.demo.aws import Endpoint, Parameters
from scorecard.demo.aws_protocol import service_model
from scorecard.probes.aws import QUESTIONS
from scorecard.probes.aws.arns import Arn, read_arn
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, NOW, REGION

_DEEPEST = 9
_SERVICES = {
    "elasticloadbalancing": "elbv2",
    "elasticfilesystem": "efs",
    "es": "opensearch",
}
"""An ARN's service to botocore's, where they differ."""
_ENOUGH = {
    "ecs:service": "service/main/payments",
    "elasticloadbalancing:loadbalancer": "loadbalancer/app/payments/1",
    "codedeploy:deploymentgroup": "deploymentgroup:payments/payments",
}
_WORDS: Mapping[str, Any] = {
    "AvailabilityZone": f"{REGION}a",
    "availabilityZone": f"{REGION}a",
    "ZoneName": f"{REGION}a",
    "Engine": "postgres",
    "Scheme": "internet-facing",
    "Protocol": "HTTP",
    "launchType": "FARGATE",
    "GatewayId": "igw-1",
    "StateValue": "INSUFFICIENT_DATA",
    "Policy": "{}",
    "PackageType": "Image",
}
"""What decides whether a next call is made."""
_LEFT_OUT = frozenset({"DBClusterIdentifier", "ReadReplicaSourceDBInstanceIdentifier"})
"""What would make an instance a cluster's, or a replica."""


def arns() -> tuple[str, ...]:
    """One resource of each kind that some question is about."""
    found = []
    for kind in sorted({kind for question in QUESTIONS for kind in question.kinds}):
        service, _, rest = kind.partition(":")
        if not rest:
            found.append(f"arn:aws:{service}:::payments" if service == "s3" else estate.arn(service, "payments"))
        else:
            found.append(
                estate.arn(service, _ENOUGH.get(kind, f"{rest}/payments" if service == "ec2" else f"{rest}:payments"))
            )
    return tuple(found)


class Everything(dict[tuple[str, str], Callable[[Parameters], Mapping[str, Any]]]):
    """Answers by their shapes; those that are set by hand come first."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.arns = [arn for name in names if (arn := read_arn(name))]

    def get(self, key: tuple[str, str], default: object = None) -> Any:  # type: ignore[override] # noqa: ANN401, ARG002 - as a dict's
        return super().get(key) or (lambda parameters: self.made(key[1], parameters))

    def made(self, name: str, parameters: Parameters) -> Mapping[str, Any]:
        """An answer of an operation."""
        service, _, operation = name.partition(":")
        shape = service_model(service).operation_model(operation).output_shape
        mine = [arn for arn in self.arns if _SERVICES.get(arn.service, arn.service) == service] or self.arns[:1]
        made = _value(shape, "", mine, mine[0], 0) or {}
        # The last page: a next token would lead to the same page again.
        tokens = {"NextToken", "nextToken", "Marker", "NextMarker", "PaginationToken"}
        kept = {key: value for key, value in made.items() if key not in tokens}
        asked = {
            key: value for key, value in parameters.items() if isinstance(value, str) and isinstance(kept.get(key), str)
        }
        return kept | asked


def _value(shape: Shape | None, name: str, mine: Sequence[Arn], arn: Arn, depth: int) -> Any:  # noqa: ANN401, PLR0911 - by shape
    if shape is None or depth > _DEEPEST:
        return None
    if shape.type_name == "structure":
        wanted = list(shape.members.items())[: 1 if getattr(shape, "is_tagged_union", False) else None]
        members = {key: _value(member, key, mine, arn, depth + 1) for key, member in wanted}
        kept = {key: value for key, value in members.items() if value is not None and key not in _LEFT_OUT}
        union = getattr(shape, "is_tagged_union", False)
        return kept if kept.keys() >= set(shape.required_members) and (kept or not union) else None
    if shape.type_name == "list":
        each = mine if shape.member.type_name == "structure" and depth == 1 else [arn]
        values = [_value(shape.member, name, mine, one, depth + 1) for one in each]
        return [value for value in values if value is not None]
    if shape.type_name == "map":
        return {}
    if shape.type_name == "timestamp":
        return datetime(2026, 11, 1, tzinfo=UTC)
    if shape.type_name == "boolean":
        return True
    if shape.type_name in {"integer", "long"}:
        return max(2, shape.metadata.get("min", 0))
    if shape.type_name in {"float", "double"}:
        return 2.0
    if shape.type_name != "string":
        return b""
    return _text(shape, name, arn)


def _text(shape: Shape, name: str, arn: Arn) -> str:
    if name in _WORDS:
        return str(_WORDS[name])
    if getattr(shape, "enum", None):
        return str(shape.enum[0])
    text = arn.text if name.lower().rstrip("s").endswith("arn") else arn.last
    return text.ljust(shape.metadata.get("min", 0), "0")


def fill(endpoint: Endpoint) -> None:
    """One of everything in the account, all of it tagged `Service=payments`."""
    names = arns()
    endpoint.answers = made = Everything(names)
    system = made.made("efs:DescribeFileSystems", {})["FileSystems"][0]
    regional = {key: value for key, value in system.items() if not key.startswith("AvailabilityZone")}
    endpoint.on(ACCOUNT, "efs:DescribeFileSystems", {"FileSystems": [regional]})
    (listener, *_) = made.made("elbv2:DescribeListeners", {})["Listeners"]
    both = [
        {**listener, "Protocol": protocol, "ListenerArn": f"{listener['ListenerArn']}/{protocol}"}
        for protocol in ("HTTP", "HTTPS")
    ]
    endpoint.on(ACCOUNT, "elbv2:DescribeListeners", {"Listeners": both})
    # Snapshots are asked for where nothing else backs a database up.
    databases = made.made("rds:DescribeDBInstances", {})["DBInstances"]
    bare = [{**one, "BackupRetentionPeriod": 0} for one in databases]
    endpoint.on(ACCOUNT, "rds:DescribeDBInstances", {"DBInstances": bare})
    endpoint.on(ACCOUNT, "backup:ListRecoveryPointsByResource", {"RecoveryPoints": []})
    alarm = estate.arn("cloudwatch", "alarm:payments-errors")
    estate.tagged(endpoint, {name: {"Service": "payments"} for name in (*names, alarm)})
    estate.zones(endpoint)
    estate.subnets(endpoint)
    metric = {"Namespace": "AWS/RDS", "MetricName": "CPUUtilization", "Dimensions": []}
    endpoint.on(
        ACCOUNT,
        "cloudwatch:DescribeAlarms",
        {
            "MetricAlarms": [
                {
                    "AlarmName": "payments-errors",
                    "AlarmArn": alarm,
                    "ActionsEnabled": True,
                    "AlarmActions": [estate.arn("sns", "on-call")],
                    "StateValue": "INSUFFICIENT_DATA",
                    "StateUpdatedTimestamp": NOW,
                    **metric,
                }
            ]
        },
    )
    widget = {"type": "metric", "properties": {"region": REGION, "metrics": [["AWS/RDS", "CPUUtilization"]]}}
    endpoint.on(ACCOUNT, "cloudwatch:GetDashboard", {"DashboardBody": json.dumps({"widgets": [widget]})})
    endpoint.on(ACCOUNT, "cloudwatch:GetMetricData", {"MetricDataResults": []})
