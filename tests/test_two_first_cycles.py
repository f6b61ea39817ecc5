"""Two cycles measure a new service at the same time; whoever is slower takes nothing back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from scorecard.evidence import Answer, DecisionRecords, Endpoint, Evidence, HealthEndpoints, Reply
from scorecard.model import Cadence, Health, Service, ServiceKey, Spec
from scorecard.probes import Upstream
from scorecard.run import Runner
from scorecard.store import Store
from scorecard.telemetry import Telemetry
from scorecard.work import Item, Worker, items, plan_shards


class Says:
    """A probe that gives one answer, and lets something happen before it does."""

    needs: tuple[type[Evidence], ...] = ()

    def __init__(self, value: Evidence, meanwhile: list[Item], run: list[Worker]) -> None:
        self.name = value.kind().lower()
        self.answers = type(value)
        self._value = value
        self._meanwhile = meanwhile
        self._run = run

    def ask(self, services: Sequence[Service], _upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        while self._meanwhile:
            self._run[0].run(self._meanwhile.pop())
        for service in services:
            yield service.key, self._value


def up(path: str) -> Endpoint:
    return Endpoint(url=f"http://127.0.0.1{path}", reply=Reply.ANSWERED, status=200, well_formed=True)


def test_a_slower_first_cycle_does_not_take_back_what_a_quicker_one_found(store: Store, clock: object) -> None:
    tick = iter(range(10_000))

    def now() -> datetime:
        clock.forward(milliseconds=next(tick))
        return clock()

    service = Service(name="payments", spec=Spec(url="http://127.0.0.1", health=Health(liveness="/l", readiness="/r")))
    store.sync([service], [], now())
    meanwhile: list[Item] = []
    workers: list[Worker] = []
    probes = [
        Says(HealthEndpoints(liveness=up("/l"), readiness=up("/r")), meanwhile, workers),
        Says(DecisionRecords(folders=(), records=(), structure_changed_on=None), [], workers),
    ]
    runner = Runner(probes, clock=now, telemetry=Telemetry(), pause=lambda _: None)
    workers.append(Worker(store, lambda: runner, now, Telemetry()))
    live, source = (
        items(store.plan(cadence, 1, plan_shards([service], cadence), now()))[0]
        for cadence in (Cadence.LIVE, DecisionRecords.cadence)
    )
    meanwhile.append(source)
    workers[0].run(live)
    document = store.document(service.key, "production-readiness", now())
    status = {row["id"]: row["status"] for row in document["rows"]}
    checks = {row["id"]: {check["id"]: check["status"] for check in row["checks"]} for row in document["rows"]}
    assert status["adrs"] == "fail"
    assert checks["health-endpoints"]["liveness"] == "pass"
