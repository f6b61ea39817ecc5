"""Alertmanager's routing tree: which receivers an alert with these labels reaches. Pure.

https://prometheus.io/docs/alerting/latest/configuration/#route. A route matches when all its matchers do; its first
matching child takes the alert, and the next ones too while `continue` is set; where no child matches, it is the
route's own. Grouping and timing do not change the receiver. `amtool config routes test` is asked to agree, in tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scorecard import strict_yaml
from scorecard.promql import full_match

_MOST_WAYS = 64
"""Ways of one alert that are followed, where labels are not known."""
_DEEPEST = 100
_MATCHER = re.compile(
    r"""\s*(?:"((?:\\.|[^"\\])*)"|([a-zA-Z_:][a-zA-Z0-9_:]*|[^\s"'{}=!~,]+))\s*(=~|!~|!=|=)\s*(?:"((?:\\.|[^"\\])*)"|(.*?))\s*""",
    re.DOTALL,
)
_NOT_CONFIGS = re.compile(r"_configs$")


class TreeError(ValueError):
    """The configuration is not read; the message says why."""


@dataclass(frozen=True, slots=True)
class RouteMatcher:
    """One matcher of a route."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.operator}"{self.value}"'

    def matches(self, value: str) -> bool:
        """Whether a label with this value matches; empty for one that is not there."""
        if self.operator in {"=", "!="}:
            return (self.value == value) is (self.operator == "=")
        return full_match(self.value, value) is (self.operator == "=~")


@dataclass(frozen=True, slots=True)
class Route:
    """One node of the tree."""

    receiver: str
    matchers: tuple[RouteMatcher, ...] = ()
    proceed: bool = False
    """`continue`: the next sibling is looked at as well."""
    routes: tuple[Route, ...] = ()
    times: tuple[str, ...] = ()
    """Names of the intervals in which it is mute, or outside of which it is."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A routing tree with its receivers."""

    root: Route
    configured: frozenset[str]
    """Receivers that tell somebody."""
    empty: frozenset[str] = frozenset()
    """Receivers that are defined and tell nobody."""

    def tells(self, receiver: str) -> bool:
        """Whether somebody is told by a receiver."""
        return receiver in self.configured


@dataclass(frozen=True, slots=True)
class Passage:
    """One way through the tree."""

    routes: tuple[Route, ...]
    decided: tuple[tuple[RouteMatcher, bool], ...] = ()
    """What was taken for granted of labels that are not known."""

    @property
    def receivers(self) -> tuple[str, ...]:
        """The receivers, in the order in which they are reached."""
        return tuple(dict.fromkeys(route.receiver for route in self.routes))


def receivers(tree: Tree, labels: Mapping[str, str]) -> tuple[str, ...]:
    """The receivers of an alert all of whose labels are known."""
    return passages(tree, labels)[0].receivers


def passages(tree: Tree, labels: Mapping[str, str], unknown: Sequence[str] = ()) -> tuple[Passage, ...]:
    """Every way that an alert can take.

    Args:
        tree: the tree.
        labels: labels whose value is known.
        unknown: labels that may have any value; `*` for every other one.
    """
    found: dict[tuple[str, ...], Passage] = {}
    for routes, decided in _through(tree.root, labels, frozenset(unknown), ()):
        passage = Passage(routes, decided)
        kept = found.get(passage.receivers)
        if kept is None or len(decided) < len(kept.decided):
            found[passage.receivers] = passage
        if len(found) >= _MOST_WAYS:
            break
    return tuple(found.values())


_Decided = tuple[tuple[RouteMatcher, bool], ...]


def _through(
    route: Route, labels: Mapping[str, str], unknown: frozenset[str], decided: _Decided
) -> Iterator[tuple[tuple[Route, ...], _Decided]]:
    """The ways below a route that matched."""
    for reached, after in _among(route.routes, labels, unknown, decided):
        yield reached or (route,), after


def _among(
    routes: tuple[Route, ...], labels: Mapping[str, str], unknown: frozenset[str], decided: _Decided
) -> Iterator[tuple[tuple[Route, ...], _Decided]]:
    if not routes:
        yield (), decided
        return
    first, rest = routes[0], routes[1:]
    for matched, after in _matched(first.matchers, labels, unknown, decided):
        if not matched:
            yield from _among(rest, labels, unknown, after)
            continue
        for reached, then in _through(first, labels, unknown, after):
            if not first.proceed:
                yield reached, then
                continue
            for more, last in _among(rest, labels, unknown, then):
                yield (*reached, *more), last


def _matched(
    matchers: tuple[RouteMatcher, ...], labels: Mapping[str, str], unknown: frozenset[str], decided: _Decided
) -> Iterator[tuple[bool, _Decided]]:
    """Whether all matchers match; both ways where a label is not known and nothing that was granted decides it."""
    if not matchers:
        yield True, decided
        return
    first, rest = matchers[0], matchers[1:]
    for matched, after in _one(first, labels, unknown, decided):
        if matched:
            yield from _matched(rest, labels, unknown, after)
        else:
            yield False, after


