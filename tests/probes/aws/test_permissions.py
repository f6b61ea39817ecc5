"""The least policy: every call that is declared is made, and what is denied costs exactly what needs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scorecard.demo.aws import Endpoint, serving
from scorecard.egress.aws import Account, AwsError, Clients
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import Answer, Evidence, Observation
from scorecard.evidence.aws import Resources
from scorecard.evidence.cloudwatch import CloudWatchAlerts, CloudWatchDashboards
from scorecard.model import AlertsRef, AwsRef, Cause, CloudWatchAlarms, DashboardRef, Service, Spec
from scorecard.probes import Probe, Upstream
from scorecard.probes.aws import QUESTIONS
from scorecard.probes.aws.calls import Call
from scorecard.probes.aws.policy import ELSEWHERE, actions, declared
from tests.probes.aws import whole
from tests.probes.aws.estate import ACCOUNT, NOW, Clock, asking_of

SERVICE = Service(
    name="payments",
    spec=Spec(
        aws=AwsRef(account=ACCOUNT, tags={"Service": "payments"}),
        alerts=(AlertsRef(cloudwatch=CloudWatchAlarms(prefix="payments-")),),
        dashboards=(DashboardRef(cloudwatch="payments"),),
    ),
)


KINDS: frozenset[type[Evidence]] = frozenset(
    {question.answers for question in QUESTIONS} | {Resources, CloudWatchAlerts, CloudWatchDashboards}
)
APART = frozenset({"LiveInfrastructure", "TerraformPlan", "TerraformState"})
"""Kinds that rest on a state of Terraform; tests/probes/aws/test_terraform.py has theirs denied."""
SOMETIMES = {
    # The containers' own health checks count where a service has no target group.
    ("ecs:DescribeTaskDefinition", "HealthGates"),
    # Named beside the other calls of CodeDeploy; a group's settings do not rest on its deployments.
    ("codedeploy:BatchGetDeployments", "RollbackSettings"),
    ("codedeploy:BatchGetDeployments", "HealthGates"),
    ("codedeploy:BatchGetDeployments", "Strategies"),
}
"""Actions and the evidence that does not always need them, as it does not where there is one of everything."""


class Remembering(Clients):
    """Asks AWS once for what is not denied, so that a run for each action costs little."""

    def __init__(self) -> None:
        super().__init__(AddressPolicy.of(["127.0.0.1"]), Resolver(), Clock(), rate=100_000, attempts=1)
        self.denied: frozenset[str] = frozenset()
        self.known: dict[str, dict[str, Any] | AwsError] = {}

    def call(self, account: Account, region: str, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - as its parent's
        name = f"{service}:{operation}"
        if name in self.denied:
            return super().call(account, region, service, operation, **parameters)
        key = f"{name} {sorted(parameters.items())}"
        if key not in self.known:
            try:
                self.known[key] = super().call(account, region, service, operation, **parameters)
            except AwsError as error:
                self.known[key] = error
        found = self.known[key]
        if isinstance(found, AwsError):
            raise found
        return found


@dataclasses.dataclass
class Whole:
    """One of everything, and all probes of AWS."""

    endpoint: Endpoint
    url: str
    base: Path
    clients: Remembering = dataclasses.field(default_factory=Remembering)

    def answers(self, denied: frozenset[str] = frozenset()) -> Mapping[type[Evidence], Answer]:
        """Of every probe, by kind; operations as botocore calls them."""
        self.clients.denied = frozenset(denied)
        self.endpoint.denied = set(denied)
        probes: tuple[Probe, ...] = asking_of(self.base, self.url, Clock()).probes
        known: dict[Any, Observation] = {}
        for probe in probes:
            probe.places.clients = self.clients  # type: ignore[attr-defined] # every probe of AWS has them
        waiting = [probe for probe in probes if probe.answers in KINDS]
        while waiting:
            probe = next(
                one for one in waiting if all((SERVICE.key, need) in known for need in one.needs) or one.needs == ()
            )
            waiting.remove(probe)
            ((key, answer),) = probe.ask([SERVICE], Upstream(known))
            known[key, probe.answers] = Observation(probe.answers, NOW, answer)
        return {kind: seen.value for (_, kind), seen in known.items()}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    endpoint = Endpoint(Clock())
    with pytest.MonkeyPatch.context() as patch, serving(endpoint) as url:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIADEMO")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "demo")
        whole.fill(endpoint)
        yield Whole(endpoint, url, tmp_path_factory.mktemp("whole"))
    assert not endpoint.wrong


def denied(answer: Answer, calls: frozenset[str]) -> bool:
    """Whether an answer says anywhere that one of these was denied, as `unknown: access_denied`."""
    text = repr(answer)
    told = any(f"not authorized to perform: {name}" in text for name in calls)
    return told and repr(Cause.ACCESS_DENIED) in text


CALLS = tuple((call, kind.kind()) for call, kind in declared() if kind in KINDS)
ACTIONS = sorted({action for call, _ in CALLS for action in call.actions})


def calls_of(action: str) -> frozenset[str]:
    return frozenset(call.name for call, _ in CALLS if action in call.actions)


def test_every_call_that_is_declared_is_made_where_there_is_one_of_everything(everything: Whole) -> None:
    everything.answers()

    made = {name for _, _, name in everything.endpoint.asked} - {"sts:AssumeRole"}
    assert {call.name for call, _ in CALLS} - made == set()
    assert made - {call.name for call, _ in CALLS} == set()


def test_no_kind_of_evidence_is_forgotten_here() -> None:
    assert {kind.kind() for _, kind in declared()} <= {kind.kind() for kind in KINDS} | APART


@pytest.mark.parametrize("action", ACTIONS)
def test_a_denied_action_costs_the_evidence_that_needs_it_and_no_other(everything: Whole, action: str) -> None:
    calls = calls_of(action)

    answers = everything.answers(calls)

    hit = {kind.kind() for kind, answer in answers.items() if denied(answer, calls)}
    needing = actions()[action] & {kind.kind() for kind in KINDS}
    # What cannot be listed is missing to every question about it.
    behind = {kind.kind() for kind in answers} if "Resources" in needing else set()
    assert needing - hit == {kind for one, kind in SOMETIMES if one == action} & needing
    assert hit - needing - behind == set()


def test_what_other_probes_ask_is_in_the_policy_too() -> None:
    # tests/probes/logs/test_stores.py has it denied.
    assert "logs:FilterLogEvents" in ELSEWHERE


def test_the_policy_reads_and_names_every_action_once() -> None:
    words = ("Describe", "Get", "List", "Filter", "BatchGet", "Lookup")

    assert [action for action in actions() if not action.partition(":")[2].startswith(words)] == []


def test_a_call_names_the_actions_that_it_takes() -> None:
    assert [call.name for call, _ in declared() if not call.actions] == []
    assert all(isinstance(call, Call) for call, _ in declared())
