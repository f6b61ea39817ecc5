"""The database: SQLite for one process, PostgreSQL for many. The only place that knows which."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

_BUSY_SECONDS = 15
_CHUNK = 500
_CONNECTIONS = 40
"""Lanes of work, web threads and the beat may all hold one at the same time."""


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
        if parsed.get_backend_name() not in {"sqlite", "postgresql", "postgres"}:
            raise StoreError(f"store: {parsed.get_backend_name()} is no store; sqlite:/// and postgresql:// are")
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self._lock: int | None = None
        self.path: Path | None = None
        # SQLite has one writer: threads queue here, where waiting costs no connection and no polling.
        self._turn: Any = threading.Lock() if self.sqlite else nullcontext()
        self.trouble = ""
        """Why the last transaction could not be written; empty once one was."""
        if self.sqlite:
            if not parsed.database or parsed.database == ":memory:":
                raise StoreError("store: an SQLite store is a file, such as sqlite:///scorecard.db")
            self.path = (base or Path()) / parsed.database
            self.engine = _sqlite_engine(self.path)
        else:
            try:
                self.engine = _postgres_engine(parsed.set(drivername="postgresql+psycopg"))
            except ModuleNotFoundError as error:
                raise StoreError("store: PostgreSQL needs: pip install 'readiness-scorecard[postgres]'") from error
        self.address = parsed
        self.url = parsed.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view for reading: nothing that is done in it stays."""
        with self.engine.connect() as connection:
            if not self.sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            transaction = connection.begin()
            try:
                yield connection
            finally:
                if transaction.is_active:
                    transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that is stored whole or not at all."""
        try:
            with self._turn, self.engine.connect().execution_options(writes=True) as connection, connection.begin():
                yield connection
        except (OperationalError, InterfaceError) as error:
            self.trouble = problem(error)
            raise
        self.trouble = ""

    @contextmanager
    def reshape(self) -> Iterator[Connection]:
        """One transaction in which tables may be rebuilt.

        SQLite changes a column by dropping its table and renaming a copy, and a drop follows ON DELETE CASCADE: with
        foreign keys on, a new column of `service` would empty every table that refers to it. So they are off here, and
        checked before the end.

        Raises:
            StoreError: a row refers to one that is gone; nothing is stored then.
        """
        if not self.sqlite:
            with self.write() as connection:
                yield connection
            return
        with self._turn, self.engine.connect().execution_options(writes=True) as connection:
            plain: Any = connection.connection.driver_connection
            plain.execute("PRAGMA foreign_keys=OFF")
            try:
                with connection.begin():
                    yield connection
                    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise StoreError(
                            f"store: a row of {broken[0]} would refer to none of {broken[2]}; left as it was"
                        )
            finally:
                plain.execute("PRAGMA foreign_keys=ON")

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

    def alone(self, connection: Connection, what: int) -> None:
        """Until the end of the transaction nobody else does the same kind of work; on SQLite a writer is alone."""
        if not self.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:what)"), {"what": what})

    def upsert(
        self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, adding: Sequence[str] = ()
    ) -> None:
        """Insert rows, or replace those with the same primary key; the columns of `adding` are added up instead."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        insert = (sqlite.insert if self.sqlite else postgresql.insert)(table)
        update: dict[str, Any] = {name: insert.excluded[name] for name in rows[0] if name not in keys}
        update |= {name: table.c[name] + insert.excluded[name] for name in adding}
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=update), list(rows))

    def insert_new(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert rows whose key is not there yet; leave the others as they are."""
        if rows:
            insert = (sqlite.insert if self.sqlite else postgresql.insert)(table)
            connection.execute(insert.on_conflict_do_nothing(), list(rows))

    def claim(self, connection: Connection, table: Table, row: dict[str, Any]) -> bool:
        """Insert one row; False where its key is taken, after waiting for whoever is taking it."""
        insert = (sqlite.insert if self.sqlite else postgresql.insert)(table)
        key = next(iter(table.primary_key))
        return connection.execute(insert.on_conflict_do_nothing().values(row).returning(key)).first() is not None


def chunks(ids: Sequence[Any], size: int = _CHUNK) -> Iterator[Sequence[Any]]:
    """Split a list of ids: both databases limit the parameters of one statement."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def storable(words: str) -> bool:
    """Whether a database can be asked about a text: PostgreSQL has no NUL, neither has lone surrogates."""
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in words


def problem(error: Exception) -> str:
    """What a database error says, in one line without the statement."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def check(database: Database) -> str:
    """Whether the database answers, and takes what is written: empty, or what it says."""
    try:
        with database.read() as connection:
            connection.execute(text("SELECT 1"))
        if database.trouble and database.owned:
            # The last transaction failed. A row that is written again as it is needs a page, as any other would.
            with database.write() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    except (SQLAlchemyError, OSError) as error:
        return problem(error)
    return ""


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"check_same_thread": False, "timeout": _BUSY_SECONDS},
        pool_size=_CONNECTIONS,
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's connection
        connection.isolation_level = None  # we begin ourselves, below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-16000")
        cursor.execute("PRAGMA temp_store=MEMORY")  # a full disk keeps no list from being read
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(url: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's URL
    return create_engine(url, pool_pre_ping=True, pool_size=_CONNECTIONS, connect_args={"connect_timeout": 5})
