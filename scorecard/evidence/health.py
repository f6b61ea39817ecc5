"""What a service's own endpoints answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from scorecard.evidence.base import Evidence, Unavailable
from scorecard.model import Cadence, Scope


class Reply(StrEnum):
    """How one request to a service ended."""

    ANSWERED = "answered"
    """A complete, well-formed HTTP answer; `status` is set."""
    BROKEN = "broken"
    """The target answered and broke the protocol: bad framing, a body past the budget, HTTP/0.9, 1xx as the end."""
    REFUSED = "refused"
    """Connection refused or reset."""
    TIMED_OUT = "timed_out"
    """Not complete within the deadline."""
    TLS_FAILED = "tls_failed"
    """The certificate or the handshake was refused."""
    NOT_SENT = "not_sent"
    """Our own policy, resolver or resources stood in the way; nothing is said about the target."""
    NAME_FAILED = "name_failed"
    """The name does not resolve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One GET: what was asked and how it ended."""

    url: str
    reply: Reply
    status: int = 0
    """HTTP status; 0 unless `reply` is ANSWERED."""
    milliseconds: float = 0.0
    """From the first byte sent to the last received, without our own queueing."""
    detail: str = ""
    """What went wrong, in words: `connection refused`, `no status line within 5 s`."""
    content_type: str = ""
    login_page: bool = False
    """The body is an HTML page that asks for a sign-in."""
    html: bool = False
    """The body is an HTML document."""
    well_formed: bool = False
    """The body is JSON, or short plain text: something a health endpoint says on purpose."""
    location: str = ""
    """Where a redirect points; it was not followed."""
    certificate_expires_in: float | None = None
    """Days the server certificate is still valid, for https."""
    reached_before: bool = False
    """An earlier sample was answered from here, so that silence now says something about the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthEndpoints(Evidence):
    """Liveness and readiness, one GET each, no redirects, over one fresh connection."""

    cadence: ClassVar[Cadence] = Cadence.LIVE
    scope: ClassVar[Scope] = Scope.LIVE
    window: ClassVar[int] = 20

    liveness: Endpoint | Unavailable
    readiness: Endpoint | Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPath(Evidence):
    """A path that cannot exist on each health host, asked once a day: does the host say 200 to everything?"""

    cadence: ClassVar[Cadence] = Cadence.LIVE
    scope: ClassVar[Scope] = Scope.LIVE
    max_age: ClassVar[timedelta | None] = timedelta(hours=48)

    endpoints: tuple[Endpoint, ...]
    """One GET of a random path for each distinct host of the two endpoints."""
