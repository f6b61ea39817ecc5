"""What pipelines pushed about a service, and the drills that we ran ourselves, for the service's page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scorecard.evidence.pushed import Pushed, PushedKind
from scorecard.model import Provenance
from scorecard.site.findings import short

SHOWN = 8
_SAYS = 160
"""Characters of what a document says."""
_FACTS = 4
_KINDS = {
    PushedKind.DRILL: "Restore drill",
    PushedKind.TEST_REPORT: "Test report",
    PushedKind.ATTESTATION: "Attestation",
}
_OF_A_DRILL = ("result", "resource", "code", "message")
"""What of a drill's report tells how it went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One document, as a line."""

    kind: str
    at: datetime
    by: str
    """Who brought it: the token's name, or this scorecard."""
    says: str
    digest: str


def lines(documents: Iterable[Pushed]) -> list[Shown]:
    """A line for each document, in their order."""
    return [
        Shown(
            kind=_KINDS[one.kind],
            at=one.received_at,
            by="this scorecard" if one.provenance is Provenance.PROBED else f"token {one.pushed_by}",
            says=short(_says(one.kind, one.document), _SAYS),
            digest=one.digest,
        )
        for one in documents
    ]


def _says(kind: PushedKind, document: Any) -> str:  # noqa: ANN401 - any JSON
    if not isinstance(document, dict):
        return "" if document is None else next(iter(str(document).strip().splitlines()), "")
    names = _OF_A_DRILL if kind is PushedKind.DRILL else tuple(document)
    plain = [(name, document[name]) for name in names if isinstance(document.get(name), str | int | float)]
    told = [(name, value) for name, value in plain if value != ""]
    if kind is PushedKind.DRILL:
        return " · ".join(str(value) for _, value in told)
    return ", ".join(f"{name} {value}" for name, value in told[:_FACTS])
