"""The validators of a service and a team, made once and when they are first needed, and the keys that they know."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from scorecard.catalog.documents import NOT_METADATA
from scorecard.model import Service, Team


@cache
def service() -> TypeAdapter[Service]:
    """The validator of a service: a tenth of a second to make, which a command that reads none does not pay."""
    return TypeAdapter(Service)


@cache
def team() -> TypeAdapter[Team]:
    """The validator of a team."""
    return TypeAdapter(Team)


@cache
def service_keys() -> dict[str, Any]:
    """The JSON Schema of a service as it is held in memory."""
    return service().json_schema()


@cache
def team_keys() -> dict[str, Any]:
    """The JSON Schema of a team as it is held in memory."""
    return team().json_schema()


@cache
def metadata() -> tuple[str, ...]:
    """The keys that a service may state under metadata."""
    return tuple(key for key in service_keys()["properties"] if key not in NOT_METADATA)
