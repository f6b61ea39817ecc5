"""The state that a service's Terraform left in S3, and the plan that its pipeline publishes there.

    infrastructure: {state: "s3://tf-state/payments.tfstate", plan: "s3://tf-plans/payments.json"}

Each is read once for all services that name it, by the limited child, and nothing of it is kept but what
`scorecard.probes.aws.terraform` lets out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.infrastructure import TerraformPlan, TerraformState
from scorecard.isolation import ChildLimits, UnreadableError, Worker
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.aws.lane import REUSED, Lane
from scorecard.probes.aws.objects import OBJECT, Fetched, Place, fetch, read_place
from scorecard.probes.aws.places import Places
from scorecard.probes.aws.terraform import ATTRIBUTES, LIMIT, PlanRead, ReadPlan, ReadState, StateRead, packed

CALLS = (OBJECT,)
_LINES = """spec:
  infrastructure: {{state: "s3://tf-state/{name}.tfstate"}}"""
_CHILD = ChildLimits(cpu=40, wall=120.0, memory=2 << 30)
"""A state of 62 MiB took 4 s and 400 MB."""
_KEPT = 2 * REUSED
_THREADS = 4
"""Objects that are fetched at once; each may have 64 MiB."""

Made = Callable[[Place, Fetched, Worker], Answer]
"""Makes evidence of an object. Raises UnreadableError."""


def reading_child() -> Worker:
    """The child that reads states and plans; started when it is first asked."""
    return Worker("scorecard.probes.aws.terraform", limits=_CHILD)


def place_of(service: Service, key: str) -> Place | Unavailable | Absent:
    """Where a service has its `state` or its `plan`; Absent where it names only the other one."""
    about = service.spec.infrastructure
    text = getattr(about, key) if about else None
    if not text:
        if about is not None and (about.state or about.plan):
            return Absent(f"spec.infrastructure.{key} is not given")
        words = "spec.infrastructure names neither a state nor a plan"
        return Unavailable(Cause.NOT_CONFIGURED, words, _LINES.format(name=service.name))
    place = read_place(text)
    if place is None:
        words = f"spec.infrastructure.{key} is {text}: this version reads s3://bucket/key"
        return Unavailable(Cause.NOT_SUPPORTED, words)
    return place


@dataclass
class DocumentProbe:
    """Reads what services name under one key of `infrastructure`, each object once."""

    places: Places
    child: Worker
    key: str
    answers: type[Evidence]
    made: Made
    needs: tuple[type[Evidence], ...] = ()
    _kept: dict[tuple[str, Place], tuple[float, Answer]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`terraform-state`."""
        return f"terraform-{self.key}"

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """An answer for each service."""
        self.places.begin(patient=upstream.patient)
        asked = {service.key: self._asked(service) for service in services}
        wanted = {
            (lane.account.label, place): lane
            for one in asked.values()
            if isinstance(one, tuple)
            for lane, place in [one]
        }
        todo = [key for key, lane in wanted.items() if self._age(key) > lane.patience()]
        with ThreadPoolExecutor(_THREADS, "terraform") as pool:
            found = list(pool.map(lambda key: self._read(wanted[key], key[1]), todo))
        now = time.monotonic()
        self._kept |= {key: (now, answer) for key, answer in zip(todo, found, strict=True)}
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] <= _KEPT}
        for service in services:
            one = asked[service.key]
            yield service.key, self._kept[one[0].account.label, one[1]][1] if isinstance(one, tuple) else one
        self.places.count(upstream)

    def _asked(self, service: Service) -> tuple[Lane, Place] | Unavailable | Absent:
        """Who asks for what; a bucket is found from every region."""
        place = place_of(service, self.key)
        if not isinstance(place, Place):
            return place
        lanes = self.places.lanes(service)
        return lanes if isinstance(lanes, Unavailable) else (lanes[0], place)

    def _age(self, key: tuple[str, Place]) -> float:
        return time.monotonic() - self._kept[key][0] if key in self._kept else _KEPT

    def _read(self, lane: Lane, place: Place) -> Answer:
        found = fetch(lane, place, LIMIT)
        if isinstance(found, Unavailable):
            return found
        try:
            return self.made(place, found, self.child)
        except UnreadableError as error:
            return Unavailable(error.cause, f"{place.text}: {error.detail}")


def state_probe(places: Places, child: Worker) -> DocumentProbe:
    """Reads states."""
    return DocumentProbe(places, child, "state", TerraformState, _state)


def plan_probe(places: Places, child: Worker) -> DocumentProbe:
    """Reads plans."""
    return DocumentProbe(places, child, "plan", TerraformPlan, _plan)


def _state(place: Place, found: Fetched, child: Worker) -> TerraformState:
    read = child.ask(ReadState(packed(found.data)), StateRead)
    compared = sum(one.type in ATTRIBUTES for one in read.resources)
    facts: dict[str, str | int] = {
        "serial": read.serial,
        "terraform_version": read.terraform,
        "resources": read.count,
        "compared": compared,
    }
    return TerraformState(
        place=place.text, resources=read.resources, count=read.count, exhibits=(_exhibit(place, found, facts),)
    )


def _plan(place: Place, found: Fetched, child: Worker) -> TerraformPlan:
    read = child.ask(ReadPlan(packed(found.data)), PlanRead)
    made = min(_time(read.timestamp) or found.modified_at, found.modified_at)
    facts: dict[str, str | int] = {
        "terraform_version": read.terraform,
        "made_at": made.isoformat(),
        "resource_drift": len(read.drift),
        "resource_changes": read.changes,
    }
    return TerraformPlan(
        place=place.text,
        made_at=made,
        drift=read.drift,
        changes=read.changes,
        missing=_missing(place, read),
        exhibits=(_exhibit(place, found, facts),),
    )


def _missing(place: Place, read: PlanRead) -> tuple[Unavailable, ...]:
    if read.errored:
        return (Unavailable(Cause.NO_DATA, f"{place.text}: the plan broke off; more may have drifted"),)
    if not read.complete:
        words = f"{place.text}: the plan is of a part only (complete is false); plan without -target"
        return (Unavailable(Cause.NO_DATA, words),)
    return ()


def _time(text: str) -> datetime | None:
    """The plan's own word for when it was made; None of a Terraform that does not say."""
    if not text:
        return None
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        made = None
    if made is None or made.tzinfo is None:
        raise UnreadableError(Cause.BAD_RESPONSE, "its timestamp is no time")
    return made.astimezone(UTC)


def _exhibit(place: Place, found: Fetched, facts: dict[str, str | int]) -> Exhibit:
    more: dict[str, str | int | float | bool | None] = {
        **facts,
        "bytes": len(found.data),
        "written_at": found.modified_at.isoformat(),
    }
    # No excerpt: states and plans hold passwords.
    return Exhibit(source="aws", request=f"aws s3 cp {place.text} -", facts=more)
