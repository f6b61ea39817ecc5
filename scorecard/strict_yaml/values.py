"""What the strict reader takes and gives: limits, documents with positions, and its one error."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Path = tuple[str | int, ...]
Position = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one text may cost. The defaults are for files of other people's repositories."""

    size: int = 1 << 20
    """Bytes of UTF-8."""
    depth: int = 64
    """Mappings and lists within one another, aliases followed."""
    nodes: int = 200_000
    """Keys, values and items of one document, aliases and merge keys expanded."""
    documents: int = 1_000
    """Documents in one text."""


OWN_FILES = Limits(size=16 << 20, nodes=2_000_000, documents=100_000)
"""For the configuration and the catalogue, which the operator writes."""


class Tags(Enum):
    """What becomes of `!Ref` and its like."""

    REFUSE = "refuse"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value under a tag of its own, such as CloudFormation's `!Sub` or GitLab's `!reference`; `tag` has its `!`."""

    tag: str
    value: Any


class YamlError(ValueError):
    """A text that is not read, and where. Lines and columns count from 1."""

    def __init__(self, name: str, line: int, column: int, message: str) -> None:
        super().__init__(f"{name}:{line}:{column}: {message}")
        self.name = name
        self.line = line
        self.column = column
        self.message = message


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its value of dicts, lists and scalars, and where each part of it stands."""

    name: str
    value: Any
    line: int = 0
    """The line of its first node, from 1; 0 for a value that no text stands behind."""
    marks: Mapping[int, Mapping[object, Position]] = field(default_factory=dict, repr=False, compare=False)
    """For the `id` of each container, the position of each of its keys or items. `value` keeps the containers alive."""

    @classmethod
    def of(cls, value: Any, *, name: str) -> Document:  # noqa: ANN401 - any value of YAML
        """A value that no text stands behind, such as a database's or a variable's."""
        return cls(name, value)

    def position(self, path: Path) -> Position:
        """Line and column of what stands at `path`, or of the nearest thing around it that exists."""
        here = (self.line, 1 if self.line else 0)
        value = self.value
        for step in path:
            if isinstance(value, Tagged):
                value = value.value
            found = self.marks.get(id(value), {}).get(step)
            if found is None:
                break
            here, value = found, value[step]
        return here

    def where(self, path: Path = ()) -> str:
        """`name:line` of what stands at `path`."""
        line = self.position(path)[0]
        return f"{self.name}:{line}" if line else self.name
