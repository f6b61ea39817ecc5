"""A fleet for each test of the store, in each kind of database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scorecard.store import Store
from tests.conftest import Clock
from tests.store.fleet import LISTS, PERIODS, POLICY, Fleet


@pytest.fixture
def open_a_fleet(open_a_store: Callable[..., Store], clock: Clock) -> Callable[..., Fleet]:
    """Opens fleets on the test's one database; options are those of `open_store`."""

    def open_one(**options: object) -> Fleet:
        store = open_a_store(**{"checklists": LISTS, "policies": {"default": POLICY}, "periods": PERIODS, **options})
        store.db.own()
        store.migrate()
        return Fleet(store, clock)

    return open_one


@pytest.fixture
def fleet(open_a_fleet: Callable[..., Fleet]) -> Fleet:
    """An empty fleet."""
    return open_a_fleet()
