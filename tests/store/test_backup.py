"""The store's own backup: online, restored into a fresh place, compared row by row; damage of every kind is found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from scorecard.model import Cadence
from scorecard.store import Store, StoreError, open_store
from scorecard.store.backup import backup, compare, count_rows, restore
from scorecard.store.verify import verify
from tests import postgres
from tests.store.fleet import LISTS, PERIODS, POLICY, Build, Fleet, Ping, Spread, exhibit


@pytest.fixture
def filled(fleet: Fleet) -> Fleet:
    """A store in which everything happened once: results, changes, an expiry, a rename, a service that went."""
    fleet.add("payments", Build(steps=3, note="why", exhibits=(exhibit("first"),)))
    old, gone = fleet.add("card"), fleet.add("gone")
    fleet.run()
    fleet.until(minutes=1)
    fleet.tell(old.key, Ping(ok=False), Spread(zones=1))
    fleet.remove(gone)
    fleet.run()
    fleet.services = [each for each in fleet.services if each.key != old.key]
    fleet.add("cards", formerly=("card",))
    fleet.until(minutes=20)
    fleet.store.settle(fleet.clock())
    fleet.run(Cadence.LIVE)
    return fleet


@contextmanager
def fresh_place(fleet: Fleet, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Somewhere to restore into, of the same kind as the store."""
    if fleet.store.db.sqlite:
        yield f"sqlite:///{folder / 'restored.db'}"
        return
    running: postgres.Cluster = request.getfixturevalue("cluster")
    with running.database() as url:
        yield url


def opened(url: str) -> Store:
    return open_store(url, checklists=LISTS, policies={"default": POLICY}, periods=PERIODS)


def test_a_store_that_was_written_by_runs_holds_together(filled: Fleet) -> None:
    assert verify(filled.store) == ()
    assert count_rows(filled.store.db) > 60


