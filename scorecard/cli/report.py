"""What `check` and `gate` found, in the one shape that every output format is made from. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scorecard.document import Document
from scorecard.gate import Decision
from scorecard.model import Requirement, ServiceKey, Status, Verdict


class Severity(StrEnum):
    """How loudly a pipeline says it. Unknown is never neutral: a forge lets neutral through as satisfied."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """A file and a line, from 1, as an annotation points at them."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Part:
    """One subject's verdict within a check."""

    name: str
    status: Status
    message: str
    place: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One verdict: of a check, or one reason of the gate."""

    service: ServiceKey
    row: str
    """The row; `gate` for a reason that concerns the whole."""
    check: str
    title: str
    requirement: Requirement
    status: Status
    message: str
    place: Place
    """Where the service is defined: what an annotation points at when nothing nearer is known."""
    code: str = ""
    cause: str = ""
    rule: str = ""
    remedy: str = ""
    risk: str = ""
    points: float = 0.0
    parts: tuple[Part, ...] = ()
    observed_at: str = ""

    @property
    def id(self) -> str:
        """`row/check`."""
        return f"{self.row}/{self.check}" if self.check else self.row

    @property
    def severity(self) -> Severity | None:
        """None where there is nothing to say: it passes or does not apply."""
        if self.status in {Status.PASS, Status.NOT_APPLICABLE}:
            return None
        if self.requirement is Requirement.ADVISORY:
            return Severity.NOTE
        return Severity.ERROR if self.status is Status.FAIL else Severity.WARNING

    @property
    def said(self) -> str:
        """The message with the cause of an unknown before it."""
        return f"unknown ({self.cause.replace('_', ' ')}): {self.message}" if self.cause else self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAnswer:
    """A launch decision about one service."""

    service: ServiceKey
    decision: Decision
    place: Place
    source: str
    """Where it was decided: `the store` or the server's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that one call of `check` or `gate` has to say.

    `exit_code` was decided before any format is rendered, so it is the same for all of them.
    """

    documents: tuple[Document, ...] = ()
    gates: tuple[GateAnswer, ...] = ()
    lines: tuple[Line, ...] = ()
    several: bool = False
    """Several services were asked for: JSON is a list even when there is one."""
    exit_code: int = 0
    notes: Mapping[str, str] = field(default_factory=dict)
    """Further keys of the gate's JSON: `report_only`, `break_glass`."""


_FILE = re.compile(r"(?P<path>[^\s:@][^:@]*)(?:@[0-9a-f]{4,64})?(?::(?P<line>\d+))?")


def place_in(where: str, files: frozenset[str]) -> Place | None:
    """Where a subject stands, such as `path:line` or `path@commit:line`, if that is one of `files`."""
    found = _FILE.fullmatch(where)
    if found is None or found["path"] not in files:
        return None
    return Place(found["path"], int(found["line"] or 1))


def check_lines(document: Document, origin: Place, files: frozenset[str] = frozenset()) -> tuple[Line, ...]:
    """Every check of a document, in the checklist's order.

    Args:
        document: a scorecard document.
        origin: where its service is defined.
        files: paths of the directory that was checked; a subject that is one of them is pointed at.
    """
    key = ServiceKey(document["service"], document["environment"])
    return tuple(_line(key, row, check, origin, files) for row in document["rows"] for check in row["checks"])


def _line(key: ServiceKey, row: Document, check: Document, origin: Place, files: frozenset[str]) -> Line:
    parts = tuple(
        Part(part["name"], Status(part["status"]), part["message"], place_in(part["where"] or part["name"], files))
        for part in check["subjects"]
    )
    return Line(
        service=key,
        row=row["id"],
        check=check["id"],
        title=row["title"],
        requirement=Requirement(check["requirement"]),
        status=Status(check["status"]),
        message=check["message"],
        place=origin,
        code=check["code"],
        cause=check["cause"] or "",
        rule=check["rule"],
        remedy=check["remedy"],
        risk=row["risk"],
        points=row["points"],
        parts=parts,
        observed_at=check["observed_at"] or "",
    )


_REASON = re.compile(r"(?P<row>[a-z0-9-]+)(?:/(?P<check>[a-z0-9-]+))?: (?P<message>.+)", re.DOTALL)
_STATUSES = {Verdict.GO: Status.PASS, Verdict.NO_GO: Status.FAIL, Verdict.CANNOT_TELL: Status.UNKNOWN}


def gate_lines(answer: GateAnswer) -> tuple[Line, ...]:
    """One line per reason; a reason that begins with `row/check:` is the line of that check."""
    return tuple(_reason(answer, reason) for reason in answer.decision.reasons or (answer.decision.verdict.word,))


def _reason(answer: GateAnswer, reason: str) -> Line:
    found = _REASON.fullmatch(reason)
    verdict = answer.decision.verdict
    return Line(
        service=answer.service,
        row=found["row"] if found else "gate",
        check=(found["check"] or "") if found else "",
        title="Launch gate",
        requirement=Requirement.REQUIRED,
        status=_STATUSES[verdict],
        message=found["message"] if found else reason,
        place=answer.place,
        code=verdict.value,
        rule="The launch bar of the service's tier is met.",
    )


def loudest_first(lines: Iterable[Line]) -> list[Line]:
    """The lines with something to say: errors, then warnings, then notes, each by the points they are worth."""
    order = list(Severity)
    said = [(line.severity, line) for line in lines]
    return [
        line
        for _, line in sorted(
            ((severity, line) for severity, line in said if severity is not None),
            key=lambda pair: (order.index(pair[0]), -pair[1].points),
        )
    ]


def first_fixes(lines: Iterable[Line]) -> list[Line]:
    """What to mend first: of each row the loudest line that fails, else warns, else waits to be configured."""
    order = (Status.FAIL, Status.WARN, Status.UNKNOWN)
    found = [
        line for line in loudest_first(lines) if line.status is not Status.UNKNOWN or line.cause == "not_configured"
    ]
    rows: dict[tuple[ServiceKey, str], Line] = {}
    for line in sorted(found, key=lambda line: order.index(line.status)):
        rows.setdefault((line.service, line.row), line)
    return list(rows.values())


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """One exit code for several services: a measured no beats not knowing, and both beat go.

    Nothing at all is 3: nothing was measured.
    """
    found = set(verdicts)
    if Verdict.NO_GO in found:
        return Verdict.NO_GO.exit_code
    if Verdict.CANNOT_TELL in found or not found:
        return Verdict.CANNOT_TELL.exit_code
    return Verdict.GO.exit_code
