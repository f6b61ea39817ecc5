"""The alerts of many services in one Prometheus: one call for the rules, and queries for all services together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scorecard.evidence import AlertSource, Unavailable
from scorecard.evidence.alerting import LiveAlert, RuleHealth, Series
from scorecard.model import Cause
from scorecard.probes.alerting.belonging import Index, Wanted, alias, effective
from scorecard.probes.alerting.history import History, history
from scorecard.probes.alerting.lane import NoAnswerError
from scorecard.probes.alerting.prometheus import Firing, Prometheus, Rule
from scorecard.probes.alerting.series import Diagnosis, Look
from scorecard.probes.alerting.settings import Sending, read_sending
from scorecard.promql import Expression, PromqlError, read

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """What one instance says of one service."""

    alerts: tuple[LiveAlert, ...] = ()
    missing: tuple[Unavailable, ...] = ()
    rules_seen: int = 0


def watched(prometheus: Prometheus, wanted: Sequence[Wanted]) -> dict[object, Part]:
    """Each service's alerts, by its key."""
    try:
        found = prometheus.rules()
    except NoAnswerError as error:
        return {one.key: Part(missing=(error.unavailable,)) for one in wanted}
    watch = _Watch(prometheus, found.rules, Index(tuple(wanted)))
    watch.match()
    watch.match_generic()
    watch.look_for_series()
    watch.look_back()
    return {
        one.key: Part(
            tuple(watch.alerts(number)), (*found.missing, *watch.missing(number)), rules_seen=len(found.rules)
        )
        for number, one in enumerate(wanted)
    }


