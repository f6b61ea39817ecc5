"""Looking for our request in the lines that a log gave, by ourselves: that it gave them proves nothing. Pure."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import re2

from scorecard.evidence.base import EXCERPT_LIMIT
from scorecard.evidence.logs import LogSystem, Search, Sent, Trace
from scorecard.probes.logs.lines import (
    Entry,
    FieldNames,
    Line,
    first_of,
    lacking,
    rfc_3339,
    service_of,
    some_time,
    texts_of,
    value_of,
)
from scorecard.redact import redact, redact_text

_NEAR = timedelta(seconds=2)
"""How far the clock of a log may be from ours when a request's line is told by its time."""
_QUARTER = 900.0
"""Seconds: every zone is a whole number of quarters of an hour away."""
_KEY_LENGTH = 80
_OUR_ID = re2.compile(r"scorecard-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BEST = (Trace.IN_FIELD, Trace.UNDER_ANOTHER_KEY, Trace.IN_TEXT, Trace.ANOTHER_SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for in one log."""

    sent: Sent
    system: LogSystem
    service: str
    """The service whose log it is."""
    others: Container[str] = ()
    """Names of other services; a line that names one of them is theirs."""
    alone: bool = True
    """No other service that is asked has the same log; else only a line that names this one is its."""
    declared_field: str
    names: FieldNames

    @property
    def ids(self) -> tuple[str, str]:
        """What to ask the log for."""
        return self.sent.correlation_id, self.sent.trace_id

    def accepts(self, value: object) -> bool:
        """Whether a value is one of the ids, and not a text that has one in it."""
        sent = self.sent
        return isinstance(value, str) and value in {sent.correlation_id, sent.trace_id, sent.traceparent}

    def mentions(self, text: str) -> bool:
        """Whether a text has one of the ids in it."""
        return self.sent.correlation_id in text or self.sent.trace_id in text

    def whose(self, entry: Entry | None) -> str:
        """The service that a line says it is of, where that is not ours by any reading; empty otherwise."""
        said = service_of(entry, self.names) if entry is not None else ""
        if not said or (said not in self.others and _alike(said, self.service)):
            return ""
        return said

    def takes(self, entry: Entry | None) -> bool:
        """Whether a line without the id may be held against this service."""
        if not self.alone and (entry is None or not service_of(entry, self.names)):
            return False
        return not self.whose(entry)


def _alike(said: str, name: str) -> bool:
    """`payments-api`, `Payments` and `payments` may well be one service."""
    first, second = (re2.sub(r"[^a-z0-9]+", "-", text.lower()) for text in (said, name))
    return f"{first}-".startswith(f"{second}-") or f"{second}-".startswith(f"{first}-")


def look(lines: Sequence[Line], wanted: Wanted, *, cut: bool) -> Search:
    """What the lines hold of the request: the best that any of them shows, and `NO_LINE` where none shows anything."""
    nothing = Search(system=wanted.system, trace=Trace.NO_LINE, lines=len(lines), cut=cut)
    if any(wanted.sent.control_id in line.text for line in lines):
        return replace(nothing, trace=Trace.INVENTED)
    found = [_judge(line, wanted, nothing) for line in lines if wanted.mentions(line.text)]
    return min(found, key=_rank, default=nothing)


def _rank(search: Search) -> tuple[int, int, int, float]:
    return (
        _BEST.index(search.trace),
        bool(search.says_service),
        len(search.lacking),
        search.lag if search.lag is not None else 0.0,
    )


def _judge(line: Line, wanted: Wanted, nothing: Search) -> Search:
    entry = line.entry()
    kept = replace(nothing, line=our_line(line, entry), lag=_lag(line, entry, wanted))
    other = wanted.whose(entry)
    if other in wanted.others and other:
        return replace(kept, trace=Trace.ANOTHER_SERVICE, says_service=_shown(other), line="")
    if entry is None:
        return replace(kept, trace=Trace.IN_TEXT)
    kept = replace(
        kept, lacking=_incomplete(entry, wanted.names), skew=_skew(entry, wanted), says_service=_shown(other)
    )
    if wanted.accepts(value_of(entry, wanted.declared_field)):
        return replace(kept, trace=Trace.IN_FIELD, key=wanted.declared_field)
    for path, text in texts_of(entry):
        if wanted.accepts(text):
            return replace(kept, trace=Trace.UNDER_ANOTHER_KEY, key=_shown(path))
    return replace(kept, trace=Trace.IN_TEXT)


def _incomplete(entry: Entry, names: FieldNames) -> tuple[str, ...]:
    missing = lacking(entry, names)
    if "timestamp" not in missing and rfc_3339(first_of(entry, names.timestamp)) is None:
        return ("timestamp", *missing)
    return missing


def _skew(entry: Entry, wanted: Wanted) -> float | None:
    at = rfc_3339(first_of(entry, wanted.names.timestamp))
    return round((at - wanted.sent.sent_at).total_seconds(), 3) if at else None


def _lag(line: Line, entry: Entry | None, wanted: Wanted) -> float | None:
    """How long it took until the line was there: by the store's own word, else by the line's."""
    at = line.ingested_at or (rfc_3339(first_of(entry, wanted.names.timestamp)) if entry else None) or line.at
    return round((at - wanted.sent.sent_at).total_seconds(), 3) if at else None


def our_line(line: Line, entry: Entry | None) -> str:
    """The line as it is kept: without what looks like a secret, and cut."""
    if entry is None:
        return _cut(redact_text(line.text[:EXCERPT_LIMIT]))
    value: Any = redact(json.loads(line.text)) if line.document is None else redact(dict(line.document))
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text.encode("utf-8", "backslashreplace")[:EXCERPT_LIMIT].decode("utf-8", "ignore")


def _shown(key: str) -> str:
    return redact_text(key)[:_KEY_LENGTH]


# --- the request's line without an id --------------------------------------------------------------------------------


def request_seen(lines: Iterable[Line], wanted: Wanted) -> Line | None:
    """A line of our request that carries no id: it names the path, and its time is that of the request."""
    path = urlsplit(wanted.sent.url).path or "/"
    # As it stands in a request line or a field; a slash may be escaped in JSON.
    named = re2.compile(rf"(^|[^A-Za-z0-9_./-]|://[^/\s]+){re2.escape(path)}($|[^A-Za-z0-9_./-])")
    for line in lines:
        entry = line.entry()
        texts = [line.text] if entry is None else [text for _, text in texts_of(entry)]
        if (
            wanted.takes(entry)
            and any(named.search(text) for text in texts)
            and _at_the_time(line, entry, wanted)
            and not _OUR_ID.search(line.text)  # that of another request, of ours as well
        ):
            return line
    return None


def _at_the_time(line: Line, entry: Entry | None, wanted: Wanted) -> bool:
    sent = wanted.sent
    first, last = sent.sent_at - _NEAR, sent.sent_at + timedelta(milliseconds=sent.milliseconds) + _NEAR
    said = rfc_3339(first_of(entry, wanted.names.timestamp)) if entry else None
    at, zoned = said or line.at, True
    if at is None:
        at, zoned = some_time(line.text) or (None, False)
    if at is None:
        return False
    if zoned:
        return first <= at <= last
    middle = first + (last - first) / 2
    apart = (at - middle).total_seconds() % _QUARTER
    return min(apart, _QUARTER - apart) <= (last - first).total_seconds() / 2


def newer(lines: Iterable[Line], since: datetime) -> bool:
    """Whether any line is newer than a moment; one that tells no time was read after the mark, and is."""
    return any(line.at is None or line.at >= since for line in lines)
