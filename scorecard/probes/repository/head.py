"""Asks where a service's repository stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from scorecard.evidence import Answer, Evidence, RepositoryHead, Unavailable
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.repository.checkouts import NOT_CONFIGURED, Holding, Repositories
from scorecard.probes.repository.questions import UnreadableError


@dataclass(frozen=True, slots=True)
class RepositoryHeadProbe:
    """Opens the service's first repository."""

    repositories: Repositories
    name: str = "repository.head"
    answers: type[Evidence] = RepositoryHead
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:  # noqa: ARG002 - the protocol's
        """Answer for each service."""
        for service in services:
            yield service.key, self._answer(service)

    def _answer(self, service: Service) -> Answer:
        if not service.spec.repositories:
            return NOT_CONFIGURED
        holdings, unopened = self.repositories.of(service)
        if not holdings:
            return unopened[0]
        return _head(holdings[0], unopened)


def _head(holding: Holding, unopened: tuple[Unavailable, ...]) -> Answer:
    checkout = holding.checkout
    located = checkout.located
    if not located.source.commit:
        return Unavailable(Cause.NO_DATA, f"{checkout.label}: not a git repository")
    try:
        listing = checkout.listing(holding.path)
    except UnreadableError as error:
        return checkout.unavailable(error)
    return RepositoryHead(
        url=checkout.label,
        commit=located.source.commit,
        committed_at=datetime.fromtimestamp(located.committed_at, UTC),
        files=len(listing.files),
        missing=unopened,
        exhibits=(checkout.exhibit("log -1 {commit}", {"files": len(listing.files)}),),
    )
