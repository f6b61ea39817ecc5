"""Decision records: which files are some, and what one says. Pure.

Read are Nygard's format as adr-tools writes it, MADR 2 to 4, log4brains, and what people make of them: bold labels,
tables, `Status: Accepted on 2021-03-04`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import re2

from scorecard.evidence import RecordState
from scorecard.probes.repository.dates import find_date
from scorecard.probes.repository.markdown import BOLD_LEVEL, Line, Page, Section, read_page, words
from scorecard.probes.repository.questions import ParsedRecord
from scorecard.probes.repository.silences import silences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDERS = (
    "adr",
    "adrs",
    "docs/adr",
    "docs/adrs",
    "docs/decisions",
    "docs/architecture/decisions",
    "doc/adr",
    "doc/adrs",
    "doc/decisions",
    "doc/architecture/decisions",
    "architecture/decisions",
    "architecture/adr",
    "docs/architecture/adr",
    "docs/architecture-decisions",
)
"""Below the service's path and the repository's top, in any case of letters."""
MARKDOWN = (".md", ".markdown", ".mdx")
OTHER_TEXT = (".adoc", ".asciidoc", ".rst", ".org")
_NOT_RECORDS = frozenset({"readme", "index", "toc", "contents", "summary", "changelog", "glossary", "_index"})

_NUMBER = re2.compile(r"(?i)^(?:adr[-_ ]?)?(\d{1,6})(?:\D|$)")
_DATED_NAME = re2.compile(r"^(\d{4})-?(\d{2})-?(\d{2})(?:\D|$)")
_TITLE_NUMBER = re2.compile(
    r"(?i)^\s*(?:adr[-_ #]*)?\d+\s*[.:)\x{2013}\x{2014}-]?\s+|^\s*adr\s*[:\x{2013}\x{2014}-]\s*"
)
_REFERENCE = re2.compile(r"(?i)\badr[-_ ]?#?(\d+)|#(\d+)\b|(?:^|\[|\s)(\d{1,5})\.\s")

_STATES = (
    (RecordState.SUPERSEDED, ("superseded", "superceded", "replaced", "supplanted")),
    (RecordState.DEPRECATED, ("deprecated", "obsolete", "retired", "abandoned", "archived")),
    (RecordState.REJECTED, ("rejected", "declined", "withdrawn", "denied", "cancelled", "canceled")),
    (RecordState.PROPOSED, ("proposed", "proposal", "draft", "pending", "open", "rfc", "wip", "in", "under", "review")),
    (
        RecordState.ACCEPTED,
        ("accepted", "approved", "decided", "adopted", "agreed", "implemented", "done", "active", "ratified", "final"),
    ),
)
_SECTIONS = {
    "context": (
        "context",
        "problem",
        "background",
        "motivation",
        "issue",
        "why",
        "rationale for change",
        "problem statement",
        "forces",
        "the issue",
        "situation",
    ),
    "decision": (
        "decision",
        "outcome",
        "chosen option",
        "resolution",
        "solution",
        "we decided",
        "what we decided",
        "the decision",
        "proposed solution",
    ),
    "consequences": (
        "consequence",
        "implication",
        "positive consequence",
        "negative consequence",
        "impact",
        "tradeoff",
        "trade offs",
        "pros and cons",
        "effect",
        "result",
        "resulting context",
        "drawback",
        "risks",
    ),
}
_NO_SECTION = ("decision driver", "decision maker", "decision date", "decision status", "decision record")
_LINKED = frozenset(
    {"links", "link", "more information", "related decisions", "related", "references", "see also", "relations"}
)
_TITLE = 200
_MANY = 20
_CHOICE = re2.compile(r"(?i)[|/,]|\bor\b")
_REPLACES = ("supersedes", "supercedes", "replaces", "superseding")
_REPLACED = ("superseded by", "superceded by", "replaced by")


def is_record(path: str) -> bool:
    """Whether a Markdown file in a folder of records is one, and not a template or the index."""
    name = path.rpartition("/")[2].lower()
    stem = name.rpartition(".")[0]
    return name.endswith(MARKDOWN) and "template" not in path.lower() and stem not in _NOT_RECORDS


def number_of(path: str) -> str:
    """The number in a record's file name; empty for a name that begins with a date or none."""
    name = path.rpartition("/")[2]
    if _DATED_NAME.match(name):
        return ""
    match = _NUMBER.match(name)
    return match.group(1) if match else ""


