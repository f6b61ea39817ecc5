"""The demo's wiki: runbooks that are pages of a site, and the ways in which a site hides that a page is not there."""

from __future__ import annotations

import html
from collections.abc import Mapping
from enum import StrEnum

from scorecard.demo.behaviours import LOGIN
from scorecard.demo.pages import Asked, Page

_HTML = "text/html; charset=utf-8"
_SHELL = """<!doctype html>
<html lang="en"><head><title>{title}</title><meta name="last_reviewed" content="{reviewed}"></head>
<body><nav><a href="/wiki/">All pages</a></nav><main>
{body}
</main></body></html>
"""
_PORTAL = _SHELL.format(
    title="Portal",
    reviewed="",
    body="<h1>Welcome to the portal</h1><p>Choose a team on the left, or search for a page by its name.</p>",
)


class Part(StrEnum):
    """Parts of the site, by the beginning of their paths."""

    WIKI = "/wiki/"
    """Answers 404 to what is not there."""
    PORTAL = "/portal/"
    """Answers every address with its welcome."""
    HANDBOOK = "/handbook/"
    """Asks for a sign-in first."""


class Wiki:
    """Answers for the whole site."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        """Store the pages, HTML by path."""
        self._pages = dict(pages)

    def __call__(self, asked: Asked) -> Page:
        """One request."""
        path = asked.path
        if path.startswith(Part.PORTAL):
            return Page(200, _PORTAL.encode(), _HTML)
        if path.startswith(Part.HANDBOOK):
            return Page(200, LOGIN, _HTML)
        if path in self._pages:
            return Page(200, self._pages[path].encode(), _HTML)
        if path.startswith("/hooks/"):
            return Page(200, b"{}")
        return Page(404, b"<!doctype html><title>Not found</title><h1>There is no such page</h1>", _HTML)


def page(title: str, reviewed: str, sections: Mapping[str, str]) -> str:
    """A page as a wiki draws it.

    Args:
        title: its heading.
        reviewed: the day of its last review.
        sections: heading to text; lines that begin with `$ ` are commands.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for heading, text in sections.items():
        parts.append(f'<h2 id="{heading.lower()}">{html.escape(heading)}</h2>')
        commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
        prose = " ".join(line for line in text.splitlines() if not line.startswith("$ "))
        parts.append(f"<p>{html.escape(prose)}</p>")
        if commands:
            parts.append(f"<pre><code>{html.escape(chr(10).join(commands))}</code></pre>")
    return _SHELL.format(title=html.escape(title), reviewed=reviewed, body="\n".join(parts))
