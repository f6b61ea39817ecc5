"""Kubernetes: where the pods of each service stand, by the API of its cluster.

`cluster` asks an API server, page by page and each list once in a run; `pods` reads pods and nodes, `workloads` the
Deployments and StatefulSets behind them; `probe` holds the probes. Everything is a GET of a list.
"""

from __future__ import annotations

from typing import Any

from scorecard.egress.own import configured_policy
from scorecard.egress.resolver import Resolver
from scorecard.probes import Context, Probe
from scorecard.probes.kubernetes.cluster import Clusters
from scorecard.probes.kubernetes.probe import PodChecksProbe, PodsProbe, WorkloadsProbe

__all__ = ["PodChecksProbe", "PodsProbe", "WorkloadsProbe", "configured_clusters", "probes"]


def configured_clusters(config: Any) -> Clusters:  # noqa: ANN401 - `scorecard.config.Config`
    """The clusters of a configuration, under its address policy."""
    probing = config.probing
    resolver = Resolver(deadline=probing.timeout.total_seconds())
    policy = configured_policy(
        probing.allow, store=config.store_address().reveal(), listen=config.server.listen, resolver=resolver
    )
    return Clusters(config.integrations, policy, resolver)


def probes(context: Context) -> tuple[Probe, ...]:
    """The probes, with one set of sessions between them."""
    clusters = configured_clusters(context.config)
    return PodsProbe(clusters), PodChecksProbe(clusters), WorkloadsProbe(clusters)
