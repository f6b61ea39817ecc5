"""A loopback HTTP server whose answers are a function of the request: the demo's own systems stand on it."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    status: int
    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the address, or of a form that was posted; the last of a name counts."""


Answer = Callable[[Asked], Page]


def document(value: object, status: int = 200) -> Page:
    """A JSON answer."""
    return Page(status, json.dumps(value).encode())


_PORTS = range(20_000, 32_000)
"""Below the range from which Linux and macOS give ports away by themselves."""


def free_port() -> int:
    """A port that nobody has, for a program that takes it some time later.

    One that the system gives away by itself would go to another server of the demo before.
    """
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        with socket.socket() as trial, suppress(OSError):
            trial.bind((HOST, port))
            return port


class Pages:
    """A server on a port that the system chooses."""

    def __init__(self, answer: Answer) -> None:
        """Take the port."""
        self._server = ThreadingHTTPServer((HOST, 0), _handler(answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://{HOST}:{self._server.server_port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "demo"
        sys_version = ""
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = self.rfile.read(length).decode("utf-8", "replace") if length else ""
            parts = urlsplit(self.path)
            page = answer(Asked(unquote(parts.path), dict(parse_qsl(form or parts.query))))
            self.send_response(page.status)
            self.send_header("Content-Type", page.content_type)
            self.send_header("Content-Length", str(len(page.body)))
            with suppress(ConnectionError):  # who asked may have gone at its deadline
                self.end_headers()
                self.wfile.write(page.body)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - http.server's signature
            """The demo prints one line when it is up, and no access log."""

    return Handler
