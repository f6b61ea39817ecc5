"""What `check SERVICE|FILE|DIR` is about: the services, where they are defined, and the scope that goes with them."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scorecard.cli.problems import CannotTell, Refused
from scorecard.cli.report import Place
from scorecard.cli.start import service_name
from scorecard.cli.workspace import CONFIG_FILE, Workspace, clock, find_service, open_workspace
from scorecard.model import Repository, Scope, Service, ServiceKey

if TYPE_CHECKING:
    from scorecard.catalog import Catalog

_MAX_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a check is about."""

    workspace: Workspace
    services: tuple[Service, ...]
    origins: Mapping[ServiceKey, Place]
    scope: Scope | None = None
    several: bool = False
    files: frozenset[str] = frozenset()
    """Paths of the checked directory, that annotations can point at."""


def find_subject(text: str, config_file: Path | None, environment: str | None) -> Subject:
    """A registered name, else a directory, else a file.

    Raises:
        Refused: nothing of the kind, or it has problems.
        CannotTell: the service is not registered.
    """
    path = Path(text)
    if path.is_dir() and not _is_registered(text, config_file, environment):
        return _directory(path, config_file, environment)
    if path.is_file() or path.suffix in {".yaml", ".yml"}:
        return _file(path, config_file, environment)
    if "/" in text:
        raise Refused(f"{text}: there is no such file or directory")
    workspace = open_workspace(config_file)
    key = service_key(text, environment)
    service = find_service(workspace.catalog(), key)
    return Subject(workspace, (service,), {service.key: place_of(service)})


def service_key(text: str, environment: str | None) -> ServiceKey:
    """`payments`, or `payments@staging`; `--environment` says the same.

    Raises:
        Refused: two different environments.
    """
    key = ServiceKey.parse(text)
    if environment is None:
        return key
    if "@" in text and key.environment != environment:
        raise Refused(f"{text} and --environment {environment} name two environments")
    return ServiceKey(key.name, environment)


def place_of(service: Service) -> Place:
    """Where a service is defined; for one that no file defines, the file that would."""
    found = re.fullmatch(r"(.+):(\d+)", service.origin)
    if found:
        return Place(found[1], int(found[2]))
    return Place(service.origin or f"services/{service.name}.yaml", 1)


def _is_registered(text: str, config_file: Path | None, environment: str | None) -> bool:
    """Whether a plain word that is a directory too is a service of ours: then the service is meant."""
    if "/" in text or text in {".", ".."} or not (config_file or Path(CONFIG_FILE)).is_file():
        return False
    catalog = open_workspace(config_file).catalog()
    return catalog.service(service_key(text, environment)) is not None


def _file(path: Path, config_file: Path | None, environment: str | None) -> Subject:
    from scorecard.catalog import build_catalog, read_files

    workspace = open_workspace(config_file)
    rows = workspace.row_ids
    catalog = build_catalog(read_files([path]), workspace.config, today=clock().date(), rows=rows)
    services = _clean(catalog, str(path))
    wanted = environment or "production"
    chosen = tuple(service for service in services if service.environment == wanted)
    if not chosen:
        raise CannotTell(f"{path} defines no service of the environment {wanted}")
    return Subject(workspace, chosen, {one.key: place_of(one) for one in chosen}, several=True)


def _clean(catalog: Catalog, name: str) -> tuple[Service, ...]:
    if catalog.problems:
        raise Refused("\n".join(str(problem) for problem in catalog.problems))
    if not catalog.services:
        raise Refused(f"{name} defines no service")
    return catalog.services


def _directory(directory: Path, config_file: Path | None, environment: str | None) -> Subject:
    """The services whose repository is the directory; where none is registered, one by the directory's name."""
    workspace = open_workspace(config_file, directory)
    root = str(directory.resolve())
    services = _registered_here(workspace, directory, environment or "production", root)
    if not services:
        made = Service(name=service_name(directory), environment=environment or "production")
        services = (_reading(made, root),)
    return Subject(
        workspace,
        services,
        {service.key: _within(place_of(service), directory) for service in services},
        scope=Scope.REPOSITORY,
        several=len(services) > 1,
        files=_files(directory),
    )


def _registered_here(workspace: Workspace, directory: Path, environment: str, root: str) -> tuple[Service, ...]:
    """Those that name the directory as their repository; else the only service there is, read from the directory."""
    from scorecard.catalog import build_catalog, read_files

    info = directory / "catalog-info.yaml"
    if info.is_file() and not (directory / CONFIG_FILE).is_file():
        found = read_files([info])
        catalog = build_catalog(found, workspace.config, today=clock().date(), rows=workspace.row_ids)
    else:
        catalog = workspace.catalog()
    if catalog.problems:
        raise Refused("\n".join(str(problem) for problem in catalog.problems))
    candidates = [service for service in catalog.services if service.environment == environment]
    here = [one for one in candidates if any(repository.url == root for repository in one.spec.repositories)]
    if here:
        return tuple(here)
    return (_reading(candidates[0], root),) if len(candidates) == 1 else ()


def _reading(service: Service, root: str) -> Service:
    """The service with the directory in place of its repositories: a check of a directory reads nothing else."""
    source = next((one for one in service.spec.repositories if one.role == "source"), None)
    repository = Repository(url=root, path=source.path if source else ".")
    return dataclasses.replace(service, spec=dataclasses.replace(service.spec, repositories=(repository,)))


def _within(place: Place, directory: Path) -> Place:
    """The place relative to the checked directory, as an annotation in its repository needs it."""
    try:
        return Place(Path(place.file).resolve().relative_to(directory.resolve()).as_posix(), place.line)
    except ValueError:
        return place


def _files(directory: Path) -> frozenset[str]:
    found: set[str] = set()
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name not in {".git", "node_modules", ".venv"}]
        found.update((Path(folder) / name).relative_to(directory).as_posix() for name in names)
        if len(found) > _MAX_FILES:
            break
    return frozenset(found)
