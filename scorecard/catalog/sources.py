"""Where services are registered: each kind of source is an entry point of the group `scorecard.catalogs`.

An entry point is a factory `(options, surroundings) -> Source`; its name is the key under `catalog:`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

from scorecard.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import requests

    from scorecard.catalog.documents import Found
    from scorecard.config import Config, Http

GROUP = "scorecard.catalogs"


class Source(Protocol):
    """Something that services are registered in."""

    def read(self) -> Iterator[Found | Problem]:
        """Every document. A problem says that a part could not be read; its `file` names the source of that part."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a source is given besides its own options."""

    directory: Path
    """What relative paths are relative to."""
    open_session: Callable[[Http], requests.Session]
    """Opens the policy-bound session in which one instance is asked."""


def read_sources(config: Config, surroundings: Surroundings) -> Iterator[Found | Problem]:
    """Every document of every configured source, in the order of the configuration."""
    for index, entry in enumerate(config.catalog):
        options: dict[str, Any] = {"files": entry.files, "backstage": entry.backstage, **entry.installed}
        for name, given in options.items():
            if given is not None:
                yield from _read(config, index, name, given, surroundings)


def _read(
    config: Config, index: int, name: str, options: object, surroundings: Surroundings
) -> Iterator[Found | Problem]:
    factory = next((found for found in entry_points(group=GROUP) if found.name == name), None)
    file, line = config.locate(("catalog", index))
    if factory is None:
        yield Problem(file, line, f"catalog[{index}].{name}", f"no installed package brings {GROUP}: {name}")
        return
    try:
        source: Source = factory.load()(options, surroundings)
        yield from source.read()
    except Exception as error:  # noqa: BLE001 - another package's source must not take the catalogue down
        yield Problem(file, line, f"catalog[{index}].{name}", f"{type(error).__name__}: {error}")
