"""What runs of a state's resources: every type that is compared, and every way in which one is not seen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from scorecard.demo.aws import AwsRefusal, Endpoint
from scorecard.evidence import Absent, Observation, Unavailable
from scorecard.evidence.aws import Gone, Resource, Resources, Unseen
from scorecard.evidence.infrastructure import Live, LiveInfrastructure, TerraformState
from scorecard.isolation import Worker
from scorecard.model import Cause
from scorecard.probes import Upstream
from scorecard.probes.aws.live import KINDS, LiveProbe
from scorecard.probes.aws.state import reading_child
from scorecard.probes.aws.terraform import ATTRIBUTES, ReadState, StateRead, packed
from tests.probes.aws.estate import ACCOUNT, NOW, Asking, arn
from tests.probes.aws.terraform import STATE, database, payments, resource, running, state

GROUP = arn("autoscaling", "autoScalingGroup:1b7c:autoScalingGroupName/web")
BALANCER = arn("elasticloadbalancing", "loadbalancer/app/shop/50dc6c495c0c9188")
LISTENER = arn("elasticloadbalancing", "listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2")
TARGETS = arn("elasticloadbalancing", "targetgroup/shop/73e2d6bc24d8a067")
SERVICE = arn("ecs", "service/main/payments")
BUCKET = {"id": "carts", "bucket": "carts"}


@dataclass(frozen=True)
class Case:
    """A resource as the state has it, as AWS answers, and a change of that answer with what it comes to."""

    type: str
    written: Mapping[str, Any]
    operation: str
    answer: Mapping[str, Any]
    changed: Mapping[str, Any]
    """Into the first item of the answer's list, or into the answer."""
    attribute: str
    now: str


def listed(key: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: [dict(item)]}


