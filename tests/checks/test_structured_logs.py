"""The row `structured-logs`: what it asks, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.structured_logs import row
from scorecard.check import Row

WAITS = {
    "json": "the log probe",
    "fields": "the log probe",
    "correlation-id": "the log probe",
    "echoed": "the log probe",
    "reaches-downstream": "the log probe",
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
        ("json", "last 500 lines at most 1% are no JSON objects, and never over 10%"),
        ("fields", "95% of the lines"),
        ("correlation-id", "3 s in a file, 30 s in Loki, 60 s in Elasticsearch and 120 s in CloudWatch"),
    ],
)
def test_a_rule_shows_the_threshold_in_force(check: str, words: str) -> None:
    assert words in row.check(check).rule(row.default_limits())


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "X-Correlation-ID" in row.check("correlation-id").remedy
