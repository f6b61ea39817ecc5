"""The operations on services: lists, scorecards at any instant, history, differences, the gate, measuring again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scorecard.model import Level, Lifecycle, Service, ServiceKey
from scorecard.store.views import DayScore
from tests.api.estate import LEDGER, NOW, PAYMENTS, Estate, control, endpoints


def names(estate: Estate, query: str) -> list[str]:
    answer = estate.client().get(f"/api/v1/services?{query}")
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json["items"]]


# --- lists -----------------------------------------------------------------------------------------------------------


def test_an_item_carries_the_promised_keys_and_a_service_never_measured_has_no_score(measured: Estate) -> None:
    answer = measured.client().get("/api/v1/services").json

    ledger, payments = answer["items"]
    assert answer["total"] == 2
    assert answer["next"] is None
    assert ledger["name"] == "ledger"
    assert ledger["score"] is None
    assert ledger["taken_at"] is None
    assert payments["score"] == 11.3
    assert payments["taken_at"] == "2026-11-23T12:00:00Z"
    promised = {"name", "environment", "team", "tier", "score", "score_upper", "coverage", "level", "taken_at"}
    assert promised <= set(payments)
    assert payments["rows"]["health-endpoints"] == "warn"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=pay", ["payments"]),
        ("q=LEDGER", ["ledger"]),
        ("team=ledger-team", ["ledger"]),
        ("tier=tier-1", ["payments"]),
        ("environment=staging", []),
        ("lifecycle=deprecated", []),
        ("row=health-endpoints&status=warn", ["payments"]),
        ("row=health-endpoints&status=fail", []),
        ("status=warn", ["payments"]),
        ("level=unknown", ["ledger", "payments"]),
        ("level=ready", []),
        ("level=below", ["payments"]),
        ("measured=yes", ["payments"]),
        ("measured=no", ["ledger"]),
        ("score=11.3-", ["payments"]),
        ("score=-11.3", []),
        ("score=10-20", ["payments"]),
        ("score=0-10", []),
        ("score=%3C12", ["payments"]),
        ("score=90-100", []),
        ("score_from=11.3", ["payments"]),
        ("score_below=11.3", []),
        ("score_from=5&score=0-100", ["payments"]),
        ("stale=false", ["ledger", "payments"]),
        ("stale=true", []),
        ("sort=-name", ["payments", "ledger"]),
        ("checklist=delivery-practices&sort=name", ["ledger", "payments"]),
    ],
)
def test_a_filter_of_the_site_filters_the_list(measured: Estate, query: str, expected: list[str]) -> None:
    assert names(measured, query) == expected


@pytest.mark.parametrize(
    ("query", "loc"),
    [
        ("colour=red", "colour"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=%2B5", "limit"),
        ("sort=rank", "sort"),
        ("level=great", "level"),
        ("score=a-b", "score"),
        ("score=-", "score"),
        ("score_from=nan", "score_from"),
        ("stale=maybe", "stale"),
        ("q=%00", "q"),
        ("q=a&q=b", "q"),
        ("team=Payments", "team"),
    ],
)
def test_a_parameter_that_is_none_is_refused_with_its_place(measured: Estate, query: str, loc: str) -> None:
    answer = measured.client().get(f"/api/v1/services?{query}")

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.json["type"] == "/api/docs#problem-invalid"
    assert answer.json["errors"][0]["loc"] == ["query", loc]


@pytest.mark.parametrize("query", ["checklist=no-such", "row=no-such-row"])
def test_a_filter_that_names_nothing_is_not_found(measured: Estate, query: str) -> None:
    assert measured.client().get(f"/api/v1/services?{query}").status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/services?after=xyz",
        "/api/v1/services?after=WzEuMF0",
        "/api/v1/services/payments/history?after=xyz",
        "/api/v1/rows?after=no-such-row",
        "/api/v1/checklists?after=x",
    ],
)
def test_a_cursor_that_no_page_gave_is_refused_with_its_place(measured: Estate, address: str) -> None:
    answer = measured.client().get(address)

    assert answer.status_code == 404, answer.text
    assert answer.json["errors"][0]["loc"] == ["query", "after"]
    assert "is not a cursor of this list" in answer.json["detail"]


def test_a_service_listed_on_another_checklist_has_the_verdict_of_the_gate_s_own(measured: Estate) -> None:
    client = measured.client()

    listed = client.get("/api/v1/services?checklist=delivery-practices&q=payments").json["items"][0]
    assert listed["checklist"] == "delivery-practices"
    assert listed["verdict"] == client.get("/api/v1/services/payments/gate").json["verdict"] == "cannot-tell"
    [never] = client.get("/api/v1/services?checklist=delivery-practices&q=ledger").json["items"]
    assert never["verdict"] is None
    now = {"checklist": "delivery-practices", "from": measured.now.isoformat()}
    difference = client.get("/api/v1/services/payments/diff", query_string=now).json
    assert difference["to"]["checklist"]["name"] == "delivery-practices"
    assert (difference["from"]["verdict"], difference["to"]["verdict"]) == ("cannot-tell", "cannot-tell")


def test_days_that_the_demo_made_up_are_marked_and_have_no_document(estate: Estate) -> None:
    demo = Service(name="demo", origin="demo")
    estate.sync(demo)
    then = estate.now - timedelta(days=5)
    made_up = DayScore(day=then.date(), score=50.0, score_upper=60.0, coverage=70.0, level=Level.NOT_READY)
    estate.store.seed(demo.key, "production-readiness", [made_up], [])
    client = estate.client()

    days = client.get("/api/v1/services/demo/history").json["days"]
    assert [(each["day"], each["simulated"]) for each in days] == [(str(then.date()), True)]
    answer = client.get("/api/v1/services/demo/scorecard", query_string={"at": then.isoformat()})
    assert answer.status_code == 404
    assert "a simulated day has no document" in answer.json["detail"]
    other = client.get("/api/v1/services/demo/scorecard", query_string={"at": (then - timedelta(days=9)).isoformat()})
    assert "simulated" not in other.json["detail"]


def test_pages_follow_one_another_without_a_gap_or_a_double(estate: Estate) -> None:
    estate.sync(*(Service(name=f"service-{number}") for number in range(7)))
    client, seen, address = estate.client(), [], "/api/v1/services?limit=3&sort=name"
    for _ in range(5):
        answer = client.get(address)
        seen += [item["name"] for item in answer.json["items"]]
        assert answer.json["total"] == 7
        if answer.json["next"] is None:
            assert "Link" not in answer.headers
            break
        address, _, relation = answer.headers["Link"].partition("; ")
        address = address.strip("<>")
        assert relation == 'rel="next"'
        assert "limit=3" in address

    assert seen == [f"service-{number}" for number in range(7)]


# --- scorecards ------------------------------------------------------------------------------------------------------


def test_the_scorecard_is_told_as_of_now_and_says_expired_once_it_is_too_old(measured: Estate) -> None:
    client = measured.client()
    before = client.get("/api/v1/services/payments/scorecard").json
    measured.now += timedelta(hours=49)
    after = client.get("/api/v1/services/payments/scorecard").json

    assert before["rows"][2]["status"] == "warn"
    assert after["rows"][2]["status"] == "unknown"
    assert next(check["cause"] for check in after["rows"][2]["checks"] if check["id"] == "liveness") == "expired"
    assert after["score"] == 0.0
    assert after["coverage"] == 0.0


def test_a_past_instant_is_answered_as_it_was(measured: Estate) -> None:
    then = measured.now
    for _ in range(3):
        measured.now += timedelta(minutes=1)
        measured.measure(PAYMENTS, endpoints(500), control())
    client = measured.client()

    now = client.get("/api/v1/services/payments/scorecard").json
    past = client.get("/api/v1/services/payments/scorecard", query_string={"at": then.isoformat()}).json
    assert now["rows"][2]["status"] == "fail"
    assert past["rows"][2]["status"] == "warn"
    assert past["score"] == 11.3


def test_an_instant_before_the_first_measurement_is_not_found_and_one_in_the_future_refused(measured: Estate) -> None:
    client = measured.client()
    soon = (measured.now + timedelta(seconds=30)).isoformat()

    early = client.get("/api/v1/services/payments/scorecard?at=2020-01-01T00:00:00Z")
    late = client.get("/api/v1/services/payments/scorecard?at=2100-01-01T00:00:00%2B10:00")
    assert early.status_code == 404
    assert "had not been measured" in early.json["detail"]
    assert late.status_code == 404
    assert late.json["errors"][0]["loc"] == ["query", "at"]
    assert late.json["detail"].startswith("query.at: 2099-12-31T14:00:00Z is in the future: now is 2026-")
    near = client.get("/api/v1/services/payments/scorecard", query_string={"at": soon}).json
    assert near == client.get("/api/v1/services/payments/scorecard").json, "a caller's clock may be ahead a little"


@pytest.mark.parametrize("at", ["yesterday", "1700000000", "2026-11-23", "2026-11-23T12:00:00"])
def test_an_instant_that_is_not_rfc_3339_with_its_zone_is_refused(measured: Estate, at: str) -> None:
    answer = measured.client().get("/api/v1/services/payments/scorecard", query_string={"at": at})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["loc"] == ["query", "at"]


def test_another_checklist_and_another_environment_can_be_asked_for(measured: Estate) -> None:
    client = measured.client()

    other = client.get("/api/v1/services/payments/scorecard?checklist=delivery-practices").json
    assert other["checklist"]["name"] == "delivery-practices"
    assert client.get("/api/v1/services/payments/scorecard?environment=staging").status_code == 404
    assert client.get("/api/v1/services/payments/scorecard?checklist=none").status_code == 404


def test_a_former_name_leads_to_the_service(measured: Estate) -> None:
    measured.sync(Service(name="money", formerly=("payments",)), LEDGER)

    assert measured.client().get("/api/v1/services/payments/scorecard").json["service"] == "money"


# --- history, differences --------------------------------------------------------------------------------------------


def test_history_has_days_and_changes_newest_first_in_pages(measured: Estate) -> None:
    measured.now += timedelta(days=1)
    measured.measure(PAYMENTS, endpoints(500), control())
    client = measured.client()

    first = client.get("/api/v1/services/payments/history?limit=2")
    assert [day["day"] for day in first.json["days"]] == ["2026-11-23", "2026-11-24"]
    assert len(first.json["items"]) == 2
    second = client.get(first.headers["Link"].partition(">")[0].strip("<"))
    ids = [item["id"] for item in first.json["items"] + second.json["items"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == len(ids)
    assert all(item["cause"] for item in first.json["items"])


def test_a_difference_lists_the_rows_that_moved_and_why(measured: Estate) -> None:
    then = measured.now
    measured.now += timedelta(hours=1)
    for _ in range(3):
        measured.now += timedelta(minutes=1)
        measured.measure(PAYMENTS, endpoints(500), control())

    answer = (
        measured.client()
        .get("/api/v1/services/payments/diff", query_string={"from": then.isoformat(), "to": measured.now.isoformat()})
        .json
    )
    assert answer["from"]["score"] == 11.3
    assert answer["to"]["score"] == 0.0
    assert {"row": "health-endpoints", "before": "warn", "after": "fail"} in answer["rows"]
    causes = {change["cause"] for change in answer["changes"] if change["row"] == "health-endpoints"}
    assert "service" in causes


def test_a_difference_needs_one_instant_and_takes_two_in_either_order(measured: Estate) -> None:
    client, then = measured.client(), NOW.isoformat()
    measured.now += timedelta(minutes=2)
    later = measured.now.isoformat()

    assert client.get("/api/v1/services/payments/diff").json["errors"][0]["loc"] == ["query", "from"]
    forward = client.get("/api/v1/services/payments/diff", query_string={"from": then, "to": later}).json
    backward = client.get("/api/v1/services/payments/diff", query_string={"from": later, "to": then}).json
    assert forward == backward


# --- the gate --------------------------------------------------------------------------------------------------------


def test_the_gate_says_verdict_reasons_and_exit_code(measured: Estate) -> None:
    answer = measured.client().get("/api/v1/services/payments/gate").json

    assert answer["verdict"] == "cannot-tell"
    assert answer["exit_code"] == 3
    assert answer["reasons"]


def test_the_gate_says_no_once_a_required_check_failed(measured: Estate) -> None:
    for _ in range(3):
        measured.now += timedelta(minutes=1)
        measured.measure(PAYMENTS, endpoints(500), control())

    answer = measured.client().get("/api/v1/services/payments/gate").json
    assert answer["verdict"] == "no-go"
    assert answer["exit_code"] == 1


@pytest.mark.parametrize("address", ["/api/v1/services/nobody/gate", "/api/v1/services/payments/gate?environment=moon"])
def test_the_gate_of_what_is_not_registered_cannot_tell_and_is_no_success(measured: Estate, address: str) -> None:
    answer = measured.client().get(address)

    assert answer.status_code == 404
    assert answer.json["type"] == "/api/docs#problem-not-registered"
    assert answer.json["verdict"] == "cannot-tell"
    assert answer.json["exit_code"] == 3


def test_a_service_never_measured_cannot_be_told_of(measured: Estate) -> None:
    answer = measured.client().get("/api/v1/services/ledger/gate").json

    assert answer["verdict"] == "cannot-tell"


# --- measuring again -------------------------------------------------------------------------------------------------


def test_measuring_is_planned_and_can_be_followed(measured: Estate) -> None:
    client = measured.client()
    answer = client.post("/api/v1/services/payments/measure?row=health-endpoints")

    assert answer.status_code == 202
    assert measured.measured == [(ServiceKey("payments"), "health-endpoints", "api")]
    run = client.get(answer.headers["Location"]).json
    assert run["cadence"] == "on-demand"
    assert run["state"] == "running"
    assert run == answer.json


def test_the_same_idempotency_key_measures_once_and_another_request_may_not_use_it(measured: Estate) -> None:
    client, key = measured.client(), {"Idempotency-Key": "deploy-1"}
    first = client.post("/api/v1/services/payments/measure", headers=key)
    again = client.post("/api/v1/services/payments/measure", headers=key)
    other = client.post("/api/v1/services/ledger/measure", headers=key)

    assert len(measured.measured) == 1
    assert (again.status_code, again.json, again.headers["Location"]) == (202, first.json, first.headers["Location"])
    assert other.status_code == 409
    measured.now += timedelta(hours=25)
    assert client.post("/api/v1/services/payments/measure", headers=key).status_code == 202
    assert len(measured.measured) == 2


def test_a_refused_request_does_not_use_its_key_up(measured: Estate) -> None:
    client, key = measured.client(), {"Idempotency-Key": "k"}

    assert client.post("/api/v1/services/nobody/measure", headers=key).status_code == 404
    assert client.post("/api/v1/services/payments/measure", headers=key).status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_idempotency_key_that_is_none_is_refused(measured: Estate, key: str) -> None:
    answer = measured.client().post("/api/v1/services/payments/measure", headers={"Idempotency-Key": key})

    assert answer.status_code == 422
    assert not measured.measured


def test_what_is_not_there_cannot_be_measured(measured: Estate) -> None:
    client = measured.client()

    assert client.post("/api/v1/services/nobody/measure").status_code == 404
    assert client.post("/api/v1/services/payments/measure?row=no-such-row").status_code == 404
    assert not measured.measured


def test_deprecated_services_are_found_by_their_lifecycle(estate: Estate) -> None:
    estate.sync(Service(name="old", lifecycle=Lifecycle.DEPRECATED), Service(name="new"))

    assert names(estate, "lifecycle=deprecated") == ["old"]
