"""The Grafanas and Prometheuses of the configuration: a session each, kept for the life of the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from scorecard.config.integrations import instance
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.session import policy_session
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.grafana.lane import Instance

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
            seconds = found.timeout.total_seconds()
            try:
                session = policy_session(
                    self.policy,
                    self.resolver,
                    ca_file=str(found.ca_file) if found.ca_file else None,
                    proxy=found.proxy,
                    deadline=seconds,
                )
            except OSError as error:
                return Unavailable(Cause.NOT_CONFIGURED, f"integrations.{kind} {found.name}: ca_file: {error}")
            self._made[kind, found.name] = Instance(
                kind=kind,
                name=found.name,
                url=found.url,
                session=session,
                headers=found.headers,
                timeout=seconds,
                token=bool(found.token_file or found.token or found.username),
            )
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
