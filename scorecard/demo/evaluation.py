"""Which label sets a PromQL expression returns over series that are known by their labels: PromQL without its numbers.

Comparisons are taken as met, since nobody knows the values: what a threshold hides is not hidden here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import promql_parser as pp

Labels = Mapping[str, str]
Sets = list[dict[str, str]]
Key = tuple[tuple[str, str], ...]
_ABSENCE = frozenset({"absent", "absent_over_time"})
_KEEPING_NAMES = frozenset({"last_over_time", "sort", "sort_desc"})


class NotEvaluatedError(ValueError):
    """The expression cannot be evaluated, as a Prometheus would say it."""


def returned(query: str, known: Iterable[Labels]) -> Sets:
    """The label sets of the result; one without labels for a number.

    Raises:
        NotEvaluatedError: two series of one side belong to two of the other.
        ValueError: it is no PromQL.
    """
    series = [dict(one) for one in known]
    found = _sets(pp.parse(query), lambda selector: [one for one in series if _chosen(selector, one)])
    return [{}] if found is None else _distinct(found)


def chosen(selector: str, known: Iterable[Labels]) -> Sets:
    """The series that a selector chooses."""
    tree = pp.parse(selector)
    return [dict(one) for one in known if _chosen(tree, one)]


Choose = Callable[[Any], Sets]


def _sets(node: Any, choose: Choose) -> Sets | None:  # noqa: ANN401, PLR0911 - promql-parser has no types; an arm each
    """None for a number."""
    match node:
        case pp.VectorSelector():
            return choose(node)
        case pp.MatrixSelector():
            return choose(node.vector_selector)
        case pp.ParenExpr() | pp.UnaryExpr() | pp.SubqueryExpr():
            return _sets(node.expr, choose)
        case pp.AggregateExpr():
            return _aggregated(node, _sets(node.expr, choose) or [])
        case pp.Call():
            return _called(node, choose)
        case pp.BinaryExpr():
            return _combined(node, _sets(node.lhs, choose), _sets(node.rhs, choose))
        case _:
            return None


def _called(node: Any, choose: Choose) -> Sets | None:  # noqa: ANN401 - as above
    name, arguments = node.func.name, list(node.args)
    if name in {"time", "pi", "scalar"}:
        return None
    if name == "vector":
        return [{}]
    found = next((sets for one in arguments if (sets := _sets(one, choose)) is not None), [])
    if name in _ABSENCE:
        return [] if found else [{}]
    if name == "label_replace":
        target, value, source, pattern = (one.val for one in arguments[1:])
        return [_replaced(one, target, value, source, pattern) for one in found]
    if name == "histogram_quantile":
        found = [_without(one, {"le"}) for one in found]
    return found if name in _KEEPING_NAMES else [_without(one, {"__name__"}) for one in found]


def _replaced(labels: Labels, target: str, value: str, source: str, pattern: str) -> dict[str, str]:
    match = re.fullmatch(pattern, labels.get(source, ""))
    if match is None:
        return dict(labels)
    filled = re.sub(r"\$\{?(\d+)\}?", lambda one: match.group(int(one.group(1))) or "", value)
    return {**labels, target: filled} if filled else _without(labels, {target})


def _aggregated(node: Any, found: Sets) -> Sets:  # noqa: ANN401 - as above
    if node.modifier is None:
        return [{}] if found else []
    names = set(node.modifier.labels)
    if node.modifier.type == pp.AggModifierType.By:
        return _distinct([{name: one[name] for name in names if name in one} for one in found])
    return _distinct([_without(one, names | {"__name__"}) for one in found])


def _combined(node: Any, left: Sets | None, right: Sets | None) -> Sets | None:  # noqa: ANN401 - as above
    operator = str(node.op).strip()
    if left is None or right is None:
        return left if right is None else right
    key = _key(node.modifier)
    mine, others = {key(one) for one in left}, {key(one) for one in right}
    if operator == "or":
        return [*left, *(one for one in right if key(one) not in mine)]
    if operator == "and":
        return [one for one in left if key(one) in others]
    if operator == "unless":
        return [one for one in left if key(one) not in others]
    return _matched(node.modifier, left, right, key)


def _matched(modifier: Any, left: Sets, right: Sets, key: Callable[[Labels], Key]) -> Sets:  # noqa: ANN401 - as above
    card = pp.VectorMatchCardinality.OneToOne if modifier is None else modifier.card
    many, one = (right, left) if card == pp.VectorMatchCardinality.OneToMany else (left, right)
    partners = Counter(map(key, one))
    both = [labels for labels in many if key(labels) in partners]
    crowded = any(partners[key(labels)] > 1 for labels in both)
    if card == pp.VectorMatchCardinality.OneToOne:
        crowded = crowded or len(both) > len({key(labels) for labels in both})
        both = [dict(key(labels)) for labels in both]
    if crowded:
        words = "many-to-many matching not allowed: matching labels must be unique on one side"
        raise NotEvaluatedError(f"found duplicate series for the match group; {words}")
    return [_without(labels, {"__name__"}) for labels in both]


def _key(modifier: Any) -> Callable[[Labels], Key]:  # noqa: ANN401 - as above
    matching = modifier.matching if modifier is not None else None
    names = set(matching.labels) if matching is not None else set()
    on = matching is not None and matching.type == pp.LabelModifierType.Include

    def key(labels: Labels) -> Key:
        return tuple(
            sorted((name, value) for name, value in labels.items() if name != "__name__" and (name in names) is on)
        )

    return key


def _chosen(selector: Any, labels: Labels) -> bool:  # noqa: ANN401 - as above
    if selector.name and labels.get("__name__") != selector.name:
        return False
    for matcher in selector.matchers.matchers:
        value, operator = labels.get(matcher.name, ""), str(matcher.op)
        equal = operator in {"MatchOp.Equal", "MatchOp.NotEqual"}
        met = value == matcher.value if equal else re.fullmatch(matcher.value, value) is not None
        if met == (operator in {"MatchOp.NotEqual", "MatchOp.NotRe"}):
            return False
    return True


def _without(labels: Labels, names: set[str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in names}


def _distinct(found: Sets) -> Sets:
    return [dict(one) for one in sorted({tuple(sorted(one.items())) for one in found})]
