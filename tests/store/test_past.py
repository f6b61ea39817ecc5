"""A document of a past instant says what was shown then."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from scorecard.document import Document
from scorecard.evidence import Unavailable
from scorecard.model import Cadence, Cause, Level, ServiceKey, ServiceType
from scorecard.store.tables import evidence
from scorecard.store.views import Change, DayScore
from tests.conftest import START
from tests.store.fleet import Build, Fleet, Ping, Spread, checklist, exhibit

HEAD = (
    "service", "environment", "team", "tier", "type", "checklist", "score", "score_upper", "coverage", "verified_only",
    "level", "exempt_rows",
)  # fmt: skip


def compared(document: Document | None) -> dict[str, Any]:
    """What history promises of a document: everything but the words and the times of a look that changed nothing."""
    assert document is not None
    rows = [
        (
            row["id"],
            row["status"],
            row["credit"],
            row["points"],
            row["not_applicable"],
            [
                (check["id"], check["status"], check["cause"], check["fingerprint"], check["rule_version"])
                for check in row["checks"]
            ],
        )
        for row in document["rows"]
    ]
    gate = document["gate"]["verdict"] if document["gate"] else None
    return {**{name: document[name] for name in HEAD}, "rows": rows, "gate": gate}


def test_a_past_document_is_what_was_shown_then(fleet: Fleet) -> None:
    service = fleet.add("payments", Build(steps=3, note="why", exhibits=(exhibit("first"),)))
    told = []

    def remember() -> None:
        fleet.store.settle(fleet.clock())
        told.append((fleet.clock(), compared(fleet.store.document(service.key, "main", fleet.clock()))))
        fleet.until(minutes=1)

    fleet.run()
    remember()
    fleet.tell(service.key, Ping(ok=False))
    fleet.run(Cadence.LIVE)
    remember()
    service = fleet.change(service, type=ServiceType.JOB, team="others")
    fleet.run()
    remember()
    fleet.refuse(service.key, Build, Unavailable(Cause.TIMEOUT, "slow"))
    service = fleet.change(service, type=ServiceType.WEB)
    fleet.run()
    remember()
    fleet.until(hours=3)
    remember()

    for at, then in told:
        assert compared(fleet.store.document(service.key, "main", fleet.clock(), at=at)) == then


def test_a_past_document_has_the_evidence_of_then(fleet: Fleet) -> None:
    service = fleet.add("payments", Build(steps=3, note="why", exhibits=(exhibit("first"),)))
    fleet.run()
    fleet.until(minutes=1)
    fleet.tell(service.key, Build(steps=1, note="why", exhibits=(exhibit("second"),)))
    fleet.run(Cadence.SOURCE)

    def excerpts(document: Document | None) -> list[str]:
        assert document is not None
        return [shown["excerpt"] for shown in document["rows"][1]["checks"][0]["evidence"]]

    assert excerpts(fleet.store.document(service.key, "main", fleet.clock(), at=START)) == ["first"]
    assert excerpts(fleet.store.document(service.key, "main", fleet.clock())) == ["second"]


def test_before_the_first_run_there_is_no_document(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()

    assert fleet.store.document(service.key, "main", START, at=START - timedelta(seconds=1)) is None
    assert fleet.store.document(ServiceKey("nobody"), "main", START) is None
    assert fleet.store.document(service.key, "nothing", START) is None


def test_a_past_document_under_an_older_checklist_names_that_checklist(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    fleet.until(minutes=1)
    fleet.configure(checklists={"main": checklist(version=2, minimum=9)})
    fleet.run()

    then = fleet.store.document(service.key, "main", fleet.clock(), at=START)
    now = fleet.store.document(service.key, "main", fleet.clock())

    assert then is not None
    assert now is not None
    assert (then["checklist"]["version"], then["score"], then["rows"][1]["status"]) == (1, 91.3, "pass")
    assert (now["checklist"]["version"], now["rows"][1]["status"]) == (2, "fail")


def test_history_has_gaps_where_nothing_was_measured(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    fleet.until(days=3)
    fleet.run()

    (days,) = fleet.store.history([service.key], "main", 30, fleet.clock()).values()

    found = [(each.day - START.date(), each.score) for each in days]
    # On the third day nobody had looked for two: what the pipeline said grew too old then, before it was seen again.
    assert found == [(timedelta(0), 30.4), (timedelta(days=2), 0.0), (timedelta(days=3), 91.3)]


def test_seeded_history_is_marked_for_ever_and_is_no_past_document(fleet: Fleet) -> None:
    service = fleet.add("payments", demo=True)
    fleet.run()
    before = START - timedelta(days=5)
    seeded = DayScore(day=before.date(), score=50.0, score_upper=60.0, coverage=70.0, level=Level.NOT_READY)
    change = Change(
        id=0, key=service.key, checklist="main", at=before, row="alive", check="answers", before="pass", after="fail",
        cause="service", message="seeded", demo=False,
    )  # fmt: skip

    fleet.store.seed(service.key, "main", [seeded], [change])

    changes = fleet.store.changes(checklist="main", until=before)
    assert [(each.message, each.demo) for each in changes] == [("seeded", True)]
    assert fleet.store.history([service.key], "main", 30, START)[service.key][0] == replace(seeded, simulated=True)
    assert fleet.store.document(service.key, "main", START, at=before) is None
    document = fleet.store.document(service.key, "main", START + timedelta(minutes=1), at=START)
    assert document is not None
    assert document["rows"][0]["status"] == "pass"
    assert fleet.store.summary(service.key, "main", START).demo  # type: ignore[union-attr]


def test_pruning_keeps_what_later_instants_are_shown_with(fleet: Fleet) -> None:
    service = fleet.add("payments", Build(steps=3, note="why", exhibits=(exhibit("kept"),)))
    fleet.tell(service.key, Ping(ok=False))
    fleet.run()
    fleet.until(minutes=1)
    fleet.tell(service.key, Ping(ok=True))
    fleet.run()
    for _ in range(10):
        fleet.until(days=30)
        fleet.store.settle(fleet.clock() - timedelta(days=1))
        fleet.run()
    now = fleet.clock()
    at = now - timedelta(days=10)
    before = fleet.store.document(service.key, "main", now, at=at)
    count = len(fleet.store.changes(checklist="main", limit=10_000))

    fleet.store.prune(now, samples=timedelta(days=2), history=timedelta(days=100), evidence_kept=timedelta(days=30))

    left = fleet.store.changes(checklist="main", limit=10_000)
    assert len(left) < count / 2
    assert fleet.store.document(service.key, "main", now, at=at) == before
    assert {each.planned_at for each in fleet.store.cycles()} == {now}
    days = fleet.store.history([service.key], "main", 1000, now)[service.key]
    assert min(each.day for each in days) >= (now - timedelta(days=100)).date()
    document = fleet.store.document(service.key, "main", now)
    assert document is not None
    assert document["rows"][1]["checks"][0]["evidence"][0]["excerpt"] == "kept"


def test_pruning_keeps_the_last_transition_of_what_has_not_changed_since(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    for _ in range(6):
        fleet.until(minutes=10)
        fleet.run(Cadence.LIVE)
    now = fleet.clock()
    at = now - timedelta(minutes=5)
    before = fleet.store.document(service.key, "main", now, at=at)

    fleet.store.prune(now, samples=timedelta(days=2), history=timedelta(minutes=30))

    assert fleet.store.document(service.key, "main", now, at=at) == before
    assert before is not None
    assert before["score"] == 91.3


answers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                Ping(ok=True),
                Ping(ok=False),
                Spread(zones=1),
                Spread(zones=2),
                Build(steps=1),
                Build(steps=5, note="x"),
                Unavailable(Cause.TIMEOUT, "slow"),
                Unavailable(Cause.SCORECARD_FAULT, "ours"),
            ]
        ),
        st.sampled_from([1, 14, 61, 130, 3000]),
        st.sampled_from([*Cadence, None]),
    ),
    min_size=1,
    max_size=8,
)


@given(story=answers)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happened_every_past_instant_is_shown_as_it_was(fleet: Fleet, story: list[Any]) -> None:
    fleet.clock.at = max(fleet.clock.at, START) + timedelta(days=1)
    name = f"s{len(fleet.services)}"
    service = fleet.add(name)
    fleet.services = [service]
    fleet.sync()
    fleet.run()
    told = []
    for answer, minutes, cadence in story:
        if isinstance(answer, Unavailable):
            fleet.refuse(service.key, Spread, answer)
        else:
            fleet.tell(service.key, answer)
        if cadence is not None:
            fleet.run(cadence)
        fleet.store.settle(fleet.clock())
        told.append((fleet.clock(), compared(fleet.store.document(service.key, "main", fleet.clock()))))
        fleet.until(minutes=minutes)

    for at, then in told:
        assert compared(fleet.store.document(service.key, "main", fleet.clock(), at=at)) == then


def test_evidence_that_is_new_at_every_look_does_not_pile_up(fleet: Fleet) -> None:
    service = fleet.add("payments", Build(steps=5))
    for steps in range(1, 8):
        fleet.clock.forward(hours=1)
        fleet.tell(service.key, Build(steps=5, note=f"look {steps}"))
        fleet.run()

    fleet.clock.forward(hours=2)
    fleet.store.prune(fleet.clock(), samples=timedelta(days=2), history=timedelta(days=400))

    with fleet.store.db.read() as connection:
        kept = [json.loads(text)["evidence"].get("note") for text in connection.scalars(select(evidence.c.value))]
    # The first is what the first transition rests on, the last what stands now.
    assert sorted(note for note in kept if note) == ["look 1", "look 7"]
