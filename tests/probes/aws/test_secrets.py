"""Literal secrets, levels and rotation, read from ECS, Lambda, RDS, Secrets Manager and SSM; no value goes anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scorecard.demo.aws import Endpoint
from scorecard.evidence import Absent, Evidence
from scorecard.evidence.aws import Unseen
from scorecard.evidence.secrets import (
    DYNAMIC,
    PLAIN,
    STORED,
    Environments,
    KeptSecret,
    Rotation,
    Rotations,
    SecretLevels,
)
from scorecard.model import Cause
from scorecard.plain_secrets import Fingerprint
from scorecard.probes.aws.environment import parameter_of, secret_of
from scorecard.store.codec import decode_answer, encode_answer
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, NOW, REGION, Asking, arn
from tests.probes.aws.reused import Aws, aws, served

__all__ = ["aws", "served"]

SERVICE = arn("ecs", "service/production/payments")
OLD, NEW = arn("ecs", "task-definition/payments:40"), arn("ecs", "task-definition/payments:41")
FUNCTION = arn("lambda", "function:payments")
DB = arn("rds", "db:payments")
SECRET = arn("secretsmanager", "secret:payments/db-AbCdEf")
PARAMETER = arn("ssm", "parameter/payments/token")
CANARY = "hunter2-C4naryQ7xZ9"


def pairs(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def running(endpoint: Endpoint, *containers: dict[str, Any], **more: object) -> None:
    """The ECS service `payments` with these containers."""
    estate.tagged(endpoint, {SERVICE: {"Service": "payments"}})
    one = {"serviceArn": SERVICE, "serviceName": "payments", "status": "ACTIVE", "taskDefinition": NEW, **more}
    endpoint.on(ACCOUNT, "ecs:DescribeServices", {"services": [one]})
    endpoint.on(ACCOUNT, "ecs:DescribeTaskDefinition", {"taskDefinition": {"containerDefinitions": list(containers)}})


def function(endpoint: Endpoint, aliases: tuple[dict[str, Any], ...] = (), **configuration: object) -> None:
    """The function `payments`."""
    estate.tagged(endpoint, {FUNCTION: {"Service": "payments"}})
    one = {"FunctionName": "payments", "FunctionArn": FUNCTION, **configuration}
    endpoint.list(ACCOUNT, "lambda:ListFunctions", "Functions", [one])
    endpoint.on(ACCOUNT, "lambda:ListAliases", {"Aliases": list(aliases)})


def stored(endpoint: Endpoint, **more: object) -> None:
    one = {"ARN": SECRET, "Name": "payments/db", "CreatedDate": NOW - timedelta(days=90), **more}
    endpoint.list(ACCOUNT, "secretsmanager:ListSecrets", "SecretList", [one])


def parameters(endpoint: Endpoint, **types: str) -> None:
    listed = [{"Name": f"/payments/{name}", "Type": kind} for name, kind in types.items()]
    endpoint.list(ACCOUNT, "ssm:DescribeParameters", "Parameters", listed)


def database(endpoint: Endpoint, **more: object) -> None:
    estate.tagged(endpoint, {DB: {"Service": "payments"}})
    one = {"DBInstanceIdentifier": "payments", "DBInstanceArn": DB, "Engine": "postgres", **more}
    endpoint.list(ACCOUNT, "rds:DescribeDBInstances", "DBInstances", [one])


def items(asking: Asking, kind: type[Evidence]) -> dict[str, Any]:
    return {one.name: one for one in asking.one(kind).items}


# --- literals --------------------------------------------------------------------------------------------------------


def test_a_literal_in_a_task_definition_is_found_by_name_and_place(aws: Aws) -> None:
    endpoint, asking = aws
    environment = pairs(DB_PASSWORD=CANARY, LOG_LEVEL="info", DB_SECRET_ARN=SECRET, EMPTY="")
    running(endpoint, {"name": "app", "environment": environment}, {"name": "proxy"})

    seen = items(asking, Environments)

    app = seen[f"{SERVICE} app"]
    assert [(one.name, one.kind) for one in app.plain] == [("DB_PASSWORD", "password")]
    assert (app.count, app.where) == (3, "task definition payments:41")
    assert (seen[f"{SERVICE} proxy"].count, seen[f"{SERVICE} proxy"].plain) == (0, ())


def test_a_token_among_the_options_of_a_log_driver_is_a_literal_too(aws: Aws) -> None:
    endpoint, asking = aws
    options = {"splunk-url": "https://splunk.example.net", "splunk-token": CANARY}
    running(endpoint, {"name": "app", "logConfiguration": {"logDriver": "splunk", "options": options}})

    (app,) = items(asking, Environments).values()
    assert [one.name for one in app.plain] == ["logConfiguration.options.splunk-token"]


def test_both_task_definitions_count_while_a_deployment_is_under_way(aws: Aws) -> None:
    endpoint, asking = aws
    deployments = [
        {"status": "PRIMARY", "taskDefinition": NEW, "runningCount": 1},
        {"status": "ACTIVE", "taskDefinition": OLD, "runningCount": 1},
        {"status": "ACTIVE", "taskDefinition": arn("ecs", "task-definition/payments:3"), "runningCount": 0},
    ]
    running(endpoint, deployments=deployments)
    asked: list[str] = []

    def definition(given: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(given["taskDefinition"])
        plain = pairs(DB_PASSWORD=CANARY) if given["taskDefinition"] == OLD else []
        return {"taskDefinition": {"containerDefinitions": [{"name": "app", "environment": plain}]}}

    endpoint.on(ACCOUNT, "ecs:DescribeTaskDefinition", definition)

    (app,) = items(asking, Environments).values()
    assert [one.name for one in app.plain] == ["DB_PASSWORD"]
    assert app.where == "task definition payments:41 and task definition payments:40"
    assert sorted(asked) == [OLD, NEW]


def test_variables_from_files_were_not_read(aws: Aws) -> None:
    endpoint, asking = aws
    files = [{"value": "arn:aws:s3:::shop/payments.env", "type": "s3"}]
    running(endpoint, {"name": "app", "environmentFiles": files})

    lost = items(asking, Environments)[f"{SERVICE} app from files"]
    assert (lost.why.cause, "payments.env" in lost.why.detail) == (Cause.NOT_SUPPORTED, True)


def test_a_service_whose_tasks_nobody_defines_in_ecs_was_not_read(aws: Aws) -> None:
    endpoint, asking = aws
    running(endpoint, taskDefinition="")
    assert items(asking, Environments)[SERVICE].why.cause is Cause.NOT_SUPPORTED


def test_a_definition_that_does_not_come_costs_its_service_only(aws: Aws) -> None:
    endpoint, asking = aws
    running(endpoint)
    endpoint.on(ACCOUNT, "ecs:DescribeTaskDefinition", {})
    assert items(asking, Environments)[SERVICE].why.cause is Cause.BAD_RESPONSE


def test_a_function_is_read_in_every_version_that_an_alias_leads_to(aws: Aws) -> None:
    endpoint, asking = aws
    alias = {"Name": "live", "FunctionVersion": "7", "RoutingConfig": {"AdditionalVersionWeights": {"8": 0.1}}}
    function(endpoint, (alias,), Environment={"Variables": {"LOG_LEVEL": "info"}})

    def configuration(given: Mapping[str, Any]) -> dict[str, Any]:
        plain = {"API_TOKEN": CANARY} if given["FunctionName"].endswith(":7") else {}
        return {"FunctionName": "payments", "Environment": {"Variables": plain}}

    endpoint.on(ACCOUNT, "lambda:GetFunctionConfiguration", configuration)

    seen = items(asking, Environments)
    assert {name: len(one.plain) for name, one in seen.items()} == {FUNCTION: 0, f"{FUNCTION}:7": 1, f"{FUNCTION}:8": 0}
    assert seen[f"{FUNCTION}:7"].where == "version 7"


@pytest.mark.parametrize("kind", [Environments, SecretLevels, Rotations])
def test_variables_that_lambda_withholds_are_denied_and_not_empty(aws: Aws, kind: type[Evidence]) -> None:
    endpoint, asking = aws
    function(endpoint, Environment={"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms:Decrypt"}})
    assert items(asking, kind)[FUNCTION].why.cause is Cause.ACCESS_DENIED


def test_no_value_leaves_the_probe(aws: Aws) -> None:
    endpoint, asking = aws
    running(endpoint, {"name": "app", "environment": pairs(DB_PASSWORD=CANARY, DATABASE_URL=f"pg://a:{CANARY}@db/x")})

    for kind in (Environments, SecretLevels, Rotations):
        answer = asking.one(kind)
        assert CANARY not in repr(answer), kind
        assert CANARY not in encode_answer(answer), kind
        if not isinstance(answer, Absent):
            assert decode_answer(kind, encode_answer(answer)) == answer
            assert all("[redacted]" not in str(exhibit.facts) for exhibit in answer.exhibits)


def test_a_literal_is_fingerprinted_with_the_installations_key(
    tmp_path: Path, aws: Aws
) -> None:  # fmt: skip
    endpoint, keyless = aws
    environment = pairs(DB_PASSWORD=CANARY, OTHER_PASSWORD=CANARY, API_TOKEN="another")
    running(endpoint, {"name": "app", "environment": environment})
    (app,) = items(keyless, Environments).values()
    assert {one.fingerprint for one in app.plain} == {""}

    (tmp_path / "key").write_text("the key of this installation, long enough")
    with estate.endpoint_and_probes(tmp_path, more="auth: {session_key_file: key}\n") as (other, asking):
        running(other, {"name": "app", "environment": environment})
        (app,) = items(asking, Environments).values()
    prints = {one.name: one.fingerprint for one in app.plain}
    assert prints["DB_PASSWORD"] == prints["OTHER_PASSWORD"] != prints["API_TOKEN"]
    assert prints["DB_PASSWORD"] == Fingerprint(b"the key of this installation, long enough")(CANARY)


# --- levels ----------------------------------------------------------------------------------------------------------


def test_each_secret_of_a_container_has_its_level(aws: Aws) -> None:
    endpoint, asking = aws
    parameters(endpoint, token="SecureString", flag="String")
    secrets = [
        {"name": "DB_PASSWORD", "valueFrom": f"{SECRET}:password::"},
        {"name": "API_TOKEN", "valueFrom": PARAMETER},
        {"name": "FLAG", "valueFrom": "/payments/flag"},
        {"name": "GONE", "valueFrom": "/payments/gone"},
    ]
    running(
        endpoint,
        {
            "name": "app",
            "secrets": secrets,
            "environment": pairs(SMTP_PASSWORD=CANARY, KEYS=arn("secretsmanager", "secret:payments/keys-AbCdEf")),
            "repositoryCredentials": {"credentialsParameter": arn("secretsmanager", "secret:registry-AbCdEf")},
        },
    )

    seen = items(asking, SecretLevels)

    levels = {name: one.level for name, one in seen.items() if isinstance(one, KeptSecret)}
    assert levels == {
        f"SMTP_PASSWORD, in {SERVICE} app": PLAIN,
        "payments/db": STORED,
        "payments/token": STORED,
        "payments/flag": PLAIN,
        "payments/keys": STORED,
        "registry": STORED,
    }
    assert seen["payments/db"].words == "injected at start as DB_PASSWORD"
    assert seen["payments/keys"].words == "fetched at run time by KEYS"
    assert seen["payments/gone"].why.cause is Cause.NO_DATA


@pytest.mark.parametrize(
    ("about", "level"),
    [
        ({"MasterUserSecret": {"SecretArn": SECRET, "SecretStatus": "active"}}, DYNAMIC),
        ({"IAMDatabaseAuthenticationEnabled": True}, DYNAMIC),
        ({}, None),
    ],
)
def test_a_database_without_a_password_of_its_own_is_dynamic(
    aws: Aws, about: dict[str, Any], level: int | None
) -> None:
    endpoint, asking = aws
    database(endpoint, **about)
    seen = asking.one(SecretLevels)
    assert isinstance(seen, Absent) if level is None else seen.items[0].level == level


def test_what_carries_the_tags_is_a_secret_of_the_service(aws: Aws) -> None:
    endpoint, asking = aws
    flag, password = arn("ssm", "parameter/payments/flag"), arn("ssm", "parameter/payments/db_password")
    estate.tagged(endpoint, {one: {"Service": "payments"} for one in (SECRET, PARAMETER, flag, password)})
    parameters(endpoint, token="SecureString", flag="String", db_password="String")

    seen = items(asking, SecretLevels)
    assert {name: one.level for name, one in seen.items()} == {
        "payments/db": STORED,
        "payments/token": STORED,
        "payments/db_password": PLAIN,
    }


def test_a_parameter_of_another_account_is_not_asked(aws: Aws) -> None:
    endpoint, asking = aws
    other = arn("ssm", "parameter/payments/token", account="444455556666")
    running(endpoint, {"name": "app", "secrets": [{"name": "API_TOKEN", "valueFrom": other}]})
    for kind in (SecretLevels, Rotations):
        assert items(asking, kind)["payments/token"].why.cause is Cause.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (SECRET, "payments/db"),
        (f"{SECRET}:password::", "payments/db"),
        (f"{SECRET}:password:AWSPREVIOUS:1f", "payments/db"),
        (arn("secretsmanager", "secret:payments/db"), "payments/db"),
        (arn("secretsmanager", "secret:api-key-AbCdEf"), "api-key"),
    ],
)
def test_a_secret_is_named_as_a_person_calls_it(target: str, name: str) -> None:
    assert secret_of(target) == (REGION, ACCOUNT, name)


def test_a_parameter_has_one_name_by_arn_and_by_path() -> None:
    assert parameter_of(PARAMETER) == parameter_of("/payments/token") == "payments/token"
    assert secret_of(PARAMETER) is secret_of("/payments/token") is None


# --- rotation --------------------------------------------------------------------------------------------------------


def injecting(endpoint: Endpoint, target: str = SECRET) -> None:
    running(endpoint, {"name": "app", "secrets": [{"name": "DB_PASSWORD", "valueFrom": target}]})


def test_a_stored_secret_comes_with_the_times_of_its_rotation(aws: Aws) -> None:
    endpoint, asking = aws
    injecting(endpoint, f"{SECRET}:password::")
    last, due = NOW - timedelta(days=3), NOW + timedelta(days=27)
    rules = {"AutomaticallyAfterDays": 30}
    stored(endpoint, RotationEnabled=True, RotationRules=rules, LastRotatedDate=last, NextRotationDate=due)

    assert items(asking, Rotations)["payments/db"] == Rotation(
        name="payments/db",
        kind="Secrets Manager",
        enabled=True,
        last=last,
        due=due,
        every_days=30.0,
        created=NOW - timedelta(days=90),
    )


def test_a_secret_that_rds_owns_is_rotated_by_it(aws: Aws) -> None:
    endpoint, asking = aws
    injecting(endpoint)
    stored(endpoint, RotationEnabled=True, OwningService="rds")
    assert items(asking, Rotations)["payments/db"].by == "RDS"


def test_a_secret_whose_name_ends_as_a_suffix_does_is_found_by_its_arn(aws: Aws) -> None:
    endpoint, asking = aws
    named = arn("secretsmanager", "secret:payments-secret")
    injecting(endpoint, named)
    stored(endpoint, ARN=named, Name="payments-secret", RotationEnabled=True)
    assert [one.enabled for one in items(asking, Rotations).values()] == [True]


def test_a_reference_to_no_secret_is_no_verdict(aws: Aws) -> None:
    endpoint, asking = aws
    injecting(endpoint)
    assert items(asking, Rotations)["payments/db"].why.cause is Cause.NO_DATA


def test_ssm_has_no_rotation_and_a_plain_parameter_is_a_matter_of_its_level(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {PARAMETER: {"Service": "payments"}})
    parameters(endpoint, token="SecureString")
    (seen,) = items(asking, Rotations).values()
    assert (seen.enabled, "no rotation" in seen.by) == (False, True)


def test_a_plain_parameter_is_not_asked_for_its_rotation(aws: Aws) -> None:
    endpoint, asking = aws
    injecting(endpoint, PARAMETER)
    parameters(endpoint, token="String")
    assert isinstance(asking.one(Rotations), Absent)


def test_a_tagged_secret_that_is_gone_is_no_subject(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {SECRET: {"Service": "payments"}})
    assert isinstance(asking.one(Rotations), Absent)


def test_a_function_is_asked_for_the_secrets_that_it_fetches(aws: Aws) -> None:
    endpoint, asking = aws
    function(endpoint, Environment={"Variables": {"SECRET_ARN": SECRET, "API_TOKEN": CANARY}})
    stored(endpoint, RotationEnabled=False)
    assert items(asking, Rotations)["payments/db"].enabled is False
    assert {one.level for one in items(asking, SecretLevels).values()} == {PLAIN, STORED}


@pytest.mark.parametrize(("status", "impaired"), [("active", ""), ("impaired", "RDS says that its secret is impaired")])
def test_a_master_password_that_rds_keeps_is_rotated_unless_it_is_impaired(
    aws: Aws, status: str, impaired: str
) -> None:
    endpoint, asking = aws
    database(endpoint, MasterUserSecret={"SecretArn": SECRET, "SecretStatus": status})
    (seen,) = items(asking, Rotations).values()
    assert (seen.enabled, seen.by, seen.impaired) == (True, "RDS", impaired)


# --- denial ----------------------------------------------------------------------------------------------------------

ALL = (Environments, SecretLevels, Rotations)
NEEDS: dict[str, set[type[Evidence]]] = {
    "secretsmanager:ListSecrets": {Rotations},
    "ssm:DescribeParameters": {SecretLevels, Rotations},
    "ecs:DescribeTaskDefinition": set(ALL),
    "rds:DescribeDBInstances": set(),
}


@pytest.mark.parametrize("action", NEEDS)
def test_a_denied_action_costs_what_needs_it_and_nothing_else(aws: Aws, action: str) -> None:
    endpoint, asking = aws
    secrets = [{"name": "A", "valueFrom": SECRET}, {"name": "B", "valueFrom": PARAMETER}]
    running(endpoint, {"name": "app", "secrets": secrets})
    stored(endpoint)
    parameters(endpoint, token="SecureString")
    endpoint.denied.add(action)

    lost = {kind: [one.why.cause for one in asking.one(kind).items if isinstance(one, Unseen)] for kind in ALL}

    assert {kind for kind, causes in lost.items() if causes} == NEEDS[action]
    assert {cause for causes in lost.values() for cause in causes} <= {Cause.ACCESS_DENIED}
