"""Reads `scorecard.yaml` and the environment into a `Config`, or says everything that is wrong with them."""

from __future__ import annotations

import json
import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from scorecard.config.environment import PREFIX, Overrides
from scorecard.config.fields import has_password
from scorecard.config.rules import broken_rules
from scorecard.config.schema import Config, full_schema
from scorecard.model import Spec
from scorecard.problems import Problem, dotted, explain
from scorecard.strict_yaml import OWN_FILES, Document, YamlError, load
from scorecard.validators import validator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scorecard.json_schema import Path as KeyPath

_SECRET_KEY = re.compile(r"(^|_)(token|password|passwd|secret|api_key|access_key|private_key|session_key)$")
_NO_SECRETS_IN = frozenset({"defaults", "vocabulary", "gate", "checklists"})
"""Sections whose keys are other people's words: a default's `rotated: [{secret: …}]` names a place, not a secret."""


class ConfigError(Exception):
    """A configuration that is refused as a whole, with everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def load_config(path: Path | None, environ: Mapping[str, str], *, directory: Path | None = None) -> Config:
    """Read the file and what the environment says over it; without a file, the defaults.

    `directory` is what paths are relative to when there is no file.

    Raises:
        ConfigError: with every problem that was found.
    """
    document = _read(path) if path is not None else Document.of({}, name="scorecard.yaml")
    base = path.parent if path is not None else directory or Path()
    return _Loading(document, base).config(environ)


def _read(path: Path) -> Document:
    try:
        document = load(path.read_bytes(), name=str(path), limits=OWN_FILES)
    except OSError as error:
        raise ConfigError((Problem(str(path), 0, "", error.strerror or "cannot be read"),)) from None
    except YamlError as error:
        raise ConfigError((Problem(error.name, error.line, "", error.message),)) from None
    if document.value is None:
        return Document.of({}, name=str(path))
    if not isinstance(document.value, dict):
        raise ConfigError((Problem(str(path), document.line, "", "a mapping of sections is expected"),))
    return document


class _Loading:
    """One attempt to read a configuration; collects problems as it goes."""

    def __init__(self, document: Document, base: Path) -> None:
        self._document = document
        self._base = base
        self._overrides = Overrides(document.value, full_schema)
        self._problems: list[Problem] = []

    def config(self, environ: Mapping[str, str]) -> Config:
        value = self._overrides.value
        for section in [key for key, found in value.items() if found is None]:
            del value[section]
        for path in list(_inline_secrets(value)):
            self._refuse_secret(path)
        self._overrides.take(environ)
        self._problems += self._overrides.problems
        _move_installed_sources(value)
        config = self._validated(value)
        if config is not None:
            config._places = self.locate  # noqa: SLF001 - the two are one: models stay frozen for everyone else
            config._directory = self._base  # noqa: SLF001 - as above
            self._problems += (self._problem(path, message) for path, message in broken_rules(config))
            self._problems += self._default_problems(config)
        if config is None or self._problems:
            raise ConfigError(tuple(dict.fromkeys(sorted(self._problems, key=lambda found: (found.file, found.line)))))
        return config

    def locate(self, path: KeyPath) -> tuple[str, int]:
        variable = self._overrides.variable(path)
        return (variable, 0) if variable else (self._document.name, self._document.position(path)[0])

    def _problem(self, path: KeyPath, message: str) -> Problem:
        return Problem(*self.locate(path), dotted(path), message)

    def _refuse_secret(self, path: KeyPath) -> None:
        *before, key = path
        parent: Any = self._overrides.value
        for step in before:
            parent = parent[step]
        # Taken out, so that what follows neither repeats the complaint nor quotes the value.
        if isinstance(key, str) and _SECRET_KEY.search(key):
            message = f"a secret does not stand in this file; write it to a file of its own and name that as {key}_file"
            del parent[key]
        else:
            file_key = f"{key}_file" if key in {"store", "webhook"} else "a *_file key"
            message = f"an address with a password does not stand in this file; use {file_key}"
            parent[key] = "sqlite://" if key == "store" else "https://example.invalid"
        variable = PREFIX + "__".join(str(step).upper() for step in path)
        self._problems.append(self._problem(path, f"{message}, or set {variable}"))

    def _validated(self, value: dict[str, Any]) -> Config | None:
        try:
            return Config.model_validate_json(json.dumps(value), strict=True, context={"base": self._base})
        except ValidationError as error:
            self._problems += explain(error, schema=full_schema(), locate=lambda path: (*self.locate(path), path))
            return None

    def _default_problems(self, config: Config) -> Iterator[Problem]:
        """A default is a part of a spec: what it says must be right, what it leaves out may be missing."""
        adapter = validator(Spec)
        for index, entry in enumerate(config.defaults):
            before: KeyPath = ("defaults", index, "spec")
            try:
                adapter.validate_json(json.dumps(without_nulls(entry.spec)), strict=True)
            except ValidationError as error:
                found = explain(
                    error,
                    schema=adapter.json_schema(),
                    locate=lambda path, before=before: (*self.locate((*before, *path)), (*before, *path)),  # type: ignore[misc]
                )
                yield from (problem for problem in found if problem.message != "is missing")


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - any value of YAML
    """The same without the keys whose value is null: in a layer, null takes away what an earlier one said."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _inline_secrets(value: Mapping[str, Any]) -> Iterator[KeyPath]:
    """Where the file itself holds a secret: under a secret's name, or in an address with a password."""
    for section, content in value.items():
        yield from _secrets_in(content, (section,), by_name=section not in _NO_SECRETS_IN)


def _secrets_in(value: object, path: KeyPath, *, by_name: bool) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        for key, item in value.items():
            here = (*path, key)
            if by_name and isinstance(key, str) and _SECRET_KEY.search(key) and isinstance(item, str | int | float):
                yield here
            else:
                yield from _secrets_in(item, here, by_name=by_name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets_in(item, (*path, index), by_name=by_name)
    elif isinstance(value, str) and has_password(value):
        yield path


def _move_installed_sources(value: dict[str, Any]) -> None:
    """`catalog: [{NAME: …}]` of an installed package goes under `installed`, which no schema of ours can know."""
    entries = value.get("catalog")
    if not isinstance(entries, list):
        return
    names = {found.name for found in entry_points(group="scorecard.catalogs")} - {"files", "backstage"}
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and names & entry.keys():
            own = {key: options for key, options in entry.items() if key not in names}
            entries[index] = own | {"installed": {key: entry[key] for key in names & entry.keys()}}
