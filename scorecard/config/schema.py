"""The whole of `scorecard.yaml`, and its JSON Schema."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr

from scorecard.config.fields import CleanText, EnvironmentSecret, LocalPath, Secret, label
from scorecard.config.integrations import Integrations
from scorecard.config.sections import (
    Auth,
    Cadences,
    CatalogEntry,
    ChecklistUse,
    DefaultsEntry,
    Notification,
    Probing,
    Retention,
    ScheduledDrill,
    SecretUnavailable,
    Section,
    Server,
    Vocabulary,
)
from scorecard.json_schema import prefixed, titled
from scorecard.model import GatePolicy, Spec
from scorecard.validators import validator

KeyPath = tuple[str | int, ...]
TierName = Annotated[str, AfterValidator(label)]
"""Without a pattern: pydantic would print `patternProperties`, which lets every other key through."""


class Config(Section):
    """Configuration of Readiness Scorecard."""

    catalog: tuple[CatalogEntry, ...] = (CatalogEntry(files="services/*.yaml"),)
    """Where services are registered."""
    defaults: tuple[DefaultsEntry, ...] = ()
    """What is merged under every matching service; later entries win."""
    store: CleanText = Field(default="sqlite:///scorecard.db", repr=False)
    """Where everything measured is kept: sqlite:///PATH, or postgresql://."""
    store_file: LocalPath | None = None
    """A file that holds the store's address, where it has a password in it."""
    cadence: Cadences = Cadences()
    """How often evidence is asked for."""
    probing: Probing = Probing()
    """How services are probed."""
    integrations: Integrations = Integrations()
    """The systems that are asked for evidence."""
    checklists: tuple[ChecklistUse, ...] = (
        ChecklistUse(use="production-readiness"),
        ChecklistUse(use="delivery-practices"),
    )
    """Which checklist applies to whom; the first that applies to a service is its primary one."""
    gate: dict[TierName, GatePolicy] = Field(default_factory=dict)
    """The launch bar by tier; `default` is for every tier that is not named."""
    vocabulary: Vocabulary = Vocabulary()
    """The organisation's words."""
    metrics: Literal["services", "fleet"] = "services"
    """services, or fleet to leave out the series of each service."""
    retention: Retention = Retention()
    """How long what was measured is kept."""
    drills: tuple[ScheduledDrill, ...] = ()
    """Restore drills that the server carries out by itself, one at a time."""
    auth: Auth = Auth()
    """Who may read and write."""
    notify: tuple[Notification, ...] = ()
    """Whom to tell about what."""
    server: Server = Server()
    """Where the site, the API and the metrics are served."""

    _directory: Path = PrivateAttr(default=Path())
    _places: Callable[[KeyPath], tuple[str, int]] | None = PrivateAttr(default=None)

    @property
    def directory(self) -> Path:
        """The directory that paths are relative to: the configuration file's."""
        return self._directory

    def locate(self, path: KeyPath) -> tuple[str, int]:
        """File (or environment variable) and line of what stands at `path`; line 0 where there is none."""
        return self._places(path) if self._places else ("scorecard.yaml", 0)

    def policy(self, tier: str) -> GatePolicy:
        """The launch bar of a tier."""
        return self.gate.get(tier) or self.gate.get("default") or GatePolicy()

    def store_address(self) -> Secret:
        """The store's address, which may hold a password; a relative SQLite path is relative to the configuration file.

        Raises:
            SecretUnavailable: when `store_file` cannot be read.
        """
        address = self.store
        if self.store_file is not None:
            try:
                address = self.store_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise SecretUnavailable(f"store_file {self.store_file}: cannot be read") from None
        name = address.removeprefix("sqlite:///")
        if name != address and name not in {"", ":memory:"} and not Path(name).is_absolute():
            address = f"sqlite:///{self._directory / name}"
        return Secret(address)

    def secret_files(self) -> tuple[tuple[str, Path], ...]:
        """Every `*_file` that is named, by key: what `scorecard doctor` tries to read."""
        return tuple(_files(self, ""))


def _files(section: Section, prefix: str) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            found.append((f"{prefix}{name}", value))
        for index, item in enumerate(value if isinstance(value, tuple) else (value,)):
            if isinstance(item, Section):
                found += _files(item, f"{prefix}{name}{f'[{index}]' if isinstance(value, tuple) else ''}.")
    return found


_SPEC = "spec."


@cache
def full_schema() -> dict[str, Any]:
    """The schema with the keys that only the environment may set."""
    schema = validator(Config).json_schema()
    spec = prefixed(validator(Spec).json_schema(), _SPEC)
    definitions = {f"{_SPEC}{name}": partial(part) for name, part in spec.pop("$defs").items()}
    schema["$defs"] |= definitions | {"Spec": partial(spec)}
    description = schema["$defs"]["DefaultsEntry"]["properties"]["spec"]["description"]
    schema["$defs"]["DefaultsEntry"]["properties"]["spec"] = {"$ref": "#/$defs/Spec", "description": description}
    return schema


def config_schema() -> dict[str, Any]:
    """The JSON Schema of the file (2020-12)."""
    return titled(_for_the_file(full_schema()), "scorecard.yaml")


def partial(schema: dict[str, Any]) -> dict[str, Any]:
    """A mapping's schema in which nothing is required and null takes away what an earlier layer said."""
    loose = {key: value for key, value in schema.items() if key != "required"}
    if "properties" in loose:
        loose["properties"] = {name: nullable(child) for name, child in loose["properties"].items()}
    return loose


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or null."""
    if {"type": "null"} in schema.get("anyOf", ()):
        return schema
    said = {key: schema[key] for key in ("description", "default") if key in schema}
    return said | {"anyOf": [{key: value for key, value in schema.items() if key not in said}, {"type": "null"}]}


def _for_the_file(node: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(node, dict):
        return {
            key: {name: _for_the_file(child) for name, child in value.items() if not _environment_only(child)}
            if key == "properties"
            else _for_the_file(value)
            for key, value in node.items()
            # A section's default says what its keys say, and would name keys that the file may not have.
            if not (key == "default" and isinstance(value, dict))
        }
    return [_for_the_file(item) for item in node] if isinstance(node, list) else node


def _environment_only(schema: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(schema, dict) and bool(schema.get("environmentOnly"))


__all__ = ["Config", "EnvironmentSecret", "config_schema", "full_schema", "nullable", "partial"]
