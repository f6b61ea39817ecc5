"""The probes of Kubernetes: where pods stand, which paths they are asked, and what their workloads ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.aws import Tier, Unseen
from scorecard.evidence.kubernetes import PodPlacement, Workload, Workloads
from scorecard.evidence.orchestrator import PodChecks
from scorecard.model import Cause, KubernetesRef, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.kubernetes.cluster import Cluster, Clusters, Item, Listed
from scorecard.probes.kubernetes.pods import ZONE, Owner, own_check, owner_of, slim_node, slim_pod, tiers
from scorecard.probes.kubernetes.workloads import LISTS, slim_workload, workload

_NONE = Absent("spec.kubernetes is not given")
_THREADS = 8
_SHOWN = 20
Read = Callable[[Cluster, KubernetesRef], Answer]


def _each(
    clusters: Clusters, services: Sequence[Service], upstream: Upstream, read: Read
) -> Iterator[tuple[ServiceKey, Answer]]:
    """An answer for each service; every list of a cluster is asked once for all of them."""
    made: dict[str, Cluster] = {}
    todo: list[tuple[Service, Cluster, KubernetesRef]] = []
    for service in services:
        about = service.spec.kubernetes
        server = clusters.server(about.cluster) if about else _NONE
        if about is None or isinstance(server, Unavailable | Absent):
            yield service.key, server if isinstance(server, Unavailable | Absent) else _NONE
        else:
            cluster = made.setdefault(server.name, clusters.cluster(server, patient=upstream.patient))
            todo.append((service, cluster, about))
    with ThreadPoolExecutor(_THREADS, "kubernetes") as pool:
        answers = pool.map(lambda one: _guarded(read, one[1], one[2]), todo)
        yield from ((service.key, answer) for (service, _, _), answer in zip(todo, answers, strict=True))
    for name, cluster in made.items():
        upstream.called("kubernetes", name, cluster.counted())


def _guarded(read: Read, cluster: Cluster, about: KubernetesRef) -> Answer:
    try:
        return read(cluster, about)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # An API server's answers are as its API says, or they are no answers.
        words = f"{cluster.server.label}: another document than was asked for ({type(error).__name__})"
        return Unavailable(Cause.BAD_RESPONSE, words)


def pods_of(cluster: Cluster, about: KubernetesRef) -> Listed:
    """The pods of a service."""
    return cluster.list(path_of(about, "pods"), "PodList", slim_pod, selector=about.selector)


def nodes_of(cluster: Cluster) -> Listed:
    """The nodes of a cluster."""
    return cluster.list("/api/v1/nodes", "NodeList", slim_node, metadata=True)


def path_of(about: KubernetesRef, things: str) -> str:
    """Where a namespace's pods, deployments or statefulsets are listed."""
    group = "/api/v1" if things == "pods" else "/apis/apps/v1"
    return f"{group}/namespaces/{quote(about.namespace, safe='')}/{things}"


def _nothing(cluster: Cluster, about: KubernetesRef) -> Unavailable:
    words = f"{cluster.server.label}: no pod in the namespace {about.namespace} carries {about.selector}"
    lines = f"spec:\n  kubernetes: {{cluster: {cluster.server.name}, namespace: …, selector: …}}"
    return Unavailable(Cause.NOT_CONFIGURED, words, lines)


@dataclass
class PodsProbe:
    """Where the ready pods of each service stand."""

    clusters: Clusters
    name: str = "kubernetes-pods"
    answers: type[Evidence] = PodPlacement
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """An answer for each service."""
        return _each(self.clusters, services, upstream, _placement)


def _placement(cluster: Cluster, about: KubernetesRef) -> Answer:
    pods = pods_of(cluster, about)
    if not pods.items:
        return pods.missing or _nothing(cluster, about)
    nodes = nodes_of(cluster)
    items = tiers(pods.items, about.namespace, nodes, cluster.server.label)
    if not items and not pods.missing:
        return Absent(f"all pods of {about.selector} in {about.namespace} are of Jobs")
    return PodPlacement(
        items=items,
        missing=(pods.missing,) if pods.missing else (),
        exhibits=tuple(_exhibit(cluster, about, one) for one in items[:_SHOWN]),
    )


