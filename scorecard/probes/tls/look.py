"""One look at a service's address: certificate, versions, HSTS, and what plain HTTP on the same host says."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urljoin

from scorecard import __version__
from scorecard.egress.errors import NoAddressError, RefusedAddressError, mapped
from scorecard.egress.target import BadTargetError, Target, read_target
from scorecard.evidence import Absent, Exhibit, Unavailable
from scorecard.evidence.base import Fact
from scorecard.evidence.tls import (
    BrokenTls,
    Certificate,
    Hsts,
    PlainAnswer,
    PlainReply,
    TransportSecurity,
    VersionReply,
    VersionSeen,
)
from scorecard.model import Cause
from scorecard.probes.tls.certificates import UnreadableCertificateError, read_certificate
from scorecard.probes.tls.contexts import NAMES, VERSIONS, Contexts
from scorecard.probes.tls.line import Dialled, Head, TlsLine, read_head, request

AGENT = f"readiness-scorecard/{__version__}"
_HTTP, _HTTPS = 80, 443
_HEADER_SHARE = 0.5
_VERSION_SHARE = 1 / 3
"""Of the time that is left: what reading the header, and offering one more version, may take at most, so that one of
them that hangs leaves the plain port the time it takes to be called silent."""
_SILENCE = 0.6
"""The share of the deadline for which nothing must come: SYNs of TCP are sent after 0, 1 and 3 s."""
_NOTHING = 0.001
"""Seconds that are given when none are left."""
_LOCATION_LENGTH = 2000
_MAX_AGE = re.compile(r'(?:^|;)\s*max-age\s*=\s*"?(\d{1,15})"?\s*(?:;|$)', re.IGNORECASE)
# What OpenSSL says when it is we who cannot go on, not the server.
_OURS = frozenset({"NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "NO_SUITABLE_SIGNATURE_ALGORITHM"})


class _NotReachedError(Exception):
    """Nothing can be said: the address never answered us."""

    def __init__(self, missing: Unavailable) -> None:
        super().__init__(missing.detail)
        self.missing = missing


@dataclass(slots=True)
class Look:
    """One look; made anew for each address and used once."""

    target: Target
    dialled: Dialled
    contexts: Contexts
    deadline: float
    """Seconds for the whole look, the lookup of the name included."""
    now: datetime
    clock: Callable[[], float] = time.monotonic
    _end: float = field(init=False)
    _peer: str = ""
    """The address that answered first; the others go there too."""

    def __post_init__(self) -> None:
        """Begin to count."""
        self._end = self.clock() + self.deadline

    def take(self) -> TransportSecurity | Unavailable:
        """Look; Unavailable where the address never answered."""
        try:
            return self._encrypted() if self.target.scheme == "https" else self._declared_plain()
        except _NotReachedError as error:
            return error.missing

    # --- where to look ---

    def _encrypted(self) -> TransportSecurity:
        """The declared address is https: TLS first, so that a silent plain port can be told from a dead host."""
        return self._with_tls(self.target, self._plain_beside)

    def _declared_plain(self) -> TransportSecurity | Unavailable:
        """The declared address is http: TLS is where it redirects to, on the same host."""
        plain = self._plain(self.target)
        if isinstance(plain, Unavailable):
            return plain
        if plain.reply not in {PlainReply.ANSWERED, PlainReply.BROKEN}:
            return Unavailable(Cause.UNREACHABLE, f"GET {self.target.url}: {plain.words}")
        secure = _redirected(plain)
        if secure is not None and secure.host == self.target.host:
            return self._with_tls(secure, lambda: plain)
        nothing = Absent(f"{self.target.url} is plain HTTP and leads to no HTTPS address of its host")
        return TransportSecurity(
            address="",
            plain=plain,
            certificate=nothing,
            versions=(),
            hsts=nothing,
            exhibits=(_plain_exhibit(plain),),
        )

    def _plain_beside(self) -> PlainAnswer | Unavailable:
        """Plain HTTP on port 80 where the address uses 443, else on its own port: another is not the service's."""
        port = _HTTP if self.target.port == _HTTPS else self.target.port
        seconds = self._seconds()
        plain = self._plain(replace(self.target, scheme="http", port=port))
        if seconds >= _SILENCE * self.deadline and isinstance(plain, Unavailable) and plain.cause is Cause.TIMEOUT:
            return PlainAnswer(
                url=f"http://{self.target.host}:{port}",
                reply=PlainReply.SILENT,
                words=f"nothing came within {seconds:.1f} s",
            )
        return plain

    # --- TLS ---

    def _with_tls(self, secure: Target, plain: Callable[[], PlainAnswer | Unavailable]) -> TransportSecurity:
        certificate, spoken, hsts = self._handshakes(secure)
        versions = tuple(self._version(secure, name, spoken) for name in VERSIONS)
        seen = plain()
        exhibits = [_tls_exhibit(secure, certificate, versions, hsts)]
        if isinstance(seen, PlainAnswer):
            exhibits.append(_plain_exhibit(seen))
        return TransportSecurity(
            address=f"{secure.host}:{secure.port}",
            plain=seen,
            certificate=certificate,
            versions=versions,
            hsts=hsts,
            exhibits=tuple(exhibits),
        )

    def _handshakes(self, secure: Target) -> tuple[Certificate | BrokenTls | Unavailable, str, Hsts | Unavailable]:
        """The certificate and the header; the version that was spoken.

        A careful client goes first. What it refuses is looked at by one that takes everything, and, where it was not
        the certificate that was refused, verified by a third over what the server does speak.
        """
        try:
            der, spoken, hsts = self._handshake(secure, self.contexts.strict)
            return self._certificate(der, secure, None), spoken, hsts
        except OSError as error:
            refusal = error
        try:
            der, spoken, hsts = self._handshake(secure, self.contexts.lenient)
        except OSError as error:
            reason = _words(error if isinstance(error, ssl.SSLError) else refusal)
            broken = BrokenTls(words=f"{secure.host}:{secure.port} answers, and no TLS handshake succeeds: {reason}")
            return broken, "", Unavailable(Cause.BAD_RESPONSE, broken.words)
        try:
            if not isinstance(refusal, ssl.SSLCertVerificationError):
                self._handshake(secure, self.contexts.verifying)
        except ssl.SSLCertVerificationError as error:
            refusal = error
        except OSError as error:
            missing = Unavailable(Cause.BAD_RESPONSE, f"{secure.url}: its chain was not verified: {_words(error)}")
            return missing, spoken, hsts
        verified = refusal if isinstance(refusal, ssl.SSLCertVerificationError) else None
        return self._certificate(der, secure, verified), spoken, hsts

    def _certificate(
        self, der: bytes, secure: Target, refusal: ssl.SSLCertVerificationError | None
    ) -> Certificate | BrokenTls:
        try:
            return read_certificate(der, secure.host, self.now, refusal)
        except UnreadableCertificateError as error:
            return BrokenTls(words=f"{secure.host}:{secure.port}: {error}")

    def _handshake(self, secure: Target, context: ssl.SSLContext) -> tuple[bytes, str, Hsts | Unavailable]:
        """Certificate, version and header over one connection.

        Raises:
            _NotReachedError: no connection came about.
            OSError: the handshake failed; ssl.SSLError where TLS says why.
        """
        with _Connecting(self, secure, self._seconds()) as connection:
            line = TlsLine(connection, context, secure.host)
            line.shake_hands()
            certificate, version = line.certificate, NAMES.get(line.version, line.version)
            seconds = _HEADER_SHARE * self._seconds()
            with self.dialled.again(seconds):
                return certificate, version, _hsts(line, secure, seconds)

    def _version(self, secure: Target, name: str, spoken: str) -> VersionSeen:
        """One version offered, unless it was spoken already."""
        if name == spoken:
            return VersionSeen(name=name, reply=VersionReply.ACCEPTED)
        if name not in self.contexts.offered:
            words = f"this OpenSSL ({ssl.OPENSSL_VERSION}) does not offer {name}"
            return VersionSeen(name=name, reply=VersionReply.UNKNOWN, words=words, cause=Cause.NOT_SUPPORTED)
        try:
            with _Connecting(self, secure, _VERSION_SHARE * self._seconds()) as connection:
                line = TlsLine(connection, self.contexts.single[name], secure.host)
                return _offered(name, line)
        except _NotReachedError as error:
            return VersionSeen(
                name=name, reply=VersionReply.UNKNOWN, words=error.missing.detail, cause=error.missing.cause
            )

    # --- plain HTTP ---

    def _plain(self, target: Target) -> PlainAnswer | Unavailable:
        url = target.url
        seconds = self._seconds()
        try:
            with self.dialled.open(self._peer or target.host, target.port, seconds) as connection:
                self._peer = self._peer or str(connection.getpeername()[0])
                try:
                    connection.sendall(request(target.authority, target.path, AGENT))
                    head = read_head(connection)
                except ConnectionError:
                    return PlainAnswer(url=url, reply=PlainReply.REFUSED, words="the connection was closed")
        except ConnectionRefusedError:
            return PlainAnswer(url=url, reply=PlainReply.REFUSED, words="connection refused")
        except OSError as error:
            return _missing(f"GET {url}", error, seconds)
        if head.closed or head.tls:
            words = "the connection was closed" if head.closed else "the port speaks TLS only"
            return PlainAnswer(url=url, reply=PlainReply.REFUSED, words=words)
        if not head.status:
            words = "what came without TLS is no HTTP/1.1 answer"
            return PlainAnswer(url=url, reply=PlainReply.BROKEN, words=words)
        return PlainAnswer(
            url=url, reply=PlainReply.ANSWERED, status=head.status, location=_location(head, url)[:_LOCATION_LENGTH]
        )

    # --- connections ---

    def _seconds(self) -> float:
        """What is left; so little at the end that nothing comes of it."""
        return max(_NOTHING, self._end - self.clock())


