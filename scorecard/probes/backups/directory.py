"""Dumps in directories: which there are, how old, how large. None is opened; whether one restores is the drill's."""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.backups import (
    BESIDE,
    CONTENTS,
    UNFINISHED,
    Backup,
    BackupKind,
    BackupTarget,
    Dump,
    DumpBackups,
    backup_of_dumps,
    backup_targets,
)
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream

DEADLINE = 20.0
"""Seconds for all directories of one run: a file server that is gone answers never."""
_DEEPEST = 2
_MOST_ENTRIES = 20_000
_WILD = frozenset("*?[")


class _UnreadableError(Exception):
    """A directory that cannot be looked through; says nothing about the service."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.unavailable = Unavailable(cause, detail)


@dataclass(frozen=True, slots=True)
class DumpsProbe:
    """Lists the directories of dumps that the services' `backups` name."""

    clock: Callable[[], datetime]
    deadline: float = DEADLINE
    name: str = "backups.dumps"
    answers: type[Evidence] = DumpBackups
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:  # noqa: ARG002 - the protocol's
        """Answer for each service."""
        ends = time.monotonic() + self.deadline
        for service in services:
            targets = [target for target in backup_targets(service) if target.in_directory]
            if not targets:
                yield service.key, Absent("the service names no directory of dumps")
                continue
            backups = tuple(_looked_at(target, ends) for target in targets)
            yield service.key, DumpBackups(backups=backups, exhibits=tuple(map(_exhibit, targets, backups)))


def _looked_at(target: BackupTarget, ends: float) -> Backup:
    """The dumps of a target, or why they cannot be listed in time."""
    found: list[Backup] = []

    def look() -> None:
        try:
            found.append(backup_of_dumps(target, BackupKind.DIRECTORY, dumps_at(target.dumps)))
        except _UnreadableError as error:
            found.append(_unread(target, error.unavailable))
        except OSError as error:
            found.append(_unread(target, _refused(error, target.dumps)))

    # A thread that is left behind where the file system hangs; nothing else would end the wait.
    thread = threading.Thread(target=look, name="dumps", daemon=True)
    thread.start()
    thread.join(max(0.0, ends - time.monotonic()))
    if found:
        return found[0]
    return _unread(target, Unavailable(Cause.TIMEOUT, f"{target.dumps}: the file system did not answer in time"))


def _unread(target: BackupTarget, why: Unavailable) -> Backup:
    return Backup(name=target.name, kind=BackupKind.DIRECTORY, unread=why)


def dumps_at(place: str) -> list[Dump]:
    """The dumps in a directory and the two levels below, or those that the last part of the path matches.

    Raises:
        _UnreadableError: there is more than is looked through.
        OSError: a directory is not there, or cannot be listed in whole.
    """
    path = Path(place.removeprefix("file://"))
    pattern = ""
    if _WILD & set(path.name) or path.is_file():
        path, pattern = path.parent, path.name
    entries = 0
    found: list[Dump] = []
    todo = [(path, 0)]
    while todo:
        folder, depth = todo.pop()
        for entry in _entries(folder):
            entries += 1
            if entries > _MOST_ENTRIES:
                raise _UnreadableError(Cause.NOT_SUPPORTED, f"{place}: more than {_MOST_ENTRIES:,} files")
            if entry.is_symlink() or entry.name.startswith(".") or entry.name.endswith(UNFINISHED):
                continue
            wanted = fnmatchcase(entry.name, pattern) if pattern else not entry.name.endswith(BESIDE)
            if entry.is_dir(follow_symlinks=False):
                inside = {one.name: one for one in _entries(Path(entry.path))}
                if CONTENTS in inside:
                    found += [_directory_dump(entry, inside)] if wanted else []
                elif depth < _DEEPEST and not pattern:
                    todo.append((Path(entry.path), depth + 1))
            elif wanted and entry.is_file(follow_symlinks=False):
                found += _file_dump(entry, path)
    return found


def _file_dump(entry: os.DirEntry[str], top: Path) -> list[Dump]:
    try:
        about = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # it was taken away while we looked, by whatever keeps the newest few
        return []
    return [Dump(str(Path(entry.path).relative_to(top)), _at(about.st_mtime), about.st_size)]


def _directory_dump(entry: os.DirEntry[str], inside: Mapping[str, os.DirEntry[str]]) -> Dump:
    size = sum(one.stat(follow_symlinks=False).st_size for one in inside.values())
    return Dump(entry.name, _at(inside[CONTENTS].stat(follow_symlinks=False).st_mtime), size)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _refused(error: OSError, place: str) -> Unavailable:
    where = error.filename or place
    if isinstance(error, PermissionError):
        return Unavailable(Cause.ACCESS_DENIED, f"{where}: permission denied")
    if isinstance(error, FileNotFoundError):
        detail = f"{where}: there is no such directory on the scorecard's machine; is it mounted here?"
        return Unavailable(Cause.NO_DATA, detail)
    return Unavailable(Cause.UNREACHABLE, f"{where}: {error.strerror}")


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _exhibit(target: BackupTarget, backup: Backup) -> Exhibit:
    facts = {
        "resource": target.name,
        "dumps": backup.copies,
        "newest": backup.newest,
        "newest at": backup.newest_at.isoformat() if backup.newest_at else None,
        "bytes": backup.size,
        "kept days": backup.retention_days,
    }
    return Exhibit(source="files", request=f"ls -lt --time-style=full-iso {_quoted(target.dumps)}", facts=facts)


def _quoted(place: str) -> str:
    """As a shell takes it, with the pattern left to it."""
    folder, _, last = place.removeprefix("file://").rpartition("/")
    return f"{shlex.quote(folder)}/{last}" if _WILD & set(last) else shlex.quote(place)
