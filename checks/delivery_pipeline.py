"""Delivery pipeline: change, test, build, staging, production, each reachable only through the one before."""

from scorecard.check import Category, Requirement, Risk, Row

row = Row(
    title="Delivery pipeline from change to production",
    category=Category.DEPLOYMENT,
    risk=Risk.HIGH,
    why="Whatever can reach production around the pipeline will, on the day when everyone is in a hurry.",
)

row.awaits(
    "change-reviewed",
    Requirement.REQUIRED,
    rule="The default branch needs an approving review and admits no direct push.",
    remedy="""
    GitHub:

    ```sh
    gh api --method PUT repos/OWNER/REPO/branches/main/protection --input - <<'JSON'
    {"required_pull_request_reviews": {"required_approving_review_count": 1, "dismiss_stale_reviews": true},
     "required_status_checks": {"strict": true, "contexts": ["test"]}, "enforce_admins": true, "restrictions": null}
    JSON
    ```

    GitLab: `glab api --method POST projects/:id/protected_branches -f name=main -f push_access_level=0`.
    """,
    awaits="the forge probe",
)

row.awaits(
    "staging-before-production",
    Requirement.REQUIRED,
    rule="Staging is deployed automatically, and production is reachable only through it.",
    remedy="""
    ```yaml
    jobs:
      deploy-staging:
        needs: [test, build]
        environment: staging
      deploy-production:
        needs: [deploy-staging]
        environment: production
    ```
    """,
    awaits="the workflow reader",
)

row.awaits(
    "approval-before-production",
    Requirement.REQUIRED,
    rule="A person approves what goes to production, by required reviewers, a manual job or an approval stage.",
    remedy="""
    GitHub, on the environment that the production job names:

    ```sh
    gh api --method PUT repos/OWNER/REPO/environments/production --input - <<'JSON'
    {"prevent_self_review": true, "reviewers": [{"type": "Team", "id": 1}]}
    JSON
    ```

    GitLab: `when: manual` in the production job, with `environment: {name: production}` protected.
    """,
    awaits="the forge probe and the workflow reader",
)

row.awaits(
    "deploy-verified",
    Requirement.REQUIRED,
    rule="The production job waits until what it deployed is healthy, so that a bad deployment stops by itself.",
    remedy="""
    One of these as the last step of the production job:

    ```sh
    aws ecs wait services-stable --cluster production --services payments
    kubectl rollout status deployment/payments --timeout=5m
    helm upgrade --install --atomic --timeout 5m payments ./chart
    ```
    """,
    awaits="the workflow reader",
)

row.awaits(
    "test-kinds",
    Requirement.ADVISORY,
    rule="Lint, unit tests, integration tests on real services and static analysis run in parallel jobs.",
    remedy="""
    ```yaml
    jobs:
      lint: {runs-on: ubuntu-24.04, steps: [{run: make lint}]}
      unit: {runs-on: ubuntu-24.04, steps: [{run: make unit}]}
      integration:
        runs-on: ubuntu-24.04
        services: {postgres: {image: "postgres:15"}}
        steps: [{run: make integration}]
      analysis: {runs-on: ubuntu-24.04, steps: [{run: make analysis}]}
    ```
    """,
    awaits="the workflow reader",
)

row.awaits(
    "artifact-traceable",
    Requirement.ADVISORY,
    rule="The image is tagged with the commit it was built from, and its tags are immutable.",
    remedy="""
    ```sh
    docker build -t "$REPOSITORY:$GITHUB_SHA" . && docker push "$REPOSITORY:$GITHUB_SHA"
    ```

    ```hcl
    resource "aws_ecr_repository" "payments" {
      name                 = "payments"
      image_tag_mutability = "IMMUTABLE"
    }
    ```
    """,
    awaits="the workflow reader and the AWS probe",
)

row.awaits(
    "e2e-on-staging",
    Requirement.ADVISORY,
    rule="End-to-end tests run against staging before production is deployed.",
    remedy="""
    ```yaml
    jobs:
      e2e:
        needs: [deploy-staging]
        steps: [{run: "make e2e BASE_URL=https://payments.staging.example.net"}]
      deploy-production:
        needs: [e2e]
    ```
    """,
    awaits="the workflow reader",
)

row.awaits(
    "environments-alike",
    Requirement.ADVISORY,
    rule="Staging uses the modules and versions that production uses.",
    remedy="""
    One module for both, with what differs as its variables:

    ```hcl
    module "payments" {
      source         = "../modules/payments"
      environment    = var.environment
      instance_class = var.instance_class
      desired_count  = var.desired_count
    }
    ```
    """,
    awaits="the Terraform reader",
)
