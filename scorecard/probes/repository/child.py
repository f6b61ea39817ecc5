"""What the limited child runs that reads repositories."""

from __future__ import annotations

from scorecard.isolation.child import serve


def main() -> None:
    """Answer questions about repositories."""
    from scorecard.probes.repository.answers import ANSWERS

    serve(ANSWERS)
