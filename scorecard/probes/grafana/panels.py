"""The probe of panels: whether each panel of each service's dashboards returns a series now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from scorecard.evidence import Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.cloudwatch import CloudWatchDashboards
from scorecard.evidence.dashboards import Dashboard, Dashboards, DeclaredDashboard, Model, PanelData, PanelSeen
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.grafana.api import GrafanaApi
from scorecard.probes.grafana.instances import Instances
from scorecard.probes.grafana.lane import Lane
from scorecard.probes.grafana.look import Look
from scorecard.probes.grafana.signals import Words
from scorecard.probes.grafana.sources import Lanes, Sources

THREADS = 6
"""Dashboards that are looked at at once; each asks one query at a time."""
_MOST_EXHIBITS = 200

_Key = tuple[str, str, tuple[tuple[str, str], ...]]
Looked = tuple[tuple[PanelSeen, tuple[Exhibit, ...]], ...]


@dataclass
class PanelsProbe:
    """Asks each distinct query of a data source once, however many panels, dashboards and services show it."""

    instances: Instances
    words: Words
    clock: Callable[[], datetime]
    name: str = "panels"
    answers: type[Evidence] = PanelData
    needs: tuple[type[Evidence], ...] = (Dashboards, CloudWatchDashboards)
    calls: int = 0
    """Requests of the last run."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """One look at each dashboard and set of variables."""
        run = _Run(self.instances, self.words, self.clock(), Lanes(), {})
        asked = [(service.key, upstream.answer(service.key, Dashboards)) for service in services]
        with ThreadPoolExecutor(THREADS, "panels") as pool:
            looks: dict[_Key, Future[Looked | Unavailable]] = {}
            for _, answer in asked:
                for one in answer.declared if isinstance(answer, Dashboards) else ():
                    if _in_grafana(one) and isinstance(one.seen, Dashboard) and _key(one) not in looks:
                        run.prepare(one.instance)
                        looks[_key(one)] = pool.submit(run.look, one.instance, one.seen, one.variables)
            for key, answer in asked:
                if isinstance(answer, Dashboards):
                    yield (
                        key,
                        _data(
                            answer,
                            lambda one: looks[_key(one)].result(),
                            upstream.answer(key, CloudWatchDashboards),
                        ),
                    )
                elif isinstance(answer, Unavailable):
                    yield key, answer
                else:
                    yield key, Unavailable(Cause.NO_DATA, "its dashboards are not known")
        self.calls = run.calls()


@dataclass
class _Run:
    """What one run has found out already."""

    instances: Instances
    words: Words
    now: datetime
    lanes: Lanes
    grafanas: dict[str, GrafanaApi | Unavailable]

    def prepare(self, name: str) -> None:
        """Know a Grafana before threads ask for it."""
        if name not in self.grafanas:
            found = self.instances.grafana(name)
            if not isinstance(found, Unavailable):
                self.grafanas[name] = GrafanaApi(Lane(found, found.label))
            else:
                self.grafanas[name] = found

    def look(self, name: str, dashboard: Dashboard, given: Mapping[str, str]) -> Looked | Unavailable:
        """The panels of one dashboard."""
        api = self.grafanas[name]
        if isinstance(api, Unavailable):
            return api
        return Look(dashboard, given, Sources(api, self.instances, self.lanes, self.now), self.words).panels()

    def calls(self) -> int:
        """Requests so far."""
        grafanas = sum(api.lane.calls for api in self.grafanas.values() if isinstance(api, GrafanaApi))
        return grafanas + sum(source.lane.calls for source in self.lanes.made.values())


def _key(one: DeclaredDashboard) -> _Key:
    uid = one.seen.uid if isinstance(one.seen, Dashboard) else ""
    return one.instance, uid, tuple(sorted(one.variables.items()))


def _in_grafana(one: DeclaredDashboard) -> bool:
    return isinstance(one.seen, Dashboard) and one.seen.model is not Model.CLOUDWATCH


def _data(seen: Dashboards, looked: Callable[[DeclaredDashboard], Looked | Unavailable], cloudwatch: Answer) -> Answer:
    """The panels of all dashboards of a service."""
    panels: list[PanelSeen] = []
    exhibits: list[Exhibit] = []
    missing: list[Unavailable] = list(seen.missing)
    found = 0
    for one in seen.declared:
        if isinstance(one.seen, Dashboard) and not _in_grafana(one):
            found += 1
        elif isinstance(one.seen, Dashboard):
            result = looked(one)
            if isinstance(result, Unavailable):
                missing.append(result)
                continue
            found += 1
            for panel, shown in result:
                panels.append(panel)
                exhibits += shown
        elif one.seen is not None:
            missing.append(Unavailable(one.seen.cause, f"{one.name}: {one.seen.detail}"))
    if isinstance(cloudwatch, CloudWatchDashboards):
        panels += cloudwatch.panels
        exhibits += cloudwatch.exhibits
    if not found:
        return missing[0] if missing else Unavailable(Cause.NO_DATA, "none of its dashboards was found")
    return PanelData(
        panels=tuple(panels), dashboards=found, missing=tuple(missing), exhibits=tuple(exhibits[:_MOST_EXHIBITS])
    )
