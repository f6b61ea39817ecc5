"""The least policy that the role of `integrations.aws` needs, made of the calls that the code declares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from scorecard.evidence import Evidence
from scorecard.evidence.aws import Resources
from scorecard.evidence.cloudwatch import CloudWatchAlerts, CloudWatchDashboards
from scorecard.probes.aws import QUESTIONS, alarms, widgets
from scorecard.probes.aws.calls import Call
from scorecard.probes.aws.mapping import CALLS

ELSEWHERE: Mapping[str, tuple[str, ...]] = {"logs:FilterLogEvents": ("LogSample", "CorrelationSearch")}
"""Actions of probes that are no questions of ours, to the kinds of evidence that need them."""
CLOUDWATCH: tuple[tuple[tuple[Call, ...], tuple[type[Evidence], ...]], ...] = (
    (alarms.CALLS, (CloudWatchAlerts,)),
    (widgets.CALLS, (CloudWatchDashboards,)),
)


def actions() -> Mapping[str, frozenset[str]]:
    """Each action that is used, and the kinds of evidence that are unknown without it."""
    found: dict[str, set[str]] = defaultdict(set)
    _add(found, CALLS, Resources)
    for question in QUESTIONS:
        _add(found, question.calls, question.answers)
    for calls, evidence in CLOUDWATCH:
        for kind in evidence:
            _add(found, calls, kind)
    for action, kinds in ELSEWHERE.items():
        found[action] |= set(kinds)
    return {action: frozenset(found[action]) for action in sorted(found)}


def _add(found: dict[str, set[str]], calls: Iterable[Call], kind: type[Evidence]) -> None:
    for call in calls:
        for action in call.actions:
            found[action].add(kind.kind())


def policy() -> dict[str, Any]:
    """An IAM policy document; every action only reads, and none of them reads what is stored.

    Most of these actions take no resource (https://docs.aws.amazon.com/service-authorization/latest/reference/), and
    the resources of all services are one list, so that the policy names no resource either.
    """
    statement = {"Sid": "ReadinessScorecard", "Effect": "Allow", "Action": sorted(actions()), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}
