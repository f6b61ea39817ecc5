"""Reading a document that anybody may have written: what is not as expected is left out, and nothing raises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

LONGEST = 20_000
"""Characters of one text that are kept; PromQL of generated dashboards comes to some thousands."""


def mapping(value: object, *path: str) -> Mapping[str, Any]:
    """The object at a path; an empty one where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def listing(value: object, *path: str) -> list[Any]:
    """The array at a path; an empty one where there is none."""
    *way, last = path or ("",)
    found = mapping(value, *way).get(last) if path else value
    return found if isinstance(found, list) else []


def text(value: object, *path: str) -> str:
    """The text at a path, without what cannot be shown; numbers are written out, anything else is empty."""
    *way, last = path or ("",)
    found = mapping(value, *way).get(last) if path else value
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float) and math.isfinite(found):
        return f"{found:g}" if isinstance(found, float) else str(found)[:LONGEST]
    return clean(found) if isinstance(found, str) else ""


def clean(value: str) -> str:
    """Without control characters and lone surrogates, which a store or a page would choke on."""
    value = value[:LONGEST]
    if value.isascii() and value.isprintable():
        return value
    value = value.encode("utf-8", "replace").decode()
    return "".join(one if one.isprintable() or one in "\n\t" else " " for one in value)


def number(value: object, *path: str) -> int | None:
    """The whole number at a path."""
    *way, last = path or ("",)
    found = mapping(value, *way).get(last) if path else value
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return found if abs(found) < 2**53 else None


def truth(value: object, *path: str) -> bool:
    """Whether true stands there."""
    *way, last = path or ("",)
    return mapping(value, *way).get(last) is True
