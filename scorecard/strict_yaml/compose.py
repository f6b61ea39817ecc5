"""Builds values from libyaml's events, with a stack of its own instead of recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from scorecard.strict_yaml.scalars import ScalarError, plain_scalar, tagged_scalar
from scorecard.strict_yaml.values import Document, Limits, Position, Tagged, Tags, YamlError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A wheel without libyaml gives the same events, twenty times slower.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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


class Composer:
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
        parser = _PARSER(self._data)
        try:
            while True:
                event = parser.get_event()
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
            parser.dispose()

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
        text = b"".join(self._data.split(b"\n", line + 1)[line : line + 1])
        message = str(error.problem or "not YAML")
        if text.lstrip(b" ")[:1] == b"\t" and "cannot start any token" in message:
            message = "a tab cannot indent; use spaces"
        elif error.context and error.context_mark:
            message = f"{message}, {error.context} that begins in line {error.context_mark.line + 1 + self._first_line}"
        return YamlError(self._name, line + 1 + self._first_line, column + 1, message)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        plain = event.tag is None and event.implicit[0] and not event.style
        stack = self._stack
        if plain and event.value == "<<" and stack and self._key_is_due(stack[-1]):
            stack[-1].key, stack[-1].awaits_value = _MERGE, True
            return
        try:
            value = plain_scalar(event.value) if plain else event.value
            if event.tag and event.tag != "!":
                value = self._tagged_scalar(event, event.tag)
        except ScalarError as error:
            raise self._error(event, str(error)) from None
        self._add(event, value, 1, 0)
        if event.anchor:
            self._anchors[event.anchor] = value

    def _tagged_scalar(self, event: yaml.ScalarEvent, tag: str) -> Any:  # noqa: ANN401 - any value of YAML
        known, value = tagged_scalar(tag, event.value)
        return value if known else self._keep_tag(event, tag, value)

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
        if frame.merges:
            self._merge(event, frame)
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
        self._check_depth(event, height)
        self._add(event, value, weight, height)

    def _merge_sources(self, event: Any, value: Any) -> list[dict[Any, Any]]:  # noqa: ANN401 - any event, any value
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise self._error(event, "<< takes a mapping or a list of mappings")
        return sources

    def _merge(self, event: Any, frame: _Frame) -> None:  # noqa: ANN401 - any event
        """`<<`: what the mapping does not say itself is taken from the sources, the first one winning."""
        for mapping in frame.merges:
            weight, height = self._sizes[id(mapping)]
            frame.weight += weight
            frame.height = max(frame.height, height)
            self._check_nodes(event, frame)
            self._check_depth(event, height)
            for key, value in mapping.items():
                if key not in frame.container:
                    frame.container[key] = value
                    frame.marks[key] = self._marks[id(mapping)][key]

    def _check_nodes(self, event: Any, frame: _Frame) -> None:  # noqa: ANN401 - any event
        if frame.weight > self._limits.nodes:
            raise self._error(event, f"more than {self._limits.nodes:,} keys and values, aliases expanded")

    def _check_depth(self, event: Any, height: int) -> None:  # noqa: ANN401 - any event
        if len(self._stack) + height > self._limits.depth:
            raise self._error(event, f"nested deeper than {self._limits.depth}, aliases followed")

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
                frame.merges += self._merge_sources(event, value)
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
