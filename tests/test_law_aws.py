"""The Law on what AWS says: of the rows `multi-az` and `encryption`, and of the claim to keep no state."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from checks import encryption, multi_az
from scorecard.check import Row
from scorecard.checklist import Checklist, ChecklistRow
from scorecard.evidence import Absent, Answer, Observation, Unavailable
from scorecard.evidence.aws import (
    DataAtRest,
    DataInTransit,
    Encryption,
    Gone,
    Listener,
    Listeners,
    Placement,
    Resource,
    Resources,
    Spread,
    Spreads,
    Standby,
    Standbys,
    Tier,
    Unlisted,
    Unseen,
    WayOut,
    WaysOut,
)
from scorecard.judge import Judged, Seen, judge, judge_check
from scorecard.model import AwsRef, Cause, Service, Spec, Status
from scorecard.registry import installed
from scorecard.score import score
from tests.test_law import assert_no_higher

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LOST = Unavailable(Cause.RATE_LIMITED, "ThrottlingException: Rate exceeded")
ONE_LOST = Unavailable(Cause.NO_DATA, "a task without its zone", count=1)
RANK = {Status.UNKNOWN: 0, Status.FAIL: 1, Status.WARN: 2, Status.PASS: 3}
ZONES = ("az1", "az2", "az3")
words, yes = st.just("as it is"), st.booleans()
zone_sets = st.sets(st.sampled_from(ZONES)).map(lambda zones: tuple(sorted(zones)))


def by_size(counts: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(((zone, n) for zone, n in counts.items() if n), key=lambda pair: (-pair[1], pair[0])))


tiers = st.builds(
    Tier,
    name=st.just("t"),
    kind=st.just("ECS service"),
    units=st.just("tasks"),
    zones=st.dictionaries(st.sampled_from(ZONES), st.integers(0, 6)).map(by_size),
    unplaced=st.sampled_from([(), (ONE_LOST,), (LOST,)]),
    by_design=st.sampled_from(["", "", "", "it is regional"]),
    idle=st.sampled_from(["", "", "it asks for 0 tasks"]),
)
standbys = st.builds(
    Standby,
    name=st.just("d"),
    kind=st.just("RDS instance"),
    automatic=yes,
    zones=zone_sets,
    zone_count=st.integers(0, 3),
    words=words,
    by_design=st.sampled_from(["", "", "it is regional"]),
    replica_of=st.sampled_from(["", "main"]),
)
numbers = st.sampled_from([None, 0, 1, 2, 4])
spreads = st.builds(
    Spread, name=st.just("s"), kind=st.just("ECS service"), zones=zone_sets, desired=numbers, least=numbers, placed=yes
)
ways = st.builds(
    WayOut,
    name=st.just("w"),
    zone=st.sampled_from(ZONES),
    gateway=st.sampled_from(["", "nat-1"]),
    gateway_zones=zone_sets,
    regional=yes,
)
listeners = st.builds(
    Listener,
    name=st.just("l"),
    where=st.just("HTTP:80"),
    protocol=st.sampled_from(["HTTP", "HTTPS", "TLS", "TCP", "GENEVE"]),
    versions=st.sampled_from([(), ("TLSv1.2",), ("TLSv1", "TLSv1.2")]),
    redirects=yes,
)
stores = st.builds(
    Encryption,
    name=st.just("e"),
    kind=st.just("S3 bucket"),
    encrypted=st.sampled_from([True, False, None]),
    words=words,
    pending=st.sampled_from(["", "pending-reboot"]),
)
UNSEEN = st.just(Unseen("u", LOST))
GONE = st.just(Gone("g"))
ITEMS: dict[type[Any], st.SearchStrategy[Any]] = {
    Placement: tiers | UNSEEN | GONE,
    Standbys: standbys | UNSEEN | GONE,
    Spreads: spreads | UNSEEN,
    WaysOut: ways | UNSEEN,
    Listeners: listeners | UNSEEN | GONE,
    DataInTransit: stores | UNSEEN | GONE,
    DataAtRest: stores | UNSEEN | GONE,
}
CHECKS = [
    (row, check.id)
    for row in (multi_az.row, encryption.row)
    for check in row.checks
    if any(kind in ITEMS for kind in check.kinds)
]


@st.composite
def evidence(draw: st.DrawFn, kind: type[Any]) -> Any:  # noqa: ANN401 - of that kind
    items = draw(st.lists(ITEMS[kind], max_size=4))
    named = tuple(dataclasses.replace(item, name=f"{item.name}-{index}") for index, item in enumerate(items))
    return kind(items=named, missing=draw(st.sampled_from([(), (), (LOST,)])))


@st.composite
def less(draw: st.DrawFn, value: Answer) -> Answer | None:
    """The same with all of it unknown, or some of its items, or the zones of some of its capacity."""
    how = draw(st.sampled_from(["lost", "forgotten", "part", "part", "part"]))
    event(f"lost: {how}")
    if how == "forgotten" or isinstance(value, Unavailable | Absent):
        return None
    if how == "lost":
        return LOST
    kept, gone = [], list(value.missing)
    for item in getattr(value, "items"):  # noqa: B009 - every kind here has items
        fate = draw(st.sampled_from(["kept", "unseen", "elsewhere", "unplaced"]))
        if fate == "unseen":
            kept.append(Unseen(item.name, LOST))
        elif fate == "elsewhere":
            gone.append(LOST)
        elif fate == "unplaced" and isinstance(item, Tier) and item.zones:
            kept.append(draw(unplaced(item)))
        else:
            kept.append(item)
    return dataclasses.replace(value, items=tuple(kept), missing=tuple(gone))  # type: ignore[call-arg] # as above


@st.composite
def unplaced(draw: st.DrawFn, tier: Tier) -> Tier:
    """A tier of which the zones of some healthy units are not known."""
    counts = dict(tier.zones)
    lost = [ONE_LOST for zone in counts for _ in range(draw(st.integers(0, counts[zone]))) if _take(counts, zone)]
    return dataclasses.replace(tier, zones=by_size(counts), unplaced=(*tier.unplaced, *lost))


def _take(counts: dict[str, int], zone: str) -> bool:
    counts[zone] -= 1
    return True


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
    seen = Seen({kind: Observation(kind, NOW, value) for kind, value in known.items()})
    return judge_check(entry, row.check(check), Service(name="payments"), seen, NOW)


@pytest.mark.parametrize(("row", "check"), CHECKS, ids=[f"{row.id}/{check}" for row, check in CHECKS])
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_aws_does_not_say_raises_no_finding(row: Row, check: str, data: st.DataObject) -> None:
    kind = next(one for one in row.check(check).kinds if one in ITEMS)
    value = data.draw(evidence(kind) | st.sampled_from([Absent("none"), LOST]))
    fewer = data.draw(less(value))
    before = judged(row, check, {kind: value})
    assume(before.status is not Status.NOT_APPLICABLE)
    after = judged(row, check, {} if fewer is None else {kind: fewer})
    assert "a bug in" not in before.message + after.message
    assert after.status is not Status.NOT_APPLICABLE
    assert RANK[after.status] <= RANK[before.status]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_task_whose_zone_is_not_known_raises_nothing_and_fails_nothing(data: st.DataObject) -> None:
    whole = data.draw(tiers.filter(lambda tier: not tier.unplaced and tier.zones and not tier.by_design))
    part = data.draw(unplaced(whole))
    before, after = (judged(multi_az.row, "placement", {Placement: Placement(items=(one,))}) for one in (whole, part))

    assert after.status in {before.status, Status.UNKNOWN}


# --- the claim to keep no state --------------------------------------------------------------------------------------

SERVICE = Service(name="payments", stateless=True, spec=Spec(aws=AwsRef(account="111122223333")))
things = st.lists(
    st.builds(Resource, name=st.just("r"), kind=st.just("k"), account=words, region=words, holds_data=yes), max_size=3
).map(tuple)
mappings = st.builds(
    Resources,
    resources=things,
    missing=st.sampled_from([(), (LOST,)]),
    unlisted=st.sampled_from([(), (Unlisted("rds:db", LOST, holds_data=True),), (Unlisted("asg", LOST),)]),
)


def checklist() -> Checklist:
    shipped = installed().checklist("production-readiness", Path())
    wanted = {"multi-az", "encryption", "backups"}
    return dataclasses.replace(shipped, rows=tuple(row for row in shipped.rows if row.id in wanted))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_lookup_that_is_lost_raises_no_score_of_a_service_that_says_it_keeps_no_state(data: st.DataObject) -> None:
    known: dict[type[Any], Answer] = {kind: data.draw(evidence(kind)) for kind in ITEMS}
    known[Resources] = data.draw(mappings | st.sampled_from([LOST]))
    fewer = dict(known)
    fewer[Resources] = data.draw(fewer_resources(known[Resources]))
    if fewer[Resources] is LOST:
        fewer |= dict.fromkeys(ITEMS, LOST)
    assert_no_higher(total(fewer), total(known))


@st.composite
def fewer_resources(draw: st.DrawFn, value: Answer) -> Answer:
    if not isinstance(value, Resources) or draw(st.booleans()):
        return LOST
    kept = tuple(one for one in value.resources if draw(st.booleans()))
    missing = value.missing if len(kept) == len(value.resources) else (*value.missing, LOST)
    return dataclasses.replace(value, resources=kept, missing=missing)


def total(known: dict[type[Any], Answer]) -> Any:  # noqa: ANN401 - a Score
    seen = Seen({kind: Observation(kind, NOW, value) for kind, value in known.items()})
    snapshot = judge(SERVICE, CHECKLIST, seen, NOW)
    return score(snapshot.rows, bar=80, required_rows=CHECKLIST.required_rows)


CHECKLIST = checklist()
