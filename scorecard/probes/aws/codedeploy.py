"""CodeDeploy: its deployment groups, and which of them deploys an ECS service or a Lambda function.

A group names the ECS services that it deploys. Of Lambda it does not: which function is deployed stands in the AppSpec
of each deployment (https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html), so that the
last one of each group is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scorecard import strict_yaml
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import batch, single, sweep
from scorecard.probes.aws.lane import Item, Lane

KIND = "codedeploy:deploymentgroup"
_GONE = frozenset({"ApplicationDoesNotExistException"})
APPLICATIONS = sweep("codedeploy", "ListApplications", "applications")
GROUP_NAMES = single("codedeploy", "ListDeploymentGroups", "applicationName", "deploymentGroups", nothing=_GONE)
GROUPS = batch("codedeploy", "BatchGetDeploymentGroups", "deploymentGroupsInfo", "deploymentGroupNames", 100)
DEPLOYMENTS = batch("codedeploy", "BatchGetDeployments", "deploymentsInfo", "deploymentIds", 25)
NAMED = (GROUPS,)
"""The calls of `groups_named`."""
OF_SERVICES = (APPLICATIONS, GROUP_NAMES, GROUPS)
"""The calls of `of_service`."""
OF_FUNCTIONS = (*OF_SERVICES, DEPLOYMENTS)
"""The calls of `of_functions`."""


def groups_named(lane: Lane, arns: Sequence[Arn]) -> Mapping[str, Item | Unavailable]:
    """The deployment groups with those ARNs, by ARN."""
    found: dict[str, Item | Unavailable] = {}
    names = {arn.text: arn.id.partition("/")[::2] for arn in arns}
    for application in sorted({one for one, _ in names.values()}):
        wanted = {arn: group for arn, (one, group) in names.items() if one == application}
        swept = lane.of(GROUPS, wanted.values(), applicationName=application)
        if swept.missing and "ApplicationDoesNotExist" in swept.missing.detail:
            continue
        known = {one["deploymentGroupName"]: one for one in swept.items}
        for arn, group in wanted.items():
            answer = known.get(group, swept.missing)
            if answer is not None:
                found[arn] = answer
    return found


@dataclass(frozen=True, slots=True)
class Groups:
    """Deployment groups, and why there may be more."""

    items: tuple[Item, ...]
    missing: Unavailable | None = None


def all_groups(lane: Lane) -> Groups:
    """Every deployment group of an account and region."""
    applications = lane.all(APPLICATIONS)
    names = lane.one(GROUP_NAMES, (str(one[""]) for one in applications.items))
    found: list[Item] = []
    missing = applications.missing
    for application, listed in names.items():
        missing = missing or listed.missing
        if listed.items:
            swept = lane.of(GROUPS, (str(one[""]) for one in listed.items), applicationName=application)
            missing = missing or swept.missing
            found += swept.items
    return Groups(tuple(found), missing)


def of_service(lane: Lane, cluster: str, name: str) -> Groups:
    """The groups that deploy an ECS service."""
    known = all_groups(lane)
    mine = tuple(
        one
        for one in known.items
        if any(
            ecs.get("serviceName") == name and str(ecs.get("clusterName", "")).rpartition("/")[2] == cluster
            for ecs in one.get("ecsServices", ())
        )
    )
    return Groups(mine, None if mine else known.missing)


@dataclass(frozen=True, slots=True)
class Deployed:
    """Which groups deploy which Lambda function, and what the AppSpec of the last deployment says."""

    groups: Mapping[str, tuple[Item, ...]]
    """By the function's name."""
    hooks: Mapping[str, tuple[str, ...]]
    """Functions that validate a deployment, by the name of the group."""
    missing: Unavailable | None = None

    def of(self, function: str) -> Groups:
        """The groups of one function."""
        mine = self.groups.get(function, ())
        return Groups(mine, None if mine else self.missing)


def of_functions(lane: Lane) -> Deployed:
    """Who deploys the Lambda functions of an account and region."""
    known = all_groups(lane)
    groups = [one for one in known.items if one.get("computePlatform") == "Lambda"]
    last = {one["deploymentGroupId"]: _last_deployment(one) for one in groups}
    swept = lane.of(DEPLOYMENTS, (one for one in last.values() if one)) if any(last.values()) else None
    infos = {one["deploymentId"]: one for one in (swept.items if swept else ())}
    missing = known.missing or (swept.missing if swept else None)
    found: dict[str, list[Item]] = {}
    hooks: dict[str, tuple[str, ...]] = {}
    for group in groups:
        key = group["deploymentGroupId"]
        spec = _app_spec(infos.get(last[key], {}))
        if spec is None:
            if last[key] in infos:
                words = f"{lane.label}: the AppSpec of {last[key]} of CodeDeploy is kept elsewhere and not read"
                missing = missing or Unavailable(Cause.NOT_SUPPORTED, words)
            continue
        for function in _functions(spec):
            found.setdefault(function, []).append(group)
        hooks[key] = tuple(_hooks(spec))
    return Deployed({name: tuple(mine) for name, mine in found.items()}, hooks, missing)


def label(group: Item) -> str:
    """`application/group`, as CodeDeploy's ARNs have it."""
    return f"{group.get('applicationName', '')}/{group.get('deploymentGroupName', '')}"


def alarms(group: Item) -> tuple[str, ...]:
    """The alarms that stop its deployments."""
    about = group.get("alarmConfiguration") or {}
    return tuple(str(one.get("name", "")) for one in about.get("alarms", ())) if about.get("enabled") else ()


def ways_back(group: Item) -> tuple[str, ...]:
    """What has it roll back by itself. A rollback on a person's request is none."""
    about = group.get("autoRollbackConfiguration") or {}
    events = set(about.get("events", ())) if about.get("enabled") else set()
    ways = ["CodeDeploy on failure"] if "DEPLOYMENT_FAILURE" in events else []
    if "DEPLOYMENT_STOP_ON_ALARM" in events and alarms(group):
        ways.append(f"CodeDeploy on {len(alarms(group))} alarms")
    return tuple(ways)


def _last_deployment(group: Item) -> str:
    for key in ("lastSuccessfulDeployment", "lastAttemptedDeployment"):
        found = (group.get(key) or {}).get("deploymentId")
        if found:
            return str(found)
    return ""


def _app_spec(deployment: Item) -> Any:  # noqa: ANN401 - a YAML document
    """The AppSpec of a deployment, where CodeDeploy has it itself; None where it does not."""
    revision = deployment.get("revision") or {}
    held = revision.get("appSpecContent") or revision.get("string") or {}
    content = held.get("content")
    if not content:
        return None
    try:
        return strict_yaml.load(content, name="AppSpec").value
    except strict_yaml.YamlError:
        return None


def _functions(spec: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    resources = _field(spec, "resources")
    for entry in resources if isinstance(resources, list) else ():
        for resource in entry.values() if isinstance(entry, dict) else ():
            name = _field(_field(resource, "properties"), "name")
            if isinstance(name, str) and name:
                yield name


def _hooks(spec: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    hooks = _field(spec, "hooks")
    for entry in hooks if isinstance(hooks, list) else ():
        if isinstance(entry, dict):
            yield from (str(name) for name in entry)


def _field(value: Any, name: str) -> Any:  # noqa: ANN401 - as above
    """By its name in any case: AppSpecs in JSON and in YAML differ."""
    if not isinstance(value, dict):
        return None
    return next((inner for key, inner in value.items() if str(key).lower() == name), None)
