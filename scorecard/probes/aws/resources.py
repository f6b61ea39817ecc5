"""The probe that all others of AWS need: which resources a service has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scorecard.evidence import Answer, Evidence
from scorecard.evidence.aws import Resources
from scorecard.model import Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.aws.mapping import resources_of
from scorecard.probes.aws.places import Places


@dataclass
class ResourcesProbe:
    """Lists each account and region once."""

    places: Places
    name: str = "aws"
    answers: type[Evidence] = Resources
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """An answer for each service."""
        self.places.begin(patient=upstream.patient)
        yield from resources_of(services, self.places)
        self.places.count(upstream)
