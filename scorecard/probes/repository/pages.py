"""Runbooks: what an on-call engineer would find on a page. Pure."""

from __future__ import annotations

from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

import re2

from scorecard.probes.repository.dates import find_date
from scorecard.probes.repository.markdown import Page, Section, read_page
from scorecard.probes.repository.questions import EXCERPT, ParsedPage
from scorecard.probes.repository.silences import silences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SECTIONS = {
    "meaning": (
        "meaning",
        "mean",
        "means",
        "summary",
        "description",
        "overview",
        "about",
        "symptom",
        "symptoms",
        "definition",
        "what happened",
        "alert details",
        "background",
        "trigger",
        "explanation",
        "purpose",
    ),
    "impact": (
        "impact",
        "severity",
        "consequence",
        "consequences",
        "effect",
        "effects",
        "affected",
        "blast radius",
        "customer facing",
        "risk",
    ),
    "diagnosis": (
        "diagnosis",
        "diagnose",
        "diagnostics",
        "diagnostic",
        "investigation",
        "investigate",
        "triage",
        "troubleshooting",
        "troubleshoot",
        "debugging",
        "debug",
        "verify",
        "cause",
        "causes",
        "check",
        "checks",
        "analysis",
        "how to check",
    ),
    "mitigation": (
        "mitigation",
        "mitigate",
        "resolution",
        "resolve",
        "remediation",
        "remediate",
        "fix",
        "fixing",
        "solution",
        "recovery",
        "recover",
        "what to do",
        "action",
        "actions",
        "workaround",
        "response",
        "repair",
        "rollback",
        "procedure",
    ),
    "escalation": (
        "escalation",
        "escalate",
        "contact",
        "contacts",
        "who to call",
        "on call",
        "oncall",
        "owner",
        "owners",
        "ownership",
        "support",
    ),
}
_PROSE_PLACEHOLDER = re2.compile(
    r"(\b(?:TODO|TBD|FIXME|TBC|XXX)\b|(?i:lorem ipsum|fill (?:me|this|it) in|coming soon"
    r"|to be (?:written|completed|defined|done|filled|determined|added)|work in progress|placeholder text)"
    r"|<(?i:insert|your|fill|add|enter|replace)\b[^<>]*>|\[(?i:insert|fill|enter|add)\b[^\[\]]*\]|(?:^|[^$\\{\w])\{[A-Za-z][^{}:=]*\}(?:[^}]|$))"
)
_NOTHING = re2.compile(r"(?i)^\W*(n/?a|tba|none yet|to follow)\W*$")
"""A line that says that there is nothing."""
_CODE_PLACEHOLDER = re2.compile(r"(\b(?:TODO|TBD|FIXME)\b|(?i:lorem ipsum))")
_REVIEWED = (
    "last_reviewed",
    "last-reviewed",
    "reviewed",
    "reviewed_on",
    "last_review",
    "lastreviewed",
    "review_date",
    "last_updated",
    "last-updated",
    "lastmod",
    "last_modified",
    "updated",
    "date",
)
_REVIEW_LINE = re2.compile(r"(?i)^\W*(last[ _-])?(reviewed|review|updated|verified)( on| at|)\W")
_EXCERPT = 60
_SHOWN = 20
_TITLE = 200
_MANY = 2_000
"""Links and anchors of one page that are looked at."""


def parse_page(text: str, path: str, *, fragment: str = "", alerts: Sequence[str] = ()) -> ParsedPage:
    """What a runbook holds, and which of the alerts it mentions. Never raises for any text."""
    return parsed(read_page(text), path, fragment=fragment, alerts=alerts)


def parsed(page: Page, path: str, *, fragment: str = "", alerts: Sequence[str] = ()) -> ParsedPage:
    """The same of a page that was read already."""
    part = _part(page, fragment)
    sections: dict[str, int] = {}
    for kinds, section in _kinds(part):
        for kind in kinds:
            sections[kind] = sections.get(kind, 0) + section.words
    return ParsedPage(
        title=page.title[:_TITLE],
        named=tuple(name for name in alerts if _mentions(page, name)),
        sections=sections,
        steps=any(section.numbered or section.code for section in part),
        placeholders=tuple(_placeholders(part))[:_SHOWN],
        reviewed_on=_reviewed(page),
        links=tuple(islice(((link.target, link.number) for link in page.links if _relative(link.target)), _MANY)),
        anchors=tuple(islice(_anchors(page), _MANY)),
        lines=page.lines,
        silences=silences(page.comments, path)[:_SHOWN],
        excerpt="\n".join(_told(page)).encode("utf-8", "replace")[:EXCERPT].decode("utf-8", "ignore"),
    )


