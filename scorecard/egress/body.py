"""What a body is: decoded within its budget; JSON, text, a page, or a page that asks for a sign-in."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

import re2

from scorecard.egress.strict_json import BadJsonError, read_json

_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
"""More digits overflow in libcurl, which then takes the length for unknown."""
_SHORT_TEXT = 1024
"""Characters of plain text that a health endpoint says on purpose."""


def _roomy() -> re2.Options:
    """Room for bounded repetitions in one automaton; where it is not enough the slower way is taken silently."""
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    return options


# On google-re2, since the text is a stranger's. Case-insensitive; the first is anchored to the first thing on the page.
_HTML = re2.compile(rb"(?i)^\s*(?:<!--[^>]*-->\s*)*<(?:!doctype\s+html|html|head|body)[\s>]")
_LOGIN = re2.compile(
    rb"(?i)"
    rb"<input[^>]{0,300}type\s*=\s*[\"']?password"
    rb"|<title[^>]*>[^<]{0,100}\b(?:log\s?in|log\s?on|sign\s?in|sign\s?on|single sign-on|authentication required)\b"
    rb"|<form[^>]{0,500}action\s*=\s*[\"']?[^\"'>\s]{0,300}"
    rb"(?:log_?in|log-in|logon|sign_?in|sign-in|/sso|saml|oauth2?/|authorize|openid-connect|j_security_check)"
    rb"|name\s*=\s*[\"']?(?:SAMLRequest|SAMLResponse|RelayState|j_username)\b"
    rb"|<meta[^>]{0,100}refresh[^>]{0,300}(?:/login|/signin|/sign-in|/sso|/oauth2?/|saml)"
    rb"|login\.microsoftonline\.com|accounts\.google\.com/|/cdn-cgi/access/login|/oauth2/(?:start|sign_in)"
    rb"|\.okta\.com/|\.auth0\.com/|/realms/[^/\"'\s]{1,100}/protocol/|/cas/login|shibboleth\.sso",
    _roomy(),
)


class BadBodyError(ValueError):
    """The body breaks the protocol; the message says how."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a body was seen to be."""

    html: bool = False
    login_page: bool = False
    well_formed: bool = False
    """JSON read strictly, or short plain text."""


def decode(data: bytes, encoding: str, budget: int) -> bytes:
    """Undo a `Content-Encoding` that we did not ask for, within the budget.

    Raises:
        BadBodyError: decoded over the budget, truncated, followed by something else, or an encoding that is not gzip or
            deflate: we asked for none.
    """
    coding = encoding.strip().lower()
    if coding in {"", "identity"} or not data:
        return data
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise BadBodyError(f"the body is encoded with {encoding.strip()[:40]!r}, though identity was asked for")
    # 47: zlib or gzip by its header.
    inflate = zlib.decompressobj(47)
    try:
        text = inflate.decompress(data, budget + 1)
    except zlib.error:
        raise BadBodyError(f"the body is not {coding}, though it says so") from None
    if len(text) > budget:
        raise BadBodyError(f"the {coding} body of {len(data)} bytes decodes to over {budget} bytes")
    if not inflate.eof:
        raise BadBodyError(f"the {coding} body is truncated")
    if inflate.unused_data:
        raise BadBodyError(f"{len(inflate.unused_data)} bytes follow the {coding} body")
    return text


def refuse_framing(headers: tuple[tuple[str, str], ...], version: bytes = b"1.1") -> None:
    """Refuse what is contradictory in how the body's length is told (RFC 9112, 6.3): an attack or a bug, never clear.

    Raises:
        BadBodyError: both a length and a transfer coding, a coding that is not chunked once, one in HTTP/1.0, two
            lengths, or a length that is no number.
    """
    lengths = [value for name, value in headers if name == "content-length"]
    codings = ", ".join(value for name, value in headers if name == "transfer-encoding")
    coded = any(name == "transfer-encoding" for name, _ in headers)
    if lengths and coded:
        raise BadBodyError("both Content-Length and Transfer-Encoding are given")
    if coded and codings.lower() != "chunked":
        raise BadBodyError(f"the Transfer-Encoding is {codings[:40]!r}")
    if coded and version == b"1.0":
        raise BadBodyError("an HTTP/1.0 answer has a Transfer-Encoding")
    if len(set(lengths)) > 1:
        raise BadBodyError(f"{len(lengths)} different Content-Lengths are given")
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise BadBodyError(f"the Content-Length is {lengths[0][:40]!r}")


def read_content(body: bytes, content_type: str) -> Content:
    """Tell what a body is, by what it holds first and what it is called second."""
    kind = content_type.partition(";")[0].strip().lower()
    html = kind in {"text/html", "application/xhtml+xml"} or _HTML.search(body) is not None
    if html:
        return Content(html=True, login_page=_LOGIN.search(body) is not None)
    return Content(well_formed=_json(body) or (kind in {"", "text/plain"} and _plain(body)))


def _json(body: bytes) -> bool:
    try:
        read_json(body)
    except BadJsonError:
        return False
    return True


def _plain(body: bytes) -> bool:
    try:
        text = body.decode("utf-8").strip()
    except UnicodeDecodeError:
        return False
    # A document that begins like JSON and is none is broken JSON, not text.
    if not 0 < len(text) <= _SHORT_TEXT or text[0] in "{[":
        return False
    return all(character.isprintable() or character in "\r\n\t" for character in text)
