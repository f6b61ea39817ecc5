"""Charts: what they draw follows from the numbers, and gaps are not bridged."""

from __future__ import annotations

import re
from datetime import date, timedelta

from scorecard.model import Level, Status
from scorecard.site import charts
from scorecard.store.views import DayScore

TODAY = date(2026, 11, 23)


def days(*back_and_score: tuple[int, float | None]) -> list[DayScore]:
    return [
        DayScore(
            day=TODAY - timedelta(days=back),
            score=score,
            score_upper=None if score is None else min(100.0, score + 10),
            coverage=90.0,
            level=Level.NEARLY,
        )
        for back, score in back_and_score
    ]


def test_a_range_bar_reaches_from_the_score_to_what_it_could_be_and_marks_the_bar() -> None:
    svg = charts.range_bar(82.9, 91.4, 90)
    assert '<rect class="c-score" width="82.9%"' in svg
    assert '<rect class="c-up" x="82.9%" width="8.5%"' in svg
    assert '<rect class="c-bar" x="90%"' in svg
    assert 'aria-label="score 82.9, 91.4 if every unknown passed; the bar is 90"' in svg


def test_a_service_that_was_never_measured_has_no_bar() -> None:
    assert charts.range_bar(None, None, 90) == ""


def test_a_missing_day_breaks_the_line_and_is_shaded() -> None:
    svg = charts.trend(days((4, 50.0), (3, 52.0), (1, 40.0), (0, 41.0)), TODAY, length=5)
    (line,) = re.findall(r'class="c-line" d="([^"]+)"', svg)
    assert line == "M0 50L1 48M3 60L4 59"
    assert svg.count("c-gap") == 1
    assert "1 days without a measurement" in svg


def test_a_day_without_a_score_is_a_gap_too() -> None:
    svg = charts.trend(days((2, 50.0), (1, None), (0, 41.0)), TODAY, length=3)
    assert svg.count("c-gap") == 1


def test_the_band_spans_score_and_upper_bound() -> None:
    svg = charts.trend(days((1, 50.0), (0, 60.0)), TODAY, length=2)
    (band,) = re.findall(r'class="c-band" d="([^"]+)"', svg)
    assert band == "M0 40L1 30L1 40L0 50Z"


def test_what_a_marker_says_is_escaped() -> None:
    svg = charts.trend(
        days((1, 50.0), (0, 60.0)), TODAY, length=2, marks=[(TODAY, "</title><script>alert(1)</script>")]
    )
    assert "<script>" not in svg
    assert "&lt;/title&gt;" in svg


def test_a_line_needs_two_days() -> None:
    assert charts.spark(days((0, 50.0)), TODAY) == ""
    assert "<path" in charts.spark(days((1, 50.0), (0, 51.0)), TODAY)


def test_a_stack_is_as_wide_as_its_counts() -> None:
    svg = charts.stack([(Status.FAIL, 1), (Status.PASS, 3), (Status.WARN, 0)])
    assert re.findall(r'class="(c-\w+)" x="([^"]+)" width="([^"]+)"', svg) == [
        ("c-fail", "0%", "25%"),
        ("c-pass", "25%", "75%"),
    ]
    assert 'aria-label="1 fail, 3 pass"' in svg


def test_no_chart_has_a_style_attribute() -> None:
    drawn = [
        charts.range_bar(1, 2, 3),
        charts.spark(days((1, 1.0), (0, 2.0)), TODAY),
        charts.trend(days((1, 1.0), (0, 2.0)), TODAY, bar=80),
        charts.segments([(Status.FAIL, 10), (Status.PASS, 4)]),
        charts.column(3, 9),
    ]
    assert not [svg for svg in drawn if "style=" in svg]


def test_a_column_of_few_among_many_can_still_be_seen() -> None:
    assert 'height="3%"' in charts.column(1, 10_000)
    assert 'height="0%"' in charts.column(0, 10_000)
