"""What a run stores: exactly once, only what changed, with the cause of every change."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from scorecard.evidence import Unavailable
from scorecard.model import Cadence, Cause, Exemption, ServiceType, Spec
from scorecard.store.tables import event, finding, hour, observation, shard_run, summary
from tests.store.fleet import Build, Fleet, Ping, Spread, checklist


def count(fleet: Fleet, table: object) -> int:
    with fleet.store.db.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]


def content(fleet: Fleet) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is stored of results."""
    with fleet.store.db.read() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in (observation, finding, event, summary, shard_run, hour)
        }


def moves(fleet: Fleet, name: str = "main", row: str = "") -> list[tuple[str, str, str, str]]:
    """(row/check, before, after, cause), oldest first."""
    changes = fleet.store.changes(checklist=name, row=row, limit=1000)
    return [
        (f"{each.row}/{each.check}", each.before, each.after, each.cause)
        for each in sorted(changes, key=lambda c: c.id)
    ]


def test_a_first_run_stores_a_finding_for_each_check_and_a_sum_for_each_checklist(fleet: Fleet) -> None:
    fleet.add("payments")

    fleet.run()

    assert count(fleet, finding) == 10
    assert count(fleet, summary) == 2
    assert fleet.store.cycles()[0].state == "done"


def test_a_shard_that_runs_twice_has_one_effect(fleet: Fleet) -> None:
    fleet.add("payments")
    (item,) = fleet.plan(Cadence.LIVE)
    assert fleet.worker.run(item)
    before = content(fleet)
    fleet.tell(("payments", "production"), Ping(ok=False))  # type: ignore[arg-type]

    assert not fleet.worker.run(item)

    assert content(fleet) == before


@pytest.mark.parametrize("steps", [object(), {1: {2}}, "\ud800", 10**400], ids=["object", "set", "surrogate", "long"])
def test_evidence_that_cannot_be_stored_costs_its_own_service_and_no_other(fleet: Fleet, steps: object) -> None:
    fleet.add("payments")
    other = fleet.add("ledger")
    fleet.tell(("payments", "production"), Build(steps=steps))  # type: ignore[arg-type]
    fleet.tell(("payments", "production"), Ping(ok=steps))  # type: ignore[arg-type]

    fleet.run()

    assert fleet.store.cycles()[0].state == "done"
    assert fleet.store.document(other.key, "main", fleet.clock()) is not None


def test_an_older_cycle_that_ends_after_a_newer_one_changes_no_finding(fleet: Fleet) -> None:
    service = fleet.add("payments")
    (older,) = fleet.plan(Cadence.LIVE)
    newer = fleet.store.plan_on_demand((f"service:{service.key}",), fleet.clock(), "ann", {})
    fleet.tell(service.key, Ping(ok=False))
    assert fleet.worker.run(type(older)(newer, "on-demand", f"service:{service.key}"))
    document = fleet.store.document(service.key, "main", fleet.clock())
    fleet.tell(service.key, Ping(ok=True))

    assert fleet.worker.run(older)

    assert fleet.store.document(service.key, "main", fleet.clock()) == document
    assert fleet.store.cycle(older.cycle_id).state == "done"  # type: ignore[union-attr]


def test_a_result_for_a_cycle_that_does_not_exist_is_refused_and_leaves_nothing(fleet: Fleet) -> None:
    with pytest.raises(LookupError, match="there is no cycle 77"):
        fleet.store.record(77, "0/1", (), fleet.clock(), fleet.clock())

    assert count(fleet, shard_run) == 0


