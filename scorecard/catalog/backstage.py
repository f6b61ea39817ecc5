"""Backstage entities, from `catalog-info.yaml` files or a Backstage server: Component becomes a service, Group a team.

The shapes are those of Backstage's "Descriptor Format of Catalog Entities" (backstage.io/v1alpha1). What Backstage has
no word for stands in annotations `scorecard.readiness/KEY`: `tier`, `type`, `name` and the other keys of metadata,
`environments`, and every key of spec, deeper keys with dots (`scorecard.readiness/health.liveness: /livez`). A value
is YAML text, or plain text where only text may stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorecard.catalog import adapters
from scorecard.catalog.documents import NOT_METADATA, Found, Registration
from scorecard.json_schema import Path, is_text
from scorecard.problems import Problem, dotted
from scorecard.strict_yaml import YamlError, load

if TYPE_CHECKING:
    from scorecard.catalog.layers import Place
    from scorecard.strict_yaml import Document

ANNOTATION = "scorecard.readiness/"
_NOT_RUN = frozenset({"library", "documentation", "template", "tool", "package"})
"""Types of component that nobody runs; an annotation `scorecard.readiness/type` registers one all the same."""
_KEYS = {"Component": adapters.service_keys, "Group": adapters.team_keys}


def is_backstage(document: Document) -> bool:
    """Whether the document is one of Backstage's."""
    version = document.value.get("apiVersion") if isinstance(document.value, dict) else None
    return isinstance(version, str) and version.startswith("backstage.io/")


def backstage_registration(found: Found) -> Registration | tuple[Problem, ...] | None:
    """What an entity registers; None for kinds and types that are not run in production."""
    document = found.document
    kind = document.value.get("kind")
    if kind not in _KEYS:
        return None
    if not isinstance(document.value.get("metadata"), dict) or not isinstance(document.value.get("spec", {}), dict):
        line = document.position(("metadata",))[0]
        return (Problem(document.name, line, "metadata", "a mapping with a name is expected, and one under spec"),)
    entity = _Entity(document, kind)
    if kind == "Component":
        entity.read_component()
    else:
        entity.read_group()
    entity.read_annotations()
    if entity.problems:
        return tuple(entity.problems)
    if kind == "Component" and entity.component_type in _NOT_RUN and "type" not in entity.metadata:
        return None
    return Registration(
        kind="Service" if kind == "Component" else "Team",
        metadata=entity.metadata,
        spec=entity.spec,
        environments=entity.environments,
        source=document.name.partition("#")[0],
        locate=entity.locate,
        local=found.local,
    )


def service_name(name: str) -> str:
    """Backstage allows `[A-Za-z0-9-_.]`; ours are lower-case with hyphens."""
    return name.lower().replace("_", "-").replace(".", "-")


def _reference(value: object) -> object:
    """`group:default/payments` as `payments`."""
    return service_name(value.rpartition(":")[2].rpartition("/")[2]) if isinstance(value, str) else value


class _Entity:
    """One entity on its way to a registration, and where each part of that stands in the entity."""

    def __init__(self, document: Document, kind: str) -> None:
        self.metadata: dict[Any, Any] = {}
        self.spec: dict[Any, Any] = {}
        self.environments: dict[Any, Any] = {}
        self.problems: list[Problem] = []
        self.component_type: object = None
        self._document = document
        self._schema = _KEYS[kind]()
        self._moved: dict[Path, Path] = {}

    def locate(self, path: Path) -> Place:
        """The entity's own path of what stands at a path of the registration."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._moved:
                written = (*self._moved[path[:end]], *path[end:])
                return self._document.name, self._document.position(written)[0], written
        return self._document.name, self._document.position(path)[0], path

    def _take(self, key: str, source: Path, value: object) -> None:
        if value is not None:
            self.metadata[key] = value
            self._moved["metadata", key] = source

    def read_component(self) -> None:
        """Name, description, links, owner, lifecycle and, where it is one of ours, type."""
        metadata = self._document.value["metadata"]
        spec = self._document.value.get("spec") or {}
        name = metadata.get("name")
        self._take("name", ("metadata", "name"), service_name(name) if isinstance(name, str) else name)
        self._take("description", ("metadata", "description"), metadata.get("description"))
        links = metadata.get("links")
        if isinstance(links, list):
            links = [_link(link) for link in links]
        self._take("links", ("metadata", "links"), links)
        self._take("team", ("spec", "owner"), _reference(spec.get("owner")))
        self._take("lifecycle", ("spec", "lifecycle"), spec.get("lifecycle"))
        self.component_type = spec.get("type")

    def read_group(self) -> None:
        """Name and parent."""
        name = self._document.value["metadata"].get("name")
        self._take("name", ("metadata", "name"), service_name(name) if isinstance(name, str) else name)
        spec = self._document.value.get("spec") or {}
        self._take("parent", ("spec", "parent"), _reference(spec.get("parent")))

    def read_annotations(self) -> None:
        """Everything else."""
        annotations = self._document.value["metadata"].get("annotations")
        if not isinstance(annotations, dict):
            return
        for name, text in annotations.items():
            if isinstance(name, str) and name.startswith(ANNOTATION):
                self._annotate(name, text)

    def _annotate(self, name: str, text: object) -> None:
        source: Path = ("metadata", "annotations", name)
        first, *deeper = name.removeprefix(ANNOTATION).split(".")
        flat: Path = (first, *deeper)
        if first in self._schema["properties"] and first not in NOT_METADATA:
            target, path = self.metadata, ("metadata", *flat)
        elif first == "environments":
            target, path = self.environments, flat
        else:
            target, path, flat = self.spec, ("spec", *flat), ("spec", *flat)
        try:
            value = text if is_text(self._schema, flat) or not isinstance(text, str) else load(text, name=name).value
        except YamlError as error:
            line = self._document.position(source)[0]
            self.problems.append(Problem(self._document.name, line, dotted(source), f"not YAML: {error.message}"))
            return
        if first == "environments" and not deeper:
            self.environments |= value if isinstance(value, dict) else {}
            self._moved["environments",] = source
            return
        _place(target, path[1:], value)
        self._moved[path] = source


def _place(target: dict[str | int, Any], path: Path, value: object) -> None:
    *before, last = path
    for step in before:
        child = target.get(step)
        if not isinstance(child, dict):
            child = target[step] = {}
        target = child
    target[last] = value


def _link(link: object) -> object:
    """Backstage's links may go without a title and have an icon."""
    if not isinstance(link, dict):
        return link
    return {"title": link.get("title") or link.get("url"), "url": link.get("url")}
