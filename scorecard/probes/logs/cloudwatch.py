"""CloudWatch Logs: `logs:FilterLogEvents` with a quoted term.

JSON filter patterns and Insights are not used: a stand-in ignores them and answers with everything, and Insights costs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from scorecard.egress.aws import Account, AwsError, Clients
from scorecard.evidence.logs import LogSystem
from scorecard.model import Cause
from scorecard.probes.logs.lines import Line, Unwrapper
from scorecard.probes.logs.source import BEFORE, MOST_LINES, Lines, SourceError, moment, part

_MOST_PAGES = 30
"""An empty page with a token is legal: the service stops looking after a while, not at the end."""
_WINDOWS = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=24))
"""A sample looks further back until it has enough; events come oldest first."""
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ATTEMPTS = 2
"""Of one call: somebody may be waiting for the line, and the next look is near."""
_NO_GROUP = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class CloudWatchSource:
    """One log group, in the first of the account's regions that has it."""

    clients: Clients
    account: Account
    group: str

    system = LogSystem.CLOUDWATCH

    @property
    def name(self) -> str:
        """Account and group."""
        return f"{self.lane} {self.group}"

    @property
    def lane(self) -> str:
        """The instance and the account; a rate limit counts by account and region."""
        return self.account.label

    def mark(self, at: datetime) -> str:
        """A moment before the request."""
        return (at - BEFORE).isoformat()

    def sample(self, count: int, now: datetime) -> Lines:
        """About so many lines of the last minutes, hour or day."""
        found = Lines()
        for window in _WINDOWS:
            found = self._events("", now - window, now, most=max(count * 4, MOST_LINES))
            if len(found.lines) >= count:
                break
        return Lines(lines=found.lines[-count:], cut=found.cut)

    def find(self, needles: Sequence[str], mark: str, until: datetime) -> Lines:
        """One question for each text."""
        start = moment(mark)
        found = [self._events(needle, start, until, most=MOST_LINES) for needle in needles or ("",)]
        return Lines(
            lines=tuple(line for lines in found for line in lines.lines), cut=any(lines.cut for lines in found)
        )

    def repeat(self, needle: str, mark: str) -> str:
        """By the AWS command line."""
        words = ["aws", "logs", "filter-log-events", "--region", self.account.regions[0]]
        words += ["--log-group-name", self.group]
        if mark:
            words += ["--start-time", str(_milliseconds(moment(mark)))]
        if needle:
            words += ["--filter-pattern", f'"{needle}"']
        return shlex.join(words)

    def _events(self, needle: str, start: datetime, end: datetime, *, most: int) -> Lines:
        for region in self.account.regions:
            events = self._pages(region, needle, start, end, most)
            if events is not None:
                return events
        regions = ", ".join(self.account.regions)
        raise SourceError(Cause.NO_DATA, f"{self.lane}: there is no log group {self.group} in {regions}")

    def _pages(self, region: str, needle: str, start: datetime, end: datetime, most: int) -> Lines | None:
        """The events of one region; None where the group is not there."""
        options: dict[str, Any] = {
            "logGroupName": self.group,
            "startTime": _milliseconds(start),
            "endTime": _milliseconds(end) + 1000,
            "limit": min(most, 10_000),
        }
        if needle:
            options["filterPattern"] = f'"{needle}"'
        where = f"{self.lane}, logs:FilterLogEvents {self.group} in {region}"
        found: list[tuple[datetime, str, Line]] = []
        for _ in range(_MOST_PAGES):
            try:
                answer = self.clients.call(self.account, region, "logs", "FilterLogEvents", **options)
            except AwsError as error:
                if error.code == _NO_GROUP:
                    return None
                raise SourceError(error.unavailable.cause, error.unavailable.detail) from None
            found += [_event(event, where) for event in part(answer, "events", kind=list, where=where)]
            token = answer.get("nextToken")
            if not token or token == options.get("nextToken"):
                return Lines(lines=tuple(_unwrapped(found)))
            if len(found) >= most:
                break
            options["nextToken"] = token
        return Lines(lines=tuple(_unwrapped(found)), cut=True)


def _event(event: object, where: str) -> tuple[datetime, str, Line]:
    at = _time(part(event, "timestamp", kind=int, where=where), where)
    ingested = event.get("ingestionTime") if isinstance(event, dict) else None
    line = Line(
        text=part(event, "message", kind=str, where=where),
        at=at,
        ingested_at=_time(ingested, where) if isinstance(ingested, int) else None,
    )
    stream = event.get("logStreamName") if isinstance(event, dict) else ""
    return at, stream if isinstance(stream, str) else "", line


def _unwrapped(found: Sequence[tuple[datetime, str, Line]]) -> Iterator[Line]:
    """Lines without the envelopes that agents leave on, by stream, in the order of time."""
    unwrappers: dict[str, Unwrapper] = {}
    for at, stream, line in sorted(found, key=lambda one: one[0]):
        for inner in unwrappers.setdefault(stream, Unwrapper()).lines([line.text.rstrip("\n")], at=at):
            yield Line(text=inner.text, at=inner.at, ingested_at=line.ingested_at)


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _time(value: int, where: str) -> datetime:
    try:
        return _EPOCH + value * _MILLISECOND
    except OverflowError:
        raise SourceError(Cause.BAD_RESPONSE, f"{where}: the time of an event is out of range") from None
