"""Markdown as a list of sections with their text, by which decision records and runbooks are judged. Pure.

Read from markdown-it's tokens. Comments are no text. Prose is text without inline code, since `{job="x"}` in code is
no placeholder, nor is `<pod>` in a command.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import re2
from markdown_it import MarkdownIt

from scorecard import strict_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark").enable("table")
_WORD = re2.compile(r"[\pL\pN]+(?:['\x{2019}_.:/-]+[\pL\pN]+)*")
_BRACED = re2.compile(r"\{[^{}]*\}")
_BRACKETED = re2.compile(r"^\s*\[[^\[\]]*\]\s*$")
_ID = re2.compile(r"(?i)\b(?:id|name)\s*=\s*[\"']?([^\s\"'>]+)")
_EXPLICIT = re2.compile(r"\s*\{:?\s*#([^\s}]+)[^}]*\}\s*$")
_TAG = re2.compile(
    r"(?i)^</?(a|abbr|b|big|br|center|code|dd|del|details|div|dl|dt|em|font|h[1-6]|hr|i|img|ins|kbd|li|mark"
    r"|nobr|ol|p|picture|pre|s|samp|small|source|span|strike|strong|sub|summary|sup|table|tbody|td|th"
    r"|thead|tr|tt|u|ul|var|video|wbr)\b|^<!|^<\?|^<https?:|^<mailto:"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of running text: a paragraph's, a list item's, or a table row's with its cells."""

    number: int
    text: str
    prose: str
    """The text without inline code."""
    label: str = ""
    """What it begins with in bold."""
    cells: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    first: bool = True
    """It begins its paragraph or item."""


@dataclass(frozen=True, slots=True)
class Code:
    """A block of code."""

    number: int
    text: str


@dataclass(slots=True)
class Section:
    """A heading with what follows up to the next heading; the text before the first has level 0 and no title."""

    level: int
    title: str
    number: int
    anchors: tuple[str, ...] = ()
    lines: list[Line] = field(default_factory=list)
    code: list[Code] = field(default_factory=list)
    numbered: bool = False
    """It has a numbered list."""

    @property
    def words(self) -> int:
        """Words of real text: without placeholders in braces, code counted as text."""
        return sum(words(line.text) for line in self.lines) + sum(words(block.text) for block in self.code)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link leads, and the line it stands in."""

    target: str
    number: int


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown document."""

    front: Mapping[str, Any]
    sections: tuple[Section, ...]
    links: tuple[Link, ...]
    anchors: tuple[str, ...]
    """Explicit ones in HTML; those of headings stand on the sections."""
    comments: tuple[tuple[int, str], ...]
    lines: int

    @property
    def title(self) -> str:
        """The front matter's title, or the first heading of the highest level."""
        titled = self.front.get("title")
        if isinstance(titled, str) and titled.strip():
            return titled.strip()
        headings = [section for section in self.sections if section.level]
        return min(headings, key=lambda section: section.level).title if headings else ""


def words(text: str) -> int:
    """Words of real text in a text."""
    if _BRACKETED.match(text) and "](" not in text:
        return 0
    return len(_WORD.findall(_BRACED.sub(" ", text)))


def read_page(text: str) -> Page:
    """Read a Markdown document. Never raises for any text."""
    front, body, skipped = _front_matter(text.replace("\r\n", "\n").replace("\r", "\n"))
    return _Reader(front, skipped).read(body)


def _front_matter(text: str) -> tuple[Mapping[str, Any], str, int]:
    """The front matter, the rest, and the lines before the rest."""
    head = text.split("\n", 1)[0]
    if head.rstrip() != "---":
        return {}, text, 0
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() in {"---", "..."}:
            try:
                value = strict_yaml.load("\n".join(lines[1:number]), name="front matter").value
            except strict_yaml.YamlError:
                value = {}
            front = {str(key).lower(): item for key, item in value.items()} if isinstance(value, dict) else {}
            return front, "\n".join(lines[number + 1 :]), number + 1
    return {}, text, 0


def slugs(title: str) -> tuple[str, ...]:
    """A heading's anchor as GitHub, GitLab and Python-Markdown (MkDocs) make it."""
    lowered = title.strip().lower()
    kept = "".join(letter for letter in lowered if letter.isalnum() or letter in "_- ")
    github = kept.replace(" ", "-")
    single = "-".join(part for part in github.split("-") if part)
    return (github,) if single == github else (github, single)


