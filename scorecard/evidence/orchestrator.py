"""Which paths load balancers and Kubernetes ask a service whether it is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scorecard.evidence.aws import Unseen
from scorecard.evidence.base import Evidence
from scorecard.model import Cadence, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCheck:
    """How one target group or workload asks."""

    name: str
    """The target group's ARN, or `shop/Deployment/web`."""
    kind: str
    """As a person calls it: `target group`."""
    paths: tuple[str, ...]
    """Without their queries."""
    words: str
    """How it asks: `HTTP`, `TCP: whether the port is open`, `livenessProbe, readinessProbe`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChecks(Evidence):
    """The health checks of the target groups that a service's requests come through."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[OwnCheck | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodChecks(Evidence):
    """The probes of the workloads of a service's pods."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[OwnCheck | Unseen, ...]
