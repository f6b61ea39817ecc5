"""The OpenAPI document is valid, committed, complete, and what the server really answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Response
from openapi_spec_validator import OpenAPIV31SpecValidator

from scorecard import __version__
from scorecard.api import OPERATIONS, openapi_document, scorecard_schema
from scorecard.api.problems import TYPES
from scorecard.model import ServiceKey, Waiver
from tests.api.estate import NOW, PAYMENTS, Estate, control, endpoints
from tests.api.test_registration import CHECKOUT

COMMITTED = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
REFERENCE = COMMITTED.with_name("api.md")


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    return openapi_document(__version__)


def test_it_is_valid_openapi_3_1(spec: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(spec).validate()


def test_the_committed_document_is_the_generated_one(spec: dict[str, Any]) -> None:
    assert json.loads(COMMITTED.read_text()) == spec, "python -m scorecard openapi > docs/reference/openapi.json"


def test_every_route_is_described_and_every_description_has_a_route(estate: Estate, spec: dict[str, Any]) -> None:
    routed = {
        (str(rule).replace("<", "{").replace(">", "}"), method)
        for rule in estate.flask.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.nothing"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method.upper()) for path, methods in spec["paths"].items() for method in methods}

    assert routed == described


def test_every_operation_has_a_name_of_its_own_a_summary_and_described_parameters(spec: dict[str, Any]) -> None:
    operations = [entry for methods in spec["paths"].values() for entry in methods.values()]

    assert len({entry["operationId"] for entry in operations}) == len(operations)
    for entry in operations:
        assert entry["summary"].endswith("."), entry["operationId"]
        for parameter in entry["parameters"]:
            assert parameter["description"], (entry["operationId"], parameter["name"])


def test_the_public_paths_are_there(spec: dict[str, Any]) -> None:
    promised = {
        "/livez",
        "/readyz",
        "/badge/{name}.svg",
        "/api/v1/services",
        "/api/v1/services/{name}",
        "/api/v1/services/{name}/scorecard",
        "/api/v1/services/{name}/history",
        "/api/v1/services/{name}/diff",
        "/api/v1/services/{name}/gate",
        "/api/v1/services/{name}/measure",
        "/api/v1/checklists",
        "/api/v1/rows",
        "/api/v1/teams",
        "/api/v1/runs",
        "/api/v1/waivers",
        "/api/v1/reload",
        "/api/openapi.json",
        "/api/docs",
    }

    assert promised <= set(spec["paths"])


def test_every_operation_and_problem_is_in_the_reference() -> None:
    text = REFERENCE.read_text()

    for entry in OPERATIONS:
        assert f"`{entry.method} {entry.path}`" in text, entry.path
    for kind in TYPES:
        assert f"`{kind}`" in text, kind


def answers(estate: Estate) -> Iterator[tuple[str, str, Response]]:
    """Live answers of all kinds: (path in the document, method, answer)."""
    client = estate.client()
    service = "/api/v1/services/{name}"
    for path, address in (
        ("/livez", "/livez"),
        ("/readyz", "/readyz"),
        ("/api/v1/services", "/api/v1/services"),
        ("/api/v1/services", "/api/v1/services?limit=1"),
        ("/api/v1/services", "/api/v1/services?nonsense=1"),
        (service, "/api/v1/services/payments"),
        (service, "/api/v1/services/checkout"),
        (service, "/api/v1/services/nobody"),
        (f"{service}/scorecard", "/api/v1/services/payments/scorecard"),
        (f"{service}/scorecard", "/api/v1/services/ledger/scorecard"),
        (f"{service}/scorecard", "/api/v1/services/payments/scorecard?at=2026-11-23T12:00:30Z"),
        (f"{service}/scorecard", "/api/v1/services/payments/scorecard?checklist=delivery-practices"),
        (f"{service}/history", "/api/v1/services/payments/history"),
        (f"{service}/diff", "/api/v1/services/payments/diff?from=2026-11-23T12:00:30Z"),
        (f"{service}/gate", "/api/v1/services/payments/gate"),
        (f"{service}/gate", "/api/v1/services/ledger/gate"),
        (f"{service}/gate", "/api/v1/services/nobody/gate"),
        ("/api/v1/checklists", "/api/v1/checklists"),
        ("/api/v1/checklists/{name}", "/api/v1/checklists/delivery-practices"),
        ("/api/v1/rows", "/api/v1/rows?limit=200"),
        ("/api/v1/rows/{row}", "/api/v1/rows/health-endpoints"),
        ("/api/v1/teams", "/api/v1/teams"),
        ("/api/v1/runs", "/api/v1/runs?limit=1"),
        ("/api/v1/runs/{id}", "/api/v1/runs/1"),
        ("/api/v1/runs/{id}", "/api/v1/runs/x"),
        ("/api/v1/waivers", "/api/v1/waivers"),
        ("/api/openapi.json", "/api/openapi.json"),
    ):
        yield path, "get", client.get(address)
    yield f"{service}/measure", "post", client.post("/api/v1/services/payments/measure")
    yield f"{service}/measure", "post", client.post("/api/v1/services/payments/measure", headers={"Origin": "null"})
    yield "/api/v1/reload", "post", client.post("/api/v1/reload")
    yield service, "put", client.put("/api/v1/services/checkout", json=CHECKOUT)
    yield service, "put", client.put("/api/v1/services/payments", json={})
    yield service, "put", client.put("/api/v1/services/other", data=b"{", content_type="application/json")
    yield service, "put", client.put("/api/v1/services/other", data=b"{", content_type="text/plain")


@pytest.fixture
def full(measured: Estate) -> Estate:
    """Passing, failing, waived, expired, registered by hand."""
    measured.client().put("/api/v1/services/checkout", json=CHECKOUT)
    for _ in range(3):
        measured.now = measured.now.replace(minute=measured.now.minute + 1)
        measured.measure(PAYMENTS, endpoints(500), control())
    document = measured.client().get("/api/v1/services/payments/scorecard").json
    assert document is not None
    failing = next(check for check in document["rows"][2]["checks"] if check["fingerprint"])
    measured.store.grant(
        Waiver(
            id=0,
            service=ServiceKey("payments"),
            row="health-endpoints",
            check=failing["id"],
            fingerprint=failing["fingerprint"],
            reason="moves to the new cluster this week",
            requested_by="ana",
            approved_by="ben",
            approved_at=NOW,
            expires_at=NOW.replace(day=30),
        )
    )
    return measured


def test_every_live_answer_fits_the_schema_of_its_status(full: Estate, spec: dict[str, Any]) -> None:
    statuses = set()
    for path, method, answer in answers(full):
        declared = spec["paths"][path][method]["responses"]
        assert str(answer.status_code) in declared, (method, path, answer.status_code)
        content = declared[str(answer.status_code)]["content"]
        assert answer.mimetype in content, (path, answer.mimetype)
        schema = {**content[answer.mimetype]["schema"], "components": spec["components"]}
        validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        validator.validate(json.loads(answer.data))
        statuses.add(answer.status_code)

    assert statuses == {200, 202, 400, 403, 404, 415, 422}


def test_a_waived_failure_is_shown_with_its_waiver(full: Estate) -> None:
    client = full.client()
    document = client.get("/api/v1/services/payments/scorecard").json
    waivers = client.get("/api/v1/waivers").json

    assert document is not None
    assert waivers is not None
    assert document["rows"][2]["waiver"].startswith("waived until 2026-11-30")
    assert waivers["items"][0]["active"] is True
    assert waivers["items"][0]["service"] == "payments"


def test_documents_of_the_store_fit_the_published_schema(full: Estate) -> None:
    validator = jsonschema.Draft202012Validator(scorecard_schema(), format_checker=jsonschema.FormatChecker())

    for key in ("payments", "ledger", "checkout"):
        for checklist in full.store.checklists:
            document = full.store.document(ServiceKey(key), checklist, full.now)
            assert document is not None
            validator.validate(json.loads(json.dumps(document)))
    past = full.store.document(ServiceKey("payments"), "production-readiness", full.now, NOW)
    validator.validate(json.loads(json.dumps(past)))


def test_the_schema_refuses_a_document_that_lost_a_key_or_gained_one(full: Estate) -> None:
    document = full.store.document(ServiceKey("payments"), "production-readiness", full.now)
    assert document is not None
    for wrong in ({**document, "rank": 3}, {k: v for k, v in document.items() if k != "coverage"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, scorecard_schema())


@pytest.mark.parametrize("path", ["/api/docs", "/api/v1/services", "/badge/payments.svg", "/api/none", "/livez"])
def test_a_browser_runs_nothing_and_guesses_nothing(measured: Estate, path: str) -> None:
    headers = measured.client().get(path).headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


# --- the small print of HTTP -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/api/v1/services", "/api/v1/rows/adrs", "/api/openapi.json", "/api/docs", "/api/docs.css"]
)
def test_an_answer_that_is_known_already_is_304(measured: Estate, path: str) -> None:
    client = measured.client()
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": f'"other", {first.headers["ETag"]}'})

    assert first.status_code == 200
    assert (again.status_code, again.data) == (304, b"")
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "TRACE", "QUERY"])
def test_a_method_that_is_none_here_is_a_problem_that_says_which_are(measured: Estate, method: str) -> None:
    answer = measured.client().open("/api/v1/services", method=method)

    assert answer.status_code == 405
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_an_address_that_is_none_is_a_problem(measured: Estate) -> None:
    answer = measured.client().get("/api/v2/services")

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


def test_a_bug_is_a_problem_without_its_inner_life(measured: Estate) -> None:
    measured.store.teams = None  # type: ignore[method-assign, assignment]
    answer = measured.client().get("/api/v1/teams", headers={"X-Correlation-ID": "c-7"})

    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert "c-7" in answer.text
    assert "NoneType" not in answer.text


def test_a_refused_reload_is_told_with_its_problems(measured: Estate) -> None:
    measured.outcome.successful = False
    measured.outcome.problems = ("scorecard.yaml:3: cadense: unknown key",)

    answer = measured.client().post("/api/v1/reload")
    assert answer.json == {"successful": False, "problems": ["scorecard.yaml:3: cadense: unknown key"]}


def test_the_page_is_made_from_the_document_and_asks_nothing_of_another_host(
    measured: Estate, spec: dict[str, Any]
) -> None:
    text = measured.client().get("/api/docs").text

    for path, methods in spec["paths"].items():
        for entry in methods.values():
            assert f'id="{entry["operationId"]}"' in text, path
    assert "curl -s" in text
    assert "<script" not in text
    assert "style=" not in text
    assert 'src="' not in text
    assert 'href="http' not in text
