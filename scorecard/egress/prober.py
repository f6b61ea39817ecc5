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
from scorecard.egress.transfer import Transfer

_KEPT = 2
"""Engines that are kept: a worker sweeps in one thread at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberSettings:
    """What the operator sets."""

    timeout: timedelta = timedelta(seconds=5)
    """Total, from the lookup of the name to the last byte."""
    concurrency: int = 200
    """GETs under way. One that is not answered after a moment gives its place away and goes on."""
    ca_file: str | None = None
    """Certificates of authorities, PEM; Mozilla's by certifi unless given."""
    waiting: int = 16_000
    """GETs that may be under way in all, those that gave their place away included; fewer where descriptors are few."""


@dataclass(slots=True)
class _Engine:
    """What is kept between two sweeps: handles that are set up, and in the multi handle the parsed CA file (20 ms)."""

    multi: Any = field(default_factory=pycurl.CurlMulti)
    free: list[Transfer] = field(default_factory=list)

    def close(self) -> None:
        """Free all."""
        for transfer in self.free:
            transfer.close()
        self.multi.close()


@dataclass(slots=True)
class Prober:
    """Sends GETs to declared addresses, under one address policy. Safe to share between threads."""

    policy: AddressPolicy
    resolver: Resolver
    settings: ProberSettings
    clock: Callable[[], datetime]
    """The wall clock, for the days that a certificate has left."""
    _idle: list[_Engine] = field(default_factory=list, init=False)
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
        engine = self._take()
        sweep = Sweep(engine.multi, self.policy, self.resolver, self._limits(), self.clock, engine.free)
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
            self._give_back(engine, clean=sweep.clean)

    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(
            deadline=settings.timeout.total_seconds(),
            starting=settings.concurrency,
            waiting=max(settings.waiting, settings.concurrency),
            ca_file=settings.ca_file or certifi.where(),
        )

    def _take(self) -> _Engine:
        """An engine that no sweep uses."""
        with self._lock:
            return self._idle.pop() if self._idle else _Engine()

    def _give_back(self, engine: _Engine, *, clean: bool) -> None:
        """Keep an engine in which no connection is left over; close any other."""
        while len(engine.free) > self.settings.concurrency:
            engine.free.pop().close()
        with self._lock:
            if clean and len(self._idle) < _KEPT:
                self._idle.append(engine)
                return
        engine.close()


def _run(sweep: Sweep, gets: tuple[Get, ...], put: Callable[[list[Got] | BaseException | None], None]) -> None:
    try:
        sweep.run(gets, put)
    except BaseException as error:  # noqa: BLE001 - it is raised again where the answers are read
        put(error)
    finally:
        put(None)
