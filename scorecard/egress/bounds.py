"""Sockets that end by a deadline and a budget, whatever the other side does.

The timeout of `requests` and of a socket counts anew with every receive, so that a target that drips is read for ever.
Here each receive is given what is left of one deadline, and what it returns is taken off one budget.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class OverBudgetError(OSError):
    """More bytes came than the caller wants."""


class PastDeadlineError(TimeoutError):
    """The deadline has passed."""


class Bounds:
    """The deadline and the budget of the request that this thread is at."""

    def __init__(self) -> None:
        self._local = threading.local()

    @contextmanager
    def set(self, seconds: float, budget: int) -> Iterator[None]:
        """Begin a request that may take so many seconds and receive so many bytes."""
        self._local.end = time.monotonic() + seconds
        self._local.seconds = seconds
        self._local.left = self._local.budget = budget
        try:
            yield
        finally:
            self._local.end = 0.0

    @property
    def seconds(self) -> float:
        """Seconds that are left, always over 0.

        Raises:
            PastDeadlineError: none are left, or no request is under way.
        """
        left: float = getattr(self._local, "end", 0.0) - time.monotonic()
        if left <= 0:
            raise PastDeadlineError(f"not complete within {getattr(self._local, 'seconds', 0):g} s")
        return left

    def took(self, count: int) -> int:
        """Take received bytes off the budget.

        Raises:
            OverBudgetError: there were more.
        """
        self._local.left -= count
        if self._local.left < 0:
            raise OverBudgetError(f"the answer is over {self._local.budget} bytes")
        return count


class BoundedSocket(socket.socket):
    """A plain socket; `http.client` receives with `recv_into` and sends with `sendall`."""

    bounds: Bounds

    def recv_into(self, *arguments: Any) -> int:  # noqa: ANN401 - as socket's
        """Receive within what is left."""
        self.settimeout(self.bounds.seconds)
        return self.bounds.took(super().recv_into(*arguments))

    def sendall(self, *arguments: Any) -> None:  # noqa: ANN401 - as socket's
        """Send within what is left."""
        self.settimeout(self.bounds.seconds)
        super().sendall(*arguments)

    def connect(self, address: Any) -> None:  # noqa: ANN401 - as socket's
        """Connect within what is left."""
        self.settimeout(self.bounds.seconds)
        super().connect(address)


class BoundedTLSSocket(ssl.SSLSocket):
    """The same over TLS. Its handshake runs within the timeout of the plain socket, which `connect` has set."""

    bounds: Bounds

    def recv_into(self, *arguments: Any) -> int:  # noqa: ANN401 - as socket's
        """Receive within what is left."""
        self.settimeout(self.bounds.seconds)
        return self.bounds.took(super().recv_into(*arguments))

    def sendall(self, *arguments: Any) -> None:  # noqa: ANN401 - as socket's
        """Send within what is left."""
        self.settimeout(self.bounds.seconds)
        super().sendall(*arguments)

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as SSLSocket's
        """Shake hands within what is left."""
        self.settimeout(self.bounds.seconds)
        super().do_handshake(block)
