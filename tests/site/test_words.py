"""Words and filters: numbers, ages, links, CSV cells, Markdown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scorecard.model import Cause, Level, Status
from scorecard.site import markdown, query, services, words
from scorecard.site.service import read_instant

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("value", "text"), [(82.9, "82.9"), (80.0, "80"), (0.0, "0"), (None, "\u2013")])
def test_a_score_has_at_most_one_decimal(value: float | None, text: str) -> None:
    assert words.number(value) == text


def test_a_share_is_rounded_down_so_that_only_all_is_a_hundred() -> None:
    assert words.percent(0.9999) == "99 %"
    assert words.percent(1.0) == "100 %"
    assert words.percent(0.29) == "29 %"
    assert words.percent(None) == "\u2013"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s ago"), (600, "10 min ago"), (7200, "2 h ago"), (3 * 86400, "3 days ago"), (90 * 86400, "2026-08-25")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert words.age(NOW - timedelta(seconds=seconds), NOW) == text


def test_what_never_happened_has_no_age() -> None:
    assert words.age(None, NOW) == "never"


def test_what_this_version_lacks_comes_first_among_the_causes() -> None:
    counts = {Cause.TIMEOUT: 50, Cause.NOT_SUPPORTED: 3, Cause.UNREACHABLE: 0}
    assert words.causes(counts) == [("not supported by this version", 3), ("timeout", 50)]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_spreadsheet_takes_a_cell_for_a_formula(cell: str) -> None:
    assert services.quoted(cell) == f"'{cell}"


def test_a_plain_cell_stays_as_it_is() -> None:
    assert services.quoted("payments") == "payments"


def read(**args: str) -> query.Filters:
    return query.read(args, ["production-readiness"], default="production-readiness", rows=["alerts", "adrs"])


def test_filters_are_read_into_a_query() -> None:
    asked = read(q="pay", row="alerts", status="fail", level="nearly", score="40-50", stale="yes", sort="-name").query
    assert (asked.q, asked.row, asked.status, asked.level) == ("pay", "alerts", Status.FAIL, Level.NEARLY)
    assert (asked.score_from, asked.score_below, asked.stale, asked.sort) == (40, 50, True, "-name")


@pytest.mark.parametrize(
    ("text", "bounds"), [("80-", (80, None)), ("-60", (None, 60)), ("<60", (None, 60)), ("90-100", (90, 100.1))]
)
def test_a_score_range_may_be_open(text: str, bounds: tuple[float | None, float | None]) -> None:
    asked = read(score=text).query
    assert (asked.score_from, asked.score_below) == bounds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "broken"),
        ("level", "great"),
        ("row", "nothing"),
        ("score", "many"),
        ("score", "-"),
        ("score", "60-50"),
        ("stale", "perhaps"),
        ("sort", "luck"),
        ("lifecycle", "dead"),
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "²"),
        ("checklist", "other"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_and_kept(name: str, value: str) -> None:
    filters = read(**{name: value})
    assert len(filters.problems) == 1
    assert name in filters.problems[0]
    assert filters.get(name) == value


def test_names_that_are_no_filter_are_ignored() -> None:
    assert read(utm_source="mail") == read()


def test_a_link_keeps_the_filters_and_begins_at_the_first_page() -> None:
    filters = read(team="a&b", after="abc", sort="name")
    assert filters.url(sort="-name") == "/services?team=a%26b&sort=-name"
    assert filters.url(after="xyz") == "/services?team=a%26b&sort=name&after=xyz"
    assert filters.url(team="") == "/services?sort=name"


def test_the_api_is_not_asked_what_it_does_not_know() -> None:
    assert read(team="x").api_url == "/api/v1/services?team=x"
    assert read(level="below").api_url == ""


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-01", datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC)),
        ("2026-11-01T10:00:00Z", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T10:00:00+10:00", datetime(2026, 11, 1, 0, tzinfo=UTC)),
        ("2026-11-01T10:00:00 10:00", datetime(2026, 11, 1, 0, tzinfo=UTC)),
    ],
)
def test_a_past_instant_is_a_day_or_rfc_3339(text: str, at: datetime) -> None:
    assert read_instant(text) == (at, "")


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-01T99", "0001-01-01T00:00:00+23:59", "x" * 500])
def test_anything_else_is_told_with_what_to_write(text: str) -> None:
    at, problem = read_instant(text)
    assert at is None
    assert "write a day such as" in problem


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "![x](https://elsewhere.example/x.png)",
        "`<b>`\n\n<iframe src=//elsewhere.example>",
        "[a](data:text/html,<script>alert(1)</script>)",
        "<a href='https://elsewhere.example' onclick='alert(1)'>x</a>",
    ],
)
def test_markdown_brings_no_html_no_script_and_no_picture(source: str) -> None:
    for html in (markdown.render(source), markdown.line(source)):
        for forbidden in ("<script", "<img", "<iframe", 'href="javascript', 'href="data', "<a href='"):
            assert forbidden not in html


def test_a_remedy_that_is_indented_is_no_code_block() -> None:
    html = markdown.render("\n    Write this:\n\n    ```yaml\n    a: 1\n    ```\n    ")
    assert "<p>Write this:</p>" in html
    assert '<pre tabindex="0"><code class="language-yaml">a: 1' in html
