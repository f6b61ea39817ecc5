"""GETs that may share a connection, and the names that they wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from scorecard.egress.answer import Get
from scorecard.egress.resolver import NameState, Resolution, Resolver, silent
from scorecard.egress.target import Target


@dataclass(slots=True)
class Chain:
    """GETs of one group to one origin, which may go over one connection, one after another."""

    gets: deque[tuple[Get, Target]]
    addresses: tuple[str, ...] = ()
    """Judged addresses of the name; empty for a literal."""
    spent: float = 0.0
    """Seconds of the deadline that the lookup took."""
    shares: tuple[str, str, int] | None = None
    """The origin whose connection is kept between the GETs; one chain at a time, so that no other group gets it."""
    parted: bool = False
    """The rest went over another connection, since the first GET took long."""
    begun: bool = False
    """The first GET was sent."""
    certificate: float | None = None
    """Days left, seen by the first GET."""

    @property
    def target(self) -> Target:
        """Where the next GET goes; all of them share its origin."""
        return self.gets[0][1]

    @property
    def slow(self) -> bool:
        """Whether it waits in the lane of those that timed out last time."""
        return self.gets[0][0].slow


def chains(pairs: Iterable[tuple[Get, Target]]) -> Iterator[Chain]:
    """Put GETs that follow one another with the same group and the same origin together."""
    alone = iter(range(1 << 62))

    def shared(pair: tuple[Get, Target]) -> object:
        get, target = pair
        return next(alone) if get.group is None or get.slow else (get.group, target.origin)

    for _, group in groupby(pairs, key=shared):
        yield Chain(deque(group))


@dataclass(slots=True)
class _Name:
    chains: list[Chain]
    began: float = 0.0


@dataclass(slots=True)
class Names:
    """Asks for each name once, a few at a time, and gives up on each at the deadline."""

    resolver: Resolver
    deadline: float
    wake: Callable[[], None]
    """Called from a thread of the pool when an answer is there."""
    _waiting: dict[str, _Name] = field(default_factory=dict)
    _unasked: deque[str] = field(default_factory=deque)
    _answered: deque[tuple[str, Resolution]] = field(default_factory=deque)

    def add(self, chain: Chain) -> None:
        """Let a chain wait for its name."""
        host = chain.target.host
        if host not in self._waiting:
            self._waiting[host] = _Name([])
            self._unasked.append(host)
        self._waiting[host].chains.append(chain)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def turn(self, now: float) -> Iterator[tuple[Chain, Resolution]]:
        """Start lookups while threads are free, and yield the chains whose wait is over."""
        self._start(now)
        while self._answered:
            yield from self._end(*self._answered.popleft(), now)
        late = [host for host, name in self._waiting.items() if name.began and now - name.began > self.deadline]
        for host in late:
            yield from self._end(host, silent(host, self.deadline), now)
        if self._unasked and self.resolver.stuck:
            # Nothing will become free in time: say so now, for the probes of literals must not wait for this.
            while self._unasked:
                yield from self._end(self._unasked.popleft(), self.resolver.full(), now)

    def next_due(self, now: float) -> float | None:
        """Seconds until a lookup runs out of time, or None."""
        begun = [name.began for name in self._waiting.values() if name.began]
        return max(0.0, min(begun) + self.deadline - now) if begun else None

    def _start(self, now: float) -> None:
        while self._unasked:
            host = self._unasked[0]
            if not self.resolver.start(host, lambda answer, host=host: self._take(host, answer)):  # type: ignore[misc]
                return
            self._unasked.popleft()
            self._waiting[host].began = now

    def _take(self, host: str, answer: Resolution) -> None:
        self._answered.append((host, answer))
        self.wake()

    def _end(self, host: str, answer: Resolution, now: float) -> Iterator[tuple[Chain, Resolution]]:
        name = self._waiting.pop(host, None)
        if name is None:
            return  # it came after we gave up
        for chain in name.chains:
            chain.spent = now - name.began if name.began else 0.0
            if answer.state is NameState.FOUND:
                chain.addresses = answer.addresses
            yield chain, answer
