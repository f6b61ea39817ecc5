"""How a service is released, as AWS has it: its strategy, its way back, and the revision that runs now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from scorecard.evidence.aws import Unseen
from scorecard.evidence.base import Evidence
from scorecard.model import Cadence, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackSetting:
    """What takes a bad deployment of one thing back by itself."""

    name: str
    """The ARN of what is deployed."""
    kind: str
    """As a person calls it: `ECS service`."""
    ways: tuple[str, ...] = ()
    """`the circuit breaker`, `CodeDeploy on failure`; empty where nothing goes back by itself."""
    stops: bool = False
    """A bad deployment stops and stays where it is."""
    words: str = ""
    """The settings that were seen: `circuit breaker off, no alarms`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackSettings(Evidence):
    """The automatic way back of each thing that is deployed."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[RollbackSetting | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """One deployment that was taken back, or that could not be."""

    id: str
    """AWS's own id of the deployment."""
    at: datetime
    """When it ended."""
    succeeded: bool

    def __str__(self) -> str:
        """As a page shows it among other facts."""
        return f"{self.id} {'went back' if self.succeeded else 'could not go back'} {self.at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackTrace:
    """The rollbacks of one thing that is deployed."""

    name: str
    """An ARN."""
    kind: str
    rollbacks: tuple[Rollback, ...] = ()
    """Newest first."""
    kept_days: int | None = None
    """For how long the platform remembers them; None: without an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackTraces(Evidence):
    """The rollbacks that the platform remembers, and those that were seen before it forgot them."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[RollbackTrace | Unseen, ...]
    remembered: tuple[RollbackTrace, ...] = ()
    """What was seen earlier of the items that could not be read now; no verdict rests on it."""


class Way(StrEnum):
    """How the new revision takes the place of the old one."""

    ROLLING = "rolling"
    BLUE_GREEN = "blue/green"
    CANARY = "canary"
    LINEAR = "linear"
    AT_ONCE = "all at once"

    @property
    def gradual(self) -> bool:
        """Whether a part of the requests tries the new revision first."""
        return self in {Way.CANARY, Way.LINEAR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How one thing is deployed."""

    name: str
    kind: str
    way: Way
    kept: str = ""
    """What goes on serving meanwhile, in words: `100 % of 2 tasks`; empty where nothing must."""
    watched_by: tuple[str, ...] = ()
    """Alarms and hooks that stop it."""
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategies(Evidence):
    """How each thing is deployed."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Strategy | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthGate:
    """What a deployment of one thing waits for."""

    name: str
    kind: str
    waits_for: tuple[str, ...] = ()
    """Health checks: `GET /readyz of target group payments`."""
    port_only: bool = False
    """All of them see no more than an open port."""
    grace_seconds: int | None = None
    """How long a failing check is overlooked after a start; None where such a thing has no grace period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthGates(Evidence):
    """What the deployments wait for."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[HealthGate | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """How long one thing has for the requests that are under way when it is replaced."""

    name: str
    kind: str
    delay_seconds: int | None = None
    """The longest deregistration delay of its target groups; None where it is in none."""
    shortest_delay_seconds: int | None = None
    stop_seconds: int = 30
    """From SIGTERM to SIGKILL, the shortest of its containers that take requests."""
    by_design: str = ""
    """Why nothing needs to be drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drainings(Evidence):
    """How long requests under way have."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Draining | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRevision:
    """What runs now in one container or function."""

    name: str
    """An ARN, and the container's name."""
    kind: str
    revisions: tuple[str, ...]
    """`repository/payments:3f2a@sha256:…, 2 tasks`; more than one while a deployment is under way."""
    tags: tuple[str, ...] = ()
    """The images' tags, which may be commits."""
    definition: str = ""
    """`payments:41`, the task definition; `$LATEST`, the version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRevisions(Evidence):
    """The revision that runs now."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[RunningRevision | Unseen, ...]
