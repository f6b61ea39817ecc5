"""`ControlPath`: once a day, an address on each health host that cannot exist. 2xx there is 2xx for everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from scorecard.egress.answer import Get, Got
from scorecard.egress.prober import Prober
from scorecard.evidence import Answer, Evidence, Unavailable
from scorecard.evidence.health import ControlPath, Endpoint
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.http.declared import control_urls, declared, outside
from scorecard.probes.http.seen import endpoint, exhibit


@dataclass(frozen=True, slots=True)
class _Part:
    service: ServiceKey
    number: int


@dataclass(slots=True)
class ControlPathProbe:
    """Asks each distinct host of a service's endpoints for a path that is made up for this one request."""

    prober: Prober

    name = "http-control"
    answers: type[Evidence] = ControlPath
    needs: tuple[type[Evidence], ...] = ()
    due_every: timedelta | None = timedelta(hours=24)

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:  # noqa: ARG002 - nothing before it matters
        """One sweep over all hosts."""
        expected: dict[ServiceKey, int] = {}
        gets: list[Get] = []
        for service in services:
            if (answer := outside(service)) is not None:
                yield service.key, answer
                continue
            urls = tuple(control_urls(service))
            if not urls:
                yield service.key, _nothing(service)
                continue
            expected[service.key] = len(urls)
            gets += [Get(key=_Part(service.key, number), url=url) for number, url in enumerate(urls)]
        seen: dict[ServiceKey, list[Got]] = {key: [] for key in expected}
        for got in self.prober.get_many(gets):
            if isinstance(got.key, _Part):
                mine = seen[got.key.service]
                mine.append(got)
                if len(mine) == expected[got.key.service]:
                    yield got.key.service, self._answer(seen.pop(got.key.service))

    def _answer(self, answers: list[Got]) -> Answer:
        answers.sort(key=lambda got: got.key.number if isinstance(got.key, _Part) else 0)
        parts = [endpoint(got, reached_before=False) for got in answers]
        endpoints = tuple(part for part in parts if isinstance(part, Endpoint))
        missing = tuple(part for part in parts if isinstance(part, Unavailable))
        if not endpoints:
            return missing[0]
        return ControlPath(
            endpoints=endpoints,
            missing=missing,
            exhibits=tuple(exhibit(got, self.prober.settings) for got in answers if got.cause is not Cause.PROBE_ERROR),
        )


def _nothing(service: Service) -> Unavailable:
    first = next((part.missing for part in declared(service) if part.missing), None)
    return first or Unavailable(Cause.NOT_CONFIGURED, "the addresses of the endpoints cannot be read")
