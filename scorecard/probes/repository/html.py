"""A page of a site as the sections, text and links that Markdown comes to as well. Pure; runs in the child process.

What surrounds the content (navigation, header, footer, scripts) is left out, since the name of every alert and a
link to every page stand there. Where a page has one `main` or `article`, that is the content.
"""

from __future__ import annotations

from html.parser import HTMLParser

import re2

from scorecard.probes.repository.markdown import Code, Line, Link, Page, Section, slugs

_AROUND = frozenset({"script", "style", "nav", "header", "footer", "aside", "template", "noscript", "svg", "head"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    {"p", "li", "div", "td", "th", "tr", "dd", "dt", "section", "article", "main", "blockquote", "summary", "br", "ul",
     "ol", "table", "pre", "body", "figcaption", "label"}
)  # fmt: skip
_EMPTY = frozenset({"br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "wbr"})
_CONTENT = re2.compile(r"(?i)<(main|article)[\s>]")
_REVIEWED_META = frozenset(
    {"last-modified", "article:modified_time", "last_reviewed", "last-reviewed", "dcterms.modified"}
)
_DEEPEST = 2_000
"""Open elements; a deeper page is cut."""


def read_html(text: str) -> Page:
    """Read a page. Never raises for any text."""
    match = _CONTENT.search(text)
    reader = _Reader(match.group(1).lower() if match else "")
    reader.feed(text)
    reader.close()
    return reader.page(text.count("\n") + 1)


class _Reader(HTMLParser):
    """Goes through the tags once."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self._content = content
        """The element that holds the content; empty where the page has none of its own."""
        self._inside = 0 if content else 1
        self._around: list[str] = []
        self._open: list[str] = []
        self._front: dict[str, str] = {}
        self._here = Section(0, "", 1)
        self._sections = [self._here]
        self._links: list[Link] = []
        self._anchors: list[str] = []
        self._comments: list[tuple[int, str]] = []
        self._text: list[str] = []
        self._prose: list[str] = []
        self._heading: tuple[int, tuple[str, ...]] | None = None
        self._pre: list[str] | None = None
        self._code = 0
        self._title: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        given = {name: value or "" for name, value in attrs}
        self._named(tag, given)
        if tag == "meta":
            self._meta(given)
        if tag in _EMPTY:
            if tag == "br":
                self._end_line()
            return
        if len(self._open) < _DEEPEST:
            self._open.append(tag)
        if tag == self._content:
            self._inside += 1
        if tag == "title" and not self._front.get("title"):
            self._title = []
        if tag in _AROUND:
            self._around.append(tag)
        if self._kept:
            self._started(tag, given)

    def handle_endtag(self, tag: str) -> None:
        """Close it, and what was left open in it."""
        if tag == "title" and self._title is not None:
            self._front["title"] = " ".join("".join(self._title).split())
            self._title = None
        if tag not in self._open:
            return
        while self._open:
            last = self._open.pop()
            self._ended(last)
            if last == tag:
                return

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self._title is not None:
            self._title.append(data)
        if not self._kept:
            return
        if self._pre is not None:
            self._pre.append(data)
            return
        self._text.append(data)
        if not self._code:
            self._prose.append(data)

    def handle_comment(self, data: str) -> None:
        """Take a comment."""
        self._comments.append((self.getpos()[0], data))

    def unknown_decl(self, data: str) -> None:
        """Pass over a declaration that HTML does not have."""

    @property
    def _kept(self) -> bool:
        return not self._around and self._inside > 0

    def _named(self, tag: str, given: dict[str, str]) -> None:
        names = [given.get("id", ""), given.get("name", "") if tag == "a" else ""]
        self._anchors += [name for name in names if name]

    def _meta(self, given: dict[str, str]) -> None:
        name = (given.get("name") or given.get("property") or "").lower()
        if name in _REVIEWED_META:
            self._front["last_reviewed"] = given.get("content", "")

    def _started(self, tag: str, given: dict[str, str]) -> None:
        if tag in _HEADINGS:
            self._end_line()
            self._heading = (_HEADINGS[tag], tuple(filter(None, (given.get("id", ""),))))
        elif tag == "ol":
            self._here.numbered = True
        elif tag == "pre":
            self._end_line()
            self._pre = []
        elif tag in {"code", "kbd", "samp"}:
            self._code += 1
        elif tag in {"a", "img"} and (target := given.get("href", "")):
            self._links.append(Link(target, self.getpos()[0]))
        if tag in _BLOCKS and self._pre is None:
            self._end_line()

    def _ended(self, tag: str) -> None:
        if tag in _HEADINGS and self._heading is not None:
            self._end_heading()
        elif tag == "pre" and self._pre is not None:
            code, self._pre = "".join(self._pre), None
            if code.strip():
                self._here.code.append(Code(self.getpos()[0], code))
        elif tag in {"code", "kbd", "samp"}:
            self._code = max(0, self._code - 1)
        elif tag in _BLOCKS:
            self._end_line()
        if self._around and self._around[-1] == tag:
            self._around.pop()
        if tag == self._content:
            self._inside = max(0, self._inside - 1)

    def _end_line(self) -> None:
        text, prose = (" ".join("".join(parts).split()) for parts in (self._text, self._prose))
        self._text, self._prose = [], []
        if text and self._heading is None:
            self._here.lines.append(Line(self.getpos()[0], text, prose))

    def _end_heading(self) -> None:
        level, anchors = self._heading or (1, ())
        self._heading = None
        # Generators put a link with a sign into each heading.
        title = " ".join("".join(self._text).split()).strip("¶#\N{LINK SYMBOL} ")
        self._text, self._prose = [], []
        self._here = Section(level, title, self.getpos()[0], (*anchors, *slugs(title)))
        self._sections.append(self._here)

    def page(self, lines: int) -> Page:
        """What was read."""
        self._end_line()
        return Page(
            self._front,
            tuple(self._sections),
            tuple(self._links),
            tuple(self._anchors),
            tuple(self._comments),
            lines,
        )
