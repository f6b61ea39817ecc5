"""Which data source a query goes to, and how that is asked.

Directly where it is a configured Prometheus, else by Grafana's proxy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

import re2

from scorecard.evidence import Unavailable
from scorecard.evidence.dashboards import Dashboard, SourceRef, Variable
from scorecard.model import Cause
from scorecard.probes.grafana.api import DataSource, GrafanaApi
from scorecard.probes.grafana.instances import Instances
from scorecard.probes.grafana.interpolate import Value, interpolate, names
from scorecard.probes.grafana.lane import Lane, NoAnswerError
from scorecard.probes.grafana.prometheus import PromSource

PROMETHEUS = frozenset({"prometheus", "grafana-amazonprometheus-datasource", "grafana-azureprometheus-datasource"})
"""Plugins whose queries are PromQL and whose API is Prometheus'."""
EXPRESSION = "__expr__"
"""The data source of Grafana's own arithmetic over other queries."""
_QUIET = re2.Options()
_QUIET.log_errors = False


@dataclass(frozen=True, slots=True)
class Missing:
    """Grafana has no such data source: the dashboard's own fault."""

    words: str


Found = DataSource | Missing | Unavailable


@dataclass
class Sources:
    """The data sources of one Grafana in one run."""

    api: GrafanaApi
    instances: Instances
    lanes: Lanes
    now: datetime

    def find(self, ref: SourceRef, dashboard: Dashboard, values: Mapping[str, Value | Unavailable]) -> Found:
        """The data source that a reference means."""
        uid = interpolate(ref.uid, values)
        if isinstance(uid, Unavailable):
            return uid
        try:
            known = self.api.sources()
            if names(uid):
                return _not_imported(uid, ref, dashboard, known)
            if uid in {"", "default"}:
                return _default_for(ref, known)
            return self._named(uid, known)
        except NoAnswerError as error:
            return error.unavailable

    def _named(self, uid: str, known: tuple[DataSource, ...]) -> Found:
        by_uid = next((one for one in known if one.uid == uid), None)
        found = by_uid or next((one for one in known if one.name == uid), None)
        if found is not None:
            return found
        if uid.startswith("-- ") or uid in {"grafana", EXPRESSION}:
            return DataSource(uid=uid, name=uid, type="grafana")
        if self.api.has_source(uid):
            return Unavailable(Cause.ACCESS_DENIED, f"{self.api.lane.label} does not list the data source {uid}")
        return Missing(f"Grafana has no data source {uid}")

    def of_variable(self, variable: Variable) -> tuple[str, ...] | Unavailable:
        """The data sources that a variable may stand for, uids first and then names, the default first."""
        try:
            known = [one for one in self.api.sources() if one.type == variable.query]
        except NoAnswerError as error:
            return error.unavailable
        if variable.regex:
            pattern = variable.regex.strip("/")
            try:
                chosen = re2.compile(pattern, _QUIET)
            except re2.error:
                return Unavailable(Cause.NOT_SUPPORTED, f"the regular expression {variable.regex} cannot be read")
            known = [one for one in known if chosen.search(one.name)]
        known.sort(key=lambda one: (not one.default, one.name))
        return (*(one.uid for one in known), *(one.name for one in known), *(("default",) if known else ()))

    def prometheus(self, source: DataSource) -> PromSource | Unavailable:
        """How a data source is asked."""
        if source.type not in PROMETHEUS:
            words = f"its data source {source.name} is of the type {source.type}, which this version does not ask"
            return Unavailable(Cause.NOT_SUPPORTED, words)
        direct = self.instances.prometheus_at(source.url) if source.url else None
        if isinstance(direct, Unavailable):
            return direct
        if direct is not None:
            return self.lanes.source((direct.label, ""), lambda: Lane(direct, direct.label), "", self.now)
        grafana = self.api.lane.instance
        prefix = f"/api/datasources/proxy/uid/{quote(source.uid, safe='')}"
        label = f"{source.name} by {grafana.label}"
        return self.lanes.source((grafana.label, source.uid), lambda: Lane(grafana, label), prefix, self.now)


def _not_imported(uid: str, ref: SourceRef, dashboard: Dashboard, known: tuple[DataSource, ...]) -> Found:
    """A variable that is not there: an export that was never imported, which would have asked for a type."""
    asked = [(dashboard.imports or {}).get(name, "") for name in sorted(names(uid))]
    wanted = next((kind for kind in asked if kind), ref.type)
    missing = Missing(f"Grafana has no data source {uid}{f' of the type {wanted}' if wanted else ''}")
    return _default(known, wanted) or missing


def _default_for(ref: SourceRef, known: tuple[DataSource, ...]) -> Found:
    found = next((one for one in known if one.default), None)
    if ref.type and (found is None or found.type != ref.type):
        found = _default(known, ref.type)
    return found or Missing("Grafana has no default data source")


@dataclass
class Lanes:
    """The data sources of all Grafanas in one run: two that lead to one Prometheus are one."""

    made: dict[tuple[str, str], PromSource] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def source(self, key: tuple[str, str], lane: Callable[[], Lane], prefix: str, now: datetime) -> PromSource:
        """The data source under a key, made when it is first asked for."""
        with self._lock:
            if key not in self.made:
                self.made[key] = PromSource(lane(), prefix, now)
            return self.made[key]


def _default(known: tuple[DataSource, ...], kind: str) -> DataSource | None:
    """The default among data sources of a type; the first of them where another type is the default."""
    chosen = sorted((one for one in known if one.type == kind), key=lambda one: (not one.default, one.name))
    return chosen[0] if chosen else None
