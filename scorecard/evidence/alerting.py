"""What evaluates a service's alerts, where they are sent, and the pages that they link to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from scorecard.evidence.base import Evidence, Unavailable
from scorecard.evidence.repository import AlertRule, AlertRunbook
from scorecard.model import Cadence, Cause, Scope


class RuleHealth(StrEnum):
    """How the last evaluation of a rule ended."""

    OK = "ok"
    ERROR = "err"
    UNKNOWN = "unknown"
    """It was not evaluated yet, as after a restart; or whoever evaluates it does not say."""


class Series(StrEnum):
    """What the expression of an alert finds, its thresholds left out."""

    FOUND = "found"
    """It returns something, or its alert is firing."""
    ABSENCE = "absence"
    """It asks for what is not there."""
    NONE = "none"
    """A metric that it needs is not there, and was not within the last week."""
    NO_LABELS = "no_labels"
    """The metric is there, and no series of it with these labels, within the last week."""
    NOTHING_LEFT = "nothing_left"
    """Each of its selectors finds series, and together they leave none."""
    UNKNOWN = "unknown"
    """Nobody could be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAlert(AlertRule):
    """One alert of the service that something evaluates."""

    instance: str
    """Who evaluates it, as `prometheus/main`."""
    belongs: str
    """Why it is taken for the service's, in words."""
    health: RuleHealth
    last_error: str = ""
    paused: bool = False
    state: str = "inactive"
    """inactive, pending or firing."""
    firing_seconds: float = 0.0
    """How long the service's longest firing instance has been firing."""
    firings: int | None = None
    """How often the service's instances began to fire within the last week; None where that is not known."""
    firings_unknown: Unavailable | None = None
    """Why it is not known, or not for the whole week."""
    series: Series = Series.UNKNOWN
    series_detail: str = ""
    series_cause: Cause | None = None
    """Why nobody could be asked."""
    fixed_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that every instance of the alert has, external ones included: what it is routed by."""
    open_labels: tuple[str, ...] = ()
    """Labels that differ from instance to instance; `*` for any other label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAlerts(Evidence):
    """The service's alerts as Prometheus and Grafana have them now."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    alerts: tuple[LiveAlert, ...]
    severities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The organisation's words for each of `page`, `ticket`, `info`, from `vocabulary.severities`."""
    rules_seen: int = 0
    """Alerting rules that were looked through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way that an alert can take through the tree, by the labels that it turns out to have."""

    receivers: tuple[str, ...]
    silent: tuple[str, ...] = ()
    """Those of them that have no configuration, or are not defined: nobody is told."""
    when: str = ""
    """The labels that lead this way, as `namespace="a"`; empty where every instance goes it."""
    muted: tuple[str, ...] = ()
    """Time intervals in which its routes are mute, or outside of which they are."""

    @property
    def reaches(self) -> bool:
        """Whether somebody is told."""
        return len(self.silent) < len(self.receivers)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedAlert:
    """Where one alert goes."""

    name: str
    where: str
    ways: tuple[Way, ...]
    by: str
    """Who routes it, as `alertmanager/main`."""
    unsent: str = ""
    """Why it reaches no router at all; empty where it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing(Evidence):
    """Where each of the service's alerts goes."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    alerts: tuple[RoutedAlert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookPages(Evidence):
    """The runbooks of alerts that are not files beside their rule files: pages of sites, and those of live alerts."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    """One item of work for all services, so that a page that many alerts lead to is asked for once."""
    scope: ClassVar[Scope] = Scope.PLATFORM
    max_age: ClassVar[timedelta | None] = timedelta(hours=48)

    links: tuple[AlertRunbook, ...]
    orphans: tuple[str, ...] = ()
    """Runbooks in the service's folders that neither a live alert nor one of a file leads to."""
    history_missing: tuple[Unavailable, ...] = ()
    """Why dates by git are not all known."""