class _Connecting:
    """A connection to the address; that none came about is told apart from whatever happens on one that did."""

    def __init__(self, look: Look, secure: Target, seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._subject = f"{secure.host}:{secure.port}"
        self._opened = look.dialled.open(look._peer or secure.host, secure.port, seconds)  # noqa: SLF001 - one module

    def __enter__(self) -> socket.socket:
        try:
            connection = self._opened.__enter__()
        except OSError as error:
            raise _NotReachedError(_missing(self._subject, error, self._seconds)) from error
        self._look._peer = str(connection.getpeername()[0])  # noqa: SLF001 - one module
        return connection

    def __exit__(self, *error: object) -> None:
        self._opened.__exit__(*error)  # type: ignore[arg-type]
        # The deadline of a connection that came about says nothing of TLS either.
        if isinstance(error[1], TimeoutError):
            raise _NotReachedError(_missing(self._subject, error[1], self._seconds)) from error[1]


def _offered(name: str, line: TlsLine) -> VersionSeen:
    """What came of a handshake that offers one version."""
    try:
        line.shake_hands()
    except TimeoutError:
        raise
    except OSError as error:
        reason = getattr(error, "reason", "") or ""
        if reason in _OURS:
            words = f"this OpenSSL cannot offer {name}: {reason}"
            return VersionSeen(name=name, reply=VersionReply.UNKNOWN, words=words, cause=Cause.NOT_SUPPORTED)
        # A ServerHello of another version is a refusal too: OpenSSL calls it an unsupported protocol.
        if line.said_hello and reason not in {"UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION"}:
            words = f"accepted, and then: {_words(error)}"
            return VersionSeen(name=name, reply=VersionReply.ACCEPTED, words=words)
        return VersionSeen(name=name, reply=VersionReply.REFUSED, words=_words(error))
    return VersionSeen(name=name, reply=VersionReply.ACCEPTED)


def _hsts(line: TlsLine, secure: Target, seconds: float) -> Hsts | Unavailable:
    try:
        line.send(request(secure.authority, secure.path, AGENT))
        head = read_head(line)
    except OSError as error:
        return _missing(f"GET {secure.url}", error, seconds)
    if not head.status:
        return Unavailable(Cause.BAD_RESPONSE, f"GET {secure.url}: what came is no HTTP/1.1 answer")
    header = head.header("strict-transport-security")[:_LOCATION_LENGTH]
    found = _MAX_AGE.search(header)
    return Hsts(header=header, max_age=int(found[1]) if found else None)


def _location(head: Head, url: str) -> str:
    given = head.header("location")
    try:
        return urljoin(url, given) if given and 300 <= head.status < 400 else ""  # noqa: PLR2004 - 3xx
    except ValueError:
        return given


def _redirected(plain: PlainAnswer) -> Target | None:
    """The HTTPS address that an answer redirects to."""
    try:
        target = read_target(plain.location) if plain.location else None
    except BadTargetError:
        return None
    return target if target is not None and target.scheme == "https" else None


def _missing(subject: str, error: BaseException, seconds: float) -> Unavailable:
    known = mapped(subject, error, round(seconds, 1) or round(seconds, 3))
    lines = "probing:\n  allow: [ADDRESS]   # in scorecard.yaml" if isinstance(error, RefusedAddressError) else ""
    cause = Cause.UNREACHABLE if isinstance(error, NoAddressError) else known.cause
    late = cause is Cause.TIMEOUT and seconds <= _NOTHING
    return Unavailable(cause, f"{subject}: nothing is left of the deadline" if late else known.message, lines)


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return getattr(error, "strerror", "") or "the connection was closed"


def _tls_exhibit(
    secure: Target,
    certificate: Certificate | BrokenTls | Unavailable,
    versions: tuple[VersionSeen, ...],
    hsts: Hsts | Unavailable,
) -> Exhibit:
    facts: dict[str, Fact] = {one.name: one.reply.value for one in versions}
    if isinstance(certificate, Certificate):
        facts |= {
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "not_after": certificate.not_after.isoformat(),
            "key": certificate.key,
            "faults": ", ".join(fault.kind.value for fault in certificate.faults),
        }
    if isinstance(hsts, Hsts):
        facts["strict_transport_security"] = hsts.header
    where = f"{secure.host}:{secure.port}"
    return Exhibit(
        source="tls",
        request=f"openssl s_client -connect {where} -servername {secure.host} -showcerts </dev/null",
        facts=facts,
    )


def _plain_exhibit(plain: PlainAnswer) -> Exhibit:
    facts: dict[str, Fact] = {"reply": plain.reply.value}
    told: dict[str, Fact] = {"status": plain.status, "location": plain.location, "words": plain.words}
    facts |= {name: value for name, value in told.items() if value}
    return Exhibit(source="http", request=f"curl -sS -i --max-time 5 '{plain.url}'", facts=facts)
