"""One connection to a judged address, every byte of it within a deadline and a budget; TLS over it by memory BIOs.

The ssl module's own sockets say too little of a handshake that failed. Here the bytes pass through our hands, so that
what the server sent first is known: a ServerHello accepts a version even if the handshake fails later on, for want of a
client certificate say, and an alert refuses it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from scorecard.egress.bounds import Bounds
from scorecard.egress.dial import Dialler

BUDGET = 256 * 1024
"""Bytes that one connection may bring: certificates chains of 100 kB are legal, and HTTP heads of 64 kB."""
_HEAD_LIMIT = 64 * 1024
_MOST_INTERIM = 5
_RECORD_ALERT, _RECORD_HANDSHAKE, _SERVER_HELLO = 0x15, 0x16, 0x02
_TLS_MAJOR, _TLS_START = 3, 2
"""The major version, in the second byte of every record."""


class Dialled:
    """Opens connections, each with a deadline of its own under one for all of them."""

    def __init__(self, dialler: Dialler, bounds: Bounds) -> None:
        """Dial with `dialler`, whose bounds are `bounds`."""
        self._dialler = dialler
        self._bounds = bounds

    @contextmanager
    def open(self, host: str, port: int, seconds: float) -> Iterator[socket.socket]:
        """A connected socket, closed at the end; whatever is done with it in between ends within `seconds`.

        Raises:
            OSError: refused, unreachable, out of time, over budget, or an address that the policy refuses.
        """
        with self._bounds.set(seconds, BUDGET):
            connected = self._dialler.dial(host, port)
            try:
                yield connected
            finally:
                with suppress(OSError):
                    connected.close()

    @contextmanager
    def again(self, seconds: float) -> Iterator[None]:
        """Give what is under way on the connection of this thread other bounds; nothing may follow on it."""
        with self._bounds.set(seconds, BUDGET):
            yield


@dataclass(slots=True)
class TlsLine:
    """TLS over a connected socket."""

    connection: socket.socket
    context: ssl.SSLContext
    host: str
    first: bytes = b""
    """The first bytes that the server sent: type, version and length of a record, and the type of its message."""
    _incoming: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _outgoing: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _tls: ssl.SSLObject = field(init=False)

    def __post_init__(self) -> None:
        """Make the TLS object; a host that cannot stand in a ClientHello is a ValueError."""
        self._tls = self.context.wrap_bio(self._incoming, self._outgoing, server_hostname=self.host)

    @property
    def version(self) -> str:
        """`TLSv1.3` and so on, after the handshake."""
        return self._tls.version() or ""

    @property
    def certificate(self) -> bytes:
        """The server's certificate in DER, after the handshake; empty where it sent none."""
        return self._tls.getpeercert(binary_form=True) or b""

    @property
    def said_hello(self) -> bool:
        """Whether the first that came was a ServerHello."""
        return len(self.first) > 5 and self.first[0] == _RECORD_HANDSHAKE and self.first[5] == _SERVER_HELLO  # noqa: PLR2004 - after the record's header of 5 bytes

    @property
    def said_alert(self) -> bool:
        """Whether the first that came was an alert."""
        return self.first[:1] == bytes([_RECORD_ALERT])

    def shake_hands(self) -> None:
        """Do the handshake.

        Raises:
            ssl.SSLError: it failed; SSLCertVerificationError where the certificate is to blame.
            OSError: the connection did.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._exchange()
            except ssl.SSLError:
                with suppress(OSError):
                    self._flush()  # the alert; the server's log says why we went
                raise
            else:
                self._flush()
                return

    def send(self, data: bytes) -> None:
        """Send data, encrypted."""
        self._tls.write(data)
        self._flush()

    def receive(self) -> bytes:
        """Some decrypted bytes; none at the end."""
        while True:
            try:
                return self._tls.read(16_384)
            except ssl.SSLWantReadError:
                self._exchange()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self.connection.sendall(data)

    def _exchange(self) -> None:
        self._flush()
        data = received(self.connection)
        if data:
            self.first = (self.first + data)[:6]
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def received(connection: socket.socket) -> bytes:
    """What came, within the bounds; nothing at the end."""
    buffer = bytearray(16_384)
    return bytes(buffer[: connection.recv_into(buffer)])


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an HTTP answer; `status` 0 where what came is no HTTP."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case."""
    closed: bool = False
    """The connection was closed before anything came."""
    tls: bool = False
    """What came without TLS were records of TLS."""

    def header(self, name: str) -> str:
        """The first header of that name; empty where there is none."""
        return next((value for key, value in self.headers if key == name), "")


def request(host: str, path: str, agent: str) -> bytes:
    """A GET, as bytes; both parts were read by `read_target`, which leaves no white space in them."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def read_head(line: socket.socket | TlsLine) -> Head:
    """Read the head of the first answer that is final; the body is not read.

    Raises:
        OSError: out of time, or over budget.
    """
    data = b""
    for _ in range(_MOST_INTERIM):
        while b"\r\n\r\n" not in data and len(data) < _HEAD_LIMIT:
            more = line.receive() if isinstance(line, TlsLine) else received(line)
            if not more:
                return Head(closed=not data) if b"\r\n" not in data else _parsed(data)
            data += more
            if len(data) >= _TLS_START and data[0] in {_RECORD_ALERT, _RECORD_HANDSHAKE} and data[1] == _TLS_MAJOR:
                return Head(tls=True)
        text, _, data = data.partition(b"\r\n\r\n")
        head = _parsed(text)
        if not 100 <= head.status < 200:  # noqa: PLR2004 - 1xx is not the answer yet
            return head
    return Head()


def _parsed(text: bytes) -> Head:
    first, *lines = text.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    code = rest.partition(" ")[0]
    if not protocol.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):  # noqa: PLR2004
        return Head()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return Head(int(code), tuple((name.strip().lower(), value.strip()) for name, _, value in pairs))
