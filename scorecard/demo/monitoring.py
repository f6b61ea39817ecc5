"""What watches the demo's services: a Prometheus, an Alertmanager, a Grafana and a wiki, started and stopped as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from scorecard.demo.alertmanager import Alertmanager, tree
from scorecard.demo.dashboards import Screen
from scorecard.demo.grafana import Grafana
from scorecard.demo.pages import Pages
from scorecard.demo.prometheus import Prometheus
from scorecard.demo.series import Source
from scorecard.demo.wiki import Wiki


@dataclass(frozen=True, slots=True)
class Watched:
    """One service as its monitoring sees it."""

    source: Source
    screen: Screen
    heard: bool = True
    """Whether the receiver of its alerts has a configuration."""


class Monitoring:
    """Addresses are known once it is made; it answers once it is started."""

    def __init__(
        self,
        folder: Path,
        services: Mapping[str, Watched],
        pages: Mapping[str, str],
        clock: Callable[[], datetime],
        *,
        installed: bool = True,
    ) -> None:
        """Take the ports.

        Args:
            folder: where they keep their data; `rules` in it holds the rule files that Prometheus evaluates.
            services: name to how it is watched.
            pages: the wiki's pages, HTML by path.
            clock: the wall clock.
            installed: use Debian's programs where they are installed.
        """
        binary = None if installed else ""
        self.rules = folder / "rules"
        self.wiki = Pages(Wiki(pages))
        unheard = [name for name, one in services.items() if not one.heard]
        self.alertmanager = Alertmanager(
            folder / "alertmanager", tree(f"{self.wiki.url}/hooks", unheard), binary=binary
        )
        self.prometheus = Prometheus(
            folder / "prometheus",
            {name: one.source for name, one in services.items()},
            clock,
            rules=self.rules,
            alertmanager=self.alertmanager.url,
            binary=binary,
        )
        screens = {name: one.screen for name, one in services.items()}
        self.grafana = Pages(Grafana(screens, self.prometheus.url))

    def integrations(self) -> dict[str, Any]:
        """`integrations` of the configuration."""
        return {
            "prometheus": [{"name": "main", "url": self.prometheus.url}],
            "alertmanager": [{"name": "main", "url": self.alertmanager.url}],
            "grafana": [{"name": "main", "url": self.grafana.url}],
        }

    def start(self) -> None:
        """Begin to answer; the rule files must be written."""
        for one in (self.wiki, self.alertmanager, self.prometheus, self.grafana):
            one.start()

    def stop(self) -> None:
        """End them all."""
        for one in (self.grafana, self.prometheus, self.alertmanager, self.wiki):
            one.stop()
