"""The row `delivery-pipeline`: what it asks, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.delivery_pipeline import row
from scorecard.check import Row

WAITS = {
    "change-reviewed": "the forge probe",
    "staging-before-production": "the workflow reader",
    "approval-before-production": "the forge probe and the workflow reader",
    "deploy-verified": "the workflow reader",
    "test-kinds": "the workflow reader",
    "artifact-traceable": "the workflow reader and the AWS probe",
    "e2e-on-staging": "the workflow reader",
    "environments-alike": "the Terraform reader",
}


@pytest.mark.parametrize("check", WAITS)
def test_a_check_without_a_probe_is_unknown_and_says_what_it_waits_for(
    waits: Callable[[Row, str], str], check: str
) -> None:
    assert waits(row, check) == WAITS[check]


def test_every_check_of_the_row_waits() -> None:
    assert [check.id for check in row.checks] == list(WAITS)


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "--atomic" in row.check("deploy-verified").remedy
