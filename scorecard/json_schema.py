"""Reads and joins the JSON Schemas that pydantic prints: which keys stand where, and what is text. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scorecard.model import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

Path = tuple[str | int, ...]
_ISO_DURATION = re.compile(r"P(\d+Y)?(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def known_keys(schema: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """The keys that a JSON Schema of pydantic's names at `path`; none where any key is allowed."""
    nodes = nodes_at(schema, path)
    return tuple(dict.fromkeys(key for node in nodes for key in node.get("properties", {})))


def nodes_at(schema: Mapping[str, Any], path: Path) -> list[Mapping[str, Any]]:
    """Every alternative that the schema allows at `path`; none where the path leads nowhere."""
    definitions = schema.get("$defs", {})
    nodes = _resolved(schema, definitions)
    for step in path:
        nodes = [found for node in nodes for child in _children(node, step) for found in _resolved(child, definitions)]
    return nodes


def is_text(schema: Mapping[str, Any], path: Path) -> bool:
    """Whether nothing but text (or nothing at all) may stand at `path`."""
    kinds = {node.get("type") for node in nodes_at(schema, path)}
    return "string" in kinds and kinds <= {"string", "null"}


def prefixed(node: Any, prefix: str) -> Any:  # noqa: ANN401 - any JSON
    """The same schema with every reference into `$defs` moved under `prefix`, so that two can be joined."""
    if isinstance(node, dict):
        return {
            key: f"#/$defs/{prefix}{value.removeprefix('#/$defs/')}" if key == "$ref" else prefixed(value, prefix)
            for key, value in node.items()
        }
    return [prefixed(item, prefix) for item in node] if isinstance(node, list) else node


def titled(schema: Mapping[str, Any], title: str) -> dict[str, Any]:
    """A schema as it is printed: with its dialect, a title, and without the titles that repeat each key."""
    return {"$schema": _DIALECT, **without_titles(schema), "title": title}


def without_titles(node: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema without the titles that pydantic makes from each key, its durations as files write them."""
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in {"properties", "$defs"}:
            result[key] = {name: without_titles(child) for name, child in value.items()}
        elif key == "default" and isinstance(value, str) and "pattern" in node:
            result[key] = _duration(value)
        elif isinstance(value, dict):
            result[key] = without_titles(value)
        elif isinstance(value, list):
            result[key] = [without_titles(item) if isinstance(item, dict) else item for item in value]
        elif key != "title":
            result[key] = value
    return result


def _duration(default: str) -> str:
    """Pydantic prints a duration's default in ISO 8601 (`PT10S`); files write `10s`."""
    if not _ISO_DURATION.fullmatch(default):
        return default
    from pydantic import TypeAdapter

    return format_duration(TypeAdapter(timedelta).validate_python(default))


def _children(node: Mapping[str, Any], step: str | int) -> list[Mapping[str, Any]]:
    if isinstance(step, int):
        found = node.get("items", node.get("prefixItems"))
    else:
        found = node.get("properties", {}).get(step, node.get("additionalProperties"))
    return [found] if isinstance(found, dict) else []


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The node itself, its reference, or each of its alternatives."""
    if "$ref" in node:
        return _resolved(definitions[node["$ref"].removeprefix("#/$defs/")], definitions)
    for word in ("anyOf", "allOf", "oneOf"):
        if word in node:
            return [found for child in node[word] for found in _resolved(child, definitions)]
    return [node]
