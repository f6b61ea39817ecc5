"""The OpenAPI 3.1 document, generated from the operations and the pydantic models. Committed, and checked for drift."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from scorecard.api.operations import Operation
from scorecard.api.parameters import LABEL
from scorecard.api.problems import MEDIA_TYPE, TYPES
from scorecard.api.schemas import ProblemShape
from scorecard.json_schema import without_titles

_TAGS = {
    "services": "Who is registered, and how they stand.",
    "scorecards": "One service: its scorecard, its history, what changed.",
    "gate": "The launch decision and the waivers that it counts.",
    "runs": "Cycles of measuring.",
    "evidence": "What pipelines push about a service, and the tokens with which they do.",
    "checklists": "What services are measured against.",
    "configuration": "Taking up a changed configuration.",
    "health": "The scorecard itself.",
}
_EVERYWHERE = ("method-not-allowed", "unknown-host", "invalid")
_WITH_CHANGES = ("forbidden-origin",)
_PATH_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "name": {"type": "string", "pattern": LABEL, "maxLength": 63},
    "row": {"type": "string", "pattern": LABEL, "maxLength": 63},
    "id": {"type": "integer", "minimum": 1, "maximum": 999_999_999_999_999_999},
    "token": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
}
_PATH_WORDS = {
    "name": "The name.",
    "row": "The row's id.",
    "id": "The number.",
    "token": "The token's id, which is no secret.",
}
_KEY = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
_TAG = {"type": "string"}
_REFS = "#/components/schemas/{model}"


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The whole document."""
    operations = tuple(operations)
    models = {model: None for entry in operations if (model := entry.answer) is not None} | {ProblemShape: None}
    _, found = models_json_schema([(model, "serialization") for model in models], ref_template=_REFS)
    schemas = dict(found["$defs"])
    paths: dict[str, Any] = {}
    for entry in operations:
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry, schemas)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Readiness Scorecard",
            "version": version,
            "summary": "Which lines of the production readiness checklist are proven, per service, at any moment.",
            "description": (
                "Every answer is made at the instant of the question: what expired by then is unknown in it. "
                "Errors are application/problem+json; times are RFC 3339 in UTC; a score is null where nothing was "
                "measured."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": words} for name, words in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {name: without_titles(schemas[name]) for name in sorted(schemas)},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token from `scorecard token create`."}
            },
        },
    }


def _operation(entry: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": entry.id,
        "tags": [entry.tag],
        "summary": entry.summary,
        "parameters": [*_path_parameters(entry), *_query_parameters(entry), *_header_parameters(entry)],
        "responses": _responses(entry),
    }
    if entry.description:
        found["description"] = entry.description
    if entry.needs_token:
        found["security"] = [{"token": []}]
    if entry.body is not None:
        verb, _, thing = entry.id.partition("_")
        name = f"{thing.title()}{'Registration' if verb == 'put' else 'Body'}"
        _add_body(name, entry.body(), schemas)
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
        }
    return found


def _add_body(name: str, schema: Mapping[str, Any], schemas: dict[str, Any]) -> None:
    """Put the body's schema among the components, and what it refers to beside it under names of its own."""
    schemas[name] = _moved({key: value for key, value in schema.items() if key != "$defs"}, name)
    for key, value in schema.get("$defs", {}).items():
        schemas[f"{name}.{key}"] = _moved(value, name)


def _moved(node: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(node, dict):
        return {
            key: f"#/components/schemas/{name}.{value.removeprefix('#/$defs/')}"
            if key == "$ref"
            else _moved(value, name)
            for key, value in node.items()
        }
    return [_moved(item, name) for item in node] if isinstance(node, list) else node


def _path_parameters(entry: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_WORDS[name],
            "schema": dict(_PATH_PARAMETERS[name]),
        }
        for name in re.findall(r"\{(\w+)\}", entry.path)
    ]


def _query_parameters(entry: Operation) -> list[dict[str, Any]]:
    schema = entry.query.model_json_schema(ref_template=_REFS)
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    found = []
    for name, given in schema.get("properties", {}).items():
        described = dict(given)
        words = described.pop("description", "")
        found.append(
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": words,
                "schema": without_titles(_plain(described, definitions)),
            }
        )
    return found


def _plain(node: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A query parameter's schema by itself: no reference, and no null, which a query string cannot say."""
    if "$ref" in node:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        target = definitions[node["$ref"].rpartition("/")[2]]
        return {**{key: value for key, value in target.items() if key != "description"}, **rest}
    if "anyOf" in node:
        rest = {key: value for key, value in node.items() if key not in {"anyOf", "default"}}
        (only,) = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
        return {**_plain(only, definitions), **rest}
    return node


def _header_parameters(entry: Operation) -> list[dict[str, Any]]:
    found: list[tuple[str, str, Mapping[str, object]]] = []
    if entry.method == "GET" and entry.tag != "health":
        found.append(("If-None-Match", "The ETag of an earlier answer; 304 when it still holds.", _TAG))
    if entry.method == "POST":
        found.append(("Idempotency-Key", "Repeats are answered as the first request was, for 24 hours.", _KEY))
    return [
        {"name": name, "in": "header", "required": False, "description": words, "schema": dict(schema)}
        for name, words, schema in found
    ]


def _responses(entry: Operation) -> dict[str, Any]:
    content = {} if entry.status == 204 else _content(entry.answer, entry.media_type)  # noqa: PLR2004 - no content
    found: dict[str, Any] = {str(entry.status): {"description": "Done.", **content, **_headers(entry)}}
    for status, words in entry.statuses.items():
        found[str(status)] = {"description": words, **content}
    if entry.method == "GET" and entry.tag != "health":
        found["304"] = {"description": "As the ETag says."}
    tokens = ("sign-in-required", "wrong-token", "too-many") if entry.needs_token else ()
    kinds = (*entry.problems, *tokens, *_EVERYWHERE, *(() if entry.method == "GET" else _WITH_CHANGES))
    for kind in kinds:
        status, title = TYPES[kind]
        found.setdefault(str(status), {"description": f"{title} (`{kind}`).", **_content(ProblemShape, MEDIA_TYPE)})
    found["default"] = {"description": "Another problem.", **_content(ProblemShape, MEDIA_TYPE)}
    return dict(sorted(found.items()))


def _headers(entry: Operation) -> dict[str, Any]:
    found = {}
    if entry.method == "GET" and entry.tag != "health":
        found["ETag"] = {"description": "Changes when the answer does.", "schema": {"type": "string"}}
    if entry.answer is not None and "next" in entry.answer.model_fields:
        found["Link"] = {"description": 'The following page, `rel="next"`.', "schema": {"type": "string"}}
    if entry.status == 202:  # noqa: PLR2004 - accepted
        found["Location"] = {"description": "The run to follow.", "schema": {"type": "string"}}
    return {"headers": found} if found else {}


def _content(model: type[BaseModel] | None, media_type: str) -> dict[str, Any]:
    if model is None:
        kind = "object" if media_type == "application/json" else "string"
        return {"content": {media_type: {"schema": {"type": kind}}}}
    return {"content": {media_type: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}}
