"""Prometheus rule files: the alerting rules in a YAML text, each with its line. Pure.

Groups are found wherever they stand: at the top of a rule file, under `spec` of a PrometheusRule, in a List, in a Helm
chart's values. Recording rules are passed over. What Prometheus would refuse is said as the rule's problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import promql_parser
import re2

from scorecard import strict_yaml
from scorecard.model import Cause, parse_duration
from scorecard.probes.repository.questions import ParsedRule, ParsedRules, UnreadableError
from scorecard.probes.repository.silences import silences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scorecard.evidence import Silence

_RULE_KEYS = frozenset({"alert", "expr", "for", "keep_firing_for", "labels", "annotations"})
_GROUP_KEYS = frozenset(
    {
        "name",
        "interval",
        "limit",
        "rules",
        "query_offset",
        "labels",
        "evaluation_delay",
        "source_tenants",
        "partial_response_strategy",
        "align_evaluation_time_on_interval",
    }
)
"""Of Prometheus, Mimir and the PrometheusRule resource."""
_LABEL = re2.compile(r"^[a-zA-Z_][a-zA-Z0-9_]*$")
_COMMENT = re2.compile(r"(?:^|\s)#(.*)$")
_ALERT = re2.compile(r"\balert[\"']?\s*:")

_MAX_RULES = 2_000
"""In one file; the largest public mixin has 150."""
_MAX_DEPTH = 32
"""Of brackets in an expression; the deepest in the public mixins is 7."""

Step = str | int
Path = tuple[Step, ...]


def parse_rules(text: str, path: str, *, declared: bool = True) -> ParsedRules:
    """The alerting rules of a YAML text. A text that is only looked at and holds no alert is not parsed.

    Raises:
        UnreadableError: when it should hold rules and is not YAML that we read.
    """
    if not declared and not _ALERT.search(text):
        return ParsedRules()
    try:
        documents = strict_yaml.load_all(text, name=path, tags=strict_yaml.Tags.KEEP)
    except strict_yaml.YamlError as error:
        if "{{" in text:
            raise UnreadableError(
                Cause.NOT_SUPPORTED, f"a template and not YAML (line {error.line}); name the rendered file instead"
            ) from None
        raise UnreadableError(Cause.BAD_RESPONSE, f"line {error.line}: {error.message}") from None
    comments = [
        (number, match.group(1))
        for number, line in enumerate(text.splitlines(), start=1)
        if "scorecard:" in line and (match := _COMMENT.search(line))
    ]
    reader = _Reader(silences(comments, path))
    for document in documents:
        reader.read(document)
    found = reader.result()
    if len(found.rules) > _MAX_RULES:
        raise UnreadableError(Cause.BAD_RESPONSE, f"{len(found.rules):,} alerts in one file; {_MAX_RULES:,} are read")
    return found


class _Reader:
    """Collects the alerting rules of a text's documents."""

    def __init__(self, comments: tuple[Silence, ...]) -> None:
        self._comments = comments
        self._rules: list[ParsedRule] = []
        self._starts: list[int] = []
        """The line of every rule, recording rules included: a silence belongs to the rule that it stands in."""
        self._groups = 0
        self._foreign = ""

    def read(self, document: strict_yaml.Document) -> None:
        names: set[str] = set()
        for path, group in _groups(document.value):
            self._groups += 1
            trouble = _group_trouble(group, names)
            seen: set[tuple[str, ...]] = set()
            for index, rule in enumerate(group["rules"]):
                where = (*path, "rules", index)
                self._starts.append(document.position(where)[0])
                if isinstance(rule, dict) and "alert" in rule:
                    self._rules.append(_rule(rule, document.position((*where, "alert"))[0], trouble, seen))
                elif isinstance(rule, dict) and {"condition", "data"} <= rule.keys():
                    self._foreign = "Grafana alerting rules"

    def result(self) -> ParsedRules:
        """Rules with the silences that stand at their lines."""
        rules = tuple(self._with_silences(rule) for rule in self._rules)
        return ParsedRules(rules, self._groups, self._foreign)

    def _with_silences(self, rule: ParsedRule) -> ParsedRule:
        if not self._comments:
            return rule
        start = max((line for line in self._starts if line <= rule.line), default=rule.line)
        following = min((line for line in self._starts if line > rule.line), default=1 << 60)
        # The line above `- alert:` is the next rule's, not the last line of the one before.
        mine = [
            silence
            for silence in self._comments
            if start - 1 <= int(silence.where.rpartition(":")[2]) < following - (following < 1 << 60)
        ]
        return ParsedRule(
            rule.name, rule.line, rule.labels, rule.annotations, rule.expression, rule.for_seconds, rule.absence,
            rule.problem, rule.selectors, tuple(mine),
        )  # fmt: skip


