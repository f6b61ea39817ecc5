"""`scorecard iam-policy`: the policy, with the objects that the catalogue's services name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from .conftest import Call


def catalogue(directory: Path, states: Iterable[str]) -> None:
    (directory / "services").mkdir()
    (directory / "scorecard.yaml").write_text("catalog: [{files: services/*.yaml}]\n")
    for number, place in enumerate(states):
        (directory / "services" / f"s{number}.yaml").write_text(
            "apiVersion: scorecard/v1\nkind: Service\n"
            f"metadata: {{name: s{number}, team: payments, tier: tier-1, type: web, lifecycle: production}}\n"
            f"spec: {{infrastructure: {{state: '{place}'}}}}\n"
        )


def statements(scorecard: Call) -> dict[str, dict[str, object]]:
    shown = scorecard("iam-policy")
    assert shown.code == 0
    return {one["Sid"]: one for one in json.loads(shown.out)["Statement"]}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("here")
def test_without_a_state_nothing_that_is_stored_may_be_read(scorecard: Call) -> None:
    (only,) = statements(scorecard).values()
    assert "s3:GetObject" not in str(only["Action"])


def test_a_state_may_be_read_and_no_other_object(scorecard: Call, here: Path) -> None:
    catalogue(here, ["s3://tf-state/payments.tfstate", "s3://tf-state/payments.tfstate"])
    found = statements(scorecard)["ReadinessScorecardObjects"]
    assert (found["Action"], found["Resource"]) == (["s3:GetObject"], ["arn:aws:s3:::tf-state/payments.tfstate"])


def test_many_states_are_named_by_their_buckets_so_that_the_policy_stays_within_its_limit(
    scorecard: Call, here: Path
) -> None:
    catalogue(here, [f"s3://tf-state/{number}.tfstate" for number in range(41)])
    assert statements(scorecard)["ReadinessScorecardObjects"]["Resource"] == ["arn:aws:s3:::tf-state/*"]
