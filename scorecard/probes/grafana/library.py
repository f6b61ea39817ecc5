"""Library panels: a dashboard holds their uid, and `/api/library-elements/UID` their model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scorecard.evidence import Unavailable
from scorecard.model import Cause

Library = Callable[[str], Mapping[str, Any] | Unavailable | None]
"""uid to the panel's model; None where Grafana says that there is none."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A library panel whose model is not there: we could not read it, or Grafana has none."""

    unread: Unavailable | None = None
    fault: str = ""


def resolved(uid: str, library: Library) -> Mapping[str, Any] | Lost:
    """The model behind a reference."""
    found = library(uid)
    if found is None:
        return Lost(fault=f"its library panel {uid} does not exist")
    return Lost(unread=found) if isinstance(found, Unavailable) else found


def nothing(uid: str) -> Unavailable:
    """A library for documents that are read without a Grafana."""
    return Unavailable(Cause.NO_DATA, f"the library panel {uid} was not asked for")
