"""The JSON Schema of catalogue documents, made from the dataclasses that they are read into."""

from __future__ import annotations

from typing import Any

from scorecard.catalog import adapters
from scorecard.catalog.documents import API_VERSION
from scorecard.config.fields import LABEL_PATTERN
from scorecard.config.schema import partial
from scorecard.json_schema import titled


def service_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one document of kind Service or Team."""
    service, team = adapters.service_keys(), adapters.team_keys()
    # Defaults may bring what a service leaves out, and null takes away what they brought.
    definitions = {name: partial(part) for name, part in service["$defs"].items()}
    definitions["Service"] = _document(
        "Service",
        _metadata(service, adapters.metadata()),
        {
            "spec": {"$ref": "#/$defs/Spec", "description": "How it is looked at in production."},
            "environments": {
                "type": "object",
                "description": "Other environments; each is merged over spec and has a scorecard of its own.",
                "propertyNames": {"pattern": f"^{LABEL_PATTERN}$", "maxLength": 63, "not": {"const": "production"}},
                "additionalProperties": {"anyOf": [{"$ref": "#/$defs/Spec"}, {"type": "null"}]},
            },
        },
    )
    definitions["Team"] = _document(
        "Team", _metadata(team, tuple(key for key in team["properties"] if key != "origin")), {}
    )
    definitions["Team"]["required"] = ["kind", "metadata"]
    return titled(
        {
            "if": {"properties": {"kind": {"const": "Team"}}, "required": ["kind"]},
            "then": {"$ref": "#/$defs/Team"},
            "else": {"$ref": "#/$defs/Service"},
            "type": "object",
            "$defs": definitions,
        },
        "A service or a team",
    )


def _document(kind: str, metadata: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"A document of kind {kind}.",
        "properties": {
            "apiVersion": {"const": API_VERSION, "default": API_VERSION, "description": "The version of the format."},
            "kind": {"const": kind, "description": "Service (unless given) or Team."},
            "metadata": metadata,
            **more,
        },
        "required": ["metadata"],
        "additionalProperties": False,
    }


def _metadata(flat: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    properties = {key: dict(flat["properties"][key]) for key in keys}
    properties["name"] |= {"pattern": f"^{LABEL_PATTERN}$", "maxLength": 63}
    return {
        "type": "object",
        "description": "What it is called and who owns it.",
        "properties": properties,
        "required": ["name"],
        "additionalProperties": False,
    }
