"""`show`, `list`, `history`, `diff`, `gate`: the same from the store and from the server of a running demo."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest

from scorecard.cli.schema import json_schema
from scorecard.demo import LESSONS

from .conftest import Demo

NAMES = sorted(lesson.name for lesson in LESSONS)


class Source:
    """One of the two places to ask."""

    def __init__(self, demo: Demo, *options: str) -> None:
        self.demo = demo
        self.options = options

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scorecard.cli", *arguments, *self.options]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON
        done = self.run(*arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(params=["store", "server"])
def source(request: pytest.FixtureRequest, demo: Demo) -> Source:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        document = demo.get("/api/v1/services/checkout/scorecard")
        if {row["status"] for row in document["rows"] if row["id"] in {"adrs", "health-endpoints"}} <= {"pass", "warn"}:
            break
        time.sleep(0.5)
    if request.param == "server":
        return Source(demo, "--server", demo.url)
    return Source(demo, "--config", str(demo.directory / "scorecard.yaml"))


def test_show_gives_the_scorecard_document(source: Source) -> None:
    document = source.json("show", "checkout")
    jsonschema.validate(document, json_schema("scorecard"))
    assert document["service"] == "checkout"
    table = source.run("show", "checkout")
    assert table.returncode == 0
    assert table.stdout.startswith("checkout  production · payments-platform · tier-1")


def test_show_at_a_past_instant_is_what_stood_then(source: Source) -> None:
    done = source.run("show", "checkout", "--at", "2001-01-01")
    assert (done.returncode, done.stdout) == (3, "")
    assert "had not been measured" in done.stderr


def test_an_unknown_service_is_3_and_an_unknown_checklist_no_answer(source: Source) -> None:
    assert source.run("show", "chekout").returncode == 3
    assert source.run("gate", "chekout").returncode == 3
    assert source.run("show", "checkout", "--checklist", "nope").returncode in {2, 3}


def test_list_gives_every_service_the_lowest_score_first(source: Source) -> None:
    items = source.json("list")
    assert sorted(item["name"] for item in items) == NAMES
    scores = [item["score"] for item in items]
    assert scores == sorted(scores)
    rows = list(csv.DictReader(io.StringIO(source.run("list", "-o", "csv").stdout)))
    assert sorted(row["name"] for row in rows) == NAMES
    lines = source.run("list", "-o", "ndjson").stdout.splitlines()
    assert sorted(json.loads(line)["name"] for line in lines) == NAMES


def test_list_takes_the_filters_of_the_site(source: Source) -> None:
    def names(*filters: str) -> set[str]:
        return {item["name"] for item in source.json("list", *filters)}

    assert names("--team", "identity") == {"identity", "legacy-portal"}
    assert names("--lifecycle", "deprecated") == {"legacy-portal"}
    assert names("--q", "invoice") == {"invoice-worker"}
    assert "pricing" in names("--row", "adrs", "--status", "fail")
    assert names("--row", "adrs", "--status", "fail") <= set(NAMES) - {"checkout"}
    assert names("--score", "-0") == set()
    assert names("--stale") | names("--fresh") == set(NAMES)
    by_name = [item["name"] for item in source.json("list", "--sort", "-name")]
    assert by_name == NAMES[::-1]


def test_a_filter_that_is_none_is_a_usage_error(source: Source) -> None:
    for filters in (("--score", "high"), ("--level", "best"), ("--sort", "luck"), ("--status", "bad")):
        done = source.run("list", *filters)
        assert (done.returncode, done.stdout) == (2, ""), filters
        assert "Traceback" not in done.stderr


def test_history_lists_days_and_changes(source: Source) -> None:
    days = source.json("history", "checkout")
    assert len(days) >= 85
    assert set(days[0]) == {"day", "score", "score_upper", "coverage", "level"}
    assert len(source.json("history", "checkout", "--days", "5")) <= 6
    changes = source.json("history", "checkout", "--changes")
    assert {"at", "row", "check", "before", "after", "cause", "message"} == set(changes[0])


def test_diff_tells_what_changed_and_why(source: Source) -> None:
    now = datetime.now(UTC)  # noqa: TID251 - the demo runs on the wall clock
    early = f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    refused = source.run("diff", "checkout", f"{now + timedelta(days=2):%Y-%m-%d}")
    assert refused.returncode == 2
    found = source.run("diff", "checkout", early, "-o", "json")
    if found.returncode == 0:
        whole = json.loads(found.stdout)
        assert set(whole) == {"service", "environment", "from", "to", "rows", "changes"}
    else:
        assert (found.returncode, found.stdout) == (3, "")
        assert "had not been measured" in found.stderr


def test_the_gate_is_the_same_from_both(source: Source) -> None:
    done = source.run("gate", "ledger", "-o", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "no-go"
    assert source.run("gate", "ledger", "--report-only").returncode == 0


def test_measure_through_the_server_waits_for_the_run(demo: Demo) -> None:
    done = Source(demo, "--server", demo.url).run("gate", "ledger", "--measure", "-o", "json")
    assert done.returncode == 1, done.stderr


def test_a_second_process_may_not_write_to_the_store(demo: Demo) -> None:
    done = Source(demo, "--config", str(demo.directory / "scorecard.yaml")).run("db", "upgrade")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a writing process already" in done.stderr
