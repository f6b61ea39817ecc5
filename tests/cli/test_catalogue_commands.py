"""`init`, `services`, `explain`, `schema`, `openapi`, `doctor`, `db`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import jsonschema
import pytest

from scorecard.demo import LESSONS
from scorecard.registry import installed

from .conftest import Call

# --- init ------------------------------------------------------------------------------------------------------------


def test_init_writes_files_that_are_valid_as_they_are(here: Path, scorecard: Call) -> None:
    (here / "my_shop").mkdir()
    done = scorecard("init", "my_shop")
    assert done.code == 0
    assert done.out.splitlines() == ["my_shop/scorecard.yaml", "my_shop/services/my-shop.yaml"]
    assert scorecard("services", "validate", "my_shop/services/my-shop.yaml").code == 0
    assert (
        scorecard("services", "list", "--config", "my_shop/scorecard.yaml", "-o", "json").json[0]["service"]
        == "my-shop"
    )


def test_init_leaves_a_file_that_is_there(here: Path, scorecard: Call) -> None:
    (here / "scorecard.yaml").write_text("# mine\n")
    done = scorecard("init", "--name", "till")
    assert (done.code, done.out) == (0, "services/till.yaml\n")
    assert "scorecard.yaml is there already" in done.err
    assert (here / "scorecard.yaml").read_text() == "# mine\n"


def test_init_refuses_a_name_that_no_service_may_have(here: Path, scorecard: Call) -> None:
    done = scorecard("init", "--name", "My Shop")
    assert (done.code, done.out) == (2, "")
    assert "lower-case letters" in done.err
    assert not list(here.iterdir())


# --- services --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_fleet")
def test_services_are_listed_in_every_format(scorecard: Call) -> None:
    names = sorted(lesson.name for lesson in LESSONS)
    assert [one["service"] for one in scorecard("services", "list", "-o", "json").json] == names
    lines = scorecard("services", "list", "-o", "ndjson").out.splitlines()
    assert [json.loads(line)["service"] for line in lines] == names
    rows = list(csv.DictReader(io.StringIO(scorecard("services", "list", "-o", "csv").out)))
    assert [row["service"] for row in rows] == names
    table = scorecard("services", "list").out
    assert table.splitlines()[0].split() == [
        "service", "environment", "team", "tier", "type", "lifecycle", "description", "origin",
    ]  # fmt: skip


def test_show_says_where_each_value_came_from(here: Path, scorecard: Call) -> None:
    (here / "scorecard.yaml").write_text("defaults:\n  - spec: {health: {liveness: /livez}}\n")
    (here / "services").mkdir()
    (here / "services" / "till.yaml").write_text(
        "kind: Service\nmetadata: {name: till}\nspec:\n  url: https://till.example.net\n"
    )
    own = scorecard("services", "show", "till").out
    effective = scorecard("services", "show", "till", "--effective")
    assert "spec.url: https://till.example.net" in own
    assert "liveness" not in own
    assert "# services/till.yaml:4" in effective.out
    assert "scorecard.yaml:2 defaults[0]" in next(
        line for line in effective.out.splitlines() if "spec.health.liveness" in line
    )
    whole = scorecard("services", "show", "till", "--effective", "-o", "json").json
    assert whole["spec.health.liveness"] == {"value": "/livez", "origin": "scorecard.yaml:2 defaults[0]"}


def test_validate_names_file_line_and_key_and_exits_1(here: Path, scorecard: Call) -> None:
    (here / "good.yaml").write_text("kind: Service\nmetadata: {name: good}\n")
    (here / "bad.yaml").write_text("kind: Service\nmetadata: {name: bad}\nspec:\n  health: {livenes: /livez}\n")
    assert scorecard("services", "validate", "good.yaml").code == 0
    done = scorecard("services", "validate", "good.yaml", "bad.yaml")
    assert (done.code, done.out) == (1, "")
    assert done.err == "bad.yaml:4: spec.health.livenes: unknown key; did you mean `liveness`?\n"


@pytest.mark.usefixtures("in_fleet")
def test_validate_without_files_checks_the_whole_catalogue(scorecard: Call) -> None:
    done = scorecard("services", "validate")
    assert done.code == 0
    assert f"{len(LESSONS)} services and 5 teams, nothing wrong" in done.err


def test_a_bad_document_is_told_beside_the_list_of_good_ones(here: Path, scorecard: Call) -> None:
    (here / "services").mkdir()
    (here / "services" / "a.yaml").write_text("kind: Service\nmetadata: {name: a}\n---\nkind: Sevrice\n")
    done = scorecard("services", "list", "-o", "json")
    assert done.code == 0
    assert [one["service"] for one in done.json] == ["a"]
    assert "services/a.yaml:4" in done.err


# --- explain ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_explain_lists_every_row_and_check(scorecard: Call) -> None:
    shown = scorecard("explain").out
    for row in installed().rows.values():
        assert row.id in shown
        for check in row.checks:
            assert check.id in shown


@pytest.mark.usefixtures("here")
def test_explain_tells_rule_evidence_and_remedy_of_every_check(scorecard: Call) -> None:
    for row in installed().rows.values():
        shown = scorecard("explain", row.id)
        assert shown.code == 0
        for check in row.checks:
            one = scorecard("explain", f"{row.id}/{check.id}").out
            assert check.rule(row.default_limits()) in one
            assert one in shown.out or one.split("\n\n", 1)[1].strip() in shown.out
            assert "How to fix:" in one


def test_explain_fills_in_the_thresholds_of_a_checklist_of_ones_own(here: Path, scorecard: Call) -> None:
    (here / "mine.yaml").write_text("name: mine\nversion: 1\nrows: [{id: adrs, thresholds: {accepted: 12}}]\n")
    assert "at least 12 accepted" in scorecard("explain", "adrs/present", "--checklist", "mine.yaml").out


@pytest.mark.parametrize(("topic", "near"), [("adr", "adrs"), ("adrs/presnt", "present")])
@pytest.mark.usefixtures("here")
def test_explain_names_the_nearest(topic: str, near: str, scorecard: Call) -> None:
    done = scorecard("explain", topic)
    assert (done.code, done.out) == (2, "")
    assert f"did you mean {near}?" in done.err


# --- schemas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["config", "service", "checklist", "scorecard"])
def test_every_schema_is_one(kind: str, scorecard: Call) -> None:
    schema = scorecard("schema", kind).json
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_checklist_schema_accepts_the_shipped_ones(scorecard: Call) -> None:
    from scorecard.strict_yaml import load

    schema = scorecard("schema", "checklist").json
    for name, text in installed().shipped.items():
        jsonschema.validate(load(text, name=name).value, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "x", "version": 1, "rowz": []}, schema)


def test_openapi_is_3_1_and_has_the_gate(scorecard: Call) -> None:
    document = scorecard("openapi").json
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/services/{name}/gate" in document["paths"]


# --- doctor ----------------------------------------------------------------------------------------------------------


class _Prometheus(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(403 if self.path.startswith("/closed") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        pass


@pytest.fixture
def prometheus() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("in_fleet")
def test_doctor_tells_what_works_and_what_will_be_unknown(scorecard: Call) -> None:
    done = scorecard("doctor")
    assert done.code == 0, done.out
    assert f"ok       catalogue: {len(LESSONS)} services" in done.out
    assert "unknown  search: has no spec.health: health-endpoints/liveness" in done.out
    assert "unknown  not supported: waits for the forge probe" in done.out


def test_doctor_asks_each_integration(here: Path, prometheus: str, scorecard: Call) -> None:
    (here / "token").write_text("secret-4711")
    (here / "scorecard.yaml").write_text(
        "integrations:\n  prometheus:\n"
        f"    - {{name: main, url: '{prometheus}', token_file: token}}\n"
        f"    - {{name: closed, url: '{prometheus}/closed'}}\n"
        "    - {name: gone, url: 'http://127.0.0.1:1'}\n"
    )
    done = scorecard("doctor")
    assert done.code == 1
    assert f"ok       prometheus/main: GET {prometheus}/-/ready: answered 200" in done.out
    assert "broken   prometheus/closed" in done.out
    assert "broken   prometheus/gone" in done.out
    assert "secret-4711" not in done.out + done.err


def test_doctor_names_a_secret_file_that_cannot_be_read(here: Path, scorecard: Call) -> None:
    (here / "scorecard.yaml").write_text("integrations: {github: [{name: main, token_file: missing}]}\n")
    done = scorecard("doctor")
    assert done.code == 1
    assert "broken   integrations.github[0].token_file: missing: No such file or directory" in done.out


# --- db --------------------------------------------------------------------------------------------------------------


def test_a_store_is_made_by_upgrade_and_found_good_by_check(here: Path, scorecard: Call) -> None:
    before = scorecard("db", "check")
    assert before.code == 3
    assert "there is no store yet" in before.err
    assert scorecard("db", "upgrade").code == 0
    assert (here / "scorecard.db").is_file()
    after = scorecard("db", "check")
    assert (after.code, after.out) == (0, "")
    assert "its tables are this version's" in after.err


def test_a_store_that_is_none_cannot_be_told(here: Path, scorecard: Call) -> None:
    (here / "scorecard.db").write_bytes(b"this is no database" * 100)
    assert scorecard("db", "check").code == 3
    assert scorecard("db", "upgrade").code == 2
