"""What `scorecard doctor` finds out about AWS: who we are in each account and region, what is denied, what it costs.

It asks everything that the probes ask, once, for all services: only so is it known which permissions are needed here.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorecard.checklist import Checklist
    from scorecard.egress.aws import Clients
    from scorecard.model import Service
    from scorecard.probes import Probe
    from scorecard.probes.aws.lane import Lane

Told = tuple[str, str, bool | None]
"""(subject, message, whether it is good; None where something will be unknown)."""
_THROUGH = {
    "CloudWatchAlerts": ("LiveAlerts", "Routing"),
    "CloudWatchDashboards": ("Dashboards", "PanelData"),
}
"""Kinds of evidence that reach the checks through others."""
_ONLY = {
    "cloudwatch:DescribeAlarmHistory": ("alerts/actionable",),
    "cloudwatch:GetMetricData": ("dashboards/panels-have-data", "dashboards/golden-signals"),
    "cloudwatch:ListMetrics": ("alerts/can-fire",),
    "sns:ListSubscriptions": ("alerts/routed",),
}
"""Actions that cost less than all checks of their kind."""


def examine(
    config: Any,  # noqa: ANN401 - Config
    services: Sequence[Service],
    checklists: Iterable[Checklist],
    clock: Callable[[], datetime],
) -> Iterator[Told]:
    """Ask each account and region of the services as the probes ask, and say which checks would be unknown.

    Args:
        config: `scorecard.config.Config`.
        services: all that are registered.
        checklists: what they are judged by.
        clock: the wall clock, in UTC.
    """
    from scorecard.probes import Context
    from scorecard.probes.aws import probes

    if not config.integrations.aws:
        return
    asking = [service for service in services if service.spec.aws is not None]
    if not asking:
        words = "no service names an account: spec.aws is not given, and nothing of AWS is asked"
        yield "aws", words, None
        return
    rows = _checks(checklists)
    with tempfile.TemporaryDirectory(prefix="scorecard-") as cache:
        made = probes(Context(config=config, clock=clock, cache=Path(cache), base=Path(cache)))
        places = made[0].places  # type: ignore[attr-defined] # that of the mapping
        lanes: dict[str, Lane] = {}
        for service in asking:
            found = places.lanes(service)
            if isinstance(found, tuple):
                lanes |= {lane.label: lane for lane in found}
            else:
                yield str(service.key), f"{found.detail}; unknown: {', '.join(_all(rows))}", None
        known = [(lane, *_identity(lane)) for lane in lanes.values()]
        for lane, words, good in known:
            yield lane.label, words, good
        reached = {lane.label for lane, _, good in known if good}
        if not reached:
            return
        places.clients.denied()
        _ask(made, asking, clock())
        yield from _denied(places.clients, reached, rows)


def _identity(lane: Lane) -> tuple[str, bool]:
    from scorecard.egress.aws import AwsError

    try:
        answer = lane.clients.call(lane.account, lane.region, "sts", "GetCallerIdentity")
    except AwsError as error:
        return f"{error.unavailable.detail}; everything that asks AWS is unknown there", False
    told = f"its credentials are {answer.get('Arn', '')} of account {answer.get('Account', '')}"
    wanted = lane.account.account
    if wanted and answer.get("Account") != wanted:
        return f"{told}, and services name account {wanted}: name a role with {{account}} in integrations.aws", False
    return told, True


def _ask(made: Sequence[Probe], services: Sequence[Service], now: datetime) -> None:
    """Every question whose needs are answered within AWS."""
    from scorecard.evidence import Evidence, Observation
    from scorecard.model import ServiceKey
    from scorecard.probes import Upstream

    known: dict[tuple[ServiceKey, type[Evidence]], Observation] = {}
    asked: set[type[Evidence]] = set()
    for probe in sorted(made, key=lambda one: len(one.needs)):
        if asked.issuperset(probe.needs):
            for key, answer in probe.ask(services, Upstream(known, patient=True)):
                known[key, probe.answers] = Observation(probe.answers, now, answer)
            asked.add(probe.answers)


def _denied(clients: Clients, reached: set[str], rows: Mapping[str, tuple[str, ...]]) -> Iterator[Told]:
    from scorecard.probes.aws.policy import actions, declared

    named = {call.name: call.actions for call, _ in declared()}
    kinds = actions()
    lost: dict[str, dict[str, str]] = defaultdict(dict)
    for (account, region, name), words in clients.denied().items():
        for action in named.get(name, (name,)):
            lost[f"{account}/{region}"][action] = words
    for label in sorted(reached):
        for action, words in sorted(lost[label].items()):
            checks = _ONLY.get(action) or tuple(
                dict.fromkeys(
                    check
                    for kind in sorted(kinds.get(action, ()))
                    for one in (kind, *_THROUGH.get(kind, ()))
                    for check in rows.get(one, ())
                )
            )
            if "Resources" in kinds.get(action, ()):
                checks = tuple(dict.fromkeys((*checks, *_all(rows))))
            yield f"{label} {action}", f"denied: {words}; unknown: {', '.join(checks) or 'no check of yours'}", False
        if not lost[label]:
            yield f"{label} permissions", "every call that the services need is allowed", True


def _checks(checklists: Iterable[Checklist]) -> Mapping[str, tuple[str, ...]]:
    """Kinds of evidence to the checks that take them."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for checklist in checklists:
        for row in checklist.rows:
            for check in row.checks:
                for kind in check.kinds:
                    found[kind.kind()][f"{row.id}/{check.id}"] = None
    return {kind: tuple(checks) for kind, checks in found.items()}


def _all(rows: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The checks that need to know which resources a service has."""
    from scorecard.probes.aws import QUESTIONS

    kinds = [question.answers.kind() for question in QUESTIONS]
    return tuple(dict.fromkeys(check for kind in kinds for check in rows.get(kind, ())))
