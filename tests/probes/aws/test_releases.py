"""How a service is released, read from ECS, CodeDeploy, Lambda and load balancers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from scorecard.demo.aws import AwsRefusal, Endpoint
from scorecard.evidence import Absent, Evidence, Observation, Unavailable
from scorecard.evidence.aws import Resources, Unseen
from scorecard.evidence.releases import (
    Drainings,
    HealthGates,
    Rollback,
    RollbackSettings,
    RollbackTrace,
    RollbackTraces,
    RunningRevisions,
    Strategies,
    Way,
)
from scorecard.model import Cause
from scorecard.probes import Upstream
from scorecard.probes.aws.revision import pinned, tag_of
from scorecard.probes.aws.rollback import remembering
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, NOW, Asking, arn
from tests.probes.aws.reused import Aws, aws, served

__all__ = ["aws", "served"]
SERVICE = arn("ecs", "service/production/payments")
GROUP = arn("elasticloadbalancing", "targetgroup/payments/1f")
DEFINITION = arn("ecs", "task-definition/payments:41")
DEPLOYMENT_GROUP = arn("codedeploy", "deploymentgroup:payments/production")
FUNCTION = arn("lambda", "function:payments")
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
TASK = arn("ecs", "task/production/1f")


def service(endpoint: Endpoint, configuration: dict[str, Any] | None = None, **more: object) -> None:
    """The ECS service `payments`, tagged."""
    estate.tagged(endpoint, {SERVICE: {"Service": "payments"}})
    given = {
        "serviceArn": SERVICE,
        "serviceName": "payments",
        "status": "ACTIVE",
        "desiredCount": 2,
        "taskDefinition": DEFINITION,
        "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100, **(configuration or {})},
        **more,
    }
    endpoint.on(ACCOUNT, "ecs:DescribeServices", {"services": [given], "failures": []})


def by_codedeploy(endpoint: Endpoint, **group: object) -> None:
    """The deployment group `payments/production`; it deploys the ECS service `payments`."""
    given = {
        "applicationName": "payments",
        "deploymentGroupId": "g-1",
        "deploymentGroupName": "production",
        "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce",
        "computePlatform": "ECS",
        "ecsServices": [{"serviceName": "payments", "clusterName": "production"}],
        **group,
    }
    endpoint.on(ACCOUNT, "codedeploy:ListApplications", {"applications": ["payments"]})
    endpoint.on(ACCOUNT, "codedeploy:ListDeploymentGroups", {"deploymentGroups": ["production"]})
    endpoint.on(ACCOUNT, "codedeploy:BatchGetDeploymentGroups", {"deploymentGroupsInfo": [given]})


def routed(endpoint: Endpoint, kind: str = "AllAtOnce", **info: object) -> None:
    given = {"deploymentConfigName": "any", "trafficRoutingConfig": {"type": kind}, **info}
    endpoint.on(ACCOUNT, "codedeploy:GetDeploymentConfig", {"deploymentConfigInfo": given})


def function(endpoint: Endpoint) -> None:
    estate.tagged(endpoint, {FUNCTION: {"Service": "payments"}})
    one = {"FunctionName": "payments", "FunctionArn": FUNCTION, "CodeSha256": "abc=", "Version": "$LATEST"}
    endpoint.list(ACCOUNT, "lambda:ListFunctions", "Functions", [one])


def app_spec(endpoint: Endpoint, content: str | None) -> None:
    """The last deployment of the group, of which the AppSpec is known or is kept in S3."""
    held: dict[str, Any] = {"revisionType": "S3"}
    if content is not None:
        held = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}
    infos = [{"deploymentId": "d-9", "status": "Succeeded", "revision": held}]
    endpoint.on(ACCOUNT, "codedeploy:BatchGetDeployments", {"deploymentsInfo": infos})


SPEC = json.dumps(
    {
        "version": 0.0,
        "Resources": [{"live": {"Type": "AWS::Lambda::Function", "Properties": {"Name": "payments", "Alias": "live"}}}],
        "Hooks": [{"BeforeAllowTraffic": "validate"}],
    }
)
LAMBDA = {"computePlatform": "Lambda", "ecsServices": [], "lastSuccessfulDeployment": {"deploymentId": "d-9"}}


def only(asking: Asking, kind: type[Evidence]) -> Any:  # noqa: ANN401 - its item
    (item,) = asking.one(kind).items
    return item


# --- the way back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configuration", "ways", "stops"),
    [
        (BREAKER, ("the circuit breaker",), True),
        ({"deploymentCircuitBreaker": {"enable": True, "rollback": False}}, (), True),
        ({"deploymentCircuitBreaker": {"enable": False, "rollback": True}}, (), False),
        ({"alarms": {"enable": True, "rollback": True, "alarmNames": ["errors", "slow"]}}, ("2 alarms",), True),
        ({"alarms": {"enable": True, "rollback": True, "alarmNames": []}}, (), False),
        ({"alarms": {"enable": False, "rollback": True, "alarmNames": ["errors"]}}, (), False),
        ({"alarms": {"enable": True, "rollback": False, "alarmNames": ["errors"]}}, (), True),
        ({"strategy": "BLUE_GREEN"}, ("blue/green",), False),
        ({"strategy": "CANARY", **BREAKER}, ("canary", "the circuit breaker"), True),
        ({"strategy": "LINEAR"}, ("linear",), False),
        ({"strategy": "ROLLING"}, (), False),
        ({}, (), False),
    ],
)
def test_what_takes_a_deployment_of_ecs_back(
    aws: Aws, configuration: dict[str, Any], ways: tuple[str, ...], stops: bool
) -> None:
    endpoint, asking = aws
    service(endpoint, configuration)

    seen = only(asking, RollbackSettings)

    assert (seen.name, seen.ways, seen.stops) == (SERVICE, ways, stops)
    assert "circuit breaker" in seen.words


@pytest.mark.parametrize("kind", [RollbackSettings, Strategies])
def test_an_answer_without_a_deployment_configuration_is_no_answer(aws: Aws, kind: type[Evidence]) -> None:
    endpoint, asking = aws
    service(endpoint, deploymentConfiguration={})

    assert only(asking, kind).why.cause is Cause.BAD_RESPONSE


@pytest.mark.parametrize("kind", [RollbackSettings, RollbackTraces, Strategies, HealthGates])
def test_an_external_controller_is_not_read(aws: Aws, kind: type[Evidence]) -> None:
    endpoint, asking = aws
    service(endpoint, deploymentController={"type": "EXTERNAL"})

    assert only(asking, kind).why.cause is Cause.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("group", "ways"),
    [
        (
            {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}},
            ("CodeDeploy on failure",),
        ),
        ({"autoRollbackConfiguration": {"enabled": False, "events": ["DEPLOYMENT_FAILURE"]}}, ()),
        ({"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]}}, ()),
        ({"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}}, ()),
        (
            {
                "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM"]},
                "alarmConfiguration": {"enabled": True, "alarms": [{"name": "errors"}]},
            },
            ("CodeDeploy on 1 alarms",),
        ),
        ({}, ()),
    ],
)
def test_what_takes_a_deployment_of_codedeploy_back(aws: Aws, group: dict[str, Any], ways: tuple[str, ...]) -> None:
    endpoint, asking = aws
    service(endpoint, BREAKER, deploymentController={"type": "CODE_DEPLOY"})
    by_codedeploy(endpoint, **group)

    assert only(asking, RollbackSettings).ways == ways


def test_a_group_that_carries_the_tags_is_a_subject_itself(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DEPLOYMENT_GROUP: {"Service": "payments"}})
    by_codedeploy(endpoint, autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})

    seen = only(asking, RollbackSettings)
    assert (seen.name, seen.ways) == (DEPLOYMENT_GROUP, ("CodeDeploy on failure",))


def test_a_function_is_deployed_by_the_group_whose_appspec_names_it(aws: Aws) -> None:
    endpoint, asking = aws
    function(endpoint)
    by_codedeploy(endpoint, **LAMBDA, autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})
    app_spec(endpoint, SPEC)

    assert only(asking, RollbackSettings).ways == ("CodeDeploy on failure",)


def test_a_function_that_no_group_deploys_has_no_way_back(aws: Aws) -> None:
    endpoint, asking = aws
    function(endpoint)

    seen = only(asking, RollbackSettings)
    assert (seen.ways, "no deployment group" in seen.words) == ((), True)


@pytest.mark.parametrize("kind", [RollbackSettings, RollbackTraces, Strategies, HealthGates])
def test_an_appspec_that_is_kept_elsewhere_may_name_the_function(aws: Aws, kind: type[Evidence]) -> None:
    endpoint, asking = aws
    function(endpoint)
    by_codedeploy(endpoint, **LAMBDA)
    app_spec(endpoint, None)

    assert only(asking, kind).why.cause is Cause.NOT_SUPPORTED


# --- what went back --------------------------------------------------------------------------------------------------


def deployment(identity: str, status: str, days: float) -> dict[str, Any]:
    return {
        "serviceDeploymentArn": arn("ecs", f"service-deployment/production/payments/{identity}"),
        "status": status,
        "finishedAt": NOW - timedelta(days=days),
    }


def test_rollbacks_of_ecs_come_from_every_page_newest_first(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint)
    pages = [[deployment("old", "ROLLBACK_SUCCESSFUL", 60)], [deployment("new", "ROLLBACK_FAILED", 2)]]

    def answer(parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - of the request
        assert parameters["status"] == ["ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"]
        assert (parameters["cluster"], parameters["service"]) == ("production", SERVICE)
        at = int(parameters.get("nextToken") or 0)
        return {"serviceDeployments": pages[at], **({"nextToken": "1"} if at == 0 else {})}

    endpoint.on(ACCOUNT, "ecs:ListServiceDeployments", answer)

    seen = only(asking, RollbackTraces)

    assert [(one.id, one.succeeded, (NOW - one.at).days) for one in seen.rollbacks] == [
        ("new", False, 2),
        ("old", True, 60),
    ]
    assert seen.kept_days == 90


def test_rollbacks_of_codedeploy_are_the_deployments_that_undid_another(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint, deploymentController={"type": "CODE_DEPLOY"})
    by_codedeploy(endpoint)
    infos = {
        "d-bad": {"status": "Failed", "rollbackInfo": {"rollbackDeploymentId": "d-back"}},
        "d-stopped": {"status": "Stopped"},
        "d-back": {"status": "Succeeded", "creator": "codeDeployRollback", "completeTime": NOW - timedelta(days=3)},
        "d-lost": {"status": "Failed", "creator": "codeDeployRollback", "completeTime": NOW - timedelta(days=9)},
    }

    def batch(parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - of the request
        return {"deploymentsInfo": [{"deploymentId": one, **infos[one]} for one in parameters["deploymentIds"]]}

    endpoint.on(ACCOUNT, "codedeploy:ListDeployments", {"deployments": ["d-bad", "d-stopped", "d-lost"]})
    endpoint.on(ACCOUNT, "codedeploy:BatchGetDeployments", batch)

    seen = only(asking, RollbackTraces)

    assert [(one.id, one.succeeded) for one in seen.rollbacks] == [("d-back", True), ("d-lost", False)]
    assert seen.kept_days is None


def test_nothing_that_went_back_is_an_answer(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint)

    assert only(asking, RollbackTraces).rollbacks == ()


def test_a_rollback_that_ecs_forgot_is_remembered_as_long_as_its_service_is_there() -> None:
    def traces(*rollbacks: Rollback, name: str = SERVICE) -> RollbackTraces:
        return RollbackTraces(items=(RollbackTrace(name=name, kind="ECS service", rollbacks=rollbacks, kept_days=90),))

    old = Rollback(id="old", at=NOW - timedelta(days=120), succeeded=True)
    new = Rollback(id="new", at=NOW - timedelta(days=1), succeeded=True)

    assert remembering(traces(new), traces(old)) == traces(new, old)
    assert remembering(traces(new), traces(new)) == traces(new)
    assert remembering(traces(new), traces(old, name="arn:gone")) == traces(new)
    assert remembering(traces(new), Unavailable(Cause.TIMEOUT, "")) == traces(new)
    lost = RollbackTraces(items=(Unseen(SERVICE, Unavailable(Cause.TIMEOUT, "")),))
    kept = remembering(lost, traces(old))
    assert isinstance(kept, RollbackTraces)
    assert kept.items == lost.items
    assert remembering(traces(new), remembering(lost, kept)) == traces(new, old)
    assert remembering(Absent("gone"), traces(old)) == Absent("gone")


def test_the_probe_remembers_what_an_earlier_run_saw(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint)
    old = Rollback(id="old", at=NOW - timedelta(days=120), succeeded=True)
    seen = RollbackTraces(items=(RollbackTrace(name=SERVICE, kind="ECS service", rollbacks=(old,)),))
    mapped = asking(Resources, [estate.payments()])["payments"]
    key = estate.payments().key
    known = {
        (key, kind): Observation(kind, NOW, value) for kind, value in ((Resources, mapped), (RollbackTraces, seen))
    }
    probe = next(one for one in asking.probes if one.answers is RollbackTraces)

    ((_, answer),) = probe.ask([estate.payments()], Upstream(known))

    assert isinstance(answer, RollbackTraces)
    assert [one.rollbacks for one in answer.items if isinstance(one, RollbackTrace)] == [(old,)]


# --- the strategy ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configuration", "more", "way", "kept"),
    [
        ({}, {}, Way.ROLLING, "100 % of 2 tasks, that is 2"),
        ({"minimumHealthyPercent": 50}, {"desiredCount": 3}, Way.ROLLING, "50 % of 3 tasks, that is 2"),
        ({"minimumHealthyPercent": 50}, {"desiredCount": 0}, Way.ROLLING, "50 %"),
        ({"minimumHealthyPercent": 0}, {}, Way.AT_ONCE, ""),
        ({"strategy": "BLUE_GREEN"}, {}, Way.BLUE_GREEN, "all of the old tasks"),
        ({"strategy": "CANARY"}, {}, Way.CANARY, "all of the old tasks"),
        ({"strategy": "LINEAR"}, {}, Way.LINEAR, "all of the old tasks"),
    ],
)
def test_the_strategy_of_ecs(
    aws: Aws, configuration: dict[str, Any], more: dict[str, Any], way: Way, kept: str
) -> None:
    endpoint, asking = aws
    service(endpoint, configuration, **more)

    seen = only(asking, Strategies)
    assert (seen.way, seen.kept) == (way, kept)


def test_a_daemon_is_taken_down_unless_it_says_otherwise(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint, deploymentConfiguration={"maximumPercent": 100}, schedulingStrategy="DAEMON")
    assert only(asking, Strategies).way is Way.AT_ONCE


def test_a_canary_is_watched_by_alarms_and_hooks(aws: Aws) -> None:
    endpoint, asking = aws
    hook = {"hookTargetArn": "arn:hook", "roleArn": "arn:role", "lifecycleStages": ["POST_SCALE_UP"]}
    alarms = {"enable": True, "rollback": True, "alarmNames": ["errors"]}
    service(endpoint, {"strategy": "CANARY", "alarms": alarms, "lifecycleHooks": [hook]})
    assert only(asking, Strategies).watched_by == ("errors", "arn:hook")


@pytest.mark.parametrize(
    ("group", "config", "way", "kept"),
    [
        ({}, {"kind": "AllAtOnce"}, Way.BLUE_GREEN, "the old revision"),
        ({}, {"kind": "TimeBasedCanary"}, Way.CANARY, "the old revision"),
        ({}, {"kind": "TimeBasedLinear"}, Way.LINEAR, "the old revision"),
        (
            {"computePlatform": "Server"},
            {"minimumHealthyHosts": {"type": "FLEET_PERCENT", "value": 50}},
            Way.ROLLING,
            "50 %",
        ),
        ({"computePlatform": "Server"}, {"minimumHealthyHosts": {"type": "HOST_COUNT", "value": 0}}, Way.AT_ONCE, ""),
        (
            {"computePlatform": "Server", "deploymentStyle": {"deploymentType": "BLUE_GREEN"}},
            {},
            Way.BLUE_GREEN,
            "the old revision",
        ),
    ],
)
def test_the_strategy_of_codedeploy(
    aws: Aws, group: dict[str, Any], config: dict[str, Any], way: Way, kept: str
) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DEPLOYMENT_GROUP: {"Service": "payments"}})
    by_codedeploy(endpoint, **group)
    routed(endpoint, **config)

    seen = only(asking, Strategies)
    assert (seen.way, seen.kept) == (way, kept)


def test_an_ecs_service_that_waits_for_codedeploy_and_has_no_group_has_no_known_strategy(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint, deploymentController={"type": "CODE_DEPLOY"})
    assert only(asking, Strategies).why.cause is Cause.NO_DATA


def test_an_ecs_service_that_codedeploy_deploys_has_the_strategy_of_its_group(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint, deploymentController={"type": "CODE_DEPLOY"})
    by_codedeploy(endpoint, alarmConfiguration={"enabled": True, "alarms": [{"name": "errors"}]})
    routed(endpoint, "TimeBasedCanary")

    seen = only(asking, Strategies)
    assert (seen.name, seen.way, seen.watched_by) == (SERVICE, Way.CANARY, ("errors",))


def test_a_function_answers_with_its_old_code_until_the_new_is_there(aws: Aws) -> None:
    endpoint, asking = aws
    function(endpoint)
    seen = only(asking, Strategies)
    assert (seen.way, bool(seen.kept)) == (Way.AT_ONCE, True)


def test_a_function_that_codedeploy_deploys_has_its_strategy_and_waits_for_its_hooks(aws: Aws) -> None:
    endpoint, asking = aws
    function(endpoint)
    by_codedeploy(endpoint, **LAMBDA)
    routed(endpoint, "TimeBasedCanary")
    app_spec(endpoint, SPEC)

    assert only(asking, Strategies).way is Way.CANARY
    assert only(asking, HealthGates).waits_for == ("its hook BeforeAllowTraffic",)


# --- what a deployment waits for, and requests under way -------------------------------------------------------------


def balanced(endpoint: Endpoint, delay: str = "30", **group: object) -> None:
    """The service in the target group `payments`, and its containers."""
    where = {"loadBalancers": [{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 80}]}
    service(endpoint, **where, healthCheckGracePeriodSeconds=60)
    given = {
        "TargetGroupArn": GROUP,
        "TargetGroupName": "payments",
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": "/readyz",
        "HealthCheckEnabled": True,
        **group,
    }
    endpoint.list(ACCOUNT, "elbv2:DescribeTargetGroups", "TargetGroups", [given])
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": delay}]
    endpoint.on(ACCOUNT, "elbv2:DescribeTargetGroupAttributes", {"Attributes": attributes})


def defined(endpoint: Endpoint, *containers: dict[str, Any]) -> None:
    endpoint.on(
        ACCOUNT,
        "ecs:DescribeTaskDefinition",
        {"taskDefinition": {"taskDefinitionArn": DEFINITION, "containerDefinitions": list(containers)}},
    )


def test_a_balanced_service_waits_for_its_target_group_and_needs_no_definition_for_that(aws: Aws) -> None:
    endpoint, asking = aws
    balanced(endpoint)
    endpoint.denied.add("ecs:DescribeTaskDefinition")

    seen = only(asking, HealthGates)
    assert (seen.waits_for, seen.grace_seconds, seen.port_only) == (
        ("HTTP GET /readyz of target group payments",),
        60,
        False,
    )
    assert only(asking, Drainings).why.cause is Cause.ACCESS_DENIED


def test_a_check_of_the_port_is_told_apart(aws: Aws) -> None:
    endpoint, asking = aws
    balanced(endpoint, HealthCheckProtocol="TCP")
    assert only(asking, HealthGates).port_only


def test_a_health_check_that_is_off_is_none(aws: Aws) -> None:
    endpoint, asking = aws
    balanced(endpoint, HealthCheckEnabled=False)
    assert only(asking, HealthGates).waits_for == ()


@pytest.mark.parametrize(
    ("container", "waits", "grace"),
    [
        (
            {"healthCheck": {"command": ["CMD", "true"], "startPeriod": 15}},
            ("the health check of container worker",),
            15,
        ),
        ({"healthCheck": {"command": ["NONE"]}}, (), 0),
        ({}, (), 0),
    ],
)
def test_a_worker_waits_for_the_health_of_its_containers(
    aws: Aws, container: dict[str, Any], waits: tuple[str, ...], grace: int
) -> None:
    endpoint, asking = aws
    service(endpoint)
    defined(endpoint, {"name": "worker", **container})

    seen = only(asking, HealthGates)
    assert (seen.waits_for, seen.grace_seconds) == (waits, grace)


@pytest.mark.parametrize(
    ("group", "found"),
    [
        ({"computePlatform": "ECS"}, None),
        ({"computePlatform": "Server", "deploymentStyle": {"deploymentOption": "WITH_TRAFFIC_CONTROL"}}, 1),
        ({"computePlatform": "Server"}, Cause.NOT_SUPPORTED),
    ],
)
def test_what_a_group_of_codedeploy_waits_for(aws: Aws, group: dict[str, Any], found: object) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DEPLOYMENT_GROUP: {"Service": "payments"}})
    by_codedeploy(endpoint, **group)

    seen = asking.one(HealthGates)
    if found is None:
        assert isinstance(seen, Absent)
    else:
        (item,) = seen.items
        assert (item.why.cause if isinstance(item, Unseen) else len(item.waits_for)) == found


def test_requests_under_way_have_the_delay_and_the_stop_timeout_of_what_serves_them(aws: Aws) -> None:
    endpoint, asking = aws
    balanced(endpoint, "45")
    defined(endpoint, {"name": "app", "stopTimeout": 60}, {"name": "sidecar", "stopTimeout": 5})

    seen = only(asking, Drainings)
    assert (seen.delay_seconds, seen.shortest_delay_seconds, seen.stop_seconds) == (45, 45, 60)


def test_the_stop_timeout_is_thirty_seconds_unless_it_is_said(aws: Aws) -> None:
    endpoint, asking = aws
    balanced(endpoint)
    defined(endpoint, {"name": "app"})
    assert only(asking, Drainings).stop_seconds == 30


def test_a_group_without_its_delay_is_no_answer(aws: Aws) -> None:
    endpoint, asking = aws
    balanced(endpoint, "soon")
    defined(endpoint, {"name": "app"})
    assert only(asking, Drainings).why.cause is Cause.BAD_RESPONSE


@pytest.mark.parametrize("made", [service, function])
def test_what_no_load_balancer_sends_requests_to_has_nothing_to_drain(aws: Aws, made: Any) -> None:  # noqa: ANN401 - a function
    endpoint, asking = aws
    made(endpoint)
    seen = only(asking, Drainings)
    assert (seen.delay_seconds, bool(seen.by_design)) == (None, True)


# --- the running revision --------------------------------------------------------------------------------------------


def test_the_running_revision_is_that_of_the_tasks_that_run(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint)
    endpoint.on(ACCOUNT, "ecs:ListTasks", {"taskArns": [TASK, f"{TASK}2"]})
    app = {"name": "app", "image": "shop/payments:3f2a9c1", "imageDigest": "sha256:ab"}
    mine = {"group": "service:payments", "taskDefinitionArn": DEFINITION}
    tasks = [
        {"taskArn": TASK, "lastStatus": "RUNNING", "containers": [app], **mine},
        {"taskArn": f"{TASK}2", "lastStatus": "PENDING", "containers": [{**app, "image": "new"}], **mine},
    ]
    endpoint.on(ACCOUNT, "ecs:DescribeTasks", {"tasks": tasks})

    seen = only(asking, RunningRevisions)
    assert (seen.name, seen.revisions, seen.tags, seen.definition) == (
        f"{SERVICE} app",
        ("shop/payments:3f2a9c1@sha256:ab, 1 tasks",),
        ("3f2a9c1",),
        "payments:41",
    )


def test_a_service_without_a_running_task_has_no_running_revision(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint)
    endpoint.on(ACCOUNT, "ecs:ListTasks", {"taskArns": []})
    assert only(asking, RunningRevisions).why.cause is Cause.NO_DATA


def test_the_running_revision_of_a_function_is_the_digest_of_its_code(aws: Aws) -> None:
    endpoint, asking = aws
    function(endpoint)
    seen = only(asking, RunningRevisions)
    assert "sha256 abc=" in seen.revisions[0]
    assert seen.definition == "$LATEST"


def test_an_image_is_told_by_its_digest_and_its_tag() -> None:
    assert pinned({"image": "a/b:1", "imageDigest": "sha256:x"}) == "a/b:1@sha256:x"
    assert pinned({"image": "a/b@sha256:x", "imageDigest": "sha256:x"}) == "a/b@sha256:x"
    assert (tag_of("127.0.0.1:5000/a/b"), tag_of("127.0.0.1:5000/a/b:v1@sha256:x")) == ("", "v1")


# --- denial ----------------------------------------------------------------------------------------------------------

ALL = (RollbackSettings, RollbackTraces, Strategies, HealthGates, Drainings)
NEEDS: dict[str, set[type[Evidence]]] = {
    "ecs:ListServiceDeployments": {RollbackTraces},
    "ecs:DescribeTaskDefinition": {Drainings},
    "elbv2:DescribeTargetGroups": {HealthGates},
    "elbv2:DescribeTargetGroupAttributes": {Drainings},
    "ecs:DescribeServices": set(ALL),
}


@pytest.mark.parametrize("action", NEEDS)
def test_a_denied_action_costs_what_needs_it_and_nothing_else(aws: Aws, action: str) -> None:
    endpoint, asking = aws
    balanced(endpoint)
    defined(endpoint, {"name": "app"})
    endpoint.denied.add(action)

    seen = {kind: only(asking, kind) for kind in ALL}

    lost = {kind: one.why.cause for kind, one in seen.items() if isinstance(one, Unseen)}
    assert lost == dict.fromkeys(NEEDS[action], Cause.ACCESS_DENIED)


DEPLOYED = (RollbackSettings, RollbackTraces, Strategies)


@pytest.mark.parametrize(
    ("action", "kinds"),
    [
        ("codedeploy:ListApplications", set(DEPLOYED)),
        ("codedeploy:ListDeploymentGroups", set(DEPLOYED)),
        ("codedeploy:BatchGetDeploymentGroups", set(DEPLOYED)),
        ("codedeploy:GetDeploymentConfig", {Strategies}),
        ("codedeploy:ListDeployments", {RollbackTraces}),
        ("ecs:ListServiceDeployments", set()),
    ],
)
def test_a_denied_action_of_codedeploy_costs_what_codedeploy_deploys(
    aws: Aws, action: str, kinds: set[type[Evidence]]
) -> None:
    endpoint, asking = aws
    service(endpoint, deploymentController={"type": "CODE_DEPLOY"})
    by_codedeploy(endpoint)
    routed(endpoint)
    endpoint.denied.add(action)

    seen = {kind: only(asking, kind) for kind in DEPLOYED}

    lost = {kind: one.why.cause for kind, one in seen.items() if isinstance(one, Unseen)}
    assert lost == dict.fromkeys(kinds, Cause.ACCESS_DENIED)


def test_a_service_that_ecs_deploys_needs_nothing_of_codedeploy(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint, BREAKER)
    endpoint.denied |= {"codedeploy:ListApplications", "codedeploy:ListDeploymentGroups"}
    assert not any(isinstance(only(asking, kind), Unseen) for kind in DEPLOYED)


def test_a_function_whose_deployments_are_denied_may_be_deployed_by_any_group(aws: Aws) -> None:
    endpoint, asking = aws
    function(endpoint)
    by_codedeploy(endpoint, **LAMBDA)
    endpoint.denied.add("codedeploy:BatchGetDeployments")
    causes = {only(asking, kind).why.cause for kind in (*DEPLOYED, HealthGates)}
    assert causes == {Cause.ACCESS_DENIED}


def test_denied_deployments_of_codedeploy_are_no_rollbacks_and_no_lack_of_them(aws: Aws) -> None:
    endpoint, asking = aws
    service(endpoint, deploymentController={"type": "CODE_DEPLOY"})
    by_codedeploy(endpoint)
    endpoint.denied.add("codedeploy:ListDeployments")
    assert only(asking, RollbackTraces).why.cause is Cause.ACCESS_DENIED


def test_a_group_whose_application_is_gone_is_no_subject(aws: Aws) -> None:
    endpoint, asking = aws
    estate.tagged(endpoint, {DEPLOYMENT_GROUP: {"Service": "payments"}})

    def gone(_parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - of the request
        raise AwsRefusal("ApplicationDoesNotExistException", "No application found", 400)

    endpoint.on(ACCOUNT, "codedeploy:BatchGetDeploymentGroups", gone)
    assert isinstance(asking.one(RollbackSettings), Absent)
