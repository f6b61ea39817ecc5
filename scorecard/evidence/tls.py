"""What a service's address showed of its encryption on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from scorecard.evidence.base import Absent, Evidence, Unavailable
from scorecard.model import Cadence, Cause, Scope


class PlainReply(StrEnum):
    """How a plain HTTP request to the service's host ended."""

    ANSWERED = "answered"
    """An HTTP answer; `status` is set, and `location` where it redirects."""
    REFUSED = "refused"
    """The connection was refused, closed without an answer, or the port speaks TLS only."""
    BROKEN = "broken"
    """Something came without TLS, and it breaks HTTP: nothing was refused."""
    SILENT = "silent"
    """Nothing came within the deadline, while HTTPS on the same host answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainAnswer:
    """One GET without TLS, not followed."""

    url: str
    reply: PlainReply
    status: int = 0
    location: str = ""
    """Where a redirect points, made absolute."""
    words: str = ""
    """What went on, where there was no answer."""


class CertificateFault(StrEnum):
    """Each fault of a certificate is a reason of its own."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_HOST = "wrong-host"
    NO_SAN = "no-san"
    SELF_SIGNED = "self-signed"
    UNTRUSTED = "untrusted"
    WEAK_KEY = "weak-key"
    WEAK_SIGNATURE = "weak-signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, in words that name what is wrong."""

    kind: CertificateFault
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The server's own certificate, as it was served."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    """Names and addresses of the subject alternative name."""
    not_before: datetime
    not_after: datetime
    key: str
    """Such as `RSA 2048` or `EC secp256r1`."""
    signature: str
    """The hash that it is signed with; empty where the algorithm has none of its own (Ed25519)."""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenTls:
    """The port answers, and TLS with it does not come about."""

    words: str


class VersionReply(StrEnum):
    """What came of offering exactly one version of the protocol."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """We could not offer it, or no answer came: says nothing about the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSeen:
    """One handshake that offered one version."""

    name: str
    """`TLS 1.0` to `TLS 1.3`."""
    reply: VersionReply
    words: str = ""
    cause: Cause | None = None
    """Why it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hsts:
    """The `Strict-Transport-Security` header of one HTTPS answer."""

    header: str
    """As it stands; empty where there is none."""
    max_age: int | None = None
    """Seconds; None where the header has no readable `max-age`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSecurity(Evidence):
    """Plain HTTP, certificate, protocol versions and HSTS of the address that users go to (`spec.url`)."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.LIVE

    address: str
    """`host:port` that was asked in TLS; empty where the service has no HTTPS address."""
    plain: PlainAnswer | Unavailable
    certificate: Certificate | BrokenTls | Unavailable | Absent
    versions: tuple[VersionSeen, ...]
    """One for each version, oldest first; empty where the service has no HTTPS address."""
    hsts: Hsts | Unavailable | Absent
