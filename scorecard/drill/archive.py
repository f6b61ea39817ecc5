"""Dumps in pg_dump's archive formats, and which format a dump has."""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scorecard.drill.outcome import BackupFailed, DrillError, NotCarriedOut

CUSTOM, DIRECTORY, TAR, PLAIN = "custom", "directory", "tar", "plain"
_MAGIC = b"PGDMP"
_GZIP = b"\x1f\x8b"
_BLOCK = 1 << 20
_CREATED = re.compile(r"^;\s+Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
_DATA = re.compile(r"^\d+; \d+ \d+ TABLE DATA ", re.MULTILINE)
_SUPERUSERS_ONLY = re.compile(
    r"^(\d+; \d+ \d+ (?:EVENT TRIGGER|SUBSCRIPTION|PUBLICATION|DATABASE|DATABASE PROPERTIES) )"
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive says of itself, without being restored."""

    created_at: datetime | None
    """By the clock and in the zone of the machine that made it, which is not told: up to 14 hours off."""
    tables_with_data: int
    entries: str
    """The list for `pg_restore --use-list`, without what only a superuser may make."""
    left_out: int


def format_of(path: Path, told: str) -> str:
    """The format of a dump.

    Raises:
        BackupFailed: it has none that pg_dump writes, or another than was told.
    """
    found = _seen(path)
    if told not in ("auto", found):
        raise BackupFailed("wrong-format", f"{path.name} is a {found} dump, the spec says {told}")
    return found


def _seen(path: Path) -> str:
    if path.is_dir():
        if not (path / "toc.dat").is_file():
            raise BackupFailed("truncated", f"{path.name} is a directory without toc.dat: no whole directory dump")
        return DIRECTORY
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise BackupFailed("empty", f"{path.name} is empty: 0 bytes")
    if head.startswith(_MAGIC):
        return CUSTOM
    if head[257:262] == b"ustar":
        return TAR
    return PLAIN


def contents_of(listing: str) -> Contents:
    """What `pg_restore --list` printed."""
    created = _CREATED.search(listing)
    kept = _SUPERUSERS_ONLY
    lines = [line for line in listing.splitlines() if not kept.match(line)]
    return Contents(
        datetime.fromisoformat(created[1]).replace(tzinfo=UTC) if created else None,
        len(_DATA.findall(listing)),
        "\n".join([*lines, ""]),
        len(listing.splitlines()) - len(lines),
    )


def refuse_damaged(path: Path, kind: str, check: Callable[[], None]) -> str:
    """Read what pg_restore may take for whole, such as an uncompressed file of a directory cut off after a row.

    Returns what was looked at, for the report.

    Raises:
        BackupFailed: a file is cut off or damaged.
    """
    if kind == DIRECTORY:
        files = sorted(path.iterdir())
        for file in files:
            check()
            if file.suffix == ".gz":
                _read_gzip(file, check)
            elif re.fullmatch(r"\d+\.dat", file.name) and not _ends_whole(file):
                raise BackupFailed("truncated", f"{path.name}/{file.name} does not end as a table's data ends")
        return f"{len(files)} files read"
    if kind == TAR:
        try:
            with tarfile.open(path) as archive:
                names = archive.getnames()
        except (tarfile.TarError, EOFError, OSError) as error:
            raise BackupFailed("truncated", f"{path.name} is not a whole tar archive: {error}") from None
        if not _tar_ends(path):
            raise BackupFailed("truncated", f"{path.name} lacks the two empty blocks that end a tar archive")
        return f"{len(names)} members read"
    return ""


def _read_gzip(file: Path, check: Callable[[], None]) -> None:
    try:
        with gzip.open(file) as stream:
            while stream.read(_BLOCK):
                check()
    except EOFError:
        raise BackupFailed("truncated", f"{file.parent.name}/{file.name} ends in the middle of its stream") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BackupFailed("corrupt", f"{file.parent.name}/{file.name} cannot be decompressed: {error}") from None


def _ends_whole(file: Path) -> bool:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 16))
        return stream.read().rstrip(b"\n").endswith(b"\\.")


def _tar_ends(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 1024))
        return not any(stream.read())


_REASONS: tuple[tuple[str, type[DrillError], tuple[str, ...]], ...] = (
    ("disk-full", NotCarriedOut, ("no space left on device", "could not extend file", "disk quota exceeded")),
    ("scratch-resources", NotCarriedOut, ("ERROR:  out of (?:shared )?memory", "too many (?:clients|connections)")),
    ("client-too-old", NotCarriedOut, ("unsupported version", "unrecognized configuration parameter")),
    (
        "truncated",
        BackupFailed,
        (
            "could not read from input file", "unexpected end of file", "could not open input file",
            "could not open file", "could not close data file", "could not find (?:block|header for file)",
            "incomplete tar header", "input file (?:is too short|appears to be|does not appear)", "unexpected eof",
        ),
    ),
    (
        "corrupt",
        BackupFailed,
        (
            "could not (?:un|de)compress", "incorrect data check", "corrupt", "did not find magic string",
            "invalid (?:distance|block|stored|code|literal|bit|header)", "unrecognized data block",
            "unexpected (?:block|offset|data)", "invalid byte sequence", "invalid entry id", "ftell mismatch",
            "pg_restore: error: out of memory", "extra data after last expected column", "missing data for column",
            "invalid input syntax", "out of range", "archive items not in correct section",
        ),
    ),
    ("orphans", BackupFailed, ("violates foreign key constraint",)),
    (
        "constraint",
        BackupFailed,
        (
            "could not create unique index", "violates (?:unique|check|not-null|exclusion)", "conflicting key value",
            "contains null values", "is violated by some row",
        ),
    ),
    ("no-extension", NotCarriedOut, ('extension ".*" is not available', "could not open extension control file")),
    (
        "not-permitted",
        NotCarriedOut,
        ("permission denied", "must be (?:super|owner|able|member)", "only superusers? (?:can|may)"),
    ),
)  # fmt: skip
_PATTERNS = tuple((code, kind, re.compile("|".join(words), re.IGNORECASE)) for code, kind, words in _REASONS)


def explained(said: str, first: str) -> DrillError:
    """Why a restore stopped, by what the program said."""
    for text in (first, said):
        for code, kind, pattern in _PATTERNS:
            if pattern.search(text):
                return kind(code, f"the restore stopped: {first}")
    return BackupFailed("restore-failed", f"the restore stopped: {first}")
