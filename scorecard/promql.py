"""PromQL as far as alerts need it: what is selected, what is left without the thresholds, which labels come out. Pure.

Rests on promql-parser, which reads more than it writes: its text form loses escapes, so expressions are written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import promql_parser as pp
import re2

DEEPEST = 32
"""Of brackets in an expression: the parser's memory doubles with each. The deepest in public rule sets is 7."""
LONGEST = 20_000
"""Characters of an expression."""

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_ABSENCE = frozenset({"absent", "absent_over_time"})
_KEEP_LABELS = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_RAW = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`([^`]*)`|#[^\n]*", re.DOTALL)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NOT_A_NAME = "scorecard-0f3c9a51-none"
"""A value that no label has: what matches it matches anything, and names nobody."""
_QUIET = re2.Options()
_QUIET.log_errors = False


class PromqlError(ValueError):
    """The expression is not read; the message says why."""


def quoted(text: str) -> str:
    """A PromQL string."""
    body = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{body}"'


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher."""

    label: str
    operator: str
    """`=`, `!=`, `=~` or `!~`."""
    value: str

    def __str__(self) -> str:
        name = self.label if _LABEL.fullmatch(self.label) else quoted(self.label)
        return f"{name}{self.operator}{quoted(self.value)}"

    def admits(self, value: str) -> bool:
        """Whether a series whose label has this value is selected; empty for a series without the label."""
        if self.operator in {"=", "!="}:
            return (self.value == value) is (self.operator == "=")
        return full_match(self.value, value) is (self.operator == "=~")

    def names(self, value: str) -> bool:
        """Whether it asks for this value by name: by equality, or by a pattern that not anything matches."""
        if self.operator == "=":
            return self.value == value
        return self.operator == "=~" and self.admits(value) and not self.admits(_NOT_A_NAME)


def full_match(pattern: str, value: str) -> bool:
    """Whether an anchored regular expression, RE2's as Prometheus has them, matches; a bad one matches nothing."""
    try:
        return re2.compile(f"(?s:{pattern})", _QUIET).fullmatch(value) is not None
    except re2.error:
        return False


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector of an expression."""

    metric: str
    """Empty where only labels are given."""
    matchers: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        inside = ",".join(map(str, self.matchers))
        if self.metric and _NAME.fullmatch(self.metric):
            return f"{self.metric}{{{inside}}}" if inside else self.metric
        name = f"__name__={quoted(self.metric)}" if self.metric else ""
        return f"{{{','.join(part for part in (name, inside) if part)}}}"


@dataclass(frozen=True, slots=True)
class Shape:
    """The labels of what an expression returns."""

    known: Mapping[str, str] = field(default_factory=dict)
    maybe: frozenset[str] = frozenset()
    """Labels that may be there, with any value."""
    open: bool = False
    """Any other label may be there too."""

    def without(self, labels: frozenset[str]) -> Shape:
        """Some labels gone."""
        known = {name: value for name, value in self.known.items() if name not in labels}
        return Shape(known, self.maybe - labels, self.open)

    def only(self, labels: frozenset[str]) -> Shape:
        """Every other label gone."""
        known = {name: value for name, value in self.known.items() if name in labels}
        left = labels - known.keys()
        return Shape(known, left if self.open else left & self.maybe)

    def unsure(self, labels: frozenset[str]) -> Shape:
        """Some labels with another value."""
        known = {name: value for name, value in self.known.items() if name not in labels}
        return Shape(known, self.maybe | labels, self.open)

    def either(self, other: Shape) -> Shape:
        """What one or the other returns."""
        known = {name: value for name, value in self.known.items() if other.known.get(name) == value}
        names = (self.known.keys() | other.known.keys() | self.maybe | other.maybe) - known.keys()
        return Shape(known, frozenset(names), self.open or other.open)


@dataclass(frozen=True, slots=True)
class Expression:
    """An alert's expression, taken apart."""

    text: str
    selectors: tuple[Selector, ...]
    bare: str
    """Without its thresholds: it returns what the alert is about, whether or not it fires. Empty where nothing is
    selected, as in `vector(1)`."""
    absence: bool
    """It is true when a series is not there: `absent`, `absent_over_time`, `up == 0`."""
    gone: bool
    """It is true only when a series is not there: nothing to be found says that all is well."""
    shape: Shape


def read(text: str) -> Expression:
    """Take an expression apart.

    Raises:
        PromqlError: it is none, or this parser does not read it.
    """
    tree = parse(text)
    if isinstance(tree, pp.StringLiteral | pp.MatrixSelector | pp.SubqueryExpr):
        raise PromqlError("the expression is no instant vector")
    nodes: list[Any] = []
    pp.walk(tree, nodes.append, None)
    selectors = tuple(dict.fromkeys(_selector(node) for node in nodes if isinstance(node, pp.VectorSelector)))
    bare = _stripped(tree)
    return Expression(
        text=text,
        selectors=selectors,
        bare="" if bare is None or not selectors else bare,
        absence=any(_absence(node) for node in nodes),
        gone=bare is None,
        shape=_shape(tree),
    )


def parse(text: str) -> Any:  # noqa: ANN401 - promql-parser has no types
    """The tree of an expression.

    Raises:
        PromqlError: it has none.
    """
    if not text.strip():
        raise PromqlError("it has no expression")
    if len(text) > LONGEST:
        raise PromqlError(f"the expression has over {LONGEST:,} characters")
    if depth(text) > DEEPEST:
        raise PromqlError(f"the expression nests brackets deeper than {DEEPEST}")
    try:
        return pp.parse(spelled(text))
    except ValueError as error:
        raise PromqlError(f"the expression does not parse: {error}") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise PromqlError("the expression does not parse") from None


def spelled(text: str) -> str:
    """The same with raw strings in double quotes: the parser reads escapes in them, which Prometheus does not."""
    if "`" not in text:
        return text
    return _RAW.sub(lambda match: match.group() if match.group(1) is None else quoted(match.group(1)), text)


