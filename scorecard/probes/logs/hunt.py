"""Searching many logs for many requests at once: one loop, no thread that waits.

In a scheduled run each log is looked into once, for a request of the run before. Where somebody waits, it is looked
into again and again, ever more slowly, until the line is there or the log's lag limit is over.
"""

from __future__ import annotations

import heapq
import itertools
import math
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scorecard.evidence import Unavailable
from scorecard.evidence.logs import LogSystem, Search, Trace
from scorecard.model import Cause, ServiceKey
from scorecard.probes.logs.lanes import Lanes
from scorecard.probes.logs.source import BEFORE, Source, SourceError
from scorecard.probes.logs.verify import Wanted, look, newer, request_seen

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0
_SLOWER = 1.6
_STALL = 120.0
"""Seconds without an answer from any log, after which those that are left are given up."""
_TOLD_EVERY = 1.0
HOPELESS = frozenset({Cause.ACCESS_DENIED, Cause.NOT_CONFIGURED, Cause.PROBE_ERROR})
_MOST_ERRORS = 6
"""In a row, over about three seconds; a store that is throttled is waited for as long as it takes."""
_PROMISING = frozenset({Trace.UNDER_ANOTHER_KEY, Trace.IN_TEXT, Trace.ANOTHER_SERVICE})
"""Another line of the same request may show more."""


@dataclass(slots=True, kw_only=True)
class Hunt:
    """One request and one log."""

    owner: ServiceKey
    """Whose request it is."""
    source: Source
    wanted: Wanted
    mark: str
    by_path: bool
    """The log is that of the service which was asked, so that the request's line can be told by its path."""
    began: float | None = None
    """On the monotonic clock; None where the request was sent in an earlier run."""
    until: float = 0.0
    """Then is the last look; 0 for one look at once."""
    missed: float = 0.0
    """Seconds after which an earlier run looked in vain."""
    result: Search | Unavailable | None = None
    asked_at: float = 0.0
    """When the look that is under way began, on the monotonic clock."""
    _wait: float = _FIRST_WAIT
    _not_before: float = field(default=0.0)
    _promising: bool = False
    _errors: int = 0

    def next_look(self, now: float) -> float:
        """When to look again."""
        due = min(now + self._wait, self.until)
        self._wait = min(self._wait * _SLOWER, _LONGEST_WAIT)
        return due

    def take(self, seen: Search | SourceError, looked: float, now: float, *, last: bool) -> bool:
        """Keep what a look showed; True where that settles it."""
        if isinstance(seen, SourceError):
            self.result = seen.unavailable
            self._errors += seen.unavailable.cause is not Cause.RATE_LIMITED
            return last or seen.unavailable.cause in HOPELESS or self._errors >= _MOST_ERRORS
        self._errors = 0
        if self.began is not None:
            seen = replace(seen, lag=round(now - self.began, 3), lag_at_least=round(self._not_before, 3))
        self.result = seen
        if last or seen.trace in {Trace.IN_FIELD, Trace.INVENTED}:
            return True
        if seen.trace in _PROMISING:
            if not self._promising:
                self._promising = True
                self.until = min(self.until, now + max(1.0, (self.until - (self.began or now)) / 10))
        elif self.began is not None:
            self._not_before = max(self._not_before, looked - self.began)
        return False


def run(
    hunts: Iterable[Hunt], lanes: Lanes, clock: Callable[[], datetime], tell: Callable[[str], None]
) -> Iterator[Hunt]:
    """Yield each hunt once it is settled; its result is set then."""
    number = itertools.count()
    due = [(0.0, next(number), hunt) for hunt in hunts]
    done: queue.SimpleQueue[tuple[Hunt, Future[Search], float, bool]] = queue.SimpleQueue()
    under_way: dict[int, Hunt] = {}
    told = 0.0
    while due or under_way:
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, hunt = heapq.heappop(due)
            under_way[id(hunt)] = hunt
            _look(hunt, lanes, clock, done, now)
        if now - told >= _TOLD_EVERY:
            told = now
            tell(_words([*under_way.values(), *(hunt for _, _, hunt in due)], now))
        pause = min(due[0][0] - now, _TOLD_EVERY) if due else (_TOLD_EVERY if under_way else 0.0)
        try:
            hunt, future, looked, last = done.get(timeout=max(0.001, pause))
        except queue.Empty:
            yield from _given_up(under_way, now)
            continue
        if under_way.pop(id(hunt), None) is None:
            continue
        now = time.monotonic()
        if hunt.take(_outcome(future), looked, now, last=last):
            yield hunt
        else:
            heapq.heappush(due, (hunt.next_look(now), next(number), hunt))


