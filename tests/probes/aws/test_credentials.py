"""Credentials that run out in the middle of a sweep, throttling, and the metadata service that is never asked."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scorecard.demo.aws import AwsRefusal, Endpoint
from scorecard.demo.aws_protocol import Asked
from scorecard.egress.aws import Clients
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import Unavailable
from scorecard.evidence.aws import DataAtRest, Resources, Unseen
from scorecard.model import Cause
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, Asking, Clock, arn

Aws = tuple[Endpoint, Asking]
NAMES = ("orders", "payments", "refunds")
SWEEP = "rds:DescribeDBInstances"


def databases(endpoint: Endpoint) -> None:
    """Three of them, one on a page; and a table beside them."""
    found = [
        {"DBInstanceIdentifier": name, "DBInstanceArn": arn("rds", f"db:{name}"), "StorageEncrypted": True}
        for name in NAMES
    ]
    endpoint.list(ACCOUNT, SWEEP, "DBInstances", found, page=1)
    table = {"TableName": "ledger", "TableArn": arn("dynamodb", "table/ledger"), "TableStatus": "ACTIVE"}
    endpoint.on(ACCOUNT, "dynamodb:DescribeTable", {"Table": table})
    resources = [*(one["DBInstanceArn"] for one in found), table["TableArn"]]
    estate.tagged(endpoint, {str(name): {"Service": "payments"} for name in resources})


def seen(answer: Any) -> dict[str, object]:  # noqa: ANN401 - DataAtRest
    return {one.name.rpartition(":")[2]: one.why.cause if isinstance(one, Unseen) else "seen" for one in answer.items}


def test_credentials_that_expire_between_two_pages_are_taken_anew_and_the_sweep_goes_on(aws: Aws) -> None:
    endpoint, asking = aws
    databases(endpoint)

    def expire(asked: Asked) -> None:
        if asked.name == SWEEP and asked.parameters.get("Marker") == "1" and not endpoint.expired:
            endpoint.expired.add(asked.key)
            raise AwsRefusal("ExpiredTokenException", "The security token included in the request is expired", 400)

    endpoint.before = expire

    assert set(seen(asking.one(DataAtRest)).values()) == {"seen"}
    assert endpoint.asked["", estate.REGION, "sts:AssumeRole"] == 2
    # The page that came is not asked again, the one that did not is.
    assert endpoint.asked[ACCOUNT, estate.REGION, SWEEP] == 4


def test_credentials_that_stay_expired_cost_what_had_not_come_yet(aws: Aws) -> None:
    endpoint, asking = aws
    databases(endpoint)

    def expire(asked: Asked) -> None:
        if asked.name == SWEEP and asked.parameters.get("Marker"):
            raise AwsRefusal("ExpiredTokenException", "The security token included in the request is expired", 400)

    endpoint.before = expire

    assert seen(asking.one(DataAtRest)) == {
        "orders": "seen",
        "payments": Cause.ACCESS_DENIED,
        "refunds": Cause.ACCESS_DENIED,
        "table/ledger": "seen",
    }


def test_a_role_is_taken_anew_before_it_ends(aws: Aws) -> None:
    endpoint, asking = aws
    clock = Clock()
    for probe in asking.probes:
        probe.places.clients = Clients(AddressPolicy.of(["127.0.0.1"]), Resolver(), clock)  # type: ignore[attr-defined]
    asking.one(Resources)
    clock.now = clock.now.replace(hour=clock.now.hour + 1)
    for probe in asking.probes:
        for lane in probe.places.lanes(estate.payments()):  # type: ignore[attr-defined]
            lane.patience = lambda: 0.0

    asking.one(Resources)

    assert endpoint.asked["", estate.REGION, "sts:AssumeRole"] == 2


def test_a_throttled_call_is_made_again_and_one_that_stays_throttled_is_rate_limited_alone(aws: Aws) -> None:
    endpoint, asking = aws
    databases(endpoint)
    for probe in asking.probes:
        probe.places.clients = Clients(  # type: ignore[attr-defined]
            AddressPolicy.of(["127.0.0.1"]), Resolver(), Clock(), attempts=2
        )
    refused: list[str] = []

    def once(asked: Asked) -> None:
        marker = str(asked.parameters.get("Marker"))
        if asked.name == SWEEP and (marker == "2" or (marker == "1" and marker not in refused)):
            refused.append(marker)
            raise AwsRefusal("ThrottlingException", "Rate exceeded", 400)

    endpoint.before = once

    assert seen(asking.one(DataAtRest)) == {
        "orders": "seen",
        "payments": "seen",
        "refunds": Cause.RATE_LIMITED,
        "table/ledger": "seen",
    }
    assert refused == ["1", "2", "2"]


@contextmanager
def metadata_service() -> Iterator[tuple[str, list[object]]]:
    """A stand-in, with the connections that it was given."""
    connections: list[object] = []
    with socket.create_server(("127.0.0.2", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.2:{server.getsockname()[1]}", connections
        server.shutdown(socket.SHUT_RDWR)


def test_the_instance_metadata_service_is_never_asked(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.session

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    with metadata_service() as (address, connections):
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
        monkeypatch.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
        # That the stand-in is where botocore looks when it is let.
        botocore.session.Session().get_credentials()
        assert connections
        connections.clear()

        answer = aws[1].one(Resources)

        assert isinstance(answer, Unavailable)
        assert (answer.cause, connections) == (Cause.NOT_CONFIGURED, [])
        assert os.environ["AWS_EC2_METADATA_DISABLED"] == "true"
