"""Only what pg_dump writes gets from a plain dump to psql."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from scorecard.drill.outcome import BackupFailed
from scorecard.drill.plain import PlainDump
from scorecard.drill.report import Result
from tests.drill.conftest import Shop

END = "\n-- PostgreSQL database dump complete\n"
ROWS = [{"rows": {"table": "orders", "at_least": 1}}]


def read(text: str) -> tuple[PlainDump, str]:
    dump = PlainDump("dump.sql")
    return dump, b"".join(dump.lines(io.BytesIO(text.encode()))).decode()


def code(text: str) -> str:
    try:
        read(text)
    except BackupFailed as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    "line",
    [
        r"\! touch pwned",
        r"\connect other",
        r"\c other",
        r"\copy t from program 'touch pwned'",
        r"\o |touch pwned",
        r"\i /etc/passwd",
        r"\gexec",
        r"SELECT 1 \! touch pwned",
        r"SELECT 'it''s' \g |touch pwned",
        r"SELECT '\' \! touch pwned",
        r"SELECT E'\'' \! touch pwned",
        r"SELECT nameE'\' \! touch pwned",
        "/* /* */ */ \\! touch pwned",
        "SELECT $a$ $b$ $a$ \\! touch pwned",
        'SELECT "\\" \\! touch pwned',
        "-- a comment\n\\! touch pwned",
        "COPY t FROM stdin;\n1\n\\.\n\\! touch pwned",
        "COPY t FROM stdin;\n\\! touch pwned\n\\.",
        "SELECT 'COPY t FROM stdin;'\n\\! touch pwned",
        "COPY t FROM stdin; SELECT 1;\n\\.",
        "SET standard_conforming_strings = off;",
        "SET client_encoding = 'SJIS';",
        "\\.",
    ],
)
def test_a_line_that_pg_dump_does_not_write_is_refused(line: str) -> None:
    assert code(f"SELECT 1;\n{line}\n{END}") == "not-a-plain-dump"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '\\! in a literal';",
        "SELECT E'it\\'s \\\\! in a literal';",
        "SELECT $x$\\! in a\nbody; COPY t FROM stdin;\n$x$;",
        '/* \\! */ SELECT "\\!";',
        "-- \\! in a comment",
        "COPY t FROM stdin;\na\\tb\\\\!c\\nd\t\\N\n\\.",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;",
        "SELECT 'two\nlines \\! of a literal';",
        "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;",
        "\\restrict abc123\nSELECT 1;\n\\unrestrict abc123",
    ],
)
def test_what_pg_dump_writes_passes(text: str) -> None:
    dump, _ = read(f"{text}\n{END}")
    assert dump.complete


@pytest.mark.parametrize(
    "line",
    [
        "ALTER TABLE public.orders OWNER TO payments;",
        'GRANT SELECT ON TABLE public.orders TO "Read Only";',
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b;",
        "COMMENT ON EXTENSION pgcrypto IS 'it''s cryptographic; functions';",
        "SET default_tablespace = fast;",
        "CREATE PUBLICATION all_tables FOR ALL TABLES;",
        "\\restrict abc123",
    ],
)
def test_owners_and_privileges_are_left_out_and_lines_keep_their_numbers(line: str) -> None:
    _, sent = read(f"SELECT 1;\n{line}\nSELECT 2;\n{END}")
    assert sent == f"SELECT 1;\n\nSELECT 2;\n{END}"


def test_what_looks_like_a_privilege_in_a_literal_is_kept() -> None:
    text = f"SELECT '\nGRANT SELECT ON a TO b;\n';\n{END}"
    assert read(text)[1] == text


@pytest.mark.parametrize("tail", ["SELECT 1;\n", "COPY t FROM stdin;\n", "SELECT '"])
def test_the_trailer_must_be_the_last_thing(tail: str) -> None:
    assert code(f"SELECT 1;\n{END}{tail}") == "truncated"


def test_rows_are_counted() -> None:
    assert read(f"COPY t FROM stdin;\n1\n2\n\\.\nINSERT INTO t VALUES (3);\n{END}")[0].rows == 3


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("sql", "codes"),
    [
        ("\\! touch {mark}", {"not-a-plain-dump"}),
        ("\\connect postgres", {"not-a-plain-dump"}),
        ("COPY orders FROM PROGRAM 'touch {mark}';", {"not-permitted"}),
        ("COPY (SELECT 1) TO '{mark}';", {"not-permitted"}),
        ("RESET ROLE; RESET SESSION AUTHORIZATION; COPY orders FROM PROGRAM 'touch {mark}';", {"not-permitted"}),
        ("CREATE ROLE other SUPERUSER;", {"not-permitted"}),
        ("DROP DATABASE shop;", {"not-permitted", "restore-failed"}),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hostile';", {"not-permitted"}),
    ],
)
def test_a_hostile_dump_runs_no_command_and_reaches_no_other_database(
    shop: Shop, tmp_path: Path, sql: str, codes: set[str]
) -> None:
    tmp_path.chmod(0o777)
    mark = tmp_path / "pwned"
    plain = (shop.folder / "shop.sql").read_text()
    dump = tmp_path / "hostile.sql"
    dump.write_text(plain.replace("--\n-- PostgreSQL database dump complete", f"{sql.format(mark=mark)}\n{END}"))
    report = shop.drill(dump, verifications=ROWS, amcheck="off")
    if "terminate" in sql:
        # There is nobody else to end, and asking is allowed; nothing is reached.
        assert report.result is Result.SUCCESS
    else:
        assert report.code in codes, report.message
    assert not mark.exists()


@pytest.mark.postgres
def test_a_hostile_function_in_the_data_has_no_rights_when_it_is_asked(shop: Shop, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with shop.copy(
        "CREATE FUNCTION spy() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN "
        f"COPY (SELECT 1) TO '{tmp_path}/pwned'; RETURN 1; END $$",
        "CREATE VIEW spied AS SELECT spy() FROM orders",
    ) as name:
        dump = shop.dump(name, "spy.dump", "-Fc")
    question = {"query": {"name": "spied", "sql": "SELECT count(*) FROM spied WHERE true", "at_least": 1}}
    asked = {"query": {"name": "spy", "sql": "SELECT spy()", "at_least": 1}}
    report = shop.drill(dump, verifications=[*ROWS, question, asked], amcheck="off")
    assert report.code == "query"
    assert "must be superuser" in next(one.actual for one in report.verifications if one.name == "spy")
    assert not (tmp_path / "pwned").exists()
