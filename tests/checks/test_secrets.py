"""The row `secrets`: literals in the definitions of what runs, as a verdict; what it waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.secrets import row
from scorecard.check import Row
from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.secrets import Environments, PlainSecret, Variables
from scorecard.judge import Judged
from scorecard.model import Cause, Status

Ask = Callable[..., Judged]
WAITS = {"repository": "the secret scanner", "history": "the secret scanner"}
DENIED = Unavailable(Cause.ACCESS_DENIED, "ecs:DescribeTaskDefinition: AccessDenied")
PLACE = "arn:aws:ecs:eu-west-1:111122223333:service/production/payments app"


def place(*plain: str, name: str = PLACE) -> Variables:
    found = tuple(PlainSecret(name=one, kind="password", fingerprint="3fab0c1d2e3f4a5b") for one in plain)
    return Variables(name=name, kind="ECS container", where="task definition payments:41", count=9, plain=found)


@pytest.mark.parametrize("check", WAITS)
def test_a_check_without_a_probe_is_unknown_and_says_what_it_waits_for(
    waits: Callable[[Row, str], str], check: str
) -> None:
    assert waits(row, check) == WAITS[check]


def test_variables_without_a_literal_secret_pass_and_are_counted(ask: Ask) -> None:
    judged = ask(row, "environment", Environments(items=(place(),)))
    assert (judged.status, "none of its 9 variables" in judged.message) == (Status.PASS, True)


def test_each_literal_is_a_subject_with_its_place_kind_and_fingerprint(ask: Ask) -> None:
    judged = ask(row, "environment", Environments(items=(place("DB_PASSWORD", "API_PASSWORD"), place(name="arn:b"))))
    assert (judged.status, judged.code) == (Status.FAIL, "literal")
    assert [(one.name, one.status.value, one.where) for one in judged.subjects] == [
        (f"DB_PASSWORD, in {PLACE}", "fail", "task definition payments:41"),
        (f"API_PASSWORD, in {PLACE}", "fail", "task definition payments:41"),
        ("arn:b", "pass", "task definition payments:41"),
    ]
    assert "a password in plain text in task definition payments:41, fingerprint 3fab0c1d2e3f4a5b" in judged.message


def test_a_waiver_of_one_literal_is_of_no_second_one(ask: Ask) -> None:
    one = ask(row, "environment", Environments(items=(place("DB_PASSWORD"),)))
    two = ask(row, "environment", Environments(items=(place("DB_PASSWORD", "API_PASSWORD"),)))
    assert one.fingerprint != two.fingerprint


def test_the_law_what_was_not_read_leaves_a_literal_that_was_seen_or_nothing(ask: Ask) -> None:
    lost = Unseen("arn:other", DENIED)
    assert ask(row, "environment", Environments(items=(place("DB_PASSWORD"), lost))).status is Status.FAIL
    assert ask(row, "environment", Environments(items=(place(), lost))).status is Status.UNKNOWN
    assert ask(row, "environment", Environments(items=(place(),), missing=(DENIED,))).cause is Cause.ACCESS_DENIED
    assert ask(row, "environment", Environments(items=(), missing=(DENIED,))).cause is Cause.ACCESS_DENIED


def test_a_service_whose_variables_are_nowhere_in_aws_is_not_configured(ask: Ask) -> None:
    judged = ask(row, "environment", absent=(Environments,))
    assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.NOT_CONFIGURED)


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "valueFrom" in row.check("environment").remedy
