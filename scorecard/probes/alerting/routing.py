"""The probe of routing: each alert of each service sent through the tree that the real Alertmanager has loaded."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scorecard.evidence import Absent, AlertRule, Alerts, AlertSource, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.alerting import LiveAlert, LiveAlerts, RoutedAlert, Routing, Way
from scorecard.evidence.cloudwatch import CloudWatchAlerts
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.alerting.lane import Instance, Instances, Lane, NoAnswerError
from scorecard.probes.alerting.prometheus import Prometheus
from scorecard.probes.alerting.routes import Passage, Route, Tree, TreeError, passages, read_route, read_tree, shown
from scorecard.probes.alerting.settings import read_sending
from scorecard.promql import PromqlError, read

_NO_ALERTS = Absent("the service has no alert that could be routed")
_SHOWN = 20
_YOUNG = 60.0
"""Seconds after its start in which a Prometheus may not have found its Alertmanagers: it looks every five."""


@dataclass
class RoutingProbe:
    """Asks each Alertmanager for its configuration once, and each Prometheus whether it sends to one."""

    instances: Instances
    name: str = "alert-routing"
    answers: type[Evidence] = Routing
    needs: tuple[type[Evidence], ...] = (Alerts, LiveAlerts, CloudWatchAlerts)
    calls: int = 0
    """Requests of the last run."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Answer for each service."""
        run = _Run(self.instances)
        for service in services:
            files = upstream.answer(service.key, Alerts)
            live = upstream.answer(service.key, LiveAlerts)
            named = any(ref.cloudwatch is not None for ref in service.spec.alerts)
            alarms = upstream.answer(service.key, CloudWatchAlerts) if named else _NO_ALERTS
            yield service.key, run.answer(service, files, live, alarms)
        self.calls = sum(lane.calls for lane in run.lanes.values())


class _Run:
    """What is asked once in a run."""

    def __init__(self, instances: Instances) -> None:
        self.instances = instances
        self.lanes: dict[str, Lane] = {}
        self._trees: dict[str, Tree | Unavailable] = {}
        self._sends: dict[str, bool | Unavailable] = {}

    def answer(self, service: Service, files: Answer, live: Answer, alarms: Answer) -> Answer:
        """One service's alerts, each through the tree of whoever routes it; alarms go where CloudWatch sends them."""
        missing = [one for one in (files, live) if isinstance(one, Unavailable)]
        rules = _rules(files, live)
        missing += [part for one in (files, live) if isinstance(one, Evidence) for part in one.missing]
        if not rules:
            return missing[0] if missing else _NO_ALERTS
        routed: list[RoutedAlert] = []
        if isinstance(alarms, CloudWatchAlerts):
            routed += alarms.routed
            missing += alarms.unrouted
        for rule in rules:
            if rule.source is AlertSource.CLOUDWATCH:
                continue
            found = self._routed(service, rule)
            if isinstance(found, Unavailable):
                missing.append(found)
            else:
                routed.append(found)
        if not routed:
            return missing[0]
        return Routing(
            alerts=tuple(routed), missing=tuple(dict.fromkeys(missing)), exhibits=tuple(self._exhibits(routed, rules))
        )

    def _routed(self, service: Service, rule: AlertRule) -> RoutedAlert | Unavailable:
        if rule.source is AlertSource.GRAFANA:
            name = rule.instance.partition("/")[2] if isinstance(rule, LiveAlert) else ""
            instance = self.instances.find("grafana", name or None)
        else:
            name = _prometheus_of(service, rule)
            instance = self.instances.beside("alertmanager", name)
        if isinstance(instance, Unavailable):
            return instance
        unsent = self._unsent(rule)
        if isinstance(unsent, Unavailable):
            return unsent
        if unsent:
            return RoutedAlert(name=rule.name, where=rule.where, ways=(), by=instance.label, unsent=unsent)
        tree = self._tree(instance)
        if isinstance(tree, Unavailable):
            return tree
        labels, unknown = _labels(rule)
        own = labels.pop("__receiver__", "")
        ways = [Passage((Route(own),))] if own else list(passages(tree, labels, unknown))
        return RoutedAlert(
            name=rule.name,
            where=rule.where,
            ways=tuple(_way(tree, passage, several=len(ways) > 1) for passage in ways[:_SHOWN]),
            by=instance.label,
        )

    def _unsent(self, rule: AlertRule) -> str | Unavailable:
        """Why a live alert leaves its Prometheus for nowhere."""
        if not isinstance(rule, LiveAlert) or rule.source is not AlertSource.PROMETHEUS:
            return ""
        if rule.instance not in self._sends:
            kind, _, name = rule.instance.partition("/")
            instance = self.instances.find(kind, name)
            if isinstance(instance, Unavailable):
                self._sends[rule.instance] = instance
            else:
                self._sends[rule.instance] = _sends(Prometheus(self._lane(instance)))
        sends = self._sends[rule.instance]
        if isinstance(sends, Unavailable):
            return sends
        return "" if sends else f"{rule.instance} knows no Alertmanager (/api/v1/alertmanagers is empty)"

    def _lane(self, instance: Instance) -> Lane:
        return self.lanes.setdefault(instance.label, Lane(instance))

    def _tree(self, instance: Instance) -> Tree | Unavailable:
        if instance.label not in self._trees:
            try:
                ask = _of_grafana if instance.kind == "grafana" else tree_of_alertmanager
                self._trees[instance.label] = ask(self._lane(instance))
            except NoAnswerError as error:
                self._trees[instance.label] = error.unavailable
            except TreeError as error:
                self._trees[instance.label] = Unavailable(Cause.BAD_RESPONSE, f"{instance.label}: {error}")
        return self._trees[instance.label]

    def _exhibits(self, routed: Sequence[RoutedAlert], rules: Sequence[AlertRule]) -> Iterator[Exhibit]:
        for label in dict.fromkeys(one.by for one in routed):
            kind, _, name = label.partition("/")
            if kind == "aws":
                continue
            instance = self.instances.find(kind, name)
            if isinstance(instance, Unavailable):
                continue
            mine = [one for one in routed if one.by == label]
            labels, _ = _labels(next(rule for rule in rules if rule.where == mine[0].where))
            pairs = " ".join(shlex.quote(f"{name}={value}") for name, value in sorted(labels.items()))
            repeat = f"amtool --alertmanager.url={shlex.quote(instance.url)} config routes test {pairs}"
            address = f"{instance.url.rstrip('/')}/api/v1/provisioning/policies"
            yield Exhibit(
                source=label,
                request=repeat if kind == "alertmanager" else f"curl -sS {shlex.quote(address)}",
                facts={"alerts": len(mine)},
                excerpt="\n".join(f"{one.name}: {told(one)}" for one in mine)[:4000],
            )


