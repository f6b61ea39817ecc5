"""Services are registered through the API under the catalogue's own rules, and only where no file defines them."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from tests.api.estate import Estate

CHECKOUT: dict[str, Any] = {
    "apiVersion": "scorecard/v1",
    "kind": "Service",
    "metadata": {"name": "checkout", "team": "shop", "tier": "tier-1"},
    "spec": {"url": "https://checkout.example.net", "health": {"liveness": "/livez"}},
    "environments": {"staging": {"url": "https://checkout.staging.example.net"}},
}


OWN_APPROVAL = {"reason": "cold standby", "declared_by": "lead", "approved_by": "lead", "until": "2027-01-01"}


def test_a_service_is_registered_in_each_environment_and_read_again(estate: Estate) -> None:
    client = estate.client()
    answer = client.put("/api/v1/services/checkout", json=CHECKOUT)

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/v1/services/checkout"
    assert client.get("/api/v1/services/checkout").json == answer.json
    assert answer.json["registered_by"] == "api"
    assert answer.json["spec"]["health"] == {"liveness": "/livez"}
    staging = client.get("/api/v1/services/checkout?environment=staging").json
    assert staging["spec"]["url"] == "https://checkout.staging.example.net"
    assert staging["spec"]["health"] == {"liveness": "/livez"}


def test_putting_again_changes_it_and_drops_the_environment_that_is_gone(estate: Estate) -> None:
    client = estate.client()
    client.put("/api/v1/services/checkout", json=CHECKOUT)
    changed = {**CHECKOUT, "metadata": {**CHECKOUT["metadata"], "team": "basket"}, "environments": {}}
    answer = client.put("/api/v1/services/checkout", json=changed)

    assert answer.status_code == 200
    assert answer.json["metadata"]["team"] == "basket"
    assert client.get("/api/v1/services/checkout?environment=staging").status_code == 404


def test_it_is_changed_only_as_it_was_read(estate: Estate) -> None:
    client = estate.client()
    tag = client.put("/api/v1/services/checkout", json=CHECKOUT).headers["ETag"]
    assert client.get("/api/v1/services/checkout").headers["ETag"] == tag
    changed = {**CHECKOUT, "metadata": {**CHECKOUT["metadata"], "team": "basket"}}

    assert client.put("/api/v1/services/checkout", json=changed, headers={"If-Match": tag}).status_code == 200
    late = client.put("/api/v1/services/checkout", json=CHECKOUT, headers={"If-Match": tag})
    assert late.status_code == 412
    assert client.get("/api/v1/services/checkout").json["metadata"]["team"] == "basket"
    assert client.put("/api/v1/services/new", json=renamed("new"), headers={"If-Match": "*"}).status_code == 412
    assert client.delete("/api/v1/services/checkout", headers={"If-Match": tag}).status_code == 412


def test_deleting_takes_it_out_of_every_environment_and_keeps_its_history(estate: Estate) -> None:
    client = estate.client()
    client.put("/api/v1/services/checkout", json=CHECKOUT)
    answer = client.delete("/api/v1/services/checkout")

    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get("/api/v1/services").json["total"] == 0
    assert client.delete("/api/v1/services/checkout").status_code == 404
    assert [str(service.key) for service in estate.store.services(include_gone=True)] == [
        "checkout",
        "checkout@staging",
    ]


def test_what_a_file_defines_is_changed_in_that_file(measured: Estate) -> None:
    client = measured.client()
    changed = client.put("/api/v1/services/payments", json=renamed("payments"))
    gone = client.delete("/api/v1/services/payments")

    for answer in (changed, gone):
        assert answer.status_code == 409
        assert "services/payments.yaml:4" in answer.json["detail"]
    assert client.get("/api/v1/services/payments").json["metadata"]["team"] == "payments-platform"


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"metadata": {"team": "x"}}, ["body", "metadata", "name"]),
        ({"kind": "Team"}, ["body", "kind"]),
        ({"apiVersion": "v2"}, ["body", "apiVersion"]),
        ({"colour": "red"}, ["body", "colour"]),
        ({"spec": {"url": "ftp://x"}}, ["body", "spec", "url"]),
        ({"spec": {"url": "https://user:secret@example.net"}}, ["body", "spec", "url"]),
        ({"spec": {"helth": {}}}, ["body", "spec", "helth"]),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused_with_its_place(
    estate: Estate, change: dict[str, Any], loc: list[str]
) -> None:
    client = estate.client()
    answer = client.put("/api/v1/services/checkout", json={**CHECKOUT, **change})

    assert answer.status_code == 422, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["errors"][0]["loc"][: len(loc)] == loc
    assert "secret" not in answer.text
    assert client.get("/api/v1/services").json["total"] == 0


def test_a_body_that_names_another_service_than_the_address_is_a_conflict(estate: Estate) -> None:
    answer = estate.client().put("/api/v1/services/checkout", json=renamed("other"))

    assert answer.status_code == 409
    assert answer.json["type"] == "/api/docs#problem-name-differs"
    assert answer.json["errors"][0]["loc"] == ["body", "metadata", "name"]


@pytest.mark.parametrize(
    ("spec", "loc"),
    [
        ({"exempt": {"multi-az": OWN_APPROVAL}}, ["body", "spec", "exempt", "multi-az", "approved_by"]),
        ({"exempt": {"no-such-row": OWN_APPROVAL}}, ["body", "spec", "exempt", "no-such-row"]),
        # A file of the machine that the scorecard runs on.
        ({"logs": {"file": {"path": "/etc/shadow"}}}, ["body", "spec", "logs", "file"]),
    ],
)
def test_what_the_schema_allows_and_the_catalogue_does_not_is_a_conflict(
    estate: Estate, spec: dict[str, Any], loc: list[str]
) -> None:
    answer = estate.client().put("/api/v1/services/checkout", json={**CHECKOUT, "spec": spec})

    assert answer.status_code == 409, answer.text
    assert answer.json["type"] == "/api/docs#problem-refused"
    assert loc in [error["loc"] for error in answer.json["errors"]]
    assert estate.client().get("/api/v1/services").json["total"] == 0


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff", b"[" * 100_000, b'"\\ud800"'])
def test_a_body_that_is_not_strict_json_is_refused(estate: Estate, body: bytes) -> None:
    answer = estate.client().put("/api/v1/services/checkout", data=body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json["type"] == "/api/docs#problem-bad-request"


@pytest.mark.parametrize("body", ["[]", '"x"', "1", "null", '{"metadata": []}', '{"metadata": {"name": null}}'])
def test_a_body_of_another_shape_is_refused(estate: Estate, body: str) -> None:
    answer = estate.client().put("/api/v1/services/checkout", data=body, content_type="application/json")

    assert answer.status_code == 422


def test_a_body_over_256_kib_is_refused(estate: Estate) -> None:
    client, large = estate.client(), b" " * (256 * 1024 + 1)
    whole = client.put("/api/v1/services/checkout", data=large, content_type="application/json")
    measure = client.post("/api/v1/services/checkout/measure", data=large, content_type="application/json")

    assert [answer.status_code for answer in (whole, measure)] == [413, 413]
    assert whole.json["type"] == "/api/docs#problem-too-large"


def test_a_body_of_unsaid_length_is_read_up_to_256_kib_and_refused(estate: Estate) -> None:
    with estate.serving() as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        chunks = iter([b" " * 65_536] * 5)
        connection.request(
            "PUT", "/api/v1/services/checkout", chunks, {"Content-Type": "application/json"}, encode_chunked=True
        )
        answer = connection.getresponse()
        assert answer.status == 413
        connection.close()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
def test_a_body_that_is_not_said_to_be_json_is_refused(estate: Estate, kind: str | None) -> None:
    answer = estate.client().put("/api/v1/services/checkout", data=b"{}", content_type=kind)

    assert answer.status_code == 415


def renamed(name: str) -> dict[str, Any]:
    return {**CHECKOUT, "metadata": {**CHECKOUT["metadata"], "name": name}}
