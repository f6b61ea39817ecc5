"""The address policy that a configuration comes to, with our own places in it."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver

_POSTGRES_PORT = 5432


def configured_policy(
    allow: Iterable[object], *, store: str = "", listeners: Iterable[str] = (), resolver: Resolver
) -> AddressPolicy:
    """The policy of `probing.allow`, in which our own database is never reached.

    Args:
        allow: networks and addresses, as text or as `ipaddress` has them.
        store: the store's address; the host of a PostgreSQL is resolved once, for at most a second.
        listeners: `address:port` where we listen.
        resolver: for the store's host.
    """
    return AddressPolicy.of(map(str, allow), never=_database(store, resolver), own=listeners)


def _database(store: str, resolver: Resolver) -> tuple[str, ...]:
    """The addresses and the port of the store, where it is a server that is reached by network."""
    parts = urlsplit(store)
    if not parts.scheme.startswith("postgres") or not parts.hostname:
        return ()
    port = parts.port or _POSTGRES_PORT
    addresses = resolver.resolve(parts.hostname, 1.0).addresses
    return tuple(f"[{one}]:{port}" if ":" in one else f"{one}:{port}" for one in addresses if "%" not in one)
