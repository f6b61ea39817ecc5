"""A strict YAML reader: text in, plain values and the line of every key out. Pure; opens no file.

It reads the YAML 1.2 core schema, so `on`, `no`, `12:30:45` and `2026-01-01` stay text. What commonly hides a mistake
or an attack is refused with its line: duplicate keys, cyclic aliases, unknown tags, and whatever passes the `Limits`
(depth, size, and the number of nodes *after* aliases and merge keys are expanded, which ends every bomb before memory
is spent).

libyaml's event stream is used and not its composer: the composer recurses and ends the process on deep nesting, the
event parser keeps its own stack. The events carry no schema, so YAML 1.1's surprises never come in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scorecard.strict_yaml.compose import Composer
from scorecard.strict_yaml.values import OWN_FILES, Document, Limits, Path, Position, Tagged, Tags, YamlError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "OWN_FILES",
    "Document",
    "Limits",
    "Path",
    "Position",
    "Tagged",
    "Tags",
    "YamlError",
    "load",
    "load_all",
    "load_each",
]

_DEFAULT = Limits()


def load(source: str | bytes, *, name: str, limits: Limits = _DEFAULT, tags: Tags = Tags.REFUSE) -> Document:
    """Read a text of one document; an empty text is the value None.

    Raises:
        YamlError: for a text that is not strict YAML, passes the limits, or holds several documents.
    """
    documents = load_all(source, name=name, limits=limits, tags=tags)
    if len(documents) > 1:
        raise YamlError(name, documents[1].line, 1, "a second document begins here; one is expected")
    return documents[0] if documents else Document(name, None, 1)


def load_all(
    source: str | bytes, *, name: str, limits: Limits = _DEFAULT, tags: Tags = Tags.REFUSE
) -> tuple[Document, ...]:
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
    limits: Limits = _DEFAULT,
    tags: Tags = Tags.REFUSE,
) -> Iterator[Document | YamlError]:
    """Read the documents of a text one by one; a bad one comes as its error and does not hide those after it.

    A `---` at the start of a line begins a document whatever stands before it, quotes and brackets too, so reading goes
    on at the next one. After 100 bad documents the text is given up.
    """
    try:
        data = _encoded(source, name, limits)
    except YamlError as error:
        yield error
        return
    offset, first_line, count = 0, 0, 0
    for _ in range(_MAX_FAILURES):
        composer = Composer(data[offset:], name, first_line, limits, tags)
        try:
            for document in composer.documents():
                count += 1
                if count > limits.documents:
                    yield YamlError(name, document.line, 1, f"more than {limits.documents} documents in one text")
                    return
                yield document
        except YamlError as error:
            yield error
        else:
            return
        following = _next_document(data, offset, composer.document_line - first_line)
        if following is None:
            return
        offset = following[0]
        first_line += following[1]


_MAX_FAILURES = 100
_BOUNDARY = re.compile(rb"^---(?=\s|$)", re.MULTILINE)


def _next_document(data: bytes, offset: int, lines: int) -> tuple[int, int] | None:
    """Where the document after the one that begins `lines` below `offset` starts, and how many lines come before it."""
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
    if len(source) > limits.size:
        raise YamlError(name, 1, 1, f"{len(source):,} bytes; at most {limits.size:,} are read")
    text = _decoded(source, name) if isinstance(source, bytes) else source
    try:
        data = text.removeprefix("\ufeff").encode("utf-8")
    except UnicodeEncodeError as error:
        raise YamlError(name, text.count("\n", 0, error.start) + 1, 1, "a lone surrogate is not text") from None
    if len(data) > limits.size:
        raise YamlError(name, 1, 1, f"{len(data):,} bytes; at most {limits.size:,} are read")
    # One line ending, so that line numbers agree with an editor's and with the search for the next document.
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _decoded(source: bytes, name: str) -> str:
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise YamlError(name, line, 1, f"byte {source[error.start]:#04x} is not UTF-8") from None
