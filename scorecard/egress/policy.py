"""Which addresses may be connected to, judged on the resolved address and nothing else.

Names, spellings and redirects are not looked at here: whatever was written ends as a packed address, and that address
is what is judged and what is connected to. Public unicast is allowed; whatever IANA's special-purpose registries
list, and whatever is not public unicast at all, only where the operator listed it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast (RFC 5771). Entries that the registry calls
# globally reachable (AS112, AMT) are not services of anybody's either, so that all of it needs to be listed.
_SPECIAL_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# https://www.iana.org/assignments/iana-ipv6-special-registry within 2000::/3; outside of it nothing is public unicast.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
_LOOPBACK = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))

# Metadata services of AWS, Azure, Google and others, and the host agent of Azure: an answer from there holds
# credentials, and no service of anybody's lives there.
NEVER: tuple[Network, ...] = (
    ipaddress.IPv4Network("169.254.0.0/16"),
    ipaddress.IPv6Network("fd00:ec2::/32"),
    ipaddress.IPv4Network("168.63.129.16/32"),
)

# Prefixes whose last 32 bits are an IPv4 address that a router or the kernel goes to: compatible, mapped, translated
# (RFC 2765) and the well-known NAT64 prefix (RFC 6052).
_EMBEDDING = tuple(
    ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_LAST_PORT = 65_535
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")


@dataclass(frozen=True, slots=True)
class _Place:
    """A network, or one address with or without its port."""

    network: Network
    port: int | None

    @property
    def exact(self) -> bool:
        return self.network.prefixlen == self.network.max_prefixlen

    def holds(self, address: Address, port: int) -> bool:
        return address.version == self.network.version and address in self.network and self.port in {None, port}


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What `probing.allow` comes to. Made with `AddressPolicy.of`; hashable, so that judgements are remembered."""

    allow: tuple[_Place, ...] = ()
    never: tuple[_Place, ...] = ()
    own: tuple[_Place, ...] = ()

    @classmethod
    def of(cls, allow: Iterable[str] = (), *, never: Iterable[str] = (), own: Iterable[str] = ()) -> AddressPolicy:
        """Read networks (`10.0.0.0/8`), addresses (`::1`) and addresses with a port (`127.0.0.1:8080`, `[::1]:80`).

        `never` is what no `allow` overrides, on top of the metadata services: our own database. `own` is where we
        listen, which counts as loopback does: only an exact entry of `allow` opens it.

        Raises:
            ValueError: for an entry that is none of these, naming it.
        """
        return cls(tuple(map(_place, allow)), tuple(map(_place, never)), tuple(map(_place, own)))

    def refuses(self, address: str, port: int) -> str:
        """Why this resolved address must not be connected to; empty when it may be.

        `address` is what `getaddrinfo` or a socket reports, a zone (`fe80::1%eth0`) included.
        """
        return _judge(self, address, port)


@lru_cache(maxsize=65_536)
def _judge(policy: AddressPolicy, text: str, port: int) -> str:
    bare, _, zone = text.partition("%")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return f"{text!r} is not an address"
    if zone and isinstance(address, ipaddress.IPv6Address) and not address.is_link_local:
        return f"{text} has a zone, which only link-local addresses have"
    return _refusal(policy, address, port)


def _refusal(policy: AddressPolicy, address: Address, port: int) -> str:
    """The judgement of one address, and of the IPv4 address that is wrapped in it."""
    if any(address.version == network.version and address in network for network in NEVER):
        return f"{address} is a metadata service, which is never probed"
    if any(place.holds(address, port) for place in policy.never):
        return f"{address} is our own database, which is never probed"
    listed = [place for place in policy.allow if place.holds(address, port)]
    if not any(place.exact for place in listed):
        if any(address.version == network.version and address in network for network in _LOOPBACK):
            return f"{address} is loopback, and probing.allow does not list that exact address"
        if any(place.holds(address, port) for place in policy.own):
            return f"{address} port {port} is our own listener, and probing.allow does not list that exact address"
    if not listed and not _public(address):
        return f"{address} is not a public address, and probing.allow does not list it"
    return _wrapped_refusal(policy, address, port)


def _wrapped_refusal(policy: AddressPolicy, address: Address, port: int) -> str:
    if not isinstance(address, ipaddress.IPv6Address):
        return ""
    for wrapped in _wrapped(address):
        if refusal := _refusal(policy, wrapped, port):
            return f"{address} leads to {wrapped}: {refusal}"
    return ""


def _public(address: Address) -> bool:
    """Unicast that is routed on the internet, by the registries above."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _SPECIAL_V6)


def _wrapped(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that a transition mechanism would send this address's packets to."""
    number = int(address)
    low = number & 0xFFFF_FFFF
    if any(address in network for network in _EMBEDDING) and number > 1:
        yield ipaddress.IPv4Address(low)
    elif address in _SIX_TO_FOUR:
        yield ipaddress.IPv4Address(number >> 80 & 0xFFFF_FFFF)
    elif address in _TEREDO:
        # RFC 4380: the server in bits 32 to 63, the client inverted in the last 32.
        yield ipaddress.IPv4Address(number >> 64 & 0xFFFF_FFFF)
        yield ipaddress.IPv4Address(low ^ 0xFFFF_FFFF)
    elif address in _NAT64_LOCAL:
        yield ipaddress.IPv4Address(_local_nat64(number))


def _local_nat64(number: int) -> int:
    """The IPv4 address in 64:ff9b:1::/48: in the last 32 bits (a /96 of it), or from bit 48 on (RFC 6052, 2.2)."""
    low = number & 0xFFFF_FFFF
    return low or (number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF


def _place(text: str) -> _Place:
    """Read one entry of a list of places."""
    bare, port = _split_port(text.strip())
    try:
        network = ipaddress.ip_network(bare)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a network such as 10.0.0.0/8, nor an address such as 127.0.0.1:8080"
        ) from None
    if port is not None and network.prefixlen != network.max_prefixlen:
        raise ValueError(f"{text!r}: a port goes with one address, not with a network")
    return _Place(network, port)


def _split_port(text: str) -> tuple[str, int | None]:
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        host, port = host + rest.partition(":")[0], rest.partition(":")[2]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not port:
        return host, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT):
        raise ValueError(f"{text!r}: {port!r} is not a port")
    return host, int(port)