def _sends(prometheus: Prometheus) -> bool | Unavailable:
    """Whether it sends alerts to anybody; one that was just started may not have found its Alertmanagers yet."""
    try:
        if prometheus.alertmanagers():
            return True
        if not read_sending(prometheus.configuration()).alertmanagers:
            return False
    except NoAnswerError as error:
        return error.unavailable
    age = prometheus.age()
    if age is None or age >= _YOUNG:
        return False
    words = f"{prometheus.lane.instance.label} was started {age:.0f} s ago, and has found no Alertmanager yet"
    return Unavailable(Cause.NO_DATA, words)


def _rules(files: Answer, live: Answer) -> list[AlertRule]:
    """Live alerts, and those of files that nothing evaluates under that name."""
    alerts: list[AlertRule] = list(live.alerts) if isinstance(live, LiveAlerts) else []
    seen = {(one.name, one.severity) for one in alerts}
    if isinstance(files, Alerts):
        alerts += [one for one in files.rules if (one.name, one.severity) not in seen and not one.problem]
    return alerts


def told(alert: RoutedAlert) -> str:
    """Where an alert goes, in words."""
    if alert.unsent:
        return alert.unsent
    return "; ".join(f"{', '.join(way.receivers)}{f' when {way.when}' if way.when else ''}" for way in alert.ways)


def _prometheus_of(service: Service, rule: AlertRule) -> str:
    """The name of the Prometheus that evaluates a rule: the one it was read from, or the service's first."""
    if isinstance(rule, LiveAlert):
        return rule.instance.partition("/")[2]
    named = (ref.prometheus.instance for ref in service.spec.alerts if ref.prometheus and ref.prometheus.instance)
    return next(named, "")


def _labels(rule: AlertRule) -> tuple[dict[str, str], tuple[str, ...]]:
    """The labels that an alert is sent with, and those that nobody knows yet."""
    if isinstance(rule, LiveAlert):
        return dict(rule.fixed_labels), rule.open_labels
    constant = {name: value for name, value in rule.labels.items() if "{{" not in value}
    templated = tuple(name for name, value in rule.labels.items() if "{{" in value)
    try:
        shape = read(rule.expression).shape
    except PromqlError:
        return {**constant, "alertname": rule.name}, ("*",)
    known = {name: value for name, value in shape.known.items() if name not in templated}
    # External labels come from the Prometheus, which nobody asked.
    return {**known, **constant, "alertname": rule.name}, (*sorted(shape.maybe), *templated, "*")


def _way(tree: Tree, passage: Passage, *, several: bool) -> Way:
    reached = passage.receivers
    return Way(
        receivers=reached,
        silent=tuple(one for one in reached if not tree.tells(one)),
        when=shown(passage.decided) if several else "",
        muted=tuple(dict.fromkeys(name for route in passage.routes for name in route.times)),
    )


def tree_of_alertmanager(lane: Lane) -> Tree:
    """The tree that it has loaded.

    Raises:
        NoAnswerError: it does not say.
        TreeError: what it says is not read.
    """
    document = lane.get("/api/v2/status")
    config = document.get("config") if isinstance(document, Mapping) else None
    text = config.get("original") if isinstance(config, Mapping) else None
    if not isinstance(text, str):
        raise NoAnswerError(Cause.BAD_RESPONSE, f"{lane.instance.label} /api/v2/status: no config.original")
    return read_tree(text)


def _of_grafana(lane: Lane) -> Tree:
    """Grafana's own tree, and the contact points that it has."""
    policies = lane.get("/api/v1/provisioning/policies", depth=64)
    points = lane.get("/api/v1/provisioning/contact-points", depth=64)
    if not isinstance(policies, Mapping) or not isinstance(points, list):
        raise NoAnswerError(Cause.BAD_RESPONSE, f"{lane.instance.label}: policies and contact points are not read")
    named = frozenset(str(one.get("name")) for one in points if isinstance(one, Mapping) and one.get("type"))
    return Tree(read_route(policies, ""), named)
