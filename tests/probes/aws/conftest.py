"""An AWS of each test's own, on loopback, with credentials that lead nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scorecard.demo.aws import Endpoint
from tests.probes.aws import estate
from tests.probes.aws.estate import Asking


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    estate.credentials(monkeypatch)


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[tuple[Endpoint, Asking]]:
    """(endpoint, asking): fill the endpoint, then ask."""
    with estate.endpoint_and_probes(tmp_path) as (endpoint, asking):
        estate.zones(endpoint)
        estate.subnets(endpoint)
        yield endpoint, asking
