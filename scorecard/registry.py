"""What is installed: rows, checklists, probes and catalogue sources, found by entry point; a third party's as ours.

The engine names no check. A package of rows is a module per row, with a `row`, and a YAML per checklist beside them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from scorecard.check import Check, Row
from scorecard.checklist import Checklist, ChecklistRow, default_required
from scorecard.json_schema import known_keys
from scorecard.model import Category, Duration, Requirement, Risk, ServiceType
from scorecard.problems import Problem, dotted, nearest
from scorecard.strict_yaml import Document, YamlError, load


class RegistryError(Exception):
    """A checklist or a package of rows that cannot be used; the message names file and line."""


class Attested(BaseModel):
    """A row that a person answers, where no machine can see."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    question: str
    """What the person states."""
    role: str
    """Who may state it."""
    valid_for: Duration
    """After this the statement ends."""


class Pushed(BaseModel):
    """A row that rests on evidence a pipeline pushes."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    kind: str
    """The kind of evidence, as `scorecard push KIND` names it."""


class RowEntry(BaseModel):
    """One row of a checklist's YAML."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    id: str
    """The row's id: the name of its file."""
    risk: Risk | None = None
    """critical, high, medium or low; the row's own unless given."""
    types: frozenset[ServiceType] | None = None
    """The service types it applies to; the row's own unless given."""
    needs_state: bool | None = None
    """Does not apply to services that say `stateless`; the row's own unless given."""
    due_after_launch: Duration | None = None
    """The row is due only this long after the launch.

    The date of a launch is told by launch reviews, which this version does not have: the row counts as due.
    """
    thresholds: dict[str, Any] = Field(default_factory=dict)
    """The row's limits, by name."""
    drop: frozenset[str] = frozenset()
    """Checks that this checklist does not ask."""
    title: str = ""
    """For a row without code."""
    attested: Attested | None = None
    """A row without code that a person answers."""
    pushed: Pushed | None = None
    """A row without code that a pipeline answers."""


class Levels(BaseModel):
    """How the words for a score are drawn."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    nearly_within: float = Field(default=15, ge=0, le=100)
    """Points under the bar within which a service is `nearly` ready."""


class ChecklistFile(BaseModel):
    """A checklist's YAML."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)
    """Its name everywhere."""
    version: int = Field(ge=1)
    """Goes up with every change."""
    title: str = ""
    """As a person reads it."""
    rows: tuple[RowEntry, ...] = Field(min_length=1)
    """Its rows, in order."""
    required_rows: frozenset[str] | None = None
    """Rows that block a launch; those of critical and high risk unless given."""
    levels: Levels = Levels()
    """How the words for a score are drawn."""


@dataclass(frozen=True, slots=True)
class Registry:
    """All installed rows, and the checklists that come with them."""

    rows: Mapping[str, Row]
    shipped: Mapping[str, str]
    """Checklist name to its YAML text."""

    def checklist(self, use: str, base: Path) -> Checklist:
        """A checklist by its shipped name, or by the path of a YAML file relative to `base`.

        Raises:
            RegistryError: no such checklist, or one that does not hold; names file and line.
        """
        if use in self.shipped:
            return read_checklist(self.shipped[use], f"{use}.yaml", self.rows)
        path = base / use
        if not path.is_file():
            names = ", ".join(sorted(self.shipped))
            raise RegistryError(f"checklist {use!r}: neither one of {names} nor a file")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RegistryError(f"checklist {use}: {error}") from error
        return read_checklist(text, use, self.rows)


@lru_cache(maxsize=1)
def installed() -> Registry:
    """Everything behind the entry point group `scorecard.rows`.

    Raises:
        RegistryError: two packages bring a row of one name, or a module of rows does not import.
    """
    rows: dict[str, Row] = {}
    shipped: dict[str, str] = {}
    for point in sorted(entry_points(group="scorecard.rows"), key=lambda point: point.name):
        package = point.load()
        for row in _rows(package):
            if row.id in rows:
                raise RegistryError(f"row {row.id} comes from {rows[row.id].module} and from {row.module}")
            rows[row.id] = row
        for file in resources.files(package).iterdir():
            if file.name.endswith(".yaml"):
                shipped[file.name.removesuffix(".yaml")] = file.read_text(encoding="utf-8")
    return Registry(rows, shipped)


def load_points(group: str) -> tuple[Any, ...]:
    """The objects behind an entry point group, in the order of their names."""
    return tuple(point.load() for point in sorted(entry_points(group=group), key=lambda point: point.name))


def _rows(package: Any) -> Iterable[Row]:  # noqa: ANN401 - a module
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        row = getattr(module, "row", None)
        if isinstance(row, Row):
            yield row