def depth(text: str) -> int:
    """How deep brackets nest, quoted ones included, and signs in a row, which nest too."""
    deep = deepest = signs = 0
    for letter in text:
        if letter in "([{":
            deep += 1
        elif letter in ")]}":
            deep -= 1
        signs = signs + 1 if letter in "+-" else signs if letter.isspace() else 0
        deepest = max(deepest, deep + signs)
    return deepest


# --- what it selects -------------------------------------------------------------------------------------------------


_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


def _selector(node: Any) -> Selector:  # noqa: ANN401 - as above
    metric = node.name or ""
    matchers = []
    for one in node.matchers.matchers:
        found = Matcher(one.name, _OPERATORS.get(str(one.op), "="), one.value)
        if found.label == "__name__" and found.operator == "=" and not metric:
            metric = found.value
        else:
            matchers.append(found)
    return Selector(metric, tuple(matchers))


def _absence(node: Any) -> bool:  # noqa: ANN401 - as above
    if isinstance(node, pp.Call):
        return node.func.name in _ABSENCE
    if not isinstance(node, pp.BinaryExpr):
        return False
    left, right = node.lhs, node.rhs
    if not (isinstance(left, pp.VectorSelector) and isinstance(right, pp.NumberLiteral)):
        return False
    return bool(left.name == "up" and (str(node.op), right.val) in {("==", 0.0), ("<", 1.0), ("!=", 1.0)})


# --- without thresholds ----------------------------------------------------------------------------------------------


def _stripped(node: Any) -> str | None:  # noqa: ANN401 - as above
    """The node without comparisons that filter; None where it asks for absence, which nothing stands in for."""
    match node:
        case pp.ParenExpr():
            inner = _stripped(node.expr)
            return None if inner is None else f"({inner})"
        case pp.BinaryExpr():
            return _stripped_binary(node)
        case pp.Call() if node.func.name in _ABSENCE:
            return None
        case pp.Call() | pp.AggregateExpr() | pp.UnaryExpr() | pp.SubqueryExpr():
            return _written(node, _stripped)
        case _:
            return written(node)


