"""What every kind of evidence shares: how old it may grow, what is missing from it, and what repeats it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Generic, TypeVar

from scorecard.model import Cadence, Cause, Provenance, Scope, Visibility

EXCERPT_LIMIT = 4096
"""Bytes of an answer that are kept as an excerpt."""

Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The outside world did not say; neither pass nor fail.

    `detail` is for the person who must act and names what was asked. `lines` are the exact lines to add to the service
    file when the cause is `not_configured`. `count` is how many things are missing, where that is known.
    """

    cause: Cause
    detail: str
    lines: str = ""
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """A complete look showed that the thing does not exist for this service. Never said after a partial look."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One answer behind a finding, as it is shown: what was asked, what came back, and how to ask again."""

    source: str
    """The system asked: `http`, `git`, `prometheus/main`, `aws`, `catalogue`."""
    request: str
    """A command or an API call that repeats it."""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    excerpt: str = ""
    """Redacted, at most EXCERPT_LIMIT bytes."""
    visibility: Visibility = Visibility.OPEN

    @property
    def digest(self) -> str:
        """`sha256:` over source, request, facts and excerpt."""
        body = json.dumps([self.source, self.request, dict(self.facts), self.excerpt], sort_keys=True)
        return "sha256:" + hashlib.sha256(body.encode("utf-8", "backslashreplace")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A frozen answer to one question. Cadence and maximum age stand on the type, since evidence is what is shared.

    A subclass sets `cadence`, and `scope` where a directory can answer it too. It holds no time of observation: that
    stands on the `Observation`, so that an unchanged answer is stored once however often it is seen. `schema` goes up
    by one when the fields change, with an upgrader in `scorecard.evidence.upgrades`, since stored evidence is judged
    again for years.
    """

    cadence: ClassVar[Cadence] = Cadence.SOURCE
    scope: ClassVar[Scope] = Scope.PLATFORM
    max_age: ClassVar[timedelta | None] = None
    """None means the cadence's."""
    schema: ClassVar[int] = 1
    window: ClassVar[int] = 0
    """How many samples are kept for a check that asks for `Window[T]`; 0 for most."""

    provenance: Provenance = Provenance.PROBED
    missing: tuple[Unavailable, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()

    @classmethod
    def oldest(cls) -> timedelta:
        """The maximum observation age of this kind of evidence."""
        return cls.max_age or cls.cadence.max_age

    @property
    def answered_at(self) -> datetime | None:
        """When a question that takes time will have its answer, to be looked for then; None where none is open."""
        return None

    @classmethod
    def kind(cls) -> str:
        """The name under which it is stored."""
        return cls.__name__


E = TypeVar("E", bound=Evidence)
Answer = Evidence | Unavailable | Absent


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer about one service: which question, when, and what came back."""

    kind: type[Evidence]
    at: datetime
    value: Answer

    @property
    def expires_at(self) -> datetime:
        """When findings that rest on it become `unknown: expired`."""
        return self.at + self.kind.oldest()


@dataclass(frozen=True, slots=True)
class Sample(Generic[E]):
    """One look of many."""

    at: datetime
    value: E | Unavailable | Absent


@dataclass(frozen=True, slots=True)
class Window(Generic[E]):
    """The last samples of one kind of evidence, oldest first; never empty when a check sees it."""

    samples: tuple[Sample[E], ...]

    @property
    def last(self) -> Sample[E]:
        """The newest sample."""
        return self.samples[-1]

    def append(self, sample: Sample[E], keep: int) -> Window[E]:
        """The window with one more sample, cut to the newest `keep`."""
        return Window((*self.samples, sample)[-keep:])
