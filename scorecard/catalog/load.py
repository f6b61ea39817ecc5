"""Reads every configured source into one catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from scorecard.catalog.build import Catalog, build_catalog
from scorecard.catalog.sources import Surroundings, read_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from scorecard.catalog.documents import Found
    from scorecard.config import Config, Http


def plain_session(instance: Http) -> requests.Session:
    """A session that takes nothing from the environment, with the instance's own token, authorities and proxy."""
    session = requests.Session()
    session.trust_env = False
    token = instance.read_secret("token")
    if token is not None:
        session.headers["Authorization"] = f"Bearer {token.reveal()}"
    if instance.ca_file is not None:
        session.verify = str(instance.ca_file)
    if instance.proxy is not None:
        session.proxies = {"http": instance.proxy, "https": instance.proxy}
    return session


def load_catalog(
    config: Config,
    *,
    now: datetime,
    rows: frozenset[str] | None = None,
    open_session: Callable[[Http], requests.Session] = plain_session,
    registered: Iterable[Found] = (),
) -> Catalog:
    """Read every source.

    `rows` are the ids of the known rows, which exemptions are compared with; `registered` are documents from elsewhere,
    such as those that were put through the API: they come last, so files win over them.
    """
    surroundings = Surroundings(config.directory, open_session)
    found = [*read_sources(config, surroundings), *registered]
    return build_catalog(found, config, today=now.date(), rows=rows)
