"""The row `adrs`: what decision records come to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from checks.adrs import row
from scorecard.evidence import DecisionRecord, DecisionRecords, RecordState, Silence, Unavailable
from scorecard.judge import Judged
from scorecard.model import Cause, Status

Ask = Callable[..., Judged]

FULL = {"context": 20, "decision": 20, "consequences": 20}
SHALLOW = Unavailable(Cause.NO_DATA, "the clone is shallow")
UNREAD = Unavailable(Cause.BAD_RESPONSE, "docs/adr/0009-x.md: 2,000,000 bytes", count=1)


def record(position: int = 1, /, **changes: object) -> DecisionRecord:
    whole = DecisionRecord(
        name=f"docs/adr/{position:04}-title.md",
        number=f"{position:04}",
        title="Use PostgreSQL",
        state=RecordState.ACCEPTED,
        decided_on=date(2026, 9, 1),
        changed_on=date(2026, 9, 2),
        sections=FULL,
    )
    return dataclasses.replace(whole, **changes)


def records(*found: DecisionRecord, **changes: object) -> DecisionRecords:
    return DecisionRecords(folders=("docs/adr",), records=found, structure_changed_on=None, **changes)


THREE = (record(1), record(2), record(3))


class TestPresent:
    def test_three_accepted_records_pass(self, ask: Ask) -> None:
        assert ask(row, "present", records(*THREE)).status is Status.PASS

    def test_two_accepted_of_four_fail_and_the_others_are_counted(self, ask: Ask) -> None:
        found = (*THREE[:2], record(3, state=RecordState.PROPOSED), record(4, state=RecordState.SUPERSEDED))
        judged = ask(row, "present", records(*found))
        assert (judged.status, judged.code) == (Status.FAIL, "too-few")
        assert judged.message == (
            "2 accepted decision records, 3 are needed; found 2 accepted, 1 proposed, 1 superseded"
        )

    def test_none_at_all_fail(self, ask: Ask) -> None:
        assert ask(row, "present", records()).code == "none"

    def test_two_with_one_that_could_not_be_read_are_unknown(self, ask: Ask) -> None:
        judged = ask(row, "present", records(*THREE[:2], missing=(UNREAD,)))
        assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.BAD_RESPONSE)

    def test_three_pass_whatever_could_not_be_read(self, ask: Ask) -> None:
        assert ask(row, "present", records(*THREE, missing=(UNREAD,))).status is Status.PASS

    def test_how_many_are_needed_is_a_threshold(self, ask: Ask) -> None:
        assert ask(row, "present", records(*THREE), accepted=4).status is Status.FAIL


class TestWellFormed:
    def test_complete_records_pass(self, ask: Ask) -> None:
        judged = ask(row, "well-formed", records(*THREE))
        assert judged.status is Status.PASS
        assert [subject.name for subject in judged.subjects] == [item.name for item in THREE]

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"title": ""}, "no-title"),
            ({"state": RecordState.MISSING}, "no-status"),
            ({"state": RecordState.OTHER}, "other-status"),
            ({"decided_on": None, "changed_on": None}, "no-date"),
            ({"sections": {"decision": 20, "consequences": 20}}, "no-context"),
            ({"sections": {"context": 20, "consequences": 20}}, "no-decision"),
            ({"sections": {"context": 20, "decision": 20}}, "no-consequences"),
            ({"sections": {**FULL, "context": 2}}, "thin-context"),
            ({"name": "docs/adr/0002-other.md", "number": "0002"}, "number-taken"),
            ({"supersedes": ("2",)}, "one-way"),
            ({"superseded_by": ("2",), "state": RecordState.SUPERSEDED}, "one-way"),
            ({"supersedes": ("77",)}, "superseded-is-gone"),
            ({"superseded_by": ("77",)}, "successor-is-gone"),
            ({"title": "", "state": RecordState.MISSING}, "several"),
        ],
    )
    def test_each_fault_fails_its_record_alone(self, ask: Ask, changes: dict[str, Any], code: str) -> None:
        judged = ask(row, "well-formed", records(record(1, **changes), record(2), record(3)))
        assert judged.status is Status.FAIL
        first = judged.subjects[0]
        assert (first.status, first.code) == (Status.FAIL, code)
        assert judged.subjects[2].status is Status.PASS

    def test_a_date_that_only_git_knows_is_a_warning(self, ask: Ask) -> None:
        judged = ask(row, "well-formed", records(record(1, decided_on=None)))
        assert (judged.status, judged.code) == (Status.WARN, "date-by-git-only")

    def test_superseding_links_that_go_both_ways_pass(self, ask: Ask) -> None:
        old = record(1, state=RecordState.SUPERSEDED, superseded_by=("2",))
        assert ask(row, "well-formed", records(old, record(2, supersedes=("1",)))).status is Status.PASS

    def test_one_number_in_two_folders_is_no_clash(self, ask: Ask) -> None:
        other = record(1, name="services/ledger/docs/adr/0001-title.md")
        assert ask(row, "well-formed", records(record(1), other)).status is Status.PASS

    def test_no_records_at_all_is_not_this_checks_matter(self, ask: Ask) -> None:
        assert ask(row, "well-formed", records()).status is Status.NOT_APPLICABLE

    def test_an_unread_record_makes_it_unknown_and_a_faulty_one_still_fails(self, ask: Ask) -> None:
        assert ask(row, "well-formed", records(record(1), missing=(UNREAD,))).status is Status.UNKNOWN
        assert ask(row, "well-formed", records(record(1, title=""), missing=(UNREAD,))).status is Status.FAIL

    def test_missing_history_does_not_matter(self, ask: Ask) -> None:
        assert ask(row, "well-formed", records(record(1), history_missing=(SHALLOW,))).status is Status.PASS

    def test_a_silenced_fault_is_a_warning_until_its_last_day_and_fails_after_it(self, ask: Ask) -> None:
        until = Silence("adrs/well-formed", date(2026, 11, 23), "being rewritten", "docs/adr/0001-title.md:3")
        judged = ask(row, "well-formed", records(record(1, title="", silences=(until,))))
        assert (judged.status, judged.code) == (Status.WARN, "silenced")
        assert "being rewritten" in judged.message
        assert "has no title" in judged.message
        ended = dataclasses.replace(until, until=date(2026, 11, 22))
        judged = ask(row, "well-formed", records(record(1, title="", silences=(ended,))))
        assert (judged.status, judged.code) == (Status.FAIL, "no-title")
        assert "ended on 2026-11-22" in judged.message

    def test_a_silence_of_another_check_does_not_count(self, ask: Ask) -> None:
        other = Silence("adrs/alive", date(2027, 1, 1), "no", "docs/adr/0001-title.md:3")
        assert ask(row, "well-formed", records(record(1, title="", silences=(other,)))).status is Status.FAIL


class TestAlive:
    def test_a_record_within_the_year_passes(self, ask: Ask) -> None:
        assert ask(row, "alive", records(record(1))).status is Status.PASS

    def test_an_old_one_passes_while_nothing_structural_changed(self, ask: Ask) -> None:
        old = record(1, decided_on=date(2024, 1, 1), changed_on=date(2024, 1, 1))
        assert ask(row, "alive", records(old)).status is Status.PASS

    def test_an_old_one_fails_when_structure_changed_since(self, ask: Ask) -> None:
        old = record(1, decided_on=date(2024, 1, 1), changed_on=date(2024, 1, 1))
        seen = dataclasses.replace(records(old), structure_changed_on=date(2026, 10, 1))
        judged = ask(row, "alive", seen)
        assert (judged.status, judged.code) == (Status.FAIL, "stale")
        assert "2026-10-01" in judged.message
        same_day = dataclasses.replace(seen, structure_changed_on=date(2024, 1, 1))
        assert ask(row, "alive", same_day).status is Status.PASS

    def test_an_old_one_without_history_is_unknown(self, ask: Ask) -> None:
        old = record(1, decided_on=date(2024, 1, 1), changed_on=None)
        judged = ask(row, "alive", records(old, history_missing=(SHALLOW,)))
        assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.NO_DATA)

    def test_a_new_one_passes_without_history(self, ask: Ask) -> None:
        assert ask(row, "alive", records(record(1), history_missing=(SHALLOW,))).status is Status.PASS

    def test_a_proposal_and_a_day_to_come_keep_nothing_alive(self, ask: Ask) -> None:
        proposal = record(1, state=RecordState.PROPOSED)
        assert ask(row, "alive", records(proposal)).code == "none"
        tomorrow = record(1, decided_on=date(2027, 1, 1), changed_on=None)
        assert ask(row, "alive", records(tomorrow)).code == "none"

    def test_the_day_limit_is_inclusive(self, ask: Ask) -> None:
        edge = record(1, decided_on=date(2025, 11, 23))
        seen = dataclasses.replace(records(edge), structure_changed_on=date(2026, 11, 1))
        assert ask(row, "alive", seen).status is Status.PASS
        past = dataclasses.replace(seen, records=(record(1, decided_on=date(2025, 11, 22)),))
        assert ask(row, "alive", past).status is Status.FAIL
