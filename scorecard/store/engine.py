"""The database: SQLite for one process, PostgreSQL for many. The only place that knows which."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

_BUSY_SECONDS = 15
_CHUNK = 500


class StoreError(Exception):
    """The store cannot be used; the message says what to do about it."""


class Database:
    """Connections and transactions. Writers on SQLite begin at once (`BEGIN IMMEDIATE`), so that waiting works."""

    def __init__(self, url: str, base: Path | None = None) -> None:
        """Open, without touching a table.

        Args:
            url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`.
            base: what a relative SQLite path is relative to.

        Raises:
            StoreError: not an address of a store, or the driver is not installed.
        """
        try:
            parsed = make_url(url)
        except (SQLAlchemyError, ValueError) as error:
            raise StoreError("store: not an address such as sqlite:///scorecard.db or postgresql://host/db") from error
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self._lock: int | None = None
        self.path: Path | None = None
        if self.sqlite:
            if not parsed.database or parsed.database == ":memory:":
                raise StoreError("store: an SQLite store is a file, such as sqlite:///scorecard.db")
            self.path = (base or Path()) / parsed.database
            self.engine = _sqlite_engine(self.path)
        else:
            try:
                self.engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
            except ModuleNotFoundError as error:
                raise StoreError("store: PostgreSQL needs: pip install 'readiness-scorecard[postgres]'") from error
        self.url = parsed.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view for reading."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that is stored whole or not at all."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def own(self) -> None:
        """Become the one process that writes to an SQLite store, until it ends.

        Raises:
            StoreError: another process has it. SQLite below 3.51.3 can corrupt a WAL that two processes write.
        """
        if self.path is None or self._lock is not None:
            return
        try:
            self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
            raise StoreError(
                f"{self.path} has a writing process already; one process writes to SQLite, several need postgresql://"
                if isinstance(error, BlockingIOError)
                else f"{self.path}.lock: {error.strerror}"
            ) from error

    @property
    def owned(self) -> bool:
        """Whether this process may write."""
        return self.path is None or self._lock is not None

    def close(self) -> None:
        """Close every connection and let another process write."""
        self.engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def upsert(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows, or replace those with the same primary key."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        insert = (sqlite.insert if self.sqlite else postgresql.insert)(table)
        update = {name: insert.excluded[name] for name in rows[0] if name not in keys}
        statement = (
            insert.on_conflict_do_update(index_elements=keys, set_=update)
            if update
            else insert.on_conflict_do_nothing(index_elements=keys)
        )
        connection.execute(statement, list(rows))

    def insert_new(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows whose key is not there yet; leave the others as they are."""
        if rows:
            insert = (sqlite.insert if self.sqlite else postgresql.insert)(table)
            connection.execute(insert.on_conflict_do_nothing(), list(rows))


def chunks(ids: Sequence[Any], size: int = _CHUNK) -> Iterator[Sequence[Any]]:
    """Split a list of ids: both databases limit the parameters of one statement."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def problem(error: Exception) -> str:
    """What a database error says, in one line without the statement."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def check(database: Database) -> str:
    """Whether the database answers: empty, or what it says."""
    try:
        with database.read() as connection:
            connection.execute(text("SELECT 1"))
    except (OperationalError, DBAPIError) as error:
        return problem(error)
    return ""


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's connection
        connection.isolation_level = None  # we begin ourselves, below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-16000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