class _Reader:
    """Goes through the tokens once."""

    def __init__(self, front: Mapping[str, Any], skipped: int) -> None:
        self._front = front
        self._skipped = skipped
        self._here = Section(0, "", skipped + 1)
        self._sections = [self._here]
        self._links: list[Link] = []
        self._anchors: list[str] = []
        self._comments: list[tuple[int, str]] = []
        self._slugs: dict[str, int] = {}
        self._row: list[Line] | None = None
        self._number = skipped + 1

    def read(self, body: str) -> Page:
        tokens = _PARSER.parse(body)
        for before, token in zip([None, *tokens], tokens, strict=False):
            if token.map:
                self._number = token.map[0] + 1 + self._skipped
            self._token(before, token)
        return Page(
            self._front,
            tuple(self._sections),
            tuple(self._links),
            tuple(self._anchors),
            tuple(self._comments),
            body.count("\n") + 1 + self._skipped,
        )

    def _token(self, before: Token | None, token: Token) -> None:
        kind = token.type
        if kind == "inline":
            self._inline(before, token)
        elif kind in {"fence", "code_block"}:
            self._here.code.append(Code(self._number, token.content))
        elif kind == "ordered_list_open":
            self._here.numbered = True
        elif kind == "html_block":
            self._html(token.content, self._number)
        elif kind == "tr_open":
            self._row = []
        elif kind == "tr_close" and self._row is not None:
            self._end_row(self._row)
            self._row = None

    def _inline(self, before: Token | None, token: Token) -> None:
        children = token.children or []
        lines = list(_lines(children, self._number))
        for child, number in _numbered(children, self._number):
            self._child(child, number)
        if before is not None and before.type == "heading_open":
            self._heading(int(before.tag[1]), " ".join(line.text for line in lines))
        elif self._row is not None:
            self._row.append(_joined(lines, self._number))
        elif len(lines) == 1 and lines[0].label and lines[0].label == lines[0].text.rstrip(" :"):
            self._heading(BOLD_LEVEL, lines[0].label)
        else:
            self._here.lines.extend(lines)

    def _child(self, child: Token, number: int) -> None:
        target = child.attrGet("href") if child.type == "link_open" else child.attrGet("src")
        if child.type in {"link_open", "image"} and isinstance(target, str) and target:
            self._links.append(Link(target, number))
        elif child.type == "html_inline":
            self._html(child.content, number)

    def _html(self, content: str, number: int) -> None:
        if content.lstrip().startswith("<!--"):
            self._comments.extend((number + index, line) for index, line in enumerate(content.split("\n")))
        else:
            self._anchors.extend(_ID.findall(content))

    def _heading(self, level: int, title: str) -> None:
        explicit = _EXPLICIT.search(title)
        anchors: tuple[str, ...] = ()
        if explicit:
            title, anchors = title[: explicit.start()], (explicit.group(1),)
        for slug in slugs(title):
            count = self._slugs.get(slug, 0)
            self._slugs[slug] = count + 1
            anchors = (*anchors, *((f"{slug}-{count}", f"{slug}_{count}") if count else (slug,)))
        self._here = Section(level, title.strip(), self._number, anchors)
        self._sections.append(self._here)

    def _end_row(self, cells: list[Line]) -> None:
        if cells:
            self._here.lines.append(
                Line(
                    cells[0].number,
                    " ".join(cell.text for cell in cells),
                    " ".join(cell.prose for cell in cells),
                    cells=tuple(cell.text.strip() for cell in cells),
                    links=tuple(link for cell in cells for link in cell.links),
                )
            )


BOLD_LEVEL = 7
"""A paragraph of nothing but bold text is read as a heading, below all real ones."""


def _numbered(children: Sequence[Token], number: int) -> Iterator[tuple[Token, int]]:
    for child in children:
        yield child, number
        if child.type in {"softbreak", "hardbreak"}:
            number += 1


def _lines(children: Sequence[Token], number: int) -> Iterator[Line]:
    """The lines of one inline token."""
    line: list[Token] = []
    first = True
    for child, here in _numbered(children, number):
        if child.type in {"softbreak", "hardbreak"}:
            yield _line(line, here, first=first)
            line, first = [], False
        else:
            line.append(child)
    yield _line(line, number + sum(child.type in {"softbreak", "hardbreak"} for child in children), first=first)


def _line(children: list[Token], number: int, *, first: bool) -> Line:
    text: list[str] = []
    prose: list[str] = []
    label: list[str] = []
    links: list[str] = []
    bold = 0
    for child in children:
        shown = _shown(child)
        if child.type == "strong_open":
            bold += 1
        elif child.type == "strong_close":
            bold -= 1
        elif child.type == "link_open" and isinstance(target := child.attrGet("href"), str):
            links.append(target)
        if bold and shown and (label or not "".join(text).strip()):
            label.append(shown)
        text.append(shown)
        if child.type != "code_inline":
            prose.append(shown)
    whole = "".join(text)
    return Line(
        number,
        whole.strip(),
        "".join(prose).strip(),
        "".join(label).strip().rstrip(":").strip(),
        (),
        tuple(links),
        first,
    )


def _shown(child: Token) -> str:
    if child.type in {"text", "code_inline", "image"}:
        return child.content
    if child.type == "html_inline" and not _TAG.match(child.content):
        return child.content  # `<insert name>` is no HTML that anybody meant
    return ""


def _joined(lines: list[Line], number: int) -> Line:
    return Line(
        number,
        " ".join(line.text for line in lines),
        " ".join(line.prose for line in lines),
        links=tuple(link for line in lines for link in line.links),
    )
