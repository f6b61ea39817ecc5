"""A small world for tests of store and engine: three kinds of evidence, two checklists, probes that are told."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from scorecard.check import Category, Finding, Requirement, Risk, Row, failed, passed, warned
from scorecard.checklist import Checklist, ChecklistRow, default_required
from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable, Window
from scorecard.model import Cadence, Cause, GatePolicy, Service, ServiceKey, ServiceType
from scorecard.probes import Probe, Upstream
from scorecard.run import Runner
from scorecard.store import Store
from scorecard.telemetry import Telemetry
from scorecard.work import Item, Worker, items, plan_shards
from tests.conftest import Clock

PERIODS = {
    Cadence.LIVE: timedelta(seconds=60),
    Cadence.PLATFORM: timedelta(minutes=15),
    Cadence.SOURCE: timedelta(hours=24),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Evidence):
    """Live, with a window."""

    cadence: ClassVar[Cadence] = Cadence.LIVE
    window: ClassVar[int] = 5

    ok: bool
    milliseconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(Evidence):
    """Of the platform: good for two hours."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM

    zones: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Build(Evidence):
    """Of the source: good for two days."""

    cadence: ClassVar[Cadence] = Cadence.SOURCE

    steps: int
    note: str = ""


@dataclass(frozen=True)
class Limits:
    """How many steps are enough."""

    minimum: int = 2


def answers(seen: Window[Ping]) -> Finding:
    """It answers."""
    last = seen.last.value
    if isinstance(last, Ping):
        return passed("it answers") if last.ok else failed("silent", "it does not answer")
    raise TypeError(type(last))


def steps(seen: Build, limits: Limits) -> Finding:
    """The pipeline has {minimum} steps."""
    if seen.steps >= limits.minimum:
        return passed(f"{seen.steps} steps")
    return failed("too-few", f"{seen.steps} steps, {limits.minimum} are needed")


def noted(seen: Build) -> Finding:
    """Somebody wrote down why."""
    return passed("noted") if seen.note else warned("no-note", "no note")


def zones(seen: Spread) -> Finding:
    """It runs in two zones."""
    return passed(f"{seen.zones} zones") if seen.zones > 1 else failed("one-zone", "it runs in one zone")


def _row(name: str, risk: Risk, *, limits: type | None = None, needs_state: bool = False) -> Row:
    row = Row(
        title=name, category=Category.RELIABILITY, risk=risk, why="Because.", limits=limits, needs_state=needs_state
    )
    row.module = f"fleet.{name}"
    return row


def checklist(
    name: str = "main",
    *,
    version: int = 1,
    minimum: int = 2,
    rule_version: int = 1,
    drop: frozenset[str] = frozenset(),
) -> Checklist:
    """Four rows: `alive` (critical), `built` (high), `spread` (medium), `kept` (low, of services with data)."""
    alive, built = _row("alive", Risk.CRITICAL), _row("built", Risk.HIGH, limits=Limits)
    spread, kept = _row("spread", Risk.MEDIUM), _row("kept", Risk.LOW, needs_state=True)
    alive.required(remedy="`answer`")(answers)
    built.required(remedy="`build`", version=rule_version)(steps)
    built.advisory(remedy="`write`")(noted)
    spread.required(remedy="`zones = 2`")(zones)
    kept.awaits("restored", Requirement.REQUIRED, rule="It was restored.", remedy="`drill`", awaits="a drill")
    rows = tuple(
        ChecklistRow(
            id=row.id,
            row=row,
            risk=row.risk,
            types=frozenset(ServiceType) - ({ServiceType.JOB} if row is spread else set()),
            needs_state=row.needs_state,
            limits=Limits(minimum) if row is built else None,
            checks=tuple(check for check in row.checks if check.id not in drop),
        )
        for row in (alive, built, spread, kept)
    )
    digest = f"sha256:{name}-{version}-{minimum}-{rule_version}-{sorted(drop)}"
    return Checklist(
        name=name,
        version=version,
        title=name,
        rows=rows,
        required_rows=default_required(rows),
        nearly_within=15,
        digest=digest,
    )


POLICY = GatePolicy(
    checklist="main", minimum_score=80, minimum_coverage=80, measured_within=timedelta(hours=1), maximum_waivers=2
)


