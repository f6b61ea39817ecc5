"""Calls grow with resources, not with services."""

from __future__ import annotations

from pathlib import Path

from scorecard.demo.aws import Endpoint, serving
from tests.probes.aws.estate import Clock
from tests.probes.aws.fleet import ask_all, fill


def asked(base: Path, *, services: int, resources: int) -> int:
    endpoint = Endpoint(Clock())
    fleet = fill(endpoint, services=services, resources=resources, accounts=2)
    with serving(endpoint) as url:
        calls, answers = ask_all(fleet, base, url)
    assert not endpoint.wrong
    assert answers >= services * 2
    return calls


def test_ten_times_the_services_take_the_same_calls_and_ten_times_the_resources_take_more(tmp_path: Path) -> None:
    few = asked(tmp_path, services=10, resources=400)
    many = asked(tmp_path, services=100, resources=400)
    rich = asked(tmp_path, services=10, resources=4000)

    assert many == few
    # Pages of a hundred, and ten ECS services in a call: not ten times the calls either.
    assert few < rich < few * 5
