r"""One line of a log: taken out of its envelope, read as JSON, asked for its fields. Pure.

Envelopes are those of docker's json-file driver (`{"log": "…\n", "stream": "stdout", "time": "…"}`), of CRI
(`TIME stdout F text`), both of which cut long lines in parts, and of agents that put a line's text under `log` or
`message`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

import re2

from scorecard.evidence.logs import LINE_FIELDS

LONGEST_LINE = 2 << 20
"""Characters of a line, joined parts included; what is longer is cut, and no JSON object any more."""
_DEEPEST = 32
_MOST_VALUES = 5000
"""Values of one object that are looked at."""

_CRI = re2.compile(r"^(\S{19,40}) (?:stdout|stderr) ([FP])(?::\S*)? ?((?s:.*))$")
_STREAM = re2.compile(r"^\S{19,40} (stdout|stderr) ")
_RFC_3339 = re2.compile(r"^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")
_SOME_TIME = re2.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?([Zz]|[+-]\d\d:?\d\d)?")
# The access logs of Apache and nginx: 24/Nov/2026:15:18:33 +0000
_COMMON_LOG = re2.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line as the service wrote it."""

    text: str
    at: datetime | None = None
    """When, by the log store or the envelope; the line itself may say something else."""
    ingested_at: datetime | None = None
    """When the log store took it."""
    document: Entry | None = None
    """What a document store holds, where nothing was a text any more."""

    def entry(self) -> Entry | None:
        """The JSON object that it is; None where it is none."""
        if self.document is not None:
            return _document(self.document)
        return _unwrapped(read_object(self.text))


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None for everything else, NaN and nesting past reason included.

    A key that stands twice is let through, with its last value: some loggers write that, and most stores take it.
    """
    if text.lstrip()[:1] != "{" or len(text) > LONGEST_LINE:
        return None
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_AGENT_KEYS = frozenset(
    {
        "@timestamp", "@version", "agent", "beat", "cloud", "container", "data_stream", "date", "docker", "ecs",
        "elastic_agent", "event", "fields", "fileset", "host", "input", "kubernetes", "log", "logstream", "message",
        "offset", "orchestrator", "prospector", "source", "stream", "tags", "time", "type",
    }
)  # fmt: skip
"""Keys that agents add to a line, or give its text; together they say nothing of how the service logs."""


def _unwrapped(entry: dict[str, Any] | None) -> Entry | None:
    """The object that an agent put as text under `log` or `message` of an object of its own."""
    if entry is None or not (set(entry) <= _AGENT_KEYS):
        return entry
    for key in ("log", "message"):
        inner = read_object(entry[key]) if isinstance(entry.get(key), str) else None
        if inner is not None:
            return {**{name: value for name, value in entry.items() if name != key}, **inner}
    return entry


def _document(document: Entry) -> Entry | None:
    """A stored document: an object where it was one before it was stored, None for text that an agent shipped."""
    entry = _unwrapped(dict(document))
    if entry is None or not set(entry) <= _AGENT_KEYS:
        return entry
    # ECS nests: log.level is the service's, log.file and log.offset are the agent's.
    nested = entry.get("log")
    return entry if isinstance(nested, dict) and not set(nested) <= {"file", "offset", "flags"} else None


# --- envelopes -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Unwrapper:
    """Takes envelopes off the lines of one file or stream, in order, and joins the parts of long lines."""

    _parts: dict[str, list[str]] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)

    def lines(self, texts: Iterable[str], *, at: datetime | None = None) -> Iterator[Line]:
        """Yield each line that is complete."""
        for text in texts:
            if not text.strip():
                continue
            stream, time, inner, complete = _envelope(text)
            if not stream:
                yield Line(text=text[:LONGEST_LINE], at=at)
                continue
            parts = self._parts.setdefault(stream, [])
            size = self._sizes.get(stream, 0)
            parts.append(inner[: max(0, LONGEST_LINE - size)])
            self._sizes[stream] = size + len(inner)
            if complete:
                whole = "".join(parts)
                parts.clear()
                self._sizes[stream] = 0
                if whole.strip():
                    yield Line(text=whole, at=time or at)


def _envelope(text: str) -> tuple[str, datetime | None, str, bool]:
    """(stream, time, text within, whether it ends there) of a line in an envelope; the stream is empty otherwise."""
    if text.startswith('{"') and '"stream"' in text:
        outer = read_object(text)
        if outer is not None and isinstance(outer.get("log"), str) and outer.get("stream") in {"stdout", "stderr"}:
            inner = outer["log"]
            return outer["stream"], rfc_3339(outer.get("time")), inner.rstrip("\r\n"), inner.endswith("\n")
    elif (found := _STREAM.match(text)) and (whole := _CRI.match(text)):
        time = rfc_3339(whole.group(1))
        if time is not None:
            return found.group(1), time, whole.group(3), whole.group(2) == "F"
    return "", None, text, True


# --- fields ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldNames:
    """The keys under which a line may carry what every line needs; the first found counts."""

    timestamp: tuple[str, ...] = ("timestamp", "ts", "time", "@timestamp")
    level: tuple[str, ...] = ("level", "severity", "log.level")
    message: tuple[str, ...] = ("message", "msg", "event")
    service: tuple[str, ...] = ("service", "service.name")


def value_of(entry: Entry, name: str) -> Any:  # noqa: ANN401 - whatever stands there
    """What stands under a key, or under a path of keys with dots between; None where nothing does."""
    if name in entry:
        return entry[name]
    value: Any = entry
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def first_of(entry: Entry, names: Iterable[str]) -> Any:  # noqa: ANN401 - as above
    """The first of several keys under which anything but an empty text stands."""
    for name in names:
        value = value_of(entry, name)
        if value is not None and value != "" and not isinstance(value, Mapping):
            return value
    return None


def lacking(entry: Entry, names: FieldNames) -> tuple[str, ...]:
    """Fields that every line needs and this one does not have."""
    return tuple(field for field in LINE_FIELDS if first_of(entry, getattr(names, field)) is None)


def service_of(entry: Entry, names: FieldNames) -> str:
    """The service that a line says it is of; empty where it says nothing."""
    said = first_of(entry, names.service)
    return said if isinstance(said, str) else ""


def texts_of(entry: Entry) -> Iterator[tuple[str, str]]:
    """Every text in an object with the path of keys that leads to it."""
    todo: list[tuple[str, Any, int]] = [("", entry, 0)]
    seen = 0
    while todo and seen < _MOST_VALUES:
        path, value, depth = todo.pop()
        seen += 1
        if isinstance(value, str):
            yield path, value
        elif depth < _DEEPEST and isinstance(value, Mapping):
            dot = "." if path else ""
            todo += [(f"{path}{dot}{name}", child, depth + 1) for name, child in reversed(tuple(value.items()))]
        elif depth < _DEEPEST and isinstance(value, list):
            todo += [(path, child, depth + 1) for child in reversed(value)]


# --- times -----------------------------------------------------------------------------------------------------------


def rfc_3339(value: object) -> datetime | None:
    """The instant that an RFC 3339 text names; None for everything else, a number and a missing zone too."""
    found = _RFC_3339.match(value) if isinstance(value, str) and value.isascii() else None
    if not found:
        return None
    day, clock, second, fraction, zone = found.groups()
    second = "59" if second == "60" else second  # a leap second, which Python has no room for
    return _moment(f"{day}T{clock}{second}{(fraction or '')[:7]}{'+00:00' if zone in 'Zz' else zone}")


def some_time(text: str) -> tuple[datetime, bool] | None:
    """A time anywhere in a text, and whether its zone is known; without one it is read as UTC."""
    if found := _COMMON_LOG.search(text):
        day, month, year, clock, zone = found.groups()
        if month in _MONTHS:
            moment = _moment(f"{year}-{_MONTHS.index(month) + 1:02}-{day}T{clock}{zone[:3]}:{zone[3:]}")
            return (moment, True) if moment else None
    if found := _SOME_TIME.search(text):
        day, clock, fraction, zone = found.groups()
        offset = "+00:00" if not zone or zone in "Zz" else f"{zone[:3]}:{zone[-2:]}"
        moment = _moment(f"{day}T{clock}.{(fraction or '0')[:6]}{offset}")
        return (moment, bool(zone)) if moment else None
    return None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
