"""What a service's Terraform says it has, and what of that runs.

Of a state or a plan only names and the few attributes that are compared are kept: both hold passwords in plain text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from scorecard.evidence.aws import Gone, Unseen
from scorecard.evidence.base import Evidence
from scorecard.model import Cadence, Scope

Values = tuple[tuple[str, str], ...]
"""(attribute, value): `("backup_retention_period", "7")`, truth as `true` and `false`."""


@dataclass(frozen=True, slots=True)
class Managed:
    """One resource of a state."""

    name: str
    """Its address: `module.db.aws_db_instance.main[0]`."""
    type: str
    """Terraform's: `aws_db_instance`."""
    arn: str = ""
    """Empty where the state gives none."""
    id: str = ""
    """What EC2 calls it, such as `nat-0123456789abcdef0`, where the state gives no ARN."""
    attributes: Values = ()
    """Those that are compared with what runs; none of a type that is not."""
    hidden: tuple[str, ...] = ()
    """Attributes that would be compared and that the state marks as sensitive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformState(Evidence):
    """The resources of the state that a service names."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    place: str
    """`s3://tf-state/payments.tfstate`."""
    resources: tuple[Managed, ...]
    """Those of a type that is compared, and those that can be told from what runs by an ARN or an id."""
    count: int
    """How many there are in all."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """A resource of which a plan says that it was changed outside of Terraform."""

    name: str
    """Its address."""
    actions: tuple[str, ...]
    """`update`, `delete`."""
    attributes: tuple[str, ...] = ()
    """Names of what was changed, never values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformPlan(Evidence):
    """What a published plan saw.

    `missing` says of a plan that broke off, or was made of a part, that there may be more.
    """

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    place: str
    made_at: datetime
    """The earlier of what the plan says and when the object was written."""
    drift: tuple[Drifted, ...] = ()
    changes: int = 0
    """How many resources it would change; what is written and not applied yet is no drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A resource of the state as it runs."""

    name: str
    """Its address in the state."""
    arn: str
    attributes: Values
    changing: Values = ()
    """Values that were asked for and come at the next maintenance window."""
    left: Values = ()
    """Attributes that something else sets on purpose, and what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveInfrastructure(Evidence):
    """What runs of a state's resources, of the types that are compared."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    items: tuple[Live | Unseen | Gone, ...] = ()
    """Named by their addresses."""
    derived: tuple[str, ...] = ()
    """ARNs of the service's resources that another resource made: the instances of an Auto Scaling group."""
    underived: tuple[Unseen, ...] = ()
    """Of which it is not known whether another resource made them."""
