"""The configuration and the catalogue in force, and their reload: a bad one is refused, the last good one stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from scorecard.catalog.build import Catalog
from scorecard.config import Config, ConfigError, load_config

if TYPE_CHECKING:
    from pathlib import Path

    from scorecard.model import ServiceKey
    from scorecard.problems import Problem

Reader = Callable[[Config, datetime], Catalog]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of reading the configuration and the catalogue once."""

    at: datetime
    successful: bool
    """True when there was nothing wrong anywhere."""
    problems: tuple[Problem, ...] = ()
    kept: tuple[ServiceKey, ...] = ()
    """Services that go on as they were last time, since what describes them now is bad."""


@dataclass(frozen=True, slots=True)
class InForce:
    """Configuration and catalogue that belong together."""

    config: Config
    catalog: Catalog


class Live:
    """Holds what is in force. Reading is safe from any thread; reloads take turns."""

    def __init__(
        self,
        path: Path | None,
        environ: Mapping[str, str],
        *,
        read: Reader,
        now: datetime,
        directory: Path | None = None,
    ) -> None:
        """Read for the first time; `read` reads the catalogue of a configuration.

        Raises:
            ConfigError: when the configuration is bad: there is no last good one yet. A bad catalogue is no error.
        """
        self._path = path
        self._environ = dict(environ)
        self._directory = directory
        self._read = read
        self._lock = Lock()
        config = load_config(path, self._environ, directory=directory)
        catalog = read(config, now)
        self._in_force = InForce(config, catalog)
        self._outcome = Outcome(now, not catalog.problems, catalog.problems)

    @property
    def in_force(self) -> InForce:
        """Configuration and catalogue, taken together."""
        return self._in_force

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._in_force.config

    @property
    def catalog(self) -> Catalog:
        """The catalogue in force."""
        return self._in_force.catalog

    @property
    def outcome(self) -> Outcome:
        """What came of the last attempt: for `/readyz`, the page and `scorecard_config_last_reload_successful`."""
        return self._outcome

    @property
    def last_reload_successful(self) -> bool:
        """Whether nothing was wrong the last time."""
        return self._outcome.successful

    def reload(self, now: datetime, *, accept: Callable[[Config], None] = lambda _config: None) -> Outcome:
        """Read everything again.

        `accept` may raise `ConfigError` for what only others can judge, such as a checklist of one's own. With a bad
        configuration everything stays as it is. With a bad catalogue what is good is taken up, and a service whose
        description is bad, or stood in what could not be read, goes on as it was.
        """
        with self._lock:
            try:
                config = load_config(self._path, self._environ, directory=self._directory)
                accept(config)
                fresh = self._read(config, now)
            except ConfigError as error:
                self._outcome = Outcome(now, successful=False, problems=error.problems)
                return self._outcome
            catalog, kept = with_last_good(fresh, self._in_force.catalog)
            self._in_force = InForce(config, catalog)
            self._outcome = Outcome(now, not catalog.problems, catalog.problems, kept)
            return self._outcome


def with_last_good(fresh: Catalog, last: Catalog) -> tuple[Catalog, tuple[ServiceKey, ...]]:
    """The fresh catalogue with the last good version of what it refused or could not read, and the keys of those."""
    registered = {service.key for service in fresh.services}
    kept = [
        service
        for service in last.services
        if service.key not in registered
        and (service.key in fresh.refused or last.sources.get(service.key, "") in fresh.unread)
    ]
    if not kept:
        return fresh, ()
    keys = tuple(service.key for service in kept)
    services = sorted(
        (*fresh.services, *kept), key=lambda one: (one.name, one.environment != "production", one.environment)
    )
    catalog = dataclasses.replace(
        fresh,
        services=tuple(services),
        sources={**fresh.sources, **{key: last.sources[key] for key in keys}},
        layers={**fresh.layers, **{key: last.layers[key] for key in keys}},
    )
    return catalog, keys
