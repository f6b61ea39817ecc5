"""The calls that are made: each is declared once, and the policy of `scorecard iam-policy` is made of what is declared.

    SUBNETS = sweep("ec2", "DescribeSubnets", "Subnets")
    TASKS = batch("ecs", "DescribeTasks", "tasks", "tasks", 100)
    BUCKET_POLICY = single("s3", "GetBucketPolicy", "Bucket", nothing={"NoSuchBucketPolicy"})

`Lane.all`, `Lane.of` and `Lane.one` make them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_NAMESPACES = {
    "efs": "elasticfilesystem",
    "elbv2": "elasticloadbalancing",
    "opensearch": "es",
    "resourcegroupstaggingapi": "tag",
}
"""botocore's name of a service to the one in IAM, where they differ."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation, and how it is asked for many resources."""

    service: str
    """botocore's name."""
    operation: str
    """`DescribeDBInstances`."""
    items: str = ""
    """Path of the list in the answer, lists on the way flattened: `Reservations.Instances`. Empty: the whole answer."""
    parameter: str = ""
    """Takes the ids of one call."""
    size: int = 0
    """Ids in one call; 0 where it takes one by itself, not in a list."""
    fixed: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Parameters that are always the same."""
    nothing: frozenset[str] = frozenset()
    """Error codes that are an answer: there is none."""
    actions: tuple[str, ...] = ()
    """What IAM calls it."""
    most: int = 0
    """Items after which no further page is asked for, and the rest is missing; 0 where there is no end."""

    @property
    def name(self) -> str:
        """`rds:DescribeDBInstances`."""
        return f"{self.service}:{self.operation}"


def sweep(service: str, operation: str, items: str, *, actions: Iterable[str] = (), **fixed: object) -> Call:
    """All of a kind in an account and region, page by page, once for all services."""
    return Call(service, operation, items, fixed=fixed, actions=_actions(service, operation, actions))


def batch(
    service: str, operation: str, items: str, parameter: str, size: int, *, actions: Iterable[str] = (), **fixed: object
) -> Call:
    """Those whose ids are named, so many in one call."""
    return Call(service, operation, items, parameter, size, fixed, actions=_actions(service, operation, actions))


def single(
    service: str,
    operation: str,
    parameter: str,
    items: str = "",
    *,
    nothing: Iterable[str] = (),
    actions: Iterable[str] = (),
    **fixed: object,
) -> Call:
    """One at a time; `nothing` are error codes that say with authority that there is none."""
    return Call(
        service, operation, items, parameter, 0, fixed, frozenset(nothing), _actions(service, operation, actions)
    )


def _actions(service: str, operation: str, actions: Iterable[str]) -> tuple[str, ...]:
    return tuple(actions) or (f"{_NAMESPACES.get(service, service)}:{operation}",)
