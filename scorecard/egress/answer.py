"""One GET and how it ended, as values."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from scorecard.evidence.health import Reply
from scorecard.model import Cause

BODY_BUDGET = 65_536
"""Bytes of a body, on the wire and decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """One request for `Prober.get_many`."""

    key: Hashable
    """Comes back with the answer."""
    url: str
    group: Hashable = None
    """Requests that follow one another with the same group and the same origin may share one connection; None never."""
    headers: tuple[tuple[str, str], ...] = ()
    """Beside `User-Agent`, `Accept` and `Accept-Encoding: identity`."""
    budget: int = BODY_BUDGET
    """Bytes of the body, on the wire and decoded; one more and the answer is BROKEN."""
    slow: bool = False
    """It timed out last time: it waits in a lane of its own, in nobody's way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """How one request ended."""

    key: Hashable
    url: str
    """In the canonical spelling that was used, as far as it could be read."""
    reply: Reply
    status: int = 0
    """100 to 599 where `reply` is ANSWERED, else 0."""
    milliseconds: float = 0.0
    """From the start of the connection, or of the request on a shared one, to the last byte, by libcurl's timers."""
    detail: str = ""
    """What went wrong, in words."""
    cause: Cause | None = None
    """Why nothing was sent, for NOT_SENT: the address or `probing.allow`, our own resources, or an error of ours."""
    headers: tuple[tuple[str, str], ...] = ()
    """Of the final answer, names in lower case, in order."""
    body: bytes = b""
    """Decoded; empty for a redirect, whose body is never read."""
    address: str = ""
    """The address that was connected to."""
    certificate_expires_in: float | None = None
    """Days, for https where the certificate was seen."""

    def header(self, name: str) -> str:
        """The first value of a header, empty when there is none."""
        return next((value for key, value in self.headers if key == name), "")


TRANSPORT = frozenset({Reply.REFUSED, Reply.TIMED_OUT, Reply.NAME_FAILED})
"""Endings that our own network could have caused as well as the target."""
