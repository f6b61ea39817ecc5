"""The row `deployment-strategy`: what it asks, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.deployment_strategy import row
from scorecard.check import Row

WAITS = {
    "zero-downtime": "the AWS probe and the Kubernetes probe",
    "health-gated": "the AWS probe and the Kubernetes probe",
    "draining": "the AWS probe and the Kubernetes probe",
    "canary-watched": "the AWS probe",
    "fits-tier": "the AWS probe",
}


@pytest.mark.parametrize("check", WAITS)
def test_a_check_without_a_probe_is_unknown_and_says_what_it_waits_for(
    waits: Callable[[Row, str], str], check: str
) -> None:
    assert waits(row, check) == WAITS[check]


def test_every_check_of_the_row_waits() -> None:
    assert [check.id for check in row.checks] == list(WAITS)


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "deregistration_delay" in row.check("draining").remedy
