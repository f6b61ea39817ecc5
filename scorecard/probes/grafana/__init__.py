"""Grafana's dashboards, and what their panels show now.

`models` reads a dashboard of any of the three models (`classic`, `v2`, `library`), `variables` finds what its variables
stand for and `interpolate` puts them in, `promql` and `signals` read its queries. `api` asks Grafana, `prometheus` a
data source, `sources` knows which of them and how. `look` looks at one dashboard, `diagnosis` at an empty panel.
`dashboards` and `panels` are the two probes.
"""

from __future__ import annotations

from typing import Any

from scorecard.egress.own import configured_policy
from scorecard.egress.resolver import Resolver
from scorecard.evidence.dashboards import Signal
from scorecard.probes import Context, Probe
from scorecard.probes.grafana.dashboards import DashboardsProbe
from scorecard.probes.grafana.instances import Instances
from scorecard.probes.grafana.panels import PanelsProbe

__all__ = ["DashboardsProbe", "PanelsProbe", "configured_instances", "probes"]


def configured_instances(config: Any) -> Instances:  # noqa: ANN401 - `scorecard.config.Config`
    """The Grafanas and Prometheuses of a configuration, under its address policy."""
    probing = config.probing
    resolver = Resolver(deadline=probing.timeout.total_seconds())
    policy = configured_policy(
        probing.allow, store=config.store_address().reveal(), listen=config.server.listen, resolver=resolver
    )
    return Instances(config.integrations, policy, resolver)


def probes(context: Context) -> tuple[Probe, ...]:
    """The two probes of dashboards, with one set of sessions between them."""
    instances = configured_instances(context.config)
    vocabulary = context.config.vocabulary.signals
    words = {signal: tuple(getattr(vocabulary, signal.value)) for signal in Signal}
    return DashboardsProbe(instances), PanelsProbe(instances, words, context.clock)