class Told:
    """A probe that answers what a test tells it."""

    needs: tuple[type[Evidence], ...] = ()

    def __init__(self, kind: type[Evidence], said: dict[ServiceKey, Answer]) -> None:
        self.answers = kind
        self.name = kind.__name__.lower()
        self._said = said
        self.asked = 0

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        del upstream
        for service in services:
            self.asked += 1
            yield service.key, self._said.get(service.key, Unavailable(Cause.NOT_CONFIGURED, "nobody told"))


@dataclass
class Fleet:
    """A store with its services and what their probes are going to say."""

    store: Store
    clock: Clock
    services: list[Service] = field(default_factory=list)
    said: dict[type[Evidence], dict[ServiceKey, Answer]] = field(
        default_factory=lambda: {kind: {} for kind in (Ping, Spread, Build)}
    )
    telemetry: Telemetry = field(default_factory=Telemetry)

    def __post_init__(self) -> None:
        self.probes: tuple[Probe, ...] = tuple(Told(kind, said) for kind, said in self.said.items())
        self.runner = Runner(self.probes, clock=self.clock, telemetry=self.telemetry, pause=lambda _: None)
        self.worker = Worker(self.store, lambda: self.runner, self.clock, self.telemetry)

    def add(
        self, name: str, *answers: Evidence | Unavailable, environment: str = "production", **facts: object
    ) -> Service:
        """Register a service and say what its probes will see; all is well unless said otherwise."""
        service = self.enrol(name, *answers, environment=environment, **facts)
        self.sync()
        return service

    def enrol(self, name: str, *answers: Evidence, environment: str = "production", **facts: object) -> Service:
        """Write a service into the catalogue, to be taken up later."""
        service = Service(name=name, environment=environment, **{"team": "crew", "tier": "tier-1", **facts})  # type: ignore[arg-type]
        self.services = [other for other in self.services if other.key != service.key] + [service]
        self.tell(service.key, Ping(ok=True), Spread(zones=2), Build(steps=3, note="why"), *answers)
        return service

    def change(self, service: Service, **facts: object) -> Service:
        """Register another definition of a service."""
        changed = dataclasses.replace(service, **facts)  # type: ignore[arg-type]
        self.services = [changed if other.key == service.key else other for other in self.services]
        self.sync()
        return changed

    def remove(self, service: Service) -> None:
        """Take a service out of the catalogue."""
        self.services = [other for other in self.services if other.key != service.key]
        self.sync()

    def sync(self) -> None:
        """Take up the catalogue."""
        self.store.sync(self.services, (), self.clock())

    def tell(self, key: ServiceKey, *answers: Answer) -> None:
        """What the probes are going to see of a service."""
        for answer in answers:
            self.said[type(answer)][key] = answer  # type: ignore[index]

    def refuse(self, key: ServiceKey, kind: type[Evidence], answer: Unavailable | Absent) -> None:
        """What a probe is going to say instead of evidence."""
        self.said[kind][key] = answer

    def configure(self, **changes: Any) -> None:  # noqa: ANN401 - the options of Store.configure
        """Take up a changed configuration, as a reload does."""
        options = {
            "checklists": self.store.checklists,
            "policies": self.store.policies.by_tier,
            "periods": self.store.periods,
            "applies": self.store.applies,
        }
        self.store.configure(**{**options, **changes})
        self.sync()

    def plan(self, cadence: Cadence) -> tuple[Item, ...]:
        """The items of a new cycle."""
        services = [entry.service for entry in self.store.registered().values()]
        tick = self.store.last_tick(cadence) + 1
        planned = self.store.plan(cadence, tick, plan_shards(services, cadence), self.clock())
        assert planned is not None
        return items(planned)

    def run(self, *cadences: Cadence) -> None:
        """One whole run of the cadences, or of all of them."""
        for cadence in cadences or tuple(Cadence):
            for item in self.plan(cadence):
                assert self.worker.run(item)
        self.store.forget()

    def until(self, **delta: float) -> datetime:
        """Let time go by; nothing remembered for seconds stays."""
        self.store.forget()
        return self.clock.forward(**delta)


def exhibit(words: str) -> Exhibit:
    """One answer behind a finding."""
    return Exhibit(source="fleet", request=f"ask {words}", facts={"words": words}, excerpt=words)


LISTS: Mapping[str, Checklist] = {"main": checklist(), "beside": checklist("beside", minimum=4)}
