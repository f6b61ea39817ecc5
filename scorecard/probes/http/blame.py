"""Blaming ourselves first: when a control target of ours fails together with many targets, it is our fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from scorecard.egress.answer import TRANSPORT, Get, Got
from scorecard.egress.target import BadTargetError, read_target
from scorecard.evidence.health import Reply
from scorecard.model import Cause

_TARGETS = 10
_HOSTS = 3
"""Targets on as many hosts must fail together with a control target before we suspect ourselves."""
_EVERY = 50
"""One control GET is sent among as many others, so that a short fault of ours is seen too."""
_AGAIN = 32
"""Control GETs sent at the end when many targets failed: at a loss of 10 % one of them fails 97 times in 100."""


@dataclass(frozen=True, slots=True)
class ControlKey:
    """The key of a control GET."""

    number: int


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A run in which we blame ourselves."""

    control: str
    """The control target that failed."""
    detail: str
    """How it failed."""
    targets: int
    hosts: int
    tls: bool
    """The control target failed in the TLS handshake, so that our certificates or our clock may be wrong."""

    @property
    def words(self) -> str:
        """For the findings and for the alert."""
        return (
            f"our own control target {self.control} failed ({self.detail}) together with {self.targets} targets on "
            f"{self.hosts} hosts"
        )


@dataclass(slots=True)
class Controls:
    """The control targets of one sweep and how they fared."""

    urls: Sequence[str]
    _sent: int = 0
    _failed: list[Got] = field(default_factory=list)

    def among(self, gets: Iterable[Get]) -> Iterator[Get]:
        """Yield the GETs with control GETs among them, the first at the beginning."""
        since, group = _EVERY, None
        for get in gets:
            # Never between two GETs of one group, for these share a connection only when they follow one another.
            if self.urls and since >= _EVERY and (get.group is None or get.group != group):
                yield self._next()
                since = 0
            since, group = since + 1, get.group
            yield get

    def again(self) -> Iterator[Get]:
        """Yield the control GETs at the end."""
        for _ in range(_AGAIN if self.urls else 0):
            yield self._next()

    def take(self, got: Got) -> bool:
        """Keep the answer of a control GET; False for any other."""
        if not isinstance(got.key, ControlKey):
            return False
        if doubtful(got) or got.reply is Reply.TLS_FAILED:
            self._failed.append(got)
        return True

    def suspicion(self, failed: Iterable[Got]) -> Suspicion | None:
        """What to make of it, given the targets that failed in transport."""
        if not self._failed:
            return None
        tls = any(got.reply is Reply.TLS_FAILED for got in self._failed)
        targets, hosts = _spread(got for got in failed if tls or got.reply is not Reply.TLS_FAILED)
        if targets < _TARGETS or hosts < _HOSTS:
            return None
        first = self._failed[0]
        return Suspicion(first.url, first.detail, targets, hosts, tls)

    def _next(self) -> Get:
        self._sent += 1
        return Get(key=ControlKey(self._sent), url=self.urls[self._sent % len(self.urls)])


def doubtful(got: Got) -> bool:
    """Whether the ending could be our own network's fault."""
    return got.reply in TRANSPORT or (got.reply is Reply.NOT_SENT and got.cause is Cause.SCORECARD_FAULT)


def many(failed: Iterable[Got]) -> bool:
    """Whether so much failed that the control targets are worth asking again."""
    targets, hosts = _spread(failed)
    return targets >= _TARGETS and hosts >= _HOSTS


def _spread(failed: Iterable[Got]) -> tuple[int, int]:
    urls = [got.url for got in failed]
    return len(urls), len({_host(url) for url in set(urls)})


def _host(url: str) -> str:
    try:
        return read_target(url).host
    except BadTargetError:
        return url