def parse_record(text: str, path: str) -> ParsedRecord:
    """What a decision record says. Never raises for any text."""
    page = read_page(text)
    state, replaced_by = _state(page)
    return ParsedRecord(
        title=_title(page),
        status=state.value,
        decided_on=_decided_on(page, path),
        sections=_sections(page),
        supersedes=_front_numbers(page, "supersedes", "replaces") | _said(page, _REPLACES),
        superseded_by=_front_numbers(page, "superseded-by", "superseded_by") | _said(page, _REPLACED) | replaced_by,
        silences=silences(page.comments, path)[:_MANY],
    )


class _Numbers(tuple[str, ...]):
    """Numbers in order, without repetition."""

    __slots__ = ()

    def __or__(self, other: Iterable[str]) -> _Numbers:
        return _Numbers(dict.fromkeys((*self, *other)))


def _title(page: Page) -> str:
    title = _TITLE_NUMBER.sub("", page.title).strip()
    return title[:_TITLE] if words(title) else ""


def _sections(page: Page) -> dict[str, int]:
    """Words under each of the three; text under a lower heading counts for the nearest known one above it."""
    found: dict[str, int] = {}
    path: list[tuple[int, str]] = []
    for section in page.sections:
        while path and path[-1][0] >= section.level:
            path.pop()
        kind = _kind(section.title) or (path[-1][1] if path else "")
        path.append((section.level, kind))
        if kind:
            found[kind] = found.get(kind, 0) + section.words
        elif section.level <= 1:
            for label, count in _labelled(section.lines):
                found[label] = found.get(label, 0) + count
    return found


def _labelled(lines: Iterable[Line]) -> Iterator[tuple[str, int]]:
    """Text that follows a bold label in the same paragraph: `**Context:** we have…`."""
    kind = ""
    for line in lines:
        if line.label:
            kind = _kind(line.label)
        if kind:
            yield kind, words(line.text) - (words(line.label) if line.label else 0)


def _kind(title: str) -> str:
    """context, decision or consequences, by a heading's words; empty for another heading."""
    plain = _plain(title)
    if plain.startswith(_NO_SECTION):
        return ""
    for kind in ("consequences", "context", "decision"):
        if any(plain == name or plain.startswith((f"{name} ", f"{name}s")) for name in _SECTIONS[kind]):
            return kind
    return ""


def _plain(text: str) -> str:
    """Lower case words alone, without numbering, emoji and punctuation."""
    kept = "".join(letter if letter.isalpha() else "" if letter == "'" else " " for letter in text.lower())
    return " ".join(kept.split())


# --- status, dates, links --------------------------------------------------------------------------------------------


def _labelled_values(page: Page, *labels: str) -> Iterator[tuple[str, Line | None]]:
    """What stands after `label:` wherever people write it: front matter, lists, tables, bold text, its own section."""
    for label in labels:
        value = page.front.get(label)
        if isinstance(value, str | date) and str(value).strip():
            yield str(value).strip(), None
        elif isinstance(value, list):
            yield from ((str(item), None) for item in value if str(item).strip())
    for index, section in enumerate(page.sections):
        if _plain(section.title) in labels:
            yield from ((line.text, line) for line in section.lines if line.text)
            if index + 1 < len(page.sections) and page.sections[index + 1].level == BOLD_LEVEL:
                yield page.sections[index + 1].title, None  # `**Accepted**`, which reads as a heading
        elif ":" in section.title and _plain(section.title.partition(":")[0]) in labels:
            yield section.title.partition(":")[2].strip(), None
        else:
            yield from _values_in(section, labels)


