"""Thousands of GETs at once: libcurl's multi interface with its socket and timer callbacks on epoll.

A sweep runs in a thread of its own, so that a caller who is slow between two answers neither adds to a target's latency
nor lets its deadline pass. The deadline of a GET counts from the lookup of its name and stops while it waits for us.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import certifi
import pycurl

from scorecard.egress.answer import Get, Got
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.sweep import Limits, Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberSettings:
    """What the operator sets."""

    timeout: timedelta = timedelta(seconds=5)
    """Total, from the lookup of the name to the last byte."""
    concurrency: int = 200
    """GETs under way. One that is not answered after a moment gives its place away and goes on."""
    ca_file: str | None = None
    """Certificates of authorities, PEM; Mozilla's by certifi unless given."""
    waiting: int = 4000
    """GETs that may be under way in all, those that gave their place away included."""


@dataclass(slots=True)
class Prober:
    """Sends GETs to declared addresses, under one address policy. Safe to share between threads."""

    policy: AddressPolicy
    resolver: Resolver
    settings: ProberSettings
    clock: Callable[[], datetime]
    """The wall clock, for the days that a certificate has left."""
    _idle: list[Any] = field(default_factory=list, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def get_many(self, requests: Iterable[Get]) -> Iterator[Got]:
        """Send each GET once and yield each answer as it arrives, in any order.

        Each ends within the deadline of the settings plus 0.3 s of its start, whatever the target does. Nothing is
        followed, nothing is remembered between two calls. Closing the iterator ends what is under way.
        """
        gets = tuple(requests)
        if not gets:
            return
        answers: queue.SimpleQueue[list[Got] | BaseException | None] = queue.SimpleQueue()
        multi = self._take_multi()
        sweep = Sweep(multi, self.policy, self.resolver, self._limits(), self.clock)
        thread = threading.Thread(target=_run, args=(sweep, gets, answers.put), name="prober", daemon=True)
        thread.start()
        try:
            while (batch := answers.get()) is not None:
                if isinstance(batch, BaseException):
                    raise batch
                yield from batch
        finally:
            sweep.cancel()
            thread.join()
            self._give_back(multi, clean=sweep.clean)

    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(
            deadline=settings.timeout.total_seconds(),
            starting=settings.concurrency,
            waiting=max(settings.waiting, settings.concurrency),
            ca_file=settings.ca_file or certifi.where(),
        )

    def _take_multi(self) -> Any:  # noqa: ANN401 - pycurl.CurlMulti
        """A multi handle of ours that no sweep uses; it holds the parsed CA file, which costs 20 ms to read."""
        with self._lock:
            return self._idle.pop() if self._idle else pycurl.CurlMulti()

    def _give_back(self, multi: Any, *, clean: bool) -> None:  # noqa: ANN401 - pycurl.CurlMulti
        """Keep a handle in which no connection is left over; close any other."""
        with self._lock:
            if clean and len(self._idle) < 2:  # noqa: PLR2004 - a worker sweeps in one thread, the CLI in another
                self._idle.append(multi)
                return
        multi.close()


def _run(sweep: Sweep, gets: tuple[Get, ...], put: Callable[[list[Got] | BaseException | None], None]) -> None:
    try:
        sweep.run(gets, put)
    except BaseException as error:  # noqa: BLE001 - it is raised again where the answers are read
        put(error)
    finally:
        put(None)
