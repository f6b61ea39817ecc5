"""The load balancers that requests come through: what they listen with, and in which zones they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scorecard.evidence import Unavailable
from scorecard.evidence.aws import Listener, Listeners, Unseen
from scorecard.model import Cause
from scorecard.probes.aws.arns import Arn
from scorecard.probes.aws.calls import single, sweep
from scorecard.probes.aws.lane import Item, Lane, Swept
from scorecard.probes.aws.placement import SERVICES, TARGET_GROUPS, ecs_services
from scorecard.probes.aws.question import Question, Read, Reader

LOAD_BALANCERS = sweep("elbv2", "DescribeLoadBalancers", "LoadBalancers", PageSize=400)
LISTENERS = single(
    "elbv2", "DescribeListeners", "LoadBalancerArn", "Listeners", nothing={"LoadBalancerNotFound"}, PageSize=400
)
RULES = single("elbv2", "DescribeRules", "ListenerArn", "Rules", nothing={"ListenerNotFound"})
POLICIES = sweep("elbv2", "DescribeSSLPolicies", "SslPolicies", PageSize=400)
_SECURE = frozenset({"HTTPS", "TLS"})
_CALLS = (LOAD_BALANCERS, LISTENERS, RULES, POLICIES)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The load balancers that a resource's requests come through."""

    balancers: tuple[str, ...]
    groups: frozenset[str] | None = None
    """Its target groups; None where the load balancers are its own, and all that comes through them."""


def classic(arn: Arn) -> Unavailable | None:
    """Why a Classic Load Balancer is not known: another API has those."""
    if arn.id.startswith(("app/", "net/", "gwy/")):
        return None
    return Unavailable(Cause.NOT_SUPPORTED, f"{arn.text} is a Classic Load Balancer, which this version does not read")


def _balancers(lane: Lane, arns: Sequence[Arn]) -> Read:
    return _of(lane, {arn.text: classic(arn) or _Wanted((arn.text,)) for arn in arns}, own=True)


def _of_groups(lane: Lane, arns: Sequence[Arn]) -> Read:
    return _through(lane, {arn.text: [arn.text] for arn in arns})


def _of_services(lane: Lane, arns: Sequence[Arn]) -> Read:
    """A shared load balancer carries another's tags: the service's tasks are registered in its target groups."""
    groups = {
        name: one
        if isinstance(one, Unavailable)
        else [b["targetGroupArn"] for b in one.get("loadBalancers", ()) if b.get("targetGroupArn")]
        for name, one in ecs_services(lane, arns).items()
    }
    return _through(lane, groups)


def _through(lane: Lane, groups: Mapping[str, Sequence[str] | Unavailable]) -> Read:
    """By resource: the listeners of the load balancers of its target groups."""
    swept = lane.all(TARGET_GROUPS) if any(groups.values()) else Swept(())
    known = {one["TargetGroupArn"]: one for one in swept.items}
    wanted: dict[str, _Wanted | Unavailable] = {}
    for name, arns in groups.items():
        if isinstance(arns, Unavailable):
            wanted[name] = arns
        elif swept.missing and not all(arn in known for arn in arns):
            wanted[name] = swept.missing
        else:
            through = {b for arn in arns for b in known.get(arn, {}).get("LoadBalancerArns", ())}
            wanted[name] = _Wanted(tuple(sorted(through)), frozenset(arns))
    return _of(lane, wanted)


def _of(lane: Lane, wanted: Mapping[str, _Wanted | Unavailable], *, own: bool = False) -> Read:
    """Their listeners; of `own` load balancers that do not exist nothing is said."""
    arns = {arn for one in wanted.values() if isinstance(one, _Wanted) for arn in one.balancers}
    look = _Look(lane, arns)
    found: dict[str, Sequence[Listener | Unseen] | Unavailable] = {}
    for name, one in wanted.items():
        if isinstance(one, Unavailable):
            found[name] = one
        elif not own or not all(arn in look.gone for arn in one.balancers):
            found[name] = [item for arn in one.balancers for item in look.listeners(arn, one.groups)]
    return found


