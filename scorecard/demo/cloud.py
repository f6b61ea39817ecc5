"""The demo's AWS: an account on loopback, an ECS service and a database for each service that has a lesson there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scorecard.demo.aws import AwsRefusal, Endpoint, Parameters, serving

ACCOUNT, REGION = "111122223333", "eu-west-1"
ZONES = {f"{REGION}a": "euw1-az3", f"{REGION}b": "euw1-az1"}
_PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - a lesson, and the password of nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How a service stands in AWS."""

    zones: int = 2
    """Over which its tasks and its database's standby are spread."""
    encrypted: bool = True
    """Its database's disk."""
    breaker: bool = True
    """Whether a deployment that fails goes back by itself."""
    literal: bool = False
    """Whether its password stands in the task definition."""
    blue_green: bool = False
    """Whether a second set of tasks is made and the traffic moved over, in place of a rolling deployment."""
    redirects: bool = True
    """Whether its load balancer sends plain HTTP to HTTPS."""


class Cloud:
    """The account; its address is known once it is started."""

    def __init__(self, stages: Mapping[str, Stage], clock: Callable[[], datetime]) -> None:
        """Describe it.

        Args:
            stages: service to how it stands.
            clock: the wall clock, UTC.
        """
        self._endpoint = Endpoint(clock)
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self.url = ""
        _fill(self._endpoint, stages, clock())

    def start(self) -> None:
        """Begin to answer, and sign with keys that lead nowhere else."""
        self.url = self._stack.enter_context(serving(self._endpoint))
        os.environ |= {"AWS_ACCESS_KEY_ID": "AKIADEMO", "AWS_SECRET_ACCESS_KEY": "demo"}
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)

    def stop(self) -> None:
        """End it."""
        self._stack.close()

    def integration(self) -> dict[str, Any]:
        """One of `integrations.aws`."""
        role = "arn:aws:iam::{account}:role/scorecard"
        return {"name": "main", "regions": [REGION], "role": role, "endpoint_url": self.url}


def database(name: str) -> str:
    """The ARN of a service's database."""
    return _arn("rds", f"db:{name}")


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def _fill(endpoint: Endpoint, stages: Mapping[str, Stage], now: datetime) -> None:
    tags = [
        {"ResourceARN": arn, "Tags": [{"Key": "Service", "Value": name}]}
        for name in stages
        for arn in (_arn("ecs", f"service/shop/{name}"), database(name))
    ]
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/scorecard/demo"
    endpoint.on(ACCOUNT, "sts:GetCallerIdentity", {"UserId": "AROADEMO:demo", "Account": ACCOUNT, "Arn": role})
    endpoint.list(ACCOUNT, "resourcegroupstaggingapi:GetResources", "ResourceTagMappingList", tags)
    zones = [{"ZoneName": name, "ZoneId": one, "RegionName": REGION} for name, one in ZONES.items()]
    endpoint.list(ACCOUNT, "ec2:DescribeAvailabilityZones", "AvailabilityZones", zones)
    subnets = [
        {
            "SubnetId": f"subnet-{name[-1]}",
            "VpcId": "vpc-1",
            "AvailabilityZone": name,
            "AvailabilityZoneId": one,
            "CidrBlock": f"10.0.{number}.0/24",
        }
        for number, (name, one) in enumerate(ZONES.items())
    ]
    endpoint.list(ACCOUNT, "ec2:DescribeSubnets", "Subnets", subnets)
    endpoint.list(ACCOUNT, "ec2:DescribeRouteTables", "RouteTables", [_routes(zone) for zone in ZONES])
    gateways = [
        {"NatGatewayId": f"nat-{zone[-1]}", "SubnetId": f"subnet-{zone[-1]}", "State": "available"} for zone in ZONES
    ]
    endpoint.list(ACCOUNT, "ec2:DescribeNatGateways", "NatGateways", gateways)
    endpoint.list(
        ACCOUNT,
        "rds:DescribeDBInstances",
        "DBInstances",
        [_database(name, stage, now) for name, stage in stages.items()],
    )
    endpoint.on(ACCOUNT, "backup:ListRestoreJobsByProtectedResource", lambda asked: _restored(asked, now))
    forced = {"ParameterName": "rds.force_ssl", "ParameterValue": "1"}
    endpoint.on(ACCOUNT, "rds:DescribeDBParameters", {"Parameters": [forced]})
    endpoint.on(ACCOUNT, "ecs:DescribeServices", lambda asked: _services(asked, stages, now))
    endpoint.on(ACCOUNT, "ecs:ListTasks", {"taskArns": [arn for name in stages for arn in _tasks(name)]})
    endpoint.on(ACCOUNT, "ecs:DescribeTasks", lambda asked: {"tasks": [_task(arn, stages) for arn in asked["tasks"]]})
    endpoint.on(ACCOUNT, "ecs:DescribeTaskDefinition", lambda asked: _definition(asked, stages))
    endpoint.on(ACCOUNT, "ecs:ListServiceDeployments", lambda asked: _rollbacks(asked, now))
    endpoint.list(ACCOUNT, "secretsmanager:ListSecrets", "SecretList", [_secret(name, now) for name in stages])
    groups = [_group(name) for name in stages]
    endpoint.list(ACCOUNT, "elbv2:DescribeTargetGroups", "TargetGroups", groups)
    endpoint.list(ACCOUNT, "elbv2:DescribeLoadBalancers", "LoadBalancers", [_balancer(name) for name in stages])
    policy = {"Name": "ELBSecurityPolicy-TLS13-1-2-2021-06", "SslProtocols": ["TLSv1.3", "TLSv1.2"]}
    endpoint.list(ACCOUNT, "elbv2:DescribeSSLPolicies", "SslPolicies", [policy])
    endpoint.on(ACCOUNT, "elbv2:DescribeListeners", lambda asked: {"Listeners": _listeners(asked["LoadBalancerArn"])})
    endpoint.on(ACCOUNT, "elbv2:DescribeRules", lambda asked: {"Rules": [_rule(asked["ListenerArn"], stages)]})
    endpoint.on(
        ACCOUNT,
        "elbv2:DescribeTargetGroupAttributes",
        {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]},
    )


