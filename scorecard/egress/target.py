"""Reading an address (URL) into the parts that are connected to, so that one reading is judged, dialled and shown.

Two readers of one address is how a check on the address is walked around; here the parts are taken once, written anew
in one canonical spelling, and only that spelling is handed to libcurl or urllib3.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
# Printable ASCII without the characters that readers of addresses disagree about.
_PLAIN = re.compile(r"[!#-;=?-Z_a-z~%\[\]]+", re.ASCII)
_UNSAFE = re.compile(r"[^!#-;=?-Z_a-z~%\[\]]", re.ASCII)
# urlsplit takes the host from brackets wherever they stand, and what is beside them for nothing.
_NETLOC = re.compile(r"(?:\[[^\[\]]+\]|[^\[\]:]+)(?::[0-9]*)?", re.ASCII)
_NEVER = re.compile(r'[\x00-\x20\\"<>^`{}\x7f]')
_LONGEST = 4096
_LONGEST_NAME = 253


class BadTargetError(ValueError):
    """An address that cannot be read in one way only; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    scheme: str
    host: str
    """Lower case ASCII; a literal in its canonical spelling, IPv6 without brackets."""
    port: int
    path: str
    """Path and query, beginning with `/`."""
    literal: bool
    """The host is an address, so that nothing is resolved."""
    url: str = field(init=False, compare=False)
    """The canonical spelling."""

    def __post_init__(self) -> None:
        """Write it once; it is asked for often."""
        object.__setattr__(self, "url", f"{self.scheme}://{self.authority}{self.path}")

    @property
    def authority(self) -> str:
        """Host and port as they stand in an address; the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What one connection serves."""
        return self.scheme, self.host, self.port


@lru_cache(maxsize=32_768)
def read_target(url: str) -> Target:
    """Take an absolute http or https address apart.

    Raises:
        BadTargetError: another scheme, credentials, a zone, a backslash, white space, control characters, a host that
            is neither a name nor an address, a port outside 1 to 65535, or more than 4096 characters.
    """
    if len(url) > _LONGEST:
        raise BadTargetError(f"the address has {len(url)} characters, over {_LONGEST}")
    if _NEVER.search(url):
        raise BadTargetError(f"{url!r} holds a character that has no place in an address")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadTargetError(f"{url!r}: {error}") from None
    if parts.scheme not in _PORTS:
        raise BadTargetError(f"{url!r} is not an absolute http or https address")
    if "@" in parts.netloc:
        raise BadTargetError("an address with credentials in it is not probed")
    if not _NETLOC.fullmatch(parts.netloc):
        raise BadTargetError(f"{parts.netloc!r} is not a host and a port")
    if port == 0:
        raise BadTargetError(f"{url!r}: 0 is not a port")
    host, literal = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    query = f"?{parts.query}" if parts.query else ""
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], _quoted((parts.path or "/") + query), literal)


def _host(text: str, *, bracketed: bool) -> tuple[str, bool]:
    """The canonical host, and whether it is a literal."""
    if bracketed:
        try:
            address = ipaddress.IPv6Address(text)
            if address.scope_id is None:
                return str(address), True
            raise BadTargetError(f"[{text}] has a zone, which means something on one machine only")
        except ipaddress.AddressValueError:
            raise BadTargetError(f"[{text}] is not an IPv6 address") from None
    name = _ascii(text).removesuffix(".")
    labels = name.split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        # What ends in a number is an address in every reader that follows the URL standard, 127.1 and 0x7f000001 too.
        try:
            return socket.inet_ntoa(socket.inet_aton(name)), True
        except OSError:
            raise BadTargetError(f"{text!r} is neither a name nor an address") from None
    if not all(map(_LABEL.fullmatch, labels)) or len(name) > _LONGEST_NAME:
        raise BadTargetError(f"{text!r} is not a host name")
    return name, False


def _ascii(text: str) -> str:
    """The name as DNS has it: NFKC, IDNA and lower case."""
    if text.isascii():
        return text.lower()
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise BadTargetError(f"{text!r} is not a host name") from None


def _quoted(path: str) -> str:
    """The path with everything outside plain ASCII percent-encoded; what is encoded stays."""
    if _PLAIN.fullmatch(path):
        return path
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")), path)