@dataclass
class _Watch:
    """One look at one Prometheus; rules and services go by their numbers."""

    prometheus: Prometheus
    rules: tuple[Rule, ...]
    index: Index
    read: dict[str, Expression | str] = field(default_factory=dict)
    """Expressions taken apart, or why one is not read."""
    mine: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    """Service to its rules, each with why it is the service's."""
    found: dict[str, tuple[Labels, ...] | Unavailable] = field(default_factory=dict)
    """Bare expression to the label sets that it returns, cut to the labels that services are known by."""
    unresolved: list[tuple[int, Unavailable]] = field(default_factory=list)
    """Generic rules of which nobody could be told whose they are."""
    looks: dict[str, Look] = field(default_factory=dict)
    past: History = field(default_factory=lambda: History({}, None))
    sending: Sending = field(default_factory=Sending)

    def match(self) -> None:
        """By labels, selectors and firing instances."""
        for number, rule in enumerate(self.rules):
            expression = self._expression(rule)
            for service, why in self.index.named(rule.labels, expression).items():
                self.mine[service][number] = why
            for instance in rule.instances:
                for service in self.index.fitting(instance.labels):
                    self.mine[service].setdefault(number, "a firing instance with the service's labels")

    def match_generic(self) -> None:
        """By the series that an expression returns without its thresholds."""
        generic = {
            number: expression.bare
            for number, rule in enumerate(self.rules)
            if rule.health is not RuleHealth.ERROR
            and (expression := self._expression(rule)) is not None
            and expression.bare
            and self.index.could(rule.labels, expression)
        }
        known = {number for rules in self.mine.values() for number in rules}
        own = [self._bare(number) for number in sorted(known)]
        aliases = {alias(value) for rule in self.rules for value in rule.labels.values()} - {""}
        by = (*self.index.labels, *sorted(aliases))
        self.found = self.prometheus.counts([text for text in (*generic.values(), *own) if text], by)
        for number, bare in generic.items():
            series = self.found[bare]
            if isinstance(series, Unavailable):
                self.unresolved.append((number, series))
                continue
            for labels in series:
                for service in self.index.fitting(effective(self.rules[number].labels, labels)):
                    self.mine[service].setdefault(number, "its expression returns a series of the service")
        for number, rule in enumerate(self.rules):
            problem = self.read[rule.query]
            if isinstance(problem, str):
                self.unresolved.append((number, Unavailable(Cause.NOT_SUPPORTED, f"{rule.name}: {problem}")))

    def look_for_series(self) -> None:
        """Why those expressions return nothing that do."""
        empty = {
            expression.bare: expression
            for rules in self.mine.values()
            for number in rules
            if (expression := self._expression(self.rules[number])) is not None
            and self.found.get(expression.bare) == ()
        }
        if empty:
            diagnosis = Diagnosis(self.prometheus)
            diagnosis.prepare(empty.values())
            self.looks = {bare: diagnosis.of(expression) for bare, expression in empty.items()}

    def look_back(self) -> None:
        """What fired within the last week, and what becomes of labels when an alert is sent."""
        matched = [self.rules[number] for number in {number for rules in self.mine.values() for number in rules}]
        if not matched:
            return
        labels = {name for rule in matched for name, value in rule.labels.items() if "{{" not in value}
        interval = max(rule.interval for rule in matched)
        self.past = history(self.prometheus, labels | set(self.index.labels), interval)
        try:
            self.sending = read_sending(self.prometheus.configuration())
        except NoAnswerError:
            self.sending = Sending(readable=False)

    def missing(self, service: int) -> Iterator[Unavailable]:
        """Rules that may be the service's too."""
        matchers = self.index.wanted[service].matchers
        lost = [
            why
            for number, why in self.unresolved
            if number not in self.mine.get(service, {}) and self._could_be(service, self.rules[number])
        ]
        if lost:
            labels = ", ".join(f'{name}="{value}"' for name, value in matchers.items())
            words = f"{len(lost)} rules may be of {labels}, and could not be looked into: {lost[0].detail}"
            yield Unavailable(lost[0].cause, words, count=len(lost))

    def alerts(self, service: int) -> Iterator[LiveAlert]:
        """The service's alerts, in the order in which they are evaluated."""
        for number, why in sorted(self.mine.get(service, {}).items()):
            yield self._alert(service, self.rules[number], why)

    # --- one alert ---------------------------------------------------------------------------------------------------

    def _alert(self, service: int, rule: Rule, why: str) -> LiveAlert:
        label = self.prometheus.lane.instance.label
        expression = self._expression(rule)
        instances = self._instances(service, rule)
        firing = [one for one in instances if one.state == "firing"]
        fixed, open_labels = self._labels(service, rule, expression)
        look = self._look(service, rule, expression)
        firings = self._firings(service, rule) if self.past.counted else None
        url = rule.annotations.get("runbook_url", "").strip()
        severity = rule.labels.get("severity", "")
        if "{{" in severity and instances:
            severity = instances[0].labels.get("severity", severity)
        return LiveAlert(
            name=rule.name,
            where=f"{label} {rule.where}",
            source=AlertSource.PROMETHEUS,
            severity=severity,
            runbook_url=url,
            rendered_runbook_url=_rendered(url, firing or instances),
            expression=rule.query,
            for_seconds=rule.for_seconds,
            summary=rule.annotations.get("summary", "") or rule.annotations.get("description", ""),
            absence=expression.absence if expression else False,
            labels=rule.labels,
            instance=label,
            belongs=why,
            health=rule.health if rule.evaluated_at else RuleHealth.UNKNOWN,
            last_error=rule.last_error,
            state="firing" if firing else "pending" if instances else "inactive",
            firing_seconds=max((_firing_for(one, rule) for one in firing), default=0.0),
            firings=firings,
            firings_unknown=self.past.unknown,
            series=look.series,
            series_detail=look.detail,
            series_cause=look.cause,
            fixed_labels=fixed,
            open_labels=tuple(sorted(open_labels)),
        )

    def _instances(self, service: int, rule: Rule) -> tuple[Firing, ...]:
        matchers = self.index.wanted[service].matchers
        return tuple(one for one in rule.instances if not _contradicts(one.labels, matchers))

    def _look(self, service: int, rule: Rule, expression: Expression | None) -> Look:  # noqa: PLR0911 - one for each end
        if self._instances(service, rule):
            return Look(Series.FOUND, "it is firing, or about to")
        if rule.health is RuleHealth.ERROR:
            return Look(Series.UNKNOWN, f"its evaluation fails: {rule.last_error}", Cause.NO_DATA)
        if expression is None:
            return Look(Series.UNKNOWN, str(self.read[rule.query]), Cause.NOT_SUPPORTED)
        if expression.gone:
            return Look(Series.ABSENCE)
        if not expression.bare:
            return Look(Series.FOUND, "it needs no series")
        found = self.found[expression.bare]
        if isinstance(found, Unavailable):
            return Look(Series.UNKNOWN, found.detail, found.cause)
        if not found:
            return self.looks[expression.bare]
        matchers = self.index.wanted[service].matchers
        if all(_contradicts(effective(rule.labels, one), matchers) for one in found):
            labels = ", ".join(f'{name}="{value}"' for name, value in matchers.items())
            return Look(Series.NO_LABELS, f"it returns {len(found)} kinds of series, and none with {labels}")
        return Look(Series.FOUND)

    def _firings(self, service: int, rule: Rule) -> int:
        matchers = self.index.wanted[service].matchers
        fixed = {name: value for name, value in rule.labels.items() if "{{" not in value}
        return round(
            sum(
                sample.value
                for sample in self.past.of(rule.name)
                if all(sample.labels.get(name, "") == value for name, value in fixed.items())
                and not _contradicts(sample.labels, matchers)
            )
        )

    def _labels(self, service: int, rule: Rule, expression: Expression | None) -> tuple[dict[str, str], frozenset[str]]:
        shape = expression.shape if expression else None
        differ = set(shape.maybe) if shape else {"*"}
        if shape and shape.open:
            differ.add("*")
        known = effective(rule.labels, shape.known if shape else {})
        for name, value in self.index.wanted[service].matchers.items():
            if name not in known and (name in differ or "*" in differ):
                known[name] = value
        for name, value in rule.labels.items():
            if "{{" in value and not known.get(name):
                known.pop(name, None)
                differ.add(name)
        known["alertname"] = rule.name
        return self.sending.labels(known, frozenset(differ - known.keys()))

    def _could_be(self, service: int, rule: Rule) -> bool:
        expression = self._expression(rule)
        if expression is not None:
            return self.index.could_be(service, rule.labels, expression)
        matchers = self.index.wanted[service].matchers
        fixed = {name: value for name, value in rule.labels.items() if "{{" not in value}
        return all(fixed.get(name, value) == value for name, value in matchers.items())

    def _expression(self, rule: Rule) -> Expression | None:
        if rule.query not in self.read:
            try:
                self.read[rule.query] = read(rule.query)
            except PromqlError as error:
                self.read[rule.query] = str(error)
        found = self.read[rule.query]
        return found if isinstance(found, Expression) else None

    def _bare(self, number: int) -> str:
        rule = self.rules[number]
        expression = None if rule.health is RuleHealth.ERROR else self._expression(rule)
        return "" if expression is None or expression.gone else expression.bare


def _contradicts(labels: Labels, matchers: Labels) -> bool:
    """Whether a label set is another service's: it has one of the labels, with another value."""
    return any(labels.get(name, value) != value for name, value in matchers.items())


def _firing_for(instance: Firing, rule: Rule) -> float:
    """Seconds by the Prometheus' own clock; `activeAt` is when it became pending."""
    if instance.active_at is None or rule.evaluated_at is None:
        return 0.0
    return max(0.0, (rule.evaluated_at - instance.active_at).total_seconds() - rule.for_seconds)


def _rendered(url: str, instances: Sequence[Firing]) -> str:
    """A templated link as an instance was seen to fill it in; empty where none is firing or about to.

    It is never filled in here: Prometheus' `$labels` are those of the series, without the name and labels of the rule.
    """
    if "{{" not in url:
        return ""
    return next((one.annotations["runbook_url"].strip() for one in instances if "runbook_url" in one.annotations), "")
