"""Many services over several accounts: databases, volumes and ECS services, as many as asked."""

from __future__ import annotations

from pathlib import Path

from scorecard.demo.aws import Endpoint, Parameters
from scorecard.egress.aws import Clients
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import Observation
from scorecard.evidence.aws import DataAtRest, Placement, Resources, Spreads, Standbys
from scorecard.model import Service
from scorecard.probes import Upstream
from tests.probes.aws import estate
from tests.probes.aws.estate import NOW, REGION, Clock, arn

KINDS = (Resources, Placement, Standbys, Spreads, DataAtRest)


def fill(endpoint: Endpoint, *, services: int, resources: int, accounts: int) -> list[Service]:
    """Resources go around the services; half are databases, half volumes, and each hundredth an ECS service."""
    every = tuple(f"1111222233{number:02}" for number in range(accounts))
    fleet = [estate.service(f"s{number}", every[number % accounts]) for number in range(services)]
    for at, account in enumerate(every):
        mine = [service.name for service in fleet if service.spec.aws and service.spec.aws.account == account]
        numbers = range(at, resources, accounts)
        owners = {number: mine[index % len(mine)] for index, number in enumerate(numbers)}
        databases = {n: arn("rds", f"db:d{n}", account) for n in numbers if n // accounts % 2 == 0}
        volumes = {n: arn("ec2", f"volume/vol-{n}", account) for n in numbers if n // accounts % 2}
        tasks = {n: arn("ecs", f"service/main/e{n}", account) for n in numbers if n // accounts % 50 == 0}
        tags = {name: {"Service": owners[n]} for of_kind in (databases, volumes, tasks) for n, name in of_kind.items()}
        estate.tagged(endpoint, tags, account)
        estate.zones(endpoint, account)
        estate.subnets(endpoint, account)
        endpoint.list(
            account, "rds:DescribeDBInstances", "DBInstances", [_database(n, databases[n]) for n in databases]
        )
        endpoint.list(
            account,
            "ec2:DescribeVolumes",
            "Volumes",
            [{"VolumeId": f"vol-{n}", "Encrypted": True} for n in volumes],
            page=500,
        )
        endpoint.on(account, "ecs:DescribeServices", _services)
        endpoint.on(account, "ecs:ListTasks", {"taskArns": []})
    return fleet


def _database(number: int, name: str) -> dict[str, object]:
    return {
        "DBInstanceIdentifier": f"d{number}",
        "DBInstanceArn": name,
        "Engine": "postgres",
        "MultiAZ": True,
        "StorageEncrypted": number % 3 > 0,
        "AvailabilityZone": f"{REGION}a",
    }


def _services(parameters: Parameters) -> dict[str, object]:
    return {
        "services": [
            {
                "serviceArn": name,
                "serviceName": name.rpartition("/")[2],
                "clusterArn": name.rpartition(":")[0] + ":cluster/main",
                "status": "ACTIVE",
                "desiredCount": 2,
                "launchType": "FARGATE",
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"]}},
            }
            for name in parameters["services"]
        ]
    }


def ask_all(fleet: list[Service], base: Path, url: str) -> tuple[int, int]:
    """Every question of `KINDS` about all services: calls, and answers that hold evidence."""
    asking = estate.asking_of(base, url, Clock(), timeout="10s")
    clients = Clients(AddressPolicy.of(["127.0.0.1"]), Resolver(), Clock(), rate=1000)
    known: dict[object, Observation] = {}
    counted: list[int] = []
    for kind in KINDS:
        probe = next(one for one in asking.probes if one.answers is kind)
        probe.places.clients = clients  # type: ignore[attr-defined] # every probe of AWS has them
        upstream = Upstream(known, called=lambda _system, _place, count: counted.append(count))  # type: ignore[arg-type]
        for key, answer in probe.ask(fleet, upstream):
            known[key, kind] = Observation(kind, NOW, answer)
    return sum(counted), sum(isinstance(one.value, one.kind) for one in known.values())
