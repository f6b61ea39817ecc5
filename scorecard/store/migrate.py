"""The schema's versions, by Alembic: expand, then contract, so that old code runs on the new schema and back."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from scorecard.store.engine import Database, StoreError, problem


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables to a revision; the newest unless given.

    Raises:
        StoreError: the database does not answer, or its schema is of a later version.
    """
    _run(database, command.upgrade, revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to a revision, keeping the data that the older schema has a place for.

    Raises:
        StoreError: the database does not answer, or there is no such revision.
    """
    _run(database, command.downgrade, revision)


def pending(database: Database) -> str:
    """What keeps the schema from being this version's; empty when nothing does."""
    script = ScriptDirectory.from_config(_config())
    try:
        with database.read() as connection:
            now = MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        return problem(error)
    head = script.get_current_head()
    if now == head:
        return ""
    return f"the schema is at {now or 'nothing'}, this version needs {head}: scorecard db upgrade"


def _run(database: Database, step: object, revision: str) -> None:
    config = _config()
    try:
        with database.write() as connection:
            config.attributes["connection"] = connection
            step(config, revision)  # type: ignore[operator] # command.upgrade or command.downgrade
    except CommandError as error:
        raise StoreError(f"store: {error}; was it made by a later version?") from error
    except DBAPIError as error:
        raise StoreError(f"store {database.url}: {problem(error)}") from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
