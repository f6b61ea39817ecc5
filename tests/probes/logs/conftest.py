"""The probes under a configuration of a test's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.probes.logs.estate import Asked, asked


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Asked]:
    """`ask(loki=URL, ...)`; relative paths are relative to `tmp_path`."""
    return partial(asked, tmp_path)
