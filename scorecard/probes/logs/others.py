"""Whose a line is, where a log holds several services': a name counts where a service of that name is registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from scorecard.model import Service, ServiceKey

_MOST_LOOKUPS = 200
"""In one run: lines may name anything."""
_LONGEST_NAME = 100


@dataclass(slots=True)
class Registered:
    """The services of a run, and those that are registered besides; may be asked from any thread."""

    names: frozenset[str]
    find: Callable[[ServiceKey], Service | None]
    _looked_up: dict[ServiceKey, bool] = field(default_factory=dict)

    def has(self, name: str, environment: str) -> bool:
        """Whether a service is called so."""
        if name in self.names:
            return True
        if len(name) > _LONGEST_NAME or not (name.isascii() and name.isprintable()):
            return False
        key = ServiceKey(name, environment)
        if key not in self._looked_up:
            if len(self._looked_up) >= _MOST_LOOKUPS:
                return False
            self._looked_up[key] = self.find(key) is not None
        return self._looked_up[key]


@dataclass(frozen=True, slots=True)
class Others:
    """Every service but one."""

    registered: Registered
    own: ServiceKey
    declared: frozenset[str] = frozenset()
    """Named in the catalogue, registered or not."""

    def __contains__(self, name: object) -> bool:
        """Whether a line that names this service is another one's."""
        if not isinstance(name, str) or not name or name == self.own.name:
            return False
        return name in self.declared or self.registered.has(name, self.own.environment)
