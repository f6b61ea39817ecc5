"""The way back: which deployments go back by themselves, and which of them did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from scorecard.evidence import Answer, Unavailable
from scorecard.evidence.aws import Unseen
from scorecard.evidence.releases import Rollback, RollbackSetting, RollbackSettings, RollbackTrace, RollbackTraces
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.aws import codedeploy
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import single, sweep
from scorecard.probes.aws.lane import Item, Lane, Swept
from scorecard.probes.aws.placement import FUNCTIONS, SERVICES, cluster_of, ecs_services, functions
from scorecard.probes.aws.question import Question, QuestionProbe, Read, Reader, of_known

KEPT_DAYS = 90
"""For how long ECS lists its service deployments.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/view-service-deployment.html
"""
SERVICE_DEPLOYMENTS = single(
    "ecs",
    "ListServiceDeployments",
    "service",
    "serviceDeployments",
    nothing={"ServiceNotFoundException", "ClusterNotFoundException"},
    status=["ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"],
)
ENDED = sweep("codedeploy", "ListDeployments", "deployments", includeOnlyStatuses=["Failed", "Stopped"])
"""Those that can have been rolled back; and a rollback that failed is one of them."""
_REMEMBERED = 50
"""Rollbacks of one thing that are kept; the newest one decides."""
_ENDS = {"Succeeded": True, "Failed": False, "Stopped": False}


def controller(service: Item) -> str:
    """Who deploys an ECS service: `ECS`, `CODE_DEPLOY`, `EXTERNAL`."""
    return str((service.get("deploymentController") or {}).get("type") or "ECS")


def foreign(lane: Lane, arn: Arn) -> Unavailable:
    """What is said of a service whose deployments nobody in AWS describes."""
    words = f"{lane.label}: {arn.text} is deployed by an external controller, which AWS does not describe"
    return Unavailable(Cause.NOT_SUPPORTED, words)


def configuration(lane: Lane, arn: Arn, service: Item) -> Item | Unavailable:
    """The deployment configuration of an ECS service; AWS gives one of every service."""
    found = service.get("deploymentConfiguration")
    if not found:
        words = f"{lane.label}, {SERVICES.name}: {arn.text} came without its deploymentConfiguration"
        return Unavailable(Cause.BAD_RESPONSE, words)
    return dict(found)


# --- what goes back by itself ----------------------------------------------------------------------------------------


def _service_settings(lane: Lane, arns: Sequence[Arn]) -> Read:
    named = {arn.text: arn for arn in arns}
    return of_known(ecs_services(lane, arns), lambda name, service: _service_setting(lane, named[name], service))


def _service_setting(lane: Lane, arn: Arn, service: Item) -> Sequence[RollbackSetting] | Unavailable:
    if controller(service) == "EXTERNAL":
        return foreign(lane, arn)
    if controller(service) == "CODE_DEPLOY":
        groups = codedeploy.of_service(lane, cluster_of(arn), arn.last)
        return groups.missing or (_of_groups(arn.text, "ECS service", groups.items),)
    about = configuration(lane, arn, service)
    if isinstance(about, Unavailable):
        return about
    breaker, alarm = about.get("deploymentCircuitBreaker") or {}, about.get("alarms") or {}
    names = alarm.get("alarmNames") or ()
    strategy = str(about.get("strategy") or "ROLLING")
    ways = [strategy.lower().replace("_", "/")] if strategy in {"BLUE_GREEN", "CANARY", "LINEAR"} else []
    if breaker.get("enable") and breaker.get("rollback"):
        ways.append("the circuit breaker")
    if alarm.get("enable") and alarm.get("rollback") and names:
        ways.append(f"{len(names)} alarms")
    stops = bool(breaker.get("enable") or (alarm.get("enable") and names))
    words = f"strategy {strategy}, circuit breaker {_switch(breaker)}, {_alarms(alarm, names)}"
    return (RollbackSetting(name=arn.text, kind="ECS service", ways=tuple(ways), stops=stops, words=words),)


def _switch(about: Mapping[str, Any]) -> str:
    if not about.get("enable"):
        return "off"
    return "with rollback" if about.get("rollback") else "without rollback"


def _alarms(about: Mapping[str, Any], names: Sequence[str]) -> str:
    if not about.get("enable") or not names:
        return "no alarms"
    return f"alarms {', '.join(names)} {_switch(about)}"


def _of_groups(name: str, kind: str, groups: Sequence[Item]) -> RollbackSetting:
    """The weakest of the groups that deploy one thing."""
    if not groups:
        return RollbackSetting(name=name, kind=kind, words="no deployment group of CodeDeploy deploys it")
    weakest = min(groups, key=lambda one: len(codedeploy.ways_back(one)))
    about = weakest.get("autoRollbackConfiguration") or {}
    events = ", ".join(about.get("events", ())) if about.get("enabled") else "off"
    words = f"deployment group {codedeploy.label(weakest)}, automatic rollback: {events or 'on nothing'}"
    stops = bool(codedeploy.alarms(weakest))
    return RollbackSetting(name=name, kind=kind, ways=codedeploy.ways_back(weakest), stops=stops, words=words)


def _group_settings(lane: Lane, arns: Sequence[Arn]) -> Read:
    kind = "CodeDeploy deployment group"
    return of_known(codedeploy.groups_named(lane, arns), lambda name, one: (_of_groups(name, kind, (one,)),))


def _function_settings(lane: Lane, arns: Sequence[Arn]) -> Read:
    deployed = codedeploy.of_functions(lane)
    found: dict[str, Sequence[RollbackSetting] | Unavailable] = {}
    for name, one in functions(lane, arns).items():
        if isinstance(one, Unavailable):
            found[name] = one
            continue
        groups = deployed.of(str(one["FunctionName"]))
        found[name] = groups.missing or (_of_groups(name, "Lambda function", groups.items),)
    return found


ROLLBACK_SETTINGS = Question(
    "rollback-settings",
    RollbackSettings,
    (
        Reader(("ecs:service",), _service_settings, (SERVICES, *codedeploy.OF_SERVICES)),
        Reader((codedeploy.KIND,), _group_settings, codedeploy.NAMED),
        Reader(("lambda:function",), _function_settings, (FUNCTIONS, *codedeploy.OF_FUNCTIONS)),
    ),
    "ECS services, Lambda functions or deployment groups",
)


# --- what went back --------------------------------------------------------------------------------------------------


def _service_traces(lane: Lane, arns: Sequence[Arn]) -> Read:
    services = ecs_services(lane, arns)
    mine = [
        arn
        for arn in arns
        if not isinstance(services.get(arn.text, Unavailable(Cause.NO_DATA, "")), Unavailable)
        and controller(services[arn.text]) == "ECS"  # type: ignore[arg-type] # no Unavailable, see above
    ]
    listed = {arn.text: lane.all(SERVICE_DEPLOYMENTS, cluster=cluster_of(arn), service=arn.text) for arn in mine}
    found: dict[str, Sequence[RollbackTrace] | Unavailable] = {}
    for arn in arns:
        service = services.get(arn.text)
        if service is None:
            continue
        if isinstance(service, Unavailable):
            found[arn.text] = service
        elif controller(service) == "CODE_DEPLOY":
            groups = codedeploy.of_service(lane, cluster_of(arn), arn.last)
            found[arn.text] = groups.missing or _of_deployments(lane, arn.text, "ECS service", groups.items)
        elif controller(service) == "EXTERNAL":
            found[arn.text] = foreign(lane, arn)
        else:
            swept = listed[arn.text]
            found[arn.text] = swept.missing or (_trace(arn.text, "ECS service", _in_ecs(swept), KEPT_DAYS),)
    return found


def _in_ecs(swept: Swept) -> Iterator[Rollback]:
    for one in swept.items:
        ended = one.get("finishedAt") or one.get("startedAt") or one.get("createdAt")
        if isinstance(ended, datetime) and one.get("status") in {"ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}:
            identity = str(one["serviceDeploymentArn"]).rpartition("/")[2]
            yield Rollback(id=identity, at=ended, succeeded=one["status"] == "ROLLBACK_SUCCESSFUL")


def _trace(name: str, kind: str, rollbacks: Iterable[Rollback], kept_days: int | None) -> RollbackTrace:
    newest = sorted(rollbacks, key=lambda one: (one.at, one.id), reverse=True)
    return RollbackTrace(name=name, kind=kind, rollbacks=tuple(newest), kept_days=kept_days)


def _of_deployments(lane: Lane, name: str, kind: str, groups: Sequence[Item]) -> Sequence[RollbackTrace] | Unavailable:
    found: dict[str, Rollback] = {}
    for group in groups:
        ended = lane.all(
            ENDED, applicationName=group["applicationName"], deploymentGroupName=group["deploymentGroupName"]
        )
        bad = lane.of(codedeploy.DEPLOYMENTS, (str(one[""]) for one in ended.items))
        undoing = {str((one.get("rollbackInfo") or {}).get("rollbackDeploymentId") or "") for one in bad.items} - {""}
        good = lane.of(codedeploy.DEPLOYMENTS, undoing - {one["deploymentId"] for one in bad.items})
        missing = ended.missing or bad.missing or good.missing
        if missing:
            return missing
        for one in (*bad.items, *good.items):
            rollback = one["deploymentId"] in undoing or one.get("creator") == "codeDeployRollback"
            at = one.get("completeTime") or one.get("createTime")
            if rollback and one.get("status") in _ENDS and isinstance(at, datetime):
                identity = str(one["deploymentId"])
                found[identity] = Rollback(id=identity, at=at, succeeded=_ENDS[str(one["status"])])
    return (_trace(name, kind, found.values(), None),)


def _group_traces(lane: Lane, arns: Sequence[Arn]) -> Read:
    return {
        name: one
        if isinstance(one, Unavailable)
        else _of_deployments(lane, name, "CodeDeploy deployment group", (one,))
        for name, one in codedeploy.groups_named(lane, arns).items()
    }


def _function_traces(lane: Lane, arns: Sequence[Arn]) -> Read:
    deployed = codedeploy.of_functions(lane)
    found: dict[str, Sequence[RollbackTrace] | Unavailable] = {}
    for name, one in functions(lane, arns).items():
        if isinstance(one, Unavailable):
            found[name] = one
            continue
        groups = deployed.of(str(one["FunctionName"]))
        found[name] = groups.missing or _of_deployments(lane, name, "Lambda function", groups.items)
    return found


ROLLBACK_TRACES = Question(
    "rollback-traces",
    RollbackTraces,
    (
        Reader(
            ("ecs:service",),
            _service_traces,
            (SERVICES, SERVICE_DEPLOYMENTS, *codedeploy.OF_SERVICES, ENDED, codedeploy.DEPLOYMENTS),
        ),
        Reader((codedeploy.KIND,), _group_traces, (*codedeploy.NAMED, ENDED, codedeploy.DEPLOYMENTS)),
        Reader(("lambda:function",), _function_traces, (FUNCTIONS, *codedeploy.OF_FUNCTIONS, ENDED)),
    ),
    "ECS services, Lambda functions or deployment groups",
)


class RollbackTracesProbe(QuestionProbe):
    """Asks for rollbacks, and keeps those that it saw before ECS forgot them: a rollback counts for half a year."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """An answer for each service."""
        for key, answer in super().ask(services, upstream):
            before = upstream.last(key, RollbackTraces)
            yield key, remembering(answer, before.value if before else None)


def remembering(answer: Answer, before: Answer | None) -> Answer:
    """The answer with the rollbacks of an earlier one, of what still exists."""
    if not isinstance(answer, RollbackTraces) or not isinstance(before, RollbackTraces):
        return answer
    known = {one.name: one for one in (*before.remembered, *before.items) if isinstance(one, RollbackTrace)}
    items = tuple(
        _with(one, known[one.name]) if isinstance(one, RollbackTrace) and one.name in known else one
        for one in answer.items
    )
    lost = tuple(known[one.name] for one in answer.items if isinstance(one, Unseen) and one.name in known)
    return replace(answer, items=items, remembered=lost)


def _with(trace: RollbackTrace, earlier: RollbackTrace) -> RollbackTrace:
    both = {one.id: one for one in (*earlier.rollbacks, *trace.rollbacks)}
    newest = _trace(trace.name, trace.kind, both.values(), trace.kept_days)
    return replace(newest, rollbacks=newest.rollbacks[:_REMEMBERED])
