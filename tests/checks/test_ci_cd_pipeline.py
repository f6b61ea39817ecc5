"""The row `ci-cd-pipeline`: what it asks, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.ci_cd_pipeline import row
from scorecard.check import Row
from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.releases import RunningRevision, RunningRevisions
from scorecard.judge import Judged
from scorecard.model import AwsRef, Cause, Runtime, Service, Spec, Status

WAITS = {
    "pipeline-defined": "the workflow reader",
    "tests-on-every-change": "the workflow reader",
    "failure-stops-the-line": "the workflow reader",
    "tests-passed": "the forge probe",
    "merge-needs-tests": "the forge probe",
    "workflow-hardened": "the workflow linter",
}
IN_AWS = Service(name="payments", spec=Spec(aws=AwsRef(account="111122223333")))


@pytest.mark.parametrize("check", WAITS)
def test_a_check_without_a_probe_is_unknown_and_says_what_it_waits_for(
    waits: Callable[[Row, str], str], check: str
) -> None:
    assert waits(row, check) == WAITS[check]


def test_every_other_check_of_the_row_waits() -> None:
    assert [check.id for check in row.checks if check.id != "revision-from-pipeline"] == list(WAITS)


def test_the_running_revision_is_shown_while_nobody_can_say_what_built_it(ask: Callable[..., Judged]) -> None:
    running = RunningRevision(name="arn:svc app", kind="ECS container", revisions=("shop/payments:3f2a, 2 tasks",))
    judged = ask(row, "revision-from-pipeline", RunningRevisions(items=(running,)), service=IN_AWS)
    assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.NOT_SUPPORTED)
    assert "arn:svc app runs shop/payments:3f2a, 2 tasks" in judged.message
    assert judged.kinds == ("RunningRevisions",)


def test_a_running_revision_that_could_not_be_read_is_unknown_with_that_cause(ask: Callable[..., Judged]) -> None:
    lost = Unseen("arn:svc", Unavailable(Cause.ACCESS_DENIED, "ecs:ListTasks: AccessDenied"))
    judged = ask(row, "revision-from-pipeline", RunningRevisions(items=(lost,)), service=IN_AWS)
    assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.ACCESS_DENIED)


def test_the_running_revision_is_not_asked_where_the_service_names_no_runtime(ask: Callable[..., Judged]) -> None:
    judged = ask(row, "revision-from-pipeline", absent=(RunningRevisions,))
    assert judged.status is Status.NOT_APPLICABLE
    versioned = Service(name="payments", spec=Spec(runtime=Runtime(version="/version")))
    judged = ask(row, "revision-from-pipeline", absent=(RunningRevisions,), service=versioned)
    assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.NOT_SUPPORTED)


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "pull_request:" in row.check("tests-on-every-change").remedy
