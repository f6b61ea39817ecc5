"""The Grafanas and Prometheuses of the configuration: a session each, kept for the life of the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from scorecard.config.integrations import instance
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.lane import Instance, connect

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Instances:
    """Makes an `Instance` of what the configuration names."""

    integrations: Any
    """`scorecard.config.integrations.Integrations`."""
    policy: AddressPolicy
    resolver: Resolver
    _made: dict[tuple[str, str], Instance] = field(default_factory=dict)

    def grafana(self, name: str | None) -> Instance | Unavailable:
        """The Grafana of that name, or the first."""
        found = instance(self.integrations.grafana, name)
        if found is None:
            asked = f"an instance {name!r}" if name else "an instance"
            example = f"integrations: {{grafana: [{{name: {name or 'main'}, url: https://grafana.example.net, ...}}]}}"
            return Unavailable(Cause.NOT_CONFIGURED, f"scorecard.yaml does not name {asked} of grafana; add: {example}")
        return self._instance("grafana", found)

    def prometheus_at(self, url: str) -> Instance | Unavailable | None:
        """The configured Prometheus at a data source's address; None where none is."""
        wanted = place(url)
        found = next((one for one in self.integrations.prometheus if wanted and place(one.url) == wanted), None)
        return None if found is None else self._instance("prometheus", found)

    def _instance(self, kind: str, found: Any) -> Instance | Unavailable:  # noqa: ANN401 - a configured instance
        if (kind, found.name) not in self._made:
            made = connect(kind, found, self.policy, self.resolver)
            if isinstance(made, Unavailable):
                return made
            self._made[kind, found.name] = made
        return self._made[kind, found.name]


def place(url: str) -> tuple[str, str, int, str] | None:
    """An address as one writes it in many ways: scheme, host, port and path; None for what is none."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname.lower(), port, parts.path.rstrip("/")
