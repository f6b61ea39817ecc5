"""The row `secrets-management`: the level and the rotation of each secret, as a verdict; what it waits for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from checks.secrets_management import row
from scorecard.check import Row
from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.secrets import KeptSecret, Rotation, Rotations, SecretLevels
from scorecard.judge import Judged
from scorecard.model import Cause, Status

Ask = Callable[..., Judged]
DENIED = Unavailable(Cause.ACCESS_DENIED, "secretsmanager:ListSecrets: AccessDenied")
LOST = Unseen("payments/lost", DENIED)


def kept(level: int, name: str = "payments/db") -> KeptSecret:
    return KeptSecret(name=name, kind="Secrets Manager", level=level, words="injected at start as DB_PASSWORD")


@pytest.mark.parametrize(("level", "status"), [(0, "fail"), (1, "fail"), (2, "pass"), (3, "pass")])
def test_a_secret_needs_level_two(ask: Ask, level: int, status: str) -> None:
    judged = ask(row, "level", SecretLevels(items=(kept(level),)))
    assert (judged.status.value, judged.code) == (status, f"level-{level}")
    assert [rung.status.value for rung in row.ladder if f"level-{level}" in rung.codes] == [status]


def test_the_service_is_of_the_level_of_its_weakest_secret(ask: Ask) -> None:
    judged = ask(row, "level", SecretLevels(items=(kept(3), kept(2, "payments/api"))))
    assert (judged.status, judged.code) == (Status.PASS, "level-2")
    assert "level 2, as its weakest of 2 secrets" in judged.message
    weak = ask(row, "level", SecretLevels(items=(kept(3), kept(1, "payments/api"))))
    assert (weak.status, weak.code, [one.code for one in weak.subjects]) == (
        Status.FAIL,
        "level-1",
        ["level-3", "level-1"],
    )


def test_the_level_that_is_needed_is_the_checklists(ask: Ask) -> None:
    assert ask(row, "level", SecretLevels(items=(kept(2),)), level=3).status is Status.FAIL


@pytest.mark.parametrize("check", ["level", "rotation"])
def test_a_service_whose_secrets_were_not_found_does_not_get_away(ask: Ask, check: str) -> None:
    kind = {"level": SecretLevels, "rotation": Rotations}[check]
    judged = ask(row, check, absent=(kind,))
    assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.NOT_CONFIGURED)


def rotation(now: datetime, **more: object) -> Rotation:
    """`last`, `due` and `created` in days from now."""
    times = {
        name: now + timedelta(days=value)
        if name in {"last", "due", "created"} and isinstance(value, int | float)
        else value
        for name, value in more.items()
    }
    return Rotation(name="payments/db", kind="Secrets Manager", **{"enabled": True, **times})


@pytest.mark.parametrize(
    ("more", "status", "code", "words"),
    [
        ({"last": -3, "due": 27}, "pass", "ok", "last rotated on 2026-11-20, due 2026-12-20"),
        ({"last": -31, "due": -0.9}, "pass", "ok", "due 2026-11-22"),
        ({"last": -33, "due": -2}, "fail", "overdue", "was due on 2026-11-21, last rotated on 2026-10-21"),
        ({"last": -33, "every_days": 30.0}, "fail", "overdue", "last rotated on"),
        ({"last": -3, "every_days": 30.0}, "pass", "ok", "due 2026-12-20"),
        ({"created": -60, "every_days": 30.0}, "fail", "overdue", "it was never rotated"),
        ({"created": -6, "every_days": 30.0}, "warn", "not-yet-rotated", "it was never rotated"),
        ({}, "warn", "not-yet-rotated", "it was never rotated"),
        ({"enabled": False}, "fail", "no-rotation", "rotation is off"),
        ({"enabled": False, "by": "SSM has no rotation of its own"}, "fail", "no-rotation", "SSM has no rotation"),
        ({"by": "RDS"}, "pass", "ok", "rotated by RDS"),
        ({"by": "RDS", "impaired": "RDS says that its secret is impaired"}, "fail", "impaired", "does not work"),
    ],
)
def test_a_stored_secret_is_rotated_and_in_time(
    ask: Ask, now: datetime, more: dict[str, Any], status: str, code: str, words: str
) -> None:
    judged = ask(row, "rotation", Rotations(items=(rotation(now, **more),)))
    assert (judged.status.value, judged.code) == (status, code)
    assert words in judged.message


@pytest.mark.parametrize("good", [True, False])
def test_the_law_what_was_not_read_leaves_a_failure_or_nothing(ask: Ask, now: datetime, good: bool) -> None:
    expected = Status.UNKNOWN if good else Status.FAIL
    levels, rotations = kept(3 if good else 1), rotation(now, last=-3, due=27, enabled=good)
    assert ask(row, "level", SecretLevels(items=(levels, LOST))).status is expected
    assert ask(row, "level", SecretLevels(items=(levels,), missing=(DENIED,))).status is expected
    assert ask(row, "rotation", Rotations(items=(rotations, LOST))).status is expected
    assert ask(row, "rotation", Rotations(items=(rotations,), missing=(DENIED,))).status is expected


def test_access_waits_for_its_probes(waits: Callable[[Row, str], str]) -> None:
    assert waits(row, "access") == "the reader of IAM and resource policies and the Vault probe"


def test_a_rule_shows_the_threshold_in_force() -> None:
    assert "level 2 or more" in row.check("level").rule(row.default_limits())


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "valueFrom" in row.check("level").remedy
