"""The repositories of a run: each opened once, remote ones cloned once, shared by all questions and services.

"Checkout" is only a word here: nothing is ever checked out, files are read as objects.
"""

from __future__ import annotations

import hashlib
import posixpath
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from scorecard.config import SecretUnavailable
from scorecard.egress.own import OwnPlaces
from scorecard.evidence import Exhibit, Unavailable
from scorecard.model import Cause, Repository, Service
from scorecard.probes.repository.addresses import Local, Remote, identity, read_address, shown
from scorecard.probes.repository.isolation import ChildLimits, Worker
from scorecard.probes.repository.questions import (
    Changes,
    Fetch,
    Fetched,
    File,
    LastChanged,
    ListFiles,
    Listing,
    Locate,
    Located,
    Source,
    UnreadableError,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

_FRESH = 60.0
"""Seconds for which an opened repository is not asked again where it stands: about one run."""
_REMEMBERED = 4_096
_LISTED = 64
_MAX_DEATHS = 3
"""Files of one repository that may stop the reader before the rest is left unread."""
_MAX_SECONDS = 60.0
"""For all that is asked of one repository in a run; a thousand files take two. Each service adds a second to it."""
_CLONE = ChildLimits(
    cpu=120, wall=180.0, memory=2 << 30, file_size=200 << 20, processes=None, network=True, late=Cause.TIMEOUT
)
_KEPT_ENVIRONMENT = ("HOME", "PATH", "USER", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR")

_NOWHERE = OwnPlaces()
_ANY = Source("")
"""In the key of what is known of a content: that does not depend on the repository it was found in."""

NOT_CONFIGURED = Unavailable(
    Cause.NOT_CONFIGURED,
    "the service names no repository",
    lines="spec:\n  repositories:\n    - url: https://github.com/ORGANISATION/REPOSITORY",
)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a forge asks for, by the host that its repositories are cloned from."""

    username: str = ""
    token: Callable[[], str] = str
    """Reads the token at each call, so that a rotated one counts at once."""
    ca_file: str = ""


class Checkout:
    """One repository at one commit, or a plain folder, as this process sees it: lists and parsed values, no content."""

    def __init__(self, located: Located, label: str, names: frozenset[str], worker: Worker, cache: Remembered) -> None:
        self.located = located
        self.label = label
        """Its address as it may be shown."""
        self.names = names
        """What links may call it: `host/owner/name`."""
        self._worker = worker
        self._cache = cache
        self._listings: OrderedDict[ListFiles, Listing] = OrderedDict()
        self._refused: dict[Any, UnreadableError] = {}
        self._deaths = 0
        self._seconds = 0.0
        self._services = 0

    def renew(self) -> None:
        """Another run may try again what this one refused."""
        self._refused.clear()
        self._deaths = 0
        self._seconds = 0.0
        self._services = 0

    def serve(self) -> None:
        """One more service asks."""
        self._services += 1

    @property
    def short(self) -> str:
        """The last part of its address."""
        return posixpath.basename(self.label.rstrip("/").removesuffix(".git")) or "repository"

    def listing(self, under: str, *, deep: bool = True) -> Listing:
        """The files under a folder."""
        question = ListFiles(self.located.source, under, deep)
        if question not in self._listings:
            self._listings[question] = self._ask(question, Listing)
            if len(self._listings) > _LISTED:
                self._listings.popitem(last=False)
        return self._listings[question]

    def file(self, path: str) -> File | None:
        """A file by its path; None where there is none."""
        if not inside(path):
            return None
        blob = self.listing(posixpath.dirname(path), deep=False).files.get(path)
        return None if blob is None else File(self.located.source, path, blob)

    def holds(self, path: str) -> bool:
        """Whether there is a file or a folder of this path."""
        if path in {"", "."}:
            return True
        return inside(path) and (
            self.file(path) is not None or path in self.listing(posixpath.dirname(path), deep=False).folders
        )

    def read(self, question: Any, answer: type[T]) -> T:  # noqa: ANN401 - a question about one `file`
        """Ask about one file; what is known of this very content is not asked again.

        Raises:
            UnreadableError: when it cannot be read.
        """
        if not question.file.blob:
            return self._ask(question, answer)
        key = (type(question), replace(question, file=replace(question.file, source=_ANY)))
        if key in self._refused:
            raise UnreadableError(self._refused[key].cause, self._refused[key].detail)
        known: T | None = self._cache.get(key)
        if known is None:
            try:
                known = self._ask(question, answer)
            except UnreadableError as error:
                self._refused[key] = error
                raise
            self._cache.put(key, known)
        return known

    def changes(self, wanted: Iterable[str], structural: Iterable[str] | None = None, within: str = "") -> Changes:
        """When paths last changed, and the structure in a folder, unless `structural` is None.

        Raises:
            UnreadableError: when there is no history.
        """
        question = LastChanged(
            self.located.source, tuple(wanted), None if structural is None else tuple(structural), within
        )
        return self._ask(question, Changes)

    def ask(self, question: Any, answer: type[T]) -> T:  # noqa: ANN401 - any question
        """Put another question about this repository."""
        return self._ask(question, answer)

    def _ask(self, question: Any, answer: type[T]) -> T:  # noqa: ANN401 - any question
        if self._deaths >= _MAX_DEATHS:
            raise UnreadableError(
                Cause.BAD_RESPONSE,
                f"{_MAX_DEATHS} files of this repository stopped the reader; the rest is left unread",
            )
        if self._seconds >= _MAX_SECONDS + self._services:
            raise UnreadableError(
                Cause.BAD_RESPONSE, f"reading it took {self._seconds:.0f} s already; the rest is left unread"
            )
        deaths, started = self._worker.deaths, time.monotonic()
        try:
            return self._worker.ask(question, answer)
        finally:
            self._deaths += self._worker.deaths - deaths
            self._seconds += time.monotonic() - started

    def exhibit(self, command: str, facts: Mapping[str, str | int | float | bool | None]) -> Exhibit:
        """What was asked of it; `command` follows `git`, or stands alone for plain files, with {commit} filled in."""
        source = self.located.source
        if not source.commit:
            return Exhibit(source="files", request=f"ls -R {source.directory}", facts=facts)
        at = datetime.fromtimestamp(self.located.committed_at, UTC).isoformat()
        return Exhibit(
            source="git",
            request=f"git -C {self.label} {command.format(commit=source.commit)}",
            facts={"repository": self.label, "commit": source.commit, "committed_at": at, **facts},
        )

    def unavailable(self, error: UnreadableError, path: str = "") -> Unavailable:
        """What could not be read, and why."""
        subject = f"{self.short}: {path}" if path else self.label
        return Unavailable(error.cause, f"{subject}: {error.detail}", count=1 if path else None)


@dataclass(frozen=True, slots=True)
class Holding:
    """A repository of a service, and the service's folder in it."""

    checkout: Checkout
    path: str
    """Empty for the whole repository."""

    def under(self, folder: str) -> str:
        """A folder of the service, from the repository's top."""
        return joined(self.path, folder)


class Remembered:
    """The last answers about contents, by the id of the content. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: object) -> Any:  # noqa: ANN401 - whatever was put
        """What is known, or None."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def put(self, key: object, value: object) -> None:
        """Remember, and forget the oldest."""
        with self._lock:
            self._known[key] = value
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


class Repositories:
    """Opens repositories; made once and shared by the probes."""

    def __init__(
        self,
        *,
        base: Path,
        cache: Path,
        environment: Mapping[str, str] | os._Environ[str],
        credentials: Mapping[str, Credential] | None = None,
        allow: Sequence[str] = (),
        places: OwnPlaces = _NOWHERE,
        worker: Worker | None = None,
    ) -> None:
        """Make the shared worker; nothing is started or read yet.

        Args:
            base: what relative paths are relative to.
            cache: where clones are kept.
            environment: what ssh and TLS take their settings from.
            credentials: by host.
            allow: networks beyond the public ones that may be connected to.
            places: where our own database and listener are, which are not cloned from.
            worker: the child that reads; one of its own unless given.
        """
        self._base = base
        self._cache = cache
        self._credentials = dict(credentials or {})
        self._allow = tuple(allow)
        self._places = places
        self._worker = worker or Worker()
        kept = {name: environment[name] for name in _KEPT_ENVIRONMENT if name in environment}
        self._fetcher = Worker("scorecard.probes.repository.fetching", limits=_CLONE, environment=kept)
        self._remembered = Remembered()
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, str], tuple[float, Checkout | UnreadableError]] = {}

    def read_elsewhere(self, question: Any, answer: type[T]) -> T:  # noqa: ANN401 - a question about no repository
        """Have the child read a text that came from somewhere else.

        Raises:
            UnreadableError: when it cannot be read.
        """
        known: T | None = self._remembered.get(question)
        if known is None:
            known = self._worker.ask(question, answer)
            self._remembered.put(question, known)
        return known

    def close(self) -> None:
        """End the children."""
        self._worker.close()
        self._fetcher.close()

    def of(self, service: Service) -> tuple[tuple[Holding, ...], tuple[Unavailable, ...]]:
        """The service's repositories that could be opened, and what could not."""
        holdings: list[Holding] = []
        missing: list[Unavailable] = []
        for repository in service.spec.repositories:
            try:
                holdings.append(self._holding(repository))
            except UnreadableError as error:
                missing.append(Unavailable(error.cause, f"{shown(repository.url)}: {error.detail}"))
        return tuple(holdings), tuple(missing)

    def _holding(self, repository: Repository) -> Holding:
        checkout = self._open(repository.url, repository.default_branch or "")
        path = joined(checkout.located.prefix, repository.path)
        if not inside(path):
            raise UnreadableError(Cause.NOT_CONFIGURED, f"the path {repository.path!r} leads out of the repository")
        if path and not checkout.holds(path):
            raise UnreadableError(Cause.NOT_CONFIGURED, f"has no folder {path!r}")
        checkout.serve()
        return Holding(checkout, path)

    def _open(self, url: str, branch: str) -> Checkout:
        key = (url, branch)
        with self._lock:
            at, known = self._opened.get(key, (0.0, None))
            if known is None or time.monotonic() - at > _FRESH:
                known = self._opened_now(url, branch, known if isinstance(known, Checkout) else None)
                self._opened[key] = (time.monotonic(), known)
        if isinstance(known, UnreadableError):
            raise UnreadableError(known.cause, known.detail)
        return known

    def _opened_now(self, url: str, branch: str, before: Checkout | None) -> Checkout | UnreadableError:
        try:
            address = read_address(url, self._base)
            if isinstance(address, Local):
                directory, label = str(address.directory), str(address.directory)
            else:
                directory, label = self._cloned(address, branch), address.url
            located = self._worker.ask(Locate(directory, branch if isinstance(address, Local) else ""), Located)
        except UnreadableError as error:
            return error
        if before is not None and before.located == located and located.source.commit:
            before.renew()
            return before
        names = frozenset(filter(None, (identity(url), identity(located.origin))))
        return Checkout(located, label, names, self._worker, self._remembered)

    def _cloned(self, remote: Remote, branch: str) -> str:
        """The directory of the bare clone, up to date.

        Raises:
            UnreadableError: the token's file cannot be read, or the repository cannot be cloned.
        """
        credential = self._credentials.get(remote.host, Credential()) if remote.scheme == "https" else Credential()
        digest = hashlib.sha256(f"{remote.url}\n{branch}".encode()).hexdigest()[:24]
        self._cache.mkdir(parents=True, exist_ok=True)
        directory = self._cache / f"{digest}.git"
        try:
            token = credential.token()
        except SecretUnavailable as error:
            raise UnreadableError(Cause.NOT_CONFIGURED, f"the forge's {error}") from None
        question = Fetch(
            remote.url,
            str(directory),
            branch,
            credential.username if token else "",
            token,
            credential.ca_file,
            self._allow,
            self._places.never,
            self._places.own,
        )
        self._fetcher.ask(question, Fetched)
        return str(directory)


def inside(path: str) -> bool:
    """Whether a path stays within the repository."""
    return not path.startswith("/") and ".." not in path.split("/")


def joined(*parts: str) -> str:
    """Folders joined and made plain; empty for the top."""
    path = posixpath.normpath(posixpath.join(*(part or "." for part in parts)))
    return "" if path == "." else path
