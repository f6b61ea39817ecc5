"""Charts as SVG, made here: themed by the style sheet's classes, printable, without style attributes.

Lengths are percentages, so a chart fills what it is given without stretching its text or its strokes. Scores run from 0
to 100 on every axis: two charts of one page can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

from markupsafe import Markup, escape

from scorecard.model import Status
from scorecard.site.words import number
from scorecard.store.views import DayScore


def range_bar(score: float | None, upper: float | None, bar: float | None = None, *, label: bool = True) -> Markup:
    """A score as a bar, its range up to `upper` hatched, and a tick where the launch bar is.

    `label` False is for where the same numbers stand beside it in text.
    """
    if score is None:
        return Markup("")
    top = max(score, upper if upper is not None else score)
    words = f"score {number(score)}, {number(top)} if every unknown passed"
    if bar is not None:
        words += f"; the bar is {number(bar)}"
    tick = f'<rect class="c-bar" x="{_pc(min(bar, 99.4))}" width="2" height="100%"/>' if bar is not None else ""
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="range" {_named(words) if label else _silent()}>'
        f'<rect class="c-up" x="{_pc(score)}" width="{_pc(top - score)}" height="100%"/>'
        f'<rect class="c-score" width="{_pc(score)}" height="100%"/>{tick}</svg>'
    )


def spark(days: Sequence[DayScore], today: date, length: int = 30) -> Markup:
    """The last `length` days as a line of 0 to 100; a missing day is a gap."""
    first = today - timedelta(days=length - 1)
    points = [((day.day - first).days, day.score) for day in days if day.day >= first and day.score is not None]
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return Markup("")
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="spark" viewBox="0 0 {length - 1} 100" preserveAspectRatio="none" {_silent()}>'
        f'<path d="{_line(points)}"/></svg>'
    )


def stack(parts: Iterable[tuple[Status, int]], *, label: bool = True) -> Markup:
    """Counts of statuses side by side in one bar."""
    found = [(status, count) for status, count in parts if count]
    total = sum(count for _, count in found)
    if not total:
        return Markup("")
    drawn, left = "", 0.0
    for status, count in found:
        width = 100 * count / total
        drawn += f'<rect class="c-{status.value}" x="{_pc(left)}" width="{_pc(width)}" height="100%"/>'
        left += width
    words = ", ".join(f"{count} {status.word}" for status, count in found)
    return Markup(f'<svg class="stack" {_named(words) if label else _silent()}>{drawn}</svg>')  # noqa: S704 - numbers only


def segments(parts: Iterable[tuple[Status, int]]) -> Markup:
    """One segment per row in the checklist's order, as wide as its weight."""
    found = [(status, weight) for status, weight in parts if weight]
    total = sum(weight for _, weight in found)
    drawn, left = "", 0.0
    for status, weight in found:
        width = 100 * weight / total
        drawn += f'<rect class="c-{status.value}" x="{_pc(left)}" width="{_pc(max(width - 0.5, 0.4))}" height="100%"/>'
        left += width
    return Markup(f'<svg class="segments" {_silent()}>{drawn}</svg>')  # noqa: S704 - numbers only


def column(count: int, largest: int) -> Markup:
    """One column of a distribution, as high as its share of the largest."""
    height = 100 * count / largest if largest else 0.0
    if count:
        height = max(height, 3.0)
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="column" {_silent()}><rect y="{_pc(100 - height)}" width="100%" height="{_pc(height)}"/></svg>'
    )


