"""The scorecard passes its own checklist, as far as a repository can answer it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from scorecard.app import checklists, installed_probes
from scorecard.catalog import load_catalog
from scorecard.config import load_config
from scorecard.judge import Snapshot
from scorecard.model import Requirement, Scope, Status
from scorecard.registry import installed
from scorecard.run import Runner, measure
from scorecard.telemetry import Telemetry

ROOT = Path(__file__).parent.parent


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the age of our own records is judged as of today


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    config = load_config(None, {}, directory=ROOT)
    registry = installed()
    catalog = load_catalog(config, now=now(), rows=frozenset(registry.rows))
    assert catalog.problems == ()
    (service,) = catalog.services
    runner = Runner(installed_probes(config, tmp_path_factory.mktemp("clones")), clock=now, telemetry=Telemetry())
    checklist = next(iter(checklists(config, registry).values()))
    ((snapshot, _),) = measure(runner, [service], lambda _: checklist, now, scope=Scope.REPOSITORY)
    return snapshot


def test_we_are_registered_in_our_own_catalogue(ours: Snapshot) -> None:
    assert ours.service.name == "readiness-scorecard"


@pytest.mark.parametrize("row_id", ["alerts", "runbooks", "adrs"])
def test_every_rule_that_a_repository_can_answer_is_met_on_our_checkout(ours: Snapshot, row_id: str) -> None:
    row = next(row for row in ours.rows if row.id == row_id)
    decided = [check for check in row.checks if check.requirement is Requirement.REQUIRED]
    assert {check.id: check.message for check in decided if check.status is not Status.PASS} == {}
    # What asks for a running Prometheus besides can only warn here.
    assert row.status in {Status.PASS, Status.WARN}
