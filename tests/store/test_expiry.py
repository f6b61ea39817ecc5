"""Expiry is applied at every read, whether or not anybody wrote it down, and writing it down is idempotent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from scorecard.document import Document
from scorecard.evidence import Unavailable
from scorecard.model import Cadence, Cause, GatePolicy, Level, Service, ServiceKey, Status, Verdict, Waiver
from scorecard.store.tables import day, event, finding, summary
from scorecard.store.views import Query
from tests.conftest import START
from tests.store.fleet import POLICY, Build, Fleet, Ping, Spread

LIVE = timedelta(minutes=15)
PLATFORM = timedelta(hours=2)
SOURCE = timedelta(hours=48)


def shown(fleet: Fleet, key: ServiceKey, now: datetime) -> dict[str, Any]:
    """What each way of reading says at an instant."""
    fleet.store.forget()
    document = fleet.store.document(key, "main", now)
    summary_ = fleet.store.summary(key, "main", now)
    (listed,) = fleet.store.summaries(Query(checklist="main"), now).items
    overview = fleet.store.fleet("main", now)
    (row,) = fleet.store.metric_rows(now).rows
    assert document is not None
    assert summary_ is not None
    letters = {row["id"]: row["status"] for row in document["rows"]}
    assert {name: status.value for name, status in summary_.rows} == letters
    assert listed == summary_
    assert {count.row: dict(count.counts) for count in overview.rows} == {
        name: {Status(status): 1} for name, status in letters.items()
    }
    assert row.summaries[0].rows == summary_.rows
    assert row.verdict is summary_.verdict
    assert summary_.verdict is fleet.store.decision(key, now).verdict
    assert document["gate"]["verdict"] == summary_.verdict.value
    for name in ("score", "score_upper", "coverage", "verified_only"):
        assert document[name] == getattr(summary_, name) == getattr(row.summaries[0], name)
    assert document["level"] == summary_.level.value
    return {"score": summary_.score, "level": summary_.level, "verdict": summary_.verdict, **letters}


@pytest.mark.parametrize("settled", [True, False], ids=["written down", "only read"])
def test_every_way_of_reading_says_the_same_at_every_instant(fleet: Fleet, settled: bool) -> None:
    service = fleet.add("payments")
    fleet.run()
    seen = {}
    for after in (timedelta(), LIVE, timedelta(hours=1, seconds=1), PLATFORM, SOURCE, timedelta(days=3650)):
        now = START + after
        if settled:
            fleet.store.settle(now)
        seen[after] = shown(fleet, service.key, now)

    assert seen[timedelta()] == {
        "score": 91.3,
        "level": Level.READY,
        "verdict": Verdict.GO,
        "alive": "pass",
        "built": "pass",
        "spread": "pass",
        "kept": "unknown",
    }
    assert seen[LIVE]["alive"] == "unknown"
    assert seen[LIVE]["level"] is Level.UNKNOWN
    assert seen[LIVE]["verdict"] is Verdict.CANNOT_TELL
    assert (seen[LIVE]["spread"], seen[PLATFORM]["spread"]) == ("pass", "unknown")
    assert (seen[PLATFORM]["built"], seen[SOURCE]["built"]) == ("pass", "unknown")
    assert seen[timedelta(days=3650)]["score"] == 0.0


def test_a_microsecond_before_it_expires_a_finding_stands(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()

    assert shown(fleet, service.key, START + LIVE - timedelta(microseconds=1))["alive"] == "pass"
    assert shown(fleet, service.key, START + LIVE)["alive"] == "unknown"


def everything(fleet: Fleet) -> list[Any]:
    passing = {"id", "as_of", "changed_at"}
    with fleet.store.db.read() as connection:
        queries = [
            select(*[column for column in table.c if column.name not in passing])
            for table in (finding, event, summary, day)
        ]
        return [sorted(map(tuple, connection.execute(query)), key=repr) for query in queries]


def test_settling_again_writes_nothing_more(fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.add("ledger", Ping(ok=False))
    fleet.run()
    now = START + timedelta(days=3)
    assert fleet.store.settle(now) == 2
    once = everything(fleet)

    assert fleet.store.settle(now) == 0
    assert fleet.store.settle(now + timedelta(days=1)) == 0

    assert everything(fleet) == once


def test_settling_late_comes_to_the_same_as_settling_all_the_time(fleet: Fleet) -> None:
    often, late = fleet.add("often"), fleet.add("late")
    fleet.run()
    end = START + timedelta(days=3)
    for minute in range(0, int((end - START) / timedelta(minutes=1)), 7):
        with fleet.store.db.write() as connection:
            entries = fleet.store.registered([often.key])
            fleet.store._settle(
                connection, {entry.id: entry for entry in entries.values()}, START + timedelta(minutes=minute)
            )
    fleet.store.settle(end)

    def told(service: Service) -> list[tuple[Any, ...]]:
        found = fleet.store.changes(checklist="main", key=service.key, limit=100)
        return sorted(
            (each.at, each.row, each.check, each.before, each.after, each.cause, each.message) for each in found
        )

    assert told(often) == told(late)
    assert {cause for *_, cause, _ in told(late)} == {"service", "expiry"}


def test_what_expired_is_in_history_at_the_instant_it_expired(fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.run()

    fleet.store.settle(START + timedelta(days=30))

    expired = [each for each in fleet.store.changes(checklist="main", limit=100) if each.cause == "expiry" and each.row]
    assert {(each.row, each.check, each.at - START) for each in expired} == {
        ("alive", "answers", LIVE),
        ("spread", "zones", PLATFORM),
        ("built", "steps", SOURCE),
        ("built", "noted", SOURCE),
    }
    assert all("too long ago to count" in each.message for each in expired)


def test_evidence_that_is_seen_again_does_not_expire(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    for _ in range(40):
        fleet.until(minutes=1)
        fleet.store.settle(fleet.clock())
        fleet.run(Cadence.LIVE)

    assert not [each for each in fleet.store.changes(checklist="main", limit=100) if each.cause == "expiry"]
    assert shown(fleet, service.key, fleet.clock())["alive"] == "pass"


def test_what_expired_before_we_looked_again_stays_in_history(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    fleet.until(hours=1)

    fleet.run(Cadence.LIVE)

    story = [(each.before, each.after, each.cause) for each in fleet.store.changes(checklist="main", row="alive")]
    assert story == [("unknown", "pass", "scorecard"), ("pass", "unknown", "expiry"), ("", "pass", "service")]
    past = fleet.store.document(service.key, "main", fleet.clock(), at=START + timedelta(minutes=30))
    assert past is not None
    assert past["rows"][0]["checks"][0]["cause"] == "expired"


def test_the_gate_grows_old_before_the_findings_do(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    limit = POLICY.measured_within
    for _ in range(5):
        fleet.until(minutes=10)
        fleet.run(Cadence.LIVE)
    over = START + limit + timedelta(microseconds=1)

    assert shown(fleet, service.key, START + limit)["verdict"] is Verdict.GO
    assert shown(fleet, service.key, over)["verdict"] is Verdict.CANNOT_TELL
    assert shown(fleet, service.key, over)["score"] == 91.3
    fleet.store.settle(over + timedelta(seconds=3))
    newest = fleet.store.changes(checklist="main", limit=1)[0]
    assert (newest.cause, newest.row, newest.at) == ("expiry", "", over)


def test_looking_again_makes_the_gate_go_again_though_no_finding_moved(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    fleet.until(minutes=61)
    fleet.run(Cadence.LIVE)
    assert shown(fleet, service.key, fleet.clock())["verdict"] is Verdict.CANNOT_TELL
    fleet.until(minutes=1)

    fleet.run(Cadence.SOURCE, Cadence.PLATFORM)

    assert shown(fleet, service.key, fleet.clock())["verdict"] is Verdict.GO


def waiver(service: Service, fingerprint: str, *, begins: datetime, ends: datetime) -> Waiver:
    return Waiver(
        id=0,
        service=service.key,
        row="built",
        check="steps",
        fingerprint=fingerprint,
        reason="agreed",
        requested_by="ann",
        approved_by="bob",
        approved_at=begins,
        expires_at=ends,
    )


def failing(document: Document | None) -> str:
    assert document is not None
    return next(
        check["fingerprint"] for row in document["rows"] for check in row["checks"] if check["status"] == "fail"
    )


@pytest.mark.parametrize("settled", [True, False], ids=["written down", "only read"])
def test_a_waiver_counts_from_its_approval_to_its_end_and_never_touches_the_score(fleet: Fleet, settled: bool) -> None:
    fleet.configure(policies={"default": GatePolicy(checklist="main", minimum_score=60, minimum_coverage=50)})
    service = fleet.add("payments", Build(steps=1, note="why"))
    fleet.run()
    print_ = failing(fleet.store.document(service.key, "main", START))
    begins, ends = START + timedelta(minutes=1), START + timedelta(minutes=10)
    fleet.store.grant(waiver(service, print_, begins=begins, ends=ends))
    verdicts = []
    for now in (START, begins, ends - timedelta(microseconds=1), ends):
        if settled:
            fleet.store.settle(now)
        verdicts.append(shown(fleet, service.key, now)["verdict"])

    assert verdicts == [Verdict.NO_GO, Verdict.GO, Verdict.GO, Verdict.NO_GO]
    fleet.store.settle(ends)
    changed = fleet.store.changes(checklist="main", limit=2)
    assert [(each.cause, each.row, each.at) for each in changed] == [("waiver", "", ends), ("waiver", "", begins)]
    assert {each.before for each in changed} == {each.after for each in changed}


def test_a_waiver_that_was_approved_before_the_last_run_counts_at_once(fleet: Fleet) -> None:
    fleet.configure(policies={"default": GatePolicy(checklist="main", minimum_score=60, minimum_coverage=50)})
    service = fleet.add("payments", Build(steps=1, note="why"))
    fleet.run()
    print_ = failing(fleet.store.document(service.key, "main", START))
    begins = START - timedelta(hours=1)

    fleet.store.grant(waiver(service, print_, begins=begins, ends=START + timedelta(days=1)))

    assert shown(fleet, service.key, START)["verdict"] is Verdict.GO
    fleet.store.settle(START)
    assert [each.cause for each in fleet.store.changes(checklist="main", limit=1)] == ["waiver"]


def test_a_service_never_measured_has_no_score_and_no_go(fleet: Fleet) -> None:
    service = fleet.add("payments")

    found = fleet.store.summary(service.key, "main", START)

    assert found is not None
    assert (found.score, found.level, found.verdict, found.rows) == (None, Level.UNKNOWN, None, ())
    assert fleet.store.decision(service.key, START).reasons == ("nothing was measured yet",)
    assert fleet.store.decision(ServiceKey("nobody"), START).reasons == ("nobody is not registered",)
    assert fleet.store.metric_rows(START).rows[0].verdict is None


def test_what_is_unknown_for_another_cause_keeps_its_cause_until_it_expires(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.refuse(service.key, Spread, Unavailable(Cause.ACCESS_DENIED, "403"))
    fleet.run()

    def cause(now: datetime) -> str:
        document = fleet.store.document(service.key, "main", now)
        assert document is not None
        return str(document["rows"][2]["checks"][0]["cause"])

    assert cause(START + PLATFORM - timedelta(seconds=1)) == "access_denied"
    assert cause(START + PLATFORM) == "expired"
