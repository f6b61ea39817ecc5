"""Which resources a service has: those that carry all of its tags, and those whose ARNs its file names.

What its `backups` name by ARN is its own as well, where it is in the account and the regions of `spec.aws`.

One paginated `tag:GetResources` for each account and region serves all services; Auto Scaling groups, which it does not
know, are read with their own tags. What a restore test made is no part of the service.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scorecard.evidence import Answer, Exhibit, Unavailable
from scorecard.evidence.aws import Resource, Resources, Unlisted
from scorecard.evidence.backups import backup_targets
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes.aws.arns import Arn, read_arn
from scorecard.probes.aws.calls import sweep
from scorecard.probes.aws.lane import Lane
from scorecard.probes.aws.places import Places

TAGGED = sweep("resourcegroupstaggingapi", "GetResources", "ResourceTagMappingList", ResourcesPerPage=100)
GROUPS = sweep("autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups")
CALLS = (TAGGED, GROUPS)

RESTORED = frozenset({"awsbackup-restore-test", "scorecard:restored"})
"""Tags of what is a copy: the first is AWS Backup's own on what its restore tests make, the second is for your own.

https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing.html
"""
DATA = {
    "rds:db": "RDS instance",
    "rds:cluster": "Aurora cluster",
    "dynamodb:table": "DynamoDB table",
    "s3": "S3 bucket",
    "ec2:volume": "EBS volume",
    "elasticfilesystem:file-system": "EFS file system",
    "elasticache:replicationgroup": "ElastiCache replication group",
    "elasticache:cluster": "ElastiCache cluster",
    "elasticache:serverlesscache": "ElastiCache serverless cache",
    "es:domain": "OpenSearch domain",
}
"""Kinds of resources that hold data, as a person calls them."""
_LINES = """spec:
  aws: {{account: "111122223333", tags: {{Service: {name}}}}}"""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Tagged:
    """One resource of an account and region with its tags."""

    arn: Arn
    tags: Mapping[str, str]

    def carries(self, tags: Mapping[str, str]) -> bool:
        """Whether it has all of them, with those values; of no tags, nothing is known."""
        return all(self.tags.get(key) == value for key, value in tags.items())


def resources_of(services: Sequence[Service], places: Places) -> Iterator[tuple[ServiceKey, Answer]]:
    """An answer for each service."""
    lanes = {service.key: places.lanes(service) for service in services}
    mapped = {service.key: _Mapped() for service in services}
    members: dict[int, tuple[Lane, list[Service]]] = {}
    for service in services:
        known = lanes[service.key]
        for lane in known if not isinstance(known, Unavailable) else ():
            members.setdefault(id(lane), (lane, []))[1].append(service)
        if not isinstance(known, Unavailable):
            mapped[service.key].name(service, known)
    listed = places.each_lane([lane for lane, _ in members.values()], lambda lane: _listed(lane, members[id(lane)][1]))
    for (lane, of_lane), one in zip(members.values(), listed, strict=True):
        for service in of_lane:
            mapped[service.key].take(service, lane, one)
    claims: dict[str, set[str]] = defaultdict(set)
    for key, known_of in mapped.items():
        for arn in known_of.found:
            claims[arn.text].add(str(key))
    for service in services:
        known = lanes[service.key]
        yield (
            service.key,
            known if isinstance(known, Unavailable) else _answer(service, mapped[service.key], claims),
        )


@dataclass(frozen=True, slots=True)
class _Listed:
    """What carries tags in an account and region, and what could not be listed."""

    tagged: tuple[Tagged, ...] = ()
    missing: Unavailable | None = None
    groups_missing: Unavailable | None = None


@dataclass(slots=True)
class _Mapped:
    """What is found of one service, lane by lane."""

    found: dict[Arn, Lane] = field(default_factory=dict)
    named: set[Arn] = field(default_factory=set)
    restored: set[Arn] = field(default_factory=set)
    missing: list[Unavailable] = field(default_factory=list)
    unlisted: list[Unlisted] = field(default_factory=list)

    def name(self, service: Service, lanes: Sequence[Lane]) -> None:
        """Take what the service's file names by ARN."""
        for text in service.spec.aws.resources if service.spec.aws else ():
            arn = read_arn(text)
            if arn is None:
                continue
            lane = _lane_of(arn, lanes)
            if isinstance(lane, Unavailable):
                self.unlisted.append(Unlisted(arn.kind, lane, holds_data=arn.kind in DATA))
            else:
                self.found[arn] = lane
                self.named.add(arn)
        for target in backup_targets(service):
            arn = read_arn(target.name) if target.in_aws else None
            # What must come back is the service's, whatever tags it carries.
            if arn is not None and isinstance(lane := _lane_of(arn, lanes), Lane):
                self.found[arn] = lane
                self.named.add(arn)

    def take(self, service: Service, lane: Lane, listed: _Listed) -> None:
        """Take what carries the service's tags."""
        tags = service.spec.aws.tags if service.spec.aws else {}
        if not tags:
            return
        for one in listed.tagged:
            if one.carries(tags):
                if RESTORED.isdisjoint(one.tags):
                    self.found[one.arn] = lane
                else:
                    self.restored.add(one.arn)
        if listed.missing:
            self.missing.append(listed.missing)
        if listed.groups_missing:
            self.unlisted.append(Unlisted("autoscaling:autoScalingGroup", listed.groups_missing))


