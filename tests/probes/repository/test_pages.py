"""Runbooks as an on-call engineer would read them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.probes.repository.pages import parse_page
from scorecard.probes.repository.questions import ParsedPage

# In the manner of the Prometheus operator's runbooks.
OPERATOR = """\
---
title: Kube Pod Crash Looping
weight: 20
last_reviewed: 2026-02-03
---

# KubePodCrashLooping

## Meaning

Pod is in CrashLoop which means the app dies or is unresponsive.

## Impact

Service degradation or unavailability. Inability to do rolling upgrades.

## Diagnosis

- Check template via `kubectl -n $NAMESPACE get pod $POD`.
- Check pod events, see [pods](pods.md#events) and ![graph](img/graph.png).

## Mitigation

Talk with developers, or roll back:

```shell
kubectl -n payments rollout undo deployment/payments
```

### When that does not help

Scale up and call for help.

## Escalation

After 20 minutes, call the platform lead.
"""

MANY = """\
# Runbook

## PaymentsDown

### Meaning
Nothing answers any more.
### Impact
Nobody can pay at all.
### Diagnosis
Look at the pods first.
### Mitigation
1. Restart the deployment now.

## PaymentsSlow

### Meaning
TODO

## Escalation

Call the lead after twenty minutes.
"""


def parsed(text: str, **how: object) -> ParsedPage:
    return parse_page(text, "runbooks/a.md", **how)  # type: ignore[arg-type]


class TestWholePages:
    @pytest.mark.parametrize("text", ["N/A", "TBA.", "- none yet"])
    def test_a_line_that_says_that_there_is_nothing_is_left_to_be_filled_in(self, text: str) -> None:
        assert parse_page(f"# A\n\n## Impact\n\n{text}\n", "x.md").placeholders[0].startswith("line 5: ")
        assert parse_page(f"# A\n\n## Impact\n\nNot all: {text} is one answer of many.\n", "x.md").placeholders == ()

    def test_its_text_goes_along_in_its_order_and_within_bounds(self) -> None:
        page = parse_page("# A\n\nFirst.\n\n```sh\nmake it\n```\n\nLast <b>bold</b>.\n", "x.md")
        assert page.excerpt == "# A\nFirst.\nmake it\nLast bold."
        assert len(parse_page("# A\n\n" + "ü" * 9_000, "x.md").excerpt.encode()) <= 4_000

    def test_a_list_of_one_step_is_content(self) -> None:
        page = parse_page("# A\n\n## Mitigation\n\n1. Restart it.\n\n## Escalation\n\n#payments\n", "x.md")
        assert page.sections == {"mitigation": 2, "escalation": 1}
        assert page.steps

    def test_the_five_sections_are_found_with_their_words(self) -> None:
        page = parsed(OPERATOR, alerts=("KubePodCrashLooping", "KubePod", "Other"))
        assert page.title == "Kube Pod Crash Looping"
        assert set(page.sections) == {"meaning", "impact", "diagnosis", "mitigation", "escalation"}
        assert page.sections["impact"] == 9
        assert page.sections["mitigation"] > 15, "commands and what stands below a heading of its own count"
        assert page.steps
        assert page.placeholders == ()
        assert page.reviewed_on == date(2026, 2, 3)
        assert page.named == ("KubePodCrashLooping",), "a part of a word is no mention"
        assert [target for target, _ in page.links] == ["pods.md#events", "img/graph.png"]

    @pytest.mark.parametrize(
        ("heading", "section"),
        [
            ("What does this alert mean?", "meaning"),
            ("Summary", "meaning"),
            ("Customer impact", "impact"),
            ("Severity", "impact"),
            ("🔍 Investigation", "diagnosis"),
            ("How to troubleshoot", "diagnosis"),
            ("Possible causes", "diagnosis"),
            ("Remediation", "mitigation"),
            ("How to fix it", "mitigation"),
            ("What to do", "mitigation"),
            ("Who to call", "escalation"),
            ("On-call contacts", "escalation"),
        ],
    )
    def test_synonyms(self, heading: str, section: str) -> None:
        assert section in parsed(f"# A\n\n## {heading}\n\nSome real text here.\n").sections

    def test_one_heading_may_stand_for_two(self) -> None:
        assert set(parsed("# A\n\n## Diagnosis and mitigation\n\nSome text.\n").sections) == {"diagnosis", "mitigation"}

    def test_the_pages_own_title_is_no_section(self) -> None:
        assert parsed("# Payments impact on support\n\nSome real text here.\n").sections == {}

    def test_bold_text_alone_on_its_line_is_a_heading(self) -> None:
        assert parsed("# A\n\n**Impact**\n\nNobody can pay.\n").sections == {"impact": 3}

    def test_prose_alone_has_no_steps(self) -> None:
        assert not parsed("# A\n\n- look\n- think\n").steps
        assert parsed("# A\n\n1. look\n").steps
        assert parsed("# A\n\n    kubectl get pods\n").steps


class TestFragments:
    def test_a_fragment_names_its_part_and_what_is_for_all(self) -> None:
        page = parsed(MANY, fragment="paymentsdown", alerts=("PaymentsDown",))
        assert set(page.sections) == {"meaning", "impact", "diagnosis", "mitigation", "escalation"}
        assert page.placeholders == ()
        assert page.steps

    def test_another_part_is_judged_alone(self) -> None:
        page = parsed(MANY, fragment="paymentsslow")
        assert set(page.sections) == {"meaning", "escalation"}
        assert page.placeholders == ("line 17: TODO",)
        assert not page.steps

    def test_an_unknown_fragment_means_the_page(self) -> None:
        assert parsed(MANY, fragment="nowhere").placeholders == ("line 17: TODO",)

    def test_anchors_as_github_makes_them_and_explicit_ones(self) -> None:
        text = (
            "# A & B (c)\n\n## Same\n\n## Same\n\n## Named {#other}\n\n"
            '<a name="old"></a>\n\n## Alert Name: `Kube_Down`\n'
        )
        anchors = parsed(text).anchors
        assert {"a--b-c", "a-b-c", "same", "same-1", "other", "old", "alert-name-kube_down"} <= set(anchors)


class TestPlaceholders:
    @pytest.mark.parametrize(
        "text",
        [
            "TODO: write this",
            "TBD",
            "FIXME",
            "Lorem ipsum dolor sit amet",
            "Call <insert name here>",
            "Call <your team>",
            "[Insert steps]",
            "fill me in",
            "To be written",
            "Restart {service name} now",
            "| step | TBD |",
            "## TODO",
            "```\nTODO\n```",
        ],
    )
    def test_text_left_to_be_filled_in_is_found(self, text: str) -> None:
        assert parsed(f"# A\n\n{text}\n").placeholders

    @pytest.mark.parametrize(
        "text",
        [
            'Ask `up{job="payments"}` and `kubectl get pod <pod>`.',
            "```\nkubectl -n <namespace> delete pod {pod}\n```",
            "The todo list and a [link](x.md).",
            "Set ${NAMESPACE} first.",
            "See {{ $labels.pod }}.",
            "<details><summary>More</summary></details>",
            "Write to <ops@example.net> or <https://example.net>.",
            "<!-- TODO: a picture -->",
            "Metric {job=x} is fine.",
        ],
    )
    def test_commands_queries_and_comments_are_not(self, text: str) -> None:
        assert parsed(f"# A\n\n{text}\n").placeholders == ()


class TestDates:
    @pytest.mark.parametrize(
        "text",
        [
            "Last reviewed: 2026-02-03",
            "_Last reviewed on 3 February 2026 by Ann_",
            "| Reviewed | 2026-02-03 |\n|---|---|",
        ],
    )
    def test_a_line_may_say_the_review(self, text: str) -> None:
        assert parsed(f"# A\n\n{text}\n").reviewed_on == date(2026, 2, 3)

    def test_other_dates_are_not_reviews(self) -> None:
        assert parsed("# A\n\nThe outage of 2026-02-03 was reviewed.\n").reviewed_on is None

    def test_a_silence_on_the_page_is_read(self) -> None:
        (silence,) = parsed("# A\n<!-- scorecard: ignore runbooks/sections until 2026-12-01: soon -->\n").silences
        assert (silence.rule, silence.where) == ("runbooks/sections", "runbooks/a.md:2")


class TestAnyText:
    @given(st.text(max_size=500), st.text(max_size=10), st.text(min_size=1, max_size=10))
    def test_no_text_makes_it_raise(self, text: str, fragment: str, alert: str) -> None:
        page = parsed(text, fragment=fragment, alerts=(alert,))
        assert all(count >= 0 for count in page.sections.values())

    @given(st.integers(0, len(OPERATOR)))
    def test_a_page_cut_anywhere_is_read(self, cut: int) -> None:
        assert len(parsed(OPERATOR[:cut]).sections) <= 5
