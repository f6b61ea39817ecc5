"""Where a service's secrets are, and where they should not be. No value of any secret is ever in here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from scorecard.evidence.aws import Unseen
from scorecard.evidence.base import Evidence
from scorecard.model import Cadence, Scope

HARDCODED, PLAIN, STORED, DYNAMIC = 0, 1, 2, 3
"""The levels of a secret: in the code, in a plain variable, in a store of secrets, made for each use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSecret:
    """A variable whose value is a secret, as a literal."""

    name: str
    kind: str
    """`password`, as `scorecard.plain_secrets.SecretKind` has it."""
    fingerprint: str = ""
    """Keyed, so that equal values are told from different ones; empty where the installation has no key."""

    def __str__(self) -> str:
        """As a page shows it among other facts."""
        return f"{self.name}, {self.kind}{', fingerprint ' + self.fingerprint if self.fingerprint else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The variables of one container or function."""

    name: str
    """An ARN, and the container's name."""
    kind: str
    """`ECS container`."""
    where: str
    """`task definition payments:41`."""
    count: int
    """Variables with a value that were looked at."""
    plain: tuple[PlainSecret, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments(Evidence):
    """The variables of what runs."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Variables | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSecret:
    """One secret, and how it is kept."""

    name: str
    kind: str
    """Where it is kept: `Secrets Manager`, `plain variable`."""
    level: int
    """HARDCODED to DYNAMIC."""
    words: str
    """How it reaches the service: `injected at start as DB_PASSWORD`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretLevels(Evidence):
    """How each secret is kept."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[KeptSecret | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How one stored secret is changed."""

    name: str
    kind: str
    enabled: bool
    by: str = ""
    """Who changes it: `RDS`, the ARN of a function; in words why nobody can where such a store has no rotation."""
    impaired: str = ""
    """What keeps it from being changed, as AWS has it."""
    last: datetime | None = None
    due: datetime | None = None
    """When it is to be changed next."""
    every_days: float | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotations(Evidence):
    """How each stored secret is changed."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Rotation | Unseen, ...]