class _Look:
    """The listeners of some load balancers with what they need: rules of plain ones, policies of secure ones."""

    def __init__(self, lane: Lane, balancers: set[str]) -> None:
        swept = lane.all(LOAD_BALANCERS) if balancers else Swept(())
        self._known = {one["LoadBalancerArn"]: one for one in swept.items}
        self._missing = swept.missing
        self.gone = frozenset() if swept.missing else frozenset(balancers - set(self._known))
        self._listeners = lane.one(LISTENERS, balancers & set(self._known))
        every = [one for answer in self._listeners.values() for one in answer.items]
        self._rules = lane.one(RULES, [one["ListenerArn"] for one in every if one.get("Protocol") == "HTTP"])
        policies = lane.all(POLICIES) if any("SslPolicy" in one for one in every) else Swept(())
        self._versions = {one["Name"]: tuple(one.get("SslProtocols", ())) for one in policies.items}
        self._policies_missing = policies.missing

    def listeners(self, arn: str, groups: frozenset[str] | None) -> list[Listener | Unseen]:
        """Of one load balancer, as they concern the requests to these target groups."""
        if arn not in self._known:
            return [Unseen(arn, self._missing)] if self._missing else []
        answer, name = self._listeners[arn], self._known[arn].get("LoadBalancerName", "")
        lost: list[Listener | Unseen] = [Unseen(arn, answer.missing)] if answer.missing else []
        return [*lost, *(self._listener(one, name, groups) for one in answer.items)]

    def _listener(self, one: Item, balancer: str, groups: frozenset[str] | None) -> Listener | Unseen:
        arn, rules = str(one["ListenerArn"]), self._rules.get(str(one["ListenerArn"]))
        why = rules.missing if rules else _unread_policy(one, self._versions, self._policies_missing)
        if why:
            return Unseen(arn, why)
        protocol = str(one.get("Protocol", ""))
        policy = str(one.get("SslPolicy", "")) if protocol in _SECURE else ""
        actions = [action for rule in (rules.items if rules else ()) for action in rule.get("Actions", ())]
        return Listener(
            name=arn,
            where=f"{protocol}:{one.get('Port', '')} of {balancer}",
            protocol=protocol,
            policy=policy,
            versions=self._versions.get(policy, ()),
            redirects=protocol == "HTTP" and bool(actions) and all(_closed(action, groups) for action in actions),
        )


def _unread_policy(
    listener: Item, versions: Mapping[str, tuple[str, ...]], missing: Unavailable | None
) -> Unavailable | None:
    return missing if listener.get("Protocol") in _SECURE and listener.get("SslPolicy") not in versions else None


def _closed(action: Item, groups: frozenset[str] | None) -> bool:
    """Whether nothing comes through: a redirect to HTTPS, the load balancer's own answer, or what goes to others."""
    kind = action.get("Type")
    if kind == "redirect":
        return (action.get("RedirectConfig") or {}).get("Protocol") == "HTTPS"
    if kind != "forward" or groups is None:
        return kind == "fixed-response"
    weighted = (action.get("ForwardConfig") or {}).get("TargetGroups") or ()
    return groups.isdisjoint({action.get("TargetGroupArn"), *(one.get("TargetGroupArn") for one in weighted)})


def _stricter(one: Listener, other: Listener) -> Listener:
    """Through a load balancer of its own more comes to a service than to the target group that was looked at."""
    return one if other.redirects else other


LISTENER_QUESTION = Question(
    "listeners",
    Listeners,
    (
        Reader(("elasticloadbalancing:loadbalancer",), _balancers, _CALLS),
        Reader(("elasticloadbalancing:targetgroup",), _of_groups, (TARGET_GROUPS, *_CALLS)),
        Reader(("ecs:service",), _of_services, (SERVICES, TARGET_GROUPS, *_CALLS)),
    ),
    "load balancers",
    _stricter,
    gone=True,
)
