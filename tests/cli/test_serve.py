"""`scorecard serve`: a process of its own, and what it refuses before it begins."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from scorecard.demo.pages import free_port

from .conftest import Call


def test_serve_answers_until_sigterm_and_ends_with_0(here: Path, scorecard: Call) -> None:
    (here / "services").mkdir()
    (here / "services" / "till.yaml").write_text("kind: Service\nmetadata: {name: till}\n")
    port = free_port()
    command = [sys.executable, "-m", "scorecard.cli", "serve", "--no-schedule", "--port", str(port)]
    process = subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 60
        answered = ""
        while not answered and time.monotonic() < until and process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5) as answer:
                    answered = answer.read().decode()
            except OSError:
                time.sleep(0.2)
        assert answered
        server = f"http://127.0.0.1:{port}"
        assert [item["name"] for item in scorecard("list", "--server", server, "-o", "json").json] == ["till"]
        assert scorecard("gate", "till", "--server", server).code == 3
        assert scorecard("gate", "till").code == 3
        second = scorecard("serve", "--port", free_port())
        assert second.code == 2
        assert "a writing process already" in second.err
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "is not loopback"),
        (("--config", "missing.yaml"), "missing.yaml: there is no such file"),
        (("--port", "0"), "0 is not in the range"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_served_is_refused_with_a_message(options: tuple[str, ...], said: str, scorecard: Call) -> None:
    refused = scorecard("serve", *options)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err


@pytest.mark.usefixtures("here")
def test_a_port_that_is_taken_is_refused(scorecard: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = scorecard("serve", "--port", taken.getsockname()[1])
    assert refused.code == 2
    assert "Address already in use; choose another with --port" in refused.err


@pytest.mark.usefixtures("here")
def test_a_checklist_that_is_none_is_refused_with_its_place(scorecard: Call) -> None:
    Path("scorecard.yaml").write_text("checklists:\n  - use: production-redness\n")
    refused = scorecard("serve")
    assert (refused.code, refused.out) == (2, "")
    assert "scorecard.yaml:2: checklists[0].use" in refused.err
    assert "did you mean `production-readiness`?" in refused.err
