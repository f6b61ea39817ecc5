"""The least policy that the role of `integrations.aws` needs, made of the calls that the code declares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scorecard.evidence import Evidence
from scorecard.evidence.aws import Resources
from scorecard.evidence.cloudwatch import CloudWatchAlerts, CloudWatchDashboards
from scorecard.evidence.infrastructure import LiveInfrastructure, TerraformPlan, TerraformState
from scorecard.probes.aws import QUESTIONS, alarms, live, state, widgets
from scorecard.probes.aws.calls import Call
from scorecard.probes.aws.mapping import CALLS

ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "logs:FilterLogEvents": ("LogSample", "CorrelationSearch"),
    "s3:ListBucket": ("BucketDumps", "BucketDrills"),
    "s3:GetObject": ("BucketDrills",),
}
"""Actions of probes that are no questions of ours, to the kinds of evidence that need them."""
CLOUDWATCH: tuple[tuple[tuple[Call, ...], type[Evidence]], ...] = (
    (alarms.CALLS, CloudWatchAlerts),
    (widgets.CALLS, CloudWatchDashboards),
)
TERRAFORM: tuple[tuple[tuple[Call, ...], type[Evidence]], ...] = (
    (state.CALLS, TerraformState),
    (state.CALLS, TerraformPlan),
    (state.CALLS, LiveInfrastructure),
    (live.CALLS, LiveInfrastructure),
)
STORED = frozenset({"s3:GetObject"})
"""Actions that read what is stored: allowed for the objects that services name, and for nothing else."""


def declared() -> Iterator[tuple[Call, type[Evidence]]]:
    """Each call that a probe of ours declares, with the kind of evidence that needs it."""
    yield from ((call, Resources) for call in CALLS)
    for question in QUESTIONS:
        yield from ((call, question.answers) for call in question.calls)
    for calls, kind in (*CLOUDWATCH, *TERRAFORM):
        yield from ((call, kind) for call in calls)


def actions() -> Mapping[str, frozenset[str]]:
    """Each action that is used, and the kinds of evidence that are unknown without it."""
    found: dict[str, set[str]] = defaultdict(set)
    for call, kind in declared():
        for action in call.actions:
            found[action].add(kind.kind())
    for action, kinds in ELSEWHERE.items():
        found[action] |= set(kinds)
    return {action: frozenset(found[action]) for action in sorted(found)}


def policy(objects: Iterable[str] = ()) -> dict[str, Any]:
    """An IAM policy document; every action only reads, and what is stored is read of `objects` alone.

    Most of these actions take no resource (https://docs.aws.amazon.com/service-authorization/latest/reference/), and
    the resources of all services are one list, so that the policy names no resource either.

    Args:
        objects: ARNs of the states and plans that services name.
    """
    found, named = frozenset(actions()), sorted(set(objects))
    statements = [
        {"Sid": "ReadinessScorecard", "Effect": "Allow", "Action": sorted(found - STORED), "Resource": "*"},
        {"Sid": "ReadinessScorecardObjects", "Effect": "Allow", "Action": sorted(STORED), "Resource": named},
    ]
    return {"Version": "2012-10-17", "Statement": statements if named else statements[:1]}
