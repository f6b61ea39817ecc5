"""Layers of a service's spec: defaults, its own, its environment's; how they merge and which one said what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from scorecard.config.rules import PLACEHOLDER, SERVICE_PLACEHOLDERS
from scorecard.json_schema import Path

if TYPE_CHECKING:
    from scorecard.config import Config, DefaultsEntry, Match

Place = tuple[str, int, Path]
"""File, line, and the path as it is written there."""


class MissingFact(Exception):  # noqa: N818 - said as it is
    """A default needs a fact that the service does not state."""

    def __init__(self, fact: str, path: Path) -> None:
        super().__init__(fact)
        self.fact = fact
        self.path = path


@dataclass(frozen=True, slots=True)
class Layer:
    """Part of a spec, and where each of its keys was written."""

    value: Mapping[str, Any]
    locate: Callable[[Path], Place]
    note: str = ""
    """What the layer is, where file and line do not say it: `defaults[0]`."""


def merged(layers: tuple[Layer, ...]) -> dict[str, Any]:
    """The spec that the layers make: mappings merged key by key, lists and values replaced, null takes away."""
    result: dict[str, Any] = {}
    for layer in layers:
        result = _over(result, layer.value, top=True)
    return result


def _over(below: Mapping[str, Any], above: Mapping[str, Any], *, top: bool = False) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            under = result.get(key)
            joins = isinstance(under, dict) and not (top and key == "logs" and under.keys() != value.keys())
            result[key] = _over(under if joins and under else {}, value)
        else:
            result[key] = value
    return result


def located(layers: tuple[Layer, ...], path: Path) -> tuple[Place, str]:
    """Where the value at a path of the merged spec was written, and in which layer: the last that has most of it."""
    best, deepest = layers[-1], -1
    for layer in reversed(layers):
        depth = _depth(layer.value, path)
        if depth > deepest:
            best, deepest = layer, depth
    return best.locate(path), best.note


def _depth(value: object, path: Path) -> int:
    """How many steps of the path exist in the value."""
    for depth, step in enumerate(path):
        if isinstance(value, list):
            value = value[step] if isinstance(step, int) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return depth
    return len(path)


def matches(match: Match, facts: Mapping[str, str]) -> bool:
    """Whether every condition holds; within one, any of its patterns does."""
    for key, fact in facts.items():
        patterns = getattr(match, key)
        if patterns and not any(fnmatchcase(fact, pattern) for pattern in patterns):
            return False
    return True


class Defaults:
    """The configuration's defaults, ready to be laid under a service."""

    def __init__(self, config: Config) -> None:
        self._entries = [(index, entry, _has_placeholder(entry.spec)) for index, entry in enumerate(config.defaults)]
        self._config = config

    def layers(self, facts: Mapping[str, str]) -> tuple[Layer, ...]:
        """The layers for a service of these facts, first below.

        Raises:
            MissingFact: when a default names a fact that the service does not state.
        """
        return tuple(
            self._layer(index, entry, facts, fill=fill)
            for index, entry, fill in self._entries
            if matches(entry.match, facts)
        )

    def _layer(self, index: int, entry: DefaultsEntry, facts: Mapping[str, str], *, fill: bool) -> Layer:
        def locate(path: Path) -> Place:
            full: Path = ("defaults", index, "spec", *path)
            return (*self._config.locate(full), full)

        value = _filled(entry.spec, facts, ("defaults", index, "spec")) if fill else entry.spec
        return Layer(value, locate, f"defaults[{index}]")


def _has_placeholder(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_placeholder, value.values()))
    if isinstance(value, list):
        return any(map(_has_placeholder, value))
    return isinstance(value, str) and "{" in value


def _filled(value: Any, facts: Mapping[str, str], path: Path) -> Any:  # noqa: ANN401 - any value of YAML
    if isinstance(value, dict):
        return {key: _filled(item, facts, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, facts, (*path, index)) for index, item in enumerate(value)]
    if not isinstance(value, str) or "{" not in value:
        return value
    for word in PLACEHOLDER.findall(value):
        if word in SERVICE_PLACEHOLDERS and not facts[word]:
            raise MissingFact(word, path)
    return PLACEHOLDER.sub(lambda found: facts.get(found[1], found[0]), value)
