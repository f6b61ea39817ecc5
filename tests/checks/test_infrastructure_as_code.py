"""The row `infrastructure-as-code`: what runs against what is written, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from checks.infrastructure_as_code import row
from scorecard.check import Row
from scorecard.evidence import Evidence, Unavailable
from scorecard.evidence.aws import Gone, Resource, Resources, Unlisted, Unseen
from scorecard.evidence.infrastructure import (
    Drifted,
    Live,
    LiveInfrastructure,
    Managed,
    TerraformPlan,
    TerraformState,
)
from scorecard.model import Cause, Status
from tests.checks.conftest import NOW, Ask

WAITS = {
    "defined": "the Terraform reader",
    "remote-state-locked": "the Terraform reader",
    "plan-in-review": "the workflow reader",
    "policy-scan": "the scanner import",
}
DATABASE = "arn:aws:rds:eu-west-1:111122223333:db:payments"
ADDRESS = "aws_db_instance.main"
WRITTEN = Managed(ADDRESS, "aws_db_instance", DATABASE, attributes=(("multi_az", "true"), ("instance_class", "db.r6g")))
LOST = Unavailable(Cause.ACCESS_DENIED, "s3:GetObject is denied")


def state(*resources: Managed) -> TerraformState:
    return TerraformState(place="s3://tf/p.tfstate", resources=resources or (WRITTEN,), count=len(resources) or 1)


def live(*items: Live | Unseen | Gone, **more: object) -> LiveInfrastructure:
    return LiveInfrastructure(items=items or (running(),), **more)  # type: ignore[arg-type] # by name


def running(
    multi_az: str = "true", *, changing: tuple[tuple[str, str], ...] = (), left: tuple[tuple[str, str], ...] = ()
) -> Live:
    values = (("multi_az", multi_az), ("instance_class", "db.r6g"), ("publicly_accessible", "false"))
    return Live(name=ADDRESS, arn=DATABASE, attributes=values, changing=changing, left=left)


def plan(*drift: Drifted, days: float = 1, missing: tuple[Unavailable, ...] = ()) -> TerraformPlan:
    made = NOW - timedelta(days=days)
    return TerraformPlan(place="s3://tf/plan.json", made_at=made, drift=drift, missing=missing)


DRIFT = Drifted("aws_s3_bucket.logs", ("update",), ("tags",))


class TestNoDrift:
    @pytest.fixture
    def verdict(self, ask: Ask) -> Callable[..., tuple[str, str]]:
        def judged(*seen: Evidence | Unavailable, no_state: bool = False, no_plan: bool = False) -> tuple[str, str]:
            absent = ((TerraformState, LiveInfrastructure) if no_state else ()) + ((TerraformPlan,) if no_plan else ())
            found = ask(row, "no-drift", *(one for one in seen if isinstance(one, Evidence)), absent=absent)
            return found.status.value, found.code

        return judged

    def test_a_state_that_agrees_with_what_runs_passes(self, ask: Ask) -> None:
        found = ask(row, "no-drift", state(), live(), absent=(TerraformPlan,))
        assert (found.status, found.subjects[0].message) == (Status.PASS, "multi_az, instance_class as in the state")

    def test_an_attribute_that_was_changed_by_hand_fails_and_both_values_are_told(self, ask: Ask) -> None:
        found = ask(row, "no-drift", state(), live(running("false")), absent=(TerraformPlan,))
        assert (found.status, found.code) == (Status.FAIL, "drifted")
        assert "multi_az is false, and the state says true" in found.message

    def test_a_change_that_waits_for_the_maintenance_window_warns(self, ask: Ask) -> None:
        coming = running("false", changing=(("multi_az", "true"),))
        found = ask(row, "no-drift", state(), live(coming), absent=(TerraformPlan,))
        assert (found.status, found.code) == (Status.WARN, "pending")

    def test_what_something_else_sets_on_purpose_is_no_drift(self, verdict: Callable[..., tuple[str, str]]) -> None:
        assert verdict(state(), live(running("false", left=(("multi_az", "x"),))), no_plan=True) == ("pass", "ok")

    def test_what_aws_does_not_have_fails(self, verdict: Callable[..., tuple[str, str]]) -> None:
        assert verdict(state(), live(Gone(ADDRESS)), no_plan=True) == ("fail", "gone")

    def test_what_was_not_seen_is_unknown_and_a_drift_beside_it_stays_a_failure(
        self, verdict: Callable[..., tuple[str, str]]
    ) -> None:
        other = replace(WRITTEN, name="aws_db_instance.other")
        unseen = Unseen("aws_db_instance.other", LOST)
        assert verdict(state(WRITTEN, other), live(running(), unseen), no_plan=True) == ("unknown", "access-denied")
        assert verdict(state(WRITTEN, other), live(running("false"), unseen), no_plan=True) == ("fail", "drifted")

    def test_a_resource_that_came_into_the_state_since_is_unknown(
        self, verdict: Callable[..., tuple[str, str]]
    ) -> None:
        other = replace(WRITTEN, name="aws_db_instance.other")
        assert verdict(state(WRITTEN, other), live(), no_plan=True) == ("unknown", "no-data")

    def test_a_sensitive_attribute_is_unknown(self, verdict: Callable[..., tuple[str, str]]) -> None:
        hidden = replace(WRITTEN, attributes=(), hidden=("multi_az",))
        assert verdict(state(hidden), live(), no_plan=True) == ("unknown", "not-supported")

    def test_a_state_with_nothing_to_compare_proves_nothing(self, ask: Ask) -> None:
        role = Managed("aws_iam_role.task", "aws_iam_role", "arn:aws:iam::111122223333:role/task")
        found = ask(row, "no-drift", state(role), LiveInfrastructure(), absent=(TerraformPlan,))
        assert (found.status, found.cause) == (Status.UNKNOWN, Cause.NO_DATA)
        assert "none of the 1 resources" in found.message

    def test_a_fresh_plan_without_drift_passes(self, verdict: Callable[..., tuple[str, str]]) -> None:
        assert verdict(plan(), no_state=True) == ("pass", "ok")

    def test_a_plan_that_saw_drift_fails_and_names_what(self, ask: Ask) -> None:
        found = ask(row, "no-drift", plan(DRIFT), absent=(TerraformState, LiveInfrastructure))
        assert (found.status, found.code) == (Status.FAIL, "drifted")
        assert "aws_s3_bucket.logs" in found.message
        assert "tags" in found.message

    @pytest.mark.parametrize(("days", "status"), [(6.9, "pass"), (7.1, "fail"), (-0.001, "pass"), (-1, "unknown")])
    def test_a_plan_counts_for_7_days_and_one_from_the_future_for_nothing(
        self, verdict: Callable[..., tuple[str, str]], days: float, status: str
    ) -> None:
        assert verdict(plan(days=days), no_state=True)[0] == status

    def test_an_old_plan_beside_a_state_that_agrees_warns(self, verdict: Callable[..., tuple[str, str]]) -> None:
        assert verdict(plan(days=30), state(), live()) == ("warn", "old-plan")

    def test_an_old_plan_beside_a_state_with_nothing_to_compare_fails(
        self, verdict: Callable[..., tuple[str, str]]
    ) -> None:
        role = Managed("aws_iam_role.task", "aws_iam_role", "arn:aws:iam::111122223333:role/task")
        assert verdict(plan(days=30), state(role), LiveInfrastructure()) == ("fail", "old-plan")

    def test_a_plan_of_a_part_is_unknown_unless_it_saw_drift(self, verdict: Callable[..., tuple[str, str]]) -> None:
        part = (Unavailable(Cause.NO_DATA, "complete is false"),)
        assert verdict(plan(missing=part), no_state=True) == ("unknown", "no-data")
        assert verdict(plan(DRIFT, missing=part), no_state=True) == ("fail", "drifted")

    @pytest.mark.parametrize("known", [(plan(),), (state(), live())])
    def test_where_both_are_named_and_one_is_not_known_it_is_unknown(
        self, ask: Ask, known: tuple[Evidence, ...]
    ) -> None:
        # The other ones were never observed: unknown, not absent.
        assert ask(row, "no-drift", *known).status is Status.UNKNOWN
        assert ask(row, "no-drift", *known, plan(DRIFT)).status is Status.FAIL

    @pytest.mark.parametrize("lost", [TerraformState, LiveInfrastructure, TerraformPlan])
    @pytest.mark.parametrize("days", [1, 30])
    @pytest.mark.parametrize("now_running", [running(), running("false"), Gone(ADDRESS)])
    @pytest.mark.parametrize("drift", [(), (DRIFT,)])
    def test_losing_a_source_never_helps(
        self,
        ask: Ask,
        lost: type[Evidence],
        days: int,
        now_running: Live | Gone,
        drift: tuple[Drifted, ...],
    ) -> None:
        rank = [Status.FAIL, Status.UNKNOWN, Status.WARN, Status.PASS]
        seen = (state(), live(now_running), plan(*drift, days=days))
        before = ask(row, "no-drift", *seen).status
        after = ask(row, "no-drift", *(one for one in seen if not isinstance(one, lost))).status
        assert after in {Status.UNKNOWN, Status.FAIL}
        assert rank.index(after) <= max(rank.index(before), rank.index(Status.UNKNOWN))


class TestManaged:
    def resources(self, *names: tuple[str, str], **more: object) -> Resources:
        found = tuple(Resource(name=name, kind=kind, account="1", region="eu-west-1") for name, kind in names)
        return Resources(resources=found, **more)  # type: ignore[arg-type] # by name

    def test_a_resource_with_an_address_passes_and_one_without_fails(self, ask: Ask) -> None:
        queue = "arn:aws:sqs:eu-west-1:111122223333:retries"
        seen = self.resources((DATABASE, "rds:db"), (queue, "sqs"))
        found = ask(row, "managed", seen, state(), live())
        assert [(one.name, one.code) for one in found.subjects] == [(DATABASE, "ok"), (queue, "unmanaged")]

    def test_what_ec2_has_no_arn_for_is_found_by_its_id(self, ask: Ask) -> None:
        nat = "arn:aws:ec2:eu-west-1:111122223333:natgateway/nat-0123456789abcdef0"
        gateway = Managed("aws_nat_gateway.a", "aws_nat_gateway", id="nat-0123456789abcdef0")
        found = ask(row, "managed", self.resources((nat, "ec2:natgateway")), state(gateway), live())
        assert (found.status, found.subjects[0].message) == (Status.PASS, "it is aws_nat_gateway.a")

    def test_what_another_resource_made_does_not_count(self, ask: Ask) -> None:
        instance = "arn:aws:ec2:eu-west-1:111122223333:instance/i-1"
        card = "arn:aws:ec2:eu-west-1:111122223333:network-interface/eni-1"
        seen = self.resources((DATABASE, "rds:db"), (instance, "ec2:instance"), (card, "ec2:network-interface"))
        found = ask(row, "managed", seen, state(), live(derived=(instance,)))
        assert [one.status.value for one in found.subjects] == ["pass", "not_applicable", "not_applicable"]

    def test_whether_another_resource_made_it_must_be_known(self, ask: Ask) -> None:
        instance = "arn:aws:ec2:eu-west-1:111122223333:instance/i-1"
        found = ask(
            row,
            "managed",
            self.resources((instance, "ec2:instance")),
            state(),
            live(underived=(Unseen(instance, LOST),)),
        )
        assert (found.status, found.cause) == (Status.UNKNOWN, Cause.ACCESS_DENIED)

    @pytest.mark.parametrize("more", [{"missing": (LOST,)}, {"unlisted": (Unlisted("sqs", LOST),)}])
    def test_resources_that_could_not_be_listed_may_be_unmanaged(self, ask: Ask, more: dict[str, object]) -> None:
        found = ask(row, "managed", self.resources((DATABASE, "rds:db"), **more), state(), live())
        assert found.status is Status.UNKNOWN

    def test_a_plan_alone_does_not_say_and_the_line_to_write_is_given(self, ask: Ask) -> None:
        seen = self.resources((DATABASE, "rds:db"))
        found = ask(row, "managed", seen, absent=(TerraformState, LiveInfrastructure))
        assert (found.status, found.cause) == (Status.UNKNOWN, Cause.NOT_CONFIGURED)
        assert "state:" in found.lines


@pytest.mark.parametrize("check", WAITS)
def test_a_check_without_a_probe_is_unknown_and_says_what_it_waits_for(
    waits: Callable[[Row, str], str], check: str
) -> None:
    assert waits(row, check) == WAITS[check]


def test_every_other_check_of_the_row_is_measured() -> None:
    assert {check.id for check in row.checks if check.function is None} == set(WAITS)


def test_a_rule_shows_the_threshold_in_force() -> None:
    assert "at most 7 days" in row.check("no-drift").rule(row.default_limits())


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "use_lockfile = true" in row.check("remote-state-locked").remedy
