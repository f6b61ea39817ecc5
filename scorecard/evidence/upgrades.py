"""Stored evidence of an older schema, brought up to today's: stored evidence is judged again for years."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scorecard.evidence.base import Evidence

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

UPGRADES: dict[tuple[str, int], Upgrade] = {}
"""(kind, schema it starts from) to what makes the next schema of it. No kind has had a second schema yet."""


def upgrade(kind: type[Evidence], schema: int, value: dict[str, Any]) -> dict[str, Any]:
    """Bring a stored value up to the kind's schema, step by step.

    Raises:
        ValueError: the value is of a later schema than this version knows, or an upgrade is missing.
    """
    if schema > kind.schema:
        raise ValueError(f"it has schema {schema}, this version knows {kind.schema}")
    for step in range(schema, kind.schema):
        if (kind.kind(), step) not in UPGRADES:
            raise ValueError(f"no upgrade from schema {step}")
        value = UPGRADES[kind.kind(), step](value)
    return value
