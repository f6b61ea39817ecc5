"""Accounts on our loopback endpoint, services in them, and the probes asked about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scorecard.config import load_config
from scorecard.demo.aws import Endpoint, serving
from scorecard.evidence import Answer, Evidence, Observation
from scorecard.evidence.aws import Resources
from scorecard.model import AwsRef, Service, ServiceKey, Spec
from scorecard.probes import Context, Probe, Upstream
from scorecard.probes.aws import probes as make_probes

ACCOUNT, REGION = "111122223333", "eu-west-1"
ZONES = {f"{REGION}{letter}": f"euw1-az{number}" for letter, number in (("a", 3), ("b", 1), ("c", 2))}
"""Names and ids in another order, as AWS has them."""
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def later(self, by: timedelta) -> None:
        self.now += by


def credentials(environment: pytest.MonkeyPatch) -> None:
    """Some that lead nowhere else, and no file or profile of whoever runs the tests."""
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIADEMO")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "demo")
    environment.setenv("AWS_CONFIG_FILE", "/nonexistent")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


def arn(service: str, rest: str, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{account}:{rest}"


def tagged(endpoint: Endpoint, resources: Mapping[str, Mapping[str, str]], account: str = ACCOUNT) -> None:
    """Have `GetResources` list these ARNs with their tags."""
    endpoint.list(
        account,
        "resourcegroupstaggingapi:GetResources",
        "ResourceTagMappingList",
        [{"ResourceARN": name, "Tags": pairs(tags)} for name, tags in resources.items()],
    )


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def zones(endpoint: Endpoint, account: str = ACCOUNT) -> None:
    endpoint.list(
        account,
        "ec2:DescribeAvailabilityZones",
        "AvailabilityZones",
        [{"ZoneName": name, "ZoneId": one, "RegionName": REGION} for name, one in ZONES.items()],
    )


def subnets(endpoint: Endpoint, account: str = ACCOUNT) -> None:
    """subnet-a, subnet-b and subnet-c of vpc-1, 10.0.1.0/24 and so on."""
    endpoint.list(
        account,
        "ec2:DescribeSubnets",
        "Subnets",
        [
            {
                "SubnetId": f"subnet-{name[-1]}",
                "VpcId": "vpc-1",
                "AvailabilityZone": name,
                "AvailabilityZoneId": one,
                "CidrBlock": f"10.0.{index}.0/24",
            }
            for index, (name, one) in enumerate(ZONES.items(), start=1)
        ],
    )


def payments(**aws: object) -> Service:
    given = {"account": ACCOUNT, "tags": {"Service": "payments"}, **aws}
    return Service(name="payments", spec=Spec(aws=AwsRef(**given)))


def service(name: str, account: str = ACCOUNT, **more: object) -> Service:
    return Service(name=name, spec=Spec(aws=AwsRef(account=account, tags={"Service": name})), **more)


@dataclass
class Asking:
    """The probes of AWS with an endpoint behind them."""

    probes: tuple[Probe, ...]
    calls: dict[str, int] = field(default_factory=dict)
    """By place, of the last question."""

    def __call__(
        self, kind: type[Evidence], services: Sequence[Service], *, patient: bool = False
    ) -> dict[str, Answer]:
        """What a probe answers, by the service's name; the mapping is asked before."""
        self.calls.clear()
        mapped = self._ask(Resources, services, {}, patient=patient)
        if kind is Resources:
            return {key.name: answer for key, answer in mapped.items()}
        known = {(key, Resources): Observation(Resources, NOW, answer) for key, answer in mapped.items()}
        return {key.name: answer for key, answer in self._ask(kind, services, known, patient=patient).items()}

    def one(self, kind: type[Evidence], asked: Service | None = None) -> Any:  # noqa: ANN401 - that kind
        """The answer about one service, `payments` unless given; somebody waits for it."""
        about = asked or payments()
        return self(kind, [about])[about.name]

    def _ask(
        self,
        kind: type[Evidence],
        services: Sequence[Service],
        known: Mapping[tuple[ServiceKey, type[Evidence]], Observation],
        *,
        patient: bool,
    ) -> dict[ServiceKey, Answer]:
        def called(system: str, place: str, count: int) -> None:
            assert system == "aws"
            self.calls[place] = self.calls.get(place, 0) + count

        probe = next(one for one in self.probes if one.answers is kind)
        return dict(probe.ask(services, Upstream(known, patient=patient, called=called)))


@contextmanager
def endpoint_and_probes(
    base: Path, *, clock: Clock | None = None, regions: Iterable[str] = (REGION,), timeout: str = "2s", more: str = ""
) -> Iterator[tuple[Endpoint, Asking]]:
    """An empty AWS, and probes that take the role `scorecard` of each account."""
    endpoint = Endpoint(clock or Clock())
    with serving(endpoint) as url:
        asking = asking_of(base, url, clock or Clock(), regions=regions, timeout=timeout, more=more)
        yield endpoint, asking
    assert not endpoint.wrong, endpoint.wrong


def asking_of(
    base: Path, url: str, clock: Clock, *, regions: Iterable[str] = (REGION,), timeout: str = "2s", more: str = ""
) -> Asking:
    host = url.removeprefix("http://").partition(":")[0]
    file = base / "scorecard.yaml"
    file.write_text(
        f"""
catalog: []
probing: {{allow: ["{host}"]}}
integrations:
  aws:
    - name: main
      regions: [{", ".join(regions)}]
      role: "arn:aws:iam::{{account}}:role/scorecard"
      endpoint_url: {url}
      timeout: {timeout}
{more}"""
    )
    context = Context(config=load_config(file, {}), clock=clock, cache=base, base=base)
    return Asking(make_probes(context))