def read_checklist(text: str, name: str, rows: Mapping[str, Row]) -> Checklist:
    """Read a checklist and bind it to the installed rows.

    Raises:
        RegistryError: names file and line.
    """
    try:
        read = load(text, name=name)
    except YamlError as error:
        raise RegistryError(str(error)) from error
    try:
        file = ChecklistFile.model_validate(read.value)
    except ValidationError as error:
        raise RegistryError("; ".join(_problem(read, name, entry) for entry in error.errors())) from error
    ids = [entry.id for entry in file.rows]
    for index, entry in enumerate(file.rows):
        if entry.id in ids[:index]:
            raise RegistryError(f"{_place(read, name, ('rows', index, 'id'))}: row {entry.id} stands here twice")
    bound = tuple(_bind(entry, index, read, name, rows) for index, entry in enumerate(file.rows))
    unknown_rows = sorted((file.required_rows or frozenset()) - set(ids))
    if unknown_rows:
        raise RegistryError(
            f"{_place(read, name, ('required_rows',))}: {unknown_rows[0]} is not a row of this checklist"
            f"{_meant(unknown_rows[0], ids)}"
        )
    return Checklist(
        name=file.name,
        version=file.version,
        title=file.title or file.name,
        rows=bound,
        required_rows=default_required(bound) if file.required_rows is None else file.required_rows,
        nearly_within=file.levels.nearly_within,
        digest=_digest(text, bound),
    )


def _bind(entry: RowEntry, index: int, read: Document, name: str, rows: Mapping[str, Row]) -> ChecklistRow:
    place = _place(read, name, ("rows", index, "id"))
    row = _row_without_code(entry) if entry.attested or entry.pushed else rows.get(entry.id)
    if row is None:
        raise RegistryError(f"{place}: no installed row is called {entry.id}{_meant(entry.id, rows)}")
    missing = sorted(entry.drop - {check.id for check in row.checks})
    if missing:
        meant = _meant(missing[0], (check.id for check in row.checks))
        raise RegistryError(f"{place}: row {entry.id} has no check {missing[0]} to drop{meant}")
    return ChecklistRow(
        id=entry.id,
        row=row,
        risk=entry.risk or row.risk,
        types=row.types if entry.types is None else entry.types,
        needs_state=row.needs_state if entry.needs_state is None else entry.needs_state,
        limits=_limits(row, entry, place),
        due_after_launch=entry.due_after_launch,
        checks=tuple(check for check in row.checks if check.id not in entry.drop),
    )


def _limits(row: Row, entry: RowEntry, place: str) -> object:
    if not entry.thresholds:
        return row.default_limits()
    if row.limits is None:
        raise RegistryError(f"{place}: row {entry.id} has no thresholds")
    known = {field.name for field in dataclasses.fields(row.limits)}
    for threshold in entry.thresholds:
        if threshold not in known:
            raise RegistryError(
                f"{place}: row {entry.id} has no threshold {threshold}; it has {', '.join(sorted(known))}"
                f"{_meant(threshold, known)}"
            )
    try:
        return TypeAdapter(row.limits).validate_python(entry.thresholds)
    except ValidationError as error:
        first = error.errors()[0]
        raise RegistryError(f"{place}: threshold {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


class _DeclaredRow(Row):
    """A row that a checklist's YAML declares without code."""

    def __init__(self, row_id: str, title: str, risk: Risk, check: Check) -> None:
        super().__init__(
            title=title, category=Category.DOCUMENTATION, risk=risk, why="Asked for by the checklist itself."
        )
        self.module = row_id
        self.checks = (check,)


def _row_without_code(entry: RowEntry) -> Row:
    if entry.attested:
        rule, awaits = f"{entry.attested.role} states: {entry.attested.question}", "attestations"
    else:
        kind = entry.pushed.kind if entry.pushed else ""
        rule, awaits = f"A pipeline pushed {kind} evidence.", f"pushed evidence of kind {kind}"
    check = Check(
        id="attested" if entry.attested else "pushed",
        requirement=Requirement.REQUIRED,
        remedy=rule,
        version=1,
        types=frozenset(ServiceType),
        rule_template=rule,
        function=None,
        wants=(),
        values=(),
        awaits=awaits,
        attests=entry.attested is not None,
    )
    return _DeclaredRow(entry.id, entry.title or entry.id, entry.risk or Risk.MEDIUM, check)


def _digest(text: str, rows: tuple[ChecklistRow, ...]) -> str:
    rules = [f"{row.id}/{check.id}@{check.version}" for row in rows for check in row.checks]
    return "sha256:" + hashlib.sha256("\n".join([text, *rules]).encode()).hexdigest()


def _meant(word: str, known: Iterable[str]) -> str:
    near = nearest(word, known)
    return f"; did you mean `{near}`?" if near else ""


def _place(read: Document, name: str, path: tuple[str | int, ...]) -> str:
    return "{}:{}".format(*_position(read, name, path))


def _problem(read: Document, name: str, entry: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    path = tuple(entry["loc"])
    message, near = str(entry["msg"]), ""
    if entry["type"] == "extra_forbidden":
        message, near = "unknown key", nearest(str(path[-1]), known_keys(_schema(), path[:-1]))
    return str(Problem(*_position(read, name, path), dotted(path), message, near))


@cache
def _schema() -> Mapping[str, Any]:
    return ChecklistFile.model_json_schema()


def _position(read: Document, name: str, path: tuple[str | int, ...]) -> tuple[str, int]:
    line, _column = read.position(path)
    return name, line
