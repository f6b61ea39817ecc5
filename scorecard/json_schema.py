"""Reads and joins the JSON Schemas that pydantic prints: which keys stand where, and what is text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Path = tuple[str | int, ...]
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
    return {"$schema": _DIALECT, **_without_titles(schema), "title": title}


def _without_titles(node: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(node, dict):
        return {
            key: {name: _without_titles(child) for name, child in value.items()}
            if key in {"properties", "$defs"}
            else _without_titles(value)
            for key, value in node.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_without_titles(item) for item in node] if isinstance(node, list) else node


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
