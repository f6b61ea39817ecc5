"""The whole demo, as a newcomer starts it: real services, real probes, the real API."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from scorecard.demo import IN_AWS, LESSONS, OUTSIDE_AWS, UNIFORM, Lesson
from scorecard.demo.pages import free_port

from .conftest import Demo, start, stop

MEASURED_BY = 90.0
"""Seconds after which every lesson must be seen; a minute on a machine that does nothing else."""


def measured(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The checks that this version measures, by `row/check`."""
    return {
        f"{row['id']}/{check['id']}": check
        for row in document["rows"]
        for check in row["checks"]
        if check["cause"] != "not_supported" and check["status"] != "not_applicable"
    }


def differing(lesson: Lesson, document: dict[str, Any]) -> list[str]:
    """What is not as the lesson says: every check that it does not name passes."""
    expected = {**UNIFORM, **OUTSIDE_AWS, **(IN_AWS if lesson.stage else {}), **lesson.expected}
    found = measured(document)
    unlike = [
        f"{lesson.name} {name}: {check['status']}, not {expected.get(name, 'pass')}: {check['message']}"
        for name, check in found.items()
        if check["status"] != expected.get(name, "pass")
    ]
    return unlike + [f"{lesson.name} {name}: was not measured" for name in lesson.expected if name not in found]


@pytest.fixture(scope="module")
def taught(demo: Demo) -> list[str]:
    """What is still unlike the lessons when all were seen, or when the time for it is over."""
    until = time.monotonic() + MEASURED_BY
    unlike: list[str] = ["nothing was looked at"]
    while unlike and time.monotonic() < until:
        unlike = [
            line
            for lesson in LESSONS
            for line in differing(lesson, demo.get(f"/api/v1/services/{lesson.name}/scorecard"))
        ]
        if unlike:
            time.sleep(1)
    return unlike


def test_every_service_teaches_its_lesson_within_a_minute_and_a_half(taught: list[str]) -> None:
    assert not taught


@pytest.mark.usefixtures("taught")
def test_what_was_never_reached_is_unknown_and_what_is_good_passes(demo: Demo) -> None:
    lost = measured(demo.get("/api/v1/services/partner-gateway/scorecard"))
    assert lost["health-endpoints/liveness"]["status"] == "unknown"
    assert lost["health-endpoints/liveness"]["cause"] == "unreachable"
    good = measured(demo.get("/api/v1/services/checkout/scorecard"))
    assert {check["status"] for name, check in good.items() if name not in UNIFORM | OUTSIDE_AWS} == {"pass"}


@pytest.mark.usefixtures("taught")
def test_the_gate_is_no_where_a_blocking_row_fails_and_cannot_tell_where_it_cannot_see(demo: Demo) -> None:
    assert demo.get("/api/v1/services/ledger/gate")["verdict"] == "no-go"
    assert demo.get("/api/v1/services/checkout/gate")["verdict"] == "cannot-tell"


@pytest.mark.usefixtures("taught")
def test_a_waiver_changes_the_gate_and_never_the_score(demo: Demo) -> None:
    document = demo.get("/api/v1/services/recommendations/scorecard")
    row = next(row for row in document["rows"] if row["id"] == "health-endpoints")
    assert (row["status"], row["credit"]) == ("fail", 0.0)
    assert "waived" in row["waiver"] or "until" in row["waiver"]
    reasons = demo.get("/api/v1/services/recommendations/gate")["reasons"]
    assert not [reason for reason in reasons if reason.startswith("health-endpoints")]


def test_an_exemption_takes_the_row_out_by_name_and_until_a_day(demo: Demo) -> None:
    document = demo.get("/api/v1/services/legacy-portal/scorecard")
    row = next(row for row in document["rows"] if row["id"] == "multi-az")
    assert row["status"] == "not_applicable"
    assert row["not_applicable"]["declared_by"] == "identity-lead"
    assert document["exempt_rows"] == 1


def test_history_reaches_back_ninety_days_with_a_gap(demo: Demo) -> None:
    history = demo.get("/api/v1/services/checkout/history?days=100")
    days = [day["day"] for day in history["days"]]
    assert 87 <= len(days) <= 90
    assert days == sorted(days)


def test_the_site_and_the_metrics_answer_and_name_every_service(demo: Demo) -> None:
    import urllib.request

    for path in ("/", "/services", "/services/checkout", "/metrics", "/badge/checkout.svg"):
        with urllib.request.urlopen(f"{demo.url}{path}", timeout=20) as answer:  # noqa: S310 - loopback
            body = answer.read().decode()
        assert answer.status == 200, path
    with urllib.request.urlopen(f"{demo.url}/metrics", timeout=20) as answer:  # noqa: S310 - loopback
        body = answer.read().decode()
    for lesson in LESSONS:
        assert f'service="{lesson.name}"' in body


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    port = free_port()
    command = [sys.executable, "-m", "scorecard.cli", "demo", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    assert list(tmp_path.glob("scorecard-demo-*"))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out == ""
    assert "Traceback" not in err
    assert not list(tmp_path.glob("scorecard-demo-*"))


def test_a_port_that_is_taken_is_a_usage_error(demo: Demo) -> None:
    port = demo.url.rpartition(":")[2]
    command = [sys.executable, "-m", "scorecard.cli", "demo", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"127.0.0.1:{port}: Address already in use" in done.stderr


def test_keep_leaves_a_directory_that_can_be_served_again(tmp_path: Path) -> None:
    import shutil

    running = start(tmp_path / "stderr")
    assert stop(running) == 0
    try:
        assert (running.directory / "scorecard.yaml").is_file()
        assert (running.directory / "scorecard.db").is_file()
        command = [sys.executable, "-m", "scorecard.cli", "services", "validate"]
        done = subprocess.run(command, cwd=running.directory, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
    finally:
        shutil.rmtree(running.directory)
