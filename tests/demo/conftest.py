"""One whole demo for all tests: the command in a process of its own, on a free port."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scorecard.demo.pages import free_port


@dataclass(frozen=True)
class Demo:
    process: subprocess.Popen[str]
    url: str
    directory: Path

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:  # noqa: S310 - loopback
            return json.load(answer)


def start(log: Path, *options: str) -> Demo:
    """Start a demo that keeps its directory, and wait until it is ready."""
    port = free_port()
    command = [sys.executable, "-m", "scorecard.cli", "demo", "--port", str(port), "--keep", *options]
    with log.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, text=True)
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - loopback
                if answer.status == 200:
                    break
        except OSError:
            time.sleep(0.2)
    else:
        process.kill()
        pytest.fail(f"the demo did not come up:\n{log.read_text()}")
    [directory] = re.findall(r"are in (\S+)", log.read_text())
    return Demo(process, url, Path(directory))


def stop(demo: Demo, number: signal.Signals = signal.SIGTERM) -> int:
    demo.process.send_signal(number)
    return demo.process.wait(timeout=60)


@pytest.fixture(scope="package")  # not the session: a demo that nobody asks goes on measuring, a fifth of a core
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    import shutil

    running = start(tmp_path_factory.mktemp("demo") / "stderr")
    yield running
    stop(running)
    shutil.rmtree(running.directory)