def _exhibit(cluster: Cluster, about: KubernetesRef, one: Tier) -> Exhibit:
    request = f"kubectl --namespace {about.namespace} get pods --selector {about.selector} --output wide"
    zones = ", ".join(f"{zone} {count}" for zone, count in one.zones)
    facts: dict[str, str | int | float | bool | None] = {"workload": one.name, "ready": one.healthy, "zones": zones}
    return Exhibit(
        source=cluster.server.label, request=f"{request}; kubectl get nodes --label-columns {ZONE}", facts=facts
    )


@dataclass
class PodChecksProbe:
    """Which paths the kubelets ask each service's pods."""

    clusters: Clusters
    name: str = "kubernetes-checks"
    answers: type[Evidence] = PodChecks
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """An answer for each service."""
        return _each(self.clusters, services, upstream, _checks)


def _checks(cluster: Cluster, about: KubernetesRef) -> Answer:
    pods = pods_of(cluster, about)
    if not pods.items:
        return pods.missing or _nothing(cluster, about)
    newest: dict[Owner, Item] = {}
    for pod in sorted(pods.items, key=lambda pod: str(pod["metadata"].get("creationTimestamp", ""))):
        if owner := owner_of(pod, about.namespace):
            newest[owner] = pod
    if not newest and not pods.missing:
        return Absent(f"all pods of {about.selector} in {about.namespace} are of Jobs")
    request = f"kubectl --namespace {about.namespace} get pods --selector {about.selector} --output yaml"
    items = tuple(own_check(owner, pod) for owner, pod in sorted(newest.items(), key=lambda pair: pair[0]))
    exhibit = Exhibit(source=cluster.server.label, request=request, facts={"workloads": len(items)})
    return PodChecks(items=items, missing=(pods.missing,) if pods.missing else (), exhibits=(exhibit,))


@dataclass
class WorkloadsProbe:
    """What the workloads behind each service's pods ask for."""

    clusters: Clusters
    name: str = "kubernetes-workloads"
    answers: type[Evidence] = Workloads
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """An answer for each service."""
        return _each(self.clusters, services, upstream, _workloads)


def _workloads(cluster: Cluster, about: KubernetesRef) -> Answer:
    pods = pods_of(cluster, about)
    if not pods.items:
        return pods.missing or _nothing(cluster, about)
    owners = {owner for pod in pods.items if (owner := owner_of(pod, about.namespace)) and owner.kind in LISTS}
    items: list[Workload | Unseen] = []
    exhibits: list[Exhibit] = []
    for kind in sorted({owner.kind for owner in owners}):
        things, list_kind = LISTS[kind]
        listed = cluster.list(path_of(about, things), list_kind, slim_workload)
        known = {str(one["metadata"].get("name", "")): one for one in listed.items}
        items += [_one(owner, known, listed) for owner in sorted(owners) if owner.kind == kind]
        request = f"kubectl --namespace {about.namespace} get {things} --output yaml"
        exhibits.append(Exhibit(source=cluster.server.label, request=request, facts={things: len(known)}))
    if not items and not pods.missing:
        return Absent(f"no Deployment or StatefulSet made the pods of {about.selector} in {about.namespace}")
    return Workloads(
        items=tuple(items), missing=(pods.missing,) if pods.missing else (), exhibits=tuple(exhibits[:_SHOWN])
    )


def _one(owner: Owner, known: dict[str, Item], listed: Listed) -> Workload | Unseen:
    if owner.name in known:
        return workload(owner, known[owner.name])
    words = f"{owner.text} made pods, and the namespace does not list it"
    return Unseen(owner.text, listed.missing or Unavailable(Cause.NO_DATA, words))
