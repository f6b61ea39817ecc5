"""The shape of the scorecard document, as pydantic models: the source of its JSON Schema.

The store gives documents as plain values, which are not validated again at run time; tests hold them to these shapes.
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
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )


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
