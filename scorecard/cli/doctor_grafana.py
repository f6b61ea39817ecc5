"""What `scorecard doctor` finds out about each Grafana: address, token, what it may see, its data sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorecard.model import Service
    from scorecard.probes.grafana.api import GrafanaApi
    from scorecard.probes.grafana.sources import Sources

Told = tuple[str, str, bool | None]
"""(subject, message, whether it is good; None where something will be unknown)."""
_CHECKS = "dashboards/exists, dashboards/panels-have-data, dashboards/golden-signals"
_PANELS = "dashboards/panels-have-data, dashboards/golden-signals"


def examine(config: Any, services: Sequence[Service], now: datetime) -> Iterator[Told]:  # noqa: ANN401 - Config
    """Ask each configured Grafana as the probe asks it, and say which checks would be unknown.

    Args:
        config: `scorecard.config.Config`.
        services: all that are registered.
        now: the wall clock.
    """
    from scorecard.evidence import Unavailable
    from scorecard.probes.grafana import configured_instances
    from scorecard.probes.grafana.api import GrafanaApi
    from scorecard.probes.grafana.lane import Lane
    from scorecard.probes.grafana.sources import Lanes, Sources

    instances = configured_instances(config)
    for number, configured in enumerate(config.integrations.grafana):
        found = instances.grafana(configured.name)
        if isinstance(found, Unavailable):
            yield f"grafana/{configured.name}", f"{found.detail}; unknown: {_CHECKS}", False
            continue
        api = GrafanaApi(Lane(found, found.label))
        yield _dashboards(api)
        yield from _sources(Sources(api, instances, Lanes(), now))
        if number == 0:
            yield from _untagged(api, services)
    if not config.integrations.grafana:
        for service in services:
            if not service.spec.dashboards:
                yield str(service.key), f"has no spec.dashboards, and no Grafana is configured: {_CHECKS}", None


def _dashboards(api: GrafanaApi) -> Told:
    from scorecard.probes.grafana.lane import NoAnswerError

    label = api.lane.label
    try:
        tagged = api.lane.get("/api/search", {"type": "dash-db", "limit": "1"})
        if tagged.status != 200 or not isinstance(tagged.document, list):  # noqa: PLR2004 - success
            words = tagged.said or "another document than a list"
            return label, f"{tagged.request}: answered {tagged.status}: {words}; unknown: {_CHECKS}", False
    except NoAnswerError as error:
        return label, f"{error.unavailable.detail}; unknown: {_CHECKS}", False
    if not tagged.document:
        return label, "its token sees no dashboard: give it the role Viewer, or dashboards:read in the folders", None
    return label, "its token sees dashboards", True


def _sources(sources: Sources) -> Iterator[Told]:
    from scorecard.evidence import Unavailable
    from scorecard.probes.grafana.lane import NoAnswerError
    from scorecard.probes.grafana.prometheus import QueryError

    label = sources.api.lane.label
    try:
        known = sources.api.sources()
    except NoAnswerError as error:
        yield (
            f"{label} data sources",
            f"no data source can be seen: {error.unavailable.detail}; unknown: {_PANELS}",
            False,
        )
        return
    if known and not any(one.url for one in known):
        yield (
            f"{label} data sources",
            "its token may not list data sources (datasources:read); each is asked by Grafana's proxy",
            True,
        )
    for one in known:
        subject = f"{label} {one.name}"
        source = sources.prometheus(one)
        if isinstance(source, Unavailable):
            yield subject, f"{source.detail}: panels that ask it are unknown", None
            continue
        how = "by Grafana's proxy" if source.prefix else f"directly, as {source.lane.label}"
        try:
            result = source.query("vector(1)")
        except NoAnswerError as error:
            yield subject, f"is asked {how}: {error.unavailable.detail}; its panels are unknown", False
            continue
        told = f"refuses vector(1): {result.words}" if isinstance(result, QueryError) else "answers"
        yield subject, f"is asked {how}, and {told}", not isinstance(result, QueryError)


def _untagged(api: GrafanaApi, services: Sequence[Service]) -> Iterator[Told]:
    """Services that neither name a dashboard nor are named by one."""
    from scorecard.probes.grafana.lane import NoAnswerError

    asking = [service for service in services if not service.spec.dashboards]
    try:
        tags = api.tagged() if asking else {}
    except NoAnswerError:
        return
    for service in asking:
        if f"service:{service.name}" not in tags:
            words = (
                f"has no spec.dashboards, and {api.lane.label} no dashboard tagged service:{service.name}: {_CHECKS}"
            )
            yield str(service.key), words, None
