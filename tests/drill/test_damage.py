"""Backups that are not what they should be: each fails with its own reason, and leaves nothing behind."""

from __future__ import annotations

import gzip
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scorecard.drill.report import Result
from tests.drill.conftest import VERIFICATIONS, Shop

pytestmark = pytest.mark.postgres

ROWS = [{"rows": {"table": "orders", "at_least": 20_000}}]


@pytest.mark.parametrize("name", ["shop.dump", "shop.tar", "shop.sql", "shop.d"])
def test_a_good_dump_of_every_format_passes(shop: Shop, name: str) -> None:
    report = shop.drill(shop.folder / name)
    assert (report.result, report.code, report.message) == (Result.SUCCESS, "", "")
    assert [step.name for step in report.steps if not step.ok] == []
    assert all(one.ok for one in report.verifications)
    assert {one.name for one in report.verifications} >= {"rows of orders", "foreign keys", "corruption"}
    assert report.backup.size
    assert report.restore_seconds


def test_a_plain_dump_may_be_compressed_and_made_of_inserts(shop: Shop, tmp_path: Path) -> None:
    plain = shop.dump("shop", "inserts.sql", "--inserts", "--rows-per-insert=500")
    packed = tmp_path / "inserts.sql.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes(), 1))
    report = shop.drill(packed, amcheck="off")
    assert (report.code, report.message) == ("", "")


@pytest.mark.parametrize("share", [0.003, 0.02, 0.3, 0.9, 0.9999])
def test_a_custom_dump_cut_off_anywhere_fails_as_truncated(shop: Shop, tmp_path: Path, share: float) -> None:
    whole = (shop.folder / "shop.dump").read_bytes()
    cut = tmp_path / "cut.dump"
    cut.write_bytes(whole[: int(len(whole) * share)])
    report = shop.drill(cut, verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "truncated"), report.message


def test_a_custom_dump_with_a_changed_byte_fails_as_corrupt(shop: Shop, tmp_path: Path) -> None:
    data = bytearray((shop.folder / "shop.dump").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "bad.dump").write_bytes(data)
    report = shop.drill(tmp_path / "bad.dump", verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "corrupt"), report.message


