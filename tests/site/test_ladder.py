"""The ladder of proof on a service's page: every rung, and what stands on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scorecard.document import Document
from scorecard.model import Status
from scorecard.registry import installed
from scorecard.site.findings import shown


def document(*subjects: tuple[str, str]) -> Document:
    check = {
        "id": "restore-tested",
        "requirement": "required",
        "status": "fail",
        "cause": None,
        "message": "the newest restore failed",
        "subjects": [{"name": name, "status": "fail", "code": code, "message": "m"} for name, code in subjects],
        "evidence": [],
    }
    return {"rows": [{"id": "backups", "status": "fail", "points": 10.0, "checks": [check]}]}


@pytest.mark.parametrize(
    ("code", "words", "status"),
    [
        ("validated", "Restored and validated where we see it", Status.PASS),
        ("declared", "by a report that somebody wrote into a file", Status.WARN),
        ("never-restored", "Never restored", Status.FAIL),
    ],
)
def test_a_subject_stands_on_the_rung_of_its_code(code: str, words: str, status: Status) -> None:
    registry = installed()
    checklist = registry.checklist("production-readiness", Path())
    (row,) = shown(document(("ledger", code), ("cards", "drill-failed")), checklist)
    (rung,) = [rung for rung in row.ladder if "ledger" in rung.subjects]
    assert words in rung.words
    assert rung.status is status
    assert [rung.subjects for rung in row.ladder if "cards" in rung.subjects] == [("cards",)]
    assert len(row.ladder) == 7, "every rung is shown, so that the next one up is seen"


def test_a_rung_with_many_subjects_names_some_and_counts_the_rest() -> None:
    checklist = installed().checklist("production-readiness", Path())
    (row,) = shown(document(*((f"db-{number}", "stale") for number in range(8))), checklist)
    (rung,) = [rung for rung in row.ladder if rung.subjects]
    assert (len(rung.subjects), rung.more) == (5, 3)
