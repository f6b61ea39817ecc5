"""Backups outside of AWS: dumps in directories, and the drill reports that were pushed or that we wrote ourselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorecard.probes.backups.directory import DumpsProbe
from scorecard.probes.backups.pushed import OwnDrillsProbe, PushedDrillsProbe

if TYPE_CHECKING:
    from scorecard.probes import Context, Probe

__all__ = ["DumpsProbe", "OwnDrillsProbe", "PushedDrillsProbe", "probes"]


def probes(context: Context) -> tuple[Probe, ...]:
    """The probes of dumps and of what was pushed."""
    return (DumpsProbe(context.clock), PushedDrillsProbe(context.pushed), OwnDrillsProbe(context.pushed))
