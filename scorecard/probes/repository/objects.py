"""Reading a repository's objects, or the plain files of a folder. Runs in the child; no checkout, no hooks, no filters.

Symbolic links and submodules are never followed: they are counted.
"""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dulwich.errors import NotGitRepository, ObjectFormatException
from dulwich.objects import Blob, Commit, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from scorecard.model import Cause
from scorecard.probes.repository.questions import File, ListFiles, Listing, Locate, Located, Source, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dulwich.objects import ObjectID

MAX_FILES = 20_000
MAX_FOLDERS = 20_000
MAX_FILE = 1 << 20
_MAX_NAME = 255
MAX_TOTAL = 200 << 20
_MADE = frozenset(
    {".git", ".hg", ".svn", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".terraform", ".mypy_cache"}
)
"""Folders of tools, skipped where no repository says which files are the service's."""
_LFS = b"version https://git-lfs.github.com/spec/"

_READ: Counter[Source] = Counter()
"""Bytes read of each source since it was last located."""


class Files(Protocol):
    """What can be listed and read, whether it is a commit or a folder."""

    def names(self, under: str, *, deep: bool = True) -> Listing:
        """The regular files under a folder, shallow ones first; an empty listing for one that is not there."""
        ...

    def read(self, path: str, blob: str) -> bytes:
        """One file's content.

        Raises:
            UnreadableError: when it is not there, too large, or not kept there.
        """
        ...


def files_of(source: Source) -> Files:
    """The files of a source; opened once."""
    return objects_of(source) if source.commit else _folder(source.directory)


@lru_cache(maxsize=4)
def objects_of(source: Source) -> Objects:
    """The objects of a commit; opened once."""
    return Objects(source)


@cache
def _folder(directory: str) -> Folder:
    return Folder(directory)


def list_files(question: ListFiles) -> Listing:
    """Answer `ListFiles`."""
    return files_of(question.source).names(question.under, deep=question.deep)


def read_file(file: File) -> bytes:
    """One file, within what is read of a file and of a repository.

    Raises:
        UnreadableError: when it is not there, or too large.
    """
    data = files_of(file.source).read(file.path, file.blob)
    _READ[file.source] += len(data)
    if _READ[file.source] > MAX_TOTAL:
        raise UnreadableError(Cause.BAD_RESPONSE, f"more than {MAX_TOTAL >> 20} MiB of this repository were read")
    if len(data) > MAX_FILE:
        raise UnreadableError(Cause.BAD_RESPONSE, f"{len(data):,} bytes; at most {MAX_FILE:,} are read of a file")
    if data.startswith(_LFS):
        raise UnreadableError(Cause.NOT_SUPPORTED, "kept in Git LFS, which is not read")
    return data


