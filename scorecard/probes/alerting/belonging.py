"""Whose a rule is: by its labels, by the selectors in its expression, by its firing instances, by its series. Pure.

A service says by which labels its alerts are known (`matchers`). With thousands of rules and of services every pair
cannot be looked at, so the values that services ask for are indexed, and each rule is looked at once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scorecard.promql import Expression, Matcher

_ALIAS = re.compile(r"^\s*\{\{-?\s*(?:\$labels|\.Labels)\.([a-zA-Z_][a-zA-Z0-9_]*)\s*-?\}\}\s*$")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one service's alerts are known by."""

    key: object
    matchers: Mapping[str, str]


@dataclass(slots=True)
class Index:
    """Services by the values that they ask for."""

    wanted: tuple[Wanted, ...]
    by_value: dict[str, dict[str, set[int]]] = field(default_factory=dict)
    """Label to value to the numbers of the services that ask for it."""
    _patterns: dict[Matcher, frozenset[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sort the services in."""
        for number, one in enumerate(self.wanted):
            for label, value in one.matchers.items():
                self.by_value.setdefault(label, defaultdict(set))[value].add(number)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that some service is known by."""
        return tuple(self.by_value)

    def named(self, labels: Mapping[str, str], expression: Expression | None) -> dict[int, str]:
        """The services that a rule names, each with why it is taken for theirs."""
        by_label = {label: self._named_by(label, labels, expression) for label in self.by_value}
        return dict(self._all(by_label))

    def fitting(self, labels: Mapping[str, str]) -> tuple[int, ...]:
        """The services whose labels all stand in a label set."""
        found = {
            label: dict.fromkeys(self.by_value[label].get(labels[label], ()), "")
            for label in self.by_value
            if label in labels
        }
        return tuple(number for number, _ in self._all({label: found.get(label, {}) for label in self.by_value}))

    def could(self, labels: Mapping[str, str], expression: Expression) -> bool:
        """Whether the rule's series may be a service's, as far as its labels and its shape tell."""
        return any(self._could(one.matchers, labels, expression) for one in self._kinds())

    def could_be(self, number: int, labels: Mapping[str, str], expression: Expression) -> bool:
        """Whether the rule's series may be this service's."""
        return self._could(self.wanted[number].matchers, labels, expression, values=True)

    def _kinds(self) -> Iterable[Wanted]:
        """One service for each set of labels that services are known by."""
        return {tuple(sorted(one.matchers)): one for one in self.wanted if one.matchers}.values()

    def _could(
        self, matchers: Mapping[str, str], labels: Mapping[str, str], expression: Expression, *, values: bool = False
    ) -> bool:
        shape = expression.shape
        for label, value in matchers.items():
            fixed = labels.get(label, "")
            if fixed and "{{" not in fixed:
                possible = fixed == value if values else fixed in self.by_value[label]
            else:
                source = alias(fixed) or label
                if source in shape.known:
                    known = shape.known[source]
                    possible = known == value if values else known in self.by_value[label]
                else:
                    possible = shape.open or source in shape.maybe
            if not possible:
                return False
        return True

    def _all(self, by_label: Mapping[str, Mapping[int, str]]) -> Iterable[tuple[int, str]]:
        """Services of which every label was found."""
        seen: set[int] = set()
        for found in by_label.values():
            for number in found:
                if number not in seen:
                    seen.add(number)
                    matchers = self.wanted[number].matchers
                    if all(number in by_label[label] for label in matchers):
                        yield number, " and ".join(dict.fromkeys(by_label[label][number] for label in matchers))

    def _named_by(self, label: str, labels: Mapping[str, str], expression: Expression | None) -> dict[int, str]:
        values = self.by_value[label]
        fixed = labels.get(label, "")
        if fixed and "{{" not in fixed:
            # The rule's own label replaces that of the series.
            return dict.fromkeys(values.get(fixed, ()), f'its label {label}="{fixed}"')
        found: dict[int, str] = {}
        source = alias(fixed) or label
        for selector in expression.selectors if expression else ():
            for matcher in selector.matchers:
                if matcher.label == source and matcher.operator in {"=", "=~"}:
                    found.update(dict.fromkeys(self._admitted(label, matcher), f"its selector {matcher}"))
        return found

    def _admitted(self, label: str, matcher: Matcher) -> frozenset[int]:
        if matcher.operator == "=":
            return frozenset(self.by_value[label].get(matcher.value, ()))
        key = Matcher(f"{label} {matcher.label}", matcher.operator, matcher.value)
        if key not in self._patterns:
            values = self.by_value[label]
            admitted = (numbers for value, numbers in values.items() if matcher.names(value))
            self._patterns[key] = frozenset(number for numbers in admitted for number in numbers)
        return self._patterns[key]


def alias(template: str) -> str:
    """The label that a templated label repeats, as in `{{ $labels.app }}`; empty for anything else."""
    match = _ALIAS.match(template)
    return match.group(1) if match else ""


def effective(labels: Mapping[str, str], series: Mapping[str, str]) -> dict[str, str]:
    """The labels of an alert: those of the series, and over them the rule's own, simple templates filled in."""
    found = dict(series)
    for name, value in labels.items():
        if "{{" not in value:
            found[name] = value
        elif source := alias(value):
            found[name] = series.get(source, "")
        else:
            found.pop(name, None)
    return found
