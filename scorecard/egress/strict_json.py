"""JSON as RFC 8259 means it, from an untrusted answer: what two readers could take differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

DEPTH = 32
"""How deep arrays and objects may nest."""
_LONGEST_NUMBER = 400
"""Digits of a number; int() takes quadratic time, and no measurement has more."""


class BadJsonError(ValueError):
    """The text is not JSON that every reader takes alike; the message says why."""


def read_json(data: bytes, *, depth: int = DEPTH) -> Any:  # noqa: ANN401 - whatever the document holds
    """Read a UTF-8 document.

    Raises:
        BadJsonError: bad UTF-8, bad syntax, NaN and infinities, a number of over 400 digits, a key twice in an object,
            a lone surrogate, nesting deeper than `depth`. Nothing else escapes.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadJsonError(f"byte {error.start} is not UTF-8") from None
    try:
        value = json.loads(
            text, parse_constant=_constant, parse_float=_float, parse_int=_int, object_pairs_hook=_object
        )
    except BadJsonError:
        raise
    except RecursionError:
        raise BadJsonError(f"nested deeper than {depth}") from None
    except ValueError as error:
        raise BadJsonError(f"not JSON: {error}") from None
    _refuse_depth(value, depth)
    if "\\u" in text:
        _refuse_surrogates(value)
    return value


def _constant(text: str) -> NoReturn:
    raise BadJsonError(f"{text} is not JSON")


def _float(text: str) -> float:
    value = float(text) if len(text) <= _LONGEST_NUMBER else math.inf
    if math.isinf(value):
        raise BadJsonError(f"a number of {len(text)} characters is past what a double holds")
    return value


def _int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise BadJsonError(f"a number of {len(text)} digits")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadJsonError(f"the key {twice[:80]!r} stands twice in one object")
    return value


def _refuse_depth(value: object, depth: int) -> None:
    """Go down level by level, without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        if not level:
            return
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
    if level:
        raise BadJsonError(f"nested deeper than {depth}")


def _refuse_surrogates(value: object) -> None:
    """A lone surrogate is not Unicode text, and one of them breaks whatever writes it out as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadJsonError("a lone surrogate in a string") from None
