"""The logs of the demo's services: real files, a line for each request, as the service's habit is."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path


class Habit(StrEnum):
    """How a service logs."""

    GOOD = "JSON, with the id of the request"
    WITHOUT_ID = "JSON, without the id of the request"
    TEXT = "plain text"


class Journal:
    """One service's log. Safe to share between threads."""

    def __init__(self, path: Path, service: str, habit: Habit, clock: Callable[[], datetime]) -> None:
        """Begin the log with what a service says when it starts."""
        self._path, self._service, self._habit, self._clock = path, service, habit, clock
        self._lock = threading.Lock()
        for message in ("configuration read", "connected to the database", "started"):
            self.write(message)

    def write(self, message: str, correlation_id: str = "", **facts: str | int) -> None:
        """Append a line."""
        at = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._habit is Habit.TEXT:
            line = f"{at} INFO [{self._service}] {message}{f' id={correlation_id}' if correlation_id else ''}"
        else:
            told = {"timestamp": at, "level": "info", "message": message, "service": self._service, **facts}
            if correlation_id and self._habit is Habit.GOOD:
                told["correlation_id"] = correlation_id
            line = json.dumps(told)
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
