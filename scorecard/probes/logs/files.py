"""A log in a file or a directory: rotated, truncated, gzipped, half written, huge."""

from __future__ import annotations

import json
import os
import shlex
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import re2

from scorecard.evidence.logs import LogSystem
from scorecard.model import Cause
from scorecard.probes.logs.lines import LONGEST_LINE, Line, Unwrapper
from scorecard.probes.logs.source import Lines, SourceError

READ_AT_MOST = 8 << 20
"""Bytes of one file that are looked at: the last ones for a sample, the first ones after the mark for a search."""
UNPACK_AT_MOST = 64 << 20
"""Bytes that one gzip file may come to; a bomb ends there."""
_MOST_SKIPPED = 1 << 30
"""Bytes that are unpacked besides, of a file that was seen with this size before it was packed."""
MOST_FILES = 200
"""Files of a log, the newest ones."""
MARKED_FILES = 64
_DEEPEST = 3
"""Folders below a directory: /var/log/pods has its files two below."""
_MOST_ENTRIES = 5000
_HEAD = 256
_BLOCK = 256 * 1024
_OTHER_PACKERS = (".zst", ".xz", ".bz2", ".lz4", ".zip", ".7z")
_ROTATED = re2.compile(r"[.-]\d[\dT:._-]*(\.|$)")


@dataclass(frozen=True, slots=True)
class _Member:
    """One file of the log."""

    path: str
    """Its real path: what is checked is what is opened."""
    device: int
    inode: int
    size: int
    modified: int
    """Nanoseconds."""

    @property
    def packed(self) -> bool:
        return self.path.endswith(".gz")

    @property
    def base(self) -> str:
        """What it is a rotation of: `app.log` for `app.log.1`, `app.2026-11-24.log` and `app.log-20261124.gz`."""
        folder, _, name = self.path.rpartition("/")
        return f"{folder}/{base_name(name)}"


def base_name(name: str) -> str:
    """A file's name without what rotation adds to it."""
    return str(_ROTATED.sub(r"\1", name.removesuffix(".gz")))