def _lane_of(arn: Arn, lanes: Sequence[Lane]) -> Lane | Unavailable:
    """Where a resource that is named by its ARN is asked about; the first region for what does not say.

    Asked anywhere else it would seem not to exist.
    """
    account = lanes[0].account
    if arn.account and account.account and arn.account != account.account:
        words = f"{arn.text} is of the account {arn.account}, and spec.aws.account is {account.account}"
        return Unavailable(Cause.NOT_CONFIGURED, words, f'spec:\n  aws: {{account: "{arn.account}"}}')
    found = next((lane for lane in lanes if lane.region == arn.region), None)
    if found is None and arn.region:
        words = f"{arn.text} is in {arn.region}, which regions of integrations.aws {account.name} does not name"
        return Unavailable(Cause.NOT_CONFIGURED, words)
    return found or lanes[0]


def _listed(lane: Lane, services: Sequence[Service]) -> _Listed:
    """Everything in an account and region that carries tags."""
    wanted = [set(service.spec.aws.tags) for service in services if service.spec.aws and service.spec.aws.tags]
    if not wanted:
        return _Listed()
    # In an account that others use too, most of what is tagged is none of ours.
    shared = sorted(set.intersection(*wanted))
    filters = {"TagFilters": [{"Key": shared[0]}]} if shared else {}
    listed, groups = lane.all(TAGGED, **filters), lane.all(GROUPS)
    named = [(item.get("ResourceARN"), item) for item in listed.items]
    named += [(item.get("AutoScalingGroupARN"), item) for item in groups.items]
    read = ((read_arn(str(name)), _tags(item.get("Tags"))) for name, item in named)
    found = {arn: Tagged(arn, tags) for arn, tags in read if arn is not None}
    return _Listed(tuple(found.values()), listed.missing, groups.missing)


def _tags(pairs: object) -> dict[str, str]:
    return {str(pair.get("Key")): str(pair.get("Value", "")) for pair in pairs} if isinstance(pairs, list) else {}


def _answer(service: Service, mapped: _Mapped, claims: Mapping[str, set[str]]) -> Answer:
    kept = {arn: lane for arn, lane in mapped.found.items() if arn not in mapped.restored}
    unread = (*mapped.missing, *(one.why for one in mapped.unlisted))
    if not kept:
        return unread[0] if unread else _nothing(service, len(mapped.restored))
    resources = tuple(
        Resource(
            name=arn.text,
            kind=arn.kind,
            account=lane.account.account,
            region=lane.region,
            holds_data=arn.kind in DATA,
            claimed_by=tuple(sorted(claims[arn.text] - {str(service.key)})),
            declared=arn in mapped.named,
        )
        for arn, lane in sorted(kept.items(), key=lambda pair: pair[0])
    )
    return Resources(
        resources=resources,
        restored=tuple(sorted(arn.text for arn in mapped.restored)),
        unlisted=tuple(dict.fromkeys(mapped.unlisted)),
        missing=tuple(dict.fromkeys(mapped.missing)),
        exhibits=(_exhibit(service, resources, len(mapped.restored)),),
    )


def _nothing(service: Service, restored: int) -> Unavailable:
    about = service.spec.aws
    if about is None or not (about.tags or about.resources):
        words = "spec.aws names neither tags nor resources" if about else "spec.aws is not given"
        return Unavailable(Cause.NOT_CONFIGURED, words, _LINES.format(name=service.name))
    tags = ", ".join(f"{key}={value}" for key, value in about.tags.items())
    what = f"nothing but {restored} restored copies" if restored else "nothing"
    return Unavailable(
        Cause.NOT_CONFIGURED,
        f"{what} in account {about.account or 'of the own credentials'} carries the tag {tags}: "
        f"add it to the service's resources, as with Terraform's default_tags",
        'provider "aws" {\n  default_tags {\n    tags = {'
        + ", ".join(f' "{key}" = "{value}"' for key, value in about.tags.items())
        + " }\n  }\n}",
    )


def _exhibit(service: Service, resources: Sequence[Resource], restored: int) -> Exhibit:
    about = service.spec.aws
    tags = about.tags if about else {}
    filters = " ".join(f"Key={key},Values={value}" for key, value in tags.items())
    request = "aws resourcegroupstaggingapi get-resources" + (f" --tag-filters {filters}" if filters else "")
    shown = "\n".join(one.name for one in resources[:_SHOWN])
    more = f"\nand {len(resources) - _SHOWN} more" if len(resources) > _SHOWN else ""
    facts = {
        "resources": len(resources),
        "restored_copies": restored,
        "datastores": sum(r.holds_data for r in resources),
    }
    return Exhibit(source="aws", request=request, facts=facts, excerpt=shown + more)
