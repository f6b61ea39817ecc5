"""Infrastructure as code: defined in the repository, its state locked, and what runs is what is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Now,
    Requirement,
    Risk,
    Row,
    each,
    failed,
    not_applicable,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.aws import Gone, Resource, Resources, Unseen
from scorecard.evidence.infrastructure import (
    Drifted,
    Live,
    LiveInfrastructure,
    Managed,
    TerraformPlan,
    TerraformState,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How old a published plan may be."""

    plan_days: int = 7


row = Row(
    title="Infrastructure as code",
    category=Category.DEPLOYMENT,
    risk=Risk.HIGH,
    why="What was clicked together cannot be reviewed, repeated, or built again after it was lost.",
    limits=Limits,
)

_CLOCKS = timedelta(minutes=5)
"""By how much a clock may be ahead of another."""
_STATE_LINES = """spec:
  infrastructure: {state: "s3://tf-state/payments.tfstate"}"""
_DERIVED = frozenset(
    {
        "backup:recovery-point", "ec2:network-interface", "ec2:snapshot", "ec2:spot-instances-request",
        "ecs:container-instance", "ecs:task", "ecs:task-definition", "elasticache:snapshot", "rds:auto-backup",
        "rds:cluster-auto-backup", "rds:cluster-snapshot", "rds:snapshot",
    }
)  # fmt: skip
"""Kinds that AWS or a deployment makes by itself and tags like what they belong to."""

row.awaits(
    "defined",
    Requirement.REQUIRED,
    rule="Terraform, CloudFormation, CDK output or Pulumi in the repository parses and defines resources.",
    remedy="""
    Name the repository in the service file:

    ```yaml
    spec:
      repositories:
        - {url: https://github.com/example/payments-infra, path: terraform, role: infrastructure}
    ```

    What runs already is taken over with an `import` block:

    ```hcl
    import {
      to = aws_db_instance.payments
      id = "payments"
    }
    ```
    """,
    awaits="the Terraform reader",
)

row.awaits(
    "remote-state-locked",
    Requirement.REQUIRED,
    rule="The state is kept in a remote backend, encrypted and with locking, and no state file is in git.",
    remedy="""
    ```hcl
    terraform {
      backend "s3" {
        bucket       = "tf-state"
        key          = "payments.tfstate"
        region       = "ap-southeast-2"
        encrypt      = true
        use_lockfile = true
      }
    }
    ```

    `dynamodb_table` locks as well, and Terraform deprecates it. `git rm --cached '*.tfstate*'` takes a state file out.
    """,
    awaits="the Terraform reader",
)


@row.required(
    remedy="""
    Let the pipeline publish its plan every day, and name the place in the service file:

    ```sh
    terraform plan -refresh-only -out=drift.plan
    terraform show -json drift.plan | aws s3 cp - s3://tf-plans/payments.json
    ```

    ```yaml
    spec:
      infrastructure: {state: "s3://tf-state/payments.tfstate", plan: "s3://tf-plans/payments.json"}
    ```

    `terraform apply` brings what runs back to what is written.
    """
)
def no_drift(
    state: TerraformState | Unavailable | Absent,
    live: LiveInfrastructure | Unavailable | Absent,
    plan: TerraformPlan | Unavailable | Absent,
    limits: Limits,
    now: Now,
) -> Finding:
    """A plan of at most {plan_days} days, or the state, agrees with what runs; both, where both are named."""
    missing = [one for one in (state, plan) if isinstance(one, Unavailable)]
    compared = list(_compared(state, live)) if isinstance(state, TerraformState) else []
    if isinstance(state, TerraformState) and isinstance(live, Unavailable):
        missing.append(live)
    subjects: list[_Compared | _Plan | Drifted] = [*compared]
    if isinstance(plan, TerraformPlan):
        # An old plan is made up for by a state that agrees, and by one that is not known it may be.
        alone = not compared and not missing
        subjects += [_Plan(plan.place, plan, alone), *plan.drift]
        missing += plan.missing
    nothing = unknown(Cause.NO_DATA, _nothing(state))
    return each(subjects, lambda one: _drift(one, limits, now), missing=missing, empty=nothing, things="resources")


