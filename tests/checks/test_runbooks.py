"""The row `runbooks`: what an alert's page comes to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date

import pytest

from checks.runbooks import row
from scorecard.check import Row
from scorecard.evidence import AlertRunbook, RunbookFound, RunbookPage, RunbookPages, Runbooks, Silence, Unavailable
from scorecard.judge import Judged
from scorecard.model import Cause, Status

Ask = Callable[..., Judged]

FIVE = {"meaning": 9, "impact": 9, "diagnosis": 9, "mitigation": 9, "escalation": 9}
PAGE = RunbookPage(
    name="runbooks/PaymentsDown.md",
    title="PaymentsDown",
    names_alerts=("PaymentsDown",),
    sections=FIVE,
    steps=True,
    placeholders=(),
    reviewed_on=date(2026, 10, 1),
)
UNREAD = Unavailable(Cause.BAD_RESPONSE, "payments: alerts/b.yaml: not YAML", count=1)
SHALLOW = Unavailable(Cause.NO_DATA, "the clone is shallow")
CHECKS = ("resolve", "name-the-alert", "sections", "fresh", "links")


def link(found: RunbookFound = RunbookFound.FOUND, page: RunbookPage | None = PAGE, **changes: object) -> AlertRunbook:
    whole = AlertRunbook(
        name="PaymentsDown",
        where="alerts/a.yaml:4",
        url="runbooks/PaymentsDown.md",
        found=found,
        detail="runbooks/PaymentsDown.md",
        page=page,
    )
    return dataclasses.replace(whole, **changes)


def page(**changes: object) -> AlertRunbook:
    return link(page=dataclasses.replace(PAGE, **changes))


def runbooks(*links: AlertRunbook, **changes: object) -> Runbooks:
    return Runbooks(links=links, **changes)


@pytest.fixture
def ask(ask: Ask) -> Ask:
    """Of a service whose runbooks stand in its repositories."""

    def of_files(row: Row, check: str, seen: Runbooks, **more: object) -> Judged:
        return ask(row, check, seen, absent=(RunbookPages,), **more)

    return of_files


@pytest.mark.parametrize("check", CHECKS)
class TestEveryCheck:
    def test_a_whole_page_passes(self, ask: Ask, check: str) -> None:
        assert ask(row, check, runbooks(link())).status is Status.PASS

    def test_a_service_without_alerts_has_no_runbook_to_judge(self, ask: Ask, check: str) -> None:
        assert ask(row, check, runbooks()).status is Status.NOT_APPLICABLE

    def test_rules_that_were_not_read_keep_it_from_passing(self, ask: Ask, check: str) -> None:
        assert ask(row, check, runbooks(link(), missing=(UNREAD,))).status is Status.UNKNOWN

    def test_a_page_that_was_not_asked_for_is_unknown(self, ask: Ask, check: str) -> None:
        judged = ask(row, check, runbooks(link(RunbookFound.NOT_ASKED, None, detail="outside the repositories")))
        assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.NOT_SUPPORTED)

    def test_a_page_behind_a_sign_in_is_unknown_access_denied(self, ask: Ask, check: str) -> None:
        judged = ask(row, check, runbooks(link(RunbookFound.SIGN_IN, None)))
        assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.ACCESS_DENIED)

    def test_a_page_that_could_not_be_parsed_is_unknown_bad_response(self, ask: Ask, check: str) -> None:
        judged = ask(row, check, runbooks(link(RunbookFound.UNREADABLE, None, detail="x.md: 2,000,000 bytes")))
        assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.BAD_RESPONSE)

    def test_a_template_that_nobody_saw_rendered_warns(self, ask: Ask, check: str) -> None:
        judged = ask(row, check, runbooks(link(RunbookFound.TEMPLATE, None, url="https://x/{{ $labels.pod }}")))
        assert (judged.status, judged.code) == (Status.WARN, "template")


class TestResolve:
    @pytest.mark.parametrize(
        ("found", "code"),
        [
            (RunbookFound.NO_LINK, "no-link"),
            (RunbookFound.NOT_FOUND, "not-found"),
            (RunbookFound.NO_FRAGMENT, "no-fragment"),
        ],
    )
    def test_a_link_that_leads_nowhere_fails(self, ask: Ask, found: RunbookFound, code: str) -> None:
        judged = ask(row, "resolve", runbooks(link(), link(found, None, name="Slow")))
        assert (judged.status, judged.code) == (Status.FAIL, code)
        assert "alerts/a.yaml:4" in judged.message
        assert [subject.name for subject in judged.subjects] == ["PaymentsDown", "Slow"]

    def test_runbooks_without_an_alert_are_listed_and_fail_nothing(self, ask: Ask) -> None:
        judged = ask(row, "resolve", runbooks(link(), orphans=("runbooks/Old.md",)))
        assert judged.status is Status.PASS
        assert "1 runbook has no alert: runbooks/Old.md" in judged.message

    def test_a_silence_at_the_rule_counts_until_its_day(self, ask: Ask) -> None:
        silence = Silence("runbooks/resolve", date(2026, 12, 1), "page in review", "alerts/a.yaml:3")
        assert ask(row, "resolve", runbooks(link(RunbookFound.NOT_FOUND, None, silences=(silence,)))).code == "silenced"
        ended = dataclasses.replace(silence, until=date(2026, 1, 1))
        lost = link(RunbookFound.NOT_FOUND, None, silences=(ended,))
        assert ask(row, "resolve", runbooks(lost)).status is Status.FAIL


def test_where_there_is_no_page_only_resolve_judges(ask: Ask) -> None:
    lost = runbooks(link(RunbookFound.NOT_FOUND, None))
    for check in CHECKS[1:]:
        assert ask(row, check, lost).status is Status.NOT_APPLICABLE


def test_a_page_that_does_not_mention_the_alert_fails(ask: Ask) -> None:
    judged = ask(row, "name-the-alert", runbooks(page(names_alerts=())))
    assert (judged.status, judged.code) == (Status.FAIL, "not-named")
    assert "PaymentsDown" in judged.message


def test_the_second_alert_of_a_name_is_looked_for_by_that_name(ask: Ask) -> None:
    assert ask(row, "name-the-alert", runbooks(link(), link())).status is Status.PASS


class TestSections:
    @pytest.mark.parametrize("section", FIVE)
    def test_each_section_is_needed(self, ask: Ask, section: str) -> None:
        without = {name: words for name, words in FIVE.items() if name != section}
        judged = ask(row, "sections", runbooks(page(sections=without)))
        assert (judged.status, judged.code) == (Status.FAIL, "thin")
        assert section in judged.message
        assert ask(row, "sections", runbooks(page(sections={**FIVE, section: 0}))).status is Status.FAIL

    def test_one_step_is_a_mitigation_and_one_handle_a_contact(self, ask: Ask) -> None:
        short = {**FIVE, "mitigation": 2, "escalation": 1}
        assert ask(row, "sections", runbooks(page(sections=short))).status is Status.PASS

    def test_steps_are_needed(self, ask: Ask) -> None:
        assert ask(row, "sections", runbooks(page(steps=False))).code == "no-steps"

    def test_text_left_to_be_filled_in_fails(self, ask: Ask) -> None:
        judged = ask(row, "sections", runbooks(page(placeholders=("line 12: TODO", "line 20: TBD"))))
        assert (judged.status, judged.code) == (Status.FAIL, "placeholder")
        assert "line 12: TODO and 1 more" in judged.message

    def test_several_faults_are_said_together(self, ask: Ask) -> None:
        judged = ask(row, "sections", runbooks(page(sections={}, steps=False)))
        assert judged.code == "several"
        assert "no command block" in judged.message

    def test_which_sections_are_needed_is_a_threshold(self, ask: Ask) -> None:
        four = {name: words for name, words in FIVE.items() if name != "escalation"}
        seen = runbooks(page(sections=four))
        assert ask(row, "sections", seen, sections=tuple(four)).status is Status.PASS

    def test_a_silence_on_the_page_counts(self, ask: Ask) -> None:
        silence = Silence("runbooks/sections", date(2026, 12, 1), "being written", "runbooks/PaymentsDown.md:1")
        judged = ask(row, "sections", runbooks(page(sections={}, silences=(silence,))))
        assert (judged.status, judged.code) == (Status.WARN, "silenced")


class TestFresh:
    def test_180_days_are_fresh_and_181_are_not(self, ask: Ask) -> None:
        assert ask(row, "fresh", runbooks(page(reviewed_on=date(2026, 5, 27)))).status is Status.PASS
        judged = ask(row, "fresh", runbooks(page(reviewed_on=date(2026, 5, 26))))
        assert (judged.status, judged.code) == (Status.FAIL, "stale")
        assert "181 days ago" in judged.message

    def test_a_review_in_the_future_is_none(self, ask: Ask) -> None:
        assert ask(row, "fresh", runbooks(page(reviewed_on=date(2027, 1, 1)))).code == "stale"

    def test_an_old_date_without_history_is_unknown_since_git_may_know_a_newer_one(self, ask: Ask) -> None:
        seen = runbooks(page(reviewed_on=date(2020, 1, 1)), history_missing=(SHALLOW,))
        assert ask(row, "fresh", seen).status is Status.UNKNOWN
        assert ask(row, "fresh", runbooks(link(), history_missing=(SHALLOW,))).status is Status.PASS

    def test_no_date_at_all_fails(self, ask: Ask) -> None:
        assert ask(row, "fresh", runbooks(page(reviewed_on=None))).code == "no-date"


def test_a_broken_link_on_the_page_fails_the_advice(ask: Ask) -> None:
    judged = ask(row, "links", runbooks(page(broken_links=("line 8: ../gone.md",))))
    assert (judged.status, judged.code) == (Status.FAIL, "broken")
    assert "line 8: ../gone.md" in judged.message
