"""Which golden signals a query shows, by its metrics, the functions around them and the labels that they are chosen by.

The words are the organisation's (`vocabulary.signals`); what a function or a status label means is PromQL's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import re2

from scorecard.evidence.dashboards import Signal
from scorecard.probes.grafana.promql import Matcher, Selector, parsed, selectors

Words = Mapping[Signal, tuple[str, ...]]

_RATES = frozenset({"rate", "irate", "increase", "delta", "idelta", "deriv", "count_over_time"})
_TIME = re.compile(r"(_seconds|_milliseconds|_ms|_microseconds|_nanoseconds|duration|latency|_time)(_|$)")
_OWN = re.compile(r"^(go|process|python|jvm|nodejs|scrape|prometheus|dotnet|ruby)_|(^|_)gc_|garbage")
"""A runtime's or a scrape's own durations are nobody's latency."""
_COUNTED = re.compile(
    r"(request|message|call|quer(y|ies)|hit|operation|event|job|task|record|transaction|handled|received|processed"
    r"|consumed|produced|published|started|connections?_accepted|visits?|pageviews?|order|checkout|login)\w*"
)
_STATUS = re.compile(
    r"(^|_)(status|code|outcome|result|state|success|reply|response_class)($|_)|status|code$", re.IGNORECASE
)
_WRONG = (
    "500",
    "502",
    "503",
    "404",
    "400",
    "5xx",
    "4xx",
    "error",
    "ERROR",
    "failure",
    "Internal",
    "Unavailable",
    "false",
)
_RIGHT = ("200", "201", "2xx", "OK", "ok", "success", "SUCCESS", "true", "0")
_FULL = re.compile(
    r"(limit|threads?_|_threads|pool|in_?flight|backlog|_lag|lag_|heap|filesystem|open_fds|goroutines|_load\d|throttl"
    r"|capacity|connected|resident|working_set|iowait|_pending|_active|quota)"
)


def shown(expression: str, words: Words) -> tuple[Signal, ...]:
    """The signals of one query; none of one that this version cannot read."""
    tree = parsed(expression)
    if tree is None:
        return ()
    found: set[Signal] = set()
    every = selectors(tree)
    for one in every:
        # What a number is divided by is its measure, not what is shown; but a ratio of successes tells of errors.
        if one.divisor and not one.divided:
            if _successes(every):
                found.add(Signal.ERRORS)
            continue
        found |= _of(one, words)
    return tuple(signal for signal in Signal if signal in found)


def _of(one: Selector, words: Words) -> set[Signal]:
    name = one.metric.lower()
    rated = not _RATES.isdisjoint(one.functions) or ":rate" in name or ":increase" in name or name.endswith("_rate")
    wrong = _has(name, words[Signal.ERRORS]) or "_errs_" in name or any(_is_wrong(matcher) for matcher in one.matchers)
    if wrong:
        return {Signal.ERRORS}
    found: set[Signal] = set()
    if _has(name, words[Signal.SATURATION]) or _FULL.search(name):
        found.add(Signal.SATURATION)
    if _latency(one, name, words):
        return {Signal.LATENCY}
    if _traffic(name, words, rated=rated) and not one.divided:
        found.add(Signal.TRAFFIC)
        found.discard(Signal.SATURATION)
        if any(_STATUS.search(label) for label in one.by):
            found.add(Signal.ERRORS)
    return found


def _latency(one: Selector, name: str, words: Words) -> bool:
    if _OWN.search(name) or name.endswith(("_count", "_created")):
        return False
    timed = _TIME.search(name.removesuffix("_bucket").removesuffix("_sum")) is not None
    if "histogram_quantile" in one.functions or "histogram_avg" in one.functions:
        return timed or _has(name, words[Signal.LATENCY])
    return _has(name, words[Signal.LATENCY]) and not name.endswith("_total")


def _traffic(name: str, words: Words, *, rated: bool) -> bool:
    if _has(name, words[Signal.TRAFFIC]):
        # A counter that only ever grows shows no traffic before a rate is taken of it.
        return rated or not name.endswith(("_total", "_count", "_sum"))
    if _OWN.search(name):
        return False
    if rated and name.endswith("_count"):
        return _has(name, words[Signal.LATENCY]) or _COUNTED.search(name) is not None
    return rated and _COUNTED.search(name) is not None and not name.endswith(("_bucket", "_sum"))


def _has(name: str, words: tuple[str, ...]) -> bool:
    return bool(name) and any(word.lower() in name for word in words)


def _is_wrong(matcher: Matcher) -> bool:
    """Whether a matcher on a status lets errors through and no success."""
    if not _STATUS.search(matcher.name):
        return False
    wrong, right = ([_accepts(matcher, one) for one in values] for values in (_WRONG, _RIGHT))
    if matcher.operator.startswith("!"):
        return all(wrong) and not all(right)
    return any(wrong) and not any(right)


def _successes(every: tuple[Selector, ...]) -> bool:
    """Whether a ratio is that of the successes: some selector over the line leaves errors out."""
    return any(
        _STATUS.search(matcher.name)
        and any(_accepts(matcher, one) for one in _RIGHT)
        and not all(_accepts(matcher, one) for one in _WRONG)
        for one in every
        if one.divided
        for matcher in one.matchers
    )


_QUIET = re2.Options()
_QUIET.log_errors = False


def _accepts(matcher: Matcher, value: str) -> bool:
    if matcher.operator in {"=", "!="}:
        return (matcher.value == value) == (matcher.operator == "=")
    try:
        found = re2.fullmatch(matcher.value, value, _QUIET) is not None
    except re2.error:
        return False
    return found == (matcher.operator == "=~")
