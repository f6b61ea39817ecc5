"""The least policy that the role of `integrations.aws` needs, made of the calls that the code declares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from scorecard.evidence import Evidence
from scorecard.evidence.aws import Resources
from scorecard.evidence.cloudwatch import CloudWatchAlerts, CloudWatchDashboards
from scorecard.probes.aws import QUESTIONS, alarms, widgets
from scorecard.probes.aws.calls import Call
from scorecard.probes.aws.mapping import CALLS

ELSEWHERE: Mapping[str, tuple[str, ...]] = {"logs:FilterLogEvents": ("LogSample", "CorrelationSearch")}
"""Actions of probes that are no questions of ours, to the kinds of evidence that need them."""
CLOUDWATCH: tuple[tuple[tuple[Call, ...], type[Evidence]], ...] = (
    (alarms.CALLS, CloudWatchAlerts),
    (widgets.CALLS, CloudWatchDashboards),
)


def declared() -> Iterator[tuple[Call, type[Evidence]]]:
    """Each call that a probe of ours declares, with the kind of evidence that needs it."""
    yield from ((call, Resources) for call in CALLS)
    for question in QUESTIONS:
        yield from ((call, question.answers) for call in question.calls)
    for calls, kind in CLOUDWATCH:
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


def policy() -> dict[str, Any]:
    """An IAM policy document; every action only reads, and none of them reads what is stored.

    Most of these actions take no resource (https://docs.aws.amazon.com/service-authorization/latest/reference/), and
    the resources of all services are one list, so that the policy names no resource either.
    """
    statement = {"Sid": "ReadinessScorecard", "Effect": "Allow", "Action": sorted(actions()), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}