def trend(
    days: Sequence[DayScore],
    today: date,
    *,
    length: int = 365,
    bar: float | None = None,
    marks: Sequence[tuple[date, str]] = (),
) -> Markup:
    """Score and range over `length` days, with the launch bar, the gaps, and a marker for each day with changes.

    Args:
        days: at most one per day, oldest first; a missing day is a gap and is hatched.
        today: the right edge.
        length: days on the axis.
        bar: the launch bar; none unless given.
        marks: (day, what happened) of the changes.
    """
    first = today - timedelta(days=length - 1)
    seen = [day for day in days if first <= day.day <= today and day.score is not None]
    if not seen:
        return Markup("")
    score = [((day.day - first).days, day.score or 0.0) for day in seen]
    upper = [((day.day - first).days, max(day.score or 0.0, day.score_upper or 0.0)) for day in seen]
    span = max(length - 1, 1)
    body = "".join(_gap(start, end, span) for start, end in _gaps([at for at, _ in score], span))
    body += "".join(
        f'<line class="c-grid" x2="100%" y1="{_pc(100 - line)}" y2="{_pc(100 - line)}"/>' for line in (0, 50, 100)
    )
    body += (
        f'<svg viewBox="0 0 {span} 100" preserveAspectRatio="none" width="100%" height="100%">'
        f'<path class="c-band" d="{_band(score, upper)}"/><path class="c-line" d="{_line(score)}"/></svg>'
    )
    if bar is not None:
        body += f'<line class="c-goal" x2="100%" y1="{_pc(100 - bar)}" y2="{_pc(100 - bar)}"/>'
        body += f'<text class="c-text" x="2" y="{_pc(100 - bar)}" dy="-3">bar {number(bar)}</text>'
    values = dict(score)
    for day, words in marks:
        at = (day - first).days
        if at in values:
            body += (
                f'<circle class="c-mark" cx="{_pc(100 * at / span)}" cy="{_pc(100 - values[at])}" r="3">'
                f"<title>{escape(f'{day:%Y-%m-%d}: {words}')}</title></circle>"
            )
    return Markup(f'<svg class="trend" {_named(_spoken(seen, length))}>{body}</svg>')  # noqa: S704 - numbers, and words that are escaped


def _spoken(seen: Sequence[DayScore], length: int) -> str:
    scores = [day.score for day in seen if day.score is not None]
    missing = length - len(seen)
    return (
        f"score over {length} days: from {number(scores[0])} on {seen[0].day:%Y-%m-%d} to {number(scores[-1])} on "
        f"{seen[-1].day:%Y-%m-%d}, lowest {number(min(scores))}, highest {number(max(scores))}; "
        f"{missing} days without a measurement"
    )


def _runs(points: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """The points cut wherever a day is missing."""
    runs: list[list[tuple[int, float]]] = []
    for point in points:
        if runs and point[0] - runs[-1][-1][0] == 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _line(points: Sequence[tuple[int, float]]) -> str:
    path = ""
    for run in _runs(points):
        path += "M" + "L".join(f"{x} {_n(100 - y)}" for x, y in run)
        if len(run) == 1:
            path += "h.01"  # a lone day is a dot: a round cap on a line of no length
    return path


def _band(low: Sequence[tuple[int, float]], high: Sequence[tuple[int, float]]) -> str:
    path = ""
    for bottom, top in zip(_runs(low), _runs(high), strict=True):
        outline = [*top, *reversed(bottom)]
        path += "M" + "L".join(f"{x} {_n(100 - y)}" for x, y in outline) + "Z"
    return path


def _gaps(days: Sequence[int], span: int) -> list[tuple[int, int]]:
    """(last day before, first day after) of every stretch without a measurement, the edges included."""
    edges = [-1, *days, span + 1]
    return [(before, after) for before, after in pairwise(edges) if after - before > 1]


def _gap(before: int, after: int, span: int) -> str:
    left, right = max(before, 0), min(after, span)
    return (
        f'<rect class="c-gap" x="{_pc(100 * left / span)}" width="{_pc(100 * (right - left) / span)}" height="100%"/>'
    )


def _named(words: str) -> str:
    return f'role="img" aria-label="{escape(words)}"'


def _silent() -> str:
    return 'aria-hidden="true"'


def _pc(value: float) -> str:
    return f"{_n(value)}%"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
