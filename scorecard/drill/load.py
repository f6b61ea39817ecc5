"""A dump is looked at, and loaded into the scratch database by PostgreSQL's own programs, up to the first error."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import IO

from scorecard.drill import archive, verify
from scorecard.drill.outcome import BackupFailed, DrillError, NotCarriedOut
from scorecard.drill.plain import PlainDump, open_plain
from scorecard.drill.programs import Programs
from scorecard.drill.report import Backup
from scorecard.drill.server import Server, lost
from scorecard.drill.source import Found

_COPIED_AFTER = timedelta(hours=26)
"""A file this much younger than the dump inside it was copied; the zone of the dump's clock is not told."""
_RESTRICTS = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}
r"""From which minor version psql knows `\restrict` (CVE-2025-8714)."""
_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump that was looked at."""

    path: Path
    format: str
    listing: Path | None = None
    """The entries that are restored; of an archive."""
    compressed: bool = True


def inspect(told: str, found: Found, backup: Backup, programs: Programs, detail: list[str]) -> tuple[Dump, Backup]:
    """What the dump says of itself, and what is known of the backup after that.

    A dump that can be listed may still be cut off: that is seen by restoring it.

    Raises:
        DrillError: it is no dump, or is seen to be damaged or empty before it is restored.
    """
    kind = archive.format_of(found.path, told)
    detail.append(kind)
    if kind == archive.PLAIN:
        with found.path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        return Dump(found.path, kind, compressed=compressed), backup
    looked = archive.refuse_damaged(found.path, kind, programs.check)
    detail += [looked] if looked else []
    said = programs.run(["pg_restore", "--list", str(found.path)], {})
    if said.code:
        raise archive.explained(said.err, said.first)
    contents = archive.contents_of(said.out.decode("utf-8", "replace"))
    detail.append(f"data of {contents.tables_with_data} tables")
    if contents.left_out:
        detail.append(f"{contents.left_out} entries that only a superuser may make are left out")
    if not contents.tables_with_data:
        raise BackupFailed("schema-only", f"{found.id} holds the data of no table: it is a schema-only dump")
    made = contents.created_at
    if made is not None and made + _COPIED_AFTER < found.modified_at:
        backup = replace(backup, created_at=made)
        detail.append(f"made at {made:%Y-%m-%dT%H:%M:%SZ} by its own header, older than the file")
    listing = programs.folder / "list"
    listing.write_text(contents.entries, encoding="utf-8")
    return Dump(found.path, kind, listing), backup


def load(session: Server, dump: Dump, programs: Programs, jobs: int) -> str:
    """Restore it into the session's database, which is empty; what came of it, for the report.

    Raises:
        DrillError: the restore stopped, at its first error.
    """
    session.answer_seconds = None
    if dump.format == archive.PLAIN:
        told = _restore_plain(session, dump, programs)
    else:
        told = _restore_archive(session, dump, programs, jobs)
    tables, filled = verify.holds_rows(session)
    if not tables:
        raise BackupFailed("empty", "the restore ended without an error, and made no table")
    if not filled:
        raise BackupFailed("schema-only", f"{tables} tables were restored, and none holds a row")
    return f"{tables} tables, {filled} with rows{told}"


def _restore_archive(session: Server, dump: Dump, programs: Programs, jobs: int) -> str:
    command = [
        "pg_restore", "--exit-on-error", "--no-password", "--no-owner", "--no-privileges", "--no-comments",
        "--no-tablespaces", "--no-publications", "--no-subscriptions", "--no-security-labels",
        f"--use-list={dump.listing}", f"--dbname={session.database}",
    ]  # fmt: skip
    if jobs > 1 and dump.format != archive.TAR:
        command.append(f"--jobs={jobs}")
    said = programs.run([*command, str(dump.path)], session.environment, keep_output=False)
    if said.code:
        raise _stopped(session, said.err, said.first)
    return ""


def _restore_plain(session: Server, dump: Dump, programs: Programs) -> str:
    plain = PlainDump(dump.path.name)
    key = token_hex(16)
    restricts = _restricts(programs)

    def feed(stream: IO[bytes]) -> None:
        if restricts:
            stream.write(f"\\restrict {key}\n".encode())
        with open_plain(dump.path) as source:
            for line in plain.lines(source):
                stream.write(line)
        if restricts:
            stream.write(f"\\unrestrict {key}\n".encode())

    command = ["psql", "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", "-"]
    said = programs.run(command, session.environment, feed=feed, keep_output=False)
    if said.code:
        raise _stopped(session, said.err, said.first)
    return f"; {plain.left_out} statements about owners and privileges left out" if plain.left_out else ""


def _restricts(programs: Programs) -> bool:
    found = _VERSION.search(programs.run(["psql", "--version"], {}).out.decode("ascii", "replace"))
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return major > max(_RESTRICTS) or minor >= _RESTRICTS.get(major, minor + 1)


def _stopped(session: Server, said: str, first: str) -> DrillError:
    """Why a restore stopped; a server that is gone explains every other message."""
    gone = NotCarriedOut("server-lost", f"the scratch server {session.where} went away during the restore: {first}")
    if lost(said):
        return gone
    probe = session.run("-c", "SELECT 1")
    if probe.code and lost(probe.err):
        return gone
    return archive.explained(said, first)
