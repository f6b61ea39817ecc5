"""The row `backups`: what it asks, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.backups import row
from scorecard.check import Row

WAITS = {
    "automated": "the AWS probe and the dump reader",
    "restore-tested": "the AWS probe and the drill reader",
}


@pytest.mark.parametrize("check", WAITS)
def test_a_check_without_a_probe_is_unknown_and_says_what_it_waits_for(
    waits: Callable[[Row, str], str], check: str
) -> None:
    assert waits(row, check) == WAITS[check]


def test_every_check_of_the_row_waits() -> None:
    assert [check.id for check in row.checks] == list(WAITS)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("automated", "7 days or more"),
        ("restore-tested", "within 100 days, at most 180"),
    ],
)
def test_a_rule_shows_the_threshold_in_force(check: str, words: str) -> None:
    assert words in row.check(check).rule(row.default_limits())


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "scorecard drill restore" in row.check("restore-tested").remedy
