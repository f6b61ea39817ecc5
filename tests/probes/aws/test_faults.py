"""What AWS does not say: the cause is right, what came before counts, and nothing else is affected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from scorecard.demo.aws import AwsRefusal, Endpoint, serving
from scorecard.demo.aws_protocol import Asked
from scorecard.evidence import Evidence
from scorecard.evidence.aws import DataAtRest, Listeners, Standbys, Unseen
from scorecard.model import Cause
from tests.probes.aws import estate, stock
from tests.probes.aws.estate import Asking, Clock
from tests.probes.aws.test_readers import short

KINDS: tuple[type[Evidence], ...] = (DataAtRest, Standbys, Listeners)
SWEEP = "rds:DescribeDBInstances"
FIRST_PAGE = {"rds:db:pair", "rds:db:unnamed"}
INSTANCES = {f"rds:db:{one['DBInstanceIdentifier']}" for one in stock.DATABASES}
CLUSTERS = {f"rds:cluster:{one['DBClusterIdentifier']}" for one in stock.CLUSTERS}
"""Where their members are, the instances say."""


@dataclass
class Account:
    """The stock on an endpoint, and new probes for each look."""

    endpoint: Endpoint
    start: Callable[[], Asking]

    def look(self) -> dict[type[Evidence], dict[str, Any]]:
        asking = self.start()
        return {kind: {short(item.name): item for item in asking.one(kind).items} for kind in KINDS}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    endpoint = Endpoint(Clock())
    with pytest.MonkeyPatch.context() as environment, serving(endpoint) as url:
        estate.credentials(environment)
        estate.zones(endpoint)
        estate.subnets(endpoint)
        stock.fill(endpoint)
        yield Account(endpoint, lambda: estate.asking_of(tmp_path_factory.mktemp("aws"), url, Clock()))
    assert not endpoint.wrong, endpoint.wrong


@pytest.fixture(scope="module")
def whole(account: Account) -> dict[type[Evidence], dict[str, Any]]:
    """What is seen while everything answers."""
    return account.look()


@pytest.fixture(autouse=True)
def mended(account: Account) -> Iterator[None]:
    yield
    account.endpoint.before = lambda _asked: None
    for faults in (account.endpoint.denied, account.endpoint.throttled, account.endpoint.expired):
        faults.clear()


def after_the_first_page(refuse: Callable[[Asked], None]) -> Callable[[Asked], None]:
    def before(asked: Asked) -> None:
        if asked.name == SWEEP and asked.parameters.get("Marker"):
            refuse(asked)

    return before


def refusing(code: str, status: int = 400) -> Callable[[Asked], None]:
    def refuse(_asked: Asked) -> None:
        raise AwsRefusal(code, "not now", status)

    return refuse


def lost(
    seen: dict[type[Evidence], dict[str, Any]], whole: dict[type[Evidence], dict[str, Any]], kind: type[Evidence]
) -> dict[str, Cause]:
    """Names of what is not seen any more with their causes; all the rest is as it was."""
    gone = {name: item.why.cause for name, item in seen[kind].items() if isinstance(item, Unseen)}
    before = {name: item.why.cause for name, item in whole[kind].items() if isinstance(item, Unseen)}
    assert seen[kind].keys() == whole[kind].keys()
    assert {name: item for name, item in seen[kind].items() if name not in gone} == {
        name: item for name, item in whole[kind].items() if name not in gone
    }
    return {name: cause for name, cause in gone.items() if name not in before}


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        ("AccessDenied", 403, Cause.ACCESS_DENIED),
        pytest.param("InvalidParameterValue", 400, Cause.BAD_RESPONSE, marks=pytest.mark.faults),
        ("ExpiredToken", 403, Cause.ACCESS_DENIED),
        pytest.param("Throttling", 400, Cause.RATE_LIMITED, marks=pytest.mark.faults),
        pytest.param("InternalFailure", 500, Cause.UNREACHABLE, marks=pytest.mark.faults),
    ],
)
def test_a_sweep_that_breaks_off_loses_what_had_not_come_and_nothing_else(
    account: Account, whole: dict[type[Evidence], dict[str, Any]], code: str, status: int, cause: Cause
) -> None:
    account.endpoint.before = after_the_first_page(refusing(code, status))

    seen = account.look()

    assert lost(seen, whole, DataAtRest) == dict.fromkeys(INSTANCES - FIRST_PAGE, cause)
    # Of a cluster without members nothing was asked of the instances.
    members = {"rds:cluster:wide", "rds:cluster:thin"}
    assert lost(seen, whole, Standbys) == dict.fromkeys(INSTANCES - FIRST_PAGE | members, cause)
    assert lost(seen, whole, Listeners) == {}


def test_a_denied_call_costs_the_kind_that_needs_it(
    account: Account, whole: dict[type[Evidence], dict[str, Any]]
) -> None:
    account.endpoint.denied |= {"elasticache:DescribeReplicationGroups", "elbv2:DescribeSSLPolicies"}

    seen = account.look()

    groups = {f"elasticache:replicationgroup:{one['ReplicationGroupId']}" for one in stock.CACHES}
    assert lost(seen, whole, DataAtRest) == dict.fromkeys(groups, Cause.ACCESS_DENIED)
    node = {"elasticache:cluster:sessions-001"}
    assert lost(seen, whole, Standbys) == dict.fromkeys(groups | node, Cause.ACCESS_DENIED)
    secure = {name for name in whole[Listeners] if name.endswith("443")}
    assert lost(seen, whole, Listeners) == dict.fromkeys(secure, Cause.ACCESS_DENIED)


def test_credentials_that_expire_in_mid_sweep_are_taken_anew_and_the_sweep_goes_on(
    account: Account, whole: dict[type[Evidence], dict[str, Any]]
) -> None:
    expired: list[str] = []

    def expire(asked: Asked) -> None:
        if not expired:
            expired.append(asked.key)
            account.endpoint.expired.add(asked.key)
            raise AwsRefusal("ExpiredToken", "The security token included in the request is expired", 403)

    account.endpoint.before = after_the_first_page(expire)

    seen = account.look()

    assert expired
    assert [lost(seen, whole, kind) for kind in KINDS] == [{}, {}, {}]


def test_a_role_that_cannot_be_taken_is_the_cause_of_all(account: Account) -> None:
    def before(asked: Asked) -> None:
        if asked.name == "sts:AssumeRole":
            raise AwsRefusal("AccessDenied", "not authorized to perform: sts:AssumeRole", 403)

    account.endpoint.before = before

    answer: Any = account.start().one(DataAtRest)

    assert answer.cause is Cause.ACCESS_DENIED
    assert "taking the role arn:aws:iam::111122223333:role/scorecard" in answer.detail