def read_text(file: File) -> str:
    """One file as text.

    Raises:
        UnreadableError: when it cannot be read, or is not UTF-8.
    """
    try:
        return read_file(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(Cause.BAD_RESPONSE, f"byte {error.start} is not UTF-8") from None


class Folder:
    """The plain files below a directory."""

    def __init__(self, directory: str) -> None:
        self._top = Path(directory)

    def names(self, under: str, *, deep: bool = True) -> Listing:
        """The regular files under a folder, shallow ones first."""
        files: dict[str, str] = {}
        links = odd = folders = 0
        queue = deque([under])
        below: list[str] = []
        while queue and len(files) < MAX_FILES and folders < MAX_FOLDERS:
            folder = queue.popleft()
            folders += 1
            for entry in self._entries(folder):
                path = f"{folder}/{entry.name}" if folder else entry.name
                if not nameable(entry.name):
                    odd += 1
                elif entry.is_symlink():
                    links += 1
                elif entry.is_dir(follow_symlinks=False):
                    if entry.name not in _MADE:
                        (queue if deep else below).append(path)
                elif entry.is_file(follow_symlinks=False) and len(files) < MAX_FILES:
                    files[path] = ""
        cut = bool(queue) or len(files) >= MAX_FILES
        return Listing(files, symlinks=links, unnameable=odd, folders=tuple(below), cut=cut)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._top / folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return []

    def read(self, path: str, blob: str) -> bytes:  # noqa: ARG002 - plain files have no ids
        """A regular file's content; links, pipes and devices are refused."""
        try:
            descriptor = os.open(self._top / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise UnreadableError(Cause.NO_DATA, f"cannot be opened: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as handle:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableError(Cause.BAD_RESPONSE, "not a regular file")
            return handle.read(MAX_FILE + 1)


class Step(NamedTuple):
    """A commit as far as history needs it."""

    at: int
    """Seconds since 1970."""
    tree: ObjectID
    parents: tuple[ObjectID, ...]


class Objects:
    """The objects of one commit."""

    def __init__(self, source: Source) -> None:
        self._repository = Repo(source.directory)
        self.store = self._repository.object_store
        self.commit_id: ObjectID = source.commit.encode()  # type: ignore[assignment] # dulwich's NewType over bytes
        self.touched: dict[ObjectID, frozenset[bytes]] = {}
        """The files that each commit changed, as far as history was walked."""
        self._steps: dict[ObjectID, Step] = {}

    def commit(self, commit_id: ObjectID) -> Commit:
        """A commit.

        Raises:
            UnreadableError: when the object is not there or not a commit.
        """
        found = self._object(commit_id)
        if not isinstance(found, Commit):
            raise UnreadableError(Cause.BAD_RESPONSE, f"object {commit_id.decode()} is not a commit")
        return found

    def step(self, commit_id: ObjectID) -> Step:
        """What history needs of a commit.

        Raises:
            UnreadableError: as `commit` does.
        """
        if commit_id not in self._steps:
            commit = self.commit(commit_id)
            self._steps[commit_id] = Step(_time(commit), commit.tree, tuple(commit.parents))
        return self._steps[commit_id]

    @lru_cache(maxsize=4_096)  # noqa: B019 - the child keeps at most eight of these, and ends
    def tree(self, tree_id: ObjectID) -> dict[bytes, tuple[int, ObjectID]]:
        """The entries of a tree: mode and id by name."""
        found = self._object(tree_id)
        if not isinstance(found, Tree):
            raise UnreadableError(Cause.BAD_RESPONSE, f"object {tree_id.decode()} is not a tree")
        return {entry.path: (entry.mode, entry.sha) for entry in found.iteritems()}

    def shallow(self) -> frozenset[ObjectID]:
        """The commits whose parents were not fetched."""
        return frozenset(self._repository.get_shallow())

    def folder(self, path: str) -> ObjectID | None:
        """The tree of a folder; None where there is none."""
        tree_id: ObjectID = self.commit(self.commit_id).tree
        for name in path.split("/") if path else ():
            mode, found = self.tree(tree_id).get(name.encode("utf-8", "surrogateescape"), (0, None))
            if found is None or not stat.S_ISDIR(mode):
                return None
            tree_id = found
        return tree_id

    def names(self, under: str, *, deep: bool = True) -> Listing:
        """The regular files under a folder, shallow ones first."""
        top = self.folder(under)
        if top is None:
            return Listing()
        files: dict[str, str] = {}
        links = modules = odd = folders = 0
        queue = deque([(under, top)])
        below: list[str] = []
        while queue and len(files) < MAX_FILES and folders < MAX_FOLDERS:
            folder, tree_id = queue.popleft()
            folders += 1
            for raw, (mode, object_id) in self.tree(tree_id).items():
                name = raw.decode("utf-8", "surrogateescape")
                path = f"{folder}/{name}" if folder else name
                if not nameable(name):
                    odd += 1
                elif stat.S_ISDIR(mode):
                    if deep:
                        queue.append((path, object_id))
                    else:
                        below.append(path)
                elif stat.S_ISREG(mode) and len(files) < MAX_FILES:
                    files[path] = object_id.decode()
                elif stat.S_ISLNK(mode):
                    links += 1
                else:
                    modules += 1
        return Listing(files, links, modules, odd, tuple(below), cut=bool(queue) or len(files) >= MAX_FILES)

    def read(self, path: str, blob: str) -> bytes:
        """A blob's content."""
        found = self._object(blob.encode())  # type: ignore[arg-type] # dulwich's NewType over bytes
        if not isinstance(found, Blob):
            raise UnreadableError(Cause.BAD_RESPONSE, f"{path} is not a file")
        return found.as_raw_string()

    def _object(self, object_id: ObjectID) -> object:
        try:
            return self.store[object_id]
        except KeyError:
            raise UnreadableError(Cause.NO_DATA, f"object {object_id.decode()} is not in the clone") from None
        except (ObjectFormatException, AssertionError, ValueError, OSError) as error:
            raise UnreadableError(
                Cause.BAD_RESPONSE, f"object {object_id.decode()} is damaged: {type(error).__name__}"
            ) from None


def nameable(name: str) -> bool:
    """A name that can be shown and asked for again."""
    return name.isprintable() and name not in {"", ".", ".."} and "/" not in name and len(name) <= _MAX_NAME


# --- where a directory belongs ---------------------------------------------------------------------------------------


def locate(question: Locate) -> Located:
    """Answer `Locate`: the repository around a directory and its branch, or the plain folder.

    Raises:
        UnreadableError: when there is no such directory, branch or commit.
    """
    directory = Path(question.directory)
    if not directory.is_dir():
        raise UnreadableError(Cause.UNREACHABLE, "there is no such directory")
    for top in (directory, *directory.parents):
        try:
            repository = Repo(str(top))
        except NotGitRepository:
            continue
        except Exception as error:  # noqa: BLE001 - dulwich raises whatever a damaged repository makes it
            raise UnreadableError(Cause.BAD_RESPONSE, f"git cannot read {top / '.git'}: {error}") from None
        try:
            prefix = "" if top == directory else directory.relative_to(top).as_posix()
            found = _located(repository, str(top), prefix, question.branch)
        finally:
            repository.close()
        _READ.pop(found.source, None)
        if prefix and objects_of(found.source).folder(prefix) is None:
            break  # inside a work tree and not part of it: the repository around says nothing about it
        return found
    plain = Source(str(directory))
    _READ.pop(plain, None)
    return Located(plain)


def _located(repository: Repo, top: str, prefix: str, branch: str) -> Located:
    commit_id = next(_heads(repository, branch), None)
    if commit_id is None:
        raise UnreadableError(Cause.NO_DATA, f"has no branch {branch!r}" if branch else "has no commit yet")
    commit = repository.object_store[commit_id]
    if not isinstance(commit, Commit):
        raise UnreadableError(Cause.BAD_RESPONSE, "the head is not a commit")
    return Located(
        Source(top, commit_id.decode()),
        prefix=prefix,
        committed_at=_time(commit),
        shallow=bool(repository.get_shallow()),
        origin=_origin(repository),
    )


def _time(commit: Commit) -> int:
    """When it was committed, in seconds since 1970.

    Raises:
        UnreadableError: when no calendar has that day: git stores any number.
    """
    try:
        datetime.fromtimestamp(commit.commit_time, UTC)
    except (OverflowError, ValueError, OSError):
        words = f"commit {commit.id.decode()} is dated {commit.commit_time}, which is no day"
        raise UnreadableError(Cause.BAD_RESPONSE, words) from None
    return int(commit.commit_time)


def _heads(repository: Repo, branch: str) -> Iterator[ObjectID]:
    names = (
        [f"refs/heads/{branch}", f"refs/remotes/origin/{branch}"] if branch else ["HEAD", "refs/remotes/origin/HEAD"]
    )
    for name in names:
        try:
            found = repository.refs[Ref(name.encode("utf-8", "surrogateescape"))]
        except (KeyError, ValueError):
            continue
        if found in repository.object_store:
            yield found


def _origin(repository: Repo) -> str:
    try:
        found = repository.get_config().get((b"remote", b"origin"), b"url")
    except KeyError:
        return ""
    return found.decode("utf-8", "replace")
