"""What a Prometheus does to alerts before it sends them: external labels and relabelling. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scorecard import strict_yaml
from scorecard.promql import full_match


@dataclass(frozen=True, slots=True)
class Sending:
    """What becomes of an alert's labels on the way out."""

    external: Mapping[str, str] = field(default_factory=dict)
    relabel: tuple[Mapping[str, Any], ...] = ()
    readable: bool = True
    """False: nobody could be asked, and an alert may carry any further label."""
    alertmanagers: bool = True
    """Whether the configuration says where Alertmanagers are looked for, or may say so."""

    def labels(self, fixed: Mapping[str, str], open_labels: frozenset[str]) -> tuple[dict[str, str], frozenset[str]]:
        """The labels that all instances have when they are sent, and those that differ (`*`: any other)."""
        known = {**{k: v for k, v in self.external.items() if k not in open_labels}, **fixed}
        differ = set(open_labels) - known.keys()
        if not self.readable:
            differ.add("*")
        for rule in self.relabel:
            _relabel(rule, known, differ)
        return known, frozenset(differ)


def _relabel(rule: Mapping[str, Any], known: dict[str, str], differ: set[str]) -> None:
    action = str(rule.get("action", "replace")).lower()
    pattern = str(rule.get("regex", "(.*)"))
    if action in {"labeldrop", "labelkeep"}:
        for name in [*known, *differ]:
            if name != "*" and full_match(pattern, name) is (action == "labeldrop"):
                known.pop(name, None)
                differ.discard(name)
    elif action == "labelmap":
        differ.add("*")
    elif action in {"replace", "lowercase", "uppercase", "hashmod"} and rule.get("target_label"):
        target = str(rule["target_label"])
        # A constant that is always written, as `{target_label: cluster, replacement: eu}`, is known; the rest is not.
        constant = str(rule.get("replacement", "$1"))
        if action == "replace" and "source_labels" not in rule and "$" not in constant:
            known[target] = constant
            differ.discard(target)
        else:
            known.pop(target, None)
            differ.add(target)


def read_sending(text: str) -> Sending:
    """From a Prometheus' configuration."""
    try:
        value = strict_yaml.load(text, name="prometheus.yml").value
    except strict_yaml.YamlError:
        return Sending(readable=False)
    if not isinstance(value, Mapping):
        return Sending(readable=False)
    external = (value.get("global") or {}).get("external_labels") or {}
    alerting = value.get("alerting") or {}
    relabel = alerting.get("alert_relabel_configs") or []
    return Sending(
        {str(name): str(one) for name, one in external.items()} if isinstance(external, Mapping) else {},
        tuple(one for one in relabel if isinstance(one, Mapping)) if isinstance(relabel, list) else (),
        alertmanagers=bool(alerting.get("alertmanagers")),
    )
