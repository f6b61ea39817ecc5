"""Which addresses may be connected to, judged on the resolved address and nothing else.

Names, spellings and redirects are not looked at here: whatever was written ends as a packed address, and that address
is what is judged and what is connected to. Public unicast is allowed; whatever IANA's special-purpose registries
list, and whatever is not public unicast at all, only where the operator listed it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
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


class _Places:
    """Networks, and exact addresses with or without a port; built for ten thousand of the latter."""

    __slots__ = ("_exact", "_networks")

    def __init__(self, entries: Iterable[str]) -> None:
        networks: list[Network] = []
        exact: set[tuple[Address, int | None]] = set()
        for entry in entries:
            network, port = _place(entry)
            if network.prefixlen == network.max_prefixlen:
                exact.add((network.network_address, port))
            else:
                networks.append(network)
        self._networks = tuple(networks)
        self._exact = frozenset(exact)

    def exactly(self, address: Address, port: int) -> bool:
        """Whether the very address is listed."""
        return (address, None) in self._exact or (address, port) in self._exact

    def within(self, address: Address) -> bool:
        """Whether a network of the list holds it."""
        return _in(address, self._networks)


class AddressPolicy:
    """What `probing.allow` comes to. Judgements are remembered, so one policy is made and kept."""

    def __init__(self, allow: _Places, never: _Places, own: _Places) -> None:
        """Take what `of` has read."""
        self._allow = allow
        self._never = never
        self._own = own
        self._remembered = lru_cache(maxsize=65_536)(self._judge)

    @classmethod
    def of(cls, allow: Iterable[str] = (), *, never: Iterable[str] = (), own: Iterable[str] = ()) -> AddressPolicy:
        """Read networks (`10.0.0.0/8`), addresses (`::1`) and addresses with a port (`127.0.0.1:8080`, `[::1]:80`).

        `never` is what no `allow` overrides, on top of the metadata services: our own database. `own` is where we
        listen, which counts as loopback does: only an exact entry of `allow` opens it.

        Raises:
            ValueError: for an entry that is none of these, naming it.
        """
        return cls(_Places(allow), _Places(never), _Places(own))

    def refuses(self, address: str, port: int) -> str:
        """Why this resolved address must not be connected to; empty when it may be.

        `address` is what `getaddrinfo` or a socket reports, a zone (`fe80::1%eth0`) included.
        """
        return self._remembered(address, port)

    def _judge(self, text: str, port: int) -> str:
        bare, _, zone = text.partition("%")
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            return f"{text!r} is not an address"
        if zone and not address.is_link_local:
            return f"{text} has a zone, which only link-local addresses have"
        return self._refusal(address, port)

    def _refusal(self, address: Address, port: int) -> str:
        """The judgement of one address, and of the IPv4 address that is wrapped in it."""
        if _in(address, NEVER):
            return f"{address} is a metadata service, which is never probed"
        if self._never.exactly(address, port) or self._never.within(address):
            return f"{address} is our own database, which is never probed"
        if not self._allow.exactly(address, port):
            if refusal := self._unless_exact(address, port):
                return refusal
            if not self._allow.within(address) and not _public(address):
                return f"{address} is not a public address, and probing.allow does not list it"
        return self._wrapped_refusal(address, port)

    def _unless_exact(self, address: Address, port: int) -> str:
        """Why nothing but an exact entry opens this address; empty for most."""
        if _in(address, _LOOPBACK):
            return f"{address} is loopback, and probing.allow does not list that exact address"
        if self._own.exactly(address, port) or self._own.within(address):
            return f"{address} port {port} is our own listener, and probing.allow does not list that exact address"
        return ""

    def _wrapped_refusal(self, address: Address, port: int) -> str:
        for wrapped in _wrapped(address) if isinstance(address, ipaddress.IPv6Address) else ():
            if refusal := self._refusal(wrapped, port):
                return f"{address} leads to {wrapped}: {refusal}"
        return ""


def _in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _public(address: Address) -> bool:
    """Unicast that is routed on the internet, by the registries above."""
    if isinstance(address, ipaddress.IPv4Address):
        return not _in(address, _SPECIAL_V4)
    return address in _PUBLIC_V6 and not _in(address, _SPECIAL_V6)


def _wrapped(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that a transition mechanism would send this address's packets to."""
    number = int(address)
    low = number & 0xFFFF_FFFF
    if _in(address, _EMBEDDING) and number > 1:
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


def _place(text: str) -> tuple[Network, int | None]:
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
    return network, port


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
