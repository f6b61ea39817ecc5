"""The Law on the rows `alerts` and `runbooks`: what is lost of their several sources raises no finding."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from checks import alerts, health_endpoints, runbooks
from scorecard.check import Row
from scorecard.checklist import ChecklistRow
from scorecard.evidence import (
    Absent,
    AlertRule,
    AlertRunbook,
    Alerts,
    AlertSource,
    Answer,
    LiveAlert,
    LiveAlerts,
    Observation,
    RoutedAlert,
    Routing,
    RuleHealth,
    RunbookFound,
    RunbookPage,
    RunbookPages,
    Runbooks,
    Series,
    Unavailable,
    Way,
)
from scorecard.judge import Judged, Seen, judge_check
from scorecard.model import Cause, Service, ServiceType, Status

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LOST = Unavailable(Cause.TIMEOUT, "no answer", count=1)
RANK = {Status.UNKNOWN: 0, Status.FAIL: 1, Status.WARN: 2, Status.PASS: 3}
SEVERITIES = {"page": ("critical",), "ticket": ("warning",)}
URLS = ("", "runbooks/A.md", "https://r.example.net/{{ $labels.pod }}", "https://r.example.net/a")

names = st.sampled_from(["A", "B", "C"])
shared: dict[str, st.SearchStrategy[Any]] = {
    "name": names,
    "where": st.just("x:1"),
    "severity": st.sampled_from(["", "critical", "warning", "odd"]),
    "runbook_url": st.sampled_from(URLS),
    "for_seconds": st.sampled_from([0.0, 300.0]),
    "absence": st.booleans(),
}
in_files = st.builds(
    AlertRule, source=st.just(AlertSource.FILE), problem=st.sampled_from(["", "does not parse"]), **shared
)
evaluated = st.builds(
    LiveAlert,
    source=st.just(AlertSource.PROMETHEUS),
    instance=st.just("prometheus/main"),
    belongs=st.just("its label"),
    health=st.sampled_from(list(RuleHealth)),
    paused=st.booleans(),
    series=st.sampled_from(list(Series)),
    firings=st.sampled_from([None, 1, 30]),
    firings_unknown=st.sampled_from([None, LOST]),
    firing_seconds=st.sampled_from([0.0, 9e5]),
    **shared,
)
ways = st.builds(Way, receivers=st.just(("r",)), silent=st.sampled_from([(), ("r",)]))
routed = st.builds(
    RoutedAlert, name=names, where=st.just("x"), by=st.just("a"), ways=st.lists(ways, max_size=2).map(tuple)
)
pages = st.none() | st.builds(
    RunbookPage,
    name=st.just("p"),
    title=st.just("p"),
    names_alerts=st.sampled_from([(), ("A", "B", "C")]),
    sections=st.sampled_from([{}, dict.fromkeys(("meaning", "impact", "diagnosis", "mitigation", "escalation"), 9)]),
    steps=st.booleans(),
    placeholders=st.just(()),
    reviewed_on=st.sampled_from([None, date(2026, 11, 1), date(2020, 1, 1)]),
)
links = st.builds(
    AlertRunbook,
    name=names,
    where=st.just("x:1"),
    url=st.sampled_from(URLS),
    found=st.sampled_from(list(RunbookFound)),
    page=pages,
)


def several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=3).map(tuple)


SOURCES: dict[type[Any], tuple[str, st.SearchStrategy[Any]]] = {
    Alerts: ("rules", st.builds(Alerts, rules=several(in_files), severities=st.just(SEVERITIES))),
    LiveAlerts: ("alerts", st.builds(LiveAlerts, alerts=several(evaluated), severities=st.just(SEVERITIES))),
    Routing: ("alerts", st.builds(Routing, alerts=several(routed))),
    Runbooks: ("links", st.builds(Runbooks, links=several(links))),
    RunbookPages: ("links", st.builds(RunbookPages, links=several(links))),
}
CHECKS = [(row, check.id) for row in (alerts.row, runbooks.row) for check in row.checks] + [
    (health_endpoints.row, "heartbeat")
]


def judged(row: Row, check: str, known: dict[type[Any], Answer]) -> Judged:
    entry = ChecklistRow(
        id=row.id,
        row=row,
        risk=row.risk,
        types=row.types,
        needs_state=row.needs_state,
        limits=row.default_limits(),
        checks=row.checks,
    )
    kind = ServiceType.WORKER if check == "heartbeat" else ServiceType.WEB
    seen = Seen({one: Observation(one, NOW, value) for one, value in known.items()})
    return judge_check(entry, row.check(check), Service(name="payments", type=kind), seen, NOW)


@st.composite
def less(draw: st.DrawFn, known: dict[type[Any], Answer]) -> dict[type[Any], Answer]:
    """The same with a source, or a part of one, unknown."""
    left: dict[type[Any], Answer] = {}
    for kind, value in known.items():
        how = draw(st.sampled_from(["kept", "lost", "forgotten", "part"]))
        if how == "lost":
            left[kind] = LOST
        elif how == "part" and not isinstance(value, Unavailable | Absent):
            part = SOURCES[kind][0]
            things = getattr(value, part)
            kept = tuple(thing for thing in things if draw(st.booleans()))
            missing = value.missing if len(kept) == len(things) else (*value.missing, LOST)
            left[kind] = dataclasses.replace(value, **{part: kept, "missing": missing})
        elif how != "forgotten":
            left[kind] = value
    return left


@pytest.mark.parametrize(("row", "check"), CHECKS, ids=[f"{row.id}/{check}" for row, check in CHECKS])
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_evidence_that_is_lost_raises_no_finding(row: Row, check: str, data: st.DataObject) -> None:
    known: dict[type[Any], Answer] = {
        kind: data.draw(SOURCES[kind][1] | st.sampled_from([Absent("none"), LOST])) for kind in row.check(check).kinds
    }
    before = judged(row, check, known)
    assume(before.status is not Status.NOT_APPLICABLE)
    after = judged(row, check, data.draw(less(known)))
    assert "a bug in" not in before.message + after.message
    assert after.status is not Status.NOT_APPLICABLE
    assert RANK[after.status] <= RANK[before.status]
