"""The report of a restore drill: one format, whoever ran it. Pure: text in, values out, and the other way.

Version 1. It is written by `scorecard drill restore`, by `scorecard db drill`, and by whatever pipeline restores a
backup of its own; it is read by the probe of backups and by `POST …/evidence`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import re2
from pydantic import AwareDatetime, Field, ValidationError

from scorecard.egress.strict_json import BadJsonError, read_json
from scorecard.json_schema import titled
from scorecard.problems import Problem, explain
from scorecard.strict_yaml import Document, YamlError, load
from scorecard.validators import validator

_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Text = Annotated[str, Field(max_length=20_000)]


class Result(StrEnum):
    """How a drill ended."""

    SUCCESS = "success"
    """Restored, and every verification held."""
    FAILURE = "failure"
    """The backup was tried, and it is not what it should be."""
    NOT_CARRIED_OUT = "not-carried-out"
    """The drill could not be done, by no fault of the backup: it says nothing about the backup."""


class _Strict:
    """A mapping in which an unknown key is an error, and whose keys are described by the docstrings under them."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "use_attribute_docstrings": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup(_Strict):
    """What was restored."""

    id: _Text
    """Which backup it was: a file name, an object's key, a snapshot's identifier."""
    created_at: AwareDatetime | None = None
    """When it was made, RFC 3339 with its zone; null where nobody can tell."""
    size: Annotated[int, Field(ge=0)] | None = None
    """Bytes."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Its checksum, in hexadecimal digits. Of a directory: of the lines `SHA256  NAME` of its files, sorted by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(_Strict):
    """One thing that was done."""

    name: _Text
    """What was done, such as `restore`."""
    ok: bool
    """Whether it went well."""
    seconds: _Seconds = 0.0
    """How long it took."""
    detail: _Text = ""
    """What was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification(_Strict):
    """One question to the restored data, and its answer."""

    name: _Text
    """What is verified."""
    query: _Text
    """The SQL that was run, or the command."""
    expected: _Text
    """What the answer should be."""
    actual: _Text
    """What the answer was."""
    ok: bool
    """Whether it is what it should be."""
    relations: tuple[_Text, ...] | None = None
    """The tables that the database says the query reads, from its plan; empty for one that proves nothing, such as
    `select 1`; null where nobody asked."""
    vacuous: bool | None = None
    """Whether it holds with every table empty too, and so says nothing about the data; null where nobody tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(_Strict):
    """What ran the drill."""

    name: _Text
    """Its name."""
    version: _Text = ""
    """Its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillReport(_Strict):
    """What came out of one restore drill."""

    schema: Literal[1] = 1
    """The version of this format."""
    service: Annotated[str, Field(min_length=1, max_length=63)]
    """The service whose backup it is."""
    resource: _Text
    """What is backed up: an ARN, a directory of dumps, an `s3://` address, as the service's `spec.backups` names it."""
    kind: Annotated[str, Field(min_length=1, max_length=63)]
    """What kind of backup: `postgres-dump`, `rds-snapshot`, `sqlite-copy`, or another."""
    backup: Backup
    """What was restored."""
    started_at: AwareDatetime
    """When the drill began."""
    finished_at: AwareDatetime
    """When it ended."""
    result: Result
    """`success`, `failure` (the backup is not what it should be) or `not-carried-out` (nothing was learnt about it)."""
    code: Annotated[str, Field(max_length=63)] = ""
    """The reason of a drill that did not succeed, one word for machines, such as `truncated`; empty on success."""
    message: _Text = ""
    """The same reason for a person."""
    restore_seconds: _Seconds | None = None
    """How long it took until the data was usable: from the fetch to the end of the restore, without verifications."""
    recovery_time_seconds: _Seconds | None = None
    """How long it may take; null where none was declared."""
    recovery_point_seconds: _Seconds | None = None
    """How old the newest backup may be; null where none was declared."""
    steps: tuple[Step, ...] = ()
    """What was done, in order."""
    verifications: tuple[Verification, ...] = ()
    """The questions that were asked, in order."""
    tool: Tool
    """What ran the drill."""
    run_url: _Text = ""
    """The pipeline's run."""
    commit: Annotated[str, Field(max_length=64)] = ""
    """The revision of the code that the pipeline ran for."""

    @property
    def seconds(self) -> float:
        """From start to end."""
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def recovery_seconds(self) -> float:
        """How long the restore took; the whole drill where nobody said."""
        return self.seconds if self.restore_seconds is None else self.restore_seconds


