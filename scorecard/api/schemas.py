"""The shapes of the API's answers, as pydantic models: the source of our JSON Schemas.

Answers that the store gives as plain documents are not validated again at run time; tests hold them to these shapes.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scorecard.api.shapes import ChecklistRef, Gate, Instant, Scorecard, ScoreValue, Shape, scorecard_schema
from scorecard.model import (
    Category,
    Level,
    Lifecycle,
    Requirement,
    Risk,
    ServiceType,
    Status,
    Verdict,
)

__all__ = ["Gate", "Scorecard", "scorecard_schema"]

# --- lists -----------------------------------------------------------------------------------------------------------


class ServiceItem(Shape):
    """A service in a list."""

    name: str
    environment: str
    team: str
    tier: str
    type: ServiceType
    lifecycle: Lifecycle
    checklist: str
    score: ScoreValue | None
    """Null where never measured."""
    score_upper: ScoreValue | None
    coverage: ScoreValue | None
    level: Level
    verdict: Verdict | None
    """The gate's, on the checklist that it asks, whichever is listed; null where nothing was measured."""
    exempt_rows: int
    taken_at: Instant | None
    stale: bool
    """A live answer is older than its maximum age."""
    rows: dict[str, Status]
    """Row id to status, in the checklist's order."""


class ServicePage(Shape):
    """A page of services."""

    items: list[ServiceItem]
    next: str | None
    """What to give as `after` for the following page; null on the last."""
    total: int
    """Of all pages together."""


class Metadata(Shape):
    """Who a service is."""

    name: str
    formerly: list[str]
    team: str
    tier: str
    type: ServiceType
    stateless: bool
    lifecycle: Lifecycle
    description: str
    links: list[dict[str, str]]


class Registered(Shape):
    """A service as it is registered, defaults and environment merged in."""

    apiVersion: Literal["scorecard/v1"]  # noqa: N815 - the catalogue's own key
    kind: Literal["Service"]
    metadata: Metadata
    environment: str
    spec: dict[str, Any]
    """What is set; what is absent is `unknown: not_configured`."""
    origin: str
    """`file:line` of its definition, or `api`."""
    registered_by: Literal["catalogue", "api"]


class ChangeItem(Shape):
    """One transition of a check or of the score."""

    id: int
    service: str
    environment: str
    checklist: str
    at: Instant
    row: str | None
    """Null for a change of the score."""
    check: str | None
    before: str | None
    """A status, or a score; null where there was none."""
    after: str | None
    cause: Literal["service", "checklist", "rule", "expiry", "waiver", "exemption", "scorecard"]
    message: str


class DayItem(Shape):
    """The last score of a day."""

    day: date
    score: ScoreValue | None
    score_upper: ScoreValue | None
    coverage: ScoreValue | None
    level: Level
    simulated: bool
    """The demo made it up: nothing was measured, and there is no document of that day."""


class History(Shape):
    """A service's scores by day, and its changes, newest first. A day without a measurement is missing."""

    service: str
    environment: str
    checklist: str
    days: list[DayItem]
    items: list[ChangeItem]
    next: str | None
    """What to give as `after` for older changes; null on the last page."""
    total: int
    """Changes on this page."""


class Side(Shape):
    """One end of a comparison."""

    at: Instant
    score: ScoreValue | None
    score_upper: ScoreValue | None
    coverage: ScoreValue | None
    level: Level
    verdict: Verdict | None
    checklist: ChecklistRef


class RowDifference(Shape):
    """A row whose status differs; null where the row was not in the checklist."""

    row: str
    before: Status | None
    after: Status | None


class Difference(Shape):
    """What changed between two instants, and why."""

    service: str
    environment: str
    from_: Side = Field(alias="from")
    to: Side
    rows: list[RowDifference]
    changes: list[ChangeItem]
    """Every transition between the two, newest first, each with its cause."""


