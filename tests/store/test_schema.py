"""The schema: Alembic's head is the tables, and both ways keep the data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from scorecard.store import Store, StoreError, migrate, open_store
from scorecard.store.tables import metadata
from tests import postgres
from tests.conftest import START
from tests.store.fleet import Fleet


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store in an empty database: no table yet."""

    def opened(url: str) -> Store:
        return open_store(url, checklists={}, policies={}, periods={})

    if request.param == "sqlite":
        store = opened(f"sqlite:///{tmp_path / 'bare.db'}")
        yield store
        store.close()
        return
    running: postgres.Cluster = request.getfixturevalue("cluster")
    with running.database() as url:
        store = opened(url)
        yield store
        store.close()


def test_the_newest_revision_makes_the_tables_as_the_code_has_them(bare: Store) -> None:
    bare.migrate()

    with bare.db.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, metadata) == []


def test_a_store_without_tables_is_not_ready_and_says_what_to_do(bare: Store) -> None:
    assert bare.ready() == "the schema is at nothing, this version needs 0002: scorecard db upgrade"

    bare.migrate()

    assert bare.ready() == ""


def test_upgrading_twice_is_upgrading_once(bare: Store) -> None:
    bare.migrate()
    bare.migrate()

    assert bare.ready() == ""


def test_going_down_and_up_again_leaves_an_empty_schema_and_then_the_tables(bare: Store) -> None:
    bare.migrate()

    migrate.downgrade(bare.db, "base")
    with bare.db.read() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    bare.migrate()

    with bare.db.read() as connection:
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_a_store_of_a_later_version_is_refused_by_name(bare: Store) -> None:
    bare.migrate()
    with bare.db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreError, match="made by a later version"):
        bare.migrate()
    assert "9999" in bare.ready()


def test_migrating_a_filled_store_keeps_every_row(fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.run()

    def rows() -> dict[str, list[Any]]:
        with fleet.store.db.read() as connection:
            return {
                name: sorted(map(tuple, connection.execute(select(table))), key=repr)
                for name, table in metadata.tables.items()
            }

    before = rows()

    fleet.store.migrate()

    assert rows() == before
    assert sum(map(len, before.values())) > 30


def test_a_database_that_does_not_answer_is_said_to(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/nowhere/store.db", checklists={}, policies={}, periods={})

    assert store.ready() == "unable to open database file"
    with pytest.raises(StoreError, match="unable to open database file"):
        store.migrate()


@pytest.mark.parametrize("url", ["", "x", "sqlite://", "sqlite:///:memory:", "mysql://h/d"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=r"^store: "):
        open_store(url, checklists={}, policies={}, periods={})


def test_a_second_writer_on_sqlite_is_refused_and_may_write_once_the_first_is_gone(tmp_path: Path) -> None:
    def opened() -> Store:
        return open_store(f"sqlite:///{tmp_path / 'one.db'}", checklists={}, policies={}, periods={})

    first, second = opened(), opened()
    first.db.own()

    with pytest.raises(StoreError, match="has a writing process already; one process writes to SQLite"):
        second.db.own()
    assert not second.db.owned
    assert "another process" in second.settle_if_possible(START)

    first.close()
    second.db.own()
    assert second.db.owned
    second.close()


def test_many_writers_on_postgres_are_welcome(cluster: postgres.Cluster, template: str) -> None:
    with cluster.database(template) as url:
        stores = [open_store(url, checklists={}, policies={}, periods={}) for _ in range(2)]
        for store in stores:
            store.db.own()
            store.migrate()
        assert [store.db.owned for store in stores] == [True, True]
        for store in stores:
            store.close()
