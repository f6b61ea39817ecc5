"""What a service has in AWS: its resources, where its capacity stands, how its data is kept and reached.

Each kind of evidence holds one item per subject; a subject of which nothing is known is an `Unseen` in its place, so
that a call that was denied costs the checks that need it and no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from scorecard.evidence.base import Evidence, Unavailable
from scorecard.model import Cadence, Scope


@dataclass(frozen=True, slots=True)
class Unseen:
    """A subject that is known to exist, and of which no more is known."""

    name: str
    why: Unavailable


@dataclass(frozen=True, slots=True)
class Gone:
    """A resource that the service's file names by its ARN, and that AWS, asked with authority, does not have."""

    name: str


class Claimed(Protocol):
    """A subject that another service may claim too."""

    @property
    def claimed_by(self) -> tuple[str, ...]:
        """Their names."""


def also_of(one: Claimed) -> str:
    """What a message says of a subject that other services claim too; nothing of any other."""
    return f"; claimed by {' and '.join(one.claimed_by)} too" if one.claimed_by else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of a service."""

    name: str
    """Its ARN."""
    kind: str
    """As the ARN begins: `rds:db`, `ecs:service`, `s3`."""
    account: str
    region: str
    """Where it was found; a bucket's ARN names neither."""
    holds_data: bool = False
    """Whether such a thing is a database, a cache, a bucket or a disk."""
    claimed_by: tuple[str, ...] = ()
    """Other services that claim it too."""
    declared: bool = False
    """Whether the service's file names it by its ARN."""


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A kind of resources that could not be listed; only questions about that kind miss it."""

    kind: str
    why: Unavailable
    holds_data: bool = False
    """As of `Resource`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources(Evidence):
    """The resources that carry a service's tags, and those that its file names.

    `missing` are accounts and regions that could not be listed.
    """

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    resources: tuple[Resource, ...]
    unlisted: tuple[Unlisted, ...] = ()
    restored: tuple[str, ...] = ()
    """ARNs of restored copies, which are not scored."""

    @property
    def holds_data(self) -> bool:
        """Whether a datastore was found, which voids the claim `stateless`."""
        return any(one.holds_data for one in self.resources)

    @property
    def unseen_data(self) -> Unavailable | None:
        """Why a datastore may be there that was not found; None after a complete look."""
        hidden = (*self.missing, *(one.why for one in self.unlisted if one.holds_data))
        return hidden[0] if hidden else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Capacity that serves together: the tasks of an ECS service, the targets of a target group."""

    name: str
    """An ARN, or words where there is none."""
    kind: str
    """As a person calls it: `ECS service`."""
    units: str
    """What its capacity is counted in: `tasks`."""
    zones: tuple[tuple[str, int], ...] = ()
    """Healthy capacity by zone id, the most first."""
    unplaced: tuple[Unavailable, ...] = ()
    """Why the zone of some healthy capacity is not known; `count` says how much, None that it may be none."""
    by_design: str = ""
    """Why no single zone can take it down, where it has no capacity of its own to look at."""
    idle: str = ""
    """Why it holds no capacity now and is not meant to: `it asks for 0 tasks`."""
    claimed_by: tuple[str, ...] = ()

    @property
    def healthy(self) -> int:
        """Healthy capacity whose zone is known."""
        return sum(count for _, count in self.zones)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement(Evidence):
    """In which zones the healthy capacity of each tier sits."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Tier | Unseen | Gone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """What takes over when the zone of a database or a cache is lost."""

    name: str
    kind: str
    """As a person calls it: `RDS instance`."""
    automatic: bool
    """Whether something takes over by itself."""
    zones: tuple[str, ...]
    """Zone ids of its members, or of where a standby may be, without repetition."""
    zone_count: int
    """How many zones; AWS does not always name them."""
    words: str
    """What was seen: `MultiAZ is off`."""
    by_design: str = ""
    """Why it needs none: it is regional."""
    replica_of: str = ""
    """The database that it only copies, which is the one that needs a standby."""
    claimed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standbys(Evidence):
    """The standby of each database and cache."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Standby | Unseen | Gone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Where something may run by its configuration."""

    name: str
    kind: str
    zones: tuple[str, ...]
    """Zone ids of its subnets."""
    desired: int | None = None
    """How many are asked for; None where that is not said of such a thing."""
    least: int | None = None
    """To how few it may shrink; None where nothing shrinks it."""
    placed: bool = True
    """False: its configuration names no subnet, such as of tasks on instances that are placed by another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spreads(Evidence):
    """Where the service's capacity may run by its configuration."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Spread | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """The NAT gateway through which the capacity of one zone leaves."""

    name: str
    """The subnet."""
    zone: str
    """The zone id of the subnet."""
    gateway: str
    """The id of the NAT gateway; empty where the subnet leaves another way, or not at all."""
    gateway_zones: tuple[str, ...] = ()
    """Zone ids where the gateway stands; empty where it is gone, and of one that is regional by itself."""
    regional: bool = False
    """Whether the gateway stands in every zone by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaysOut(Evidence):
    """The NAT gateway of each subnet that holds capacity."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[WayOut | Unseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One listener of a load balancer."""

    name: str
    """Its ARN."""
    where: str
    """`HTTPS:443 of payments`."""
    protocol: str
    """HTTP, HTTPS, TLS, TCP and so on."""
    policy: str = ""
    """The name of its TLS policy."""
    versions: tuple[str, ...] = ()
    """What the policy accepts: `TLSv1.2`."""
    redirects: bool = False
    """Whether nothing of the service comes through it as plain HTTP: it redirects to HTTPS, or answers by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners(Evidence):
    """The listeners of the load balancers that the service's requests come through."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Listener | Unseen | Gone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """Whether one store is encrypted, on the way to it or on its disk."""

    name: str
    kind: str
    encrypted: bool | None
    """None: such a store has no such question; `words` says why."""
    words: str
    """What was seen: `rds.force_ssl = 0 in payments-pg15`."""
    pending: str = ""
    """Why what is configured is not in force yet: `payments-pg15 is pending-reboot`."""
    claimed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataInTransit(Evidence):
    """Whether each database, cache and bucket takes encrypted connections only."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Encryption | Unseen | Gone, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAtRest(Evidence):
    """Whether each store is encrypted on its disk."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Encryption | Unseen | Gone, ...] = field(default=())
