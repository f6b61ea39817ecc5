"""Patterns of paths: `*`, `?`, `[…]` within a name, `**` over folders. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

if TYPE_CHECKING:
    from collections.abc import Callable

_WILD = frozenset("*?[")


def fixed_part(pattern: str) -> str:
    """The folder under which every match stands."""
    parts = pattern.split("/")
    fixed = []
    for part in parts[:-1]:
        if _WILD & set(part):
            break
        fixed.append(part)
    return "/".join(fixed)


def matcher(pattern: str) -> Callable[[str], bool]:
    """What says whether a path matches; a pattern that is no glob matches as it is written."""
    parts = pattern.split("/")
    text = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            text += ".*" if last else "(?:[^/]+/)*"
        else:
            text += _name(part) + ("" if last else "/")
    compiled = re2.compile(f"(?s)^{text}$")
    return lambda path: compiled.match(path) is not None


def _name(part: str) -> str:
    """One name of a pattern as a regular expression."""
    out = ""
    index = 0
    while index < len(part):
        letter = part[index]
        index += 1
        if letter == "*":
            out += "[^/]*"
        elif letter == "?":
            out += "[^/]"
        elif letter == "[" and (end := part.find("]", index + 1)) > 0:
            inner = part[index:end]
            negated = inner[0] in "!^"
            body = inner[1:] if negated else inner
            ranges = "".join(item if item == "-" else re2.escape(item) for item in body)
            out += f"[{'^/' if negated else ''}{ranges}]"
            index = end + 1
        else:
            out += re2.escape(letter)
    return out
