"""Loki's HTTP API: https://grafana.com/docs/loki/latest/reference/loki-http-api/ (`query_range`)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scorecard.evidence.logs import LogSystem
from scorecard.model import Cause
from scorecard.probes.logs.lines import Line, Unwrapper
from scorecard.probes.logs.source import BEFORE, MOST_LINES, Lines, SourceError, moment, part
from scorecard.probes.logs.store_api import Api

_SAMPLED = timedelta(hours=24)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LokiSource:
    """The streams that a selector names."""

    api: Api
    selector: str

    system = LogSystem.LOKI

    @property
    def name(self) -> str:
        """Instance and selector."""
        return f"loki/{self.api.name} {self.selector}"

    @property
    def lane(self) -> str:
        """The instance."""
        return f"loki/{self.api.name}"

    def mark(self, at: datetime) -> str:
        """A moment before the request."""
        return (at - BEFORE).isoformat()

    def sample(self, count: int, now: datetime) -> Lines:
        """The newest lines of the last day."""
        return self._lines(self.selector, now - _SAMPLED, now, count, "backward")

    def find(self, needles: Sequence[str], mark: str, until: datetime) -> Lines:
        """One question for each text."""
        start = moment(mark)
        queries = [f'{self.selector} |= "{needle}"' for needle in needles] or [self.selector]
        found = [self._lines(query, start, until, MOST_LINES, "forward") for query in queries]
        return Lines(
            lines=tuple(line for lines in found for line in lines.lines), cut=any(lines.cut for lines in found)
        )

    def repeat(self, needle: str, mark: str) -> str:
        """By curl, with the same LogQL."""
        query = f'{self.selector} |= "{needle}"' if needle else self.selector
        start = f" --data-urlencode start={nanoseconds(moment(mark))}" if mark else ""
        url = f"{self.api.url.rstrip('/')}/loki/api/v1/query_range"
        return f"curl -sSG {shlex.quote(url)} --data-urlencode {shlex.quote(f'query={query}')}{start}"

    def _lines(self, query: str, start: datetime, end: datetime, limit: int, direction: str) -> Lines:
        answer = self.api.ask(
            "GET",
            "/loki/api/v1/query_range",
            params={
                "query": query,
                "start": str(nanoseconds(start)),
                # The end is exclusive.
                "end": str(nanoseconds(end + timedelta(seconds=1))),
                "limit": str(limit),
                "direction": direction,
            },
        )
        where = self.lane
        if part(answer, "status", kind=str, where=where) != "success":
            raise SourceError(Cause.BAD_RESPONSE, f"{where}: the answer's status is {str(answer['status'])[:40]!r}")
        if part(answer, "data", "resultType", kind=str, where=where) != "streams":
            raise SourceError(Cause.BAD_RESPONSE, f"{where}: the answer holds no streams; is {query} a log query?")
        found: list[Line] = []
        count = 0
        for stream in part(answer, "data", "result", kind=list, where=where):
            entries = sorted(_entries(stream, where))
            count += len(entries)
            unwrapper = Unwrapper()
            for at, text in entries:
                found += unwrapper.lines([text], at=at)
        found.sort(key=lambda line: line.at or start)
        return Lines(lines=tuple(found), cut=count >= limit or bool(answer.get("warnings")))


def _entries(stream: object, where: str) -> list[tuple[datetime, str]]:
    found = []
    for value in part(stream, "values", kind=list, where=where):
        # A third element holds structured metadata, where it was asked for.
        if not isinstance(value, list) or len(value) < 2 or not isinstance(value[1], str):  # noqa: PLR2004 - time, line
            raise SourceError(Cause.BAD_RESPONSE, f"{where}: a value of a stream is no pair of time and line")
        try:
            at = _EPOCH + timedelta(microseconds=int(value[0]) // 1000)
        except (ValueError, TypeError, OverflowError):
            raise SourceError(Cause.BAD_RESPONSE, f"{where}: the time of a line is no number of nanoseconds") from None
        found.append((at, value[1]))
    return found


def nanoseconds(at: datetime) -> int:
    """Since 1970, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