@dataclass(frozen=True, slots=True)
class FileSource:
    """The files at a path: a file with its rotations, or everything in a directory."""

    path: Path
    """Absolute."""

    system = LogSystem.FILE
    lane = "files"

    @property
    def name(self) -> str:
        """Its path."""
        return f"file {self.path}"

    def mark(self, at: datetime) -> str:  # noqa: ARG002 - files are marked by what is in them
        """Each file's size up to its last whole line, with enough of its head to know it again."""
        members = self._members()
        files = []
        for member in members[:MARKED_FILES]:
            if member.packed:
                files.append([member.device, member.inode, member.size, 0, 0])
                continue
            with _opened(member) as descriptor:
                size = os.fstat(descriptor).st_size
                head = os.pread(descriptor, min(_HEAD, size), 0)
                files.append([member.device, member.inode, _end(descriptor, size), len(head), zlib.crc32(head)])
        newest = max((member.modified for member in members), default=0)
        return json.dumps({"newest": newest, "files": files}, separators=(",", ":"))

    def sample(self, count: int, now: datetime) -> Lines:  # noqa: ARG002 - the newest lines, however old
        """The last lines of each file that is written to, in equal parts."""
        groups: dict[str, list[_Member]] = {}
        for member in self._members():
            groups.setdefault(member.base, []).append(member)
        each = max(1, count // max(1, len(groups)))
        found: list[Line] = []
        for members in groups.values():
            mine: list[Line] = []
            for member in members:
                if len(mine) >= each:
                    break
                mine = [*_last_lines(member, each - len(mine)), *mine]
            found = [*mine, *found]
        return Lines(lines=tuple(found[-count:]))

    def find(self, needles: Sequence[str], mark: str, until: datetime) -> Lines:  # noqa: ARG002 - all there is now
        """Read on from the mark, in whatever file the rest of the marked ones is now, and in those that are new."""
        newest, marked = _read_mark(mark)
        found: list[Line] = []
        cut = False
        for member in reversed(self._members()):
            known = marked.get((member.device, member.inode))
            if known is None and member.modified < newest:
                continue
            texts, more = _since(member, known, marked.values())
            cut = cut or more
            lines = Unwrapper().lines(texts)
            found += [line for line in lines if not needles or any(needle in line.text for needle in needles)]
        return Lines(lines=tuple(found), cut=cut)

    def repeat(self, needle: str, mark: str) -> str:  # noqa: ARG002 - grep reads all of it
        """By grep, and by tail for a sample."""
        where = shlex.quote(str(self.path))
        if not needle:
            return f"tail -n 500 {where}"
        return f"grep -rn -- {shlex.quote(needle)} {where}{'' if self.path.is_dir() else '*'}"

    # --- which files

    def _members(self) -> list[_Member]:
        """The files, newest first."""
        try:
            folder = self.path if self.path.is_dir() else self.path.parent
            root = folder.resolve(strict=True)
            names = _walk(root) if self.path.is_dir() else _rotations(root, self.path.name)
            members, refused = _looked_at(root, names)
        except PermissionError as error:
            raise SourceError(Cause.ACCESS_DENIED, f"{error.filename}: permission denied") from None
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceError(Cause.NO_DATA, f"{self.path}: {reason[0].lower()}{reason[1:]}") from None
        if not members:
            raise SourceError(Cause.NO_DATA, refused or f"{self.path}: there is no such file, nor a rotation of it")
        members.sort(key=lambda member: (member.modified, member.path), reverse=True)
        return members[:MOST_FILES]


def _rotations(root: Path, name: str) -> Iterator[str]:
    base = base_name(name)
    stem = base.rpartition(".")[0] or base
    with os.scandir(root) as entries:
        for entry in entries:
            # By its beginning first: a directory may hold the logs of a thousand services.
            if entry.name == name or (entry.name.startswith(stem) and base_name(entry.name) == base):
                yield entry.path


def _walk(root: Path) -> Iterator[str]:
    todo = [(str(root), 0)]
    count = 0
    while todo:
        folder, depth = todo.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                count += 1
                if count > _MOST_ENTRIES:
                    return
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if depth < _DEEPEST:
                        todo.append((entry.path, depth + 1))
                else:
                    yield entry.path


def _looked_at(root: Path, paths: Iterable[str]) -> tuple[list[_Member], str]:
    """Regular files that are within the directory, links followed; and why the last other one is not read."""
    members: dict[tuple[int, int], _Member] = {}
    refused = ""
    for path in paths:
        real = os.path.realpath(path)
        if not Path(real).is_relative_to(root):
            refused = f"{path} leads out of its directory, to {real}, and is not followed"
            continue
        try:
            about = Path(real).lstat()
        except OSError:  # it was taken away while we looked
            continue
        if not stat.S_ISREG(about.st_mode):
            refused = f"{path} is no regular file"
        elif real.endswith(_OTHER_PACKERS):
            refused = f"{path} is packed in a way that is not read; gzip is"
        else:
            key = (about.st_dev, about.st_ino)
            members[key] = _Member(real, *key, about.st_size, about.st_mtime_ns)
    return list(members.values()), refused


# --- what is in them


class _opened:  # noqa: N801 - used as a function is
    """A descriptor of a member; it must be the very file that was looked at."""

    __slots__ = ("_descriptor", "_member")

    def __init__(self, member: _Member) -> None:
        self._member = member
        self._descriptor = -1

    def __enter__(self) -> int:
        try:
            self._descriptor = os.open(
                self._member.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
            )
            if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                return self._descriptor
        except PermissionError:
            raise SourceError(Cause.ACCESS_DENIED, f"{self._member.path}: permission denied") from None
        except OSError as error:
            raise SourceError(Cause.NO_DATA, f"{self._member.path}: {error.strerror}") from None
        os.close(self._descriptor)
        raise SourceError(Cause.NO_DATA, f"{self._member.path} is no regular file")

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _end(descriptor: int, size: int) -> int:
    """The place after the last whole line."""
    start = size
    while start > max(0, size - LONGEST_LINE):
        step = min(_BLOCK, start)
        start -= step
        newline = os.pread(descriptor, step, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
    return size if start else 0


def _after_hole(descriptor: int, size: int) -> int:
    """Where the content begins: a writer that goes on where it was leaves a hole before it when its log is cut."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError:  # nothing but a hole
        return size


def _read_mark(mark: str) -> tuple[int, dict[tuple[int, int], tuple[int, int, int]]]:
    try:
        value = json.loads(mark)
        files = {(device, inode): (offset, head, crc) for device, inode, offset, head, crc in value["files"]}
        return int(value["newest"]), files
    except (ValueError, TypeError, KeyError):
        raise SourceError(Cause.NO_DATA, "where the log ended before the request is not known any more") from None


_Mark = tuple[int, int, int]
"""Where a file ended, how much of its head was kept, and the checksum of that."""


def _since(member: _Member, known: _Mark | None, marks: Iterable[_Mark]) -> tuple[list[str], bool]:
    """The lines after what was marked, and whether there are more than these."""
    if member.packed:
        if known is not None:
            return [], False
        data, more = _unpacked(member, keep_end=False, marks=marks)
        return _split(data, whole=not more), more
    with _opened(member) as descriptor:
        size = os.fstat(descriptor).st_size
        head = os.pread(descriptor, _HEAD, 0)
        if known is not None and size >= known[0] and _begins_as(head, known):
            data = _pread(descriptor, known[0], min(size - known[0], READ_AT_MOST))
            return _split(data, whole=False), size - known[0] > READ_AT_MOST
        # Truncated, or another file: all of it is new. Unless it is a copy of a marked one, whose new part is its end;
        # and as files may begin alike, what follows that place is read besides, not instead.
        start = _after_hole(descriptor, size)
        data = _pread(descriptor, start, min(size - start, READ_AT_MOST))
        more = size - start > READ_AT_MOST
        copied = max((mark[0] for mark in marks if mark[0] < size and _begins_as(head, mark)), default=0)
        if copied > start + READ_AT_MOST or (more and copied > start):
            data += b"\n" + _pread(descriptor, copied, min(size - copied, READ_AT_MOST))
            more = size - copied > READ_AT_MOST
    return _split(data, whole=False), more


def _begins_as(head: bytes, mark: _Mark) -> bool:
    _, length, checksum = mark
    return len(head) >= length > 0 and zlib.crc32(head[:length]) == checksum


def _last_lines(member: _Member, count: int) -> list[Line]:
    if member.packed:
        data, _ = _unpacked(member, keep_end=True)
        return list(Unwrapper().lines(_split(data, whole=True)))[-count:]
    with _opened(member) as descriptor:
        size = os.fstat(descriptor).st_size
        length = min(size, _BLOCK)
        while True:
            data = _pread(descriptor, size - length, length)
            if length < size:  # the first line may have begun before
                data = data.partition(b"\n")[2]
            lines = list(Unwrapper().lines(_split(data, whole=False)))
            if len(lines) >= count or length >= min(size, READ_AT_MOST):
                return lines[-count:]
            length = min(size, length * 8, READ_AT_MOST)


def _pread(descriptor: int, start: int, length: int) -> bytes:
    parts = []
    while length > 0 and (data := os.pread(descriptor, min(length, 1 << 20), start)):
        parts.append(data)
        start += len(data)
        length -= len(data)
    return b"".join(parts)


def _split(data: bytes, *, whole: bool) -> list[str]:
    """Lines as text; the last one only where it is complete."""
    lines = data.split(b"\n")
    last = lines.pop()
    if whole and last:
        lines.append(last)
    # NULs: a file that was cut under its writer, or a machine that lost its power.
    return [
        line.strip(b"\0")[: LONGEST_LINE + 1].decode("utf-8", "replace").lstrip("\ufeff").rstrip("\r") for line in lines
    ]


def _unpacked(member: _Member, *, keep_end: bool, marks: Iterable[_Mark] = ()) -> tuple[bytes, bool]:
    """What a gzip file holds, its first or its last part, and whether there is more or it is broken.

    Where it is a marked file that was packed since, what was there at the mark is left out but for its first part.
    """
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    parts: list[bytes] = []
    kept = total = place = old = 0
    with _opened(member) as descriptor:
        while total < UNPACK_AT_MOST + old and place < UNPACK_AT_MOST + old:
            packed = unpacker.unconsumed_tail or os.pread(descriptor, _BLOCK, place)
            if not unpacker.unconsumed_tail:
                place += len(packed)
            if not packed:
                return b"".join(parts), not unpacker.eof
            try:
                data = unpacker.decompress(packed, _BLOCK)
            except zlib.error:
                return b"".join(parts), True
            if not total:
                same = (mark[0] for mark in marks if _begins_as(data[:_HEAD], mark))
                # No bomb: a file of that size was there.
                old = min(max(same, default=0), _MOST_SKIPPED)
            total += len(data)
            if READ_AT_MOST < total <= old:
                parts[-1:] = [parts[-1].rstrip(b"\n") + b"\n"]
            else:
                kept += len(data)
                parts.append(data)
            if unpacker.eof and (unpacker.unused_data or place < member.size):
                # gzip files may be several, one after the other
                place -= len(unpacker.unused_data)
                unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            while keep_end and len(parts) > 1 and kept - len(parts[0]) >= READ_AT_MOST:
                kept -= len(parts.pop(0))
            if not keep_end and kept >= READ_AT_MOST * 2 and total > old:
                return b"".join(parts), True
    return b"".join(parts), True
