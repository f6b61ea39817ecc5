"""Thousands of healthy targets in one process: every address of 127/8, plain or TLS, and a share that hangs.

Run as `python -m tests.bench.farm PORTS [CERTIFICATE]`; prints its ports, ends with its stdin. An address whose last
octet is HANGING takes the connection and says nothing.
"""

from __future__ import annotations

import select
import socket
import ssl
import sys
from contextlib import suppress

HANGING = 250
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
    b'{"status":"ok"}'
)  # fmt: skip
_WANTS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Farm:
    """One epoll loop; each connection is read, and answered once for each request that has come."""

    def __init__(self, ports: int, certificate: str | None) -> None:
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
            self._context.num_tickets = 0
        self._epoll = select.epoll()
        self._listeners: dict[int, socket.socket] = {}
        for _ in range(ports):
            listener = socket.create_server(("0.0.0.0", 0), backlog=65_535)
            listener.setblocking(False)
            self._epoll.register(listener, select.EPOLLIN)
            self._listeners[listener.fileno()] = listener
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self.ports: list[int] = [listener.getsockname()[1] for listener in self._listeners.values()]

    def run(self) -> None:
        """Serve until stdin is closed."""
        while True:
            for descriptor, _ in self._epoll.poll():
                if descriptor in self._listeners:
                    self._accept(self._listeners[descriptor])
                elif descriptor in self._clients:
                    self._serve(descriptor, self._clients[descriptor])
                else:
                    return

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(64):
            try:
                client, _ = listener.accept()
            except BlockingIOError:
                return
            client.setblocking(False)
            if client.getsockname()[0].endswith(f".{HANGING}"):
                self._clients[client.fileno()] = client
                self._epoll.register(client, select.EPOLLRDHUP)
                continue
            if self._context:
                client = self._context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
            self._clients[client.fileno()] = client
            self._epoll.register(client, select.EPOLLIN)

    def _serve(self, descriptor: int, client: socket.socket) -> None:
        try:
            while (data := client.recv(4096)) and not client.getsockname()[0].endswith(f".{HANGING}"):
                client.send(_ANSWER * data.count(b"\r\n\r\n"))
        except _WANTS:
            return
        except OSError:
            pass
        del self._clients[descriptor]
        with suppress(OSError):
            client.close()


if __name__ == "__main__":
    farm = Farm(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
    print(*farm.ports, flush=True)  # noqa: T201 - its one line
    farm.run()
