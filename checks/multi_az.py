"""Multi-AZ deployment: survives the loss of an availability zone."""

from dataclasses import dataclass

from scorecard.check import Category, Requirement, Risk, Row


@dataclass(frozen=True, slots=True)
class Limits:
    """How uneven capacity may be."""

    largest_share: float = 0.7
    """Of a tier's healthy capacity in one zone, from 0 to 1."""


row = Row(
    title="Multi-AZ deployment",
    category=Category.RELIABILITY,
    risk=Risk.HIGH,
    why="A service in one zone goes down with that zone.",
    limits=Limits,
)

row.awaits(
    "placement",
    Requirement.REQUIRED,
    rule="Healthy capacity of each tier sits in two availability zones or more, none holding over {largest_share:.0%}.",
    remedy="""
    ECS, in Terraform: two tasks or more over subnets in two zones:

    ```hcl
    resource "aws_ecs_service" "payments" {
      desired_count = 2
      network_configuration {
        subnets = [aws_subnet.private_a.id, aws_subnet.private_b.id]
      }
      availability_zone_rebalancing = "ENABLED"
    }
    ```

    Kubernetes:

    ```yaml
    topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: topology.kubernetes.io/zone
        whenUnsatisfiable: DoNotSchedule
        labelSelector: {matchLabels: {app: payments}}
    ```
    """,
    awaits="the AWS probe and the Kubernetes probe",
)

row.awaits(
    "database",
    Requirement.REQUIRED,
    rule="Each database and cache has a standby in a second availability zone that takes over by itself.",
    remedy="""
    ```hcl
    resource "aws_db_instance" "payments" {
      multi_az             = true
      db_subnet_group_name = aws_db_subnet_group.two_zones.name
    }

    resource "aws_rds_cluster_instance" "payments" {
      count             = 2
      availability_zone = element(["ap-southeast-2a", "ap-southeast-2b"], count.index)
    }

    resource "aws_elasticache_replication_group" "payments" {
      automatic_failover_enabled = true
      multi_az_enabled           = true
      num_cache_clusters         = 2
    }
    ```
    """,
    awaits="the AWS probe",
)

row.awaits(
    "configuration",
    Requirement.ADVISORY,
    rule="Subnets, load balancer zones, desired count and spread constraints keep capacity in two zones.",
    remedy="""
    ```hcl
    resource "aws_lb" "main" {
      subnets = [aws_subnet.public_a.id, aws_subnet.public_b.id]
    }

    resource "aws_autoscaling_group" "payments" {
      min_size            = 2
      vpc_zone_identifier = [aws_subnet.private_a.id, aws_subnet.private_b.id]
    }
    ```
    """,
    awaits="the AWS probe and the Terraform reader",
)

row.awaits(
    "nat",
    Requirement.ADVISORY,
    rule="Each zone that holds capacity leaves through a NAT gateway of its own.",
    remedy="""
    ```hcl
    resource "aws_nat_gateway" "zone" {
      for_each      = aws_subnet.public
      subnet_id     = each.value.id
      allocation_id = aws_eip.nat[each.key].id
    }
    ```

    with one route table a zone whose `0.0.0.0/0` leads to that zone's gateway.
    """,
    awaits="the AWS probe",
)
