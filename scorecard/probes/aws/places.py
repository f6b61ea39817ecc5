"""Which accounts and regions a service is looked for in, and one lane for each of them, kept between runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from scorecard.config.integrations import instance
from scorecard.egress.aws import Account, Clients
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.aws.lane import FRESH, REUSED, Lane

if TYPE_CHECKING:
    from scorecard.model import Service
    from scorecard.probes import Upstream

LANES = 8
"""Accounts and regions that are asked at once."""
T = TypeVar("T")


@dataclass
class Places:
    """Makes a `Lane` of what the configuration and a service name."""

    integrations: Any
    """`scorecard.config.integrations.Integrations`."""
    clients: Clients
    _lanes: dict[tuple[Account, str], Lane] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _patient: bool = False

    def begin(self, *, patient: bool) -> None:
        """A run begins; one that somebody waits for does not rest on what another saw minutes ago."""
        self._patient = patient
        with self._lock:
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.forget()

    def count(self, upstream: Upstream) -> None:
        """Tell the run how many calls were made since it was last told, by instance, account and region."""
        for (label, region), count in self.clients.counted().items():
            upstream.called("aws", f"{label.removeprefix('aws/')}/{region}", count)

    def lanes(self, service: Service) -> tuple[Lane, ...] | Unavailable:
        """One for each region of the service's account, or what is missing to ask it."""
        account = self.account(service)
        if isinstance(account, Unavailable):
            return account
        with self._lock:
            return tuple(
                self._lanes.setdefault(
                    (account, region), Lane(self.clients, account, region, lambda: FRESH if self._patient else REUSED)
                )
                for region in account.regions
            )

    def account(self, service: Service) -> Account | Unavailable:
        """The account that a service names, as the instance asks it."""
        about = service.spec.aws
        if about is None:
            lines = f'spec:\n  aws: {{account: "111122223333", tags: {{Service: {service.name}}}}}'
            return Unavailable(Cause.NOT_CONFIGURED, "spec.aws is not given", lines)
        return account_of(self.integrations, about.instance, about.account or "")

    def each_lane(self, lanes: Sequence[Lane], ask: Callable[[Lane], T]) -> list[T]:
        """What comes of each, several at a time: an account that does not answer holds up no other."""
        if len(lanes) <= 1:
            return [ask(lane) for lane in lanes]
        with ThreadPoolExecutor(min(LANES, len(lanes)), "aws") as pool:
            return list(pool.map(ask, lanes))


def account_of(integrations: Any, name: str | None, account: str) -> Account | Unavailable:  # noqa: ANN401 - `Integrations`
    """The instance of `integrations.aws` of that name, as it is asked about an account."""
    found = instance(integrations.aws, name)
    if found is None:
        asked = f"an instance {name!r}" if name else "an instance"
        example = f"integrations: {{aws: [{{name: {name or 'main'}, regions: [eu-west-1]}}]}}"
        return Unavailable(Cause.NOT_CONFIGURED, f"scorecard.yaml does not name {asked} of aws; add: {example}")
    if found.role and "{account}" in found.role and not account:
        words = "spec.aws.account is not given, and the role to take needs it"
        return Unavailable(Cause.NOT_CONFIGURED, words, 'spec:\n  aws: {account: "111122223333"}')
    return Account.of(found, account)
