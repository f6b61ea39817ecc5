"""Comments that silence a finding at its line: `scorecard: ignore ROW/CHECK until DATE: reason`. Pure."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import re2

from scorecard.evidence import Silence

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMENT = re2.compile(
    r"scorecard:\s*ignore\s+([a-z0-9-]+/[a-z0-9-]+)\s+until\s+(\d{4}-\d{2}-\d{2})\s*:\s*([\pL\pN\"'(#][^\n]*?)\s*(?:-->.*)?$"
)


def silences(comments: Iterable[tuple[int, str]], path: str) -> tuple[Silence, ...]:
    """The silences among comments, each with its line.

    One without a rule, a day or a reason is none: the finding stays, which is what tells its author.
    """
    found = []
    for number, text in comments:
        match = _COMMENT.search(text.rstrip())
        if match is None:
            continue
        try:
            until = date.fromisoformat(match.group(2))
        except ValueError:
            continue
        found.append(Silence(match.group(1), until, match.group(3), f"{path}:{number}"))
    return tuple(found)
