"""Turns found documents into services and teams. A bad document is a problem of its own; the others stay registered."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from scorecard.catalog import adapters
from scorecard.catalog.backstage import backstage_registration, is_backstage
from scorecard.catalog.documents import Found, Registration, own_registration
from scorecard.catalog.effective import Effective, effective
from scorecard.catalog.layers import Defaults, Layer, MissingFact, located, merged
from scorecard.catalog.places import resolved
from scorecard.catalog.rules import broken_rules, unclean
from scorecard.config.fields import label
from scorecard.model import Service, ServiceKey, Team
from scorecard.problems import Problem, dotted, explain
from scorecard.validators import validator

if TYPE_CHECKING:
    from datetime import date

    from scorecard.catalog.layers import Place
    from scorecard.config import Config
    from scorecard.json_schema import Path


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that is registered, and everything that is wrong with what is not."""

    services: tuple[Service, ...] = ()
    """By name, `production` first and then the other environments."""
    teams: tuple[Team, ...] = ()
    problems: tuple[Problem, ...] = ()
    refused: frozenset[ServiceKey] = frozenset()
    """Services that are described but have a problem."""
    unread: frozenset[str] = frozenset()
    """Files and addresses of which a part could not be read, so that nobody knows what it registers."""
    sources: Mapping[ServiceKey, str] = field(default_factory=dict, repr=False)
    """The file or address that each service came from."""
    layers: Mapping[ServiceKey, tuple[Registration, tuple[Layer, ...]]] = field(default_factory=dict, repr=False)
    """What each service was merged from."""

    _by_key: Mapping[ServiceKey, Service] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {service.key: service for service in self.services})

    def service(self, key: ServiceKey) -> Service | None:
        """The service in that environment; None when it is not registered."""
        return self._by_key.get(key)

    def effective(self, key: ServiceKey) -> Effective | None:
        """The merged service, and where each of its values came from; None when it is not registered."""
        service = self.service(key)
        return effective(service, *self.layers[key]) if service is not None and key in self.layers else None


def build_catalog(
    found: Iterable[Found | Problem], config: Config, *, today: date, rows: frozenset[str] | None = None
) -> Catalog:
    """Register every document that is right.

    A `Problem` in `found` says that a part of a source could not be read. `today` decides how far ahead an exemption
    may end; `rows` are the ids that one may name, any when None.
    """
    return _Building(config, today, rows).catalog(found)


