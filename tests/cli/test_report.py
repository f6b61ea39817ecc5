"""The shape that every format is made from, and the one exit code."""

from __future__ import annotations

import pytest

from scorecard.cli.report import (
    GateAnswer,
    Line,
    Place,
    Severity,
    check_lines,
    exit_code,
    first_fixes,
    gate_lines,
    loudest_first,
    place_in,
)
from scorecard.cli.text import block, hint, icons, number, visible
from scorecard.gate import Decision
from scorecard.model import Requirement, ServiceKey, Status, Verdict

KEY = ServiceKey("payments")
HERE = Place("services/payments.yaml", 4)


def line(
    row: str, status: Status, *, requirement: Requirement = Requirement.REQUIRED, points: float = 0.0, cause: str = ""
) -> Line:
    return Line(
        service=KEY,
        row=row,
        check="exist",
        title=row,
        requirement=requirement,
        status=status,
        message="seen",
        place=HERE,
        points=points,
        cause=cause,
    )


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.GO], 0),
        ([Verdict.NO_GO], 1),
        ([Verdict.CANNOT_TELL], 3),
        ([Verdict.GO, Verdict.GO], 0),
        ([Verdict.GO, Verdict.CANNOT_TELL], 3),
        ([Verdict.CANNOT_TELL, Verdict.NO_GO, Verdict.GO], 1),
        ([], 3),
    ],
)
def test_a_measured_no_beats_not_knowing_and_both_beat_go(verdicts: list[Verdict], code: int) -> None:
    assert exit_code(verdicts) == code


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("src/app.py:12", Place("src/app.py", 12)),
        ("src/app.py", Place("src/app.py", 1)),
        ("src/app.py@3f2a9c1:7", Place("src/app.py", 7)),
        ("src/app.py@3f2a9c1", Place("src/app.py", 1)),
        ("src/other.py:12", None),
        ("PaymentsSlow", None),
        ("arn:aws:rds:eu-west-1:111122223333:db:payments", None),
        ("", None),
    ],
)
def test_a_subject_is_placed_only_in_a_file_of_the_checked_directory(where: str, expected: Place | None) -> None:
    assert place_in(where, frozenset({"src/app.py"})) == expected


def test_a_required_failure_is_an_error_and_unknown_is_never_silent() -> None:
    advisory = Requirement.ADVISORY
    assert line("a", Status.FAIL).severity is Severity.ERROR
    assert line("a", Status.UNKNOWN).severity is Severity.WARNING
    assert line("a", Status.WARN).severity is Severity.WARNING
    assert line("a", Status.UNKNOWN, requirement=advisory).severity is Severity.NOTE
    assert line("a", Status.FAIL, requirement=advisory).severity is Severity.NOTE
    assert line("a", Status.PASS).severity is None
    assert line("a", Status.NOT_APPLICABLE).severity is None


def test_the_loudest_stand_first_and_of_those_the_dearest() -> None:
    lines = [line("w", Status.WARN, points=9), line("a", Status.FAIL, points=1), line("b", Status.FAIL, points=5)]
    assert [one.row for one in loudest_first([*lines, line("p", Status.PASS)])] == ["b", "a", "w"]


def test_what_to_mend_first_is_one_line_a_row_and_leaves_out_what_nobody_can_mend() -> None:
    lines = [
        line("alerts", Status.UNKNOWN, cause="not_configured", points=9),
        line("backups", Status.UNKNOWN, cause="not_supported", points=12),
        line("adrs", Status.WARN, points=1),
        line("runbooks", Status.FAIL, points=4),
        line("runbooks", Status.FAIL, points=4),
    ]
    assert [one.row for one in first_fixes(lines)] == ["runbooks", "adrs", "alerts"]


def test_a_reason_of_the_gate_that_names_a_check_is_a_line_of_that_check() -> None:
    decision = Decision(
        verdict=Verdict.NO_GO,
        reasons=("alerts/exist: none of 3 alerts pages", "multi-az: was not asked", "4 waivers, 3 are allowed"),
    )
    lines = gate_lines(GateAnswer(service=KEY, decision=decision, place=HERE, source="the store"))
    assert [(one.id, one.message) for one in lines] == [
        ("alerts/exist", "none of 3 alerts pages"),
        ("multi-az", "was not asked"),
        ("gate", "4 waivers, 3 are allowed"),
    ]
    assert {one.status for one in lines} == {Status.FAIL}


def test_a_go_is_one_passing_line() -> None:
    decision = Decision(verdict=Verdict.GO, reasons=("score 91 of at least 90, coverage 100 %",))
    assert [one.status for one in gate_lines(GateAnswer(service=KEY, decision=decision, place=HERE, source="x"))] == [
        Status.PASS
    ]


def test_lines_carry_the_cause_before_the_message() -> None:
    document = {
        "service": "payments",
        "environment": "staging",
        "rows": [
            {
                "id": "alerts",
                "title": "Alerts",
                "risk": "high",
                "points": 8.5,
                "checks": [
                    {
                        "id": "exist",
                        "requirement": "required",
                        "status": "unknown",
                        "cause": "access_denied",
                        "code": "access-denied",
                        "message": "Prometheus said 403",
                        "rule": "r",
                        "remedy": "m",
                        "subjects": [],
                        "observed_at": None,
                    }
                ],
            }
        ],
    }
    [found] = check_lines(document, HERE)
    assert found.said == "unknown (access denied): Prometheus said 403"
    assert found.service == ServiceKey("payments", "staging")


def test_text_cannot_move_the_cursor_or_turn_words_round() -> None:
    assert visible("plain text") == "plain text"
    assert "\x1b" not in visible("\x1b[2Jgone")
    assert "\u202e" not in visible("abc\u202edef")
    assert visible("two\nlines\tand a tab") == "two lines and a tab"
    assert block("a\x07b\n  c") == "a\N{REPLACEMENT CHARACTER}b\n  c"


def test_icons_are_ones_that_the_output_can_write() -> None:
    for encoding in ("utf-8", "ascii", "latin-1", None, "no-such-encoding"):
        signs = icons(encoding)
        if encoding in {"utf-8", "ascii", "latin-1"}:
            "".join([*signs.statuses.values(), signs.not_asked]).encode(encoding)
        assert len(set(signs.statuses.values())) == len(Status)


def test_a_number_that_was_never_measured_is_a_word() -> None:
    assert number(None) == "not measured"
    assert number(82.0) == "82.0"


def test_a_hint_is_the_first_sentence_that_is_no_code() -> None:
    assert hint("```yaml\na: 1\n```\n\nThen restart:\n\n```sh\nx\n```") == "Then restart"
    assert hint("Write an alert,\nand let it page:\n```yaml\na\n```") == "Write an alert, and let it page"
    assert hint("") == ""