class CheckInfo(Shape):
    """A check as its row's file describes it."""

    id: str
    requirement: Requirement
    rule: str
    rule_version: int
    remedy: str
    """Markdown."""
    types: list[ServiceType]
    evidence: list[str]
    """The kinds of evidence it rests on."""
    awaits: str | None
    """What is missing in this version to measure it; null where it is measured."""
    maximum_age_seconds: int | None
    """Past this observation age it is `unknown: expired`."""


class RowInfo(Shape):
    """A row as its file describes it, with the default limits."""

    id: str
    title: str
    category: Category
    risk: Risk
    weight: int
    why: str
    types: list[ServiceType]
    needs_state: bool
    links: list[str]
    checklists: list[str]
    """The configured checklists that have it."""
    checks: list[CheckInfo]


class RowPage(Shape):
    """All installed rows."""

    items: list[RowInfo]
    next: str | None
    total: int


class ChecklistRowInfo(Shape):
    """A row as a checklist uses it."""

    id: str
    title: str
    risk: Risk
    weight: int
    required: bool
    """Whether it blocks a launch."""
    types: list[ServiceType]
    needs_state: bool
    checks: list[str]


class ChecklistInfo(Shape):
    """A checklist in force."""

    name: str
    title: str
    version: int
    digest: str
    nearly_within: float
    rows: list[ChecklistRowInfo]


class ChecklistPage(Shape):
    """The checklists in force, in the configured order."""

    items: list[ChecklistInfo]
    next: str | None
    total: int


class TeamItem(Shape):
    """A team; those that only a service names have nothing but a name."""

    name: str
    parent: str | None
    channel: str | None
    timezone: str | None
    services: int
    """Registered services, in the environment production."""


class TeamPage(Shape):
    """All teams."""

    items: list[TeamItem]
    next: str | None
    total: int


class Run(Shape):
    """One cycle of measuring."""

    id: int
    cadence: str
    """live, platform, source, or on-demand."""
    state: Literal["running", "done", "skipped"]
    planned_at: Instant
    finished_at: Instant | None
    shards: int
    shards_done: int
    services: int
    answered: int
    """Questions that were answered."""
    unknown: int
    """Questions that were not."""


class RunPage(Shape):
    """Runs, newest first."""

    items: list[Run]
    next: str | None
    total: int
    """Runs on this page."""


class WaiverItem(Shape):
    """An approved, expiring permission to launch in spite of one failing finding."""

    id: int
    service: str
    environment: str
    row: str
    check: str
    fingerprint: str
    reason: str
    requested_by: str
    approved_by: str
    approved_at: Instant
    expires_at: Instant
    revoked: bool
    active: bool
    """Whether it counts now."""


class WaiverPage(Shape):
    """Waivers."""

    items: list[WaiverItem]
    next: str | None
    total: int


class Reloaded(Shape):
    """What came of taking up a changed configuration."""

    successful: bool
    problems: list[str]
    """File, line and reason for each; the last good configuration stays in force."""


# --- health ----------------------------------------------------------------------------------------------------------


class Alive(Shape):
    """The process answers."""

    status: Literal["alive"]
    version: str


class CheckResult(Shape):
    """One thing that readiness looks at."""

    status: Literal["ok", "trouble"]
    message: str


class Ready(Shape):
    """Whether questions can be answered. Only the store decides; the other checks inform."""

    status: Literal["ready", "not ready"]
    version: str
    checks: dict[str, CheckResult]


# --- errors ----------------------------------------------------------------------------------------------------------


class ProblemError(Shape):
    """One thing that is wrong with a request."""

    loc: list[str | int]
    """Where: `query`, `body`, `path` or `header`, and the keys within."""
    message: str


class ProblemShape(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: str
    """Stable; `/api/docs#problem-…` explains it."""
    title: str
    status: int
    detail: str
    instance: str
    """The path that was asked for."""
    errors: list[ProblemError] = Field(default_factory=list)
