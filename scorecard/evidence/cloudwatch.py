"""What CloudWatch has of a service: its alarms, and its dashboards with what their widgets show now.

Both are parts of evidence that other sources give too: `LiveAlerts` and `Routing` take the alarms over, `Dashboards`
and `PanelData` the dashboards, so that a service is judged over all of its sources at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scorecard.evidence.alerting import LiveAlert, RoutedAlert
from scorecard.evidence.base import Evidence, Unavailable
from scorecard.evidence.dashboards import DeclaredDashboard, PanelSeen
from scorecard.model import Cadence, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchAlerts(Evidence):
    """The alarms whose names begin as the service says; `missing` are accounts and regions that were not read."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    alerts: tuple[LiveAlert, ...]
    alarms_seen: int
    """Alarms that were looked through."""
    routed: tuple[RoutedAlert, ...]
    unrouted: tuple[Unavailable, ...] = ()
    """Why it is not known where some of them go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchDashboards(Evidence):
    """The dashboards that a service names, and each widget of metrics asked now."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    declared: tuple[DeclaredDashboard, ...]
    panels: tuple[PanelSeen, ...]