class _Building:
    """One pass over the documents."""

    def __init__(self, config: Config, today: date, rows: frozenset[str] | None) -> None:
        self._config = config
        self._defaults = Defaults(config)
        self._today = today
        self._rows = rows
        kinds = type(config.integrations).model_fields
        self._instances = {kind: tuple(one.name for one in getattr(config.integrations, kind)) for kind in kinds}
        self._problems: list[Problem] = []
        self._unread: set[str] = set()
        self._refused: set[ServiceKey] = set()
        self._names: dict[str, Registration] = {}
        self._services: dict[ServiceKey, Service] = {}
        self._layers: dict[ServiceKey, tuple[Registration, tuple[Layer, ...]]] = {}
        self._teams: dict[str, tuple[Team, Registration]] = {}

    def catalog(self, found: Iterable[Found | Problem]) -> Catalog:
        for item in found:
            if isinstance(item, Problem):
                self._problems.append(item)
                self._unread.add(item.file)
            else:
                self._take(item)
        self._check_former_names()
        teams = self._teams_without_cycles()
        services = sorted(
            self._services.values(), key=lambda one: (one.name, one.environment != "production", one.environment)
        )
        return Catalog(
            services=tuple(services),
            teams=teams,
            problems=tuple(dict.fromkeys(self._problems)),
            refused=frozenset(self._refused),
            unread=frozenset(self._unread),
            sources={key: self._layers[key][0].source for key in self._services},
            layers=self._layers,
        )

    def _take(self, found: Found) -> None:
        if found.document.value is None:
            return
        read = backstage_registration(found) if is_backstage(found.document) else own_registration(found)
        if read is None:
            return
        if not isinstance(read, Registration):
            self._problems += read
            self._refuse_unshaped(found)
        elif read.kind == "Team":
            self._take_team(read)
        else:
            self._take_service(read)

    def _refuse_unshaped(self, found: Found) -> None:
        """A document whose outermost keys are wrong may still say whose it is."""
        value = found.document.value
        metadata = value.get("metadata") if isinstance(value, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if isinstance(name, str):
            self._refused.add(ServiceKey(name))
        else:
            self._unread.add(found.document.name)

    def _take_service(self, registration: Registration) -> None:
        name = registration.name
        first = self._names.get(name)
        if name and first is not None:
            message = f"`{name[:63]}` is registered in {first.where} already; this one is not taken"
            self._problems.append(registration.problem(("metadata", "name"), message))
            return
        if name:
            self._names[name] = registration
        else:
            self._unread.add(registration.source)
        for environment in ("production", *registration.environments):
            self._take_environment(registration, environment)

    def _take_environment(self, registration: Registration, environment: str) -> None:
        key = ServiceKey(registration.name, environment)
        problems, layers, service = self._read(registration, environment)
        if service is None:
            self._problems += problems
            self._refused.add(key)
            return
        self._services[key] = service
        self._layers[key] = (registration, layers)

    def _read(
        self, registration: Registration, environment: str
    ) -> tuple[list[Problem], tuple[Layer, ...], Service | None]:
        """Merge and validate a service in one environment; a service, or problems."""
        try:
            layers = self._layers_of(registration, environment)
        except MissingFact as error:
            file, line = self._config.locate(error.path)
            message = f"is missing, and a default needs it ({file}:{line})"
            return [registration.problem(("metadata", error.fact), message)], (), None
        flat = {
            **registration.metadata,
            "environment": environment,
            "spec": merged(layers),
            "origin": registration.where,
        }

        def locate(path: Path) -> Place:
            if path[:1] == ("spec",) and len(path) > 1:
                return located(layers, path[1:])[0]
            return registration.locate(
                ("environments", environment) if path == ("environment",) else ("metadata", *path)
            )

        try:
            service = validator(Service).validate_json(json.dumps(flat), strict=True)
        except ValidationError as error:
            found = explain(error, schema=adapters.service_keys(), locate=locate)
            return [_moved(problem) for problem in found], layers, None
        broken = list(unclean(flat))
        broken += broken_rules(
            service, today=self._today, rows=self._rows, instances=self._instances, local=registration.local
        )
        if broken:
            return [_broken(locate(path), message) for path, message in broken], layers, None
        return [], layers, resolved(service, self._config.directory)

    def _layers_of(self, registration: Registration, environment: str) -> tuple[Layer, ...]:
        facts = {"name": registration.name, "environment": environment}
        for key, usual in (("team", ""), ("tier", "default"), ("type", "web"), ("lifecycle", "production")):
            value = registration.metadata.get(key, usual)
            facts[key] = value if isinstance(value, str) else ""
        own = Layer(registration.spec, lambda path: registration.locate(("spec", *path)))
        layers = (*self._defaults.layers(facts), own)
        if environment == "production":
            return layers
        before: Path = ("environments", environment)
        return (
            *layers,
            Layer(registration.environments[environment], lambda path: registration.locate((*before, *path))),
        )

    def _check_former_names(self) -> None:
        """History can follow one service only: a former name that is in use, or taken, is refused."""
        claimed: dict[str, Registration] = {}
        for key, service in list(self._services.items()):
            if key.environment != "production":
                continue
            registration = self._layers[key][0]
            for index, name in enumerate(service.formerly):
                other = self._names.get(name) or claimed.get(name)
                if other is not None:
                    message = f"`{name}` belongs to `{other.name}` in {other.where} already; this service is not taken"
                    self._problems.append(registration.problem(("metadata", "formerly", index), message))
                    self._drop(service.name)
                    break
                claimed[name] = registration

    def _drop(self, name: str) -> None:
        for key in [key for key in self._services if key.name == name]:
            del self._services[key], self._layers[key]
            self._refused.add(key)

    def _take_team(self, registration: Registration) -> None:
        def locate(path: Path) -> Place:
            return registration.locate(("metadata", *path))

        try:
            flat = {**registration.metadata, "origin": registration.where}
            team = validator(Team).validate_json(json.dumps(flat), strict=True)
        except ValidationError as error:
            self._problems += explain(error, schema=adapters.team_keys(), locate=locate)
            return
        broken = [*unclean(flat), *_team_rules(team)]
        first = self._teams.get(team.name)
        if first is not None:
            broken.append(
                (("name",), f"`{team.name[:63]}` is defined in {first[1].where} already; this one is not taken")
            )
        if broken:
            self._problems += (_broken(locate(path), message) for path, message in broken)
            return
        self._teams[team.name] = (team, registration)

    def _teams_without_cycles(self) -> tuple[Team, ...]:
        """Every team; of a circle of parents, the first by name loses its parent and is a problem."""
        for name in sorted(self._teams):
            seen, here = {name}, self._teams[name][0].parent
            while here in self._teams and here not in seen:
                seen.add(here)
                here = self._teams[here][0].parent
            if here == name:
                team, registration = self._teams[name]
                message = f"`{team.parent}` is itself part of `{name}`: the circle is cut here"
                self._problems.append(registration.problem(("metadata", "parent"), message))
                self._teams[name] = (dataclasses.replace(team, parent=""), registration)
        return tuple(self._teams[name][0] for name in sorted(self._teams))


def _team_rules(team: Team) -> list[tuple[Path, str]]:
    broken: list[tuple[Path, str]] = []
    for key, value in (("name", team.name), ("parent", team.parent)):
        try:
            label(value or "none")
        except ValueError as error:
            broken.append(((key,), str(error)))
    try:
        ZoneInfo(team.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        broken.append((("timezone",), f"{team.timezone[:40]!a} is not a time zone such as Australia/Brisbane"))
    return broken


def _broken(place: Place, message: str) -> Problem:
    file, line, written = place
    return Problem(file, line, dotted(written), message)


def _moved(problem: Problem) -> Problem:
    """An unknown key that is known elsewhere is told where it belongs."""
    section, _, key = problem.key.partition(".")
    if not problem.message.startswith("unknown key"):
        return problem
    spec_keys = adapters.service_keys()["$defs"]["Spec"]["properties"]
    if section == "spec" and key in adapters.metadata():
        return dataclasses.replace(problem, message="unknown key; it stands under metadata", nearest="")
    if section == "metadata" and key in spec_keys:
        return dataclasses.replace(problem, message="unknown key; it stands under spec", nearest="")
    return problem
