"""States and plans in S3: what is read of them, what is never kept, and what is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from scorecard.demo.aws import AwsRefusal, Endpoint
from scorecard.demo.aws_protocol import Asked
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.infrastructure import Drifted, Managed, TerraformPlan, TerraformState
from scorecard.isolation import UnreadableError, Worker
from scorecard.model import Cause
from scorecard.probes.aws import objects
from scorecard.probes.aws.objects import read_place
from scorecard.probes.aws.state import reading_child
from scorecard.probes.aws.terraform import ATTRIBUTES, PlanRead, ReadPlan, ReadState, StateRead, packed
from tests.probes.aws.estate import Asking, arn
from tests.probes.aws.terraform import (
    DATABASE,
    PLAN,
    STATE,
    bucket,
    database,
    drifted,
    payments,
    plan,
    resource,
    state,
)

CANARY = "tok3nC4naryQ7xZ9"


@pytest.fixture(scope="module")
def child() -> Iterator[Worker]:
    made = reading_child()
    yield made
    made.close()


def read(child: Worker, document: object) -> StateRead:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return child.ask(ReadState(packed(data)), StateRead)


def read_plan(child: Worker, document: object) -> PlanRead:
    return child.ask(ReadPlan(packed(json.dumps(document).encode())), PlanRead)


def only(child: Worker, *resources: dict[str, Any]) -> Managed:
    (found,) = read(child, state(*resources)).resources
    return found


class TestStates:
    def test_a_resource_is_its_address_its_arn_and_the_attributes_that_are_compared(self, child: Worker) -> None:
        found = only(child, resource("aws_db_instance", database(), module="module.db", index_key="blue"))
        assert (found.name, found.arn) == ('module.db.aws_db_instance.main["blue"]', DATABASE)
        assert dict(found.attributes)["backup_retention_period"] == "7"
        assert dict(found.attributes)["multi_az"] == "true"

    def test_no_password_leaves_the_child(self, child: Worker) -> None:
        secrets = [
            resource("aws_db_instance", database(), sensitive=["password"]),
            resource("random_password", {"id": "none", "result": CANARY}),
            resource(
                "aws_secretsmanager_secret_version", {"arn": arn("secretsmanager", "secret:x"), "secret_string": CANARY}
            ),
            resource("aws_ssm_parameter", {"arn": CANARY, "id": CANARY, "value": CANARY}),
        ]
        found = read(child, state(*secrets, outputs={"password": {"value": CANARY, "type": "string"}}))
        assert found.count == 4
        assert CANARY not in repr(found)

    def test_what_the_state_marks_as_sensitive_is_named_and_not_kept(self, child: Worker) -> None:
        found = only(child, resource("aws_db_instance", database(), sensitive=["instance_class", "password"]))
        assert found.hidden == ("instance_class",)
        assert "db.r6g.large" not in repr(found)

    def test_a_block_is_gone_through_where_there_is_one_of_it(self, child: Worker) -> None:
        table = {"arn": arn("dynamodb", "table/carts"), "billing_mode": "PROVISIONED"}
        one = only(child, resource("aws_dynamodb_table", {**table, "point_in_time_recovery": [{"enabled": True}]}))
        assert dict(one.attributes)["point_in_time_recovery.enabled"] == "true"
        none = only(child, resource("aws_dynamodb_table", {**table, "point_in_time_recovery": []}))
        assert [name for name, _ in none.attributes] == ["billing_mode"]

    def test_data_sources_and_deposed_instances_are_no_resources_of_it(self, child: Worker) -> None:
        data = resource("aws_db_instance", database(), mode="data")
        deposed = resource("aws_db_instance", database(), deposed="8a6bf2cf")
        assert read(child, state(data, deposed)).resources == ()

    def test_what_ec2_has_no_arn_for_is_known_by_its_id(self, child: Worker) -> None:
        gateway = only(child, resource("aws_nat_gateway", {"id": "nat-0123456789abcdef0"}))
        assert (gateway.arn, gateway.id) == ("", "nat-0123456789abcdef0")

    def test_the_parts_of_a_bucket_are_the_buckets(self, child: Worker) -> None:
        versioning = {"id": "carts", "bucket": "carts", "versioning_configuration": [{"status": "Enabled"}]}
        found = only(child, resource("aws_s3_bucket_versioning", versioning))
        assert found.arn == "arn:aws:s3:::carts"
        assert found.attributes == (("versioning_configuration.status", "Enabled"),)

    @pytest.mark.parametrize(
        ("document", "cause", "words"),
        [
            ({**state(), "version": 3}, Cause.BAD_RESPONSE, "version 3"),
            ({"serial": 1, "encrypted_data": "abc", "meta": {}}, Cause.NOT_SUPPORTED, "OpenTofu"),
            (
                json.dumps(state(resource("aws_db_instance", database()))).encode()[:-40],
                Cause.BAD_RESPONSE,
                "beginning",
            ),
            (b"<html>", Cause.BAD_RESPONSE, "no JSON"),
            (b"[" * 100_000, Cause.BAD_RESPONSE, "nested too deep"),
            (b"[1]", Cause.BAD_RESPONSE, "no JSON object"),
            ({"version": 4, "serial": 1}, Cause.BAD_RESPONSE, "no list of resources"),
            (state({"mode": "managed"}), Cause.BAD_RESPONSE, "no list of instances"),
            (state({"mode": "managed", "instances": [{"attributes_flat": {}}]}), Cause.BAD_RESPONSE, "no attributes"),
        ],
    )
    def test_what_is_no_state_of_version_4_is_not_read(
        self, child: Worker, document: object, cause: Cause, words: str
    ) -> None:
        with pytest.raises(UnreadableError, match=words) as refused:
            read(child, document)
        assert refused.value.cause is cause

    def test_a_reader_never_quotes_the_state(self, child: Worker) -> None:
        for document in (f'{{"{CANARY}": 1, "{CANARY}": 2}}', f'{{"version": "{CANARY}"}}', f'{{"a": {CANARY}}}'):
            with pytest.raises(UnreadableError) as refused:
                read(child, document.encode())
            assert CANARY not in refused.value.detail

    def test_a_small_body_that_unpacks_to_more_than_the_limit_is_refused(self, child: Worker) -> None:
        with pytest.raises(UnreadableError, match="over 64 MiB"):
            child.ask(ReadState(packed(b" " * ((64 << 20) + 1))), StateRead)


class TestPlans:
    def test_drift_is_an_address_and_the_names_of_what_changed(self, child: Worker) -> None:
        change = drifted(
            "aws_db_instance.main", {"password": CANARY, "multi_az": True}, {"password": "x", "multi_az": True}
        )
        gone = drifted("module.a.aws_s3_bucket.logs", {"bucket": "logs"}, None, "delete")
        found = read_plan(child, plan(change, gone))
        assert found.drift == (
            Drifted("aws_db_instance.main", ("update",), ("password",)),
            Drifted("module.a.aws_s3_bucket.logs", ("delete",)),
        )
        assert CANARY not in repr(found)

    def test_a_move_and_data_that_is_read_are_no_drift(self, child: Worker) -> None:
        moved = drifted("aws_db_instance.main", {}, {}, "no-op")
        data = {**drifted("data.aws_ami.main", None, {}, "read"), "mode": "data"}
        assert read_plan(child, plan(moved, data)).drift == ()

    @pytest.mark.parametrize(
        ("document", "words"),
        [
            (plan(format_version="2.0"), "format_version 2.0"),
            ({"planned_values": {}}, "format_version none"),
            ({"format_version": "1.0", "terraform_version": "1.9.8", "values": {}}, "no plan"),
            (plan(resource_drift={"a": 1}), "no list of changes"),
            (plan(resource_drift=[{"address": "a"}]), "has no change"),
            (plan(resource_drift=[{"change": {}}]), "no actions"),
        ],
    )
    def test_what_is_no_plan_of_format_1_is_not_read(self, child: Worker, document: object, words: str) -> None:
        with pytest.raises(UnreadableError, match=words):
            read_plan(child, document)


class TestInS3:
    def test_a_state_is_read_in_parts_of_one_version(
        self, aws: tuple[Endpoint, Asking], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "PART", 1000)
        endpoint, asking = aws
        held = bucket(endpoint)
        held.put(STATE, state(*(resource("aws_db_instance", database(), name=f"n{i}") for i in range(5))))
        found = asking.one(TerraformState, payments())
        assert isinstance(found, TerraformState)
        assert (found.place, found.count, len(held.parts) > 3) == (STATE, 5, True)
        assert found.exhibits[0].request == f"aws s3 cp {STATE} -"
        assert CANARY not in repr(found)

    def test_a_state_that_is_written_while_it_is_read_is_read_again(
        self, aws: tuple[Endpoint, Asking], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "PART", 1000)
        endpoint, asking = aws
        held = bucket(endpoint)
        held.put(STATE, state(*(resource("aws_db_instance", database(), name=f"n{i}") for i in range(3))))

        def apply(_asked: Asked) -> None:
            if len(held.parts) == 2:
                held.put(STATE, state(*(resource("aws_db_instance", database(), name=f"m{i}") for i in range(4))))

        endpoint.before = apply
        found = asking.one(TerraformState, payments())
        assert isinstance(found, TerraformState)
        assert [one.name for one in found.resources] == [f"aws_db_instance.m{i}" for i in range(4)]

    def test_services_that_share_a_state_cost_one_call(self, aws: tuple[Endpoint, Asking]) -> None:
        endpoint, asking = aws
        held = bucket(endpoint)
        held.put(STATE, state(resource("aws_db_instance", database())))
        first, second = payments(), payments()
        for one in (first, second):
            assert isinstance(asking.one(TerraformState, one), TerraformState)
        assert len(held.parts) == 1

    @pytest.mark.parametrize(
        ("code", "status", "cause"),
        [
            ("AccessDenied", 403, Cause.ACCESS_DENIED),
            ("SlowDown", 503, Cause.RATE_LIMITED),
            ("NoSuchKey", 404, Cause.NO_DATA),
            ("NoSuchBucket", 404, Cause.NO_DATA),
            ("InternalError", 500, Cause.UNREACHABLE),
        ],
    )
    def test_what_s3_refuses_is_unknown_with_its_cause(
        self, aws: tuple[Endpoint, Asking], code: str, status: int, cause: Cause
    ) -> None:
        endpoint, asking = aws

        def refuse(asked: Asked) -> None:
            if asked.name == "s3:GetObject":
                raise AwsRefusal(code, "no", status)

        endpoint.before = refuse
        found = asking.one(TerraformState, payments())
        assert isinstance(found, Unavailable)
        assert (found.cause, code in found.detail or STATE in found.detail) == (cause, True)

    def test_an_empty_object_is_no_state(self, aws: tuple[Endpoint, Asking]) -> None:
        endpoint, asking = aws
        bucket(endpoint).put(STATE, b"")
        found = asking.one(TerraformState, payments())
        assert isinstance(found, Unavailable)
        assert (found.cause, "empty" in found.detail) == (Cause.BAD_RESPONSE, True)

    def test_a_state_over_the_limit_is_left_after_its_first_part(
        self, aws: tuple[Endpoint, Asking], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "PART", 1000)
        monkeypatch.setattr("scorecard.probes.aws.state.LIMIT", 2000)
        endpoint, asking = aws
        held = bucket(endpoint)
        held.put(STATE, b" " * 5000)
        found = asking.one(TerraformState, payments())
        assert isinstance(found, Unavailable)
        assert (found.cause, len(held.parts)) == (Cause.NOT_SUPPORTED, 1)

    def test_a_plan_says_when_it_was_made(self, aws: tuple[Endpoint, Asking]) -> None:
        endpoint, asking = aws
        held = bucket(endpoint)
        held.put(PLAN, plan(drifted("aws_db_instance.main", {"multi_az": True}, {"multi_az": False})))
        found = asking.one(TerraformPlan, payments(plan=PLAN))
        assert isinstance(found, TerraformPlan)
        assert (found.made_at.isoformat(), found.drift[0].attributes) == ("2026-11-22T12:00:00+00:00", ("multi_az",))

    @pytest.mark.parametrize("timestamp", ["2027-01-01T00:00:00Z", ""])
    def test_a_plan_is_no_younger_than_its_object(self, aws: tuple[Endpoint, Asking], timestamp: str) -> None:
        endpoint, asking = aws
        held = bucket(endpoint)
        held.put(PLAN, plan(timestamp=timestamp))
        found = asking.one(TerraformPlan, payments(plan=PLAN))
        assert isinstance(found, TerraformPlan)
        assert found.made_at == held.written

    @pytest.mark.parametrize(
        ("more", "words"), [({"errored": True}, "broke off"), ({"complete": False}, "without -target")]
    )
    def test_a_plan_of_a_part_says_that_there_may_be_more(
        self, aws: tuple[Endpoint, Asking], more: dict[str, bool], words: str
    ) -> None:
        endpoint, asking = aws
        bucket(endpoint).put(PLAN, plan(**more))
        found = asking.one(TerraformPlan, payments(plan=PLAN))
        assert isinstance(found, TerraformPlan)
        assert words in found.missing[0].detail

    def test_a_plan_whose_timestamp_is_no_time_is_refused(self, aws: tuple[Endpoint, Asking]) -> None:
        endpoint, asking = aws
        bucket(endpoint).put(PLAN, plan(timestamp="yesterday"))
        found = asking.one(TerraformPlan, payments(plan=PLAN))
        assert isinstance(found, Unavailable)
        assert found.cause is Cause.BAD_RESPONSE


class TestWithoutOne:
    def test_a_service_that_names_neither_is_not_configured_and_gets_the_lines(
        self, aws: tuple[Endpoint, Asking]
    ) -> None:
        found = aws[1].one(TerraformState, payments(state=None))
        assert isinstance(found, Unavailable)
        assert (found.cause, "infrastructure: {state:" in found.lines) == (Cause.NOT_CONFIGURED, True)

    def test_the_one_that_is_not_named_beside_the_other_is_absent(self, aws: tuple[Endpoint, Asking]) -> None:
        assert isinstance(aws[1].one(TerraformState, payments(state=None, plan=PLAN)), Absent)
        assert isinstance(aws[1].one(TerraformPlan, payments()), Absent)

    def test_a_path_of_this_machine_is_not_read(self, aws: tuple[Endpoint, Asking]) -> None:
        found = aws[1].one(TerraformState, payments(state="/srv/terraform.tfstate"))
        assert isinstance(found, Unavailable)
        assert (found.cause, "s3://bucket/key" in found.detail) == (Cause.NOT_SUPPORTED, True)


def test_an_address_without_a_key_is_no_place() -> None:
    assert read_place("s3://tf-state") is None
    assert read_place("https://tf-state/x") is None


def test_no_attribute_that_is_compared_is_called_like_a_secret() -> None:
    from scorecard.redact import secret_key

    assert not [name for names in ATTRIBUTES.values() for name in names if secret_key(name)]
