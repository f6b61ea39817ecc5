"""Why a query returns nothing: which of its selectors finds no series, and which matcher is the one too many."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import timedelta

from scorecard.evidence.dashboards import Emptiness
from scorecard.model import format_duration
from scorecard.probes.grafana.prometheus import PromSource
from scorecard.probes.grafana.promql import Selector, parsed, selectors

_MOST_SELECTORS = 8
_MOST_MATCHERS = 8
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The reason in a word, and in a sentence."""

    emptiness: Emptiness
    words: str


def diagnose(source: PromSource, expression: str, back: timedelta = timedelta()) -> Diagnosis:
    """Find out why a query is empty.

    Raises:
        NoAnswerError: the data source stopped to answer.
    """
    tree = parsed(expression)
    if tree is None:
        return Diagnosis(Emptiness.UNEXPLAINED, "no series; its PromQL is not read by this version")
    for one in selectors(tree)[:_MOST_SELECTORS]:
        found = _of(source, one, back)
        if found is not None:
            return found
    return Diagnosis(
        Emptiness.NOTHING_LEFT, "no series: its selectors find some, and the expression leaves none of them"
    )


def _of(source: PromSource, one: Selector, back: timedelta) -> Diagnosis | None:
    """The reason why a selector finds nothing; None where it finds something."""
    here = source.count(one.written(), back + one.offset)
    if here is None:
        return Diagnosis(Emptiness.UNEXPLAINED, "no series; it was not looked into")
    if here:
        return None
    if (one.offset or back) and source.count(one.written()):
        words = f"no series: {one.written()} is there now, and was not {format_duration(one.offset + back)} ago"
        return Diagnosis(Emptiness.BEYOND_RETENTION, words)
    if one.metric:
        known = source.metrics()
        if known is not None and one.metric not in known:
            return Diagnosis(Emptiness.UNKNOWN_METRIC, _unknown(source, one.metric, known))
        if not source.count(
            Selector(one.metric, (), (), (), divided=False, divisor=False).written(), back + one.offset
        ):
            return Diagnosis(Emptiness.NO_SAMPLE, f"no series: {one.metric} has no sample now, and had some before")
    return _mismatch(source, one, back + one.offset)


def _unknown(source: PromSource, metric: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(metric, sorted(known)[:20_000], n=1, cutoff=0.75)
    hint = f"; it knows {near[0]}" if near else ""
    return f"no series: {source.lane.label} does not know the metric {metric}{hint}"


def _mismatch(source: PromSource, one: Selector, back: timedelta) -> Diagnosis:
    for matcher in one.matchers[:_MOST_MATCHERS]:
        others = tuple(other for other in one.matchers if other is not matcher)
        if not one.metric and not others:
            continue
        found = source.about(f"count by ({matcher.name}) ({one.written(others)})", back)
        if found is not None and found.series:
            there = sorted({labels.get(matcher.name, "") for labels in found.labels} - {""})
            shown = ", ".join(there[:_SHOWN]) + (f" and {found.series - _SHOWN} more" if len(there) > _SHOWN else "")
            has = f"it has {matcher.name} {shown}" if there else f"its series have no label {matcher.name}"
            rest = f" among {one.written(others)}" if others else ""
            return Diagnosis(
                Emptiness.LABEL_MISMATCH, f"no series of {one.metric or 'any metric'} has {matcher}{rest}; {has}"
            )
    together = ", ".join(map(str, one.matchers))
    return Diagnosis(Emptiness.LABEL_MISMATCH, f"no series of {one.metric or 'any metric'} has {together} together")
