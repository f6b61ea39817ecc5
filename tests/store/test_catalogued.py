"""Who is registered: renames keep their history, and nothing is lost when a service goes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scorecard.model import Cadence, ServiceKey, Status, Team
from scorecard.store.views import Query
from tests.conftest import START
from tests.store.fleet import Fleet, Ping


def names(fleet: Fleet) -> list[str]:
    return [str(each.key) for each in fleet.store.services()]


def test_history_follows_a_rename(fleet: Fleet) -> None:
    old = fleet.add("card-payments")
    fleet.run()
    fleet.until(minutes=1)
    fleet.remove(old)
    new = fleet.add("payments", formerly=("card-payments",))

    assert names(fleet) == ["payments"]
    assert fleet.store.service(old.key) == new
    assert fleet.store.summary(new.key, "main", fleet.clock()).score == 91.3  # type: ignore[union-attr]
    assert [each.key for each in fleet.store.changes(checklist="main", key=new.key, limit=1)] == [new.key]
    then = fleet.store.document(old.key, "main", fleet.clock(), at=START)
    assert then is not None
    assert then["service"] == "payments"


def test_a_rename_in_the_same_file_keeps_its_history(fleet: Fleet) -> None:
    service = fleet.add("card-payments")
    fleet.run()

    fleet.services = []
    renamed = fleet.add("payments", formerly=("card-payments",))

    assert names(fleet) == ["payments"]
    assert fleet.store.history([renamed.key], "main", 1, START)[renamed.key]
    gone = fleet.store.metric_rows(START + timedelta(seconds=1), since=1).gone
    assert service.key in gone


def test_the_old_name_may_be_taken_by_another_service(fleet: Fleet) -> None:
    fleet.add("card-payments")
    fleet.run()
    fleet.services = []
    fleet.add("payments", formerly=("card-payments",))
    again = fleet.add("card-payments", team="others")

    assert names(fleet) == ["card-payments", "payments"]
    assert fleet.store.service(again.key) == again
    assert fleet.store.summary(again.key, "main", START).score is None  # type: ignore[union-attr]
    assert again.key not in fleet.store.metric_rows(START + timedelta(seconds=1), since=1).gone


def test_a_service_that_goes_leaves_lists_and_keeps_its_history_and_comes_back_with_it(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    fleet.until(minutes=1)
    fleet.remove(service)
    fleet.until(minutes=1)

    assert names(fleet) == []
    assert fleet.store.services(include_gone=True) == (service,)
    assert fleet.store.service(service.key) is None
    assert fleet.store.document(service.key, "main", fleet.clock()) is None
    assert fleet.store.document(service.key, "main", fleet.clock(), at=START) is not None
    assert fleet.store.summaries(Query(checklist="main"), fleet.clock()).total == 0
    assert fleet.store.decision(service.key, fleet.clock()).exit_code == 3
    fleet.until(hours=3)
    fleet.store.settle(fleet.clock())
    fleet.add("payments")

    back = fleet.store.summary(service.key, "main", fleet.clock())
    assert back is not None
    assert dict(back.rows)["alive"] is Status.UNKNOWN
    assert fleet.store.document(service.key, "main", fleet.clock(), at=START)["score"] == 91.3  # type: ignore[index]


def test_the_catalogue_does_not_remove_what_came_by_the_api(fleet: Fleet) -> None:
    registered = fleet.add("by-api")
    fleet.services = []
    fleet.store.register(registered, START)
    assert fleet.store.registered_by_api(registered.key)

    fleet.add("by-file")

    assert names(fleet) == ["by-api", "by-file"]
    assert fleet.store.unregister(registered.key, START)
    assert not fleet.store.unregister(registered.key, START)
    assert names(fleet) == ["by-file"]


def test_teams_are_those_of_the_catalogue(fleet: Fleet) -> None:
    first = (Team(name="b"), Team(name="a", channel="#a"))
    fleet.store.sync((), first, START)
    assert fleet.store.teams() == (first[1], first[0])

    fleet.store.sync((), (Team(name="c"),), START)

    assert [team.name for team in fleet.store.teams()] == ["c"]


def test_taking_up_an_unchanged_catalogue_changes_no_service(fleet: Fleet) -> None:
    fleet.add("payments")
    fleet.run(Cadence.LIVE)
    seq = fleet.store.metric_rows(fleet.until(minutes=1)).seq

    fleet.sync()

    assert fleet.store.metric_rows(fleet.clock(), seq).rows == ()


def test_a_second_environment_is_renamed_on_its_own(fleet: Fleet) -> None:
    fleet.add("old", environment="staging")
    fleet.add("old")
    fleet.services = []

    fleet.add("new", environment="staging", formerly=("old",))

    assert names(fleet) == ["new@staging"]
    assert {str(each.key) for each in fleet.store.services(include_gone=True)} == {"new@staging", "old"}


def test_metrics_are_told_of_services_that_changed_since_and_of_no_other(fleet: Fleet) -> None:
    quiet, moved, gone = fleet.add("quiet"), fleet.add("moved"), fleet.add("gone")
    fleet.run()
    first = fleet.store.metric_rows(fleet.until(minutes=1))
    assert (first.complete, {row.key for row in first.rows}) == (True, {quiet.key, moved.key, gone.key})
    fleet.until(minutes=1)

    fleet.change(moved, team="others")
    fleet.remove(gone)
    changes = fleet.store.metric_rows(fleet.clock(), first.seq)

    assert (changes.complete, [row.key for row in changes.rows], changes.gone) == (False, [moved.key], (gone.key,))
    assert changes.rows[0].team == "others"


@pytest.mark.parametrize("settled", [True, False], ids=["written down", "only read"])
def test_metrics_are_told_of_services_of_which_something_expired(fleet: Fleet, settled: bool) -> None:
    service = fleet.add("payments")
    fleet.run()
    seq = fleet.store.metric_rows(fleet.clock()).seq
    now = fleet.until(minutes=15)
    if settled:
        fleet.store.settle(now)

    (row,) = fleet.store.metric_rows(now, seq).rows

    assert row.key == service.key
    assert dict(row.summaries[0].rows)["alive"] is Status.UNKNOWN
    assert dict(row.last_proven)["alive"] == START
    assert "kept" not in dict(row.last_proven)


def test_the_last_time_a_row_was_proven_stays_while_it_is_unknown(fleet: Fleet) -> None:
    service = fleet.add("payments")
    fleet.run()
    fleet.until(days=5)
    fleet.store.settle(fleet.clock())
    assert dict(fleet.store.metric_rows(fleet.clock()).rows[0].last_proven)["alive"] == START

    fleet.tell(service.key, Ping(ok=False))
    fleet.run(Cadence.LIVE)

    assert dict(fleet.store.metric_rows(fleet.clock()).rows[0].last_proven)["alive"] == fleet.clock()


def test_a_key_is_read_back_as_it_is_written() -> None:
    assert ServiceKey.parse(str(ServiceKey("payments", "staging"))) == ServiceKey("payments", "staging")
