"""What a repository's address means: a directory here, a remote that may be cloned, or one that is refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import re2

from scorecard.model import Cause
from scorecard.probes.repository.questions import UnreadableError

_SCP = re2.compile(r"^(?:([A-Za-z0-9._-]+)@)?([A-Za-z0-9][A-Za-z0-9._-]*):([^/:][^:]*)$")
_SCHEME = re2.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):")
_SSH_HOST = re2.compile(r"^(?:[a-z0-9][a-z0-9._-]*|[0-9a-f:.]+)$")
_SSH_USER = re2.compile(r"^(?:[A-Za-z0-9_][A-Za-z0-9._-]*)?$")
_SSH = frozenset({"ssh", "git+ssh", "ssh+git"})


@dataclass(frozen=True, slots=True)
class Local:
    """A directory of this machine, read where it is."""

    directory: Path


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository that is cloned: over https or ssh."""

    scheme: str
    user: str
    host: str
    port: int | None
    path: str

    @property
    def url(self) -> str:
        """Its address without a password."""
        user = f"{self.user}@" if self.user and self.scheme == "ssh" else ""
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{user}{self.host}{port}{self.path}"


def read_address(url: str, base: Path) -> Local | Remote:
    """Understand a repository's address; paths are relative to `base`.

    Raises:
        UnreadableError: for `ext::`, `git:`, `http:` and whatever else is not read from or cloned over.
    """
    if "\0" in url:
        raise UnreadableError(Cause.NOT_SUPPORTED, "an address with a null byte")
    if "::" in url.partition("/")[0]:
        raise UnreadableError(Cause.NOT_SUPPORTED, f"{url.partition('::')[0]}:: runs a program, which is never done")
    scp = _SCP.match(url)
    if scp and len(scp.group(2)) > 1 and (scp.group(1) or "/" in scp.group(3)):
        if not _SSH_USER.match(scp.group(1) or ""):
            raise UnreadableError(Cause.NOT_SUPPORTED, f"{shown(url)} has a user that ssh would take as an option")
        return Remote("ssh", scp.group(1) or "git", scp.group(2).lower(), None, "/" + scp.group(3))
    scheme = _SCHEME.match(url)
    if not scheme:
        return Local(Path(base, url).resolve())
    return _with_scheme(url, scheme.group(1).lower())


def _with_scheme(url: str, scheme: str) -> Local | Remote:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UnreadableError(Cause.NOT_SUPPORTED, f"{shown(url)} is not an address") from None
    if scheme == "file":
        if host not in {"", "localhost"}:
            raise UnreadableError(Cause.NOT_SUPPORTED, f"a file address of another machine, {host}")
        return Local(Path(unquote(parts.path)).resolve())
    if scheme not in {"https", *_SSH}:
        raise UnreadableError(
            Cause.NOT_SUPPORTED, f"{scheme}: is not cloned over; https, ssh and directories of this machine are"
        )
    if not host or host.startswith("-") or not parts.path.strip("/"):
        raise UnreadableError(Cause.NOT_SUPPORTED, f"{shown(url)} names no repository")
    if parts.password:
        raise UnreadableError(
            Cause.NOT_SUPPORTED, f"{shown(url)} holds a password; give it as token_file of an integration instead"
        )
    if scheme in _SSH and not (_SSH_HOST.match(host.lower()) and _SSH_USER.match(parts.username or "")):
        raise UnreadableError(Cause.NOT_SUPPORTED, f"{shown(url)} has a host or user that ssh would not take as one")
    return Remote("ssh" if scheme in _SSH else "https", parts.username or "", host.lower(), port, parts.path)


def shown(url: str) -> str:
    """An address as it may be shown: without user and password."""
    if "://" not in url:
        return url
    try:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return url.partition("://")[0] + "://…"


def identity(url: str) -> str:
    """What two addresses of one repository have in common: `github.com/example/payments`; empty for a directory."""
    try:
        address = read_address(url, Path("/"))
    except UnreadableError:
        return ""
    if isinstance(address, Local):
        return ""
    return f"{address.host}/{unquote(address.path).strip('/').removesuffix('.git')}".lower()
