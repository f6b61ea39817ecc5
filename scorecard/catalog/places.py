"""Paths of a service's spec that are on the scorecard's own machine, made absolute."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from scorecard.catalog.rules import is_local

if TYPE_CHECKING:
    from scorecard.model import BackupRef, Service, Spec


def resolved(service: Service, directory: Path) -> Service:
    """The service with every relative path of this machine made absolute from the configuration's directory."""
    spec = service.spec
    changes: dict[str, object] = {}
    if any(_is_relative(repository.url) for repository in spec.repositories):
        changes["repositories"] = tuple(
            dataclasses.replace(one, url=_absolute(one.url, directory)) for one in spec.repositories
        )
    if spec.logs.file is not None and _is_relative(spec.logs.file.path):
        logs = dataclasses.replace(spec.logs.file, path=_absolute(spec.logs.file.path, directory))
        changes["logs"] = dataclasses.replace(spec.logs, file=logs)
    changes |= _platform(spec, directory)
    # Typed by the field each change is for; `replace` takes them by name only.
    return dataclasses.replace(service, spec=dataclasses.replace(spec, **changes)) if changes else service  # type: ignore[arg-type]


def _platform(spec: Spec, directory: Path) -> dict[str, object]:
    changes: dict[str, object] = {}
    if spec.infrastructure is not None:
        given = {key: getattr(spec.infrastructure, key) for key in ("state", "plan")}
        moved = {key: _absolute(path, directory) for key, path in given.items() if path and _is_relative(path)}
        if moved:
            changes["infrastructure"] = dataclasses.replace(spec.infrastructure, **moved)
    backups = tuple(_backup(one, directory) for one in spec.backups)
    if backups != spec.backups:
        changes["backups"] = backups
    return changes


def _backup(one: BackupRef, directory: Path) -> BackupRef:
    """Beside `dumps` the resource is a name; alone it is the place of its own dumps."""
    if one.dumps:
        return dataclasses.replace(one, dumps=_absolute(one.dumps, directory))
    return dataclasses.replace(one, resource=_absolute(one.resource, directory)) if one.resource else one


def _is_relative(text: str) -> bool:
    return is_local(text) and not text.startswith(("file:", "/"))


def _absolute(text: str, directory: Path) -> str:
    return str((directory / text).resolve()) if _is_relative(text) else text
