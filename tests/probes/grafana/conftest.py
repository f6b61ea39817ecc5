"""A Grafana of each test's own, and one Prometheus for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.probes.grafana import estate
from tests.probes.grafana.estate import Asked, Grafana


@pytest.fixture(scope="session")
def prometheus(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Debian's Prometheus, with the series of the exporter."""
    with estate.prometheus(program("prometheus"), tmp_path_factory.mktemp("prometheus")) as url:
        yield url


@pytest.fixture
def serve() -> Iterator[Callable[[Grafana], str]]:
    """`serve(grafana)` starts it and says its address."""
    with ExitStack() as stack:
        yield lambda grafana: stack.enter_context(estate.serving(grafana))


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Asked]:
    """`ask(grafana=URL, prometheus=URL)`."""
    return partial(estate.asked, tmp_path)
