"""Whether an alert can fire: does its expression, its thresholds left out, find anything, and if not, why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scorecard.evidence import Unavailable
from scorecard.evidence.alerting import Series
from scorecard.model import Cause
from scorecard.probes.alerting.prometheus import Prometheus
from scorecard.promql import Expression, PromqlError, Selector, read

YOUNG = 600.0
"""Seconds after its start in which a Prometheus may not have scraped everything yet."""
WEEK = "1w"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found."""

    series: Series
    detail: str = ""
    cause: Cause | None = None


@dataclass(slots=True)
class Diagnosis:
    """Looks into expressions that return nothing; each selector is asked for once, however many rules have it."""

    prometheus: Prometheus
    _now: dict[str, tuple[Mapping[str, str], ...] | Unavailable] = field(default_factory=dict)
    _week: dict[str, tuple[Mapping[str, str], ...] | Unavailable] = field(default_factory=dict)
    _age: float | None = None

    def prepare(self, expressions: Iterable[Expression]) -> None:
        """Ask for everything that these need, in as few queries as there can be."""
        selectors = {str(one): one for expression in expressions for one in _needed(expression)}
        self._now = self.prometheus.counts(tuple(selectors))
        empty = [selectors[text] for text, found in self._now.items() if not found]
        if empty:
            wanted = [str(one) for one in empty] + [_metric(one) for one in empty]
            ranges = {f"present_over_time({text}[{WEEK}])": text for text in dict.fromkeys(wanted)}
            self._week = {ranges[text]: found for text, found in self.prometheus.counts(tuple(ranges)).items()}
            self._age = self.prometheus.age()

    def of(self, expression: Expression) -> Look:
        """Why this expression returns nothing."""
        looks = [self._of(one) for one in _needed(expression)]
        if self._age is not None and self._age < YOUNG and any(one.series is not Series.FOUND for one in looks):
            words = f"the Prometheus was started {self._age:.0f} s ago and may not have scraped everything yet"
            return Look(Series.UNKNOWN, words, Cause.NO_DATA)
        for worst in (Series.NONE, Series.NO_LABELS, Series.UNKNOWN):
            for look in looks:
                if look.series is worst:
                    return look
        past = next((look for look in looks if look.detail), None)
        return past or Look(Series.NOTHING_LEFT, "each of its selectors finds series, and together they leave none")

    def _of(self, selector: Selector) -> Look:
        text = str(selector)
        now = self._now[text]
        if isinstance(now, Unavailable):
            return Look(Series.UNKNOWN, now.detail, now.cause)
        if now:
            return Look(Series.FOUND)
        week, metric = self._week[text], self._week[_metric(selector)]
        for found in (week, metric):
            if isinstance(found, Unavailable):
                return Look(Series.UNKNOWN, found.detail, found.cause)
        if week:
            return Look(Series.FOUND, f"{text} has no series now, and had some within the last week")
        if metric and selector.metric:
            return Look(Series.NO_LABELS, f"{selector.metric} is there, and no series of it is {text}")
        return Look(Series.NONE, f"no series {text}, nor any of {selector.metric or 'these labels'}, within a week")


def _needed(expression: Expression) -> tuple[Selector, ...]:
    """The selectors without which the expression returns nothing: none of what it excludes, or asks the absence of."""
    try:
        return read(expression.bare).selectors
    except PromqlError:
        return expression.selectors


def _metric(selector: Selector) -> str:
    """All series of the selector's metric."""
    return str(Selector(selector.metric)) if selector.metric else str(selector)
