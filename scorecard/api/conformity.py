"""Whether a value that the catalogue refused broke the published schema, or a rule that no schema can state.

The first is 422, the caller's mistake in form. The second depends on what else is registered and configured and on the
day (a former name that is taken, an integration that is not there, an exemption that ends too late): 409.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scorecard.json_schema import Path, nodes_at

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
    "null": type(None),
}


def conforms(schema: Mapping[str, Any], document: Any, path: Path) -> bool:  # noqa: ANN401 - any JSON
    """Whether what stands at `path` of the document is something that the schema allows there."""
    value = document
    for depth, step in enumerate(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            # What is missing breaks the schema only where the thing around it needs it.
            return depth == len(path) - 1 and _conforms(schema, path[:-1], value)
    return _conforms(schema, path, value)


def _conforms(schema: Mapping[str, Any], path: Path, value: Any) -> bool:  # noqa: ANN401 - any JSON
    return any(_fits(node, value) for node in nodes_at(schema, path))


def path_of(key: str) -> Path:
    """`spec.links[0].url` as `("spec", "links", 0, "url")`."""
    steps = re.findall(r"\[(\d+)\]|([^.\[\]]+)", key)
    return tuple(int(index) if index else word for index, word in steps)


def _fits(node: Mapping[str, Any], value: Any) -> bool:  # noqa: ANN401 - any JSON
    if not _of_type(node, value) or value != node.get("const", value) or value not in node.get("enum", [value]):
        return False
    if isinstance(value, str):
        return len(value) <= node.get("maxLength", len(value)) and bool(re.search(node.get("pattern", ""), value))
    if isinstance(value, dict) and node.get("additionalProperties") is False:
        return set(value) <= set(node.get("properties", ())) and set(node.get("required", ())) <= set(value)
    return True


def _of_type(node: Mapping[str, Any], value: Any) -> bool:  # noqa: ANN401 - any JSON
    kind = node.get("type")
    if isinstance(value, bool):
        return kind in {None, "boolean"}
    return kind is None or isinstance(value, _TYPES[kind])
