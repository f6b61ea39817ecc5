"""`scorecard db`: the store's tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorecard.cli.output import OutputType, Target, say
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
@click.option(
    "--spec",
    "spec_file",
    type=click.Path(path_type=Path),
    metavar="SPEC",
    help="For a PostgreSQL store: the spec of a restore drill, which says where; SOURCE is what is restored.",
)
@click.option("--service", default="readiness-scorecard", show_default=True, help="The service of the report.")
@click.option("--resource", default="scorecard-store", show_default=True, help="What is backed up, for the report.")
@click.option(
    "-o",
    "--output",
    "targets",
    type=OutputType(("table", "json")),
    multiple=True,
    help="table or json, to standard output or a file; may be repeated.",
)
@config_option
def drill(
    source: Path,
    spec_file: Path | None,
    service: str,
    resource: str,
    targets: tuple[Target, ...],
    config_file: Path | None,
) -> int:
    """Restore the backup SOURCE into a scratch place, look whether it holds together, and write the drill's report.

    0 when it holds, 1 when it does not, 3 when that could not be tried. An SQLite store is restored into a scratch file
    and compared with the store as it is now, row by row; a PostgreSQL store on the scratch server of SPEC. What was
    made for it is removed again.
    """
    from scorecard.cli.store_drill import drill_postgres, drill_sqlite

    store = _existing(config_file)
    try:
        if store.db.path is None:
            if spec_file is None:
                raise Refused(
                    "the drill of a PostgreSQL store needs a scratch server: --spec SPEC; "
                    "deploy/drills/scorecard.yaml is one to begin with"
                )
            return drill_postgres(store, source, spec_file, targets)
        return drill_sqlite(store, source, service=service, resource=resource, targets=targets)
    finally:
        store.close()


def _existing(config_file: Path | None) -> Store:
    store = _open(config_file)
    if store.db.path is not None and not store.db.path.is_file():
        raise CannotTell(f"{store.db.path}: there is no store yet; scorecard db upgrade makes one")
    return store
