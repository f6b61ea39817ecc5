"""`SCORECARD__SECTION__KEY`: what the environment says over the file.

Names are matched without regard to case and with `-` for `_`; an item of a list is named by its position or, where
items have names, by its name. Where only text may stand the value is taken as it is, elsewhere it is read as YAML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorecard.json_schema import Path, is_text, known_keys, nodes_at
from scorecard.problems import Problem, nearest
from scorecard.strict_yaml import YamlError, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "SCORECARD__"


class Overrides:
    """The file's values with the environment's over them, and which path came from which variable."""

    def __init__(self, value: Mapping[str, Any], schema: Callable[[], Mapping[str, Any]]) -> None:
        # A copy that is shared with nobody: an alias in the file must not carry an override to another place.
        self.value: dict[str, Any] = {key: _copied(item) for key, item in value.items()}
        self.problems: list[Problem] = []
        self.variables: dict[Path, str] = {}
        self._schema = schema  # made for a variable that is set, not for every command

    def take(self, environ: Mapping[str, str]) -> None:
        """Lay every `SCORECARD__…` variable over the values, the shorter names first."""
        names = [name for name in environ if name.upper().startswith(PREFIX)]
        for name in sorted(names, key=lambda name: (name.count("__"), name)):
            self._set(name, environ[name])

    def variable(self, path: Path) -> str | None:
        """The variable that said what stands at `path`, or around it."""
        return next(
            (self.variables[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.variables), None
        )

    def _set(self, name: str, text: str) -> None:
        path: Path = ()
        parent: Any = self.value
        segments = name[len(PREFIX) :].split("__")
        for index, segment in enumerate(segments):
            step = self._step(name, path, parent, segment)
            if step is None:
                return
            path = (*path, step)
            if index == len(segments) - 1:
                self._assign(name, path, parent, text)
                return
            parent = self._enter(parent, path)

    def _step(self, name: str, path: Path, parent: object, segment: str) -> str | int | None:
        """The key or index that a segment of a variable's name means."""
        if isinstance(parent, list):
            step = _item(parent, segment)
            if step is None:
                self._complain(name, f"no item `{segment.lower()}` in {'.'.join(map(str, path))}", [])
            return step
        known = known_keys(self._schema(), path)
        word = segment.lower().replace("-", "_")
        present = list(parent) if isinstance(parent, dict) else []
        for candidate in (*known, *(key for key in present if isinstance(key, str))):
            if candidate.lower().replace("-", "_") == word:
                return candidate
        if not any(isinstance(node.get("additionalProperties"), dict) for node in nodes_at(self._schema(), path)):
            self._complain(name, "no such setting", known, path)
            return None
        return word.replace("_", "-")

    def _complain(self, name: str, message: str, known: tuple[str, ...] | list[str], path: Path = ()) -> None:
        near = nearest(name[len(PREFIX) :].split("__")[len(path)], known)
        full = PREFIX + "__".join(str(step).upper() for step in (*path, near)) if near else ""
        hint = f"{message}; known here: {', '.join(known)}" if known and not near else message
        self.problems.append(Problem(name, 0, "", hint, full))

    def _enter(self, parent: Any, path: Path) -> Any:  # noqa: ANN401 - a mapping or list of the file
        step: Any = path[-1]
        child = parent[step] if isinstance(parent, list) else parent.get(step)
        if not isinstance(child, dict | list):
            listed = any(node.get("type") == "array" for node in nodes_at(self._schema(), path))
            child = parent[step] = [] if listed else {}
        return child

    def _assign(self, name: str, path: Path, parent: Any, text: str) -> None:  # noqa: ANN401 - a mapping or list of the file
        try:
            value = text if is_text(self._schema(), path) else load(text, name=name).value
        except YamlError as error:
            self.problems.append(Problem(name, 0, "", f"not YAML: {error.message}"))
            return
        parent[path[-1]] = value
        self.variables[path] = name


def _item(items: list[Any], segment: str) -> int | None:
    """The index that a segment means: a position, or the name of an item."""
    if segment.isdecimal():
        return int(segment) if int(segment) < len(items) else None
    word = segment.lower().replace("-", "_")
    for index, item in enumerate(items):
        name = item.get("name", "main") if isinstance(item, dict) else ""
        if str(name).lower().replace("-", "_") == word:
            return index
    return None


def _copied(value: Any) -> Any:  # noqa: ANN401 - any value of YAML
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