def test_a_directory_dump_without_a_file_fails_as_truncated(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "shop.d"
    shutil.copytree(shop.folder / "shop.d", folder)
    max(folder.glob("*.dat.gz"), key=lambda file: file.stat().st_size).unlink()
    report = shop.drill(folder, verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "truncated"), report.message


def test_a_file_of_a_directory_dump_cut_off_after_a_row_is_not_taken_for_whole_as_pg_restore_takes_it(
    shop: Shop, tmp_path: Path
) -> None:
    folder = tmp_path / "plain.d"
    shutil.copytree(shop.dump("shop", "plain.d", "-Fd", "-Z0"), folder)
    assert shop.drill(folder, verifications=ROWS, amcheck="off").result is Result.SUCCESS
    orders = next(file for file in folder.glob("*.dat") if b"not a command" in file.read_bytes())
    data = orders.read_bytes()
    orders.write_bytes(data[: data.rindex(b"\n", 0, len(data) // 2) + 1])
    report = shop.drill(folder, verifications=[{"rows": {"table": "orders", "at_least": 1}}], amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "truncated"), report.message
    assert orders.name in report.message


def test_a_compressed_file_of_a_directory_dump_that_was_cut_off_fails_as_truncated(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "shop.d"
    shutil.copytree(shop.folder / "shop.d", folder)
    largest = max(folder.glob("*.dat.gz"), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-2000])
    report = shop.drill(folder, verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "truncated"), report.message
    assert largest.name in report.message


def test_a_tar_dump_cut_off_fails_as_truncated(shop: Shop, tmp_path: Path) -> None:
    whole = (shop.folder / "shop.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    report = shop.drill(tmp_path / "cut.tar", verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "truncated"), report.message


@pytest.mark.parametrize("share", [0.01, 0.5, 0.98, 0.99999])
def test_a_plain_dump_cut_off_anywhere_fails_as_truncated(shop: Shop, tmp_path: Path, share: float) -> None:
    whole = (shop.folder / "shop.sql").read_bytes().partition(b"-- PostgreSQL database dump complete")[0]
    (tmp_path / "half.sql").write_bytes(whole[: int(len(whole) * share)])
    report = shop.drill(tmp_path / "half.sql", verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "truncated"), report.message


def test_a_plain_dump_that_lost_rows_in_its_middle_is_whole_but_for_the_count(shop: Shop, tmp_path: Path) -> None:
    lines = (shop.folder / "shop.sql").read_bytes().splitlines(keepends=True)
    (tmp_path / "gap.sql").write_bytes(b"".join(lines[:20_000] + lines[30_000:]))
    counted = [{"rows": {"table": "order_lines", "at_least": 30_000}}]
    report = shop.drill(tmp_path / "gap.sql", verifications=counted, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "too-few-rows")
    careless = shop.drill(tmp_path / "gap.sql", verifications=ROWS, amcheck="off")
    told = next(step.detail for step in careless.steps if step.name == "verify")
    assert "public.order_lines" in told


def test_a_compressed_plain_dump_cut_off_fails_as_truncated(shop: Shop, tmp_path: Path) -> None:
    packed = gzip.compress((shop.folder / "shop.sql").read_bytes(), 1)
    (tmp_path / "shop.sql.gz").write_bytes(packed[: len(packed) - 5000])
    report = shop.drill(tmp_path / "shop.sql.gz", verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "truncated"), report.message


def test_an_empty_file_fails_as_empty(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "shop.dump").touch()
    report = shop.drill(tmp_path / "shop.dump")
    assert (report.result, report.code) == (Result.FAILURE, "empty")


def test_a_directory_without_a_dump_fails_as_no_backup(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "readme.sha256").touch()
    report = shop.drill(tmp_path)
    assert (report.result, report.code) == (Result.FAILURE, "no-backup")


@pytest.mark.parametrize("kind", ["-Fc", "-Fp"])
def test_a_schema_only_dump_fails_as_such(shop: Shop, kind: str) -> None:
    dump = shop.dump("shop", f"schema{kind}", kind, "--schema-only")
    report = shop.drill(dump, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "schema-only"), report.message


def test_an_old_dump_fails_as_stale_by_its_age(shop: Shop, tmp_path: Path) -> None:
    old = shutil.copy(shop.folder / "shop.dump", tmp_path / "old.dump")
    os.utime(old, (1_700_000_000, 1_700_000_000))
    report = shop.drill(old, recovery_point="24h")
    assert (report.result, report.code) == (Result.FAILURE, "stale")
    assert report.backup.created_at == datetime.fromtimestamp(1_700_000_000, UTC)


def test_a_new_dump_of_old_data_fails_as_stale_by_its_rows(shop: Shop) -> None:
    with shop.copy("UPDATE orders SET created_at = created_at - interval '3 days'") as name:
        dump = shop.dump(name, "old-data.dump", "-Fc")
    report = shop.drill(dump, recovery_point="24h", amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "stale")
    assert [one.name for one in report.verifications if not one.ok] == ["newest created_at of orders"]


@pytest.mark.parametrize("at", ["20026-01-01", "infinity", "2400-01-01"])
def test_a_newest_row_at_an_impossible_time_fails_as_stale(shop: Shop, at: str) -> None:
    with shop.copy(f"UPDATE orders SET created_at = '{at}' WHERE id = 1") as name:  # noqa: S608 - a constant of ours
        dump = shop.dump(name, "impossible.dump", "-Fc")
    report = shop.drill(dump, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "stale"), report.message


def test_a_row_of_a_plain_dump_with_a_hole_in_it_fails_as_corrupt(shop: Shop, tmp_path: Path) -> None:
    data = (shop.folder / "shop.sql").read_bytes()
    at = data.index(b"\t", data.index(b"COPY public.orders"))
    (tmp_path / "hole.sql").write_bytes(data[:at] + data[at + 1 :])
    report = shop.drill(tmp_path / "hole.sql", verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "corrupt"), report.message


def test_a_dump_without_one_tables_rows_fails_by_the_row_count(shop: Shop) -> None:
    dump = shop.dump("shop", "hole.dump", "-Fc", "--exclude-table-data=alembic_version", "--exclude-table-data=audit")
    report = shop.drill(dump, verifications=[*ROWS, {"rows": {"table": "audit", "at_least": 1}}], amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "too-few-rows")


def test_an_orphan_behind_a_foreign_key_stops_the_restore(shop: Shop) -> None:
    with shop.copy("SET session_replication_role = replica; DELETE FROM customers WHERE id = 7") as name:
        dump = shop.dump(name, "orphan.dump", "-Fc")
    report = shop.drill(dump, verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "orphans"), report.message


def test_an_orphan_behind_a_foreign_key_that_is_not_valid_is_found_by_looking_again(shop: Shop) -> None:
    with shop.copy(
        "ALTER TABLE orders DROP CONSTRAINT orders_customer",
        "DELETE FROM customers WHERE id IN (7, 8)",
        "ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers NOT VALID",
    ) as name:
        dump = shop.dump(name, "not-valid.dump", "-Fc")
    report = shop.drill(dump, verifications=ROWS, amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "orphans"), report.message
    assert "orders_customer: 20 rows" in report.message
    accepted = shop.drill(dump, verifications=ROWS, amcheck="off", ignore_foreign_keys=["orders_customer"])
    assert accepted.result is Result.SUCCESS


def test_an_orphan_that_no_foreign_key_guards_is_found_where_the_spec_asks(shop: Shop) -> None:
    with shop.copy("ALTER TABLE audit DROP CONSTRAINT audit_order", "INSERT INTO audit (order_id) VALUES (-1)") as name:
        dump = shop.dump(name, "audit.dump", "-Fc")
    orphans = {"orphans": {"table": "audit", "column": "order_id", "references": "orders"}}
    report = shop.drill(dump, verifications=[*ROWS, orphans], amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "orphans")


def test_an_index_that_lacks_its_rows_fails_as_corrupt(shop: Shop) -> None:
    with shop.copy(
        # An index on a function that lies about being immutable is corrupt as soon as it is built.
        "CREATE FUNCTION noise(bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS 'SELECT random()'",
        "CREATE INDEX orders_noise ON orders (noise(id))",
    ) as name:
        dump = shop.dump(name, "noise.dump", "-Fc")
    report = shop.drill(dump, verifications=ROWS)
    assert (report.result, report.code) == (Result.FAILURE, "corrupt"), report.message
    assert "orders_noise" in report.message


def test_another_schema_version_than_the_codes_fails_as_such(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "head").write_text("0043\n")
    version = {
        "schema_version": {
            "table": "alembic_version",
            "column": "version_num",
            "expected_file": str(tmp_path / "head"),
        }
    }
    report = shop.drill(shop.folder / "shop.dump", verifications=[*ROWS, version], amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "schema-version")
    assert "0042, 0043 is expected" in report.message


def test_a_business_question_that_is_answered_wrongly_fails_as_such(shop: Shop) -> None:
    question = {"query": {"name": "total", "sql": "SELECT total_of(1) > 1e9", "expected": True}}
    report = shop.drill(shop.folder / "shop.dump", verifications=[*ROWS, question], amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "query")
    assert report.verifications[-2].relations == ("public.orders",)


def test_without_a_verification_the_drill_fails_before_it_restores(shop: Shop) -> None:
    report = shop.drill(shop.folder / "shop.dump", verifications=[])
    assert (report.result, report.code) == (Result.FAILURE, "no-verifications")
    assert "restore" not in {step.name for step in report.steps}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1", 1),
        ("select count(*) from generate_series(1, 3)", 3),
        ("select count(*) > 0 from pg_class", True),
        ("select 1 where exists (select 1 from orders) or true", 1),
        ("select count(*) >= 0 from orders", True),
        ("select count(*) from orders where total < 0", 0),
    ],
)
def test_questions_that_an_empty_database_answers_rightly_prove_nothing(shop: Shop, sql: str, expected: object) -> None:
    question = {"query": {"name": "trivial", "sql": sql, "expected": expected}}
    report = shop.drill(shop.folder / "shop.dump", verifications=[question], amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "trivial-verifications"), report.message
    assert all(one.ok for one in report.verifications)


def test_a_restore_slower_than_the_recovery_time_fails_as_such(shop: Shop) -> None:
    report = shop.drill(shop.folder / "shop.dump", recovery_time="20ms", amcheck="off")
    assert (report.result, report.code) == (Result.FAILURE, "too-slow")
    assert all(one.ok for one in report.verifications)


def test_another_checksum_than_the_one_beside_it_fails_as_such(shop: Shop, tmp_path: Path) -> None:
    dump = shutil.copy(shop.folder / "shop.dump", tmp_path / "shop.dump")
    (tmp_path / "shop.dump.sha256").write_text("0" * 64 + "  shop.dump\n")
    report = shop.drill(tmp_path)
    assert (report.result, report.code) == (Result.FAILURE, "checksum-mismatch")
    assert report.backup.id == Path(dump).name


def test_every_wrong_answer_is_told_and_not_only_the_first(shop: Shop) -> None:
    wrong = [{"rows": {"table": name, "at_least": 10**9}} for name in ("orders", "customers")]
    report = shop.drill(shop.folder / "shop.dump", verifications=[*VERIFICATIONS, *wrong], amcheck="off")
    assert [one.name for one in report.verifications if not one.ok] == ["rows of orders", "rows of customers"]
    assert "1 more" in report.message