def _values_in(section: Section, labels: tuple[str, ...]) -> Iterator[tuple[str, Line | None]]:
    for line in section.lines:
        if len(line.cells) > 1 and _plain(line.cells[0]) in labels:
            yield line.cells[1], line
        name, colon, value = line.text.partition(":")
        if colon and _plain(name) in labels and value.strip():
            yield value.strip(), line


def _state(page: Page) -> tuple[RecordState, _Numbers]:
    """The state, and the numbers that `superseded by` names in it."""
    other = RecordState.MISSING
    for value, line in _labelled_values(page, "status", "state", "decision status"):
        state = _state_of(value)
        if state is RecordState.SUPERSEDED:
            return state, _references(value, line)
        if state not in {RecordState.MISSING, RecordState.OTHER}:
            return state, _Numbers()
        if state is RecordState.OTHER and words(value):
            other = state
    return other, _Numbers()


def _state_of(value: str) -> RecordState:
    """The state that a value begins with; missing where a template's choice was left open, other for any other word."""
    if value.lstrip().startswith("{"):
        return RecordState.MISSING
    states = [_named_state(part) for part in _CHOICE.split(value)]
    if len(states) > 1 and states[0] and states[1]:
        return RecordState.MISSING
    return states[0] or RecordState.OTHER


def _named_state(text: str) -> RecordState | None:
    first = _plain(text).partition(" ")[0]
    return next((state for state, names in _STATES if first in names), None)


def _decided_on(page: Page, path: str) -> date | None:
    labels = (
        "date",
        "decision date",
        "decided",
        "decided on",
        "date decided",
        "last updated",
        "last modified",
        "updated",
        "created",
        "accepted",
        "created on",
        "approved on",
        "accepted on",
        "last update",
    )
    for value, _ in _labelled_values(page, *labels, *(label.replace(" ", "_") for label in labels if " " in label)):
        if found := find_date(value):
            return found
    for value, _ in _labelled_values(page, "status", "state"):
        if found := find_date(value):
            return found
    match = _DATED_NAME.match(path.rpartition("/")[2])
    return find_date("-".join(match.groups())) if match else None


def _front_numbers(page: Page, *keys: str) -> _Numbers:
    found = _Numbers()
    for key in keys:
        value = page.front.get(key)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str | int):
                found |= _references(f"ADR-{item}" if str(item).isdecimal() else str(item), None)
    return found


def _said(page: Page, phrases: tuple[str, ...]) -> _Numbers:
    """The numbers after one of the phrases, where relations are written: the status, the links, lines at the top.

    At the top a line must begin with it, since prose stands there too.
    """
    found = _Numbers()
    for section in page.sections:
        telling = _plain(section.title) in {"status", *_LINKED}
        if section.level > 1 and not telling:
            continue
        for line in section.lines:
            text = line.text.lower()
            at = next((text.find(phrase) for phrase in phrases if phrase in text), -1)
            if at >= 0 and (telling or _plain(text[:at]) in {"", "status"}):
                found |= _references(line.text[at:], line)
    return found


def _references(text: str, line: Line | None) -> _Numbers:
    """The numbers of the records that a line names: by its links, else as `ADR-7`, `#7`, `7. Title`, `0007-x.md`."""
    linked = [number for link in line.links if (number := number_of(link))] if line is not None else []
    if linked:
        return _Numbers(dict.fromkeys(map(_short, linked)))
    named = [group for match in _REFERENCE.finditer(text) for group in match.groups() if group]
    named += [number for word in text.split() if ".md" in word and (number := number_of(word.strip("[]()<>,;")))]
    return _Numbers(dict.fromkeys(map(_short, named)))


def _short(number: str) -> str:
    return number.lstrip("0") or "0"
