"""Connecting for urllib3: the name is resolved and judged by us, and that very address is dialled."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from scorecard.egress.bounds import BoundedSocket, BoundedTLSSocket, Bounds
from scorecard.egress.errors import NoAddressError, RefusedAddressError
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import NameState, Resolver


@dataclass(slots=True)
class Dialler:
    """Opens sockets under a policy and within the bounds of the request."""

    policy: AddressPolicy
    resolver: Resolver
    bounds: Bounds
    tls_socket: type[BoundedTLSSocket] = field(init=False)
    """The class that the TLS context makes sockets of."""
    _plain_socket: type[BoundedSocket] = field(init=False)

    def __post_init__(self) -> None:
        """Make classes that know their bounds, since the ssl module makes the instances."""
        self.tls_socket = type("TLSSocket", (BoundedTLSSocket,), {"bounds": self.bounds})
        self._plain_socket = type("PlainSocket", (BoundedSocket,), {"bounds": self.bounds})

    def dial(self, host: str, port: int) -> socket.socket:
        """A connected socket.

        Raises:
            RefusedAddressError: one of the addresses may not be connected to; none is tried then.
            NoAddressError: there is no address.
            OSError: no address answered; the last one's.
        """
        addresses = self._addresses(host)
        for address in addresses:
            if refusal := self.policy.refuses(address, port):
                raise RefusedAddressError(refusal if address == host else f"{host} leads to {address}: {refusal}")
        last = OSError("no address")
        for address in addresses:
            try:
                return self._connected(address, port)
            except TimeoutError:
                raise
            except OSError as error:
                last = error
        raise last

    def _addresses(self, host: str) -> tuple[str, ...]:
        try:
            return (str(ipaddress.ip_address(host)),)
        except ValueError:
            answer = self.resolver.resolve(host, self.bounds.seconds)
        if answer.state is not NameState.FOUND:
            raise NoAddressError(answer.detail)
        return answer.addresses

    def _connected(self, address: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        opened = self._plain_socket(family, socket.SOCK_STREAM)
        try:
            opened.connect((address, port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            opened.close()
            raise
        return opened


def pool_classes(dialler: Dialler) -> dict[str, Any]:
    """Pools by scheme whose connections are dialled by `dialler`."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return dialler.dial(self._dns_host, self.port)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return dialler.dial(self._dns_host, self.port or 443)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}
