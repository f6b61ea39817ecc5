"""The schema's versions, by Alembic: expand, then contract, so that old code runs on the new schema and back.

How a revision is added is in `docs/how-to/change-the-schema.md`.
"""

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
    """Bring the tables to a revision; the newest unless given, or the one after it, which is left as it is.

    Raises:
        StoreError: the database does not answer, or its schema is of a version later than the next one.
    """
    if revision == "head" and not pending(database):
        return
    _run(database, command.upgrade, revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to a revision, keeping the data that the older schema has a place for.

    Raises:
        StoreError: the database does not answer, or there is no such revision.
    """
    _run(database, command.downgrade, revision)


def pending(database: Database) -> str:
    """What keeps this version from running on the schema; empty when nothing does.

    The revision after the newest one that this version knows is no obstacle, since a revision only expands what the
    version before it reads and writes: while a release is rolled out, or back, both run on one database.
    """
    script = ScriptDirectory.from_config(_config())
    try:
        with database.read() as connection:
            now = MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        return problem(error)
    head = script.get_current_head()
    if now is not None and now in {head, _next(head)}:
        return ""
    if now is not None and now not in {one.revision for one in script.walk_revisions()}:
        return f"the schema is at {now}, which a later version made; this one knows {head} and runs up to {_next(head)}"
    return f"the schema is at {now or 'nothing'}, this version needs {head}: scorecard db upgrade"


def newest() -> str:
    """The newest revision that this version knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _next(revision: str | None) -> str:
    """The id of the revision after this one: they are numbered."""
    return f"{int(revision or 0) + 1:04}"


def _run(database: Database, step: object, revision: str) -> None:
    config = _config()
    try:
        with database.reshape() as connection:
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
