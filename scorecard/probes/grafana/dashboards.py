"""The probe of dashboards: those that services declare by uid, and those that carry their tag."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

from scorecard.evidence import Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.cloudwatch import CloudWatchDashboards
from scorecard.evidence.dashboards import Dashboard, Dashboards, DeclaredDashboard
from scorecard.model import Cause, DashboardRef, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.grafana.api import GrafanaApi
from scorecard.probes.grafana.instances import Instances
from scorecard.probes.grafana.lane import Lane, NoAnswerError

THREADS = 8
"""Dashboards that one Grafana is asked for at once."""
_LINES = """spec:
  dashboards: [{grafana: UID}]      # the part after /d/ in its address
  # or in Grafana: the tag service:NAME on the dashboard"""

Looked = Dashboard | Unavailable | None


@dataclass
class DashboardsProbe:
    """Asks each Grafana for each dashboard once, however many services name it."""

    instances: Instances
    name: str = "dashboards"
    answers: type[Evidence] = Dashboards
    needs: tuple[type[Evidence], ...] = (CloudWatchDashboards,)
    calls: int = 0
    """Requests of the last run."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Each distinct dashboard, several at a time; a Grafana that does not answer holds up no other."""
        run = _Run(self.instances)
        try:
            wanted = [(service, run.wanted(service)) for service in services]
            for _, found in wanted:
                for ref in found if isinstance(found, tuple) else ():
                    run.start(ref)
            for service, found in wanted:
                yield (
                    service.key,
                    found
                    if isinstance(found, Unavailable)
                    else run.answer(found, upstream.answer(service.key, CloudWatchDashboards)),
                )
        finally:
            run.close()
            self.calls = run.calls()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One dashboard that a service has."""

    ref: DashboardRef
    tagged: bool = False


class _Run:
    """The Grafanas of one run, and what they were asked for."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances
        self._apis: dict[str | None, GrafanaApi | Unavailable] = {}
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._looks: dict[tuple[str, str], Future[Looked]] = {}

    def api(self, name: str | None) -> GrafanaApi | Unavailable:
        """The Grafana of that name; the first without one."""
        if name not in self._apis:
            found = self._instances.grafana(name)
            if isinstance(found, Unavailable):
                self._apis[name] = found
            else:
                same = [
                    api for api in self._apis.values() if isinstance(api, GrafanaApi) and api.lane.instance is found
                ]
                self._apis[name] = same[0] if same else GrafanaApi(Lane(found, found.label))
        return self._apis[name]

    def wanted(self, service: Service) -> tuple[_Wanted, ...] | Unavailable:
        """What a service declares; else what carries its tag in the first Grafana."""
        declared = service.spec.dashboards
        if declared:
            return tuple(_Wanted(ref) for ref in declared)
        lines = _LINES.replace("NAME", service.name)
        api = self.api(None)
        if isinstance(api, Unavailable):
            return Unavailable(Cause.NOT_CONFIGURED, f"spec.dashboards is not given, and {api.detail}", lines)
        tag = f"service:{service.name}"
        try:
            uids = api.tagged().get(tag, ())
        except NoAnswerError as error:
            why = error.unavailable
            return Unavailable(why.cause, f"spec.dashboards is not given, and no tag can be looked for: {why.detail}")
        if not uids:
            words = f"spec.dashboards is not given, and no dashboard of {api.lane.label} has the tag {tag}"
            return Unavailable(Cause.NOT_CONFIGURED, words, lines)
        return tuple(_Wanted(DashboardRef(grafana=uid), tagged=True) for uid in uids)

    def start(self, wanted: _Wanted) -> None:
        """Begin to ask for a dashboard, unless somebody did."""
        uid = wanted.ref.grafana
        api = self.api(wanted.ref.instance)
        if not uid or isinstance(api, Unavailable):
            return
        name = api.lane.instance.name
        if (name, uid) not in self._looks:
            pool = self._pools.setdefault(name, ThreadPoolExecutor(THREADS, f"grafana-{name}"))
            self._looks[name, uid] = pool.submit(api.dashboard, uid)

    def answer(self, wanted: tuple[_Wanted, ...], cloudwatch: Answer) -> Dashboards:
        """What became of a service's dashboards."""
        declared = tuple(self._declared(one, cloudwatch) for one in wanted)
        exhibits = tuple(exhibit for one in declared if (exhibit := self._exhibit(one)) is not None)
        if isinstance(cloudwatch, CloudWatchDashboards):
            exhibits += cloudwatch.exhibits
        return Dashboards(declared=declared, exhibits=exhibits)

    def _declared(self, wanted: _Wanted, cloudwatch: Answer) -> DeclaredDashboard:
        ref = wanted.ref
        if ref.cloudwatch and not ref.grafana:
            return _of_cloudwatch(f"cloudwatch {ref.cloudwatch}", cloudwatch)
        seen: Looked
        instance = ""
        if not ref.grafana:
            name = "a dashboard without a name"
            seen = Unavailable(Cause.NOT_CONFIGURED, "it names neither grafana nor cloudwatch", _LINES)
        else:
            api = self.api(ref.instance)
            if isinstance(api, Unavailable):
                name, seen = f"grafana {ref.grafana}", api
            else:
                instance = api.lane.instance.name
                name, seen = f"{api.lane.label} {ref.grafana}", self._looks[instance, ref.grafana].result()
        return DeclaredDashboard(
            name=name, seen=seen, variables=dict(ref.variables), instance=instance, tagged=wanted.tagged
        )

    def _exhibit(self, one: DeclaredDashboard) -> Exhibit | None:
        api = self.api(one.instance) if one.instance and not _is_of_cloudwatch(one) else None
        if not isinstance(api, GrafanaApi):
            return None
        instance = api.lane.instance
        uid = one.name.partition(" ")[2]
        url = shlex.quote(f"{instance.url.rstrip('/')}/api/dashboards/uid/{quote(uid, safe='')}")
        token = ' -H "Authorization: Bearer $GRAFANA_TOKEN"' if instance.token else ""
        facts: dict[str, str | int | float | bool | None] = {"dashboard": uid, "found": one.seen is not None}
        if isinstance(one.seen, Dashboard):
            facts |= {"title": one.seen.title, "model": one.seen.model.value, "data_panels": len(one.seen.panels)}
            facts["url"] = one.seen.url
        elif one.seen is not None:
            facts |= {"found": None, "cause": one.seen.cause.value}
        return Exhibit(source=instance.label, request=f"curl -sS{token} {url}", facts=facts)

    def close(self) -> None:
        """Let the threads go; what is under way ends by its own deadline."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)

    def calls(self) -> int:
        """Requests so far."""
        lanes = {id(api.lane): api.lane for api in self._apis.values() if isinstance(api, GrafanaApi)}
        return sum(lane.calls for lane in lanes.values())


def _is_of_cloudwatch(one: DeclaredDashboard) -> bool:
    return one.name.startswith("cloudwatch ")


def _of_cloudwatch(name: str, cloudwatch: Answer) -> DeclaredDashboard:
    """As the probe of AWS has seen it."""
    if isinstance(cloudwatch, CloudWatchDashboards):
        for one in cloudwatch.declared:
            if one.name == name:
                return one
    words = "it was not asked for in this run"
    why = cloudwatch if isinstance(cloudwatch, Unavailable) else Unavailable(Cause.NO_DATA, words)
    return DeclaredDashboard(name=name, seen=why, variables={})
