"""How the site words numbers, times and states; the filters of its templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

from markupsafe import Markup

from scorecard.model import Cause, Status

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_LONG_AGO = 60 * _DAY
_DASH, _MINUS = "\u2013", "\u2212"

STATUS_ORDER = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.PASS, Status.NOT_APPLICABLE)
"""Worst first, as a work list has it."""


def number(value: float | None) -> str:
    """A score or share with at most one decimal, `82.9` or `80`; a dash where there is none."""
    if value is None:
        return _DASH
    return f"{value:.1f}".removesuffix(".0")


def signed(value: float) -> str:
    """A difference of scores: `+4.2`, `±0`, and with a real minus sign where it fell."""
    if abs(value) < 0.05:  # noqa: PLR2004 - what rounds to nothing at one decimal
        return "±0"
    return f"{'+' if value > 0 else _MINUS}{number(abs(value))}"


def percent(share: float | None) -> str:
    """A share of 0 to 1 as `38 %`, rounded down so that only all of them are 100 %; a dash where there is none."""
    return _DASH if share is None else f"{int(share * 100 + 1e-9)} %"


def count(value: int, one: str, many: str = "") -> str:
    """`1 service`, `1,204 services`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A length of time in its largest unit: `12 s`, `5 min`, `3 h`, `9 days`."""
    if seconds < _MINUTE:
        return f"{max(0, int(seconds))} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min"
    if seconds < 2 * _DAY:
        return f"{int(seconds // _HOUR)} h"
    return f"{int(seconds // _DAY)} days"


def age(at: datetime | None, now: datetime) -> str:
    """How long ago, in words; a day where it is long ago, `never` where it did not happen."""
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    if seconds < 0:
        return f"in {duration(-seconds)}"
    return f"{at:%Y-%m-%d}" if seconds > _LONG_AGO else f"{duration(seconds)} ago"


def instant(at: datetime | str | None) -> datetime | None:
    """An instant, also from the text that a document holds."""
    return datetime.fromisoformat(at).astimezone(UTC) if isinstance(at, str) else at


def utc(at: datetime | date | None) -> str:
    """An instant as `2026-11-23 04:10 UTC`, a day as `2026-11-23`."""
    if at is None:
        return "never"
    return f"{at:%Y-%m-%d %H:%M} UTC" if isinstance(at, datetime) else f"{at:%Y-%m-%d}"


def time_tag(at: datetime | str | None, now: datetime) -> Markup:
    """A `<time>` that shows an age and holds the instant."""
    when = instant(at)
    if when is None:
        return Markup("never")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{when:%Y-%m-%dT%H:%M:%SZ}", utc(when), age(when, now)
    )


def period(length: timedelta) -> str:
    """A period in words: `60 s`, `15 min`, `24 h`, `2 days`."""
    seconds = length.total_seconds()
    for unit, word in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit and seconds % unit == 0:
            return f"{int(seconds // unit)} {word}"
    return f"{seconds:g} s" if seconds < _HOUR else "1 day" if seconds == _DAY else duration(seconds)


def causes(counts: Mapping[Cause, int]) -> list[tuple[str, int]]:
    """Causes of unknown in words with their counts, most frequent first; what is our own lack comes first of all."""
    words = {Cause.NOT_SUPPORTED: "not supported by this version"}
    ordered = sorted(counts.items(), key=lambda item: (item[0] is not Cause.NOT_SUPPORTED, -item[1], item[0].value))
    return [(words.get(cause, cause.word), found) for cause, found in ordered if found]


def tally(statuses: Iterable[Status]) -> list[tuple[Status, int]]:
    """How many of each status, worst first, without those that do not occur."""
    found = list(statuses)
    return [(status, found.count(status)) for status in STATUS_ORDER if status in found]


def listed(words: Iterable[str]) -> str:
    """`a, b and c`."""
    every = list(words)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}" if every else ""