@dataclass(frozen=True, slots=True)
class _Compared:
    """A resource of the state beside what runs."""

    name: str
    managed: Managed
    live: Live | Unseen | Gone | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The plan as a whole."""

    name: str
    plan: TerraformPlan
    alone: bool
    """Whether no state is compared beside it."""


def _compared(state: TerraformState, live: LiveInfrastructure | Unavailable | Absent) -> Iterator[_Compared]:
    """The resources that can be compared, each with what was seen of it."""
    if not isinstance(live, LiveInfrastructure):
        return
    by_name = {one.name: one for one in live.items}
    for one in state.resources:
        if one.name in by_name or one.attributes or one.hidden:
            yield _Compared(one.name, one, by_name.get(one.name))


def _nothing(state: TerraformState | Unavailable | Absent) -> str:
    count = state.count if isinstance(state, TerraformState) else 0
    return f"none of the {count} resources in the state is of a type that is compared with what runs; publish a plan"


def _drift(one: _Compared | _Plan | Drifted, limits: Limits, now: datetime) -> Item:
    if isinstance(one, _Plan):
        return _plan(one, limits, now)
    if isinstance(one, Drifted):
        what = f": {', '.join(one.attributes)}" if one.attributes else ""
        return failed(
            "drifted", f"the plan says that it was changed outside of Terraform ({', '.join(one.actions)}){what}"
        )
    if isinstance(one.live, Live):
        return _attributes(one.managed, one.live)
    if isinstance(one.live, Gone):
        return failed("gone", f"the state has {one.managed.arn}, and AWS does not")
    return unavailable(
        one.live.why if one.live else Unavailable(Cause.NO_DATA, "it was not in the state yet when AWS was asked")
    )


def _attributes(managed: Managed, live: Live) -> Item:
    """Its attributes in the state beside those that run."""
    running, coming, left = dict(live.attributes), dict(live.changing), dict(live.left)
    differing = [
        (name, value)
        for name, value in managed.attributes
        if name in running and running[name] != value and name not in left
    ]
    drifted = [(name, value) for name, value in differing if coming.get(name) != value]
    if drifted:
        shown = "; ".join(
            f"{name} is {running[name] or 'not set'}, and the state says {value or 'not set'}"
            for name, value in drifted
        )
        return failed("drifted", shown)
    if managed.hidden:
        words = f"the state marks {', '.join(managed.hidden)} as sensitive, and what is sensitive is not compared"
        return unknown(Cause.NOT_SUPPORTED, words)
    if differing:
        shown = "; ".join(f"{name} is {running[name]}, and becomes {value}" for name, value in differing)
        return warned("pending", f"{shown} at the next maintenance window")
    compared = [name for name, _ in managed.attributes if name in running and name not in left]
    return passed(f"{', '.join(compared)} as in the state" if compared else "it is there")


def _plan(one: _Plan, limits: Limits, now: datetime) -> Item:
    """Whether a plan says anything about today."""
    age = now - one.plan.made_at
    if age < -_CLOCKS:
        return unknown(Cause.BAD_RESPONSE, f"the plan is of {one.plan.made_at:%Y-%m-%d %H:%M}, which is in the future")
    days = max(age, timedelta()) / timedelta(days=1)
    if age > timedelta(days=limits.plan_days):
        words = f"the plan is {days:.1f} days old; {limits.plan_days} are allowed"
        return (
            failed("old-plan", words)
            if one.alone
            else warned("old-plan", f"{words}, and the state is compared as well")
        )
    if one.plan.drift:
        return passed(f"the plan is {days:.1f} days old and names what drifted")
    return passed(f"the plan is {days:.1f} days old and saw no drift")


@row.advisory(
    remedy="""
    ```hcl
    import {
      to = aws_sqs_queue.retries
      id = "https://sqs.ap-southeast-2.amazonaws.com/111122223333/retries"
    }
    ```

    `terraform plan -generate-config-out=imported.tf` writes the resource for it.
    """
)
def managed(resources: Resources, state: TerraformState | Absent, live: LiveInfrastructure | Absent) -> Finding:
    """Every live resource that carries the service's tags has an address in the state."""
    if not isinstance(state, TerraformState) or not isinstance(live, LiveInfrastructure):
        words = "spec.infrastructure.state is not given, and a plan does not list all that is managed"
        return unknown(Cause.NOT_CONFIGURED, words, lines=_STATE_LINES)
    arns = {one.arn: one.name for one in state.resources if one.arn}
    ids = {one.id: one.name for one in state.resources if one.id}
    unclear = {one.name: one.why for one in live.underived}
    missing = (*resources.missing, *(one.why for one in resources.unlisted))

    def judge(one: Resource) -> Item:
        address = arns.get(one.name) or ids.get(one.name.rpartition("/")[2])
        if address:
            return passed(f"it is {address}")
        if one.kind in _DERIVED or one.name in live.derived:
            return not_applicable("another resource, or a pipeline, made it")
        if one.name in unclear:
            return unavailable(unclear[one.name])
        return failed("unmanaged", f"it carries the service's tags, and {state.place} has no address for it")

    return each(resources.resources, judge, missing=missing, things="resources")


row.awaits(
    "plan-in-review",
    Requirement.ADVISORY,
    rule="The pipeline shows a plan on the change, and only the pipeline applies.",
    remedy="""
    ```yaml
    on: [pull_request]
    jobs:
      plan:
        steps:
          - run: terraform plan -no-color | tee plan.txt
          - run: gh pr comment "$NUMBER" --body-file plan.txt
    ```
    """,
    awaits="the workflow reader",
)

row.awaits(
    "policy-scan",
    Requirement.ADVISORY,
    rule="The imported results of an infrastructure scanner hold no failure of high severity.",
    remedy="""
    ```sh
    checkov --directory terraform --output json > checkov.json
    scorecard push policy-scan checkov.json
    ```
    """,
    awaits="the scanner import",
)