CASES = [
    Case("aws_db_instance", database(), "rds:DescribeDBInstances", listed("DBInstances", running()),
         {"MultiAZ": False}, "multi_az", "false"),
    Case("aws_rds_cluster_instance",
         {"arn": arn("rds", "db:payments"), "publicly_accessible": False, "instance_class": "db.r6g.large"},
         "rds:DescribeDBInstances", listed("DBInstances", running()),
         {"PubliclyAccessible": True}, "publicly_accessible", "true"),
    Case("aws_rds_cluster",
         {"arn": arn("rds", "cluster:shop"), "storage_encrypted": True, "backup_retention_period": 14,
          "deletion_protection": True, "iam_database_authentication_enabled": True},
         "rds:DescribeDBClusters",
         listed("DBClusters", {"DBClusterArn": arn("rds", "cluster:shop"), "StorageEncrypted": True,
                               "BackupRetentionPeriod": 14, "DeletionProtection": True,
                               "IAMDatabaseAuthenticationEnabled": True}),
         {"BackupRetentionPeriod": 1}, "backup_retention_period", "1"),
    Case("aws_dynamodb_table",
         {"arn": arn("dynamodb", "table/carts"), "deletion_protection_enabled": True, "billing_mode": "PROVISIONED",
          "point_in_time_recovery": [{"enabled": True}]},
         "dynamodb:DescribeContinuousBackups",
         {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription":
                                           {"PointInTimeRecoveryStatus": "ENABLED"}}},
         {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription":
                                           {"PointInTimeRecoveryStatus": "DISABLED"}}},
         "point_in_time_recovery.enabled", "false"),
    Case("aws_s3_bucket_versioning", {**BUCKET, "versioning_configuration": [{"status": "Enabled"}]},
         "s3:GetBucketVersioning", {"Status": "Enabled"},
         {"Status": "Suspended"}, "versioning_configuration.status", "Suspended"),
    Case("aws_s3_bucket_server_side_encryption_configuration",
         {**BUCKET, "rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms"}]}]},
         "s3:GetBucketEncryption",
         {"ServerSideEncryptionConfiguration":
          {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}},
         {"ServerSideEncryptionConfiguration":
          {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}},
         "rule.apply_server_side_encryption_by_default.sse_algorithm", "AES256"),
    Case("aws_s3_bucket_public_access_block",
         {**BUCKET, "block_public_acls": True, "block_public_policy": True, "ignore_public_acls": True,
          "restrict_public_buckets": True},
         "s3:GetPublicAccessBlock",
         {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": True,
                                             "IgnorePublicAcls": True, "RestrictPublicBuckets": True}},
         {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": False,
                                             "IgnorePublicAcls": True, "RestrictPublicBuckets": True}},
         "block_public_policy", "false"),
    Case("aws_elasticache_replication_group",
         {"arn": arn("elasticache", "replicationgroup:shop"), "at_rest_encryption_enabled": True,
          "transit_encryption_enabled": True, "automatic_failover_enabled": True, "multi_az_enabled": True,
          "snapshot_retention_limit": 7},
         "elasticache:DescribeReplicationGroups",
         listed("ReplicationGroups",
                {"ARN": arn("elasticache", "replicationgroup:shop"), "AtRestEncryptionEnabled": True,
                 "TransitEncryptionEnabled": True, "AutomaticFailover": "enabled", "MultiAZ": "enabled",
                 "SnapshotRetentionLimit": 7}),
         {"AutomaticFailover": "disabled"}, "automatic_failover_enabled", "false"),
    Case("aws_efs_file_system", {"arn": arn("elasticfilesystem", "file-system/fs-1"), "encrypted": True},
         "efs:DescribeFileSystems",
         listed("FileSystems",
                {"FileSystemArn": arn("elasticfilesystem", "file-system/fs-1"), "FileSystemId": "fs-1",
                 "Encrypted": True, "OwnerId": ACCOUNT, "CreationToken": "x", "CreationTime": NOW,
                 "LifeCycleState": "available", "NumberOfMountTargets": 0, "SizeInBytes": {"Value": 1},
                 "PerformanceMode": "generalPurpose", "Tags": []}),
         {"Encrypted": False}, "encrypted", "false"),
    Case("aws_ebs_volume", {"arn": arn("ec2", "volume/vol-1"), "encrypted": True, "size": 20, "type": "gp3"},
         "ec2:DescribeVolumes",
         listed("Volumes", {"VolumeId": "vol-1", "Encrypted": True, "Size": 20, "VolumeType": "gp3"}),
         {"Size": 40}, "size", "40"),
    Case("aws_opensearch_domain",
         {"arn": arn("es", "domain/shop"), "encrypt_at_rest": [{"enabled": True}],
          "node_to_node_encryption": [{"enabled": True}],
          "domain_endpoint_options": [{"enforce_https": True, "tls_security_policy": "Policy-Min-TLS-1-2-2019-07"}]},
         "opensearch:DescribeDomains",
         listed("DomainStatusList",
                {"DomainId": "1/shop", "DomainName": "shop", "ARN": arn("es", "domain/shop"),
                 "ClusterConfig": {}, "EncryptionAtRestOptions": {"Enabled": True},
                 "NodeToNodeEncryptionOptions": {"Enabled": True},
                 "DomainEndpointOptions": {"EnforceHTTPS": True, "TLSSecurityPolicy": "Policy-Min-TLS-1-2-2019-07"}}),
         {"DomainEndpointOptions": {"EnforceHTTPS": False, "TLSSecurityPolicy": "Policy-Min-TLS-1-2-2019-07"}},
         "domain_endpoint_options.enforce_https", "false"),
    Case("aws_ecs_service",
         {"id": SERVICE, "desired_count": 3, "deployment_circuit_breaker": [{"enable": True, "rollback": True}]},
         "ecs:DescribeServices",
         listed("services",
                {"serviceArn": SERVICE, "status": "ACTIVE", "desiredCount": 3, "deploymentConfiguration":
                 {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}}),
         {"desiredCount": 1}, "desired_count", "1"),
    Case("aws_lambda_function",
         {"arn": arn("lambda", "function:mail"), "memory_size": 256, "timeout": 30, "runtime": "python3.12"},
         "lambda:ListFunctions",
         listed("Functions", {"FunctionArn": arn("lambda", "function:mail"), "FunctionName": "mail",
                              "MemorySize": 256, "Timeout": 30, "Runtime": "python3.12"}),
         {"Timeout": 900}, "timeout", "900"),
    Case("aws_autoscaling_group", {"arn": GROUP, "min_size": 2, "max_size": 6},
         "autoscaling:DescribeAutoScalingGroups",
         listed("AutoScalingGroups",
                {"AutoScalingGroupName": "web", "AutoScalingGroupARN": GROUP, "MinSize": 2, "MaxSize": 6,
                 "DesiredCapacity": 4, "DefaultCooldown": 300, "AvailabilityZones": ["eu-west-1a"],
                 "HealthCheckType": "EC2", "CreatedTime": NOW}),
         {"MinSize": 0}, "min_size", "0"),
    Case("aws_instance", {"arn": arn("ec2", "instance/i-1"), "instance_type": "m7g.large"},
         "ec2:DescribeInstances",
         {"Reservations": [{"Instances": [{"InstanceId": "i-1", "InstanceType": "m7g.large",
                                           "State": {"Code": 16, "Name": "running"}}]}]},
         {"Instances": [{"InstanceId": "i-1", "InstanceType": "m7g.4xlarge",
                         "State": {"Code": 16, "Name": "running"}}]},
         "instance_type", "m7g.4xlarge"),
    Case("aws_lb",
         {"arn": BALANCER, "internal": True, "load_balancer_type": "application", "ip_address_type": "ipv4"},
         "elbv2:DescribeLoadBalancers",
         listed("LoadBalancers", {"LoadBalancerArn": BALANCER, "Scheme": "internal", "Type": "application",
                                  "IpAddressType": "ipv4"}),
         {"Scheme": "internet-facing"}, "internal", "false"),
    Case("aws_lb_listener", {"arn": LISTENER, "port": 443, "protocol": "HTTPS",
                             "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06"},
         "elbv2:DescribeListeners",
         listed("Listeners", {"ListenerArn": LISTENER, "Port": 443, "Protocol": "HTTPS",
                              "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}),
         {"SslPolicy": "ELBSecurityPolicy-2016-08"}, "ssl_policy", "ELBSecurityPolicy-2016-08"),
    Case("aws_lb_target_group",
         {"arn": TARGETS, "port": 8080, "protocol": "HTTP", "target_type": "ip",
          "health_check": [{"enabled": True, "path": "/readyz", "protocol": "HTTP"}]},
         "elbv2:DescribeTargetGroups",
         listed("TargetGroups", {"TargetGroupArn": TARGETS, "Port": 8080, "Protocol": "HTTP", "TargetType": "ip",
                                 "HealthCheckEnabled": True, "HealthCheckPath": "/readyz",
                                 "HealthCheckProtocol": "HTTP"}),
         {"HealthCheckPath": "/"}, "health_check.path", "/"),
]  # fmt: skip
BY_TYPE = {case.type: case for case in CASES}


@pytest.fixture(scope="module")
def child() -> Iterator[Worker]:
    made = reading_child()
    yield made
    made.close()


@dataclass(frozen=True)
class Looking:
    """A state, and the probe asked what runs of it."""

    endpoint: Endpoint
    asking: Asking
    child: Worker

    def __call__(self, *resources: Mapping[str, Any], mapped: Resources | None = None) -> LiveInfrastructure:
        found = self.child.ask(ReadState(packed(_json(state(*resources)))), StateRead)
        seen = TerraformState(place=STATE, resources=found.resources, count=found.count)
        known = {(payments().key, TerraformState): Observation(TerraformState, NOW, seen)}
        if mapped is not None:
            known[payments().key, Resources] = Observation(Resources, NOW, mapped)  # type: ignore[index, assignment]
        probe = next(one for one in self.asking.probes if isinstance(one, LiveProbe))
        ((_, answer),) = probe.ask([payments()], Upstream(known))  # type: ignore[arg-type]
        assert isinstance(answer, LiveInfrastructure)
        return answer

    def of(self, case: Case, *, changed: bool = False) -> Live:
        self.endpoint.on(ACCOUNT, case.operation, _changed(case) if changed else case.answer)
        (item,) = self(resource(case.type, case.written)).items
        assert isinstance(item, Live), item
        return item


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _changed(case: Case) -> dict[str, Any]:
    lists = [key for key, value in case.answer.items() if isinstance(value, list)]
    if not lists:
        return {**case.answer, **case.changed}
    return {lists[0]: [{**case.answer[lists[0]][0], **case.changed}]}


@pytest.fixture
def looking(aws: tuple[Endpoint, Asking], child: Worker) -> Looking:
    endpoint, asking = aws
    table = {"TableArn": arn("dynamodb", "table/carts"), "TableName": "carts", "DeletionProtectionEnabled": True}
    endpoint.on(ACCOUNT, "dynamodb:DescribeTable", {"Table": table})
    lb = {"LoadBalancerArn": BALANCER, "Scheme": "internal", "Type": "application"}
    endpoint.on(ACCOUNT, "elbv2:DescribeLoadBalancers", {"LoadBalancers": [lb]})
    return Looking(endpoint, asking, child)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_each_attribute_runs_as_it_is_written(looking: Looking, case: Case) -> None:
    found = looking.child.ask(ReadState(packed(_json(state(resource(case.type, case.written))))), StateRead)
    written = dict(found.resources[0].attributes)
    assert set(written) == set(ATTRIBUTES[case.type])
    assert dict(looking.of(case).attributes) == written


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_a_change_by_hand_is_seen(looking: Looking, case: Case) -> None:
    assert dict(looking.of(case, changed=True).attributes)[case.attribute] == case.now


def test_every_type_that_is_compared_has_a_case_and_a_reader() -> None:
    twins = {"aws_alb", "aws_alb_listener", "aws_alb_target_group", "aws_elasticsearch_domain", "aws_s3_bucket"}
    assert set(BY_TYPE) | twins == set(ATTRIBUTES)
    for kind in KINDS:
        for type_ in kind.types:
            assert set(kind.attributes) == set(ATTRIBUTES[type_])
    assert {type_ for kind in KINDS for type_ in kind.types} == set(ATTRIBUTES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_a_denied_call_leaves_its_resources_unseen(looking: Looking, case: Case) -> None:
    looking.endpoint.on(ACCOUNT, case.operation, case.answer)
    looking.endpoint.denied = {case.operation}
    (item,) = looking(resource(case.type, case.written)).items
    assert isinstance(item, Unseen)
    assert (item.why.cause, case.operation in item.why.detail) == (Cause.ACCESS_DENIED, True)


def test_what_aws_does_not_have_any_more_is_gone(looking: Looking) -> None:
    looking.endpoint.on(ACCOUNT, "rds:DescribeDBInstances", {"DBInstances": []})
    assert looking(resource("aws_db_instance", database())).items == (Gone("aws_db_instance.main"),)


def test_a_bucket_that_does_not_exist_is_gone(looking: Looking) -> None:
    def none(_asked: Mapping[str, Any]) -> Mapping[str, Any]:
        raise AwsRefusal("NoSuchBucket", "The specified bucket does not exist", 404)

    looking.endpoint.on(ACCOUNT, "s3:GetBucketVersioning", none)
    bucket = resource("aws_s3_bucket", {"arn": "arn:aws:s3:::carts", "bucket": "carts", "id": "carts"})
    assert looking(bucket).items == (Gone("aws_s3_bucket.main"),)


class TestWhatSomethingElseSets:
    @pytest.mark.parametrize(
        ("more", "who"), [({}, "Application Auto Scaling"), ({"schedulingStrategy": "DAEMON"}, "instance")]
    )
    def test_a_desired_count_that_is_scaled_is_left(self, looking: Looking, more: dict[str, str], who: str) -> None:
        target = {
            "ServiceNamespace": "ecs", "ResourceId": "service/main/payments", "MinCapacity": 2, "MaxCapacity": 9,
            "ScalableDimension": "ecs:service:DesiredCount", "RoleARN": "arn:aws:iam::1:role/x", "CreationTime": NOW,
        }  # fmt: skip
        operation = "application-autoscaling:DescribeScalableTargets"
        looking.endpoint.on(ACCOUNT, operation, {"ScalableTargets": [] if more else [target]})
        case = BY_TYPE["aws_ecs_service"]
        item = {**case.answer["services"][0], **more}
        looking.endpoint.on(ACCOUNT, case.operation, {"services": [item]})
        (found,) = looking(resource(case.type, case.written)).items
        assert isinstance(found, Live)
        assert (found.left[0][0], who in found.left[0][1]) == ("desired_count", True)

    def test_whether_it_is_scaled_must_be_known(self, looking: Looking) -> None:
        looking.endpoint.on(ACCOUNT, "ecs:DescribeServices", BY_TYPE["aws_ecs_service"].answer)
        looking.endpoint.denied = {"application-autoscaling:DescribeScalableTargets"}
        (found,) = looking(resource("aws_ecs_service", BY_TYPE["aws_ecs_service"].written)).items
        assert isinstance(found, Unseen)

    def test_what_waits_for_the_maintenance_window_is_told(self, looking: Looking) -> None:
        item = running(MultiAZ=False, PendingModifiedValues={"MultiAZ": True})
        looking.endpoint.on(ACCOUNT, "rds:DescribeDBInstances", {"DBInstances": [item]})
        (found,) = looking(resource("aws_db_instance", database())).items
        assert isinstance(found, Live)
        assert found.changing == (("multi_az", "true"),)


class TestElsewhere:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            (arn("rds", "db:x", region="us-east-1"), "us-east-1"),
            (arn("rds", "db:x", account="999988887777"), "999988887777"),
        ],
    )
    def test_what_is_in_another_account_or_region_is_unseen(self, looking: Looking, name: str, words: str) -> None:
        (found,) = looking(resource("aws_db_instance", database(arn=name))).items
        assert isinstance(found, Unseen)
        assert (found.why.cause, words in found.why.detail) == (Cause.NOT_CONFIGURED, True)

    def test_a_resource_without_an_arn_is_unseen(self, looking: Looking) -> None:
        (found,) = looking(resource("aws_db_instance", database(arn=None))).items
        assert isinstance(found, Unseen)

    def test_without_a_state_there_is_nothing_to_look_for(self, looking: Looking) -> None:
        probe = next(one for one in looking.asking.probes if isinstance(one, LiveProbe))
        for answer in (Absent("no state"), Unavailable(Cause.TIMEOUT, "late")):
            known = {(payments().key, TerraformState): Observation(TerraformState, NOW, answer)}
            assert dict(probe.ask([payments()], Upstream(known))) == {payments().key: answer}  # type: ignore[arg-type]


