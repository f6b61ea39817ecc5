"""What the definitions of running things say: task definitions of ECS services, configurations of Lambda functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import single
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.placement import FUNCTIONS, SERVICES, ecs_services, functions

TASK_DEFINITION = single("ecs", "DescribeTaskDefinition", "taskDefinition")
ALIASES = single("lambda", "ListAliases", "FunctionName", "Aliases", nothing={"ResourceNotFoundException"})
CONFIGURATION = single("lambda", "GetFunctionConfiguration", "FunctionName", nothing={"ResourceNotFoundException"})
OF_SERVICES = (SERVICES, TASK_DEFINITION)
OF_FUNCTIONS = (FUNCTIONS, ALIASES, CONFIGURATION)


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a task definition that an ECS service runs."""

    name: str
    """The service's ARN and the container's name."""
    where: str
    """`task definition payments:41`."""
    definition: Item
    """As ECS has it. It may hold secrets: nothing of it is kept but what is looked for."""


@dataclass(frozen=True, slots=True)
class Function:
    """One version of a Lambda function that can be called."""

    name: str
    """The function's ARN; with the version, where that is not $LATEST."""
    where: str
    """`version $LATEST`."""
    configuration: Item
    """As Lambda has it, with the same care."""


def in_use(service: Item) -> tuple[str, ...]:
    """The task definitions of an ECS service: what it is to run, and what still runs while it is deployed."""
    parts = (*service.get("deployments", ()), *service.get("taskSets", ()))
    running = [str(one["taskDefinition"]) for one in parts if one.get("runningCount") and one.get("taskDefinition")]
    asked = [
        str(one["taskDefinition"]) for one in parts if one.get("status") == "PRIMARY" and one.get("taskDefinition")
    ]
    wanted = [str(service["taskDefinition"])] if service.get("taskDefinition") else []
    return tuple(dict.fromkeys((*wanted, *asked, *running)))


def task_definitions(lane: Lane, names: Sequence[str]) -> Mapping[str, Item | Unavailable]:
    """The definitions with those ARNs."""
    found: dict[str, Item | Unavailable] = {}
    for name, swept in lane.one(TASK_DEFINITION, names).items():
        words = f"{lane.label}, {TASK_DEFINITION.name}: {name} came without its definition"
        nothing = Unavailable(Cause.BAD_RESPONSE, words)
        found[name] = swept.missing or swept.first.get("taskDefinition") or nothing
    return found


def containers(lane: Lane, arns: Sequence[Arn]) -> Mapping[str, Sequence[Container] | Unavailable]:
    """The containers of ECS services, by the service's ARN. What one definition lacks, the service lacks."""
    services = ecs_services(lane, arns)
    wanted = {name: in_use(one) for name, one in services.items() if not isinstance(one, Unavailable)}
    known = task_definitions(lane, [name for names in wanted.values() for name in names])
    found: dict[str, Sequence[Container] | Unavailable] = {
        name: one for name, one in services.items() if isinstance(one, Unavailable)
    }
    for name, definitions in wanted.items():
        if not definitions:
            words = f"{lane.label}, {SERVICES.name}: {name} names no task definition"
            found[name] = Unavailable(Cause.NOT_SUPPORTED, words)
            continue
        parts: list[Container] = []
        missing: Unavailable | None = None
        for definition in definitions:
            one = known[definition]
            if isinstance(one, Unavailable):
                missing = one
            else:
                where = f"task definition {definition.rpartition('/')[2]}"
                parts += [Container(f"{name} {c['name']}", where, c) for c in one.get("containerDefinitions", ())]
        found[name] = missing or parts
    return found


def versions(lane: Lane, arns: Sequence[Arn]) -> Mapping[str, Sequence[Function] | Unavailable]:
    """What can be called of Lambda functions, by ARN: $LATEST, and the versions that aliases lead to."""
    known = functions(lane, arns)
    there = [name for name, one in known.items() if not isinstance(one, Unavailable)]
    aliases = lane.one(ALIASES, there)
    wanted = {
        name: sorted({f"{name}:{one}" for alias in aliases[name].items for one in _led_to(alias)}) for name in there
    }
    swept = lane.one(CONFIGURATION, [one for names in wanted.values() for one in names])
    found: dict[str, Sequence[Function] | Unavailable] = {}
    for name, one in known.items():
        if isinstance(one, Unavailable):
            found[name] = one
            continue
        missing = aliases[name].missing or next((swept[v].missing for v in wanted[name] if swept[v].missing), None)
        latest = Function(name, "version $LATEST", one)
        others = [
            Function(v, f"version {v.rpartition(':')[2]}", swept[v].first) for v in wanted[name] if swept[v].items
        ]
        found[name] = missing or (latest, *others)
    return found


def _led_to(alias: Item) -> set[str]:
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return {str(alias.get("FunctionVersion", "")), *map(str, weights)} - {"$LATEST", ""}
