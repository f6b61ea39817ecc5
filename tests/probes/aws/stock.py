"""One account with something of every kind that rows 8 and 9 ask about, good and bad, all of it of `payments`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scorecard.demo.aws import Answer, AwsRefusal, Endpoint
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, REGION, arn

A, B, C = (f"{REGION}{letter}" for letter in "abc")
Item = dict[str, Any]

# --- capacity --------------------------------------------------------------------------------------------------------

GROUP, SHARED, OTHERS = (
    arn("elasticloadbalancing", f"targetgroup/{name}/1") for name in ("instances", "shared", "others")
)
EDGE, COMMON = (arn("elasticloadbalancing", f"loadbalancer/app/{name}/1") for name in ("edge", "common"))


def ecs(name: str, desired: int, *subnets: str, groups: tuple[str, ...] = (), status: str = "ACTIVE") -> Item:
    network = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": list(subnets)}}} if subnets else {}
    balancers = [{"targetGroupArn": group, "containerName": name, "containerPort": 80} for group in groups]
    return {
        "serviceArn": arn("ecs", f"service/main/{name}"),
        "serviceName": name,
        "status": status,
        "desiredCount": desired,
        "loadBalancers": balancers,
        **network,
    }


def task(service: str, number: int, zone: str | None, status: str = "RUNNING", health: str = "HEALTHY") -> Item:
    where = {"availabilityZone": zone} if zone else {}
    name = arn("ecs", f"task/main/{service}-{number}")
    return {"taskArn": name, "group": f"service:{service}", "lastStatus": status, "healthStatus": health, **where}


ECS = [
    ecs("even", 2, "subnet-a", "subnet-b", groups=(SHARED,)),
    ecs("down", 2, "subnet-a"),
    ecs("off", 0),
    ecs("lost", 1),
    ecs("ended", 1, status="INACTIVE"),
]
TASKS = [
    task("even", 1, A),
    task("even", 2, B, health="UNKNOWN"),
    task("down", 1, A, health="UNHEALTHY"),
    task("down", 2, B, status="PENDING"),
    task("lost", 1, None),
]


def asg(name: str, desired: int, least: int, *instances: tuple[str, str, str]) -> Item:
    return {
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": arn("autoscaling", f"autoScalingGroup:1f:autoScalingGroupName/{name}"),
        "MinSize": least,
        "MaxSize": 9,
        "DesiredCapacity": desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": [A, B],
        "VPCZoneIdentifier": "subnet-a, subnet-b",
        "HealthCheckType": "EC2",
        "CreatedTime": estate.NOW,
        "Tags": estate.pairs({"Service": "payments"}),
        "Instances": [
            {
                "InstanceId": f"i-{name}-{index}",
                "AvailabilityZone": zone,
                "LifecycleState": state,
                "HealthStatus": health,
                "ProtectedFromScaleIn": False,
            }
            for index, (zone, state, health) in enumerate(instances)
        ],
    }


ASGS = [
    asg(
        "workers", 3, 1, (A, "InService", "Healthy"), (B, "InService", "Healthy"), (C, "InService", "Unhealthy"),
        (C, "Pending", "Healthy"),
    ),
    asg("parked", 0, 0),
]  # fmt: skip


def instance(name: str, zone: str, state: str = "running", *, group: str = "", volume: str = "") -> Item:
    return {
        "InstanceId": name,
        "Placement": {"AvailabilityZone": zone},
        "State": {"Name": state, "Code": 16},
        "Tags": estate.pairs({"aws:autoscaling:groupName": group} if group else {}),
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": volume}}] if volume else [],
    }


INSTANCES = [
    instance("i-1", A, volume="vol-open"),
    instance("i-2", B),
    instance("i-3", A, group="workers"),
    instance("i-4", C, "stopped"),
    instance("i-5", C, "terminated", volume="vol-gone"),
]


def group(name: str, kind: str, *balancers: str) -> Item:
    return {
        "TargetGroupArn": arn("elasticloadbalancing", f"targetgroup/{name}/1"),
        "TargetGroupName": name,
        "TargetType": kind,
        "VpcId": "vpc-1",
        "LoadBalancerArns": list(balancers),
    }


GROUPS = [
    group("instances", "instance", EDGE),
    group("shared", "ip", COMMON),
    group("empty", "ip"),
    group("outside", "ip"),
    group("function", "lambda"),
]
TARGETS = {
    "instances": [("i-1", "healthy"), ("i-2", "unhealthy")],
    "shared": [("10.0.1.5", "healthy"), ("10.0.2.5", "healthy"), ("10.0.3.5", "draining")],
    "empty": [("10.0.3.5", "draining")],
    "outside": [("192.168.0.1", "healthy")],
    "function": [],
}


def function(name: str, *subnets: str) -> Item:
    vpc = {"VpcConfig": {"SubnetIds": list(subnets), "SecurityGroupIds": [], "VpcId": "vpc-1"}} if subnets else {}
    return {"FunctionArn": arn("lambda", f"function:{name}"), "FunctionName": name, **vpc}


FUNCTIONS = [function("free"), function("inside", "subnet-a", "subnet-c")]
ROUTE_TABLES = [
    {
        "RouteTableId": "rtb-main",
        "VpcId": "vpc-1",
        "Associations": [{"Main": True, "RouteTableId": "rtb-main"}],
        "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-a", "State": "active"}],
    },
    {
        "RouteTableId": "rtb-c",
        "VpcId": "vpc-1",
        "Associations": [{"Main": False, "SubnetId": "subnet-c"}],
        "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-gone", "State": "blackhole"}],
    },
]
NATS = [{"NatGatewayId": "nat-a", "SubnetId": "subnet-a", "State": "available", "AvailabilityMode": "zonal"}]

# --- stores ----------------------------------------------------------------------------------------------------------


def database(name: str, zone: str, *group_zones: str, parameters: str = "forced", **more: object) -> Item:
    subnets = [{"SubnetAvailabilityZone": {"Name": one}} for one in group_zones]
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceArn": arn("rds", f"db:{name}"),
        "Engine": "postgres",
        "MultiAZ": False,
        "StorageEncrypted": True,
        "AvailabilityZone": zone,
        "DBSubnetGroup": {"Subnets": subnets},
        "DBParameterGroups": [{"DBParameterGroupName": parameters, "ParameterApplyStatus": "in-sync"}],
        **more,
    }


WAITING = {"DBParameterGroupName": "forced", "ParameterApplyStatus": "pending-reboot"}
DATABASES = [
    database("pair", A, A, B, MultiAZ=True, SecondaryAvailabilityZone=B, KmsKeyId="key-1"),
    database("unnamed", A, A, C, MultiAZ=True),
    database("narrow", A, A, MultiAZ=True, parameters="open"),
    database("single", A, A, B, StorageEncrypted=False, parameters="unset"),
    database("replica", B, A, B, ReadReplicaSourceDBInstanceIdentifier="pair"),
    database("oracle", A, A, Engine="oracle-ee"),
    database("waiting", A, A, DBParameterGroups=[WAITING]),
    *(database(f"wide-{zone[-1]}", zone, DBClusterIdentifier="wide", Engine="aurora-postgresql") for zone in (A, B)),
    *(database(f"thin-{n}", A, DBClusterIdentifier="thin", Engine="aurora-mysql") for n in (1, 2)),
]  # fmt: skip


def cluster(name: str, engine: str, *members: str, parameters: str = "forced", **more: object) -> Item:
    return {
        "DBClusterIdentifier": name,
        "DBClusterArn": arn("rds", f"cluster:{name}"),
        "Engine": engine,
        "StorageEncrypted": True,
        # Where the storage is: always three, whatever the members.
        "AvailabilityZones": [A, B, C],
        "DBClusterParameterGroup": parameters,
        "DBClusterMembers": [
            {"DBInstanceIdentifier": m, "IsClusterWriter": False, "DBClusterParameterGroupStatus": "in-sync"}
            for m in members
        ],
        **more,
    }


CLUSTERS = [
    cluster("wide", "aurora-postgresql", "wide-a", "wide-b"),
    cluster("thin", "aurora-mysql", "thin-1", "thin-2", parameters="mysql-open", StorageEncrypted=False),
    cluster("first", "aurora-mysql", parameters="mysql-forced", EngineMode="serverless"),
]
PARAMETERS = {
    "forced": {"rds.force_ssl": "1"},
    "open": {"rds.force_ssl": "0"},
    "unset": {"max_connections": "9"},
    "mysql-open": {"require_secure_transport": "OFF"},
    "mysql-forced": {"require_secure_transport": "ON"},
}


def cache(name: str, failover: str, *shards: tuple[str, ...], transit: str = "required", rest: bool = True) -> Item:
    return {
        "ReplicationGroupId": name,
        "ARN": arn("elasticache", f"replicationgroup:{name}"),
        "AutomaticFailover": failover,
        "NodeGroups": [
            {"NodeGroupMembers": [{"PreferredAvailabilityZone": zone} for zone in shard]} for shard in shards
        ],
        "TransitEncryptionEnabled": bool(transit),
        **({"TransitEncryptionMode": transit} if transit else {}),
        "AtRestEncryptionEnabled": rest,
    }


CACHES = [
    cache("sessions", "enabled", (A, B), (B, C)),
    cache("lopsided", "enabled", (A, B), (C, C), transit="preferred"),
    cache("manual", "disabled", (A, B), transit="", rest=False),
]
CACHE_CLUSTERS = [
    {
        "CacheClusterId": "sessions-001",
        "ARN": arn("elasticache", "cluster:sessions-001"),
        "ReplicationGroupId": "sessions",
        "TransitEncryptionEnabled": True,
        "AtRestEncryptionEnabled": True,
    },
    {
        "CacheClusterId": "memo",
        "ARN": arn("elasticache", "cluster:memo"),
        "Engine": "memcached",
        "CacheNodes": [{"CustomerAvailabilityZone": A}, {"CustomerAvailabilityZone": B}],
        "TransitEncryptionEnabled": False,
        "AtRestEncryptionEnabled": False,
    },
]
SERVERLESS = [{"ServerlessCacheName": "quick", "ARN": arn("elasticache", "serverlesscache:quick")}]


def domain(name: str, nodes: int, *zones: str, aware: bool, vpc: bool = True, https: bool = True) -> Item:
    config: Item = {"InstanceCount": nodes, "ZoneAwarenessEnabled": aware}
    return {
        "DomainId": f"1/{name}",
        "DomainName": name,
        "ARN": arn("es", f"domain/{name}"),
        "ClusterConfig": config | ({"ZoneAwarenessConfig": {"AvailabilityZoneCount": 2}} if aware else {}),
        "EncryptionAtRestOptions": {"Enabled": https},
        "DomainEndpointOptions": {"EnforceHTTPS": https},
        **({"VPCOptions": {"AvailabilityZones": list(zones)}} if vpc else {}),
    }


DOMAINS = {
    one["DomainName"]: one
    for one in (
        domain("wide", 2, A, B, aware=True),
        domain("thin", 1, A, aware=False, https=False),
        domain("public", 2, aware=True, vpc=False),
    )
}


def file_system(name: str, zone: str = "", *, encrypted: bool = True) -> Item:
    return {
        "FileSystemId": name,
        "FileSystemArn": arn("elasticfilesystem", f"file-system/{name}"),
        "OwnerId": ACCOUNT,
        "CreationToken": name,
        "CreationTime": estate.NOW,
        "LifeCycleState": "available",
        "NumberOfMountTargets": 1,
        "SizeInBytes": {"Value": 1},
        "PerformanceMode": "generalPurpose",
        "Tags": [],
        "Encrypted": encrypted,
        **({"AvailabilityZoneId": zone} if zone else {}),
    }


FILE_SYSTEMS = [file_system("fs-wide"), file_system("fs-thin", encrypted=False), file_system("fs-one", "euw1-az3")]
MOUNTS = {"fs-wide": ("euw1-az1", "euw1-az3"), "fs-thin": ("euw1-az1",)}
VOLUMES = [
    {"VolumeId": "vol-open", "Encrypted": False},
    {"VolumeId": "vol-1", "Encrypted": True, "KmsKeyId": "key-1"},
]
BUCKETS: dict[str, Any] = {"tight": "aws:kms", "loose": "", "plain": "AES256"}
TIGHT = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::tight", "arn:aws:s3:::tight/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}

# --- load balancers --------------------------------------------------------------------------------------------------

POLICIES = {"new": ["TLSv1.2", "TLSv1.3"], "old": ["TLSv1", "TLSv1.1", "TLSv1.2"]}
REDIRECT = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "StatusCode": "HTTP_301"}}

FORBIDDEN = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}


def forward(*groups: str) -> Item:
    one = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": name} for name in groups]}}
    return one | ({"TargetGroupArn": groups[0]} if len(groups) == 1 else {})


def listener(balancer: str, port: int, protocol: str, policy: str = "") -> Item:
    name = balancer.replace(":loadbalancer/", ":listener/") + f"/{port}"
    return {
        "ListenerArn": name,
        "LoadBalancerArn": balancer,
        "Port": port,
        "Protocol": protocol,
        **({"SslPolicy": policy} if policy else {}),
    }


LISTENERS = {
    EDGE: [
        listener(EDGE, 443, "HTTPS", "new"),
        listener(EDGE, 8443, "HTTPS", "old"),
        listener(EDGE, 80, "HTTP"),
        listener(EDGE, 8080, "HTTP"),
    ],
    COMMON: [listener(COMMON, 80, "HTTP"), listener(COMMON, 8080, "HTTP"), listener(COMMON, 443, "HTTPS", "new")],
}
RULES = {
    LISTENERS[EDGE][2]["ListenerArn"]: [REDIRECT, FORBIDDEN],
    LISTENERS[EDGE][3]["ListenerArn"]: [REDIRECT, forward(GROUP)],
    LISTENERS[COMMON][0]["ListenerArn"]: [forward(OTHERS), REDIRECT],
    LISTENERS[COMMON][1]["ListenerArn"]: [forward(OTHERS, SHARED)],
}  # fmt: skip
CLASSIC = arn("elasticloadbalancing", "loadbalancer/veteran")


def balancer(name: str, *subnets: str) -> Item:
    zones = [{"ZoneName": f"{REGION}{one[-1]}", "SubnetId": one} for one in subnets]
    return {"LoadBalancerArn": name, "LoadBalancerName": name.split("/")[2], "AvailabilityZones": zones}


BALANCERS = [balancer(EDGE, "subnet-a", "subnet-b"), balancer(COMMON, "subnet-a")]


# --- all of it -------------------------------------------------------------------------------------------------------


def everything() -> list[str]:
    """The ARNs that carry the tag; what ended long ago keeps it for a while."""
    kept = [one["serviceArn"] for one in ECS]
    kept += [arn("ec2", f"instance/{one['InstanceId']}") for one in INSTANCES]
    kept += [one["TargetGroupArn"] for one in GROUPS] + [EDGE, CLASSIC]
    kept += [one["FunctionArn"] for one in FUNCTIONS] + [arn("sqs", "jobs")]
    kept += [one["DBInstanceArn"] for one in DATABASES] + [one["DBClusterArn"] for one in CLUSTERS]
    kept += [one["ARN"] for one in (*CACHES, *CACHE_CLUSTERS, *SERVERLESS, *DOMAINS.values())]
    kept += [one["FileSystemArn"] for one in FILE_SYSTEMS] + [arn("ec2", "volume/vol-1")]
    kept += [arn("dynamodb", "table/ledger"), arn("dynamodb", "table/dropped")]
    return kept + [f"arn:aws:s3:::{name}" for name in BUCKETS]


def fill(endpoint: Endpoint) -> None:
    """Have the endpoint answer with all of it."""
    estate.tagged(endpoint, {name: {"Service": "payments"} for name in everything()})
    endpoint.on(ACCOUNT, "ecs:DescribeServices", _named("services", ECS, "serviceArn"))
    endpoint.list(ACCOUNT, "ecs:ListTasks", "taskArns", [one["taskArn"] for one in TASKS])
    endpoint.on(ACCOUNT, "ecs:DescribeTasks", _named("tasks", TASKS, "taskArn"))
    for operation, items, values in (
        ("autoscaling:DescribeAutoScalingGroups", "AutoScalingGroups", ASGS),
        ("ec2:DescribeInstances", "Reservations", [{"Instances": INSTANCES[:2]}, {"Instances": INSTANCES[2:]}]),
        ("elbv2:DescribeTargetGroups", "TargetGroups", GROUPS),
        ("elbv2:DescribeLoadBalancers", "LoadBalancers", BALANCERS),
        ("lambda:ListFunctions", "Functions", FUNCTIONS),
        ("ec2:DescribeRouteTables", "RouteTables", ROUTE_TABLES),
        ("ec2:DescribeNatGateways", "NatGateways", NATS),
        ("rds:DescribeDBInstances", "DBInstances", DATABASES),
        ("rds:DescribeDBClusters", "DBClusters", CLUSTERS),
        ("elasticache:DescribeReplicationGroups", "ReplicationGroups", CACHES),
        ("elasticache:DescribeCacheClusters", "CacheClusters", CACHE_CLUSTERS),
        ("elasticache:DescribeServerlessCaches", "ServerlessCaches", SERVERLESS),
        ("efs:DescribeFileSystems", "FileSystems", FILE_SYSTEMS),
        ("ec2:DescribeVolumes", "Volumes", VOLUMES),
    ):
        endpoint.list(ACCOUNT, operation, items, values, page=2)
    endpoint.on(ACCOUNT, "elbv2:DescribeTargetHealth", _health)
    endpoint.on(ACCOUNT, "elbv2:DescribeListeners", lambda p: {"Listeners": LISTENERS[p["LoadBalancerArn"]]})
    endpoint.on(
        ACCOUNT,
        "elbv2:DescribeRules",
        lambda p: {"Rules": [{"RuleArn": str(n), "Actions": [a]} for n, a in enumerate(RULES[p["ListenerArn"]])]},
    )
    policies = [{"Name": name, "SslProtocols": versions} for name, versions in POLICIES.items()]
    endpoint.on(ACCOUNT, "elbv2:DescribeSSLPolicies", {"SslPolicies": policies})
    for operation, parameter in (
        ("DBParameters", "DBParameterGroupName"),
        ("DBClusterParameters", "DBClusterParameterGroupName"),
    ):
        endpoint.on(ACCOUNT, f"rds:Describe{operation}", lambda p, name=parameter: _parameters(p[name]))
    endpoint.on(
        ACCOUNT, "opensearch:DescribeDomains", lambda p: {"DomainStatusList": [DOMAINS[n] for n in p["DomainNames"]]}
    )
    endpoint.on(ACCOUNT, "efs:DescribeMountTargets", lambda p: {"MountTargets": _mounts(p["FileSystemId"])})
    endpoint.on(ACCOUNT, "dynamodb:DescribeTable", _table)
    endpoint.on(ACCOUNT, "s3:GetBucketEncryption", _bucket)
    endpoint.on(ACCOUNT, "s3:GetBucketPolicy", _policy)


def _named(items: str, values: list[Item], key: str) -> Answer:
    return lambda asked: {items: [one for one in values if one[key] in asked[items]]}


def _health(asked: Mapping[str, Any]) -> Item:
    name = asked["TargetGroupArn"].split("/")[1]
    return {
        "TargetHealthDescriptions": [
            {"Target": {"Id": target}, "TargetHealth": {"State": state}} for target, state in TARGETS[name]
        ]
    }


def _parameters(name: str) -> Item:
    return {"Parameters": [{"ParameterName": key, "ParameterValue": value} for key, value in PARAMETERS[name].items()]}


def _mounts(name: str) -> list[Item]:
    return [
        {
            "MountTargetId": f"fsmt-0123456789abcdef-{zone[-1]}",
            "FileSystemId": name,
            "SubnetId": "subnet-0123456789abcdef0",
            "LifeCycleState": "available",
            "AvailabilityZoneId": zone,
        }
        for zone in MOUNTS[name]
    ]


def _table(asked: Mapping[str, Any]) -> Item:
    if asked["TableName"] == "dropped":
        raise AwsRefusal("ResourceNotFoundException", "Requested resource not found", 400)
    return {"Table": {"TableName": asked["TableName"], "SSEDescription": {"Status": "ENABLED", "KMSMasterKeyArn": "k"}}}


def _bucket(asked: Mapping[str, Any]) -> Item:
    if not BUCKETS[asked["Bucket"]]:
        raise AwsRefusal("ServerSideEncryptionConfigurationNotFoundError", "none", 404)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": BUCKETS[asked["Bucket"]]}}
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


def _policy(asked: Mapping[str, Any]) -> Item:
    if asked["Bucket"] == "plain":
        raise AwsRefusal("NoSuchBucketPolicy", "The bucket policy does not exist", 404)
    statement = TIGHT if asked["Bucket"] == "tight" else {**TIGHT, "Effect": "Allow"}
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