class TestWhatAnotherResourceMade:
    MAPPED = Resources(
        resources=tuple(
            Resource(name=arn("ec2", name), kind=f"ec2:{name.partition('/')[0]}", account=ACCOUNT, region="eu-west-1")
            for name in ("instance/i-group", "instance/i-alone", "volume/vol-root", "volume/vol-data")
        )
    )

    def instances(self, looking: Looking) -> None:
        ebs = {"Ebs": {"VolumeId": "vol-root", "DeleteOnTermination": True}}
        kept = {"Ebs": {"VolumeId": "vol-data", "DeleteOnTermination": False}}
        group = {"InstanceId": "i-group", "Tags": [{"Key": "aws:autoscaling:groupName", "Value": "web"}]}
        found = [{**group, "BlockDeviceMappings": [ebs, kept]}, {"InstanceId": "i-alone"}]
        looking.endpoint.on(ACCOUNT, "ec2:DescribeInstances", {"Reservations": [{"Instances": found}]})

    def test_instances_of_a_group_and_disks_that_go_with_an_instance_are_derived(self, looking: Looking) -> None:
        self.instances(looking)
        found = looking(mapped=self.MAPPED)
        assert [name.rpartition("/")[2] for name in found.derived] == ["i-group", "vol-root"]

    def test_it_is_not_known_where_instances_may_not_be_described(self, looking: Looking) -> None:
        looking.endpoint.denied = {"ec2:DescribeInstances"}
        found = looking(mapped=self.MAPPED)
        assert (found.derived, len(found.underived)) == ((), 4)
