"""What `scorecard doctor` finds out about each cluster: whether it answers, and what the token may list there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorecard.model import KubernetesRef, Service
    from scorecard.probes.kubernetes.cluster import Cluster

Told = tuple[str, str, bool | None]
"""(subject, message, whether it is good; None where something will be unknown)."""
_PLACEMENT, _CONFIGURATION = "multi-az/placement", "multi-az/configuration"


def examine(config: Any, services: Sequence[Service]) -> Iterator[Told]:  # noqa: ANN401 - Config
    """Ask each configured cluster as the probes ask it, and say which checks would be unknown.

    Args:
        config: `scorecard.config.Config`.
        services: all that are registered.
    """
    from scorecard.evidence import Unavailable
    from scorecard.probes.kubernetes import configured_clusters
    from scorecard.probes.kubernetes.cluster import Cluster

    clusters = configured_clusters(config)
    for number, configured in enumerate(config.integrations.kubernetes):
        found = clusters.server(configured.name)
        if isinstance(found, Unavailable):
            yield f"kubernetes/{configured.name}", f"{found.detail}; unknown: {_PLACEMENT}, {_CONFIGURATION}", False
            continue
        mine = [
            (service, about)
            for service in services
            if (about := service.spec.kubernetes) and about.cluster in {configured.name, None if number == 0 else ""}
        ]
        cluster = Cluster(found)
        yield _nodes(cluster)
        yield from _namespaces(cluster, [about for _, about in mine])
        yield from _selectors(cluster, mine)


def _nodes(cluster: Cluster) -> Told:
    from scorecard.probes.kubernetes.pods import ZONE, zones_of
    from scorecard.probes.kubernetes.probe import nodes_of

    listed = nodes_of(cluster)
    if listed.missing:
        return cluster.server.label, f"{listed.missing.detail}; unknown: {_PLACEMENT}", False
    bare = len(listed.items) - len(zones_of(listed.items))
    words = f"lists {len(listed.items)} nodes"
    if bare:
        return cluster.server.label, f"{words}, {bare} without the label {ZONE}: their pods have no zone", None
    return cluster.server.label, words, True


def _namespaces(cluster: Cluster, about: Sequence[KubernetesRef]) -> Iterator[Told]:
    """What the token may list in each namespace that services name."""
    from scorecard.probes.kubernetes.probe import path_of
    from scorecard.probes.kubernetes.workloads import LISTS, slim_workload

    for one in {each.namespace: each for each in about}.values():
        for things, kind in LISTS.values():
            listed = cluster.list(path_of(one, things), kind, slim_workload)
            if listed.missing:
                subject = f"{cluster.server.label} {one.namespace}"
                yield subject, f"{listed.missing.detail}; unknown: {_CONFIGURATION}", False


def _selectors(cluster: Cluster, mine: Sequence[tuple[Service, KubernetesRef]]) -> Iterator[Told]:
    """Services whose pods cannot be seen, or are none."""
    from scorecard.probes.kubernetes.probe import pods_of

    for service, about in mine:
        listed = pods_of(cluster, about)
        if listed.missing:
            yield str(service.key), f"{listed.missing.detail}; unknown: {_PLACEMENT}, {_CONFIGURATION}", False
        elif not listed.items:
            words = f"no pod in the namespace {about.namespace} carries {about.selector}"
            yield str(service.key), f"{words}; unknown: {_PLACEMENT}, {_CONFIGURATION}", None
