"""Text for people: no control characters, icons that the output can show, the first sentence of a remedy. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from scorecard.model import Status, Verdict

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def visible(text: str) -> str:
    """The text on one line, with everything that could move a terminal's cursor or turn its words round made visible.

    Evidence is other people's text; an escape sequence in it must not act on the terminal of who reads it.
    """
    if text.isascii() and text.isprintable():
        return text
    joined = " ".join(text.split())
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _HIDDEN else c for c in joined)


def block(text: str) -> str:
    """The same for a text of several lines."""
    return "\n".join(visible_line(line) for line in text.splitlines())


def visible_line(line: str) -> str:
    """The same for a line of code, whose spaces matter."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _HIDDEN else c for c in line.expandtabs(4))


@dataclass(frozen=True, slots=True)
class Icons:
    """One sign per status, always shown with the word."""

    statuses: dict[Status, str]
    not_asked: str


_UNICODE = Icons(
    {
        Status.PASS: "\N{CHECK MARK}",
        Status.WARN: "!",
        Status.FAIL: "\N{BALLOT X}",
        Status.UNKNOWN: "?",
        Status.NOT_APPLICABLE: "\N{EN DASH}",
    },
    "\N{MIDDLE DOT}",
)
_ASCII = Icons(
    {Status.PASS: "+", Status.WARN: "!", Status.FAIL: "x", Status.UNKNOWN: "?", Status.NOT_APPLICABLE: "-"}, "."
)


def icons(encoding: str | None) -> Icons:
    """Signs that an output of this encoding can write."""
    try:
        "".join([*_UNICODE.statuses.values(), _UNICODE.not_asked]).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _ASCII
    return _UNICODE


STYLES = {
    Status.PASS: "green",
    Status.WARN: "yellow",
    Status.FAIL: "bold red",
    Status.UNKNOWN: "magenta",
    Status.NOT_APPLICABLE: "dim",
}
VERDICT_STYLES = {Verdict.GO: "bold green", Verdict.NO_GO: "bold red", Verdict.CANNOT_TELL: "bold magenta"}


def number(value: float | None) -> str:
    """A score of 0 to 100 with one decimal; a word where there is none."""
    return "not measured" if value is None else f"{value:.1f}"


def hint(remedy: str) -> str:
    """The first sentence of a remedy that is not code, for a single line."""
    for paragraph in remedy.strip().split("\n\n"):
        if not paragraph.startswith(("```", "    ")):
            words = " ".join(paragraph.split("```")[0].split())
            return words.rstrip(":") if words else ""
    return ""
