"""Evidence that is pushed over HTTP, and the tokens with which it is."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scorecard.api.attempts import WRONG_AT_MOST
from scorecard.evidence.pushed import PushedKind
from scorecard.model import Provenance
from tests.api.estate import LEDGER, NOW, PAYMENTS, Estate

PUSH = "/api/v1/services/payments/evidence"


def report(**more: object) -> dict[str, Any]:
    check = {"name": "rows", "query": "select count(*) from ledger", "expected": "> 0", "actual": "9", "ok": True}
    return {
        "schema": 1,
        "service": "payments",
        "resource": "ledger",
        "kind": "postgres-dump",
        "backup": {"id": "ledger.dump", "created_at": "2026-11-22T01:00:00Z"},
        "started_at": "2026-11-22T03:00:00Z",
        "finished_at": "2026-11-22T03:12:00Z",
        "result": "success",
        "verifications": [check],
        "tool": {"name": "scorecard"},
        **more,
    }


def drill(**more: object) -> dict[str, Any]:
    return {"kind": "drill", "document": report(**more)}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def client(measured: Estate) -> FlaskClient:
    return measured.client()


def create(client: FlaskClient, **more: object) -> dict[str, Any]:
    answer = client.post("/api/v1/tokens", json={"service": "payments", "name": "payments-ci", **more})
    assert answer.status_code == 201, answer.json
    made: dict[str, Any] = answer.json
    return made


def test_a_drill_is_pushed_kept_and_its_row_measured_at_once(measured: Estate, client: FlaskClient) -> None:
    token = create(client)["token"]
    answer = client.post(PUSH, json=drill(), headers=bearer(token))
    assert answer.status_code == 201
    assert (answer.json["kind"], answer.json["pushed_by"], answer.json["provenance"]) == (
        "drill",
        "payments-ci",
        "reported",
    )
    assert measured.measured == [(PAYMENTS.key, "backups", "push by payments-ci")]
    assert isinstance(answer.json["run"], int)
    (kept,) = measured.store.pushed(PAYMENTS.key, PushedKind.DRILL)
    assert (kept.document["resource"], kept.provenance, kept.received_at) == ("ledger", Provenance.REPORTED, NOW)
    shown = client.get(PUSH)
    assert [(one["id"], one["run"]) for one in shown.json["items"]] == [(kept.id, None)]


def test_what_no_row_rests_on_is_kept_and_shown(measured: Estate, client: FlaskClient) -> None:
    token = create(client, kinds=["test-report", "attestation"])["token"]
    for body in ({"kind": "test-report", "document": "<testsuite/>"}, {"kind": "attestation", "document": {"a": 1}}):
        assert client.post(PUSH, json=body, headers=bearer(token)).json["run"] is None
    assert [one["kind"] for one in client.get(PUSH).json["items"]] == ["attestation", "test-report"]
    assert measured.measured == []


NO_TOKEN = {
    "none": {},
    "not a bearer": {"Authorization": "Basic dXNlcjpwdw=="},
    "an unknown one": {"Authorization": "Bearer rsc_000000000000_" + "x" * 43},
    "a lone word": {"Authorization": "Bearer"},
}


@pytest.mark.parametrize("headers", NO_TOKEN.values(), ids=NO_TOKEN)
def test_without_a_token_nothing_is_pushed(measured: Estate, client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post(PUSH, json=drill(), headers=headers)
    assert (answer.status_code, answer.json["type"]) == (401, "/api/docs#problem-sign-in-required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert measured.store.pushed(PAYMENTS.key) == ()


def test_a_token_opens_its_own_service_and_its_own_kinds_only(client: FlaskClient) -> None:
    token = create(client)["token"]
    for path, body in (
        ("/api/v1/services/ledger/evidence", drill(service="ledger")),
        ("/api/v1/services/nobody/evidence", drill(service="nobody")),
        (PUSH, {"kind": "test-report", "document": {}}),
    ):
        answer = client.post(path, json=body, headers=bearer(token))
        assert (answer.status_code, answer.json["type"]) == (403, "/api/docs#problem-wrong-token")


def test_a_revoked_token_opens_nothing_at_once_even_for_a_repeated_request(client: FlaskClient) -> None:
    made = create(client)
    headers = {**bearer(made["token"]), "Idempotency-Key": "one"}
    assert client.post(PUSH, json=drill(), headers=headers).status_code == 201
    revoked = client.delete(f"/api/v1/tokens/{made['id']}")
    assert (revoked.status_code, revoked.json["active"]) == (200, False)
    assert client.post(PUSH, json=drill(), headers=headers).status_code == 401
    assert client.delete("/api/v1/tokens/000000000000").status_code == 404


def test_an_ended_token_opens_nothing(measured: Estate, client: FlaskClient) -> None:
    token = create(client, expires="1d")["token"]
    measured.now = NOW + timedelta(days=1)
    assert client.post(PUSH, json=drill(), headers=bearer(token)).status_code == 401


def test_a_repeated_push_is_kept_once(measured: Estate, client: FlaskClient) -> None:
    headers = {**bearer(create(client)["token"]), "Idempotency-Key": "run-7"}
    first, second = (client.post(PUSH, json=drill(), headers=headers) for _ in range(2))
    assert (first.status_code, second.json) == (201, first.json)
    assert len(measured.store.pushed(PAYMENTS.key)) == 1
    other = client.post(PUSH, json=drill(), headers={**headers, **bearer(create(client)["token"])})
    assert other.json["type"] == "/api/docs#problem-key-reused", "another token does not read the first one's answer"


REFUSED = {
    "no kind": ({"document": {}}, 422, ["body"]),
    "an unknown kind": ({"kind": "x", "document": {}}, 422, ["body", "kind"]),
    "a list": ({"kind": "drill", "document": []}, 422, ["body", "document"]),
    "more keys": ({**drill(), "x": 1}, 422, ["body"]),
    "an unknown key": (drill(resutl=1), 422, ["body", "document", "resutl"]),
    "a time without a zone": (drill(started_at="2026-11-22T03:00:00"), 422, ["body", "document", "started_at"]),
    "a verification without a query": (
        drill(verifications=[{"name": "a", "expected": "", "actual": "", "ok": True}]),
        422,
        ["body", "document", "verifications", 0, "query"],
    ),
    "another service's": (drill(service="ledger"), 409, ["body", "document", "service"]),
    "finished in the future": (drill(finished_at="2027-01-01T00:00:00Z"), 409, ["body", "document"]),
    "no verification": (drill(verifications=[]), 409, ["body", "document"]),
    "select 1": (
        drill(verifications=[{"name": "a", "query": "select 1", "expected": "1", "actual": "1", "ok": True}]),
        409,
        ["body", "document"],
    ),
    "a backup of later": (
        drill(backup={"id": "x", "created_at": "2026-11-22T10:00:00Z"}),
        409,
        ["body", "document"],
    ),
}


@pytest.mark.parametrize(("body", "status", "loc"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_with_a_push_is_said_with_its_place(
    measured: Estate, client: FlaskClient, body: object, status: int, loc: list[str | int]
) -> None:
    answer = client.post(PUSH, json=body, headers=bearer(create(client)["token"]))
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["errors"][0]["loc"] == loc
    assert measured.store.pushed(PAYMENTS.key) == ()


def test_a_drill_that_failed_is_taken(measured: Estate, client: FlaskClient) -> None:
    body = drill(result="failure", code="truncated", message="end of file", verifications=[])
    assert client.post(PUSH, json=body, headers=bearer(create(client)["token"])).status_code == 201
    assert measured.store.pushed(PAYMENTS.key)[0].document["code"] == "truncated"


def test_a_body_of_more_than_256_kib_is_refused(client: FlaskClient) -> None:
    body = drill(message="x" * (256 * 1024))
    answer = client.post(PUSH, json=body, headers=bearer(create(client)["token"]))
    assert answer.status_code == 413


def test_a_secret_in_a_document_does_not_reach_the_store(measured: Estate, client: FlaskClient) -> None:
    body = drill(message="connecting to postgres://app:CANARY-7f3@db/ledger", run_url="https://ci/?token=CANARY-7f3")
    assert client.post(PUSH, json=body, headers=bearer(create(client)["token"])).status_code == 201
    assert "CANARY" not in json.dumps(dict(measured.store.pushed(PAYMENTS.key)[0].document))


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_never_in_a_list(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "make-one"}
    first = client.post("/api/v1/tokens", json={"service": "payments"}, headers=headers)
    assert (first.status_code, first.headers["Cache-Control"]) == (201, "no-store")
    token = first.json["token"]
    again = client.post("/api/v1/tokens", json={"service": "payments"}, headers=headers)
    assert (again.status_code, again.json["type"]) == (409, "/api/docs#problem-key-reused")
    listed = client.get("/api/v1/tokens?service=payments")
    assert [one["name"] for one in listed.json["items"]] == ["payments-push"], "the repeated request made none"
    assert token.split("_", 2)[2] not in again.text + listed.text
    assert client.get("/api/v1/tokens?service=ledger").json["items"] == []


def test_a_list_of_tokens_says_when_each_was_used(client: FlaskClient) -> None:
    token = create(client)["token"]
    assert client.get("/api/v1/tokens").json["items"][0]["last_used_at"] is None
    client.post(PUSH, json=drill(), headers=bearer(token))
    assert client.get("/api/v1/tokens").json["items"][0]["last_used_at"] == "2026-11-23T12:00:00Z"


BAD_TOKENS = {
    "no service": ({}, 422, ["body", "service"]),
    "an unknown key": ({"service": "payments", "admin": True}, 422, ["body", "admin"]),
    "no kind": ({"service": "payments", "kinds": []}, 422, ["body", "kinds"]),
    "a life without a unit": ({"service": "payments", "expires": "30"}, 422, ["body", "expires"]),
    "too long a life": ({"service": "payments", "expires": "91d"}, 409, ["body", "expires"]),
    "longer than any clock": ({"service": "payments", "expires": "999999999y"}, 409, ["body", "expires"]),
    "nobody's": ({"service": "nobody"}, 409, ["body", "service"]),
}


@pytest.mark.parametrize(("body", "status", "loc"), BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_a_token_that_may_not_be_is_refused(client: FlaskClient, body: object, status: int, loc: list[str]) -> None:
    answer = client.post("/api/v1/tokens", json=body)
    assert (answer.status_code, answer.json["errors"][0]["loc"]) == (status, loc)
    assert client.get("/api/v1/tokens").json["total"] == 0


def test_a_page_of_another_site_makes_no_token(client: FlaskClient) -> None:
    headers = {"Origin": "https://evil.example"}
    assert client.post("/api/v1/tokens", json={"service": "payments"}, headers=headers).status_code == 403


def test_an_address_that_is_wrong_too_often_waits(measured: Estate, client: FlaskClient) -> None:
    token = create(client)["token"]
    wrong = bearer("rsc_000000000000_" + "x" * 43)
    for _ in range(WRONG_AT_MOST):
        assert client.post(PUSH, json=drill(), headers=wrong).status_code == 401
    refused = client.post(PUSH, json=drill(), headers=bearer(token))
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    elsewhere = client.post(PUSH, json=drill(), headers=bearer(token), environ_overrides={"REMOTE_ADDR": "127.0.0.2"})
    assert elsewhere.status_code == 201
    measured.now = NOW + timedelta(minutes=1)
    assert client.post(PUSH, json=drill(), headers=bearer(token)).status_code == 201


def test_a_token_follows_its_service_through_a_rename(measured: Estate, client: FlaskClient) -> None:
    token = create(client)["token"]
    measured.sync(dataclasses.replace(PAYMENTS, name="pay", formerly=("payments",)), LEDGER)
    answer = client.post("/api/v1/services/pay/evidence", json=drill(), headers=bearer(token))
    assert (answer.status_code, answer.json["service"]) == (201, "pay")


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@pytest.mark.usefixtures("measured")
def test_whatever_stands_anywhere_in_a_report_is_taken_or_refused_and_never_a_fault(client: FlaskClient) -> None:
    token = create(client, kinds=list(PushedKind))["token"]

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from([*report(), "message", "run_url", "steps"]), values, st.sampled_from(list(PushedKind)))
    def pushes(key: str, value: object, kind: PushedKind) -> None:
        answer = client.post(PUSH, json={"kind": kind, "document": report(**{key: value})}, headers=bearer(token))
        assert answer.status_code in {201, 400, 409, 422}, answer.json

    pushes()
