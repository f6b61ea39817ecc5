"""Alerts where they are evaluated, and where they are sent: Prometheus, Grafana, Alertmanager.

`lane` asks one instance within bounds, `prometheus` and `grafana` read what it answers. `belonging` finds out whose a
rule is, `watched` looks at all rules for all services, with `series` (can an alert fire?) and `history` (how often did
it?). `live` is the probe of that. `routes` is Alertmanager's tree, pure; `routing` the probe that sends alerts through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorecard.egress.own import configured_policy
from scorecard.egress.resolver import Resolver
from scorecard.probes import Context, Probe
from scorecard.probes.alerting.lane import Instances
from scorecard.probes.alerting.live import LiveAlertsProbe
from scorecard.probes.alerting.routing import RoutingProbe

if TYPE_CHECKING:
    from scorecard.config import Config

__all__ = ["LiveAlertsProbe", "RoutingProbe", "configured_instances", "probes"]


def configured_instances(config: Config) -> Instances:
    """The instances that a configuration names, reached as it allows."""
    probing = config.probing
    resolver = Resolver(deadline=probing.timeout.total_seconds())
    policy = configured_policy(
        probing.allow, store=config.store_address().reveal(), listen=config.server.listen, resolver=resolver
    )
    return Instances(config.integrations, policy, resolver)


def probes(context: Context) -> tuple[Probe, ...]:
    """The two probes of alerting, with one set of sessions between them."""
    config = context.config
    instances = configured_instances(config)
    severities = {name: tuple(words) for name, words in config.vocabulary.severities.model_dump().items()}
    return LiveAlertsProbe(instances, severities, context.clock), RoutingProbe(instances)
