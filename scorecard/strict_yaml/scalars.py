"""The scalars of YAML 1.2's core schema (yaml.org/spec/1.2.2, section 10.3). Pure."""

from __future__ import annotations

import re
from typing import Any

_MAX_DIGITS = 100

_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMBER_STARTS = frozenset("+-.0123456789")


class ScalarError(ValueError):
    """A scalar that is refused, said for the person who wrote it."""


def plain_scalar(text: str) -> Any:  # noqa: ANN401 - any scalar of YAML
    """The value of a scalar without quotes: None, a bool, a number, or the text itself.

    Raises:
        ScalarError: for a number of more digits than anything means.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise ScalarError(f"a number of {len(text)} digits; put it in quotes if it is text")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise ScalarError(f"a number of {len(text)} characters; put it in quotes if it is text")
        return float(text)
    return text


def tagged_scalar(tag: str, text: str) -> tuple[bool, Any]:
    """Whether the tag is one of the core schema's, and the value under it.

    Raises:
        ScalarError: when the text is not of the tag's kind.
    """
    name = tag.removeprefix("tag:yaml.org,2002:")
    if name == tag or name not in _KINDS:
        return False, text
    if name == "str":
        return True, text
    value = plain_scalar(text)
    if name == "float" and type(value) is int:
        value = float(value)
    if not (value is None if name == "null" else type(value) is _KINDS[name]):
        raise ScalarError(f"{text!r} is not what !!{name} says")
    return True, value


_KINDS = {"str": str, "int": int, "float": float, "bool": bool, "null": type(None)}
