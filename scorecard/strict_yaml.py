"""A strict YAML reader: text in, plain values and the line of every key out. Pure; opens no file.

It reads the YAML 1.2 core schema, so `on`, `no`, `12:30:45` and `2026-01-01` stay text. What commonly hides a mistake or an
attack is refused with its line: duplicate keys, cyclic aliases, unknown tags, and whatever passes the `Limits` (depth,
size, and the number of nodes *after* aliases and merge keys are expanded, which ends every bomb before memory is spent).

libyaml's event stream is used and not its composer: the composer recurses and ends the process on deep nesting, the event
parser keeps its own stack. The events carry no schema, so YAML 1.1's surprises never come in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import yaml

try:
    from yaml.cyaml import CParser as _Parser
except ImportError:  # a wheel without libyaml: the same events, twenty times slower
    from yaml.loader import SafeLoader as _Parser  # type: ignore[assignment]

from scorecard.yaml_scalars import ScalarError, plain_scalar, tagged_scalar

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
    """A value under a tag of its own, such as CloudFormation's `!Sub` or GitLab's `!reference`; the tag with its `!`."""

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


def load(source: str | bytes, *, name: str, limits: Limits = Limits(), tags: Tags = Tags.REFUSE) -> Document:  # noqa: B008 - frozen
    """Read a text of one document; an empty text is the value None.

    Raises:
        YamlError: for a text that is not strict YAML, passes the limits, or holds several documents.
    """
    documents = load_all(source, name=name, limits=limits, tags=tags)
    if len(documents) > 1:
        raise YamlError(name, documents[1].line, 1, "a second document begins here; one is expected")
    return documents[0] if documents else Document(name, None, 1)


def load_all(
    source: str | bytes, *, name: str, limits: Limits = Limits(), tags: Tags = Tags.REFUSE
) -> tuple[Document, ...]:  # noqa: B008 - frozen
    """Read every document of a text.

    Raises:
        YamlError: for the first thing that is wrong.
    """
    documents = []
    for found in load_each(source, name=name, limits=limits, tags=tags):
        if isinstance(found, YamlError):
            raise found
        documents.append(found)
    return tuple(documents)


def load_each(
    source: str | bytes,
    *,
    name: str,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    tags: Tags = Tags.REFUSE,
) -> Iterator[Document | YamlError]:
    """Read the documents of a text one by one; a bad one comes as its error and does not hide those after it.

    A `---` at the start of a line begins a document whatever stands before it, quotes and brackets too, so reading goes on
    at the next one. After 100 bad documents the text is given up.
    """
    try:
        data = _encoded(source, name, limits)
    except YamlError as error:
        yield error
        return
    offset, first_line, count, failures = 0, 0, 0, 0
    while offset is not None and failures < _MAX_FAILURES:
        reader = _Reader(data[offset:], name, first_line, limits, tags)
        try:
            for document in reader.documents():
                count += 1
                if count > limits.documents:
                    yield YamlError(name, document.line, 1, f"more than {limits.documents} documents in one text")
                    return
                yield document
            return
        except YamlError as error:
            failures += 1
            yield error
        following = _next_document(data, offset, reader.document_line - first_line)
        if following is None:
            return
        offset, skipped = following
        first_line += skipped


_MAX_FAILURES = 100
_BOUNDARY = re.compile(rb"^---(?=\s|$)", re.MULTILINE)


def _next_document(data: bytes, offset: int, lines: int) -> tuple[int, int] | None:
    """Where the document after the one that begins `lines` below `offset` starts: its offset, and the lines up to it."""
    start = offset
    for _ in range(lines + 1):
        newline = data.find(b"\n", start)
        if newline < 0:
            return None
        start = newline + 1
    found = _BOUNDARY.search(data, start)
    return (found.start(), data.count(b"\n", offset, found.start())) if found else None


def _encoded(source: str | bytes, name: str, limits: Limits) -> bytes:
    """UTF-8 without a byte order mark, within the size limit."""
    size = len(source)
    if size > limits.size:
        raise YamlError(name, 1, 1, f"{size:,} bytes; at most {limits.size:,} are read")
    if isinstance(source, bytes):
        try:
            source = source.decode("utf-8")
        except UnicodeDecodeError as error:
            line = source.count(b"\n", 0, error.start) + 1
            raise YamlError(name, line, 1, f"byte {source[error.start]:#04x} is not UTF-8") from None
    try:
        data = source.removeprefix("\ufeff").encode("utf-8")
    except UnicodeEncodeError as error:
        raise YamlError(name, source.count("\n", 0, error.start) + 1, 1, "a lone surrogate is not text") from None
    if len(data) > limits.size:
        raise YamlError(name, 1, 1, f"{len(data):,} bytes; at most {limits.size:,} are read")
    # One line ending, so that line numbers agree with an editor's and with the search for the next document.
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class _Frame:
    """A mapping or list that is still open."""

    __slots__ = ("anchor", "awaits_value", "container", "height", "key", "key_mark", "marks", "merges", "tag", "weight")

    def __init__(self, container: dict[Any, Any] | list[Any], anchor: str | None, tag: str | None) -> None:
        self.container = container
        self.anchor = anchor
        self.tag = tag
        self.marks: dict[object, Position] = {}
        self.key: Any = None
        self.key_mark: Position = (0, 0)
        self.awaits_value = False
        self.merges: list[Any] = []
        self.weight = 1
        self.height = 1


_MERGE = object()
_START = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_END = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class _Reader:
    """Builds values from libyaml's events with a stack of its own."""

    def __init__(self, data: bytes, name: str, first_line: int, limits: Limits, tags: Tags) -> None:
        self._data = data
        self._name = name
        self._first_line = first_line
        self._limits = limits
        self._tags = tags
        self.document_line = first_line
        self._start_document()

    def _start_document(self) -> None:
        self._stack: list[_Frame] = []
        self._marks: dict[int, dict[object, Position]] = {}
        # What an alias would add: nodes and depth of each finished container, by id; the marks' keys stay alive below.
        self._sizes: dict[int, tuple[int, int]] = {}
        self._anchors: dict[str, Any] = {}
        self._open_anchors: set[str] = set()
        self._keep: list[Any] = []
        self._root: Any = None
        self._root_line = 0

    def documents(self) -> Iterator[Document]:
        """Every document of the text.

        Raises:
            YamlError: for the first thing that is wrong; `document_line` says where its document began.
        """
        try:
            for event in self._events():
                if isinstance(event, yaml.DocumentStartEvent):
                    self._begin(event)
                elif isinstance(event, yaml.DocumentEndEvent):
                    yield Document(self._name, self._root, self._root_line, self._marks)
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from None
        except yaml.reader.ReaderError as error:
            line = self._data.count(b"\n", 0, error.position) + 1 + self._first_line
            what = f"character {error.character:#06x}" if isinstance(error.character, int) else "a character"
            raise YamlError(self._name, line, 1, f"{what} is not allowed: {error.reason}") from None

    def _events(self) -> Iterator[Any]:
        """Handle the events of nodes, hand out those of documents."""
        parser = _Parser(self._data)
        try:
            while True:
                event = parser.get_event()  # type: ignore[no-untyped-call]
                if event is None or isinstance(event, yaml.StreamEndEvent):
                    return
                if isinstance(event, yaml.ScalarEvent):
                    self._scalar(event)
                elif isinstance(event, _START):
                    self._open(event)
                elif isinstance(event, _END):
                    self._close(event)
                elif isinstance(event, yaml.AliasEvent):
                    self._alias(event)
                else:
                    yield event
        finally:
            parser.dispose()  # type: ignore[no-untyped-call]

    def _begin(self, event: yaml.DocumentStartEvent) -> None:
        self._start_document()
        line, _ = self._mark(event)
        self.document_line = line - 1
        if event.tags:
            raise self._error(event, "a %TAG directive is not read")

    def _mark(self, event: Any) -> Position:  # noqa: ANN401 - PyYAML's events have no common typed base
        mark = event.start_mark
        return mark.line + 1 + self._first_line, mark.column + 1

    def _error(self, event: Any, message: str) -> YamlError:  # noqa: ANN401 - as above
        return YamlError(self._name, *self._mark(event), message)

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> YamlError:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        text = self._data.split(b"\n", line + 1)[line] if mark else b""
        message = str(error.problem or "not YAML")
        if text.lstrip(b" ")[:1] == b"\t" and "cannot start any token" in message:
            message = "a tab cannot indent; use spaces"
        elif error.context and error.context_mark:
            message = f"{message}, {error.context} that begins in line {error.context_mark.line + 1 + self._first_line}"
        return YamlError(self._name, line + 1 + self._first_line, column + 1, message)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        plain = event.implicit[0] and not event.style
        stack = self._stack
        if plain and event.value == "<<" and stack and self._key_is_due(stack[-1]):
            stack[-1].key, stack[-1].awaits_value = _MERGE, True
            return
        try:
            value = plain_scalar(event.value) if plain else event.value
            if event.tag and event.tag != "!":
                value = self._tagged_scalar(event)
        except ScalarError as error:
            raise self._error(event, str(error)) from None
        self._add(event, value, 1, 0)
        if event.anchor:
            self._anchors[event.anchor] = value

    def _tagged_scalar(self, event: yaml.ScalarEvent) -> Any:  # noqa: ANN401 - any value of YAML
        known, value = tagged_scalar(event.tag, event.value)
        return value if known else self._keep_tag(event, event.tag, value)

    def _keep_tag(self, event: Any, tag: str, value: Any) -> Any:  # noqa: ANN401 - any event, any value
        if self._tags is Tags.REFUSE or tag.startswith("tag:"):
            raise self._error(event, f"the tag {tag} is not read")
        return Tagged(tag, value)

    @staticmethod
    def _key_is_due(frame: _Frame) -> bool:
        return isinstance(frame.container, dict) and not frame.awaits_value

    def _open(self, event: Any) -> None:  # noqa: ANN401 - a mapping's or a list's start
        stack = self._stack
        if stack and self._key_is_due(stack[-1]):
            raise self._error(event, "a mapping or list cannot be a key")
        if len(stack) >= self._limits.depth:
            raise self._error(event, f"nested deeper than {self._limits.depth}")
        is_map = isinstance(event, yaml.MappingStartEvent)
        tag = event.tag
        if tag in {None, "!", "tag:yaml.org,2002:map" if is_map else "tag:yaml.org,2002:seq"}:
            tag = None
        else:
            self._keep_tag(event, tag, None)  # refuses at the tag, before its content is read
        container: dict[Any, Any] | list[Any] = {} if is_map else []
        frame = _Frame(container, event.anchor, tag)
        self._keep.append(container)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
            self._open_anchors.add(event.anchor)
        if not stack:
            self._root_line = self._mark(event)[0]
        elif not isinstance(stack[-1].container, dict):
            stack[-1].key_mark = self._mark(event)
        stack.append(frame)

    def _close(self, event: Any) -> None:  # noqa: ANN401 - a mapping's or a list's end
        frame = self._stack.pop()
        for source in frame.merges:
            self._merge(event, frame, source)
        self._marks[id(frame.container)] = frame.marks
        self._sizes[id(frame.container)] = (frame.weight, frame.height)
        value: Any = Tagged(frame.tag, frame.container) if frame.tag else frame.container
        if frame.anchor:
            self._open_anchors.discard(frame.anchor)
            self._anchors[frame.anchor] = value
        self._add(event, value, frame.weight, frame.height, closing=True)

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor in self._open_anchors:
            raise self._error(event, f"*{event.anchor} stands within itself")
        if event.anchor not in self._anchors:
            raise self._error(event, f"*{event.anchor} has no anchor before it")
        value = self._anchors[event.anchor]
        inner = value.value if isinstance(value, Tagged) else value
        weight, height = self._sizes.get(id(inner), (1, 0)) if isinstance(inner, dict | list) else (1, 0)
        if len(self._stack) + height > self._limits.depth:
            raise self._error(event, f"nested deeper than {self._limits.depth}, aliases followed")
        self._add(event, value, weight, height)

    def _merge(self, event: Any, frame: _Frame, source: Any) -> None:  # noqa: ANN401 - any event, any value
        """`<<`: what the mapping does not say itself is taken from the sources, the first one winning."""
        sources = source if isinstance(source, list) else [source]
        for mapping in sources:
            if not isinstance(mapping, dict):
                raise self._error(event, "<< takes a mapping or a list of mappings")
            frame.weight += self._sizes.get(id(mapping), (1, 0))[0]
            self._check_nodes(event, frame)
            for key, value in mapping.items():
                if key not in frame.container:
                    frame.container[key] = value  # type: ignore[call-overload]  # a dict: only mappings have merges
                    frame.marks[key] = self._marks[id(mapping)][key]

    def _check_nodes(self, event: Any, frame: _Frame) -> None:  # noqa: ANN401 - any event
        if frame.weight > self._limits.nodes:
            raise self._error(event, f"more than {self._limits.nodes:,} keys and values, aliases expanded")

    def _add(self, event: Any, value: Any, weight: int, height: int, *, closing: bool = False) -> None:  # noqa: ANN401 - any event, any value
        """Put a finished value into the open container, or make it the document."""
        if not self._stack:
            self._root = value
            self._root_line = self._root_line or self._mark(event)[0]
            return
        frame = self._stack[-1]
        frame.weight += weight
        frame.height = max(frame.height, height + 1)
        self._check_nodes(event, frame)
        container = frame.container
        if isinstance(container, list):
            frame.marks[len(container)] = frame.key_mark if closing else self._mark(event)
            container.append(value)
        elif not frame.awaits_value:
            self._take_key(event, frame, value)
        else:
            frame.awaits_value = False
            if frame.key is _MERGE:
                frame.merges.append(value)
            else:
                container[frame.key] = value
                frame.marks[frame.key] = frame.key_mark

    def _take_key(self, event: Any, frame: _Frame, key: Any) -> None:  # noqa: ANN401 - any event, any value
        if isinstance(key, dict | list | Tagged):
            raise self._error(event, "a mapping or list cannot be a key")
        if key in frame.container:
            line = frame.marks[key][0]
            raise self._error(event, f"the key {key!r} stands twice; the first is in line {line}")
        frame.key, frame.key_mark, frame.awaits_value = key, self._mark(event), True
