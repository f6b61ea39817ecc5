"""A question to AWS: readers by kind of resource, and the probe that gives them the resources of all services at once.

    DATA_AT_REST = Question("data-at-rest", DataAtRest, (
        Reader(("rds:db",), databases, (INSTANCES,)),
        ...
    ))

A reader is given a lane and the ARNs of its kinds of all services there, and answers for each of them: with nothing
where it exists and the question is not about it. What it does not answer for does not exist any more: tags outlive what
carried them; of what a service's file names by its ARN that is an answer too, `Gone`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.aws import Gone, Resource, Resources, Unseen
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.aws.arns import Arn, read_arn
from scorecard.probes.aws.calls import Call
from scorecard.probes.aws.lane import Lane
from scorecard.probes.aws.places import Places

Item = Any
"""A frozen dataclass of `scorecard.evidence.aws` with a name."""
Read = Mapping[str, Sequence[Item] | Unavailable]
"""By ARN: what was found, or why it is not known."""
_EXHIBITS = 20
T = TypeVar("T")


def of_known(answers: Mapping[str, T | Unavailable], read: Callable[[str, T], Sequence[Item] | Unavailable]) -> Read:
    """What `read` makes of each subject, given its name; one that could not be seen stays so."""
    return {name: one if isinstance(one, Unavailable) else read(name, one) for name, one in answers.items()}


@dataclass(frozen=True, slots=True)
class Reader:
    """Answers for some kinds of resources."""

    kinds: tuple[str, ...]
    """As `Arn.kind` has them."""
    read: Callable[[Lane, Sequence[Arn]], Read]
    calls: tuple[Call, ...]
    """What it makes; the policy and `doctor` are made of them."""


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of evidence, `items` its items."""

    name: str
    """The probe's."""
    answers: type[Evidence]
    readers: tuple[Reader, ...]
    things: str
    """What is asked about, for who has none: `load balancers`."""
    merge: Callable[[Item, Item], Item] | None = None
    """Makes one of two items of a name; the first stays unless given."""
    gone: bool = False
    """Whether its items say `Gone` of what a service's file names and AWS does not have."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """What it makes, without repetition."""
        return tuple(dict.fromkeys(call for reader in self.readers for call in reader.calls))

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of resources that it is about."""
        return frozenset(kind for reader in self.readers for kind in reader.kinds)


@dataclass
class QuestionProbe:
    """Asks one question for many services."""

    question: Question
    places: Places
    needs: tuple[type[Evidence], ...] = (Resources,)

    @property
    def name(self) -> str:
        """The question's."""
        return self.question.name

    @property
    def answers(self) -> type[Evidence]:
        """The question's."""
        return self.question.answers

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Every reader once for each account and region, with the resources of all services."""
        mapped = {service.key: upstream.answer(service.key, Resources) for service in services}
        lanes: dict[int, tuple[Lane, dict[str, set[Arn]]]] = {}
        for service in services:
            found, known = mapped[service.key], self.places.lanes(service)
            if not isinstance(found, Resources) or isinstance(known, Unavailable):
                continue
            for resource in found.resources:
                lane = next((one for one in known if one.region == resource.region), None)
                arn = read_arn(resource.name)
                if lane is not None and arn is not None and arn.kind in self.question.kinds:
                    lanes.setdefault(id(lane), (lane, defaultdict(set)))[1][arn.kind].add(arn)
        wanted = {key: kinds for key, (_, kinds) in lanes.items()}
        parts = self.places.each_lane(
            [lane for lane, _ in lanes.values()], lambda lane: self._read(lane, wanted[id(lane)])
        )
        read = {
            (lane.account.account, lane.region): part for (lane, _), part in zip(lanes.values(), parts, strict=True)
        }
        for service in services:
            yield service.key, self._answer(mapped[service.key], read)
        self.places.count(upstream)

    def _read(
        self, lane: Lane, wanted: Mapping[str, set[Arn]]
    ) -> dict[str, tuple[Reader, Sequence[Item] | Unavailable]]:
        found: dict[str, tuple[Reader, Sequence[Item] | Unavailable]] = {}
        for reader in self.question.readers:
            arns = sorted(arn for kind in reader.kinds for arn in wanted.get(kind, ()))
            if not arns:
                continue
            try:
                answers = reader.read(lane, arns)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                # AWS's answers are as its model says, or they are no answers.
                names = ", ".join(call.name for call in reader.calls)
                words = f"{lane.label}, {names}: another document than was asked for ({type(error).__name__}: {error})"
                answers = {arn.text: Unavailable(Cause.BAD_RESPONSE, words) for arn in arns}
            found |= {name: (reader, answer) for name, answer in answers.items()}
        return found

    def _answer(
        self,
        resources: Answer,
        read: Mapping[tuple[str, str], Mapping[str, tuple[Reader, Sequence[Item] | Unavailable]]],
    ) -> Answer:
        if not isinstance(resources, Resources):
            return resources
        items: dict[str, Item] = {}
        exhibits: list[Exhibit] = []
        for resource in resources.resources:
            entry = read.get((resource.account, resource.region), {}).get(resource.name)
            if entry is not None:
                self._take(resource, *entry, items, exhibits)
            elif self.question.gone and resource.declared and resource.kind in self.question.kinds:
                items[resource.name] = Gone(resource.name)
        unlisted = tuple(one.why for one in resources.unlisted if one.kind in self.question.kinds)
        missing = (*resources.missing, *unlisted)
        if not items and not missing:
            count = len(resources.resources)
            return Absent(f"there are no {self.question.things} among the {count} resources of the service")
        made: Evidence = self.question.answers(  # type: ignore[call-arg] # every kind asked here has items
            items=tuple(items.values()), missing=missing, exhibits=tuple(exhibits)
        )
        return made

    def _take(
        self,
        resource: Resource,
        reader: Reader,
        found: Sequence[Item] | Unavailable,
        items: dict[str, Item],
        exhibits: list[Exhibit],
    ) -> None:
        if isinstance(found, Unavailable):
            items[resource.name] = Unseen(resource.name, found)
            return
        for item in found:
            known = items.get(item.name)
            if known is None:
                items[item.name] = _claimed(item, resource)
                if not isinstance(item, Unseen) and len(exhibits) < _EXHIBITS:
                    exhibits.append(_exhibit(item, resource, reader))
            elif self.question.merge is not None and not isinstance(known, Unseen):
                items[item.name] = item if isinstance(item, Unseen) else self.question.merge(known, item)


def _claimed(item: Item, resource: Resource) -> Item:
    if resource.claimed_by and hasattr(item, "claimed_by"):
        return replace(item, claimed_by=resource.claimed_by)
    return item


def _exhibit(item: Item, resource: Resource, reader: Reader) -> Exhibit:
    """What was seen of it, and the commands that show it again."""
    from botocore import xform_name

    commands = [
        f"aws {call.service} {xform_name(call.operation, '-')} --region {resource.region}" for call in reader.calls
    ]
    facts: dict[str, str | int | float | bool | None] = {}
    for one in fields(item):
        value = getattr(item, one.name)
        if value in ("", ()):
            continue  # What there is nothing to say of is no fact.
        if isinstance(value, str | int | bool | None):
            facts[one.name] = value
        elif isinstance(value, tuple):
            facts[one.name] = ", ".join(
                " ".join(map(str, part)) if isinstance(part, tuple) else str(part) for part in value
            )
    return Exhibit(source="aws", request="; ".join(commands) or "no call: it is so by design", facts=facts)
