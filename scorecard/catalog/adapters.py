"""The keys that a service and a team have."""

from __future__ import annotations

from functools import cache
from typing import Any

from scorecard.catalog.documents import NOT_METADATA
from scorecard.model import Service, Team
from scorecard.validators import validator


@cache
def service_keys() -> dict[str, Any]:
    """The JSON Schema of a service as it is held in memory."""
    return validator(Service).json_schema()


@cache
def team_keys() -> dict[str, Any]:
    """The JSON Schema of a team as it is held in memory."""
    return validator(Team).json_schema()


@cache
def metadata() -> tuple[str, ...]:
    """The keys that a service may state under metadata."""
    return tuple(key for key in service_keys()["properties"] if key not in NOT_METADATA)
