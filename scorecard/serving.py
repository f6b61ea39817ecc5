"""What site, API and metrics are given: the store, the clock, and the few things they may set in motion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scorecard.model import ServiceKey
from scorecard.registry import Registry
from scorecard.store import Store
from scorecard.telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Everything that a page or an answer is made from. Nothing in it probes: `measure` plans a work item."""

    store: Store
    registry: Registry
    config: Callable[[], Any]
    """The configuration in force (`scorecard.config.Config`); a reload changes what it returns."""
    clock: Callable[[], datetime]
    """The wall clock, UTC."""
    measure: Callable[[ServiceKey, str | None, str], int]
    """(service, row or None, requested by) -> the cycle that measures it."""
    reload: Callable[[], Any]
    """Take up a changed configuration; the outcome says whether it was, with the problems."""
    problems: Callable[[], tuple[Any, ...]]
    """What is wrong with the catalogue and configuration now."""
    version: str
    facts: Callable[[], Mapping[str, Any]] = dict
    """How the process does: `stopping`, `beat_seconds_ago`, `store_error`, `pending_items`, `next_run_in_seconds`,
    `drills` (`spec` and `said` of each)."""
    telemetry: Telemetry = field(default_factory=Telemetry)
    """What this process counts about itself."""