def _one(
    matcher: RouteMatcher, labels: Mapping[str, str], unknown: frozenset[str], decided: _Decided
) -> Iterator[tuple[bool, _Decided]]:
    if matcher.label in labels:
        yield matcher.matches(labels[matcher.label]), decided
        return
    if matcher.label not in unknown and "*" not in unknown:
        yield matcher.matches(""), decided
        return
    # A value that was granted decides every other matcher of that label.
    value = next((one.value for one, held in decided if _pins(one, held) and one.label == matcher.label), None)
    if value is not None:
        yield matcher.matches(value), decided
        return
    opposite = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}[matcher.operator]
    for one, held in decided:
        if one.label == matcher.label and one.value == matcher.value and one.operator in {matcher.operator, opposite}:
            yield held is (one.operator == matcher.operator), decided
            return
    ruled_out = any(
        not _pins(one, held) and one.label == matcher.label and one.operator == matcher.operator == "=" and held
        for one, held in decided
    )
    yield False, (*decided, (matcher, False))
    if not ruled_out:
        yield True, (*decided, (matcher, True))


def _pins(matcher: RouteMatcher, held: bool) -> bool:  # noqa: FBT001 - half of a pair
    """Whether what was granted fixes the label's value."""
    return (matcher.operator == "=" and held) or (matcher.operator == "!=" and not held)


def shown(decided: _Decided) -> str:
    """What was granted, as a person reads it: only what was said to hold, or what was not where nothing was."""
    held = [str(matcher) for matcher, yes in decided if yes]
    return " and ".join(held) or " and ".join(f"not {matcher}" for matcher, _ in decided)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_tree(text: str) -> Tree:
    """From an Alertmanager's configuration file.

    Raises:
        TreeError: it is none.
    """
    try:
        value = strict_yaml.load(text, name="alertmanager.yml").value
    except strict_yaml.YamlError as error:
        raise TreeError(f"its configuration, line {error.line}: {error.message}") from None
    if not isinstance(value, Mapping) or not isinstance(value.get("route"), Mapping):
        raise TreeError("its configuration has no route")
    defined = value.get("receivers")
    named = {
        str(one.get("name")): any(_NOT_CONFIGS.search(str(key)) and config for key, config in one.items())
        for one in (defined if isinstance(defined, list) else [])
        if isinstance(one, Mapping)
    }
    return Tree(
        read_route(value["route"], ""),
        frozenset(name for name, tells in named.items() if tells),
        frozenset(name for name, tells in named.items() if not tells),
    )


def read_route(value: Mapping[str, Any], inherited: str, depth: int = 0) -> Route:
    """One route with those below it; the receiver is inherited."""
    if depth > _DEEPEST:
        raise TreeError(f"its routes nest deeper than {_DEEPEST}")
    receiver = str(value.get("receiver") or inherited)
    below = value.get("routes") or []
    if not isinstance(below, list) or not all(isinstance(one, Mapping) for one in below):
        raise TreeError("its routes are no list of routes")
    times = [*_names(value.get("mute_time_intervals")), *_names(value.get("active_time_intervals"))]
    return Route(
        receiver=receiver,
        matchers=tuple(_matchers(value)),
        proceed=value.get("continue") is True,
        routes=tuple(read_route(one, receiver, depth + 1) for one in below),
        times=tuple(times),
    )


def _names(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _matchers(value: Mapping[str, Any]) -> Iterator[RouteMatcher]:
    for key, operator in (("match", "="), ("match_re", "=~")):
        old = value.get(key)
        for label, wanted in old.items() if isinstance(old, Mapping) else ():
            yield RouteMatcher(str(label), operator, _scalar(wanted))
    written = value.get("matchers")
    for one in written if isinstance(written, list) else [written] if isinstance(written, str) else ():
        yield from read_matchers(str(one))
    for one in value.get("object_matchers") or ():  # Grafana's
        if isinstance(one, list) and len(one) == 3:  # noqa: PLR2004 - label, operator, value
            yield RouteMatcher(*(str(part) for part in one))


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def read_matchers(text: str) -> Iterator[RouteMatcher]:
    """`service="payments"`, or several in braces and between commas.

    Raises:
        TreeError: it is none.
    """
    inner = text.strip()
    if inner.startswith("{"):
        inner = inner[1:].rstrip().removesuffix("}")
    for part in _split(inner):
        match = _MATCHER.fullmatch(part)
        if match is None:
            raise TreeError(f"its matcher {part.strip()[:80]!r} is not read")
        label = _unescaped(match.group(1)) if match.group(1) is not None else match.group(2)
        value = _unescaped(match.group(4)) if match.group(4) is not None else match.group(5)
        yield RouteMatcher(label, match.group(3), value)


def _split(text: str) -> Iterator[str]:
    """Between commas that stand outside of quotes."""
    part: list[str] = []
    quoted = escaped = False
    for letter in text:
        if letter == "," and not quoted:
            yield "".join(part)
            part = []
            continue
        part.append(letter)
        if letter == '"' and not escaped:
            quoted = not quoted
        escaped = letter == "\\" and not escaped
    if "".join(part).strip():
        yield "".join(part)


def _unescaped(text: str) -> str:
    """Undo the three escapes that Alertmanager knows; any other backslash stays, since patterns have them."""
    return re.sub(r"\\([\"\\n])", lambda match: "\n" if match.group(1) == "n" else match.group(1), text)
