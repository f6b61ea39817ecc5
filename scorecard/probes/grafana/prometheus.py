"""One data source that speaks Prometheus' HTTP API, asked directly or through Grafana.

https://prometheus.io/docs/prometheus/latest/querying/api/. An empty vector is an answer; an error of the query is one
too, and the query's own fault; everything else is no answer.
"""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.grafana.lane import Lane, NoAnswerError, Reply, document_of, refused, told
from scorecard.probes.grafana.promql import quoted
from scorecard.probes.grafana.reading import listing, mapping, number, text

_OURS = re.compile(
    r"tim(ed|e)? ?out|cancel|too many samples|limit|too many (outstanding|concurrent)|queue", re.IGNORECASE
)
"""Errors of a query that speak of the data source's load rather than of the query."""
_LOOKBACK = timedelta(minutes=5)
"""How long a sample counts for an instant, Prometheus' default."""
_MOST_QUESTIONS = 600
"""Questions about empty panels in one run."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a query returned."""

    series: int
    zero: bool = False
    """Every value is 0."""
    nan: bool = False
    """No value is a number."""
    labels: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class QueryError:
    """The data source refuses the query; its own words."""

    words: str


@dataclass
class PromSource:
    """One data source in one run."""

    lane: Lane
    prefix: str
    """The path under which its API stands: empty, or that of Grafana's proxy."""
    now: datetime
    questions: int = 0
    """Questions that were asked about empty panels."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def query(self, expression: str, back: timedelta = timedelta()) -> Result | QueryError:
        """An instant, or one some time ago.

        Raises:
            NoAnswerError: the data source did not say.
        """
        return self.lane.once(("query", expression, back), lambda: self._query(expression, back))

    def _query(self, expression: str, back: timedelta) -> Result | QueryError:
        params = {"query": expression}
        if back:
            params["time"] = f"{(self.now - back).timestamp():.3f}"
        reply = self.lane.query(f"{self.prefix}/api/v1/query", params)
        body = mapping(reply.document)
        if text(body, "status") == "error":
            return _error(reply)
        if reply.status != 200 or text(body, "status") != "success":  # noqa: PLR2004 - success
            raise refused(reply)
        return _result(reply)

    def count(self, expression: str, back: timedelta = timedelta()) -> int | None:
        """How many series there are, to find out why a panel is empty; None where that is not to be known.

        Raises:
            NoAnswerError: as above.
        """
        found = self.about(f"count({expression})", back)
        if found is None:
            return None
        return found.series

    def about(self, expression: str, back: timedelta = timedelta()) -> Result | None:
        """A question about an empty panel; None where it cannot be asked, or was one too many."""
        with self._lock:
            if self.questions >= _MOST_QUESTIONS:
                return None
            self.questions += 1
        found = self.query(expression, back)
        return found if isinstance(found, Result) else None

    def metrics(self) -> frozenset[str] | None:
        """All metrics that the data source ever knew; None where it does not list them."""

        def ask() -> frozenset[str] | None:
            try:
                return frozenset(self._names("__name__", {}))
            except NoAnswerError:
                return None

        return self.lane.once("metrics", ask)

    def values(self, label: str, matching: str, since: timedelta) -> tuple[str, ...]:
        """The values of a label in a stretch of time, of all series or of those that a selector names.

        Raises:
            NoAnswerError: as above.
        """
        params = {"start": f"{(self.now - since).timestamp():.0f}", "end": f"{self.now.timestamp():.0f}"}
        if matching:
            params["match[]"] = matching
        return self.lane.once(("values", label, matching), lambda: self._names(label, params))

    def _names(self, label: str, params: Mapping[str, str]) -> tuple[str, ...]:
        return _texts(self.lane.get(f"{self.prefix}/api/v1/label/{quote(label, safe='')}/values", params))

    def label_names(self) -> tuple[str, ...]:
        """The names of all labels.

        Raises:
            NoAnswerError: as above.
        """
        return self.lane.once("labels", lambda: _texts(self.lane.get(f"{self.prefix}/api/v1/labels")))

    def doubt(self) -> Unavailable | None:
        """Why an empty answer of this data source says nothing about a service; None where it does.

        It has no series at all; or it was started minutes ago, and remembers that it stood still before.
        """
        return self.lane.once("doubt", self._doubt)

    def _doubt(self) -> Unavailable | None:
        names = self.metrics()
        if names is not None and not names:
            return Unavailable(Cause.NO_DATA, f"{self.lane.label} has no series at all")
        try:
            started = _instant(text(self._status("runtimeinfo"), "startTime"))
            if started is None or self.now - started > _LOOKBACK:
                return None
            oldest = number(self._status("tsdb"), "headStats", "minTime")
        except NoAnswerError:
            return None
        if oldest is None or oldest / 1000 > (started - _LOOKBACK).timestamp():
            return None
        ago = max(0, round((self.now - started).total_seconds()))
        return Unavailable(
            Cause.NO_DATA, f"{self.lane.label} was started again {ago} s ago, and may have missed samples"
        )

    def _status(self, what: str) -> Mapping[str, object]:
        return mapping(document_of(self.lane.get(f"{self.prefix}/api/v1/status/{what}"), dict), "data")

    def repeat(self, expression: str, back: timedelta = timedelta()) -> str:
        """A command that asks the same."""
        instance = self.lane.instance
        token = f' -H "Authorization: Bearer ${instance.kind.upper()}_TOKEN"' if instance.token else ""
        url = shlex.quote(f"{instance.url.rstrip('/')}{self.prefix}/api/v1/query")
        ago = f" --data-urlencode \"time=$(date -d '-{back.total_seconds():.0f} seconds' +%s)\"" if back else ""
        return f"curl -sSG{token} {url} --data-urlencode {shlex.quote(f'query={expression}')}{ago}"


def _texts(reply: Reply) -> tuple[str, ...]:
    """The texts of an answer that lists them; an answer without a list is none, and not an empty one."""
    body = document_of(reply, dict)
    if text(body, "status") != "success" or not isinstance(body.get("data"), list):
        raise refused(reply)
    return tuple(text(one) for one in body["data"] if text(one))


def _error(reply: Reply) -> QueryError:
    kind = text(reply.document, "errorType")
    words = f"{kind}: {reply.said}" if kind else reply.said
    if kind == "timeout" or (kind in {"execution", "canceled"} and _OURS.search(reply.said)):
        raise NoAnswerError(Cause.TIMEOUT if "tim" in words else Cause.BAD_RESPONSE, told(reply))
    if kind not in {"bad_data", "execution"}:
        raise refused(reply) if reply.status >= 300 else NoAnswerError(Cause.BAD_RESPONSE, told(reply))  # noqa: PLR2004
    return QueryError(words)


def _result(reply: Reply) -> Result:
    data = mapping(reply.document, "data")
    kind = text(data, "resultType")
    if kind in {"scalar", "string"}:
        numbers = _values([{"value": data.get("result")}])
        return Result(1, zero=_all(numbers, "0"), nan=_all(numbers, "NaN"))
    if kind not in {"vector", "matrix"} or not isinstance(data.get("result"), list):
        raise NoAnswerError(Cause.BAD_RESPONSE, f"{reply.request}: answered without a result")
    found = listing(data, "result")
    # Prometheus 3 tells in its warnings what it thinks of a query, too; the others mean that a part did not answer.
    partial = [text(one) for one in listing(reply.document, "warnings") if not text(one).startswith("PromQL ")]
    if partial and not found:
        raise NoAnswerError(Cause.BAD_RESPONSE, f"{reply.request}: answered in part only: {partial[0][:200]}")
    numbers = _values(found)
    labels = tuple({text(k): text(v) for k, v in mapping(one, "metric").items()} for one in found[:50])
    return Result(len(found), zero=_all(numbers, "0"), nan=_all(numbers, "NaN"), labels=labels)


def _values(found: list[object]) -> list[str]:
    numbers = []
    for one in found:
        pair = mapping(one).get("value")
        if pair is None:
            pair = (listing(one, "values") or listing(one, "histograms") or [None])[-1]
        numbers.append(text(pair[1]) if isinstance(pair, list) and len(pair) > 1 else "?")
    return numbers


def _all(numbers: list[str], word: str) -> bool:
    return bool(numbers) and all(one == word for one in numbers)


def _instant(written: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", written))
    except ValueError:
        return None
    return found if found.tzinfo else None


def label_values(query: str) -> tuple[str, str] | None:
    """(selector, label) of `label_values(SELECTOR, LABEL)` or `label_values(LABEL)`; None for another query."""
    found = re.fullmatch(r"\s*label_values\(\s*(?:(.+),\s*)?([a-zA-Z_][a-zA-Z0-9_]*)\s*\)\s*", query, re.DOTALL)
    return (" ".join((found.group(1) or "").split()), found.group(2)) if found else None


def series_name(labels: Mapping[str, str]) -> str:
    """A series as `query_result(…)` writes it."""
    inside = ",".join(f"{name}={quoted(value)}" for name, value in labels.items() if name != "__name__")
    return f"{labels.get('__name__', '')}{{{inside}}}"
