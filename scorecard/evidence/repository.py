"""What a repository's objects say at the head of its default branch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Protocol, TypeVar

from scorecard.evidence.base import Evidence, Unavailable
from scorecard.model import Cadence, Cause, Scope


@dataclass(frozen=True, slots=True)
class Silence:
    """A comment beside what it is about, `scorecard: ignore ROW/CHECK until DATE: reason`; it ends with its day."""

    rule: str
    """`row/check`."""
    until: date
    """The last day."""
    reason: str
    where: str
    """`path:line` of the comment."""


class RecordState(StrEnum):
    """The state of a decision record, by MADR's and Nygard's words."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DEPRECATED = "deprecated"
    SUPERSEDED = "superseded"
    OTHER = "other"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One architecture decision record."""

    name: str
    """`path` in the repository, or `path:line`."""
    number: str
    """The number in its file name; empty when there is none."""
    title: str
    state: RecordState
    decided_on: date | None
    """From the record itself: front matter, a `Date:` line."""
    changed_on: date | None
    """The newest commit that touched it."""
    sections: Mapping[str, int] = field(default_factory=dict)
    """Words of real text under `context`, `decision`, `consequences`; a section that is not there is not a key."""
    supersedes: tuple[str, ...] = ()
    """Numbers that it says it replaces."""
    superseded_by: tuple[str, ...] = ()
    """Numbers that it says replace it."""
    silences: tuple[Silence, ...] = ()

    @property
    def folder(self) -> str:
        """Where it stands; numbers are unique within it."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecords(Evidence):
    """All decision records of a service's repositories, and when its structure last changed."""

    cadence: ClassVar[Cadence] = Cadence.SOURCE
    scope: ClassVar[Scope] = Scope.REPOSITORY

    folders: tuple[str, ...]
    """Folders in which records were looked for and found."""
    records: tuple[DecisionRecord, ...]
    structure_changed_on: date | None
    """The newest commit that touched Terraform, compose, Kubernetes or CloudFormation files."""
    history_missing: tuple[Unavailable, ...] = ()
    """Why dates by git are not all known; what the records themselves say is complete without them."""


class AlertSource(StrEnum):
    """Where a rule was read."""

    FILE = "file"
    PROMETHEUS = "prometheus"
    GRAFANA = "grafana"
    CLOUDWATCH = "cloudwatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alert that belongs to the service."""

    name: str
    """The alert's name."""
    where: str
    """`path:line`, or the source's own name of the rule's place (`file;group`, a uid, an ARN)."""
    source: AlertSource
    severity: str
    """The value of its severity label as it stands; empty when there is none."""
    runbook_url: str
    """The `runbook_url` annotation as it stands; empty when there is none."""
    rendered_runbook_url: str = ""
    """The annotation of a firing instance, where the rule's is a template and one was seen."""
    expression: str = ""
    for_seconds: float = 0.0
    summary: str = ""
    absence: bool = False
    """The expression is true when a series is not there (`absent`, `absent_over_time`, `up == 0`)."""
    problem: str = ""
    """Why the rule cannot work, in the parser's words; empty when it parses."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The rule's own labels, severity included."""
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts(Evidence):
    """The service's alert rules, from every source the catalogue names."""

    cadence: ClassVar[Cadence] = Cadence.SOURCE
    scope: ClassVar[Scope] = Scope.REPOSITORY

    rules: tuple[AlertRule, ...]
    files: tuple[str, ...] = ()
    """Rule files that were read."""
    severities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The organisation's words for each of `page`, `ticket`, `info`, from `vocabulary.severities`."""

    def urgency(self, rule: AlertRule) -> str:
        """`page`, `ticket` or `info`, or another name of the vocabulary; empty for a word that is not in it."""
        word = rule.severity.strip().lower()
        return next((name for name, words in self.severities.items() if word in map(str.lower, words)), "")


class RunbookFound(StrEnum):
    """How the search for one alert's runbook ended."""

    FOUND = "found"
    NO_LINK = "no_link"
    NOT_FOUND = "not_found"
    NO_FRAGMENT = "no_fragment"
    SIGN_IN = "sign_in"
    NOT_ASKED = "not_asked"
    """The link leads outside the repository and this version or scope does not follow it."""
    TEMPLATE = "template"
    """The link holds `{{ }}` that only a firing alert fills in, and none was seen firing."""
    UNREADABLE = "unreadable"
    """The page is there and could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookPage:
    """One runbook as an on-call engineer would read it."""

    name: str
    """`path`, or the address."""
    title: str
    names_alerts: tuple[str, ...]
    """Alerts whose exact name the page mentions."""
    sections: Mapping[str, int]
    """Words of real text under `meaning`, `impact`, `diagnosis`, `mitigation`, `escalation`, by synonyms; a section
    that is not there is not a key. For a link with a fragment, those of that part of the page."""
    steps: bool
    """It has a command block or a numbered list."""
    placeholders: tuple[str, ...]
    """Text that was left to be filled in, as `line N: words`."""
    reviewed_on: date | None
    """The newer of front matter `last_reviewed` and the newest commit that touched it."""
    broken_links: tuple[str, ...] = ()
    """Its own relative links that lead nowhere."""
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRunbook:
    """Where one alert's link leads."""

    name: str
    """The alert's name."""
    where: str
    """The rule's place."""
    url: str
    found: RunbookFound
    detail: str = ""
    page: RunbookPage | None = None
    silences: tuple[Silence, ...] = ()
    """Of the rule; the page has its own."""
    cause: Cause | None = None
    """Why nobody could read the page, where `found` is UNREADABLE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbooks(Evidence):
    """Every alert with the runbook it leads to, and the runbooks that no alert leads to."""

    cadence: ClassVar[Cadence] = Cadence.SOURCE
    scope: ClassVar[Scope] = Scope.REPOSITORY

    links: tuple[AlertRunbook, ...]
    orphans: tuple[str, ...] = ()
    """Runbook pages that no alert leads to."""
    history_missing: tuple[Unavailable, ...] = ()
    """Why dates by git are not all known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryHead(Evidence):
    """That the repositories could be read, and where they stand."""

    cadence: ClassVar[Cadence] = Cadence.SOURCE
    scope: ClassVar[Scope] = Scope.REPOSITORY

    url: str
    commit: str
    committed_at: datetime
    files: int


class Alert(Protocol):
    """A dataclass with an alert's name."""

    @property
    def name(self) -> str:
        """As its rule has it."""
        ...


N = TypeVar("N", bound=Alert)


def told_apart(things: Sequence[N]) -> tuple[N, ...]:
    """The same, with names that are unique: the second `PaymentsDown` is `PaymentsDown #2`.

    A warning and a critical alert often share a name. Lines would tell them apart too, and would make a waiver void
    with every edit above.
    """
    seen: Counter[str] = Counter()
    apart = []
    for thing in things:
        seen[thing.name] += 1
        count = seen[thing.name]
        apart.append(thing if count == 1 else replace(thing, name=f"{thing.name} #{count}"))  # type: ignore[type-var] # a dataclass
    return tuple(apart)


def plain_name(name: str) -> str:
    """The name without what `told_apart` added."""
    head, _, count = name.rpartition(" #")
    return head if head and count.isdecimal() else name
