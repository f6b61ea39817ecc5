"""Repositories, read as objects at the head of a branch: decision records, rule files, runbooks; and runbooks on sites.

Everything in a repository is hostile until it was parsed, and parsing happens in a child process with limits
(`isolation`, `child`). Modules that run there are `objects`, `history`, `markdown`, `html`, `records`, `rules`,
`pages`; cloning has a child of its own (`fetching`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scorecard.egress.own import configured_policy, own_places
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import Resolver
from scorecard.probes.repository.alerts import AlertsProbe
from scorecard.probes.repository.checkouts import Credential, Repositories
from scorecard.probes.repository.decision_records import DecisionRecordsProbe
from scorecard.probes.repository.drills import RepositoryDrillsProbe
from scorecard.probes.repository.head import RepositoryHeadProbe
from scorecard.probes.repository.runbooks import RunbooksProbe
from scorecard.probes.repository.site_pages import RunbookPagesProbe
from scorecard.probes.repository.sites import Sites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scorecard.probes import Context, Probe

_PAGES_AT_ONCE = 16
"""Requests under way to sites of runbooks: one wiki serves most of them."""

__all__ = [
    "AlertsProbe",
    "DecisionRecordsProbe",
    "Repositories",
    "RepositoryDrillsProbe",
    "RepositoryHeadProbe",
    "RunbookPagesProbe",
    "RunbooksProbe",
    "probes",
]


def probes(context: Context) -> tuple[Probe, ...]:
    """The probes of repositories, which share what they open."""
    config = context.config
    repositories = Repositories(
        base=context.base,
        cache=context.cache,
        environment=os.environ,
        credentials=dict(_credentials(config)),
        allow=tuple(str(network) for network in config.probing.allow),
        places=own_places(
            store=config.store_address().reveal(),
            listen=config.server.listen,
            resolver=Resolver(deadline=config.probing.timeout.total_seconds()),
        ),
    )
    return (
        RepositoryHeadProbe(repositories),
        DecisionRecordsProbe(repositories),
        AlertsProbe(repositories, _severities(config)),
        RunbooksProbe(repositories),
        RunbookPagesProbe(repositories, _sites(context)),
        RepositoryDrillsProbe(repositories),
    )


def _sites(context: Context) -> Sites:
    """What asks for pages of sites, under the address policy of the health probes."""
    config = context.config
    probing = config.probing
    seconds = probing.timeout.total_seconds()
    resolver = Resolver(deadline=seconds)
    policy = configured_policy(
        probing.allow, store=config.store_address().reveal(), listen=config.server.listen, resolver=resolver
    )
    ca_file = str(probing.ca_file) if probing.ca_file else None
    settings = ProberSettings(timeout=probing.timeout, concurrency=_PAGES_AT_ONCE, ca_file=ca_file)
    return Sites(Prober(policy, resolver, settings, context.clock))


def _severities(config: Any) -> Mapping[str, tuple[str, ...]]:  # noqa: ANN401 - the context holds it as Any
    severities: Mapping[str, tuple[str, ...]] = config.vocabulary.severities.model_dump()
    return {name: tuple(words) for name, words in severities.items()}


def _credentials(config: Any) -> Iterator[tuple[str, Credential]]:  # noqa: ANN401 - as above
    """The tokens of the forges, by the host that their repositories are cloned from."""
    for user, instances in (
        ("x-access-token", config.integrations.github),
        ("oauth2", config.integrations.gitlab),
    ):
        for instance in instances:
            host = (urlsplit(instance.url).hostname or "").lower()
            yield (
                "github.com" if host == "api.github.com" else host,
                Credential(user, _token(instance), str(instance.ca_file or "")),
            )


def _token(instance: Any) -> Callable[[], str]:  # noqa: ANN401 - as above
    def read() -> str:
        secret = instance.read_secret("token")
        return "" if secret is None else str(secret.get_secret_value())

    return read
