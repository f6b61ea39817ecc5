"""A document names the run that it rests on, now and in the past."""

from __future__ import annotations

from scorecard.model import Cadence
from tests.store.fleet import Build, Fleet


def test_a_document_names_the_run_it_rests_on_and_a_past_one_its_own(fleet: Fleet) -> None:
    service = fleet.add("payments", Build(steps=5))
    fleet.run()
    first = fleet.store.document(service.key, "main", fleet.clock())
    before = fleet.clock()
    fleet.until(hours=1)
    fleet.tell(service.key, Build(steps=0))
    fleet.run(Cadence.SOURCE)

    second = fleet.store.document(service.key, "main", fleet.clock())
    past = fleet.store.document(service.key, "main", fleet.clock(), at=before)

    assert first is not None
    assert second is not None
    assert past is not None
    newest = fleet.store.cycles(limit=1)[0].id
    assert second["run"] == str(newest)
    assert first["run"] not in {"", second["run"]}
    assert past["run"] not in {"", second["run"]}
