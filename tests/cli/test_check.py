"""`scorecard check`, against real services and real repositories."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from scorecard.cli.check import decide_asked
from scorecard.cli.schema import json_schema
from scorecard.demo import Fleet
from scorecard.judge import Seen, judge
from scorecard.model import GatePolicy, Service, Verdict
from scorecard.registry import installed

from .conftest import TODAY, Call

REPOSITORY_ROWS = ["alerts", "runbooks", "adrs"]


def repository(fleet: Fleet, name: str) -> Path:
    return fleet.directory / "repositories" / name


def statuses(document: dict[str, object]) -> dict[str, str]:
    rows = document["rows"]
    assert isinstance(rows, list)
    return {f"{row['id']}/{check['id']}": check["status"] for row in rows for check in row["checks"]}


# --- a directory -----------------------------------------------------------------------------------------------------


def test_a_directory_is_asked_what_a_repository_can_answer_and_nothing_else(fleet: Fleet, scorecard: Call) -> None:
    done = scorecard("check", repository(fleet, "checkout"), "-o", "json")
    assert done.code == 0, done.err
    document = done.json
    jsonschema.validate(document, json_schema("scorecard"))
    assert [row["id"] for row in document["rows"]] == REPOSITORY_ROWS
    assert "health-endpoints" in document["not_asked"]
    assert document["gate"] == {"verdict": "go", "reasons": document["gate"]["reasons"], "exit_code": 0}
    assert document["service"] == "checkout"


def test_a_directory_shows_what_was_not_asked(fleet: Fleet, scorecard: Call) -> None:
    done = scorecard("check", repository(fleet, "checkout"))
    assert "not asked: routed, can-fire, actionable" in done.out
    assert "not asked: ci-cd-pipeline, rollback, health-endpoints" in done.out
    assert done.err == ""


def test_a_directory_that_fails_a_blocking_row_exits_1(fleet: Fleet, scorecard: Call) -> None:
    done = scorecard("check", repository(fleet, "notifications"), "-o", "json")
    assert done.code == 1
    assert statuses(done.json)["alerts/runbook-link"] == "fail"
    assert any(reason.startswith("alerts/runbook-link") for reason in done.json["gate"]["reasons"])


def test_a_directory_under_the_bar_of_its_rows_exits_1_though_no_blocking_row_fails(
    fleet: Fleet, scorecard: Call
) -> None:
    done = scorecard("check", repository(fleet, "shipping"), "-o", "json")
    assert done.code == 1
    assert statuses(done.json)["runbooks/name-the-alert"] == "fail"


def test_an_empty_directory_cannot_be_told(here: Path, scorecard: Call) -> None:
    done = scorecard("check", here, "-o", "json")
    assert done.code == 3
    assert done.json["gate"]["verdict"] == "cannot-tell"


def test_a_directory_is_called_by_its_name_in_the_words_of_the_catalogue(here: Path, scorecard: Call) -> None:
    (here / "My_Service.v2").mkdir()
    assert scorecard("check", here / "My_Service.v2", "-o", "json").json["service"] == "my-service-v2"


def test_the_service_that_a_directory_registers_is_the_one_that_is_checked(
    fleet: Fleet, here: Path, scorecard: Call
) -> None:
    shutil.copytree(repository(fleet, "checkout"), here / "clone")
    (here / "clone" / "services").mkdir()
    (here / "clone" / "services" / "till.yaml").write_text(
        "kind: Service\nmetadata: {name: till, team: payments, tier: tier-9}\nspec: {repositories: [{url: .}]}\n"
    )
    done = scorecard("check", "clone", "-o", "json")
    assert (done.json["service"], done.json["team"], done.json["tier"]) == ("till", "payments", "tier-9")
    assert done.code == 0


def test_a_backstage_file_registers_the_directory(fleet: Fleet, here: Path, scorecard: Call) -> None:
    shutil.copytree(repository(fleet, "checkout"), here / "clone")
    (here / "clone" / "catalog-info.yaml").write_text(
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: till}\n"
        "spec: {type: service, lifecycle: production, owner: payments}\n"
    )
    done = scorecard("check", "clone", "-o", "json")
    assert (done.json["service"], done.json["team"]) == ("till", "payments")


def test_a_bad_service_file_in_the_directory_is_refused_with_file_line_and_key(here: Path, scorecard: Call) -> None:
    (here / "services").mkdir()
    (here / "services" / "till.yaml").write_text("kind: Service\nmetadata:\n  name: till\n  taem: payments\n")
    done = scorecard("check", ".")
    assert (done.code, done.out) == (2, "")
    assert "services/till.yaml:4: metadata.taem: unknown key; did you mean `team`?" in done.err


def test_a_worker_is_asked_for_its_heartbeat_in_its_repository(in_fleet: Fleet, here: Path, scorecard: Call) -> None:
    shutil.copytree(repository(in_fleet, "invoice-worker"), here / "clone")
    (here / "clone" / "services").mkdir()
    (here / "clone" / "services" / "w.yaml").write_text("kind: Service\nmetadata: {name: w, type: worker}\n")
    document = scorecard("check", here / "clone", "-o", "json").json
    assert statuses(document)["health-endpoints/heartbeat"] == "pass"


# --- rows, scopes, environments --------------------------------------------------------------------------------------


def test_a_row_that_is_named_blocks_whatever_its_risk(fleet: Fleet, scorecard: Call) -> None:
    pricing = repository(fleet, "pricing")
    assert scorecard("check", pricing, "--row", "adrs").code == 1
    assert scorecard("check", pricing, "--row", "runbooks").code == 0
    both = scorecard("check", pricing, "--row", "runbooks", "--row", "adrs", "-o", "json")
    assert both.code == 1
    assert [row["id"] for row in both.json["rows"]] == ["runbooks", "adrs"]


@pytest.mark.usefixtures("in_fleet")
def test_a_warning_on_a_named_row_is_a_go(scorecard: Call) -> None:
    done = scorecard("check", "payments", "--row", "health-endpoints", "-o", "json")
    assert statuses(done.json)["health-endpoints/readiness"] == "warn"
    assert done.code == 0, done.json["gate"]


@pytest.mark.usefixtures("in_fleet")
def test_a_row_that_nothing_can_measure_is_cannot_tell(scorecard: Call) -> None:
    done = scorecard(
        "check", "checkout", "--checklist", "delivery-practices", "--row", "delivery-pipeline", "-o", "json"
    )
    assert done.code == 3
    assert {check["cause"] for check in done.json["rows"][0]["checks"]} == {"not_supported"}


def test_a_row_that_does_not_exist_is_a_usage_error_that_names_the_nearest(fleet: Fleet, scorecard: Call) -> None:
    done = scorecard("check", repository(fleet, "checkout"), "--row", "runbook")
    assert (done.code, done.out) == (2, "")
    assert "no row 'runbook'; did you mean runbooks?" in done.err


def test_report_only_turns_1_into_0_and_leaves_3(in_fleet: Fleet, scorecard: Call) -> None:
    assert scorecard("check", repository(in_fleet, "pricing"), "--row", "adrs", "--report-only").code == 0
    assert scorecard("check", "checkout", "--row", "secrets", "--report-only").code == 3


@pytest.mark.usefixtures("in_fleet")
def test_the_scope_live_asks_the_running_service_alone(scorecard: Call) -> None:
    document = scorecard("check", "ledger", "--scope", "live", "-o", "json").json
    assert "health-endpoints" in [row["id"] for row in document["rows"]]
    assert {"alerts", "runbooks", "adrs", "ci-cd-pipeline"} <= set(document["not_asked"])
    assert statuses(document)["health-endpoints/liveness"] == "fail"


@pytest.mark.usefixtures("in_fleet")
def test_another_checklist_can_be_asked(scorecard: Call) -> None:
    done = scorecard("check", "checkout", "--checklist", "delivery-practices", "-o", "json")
    assert done.json["checklist"]["name"] == "delivery-practices"
    assert done.code == 3
    refused = scorecard("check", "checkout", "--checklist", "delivery-practises")
    assert refused.code == 2
    assert "did you mean delivery-practices?" in refused.err


@pytest.mark.usefixtures("in_fleet")
def test_an_environment_that_the_service_does_not_have_is_not_registered(scorecard: Call) -> None:
    done = scorecard("check", "checkout", "--environment", "staging")
    assert (done.code, done.out) == (3, "")
    assert "checkout has no environment staging; it has production" in done.err
    assert scorecard("check", "checkout@staging").code == 3
    assert scorecard("check", "checkout@staging", "--environment", "production").code == 2


# --- a service, a file -----------------------------------------------------------------------------------------------


def test_a_service_is_probed_for_real_and_needs_no_store(in_fleet: Fleet, scorecard: Call) -> None:
    done = scorecard("check", "identity", "-o", "json")
    assert done.code == 1
    found = statuses(done.json)
    assert (found["health-endpoints/liveness"], found["health-endpoints/not-a-catch-all"]) == ("fail", "fail")
    assert found["adrs/present"] == "pass"
    assert not (in_fleet.directory / "scorecard.db").exists()


@pytest.mark.usefixtures("in_fleet")
def test_a_service_that_was_never_reached_is_unknown_and_not_failed(scorecard: Call) -> None:
    done = scorecard("check", "partner-gateway", "--row", "health-endpoints", "-o", "json")
    assert done.code == 3
    assert statuses(done.json)["health-endpoints/liveness"] == "unknown"


@pytest.mark.usefixtures("in_fleet")
def test_an_unregistered_service_is_3_and_names_the_nearest(scorecard: Call) -> None:
    done = scorecard("check", "chekout")
    assert (done.code, done.out) == (3, "")
    assert "chekout is not registered; did you mean checkout?" in done.err


def test_a_file_checks_every_service_in_it_and_a_no_beats_not_knowing(in_fleet: Fleet, scorecard: Call) -> None:
    both = in_fleet.directory / "two.yaml"
    texts = [(in_fleet.directory / "services" / f"{name}.yaml").read_text() for name in ("checkout", "ledger")]
    both.write_text("---\n".join(texts))
    done = scorecard("check", both, "-o", "json")
    both.unlink()
    assert [document["service"] for document in done.json] == ["checkout", "ledger"]
    assert [document["gate"]["exit_code"] for document in done.json] == [3, 1]
    assert done.code == 1


def test_a_file_with_a_mistake_is_refused_whole(here: Path, scorecard: Call) -> None:
    (here / "s.yaml").write_text("kind: Service\nmetadata: {name: a}\n---\nkind: Service\nmetadata: {nam: b}\n")
    done = scorecard("check", "s.yaml")
    assert (done.code, done.out) == (2, "")
    assert "s.yaml:5" in done.err


@pytest.mark.parametrize("subject", ["no/such/place", "missing.yaml"])
def test_a_place_that_is_not_there_is_a_usage_error(subject: str, here: Path, scorecard: Call) -> None:
    done = scorecard("check", subject)
    assert (done.code, done.out) == (2, "")
    assert subject in done.err
    assert not list(here.iterdir())


def test_a_bad_configuration_is_refused_with_file_line_and_the_nearest_key(here: Path, scorecard: Call) -> None:
    (here / "scorecard.yaml").write_text("catalog:\n  - files: services/*.yaml\nprobbing: {timeout: 5s}\n")
    done = scorecard("check", "payments")
    assert (done.code, done.out) == (2, "")
    assert "scorecard.yaml:3" in done.err
    assert "did you mean `probing`?" in done.err


def test_a_name_that_is_a_service_and_a_directory_means_the_service(in_fleet: Fleet, scorecard: Call) -> None:
    (in_fleet.directory / "checkout").mkdir()
    try:
        meant = scorecard("check", "checkout", "--row", "adrs", "-o", "json").json
        folder = scorecard("check", "./checkout", "--row", "adrs", "-o", "json").json
    finally:
        (in_fleet.directory / "checkout").rmdir()
    assert (meant["team"], folder["team"]) == ("payments-platform", "")


# --- output ----------------------------------------------------------------------------------------------------------


def test_formats_go_to_files_and_one_to_standard_output(fleet: Fleet, here: Path, scorecard: Call) -> None:
    done = scorecard("check", repository(fleet, "checkout"), "-o", "table", "-o", "json=a.json", "-o", "junit=b.xml")
    assert done.out.startswith("checkout  production")
    assert json.loads((here / "a.json").read_text())["service"] == "checkout"
    assert "<testsuites" in (here / "b.xml").read_text()


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (("-o", "json", "-o", "csv"), "standard output"),
        (("-o", "json=a", "-o", "csv=a"), "cannot share a"),
        (("-o", "jason"), "'jason' is not one of table, json"),
        (("-o", "json="), "names no file"),
        (("-o", "json=missing/a.json"), "its directory does not exist"),
    ],
)
def test_a_bad_output_is_refused_before_anything_is_probed(
    outputs: tuple[str, ...], said: str, here: Path, scorecard: Call
) -> None:
    done = scorecard("check", here, *outputs)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_the_exit_code_is_the_same_for_every_format(fleet: Fleet, scorecard: Call) -> None:
    for form in ("table", "json", "junit", "sarif", "markdown", "github", "csv"):
        assert scorecard("check", repository(fleet, "pricing"), "--row", "adrs", "-o", form).code == 1, form


def test_annotations_point_into_the_checked_directory(fleet: Fleet, scorecard: Call) -> None:
    run = scorecard("check", repository(fleet, "notifications"), "-o", "sarif").json["runs"][0]
    places = {
        result["ruleId"]: result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
    }
    assert places["alerts/runbook-link"] == "deploy/alerts/notifications.yaml"


def test_an_interrupted_check_exits_130(in_fleet: Fleet, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        file = tmp_path / "silent.yaml"
        file.write_text(
            "apiVersion: scorecard/v1\nkind: Service\nmetadata: {name: silent}\n"
            f"spec: {{url: 'http://127.0.0.1:{silent.getsockname()[1]}', health: {{liveness: /livez}}}}\n"
        )
        command = [sys.executable, "-m", "scorecard.cli", "check", str(file), "--scope", "live"]
        process = subprocess.Popen(
            command, cwd=in_fleet.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # A suite that a shell started in the background ignores the signal, and so would its child.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - takes no lock
        )  # fmt: skip
        asked, _ = silent.accept()
        with asked:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err


# --- the rule --------------------------------------------------------------------------------------------------------


def test_what_is_decided_is_what_was_asked() -> None:
    checklist = installed().checklist("production-readiness", Path())
    service = Service(name="payments")
    nothing = judge(service, checklist, Seen(), TODAY, rows=frozenset({"alerts"}))
    decision = decide_asked(nothing, GatePolicy(), frozenset())
    assert decision.verdict is Verdict.CANNOT_TELL
    assert decision.reasons == ("nothing was measured: no installed probe answers these rows",)
    none = judge(service, checklist, Seen(), TODAY, rows=frozenset())
    assert decide_asked(none, GatePolicy(), frozenset()).verdict is Verdict.CANNOT_TELL
