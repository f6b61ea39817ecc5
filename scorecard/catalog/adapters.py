"""The validators of a service and a team, made once, and the keys that they know."""

from __future__ import annotations

from pydantic import TypeAdapter

from scorecard.catalog.documents import NOT_METADATA
from scorecard.model import Service, Team

SERVICE: TypeAdapter[Service] = TypeAdapter(Service)
TEAM: TypeAdapter[Team] = TypeAdapter(Team)
SERVICE_SCHEMA = SERVICE.json_schema()
TEAM_SCHEMA = TEAM.json_schema()
METADATA = tuple(key for key in SERVICE_SCHEMA["properties"] if key not in NOT_METADATA)
"""The keys that a service may state under metadata."""
