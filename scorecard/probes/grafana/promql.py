"""What a PromQL expression is made of: its selectors, the functions around them, and what stands in for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import promql_parser

_DEEPEST = 200
"""Nested brackets; the parser recurses."""
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher."""

    name: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector of an expression, and where it stands."""

    metric: str
    """Empty where only labels are given."""
    matchers: tuple[Matcher, ...]
    functions: tuple[str, ...]
    """Functions and operators around it, the innermost first: `rate`, `sum`."""
    by: tuple[str, ...]
    """The labels by which what it is in is grouped."""
    divided: bool
    """Whether it stands over a division line."""
    divisor: bool
    """Whether it stands under one."""
    offset: timedelta = timedelta()
    """How far it looks back."""

    def written(self, matchers: tuple[Matcher, ...] | None = None) -> str:
        """As PromQL, with these matchers in place of its own, without offset and range."""
        chosen = self.matchers if matchers is None else matchers
        inside = ",".join(str(one) for one in chosen)
        if self.metric and re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", self.metric):
            return f"{self.metric}{{{inside}}}" if inside else self.metric
        name = f"__name__={quoted(self.metric)}" if self.metric else ""
        return f"{{{','.join(part for part in (name, inside) if part)}}}"


def quoted(text: str) -> str:
    """A PromQL string."""
    body = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{body}"'


def parsed(expression: str) -> Any | None:  # noqa: ANN401 - the parser's types are its own
    """The expression's tree; None where this parser does not read it, which says nothing about the data source."""
    if len(expression) > _LONGEST or _depth(expression) > _DEEPEST:
        return None
    try:
        return promql_parser.parse(expression)
    except Exception:  # noqa: BLE001 - a parser of another language raises what it likes
        return None


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    # Unary operators nest too, without a bracket.
    return deepest + max((len(run) for run in re.findall(r"[-+]{3,}", text.replace(" ", ""))), default=0)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands in the tree."""

    functions: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    divided: bool = False
    divisor: bool = False
    offset: timedelta = timedelta()


def selectors(tree: object) -> tuple[Selector, ...]:
    """All selectors of a tree."""
    return tuple(_walk(tree, _Place()))


def _walk(node: Any, at: _Place) -> Iterator[Selector]:  # noqa: ANN401 - the parser's types are its own
    if isinstance(node, promql_parser.VectorSelector):
        yield _selector(node, at)
    elif isinstance(node, promql_parser.MatrixSelector):
        yield _selector(node.vector_selector, at)
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from _walk(argument, replace(at, functions=(node.func.name, *at.functions)))
    elif isinstance(node, promql_parser.AggregateExpr):
        labels: tuple[str, ...] = ()
        if node.modifier is not None and node.modifier.type == promql_parser.AggModifierType.By:
            labels = tuple(node.modifier.labels)
        yield from _walk(node.expr, replace(at, functions=(str(node.op), *at.functions), by=(*labels, *at.by)))
    elif isinstance(node, promql_parser.BinaryExpr):
        over = str(node.op) == "/" and _selects(node.lhs) and _selects(node.rhs)
        yield from _walk(node.lhs, replace(at, divided=at.divided or over))
        yield from _walk(node.rhs, replace(at, divisor=at.divisor or over))
    elif isinstance(node, promql_parser.SubqueryExpr):
        yield from _walk(node.expr, replace(at, offset=at.offset + _offset(node)))
    elif isinstance(node, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        yield from _walk(node.expr, at)


def _selects(node: object) -> bool:
    return next(_walk(node, _Place()), None) is not None


def _selector(node: Any, at: _Place) -> Selector:  # noqa: ANN401 - as above
    metric = node.name or ""
    matchers = []
    for one in node.matchers.matchers:
        found = Matcher(one.name, _OPERATORS.get(str(one.op), "="), one.value)
        if found.name == "__name__" and found.operator == "=" and not metric:
            metric = found.value
        else:
            matchers.append(found)
    return Selector(metric, tuple(matchers), at.functions, at.by, at.divided, at.divisor, at.offset + _offset(node))


_OPERATORS = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}


def _offset(node: Any) -> timedelta:  # noqa: ANN401 - as above
    offset = node.offset
    return offset if isinstance(offset, timedelta) and offset > timedelta() else timedelta()


_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?P<comment>\#[^\n]*)"""
    r"""|(?P<word>[a-zA-Z_:][a-zA-Z0-9_:.]*)|(?P<mark>[{}()\[\]])|(?P<other>\s+|.)""",
    re.DOTALL,
)
_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_CONSTANT = re.compile(
    r"\bor\s+(?:on\s*\(\s*\)\s*)?(?:vector\s*\(\s*-?[0-9.]+\s*\)|\(\s*vector\s*\(\s*-?[0-9.]+\s*\)\s*\))"
)


def without_constant(expression: str) -> str:
    """What is left of `EXPRESSION or vector(0)` without the constant; empty where no constant stands in."""
    tree = parsed(expression)
    if tree is None or not selectors(tree):
        return ""
    left = _CONSTANT.sub("", expression)
    return left.strip() if left != expression and parsed(left) is not None else ""


def with_filters(expression: str, filters: tuple[Matcher, ...]) -> str:
    """The expression with matchers added to each of its selectors, as Grafana adds ad hoc filters."""
    tree = parsed(expression)
    if tree is None or not filters:
        return expression
    metrics = {one.metric for one in selectors(tree)}
    added = ",".join(str(one) for one in filters)
    found = list(_TOKEN.finditer(expression))
    put: list[str] = []
    listed = inside = 0
    awaits_list = False
    for number, token in enumerate(found):
        text = token.group()
        put.append(text)
        if token.lastgroup == "word":
            following = _next_mark(found, number)
            if text in metrics and not listed and not inside and following not in {"{", "("}:
                put.append(f"{{{added}}}")
            awaits_list = text in _LISTS
        elif text == "(" and (awaits_list or listed):
            listed, awaits_list = listed + 1, False
        elif text == ")" and listed:
            listed -= 1
        elif text == "{" and token.lastgroup == "mark":
            inside += 1
            put.append(f"{added},")
        elif text == "}" and token.lastgroup == "mark":
            inside -= 1
    return "".join(put)


def _next_mark(tokens: list[re.Match[str]], number: int) -> str:
    """What follows a word, after white space."""
    for token in tokens[number + 1 :]:
        if token.group().strip():
            return token.group()
    return ""