def _look(
    hunt: Hunt,
    lanes: Lanes,
    clock: Callable[[], datetime],
    done: queue.SimpleQueue[tuple[Hunt, Future[Search], float, bool]],
    now: float,
) -> None:
    last = now >= hunt.until
    hunt.asked_at = now
    future = lanes.submit(hunt.source, lambda: search(hunt, clock(), last=last))
    future.add_done_callback(lambda ended: done.put((hunt, ended, now, last)))


def _given_up(under_way: dict[int, Hunt], now: float) -> Iterator[Hunt]:
    for key, hunt in list(under_way.items()):
        if now - hunt.asked_at > _STALL:
            del under_way[key]
            hunt.result = Unavailable(Cause.TIMEOUT, f"{hunt.source.name}: no answer within {_STALL:g} s")
            yield hunt


def _words(hunts: list[Hunt], now: float) -> str:
    left = max((hunt.until - now for hunt in hunts), default=0.0)
    lines = f"{len(hunts)} log line{'' if len(hunts) == 1 else 's'}"
    return f"waiting for {lines}, {math.ceil(left)} s at most" if left > 0 else f"searching for {lines}"


def _outcome(future: Future[Search]) -> Search | SourceError:
    try:
        return future.result()
    except SourceError as error:
        return error
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever one log makes us raise must not end the others
        return SourceError(Cause.PROBE_ERROR, f"a bug in the log probe: {type(error).__name__}: {str(error)[:200]}")


def search(hunt: Hunt, now: datetime, *, last: bool) -> Search:
    """Look once. The last look also finds out what is there instead of the id.

    Raises:
        SourceError: the log did not answer.
    """
    wanted, source = hunt.wanted, hunt.source
    found = source.find((wanted.sent.control_id, *wanted.ids), hunt.mark, now)
    seen = _timed(look(found.lines, wanted, cut=found.cut), hunt, now)
    if not last or seen.trace is not Trace.NO_LINE:
        return seen
    rest = source.find((), _near(hunt), now)
    seen = replace(seen, lines=max(seen.lines, len(rest.lines)))
    if hunt.by_path and not found.cut and request_seen(rest.lines, wanted):
        return replace(seen, trace=Trace.WITHOUT_ID)
    if not rest.cut and not newer(rest.lines, wanted.sent.sent_at - timedelta(seconds=1)):
        return replace(seen, trace=Trace.NOTHING_NEWER)
    return seen


def _timed(seen: Search, hunt: Hunt, now: datetime) -> Search:
    """How late the line of an earlier run's request was: by the store's word or its own, where that can be true.

    It was there when we look now, and was not when we looked in vain. A clock that is ahead makes no line late.
    """
    if hunt.began is not None or seen.trace is Trace.NO_LINE:
        return seen
    by_now = (now - hunt.wanted.sent.sent_at).total_seconds()
    said = max(0.0, seen.lag) if seen.lag is not None and seen.lag <= by_now else None
    return replace(seen, lag=said, lag_at_least=max(hunt.missed, said or 0.0))


def _near(hunt: Hunt) -> str:
    """From where the lines around the request are read: a log store may hold many before it."""
    if hunt.source.system is LogSystem.FILE:
        return hunt.mark
    return hunt.source.mark(hunt.wanted.sent.sent_at + BEFORE - timedelta(seconds=2))
