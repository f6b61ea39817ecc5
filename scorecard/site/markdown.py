"""Markdown of remedies as HTML without HTML: what looks like a tag in the source is shown as text."""

from __future__ import annotations

import inspect
from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup

_READER = MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False}).disable("image")


@lru_cache(maxsize=1024)
def render(source: str) -> Markup:
    """Render a remedy.

    Raw HTML is escaped, images are left as text (they would be fetched), and links to anything but http, https and
    mailto are not made, which is markdown-it's own rule.
    """
    html = _READER.render(inspect.cleandoc(source))
    # A code block scrolls sideways on a narrow page; what scrolls must be reachable with the keyboard.
    return Markup(html.replace("<pre>", '<pre tabindex="0">'))  # noqa: S704 - made by a renderer with HTML switched off


@lru_cache(maxsize=1024)
def line(source: str) -> Markup:
    """Render one sentence, such as a rule, without a paragraph around it."""
    return Markup(_READER.renderInline(source))  # noqa: S704 - as above