def _stripped_binary(node: Any) -> str | None:  # noqa: ANN401 - as above
    operator = str(node.op).strip()
    left, right = _stripped(node.lhs), _stripped(node.rhs)
    if operator == "unless":
        return left
    if left is None or right is None:
        # `a > 1 or absent(a)` is about a, and so is `a > 1 and absent(b)`.
        return left if right is None else right
    if operator == "or" and not (selects(node.lhs) and selects(node.rhs)):
        # `sum(a) or vector(0)`: the constant stands in for what is not there, and would hide that it is not.
        return left if selects(node.lhs) else right
    if operator in _COMPARISONS and not (node.modifier and node.modifier.return_bool):
        if is_scalar(node.rhs):
            return left
        if is_scalar(node.lhs):
            return right
        # A difference has the labels, and the partners, that the comparison has; and it is there whatever the values.
        operator = "-"
    return f"({left}) {_operator(operator, node.modifier)} ({right})"


def selects(node: Any) -> bool:  # noqa: ANN401 - as above
    """Whether a node selects any series."""
    found: list[Any] = []
    pp.walk(node, found.append, None)
    return any(isinstance(one, pp.VectorSelector) for one in found)


def is_scalar(node: Any) -> bool:  # noqa: ANN401 - as above
    """Whether a node returns a number and no series."""
    match node:
        case pp.NumberLiteral():
            return True
        case pp.ParenExpr() | pp.UnaryExpr():
            return is_scalar(node.expr)
        case pp.BinaryExpr():
            return is_scalar(node.lhs) and is_scalar(node.rhs)
        case pp.Call():
            return bool(node.func.return_type == pp.ValueType.Scalar)
        case _:
            return False


# --- written out -----------------------------------------------------------------------------------------------------


def written(node: Any) -> str:  # noqa: ANN401 - as above
    """A tree as PromQL."""
    return _written(node, written) or ""


def _written(node: Any, child: Any) -> str | None:  # noqa: ANN401, C901, PLR0911 - one arm for each kind of node
    match node:
        case pp.NumberLiteral():
            return _number(node.val)
        case pp.StringLiteral():
            return quoted(node.val)
        case pp.VectorSelector():
            return f"{_selector(node)}{_times(node)}"
        case pp.MatrixSelector():
            inner = node.vector_selector
            return f"{_selector(inner)}[{duration(node.range)}]{_times(inner)}"
        case pp.ParenExpr():
            return f"({child(node.expr)})"
        case pp.UnaryExpr():
            inner = child(node.expr)
            return None if inner is None else f"-({inner})"
        case pp.SubqueryExpr():
            inner = child(node.expr)
            step = duration(node.step) if node.step else ""
            return None if inner is None else f"({inner})[{duration(node.range)}:{step}]{_times(node)}"
        case pp.Call():
            arguments = [child(argument) for argument in node.args]
            return None if None in arguments else f"{node.func.name}({', '.join(map(str, arguments))})"
        case pp.AggregateExpr():
            inner = child(node.expr)
            parameter = f"{written(node.param)}, " if node.param is not None else ""
            return None if inner is None else f"{node.op}{_grouping(node.modifier)} ({parameter}{inner})"
        case pp.BinaryExpr():
            return f"({child(node.lhs)}) {_operator(str(node.op).strip(), node.modifier)} ({child(node.rhs)})"
        case _:
            raise PromqlError(f"{type(node).__name__} is not read by this version")


def _number(value: float) -> str:
    if value != value:  # noqa: PLR0124 - the one number that is not itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def duration(value: Any) -> str:  # noqa: ANN401 - a timedelta, from a library without types
    """A duration in the notation of Prometheus; a negative one with its sign."""
    milliseconds = round(value.total_seconds() * 1000)
    sign, milliseconds = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    return f"{sign}{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{sign}{milliseconds}ms"


def _times(node: Any) -> str:  # noqa: ANN401 - as above
    at = f" {node.at}" if node.at is not None else ""
    return f"{at} offset {duration(node.offset)}" if node.offset else at


def _labels(names: Any) -> str:  # noqa: ANN401 - as above
    return f"({', '.join(names)})"