def _routes(zone: str) -> dict[str, Any]:
    """A zone's subnet leaves through that zone's gateway."""
    route = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": f"nat-{zone[-1]}", "State": "active"}
    return {
        "RouteTableId": f"rtb-{zone[-1]}",
        "VpcId": "vpc-1",
        "Associations": [{"SubnetId": f"subnet-{zone[-1]}", "Main": False}],
        "Routes": [route],
    }


def _database(name: str, stage: Stage, now: datetime) -> dict[str, Any]:
    subnets = [
        {"SubnetIdentifier": f"subnet-{zone[-1]}", "SubnetAvailabilityZone": {"Name": zone}, "SubnetStatus": "Active"}
        for zone in ZONES
    ]
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceArn": database(name),
        "Engine": "postgres",
        "DBInstanceStatus": "available",
        "StorageEncrypted": stage.encrypted,
        "MultiAZ": stage.zones > 1,
        "AvailabilityZone": f"{REGION}a",
        # AWS names the second zone of a Multi-AZ instance alone.
        **({"SecondaryAvailabilityZone": f"{REGION}b"} if stage.zones > 1 else {}),
        "DBSubnetGroup": {"DBSubnetGroupName": "shop", "Subnets": subnets},
        "DBParameterGroups": [{"DBParameterGroupName": "shop", "ParameterApplyStatus": "in-sync"}],
        "BackupRetentionPeriod": 7,
        "LatestRestorableTime": now - timedelta(minutes=5),
    }


def _restored(asked: Parameters, now: datetime) -> dict[str, Any]:
    """A restore test of AWS Backup that was validated three days ago."""
    then = now - timedelta(days=3)
    job = {
        "RestoreJobId": "1",
        "SourceResourceArn": str(asked["ResourceArn"]),
        "Status": "COMPLETED",
        "ValidationStatus": "SUCCESSFUL",
        "CreationDate": then,
        "CompletionDate": then + timedelta(minutes=9),
        "RecoveryPointCreationDate": then - timedelta(hours=1),
        "ResourceType": "RDS",
    }
    return {"RestoreJobs": [job]}


def _tasks(name: str) -> tuple[str, ...]:
    return tuple(_arn("ecs", f"task/shop/{name}.{letter}") for letter in "ab")


def _task(arn: str, stages: Mapping[str, Stage]) -> dict[str, Any]:
    name, _, letter = arn.rpartition("/")[2].partition(".")
    zone = f"{REGION}{letter if stages[name].zones > 1 else 'a'}"
    return {
        "taskArn": arn,
        "group": f"service:{name}",
        "lastStatus": "RUNNING",
        "healthStatus": "HEALTHY",
        "availabilityZone": zone,
        "taskDefinitionArn": _arn("ecs", f"task-definition/{name}:7"),
    }


def _services(asked: Parameters, stages: Mapping[str, Stage], now: datetime) -> dict[str, Any]:
    return {"services": [_service(arn, stages[arn.rpartition("/")[2]], now) for arn in asked["services"]]}


