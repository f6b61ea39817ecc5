"""What every command starts from: the configuration of this directory, its catalogue, the installed checklists.

The clock and the environment are made here and handed on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorecard.cli.output import say
from scorecard.cli.problems import CannotTell, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorecard.catalog import Catalog
    from scorecard.checklist import Checklist
    from scorecard.config import Config
    from scorecard.model import Service, ServiceKey
    from scorecard.problems import Problem
    from scorecard.registry import Registry
    from scorecard.store import Store

CONFIG_FILE = "scorecard.yaml"

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"The configuration; {CONFIG_FILE} of this directory unless given.",
)


def clock() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the command line is where the clock is made


@dataclass(frozen=True, slots=True)
class Workspace:
    """A configuration, with what is installed to read it with."""

    config: Config
    registry: Registry
    checklists: dict[str, Checklist]
    """Those that the configuration uses, in its order, by name."""

    def catalog(self) -> Catalog:
        """Read every source of the catalogue; what is wrong stands in its `problems`."""
        from scorecard.catalog import load_catalog

        return load_catalog(self.config, now=clock(), rows=self.row_ids)

    @property
    def row_ids(self) -> frozenset[str]:
        """Every row that an exemption may name."""
        return frozenset(self.registry.rows) | {row.id for one in self.checklists.values() for row in one.rows}

    def checklist(self, name: str | None, service: Service) -> Checklist:
        """The checklist of that name, or the first that the configuration says applies to the service.

        Raises:
            Refused: no such checklist, or none applies.
        """
        if name is None:
            return self._primary(service)
        if name in self.checklists:
            return self.checklists[name]
        return named_checklist(self.registry, name, self.config.directory)

    def _primary(self, service: Service) -> Checklist:
        from scorecard.catalog.layers import matches

        facts = {
            "name": service.name,
            "team": service.team,
            "tier": service.tier,
            "type": service.type.value,
            "lifecycle": service.lifecycle.value,
            "environment": service.environment,
        }
        for use, checklist in zip(self.config.checklists, self.checklists.values(), strict=True):
            if matches(use.match, facts):
                return checklist
        raise Refused(f"{service.key}: no checklist of {CONFIG_FILE} applies to it")

    def store(self) -> Store:
        """Open the configured store for reading.

        Raises:
            CannotTell: there is none yet, or it cannot be used; nothing was measured then.
        """
        from scorecard.config import SecretUnavailable
        from scorecard.store import StoreError

        try:
            store = self.open_store()
            if store.db.path is not None and not store.db.path.is_file():
                raise CannotTell(
                    f"{store.db.path}: there is no store yet; scorecard serve makes one and measures into it"
                )
            reason = store.ready()
        except (StoreError, SecretUnavailable) as error:
            raise CannotTell(str(error)) from error
        if reason:
            raise CannotTell(f"the store cannot be used: {reason}")
        return store

    def open_store(self) -> Store:
        """The configured store, whether or not it is there.

        Raises:
            StoreError: not an address of a store, or its driver is not installed.
            SecretUnavailable: the file that holds its address cannot be read.
        """
        from scorecard.app import store_of

        return store_of(self.config, self.checklists)


def open_workspace(config_file: Path | None = None, directory: Path | None = None) -> Workspace:
    """Read the configuration of a directory, this one unless given; without a file, the defaults.

    Raises:
        Refused: a bad configuration or checklist; every problem with file, line and key.
    """
    from scorecard.config import ConfigError, load_config
    from scorecard.logging import warn_on_stderr
    from scorecard.registry import RegistryError, installed

    warn_on_stderr()
    base = directory or Path()
    path = config_file or base / CONFIG_FILE
    if config_file is not None and not path.is_file():
        raise Refused(f"{path}: there is no such file")
    try:
        config = load_config(path if path.is_file() else None, os.environ, directory=base)
    except ConfigError as error:
        raise Refused(str(error)) from error
    try:
        registry = installed()
    except RegistryError as error:
        raise Refused(str(error)) from error
    return Workspace(config, registry, _used_checklists(config, registry))


def _used_checklists(config: Config, registry: Registry) -> dict[str, Checklist]:
    from scorecard.problems import Problem, nearest
    from scorecard.registry import RegistryError

    found: dict[str, Checklist] = {}
    for index, use in enumerate(config.checklists):
        try:
            checklist = registry.checklist(use.use, config.directory)
        except RegistryError as error:
            file, line = config.locate(("checklists", index, "use"))
            near = nearest(use.use, registry.shipped)
            raise Refused(str(Problem(file, line, f"checklists[{index}].use", str(error), near))) from error
        found[checklist.name] = checklist
    return found


def named_checklist(registry: Registry, name: str, base: Path) -> Checklist:
    """A shipped checklist, or one in a file.

    Raises:
        Refused: no such checklist, or one that does not hold.
    """
    from scorecard.problems import nearest
    from scorecard.registry import RegistryError

    try:
        return registry.checklist(name, base)
    except RegistryError as error:
        near = nearest(name, registry.shipped)
        raise Refused(f"{error}" + (f"; did you mean {near}?" if near else "")) from error


def checklists_named(name: str | None) -> tuple[Checklist, ...]:
    """One checklist by name, or every one that the configuration uses."""
    workspace = open_workspace()
    if name is None:
        return tuple(workspace.checklists.values())
    found = workspace.checklists.get(name)
    return (found or named_checklist(workspace.registry, name, workspace.config.directory),)


def find_service(catalog: Catalog, key: ServiceKey) -> Service:
    """The registered service, by its name or a former one.

    Raises:
        Refused: its definition has a problem.
        CannotTell: it is not registered; the nearest name is told.
    """
    from scorecard.problems import nearest

    for service in catalog.services:
        if service.environment == key.environment and key.name in {service.name, *service.formerly}:
            return service
    if key in catalog.refused:
        problems = [str(problem) for problem in catalog.problems]
        raise Refused("\n".join([*problems, f"{key} is not registered: its definition has problems"]))
    environments = [one.environment for one in catalog.services if one.name == key.name]
    if environments:
        raise CannotTell(f"{key.name} has no environment {key.environment}; it has {', '.join(environments)}")
    near = nearest(key.name, [service.name for service in catalog.services])
    hint = f"; did you mean {near}?" if near else "; scorecard services list names those that are"
    raise CannotTell(f"{key} is not registered{hint}")


def warn_of(problems: Iterable[Problem]) -> None:
    """Tell of bad documents that do not concern what was asked for."""
    for problem in problems:
        say(str(problem))
