"""What watches the demo's services: a Prometheus and a Grafana, started and stopped as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from scorecard.demo.dashboards import Screen
from scorecard.demo.grafana import Grafana
from scorecard.demo.pages import Pages
from scorecard.demo.prometheus import Prometheus


@dataclass(frozen=True, slots=True)
class Watched:
    """One service as its monitoring sees it."""

    type: str
    screen: Screen


class Monitoring:
    """Addresses are known once it is made; it answers once it is started."""

    def __init__(self, folder: Path, services: Mapping[str, Watched], clock: Callable[[], datetime]) -> None:
        """Take the ports.

        Args:
            folder: where Prometheus keeps its data.
            services: name to how it is watched.
            clock: the wall clock.
        """
        self.prometheus = Prometheus(folder, {name: one.type for name, one in services.items()}, clock)
        screens = {name: one.screen for name, one in services.items()}
        self.grafana = Pages(Grafana(screens, self.prometheus.url))

    def integrations(self) -> dict[str, Any]:
        """`integrations` of the configuration."""
        return {
            "prometheus": [{"name": "main", "url": self.prometheus.url}],
            "grafana": [{"name": "main", "url": self.grafana.url}],
        }

    def start(self) -> None:
        """Begin to answer."""
        self.prometheus.start()
        self.grafana.start()

    def stop(self) -> None:
        """End both."""
        self.grafana.stop()
        self.prometheus.stop()
