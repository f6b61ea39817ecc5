"""`scorecard iam-policy`: the policy, with the objects that the catalogue's services name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from .conftest import Call


def catalogue(directory: Path, states: Iterable[str] = (), *, drill: str = "") -> None:
    (directory / "services").mkdir()
    (directory / "scorecard.yaml").write_text("catalog: [{files: services/*.yaml}]\n")
    specs = [f"infrastructure: {{state: '{place}'}}" for place in states]
    specs += [f"backups: [{{resource: ledger, drill: '{drill}'}}]"] if drill else []
    for number, spec in enumerate(specs):
        (directory / "services" / f"s{number}.yaml").write_text(
            "apiVersion: scorecard/v1\nkind: Service\n"
            f"metadata: {{name: s{number}, team: payments, tier: tier-1, type: web, lifecycle: production}}\n"
            f"spec: {{{spec}}}\n"
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


def test_drill_reports_in_s3_may_be_read_by_their_pattern(scorecard: Call, here: Path) -> None:
    catalogue(here, ["s3://tf-state/payments.tfstate"])
    file = here / "services" / "s0.yaml"
    more = "backups: [{resource: payments, drill: 's3://drills/payments-*.json'}], infrastructure:"
    file.write_text(file.read_text().replace("infrastructure:", more))
    found = statements(scorecard)["ReadinessScorecardObjects"]["Resource"]
    assert found == ["arn:aws:s3:::drills/payments-*.json", "arn:aws:s3:::tf-state/payments.tfstate"]


def test_many_states_are_named_by_their_buckets_so_that_the_policy_stays_within_its_limit(
    scorecard: Call, here: Path
) -> None:
    catalogue(here, [f"s3://tf-state/{number}.tfstate" for number in range(41)])
    assert statements(scorecard)["ReadinessScorecardObjects"]["Resource"] == ["arn:aws:s3:::tf-state/*"]


@pytest.mark.parametrize(
    ("drill", "named"),
    [
        ("s3://drills/ledger-*.json", ["drills/ledger-*.json"]),
        ("s3://drills/ledger-[0-9].json", ["drills/ledger-?.json"]),
        ("s3://drills/ledger/", ["drills/ledger", "drills/ledger/*"]),
    ],
)
def test_drill_reports_may_be_read(scorecard: Call, here: Path, drill: str, named: list[str]) -> None:
    catalogue(here, drill=drill)
    found = statements(scorecard)["ReadinessScorecardObjects"]["Resource"]
    assert found == [f"arn:aws:s3:::{name}" for name in named]


def test_drill_reports_in_a_repository_need_nothing_of_aws(scorecard: Call, here: Path) -> None:
    catalogue(here, drill="drills/ledger-*.json")
    assert "ReadinessScorecardObjects" not in statements(scorecard)
