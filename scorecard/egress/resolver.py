"""Resolving names in a small pool of our own, since `getaddrinfo` cannot be given a deadline.

A lookup that is given up keeps its thread until the system's resolver returns; when every thread is kept so, the pool
is full, and callers are told so at once instead of waiting behind a resolver that is silent.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Lookup = Callable[[str], tuple[str, ...]]
"""Name to addresses, best first; raises `socket.gaierror` as `getaddrinfo` does."""


class NameState(StrEnum):
    """How a lookup ended."""

    FOUND = "found"
    MISSING = "missing"
    """The resolver said that there is no such name."""
    FAILED = "failed"
    """The resolver did not say: silent, broken, or our pool is full. Nothing is known about the name."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name led to."""

    state: NameState
    addresses: tuple[str, ...] = ()
    detail: str = ""


Done = Callable[[Resolution], None]


@dataclass(slots=True)
class _Lookup:
    name: str
    done: Done
    started: float = 0.0


def system_lookup(name: str) -> tuple[str, ...]:
    """The addresses of a name by the system's resolver, in the order of RFC 6724, each once."""
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return tuple(dict.fromkeys(_text(answer[4]) for answer in answers))


def _text(address: tuple[object, ...]) -> str:
    """The address in text, with its zone where it has one (glibc leaves it out of the text for numeric zones)."""
    text = str(address[0])
    zone = address[3] if len(address) == 4 else 0  # noqa: PLR2004 - (address, port, flow, zone) of AF_INET6
    return f"{text}%{zone}" if zone and "%" not in text else text


class Resolver:
    """A bounded pool of threads around a lookup that may never return. Safe to share between threads."""

    def __init__(self, *, lookup: Lookup = system_lookup, threads: int = 32, deadline: float = 5.0) -> None:
        """Make the pool; threads start as they are needed.

        Args:
            lookup: what asks the system.
            threads: how many lookups run at a time.
            deadline: seconds after which a running lookup counts as stuck.
        """
        self._lookup = lookup
        self._threads = threads
        self.deadline = deadline
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Lookup] = queue.SimpleQueue()
        self._running: set[int] = set()
        self._current: dict[int, _Lookup] = {}
        self._started = 0
        self._open = 0

    @property
    def free(self) -> int:
        """How many lookups could start now."""
        with self._lock:
            return self._threads - self._open

    @property
    def stuck(self) -> bool:
        """Whether every thread waits for a lookup that is past the deadline."""
        limit = time.monotonic() - self.deadline
        with self._lock:
            return self._open >= self._threads and all(0 < one.started < limit for one in self._current.values())

    def start(self, name: str, done: Done) -> bool:
        """Begin a lookup; `done` is called once, in a thread of the pool. False when no thread is free."""
        with self._lock:
            if self._open >= self._threads:
                return False
            self._open += 1
            lookup = _Lookup(name, done)
            self._current[id(lookup)] = lookup
            if self._started < self._open:
                self._started += 1
                threading.Thread(target=self._work, name=f"resolver-{self._started}", daemon=True).start()
        self._queue.put(lookup)
        return True

    def resolve(self, name: str, timeout: float) -> Resolution:
        """Look up and wait at most `timeout` seconds."""
        answers: queue.SimpleQueue[Resolution] = queue.SimpleQueue()
        end = time.monotonic() + timeout
        while not self.start(name, answers.put):
            if self.stuck or time.monotonic() > end:
                return self.full()
            time.sleep(0.005)
        try:
            return answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            return silent(name, timeout)

    def full(self) -> Resolution:
        """What is said when no thread is left."""
        return Resolution(
            NameState.FAILED, detail=f"all {self._threads} threads wait for a resolver that does not answer"
        )

    def _work(self) -> None:
        while True:
            lookup = self._queue.get()
            lookup.started = time.monotonic()
            answer = self._ask(lookup.name)
            with self._lock:
                self._open -= 1
                del self._current[id(lookup)]
            lookup.done(answer)

    def _ask(self, name: str) -> Resolution:
        try:
            addresses = self._lookup(name)
        except socket.gaierror as error:
            # EAI_NODATA is -5 in glibc; the module does not always have its name.
            missing = error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5)}
            state = NameState.MISSING if missing else NameState.FAILED
            return Resolution(state, detail=f"{name}: {error.strerror}")
        except (OSError, UnicodeError, ValueError) as error:
            return Resolution(NameState.FAILED, detail=f"{name}: {error}")
        except BaseException as error:  # noqa: BLE001 - a thread of the pool must not die of one name
            return Resolution(NameState.FAILED, detail=f"{name}: {type(error).__name__}")
        if not addresses:
            return Resolution(NameState.MISSING, detail=f"{name} has no address")
        return Resolution(NameState.FOUND, addresses)


def silent(name: str, timeout: float) -> Resolution:
    """What is said when a lookup did not come back in time."""
    return Resolution(NameState.FAILED, detail=f"the resolver said nothing about {name} within {timeout:g} s")
