"""The row `ci-cd-pipeline`: what it asks, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.ci_cd_pipeline import row
from scorecard.check import Row

WAITS = {
    "pipeline-defined": "the workflow reader",
    "tests-on-every-change": "the workflow reader",
    "failure-stops-the-line": "the workflow reader",
    "tests-passed": "the forge probe",
    "merge-needs-tests": "the forge probe",
    "revision-from-pipeline": "the forge probe and the AWS probe",
    "workflow-hardened": "the workflow linter",
}


@pytest.mark.parametrize("check", WAITS)
def test_a_check_without_a_probe_is_unknown_and_says_what_it_waits_for(
    waits: Callable[[Row, str], str], check: str
) -> None:
    assert waits(row, check) == WAITS[check]


def test_every_check_of_the_row_waits() -> None:
    assert [check.id for check in row.checks] == list(WAITS)


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "pull_request:" in row.check("tests-on-every-change").remedy
