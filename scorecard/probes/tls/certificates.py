"""Reading a certificate, and naming each of its faults."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from scorecard.evidence.tls import Certificate, CertificateFault, Fault

_MOST_NAMES = 100
_SHORTEST_RSA = 2048  # NIST SP 800-131A: below is disallowed
_SHORTEST_EC = 224
_BROKEN_HASHES = frozenset({"md5", "sha1"})

# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_NOT_YET, _EXPIRED, _SELF_SIGNED, _HOST, _ADDRESS = 9, 10, 18, 62, 64
_KEYS_TOO_SMALL = frozenset({66, 67})
_HASH_TOO_WEAK = 68


class UnreadableCertificateError(ValueError):
    """The bytes are no certificate; the message says why."""


def read_certificate(der: bytes, host: str, now: datetime, refusal: ssl.SSLCertVerificationError | None) -> Certificate:
    """What a served certificate says, with its faults at `now`.

    Args:
        der: the server's own certificate.
        host: the name or the address that it is to be valid for.
        now: UTC.
        refusal: how verification of the whole chain failed; None where it did not.

    Raises:
        UnreadableCertificateError: the bytes are no certificate.
    """
    try:
        read = x509.load_der_x509_certificate(der)
        key = _key(read)
        names = tuple(_names(read))
        signature = read.signature_hash_algorithm
        hash_name = signature.name if signature else ""
        seen = Certificate(
            subject=read.subject.rfc4514_string(),
            issuer=read.issuer.rfc4514_string(),
            names=names[:_MOST_NAMES],
            not_before=read.not_valid_before_utc,
            not_after=read.not_valid_after_utc,
            key=key[0],
            signature=hash_name,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise UnreadableCertificateError(f"its certificate cannot be read: {str(error)[:200]}") from None
    faults = [*_of_time(seen, now), *_of_names(names, host), *_of_strength(seen, weak_key=key[1])]
    found = {fault.kind for fault in faults}
    if CertificateFault.NO_SAN in found:
        found.add(CertificateFault.WRONG_HOST)  # which is what OpenSSL calls the same thing
    if refusal is not None:
        faults += [fault for fault in _of_chain(seen, refusal) if fault.kind not in found]
    return Certificate(**{name: getattr(seen, name) for name in seen.__slots__} | {"faults": tuple(faults)})


def covers(name: str, host: str) -> bool:
    """Whether a name of a certificate is valid for a host, by RFC 6125: a star stands for one whole first label."""
    pattern, wanted = name.lower().rstrip("."), host.lower().rstrip(".")
    if pattern == wanted:
        return True
    star, _, rest = pattern.partition(".")
    first, _, wanted_rest = wanted.partition(".")
    return star == "*" and "." in rest and bool(first) and rest == wanted_rest


def _names(read: x509.Certificate) -> Iterator[str]:
    try:
        alternative = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from alternative.get_values_for_type(x509.DNSName)
    yield from map(str, alternative.get_values_for_type(x509.IPAddress))


def _key(read: x509.Certificate) -> tuple[str, bool]:
    """The key in words, and whether it is too weak."""
    key = read.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}", key.key_size < _SHORTEST_RSA
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}", key.curve.key_size < _SHORTEST_EC
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return type(key).__name__.removesuffix("PublicKey"), False
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}", True
    return type(key).__name__.removesuffix("PublicKey"), True


def _of_time(seen: Certificate, now: datetime) -> Iterator[Fault]:
    if seen.not_after < now:
        yield Fault(kind=CertificateFault.EXPIRED, words=f"it expired on {seen.not_after:%Y-%m-%d %H:%M} UTC")
    if seen.not_before > now:
        words = f"it is not valid before {seen.not_before:%Y-%m-%d %H:%M} UTC"
        yield Fault(kind=CertificateFault.NOT_YET_VALID, words=words)


def _of_names(names: tuple[str, ...], host: str) -> Iterator[Fault]:
    if not names:
        yield Fault(
            kind=CertificateFault.NO_SAN, words="it has no subject alternative name, and clients look nowhere else"
        )
        return
    address = _address(host)
    fits = any(_address(name) == address for name in names) if address else any(covers(name, host) for name in names)
    if not fits:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004 - three are shown
        words = f"it is for {', '.join(names[:3])}{more}, not for {host}"
        yield Fault(kind=CertificateFault.WRONG_HOST, words=words)


def _of_strength(seen: Certificate, *, weak_key: bool) -> Iterator[Fault]:
    if weak_key:
        yield Fault(kind=CertificateFault.WEAK_KEY, words=f"its key is {seen.key}")
    if seen.signature in _BROKEN_HASHES:
        yield Fault(kind=CertificateFault.WEAK_SIGNATURE, words=f"it is signed with {seen.signature.upper()}")


def _of_chain(seen: Certificate, refusal: ssl.SSLCertVerificationError) -> Iterator[Fault]:
    """What OpenSSL's verification adds to what the certificate itself shows."""
    code = refusal.verify_code
    told = refusal.verify_message
    if code == _SELF_SIGNED:
        yield Fault(kind=CertificateFault.SELF_SIGNED, words="it is signed by itself, not by an authority")
    elif code in {_EXPIRED, _NOT_YET}:
        kind = CertificateFault.EXPIRED if code == _EXPIRED else CertificateFault.NOT_YET_VALID
        yield Fault(kind=kind, words=f"a certificate of its chain is not valid now: {told}")
    elif code in _KEYS_TOO_SMALL:
        yield Fault(kind=CertificateFault.WEAK_KEY, words=f"a key of its chain is too small: {told}")
    elif code == _HASH_TOO_WEAK:
        yield Fault(kind=CertificateFault.WEAK_SIGNATURE, words=f"a signature of its chain is too weak: {told}")
    elif code in {_HOST, _ADDRESS}:
        yield Fault(kind=CertificateFault.WRONG_HOST, words=told)
    else:
        # Either an intermediate certificate is not sent, or the authority is a private one.
        words = f"its chain leads to no authority that clients know: {told}, issued by {seen.issuer}"
        yield Fault(kind=CertificateFault.UNTRUSTED, words=words)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
