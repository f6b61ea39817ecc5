"""Registering services through the API: the catalogue's document as JSON, held to the catalogue's own rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from scorecard.api import parameters, schemas, shown
from scorecard.api.answers import etag, matches
from scorecard.api.conformity import conforms, path_of
from scorecard.api.operations import Call, Reply, operation
from scorecard.api.parameters import LABEL
from scorecard.api.problems import problem
from scorecard.catalog import Found, build_catalog, service_schema
from scorecard.json_schema import without_titles
from scorecard.model import Service, ServiceKey
from scorecard.problems import dotted
from scorecard.strict_yaml import Document
from scorecard.validators import validator


@cache
def body_schema() -> dict[str, Any]:
    """The JSON Schema of a registration: a catalogue document of kind Service."""
    whole = deepcopy(service_schema())
    definitions = whole["$defs"] | _whole_items()
    body, metadata = definitions["Service"], definitions["Service"]["properties"]["metadata"]["properties"]
    metadata["tier"] |= _LABEL
    metadata["team"] |= {**_LABEL, "pattern": f"^({LABEL[1:-1]})?$"}
    metadata["formerly"]["items"] |= _LABEL
    _demand(definitions["Link"]["properties"]["url"], _WEB)
    _demand(definitions["Spec"]["properties"]["url"], _WEB)
    return {**body, "$defs": {key: value for key, value in definitions.items() if key not in {"Service", "Team"}}}


def _whole_items() -> dict[str, Any]:
    """What stands in lists: no default is merged into it, so that it must be whole."""
    strict = validator(Service).json_schema()["$defs"]
    text = json.dumps([node["items"] for part in strict.values() for node in _lists(part)])
    todo, found = set(_REFERENCE.findall(text)), dict[str, Any]()
    while todo:
        name = todo.pop()
        found[name] = without_titles(strict[name])
        todo |= set(_REFERENCE.findall(json.dumps(strict[name]))) - set(found)
    return found


def _lists(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [node for node in part.get("properties", {}).values() if "items" in node]


_REFERENCE = re.compile(r"#/\$defs/(\w+)")
_LABEL = {"pattern": LABEL, "maxLength": 63}
_WEB = {"pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#@]+([/?#]\S*)?$"}


def _demand(node: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add to a text's schema, which may also be null."""
    for choice in node.get("anyOf", [node]):
        if choice.get("type") == "string":
            choice |= more  # noqa: PLW2901 - in place, on purpose


@operation(
    "GET",
    "/api/v1/services/{name}",
    tag="services",
    query=parameters.InEnvironment,
    answer=schemas.Registered,
    problems=("not-registered",),
)
def get_service(call: Call[parameters.InEnvironment]) -> dict[str, Any]:
    """The service as it is registered, with defaults and environment merged in."""
    return _shown(call, _registered(call))


@operation(
    "PUT",
    "/api/v1/services/{name}",
    tag="services",
    answer=schemas.Registered,
    statuses={201: "Registered."},
    body=body_schema,
    problems=(
        "name-differs",
        "refused",
        "managed-elsewhere",
        "changed-meanwhile",
        "bad-request",
        "too-large",
        "unsupported-media-type",
    ),
    curl="registration",
)
def put_service(call: Call[Any]) -> Reply:
    """Register a service, or change one that was registered here.

    The body is a catalogue document of kind Service, as JSON. A service that a file of the catalogue defines is changed
    in that file. With `If-Match` it is changed only if it is still as it was read;
    `*` means that it must exist.
    """
    name, store = call.path["name"], call.deps.store
    entries = _read(call, name)
    existing = store.service(ServiceKey(name))
    if existing is not None:
        _refuse_managed(call, existing)
    _refuse_changed(call, existing)
    for entry in entries:
        store.register(entry, call.now)
    wanted = {entry.key for entry in entries}
    for other in store.services():
        if other.name == name and other.key not in wanted:
            store.unregister(other.key, call.now)
    body = _shown(call, _required(call, ServiceKey(name)))
    return Reply(
        body=body, status=200 if existing else 201, headers={"ETag": _tag(body), "Location": f"/api/v1/services/{name}"}
    )


@operation(
    "DELETE",
    "/api/v1/services/{name}",
    tag="services",
    status=204,
    problems=("not-registered", "managed-elsewhere", "changed-meanwhile"),
)
def delete_service(call: Call[Any]) -> Reply:
    """Take a service that was registered here out of the lists, in every environment. Its history is kept."""
    store, name = call.deps.store, call.path["name"]
    existing = _required(call, ServiceKey(name))
    _refuse_managed(call, existing)
    _refuse_changed(call, existing)
    for other in store.services():
        if other.name == existing.name:
            store.unregister(other.key, call.now)
    return Reply(body=None, status=204)


def _registered(call: Call[parameters.InEnvironment]) -> Service:
    return _required(call, ServiceKey(call.path["name"], call.query.environment))


def _required(call: Call[Any], key: ServiceKey) -> Service:
    found = call.deps.store.service(key)
    if found is None:
        raise problem("not-registered", f"{str(key)[:130]} is not registered")
    return found


def _shown(call: Call[Any], service: Service) -> dict[str, Any]:
    return shown.registered(service, by_api=call.deps.store.registered_by_api(service.key))


def _read(call: Call[Any], name: str) -> tuple[Service, ...]:
    """The services, one for each environment, that the body describes."""
    metadata = call.body.get("metadata") if isinstance(call.body, dict) else None
    stated = metadata.get("name") if isinstance(metadata, dict) else None
    if isinstance(call.body, dict) and call.body.get("kind", "Service") != "Service":
        raise problem("invalid", "kind: Service is expected", errors=[(("body", "kind"), "Service is expected")])
    if isinstance(stated, str) and stated != name:
        message = f"{stated[:63]!a} differs from the name in the address"
        raise problem("name-differs", f"metadata.name: {message}", errors=[(("body", "metadata", "name"), message)])
    rows = {row for checklist in call.deps.store.checklists.values() for row in checklist.by_id}
    catalog = build_catalog(
        # The body may come from anywhere: it may not name files of this machine.
        [Found(Document.of(call.body, name="api"), local=False)],
        call.deps.config(),
        today=call.now.date(),
        rows=frozenset({*rows, *call.deps.registry.rows}),
    )
    if catalog.problems or not catalog.services:
        paths = [path_of(found.key) for found in catalog.problems]
        errors = [(("body", *path), _without_place(found)) for path, found in zip(paths, catalog.problems, strict=True)]
        well_formed = bool(paths) and all(conforms(body_schema(), call.body, path) for path in paths)
        loc, message = errors[0] if errors else (("body",), "a service is expected")
        raise problem("refused" if well_formed else "invalid", f"{dotted(loc)}: {message}", errors=errors)
    return catalog.services


def _without_place(found: Any) -> str:  # noqa: ANN401 - scorecard.problems.Problem
    return f"{found.message}; did you mean `{found.nearest}`?" if found.nearest else str(found.message)


def _refuse_managed(call: Call[Any], existing: Service) -> None:
    if not call.deps.store.registered_by_api(existing.key):
        raise problem(
            "managed-elsewhere", f"{existing.name} is defined in {existing.origin or 'the catalogue'}; change it there"
        )


def _refuse_changed(call: Call[Any], existing: Service | None) -> None:
    if not call.if_match:
        return
    if existing is None or not matches(call.if_match, _tag(_shown(call, existing))):
        raise problem("changed-meanwhile", f"{call.path['name']} is not as If-Match says; read it again")


def _tag(body: dict[str, Any]) -> str:
    return etag(json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode())


OPERATIONS = (get_service, put_service, delete_service)