class ReportError(ValueError):
    """A text that is no drill report, with everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def read_report(data: bytes, *, name: str) -> DrillReport:
    """Read a report from JSON or YAML; `name` is what the text is called in problems.

    Raises:
        ReportError: it is neither, or not of this format.
    """
    document = _document(data, name)
    if not isinstance(document.value, dict):
        raise ReportError((Problem(name, document.line, "", "a drill report is a mapping"),))
    return report_of(document)


def report_of(document: Document) -> DrillReport:
    """The same from values that are read already.

    Raises:
        ReportError: they are not of this format.
    """
    try:
        return validator(DrillReport).validate_json(json.dumps(document.value), strict=True)
    except ValidationError as error:
        where = lambda path: (document.name, document.position(path)[0], path)  # noqa: E731 - one expression, used once
        raise ReportError(explain(error, schema=validator(DrillReport).json_schema(), locate=where)) from None


def write_report(report: DrillReport) -> str:
    """The report as JSON, times in UTC."""
    return json.dumps(report_value(report), indent=2, ensure_ascii=False) + "\n"


def report_value(report: DrillReport) -> dict[str, Any]:
    """The report as the values of JSON."""
    value: dict[str, Any] = _plain(report)
    return value


def report_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a report."""
    return titled(validator(DrillReport).json_schema(), "The report of a restore drill")


def trivial(verification: Verification) -> bool:
    """Whether a verification proves nothing, whatever came out: an empty database passes it, or it reads no table.

    What the database said (`vacuous`, `relations`) counts; where nobody asked it, the text must read from something
    that is not a list of values or a function.
    """
    if verification.vacuous:
        return True
    if verification.relations is not None:
        return not verification.relations
    return not _reads_a_table(verification.query)


def contradictions(report: DrillReport, now: datetime, *, skew: timedelta = timedelta(minutes=5)) -> tuple[str, ...]:
    """Why a report cannot be true, whatever it says came out; empty where it can."""
    found = []
    if report.finished_at > now + skew:
        found.append(f"finished_at {_utc(report.finished_at)} lies in the future")
    if report.finished_at < report.started_at:
        found.append(f"it finished at {_utc(report.finished_at)}, before it started at {_utc(report.started_at)}")
    made = report.backup.created_at
    if made is not None and made > report.started_at + skew:
        found.append(f"the backup was made at {_utc(made)}, after the drill had started")
    if report.result is not Result.SUCCESS:
        return tuple(found)
    found += [f"it says success, but the step {step.name} failed" for step in report.steps if not step.ok]
    found += [
        f"it says success, but the verification {one.name} did not hold" for one in report.verifications if not one.ok
    ]
    if not report.verifications:
        found.append("it says success without a verification")
    elif all(map(trivial, report.verifications)):
        found.append("none of its verifications proves anything: an empty database would pass them all")
    return tuple(found)


_LITERALS = re2.compile(r"(?s)'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/")
_FROM = re2.compile(
    r"(?i)\b(?:from|join|table)\s+(?:(?:only|lateral)\s+)*((?:[\w$]+|\"[^\"]*\")(?:\.(?:[\w$]+|\"[^\"]*\"))*)(\s*\()?"
)
_COMMANDS = re2.compile(r"(?i)^\s*(?:pg_amcheck\b|pragma\s+integrity_check\b)")
_NO_TABLE = frozenset({"values", "select", "lateral", "now", "current_date", "current_timestamp", "timestamp", "date"})


def _reads_a_table(query: str) -> bool:
    """Whether the text names a table after FROM or JOIN: no function, no list of values, no system catalogue."""
    if _COMMANDS.search(query):
        return True
    for found in _FROM.finditer(_LITERALS.sub(" ", query)):
        name, call = found.group(1).lower().replace('"', ""), found.group(2)
        if call or name in _NO_TABLE:
            continue
        if not name.startswith(("pg_", "information_schema.")):
            return True
    return False


def _document(data: bytes, name: str) -> Document:
    try:
        return load(data, name=name)
    except YamlError as error:
        # JSON is YAML but for its escapes: an escaped surrogate pair is JSON only.
        if data.lstrip()[:1] == b"{":
            try:
                return Document.of(read_json(data), name=name)
            except BadJsonError as bad:
                raise ReportError((Problem(name, 0, "", str(bad)),)) from None
        raise ReportError((Problem(error.name, error.line, "", error.message),)) from None


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of a report
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, StrEnum):
        return value.value
    return round(value, 3) if isinstance(value, float) else value
