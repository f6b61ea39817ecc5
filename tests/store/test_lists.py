"""Lists and the overview: complete paging over every sort, filters, and counts that agree with an oracle."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scorecard.model import Cadence, Level, Lifecycle, ServiceKey, Status
from scorecard.store import QueryError
from scorecard.store.views import DayScore, Page, Query, Summary
from tests.conftest import START
from tests.store.fleet import Build, Fleet, Ping, Spread

SORTS = ("score", "name", "team", "tier", "coverage", "age")


@pytest.fixture
def crowd(fleet: Fleet) -> Fleet:
    """Forty services in three teams, some broken in one way or another, some never measured."""
    for number in range(40):
        fleet.enrol(
            f"s{number:02}",
            Ping(ok=number % 3 > 0),
            Spread(zones=1 + number % 2),
            Build(steps=number % 5, note="x" * (number % 2)),
            team=f"team-{number % 3}",
            tier=f"tier-{number % 2}",
            environment="staging" if number % 10 == 9 else "production",
            lifecycle=Lifecycle.EXPERIMENTAL if number % 7 == 6 else Lifecycle.PRODUCTION,
        )
    fleet.sync()
    fleet.run(Cadence.LIVE)
    fleet.until(minutes=1)
    fleet.run(Cadence.SOURCE, Cadence.PLATFORM)
    for number in range(40, 44):
        fleet.enrol(f"s{number}", team="team-3")
    fleet.sync()
    return fleet


def page_through(fleet: Fleet, query: dict[str, Any], limit: int) -> list[Summary]:
    found: list[Summary] = []
    after = ""
    while True:
        page: Page = fleet.store.summaries(Query(checklist="main", limit=limit, after=after, **query), fleet.clock())
        found += page.items
        assert len(page.items) <= limit
        assert len(found) <= page.total
        after = page.next
        if not after:
            assert len(found) == page.total
            return found
        assert len(page.items) == limit


def order(summary: Summary, sort: str) -> Any:  # noqa: ANN401 - whatever it is sorted by
    return {
        "score": -1.0 if summary.score is None else summary.score,
        "coverage": -1.0 if summary.coverage is None else summary.coverage,
        "name": summary.key.name,
        "team": summary.team,
        "tier": summary.tier,
        "age": summary.taken_at.timestamp() if summary.taken_at else 0,
    }[sort]


@given(
    sort=st.sampled_from(SORTS),
    down=st.booleans(),
    limit=st.integers(1, 60),
    query=st.fixed_dictionaries(
        {},
        optional={
            "team": st.sampled_from(["team-0", "team-3", "nobody"]),
            "level": st.sampled_from(list(Level)),
            "status": st.sampled_from(list(Status)),
        },
    ),
)
@example(sort="score", down=True, limit=1, query={})
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_paging_over_every_sort_is_complete_in_order_and_without_duplicates(
    crowd: Fleet, sort: str, down: bool, limit: int, query: dict[str, Any]
) -> None:
    found = page_through(crowd, {"sort": f"-{sort}" if down else sort, **query}, limit)

    whole = crowd.store.summaries(Query(checklist="main", limit=200, **query), crowd.clock()).items
    assert sorted(each.key for each in found) == sorted(each.key for each in whole)
    keys = [order(each, sort) for each in found]
    assert keys == sorted(keys, reverse=down)
    ties = [[each.key for each in found if order(each, sort) == key] for key in dict.fromkeys(keys)]
    assert all(tie == sorted(tie) for tie in ties)


FILTERS: list[tuple[dict[str, Any], Any]] = [
    ({"q": "S0"}, lambda each: "s0" in each.key.name),
    ({"q": "TEAM-1"}, lambda each: "team-1" in each.team),
    ({"q": "_"}, lambda _: False),
    ({"q": "%"}, lambda _: False),
    ({"q": "\\"}, lambda _: False),
    ({"team": "team-2"}, lambda each: each.team == "team-2"),
    ({"tier": "tier-0"}, lambda each: each.tier == "tier-0"),
    ({"environment": "staging"}, lambda each: each.key.environment == "staging"),
    ({"lifecycle": "experimental"}, lambda each: each.lifecycle == "experimental"),
    ({"row": "alive"}, lambda each: bool(each.rows)),
    ({"row": "alive", "status": Status.FAIL}, lambda each: dict(each.rows).get("alive") is Status.FAIL),
    ({"status": Status.WARN}, lambda each: Status.WARN in dict(each.rows).values()),
    ({"level": Level.UNKNOWN}, lambda each: each.level is Level.UNKNOWN),
    ({"level": Level.READY}, lambda each: each.level is Level.READY),
    ({"score_from": 47.8}, lambda each: each.score is not None and each.score >= 47.8),
    ({"score_below": 47.8}, lambda each: each.score is not None and each.score < 47.8),
    ({"score_from": 40, "score_below": 50}, lambda each: each.score is not None and 40 <= each.score < 50),
    ({"stale": True}, lambda each: each.stale),
    ({"stale": False}, lambda each: not each.stale),
    ({"team": "team-0", "tier": "tier-1"}, lambda each: (each.team, each.tier) == ("team-0", "tier-1")),
]  # fmt: skip


def test_a_filter_keeps_what_it_says_and_nothing_else(crowd: Fleet) -> None:
    everyone = crowd.store.summaries(Query(checklist="main", limit=200), crowd.clock()).items
    for filters, holds in FILTERS:
        page = crowd.store.summaries(Query(checklist="main", limit=200, sort="name", **filters), crowd.clock())
        wanted = [each.key for each in sorted(everyone, key=lambda each: each.key) if holds(each)]
        assert [each.key for each in page.items] == wanted, filters
        assert page.total == len(wanted)
        assert len(wanted) < len(everyone) or "stale" in filters, filters


def test_what_was_not_looked_at_in_time_is_stale(crowd: Fleet) -> None:
    now = crowd.until(minutes=16)

    page = crowd.store.summaries(Query(checklist="main", stale=True, limit=200), now)

    assert page.total == 40
    assert all(each.stale for each in page.items)


def cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


GARBAGE = [
    *["x", "AAAA", "💥", "\0", "\ud800"],
    *[cursor(), cursor(1), cursor(1, 2, 3), cursor("a", "b", "c", "d"), cursor(None, "a", "b"), cursor([], "a", "b")],
    *[
        cursor(float("nan"), "a", "b"),
        cursor(float("inf"), "a", "b"),
        cursor(10**400, "a", "b"),
        cursor(1e300, "a", "b"),
    ],
    *[cursor(1, "\0", "b"), cursor(1, "a", "\0"), cursor("\0", "a", "b")],
]


def test_a_cursor_that_is_none_is_refused_by_name(fleet: Fleet) -> None:
    fleet.add("payments")
    for sort in SORTS:
        for after in GARBAGE:
            with pytest.raises(QueryError, match=r"^after: .* is not a cursor of this list$"):
                fleet.store.summaries(Query(checklist="main", sort=sort, after=after), fleet.clock())


def test_the_cursor_of_one_sort_is_refused_by_another_of_another_kind(crowd: Fleet) -> None:
    for sort in SORTS:
        other = "score" if sort in {"name", "team", "tier"} else "name"
        page = crowd.store.summaries(Query(checklist="main", sort=sort, limit=3), crowd.clock())
        with pytest.raises(QueryError, match="after: "):
            crowd.store.summaries(Query(checklist="main", sort=other, after=page.next), crowd.clock())


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"checklist": "nothing"}, "checklist: 'nothing' is not one of main, beside"),
        ({"checklist": "main", "sort": "luck"}, "sort: 'luck' is not one of score, coverage, name, team, tier, age"),
        ({"checklist": "main", "row": "luck"}, "row: 'luck' is not a row of main"),
        ({"checklist": "main", "q": "\0"}, "q: it holds a NUL or half a character"),
        ({"checklist": "main", "team": "\ud800"}, "team: it holds a NUL or half a character"),
    ],
)
def test_a_query_that_is_none_names_what_is_wrong(fleet: Fleet, query: dict[str, Any], words: str) -> None:
    with pytest.raises(QueryError) as caught:
        fleet.store.summaries(Query(**query), fleet.clock())

    assert str(caught.value) == words


def test_names_that_no_database_holds_are_nobodys(fleet: Fleet) -> None:
    for name in ("\0", "a\0b", "\ud800"):
        key = ServiceKey(name, name)
        assert fleet.store.service(key) is None
        assert fleet.store.summary(key, "main", fleet.clock()) is None
        assert fleet.store.document(key, "main", fleet.clock()) is None
        assert not fleet.store.unregister(key, fleet.clock())
        assert not fleet.store.registered_by_api(key)
        assert fleet.store.changes(checklist="main", row=name) == ()


def test_the_overview_agrees_with_a_count_over_the_list(crowd: Fleet) -> None:
    listed = [
        each
        for each in crowd.store.summaries(Query(checklist="main", limit=200), crowd.clock()).items
        if each.lifecycle == "production" and each.key.environment == "production"
    ]
    overview = crowd.store.fleet("main", crowd.clock())
    measured = [each for each in listed if each.taken_at]

    assert overview.services == len(listed)
    assert overview.meeting == sum(each.level is Level.READY for each in measured)
    assert overview.meeting + overview.below + overview.unmeasured == len(listed)
    assert overview.unmeasured == 4
    bars = Counter(min(int(each.score // 10) * 10, 90) for each in measured if each.score is not None)
    assert dict(overview.distribution) == {bound: bars[bound] for bound in range(0, 100, 10)}
    for count in overview.rows:
        assert count.counts == Counter(dict(each.rows)[count.row] for each in measured)
    for team in overview.teams:
        mine = [each for each in listed if each.team == team.team]
        scores = [each.score for each in mine if each.score is not None]
        assert team.services == len(mine)
        assert team.mean_score == (round(sum(scores) / len(scores), 1) if scores else None)
        assert team.failing["alive"] == sum(dict(each.rows).get("alive") is Status.FAIL for each in mine)
    assert sum(team.services for team in overview.teams) == overview.services


def test_the_overview_knows_who_fell_within_a_week_and_how_many_met_the_bar_a_month_ago(fleet: Fleet) -> None:
    good, bad = fleet.add("good"), fleet.add("bad", Ping(ok=False))
    for service, score, level in ((good, 91.3, Level.READY), (bad, 80.0, Level.NEARLY)):
        days = [
            DayScore(day=(START - timedelta(days=ago)).date(), score=score, score_upper=95, coverage=90, level=level)
            for ago in (30, 7)
        ]
        fleet.store.seed(service.key, "main", days, [])
    fleet.run()

    overview = fleet.store.fleet("main", fleet.clock())

    assert overview.drops == ((bad.key, 80.0, 47.8),)
    assert overview.meeting_30_days_ago == 0.5
    assert [(START.date() - on, mean, count) for on, mean, count in overview.trend] == [
        (timedelta(30), 85.7, 2), (timedelta(7), 85.7, 2), (timedelta(0), 69.5, 2)
    ]  # fmt: skip


def test_health_says_what_is_late_and_what_we_cannot_see(fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.run()
    well = fleet.store.health(fleet.clock())
    assert well.late == ()
    assert well.last_success == dict.fromkeys(Cadence, START)
    assert (well.services, well.queue_lag_seconds) == (1, 0.0)

    fleet.until(minutes=4)
    fleet.plan(Cadence.PLATFORM)
    late = fleet.store.health(fleet.until(minutes=46))

    assert set(late.late) == {Cadence.LIVE, Cadence.PLATFORM}
    assert late.queue_lag_seconds == timedelta(minutes=46).total_seconds()
    assert [each.cadence for each in late.running] == ["platform"]


def test_a_cycle_of_a_cadence_that_never_ended_well_is_late_too(fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.plan(Cadence.LIVE)

    assert Cadence.LIVE in fleet.store.health(fleet.until(minutes=10)).late
