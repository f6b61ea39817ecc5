"""Infrastructure as code: defined in the repository, its state locked, and what runs is what is written."""

from dataclasses import dataclass

from scorecard.check import Category, Requirement, Risk, Row


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

row.awaits(
    "no-drift",
    Requirement.REQUIRED,
    rule="A plan of at most {plan_days} days, or the state, agrees with what runs.",
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
    """,
    awaits="the AWS probe and the Terraform reader",
)

row.awaits(
    "managed",
    Requirement.ADVISORY,
    rule="Every live resource that carries the service's tags has an address in the state.",
    remedy="""
    ```hcl
    import {
      to = aws_sqs_queue.retries
      id = "https://sqs.ap-southeast-2.amazonaws.com/111122223333/retries"
    }
    ```

    `terraform plan -generate-config-out=imported.tf` writes the resource for it.
    """,
    awaits="the AWS probe and the Terraform reader",
)

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
