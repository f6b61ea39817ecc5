"""Old code on a new schema, new code on an old one, and a filled store that goes up, down and up again.

Every pair of neighbouring revisions is tried, and one more pair: the newest with a revision of the next version, which
this version's code does not know. It does what an expanding revision may do: new columns, a new table, a new index.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, inspect, select, text

from scorecard.model import ServiceKey
from scorecard.store import StoreError, migrate
from scorecard.store.tables import metadata
from tests.store.fleet import Fleet, Ping

KNOWN = [one.revision for one in reversed(list(ScriptDirectory.from_config(migrate._config()).walk_revisions()))]
HEAD = KNOWN[-1]
NEXT = f"{int(HEAD) + 1:04}"

EXPANDING = f'''"""What the next version needs."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.create_table("verdict_note", sa.Column("id", sa.BigInteger(), primary_key=True), sa.Column("words", sa.Text()))
    with op.batch_alter_table("finding") as batch:
        batch.add_column(sa.Column("weight", sa.Integer(), nullable=False, server_default="1"))
        batch.create_index("ix_finding_weight", ["weight"])
    with op.batch_alter_table("service") as batch:
        batch.add_column(sa.Column("cost_centre", sa.String(63), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("service") as batch:
        batch.drop_column("cost_centre")
    with op.batch_alter_table("finding") as batch:
        batch.drop_index("ix_finding_weight")
        batch.drop_column("weight")
    op.drop_table("verdict_note")
'''


class NextVersion:
    """The code of the next version, as far as it knows one revision more."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / f"{NEXT}_next.py").write_text(EXPANDING)
        self._folder, self._monkeypatch, self._ours = folder, monkeypatch, migrate._config

    def __enter__(self) -> None:
        def config() -> Config:
            made = self._ours()
            ours = Path(made.get_main_option("script_location") or "") / "versions"
            made.set_main_option("path_separator", "newline")
            made.set_main_option("version_locations", f"{ours}\n{self._folder}")
            return made

        self._monkeypatch.setattr(migrate, "_config", config)

    def __exit__(self, *_: object) -> None:
        self._monkeypatch.setattr(migrate, "_config", self._ours)


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NextVersion:
    (tmp_path / "versions").mkdir()
    return NextVersion(tmp_path / "versions", monkeypatch)


@pytest.fixture
def filled(fleet: Fleet) -> Fleet:
    """A fleet with an outage behind it."""
    fleet.add("payments")
    fleet.add("ledger")
    fleet.run()
    fleet.until(minutes=1)
    fleet.tell(ServiceKey("payments"), Ping(ok=False))
    fleet.run()
    return fleet


def rows(fleet: Fleet) -> dict[str, list[Any]]:
    """Everything that this version's tables hold."""
    with fleet.store.db.read() as connection:
        return {
            name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
        }


def documents(fleet: Fleet) -> list[Any]:
    """What is shown of each service."""
    now = fleet.clock()
    return [fleet.store.document(ServiceKey(name), "main", now) for name in ("payments", "ledger")]


def columns(fleet: Fleet) -> dict[str, set[str]]:
    with fleet.store.db.read() as connection:
        found = MetaData()
        found.reflect(connection)
        return {name: set(table.columns.keys()) for name, table in found.tables.items()}


def test_revisions_are_numbered_one_after_the_other() -> None:
    assert [int(one) for one in KNOWN] == list(range(1, len(KNOWN) + 1))


def test_a_filled_store_goes_up_down_and_up_again_and_keeps_its_rows(filled: Fleet, next_version: NextVersion) -> None:
    before, shape = rows(filled), columns(filled)
    assert sum(map(len, before.values())) > 60
    with next_version:
        migrate.upgrade(filled.store.db)
        assert {"weight"} == columns(filled)["finding"] - shape["finding"]
        assert rows(filled) == before
        migrate.downgrade(filled.store.db, HEAD)
        assert columns(filled) == shape
        assert rows(filled) == before
        migrate.upgrade(filled.store.db)
        assert rows(filled) == before


def test_every_pair_of_revisions_goes_down_and_up_and_keeps_what_the_older_has_a_place_for(filled: Fleet) -> None:
    before, shape = rows(filled), columns(filled)
    for older in reversed(KNOWN[:-1]):
        migrate.downgrade(filled.store.db, older)
        older_shape = columns(filled)
        migrate.upgrade(filled.store.db)
        assert columns(filled) == shape
        kept = {name for name in metadata.tables if older_shape.get(name) == shape[name]}
        assert {"service", "finding", "event", "day"} <= kept, "a revision that changes one of these extends this test"
        after = rows(filled)
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_this_version_s_code_runs_on_the_schema_of_the_next(filled: Fleet, next_version: NextVersion) -> None:
    shown = documents(filled)
    with next_version:
        migrate.upgrade(filled.store.db)

    assert filled.store.ready() == ""
    assert documents(filled) == shown
    filled.store.migrate()  # as an old replica does that starts after the new one
    with filled.store.db.read() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == NEXT
    filled.add("cards")
    filled.until(minutes=1)
    filled.tell(ServiceKey("payments"), Ping(ok=True))
    filled.run()
    assert filled.store.cycles()[0].state == "done"
    assert "pass" in repr(filled.store.document(ServiceKey("payments"), "main", filled.clock()))
    written = rows(filled)

    with next_version:
        migrate.downgrade(filled.store.db, HEAD)
    assert rows(filled) == written, "what old code wrote on the new schema is kept when the release is rolled back"


def test_the_next_version_s_code_waits_for_its_schema_and_says_how_it_is_made(
    filled: Fleet, next_version: NextVersion
) -> None:
    before = rows(filled)
    with next_version:
        assert filled.store.ready() == f"the schema is at {HEAD}, this version needs {NEXT}: scorecard db upgrade"
        assert rows(filled) == before, "nothing is read wrongly, and nothing written, until then"
        filled.store.migrate()
        assert filled.store.ready() == ""
        assert rows(filled) == before


def test_code_that_is_two_revisions_behind_is_refused(filled: Fleet) -> None:
    later = f"{int(HEAD) + 2:04}"
    with filled.store.db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :later"), {"later": later})

    assert filled.store.ready() == (
        f"the schema is at {later}, which a later version made; this one knows {HEAD} and runs up to {NEXT}"
    )
    with pytest.raises(StoreError, match="made by a later version"):
        filled.store.migrate()
    with pytest.raises(StoreError, match="made by a later version"):
        migrate.downgrade(filled.store.db, "base")
    with filled.store.db.read() as connection:
        assert set(inspect(connection).get_table_names()) >= set(metadata.tables)
