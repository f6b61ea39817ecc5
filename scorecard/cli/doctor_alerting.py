"""What `scorecard doctor` finds out about Prometheus, Alertmanager and Grafana's alerting, asked as the probes ask.

For each it tells address, credentials and permissions, and the checks that would be unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorecard.model import Service
    from scorecard.probes.alerting.lane import Instances, Lane

Told = tuple[str, str, bool | None]
"""(subject, message, whether it is good; None where something will be unknown)."""
_RULES = "alerts/exist, alerts/severity, alerts/runbook-link, alerts/healthy"
_SERIES = "alerts/can-fire"
_HISTORY = "alerts/actionable"
_ROUTED = "alerts/routed"
_PAGES = "runbooks/resolve, runbooks/name-the-alert, runbooks/sections, runbooks/fresh, runbooks/links"
_ALL = f"{_RULES}, {_SERIES}, {_HISTORY}, {_ROUTED}, {_PAGES}"
_PROMETHEUS_NOT_ASKED = f"{_RULES}, {_SERIES}, {_HISTORY}, {_PAGES}"


def examine(config: Any, services: Sequence[Service]) -> Iterator[Told]:  # noqa: ANN401 - Config
    """Ask each configured instance, and say which checks would be unknown.

    Args:
        config: `scorecard.config.Config`.
        services: all that are registered.
    """
    from scorecard.probes.alerting import configured_instances

    instances = configured_instances(config)
    for one in config.integrations.prometheus:
        yield from _examined(instances, "prometheus", one.name, _prometheus)
    for one in config.integrations.alertmanager:
        yield from _examined(instances, "alertmanager", one.name, _alertmanager)
    grafanas = {ref.grafana.instance for service in services for ref in service.spec.alerts if ref.grafana}
    for number, one in enumerate(config.integrations.grafana):
        if one.name in grafanas or (number == 0 and None in grafanas):
            yield from _examined(instances, "grafana", one.name, _grafana)
    yield from _services(config, instances, services)


def _examined(instances: Instances, kind: str, name: str, look: Callable[[Lane], Iterator[Told]]) -> Iterator[Told]:
    from scorecard.evidence import Unavailable
    from scorecard.probes.alerting.lane import Lane

    found = instances.find(kind, name)
    if isinstance(found, Unavailable):
        checks = {"prometheus": _PROMETHEUS_NOT_ASKED, "alertmanager": _ROUTED}.get(kind, _ALL)
        yield f"{kind}/{name}", f"{found.detail}; unknown: {checks}", False
    else:
        yield from look(Lane(found))


def _prometheus(lane: Lane) -> Iterator[Told]:
    from scorecard.probes.alerting.history import remembers
    from scorecard.probes.alerting.lane import NoAnswerError
    from scorecard.probes.alerting.prometheus import Prometheus

    label, prometheus = lane.instance.label, Prometheus(lane)
    try:
        found = prometheus.rules()
    except NoAnswerError as error:
        yield f"{label} rules", f"{error.unavailable.detail}; unknown: {_PROMETHEUS_NOT_ASKED}", False
    else:
        if found.missing:
            yield f"{label} rules", f"{found.missing[0].detail}; unknown: {_RULES}, {_PAGES}", None
        else:
            yield f"{label} rules", f"it evaluates {len(found.rules)} alerting rules", bool(found.rules) or None
    try:
        prometheus.query("vector(1)")
    except NoAnswerError as error:
        checks = f"{_SERIES}, {_HISTORY}, dashboards/panels-have-data"
        yield f"{label} queries", f"{error.unavailable.detail}; unknown: {checks}", False
    else:
        short = remembers(prometheus)
        told = "it answers queries and remembers a week" if short is None else f"{short.detail}; unknown: {_HISTORY}"
        yield f"{label} queries", told, True if short is None else None
    yield from _sending(prometheus)


def _sending(prometheus: Any) -> Iterator[Told]:  # noqa: ANN401 - imported late
    from scorecard.probes.alerting.lane import NoAnswerError

    label = prometheus.lane.instance.label
    try:
        known = prometheus.alertmanagers()
    except NoAnswerError as error:
        yield f"{label} sending", f"{error.unavailable.detail}; unknown: {_ROUTED}", False
    else:
        told = f"it sends alerts to {', '.join(known)}" if known else f"it knows no Alertmanager: {_ROUTED} fails"
        yield f"{label} sending", told, bool(known)
    try:
        prometheus.configuration()
    except NoAnswerError as error:
        words = "external labels are not known, and alerts are routed with and without them"
        yield f"{label} configuration", f"{error.unavailable.detail}; {words}", None


def _alertmanager(lane: Lane) -> Iterator[Told]:
    from scorecard.probes.alerting.lane import NoAnswerError
    from scorecard.probes.alerting.routes import TreeError
    from scorecard.probes.alerting.routing import tree_of_alertmanager

    subject = f"{lane.instance.label} tree"
    try:
        tree = tree_of_alertmanager(lane)
    except NoAnswerError as error:
        yield subject, f"{error.unavailable.detail}; unknown: {_ROUTED}", False
    except TreeError as error:
        yield subject, f"its configuration is not read: {error}; unknown: {_ROUTED}", False
    else:
        count = len(tree.configured)
        yield subject, f"{count} of its receivers {'has' if count == 1 else 'have'} a configuration", count > 0


def _grafana(lane: Lane) -> Iterator[Told]:
    """Each address that its alerts are read from: a token may be allowed one and denied the next."""
    from scorecard.probes.alerting.grafana import ADDRESSES
    from scorecard.probes.alerting.lane import NoAnswerError

    unknown = {"rules": _ALL, "states": f"alerts/healthy, {_SERIES}", "changes": _HISTORY, "routes": _ROUTED}
    for what, path, permission in ADDRESSES:
        subject = f"{lane.instance.label} alerting {what}"
        try:
            lane.get(path, depth=64)
        except NoAnswerError as error:
            yield subject, f"{error.unavailable.detail}; it takes {permission}; unknown: {unknown[what]}", False
        else:
            yield subject, f"GET {path.partition('?')[0]} answers", True


def _services(config: Any, instances: Instances, services: Sequence[Service]) -> Iterator[Told]:  # noqa: ANN401 - Config
    """Services that name an instance which is not configured, or no alerts; and alerts that nobody could route."""
    from scorecard.evidence import Unavailable

    routed = 0
    for service in services:
        named = [
            (kind, one.instance)
            for ref in service.spec.alerts
            for kind in ("prometheus", "grafana")
            if (one := getattr(ref, kind)) is not None
        ]
        for kind, name in named:
            found = instances.find(kind, name)
            if isinstance(found, Unavailable) and not any(
                one.name == name for one in getattr(config.integrations, kind)
            ):
                yield str(service.key), f"{found.detail}; unknown: {_ALL}", None
        routed += bool(service.spec.alerts)
        if not service.spec.alerts and not service.spec.repositories:
            yield str(service.key), f"has no spec.alerts, and no repository to look for rule files in: {_ALL}", None
    if routed and not config.integrations.alertmanager:
        yield "alertmanager", f"none is configured, and {routed} services have alerts; unknown: {_ROUTED}", None
