"""Putting variables into a query, as Grafana's Prometheus data source does.

The syntax and the formats are those of
https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/; how a value is escaped without a format
is Prometheus' own: a variable with several values becomes a regular expression within a PromQL string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from scorecard.evidence import Unavailable

_REFERENCE = re.compile(
    r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:}]{1,80}))?(?::([^}]{1,80}))?\}", re.ASCII
)
_SPECIAL = re.compile(r"[$^*{}\[\]'+?.()|]")
_REGEX = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_PASSES = 4
"""A value may name another variable; deeper than this it is a circle."""
_LONGEST = 60_000


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable stands for now."""

    values: tuple[str, ...]
    several: bool = False
    """Whether it may have several values, so that it is escaped as a regular expression."""
    raw: bool = False
    """Whether it is put in as it stands: the custom value of All."""


Values = Mapping[str, Value | Unavailable]


def names(text: str) -> frozenset[str]:
    """The variables that a text refers to."""
    return frozenset(found.group(1) or found.group(2) or found.group(4) for found in _REFERENCE.finditer(text))


def interpolate(text: str, values: Values) -> str | Unavailable:
    """The text with its variables in place; a variable that nobody knows stays as it stands, as in Grafana.

    Returns the reason where the value of one cannot be known.
    """
    for _ in range(_PASSES):
        for name in sorted(names(text)):
            value = values.get(name)
            if isinstance(value, Unavailable):
                return value
        put = _REFERENCE.sub(lambda found: _put(found, values), text)[:_LONGEST]
        if put == text:
            break
        text = put
    return text


def _put(found: re.Match[str], values: Values) -> str:
    name = found.group(1) or found.group(2) or found.group(4)
    value = values.get(name)
    if not isinstance(value, Value):
        return found.group(0)
    return formatted(value, (found.group(3) or found.group(6) or "").partition(":")[0])


def formatted(value: Value, form: str) -> str:
    """A value in one of Grafana's formats; Prometheus' own without one."""
    if value.raw:
        return value.values[0] if value.values else ""
    parts = value.values
    if form == "":
        return _prometheus(value)
    if form == "regex":
        escaped = [_REGEX.sub(r"\\\g<0>", one) for one in parts]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
    if form == "json":
        return json.dumps(parts[0] if len(parts) == 1 else list(parts), ensure_ascii=False)
    if form == "glob":
        return parts[0] if len(parts) == 1 else f"{{{','.join(parts)}}}"
    separator, each = _JOINED.get(form, (",", str))
    return separator.join(each(one) for one in parts)


def _prometheus(value: Value) -> str:
    if not value.several:
        return "".join(value.values[:1]).replace("\\", "\\\\")
    escaped = [_SPECIAL.sub(r"\\\\\g<0>", one.replace("\\", "\\\\\\\\")) for one in value.values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _single(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"


def _double(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


_JOINED: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "pipe": ("|", str),
    "csv": (",", str),
    "raw": (",", str),
    "text": (" + ", str),
    "singlequote": (",", _single),
    "doublequote": (",", _double),
    "sqlstring": (",", lambda text: "'" + text.replace("'", "''") + "'"),
    "percentencode": (",", lambda text: quote(text, safe="")),
}
