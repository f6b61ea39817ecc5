"""The demo's Alertmanager: Debian's, where it is installed, else a server of our own that shows the same tree."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scorecard.demo.pages import HOST, Asked, Page, Pages, document, free_port

_PATIENCE = 10.0
"""Seconds that an Alertmanager may take until it answers."""


def tree(hook: str, unheard: Sequence[str]) -> dict[str, Any]:
    """Its configuration: what is critical pages, the rest is a ticket, and some services lead to nobody.

    Args:
        hook: an address that receivers may send to.
        unheard: services whose receiver was never given a configuration.
    """
    lost = [{"matchers": [f'service="{name}"'], "receiver": f"{name}-team"} for name in unheard]
    return {
        "route": {
            "receiver": "tickets",
            "group_by": ["alertname", "service"],
            "routes": [*lost, {"matchers": ['severity="critical"'], "receiver": "on-call"}],
        },
        "receivers": [
            *({"name": name, "webhook_configs": [{"url": f"{hook}/{name}"}]} for name in ("tickets", "on-call")),
            *({"name": f"{name}-team"} for name in unheard),
        ],
    }


class Alertmanager:
    """Routes alerts, at an address that is known before it is started."""

    def __init__(self, folder: Path, config: dict[str, Any], *, binary: str | None = None) -> None:
        """Take the port.

        Args:
            folder: where its configuration and its data go.
            config: what it is configured with.
            binary: the program; looked for on PATH unless given, and done without where it is not there or empty.
        """
        self._folder, self._config = folder, json.dumps(config)
        self._binary = shutil.which("prometheus-alertmanager") if binary is None else binary
        self._stand_in = None if self._binary else Pages(self._answer)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its base address."""
        return self._stand_in.url if self._stand_in else f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Begin to answer; after a while without an answer go on all the same."""
        if self._stand_in is not None:
            self._stand_in.start()
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "alertmanager.yml"
        file.write_text(self._config, encoding="utf-8")
        self._process = subprocess.Popen(  # noqa: S603 - the program that PATH has, and arguments of our own
            [
                str(self._binary),
                f"--config.file={file}",
                f"--storage.path={self._folder / 'data'}",
                f"--web.listen-address={HOST}:{self._port}",
                "--cluster.listen-address=",
                "--log.level=error",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self._process.poll() is None and not self._ready():
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:  # noqa: S310 - our own loopback
                return bool(answer.status == 200)  # noqa: PLR2004 - success
        except (OSError, urllib.error.URLError):
            return False

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._stand_in is not None:
            self._stand_in.stop()

    def _answer(self, asked: Asked) -> Page:
        """`/api/v2/status` as an Alertmanager has it."""
        if asked.path == "/api/v2/status":
            return document({"cluster": {"status": "disabled", "peers": []}, "config": {"original": self._config}})
        if asked.path == "/api/v2/alerts":
            return document({})
        return Page(404, b"404 page not found\n", "text/plain")
