"""Looks in two lanes, so that addresses that hang hold up no others.

Those that were slow last time have a lane of their own. One that becomes slow now gives its place among the beginners
away, so that the others go on as if it were not there.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
Answer = TypeVar("Answer")


@dataclass(slots=True, eq=False)
class _UnderWay(Generic[T]):
    """One that was begun."""

    target: T
    began: float
    slow: bool
    young: bool


@dataclass(slots=True)
class Lanes(Generic[T, Answer]):
    """Calls `look` for every target, each in a thread; made anew for each sweep."""

    look: Callable[[T], Answer]
    beginners: int
    """Calls under way that are younger than `patience`; calls are CPU work at first."""
    most: int
    """Calls under way in each lane; all but the beginners only wait."""
    patience: float
    """Seconds after which a call gives its place among the beginners away."""
    clock: Callable[[], float] = time.monotonic
    _young: deque[_UnderWay[T]] = field(default_factory=deque)
    _starting: int = 0
    _under_way: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})

    def run(self, fast: Iterable[T], slow: Iterable[T]) -> Iterator[tuple[T, Future[Answer], float]]:
        """Targets with what came of them and the seconds it took, as they end."""
        waiting = {False: deque(fast), True: deque(slow)}
        ended: queue.SimpleQueue[tuple[_UnderWay[T], Future[Answer]]] = queue.SimpleQueue()
        threads = sum(min(self.most, len(lane)) for lane in waiting.values())
        pool = ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix="tls")
        left = sum(map(len, waiting.values()))
        try:
            while left:
                for lane in (False, True):
                    while waiting[lane] and self._may_begin(slow=lane):
                        one = self._begun(waiting[lane].popleft(), slow=lane)
                        pool.submit(self.look, one.target).add_done_callback(
                            lambda done, one=one: ended.put((one, done))  # type: ignore[misc] # bound as it is now
                        )
                try:
                    one, done = ended.get(timeout=self._pause(waiting[False]))
                except queue.Empty:
                    continue
                left -= 1
                self._end(one)
                yield one.target, done, self.clock() - one.began
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _may_begin(self, *, slow: bool) -> bool:
        self._lose_patience()
        return self._under_way[slow] < self.most and (slow or self._starting < self.beginners)

    def _begun(self, target: T, *, slow: bool) -> _UnderWay[T]:
        one = _UnderWay(target, self.clock(), slow, young=not slow)
        self._under_way[slow] += 1
        if one.young:
            self._starting += 1
            self._young.append(one)
        return one

    def _end(self, one: _UnderWay[T]) -> None:
        self._under_way[one.slow] -= 1
        self._grow_old(one)

    def _lose_patience(self) -> None:
        limit = self.clock() - self.patience
        while self._young and (not self._young[0].young or self._young[0].began <= limit):
            self._grow_old(self._young.popleft())

    def _grow_old(self, one: _UnderWay[T]) -> None:
        if one.young:
            one.young = False
            self._starting -= 1

    def _pause(self, waiting: deque[T]) -> float | None:
        """Seconds until the oldest beginner gives its place away, where somebody waits for it."""
        if not (waiting and self._young) or self._under_way[False] >= self.most:
            return None
        return max(0.001, self._young[0].began + self.patience - self.clock())