def test_a_backup_restored_into_a_fresh_place_is_the_same_row_by_row(
    filled: Fleet, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    target = tmp_path / "backup"
    backup(filled.store.db, target)
    with fresh_place(filled, tmp_path, request) as url:
        restore(target, url)
        restored = opened(url)

        assert compare(filled.store.db, restored.db) == ()
        assert count_rows(restored.db) == count_rows(filled.store.db)
        assert verify(restored) == ()
        key = filled.services[0].key
        now = filled.clock()
        assert restored.document(key, "main", now) == filled.store.document(key, "main", now)
        restored.close()


def test_what_was_written_after_the_backup_is_told_by_the_comparison(
    filled: Fleet, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    backup(filled.store.db, tmp_path / "backup")
    filled.until(minutes=1)
    filled.run(Cadence.LIVE)
    with fresh_place(filled, tmp_path, request) as url:
        restore(tmp_path / "backup", url)
        restored = opened(url)

        differences = compare(filled.store.db, restored.db)

        assert any(each.startswith("cycle (") and each.endswith("is missing") for each in differences)
        assert any(each.startswith("observation (") and each.endswith("differs") for each in differences)
        assert not [each for each in differences if each.startswith("finding")]
        assert any(each.endswith("is new") for each in compare(restored.db, filled.store.db))
        restored.close()


def test_a_backup_while_others_write_is_whole(filled: Fleet, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            filled.clock.forward(seconds=60)
            filled.run(Cadence.LIVE)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup(filled.store.db, tmp_path / "backup")
    finally:
        stop.set()
        writer.join()
    with fresh_place(filled, tmp_path, request) as url:
        restore(tmp_path / "backup", url)
        restored = opened(url)
        assert verify(restored) == ()
        restored.close()


def test_a_place_that_is_not_fresh_is_refused(filled: Fleet, tmp_path: Path, store_url: str) -> None:
    backup(filled.store.db, tmp_path / "backup")

    with pytest.raises(StoreError, match=r"is there already|is not empty"):
        restore(tmp_path / "backup", store_url)

    assert verify(filled.store) == ()


def test_a_damaged_backup_is_refused_and_nothing_is_left(
    filled: Fleet, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    target = tmp_path / "backup"
    backup(filled.store.db, target)
    good = target.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0xFF
    with fresh_place(filled, tmp_path, request) as url:
        for damaged in (bytes(flipped), good[: len(good) // 2], good[:-1], b"", good + b"x"):
            target.write_bytes(damaged)
            with pytest.raises(StoreError, match="is damaged: its sha256 is"):
                restore(target, url)
        target.write_bytes(good)
        restore(target, url)


def test_a_file_that_is_no_backup_is_refused(filled: Fleet, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "text").write_text("this is no database at all, only words that go on for a while")
    with fresh_place(filled, tmp_path, request) as url:
        for name in ("text", "missing"):
            with pytest.raises(StoreError, match=name + "|pg_restore"):
                restore(tmp_path / name, url)


def test_a_target_that_cannot_be_written_is_told(filled: Fleet, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        backup(filled.store.db, tmp_path / "nowhere" / "backup")
    with pytest.raises(StoreError, match="there is no store"):
        backup(opened(f"sqlite:///{tmp_path / 'none.db'}").db, tmp_path / "backup")
    assert not (tmp_path / "none.db").exists()


CORRUPTIONS = {
    "a score that its findings do not come to": (
        "UPDATE summary SET score = 99.9 WHERE checklist = 'main' AND score IS NOT NULL",
        "score is 99.9, its findings come to",
    ),
    "rows of a sum that its findings do not come to": (
        "UPDATE summary SET rows = 'pppp' WHERE checklist = 'main'",
        "rows is pppp, its findings come to",
    ),
    "evidence that is not what its digest says": (
        "UPDATE evidence SET value = replace(value, '3', '9') WHERE kind = 'Build'",
        "what is stored has the digest",
    ),
    "evidence that is not kept": (
        "DELETE FROM evidence WHERE digest IN (SELECT digest FROM observation)",
        "that it rests on is not kept",
    ),
    "an observation that cannot be read": (
        "UPDATE observation SET value = '{}' WHERE kind = 'Ping'",
        "cannot be read by this version",
    ),
    "a finding whose column says something else": (
        "UPDATE finding SET status = 'pass' WHERE status = 'fail'",
        "is pass in its column and fail in its body",
    ),
    "a finding that is gone": ("DELETE FROM finding WHERE \"row\" = 'built'", "its findings come to"),
    "a transition whose column says something else": (
        "UPDATE event SET after = 'warn' WHERE after = 'fail'",
        "is warn in its column and fail in its body",
    ),
    "a transition that cannot be read": ("UPDATE event SET body = '{'", "cannot be read"),
    "a cycle that ended without its shards": ("DELETE FROM shard_run", "is done with 0 of 1 shards"),
    "a definition under another name": (
        "UPDATE service SET name = 'other' WHERE name = 'payments'",
        "is that of payments",
    ),
}


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_every_kind_of_corruption_is_found_and_named(filled: Fleet, kind: str) -> None:
    statement, words = CORRUPTIONS[kind]
    with filled.store.db.write() as connection:
        assert connection.execute(text(statement)).rowcount > 0

    found = verify(filled.store)

    assert any(words in each for each in found), found


def test_a_row_that_refers_to_nothing_is_found(filled: Fleet) -> None:
    constraint = "ALTER TABLE finding DROP CONSTRAINT fk_finding_service_id"
    off = "PRAGMA foreign_keys=OFF" if filled.store.db.sqlite else constraint
    connection = filled.store.db.engine.raw_connection()
    cursor = connection.cursor()
    cursor.execute(off)
    cursor.execute("UPDATE finding SET service_id = 999 WHERE service_id = (SELECT min(service_id) FROM finding)")
    connection.commit()
    connection.close()

    assert any("rows of finding refer to a row of service that is not there" in each for each in verify(filled.store))


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_damaged_pages_of_sqlite_are_found(tmp_path: Path, fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.run()
    backup(fleet.store.db, tmp_path / "copy.db")
    content = bytearray((tmp_path / "copy.db").read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    (tmp_path / "damaged.db").write_bytes(content)

    found = verify(opened(f"sqlite:///{tmp_path / 'damaged.db'}"))

    assert found
    assert any("SQLite" in each or "malformed" in each for each in found)
