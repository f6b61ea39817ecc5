"""An estate for each test: empty, or with two services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scorecard.model import Team
from tests.api.estate import LEDGER, PAYMENTS, Estate, control, endpoints, opened


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    found = opened(tmp_path)
    yield found
    found.store.close()


@pytest.fixture
def measured(estate: Estate) -> Estate:
    """Two services registered by the catalogue; `payments` was measured, `ledger` never."""
    estate.sync(PAYMENTS, LEDGER, teams=(Team(name="payments-platform", channel="#payments-ops"),))
    estate.measure(PAYMENTS, endpoints(), control())
    return estate
