"""Deployment strategy: a deployment takes nothing away from the users, and stops when it goes wrong."""

from scorecard.check import Category, Requirement, Risk, Row

row = Row(
    title="Deployment strategy without downtime",
    category=Category.DEPLOYMENT,
    risk=Risk.MEDIUM,
    why="A service that goes down for each deployment is deployed seldom, in large steps, at night.",
)

row.awaits(
    "zero-downtime",
    Requirement.REQUIRED,
    rule="Deployments are rolling with a healthy minimum, blue/green or canary.",
    remedy="""
    ```hcl
    resource "aws_ecs_service" "payments" {
      deployment_minimum_healthy_percent = 100
      deployment_maximum_percent         = 200
    }
    ```

    Kubernetes: `strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}`.
    """,
    awaits="the AWS probe and the Kubernetes probe",
)

row.awaits(
    "health-gated",
    Requirement.REQUIRED,
    rule="A deployment waits for the health of what is new, after a grace period for its start.",
    remedy="""
    ```hcl
    resource "aws_ecs_service" "payments" {
      health_check_grace_period_seconds = 60
    }

    resource "aws_lb_target_group" "payments" {
      health_check {
        path    = "/readyz"
        matcher = "200"
      }
    }
    ```

    Kubernetes: `readinessProbe: {httpGet: {path: /readyz, port: 8080}}` and `minReadySeconds: 10`.
    """,
    awaits="the AWS probe and the Kubernetes probe",
)

row.awaits(
    "draining",
    Requirement.REQUIRED,
    rule="The deregistration delay is within the stop timeout, so that requests in flight are finished.",
    remedy="""
    ```hcl
    resource "aws_lb_target_group" "payments" {
      deregistration_delay = 30
    }
    ```

    with `"stopTimeout": 60` in the container definition, and SIGTERM handled: stop accepting, finish, exit 0.
    Kubernetes: `terminationGracePeriodSeconds: 60` and `lifecycle: {preStop: {sleep: {seconds: 5}}}`.
    """,
    awaits="the AWS probe and the Kubernetes probe",
)

row.awaits(
    "canary-watched",
    Requirement.ADVISORY,
    rule="A canary is watched by alarms that stop it.",
    remedy="""
    ```hcl
    resource "aws_codedeploy_deployment_group" "payments" {
      deployment_config_name = "CodeDeployDefault.ECSCanary10Percent5Minutes"
      alarm_configuration {
        enabled = true
        alarms  = [aws_cloudwatch_metric_alarm.errors.alarm_name]
      }
      auto_rollback_configuration {
        enabled = true
        events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
      }
    }
    ```
    """,
    awaits="the AWS probe",
)

row.awaits(
    "fits-tier",
    Requirement.ADVISORY,
    rule="A service of the top tier is deployed blue/green or by canary.",
    remedy="""
    ```hcl
    resource "aws_ecs_service" "payments" {
      deployment_configuration {
        strategy             = "BLUE_GREEN"
        bake_time_in_minutes = 10
      }
    }
    ```
    """,
    awaits="the AWS probe",
)
