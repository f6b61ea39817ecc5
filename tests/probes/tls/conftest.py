"""Certificates of every kind, and servers on loopback that serve them."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    def pem(self) -> bytes:
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return private + self.certificate.public_bytes(serialization.Encoding.PEM)


def issue(
    names: tuple[str, ...] = ("127.0.0.1", "payments.test"),
    *,
    by: Issued | None = None,
    key: Key | None = None,
    days: float = 90,
    starts: float = -1,
    authority: bool = False,
    signed_with: hashes.HashAlgorithm | None = None,
    common_name: str = "payments.test",
) -> Issued:
    """Issue a certificate, by itself unless `by` says by whom."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.fromtimestamp(int(time.time()), UTC)  # the clock of the servers is the machine's
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=starts))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
    return Issued(builder.sign(by.key if by else own, signed_with or hashes.SHA256()), own)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that the probe is told to trust."""

    issued: Issued
    ca_file: Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    root = issue((), authority=True, days=3650, common_name="Test authority")
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    file.write_bytes(root.certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(root, file)


PAGE = b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=31536000\r\nContent-Length: 2\r\n\r\nok"
TO_PLAIN = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


def tls_context(
    issued: Issued,
    folder: Path,
    *,
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    chain: tuple[Issued, ...] = (),
    client_ca: Path | None = None,
) -> ssl.SSLContext:
    file = folder / f"{issued.certificate.serial_number}.pem"
    file.write_bytes(issued.pem() + b"".join(one.certificate.public_bytes(serialization.Encoding.PEM) for one in chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = lowest
        context.maximum_version = highest
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


class Server:
    """Serves TLS and, on the same port, plain HTTP: the first byte tells which; each connection in a thread."""

    def __init__(
        self,
        context: ssl.SSLContext | None,
        *,
        page: bytes = PAGE,
        plain: bytes | None = TO_PLAIN,
        silent_after: int | None = None,
    ) -> None:
        self.context, self.page, self.plain = context, page, plain
        self.silent_after = silent_after
        """Connections that are served before it hangs for ever."""
        self.connections = 0
        self._held: list[socket.socket] = []
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._held:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.silent_after is not None and self.connections > self.silent_after:
                self._held.append(connection)
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with connection, suppress(OSError, ValueError):
            if connection.recv(1, socket.MSG_PEEK) == b"\x16" and self.context:
                with self.context.wrap_socket(connection, server_side=True) as secure:
                    self.requests.append(secure.recv(4096))
                    secure.sendall(self.page)
            elif self.plain is not None:
                self.requests.append(connection.recv(4096))
                connection.sendall(self.plain)


Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(context, page=…, plain=…)`: a server that is closed at the end."""
    with ExitStack() as stack:

        def begin(context: ssl.SSLContext | None = None, **more: object) -> Server:
            server = Server(context, **more)  # type: ignore[arg-type]
            stack.callback(server.close)
            return server

        yield begin


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[int]:
    with silent_port() as port:
        yield port


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def issuing() -> Callable[..., Issued]:
    return issue


@pytest.fixture
def serving(authority: Authority, tmp_path: Path, start: Start) -> Callable[..., Server]:
    """A server with a certificate of the authority's, or of the test's own."""

    def begin(
        issued: Issued | None = None,
        *,
        page: bytes = PAGE,
        plain: bytes | None = TO_PLAIN,
        silent_after: int | None = None,
        **tls: object,
    ) -> Server:
        chosen = issued or issue(by=authority.issued)
        context = tls_context(chosen, tmp_path, **tls)  # type: ignore[arg-type]
        return start(context, page=page, plain=plain, silent_after=silent_after)

    return begin
