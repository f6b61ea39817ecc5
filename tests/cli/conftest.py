"""The command line in this process, with what it printed; and a fleet of real services to point it at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scorecard.cli.main import run
from scorecard.demo import Fleet

TODAY = datetime.now(UTC)  # noqa: TID251 - the demo's ages count back from the day on which the tests run


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.out)


Call = Callable[..., Result]


@pytest.fixture
def scorecard(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: object) -> Result:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with Fleet(clock=lambda: datetime.now(UTC)) as running:  # noqa: TID251 - the fleet lives in our time
        yield running


@pytest.fixture
def in_fleet(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """The current directory is the fleet's, with its scorecard.yaml."""
    monkeypatch.chdir(fleet.directory)
    return fleet


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
