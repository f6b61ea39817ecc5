"""What is read from the store: frozen values for lists, pages and metrics, with expiry applied at `now`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from scorecard.model import Cadence, Cause, Level, ServiceKey, Status, Verdict

STATUS_LETTERS = {
    Status.PASS: "p",
    Status.WARN: "w",
    Status.FAIL: "f",
    Status.UNKNOWN: "u",
    Status.NOT_APPLICABLE: "n",
}
LETTER_STATUSES = {letter: status for status, letter in STATUS_LETTERS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One service on one checklist, as a list shows it. Scores of 0 to 100; None where never measured."""

    key: ServiceKey
    team: str
    tier: str
    type: str
    lifecycle: str
    checklist: str
    score: float | None
    score_upper: float | None
    coverage: float | None
    verified_only: float | None
    level: Level
    exempt_rows: int
    verdict: Verdict | None
    """What the gate says; None on a checklist that the gate of its tier does not ask."""
    rows: tuple[tuple[str, Status], ...]
    """Row id and status, in the checklist's order; empty where never measured."""
    taken_at: datetime | None
    """The newest observation."""
    stale: bool
    """A live answer is older than its maximum age."""
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The filters of `/services`, of its API and of `scorecard list`. None or empty: no filter."""

    checklist: str
    q: str = ""
    team: str = ""
    tier: str = ""
    environment: str = ""
    lifecycle: str = ""
    row: str = ""
    status: Status | None = None
    """With `row`: that row's status; alone: any row has it."""
    level: Level | None = None
    below: bool = False
    """Measured within 24 hours and anything but `ready`, as the overview counts them."""
    measured: bool | None = None
    """Whether anything was observed within 24 hours."""
    score_from: float | None = None
    score_below: float | None = None
    """Half-open: score_from <= score < score_below."""
    stale: bool | None = None
    sort: str = "score"
    """score, name, team, tier, coverage or age; a leading `-` turns it round. Ties by name."""
    after: str = ""
    """The cursor that the page before gave."""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """A page of summaries: `next` is the cursor of the following one, empty on the last."""

    items: tuple[Summary, ...]
    next: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayScore:
    """The last score of a day."""

    day: date
    score: float | None
    score_upper: float | None
    coverage: float | None
    level: Level
    simulated: bool = False
    """The demo made it up: nothing was measured, and there is no document of that day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transition, with its cause: service, checklist, rule, expiry, waiver, exemption or scorecard."""

    id: int
    key: ServiceKey
    checklist: str
    at: datetime
    row: str
    """Empty for a change of the score."""
    check: str
    """Empty for a change of the score."""
    before: str
    """A status, or a score as text; empty where there was none."""
    after: str
    cause: str
    message: str
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """How many services have a row in each status."""

    row: str
    counts: dict[Status, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamRow:
    """One team's part of the heat table: for each row, services that fail of those to which it applies."""

    team: str
    services: int
    meeting: int
    """Services that are `ready`."""
    mean_score: float | None
    failing: dict[str, int] = field(default_factory=dict)
    applicable: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The overview, over production services (`lifecycle: production`, environment production)."""

    services: int
    meeting: int
    below: int
    unmeasured: int
    """Not measured in the last 24 hours."""
    meeting_30_days_ago: float | None
    """Share, 0 to 1, of those that were measured then."""
    distribution: tuple[tuple[int, int], ...]
    """(lower bound of ten points, services)."""
    rows: tuple[RowCounts, ...]
    teams: tuple[TeamRow, ...]
    drops: tuple[tuple[ServiceKey, float, float], ...]
    """(service, score a week ago, score now), biggest first."""
    trend: tuple[tuple[date, float, int], ...]
    """(day, mean score, services measured)."""
    unknown_share: float
    """Findings that are unknown, of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleView:
    """One cycle of measuring."""

    id: int
    cadence: str
    tick: int
    planned_at: datetime
    finished_at: datetime | None
    state: str
    """running, done or skipped."""
    shards: int
    shards_done: int
    services: int
    answered: int
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the scorecard itself is doing."""

    last_success: dict[Cadence, datetime]
    running: tuple[CycleView, ...]
    recent: tuple[CycleView, ...]
    skipped: int
    unknown_by_cause: dict[Cause, int]
    unknown_by_kind: dict[str, int]
    queue_lag_seconds: float
    late: tuple[Cadence, ...]
    """Cadences whose last success is older than three periods."""
    services: int
    findings: int
    unknown_findings: int
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """One health endpoint of a service, by the newest `HealthEndpoints` observation, at most its maximum age old."""

    endpoint: str
    """liveness or readiness."""
    up: bool
    """It answered 2xx."""
    seconds: float
    """From the first byte sent to the last received."""
    certificate_expires_at: datetime | None
    """When its certificate ends (observed at + days left); None without https."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One service in one environment, as `/metrics` shows it."""

    key: ServiceKey
    team: str
    tier: str
    type: str
    verdict: Verdict | None
    """The gate's; None where nothing was ever measured."""
    summaries: tuple[Summary, ...]
    """One for each checklist that applies and was measured, the primary first. All unknown is score 0, coverage 0."""
    last_proven: tuple[tuple[str, datetime], ...]
    """Row id and the last time it was not unknown; rows that never were are missing."""
    waivers: tuple[tuple[str, datetime], ...]
    """Row id and end of each waiver that is active."""
    endpoints: tuple[EndpointFacts, ...]


@dataclass(frozen=True, slots=True)
class MetricChanges:
    """What differs from what `Store.metric_rows` gave under an earlier `seq`."""

    seq: int
    """Handed in at the next call, by the same process. 0 was never given."""
    rows: tuple[MetricRow, ...]
    """Services that are new, measured again, changed by catalogue, waiver or expiry; more than those is allowed."""
    gone: tuple[ServiceKey, ...]
    """Services that are registered no longer."""
    complete: bool
    """True: `rows` is all there is, and what is not in it is gone (always so for `since` 0)."""
