"""The shapes of the API's answers, and of the scorecard document, as pydantic models: the source of our JSON Schemas.

Answers that the store gives as plain documents are not validated again at run time; tests hold them to these shapes.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, TypeAdapter

from scorecard.document import rfc3339
from scorecard.json_schema import titled
from scorecard.model import (
    Category,
    Cause,
    Level,
    Lifecycle,
    Provenance,
    Requirement,
    Risk,
    ServiceType,
    Status,
    Verdict,
    Visibility,
)

Instant = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="unless-none")]
"""An RFC 3339 instant in UTC."""
ScoreValue = Annotated[float, Field(ge=0, le=100)]
"""0 to 100, rounded down to one decimal."""


class Shape(BaseModel):
    """An object with these keys and no others."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )


# --- the scorecard document ------------------------------------------------------------------------------------------


class EvidenceShape(Shape):
    """One answer behind a finding, as it can be asked for again."""

    source: str
    """The system that was asked."""
    request: str
    """A command or an API call that repeats it."""
    facts: dict[str, str | int | float | bool | None]
    """What was read from the answer."""
    excerpt: str
    """Redacted, at most 4 KiB."""
    digest: str
    """`sha256:` over source, request, facts and excerpt."""
    visibility: Visibility
    """Who may read it."""


class SubjectShape(Shape):
    """The verdict on one alert, panel, resource, file or secret."""

    name: str
    """Its own name; a file's is `path:line`, after `path@commit:line` where the commit matters."""
    status: Status
    code: str
    """Stable; with the name it is what a waiver is bound to."""
    cause: Cause | None
    message: str
    where: str | None
    """Its place, such as `path:line`, where the name is something else."""


class CheckShape(Shape):
    """A check's finding."""

    id: str
    requirement: Requirement
    rule: str
    """In one sentence, with the limits in force."""
    rule_version: int
    status: Status
    cause: Cause | None
    """Set where the status is unknown."""
    code: str
    message: str
    """For the person who must act."""
    lines: str | None
    """The lines to add to the service's file, where nothing is configured."""
    remedy: str
    """Markdown."""
    provenance: Provenance
    fingerprint: str | None
    """What a waiver is bound to; null unless it failed."""
    subjects: list[SubjectShape]
    observed_at: Instant | None
    expires_at: Instant | None
    """From then on it is `unknown: expired`."""
    evidence: list[EvidenceShape]


class ExclusionShape(Shape):
    """Why a row does not apply."""

    reason: str
    declared_by: str | None
    until: date | None


class RowShape(Shape):
    """A row with its checks."""

    id: str
    title: str
    category: Category
    risk: Risk
    weight: int
    status: Status
    credit: float = Field(ge=0, le=1)
    """What it earns of its weight."""
    points: ScoreValue
    """What passing it would add to the score."""
    waiver: str | None
    """The waiver that covers a failure of it, in a sentence."""
    not_applicable: ExclusionShape | None
    not_asked: list[str]
    """Checks outside the scope; they count for nothing."""
    checks: list[CheckShape]


class ChecklistRef(Shape):
    """A checklist at one version."""

    name: str
    version: int
    digest: str
    """Over the YAML and the version of every rule it uses."""


class Gate(Shape):
    """The launch decision."""

    verdict: Verdict
    reasons: list[str]
    exit_code: Literal[0, 1, 3]
    """0 go, 1 no go, 3 cannot tell."""


class Scorecard(Shape):
    """All findings of one service, in one environment, on one checklist, at one instant."""

    schema_: Literal[1] = Field(alias="schema")
    """The version of this shape."""
    service: str
    environment: str
    team: str
    tier: str
    type: ServiceType
    taken_at: Instant | None
    """The newest observation; null where nothing was measured."""
    run: str
    checklist: ChecklistRef
    score: ScoreValue | None
    score_upper: ScoreValue | None
    """The score if every unknown passed."""
    coverage: ScoreValue | None
    """The share of weight that is not unknown, in percent."""
    verified_only: ScoreValue | None
    """The score with declared and attested findings taken as unknown."""
    level: Level
    exempt_rows: int
    rows: list[RowShape]
    not_asked: list[str]
    """Rows outside the scope."""
    gate: Gate | None
    """Null where the tier's gate asks another checklist."""


@cache
def scorecard_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the scorecard document: what `scorecard schema scorecard` prints."""
    return titled(TypeAdapter(Scorecard).json_schema(mode="serialization"), "Scorecard")


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
    """The gate's; null where it asks another checklist, or nothing was measured."""
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