def _told(page: Page) -> Iterator[str]:
    """Its text as a reader sees it, one heading, line or command after the other."""
    for section in page.sections:
        if section.title:
            yield f"{'#' * min(section.level, 6)} {section.title}"
        parts = [(line.number, line.text) for line in section.lines] + [(one.number, one.text) for one in section.code]
        yield from (text.rstrip() for _, text in sorted(parts))


def _anchors(page: Page) -> Iterator[str]:
    yield from dict.fromkeys((*(name for section in page.sections for name in section.anchors), *page.anchors))


def _part(page: Page, fragment: str) -> tuple[Section, ...]:
    """The sections that a reader who follows the fragment needs: those below it, and those for the whole page.

    A page of many alerts has one heading for each; what stands at that level or above it and is no alert's own, such as
    an escalation for all of them, is the page's.
    """
    start = next((index for index, item in enumerate(page.sections) if fragment and fragment in item.anchors), None)
    if start is None:
        return page.sections
    level = page.sections[start].level
    end = start + 1
    while end < len(page.sections) and page.sections[end].level > level:
        end += 1
    shared = tuple(
        section
        for index, section in enumerate(page.sections)
        if not start <= index < end and section.level <= level and _kind_names(section.title)
    )
    return (*page.sections[start:end], *shared)


def _kinds(sections: Sequence[Section]) -> Iterator[tuple[tuple[str, ...], Section]]:
    """Each section with what it is; text under a heading of no known meaning belongs to the nearest known one above."""
    path: list[tuple[int, tuple[str, ...]]] = []
    for section in sections:
        while path and path[-1][0] >= section.level:
            path.pop()
        kinds = _kind_names(section.title) or (path[-1][1] if path else ())
        # The first heading is the page's title, whatever words it has.
        if section.level == 1 and section is _first(sections):
            kinds = ()
        path.append((section.level, kinds))
        yield kinds, section


def _first(sections: Sequence[Section]) -> Section | None:
    return next((section for section in sections if section.level), None)


def _kind_names(title: str) -> tuple[str, ...]:
    plain = f" {_plain(title)} "
    return tuple(kind for kind, names in _SECTIONS.items() if any(f" {name} " in plain for name in names))


def _plain(text: str) -> str:
    kept = "".join(letter if letter.isalnum() else " " for letter in text.lower())
    return " ".join(kept.split())


def _mentions(page: Page, name: str) -> bool:
    """The exact name stands in the page's text, code, headings or front matter, and not within another word."""
    texts = [page.title, *(str(value) for value in page.front.values())]
    for section in page.sections:
        texts.append(section.title)
        texts += [line.text for line in section.lines]
        texts += [block.text for block in section.code]
    return any(_stands_in(name, text) for text in texts)


def _stands_in(name: str, text: str) -> bool:
    start = text.find(name)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(name) : start + len(name) + 1]
        if not any(side.isalnum() or side == "_" for side in (before, after)):
            return True
        start = text.find(name, start + 1)
    return False


def _placeholders(sections: Sequence[Section]) -> Iterator[str]:
    for section in sections:
        if match := _PROSE_PLACEHOLDER.search(section.title):
            yield f"line {section.number}: {match.group(1).strip()[:_EXCERPT]}"
        for line in section.lines:
            if match := _PROSE_PLACEHOLDER.search(line.prose) or _NOTHING.search(line.prose):
                yield f"line {line.number}: {match.group(1).strip()[:_EXCERPT]}"
        for block in section.code:
            if match := _CODE_PLACEHOLDER.search(block.text):
                yield f"line {block.number}: {match.group(1).strip()[:_EXCERPT]}"


def _reviewed(page: Page) -> date | None:
    found = [day for key in _REVIEWED if (day := find_date(str(page.front.get(key, ""))))]
    lines = (line.text for section in page.sections for line in section.lines)
    found += [day for text in lines if _REVIEW_LINE.search(text) and (day := find_date(text))]
    return max(found, default=None)


def _relative(target: str) -> bool:
    """A link within the site or the repository."""
    head = target.partition("/")[0].partition("#")[0].partition("?")[0]
    return bool(target) and ":" not in head and not target.startswith("//")
