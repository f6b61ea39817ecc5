"""What a comment beside a finding does to its verdict. Pure.

A silence is written in a file, so it is worth what a declaration is: at most a warning. The subject stays listed with
what it would have been, and after the last day it is that again.
"""

from __future__ import annotations

from collections.abc import Iterable

from scorecard.check import Item, Now, warned
from scorecard.evidence import Silence
from scorecard.model import Status


def heed(item: Item, silences: Iterable[Silence], rule: str, now: Now) -> Item:
    """The verdict in view of the silences at its line; `rule` is `row/check`."""
    mine = [silence for silence in silences if silence.rule == rule]
    if not mine or item.status not in {Status.FAIL, Status.WARN}:
        return item
    latest = max(mine, key=lambda silence: silence.until)
    if now.date() <= latest.until:
        return warned("silenced", f"silenced until {latest.until} ({latest.reason}): {item.message}")
    return Item(item.status, item.code, f"{item.message}; its silence at {latest.where} ended on {latest.until}")
