"""Each format of `check` and `gate` is valid by its own rules, whatever the evidence says."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import jsonschema
import pytest

from scorecard.cli.formats import MACHINE, NAMES
from scorecard.cli.formats.github import github
from scorecard.cli.formats.sheet import cell
from scorecard.cli.formats.table import Look, table
from scorecard.cli.output import CHECK_FORMATS
from scorecard.cli.report import GateAnswer, Place, Report, check_lines, gate_lines
from scorecard.cli.schema import json_schema
from scorecard.cli.text import icons
from scorecard.gate import Decision
from scorecard.model import ServiceKey, Verdict

Doc = dict[str, Any]

HOSTILE = '=cmd|"/c calc"!A1 \x1b[2J <script>alert(1)</script> ]]> & | `x` %0A\u202e @everyone ::error::'
ORIGIN = Place("services/payments.yaml", 4)


def check(
    check_id: str, status: str, *, cause: str | None = None, requirement: str = "required", **more: object
) -> Doc:
    return {
        "id": check_id,
        "requirement": requirement,
        "rule": "The rule.",
        "rule_version": 1,
        "status": status,
        "cause": cause,
        "code": "code",
        "message": f"what was seen by {check_id}",
        "lines": None,
        "remedy": "Write it down:\n\n```yaml\na: 1\n```",
        "provenance": "probed",
        "fingerprint": None,
        "subjects": [],
        "observed_at": "2026-11-23T04:10:00Z",
        "expires_at": "2026-11-25T04:10:00Z",
        "evidence": [],
        **more,
    }


def row(row_id: str, status: str, *checks: Doc, **more: object) -> Doc:
    return {
        "id": row_id,
        "title": f"The row {row_id}",
        "category": "reliability",
        "risk": "high",
        "weight": 7,
        "status": status,
        "credit": 0.0,
        "points": 8.5,
        "waiver": None,
        "not_applicable": None,
        "not_asked": [],
        "checks": list(checks),
        **more,
    }


def document(*rows: Doc, **more: object) -> Doc:
    return {
        "schema": 1,
        "service": "payments",
        "environment": "production",
        "team": "payments-platform",
        "tier": "tier-1",
        "type": "web",
        "taken_at": "2026-11-23T04:10:00Z",
        "run": "",
        "checklist": {"name": "production-readiness", "version": 1, "digest": "sha256:" + "0" * 64},
        "score": 41.2,
        "score_upper": 88.0,
        "coverage": 52.1,
        "verified_only": 41.2,
        "level": "not-ready",
        "exempt_rows": 0,
        "rows": list(rows),
        "not_asked": ["backups"],
        "gate": {"verdict": "no-go", "reasons": ["alerts/runbook-link: 1 of 2 alerts"], "exit_code": 1},
        **more,
    }


def subject(name: str, status: str, message: str, where: str | None = None) -> Doc:
    return {"name": name, "status": status, "code": "x", "cause": None, "message": message, "where": where}


SUBJECTS = [
    subject("deploy/alerts.yaml:7", "fail", "no runbook"),
    subject("PaymentsSlow", "fail", "none", "deploy/alerts.yaml:19"),
    subject("deploy/alerts.yaml:30", "pass", "fine"),
]
WHOLE = document(
    row(
        "alerts",
        "fail",
        check("exist", "pass"),
        check("runbook-link", "fail", subjects=SUBJECTS, message="2 of 3 alerts: deploy/alerts.yaml:7: no runbook; …"),
        check("healthy", "warn", requirement="advisory"),
        not_asked=["routed"],
    ),
    row("encryption", "unknown", check("https", "unknown", cause="timeout"), check("hsts", "not_applicable")),
    row(
        "multi-az",
        "not_applicable",
        not_applicable={"reason": "cold standby", "declared_by": "lead", "until": "2027-03-01"},
    ),
)


def report(*documents: Doc) -> Report:
    lines = [line for one in documents for line in check_lines(one, ORIGIN, frozenset({"deploy/alerts.yaml"}))]
    return Report(documents=documents, lines=tuple(lines), several=len(documents) > 1, exit_code=1)


def gate_report(verdict: Verdict, *reasons: str) -> Report:
    decision = Decision(verdict=verdict, reasons=reasons)
    answer = GateAnswer(service=ServiceKey("payments"), decision=decision, place=ORIGIN, source="the store")
    return Report(gates=(answer,), lines=gate_lines(answer), exit_code=decision.exit_code)


def look(width: int = 100, *, colour: bool = False, encoding: str = "utf-8") -> Look:
    return Look(width, colour=colour, icons=icons(encoding))


HOSTILE_REPORT = report(
    document(row("alerts", "fail", check("exist", "fail", message=HOSTILE, remedy=HOSTILE, rule=HOSTILE)), team=HOSTILE)
)


def test_every_format_of_the_command_line_can_be_rendered() -> None:
    assert NAMES == CHECK_FORMATS
    for made in (report(WHOLE), report(WHOLE, WHOLE), HOSTILE_REPORT, gate_report(Verdict.GO, "score 91")):
        for render in MACHINE.values():
            assert render(made).endswith("\n")
        assert table(made, look()).endswith("\n")


@pytest.mark.parametrize("name", ["table", "markdown", "github", "junit"])
def test_no_escape_sequence_reaches_a_terminal(name: str) -> None:
    text = table(HOSTILE_REPORT, look()) if name == "table" else MACHINE[name](HOSTILE_REPORT)
    assert "\x1b" not in text
    assert "\u202e" not in text


# --- json ------------------------------------------------------------------------------------------------------------


def test_json_is_the_document_and_of_several_services_a_list() -> None:
    one, two = json.loads(MACHINE["json"](report(WHOLE))), json.loads(MACHINE["json"](report(WHOLE, WHOLE)))
    assert one == WHOLE
    assert two == [WHOLE, WHOLE]
    jsonschema.validate(one, json_schema("scorecard"))


def test_json_of_the_gate_is_what_the_api_says_with_the_service() -> None:
    assert json.loads(MACHINE["json"](gate_report(Verdict.NO_GO, "a", "b"))) == {
        "service": "payments",
        "environment": "production",
        "verdict": "no-go",
        "reasons": ["a", "b"],
        "exit_code": 1,
    }


# --- junit -----------------------------------------------------------------------------------------------------------


def test_junit_counts_what_it_holds_and_never_skips_an_unknown() -> None:
    root = ET.fromstring(MACHINE["junit"](report(WHOLE)))  # noqa: S314 - our own output
    [suite] = root
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {
        "exist": ["system-out"],
        "runbook-link": ["failure"],
        "healthy": ["system-out"],
        "https": ["error"],
        "hsts": ["skipped"],
        "routed": ["skipped"],
        "backups": ["skipped"],
    }
    for counted in (root, suite):
        assert {name: counted.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
            "tests": "7",
            "failures": "1",
            "errors": "1",
            "skipped": "3",
        }


def test_junit_holds_hostile_text_as_text() -> None:
    root = ET.fromstring(MACHINE["junit"](HOSTILE_REPORT))  # noqa: S314 - our own output
    failure = root.find(".//failure")
    assert failure is not None
    assert "<script>alert(1)</script> ]]>" in str(failure.get("message"))


# --- sarif -----------------------------------------------------------------------------------------------------------


def sarif(made: Report) -> Doc:
    [run] = json.loads(MACHINE["sarif"](made))["runs"]
    found: Doc = run
    return found


def test_sarif_anchors_every_result_at_a_file_and_line() -> None:
    """GitHub rejects the whole file if one result has no location."""
    for made in (report(WHOLE), HOSTILE_REPORT, gate_report(Verdict.CANNOT_TELL, "nothing was measured yet")):
        run = sarif(made)
        assert run["results"]
        for result in run["results"]:
            [location] = result["locations"]
            physical = location["physicalLocation"]
            assert re.fullmatch(r"[A-Za-z0-9._/%-]+", physical["artifactLocation"]["uri"])
            assert physical["region"]["startLine"] >= 1
            assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["level"] in {"error", "warning", "note"}
            assert result["message"]["text"]


def test_sarif_points_at_the_subjects_of_the_checked_directory_and_else_at_the_service() -> None:
    places = [
        (result["ruleId"], location["artifactLocation"]["uri"], location["region"]["startLine"])
        for result in sarif(report(WHOLE))["results"]
        for location in [result["locations"][0]["physicalLocation"]]
    ]
    assert places == [
        ("alerts/runbook-link", "deploy/alerts.yaml", 7),
        ("alerts/runbook-link", "deploy/alerts.yaml", 19),
        ("alerts/healthy", "services/payments.yaml", 4),
        ("encryption/https", "services/payments.yaml", 4),
    ]


def test_sarif_fingerprints_differ_between_results_and_stay_between_runs() -> None:
    first, second = (
        [result["partialFingerprints"]["scorecardFinding/v1"] for result in sarif(report(WHOLE))["results"]]
        for _ in range(2)
    )
    assert first == second
    assert len(set(first)) == len(first)


def test_sarif_names_its_version_and_schema() -> None:
    whole = json.loads(MACHINE["sarif"](report(WHOLE)))
    assert whole["version"] == "2.1.0"
    assert whole["$schema"].endswith("sarif-2.1.0.json")
    assert {rule["id"] for rule in whole["runs"][0]["tool"]["driver"]["rules"]} == {
        "alerts/runbook-link",
        "alerts/healthy",
        "encryption/https",
    }


# --- github ----------------------------------------------------------------------------------------------------------

COMMAND = re.compile(r"::(error|warning|notice) file=([^,:]+),line=(\d+),title=([^,:]+)::(.*)")


def test_github_writes_at_most_ten_annotations_of_each_type_and_says_what_is_left_out() -> None:
    rows = [row(f"row-{n}", "fail", check("one", "fail"), check("two", "unknown", cause="timeout")) for n in range(14)]
    lines = github(report(document(*rows))).splitlines()
    commands = [found for line in lines if (found := COMMAND.fullmatch(line))]
    kinds = [found[1] for found in commands]
    assert (kinds.count("error"), kinds.count("warning")) == (10, 10)
    last = [found for found in commands if found[1] == "error"][-1]
    assert last[4] == "and 5 more"
    assert "row-13/one" in last[5]
    assert lines[-1] == "payments: no go"


def test_github_annotations_are_one_line_each_and_cannot_be_forged() -> None:
    lines = github(HOSTILE_REPORT).splitlines()
    assert [bool(COMMAND.fullmatch(line)) for line in lines] == [True, False]
    assert "%250A" in lines[0]


def test_github_points_at_the_first_subject_that_has_a_place() -> None:
    first = COMMAND.fullmatch(github(report(WHOLE)).splitlines()[0])
    assert first is not None
    assert first.groups()[:4] == ("error", "deploy/alerts.yaml", "7", "payments%3A alerts/runbook-link")


# --- csv -------------------------------------------------------------------------------------------------------------


def test_csv_has_a_line_per_check_and_no_formulas() -> None:
    rows = list(csv.DictReader(io.StringIO(MACHINE["csv"](report(WHOLE)))))
    assert [(one["row"], one["check"], one["status"], one["cause"]) for one in rows] == [
        ("alerts", "exist", "pass", ""),
        ("alerts", "runbook-link", "fail", ""),
        ("alerts", "healthy", "warn", ""),
        ("encryption", "https", "unknown", "timeout"),
        ("encryption", "hsts", "not_applicable", ""),
    ]
    [hostile] = csv.DictReader(io.StringIO(MACHINE["csv"](HOSTILE_REPORT)))
    assert hostile["message"].startswith("'=cmd")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_compute_is_quoted(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_numbers_stay_numbers() -> None:
    assert cell(-1.5) == -1.5
    assert cell(None) == ""
    assert cell("a=1") == "a=1"


# --- markdown --------------------------------------------------------------------------------------------------------


def test_markdown_tells_verdict_score_range_and_what_to_mend() -> None:
    text = MACHINE["markdown"](report(WHOLE))
    assert text.startswith("### payments: ❌ no go\n")
    assert "Score **41.2** (up to 88.0), coverage 52.1 %" in text
    assert "| · not asked | backups | | |" in text
    assert "`alerts/runbook-link`: Write it down (`scorecard explain alerts/runbook-link`)" in text
    widths = {line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {5}


def test_markdown_of_hostile_text_holds_neither_html_nor_mentions() -> None:
    text = MACHINE["markdown"](HOSTILE_REPORT)
    assert "\\<script\\>" in text
    assert re.search(r"(?<!\\)<script", text) is None
    assert "@everyone" not in text
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
    assert widths == {5}


# --- table -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_table_keeps_to_the_width_of_the_screen(width: int) -> None:
    for line in table(report(WHOLE), look(width)).splitlines():
        assert len(line) <= width


def test_the_table_says_words_beside_icons_and_tells_everything_once() -> None:
    text = table(report(WHOLE), look(120))
    for expected in (
        "payments  production · payments-platform · tier-1 · web  production-readiness version 1",
        "✗ fail",
        "? unknown",
        "\N{EN DASH} not applicable",
        "✗ runbook-link: 2 of 3 alerts",
        "✗ deploy/alerts.yaml:7: no runbook",
        "! healthy (advisory): what was seen by healthy",
        "? https: timeout: what was seen by https",
        "cold standby (declared by lead, until 2027-03-01)",
        "· not asked: routed",
        "· not asked: backups",
        "score 41.2 (up to 88.0)  coverage 52.1 %  level not ready",
        "gate no go",
        "1. alerts/runbook-link +8.5  Write it down",
    ):
        assert text.count(expected) == 1, expected


def test_a_table_for_a_pipe_has_no_colours_and_one_for_a_terminal_has() -> None:
    assert "\x1b[" not in table(report(WHOLE), look())
    assert "\x1b[" in table(report(WHOLE), look(colour=True))


def test_an_old_terminal_gets_signs_that_it_can_show() -> None:
    text = table(gate_report(Verdict.GO, "score 91"), look(encoding="ascii"))
    text.encode("ascii")


def test_checks_that_say_the_same_share_a_line_and_unsupported_ones_are_named_only() -> None:
    same = [check(name, "unknown", cause="not_configured", message="nothing is named") for name in ("a", "b")]
    waiting = check("c", "unknown", cause="not_supported", message="waits for the AWS probe")
    text = table(report(document(row("alerts", "unknown", *same, waiting))), look())
    assert "? a, b: not configured: nothing is named" in text
    assert "? not supported: c" in text
    assert "AWS" not in text


def test_reasons_that_wait_for_a_later_version_are_summed_up() -> None:
    reasons = ("coverage is 28 %, 80 % is needed", *(f"backups/r{n}: not supported: waits" for n in range(9)))
    text = table(gate_report(Verdict.CANNOT_TELL, *reasons), look())
    assert "coverage is 28 %" in text
    assert "9 required checks are not supported by this version: backups" in text
