"""What every kind of log answers: where it ends now, its newest lines, and the lines that hold a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from scorecard.evidence import Unavailable
from scorecard.evidence.logs import LogSystem
from scorecard.model import Cause
from scorecard.probes.logs.lines import Line

BEFORE = timedelta(seconds=5)
"""How far a search in a log store goes back before the request, for clocks that differ."""
MOST_LINES = 1000
"""Lines that one question to a log store brings."""


class SourceError(Exception):
    """A log that did not answer, or not rightly; says nothing about the service."""

    def __init__(self, cause: Cause, detail: str, lines: str = "") -> None:
        super().__init__(detail)
        self.unavailable = Unavailable(cause, detail, lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What a log gave, oldest first. That it gave them proves nothing of what they hold."""

    lines: tuple[Line, ...] = ()
    cut: bool = False
    """There were more than these, or may have been."""


class Source(Protocol):
    """One service's log. Every method may be called from any thread and raises `SourceError` and nothing else."""

    @property
    def system(self) -> LogSystem:
        """Its kind."""
        ...

    @property
    def name(self) -> str:
        """What it is, for a person; two that are equal are the same log."""
        ...

    @property
    def lane(self) -> str:
        """What is asked: sources of one lane wait for one another, and for no other."""
        ...

    def mark(self, at: datetime) -> str:
        """Where the log ends at this moment, for a later `find`."""
        ...

    def sample(self, count: int, now: datetime) -> Lines:
        """The newest lines, about so many."""
        ...

    def find(self, needles: Sequence[str], mark: str, until: datetime) -> Lines:
        """Lines after a mark that hold one of these texts; all lines where there are none."""
        ...

    def repeat(self, needle: str, mark: str) -> str:
        """A command that asks the same by hand; for the sample without a needle."""
        ...


def part(value: Any, *keys: str, kind: type, where: str) -> Any:  # noqa: ANN401 - any part of a JSON document
    """What stands under a path of keys in an answer.

    Raises:
        SourceError: it is not there, or of another type.
    """
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            raise SourceError(Cause.BAD_RESPONSE, f"{where}: the answer has no {'.'.join(keys)}")
        value = value[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SourceError(Cause.BAD_RESPONSE, f"{where}: {'.'.join(keys) or 'the answer'} is not a {kind.__name__}")
    return value


def moment(mark: str) -> datetime:
    """The time that a mark of a log store is."""
    try:
        return datetime.fromisoformat(mark)
    except ValueError:
        raise SourceError(Cause.NO_DATA, "when the request was sent is not known any more") from None
