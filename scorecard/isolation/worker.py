"""The seam between us and hostile input: a child process with limits, reused for many questions, replaced when it dies.

The child is another Python without our environment, in a session of its own, killed by our clock. It talks in frames:
four bytes of length, then JSON; an answer begins with `+`, a refusal with `-`, a refusal after which the child ends
with `!`. It never sends code, and its answers are validated.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from scorecard.isolation.refusal import UnreadableError
from scorecard.model import Cause
from scorecard.validators import validator

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_START = 30.0
"""Seconds for Python to start and import; not part of any question."""
_ANSWER = 4 << 20
"""Bytes of one answer at most: 20,000 paths of a usual length fit."""
_HEADER = 4

_BOOT = "import sys; sys.path[:] = sys.argv[2:]; from importlib import import_module; import_module(sys.argv[1]).main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What one child may use. The defaults are those of our own Python parsers."""

    cpu: int = 4
    """Seconds of CPU for one question."""
    wall: float = 5.0
    """Seconds on our clock for one question."""
    memory: int = 512 << 20
    """Bytes of address space."""
    file_size: int = 0
    """Bytes of the largest file it may write."""
    processes: int | None = 0
    """Further processes it may start; None for no limit."""
    network: bool = False
    late: Cause = Cause.BAD_RESPONSE
    """The cause where the clock ran out: hostile input for a parser, a slow remote for a clone."""


class Worker:
    """One child at a time, started when it is first asked."""

    def __init__(
        self, module: str, *, limits: ChildLimits = ChildLimits(), environment: Mapping[str, str] | None = None
    ) -> None:
        """Say which module's `main` the child runs, within which limits, and what it sees of the environment."""
        self._module = module
        self._limits = limits
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[Any, Worker] | None = None
        self.deaths = 0
        """How many children died over a question."""

    def ask(self, question: Any, answer: type[T]) -> T:  # noqa: ANN401 - any dataclass of plain values
        """Put a question, a dataclass of plain values, to the child.

        Raises:
            UnreadableError: when the child refuses it, dies over it, takes too long, or answers nonsense.
        """
        body = json.dumps({"question": type(question).__name__, "values": asdict(question)}).encode()
        with self._lock:
            child = self._running()
            try:
                _send(child, body)
                frame = _receive(child, time.monotonic() + self._limits.wall)
            except _LateError:
                self._bury()
                raise UnreadableError(
                    self._limits.late, f"reading was stopped: not done within {self._limits.wall:g} s"
                ) from None
            except (_GoneError, OSError):
                raise UnreadableError(Cause.BAD_RESPONSE, self._epitaph()) from None
            if frame[:1] == b"!":
                self._bury()
        return _understood(frame, answer)

    def close(self) -> None:
        """End the child, if there is one; the next question starts another."""
        with self._lock:
            self._stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._stop()
        environment = {"LANG": "C.UTF-8", "PYTHONUTF8": "1", **self._environment}
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-I", "-c", _BOOT, self._module, *(path for path in sys.path if path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        self._child = child
        self._finalizer = weakref.finalize(self, _end, child)
        try:
            _send(child, json.dumps(asdict(self._limits)).encode())
            hello = json.loads(_receive(child, time.monotonic() + _START))
        except (_GoneError, _LateError, OSError, ValueError):
            self._stop()
            raise UnreadableError(
                Cause.SCORECARD_FAULT, "the process that reads what others wrote cannot be started"
            ) from None
        if not self._limits.network and not hello.get("offline"):
            _warn_about_network()
        return child

    def _epitaph(self) -> str:
        """What the child died of."""
        child = self._child
        self._bury()
        died_of = -(child.returncode or 0) if child else 0
        if died_of == signal.SIGXCPU:
            return f"reading was stopped: more than {self._limits.cpu} s of CPU"
        name = signal.Signals(died_of).name if died_of in signal.valid_signals() else f"exit {-died_of}"
        return f"the process that read it died ({name})"

    def _bury(self) -> None:
        self.deaths += 1
        self._stop()

    def _stop(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._child = self._finalizer = None


class _LateError(Exception):
    """The clock ran out."""


class _GoneError(Exception):
    """The other end is closed."""


def _send(child: subprocess.Popen[bytes], body: bytes) -> None:
    assert child.stdin is not None  # noqa: S101 - made with pipes
    child.stdin.write(len(body).to_bytes(_HEADER, "big") + body)
    child.stdin.flush()


def _receive(child: subprocess.Popen[bytes], deadline: float) -> bytes:
    size = int.from_bytes(_exactly(child, _HEADER, deadline), "big")
    if size > _ANSWER:
        raise _GoneError
    return _exactly(child, size, deadline)


def _exactly(child: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    assert child.stdout is not None  # noqa: S101 - made with pipes
    descriptor = child.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    parts = []
    while size:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise _LateError
        part = os.read(descriptor, min(size, 1 << 16))
        if not part:
            raise _GoneError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


def _understood(frame: bytes, answer: type[T]) -> T:
    tag, body = frame[:1], frame[1:]
    try:
        if tag == b"+":
            value: T = validator(answer).validate_json(body)
            return value
        refusal = json.loads(body)
        raise UnreadableError(Cause(refusal["cause"]), str(refusal["detail"]))
    except (ValidationError, ValueError, KeyError, TypeError):
        raise UnreadableError(Cause.BAD_RESPONSE, "the process that read it answered nonsense") from None


@cache
def _warn_about_network() -> None:
    import structlog  # a tenth of a second that neither the child nor the command line should wait for

    structlog.get_logger().warning(
        "repository.reader_has_network", detail="this platform gives no network namespace to a child"
    )
