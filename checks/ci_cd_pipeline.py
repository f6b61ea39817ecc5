"""CI/CD pipeline with automated tests: no manual deployments to production."""

from scorecard.check import Category, Cause, Finding, Requirement, Risk, Row, not_applicable, unavailable, unknown
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.releases import RunningRevision, RunningRevisions
from scorecard.model import Service

row = Row(
    title="CI/CD pipeline with automated tests",
    category=Category.DEPLOYMENT,
    risk=Risk.HIGH,
    why="A change that no machine tested, or that a person deployed by hand, is how an outage starts.",
)

row.awaits(
    "pipeline-defined",
    Requirement.REQUIRED,
    rule="A pipeline file exists at the head of the default branch and is valid by its schema.",
    remedy="""
    Add `.github/workflows/ci.yml`, and check it before it is committed with `check-jsonschema --builtin-schema
    vendor.github-workflows .github/workflows/ci.yml`:

    ```yaml
    name: ci
    on:
      pull_request:
      push: {branches: [main]}
    permissions: {contents: read}
    jobs:
      test:
        runs-on: ubuntu-24.04
        steps:
          - uses: actions/checkout@v4   # pin to the full commit id
          - run: make test
    ```
    """,
    awaits="the workflow reader",
)

row.awaits(
    "tests-on-every-change",
    Requirement.REQUIRED,
    rule="A job that runs tests is triggered by every pull or merge request.",
    remedy="""
    GitHub Actions, in the workflow that holds the test job:

    ```yaml
    on:
      pull_request:
    ```

    GitLab CI, in the test job:

    ```yaml
    test:
      script: make test
      rules:
        - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    ```
    """,
    awaits="the workflow reader",
)

row.awaits(
    "failure-stops-the-line",
    Requirement.REQUIRED,
    rule="Production is reachable only through a test job, and no test step may fail silently.",
    remedy="""
    Let the deployment need the test job, and take `continue-on-error: true`, `|| true` and `allow_failure: true` out of
    the steps that test:

    ```yaml
    jobs:
      deploy-production:
        needs: [test, deploy-staging]
        environment: production
    ```
    """,
    awaits="the workflow reader",
)

row.awaits(
    "tests-passed",
    Requirement.REQUIRED,
    rule="For the head of the default branch a run succeeded, and its test job really ran.",
    remedy="""
    Look at the last run and start it again once its cause is mended; a test job with an `if:` that is false counts as
    skipped:

    ```sh
    gh run list --branch main --limit 1
    gh run rerun --failed RUN
    ```
    """,
    awaits="the forge probe",
)

row.awaits(
    "merge-needs-tests",
    Requirement.REQUIRED,
    rule="The default branch takes a merge only after its required checks, or its pipeline, succeeded.",
    remedy="""
    GitHub, with the names of your own test jobs as contexts:

    ```sh
    gh api --method PUT repos/OWNER/REPO/branches/main/protection --input - <<'JSON'
    {"required_status_checks": {"strict": true, "contexts": ["test"]}, "enforce_admins": true,
     "required_pull_request_reviews": {"required_approving_review_count": 1}, "restrictions": null}
    JSON
    ```

    GitLab:

    ```sh
    glab api --method PUT projects/:id -f only_allow_merge_if_pipeline_succeeds=true
    ```
    """,
    awaits="the forge probe",
)


@row.required(
    remedy="""
    Tag the image with the commit and deploy it from the pipeline only; tell the scorecard where the running revision
    can be read, in the service file:

    ```yaml
    spec:
      runtime: {version: /version}   # answers {"revision": "<commit>"}
    ```

    ```sh
    docker build --build-arg REVISION="$GITHUB_SHA" -t "$REPOSITORY:$GITHUB_SHA" .
    ```
    """
)
def revision_from_pipeline(seen: RunningRevisions | Unavailable | Absent, service: Service) -> Finding:
    """The revision that runs now was built by a successful run of the pipeline."""
    spec = service.spec
    if spec.aws is None and spec.runtime.version is None:
        return not_applicable("asked where the service names a runtime: spec.aws or spec.runtime.version")
    if isinstance(seen, Unavailable) and spec.runtime.version is None:
        return unavailable(seen)
    running = (
        [one for one in seen.items if isinstance(one, RunningRevision)] if isinstance(seen, RunningRevisions) else []
    )
    unread = [one.why for one in seen.items if isinstance(one, Unseen)] if isinstance(seen, RunningRevisions) else []
    if not running and unread:
        return unavailable(unread[0])
    shown = "; ".join(f"{one.name} runs {' and '.join(one.revisions)}" for one in running[:_SHOWN])
    more = f"; and {len(running) - _SHOWN} more" if len(running) > _SHOWN else ""
    words = "which run of the pipeline built it is not read by this version: it waits for the forge probe"
    return unknown(Cause.NOT_SUPPORTED, f"{shown}{more}; {words}" if shown else words)


_SHOWN = 3

row.awaits(
    "workflow-hardened",
    Requirement.ADVISORY,
    rule="The workflow linter has no finding of high severity, such as an unpinned action or a template injection.",
    remedy="""
    Pin each action to a commit, and hand text from outside to a script through its environment:

    ```yaml
    - uses: actions/checkout@<40 hexadecimal digits> # v4
    - run: echo "$TITLE"
      env: {TITLE: "${{ github.event.pull_request.title }}"}
    ```

    `zizmor --offline .github/workflows` prints the same findings.
    """,
    awaits="the workflow linter",
)
