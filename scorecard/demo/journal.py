"""The logs of the demo's services: real files, a line for each request, as the service's habit is."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path


class Habit(StrEnum):
    """How a service logs."""

    GOOD = "JSON, with the id of the request"
    WITHOUT_ID = "JSON, without the id of the request"
    OTHER_KEY = "JSON, with the id under a key of its own"
    IN_MESSAGE = "JSON, with the id within the message"
    SILENT = "JSON, and no line for a request"
    LATE = "JSON, with the id, and later than anybody waits"
    TEXT = "plain text"


LATE_SECONDS = 5.0
"""Over the three seconds that a line may take to a file."""


class Journal:
    """One service's log. Safe to share between threads."""

    def __init__(self, path: Path, service: str, habit: Habit, clock: Callable[[], datetime]) -> None:
        """Begin the log with what a service says when it starts."""
        self._path, self._service, self._habit, self._clock = path, service, habit, clock
        self._lock = threading.Lock()
        for message in ("configuration read", "connected to the database", "started"):
            self.write(message)

    def write(self, message: str, correlation_id: str = "", **facts: str | int) -> None:
        """Log a message; with an id it is that of a request."""
        if self._habit is Habit.LATE and correlation_id:
            later = threading.Timer(LATE_SECONDS, self._append, (message, correlation_id, facts))
            later.daemon = True
            later.start()
        elif not (self._habit is Habit.SILENT and correlation_id):
            self._append(message, correlation_id, facts)

    def _append(self, message: str, correlation_id: str, facts: Mapping[str, str | int]) -> None:
        at = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._habit is Habit.TEXT:
            line = f"{at} INFO [{self._service}] {message}{f' id={correlation_id}' if correlation_id else ''}"
        else:
            told = {"timestamp": at, "level": "info", "message": message, "service": self._service, **facts}
            if correlation_id and self._habit is Habit.IN_MESSAGE:
                told["message"] = f"{message} for request {correlation_id}"
            elif correlation_id and self._habit in _KEYS:
                told[_KEYS[self._habit]] = correlation_id
            line = json.dumps(told)
        # A late line may come when the demo is over and its directory gone.
        with self._lock, contextlib.suppress(FileNotFoundError), self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


_KEYS = {Habit.GOOD: "correlation_id", Habit.LATE: "correlation_id", Habit.OTHER_KEY: "request_id"}
