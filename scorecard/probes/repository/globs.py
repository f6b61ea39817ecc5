"""Patterns of paths: `*`, `?`, `[…]` within a name, `**` over folders. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WILD = frozenset("*?[")


def fixed_part(pattern: str) -> str:
    """The folder under which every match stands."""
    fixed: list[str] = []
    for part in pattern.split("/")[:-1]:
        if _WILD & set(part):
            break
        fixed.append(part)
    return "/".join(fixed)


def matcher(pattern: str) -> Callable[[str], bool]:
    """What says whether a path matches. `**` stands for any number of folders, at the end for everything below."""
    parts = tuple(pattern.split("/"))
    if parts[-1] == "**":
        parts = (*parts, "*")
    return lambda path: _matches(path.split("/"), parts)


def _matches(names: list[str], parts: tuple[str, ...]) -> bool:
    """Each name against each part once: `reached` holds how many names the parts so far can have taken."""
    reached = {0}
    for part in parts:
        if part == "**":
            reached = set(range(min(reached, default=len(names) + 1), len(names) + 1))
        else:
            reached = {index + 1 for index in reached if index < len(names) and fnmatchcase(names[index], part)}
    return len(names) in reached
