"""Where a service's pods stand, and what their workloads ask the scheduler for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from scorecard.evidence.aws import Tier, Unseen
from scorecard.evidence.base import Evidence
from scorecard.model import Cadence, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlacement(Evidence):
    """In which zones the ready pods of each workload stand; zones by the names of the nodes' labels."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Tier | Unseen, ...]


class ZoneRule(StrEnum):
    """What a pod template says about zones."""

    REQUIRED = "required"
    """The scheduler places no pod against it."""
    PREFERRED = "preferred"
    """The scheduler follows it where it can."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A Deployment or a StatefulSet."""

    name: str
    """`shop/Deployment/web`."""
    kind: str
    replicas: int
    """How many pods it asks for."""
    rule: ZoneRule
    words: str = ""
    """What says so: `topologySpreadConstraints, DoNotSchedule`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workloads(Evidence):
    """The workloads of a service's pods, by their definitions in the cluster."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Workload | Unseen, ...]
