"""A checklist: a named, versioned, ordered list of rows with weights, bound to the rows that are installed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from scorecard.check import Check, Row
from scorecard.evidence import Evidence
from scorecard.evidence.aws import Resources
from scorecard.model import Requirement, Risk, Service, ServiceType


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """Why a row does not apply, as the catalogue decides before anything is probed."""

    reason: str
    by: str = ""
    """The person who declared it; empty where the service's type or `stateless` decides."""
    until: date | None = None

    @property
    def exempt(self) -> bool:
        """A declared exemption, which the gate counts."""
        return bool(self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistRow:
    """A row as one checklist uses it: its checks, its thresholds, its risk."""

    id: str
    row: Row
    risk: Risk
    types: frozenset[ServiceType]
    needs_state: bool
    limits: object
    checks: tuple[Check, ...]
    due_after_launch: timedelta | None = None

    @property
    def weight(self) -> int:
        """Its share of the score."""
        return self.risk.weight

    def exclusion(self, service: Service, today: date) -> NotApplicable | None:
        """Why the row does not apply to the service today, by its catalogue alone; None where it does.

        The claim to keep no state is not enough where AWS can be looked through for a datastore: see `judge`.
        """
        exemption = service.spec.exempt.get(self.id)
        if service.type not in self.types:
            return NotApplicable(f"does not apply to a {service.type} service")
        if exemption and today <= exemption.until:
            return NotApplicable(exemption.reason, exemption.declared_by, exemption.until)
        if self.needs_state and service.stateless and service.spec.aws is None:
            return NotApplicable("the service says that it keeps no state")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """What a service is measured against.

    The digest covers the YAML and the version of every rule it uses, so two scores with one digest are comparable.
    """

    name: str
    version: int
    title: str
    rows: tuple[ChecklistRow, ...]
    required_rows: frozenset[str]
    nearly_within: float
    """Points under the bar within which a service is `nearly` ready."""
    digest: str

    def row(self, row_id: str) -> ChecklistRow:
        """The row of that id.

        Raises:
            KeyError: when the checklist has none.
        """
        return self.by_id[row_id]

    @property
    def by_id(self) -> Mapping[str, ChecklistRow]:
        """Its rows by id."""
        return {row.id: row for row in self.rows}


def claims_no_state(row: ChecklistRow, service: Service) -> bool:
    """Whether a row does not apply only if no datastore of the service is found."""
    return row.needs_state and service.stateless and service.spec.aws is not None


def rests_on(row: ChecklistRow, check: Check) -> frozenset[type[Evidence]]:
    """What a finding of a check may rest on: its evidence, and what tells whether a service keeps state."""
    return frozenset((*check.kinds, Resources)) if row.needs_state else frozenset(check.kinds)


def default_required(rows: tuple[ChecklistRow, ...]) -> frozenset[str]:
    """The rows that block a launch unless the YAML says otherwise: critical and high."""
    return frozenset(row.id for row in rows if row.risk in {Risk.CRITICAL, Risk.HIGH})


def required_checks(row: ChecklistRow) -> tuple[Check, ...]:
    """Those of a row's checks that decide it."""
    return tuple(check for check in row.checks if check.requirement is Requirement.REQUIRED)


def exempt_until(service: Service, row_id: str, now: datetime) -> date | None:
    """The last day of a service's exemption from a row that is in force; None without one."""
    exemption = service.spec.exempt.get(row_id)
    return exemption.until if exemption and now.date() <= exemption.until else None
