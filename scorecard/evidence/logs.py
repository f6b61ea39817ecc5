"""What a service's log says: a sample of its lines, and whether a request that we sent is found in it again.

Other people's lines are counted and never kept. The one line that is kept is that of our own request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from scorecard.evidence.base import Evidence, Unavailable
from scorecard.evidence.health import Reply
from scorecard.model import Cadence


class LogSystem(StrEnum):
    """What a log is read from."""

    FILE = "file"
    LOKI = "loki"
    ELASTICSEARCH = "elasticsearch"
    CLOUDWATCH = "cloudwatch"


LAG_LIMITS: Mapping[LogSystem, float] = {
    LogSystem.FILE: 3.0,
    LogSystem.LOKI: 30.0,
    LogSystem.ELASTICSEARCH: 60.0,
    LogSystem.CLOUDWATCH: 120.0,
}
"""Seconds within which a line must be found. Elasticsearch shows a document after its refresh interval."""

LINE_FIELDS = ("timestamp", "level", "message")
"""What every line needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSample(Evidence):
    """Counts over the newest lines of a log, after envelopes of container runtimes were taken off."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM

    system: LogSystem
    lines: int
    """Lines of this service, empty ones left out."""
    json_objects: int
    complete: int
    """JSON objects with every field of `LINE_FIELDS`, the timestamp being RFC 3339."""
    lacking: Mapping[str, int] = field(default_factory=dict)
    """Field to the number of JSON objects without it."""
    bad_timestamps: int = 0
    """JSON objects whose timestamp is there and not RFC 3339."""
    foreign: int = 0
    """Lines that say they are another service's; they count for nothing else here."""


class Trace(StrEnum):
    """What was found of a request in a log."""

    IN_FIELD = "in_field"
    """A JSON object carries the id, exactly, in the declared field."""
    UNDER_ANOTHER_KEY = "under_another_key"
    """A JSON object carries it, exactly, elsewhere."""
    IN_TEXT = "in_text"
    """Only within a text: a line that is no JSON object, or a longer text in one."""
    WITHOUT_ID = "without_id"
    """The request's line is there, by path and time, and no line carries the id."""
    ANOTHER_SERVICE = "another_service"
    """The only lines with the id say that they are another service's."""
    NO_LINE = "no_line"
    """Newer lines are there, and none of this request."""
    NOTHING_NEWER = "nothing_newer"
    """No line is newer than the request."""
    INVENTED = "invented"
    """An id that was never sent was found as well, so that finding one proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What one log was found to hold of one request."""

    system: LogSystem
    trace: Trace
    key: str = ""
    """Where in the JSON object the id stands; dots lead into objects."""
    lag: float | None = None
    """Seconds from the request until the line was there at the latest; None where nothing tells."""
    lag_at_least: float | None = None
    """Seconds until which it was not there."""
    lacking: tuple[str, ...] = ()
    """Fields of `LINE_FIELDS` that the line does not have, or not rightly."""
    skew: float | None = None
    """Seconds from the request to the line's own timestamp."""
    says_service: str = ""
    """The service that the line names, where that is not this one's name."""
    line: str = ""
    """Our own line, redacted."""
    lines: int = 0
    """Lines that were looked at by us."""
    cut: bool = False
    """The log had more than were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request with fresh ids."""

    sent_at: datetime
    """When its connection began, by our clock."""
    url: str
    header: str
    """The header that carried the correlation id, beside `X-Request-ID` and `traceparent`."""
    correlation_id: str
    trace_id: str
    span_id: str
    control_id: str
    """Made like the correlation id, and never sent."""
    reply: Reply
    status: int = 0
    milliseconds: float = 0.0
    detail: str = ""
    echoed: str = ""
    """The response header that carried an id of ours; empty when none did."""
    marks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Service to (its log, where that log ended before the request was sent); this service's own under its name."""
    patience: float = 0.0
    """Seconds within which its line must be there, in each of these logs."""
    not_there: Mapping[str, float] = field(default_factory=dict)
    """Service to the seconds after which its log was searched, and had no line of the request."""

    @property
    def traceparent(self) -> str:
        """The W3C header's value, sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Downstream:
    """A declared downstream service, and what its log holds of the request."""

    name: str
    result: Search | Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationSearch(Evidence):
    """A request that was sent in one run and searched for in a later one.

    `sent`, `result` and `downstream` are about the last request that was searched for; `pending` is the one that waits
    for its search: once its lag limit is over, and in the next run if its line was not there by then. On the command
    line all happens in one run, and nothing is left pending.
    """

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    max_age: ClassVar[timedelta | None] = timedelta(hours=2)

    declared_field: str = "correlation_id"
    """The key that the catalogue declares."""
    sent: Sent | None = None
    searched_at: datetime | None = None
    result: Search | Unavailable | None = None
    """None until something was searched for."""
    downstream: tuple[Downstream, ...] = ()
    pending: Sent | None = None

    @property
    def answered_at(self) -> datetime | None:
        """When the lag limit of what was sent is over."""
        one = self.pending
        return None if one is None or one.not_there else one.sent_at + timedelta(seconds=one.patience)

    @property
    def newest(self) -> Sent | None:
        """The last request that was sent."""
        return self.pending or self.sent
