"""The limited child that reads repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorecard import isolation
from scorecard.isolation import ChildLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ChildLimits", "Worker"]

_USUAL = ChildLimits()


class Worker(isolation.Worker):
    """A child that answers the questions of `questions`, unless another module is named."""

    def __init__(
        self,
        module: str = "scorecard.probes.repository.child",
        *,
        limits: ChildLimits = _USUAL,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """As of any child."""
        super().__init__(module, limits=limits, environment=environment)
