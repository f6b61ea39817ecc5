"""What the process counts of its own calls, as the site's health page tells it."""

from __future__ import annotations

from datetime import timedelta

from scorecard.telemetry import Telemetry


def test_calls_of_one_run_are_told_by_system_and_those_before_it_are_not() -> None:
    telemetry = Telemetry()
    telemetry.called("aws", "main/111122223333/eu-west-1", 7)
    telemetry.called("aws", "main/444455556666/eu-west-1", 2)
    telemetry.called("aws", "main/111122223333/eu-west-1", 1)

    assert telemetry.calls(timedelta(minutes=15)) == {
        "aws": "10 to 2 places, the most to main/111122223333/eu-west-1: 8"
    }
    assert telemetry.calls(timedelta(0)) == {}


def test_calls_to_one_place_are_told_by_its_name() -> None:
    telemetry = Telemetry()

    telemetry.called("aws", "main/111122223333/eu-west-1", 3)

    assert telemetry.calls(timedelta(minutes=15)) == {"aws": "3 to main/111122223333/eu-west-1"}
