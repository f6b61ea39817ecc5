"""Real HTTP servers on loopback, a thread each, that answer as a behaviour says."""

from __future__ import annotations

import socket
import ssl
import threading
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from scorecard.demo.behaviours import Behaviour, Silence
from scorecard.demo.journal import Journal

HOST = "127.0.0.1"
_HANDSHAKE_SECONDS = 10.0


class Server:
    """One service, on a port that the system chooses."""

    def __init__(self, behaviour: Behaviour, journal: Journal, certificate: Path | None = None) -> None:
        """Take the port.

        Args:
            behaviour: how it answers.
            journal: where it logs.
            certificate: a PEM file of certificate and key; plain HTTP without one.
        """
        self._stopping = threading.Event()
        self._secure = certificate is not None
        self._server = _Listener(
            _handler(behaviour, journal, self._stopping, secure=self._secure), _context(certificate)
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Its base address."""
        return f"{'https' if self._secure else 'http'}://{HOST}:{self._server.server_port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more; requests that hang are let go."""
        self._stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class Unreachable:
    """An address that refuses every connection: the port is ours and nobody listens on it."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind((HOST, 0))

    @property
    def url(self) -> str:
        """Its base address."""
        return f"https://{HOST}:{self._socket.getsockname()[1]}"

    def start(self) -> None:
        """Nothing listens, then as before."""

    def stop(self) -> None:
        """Give the port back."""
        self._socket.close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    # Requests that hang on purpose would hold up the end.
    block_on_close = False
    request_queue_size = 64

    def __init__(self, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None) -> None:
        super().__init__((HOST, 0), handler)
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's signature
        """Shake hands in the request's own thread, so that a client that does not keeps no other waiting."""
        if self._context is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(_HANDSHAKE_SECONDS)
        with self._context.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's signature
        """A prober that hung up before the answer is no news."""


def _context(certificate: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)
    return context


def _handler(
    behaviour: Behaviour, journal: Journal, stopping: threading.Event, *, secure: bool
) -> type[BaseHTTPRequestHandler]:
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        server_version = "demo"
        sys_version = ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            with lock:
                count = counts[path]
                counts[path] += 1
            answer = behaviour(path, count)
            if isinstance(answer, Silence):
                stopping.wait()
                return
            stopping.wait(answer.after)
            correlation_id = self.headers.get("X-Correlation-ID") or uuid.uuid4().hex
            said = f"{self.command} {path} {answer.status}"
            journal.write(said, correlation_id, method=str(self.command), path=path, status=answer.status)
            self.send_response(answer.status)
            self.send_header("X-Correlation-ID", correlation_id)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body) if answer.announced is None else answer.announced))
            if secure:
                self.send_header("Strict-Transport-Security", "max-age=31536000")
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - http.server's signature
            """The demo prints one line when it is up, and no access log."""

    return Handler
