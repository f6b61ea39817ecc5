"""What a link of an alert or a page can mean: paths in a repository, or a place elsewhere. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import re2

_BLOB = re2.compile(r"^/(.+?)/(?:-/)?(?:blob|raw|tree|src|blame)/(.+)$")
_RAW_HOSTS = {"raw.githubusercontent.com": "github.com"}
_INDEXES = ("README.md", "index.md", "_index.md", "readme.md")
_MARKDOWN = (".md", ".markdown")
_LINE = re2.compile(r"^L(\d+)(?:C\d+)?(?:-L?(\d+)(?:C\d+)?)?$")


@dataclass(frozen=True, slots=True)
class InRepository:
    """A link to a file of a repository on a forge: `host/owner/name`, and what follows `blob/`, the branch included."""

    identity: str
    rest: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An address of a site."""

    url: str


@dataclass(frozen=True, slots=True)
class Relative:
    """A path."""

    path: str


@dataclass(frozen=True, slots=True)
class Target:
    """A link taken apart."""

    place: InRepository | Elsewhere | Relative | None
    """None for a scheme that leads to no page."""
    fragment: str


def read_link(url: str) -> Target:
    """Take a link apart."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").lower()
    except ValueError:
        return Target(None, "")
    fragment = unquote(parts.fragment)
    if not parts.scheme and not parts.netloc:
        return Target(Relative(unquote(parts.path)), fragment)
    if parts.scheme not in {"http", "https"} or not host:
        return Target(None, fragment)
    path = unquote(parts.path)
    if host in _RAW_HOSTS:
        owner, _, rest = path.strip("/").partition("/")
        name, _, rest = rest.partition("/")
        return Target(
            InRepository(f"{_RAW_HOSTS[host]}/{owner}/{name}".lower(), rest.removeprefix("refs/heads/")), fragment
        )
    blob = _BLOB.match(path)
    if blob:
        rest = blob.group(2).removeprefix("branch/").rstrip("/")
        return Target(InRepository(f"{host}/{blob.group(1).removesuffix('.git')}".lower(), rest), fragment)
    return Target(Elsewhere(url.strip()), fragment)


def paths_after_branch(rest: str, branch: str) -> Iterator[str]:
    """What follows the branch, which may hold slashes: the declared branch first, then every other way to split."""
    if branch and rest.startswith(f"{branch}/"):
        yield rest[len(branch) + 1 :]
    parts = rest.split("/")
    for index in range(1, len(parts)):
        yield "/".join(parts[index:])


def pages_of(path: str) -> Iterator[str]:
    """The files that a path may mean: itself, the Markdown that a site generator makes it from, a folder's index."""
    plain = posixpath.normpath(path).strip("/")
    if plain in {"", "."}:
        yield from _INDEXES
        return
    yield plain
    stem = plain.removesuffix(".html")
    if not plain.endswith(_MARKDOWN):
        yield from (stem + ending for ending in _MARKDOWN)
        yield from (f"{stem}/{index}" for index in _INDEXES)


def below_base(url: str, bases: Sequence[str]) -> str | None:
    """What of an address follows a base address; None where none of the bases leads to it."""
    bare = url.partition("#")[0].partition("?")[0]
    for base in bases:
        stem = base.partition("#")[0].rstrip("/")
        if bare == stem or bare.startswith(stem + "/"):
            return unquote(bare[len(stem) :].strip("/"))
    return None


def has_anchor(fragment: str, anchors: Sequence[str], lines: int) -> bool:
    """Whether a page has what a fragment names: a heading, an explicit id, a line."""
    wanted = fragment.removeprefix("user-content-").lower()
    if any(anchor.lower() == wanted for anchor in anchors):
        return True
    line = _LINE.match(fragment)
    return bool(line) and int(line.group(2) or line.group(1)) <= lines
