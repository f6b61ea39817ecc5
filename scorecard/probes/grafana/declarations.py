"""What a panel's description tells the scorecard: one line each, `scorecard: may be empty`, `scorecard: signal errors`.

It stands where whoever looks at the empty panel reads it too.
"""

from __future__ import annotations

import re

from scorecard.evidence.dashboards import Signal

_LINE = re.compile(r"^[ \t>*-]{0,8}scorecard:[ \t]*([^\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r"[a-z]+")


def may_be_empty(description: str) -> bool:
    """Whether the panel says that it may be empty."""
    return any(" ".join(_WORD.findall(line.lower())).startswith("may be empty") for line in _LINE.findall(description))


def signals(description: str) -> tuple[Signal, ...]:
    """The golden signals that the panel says it shows."""
    found: list[Signal] = []
    for line in _LINE.findall(description):
        first, *words = [*_WORD.findall(line.lower()), ""]
        if first in {"signal", "signals", "shows"}:
            found += [signal for signal in Signal if signal.value in words]
    return tuple(dict.fromkeys(found))
