"""A service that says `stateless`: with AWS to look through, a row about data is left out only while none is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from scorecard.evidence import Answer, Unavailable
from scorecard.evidence.aws import Resource, Resources, Unlisted
from scorecard.judge import Seen, judge
from scorecard.model import AwsRef, Cadence, Cause, Scope, Service, Spec
from scorecard.registry import installed
from tests.conftest import Clock
from tests.store.fleet import LISTS, Build, Fleet, Ping, Spread
from tests.store.test_expiry import PLATFORM, START, shown

SPEC = Spec(aws=AwsRef(account="111122223333", tags={"Service": "payments"}))
DENIED = Unavailable(Cause.ACCESS_DENIED, "tag:GetResources in eu-west-1: AccessDenied")


def found(kind: str, *, holds_data: bool, missing: tuple[Unavailable, ...] = (), **more: object) -> Resources:
    one = Resource(name=f"arn:{kind}", kind=kind, account="1", region="r", holds_data=holds_data)
    return Resources(resources=(one,), missing=missing, **more)  # type: ignore[arg-type]


TASKS = found("ecs:service", holds_data=False)
DATABASE = found("rds:db", holds_data=True)


@pytest.fixture
def fleet(open_a_fleet: Callable[..., Fleet], clock: Clock) -> Fleet:
    """A fleet whose resources are looked up too."""
    return Fleet(open_a_fleet().store, clock, said={kind: {} for kind in (Ping, Spread, Build, Resources)})


def test_a_row_about_data_is_left_out_while_nothing_found_holds_any(fleet: Fleet) -> None:
    service = fleet.add("payments", TASKS, stateless=True, spec=SPEC)
    fleet.run()

    document = fleet.store.document(service.key, "main", START)
    assert document is not None
    row = document["rows"][-1]
    assert (row["id"], row["status"]) == ("kept", "not_applicable")
    assert row["not_applicable"]["reason"] == (
        "the service says that it keeps no state, and none of its 1 resources holds data"
    )
    assert shown(fleet, service.key, START)["score"] == 100.0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (DATABASE, "which does not count: arn:rds:db holds data"),
        (DENIED, "before its resources were looked through: tag:GetResources in eu-west-1: AccessDenied"),
        (found("ecs:service", holds_data=False, missing=(DENIED,)), "AccessDenied"),
        (
            found("ecs:service", holds_data=False, unlisted=(Unlisted("rds:db", DENIED, holds_data=True),)),
            "AccessDenied",
        ),
    ],
    ids=["a database", "denied", "a region is missing", "a declared database elsewhere"],
)
def test_a_datastore_voids_the_claim_and_so_does_one_that_may_be_there(
    fleet: Fleet, answer: Answer, words: str
) -> None:
    service = fleet.add("payments", stateless=True, spec=SPEC)
    fleet.said[Resources][service.key] = answer
    fleet.run()

    seen = shown(fleet, service.key, START)
    document = fleet.store.document(service.key, "main", START)
    assert document is not None
    assert (seen["kept"], seen["score"]) == ("unknown", 91.3)
    assert words in document["rows"][-1]["checks"][0]["message"]


def test_a_look_that_is_too_old_leaves_no_row_out(fleet: Fleet) -> None:
    service = fleet.add("payments", TASKS, stateless=True, spec=SPEC)
    fleet.run()

    assert shown(fleet, service.key, START)["kept"] == "not_applicable"
    assert shown(fleet, service.key, START + PLATFORM)["kept"] == "unknown"


def test_a_datastore_that_appears_is_seen_by_the_next_run_that_looks(fleet: Fleet) -> None:
    service = fleet.add("payments", TASKS, stateless=True, spec=SPEC)
    fleet.run()
    fleet.tell(service.key, DATABASE)

    fleet.run(Cadence.SOURCE)
    assert shown(fleet, service.key, START)["kept"] == "not_applicable"
    fleet.run(Cadence.PLATFORM)
    assert shown(fleet, service.key, START)["kept"] == "unknown"
    fleet.tell(service.key, TASKS)
    fleet.run(Cadence.PLATFORM)
    assert shown(fleet, service.key, START)["kept"] == "not_applicable"


def test_without_aws_the_catalogues_word_stands(fleet: Fleet) -> None:
    service = fleet.add("payments", stateless=True)
    fleet.run()

    assert shown(fleet, service.key, START)["kept"] == "not_applicable"


def test_a_scope_without_aws_takes_the_catalogues_word() -> None:
    records = installed().checklist("production-readiness", Path()).row("adrs")
    about_data = dataclasses.replace(LISTS["main"], rows=(dataclasses.replace(records, needs_state=True),))
    service = Service(name="payments", stateless=True, spec=SPEC)

    def of(scope: Scope | None) -> str:
        return judge(service, about_data, Seen(), START, scope=scope).rows[0].status.value

    assert (of(None), of(Scope.REPOSITORY)) == ("unknown", "not_applicable")