def _grouping(modifier: Any) -> str:  # noqa: ANN401 - as above
    if modifier is None:
        return ""
    word = "by" if modifier.type == pp.AggModifierType.By else "without"
    return f" {word} {_labels(modifier.labels)}"


def _operator(operator: str, modifier: Any) -> str:  # noqa: ANN401 - as above
    if modifier is None:
        return operator
    parts = [operator]
    if modifier.return_bool:
        parts.append("bool")
    if modifier.matching is not None:
        word = "on" if modifier.matching.type == pp.LabelModifierType.Include else "ignoring"
        parts.append(f"{word} {_labels(modifier.matching.labels)}")
    if modifier.card == pp.VectorMatchCardinality.ManyToOne:
        parts.append(f"group_left {_labels(modifier.group_labels or ())}")
    elif modifier.card == pp.VectorMatchCardinality.OneToMany:
        parts.append(f"group_right {_labels(modifier.group_labels or ())}")
    return " ".join(parts)


# --- which labels come out -------------------------------------------------------------------------------------------


def _shape(node: Any) -> Shape:  # noqa: ANN401, PLR0911 - one arm for each kind of node
    match node:
        case pp.VectorSelector():
            return _selected(node)
        case pp.MatrixSelector():
            return _selected(node.vector_selector)
        case pp.ParenExpr() | pp.UnaryExpr() | pp.SubqueryExpr():
            return _shape(node.expr)
        case pp.Call():
            return _called(node)
        case pp.AggregateExpr():
            return _aggregated(node)
        case pp.BinaryExpr():
            return _combined(node)
        case _:
            return Shape()


def _selected(node: Any) -> Shape:  # noqa: ANN401 - as above
    known = {one.label: one.value for one in _selector(node).matchers if one.operator == "=" and one.value}
    return Shape(known, open=True)


def _called(node: Any) -> Shape:  # noqa: ANN401 - as above
    vectors = [argument for argument in node.args if not isinstance(argument, pp.StringLiteral)]
    if node.func.return_type == pp.ValueType.Scalar or node.func.name == "vector" or not vectors:
        return Shape()
    shapes = [_shape(argument) for argument in vectors if not is_scalar(argument)]
    inner = shapes[-1] if shapes else Shape()
    name = node.func.name
    if name in _ABSENCE:
        return replace(inner, maybe=frozenset(), open=False)
    if name in {"label_replace", "label_join"}:
        return inner.unsure(frozenset({node.args[1].val}))
    if name == "histogram_quantile":
        return inner.without(frozenset({"le"}))
    return inner


def _aggregated(node: Any) -> Shape:  # noqa: ANN401 - as above
    inner = _shape(node.expr)
    operator = str(node.op).strip()
    if operator in _KEEP_LABELS:
        return inner
    if node.modifier is None:
        grouped = Shape()
    elif node.modifier.type == pp.AggModifierType.By:
        grouped = inner.only(frozenset(node.modifier.labels))
    else:
        grouped = inner.without(frozenset(node.modifier.labels))
    if operator == "count_values" and isinstance(node.param, pp.StringLiteral):
        return grouped.unsure(frozenset({node.param.val}))
    return grouped


def _combined(node: Any) -> Shape:  # noqa: ANN401, PLR0911 - one return for each rule of Prometheus' matching
    if is_scalar(node.lhs):
        return _shape(node.rhs)
    left = _shape(node.lhs)
    operator = str(node.op).strip()
    if is_scalar(node.rhs) or operator in {"and", "unless"}:
        return left
    right = _shape(node.rhs)
    if operator == "or":
        return left.either(right)
    modifier = node.modifier
    if modifier is None:
        return left
    extra = frozenset(modifier.group_labels or ())
    if modifier.card == pp.VectorMatchCardinality.ManyToOne:
        return left.unsure(extra)
    if modifier.card == pp.VectorMatchCardinality.OneToMany:
        return right.unsure(extra)
    if modifier.matching is None:
        return left
    labels = frozenset(modifier.matching.labels)
    if modifier.matching.type == pp.LabelModifierType.Include:
        return left.only(labels)
    return left.without(labels)
