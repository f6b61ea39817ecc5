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
    """The store's tables: bring them up to date, check them."""


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
@config_option
def check(config_file: Path | None) -> int:
    """Say whether the store can be used: 0 when it can, 3 when it cannot, with the reason."""
    store = _open(config_file)
    if store.db.path is not None and not store.db.path.is_file():
        raise CannotTell(f"{store.db.path}: there is no store yet; scorecard db upgrade makes one")
    reason = store.ready()
    store.close()
    if reason:
        raise CannotTell(reason)
    say(f"{store.db.url} answers, and its tables are this version's")
    return 0
