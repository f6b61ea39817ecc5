"""Pods and nodes as the API has them: which workload a pod is of, whether it serves, in which zone it stands.

Of a pod nothing is kept but that: its environment may hold secrets.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Tier
from scorecard.evidence.orchestrator import OwnCheck
from scorecard.model import Cause
from scorecard.probes.kubernetes.cluster import Item, Listed

ZONE = "topology.kubernetes.io/zone"
_OLDER = "failure-domain.beta.kubernetes.io/zone"
"""What nodes of a Kubernetes before 1.17 carry."""
_HASHES = ("pod-template-hash", "rollouts-pod-template-hash")
"""Labels with the last part of a ReplicaSet's name."""
_PROBES = ("livenessProbe", "readinessProbe")
ALONE = "Pods"
"""Those that no controller made."""


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """What made a pod."""

    namespace: str
    kind: str
    name: str

    @property
    def text(self) -> str:
        """`shop/Deployment/web`."""
        return f"{self.namespace}/{self.kind}/{self.name}"


def slim_node(node: Item) -> Item:
    """A node's name and zone."""
    labels: Mapping[str, Any] = node["metadata"].get("labels") or {}
    kept = {key: labels[key] for key in (ZONE, _OLDER) if key in labels}
    return {"metadata": {"name": str(node["metadata"].get("name", "")), "labels": kept}}


def slim_pod(pod: Item) -> Item:
    """What is looked at of a pod, without its environment."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    labels: Mapping[str, Any] = metadata.get("labels") or {}
    ready = [one for one in status.get("conditions") or () if one.get("type") == "Ready"]
    return {
        "metadata": {
            "name": metadata.get("name", ""),
            "labels": {key: labels[key] for key in _HASHES if key in labels},
            "ownerReferences": metadata.get("ownerReferences") or (),
            "creationTimestamp": metadata.get("creationTimestamp", ""),
            "deletionTimestamp": metadata.get("deletionTimestamp"),
        },
        "spec": {
            "nodeName": spec.get("nodeName", ""),
            "containers": [
                _slim_container(one) for one in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
            ],
        },
        "status": {"phase": status.get("phase", ""), "conditions": ready},
    }


def _slim_container(container: Item) -> Item:
    """Its probes: the path that each asks, None where it asks none."""
    found = {}
    for kind in _PROBES:
        probe = container.get(kind)
        if probe:
            asks = probe.get("httpGet")
            found[kind] = str(asks.get("path") or "/").partition("?")[0] if asks else None
    return found


def owner_of(pod: Item, namespace: str) -> Owner | None:
    """The workload of a pod; None of a Job, whose pods come to an end and are no capacity."""
    metadata = pod["metadata"]
    made_by = [one for one in metadata.get("ownerReferences") or () if isinstance(one, dict) and one.get("controller")]
    if not made_by:
        return Owner(namespace, ALONE, "that stand alone")
    kind, name = str(made_by[0].get("kind", "")), str(made_by[0].get("name", ""))
    if kind == "Job":
        return None
    labels = metadata.get("labels") or {}
    if kind == "ReplicaSet" and (of_rollout := labels.get("rollouts-pod-template-hash")):
        return Owner(namespace, "Rollout", name.removesuffix(f"-{of_rollout}"))
    if kind == "ReplicaSet" and (of_deployment := labels.get("pod-template-hash")):
        return Owner(namespace, "Deployment", name.removesuffix(f"-{of_deployment}"))
    return Owner(namespace, kind, name)


def serves(pod: Item) -> bool:
    """Whether it is Ready, and not on its way out."""
    status: Mapping[str, Any] = pod.get("status") or {}
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions") or ())
    return status.get("phase") == "Running" and ready and not pod["metadata"].get("deletionTimestamp")


def zones_of(nodes: Iterable[Item]) -> Mapping[str, str]:
    """The zone of each node that has one, by its name."""
    found = {}
    for node in nodes:
        labels = node["metadata"].get("labels") or {}
        zone = labels.get(ZONE) or labels.get(_OLDER)
        if zone:
            found[str(node["metadata"].get("name", ""))] = str(zone)
    return found


def tiers(pods: Iterable[Item], namespace: str, nodes: Listed, label: str) -> tuple[Tier, ...]:
    """One tier for each workload."""
    zones = zones_of(nodes.items)
    members: dict[Owner, list[Item]] = defaultdict(list)
    for pod in pods:
        owner = owner_of(pod, namespace)
        if owner is not None:
            members[owner].append(pod)
    return tuple(_tier(owner, found, zones, nodes.missing, label) for owner, found in sorted(members.items()))


def _tier(
    owner: Owner, pods: Iterable[Item], zones: Mapping[str, str], missing: Unavailable | None, label: str
) -> Tier:
    names = [str((pod.get("spec") or {}).get("nodeName", "")) for pod in pods if serves(pod)]
    lost = Counter(name for name in names if name not in zones)
    unplaced = tuple(
        Unavailable(missing.cause, missing.detail, count=count)
        if missing
        else Unavailable(Cause.NO_DATA, f"{label}: the node {name or '(none)'} has no label {ZONE}", count=count)
        for name, count in sorted(lost.items())
    )
    counted = Counter(zones[name] for name in names if name in zones)
    return Tier(
        name=owner.text,
        kind=owner.kind,
        units="pods",
        zones=tuple(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))),
        unplaced=unplaced,
    )


def own_check(owner: Owner, pod: Item) -> OwnCheck:
    """Which paths the kubelet asks a pod's containers; an init container that goes on running is one of them."""
    asked = [probe for container in pod["spec"]["containers"] for probe in container.items()]
    paths = tuple(dict.fromkeys(path for _, path in asked if path is not None))
    words = ", ".join(dict.fromkeys(kind for kind, _ in asked)) or "no probe"
    return OwnCheck(name=owner.text, kind=owner.kind, paths=paths, words=words)