def test_a_run_in_which_nothing_changed_writes_no_finding_and_no_event(fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.run()
    before = content(fleet)
    fleet.clock.forward(seconds=60, microseconds=123)

    fleet.run()

    after = content(fleet)
    assert after["finding"] == before["finding"]
    assert after["event"] == before["event"]
    assert after["observation"] != before["observation"]


def test_every_kind_of_change_has_its_cause(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    begun = len(moves(fleet))
    assert {cause for *_, cause in moves(fleet)} == {"service"}

    fleet.clock.forward(minutes=1)
    fleet.tell(service.key, Ping(ok=False))
    fleet.run(Cadence.LIVE)

    assert moves(fleet)[begun:] == [("alive/answers", "pass", "fail", "service"), ("/", "91.3", "47.8", "service")]


def test_our_own_trouble_is_called_ours_and_so_is_its_end(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    begun = len(moves(fleet))
    fleet.refuse(service.key, Spread, Unavailable(Cause.SCORECARD_FAULT, "our network is down"))
    fleet.run(Cadence.PLATFORM)
    fleet.tell(service.key, Spread(zones=2))
    fleet.run(Cadence.PLATFORM)

    assert [move[-1] for move in moves(fleet)[begun:]] == ["scorecard"] * 4


def test_a_stricter_checklist_is_the_cause_of_what_it_changes(fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.run()
    begun = len(moves(fleet))

    fleet.configure(checklists={"main": checklist(version=2, minimum=9)})
    fleet.run(Cadence.LIVE)

    assert [move[-1] for move in moves(fleet)[begun:]] == ["checklist", "checklist"]
    assert moves(fleet)[begun][:3] == ("built/steps", "pass", "fail")


def test_a_new_rule_version_is_the_cause_of_what_it_changes(fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.run()
    begun = len(moves(fleet))

    fleet.configure(checklists={"main": checklist(rule_version=2)})
    fleet.run(Cadence.LIVE)

    assert moves(fleet)[begun:] == [("built/steps", "pass", "pass", "rule")]


def test_a_check_that_the_checklist_drops_leaves_and_says_so(fleet: Fleet) -> None:
    service = fleet.add("payments", Build(steps=3))
    fleet.run()
    begun = len(moves(fleet))

    fleet.configure(checklists={"main": checklist(version=2, drop=frozenset({"noted"}))})
    fleet.run(Cadence.LIVE)

    assert moves(fleet)[begun] == ("built/noted", "warn", "not_applicable", "checklist")
    document = fleet.store.document(service.key, "main", fleet.clock())
    assert document is not None
    assert [check["id"] for check in document["rows"][1]["checks"]] == ["steps"]


def test_a_changed_definition_is_the_services_own_change(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    begun = len(moves(fleet))

    fleet.change(service, type=ServiceType.JOB)
    fleet.run(Cadence.LIVE)

    assert ("spread/", "", "not_applicable", "service") in moves(fleet)[begun:]
    assert {move[-1] for move in moves(fleet)[begun:]} == {"service"}


def exempt(until: date) -> Spec:
    declared = Exemption(reason="cold standby", declared_by="lead", approved_by="chief", until=until)
    return Spec(exempt={"spread": declared})


def test_an_exemption_begins_and_ends_as_the_cause_of_what_it_changes(fleet: Fleet) -> None:
    service = fleet.add("payments", Spread(zones=1))
    fleet.run()
    begun = len(moves(fleet))

    fleet.change(service, spec=exempt(fleet.clock().date()))
    fleet.run(Cadence.LIVE)
    started = moves(fleet)[begun:]
    fleet.until(days=1)
    fleet.run(Cadence.LIVE)
    ended = moves(fleet)[begun + len(started) :]

    assert ("spread/", "", "not_applicable", "exemption") in started
    assert {move[-1] for move in started} == {"exemption"}
    assert ("spread/", "not_applicable", "unknown", "exemption") in ended


def test_the_end_of_an_exemption_shows_with_nobody_measuring(fleet: Fleet) -> None:
    service = fleet.add("payments", Spread(zones=1), spec=exempt(fleet.clock().date()))
    fleet.run()
    assert dict(fleet.store.summary(service.key, "main", fleet.clock()).rows)["spread"] == "not_applicable"  # type: ignore[union-attr]
    midnight = fleet.clock().replace(hour=0, minute=0) + timedelta(days=1)

    fleet.store.settle(midnight)

    assert dict(fleet.store.summary(service.key, "main", midnight).rows)["spread"] == "unknown"  # type: ignore[union-attr]
    scores = [each for each in fleet.store.changes(checklist="main", limit=3) if not each.row]
    assert ("exemption", midnight) in {(each.cause, each.at) for each in scores}


def test_two_environments_of_a_service_are_two_scorecards(fleet: Fleet) -> None:
    production = fleet.add("payments")
    staging = fleet.add("payments", Ping(ok=False), environment="staging")

    fleet.run()

    good = fleet.store.document(production.key, "main", fleet.clock())
    bad = fleet.store.document(staging.key, "main", fleet.clock())
    assert good is not None
    assert bad is not None
    assert [(each["environment"], each["score"]) for each in (good, bad)] == [("production", 91.3), ("staging", 47.8)]
    assert [change.key for change in fleet.store.changes(checklist="main", key=staging.key, row="alive")] == [
        staging.key
    ]


def test_shards_of_a_cycle_close_it_with_the_last_one(fleet: Fleet) -> None:
    services = [fleet.add(f"s{number:03}") for number in range(3)]
    planned = fleet.store.plan(Cadence.LIVE, 1, tuple(f"service:{service.key}" for service in services), fleet.clock())
    assert planned is not None

    states = []
    for shard in planned.shards:
        fleet.store.record(planned.id, shard, (), fleet.clock(), fleet.clock())
        states.append(fleet.store.cycle(planned.id).state)  # type: ignore[union-attr]

    assert states == ["running", "running", "done"]


def test_text_that_no_database_holds_is_stored_without_what_it_cannot_hold(fleet: Fleet) -> None:
    service = fleet.add("payments", Build(steps=3, note="half \ud800 and \0 nothing"))
    other = fleet.add("ledger")
    fleet.refuse(service.key, Spread, Unavailable(Cause.BAD_RESPONSE, "it said \udfff\0"))

    fleet.run()

    stored = fleet.store.seen(service.key).observations
    assert stored[Build].value == Build(steps=3, note="half \\ud800 and \0 nothing")
    assert stored[Spread].value == Unavailable(Cause.BAD_RESPONSE, "it said \\udfff\0")
    assert fleet.store.summary(other.key, "main", fleet.clock()).score == 91.3  # type: ignore[union-attr]


def test_the_summary_of_a_checklist_that_applies_no_more_leaves_lists_and_metrics(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    before = fleet.clock()
    shown = fleet.store.document(service.key, "beside", before)
    assert shown is not None
    seq = fleet.store.metric_rows(before).seq
    fleet.until(minutes=1)

    fleet.configure(applies=lambda name, _service: name == "main")

    assert fleet.store.summary(service.key, "beside", fleet.clock()).score is None  # type: ignore[union-attr]
    (row,) = fleet.store.metric_rows(fleet.clock(), seq).rows
    assert [each.checklist for each in row.summaries] == ["main"]
    assert fleet.store.document(service.key, "beside", fleet.clock() + timedelta(hours=1), at=fleet.clock()) is None
    then = fleet.store.document(service.key, "beside", fleet.clock(), at=before)
    assert then is not None
    assert then["score"] == shown["score"]
    assert moves(fleet, "beside")[-1][-1] == "checklist"
