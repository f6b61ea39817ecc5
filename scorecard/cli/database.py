"""`scorecard db`: the store's tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorecard.cli.output import say
from scorecard.cli.problems import CannotTell, Refused
from scorecard.cli.workspace import config_option, open_workspace

if TYPE_CHECKING:
    from scorecard.store import Store


@click.group()
def db() -> None:
    """The store: bring its tables up to date, check it, back it up, restore it, drill that."""


def _open(config_file: Path | None) -> Store:
    from scorecard.config import SecretUnavailable
    from scorecard.store import StoreError

    try:
        return open_workspace(config_file).open_store()
    except (StoreError, SecretUnavailable) as error:
        raise Refused(str(error)) from error


@db.command()
@config_option
def upgrade(config_file: Path | None) -> int:
    """Bring the tables to this version's schema. Refused while a server writes to an SQLite store."""
    from scorecard.store import StoreError

    store = _open(config_file)
    try:
        store.db.own()
        store.migrate()
    except StoreError as error:
        raise Refused(str(error)) from error
    finally:
        store.close()
    say(f"{store.db.url} is up to date")
    return 0


@db.command()
@click.argument("revision")
@config_option
def downgrade(revision: str, config_file: Path | None) -> int:
    """Take the tables back to a REVISION, so that an older version can use them. Data it has a place for stays."""
    from scorecard.store import StoreError, migrate

    store = _open(config_file)
    try:
        store.db.own()
        migrate.downgrade(store.db, revision)
    except StoreError as error:
        raise Refused(str(error)) from error
    finally:
        store.close()
    say(f"{store.db.url} is at {revision}")
    return 0


@db.command()
@config_option
def check(config_file: Path | None) -> int:
    """Look whether the store holds together: 0 when it does, 1 with what does not, 3 when it cannot be looked at.

    It only reads: the database's own checks, the schema, evidence against its digest, sums against their findings.
    """
    from scorecard.store.verify import verify

    store = _existing(config_file)
    try:
        reason = store.ready()
        if reason:
            raise CannotTell(reason)
        problems = verify(store)
    finally:
        store.close()
    for problem in problems:
        say(problem)
    if problems:
        say(f"{store.db.url} does not hold together: restore a backup with scorecard db restore")
        return 1
    say(f"{store.db.url} holds together, and its tables are this version's")
    return 0


@db.command()
@click.argument("target", type=click.Path(path_type=Path))
@config_option
def backup(target: Path, config_file: Path | None) -> int:
    """Copy the store as it is now to the file TARGET, with its checksum beside it. A running server goes on."""
    from scorecard.store import StoreError
    from scorecard.store.backup import backup as copy

    store = _existing(config_file)
    if target.exists():
        raise Refused(f"{target} is there already; a backup replaces nothing")
    try:
        copy(store.db, target)
    except StoreError as error:
        raise CannotTell(str(error)) from error
    finally:
        store.close()
    say(f"{target}: {target.stat().st_size:,} bytes; try it with scorecard db drill {target}")
    return 0


@db.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--to", "url", metavar="URL", help="The store to bring it back into; the configured one unless given.")
@config_option
def restore(source: Path, url: str | None, config_file: Path | None) -> int:
    """Bring the backup SOURCE back into a fresh place: a file that is not there, or an empty database."""
    from scorecard.store import StoreError
    from scorecard.store.backup import restore as bring_back

    workspace = open_workspace(config_file)
    place = url or workspace.config.store_address().reveal()
    try:
        bring_back(source, place, workspace.config.directory)
    except StoreError as error:
        raise Refused(str(error)) from error
    say("restored; look at it with scorecard db check")
    return 0


@db.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@config_option
def drill(source: Path, config_file: Path | None) -> int:
    """Restore the backup SOURCE into a scratch file, look whether it holds together, and compare it row by row.

    0 when it holds and equals the store as it is now, or only lacks what came since; 1 when it does not hold. For
    SQLite stores: the scratch file is removed again.
    """
    import tempfile

    from scorecard.store import StoreError, open_store
    from scorecard.store.backup import compare, count_rows
    from scorecard.store.backup import restore as bring_back
    from scorecard.store.verify import verify

    store = _existing(config_file)
    if store.db.path is None:
        store.close()
        raise Refused("the drill of a PostgreSQL store needs an empty database: scorecard db restore SOURCE --to URL")
    try:
        with tempfile.TemporaryDirectory(prefix="scorecard-drill-") as folder:
            url = f"sqlite:///{Path(folder) / 'drill.db'}"
            bring_back(source, url)
            scratch = open_store(
                url,
                checklists=store.checklists,
                policies=store.policies.by_tier,
                periods=store.periods,
                applies=store.applies,
            )
            try:
                problems = verify(scratch)
                differences = compare(store.db, scratch.db)
                rows = count_rows(scratch.db)
            finally:
                scratch.close()
    except StoreError as error:
        say(f"{source}: {error}")
        return 1
    finally:
        store.close()
    for line in (*problems, *differences):
        say(line)
    if problems:
        return 1
    since = f"; {len(differences)} differences to the store as it is now" if differences else ", equal to the store"
    say(f"{source} was restored and holds together: {rows:,} rows{since}")
    return 0


def _existing(config_file: Path | None) -> Store:
    store = _open(config_file)
    if store.db.path is not None and not store.db.path.is_file():
        raise CannotTell(f"{store.db.path}: there is no store yet; scorecard db upgrade makes one")
    return store
