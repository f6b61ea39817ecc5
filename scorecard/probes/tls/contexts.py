"""TLS contexts, and the proof that this OpenSSL really offers what they say.

A distribution may build or configure OpenSSL without TLS 1.0. Such a client is "refused" by every server, so before
anything is concluded from a refusal each version has had a handshake with ourselves, in memory.
"""

from __future__ import annotations

import ssl
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VERSIONS: dict[str, ssl.TLSVersion] = {
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": ssl.TLSVersion.TLSv1_2,
    "TLS 1.3": ssl.TLSVersion.TLSv1_3,
}
"""What is offered, one at a time, oldest first."""
NAMES = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}
"""The same as the ssl module calls them."""
# SECLEVEL 0 allows what TLS 1.0 needs (SHA-1, short keys): we want to see what a server would let others do.
_EVERYTHING = "ALL:@SECLEVEL=0"
_TURNS = 20


@dataclass(frozen=True, slots=True)
class Contexts:
    """Made once and shared by all threads: reading the CA file costs 20 ms."""

    strict: ssl.SSLContext
    """Verifies chain, host and strength, from TLS 1.2 on, as a careful client does."""
    verifying: ssl.SSLContext
    """Verifies chain and host, over whatever the server speaks."""
    lenient: ssl.SSLContext
    """Takes any certificate over any version, to look at it."""
    single: dict[str, ssl.SSLContext]
    """Takes any certificate and offers one version."""
    offered: frozenset[str]
    """Versions that this OpenSSL was seen to offer."""


def contexts(ca_file: str | None = None, offered: frozenset[str] | None = None) -> Contexts:
    """Make them.

    Args:
        ca_file: authorities, PEM; Mozilla's by certifi unless given.
        offered: what this OpenSSL offers; tried out unless given.
    """
    strict = ssl.create_default_context(cafile=ca_file or certifi.where())
    strict.minimum_version = ssl.TLSVersion.TLSv1_2
    strict.hostname_checks_common_name = False
    verifying = _everything(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3)
    verifying.load_verify_locations(ca_file or certifi.where())
    verifying.verify_mode = ssl.CERT_REQUIRED
    verifying.check_hostname = True
    verifying.hostname_checks_common_name = False
    return Contexts(
        strict,
        verifying,
        _everything(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3),
        {name: _everything(version, version) for name, version in VERSIONS.items()},
        proven() if offered is None else offered,
    )


def _everything(lowest: ssl.TLSVersion, highest: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _limit(context, lowest, highest)
    return context


def _limit(context: ssl.SSLContext, lowest: ssl.TLSVersion, highest: ssl.TLSVersion) -> None:
    context.set_ciphers(_EVERYTHING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.0 and 1.1, which is what we are after
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
        context.minimum_version = lowest
        context.maximum_version = highest


@cache
def proven() -> frozenset[str]:
    """The versions in which this process can shake hands with itself; tried once."""
    with tempfile.TemporaryDirectory(prefix="scorecard-tls-") as folder:
        file = Path(folder) / "self.pem"
        file.write_bytes(_own_certificate())
        return frozenset(name for name, version in VERSIONS.items() if _speaks(version, file))


def _own_certificate() -> bytes:
    """Key and certificate, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "self-test")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _speaks(version: ssl.TLSVersion, file: Path) -> bool:
    """Shake hands with a server of our own over two memory BIOs."""
    try:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(file)
        _limit(server, version, version)
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = [
            _everything(version, version).wrap_bio(down, up, server_hostname="self-test"),
            server.wrap_bio(up, down, server_side=True),
        ]
        for _ in range(_TURNS):
            for end in tuple(ends):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                ends.remove(end)
            if not ends:
                return True
    except (ssl.SSLError, ValueError, OSError):
        return False
    return False
