"""What passes between us and the child process that reads repositories: questions, answers, refusals. Plain values.

They travel as JSON and are validated on arrival, so that a child that was taken over can hand back wrong values and
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from scorecard.evidence import Silence
from scorecard.isolation.refusal import UnreadableError as UnreadableError  # noqa: PLC0414 - its place for all here


@dataclass(frozen=True, slots=True)
class Source:
    """Where objects are read: a commit of a repository, or, without a commit, the plain files of a folder."""

    directory: str
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Locate:
    """Which repository a directory belongs to, and where its branch stands."""

    directory: str
    branch: str = ""
    """Empty for the checked-out HEAD."""


@dataclass(frozen=True, slots=True)
class Located:
    """The answer to `Locate`."""

    source: Source
    prefix: str = ""
    """The directory's own path in the repository; empty at its top."""
    committed_at: int = 0
    """Seconds since 1970."""
    shallow: bool = False
    origin: str = ""
    """The address of the remote `origin`: what others call this repository."""


@dataclass(frozen=True, slots=True)
class ListFiles:
    """The regular files under a folder."""

    source: Source
    under: str = ""
    deep: bool = True
    """Folders below it too."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Paths from the repository's top, each with the id of its content (empty for plain files)."""

    files: Mapping[str, str] = field(default_factory=dict)
    symlinks: int = 0
    submodules: int = 0
    unnameable: int = 0
    """Entries whose name is not printable UTF-8."""
    folders: tuple[str, ...] = ()
    """Folders in it, where those below were not asked for."""
    cut: bool = False
    """There are more files than are listed."""


@dataclass(frozen=True, slots=True)
class File:
    """One file to be read."""

    source: Source
    path: str
    blob: str = ""
    """The id of its content; empty for a plain file."""


@dataclass(frozen=True, slots=True)
class LastChanged:
    """When were these paths last changed, and when the structure?"""

    source: Source
    wanted: tuple[str, ...]
    structural: tuple[str, ...] | None = None
    """Paths that are structure by their content, others being so by their name; None where nobody asks."""
    within: str = ""
    """The folder whose structure is meant."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Seconds since 1970 of the newest commit that touched each path."""

    at: Mapping[str, int] = field(default_factory=dict)
    structure: int | None = None
    cut: str = ""
    """Why older commits were not looked at; empty when all were, or none was needed."""


@dataclass(frozen=True, slots=True)
class FindStructure:
    """Which of these YAML files define what runs, by their content?"""

    source: Source
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Paths:
    """Some of the files that were asked about."""

    paths: tuple[str, ...] = ()
    unread: int = 0


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A decision record's content."""

    file: File


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """A decision record as its text has it."""

    title: str
    status: str
    """The state in one of `RecordState`'s words."""
    decided_on: date | None
    sections: Mapping[str, int]
    supersedes: tuple[str, ...] = ()
    superseded_by: tuple[str, ...] = ()
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadText:
    """A short file of one value, such as `.adr-dir`."""

    file: File


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReadRules:
    """The alerting rules of a YAML file."""

    file: File
    declared: bool = True
    """The service says that it is a rule file; otherwise it is only looked at."""


@dataclass(frozen=True, slots=True)
class ParsedRule:
    """One alerting rule as the file has it."""

    name: str
    line: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    expression: str
    for_seconds: float
    absence: bool
    problem: str
    selectors: tuple[tuple[str, str], ...] = ()
    """Label and value of every equality in the expression's selectors."""
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedRules:
    """What a YAML file holds of alerting rules."""

    rules: tuple[ParsedRule, ...] = ()
    groups: int = 0
    """Rule groups of any kind."""
    foreign: str = ""
    """What it holds instead, where that is known: `Grafana alerting rules`."""


@dataclass(frozen=True, slots=True)
class ReadDrill:
    """The restore that a drill report tells of; the answer is a `Restore`."""

    file: File


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A runbook, or the part of it that a link's fragment names."""

    file: File
    fragment: str = ""
    alerts: tuple[str, ...] = ()
    """Names to look for."""


@dataclass(frozen=True, slots=True)
class ReadSitePage:
    """A runbook that a site answered with, or the part of it that a link's fragment names."""

    text: str
    url: str
    html: bool
    """Otherwise it is read as Markdown."""
    fragment: str = ""
    alerts: tuple[str, ...] = ()
    """Names to look for."""


EXCERPT = 4_000
"""Bytes of a page's text that go along with what was read of it."""


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """A runbook as its text has it."""

    title: str
    named: tuple[str, ...]
    """Which of the names were mentioned."""
    sections: Mapping[str, int]
    steps: bool
    placeholders: tuple[str, ...]
    reviewed_on: date | None
    links: tuple[tuple[str, int], ...]
    """Relative links with the line they stand in."""
    anchors: tuple[str, ...]
    lines: int = 0
    silences: tuple[Silence, ...] = ()
    excerpt: str = ""
    """How it begins, at most EXCERPT bytes."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A remote repository to be brought into a directory."""

    url: str
    directory: str
    branch: str = ""
    username: str = ""
    token: str = field(default="", repr=False)
    ca_file: str = ""
    allow: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    """The address policy, as `AddressPolicy.of` takes it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where its branch stands."""

    commit: str


Question = (
    Locate
    | ListFiles
    | LastChanged
    | FindStructure
    | ReadRecord
    | ReadText
    | ReadRules
    | ReadDrill
    | ReadPage
    | ReadSitePage
    | Fetch
)
