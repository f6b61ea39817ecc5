"""What a pipeline pushed about a service, as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from scorecard.model import Provenance


class PushedKind(StrEnum):
    """What may be pushed."""

    DRILL = "drill"
    """The report of a restore drill."""
    TEST_REPORT = "test-report"
    ATTESTATION = "attestation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """One document, with who pushed it and when."""

    id: int
    kind: PushedKind
    received_at: datetime
    pushed_by: str
    """The name of the token; of our own scheduled drill, what ran it."""
    provenance: Provenance
    """`reported`; `probed` for what this scorecard found out itself."""
    digest: str
    """`sha256:` of the document's JSON."""
    document: Any = None
    """As it was pushed: a mapping, or the text of a test report."""
