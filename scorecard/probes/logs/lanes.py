"""Many questions to many logs with few threads: each log store has a lane, and waits for no other."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from scorecard.model import Cause
from scorecard.probes.logs.source import Source, SourceError

MOST_THREADS = 16
_PER_LANE = 4
_GIVE_UP_AFTER = 3
"""Questions in a row that a store left without an answer; then it is left alone for a while."""
_LEFT_ALONE = 5.0
"""Seconds; whoever waits for a line may find the store up again."""
_NO_ANSWER = frozenset({Cause.TIMEOUT, Cause.UNREACHABLE, Cause.RATE_LIMITED})

T = TypeVar("T")


class Lanes:
    """The lanes of one run. Leaving the context ends what has not begun."""

    def __init__(self, lanes: Collection[str]) -> None:
        """Make a lane for each name; threads begin with the first question."""
        names = set(lanes)
        threads = max(1, min(_PER_LANE, MOST_THREADS // max(1, len(names))))
        self._pools = {name: ThreadPoolExecutor(threads, thread_name_prefix=f"logs {name}") for name in names}
        self._silent: defaultdict[str, list[tuple[float, SourceError]]] = defaultdict(list)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def submit(self, source: Source, ask: Callable[[], T]) -> Future[T]:
        """Ask in the source's lane."""
        return self._pools[source.lane].submit(self._ask, source.lane, ask)

    def _ask(self, lane: str, ask: Callable[[], T]) -> T:
        with self._lock:
            silent = self._silent[lane]
            if len(silent) >= _GIVE_UP_AFTER and time.monotonic() - silent[-1][0] < _LEFT_ALONE:
                last = silent[-1][1].unavailable
                raise SourceError(
                    last.cause, f"{lane} was not asked: its last {len(silent)} questions failed; {last.detail}"
                )
        try:
            answer = ask()
        except SourceError as error:
            if error.unavailable.cause in _NO_ANSWER:
                with self._lock:
                    self._silent[lane].append((time.monotonic(), error))
            raise
        with self._lock:
            self._silent[lane].clear()
        return answer
