"""The store's own backup: made while it is written to, restored into a fresh place, compared row by row, verified.

SQLite is copied by its online backup, PostgreSQL by its own pg_dump and pg_restore.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from scorecard.store.engine import Database, StoreError, problem
from scorecard.store.tables import metadata

_PROGRAM_SECONDS = 3600
_READ = 1 << 20
_DIFFERENCES = 10
"""Problems of one table that are told one by one."""


def backup(database: Database, target: Path) -> None:
    """Write a copy of the store as it is at one instant to a file, with its checksum beside it (`TARGET.sha256`).

    Others may read and write meanwhile. The file appears whole or not at all.

    Raises:
        StoreError: the store or the target cannot be used, or pg_dump is not installed.
    """
    part = target.with_name(target.name + ".part")
    try:
        if database.path is not None:
            _copy_sqlite(database.path, part)
        else:
            # It ends with an error where the file exists and is none of ours.
            _run("pg_dump", database, ["--format=custom", "--no-owner", "--no-privileges", f"--file={part}"])
        with part.open("rb") as file:
            os.fsync(file.fileno())
        _sum_file(target).write_text(f"{_checksum(part)}  {target.name}\n")
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{target}: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def restore(source: Path, url: str, base: Path | None = None) -> None:
    """Bring a backup back into a fresh place: a file that is not there, or an empty database.

    Raises:
        StoreError: the backup is damaged or none, or the place is not fresh.
    """
    _refuse_damaged(source)
    database = Database(url, base)
    try:
        if database.path is not None:
            _restore_sqlite(source, database.path)
        else:
            with database.read() as connection:
                tables = inspect(connection).get_table_names()
            if tables:
                raise StoreError(f"{database.url} is not empty: it has a table {tables[0]}")
            _run("pg_restore", database, ["--exit-on-error", "--single-transaction", "--no-owner", str(source)])
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise StoreError(f"{source}: {problem(error)}") from error
    finally:
        database.close()


def system_identifier(database: Database) -> str:
    """The number of the PostgreSQL server that the store is on; empty where it does not tell, and for SQLite."""
    if database.sqlite:
        return ""
    try:
        with database.read() as connection:
            return str(connection.scalar(text("SELECT system_identifier FROM pg_control_system()")) or "")
    except SQLAlchemyError:
        return ""


def compare(one: Database, other: Database) -> tuple[str, ...]:
    """What differs between two stores, row by row; empty where nothing does."""
    found: list[str] = []
    for table in metadata.sorted_tables:
        found += _compare_table(one, other, table)
    return tuple(found)


def count_rows(database: Database) -> int:
    """All rows of all tables."""
    with database.read() as connection:
        return sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in metadata.sorted_tables)


def _compare_table(one: Database, other: Database, table: Table) -> list[str]:
    differing: list[str] = []
    for left, right in _pairs(_rows(one, table), _rows(other, table), len(table.primary_key)):
        if left != right:
            row = left or right
            assert row is not None  # noqa: S101 - at least one of a pair is there
            what = "is missing" if right is None else "is new" if left is None else "differs"
            key = ", ".join(str(part) for part in row[: len(table.primary_key)])
            differing.append(f"{table.name} ({key}) {what}")
    more = len(differing) - _DIFFERENCES
    return differing[:_DIFFERENCES] + ([f"{table.name}: {more} more rows differ"] if more > 0 else [])


Row = tuple[Any, ...]


def _rows(database: Database, table: Table) -> Iterator[Row]:
    """The rows in the order of their key, which stands first."""
    keys = list(table.primary_key)
    rest = [column for column in table.c if column not in set(keys)]
    with database.read() as connection:
        rows = connection.execution_options(yield_per=1000).execute(select(*keys, *rest))
        yield from sorted((tuple(row) for row in rows), key=lambda row: tuple(map(str, row[: len(keys)])))


def _pairs(left: Iterator[Row], right: Iterator[Row], key: int) -> Iterator[tuple[Row | None, Row | None]]:
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        first = None if one is None else tuple(map(str, one[:key]))
        second = None if other is None else tuple(map(str, other[:key]))
        if second is None or (first is not None and first < second):
            yield one, None
            one = next(left, None)
        elif first is None or second < first:
            yield None, other
            other = next(right, None)
        else:
            yield one, other
            one, other = next(left, None), next(right, None)


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.is_file():
        raise StoreError(f"{source}: there is no store")
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        # A single file: the copy needs no log beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        said = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        raise StoreError(f"{source}: the copy is damaged: {said}")


def _restore_sqlite(source: Path, target: Path) -> None:
    if target.exists():
        raise StoreError(f"{target} is there already; a backup is restored into a fresh place")
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as copy:
        said = copy.execute("PRAGMA integrity_check").fetchone()[0]
        if said != "ok":
            raise StoreError(f"{source} is damaged: {said}")
        try:
            with closing(sqlite3.connect(target)) as fresh:
                copy.backup(fresh)
        except sqlite3.Error:
            target.unlink(missing_ok=True)
            raise


def _sum_file(target: Path) -> Path:
    return target.with_name(target.name + ".sha256")


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ):
            digest.update(block)
    return digest.hexdigest()


def _refuse_damaged(source: Path) -> None:
    try:
        found = _checksum(source)
        said = _sum_file(source).read_text().split()[0] if _sum_file(source).exists() else found
    except (OSError, IndexError) as error:
        raise StoreError(f"{source}: {error}") from error
    if found != said:
        raise StoreError(f"{source} is damaged: its sha256 is {found}, {_sum_file(source).name} says {said}")


def _run(program: str, database: Database, options: list[str]) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, where no process list shows it."""
    path = shutil.which(program) or shutil.which(program, path="/usr/lib/postgresql/15/bin")
    if path is None:
        raise StoreError(f"{program} is not installed; Debian's package is postgresql-client")
    address = database.address.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environ = {**os.environ}
    if database.address.password:
        environ["PGPASSWORD"] = database.address.password
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL, no shell
        [path, f"--dbname={address}", *options],
        env=environ,
        capture_output=True,
        text=True,
        timeout=_PROGRAM_SECONDS,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise StoreError(f"{program} {database.url}: {lines[0]}")
