"""Grafana's times: ranges such as `now-6h`, and the intervals that its macros stand for."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|[smhdwMy])")
_AGO = re.compile(r"now-(\d{1,9}(?:ms|[smhdwMy]))")
_SIX_HOURS = 21_600.0
_POINTS = 1000
"""Points that a panel has room for; Grafana takes its width in pixels."""
_STEPS = (
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800,
    2_592_000,
)  # fmt: skip
_SCRAPE = 15.0
"""Grafana's scrape interval of a data source that does not say its own."""


def seconds(text: str) -> float | None:
    """A duration such as `90s`, `1h30m` or `>10s`; None for anything else."""
    text = text.strip().lstrip(">")
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def span(time_from: str, time_to: str = "now") -> float:
    """Seconds from `now-6h` to `now`; six hours for what is written otherwise."""
    start = _AGO.fullmatch(time_from.strip())
    end = _AGO.fullmatch(time_to.strip())
    if start is None or (end is None and time_to.strip() != "now"):
        return _SIX_HOURS
    found = (seconds(start.group(1)) or _SIX_HOURS) - ((seconds(end.group(1)) or 0) if end else 0)
    return found if found > 0 else _SIX_HOURS


def written(value: float) -> str:
    """Seconds as PromQL has them, in the largest unit that leaves nothing over."""
    if value < 1:
        return f"{max(1, round(value * 1000))}ms"
    whole = round(value)
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def macros(span_seconds: float, minimum: str, scrape: str) -> dict[str, str]:
    """What `$__interval` and its kin stand for.

    An instant is asked, where Grafana draws a range with a point for each interval: `$__interval` is therefore at least
    the four scrapes that `$__rate_interval` is, else the one window that is looked at may hold a single sample.

    Args:
        span_seconds: the time range that the panel shows.
        minimum: the panel's own minimum interval; empty for none.
        scrape: the data source's scrape interval; empty for Grafana's default.
    """
    scraped = seconds(scrape) or _SCRAPE
    step = span_seconds / _POINTS
    drawn = max((one for one in _STEPS if one <= step), default=1)
    interval = max(float(drawn), seconds(minimum) or scraped, 4 * scraped)
    rate = max(interval, 4 * scraped)
    whole = max(1, round(span_seconds))
    return {
        "__interval": written(interval),
        "__interval_ms": str(round(interval * 1000)),
        "__rate_interval": written(rate),
        "__rate_interval_ms": str(round(rate * 1000)),
        "__range": f"{whole}s",
        "__range_s": str(whole),
        "__range_ms": str(whole * 1000),
    }
