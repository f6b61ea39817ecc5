"""What earlier samples say about an address: whether it ever answered here, and whether it was silent last time."""

from __future__ import annotations

from dataclasses import dataclass

from scorecard.egress.target import BadTargetError, read_target
from scorecard.evidence import Window
from scorecard.evidence.health import Endpoint, HealthEndpoints, Reply

_SPOKE = frozenset({Reply.ANSWERED, Reply.BROKEN, Reply.TLS_FAILED})


@dataclass(frozen=True, slots=True)
class Past:
    """Addresses as `Endpoint.url` has them."""

    reached: frozenset[str] = frozenset()
    """Something at this address spoke to us once: now its silence says something about it."""
    silent: frozenset[str] = frozenset()
    """Its last sample timed out."""

    def was_silent(self, url: str) -> bool:
        """Whether the address, as it was declared, timed out last time."""
        try:
            return bool(self.silent) and read_target(url).url in self.silent
        except BadTargetError:
            return False


def past(window: Window[HealthEndpoints] | None) -> Past:
    """Read the window: the newest sample of an address carries what was known before it (`reached_before`)."""
    newest: dict[str, Endpoint] = {}
    for sample in reversed(window.samples) if window else ():
        if isinstance(sample.value, HealthEndpoints):
            for endpoint in (sample.value.liveness, sample.value.readiness):
                if isinstance(endpoint, Endpoint):
                    newest.setdefault(endpoint.url, endpoint)
    return Past(
        frozenset(url for url, one in newest.items() if one.reached_before or one.reply in _SPOKE),
        frozenset(url for url, one in newest.items() if one.reply is Reply.TIMED_OUT),
    )