def _groups(value: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:  # noqa: ANN401 - any YAML
    """Every item with a list of rules in every list under a key `groups`."""
    if isinstance(value, strict_yaml.Tagged):
        value = value.value
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in steps:
        if step == "groups" and isinstance(item, list):
            yield from (
                ((*path, step, index), group)
                for index, group in enumerate(item)
                if isinstance(group, dict) and isinstance(group.get("rules"), list)
            )
        else:
            yield from _groups(item, (*path, step))


def _group_trouble(group: Mapping[str, Any], names: set[str]) -> str:
    """Why Prometheus would not load the group; `names` are those already taken in the document."""
    name = _text(group.get("name"))
    if not name:
        return "its group has no name"
    if name in names:
        return f"two groups are called {name!r}"
    names.add(name)
    strange = sorted(map(str, group.keys() - _GROUP_KEYS))
    return f"its group has an unknown field {strange[0]!r}" if strange else ""


def _rule(rule: Mapping[str, Any], line: int, trouble: str, seen: set[tuple[str, ...]]) -> ParsedRule:
    labels = _texts(rule.get("labels"))
    annotations = _texts(rule.get("annotations"))
    name = _text(rule.get("alert"))
    expression = _text(rule.get("expr")).strip()
    seconds, bad_duration = _seconds(rule.get("for"))
    problem, absence, selectors = _look_at(expression)
    identity = (name, *(f"{key}={labels[key]}" for key in sorted(labels)))
    repeated = "the group has another rule of this name and these labels" if identity in seen else ""
    seen.add(identity)
    return ParsedRule(
        name=name or "(no name)",
        line=line,
        labels=labels,
        annotations=annotations,
        expression=expression,
        for_seconds=seconds,
        absence=absence,
        problem=problem or bad_duration or _field_trouble(rule, labels, annotations) or repeated or trouble,
        selectors=selectors,
    )


def _field_trouble(rule: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Which of the rule's fields Prometheus would refuse, and why."""
    if not _text(rule.get("alert")):
        return "it has no name"
    strange = sorted(map(str, rule.keys() - _RULE_KEYS))
    if strange:
        return f"unknown field {strange[0]!r}"
    for field in ("labels", "annotations"):
        if not isinstance(rule.get(field) or {}, dict):
            return f"{field} is no mapping"
    bad = [key for key in (*labels, *annotations) if not _LABEL.match(key) or (key in labels and key == "__name__")]
    if bad:
        return f"invalid label name {bad[0]!r}"
    _, problem = _seconds(rule.get("keep_firing_for"))
    texts = (*labels.items(), *annotations.items())
    open_ended = next((key for key, value in texts if value.count("{{") != value.count("}}")), "")
    return problem or (f"{open_ended}: a template that is not closed" if open_ended else "")


def _seconds(value: object) -> tuple[float, str]:
    text = _text(value).strip()
    if text in {"", "0"}:
        return 0.0, ""
    try:
        return parse_duration(text).total_seconds(), ""
    except ValueError:
        return 0.0, f"{text[:40]!r} is not a duration"


def _texts(value: object) -> dict[str, str]:
    return {str(key): _text(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """A scalar as Prometheus reads it into a string; empty for nothing, a mapping or a list."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, strict_yaml.Tagged):
        return _text(value.value)
    return str(value) if isinstance(value, str | int | float) else ""


# --- expressions -----------------------------------------------------------------------------------------------------


def _look_at(expression: str) -> tuple[str, bool, tuple[tuple[str, str], ...]]:
    """Why the expression does not parse, whether it asks for absence, and the equalities of its selectors."""
    if not expression:
        return "it has no expression", False, ()
    if _depth(expression) > _MAX_DEPTH:
        return f"the expression nests brackets deeper than {_MAX_DEPTH}", False, ()
    try:
        parsed = promql_parser.parse(expression)
    except ValueError as error:
        return f"the expression does not parse: {error}", False, ()
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return "the expression does not parse", False, ()
    nodes: list[Any] = []
    promql_parser.walk(parsed, nodes.append, None)
    if any(kind in str(getattr(parsed, "return_type", "")) for kind in ("String", "Matrix")) or isinstance(
        parsed, promql_parser.StringLiteral | promql_parser.MatrixSelector | promql_parser.SubqueryExpr
    ):
        return "the expression is no instant vector", False, ()
    matchers = [
        matcher for node in nodes if isinstance(node, promql_parser.VectorSelector) for matcher in _matchers(node)
    ]
    return "", any(_absence(node) for node in nodes), tuple(dict.fromkeys(matchers))


def _depth(expression: str) -> int:
    """How deep brackets nest, quoted ones included. The parser's memory doubles with each."""
    depth = deepest = 0
    for letter in expression:
        if letter in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in ")]}":
            depth -= 1
    return deepest


def _matchers(selector: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - promql-parser has no types
    for matcher in selector.matchers.matchers:
        if matcher.op == promql_parser.MatchOp.Equal:
            yield matcher.name, matcher.value


def _absence(node: Any) -> bool:  # noqa: ANN401 - as above
    if isinstance(node, promql_parser.Call):
        return node.func.name in {"absent", "absent_over_time"}
    if not isinstance(node, promql_parser.BinaryExpr):
        return False
    left, right = node.lhs, node.rhs
    if not (isinstance(left, promql_parser.VectorSelector) and isinstance(right, promql_parser.NumberLiteral)):
        return False
    return bool(left.name == "up" and (str(node.op), right.val) in {("==", 0.0), ("<", 1.0), ("!=", 1.0)})
