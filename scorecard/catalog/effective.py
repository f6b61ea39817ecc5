"""The merged service, and where each of its values came from: what `services show NAME --effective` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorecard.catalog.layers import Layer, located, merged
from scorecard.json_schema import Path
from scorecard.model import Service
from scorecard.problems import dotted
from scorecard.validators import validator

if TYPE_CHECKING:
    from scorecard.catalog.documents import Registration

BUILT_IN = "built in"
_NOT_SHOWN = frozenset({"origin", "demo", "environment"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a service, and where it came from."""

    key: str
    """In dots, such as `spec.health.liveness`."""
    value: Any
    origin: str
    """`services/a.yaml:12`, `scorecard.yaml:4 defaults[0]`, or `built in`."""


@dataclass(frozen=True, slots=True)
class Effective:
    """A service as it is looked at."""

    value: Mapping[str, Any]
    """`metadata` and `spec`, merged."""
    origins: Mapping[Path, str]
    """For the path of each value that is not a mapping, where it came from."""

    def settings(self) -> tuple[Setting, ...]:
        """Every value with its key and origin, in the order of the document."""
        return tuple(Setting(dotted(path), _at(self.value, path), origin) for path, origin in self.origins.items())


def effective(service: Service, registration: Registration, layers: tuple[Layer, ...]) -> Effective:
    """Say for every value of a service which layer it came from; what no layer says and is not empty is built in."""
    whole = validator(Service).dump_python(service, mode="json")
    spec = merged(layers)
    value = {
        "metadata": {key: whole[key] for key in whole if key not in {*_NOT_SHOWN, "spec"}},
        "spec": _over_defaults(whole["spec"], spec),
    }
    origins: dict[Path, str] = {}
    for path in _leaves(value, ()):
        section, *rest = path
        if section == "metadata":
            origin = _written(registration, path) if rest[0] in registration.metadata else BUILT_IN
        else:
            origin = _spec_origin(layers, spec, tuple(rest))
        if origin != BUILT_IN or _at(value, path) not in (None, "", [], {}):
            origins[path] = origin
    return Effective(value, origins)


def _written(registration: Registration, path: Path) -> str:
    file, line, _ = registration.locate(path)
    return f"{file}:{line}" if line else file


def _spec_origin(layers: tuple[Layer, ...], spec: Mapping[str, Any], path: Path) -> str:
    if _at(spec, path) is None:
        return BUILT_IN
    (file, line, _), note = located(layers, path)
    return f"{file}:{line}{f' {note}' if note else ''}" if line else f"{file}{f' {note}' if note else ''}"


def _over_defaults(whole: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What was said as it was said; what was not, from the validated value."""
    return {
        key: _over_defaults(value, said[key])
        if isinstance(value, dict) and isinstance(said.get(key), dict)
        else said.get(key, value)
        for key, value in whole.items()
    }


def _leaves(value: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield from _leaves(item, (*path, key))
        else:
            yield (*path, key)


def _at(value: Any, path: Path) -> Any:  # noqa: ANN401 - any value of YAML
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value
