"""One endpoint for all tests of a file: clients are made once, and each test begins with an empty AWS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scorecard.demo.aws import Endpoint
from scorecard.egress.aws import Clients
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from tests.probes.aws import estate
from tests.probes.aws.estate import Asking, Clock

Aws = tuple[Endpoint, Asking]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Filled and asked by many tests, one after another."""
    with estate.endpoint_and_probes(tmp_path_factory.mktemp("aws")) as (endpoint, asking):
        # AWS's own pace of 12 calls a second is nothing that these tests are about.
        clients = Clients(AddressPolicy.of(["127.0.0.1"]), Resolver(), Clock(), rate=100_000)
        for probe in asking.probes:
            probe.places.clients = clients  # type: ignore[attr-defined] # every probe of AWS has them
        yield endpoint, asking


@pytest.fixture
def aws(served: Aws) -> Iterator[Aws]:
    """(endpoint, asking), with nothing in it and nothing kept of what was asked before."""
    endpoint, asking = served
    endpoint.answers.clear()
    endpoint.denied.clear()
    for probe in asking.probes:
        probe.places._lanes.clear()  # type: ignore[attr-defined]
    yield endpoint, asking
    assert not endpoint.wrong
