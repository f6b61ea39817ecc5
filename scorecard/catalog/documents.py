"""Reads one document of a catalogue file into what it registers: a service, a team, nothing, or a problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorecard.catalog.layers import Place
from scorecard.json_schema import Path
from scorecard.problems import Problem, dotted, nearest, shown

if TYPE_CHECKING:
    from scorecard.strict_yaml import Document

API_VERSION = "scorecard/v1"
KINDS = ("Service", "Team")
_SERVICE_KEYS = ("apiVersion", "kind", "metadata", "spec", "environments")
_TEAM_KEYS = ("apiVersion", "kind", "metadata")
NOT_METADATA = frozenset({"environment", "spec", "origin", "demo"})
"""Fields of a service that no document states under metadata."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document that a source found."""

    document: Document
    local: bool = True
    """Whether it may name files of the machine that the scorecard runs on: the operator's own files may."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What one document registers, before defaults and validation."""

    kind: str
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    environments: Mapping[str, Mapping[str, Any]]
    source: str
    """The file or address that it came from."""
    locate: Callable[[Path], Place]
    """File, line and written path of a path such as `("spec", "url")`."""
    local: bool

    @property
    def name(self) -> str:
        """The name it gives itself; empty when it gives none that is text."""
        name = self.metadata.get("name")
        return name if isinstance(name, str) else ""

    @property
    def where(self) -> str:
        """`file:line` of its definition."""
        file, line, _ = self.locate(("metadata", "name"))
        return f"{file}:{line}" if line else file

    def problem(self, path: Path, message: str, near: str = "") -> Problem:
        """A problem at a path of the document."""
        file, line, written = self.locate(path)
        return Problem(file, line, dotted(written), message, near)


def own_registration(found: Found) -> Registration | tuple[Problem, ...]:
    """Read a document of kind Service or Team; its keys' values are validated later, once defaults are merged."""
    document = found.document
    if not isinstance(document.value, dict):
        return (Problem(document.name, document.line, "", f"a mapping is expected, not {shown(document.value)}"),)
    kind = document.value.get("kind", "Service")
    problems = tuple(_shape(document, kind))
    if problems:
        return problems
    value = document.value

    def locate(path: Path) -> Place:
        return document.name, document.position(path)[0], path

    return Registration(
        kind=kind,
        metadata=value["metadata"],
        spec=value.get("spec") or {},
        environments={name: spec or {} for name, spec in (value.get("environments") or {}).items()},
        source=document.name,
        locate=locate,
        local=found.local,
    )


def _shape(document: Document, kind: object) -> Iterator[Problem]:
    """What is wrong with the outermost keys."""
    value = document.value

    def problem(path: Path, message: str, near: str = "") -> Problem:
        return Problem(document.name, document.position(path)[0], dotted(path), message, near)

    if kind not in KINDS:
        yield problem(("kind",), f"{shown(kind)} is not one of {', '.join(KINDS)}", nearest(str(kind), KINDS))
        return
    version = value.get("apiVersion", API_VERSION)
    if version != API_VERSION:
        yield problem(("apiVersion",), f"{shown(version)} is not {API_VERSION}")
    known = _SERVICE_KEYS if kind == "Service" else _TEAM_KEYS
    for key in value:
        if key not in known:
            near = nearest(str(key), known)
            yield problem((key,), "unknown key" if near else f"unknown key; known here: {', '.join(known)}", near)
    if not isinstance(value.get("metadata"), dict):
        yield problem(("metadata",), "a mapping with a name is expected")
        return
    for key in value["metadata"]:
        if key in NOT_METADATA:
            yield problem(("metadata", key), "unknown key")
    yield from _environments(value, problem)


def _environments(value: Mapping[str, Any], problem: Callable[[Path, str], Problem]) -> Iterator[Problem]:
    for key in ("spec", "environments"):
        if not isinstance(value.get(key, {}), dict | None):
            yield problem((key,), f"a mapping is expected, not {shown(value[key])}")
    environments = value.get("environments")
    for name, spec in environments.items() if isinstance(environments, dict) else ():
        if not isinstance(spec, dict | None):
            yield problem(("environments", name), f"a mapping is expected, not {shown(spec)}")
        elif name == "production":
            yield problem(("environments", name), "the keys of production stand under spec")
        elif not isinstance(name, str):
            yield problem(("environments", name), f"a name is expected, not {shown(name)}")
