"""What Deployments and StatefulSets ask the scheduler for: how many pods, and how they are spread over zones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scorecard.evidence.kubernetes import Workload, ZoneRule
from scorecard.probes.kubernetes.cluster import Item
from scorecard.probes.kubernetes.pods import ZONE, Owner

LISTS = {"Deployment": ("deployments", "DeploymentList"), "StatefulSet": ("statefulsets", "StatefulSetList")}
"""A kind to its list in `apps/v1`."""


def slim_workload(item: Item) -> Item:
    """What is looked at of a definition, without the environments of its containers."""
    spec: Mapping[str, Any] = item.get("spec") or {}
    template: Mapping[str, Any] = (spec.get("template") or {}).get("spec") or {}
    kept = {key: template[key] for key in ("topologySpreadConstraints", "affinity") if key in template}
    name = {"name": item["metadata"].get("name", "")}
    return {"metadata": name, "spec": {"replicas": spec.get("replicas", 1), "template": {"spec": kept}}}


def workload(owner: Owner, item: Item) -> Workload:
    """A workload by its definition."""
    spec: Mapping[str, Any] = item.get("spec") or {}
    replicas = spec.get("replicas", 1)
    template: Mapping[str, Any] = (spec.get("template") or {}).get("spec") or {}
    rules = sorted(_rules(template), key=lambda rule: rule[0] is not ZoneRule.REQUIRED)
    rule, words = rules[0] if rules else (ZoneRule.NONE, "")
    asked = replicas if isinstance(replicas, int) else 1
    return Workload(name=owner.text, kind=owner.kind, replicas=asked, rule=rule, words=words)


def _rules(template: Mapping[str, Any]) -> Iterator[tuple[ZoneRule, str]]:
    """Everything that a pod template says about zones."""
    for one in template.get("topologySpreadConstraints") or ():
        if one.get("topologyKey") == ZONE:
            how = str(one.get("whenUnsatisfiable", "DoNotSchedule"))
            rule = ZoneRule.REQUIRED if how == "DoNotSchedule" else ZoneRule.PREFERRED
            yield rule, f"topologySpreadConstraints, {how}"
    apart: Mapping[str, Any] = (template.get("affinity") or {}).get("podAntiAffinity") or {}
    for one in apart.get("requiredDuringSchedulingIgnoredDuringExecution") or ():
        if one.get("topologyKey") == ZONE:
            yield ZoneRule.REQUIRED, "podAntiAffinity, required"
    for one in apart.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        if (one.get("podAffinityTerm") or {}).get("topologyKey") == ZONE:
            yield ZoneRule.PREFERRED, "podAntiAffinity, preferred"
