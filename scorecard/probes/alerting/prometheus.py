"""Prometheus' HTTP API: alerting rules, instant queries, what it knows of itself. Thanos and Mimir speak it too.

https://prometheus.io/docs/prometheus/latest/querying/api/. `rule_name[]` filters do nothing before 2.47, so all rules
are asked for, once. A rule's annotations are templates; those of its alerts are rendered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from scorecard.evidence import Unavailable
from scorecard.evidence.alerting import RuleHealth
from scorecard.model import Cause
from scorecard.probes.alerting.lane import Lane, NoAnswerError

MARK = "scorecard_part"
"""The label by which the parts of one query are told apart in its answer."""
_PARTS = 50
"""Expressions in one query."""
_LONGEST_BATCH = 8_000
"""Characters of the expressions in one query; long ones are posted."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One pending or firing instance of an alert."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    active_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alerting rule as a Prometheus evaluates it."""

    name: str
    file: str
    group: str
    query: str
    for_seconds: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    health: RuleHealth
    last_error: str
    state: str
    evaluated_at: datetime | None
    """None before the first evaluation."""
    interval: float
    instances: tuple[Firing, ...] = ()

    @property
    def where(self) -> str:
        """`file;group`, the file by its last name."""
        return f"{self.file.rpartition('/')[2]};{self.group}"


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that one call brought."""

    rules: tuple[Rule, ...]
    missing: tuple[Unavailable, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an answer."""

    labels: Mapping[str, str]
    value: float


@dataclass
class Prometheus:
    """One Prometheus in one run."""

    lane: Lane
    _restarted: float | None = field(default=None)

    def rules(self) -> Rules:
        """All alerting rules, by one call.

        Raises:
            NoAnswerError: there is no whole answer.
        """
        data, warnings = self._data("/api/v1/rules", {"type": "alert"})
        where = f"{self.lane.instance.label} /api/v1/rules"
        groups = data.get("groups") if isinstance(data, Mapping) else None
        if not isinstance(groups, list):
            raise NoAnswerError(Cause.BAD_RESPONSE, f"{where}: the answer has no data.groups")
        rules: list[Rule] = []
        unread = 0
        for group in groups:
            try:
                found, bad = _group(group)
            except _MalformedError:
                unread += 1
                continue
            rules += found
            unread += bad
        missing = [Unavailable(Cause.BAD_RESPONSE, f"{where}: warns {words}") for words in warnings]
        if unread:
            missing.append(Unavailable(Cause.BAD_RESPONSE, f"{where}: {unread} rules or groups cannot be read"))
        if isinstance(data, Mapping) and data.get("groupNextToken"):
            missing.append(Unavailable(Cause.NO_DATA, f"{where}: there are more groups than were sent"))
        return Rules(tuple(rules), tuple(missing))

    def query(self, expression: str) -> tuple[Sample, ...]:
        """An instant query, now.

        Raises:
            NoAnswerError: there is no whole answer.
        """
        data, warnings = self._data("/api/v1/query", {"query": expression}, query=True)
        where = f"{self.lane.instance.label} /api/v1/query"
        if warnings:
            raise NoAnswerError(Cause.BAD_RESPONSE, f"{where}: the answer is partial: {warnings[0]}")
        if not isinstance(data, Mapping) or data.get("resultType") != "vector":
            raise NoAnswerError(Cause.BAD_RESPONSE, f"{where}: the answer is no vector")
        try:
            return tuple(_sample(one) for one in _list(data.get("result")))
        except _MalformedError as error:
            raise NoAnswerError(Cause.BAD_RESPONSE, f"{where}: {error}") from None

    def counts(
        self, expressions: Sequence[str], by: Sequence[str] = ()
    ) -> dict[str, tuple[Mapping[str, str], ...] | Unavailable]:
        """For each expression the label sets, cut to `by`, of the series that it returns.

        Many are asked in one query, and an expression that Prometheus refuses costs only itself: the others are asked
        again without it.
        """
        found: dict[str, tuple[Mapping[str, str], ...] | Unavailable] = {}
        for batch in _batches(tuple(dict.fromkeys(expressions))):
            found.update(self._counted(batch, by))
        return found

    def _counted(
        self, batch: Sequence[str], by: Sequence[str]
    ) -> Iterator[tuple[str, tuple[Mapping[str, str], ...] | Unavailable]]:
        parts = [f'label_replace({one}, "{MARK}", "{number}", "", "")' for number, one in enumerate(batch)]
        grouping = ", ".join(dict.fromkeys((MARK, *by)))
        try:
            samples = self.query(f"count by ({grouping}) ({' or '.join(parts)})")
        except NoAnswerError as error:
            # 422: it could not be evaluated; 400: it was not understood. Either is about one of them.
            if error.status in {400, 422} and len(batch) > 1:
                half = len(batch) // 2
                yield from self._counted(batch[:half], by)
                yield from self._counted(batch[half:], by)
            else:
                yield from ((one, error.unavailable) for one in batch)
            return
        sets: dict[str, list[Mapping[str, str]]] = {str(number): [] for number in range(len(batch))}
        for sample in samples:
            labels = dict(sample.labels)
            number = labels.pop(MARK, "")
            if number in sets:
                sets[number].append(labels)
        for place, one in enumerate(batch):
            yield one, tuple(sets[str(place)])

    def age(self) -> float | None:
        """Seconds since it was started, by its own clock; None where it does not say, as Thanos and Mimir do not."""
        try:
            data, _ = self._data("/api/v1/status/runtimeinfo", {})
        except NoAnswerError:
            return None
        started = read_time(data.get("startTime")) if isinstance(data, Mapping) else None
        try:
            now = self.query("vector(time())")
        except NoAnswerError:
            return None
        return now[0].value - started.timestamp() if started and now else None

    def configuration(self) -> str:
        """Its own configuration, YAML, secrets left out.

        Raises:
            NoAnswerError: it does not say.
        """
        data, _ = self._data("/api/v1/status/config", {})
        text = data.get("yaml") if isinstance(data, Mapping) else None
        if not isinstance(text, str):
            raise NoAnswerError(Cause.BAD_RESPONSE, f"{self.lane.instance.label} /api/v1/status/config: no data.yaml")
        return text

    def alertmanagers(self) -> tuple[str, ...]:
        """The addresses that it sends alerts to.

        Raises:
            NoAnswerError: it does not say.
        """
        data, _ = self._data("/api/v1/alertmanagers", {})
        active = data.get("activeAlertmanagers") if isinstance(data, Mapping) else None
        if not isinstance(active, list):
            where = f"{self.lane.instance.label} /api/v1/alertmanagers"
            raise NoAnswerError(Cause.BAD_RESPONSE, f"{where}: the answer has no data.activeAlertmanagers")
        return tuple(str(one.get("url", "")) for one in active if isinstance(one, Mapping))

    def _data(self, path: str, params: Mapping[str, str], *, query: bool = False) -> tuple[Any, tuple[str, ...]]:
        document = self.lane.query(path, params) if query else self.lane.get(path, params)
        if not isinstance(document, Mapping) or document.get("status") != "success":
            raise NoAnswerError(Cause.BAD_RESPONSE, f"{self.lane.instance.label} {path}: the answer says no success")
        warnings = document.get("warnings")
        words = tuple(str(one)[:300] for one in warnings) if isinstance(warnings, list) else ()
        return document.get("data"), words


class _MalformedError(ValueError):
    """A part of an answer that breaks the contract."""


def _group(group: object) -> tuple[list[Rule], int]:
    name, file, rules = _text(group, "name"), _text(group, "file"), _list(_of(group, "rules"))
    interval = _number(group, "interval", default=60.0)
    found: list[Rule] = []
    unread = 0
    for rule in rules:
        try:
            if _of(rule, "type") == "alerting":
                found.append(_rule(rule, name, file, interval))
        except _MalformedError:
            unread += 1
    return found, unread


def _rule(rule: object, group: str, file: str, interval: float) -> Rule:
    health = _of(rule, "health")
    return Rule(
        name=_text(rule, "name"),
        file=file,
        group=group,
        query=_text(rule, "query"),
        for_seconds=_number(rule, "duration", default=0.0),
        labels=_texts(_of(rule, "labels")),
        annotations=_texts(_of(rule, "annotations")),
        health=RuleHealth(health) if health in set(RuleHealth) else RuleHealth.UNKNOWN,
        last_error=str(_of(rule, "lastError") or "")[:500],
        state=str(_of(rule, "state") or "inactive"),
        evaluated_at=read_time(_of(rule, "lastEvaluation")),
        interval=interval,
        instances=tuple(
            Firing(
                labels=_texts(_of(one, "labels")),
                annotations=_texts(_of(one, "annotations")),
                state=str(_of(one, "state") or ""),
                active_at=read_time(_of(one, "activeAt")),
            )
            for one in _list(_of(rule, "alerts") or [])
        ),
    )


def _of(value: object, key: str) -> Any:  # noqa: ANN401 - a part of a JSON document
    if not isinstance(value, Mapping):
        raise _MalformedError("a mapping is expected")
    return value.get(key)


def _text(value: object, key: str) -> str:
    found = _of(value, key)
    if not isinstance(found, str):
        raise _MalformedError(f"{key} is no text")
    return found


def _texts(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        raise _MalformedError("a mapping of texts is expected")
    return dict(value)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _MalformedError("a list is expected")
    return value


def _number(value: object, key: str, *, default: float) -> float:
    found = _of(value, key)
    if found is None:
        return default
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _MalformedError(f"{key} is no number")
    return float(found)


def _sample(one: object) -> Sample:
    labels, pair = _texts(_of(one, "metric")), _of(one, "value")
    if not isinstance(pair, list):  # a native histogram has `histogram` in its place; that it is there is what counts
        return Sample(labels, math.nan)
    try:
        return Sample(labels, float(pair[1]))
    except (IndexError, TypeError, ValueError):
        raise _MalformedError("a value is no number") from None


def read_time(value: object) -> datetime | None:
    """RFC 3339, with nanoseconds; Go's zero time is none."""
    if not isinstance(value, str):
        return None
    head, dot, rest = value.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        value = f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    if found.tzinfo is None or found.year < 1970:  # noqa: PLR2004 - Go's zero is the year 1
        return None
    return found.astimezone(UTC)


def _batches(expressions: Sequence[str]) -> Iterator[tuple[str, ...]]:
    batch: list[str] = []
    size = 0
    for one in expressions:
        if batch and (len(batch) == _PARTS or size + len(one) > _LONGEST_BATCH):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(one)
        size += len(one) + 50
    if batch:
        yield tuple(batch)


def once(make: Callable[[], T]) -> Callable[[], T | Unavailable]:
    """The result of a question that is asked when it is first wanted, and once."""
    kept: list[T | Unavailable] = []

    def ask() -> T | Unavailable:
        if not kept:
            try:
                kept.append(make())
            except NoAnswerError as error:
                kept.append(error.unavailable)
        return kept[0]

    return ask
