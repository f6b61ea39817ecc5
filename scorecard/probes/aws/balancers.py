"""The load balancers that requests come through: what they listen with, and in which zones they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Listener, Listeners, Unseen
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import single, sweep
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.placement import SERVICES, TARGET_GROUPS, ecs_services
from scorecard.probes.aws.question import Question, Read, Reader

LOAD_BALANCERS = sweep("elbv2", "DescribeLoadBalancers", "LoadBalancers", PageSize=400)
LISTENERS = single(
    "elbv2", "DescribeListeners", "LoadBalancerArn", "Listeners", nothing={"LoadBalancerNotFound"}, PageSize=400
)
RULES = single("elbv2", "DescribeRules", "ListenerArn", "Rules", nothing={"ListenerNotFound"})
POLICIES = sweep("elbv2", "DescribeSSLPolicies", "SslPolicies", PageSize=400)
_CALLS = (LOAD_BALANCERS, LISTENERS, RULES, POLICIES)


def _balancers(lane: Lane, arns: Sequence[Arn]) -> Read:
    return _of(lane, {arn.text: [arn.text] for arn in arns})


def _of_groups(lane: Lane, arns: Sequence[Arn]) -> Read:
    return _through(lane, {arn.text: [arn.text] for arn in arns})


def _of_services(lane: Lane, arns: Sequence[Arn]) -> Read:
    """A shared load balancer carries another's tags: the service's tasks are registered in its target groups."""
    found: dict[str, Sequence[Listener | Unseen] | Unavailable] = {}
    groups: dict[str, list[str]] = {}
    for name, one in ecs_services(lane, arns).items():
        if isinstance(one, Unavailable):
            found[name] = one
        else:
            groups[name] = [b["targetGroupArn"] for b in one.get("loadBalancers", ()) if b.get("targetGroupArn")]
    return {**found, **_through(lane, groups)}


def _through(lane: Lane, groups: Mapping[str, Sequence[str]]) -> Read:
    """By resource: the listeners of the load balancers of its target groups."""
    if not any(groups.values()):
        return {}
    swept = lane.all(TARGET_GROUPS)
    known = {one["TargetGroupArn"]: one for one in swept.items}
    found: dict[str, Sequence[Listener | Unseen] | Unavailable] = {}
    wanted: dict[str, list[str]] = {}
    for name, arns in groups.items():
        if swept.missing and not all(arn in known for arn in arns):
            found[name] = swept.missing
        else:
            wanted[name] = sorted({b for arn in arns for b in known.get(arn, {}).get("LoadBalancerArns", ())})
    return {**found, **_of(lane, wanted)}


def _of(lane: Lane, balancers: Mapping[str, Sequence[str]]) -> Read:
    wanted = {arn for arns in balancers.values() for arn in arns}
    if not wanted:
        return {}
    swept = lane.all(LOAD_BALANCERS)
    known = {one["LoadBalancerArn"]: one for one in swept.items}
    listeners = lane.one(LISTENERS, wanted & set(known))
    plain = [one["ListenerArn"] for s in listeners.values() for one in s.items if one.get("Protocol") == "HTTP"]
    rules = lane.one(RULES, plain)
    policies = lane.all(POLICIES) if any("SslPolicy" in one for s in listeners.values() for one in s.items) else None
    versions = {one["Name"]: tuple(one.get("SslProtocols", ())) for one in (policies.items if policies else ())}
    found: dict[str, Sequence[Listener | Unseen] | Unavailable] = {}
    for name, arns in balancers.items():
        items: list[Listener | Unseen] = []
        for arn in arns:
            if arn not in known:
                if swept.missing:
                    items.append(Unseen(arn, swept.missing))
                continue
            part = listeners[arn]
            if part.missing:
                items.append(Unseen(arn, part.missing))
            for one in part.items:
                rule = rules.get(one["ListenerArn"])
                why = rule.missing if rule else _unread_policy(one, versions, policies.missing if policies else None)
                if why:
                    items.append(Unseen(one["ListenerArn"], why))
                else:
                    balancer = known[arn].get("LoadBalancerName", "")
                    items.append(_listener(one, balancer, versions, rule.items if rule else ()))
        found[name] = items
    return found


def _unread_policy(
    listener: Item, versions: Mapping[str, tuple[str, ...]], missing: Unavailable | None
) -> Unavailable | None:
    secure = listener.get("Protocol") in {"HTTPS", "TLS"}
    return missing if secure and listener.get("SslPolicy") not in versions else None


def _listener(one: Item, balancer: str, versions: Mapping[str, tuple[str, ...]], rules: Sequence[Item]) -> Listener:
    protocol = str(one.get("Protocol", ""))
    secure = protocol in {"HTTPS", "TLS"}
    policy = str(one.get("SslPolicy", "")) if secure else ""
    actions = [action for rule in rules for action in rule.get("Actions", ())] or one.get("DefaultActions", ())
    return Listener(
        name=str(one["ListenerArn"]),
        where=f"{protocol}:{one.get('Port', '')} of {balancer}",
        protocol=protocol,
        policy=policy,
        versions=versions.get(policy, ()),
        redirects=protocol == "HTTP" and bool(actions) and all(_closed(action) for action in actions),
    )


def _closed(action: Item) -> bool:
    """Whether nothing comes through: a redirect to HTTPS, or an answer of the load balancer's own."""
    redirect = action.get("RedirectConfig") or {}
    return action.get("Type") == "fixed-response" or (
        action.get("Type") == "redirect" and redirect.get("Protocol") == "HTTPS"
    )


LISTENER_QUESTION = Question(
    "listeners",
    Listeners,
    (
        Reader(("elasticloadbalancing:loadbalancer",), _balancers, _CALLS),
        Reader(("elasticloadbalancing:targetgroup",), _of_groups, (TARGET_GROUPS, *_CALLS)),
        Reader(("ecs:service",), _of_services, (SERVICES, TARGET_GROUPS, *_CALLS)),
    ),
    "load balancers",
)
