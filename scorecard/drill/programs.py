"""PostgreSQL's own programs as children: under one deadline, stopped when asked to, with an environment of ours.

They read no file of the user's and no variable but ours, so that a `PGHOSTADDR` cannot send a drill elsewhere.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from scorecard.drill.outcome import DrillError, Interrupted, NotCarriedOut
from scorecard.redact import redact_text

Feed = Callable[[IO[bytes]], None]
"""Writes a child's standard input; a `DrillError` that it raises ends the child."""
_LOOK_SECONDS = 0.05
_SAID_BYTES = 64 * 1024
_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Said:
    """How a child ended."""

    code: int
    out: bytes
    err: str
    """The end of its standard error, without what looks like a secret."""

    @property
    def first(self) -> str:
        """The line that says most: the first error, else the last line."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        said = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
        return (said or lines[-1:] or [f"it ended with {self.code} and said nothing"])[0][:500]


@dataclass(slots=True)
class Programs:
    """Runs children until the drill's deadline."""

    folder: Path
    """A temporary folder of the drill's own."""
    seconds: float
    """How long the drill may take."""
    stop: threading.Event
    """Set by whoever wants the drill to end."""
    watch: Callable[[str, float], None] = lambda _name, _seconds: None
    """Called while a child runs, with its name and how long it has run; may raise a `DrillError`."""
    _begun: float = field(default_factory=time.monotonic)
    _found: dict[str, str] = field(default_factory=dict)
    _cleaning: bool = False
    _runs: int = 0

    def find(self, name: str) -> str:
        """The path of a program.

        Raises:
            NotCarriedOut: it is not installed.
        """
        if name not in self._found:
            path = _installed(name)
            if path is None:
                raise NotCarriedOut(
                    "no-program", f"{name} is not installed; it comes with PostgreSQL's client programs"
                )
            self._found[name] = path
        return self._found[name]

    def clean_up(self) -> None:
        """From here on children run to their own end: what is made must be removed, whoever wants to stop."""
        self._cleaning = True

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """What runs inside is not ended half way.

        A server goes on with a statement whose client was killed, and what it makes then would come after the drop.
        """
        before, self._cleaning = self._cleaning, True
        try:
            yield
        finally:
            self._cleaning = before
        self.check()

    def check(self) -> None:
        """Raise where the drill must end: `Interrupted`, or `NotCarriedOut` with the code `time-limit`."""
        if self._cleaning:
            return
        if self.stop.is_set():
            raise Interrupted
        if time.monotonic() - self._begun > self.seconds:
            raise NotCarriedOut("time-limit", f"the drill took longer than its limit of {self.seconds:.0f} s")

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        feed: Feed | bytes | None = None,
        seconds: float | None = None,
        keep_output: bool = True,
    ) -> Said:
        """Run a program to its end; `seconds` is a limit of its own.

        Raises:
            DrillError: it had to be ended, or could not be started.
        """
        self.check()
        name, *rest = arguments
        self._runs += 1
        out, err = self.folder / f"{self._runs}.out", self.folder / f"{self._runs}.err"
        with out.open("w+b") as says, err.open("w+b") as complains:
            child = subprocess.Popen(  # noqa: S603 - a program of PostgreSQL's, with arguments of ours
                [self.find(name), *rest],
                env=self._environment(environment),
                stdin=subprocess.PIPE if feed is not None else subprocess.DEVNULL,
                stdout=says if keep_output else subprocess.DEVNULL,
                stderr=complains,
                cwd=self.folder,
                start_new_session=True,
            )
            feeder = _Feeder(child, feed) if feed is not None else None
            try:
                self._wait(child, name, seconds, feeder)
            finally:
                _end(child)
                if feeder is not None:
                    feeder.join()
            if feeder is not None and feeder.error is not None:
                raise feeder.error
            complains.seek(max(0, complains.seek(0, os.SEEK_END) - _SAID_BYTES))
            said = complains.read().decode("utf-8", "replace")
            says.seek(0)
            return Said(child.returncode, says.read(), redact_text(said))

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a program that is spoken with by pipes; whoever starts it ends it with `end`."""
        name, *rest = arguments
        return subprocess.Popen(  # noqa: S603 - as above
            [self.find(name), *rest],
            env=self._environment(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            start_new_session=True,
        )

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        # TZ and LC_ALL fix how the programs print; HOME is a folder without .psqlrc and .pgpass.
        return {"PATH": _SYSTEM_PATH, "HOME": str(self.folder), "TZ": "UTC", "LC_ALL": "C", **more}

    def _wait(self, child: subprocess.Popen[bytes], name: str, seconds: float | None, feeder: _Feeder | None) -> None:
        begun = time.monotonic()
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_LOOK_SECONDS)
                return
            if feeder is not None and feeder.error is not None:
                return
            took = time.monotonic() - begun
            if seconds is not None and took > seconds:
                raise NotCarriedOut("no-answer", f"{name} did not end within {seconds:.0f} s")
            self.check()
            if not self._cleaning:
                self.watch(name, took)


class _Feeder(threading.Thread):
    """Writes to a child, so that the drill can meanwhile look at the clock."""

    def __init__(self, child: subprocess.Popen[bytes], feed: Feed | bytes) -> None:
        super().__init__(name="drill-feeder", daemon=True)
        self.error: BaseException | None = None
        self._child = child
        self._feed = feed
        self.start()

    def run(self) -> None:
        stream = self._child.stdin
        assert stream is not None  # noqa: S101 - opened as a pipe
        try:
            if callable(self._feed):
                self._feed(stream)
            else:
                stream.write(self._feed)
            stream.close()
        except (BrokenPipeError, ConnectionResetError, ValueError):
            pass  # the child has ended, and says itself why
        except Exception as error:  # noqa: BLE001 - it is raised again where the drill waits
            self.error = error
            # Before the pipe is closed: an end of input would look like the end of the dump.
            _end(self._child)
        finally:
            with contextlib.suppress(OSError, ValueError):
                stream.close()


def _installed(name: str) -> str | None:
    """The newest one of a distribution's folders, which hold what its wrappers on PATH leave out; else that on PATH."""
    folders = [found for pattern in _FOLDERS for found in glob.glob(pattern) if os.access(f"{found}/{name}", os.X_OK)]  # noqa: PTH207 - an absolute pattern
    if folders:
        return f"{max(folders, key=_version)}/{name}"
    return shutil.which(name)


def _version(folder: str) -> float:
    digits = re.search(r"\d+(?:\.\d+)?", folder)
    return float(digits[0]) if digits else 0.0


def _end(child: subprocess.Popen[Any]) -> None:
    """Whatever is left of a child and its own children."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a program that was started with `start`."""
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(2)
    _end(child)


__all__ = ["DrillError", "Feed", "Programs", "Said", "end"]
