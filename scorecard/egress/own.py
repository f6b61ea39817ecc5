"""The address policy that a configuration comes to, with our own places in it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver

_POSTGRES_PORT = 5432
_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what others bind is read here, nothing is bound


def configured_policy(
    allow: Iterable[object], *, store: str = "", listen: str = "", resolver: Resolver
) -> AddressPolicy:
    """The policy of `probing.allow`, in which our own database is never reached, and our own listener only if listed.

    Args:
        allow: networks and addresses, as text or as `ipaddress` has them.
        store: the store's address; only a PostgreSQL has a place in the network.
        listen: `address:port` where we listen; a wildcard means the addresses of this machine's name.
        resolver: for the names in these two, each for at most a second.
    """
    places = own_places(store=store, listen=listen, resolver=resolver)
    return AddressPolicy.of(map(str, allow), never=places.never, own=places.own)


@dataclass(frozen=True, slots=True)
class OwnPlaces:
    """Our own places as `AddressPolicy.of` takes them; plain texts, for a child that makes a policy of its own."""

    never: tuple[str, ...] = ()
    """Our database."""
    own: tuple[str, ...] = ()
    """Where we listen."""


def own_places(*, store: str = "", listen: str = "", resolver: Resolver) -> OwnPlaces:
    """Our database and our listener, by address and port; the arguments are those of `configured_policy`."""
    return OwnPlaces(_database(store, resolver), _listener(listen, resolver))


def _database(store: str, resolver: Resolver) -> tuple[str, ...]:
    parts = urlsplit(store)
    if not parts.scheme.startswith("postgres") or not parts.hostname:
        return ()
    return _places(parts.hostname, parts.port or _POSTGRES_PORT, resolver)


def _listener(listen: str, resolver: Resolver) -> tuple[str, ...]:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit():
        return ()
    return _places(socket.gethostname() if host in _WILDCARDS else host, int(port), resolver)


def _places(host: str, port: int, resolver: Resolver) -> tuple[str, ...]:
    """`address:port` for each address of a host."""
    addresses = (host,) if _literal(host) else resolver.resolve(host, 1.0).addresses
    return tuple(f"[{one}]:{port}" if ":" in one else f"{one}:{port}" for one in addresses if "%" not in one)


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
