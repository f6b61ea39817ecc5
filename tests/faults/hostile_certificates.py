"""Certificates that a client must refuse, each for its own reason, and one that it must accept."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

HOST = "www.hostile.test"
DAYS = 30
"""Days that the good certificate has left, and that the expired one is past."""

# What the prober says; empty for what it accepts.
KINDS = {
    "good": "",
    "wildcard": "",
    "expired": "has expired",
    "not-yet": "not valid yet",
    "wrong-host": "for another host",
    "deep-wildcard": "for another host",
    "no-san": "subject alternative name",
    "self-signed": "self-signed",
    "other-authority": "not known here",
    "weak-key": "too weak",
    "old-tls": "TLS handshake failed",
}
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Authority:
    """An authority of the test's own, in a folder."""

    folder: Path

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def _certificate(self) -> x509.Certificate:
        return _ca("Test authority", self._key)

    @cached_property
    def ca_file(self) -> Path:
        """Its certificate, PEM."""
        path = self.folder / "ca.pem"
        path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def context(self, kind: str, addresses: Sequence[str] = ()) -> ssl.SSLContext:
        """A server's TLS context that shows the certificate of this kind; it and its key stay in `KIND.pem`.

        `addresses` are added to the names of a good one.
        """
        key: Key = ec.generate_private_key(ec.SECP256R1())
        if kind == "weak-key":
            key = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - weak on purpose
        path = self.folder / f"{kind}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + self._leaf(kind, key, addresses).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        if kind == "old-tls":
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.load_cert_chain(path)
        return context

    def _leaf(self, kind: str, key: Key, addresses: Sequence[str]) -> x509.Certificate:
        now = datetime.now(UTC)  # noqa: TID251 - certificates are judged by the machine's clock
        start, end = now - timedelta(days=60), now + timedelta(days=DAYS)
        if kind == "expired":
            end = now - timedelta(days=DAYS)
        if kind == "not-yet":
            start, end = now + timedelta(days=10), now + timedelta(days=DAYS)
        issuer, issuer_key = self._certificate.subject, self._key
        if kind == "other-authority":
            issuer_key = ec.generate_private_key(ec.SECP256R1())
            issuer = _ca("Another authority", issuer_key).subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(HOST))
            .issuer_name(_name(HOST) if kind == "self-signed" else issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )
        names: dict[str, tuple[x509.GeneralName, ...]] = {
            "wrong-host": (x509.DNSName("other.test"), x509.IPAddress(ip_address("127.0.0.9"))),
            "deep-wildcard": (x509.DNSName("*.deep.hostile.test"),),
            "wildcard": (x509.DNSName("*.hostile.test"),),
            "no-san": (),
        }
        alternatives = names.get(kind, (x509.DNSName(HOST), *(x509.IPAddress(ip_address(one)) for one in addresses)))
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(key if kind == "self-signed" else issuer_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _ca(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now = datetime.now(UTC)  # noqa: TID251 - certificates are judged by the machine's clock
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=900))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
