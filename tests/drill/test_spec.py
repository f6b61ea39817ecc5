"""A spec is read strictly: what is wrong is said with file, line and the nearest key."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from scorecard.drill.plan import plan
from scorecard.drill.report import (
    Backup,
    DrillReport,
    ReportError,
    Result,
    Tool,
    Verification,
    contradictions,
    read_report,
    report_schema,
    trivial,
    write_report,
)
from scorecard.drill.spec import SpecError, drill_schema, read_spec
from scorecard.strict_yaml import load
from tests.conftest import START

GOOD = """\
service: payments
resource: s3://payments-dumps/
source: {s3: "s3://payments-dumps/nightly/", region: eu-west-1, pattern: "*.dump"}
scratch: {host: scratch.internal, user: drill, password_file: password}
production:
  - {host: db.internal}
  - {database: payments}
recovery_time: 1h
recovery_point: 24h
verifications:
  - rows: {table: orders, at_least: 1000}
  - query: {name: sums, sql: "SELECT sum(total) FROM orders", at_least: 10, at_most: 1e9}
"""


def problems(folder: Path, text: str) -> str:
    (folder / "drill.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        read_spec(folder / "drill.yaml")
    return str(caught.value).replace(str(folder), ".")


def test_a_good_spec_is_read_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "drill.yaml").write_text(GOOD)
    spec = read_spec(tmp_path / "drill.yaml")
    assert spec.scratch.password_file == tmp_path / "password"
    assert spec.scratch.port == 5432
    jsonschema.validate(load(GOOD, name="drill.yaml").value, drill_schema())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("recovery_time", "recovry_time", "drill.yaml:8: recovry_time: unknown key; did you mean `recovery_time`?"),
        ("at_least: 1000", "at_leest: 1000", "drill.yaml:11: verifications[0].rows.at_leest: unknown key"),
        ("at_least: 1000", "at_least: 0", "drill.yaml:11: verifications[0].rows.at_least"),
        ("password_file: password", "password: hunter2", "scratch.password: a secret does not stand in this file"),
        ("host: scratch.internal", 'host: "a,b"', "one host name, address or socket directory"),
        ("  - {host: db.internal}\n  - {database: payments}", "  []", "production"),
        ("{host: db.internal}", "{port: 5432}", "host, database or system_identifier is expected"),
        ("region: eu-west-1", 'path: "x"', "one of path, s3 and rds is expected"),
        ("recovery_point: 24h", "recovery_point: 0s", "drill.yaml:9: recovery_point: longer than nothing"),
        ("rows: {table: orders, at_least: 1000}", "{}", "exactly one of"),
        ('"SELECT sum(total) FROM orders"', '"\\\\\\\\! id"', "SQL is expected, not a command of psql's"),
        (", at_least: 10, at_most: 1e9", "", "an expectation is missing"),
        ("table: orders", "table: 'a\"b'", "table or schema.table is expected"),
        ("service: payments", "service: payments\nservice: payments", "drill.yaml:2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    told = problems(tmp_path, GOOD.replace(old, new.replace("\\\\\\\\", "\\\\"), 1))
    assert said in told
    assert "hunter2" not in told


def test_a_spec_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        read_spec(tmp_path / "none.yaml")


def test_the_plan_names_what_would_be_done(tmp_path: Path) -> None:
    (tmp_path / "drill.yaml").write_text(GOOD)
    told = "\n".join(plan(read_spec(tmp_path / "drill.yaml")))
    for word in ("db.internal:5432", "scratch.internal:5432", "drill_payments_", "1h", "1d", "orders has 1000", "sums"):
        assert word in told


def report(**changes: object) -> DrillReport:
    values: dict[str, object] = {
        "service": "payments",
        "resource": "dumps/",
        "kind": "postgres-dump",
        "backup": Backup(id="a.dump", created_at=START),
        "started_at": START,
        "finished_at": START.replace(minute=31),
        "result": Result.SUCCESS,
        "verifications": (asked("SELECT count(*) FROM orders"),),
        "tool": Tool(name="ours"),
    }
    return DrillReport(**{**values, **changes})  # type: ignore[arg-type]


def asked(query: str, **changes: object) -> Verification:
    values: dict[str, object] = {"name": "n", "query": query, "expected": "1", "actual": "1", "ok": True}
    return Verification(**{**values, **changes})  # type: ignore[arg-type]


def test_a_report_comes_back_as_it_was_written_and_fits_its_schema() -> None:
    text = write_report(report())
    assert read_report(text.encode(), name="report.json") == report()
    jsonschema.validate(json.loads(text), report_schema())
    assert read_report(yaml.safe_dump(json.loads(text)).encode(), name="report.yaml") == report()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is a mapping"),
        (b"[]", "is a mapping"),
        (b"{", "not JSON"),
        (b'{"servise": "x"}', "did you mean `service`?"),
        (b"\xff", "UTF-8"),
        (b"[" * 100_000, "nesting depth"),
        (write_report(report()).replace("2026-11-24T09:30:00Z", "2026-11-24T09:30:00").encode(), "started_at"),
    ],
)
def test_what_is_no_report_is_said(data: bytes, said: str) -> None:
    with pytest.raises(ReportError, match=said.replace("?", r"\?")):
        read_report(data, name="report.json")


@pytest.mark.parametrize(
    ("verification", "proves_nothing"),
    [
        (asked("select 1"), True),
        (asked("select 'from orders' -- from orders"), True),
        (asked("select * from (values (1)) v, generate_series(1, 2)"), True),
        (asked("select count(*) from pg_class"), True),
        (asked("select count(*) from public.orders"), False),
        (asked('select 1 from "Orders" o join lines l on true'), False),
        (asked("select total_of(1)", relations=("public.orders",)), False),
        (asked("select count(*) from orders", relations=()), True),
        (asked("select count(*) from orders", relations=("public.orders",), vacuous=True), True),
    ],
)
def test_a_verification_that_reads_no_table_or_holds_when_all_are_empty_is_trivial(
    verification: Verification, proves_nothing: bool
) -> None:
    assert trivial(verification) is proves_nothing


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"finished_at": START.replace(hour=11)}, "lies in the future"),
        ({"started_at": START.replace(minute=32)}, "before it started"),
        ({"backup": Backup(id="a", created_at=START.replace(hour=10))}, "after the drill had started"),
        ({"verifications": ()}, "without a verification"),
        ({"verifications": (asked("select 1"),)}, "proves anything"),
        ({"verifications": (asked("select count(*) from orders", ok=False),)}, "did not hold"),
        ({"verifications": (), "result": Result.FAILURE}, ""),
    ],
)
def test_a_report_that_cannot_be_true_is_told_so(changes: dict[str, object], said: str) -> None:
    found = "; ".join(contradictions(report(**changes), START.replace(hour=10)))
    assert said in found
    assert bool(found) is bool(said)
