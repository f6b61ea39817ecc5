"""What libcurl tells about a TLS handshake: the certificate that was shown, and why it was refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pycurl

_REASONS = (
    ("certificate has expired", "the certificate has expired"),
    ("certificate is not yet valid", "the certificate is not valid yet"),
    ("self-signed certificate in certificate chain", "the certificate chain ends in a certificate that is not trusted"),
    ("self-signed certificate", "the certificate is self-signed"),
    ("unable to get local issuer certificate", "the certificate's issuer is not known here"),
    ("no alternative certificate subject name matches", "the certificate is for another host"),
    ("does not match target host name", "the certificate is for another host"),
    ("key too weak", "the certificate's key is too weak"),
    ("md too weak", "the certificate's signature is too weak"),
)


def tls_reason(message: str) -> str:
    """Say it in our words what libcurl, or OpenSSL within it, said."""
    lowered = message.lower()
    for text, reason in _REASONS:
        if text in lowered:
            return reason
    return f"the TLS handshake failed: {message[:200]}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What of a certificate is judged here; libcurl judged the rest."""

    expires: datetime
    named: bool
    """It has a subject alternative name."""


def shown_certificate(easy: Any) -> Certificate | None:  # noqa: ANN401 - pycurl.Curl
    """The server's certificate, as far as libcurl tells; None on a connection that was taken over."""
    chain = easy.getinfo(pycurl.INFO_CERTINFO)
    if not chain:
        return None
    fields = dict(chain[0])
    expires = _expiry(fields.get("Expire date", ""))
    return None if expires is None else Certificate(expires, bool(fields.get("X509v3 Subject Alternative Name")))


@lru_cache(maxsize=4096)
def _expiry(text: str) -> datetime | None:
    """`Nov 24 15:07:00 2026 GMT`, OpenSSL's way to write a time."""
    try:
        return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except ValueError:
        return None