def _service(arn: str, stage: Stage, now: datetime) -> dict[str, Any]:
    name = arn.rpartition("/")[2]
    subnets = [f"subnet-{zone[-1]}" for zone in list(ZONES)[: stage.zones]]
    breaker = {"enable": stage.breaker, "rollback": stage.breaker}
    definition = _arn("ecs", f"task-definition/{name}:7")
    return {
        "serviceArn": arn,
        "serviceName": name,
        "clusterArn": _arn("ecs", "cluster/shop"),
        "status": "ACTIVE",
        "desiredCount": 2,
        "runningCount": 2,
        "launchType": "FARGATE",
        "taskDefinition": definition,
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": {
            "strategy": "BLUE_GREEN" if stage.blue_green else "ROLLING",
            "deploymentCircuitBreaker": breaker,
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
        },
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": subnets}},
        "loadBalancers": [
            {"targetGroupArn": _group(name)["TargetGroupArn"], "containerName": name, "containerPort": 80}
        ],
        "healthCheckGracePeriodSeconds": 30,
        "deployments": [
            {"status": "PRIMARY", "taskDefinition": definition, "rolloutState": "COMPLETED", "createdAt": now}
        ],
    }


def _definition(asked: Parameters, stages: Mapping[str, Stage]) -> dict[str, Any]:
    name = str(asked["taskDefinition"]).rpartition("/")[2].partition(":")[0]
    if name not in stages:
        raise AwsRefusal("ClientException", "Unable to describe task definition.", 400)
    secret = {"name": "DB_PASSWORD", "valueFrom": _arn("secretsmanager", f"secret:{name}-AbCdEf")}
    plain = [{"name": "DB_PASSWORD", "value": _PASSWORD}] if stages[name].literal else []
    container = {
        "name": name,
        "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}:7",
        "essential": True,
        "environment": [{"name": "PORT", "value": "80"}, *plain],
        "secrets": [] if plain else [secret],
        "stopTimeout": 60,
        "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 10, "timeout": 5, "retries": 3},
    }
    return {
        "taskDefinition": {
            "taskDefinitionArn": _arn("ecs", f"task-definition/{name}:7"),
            "family": name,
            "revision": 7,
            "containerDefinitions": [container],
        }
    }


def _rollbacks(asked: Parameters, now: datetime) -> dict[str, Any]:
    """One that went well a fortnight ago."""
    arn = str(asked["service"])
    ended = now - timedelta(days=14)
    deployment = {
        "serviceDeploymentArn": arn.replace(":service/", ":service-deployment/") + "/1",
        "serviceArn": arn,
        "status": "ROLLBACK_SUCCESSFUL",
        "createdAt": ended,
        "finishedAt": ended,
    }
    return {"serviceDeployments": [deployment]}


def _secret(name: str, now: datetime) -> dict[str, Any]:
    return {
        "ARN": _arn("secretsmanager", f"secret:{name}-AbCdEf"),
        "Name": name,
        "RotationEnabled": True,
        "RotationRules": {"AutomaticallyAfterDays": 30},
        "CreatedDate": now - timedelta(days=300),
        "LastRotatedDate": now - timedelta(days=9),
        "NextRotationDate": now + timedelta(days=21),
        "Tags": [{"Key": "Service", "Value": name}],
    }


def _group(name: str) -> dict[str, Any]:
    return {
        "TargetGroupArn": _arn("elasticloadbalancing", f"targetgroup/{name}/1"),
        "TargetGroupName": name,
        "TargetType": "ip",
        "VpcId": "vpc-1",
        "LoadBalancerArns": [_balancer(name)["LoadBalancerArn"]],
        "HealthCheckEnabled": True,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": "/readyz",
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200"},
    }


def _balancer(name: str) -> dict[str, Any]:
    zones: Sequence[dict[str, str]] = [{"ZoneName": zone, "SubnetId": f"subnet-{zone[-1]}"} for zone in ZONES]
    return {
        "LoadBalancerArn": _arn("elasticloadbalancing", f"loadbalancer/app/{name}/1"),
        "LoadBalancerName": name,
        "Type": "application",
        "Scheme": "internet-facing",
        "State": {"Code": "active"},
        "AvailabilityZones": zones,
    }


def _listeners(balancer: str) -> list[dict[str, Any]]:
    arn = balancer.replace(":loadbalancer/", ":listener/")
    secure = {"SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}
    return [
        {"ListenerArn": f"{arn}/http", "LoadBalancerArn": balancer, "Port": 80, "Protocol": "HTTP"},
        {"ListenerArn": f"{arn}/https", "LoadBalancerArn": balancer, "Port": 443, "Protocol": "HTTPS", **secure},
    ]


def _rule(listener: str, stages: Mapping[str, Stage]) -> dict[str, Any]:
    name = listener.split("/")[2]
    redirect = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
    forward = {"Type": "forward", "TargetGroupArn": _group(name)["TargetGroupArn"]}
    return {
        "RuleArn": f"{listener}/rule",
        "IsDefault": True,
        "Actions": [redirect if stages[name].redirects else forward],
    }
