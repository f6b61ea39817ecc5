"""The probe of live alerts: every Prometheus and Grafana is asked once, for all services together."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.alerting import LiveAlerts
from scorecard.evidence.cloudwatch import CloudWatchAlerts
from scorecard.model import Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.alerting.belonging import Wanted
from scorecard.probes.alerting.grafana import watched_by_grafana
from scorecard.probes.alerting.lane import Instance, Instances, Lane
from scorecard.probes.alerting.prometheus import Prometheus
from scorecard.probes.alerting.watched import Part, watched

_NONE = Absent("the service names no alerts in Prometheus, Grafana or CloudWatch")
_PATHS = {"prometheus": "/api/v1/rules?type=alert", "grafana": "/api/v1/provisioning/alert-rules"}


@dataclass(frozen=True, slots=True)
class _Place:
    """One source that a service names."""

    instance: Instance | Unavailable
    matchers: Mapping[str, str]


@dataclass
class LiveAlertsProbe:
    """Asks for the rules of each instance once, and for what they find in a few queries more."""

    instances: Instances
    severities: Mapping[str, tuple[str, ...]]
    clock: Callable[[], datetime]
    name: str = "alerts"
    answers: type[Evidence] = LiveAlerts
    needs: tuple[type[Evidence], ...] = (CloudWatchAlerts,)
    calls: int = 0
    """Requests of the last run."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Answer for each service."""
        places = {service.key: tuple(self._places(service)) for service in services}
        wanted: dict[str, list[Wanted]] = defaultdict(list)
        asked: dict[str, Instance] = {}
        for key, found in places.items():
            for number, place in enumerate(found):
                if isinstance(place.instance, Instance):
                    asked[place.instance.label] = place.instance
                    wanted[place.instance.label].append(Wanted((key, number), place.matchers))
        parts: dict[object, Part] = {}
        lanes = {label: Lane(instance) for label, instance in asked.items()}
        with ThreadPoolExecutor(max_workers=max(1, min(8, len(lanes)))) as pool:
            looks = [pool.submit(self._look, lane, tuple(wanted[label])) for label, lane in lanes.items()]
            for look in looks:
                parts.update(look.result())
        self.calls = sum(lane.calls for lane in lanes.values())
        for service in services:
            yield service.key, self._answer(service, places[service.key], parts, upstream)

    def _look(self, lane: Lane, wanted: tuple[Wanted, ...]) -> dict[object, Part]:
        if lane.instance.kind == "grafana":
            return watched_by_grafana(lane, wanted, self.clock())
        return watched(Prometheus(lane), wanted)

    def _places(self, service: Service) -> Iterator[_Place]:
        for ref in service.spec.alerts:
            for kind in ("prometheus", "grafana"):
                named = getattr(ref, kind)
                if named is not None:
                    matchers = named.matchers or {"service": service.name}
                    yield _Place(self.instances.find(kind, named.instance), matchers)

    def _answer(
        self, service: Service, places: Sequence[_Place], parts: Mapping[object, Part], upstream: Upstream
    ) -> Answer:
        alarms = _alarms(service, upstream)
        if not places and alarms is None:
            return _NONE
        mine = [parts.get((service.key, number)) for number in range(len(places))]
        missing = [alarms] if isinstance(alarms, Unavailable) else []
        missing += [place.instance for place in places if isinstance(place.instance, Unavailable)]
        missing += [one for part in mine if part for one in part.missing]
        seen = sum(part.rules_seen for part in mine if part)
        found = [one for part in mine if part for one in part.alerts]
        exhibits = [_exhibit(place, part) for place, part in zip(places, mine, strict=True) if part]
        if isinstance(alarms, CloudWatchAlerts):
            missing += alarms.missing
            seen += alarms.alarms_seen
            found += alarms.alerts
            exhibits += alarms.exhibits
        if missing and not seen:
            return missing[0]
        alerts = {(one.where, one.name, one.expression, str(one.labels)): one for one in found}
        return LiveAlerts(
            alerts=tuple(alerts.values()),
            severities=self.severities,
            rules_seen=seen,
            missing=tuple(dict.fromkeys(missing)),
            exhibits=tuple(exhibits),
        )


def _alarms(service: Service, upstream: Upstream) -> CloudWatchAlerts | Unavailable | None:
    """What CloudWatch said; None of a service that names no alarms there."""
    if all(ref.cloudwatch is None for ref in service.spec.alerts):
        return None
    found = upstream.answer(service.key, CloudWatchAlerts)
    return found if isinstance(found, CloudWatchAlerts | Unavailable) else None


def _exhibit(place: _Place, part: Part) -> Exhibit:
    instance = place.instance
    address = f"{instance.url.rstrip('/')}{_PATHS[instance.kind]}" if isinstance(instance, Instance) else ""
    labels = ", ".join(f'{name}="{value}"' for name, value in place.matchers.items())
    return Exhibit(
        source=instance.label if isinstance(instance, Instance) else "catalogue",
        request=f"curl -sS {shlex.quote(address)}",
        facts={"rules": part.rules_seen, "alerts of the service": len(part.alerts), "matched by": labels},
        excerpt="\n".join(f"{one.name} ({one.where}): {one.belongs}" for one in part.alerts)[:4000],
    )
