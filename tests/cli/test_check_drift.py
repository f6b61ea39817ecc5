"""`scorecard check` on drift, from a state in S3 to the document; the state's password is nowhere on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scorecard.demo.aws import Endpoint, serving
from tests.probes.aws import estate
from tests.probes.aws.terraform import DATABASE, PLAN, STATE, bucket, database, plan, resource, running, state

from .conftest import Call

CANARY = "tok3nC4naryQ7xZ9"
Look = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture
def endpoint(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """One database that runs, one queue besides it, and a state with the database in it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIADEMO")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "demo")
    made = Endpoint(lambda: datetime.now(UTC))  # noqa: TID251 - credentials end in our time
    queue = estate.arn("sqs", "retries")
    estate.tagged(made, {DATABASE: {"Service": "payments"}, queue: {"Service": "payments"}})
    made.on(estate.ACCOUNT, "rds:DescribeDBInstances", {"DBInstances": [running()]})
    held = bucket(made)
    outputs = {"password": {"value": CANARY, "type": "string", "sensitive": True}}
    held.put(STATE, state(resource("aws_db_instance", database(), sensitive=["password"]), outputs=outputs))
    # A plan that was made a day ago, by the machine's clock.
    held.written = datetime.now(UTC)  # noqa: TID251 - as above
    held.put(PLAN, plan(timestamp=""))
    with serving(made) as url:
        (here / "scorecard.yaml").write_text(
            "catalog: [{files: payments.yaml}]\n"
            "checklists: [{use: delivery-practices}]\n"
            'probing: {allow: ["127.0.0.1"]}\n'
            f"integrations: {{aws: [{{name: main, regions: [{estate.REGION}], timeout: 2s, endpoint_url: '{url}',"
            " role: 'arn:aws:iam::{account}:role/scorecard'}]}\n"
        )
        (here / "payments.yaml").write_text(
            "apiVersion: scorecard/v1\nkind: Service\n"
            "metadata: {name: payments, team: payments, tier: tier-1, type: web, lifecycle: production}\n"
            f"spec:\n  aws: {{account: '{estate.ACCOUNT}', tags: {{Service: payments}}}}\n"
            f"  infrastructure: {{state: '{STATE}', plan: '{PLAN}'}}\n"
        )
        yield made
    assert not made.wrong


@pytest.fixture
def look(scorecard: Call) -> Look:
    """The checks of the row by their ids, after seeing that no password is in anything that is printed."""

    def checked() -> dict[str, dict[str, Any]]:
        shown = scorecard("check", "payments", "--row", "infrastructure-as-code", "-o", "json")
        assert CANARY not in shown.out + shown.err
        (row,) = (one for one in json.loads(shown.out)["rows"] if one["id"] == "infrastructure-as-code")
        return {one["id"]: one for one in row["checks"]}

    return checked


@pytest.mark.usefixtures("endpoint")
def test_what_runs_as_it_is_written_passes_and_an_unmanaged_queue_is_named(look: Look) -> None:
    found = look()
    assert found["no-drift"]["status"] == "pass", found["no-drift"]["message"]
    assert [one["request"] for one in found["no-drift"]["evidence"]][:1] == [f"aws s3 cp {STATE} -"]
    assert found["managed"]["status"] == "fail"
    assert "retries" in found["managed"]["message"]


def test_a_change_by_hand_is_drift(look: Look, endpoint: Endpoint) -> None:
    changed = {"DBInstances": [running(BackupRetentionPeriod=0)]}
    endpoint.on(estate.ACCOUNT, "rds:DescribeDBInstances", changed)
    found = look()["no-drift"]
    assert found["status"] == "fail"
    assert "backup_retention_period is 0, and the state says 7" in found["message"]


@pytest.mark.parametrize("denied", ["s3:GetObject", "rds:DescribeDBInstances"])
def test_a_denied_call_makes_it_unknown_and_says_which(look: Look, endpoint: Endpoint, denied: str) -> None:
    endpoint.denied = {denied}
    found = look()["no-drift"]
    assert (found["status"], found["cause"]) == ("unknown", "access_denied")
    assert denied in found["message"]


def test_a_broken_state_is_not_quoted(look: Look, endpoint: Endpoint) -> None:
    held = bucket(endpoint)
    held.put(PLAN, plan())
    held.put(STATE, f'{{"version": 4, "{CANARY}": '.encode())
    found = look()["no-drift"]
    assert (found["status"], found["cause"]) == ("unknown", "bad_response")
