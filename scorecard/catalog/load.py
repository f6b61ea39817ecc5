"""Reads every configured source into one catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorecard.catalog.build import Catalog, build_catalog
from scorecard.catalog.sources import Surroundings, read_sources
from scorecard.egress.policy import AddressPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    import requests

    from scorecard.catalog.documents import Found
    from scorecard.config import Config, Http


_MAX_BYTES = 32 << 20
"""Of one page of a catalogue server."""


def sessions(config: Config) -> Callable[[Http], requests.Session]:
    """Opens sessions under the configuration's address policy: a server in a private network needs `probing.allow`."""
    policy = AddressPolicy.of(map(str, config.probing.allow))

    def open_session(instance: Http) -> requests.Session:
        from scorecard.egress.resolver import Resolver
        from scorecard.egress.session import policy_session  # a third of a second, for those who have a server only

        resolver = Resolver(threads=2)
        return policy_session(
            policy,
            resolver,
            deadline=instance.timeout.total_seconds(),
            budget=_MAX_BYTES,
            headers=instance.headers(),
            ca_file=str(instance.ca_file) if instance.ca_file is not None else None,
            proxy=instance.proxy,
        )

    return open_session


def load_catalog(
    config: Config,
    *,
    now: datetime,
    rows: frozenset[str] | None = None,
    open_session: Callable[[Http], requests.Session] | None = None,
    registered: Iterable[Found] = (),
) -> Catalog:
    """Read every source.

    `open_session` opens the session in which a server is asked, by default under the address policy of `config`. `rows`
    are the ids of the known rows, which exemptions are compared with. `registered` are documents from elsewhere, such
    as those that were put through the API: they come last, so files win over them.
    """
    surroundings = Surroundings(config.directory, open_session or sessions(config))
    found = [*read_sources(config, surroundings), *registered]
    return build_catalog(found, config, today=now.date(), rows=rows)
