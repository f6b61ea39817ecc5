"""The scorecard's own health: readiness is the store's, everything else is told and restarts nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from tests.api.estate import PAYMENTS, Estate, endpoints


def test_liveness_answers_whatever_the_store_does(measured: Estate, tmp_path: Path) -> None:
    (tmp_path / "scorecard.db").write_bytes(b"not a database, and long enough to be read as one" * 100)

    assert measured.client().get("/livez").json == {"status": "alive", "version": "9.9.9"}


def test_a_store_of_this_version_is_ready(measured: Estate) -> None:
    answer = measured.client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json["status"] == "ready"
    assert answer.json["checks"]["store"]["status"] == "ok"


def test_a_store_without_its_tables_is_not_ready(measured: Estate) -> None:
    with measured.store.db.write() as connection:
        connection.execute(text("delete from alembic_version"))
    answer = measured.client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json["status"] == "not ready"
    assert answer.json["checks"]["store"]["status"] == "trouble"


def test_a_process_that_was_told_to_end_is_not_ready(measured: Estate) -> None:
    measured.facts["stopping"] = True

    answer = measured.client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["process"]["message"] == "the process was told to end"


def test_a_late_scheduler_is_told_and_is_no_reason_to_restart(measured: Estate) -> None:
    measured.now += timedelta(hours=1)
    measured.facts |= {"beat_seconds_ago": 3600.0, "store_error": "disk full"}
    answer = measured.client().get("/readyz")

    assert answer.status_code == 200
    scheduler = answer.json["checks"]["scheduler"]
    assert scheduler["status"] == "trouble"
    assert "live is late, its last success was 2026-11-23 12:00 UTC" in scheduler["message"]
    assert "no beat for 3600 s" in scheduler["message"]
    assert "disk full" in scheduler["message"]


def test_a_refused_configuration_is_told_and_is_no_reason_to_restart(measured: Estate) -> None:
    measured.problems = ("scorecard.yaml:3: cadense: unknown key",)
    answer = measured.client().get("/readyz")

    assert answer.status_code == 200
    assert "scorecard.yaml:3" in answer.json["checks"]["configuration"]["message"]


def test_findings_that_expired_are_our_fault_and_are_told(measured: Estate) -> None:
    measured.now += timedelta(hours=49)
    measured.client().get("/api/v1/services")
    measured.store.forget()
    answer = measured.client().get("/readyz")

    assert answer.status_code == 200
    assert set(answer.json["checks"]) == {"store", "configuration", "scheduler", "sight"}


def test_health_endpoints_are_not_cached_and_carry_the_ids_of_the_request(measured: Estate) -> None:
    answer = measured.client().get("/readyz", headers={"X-Correlation-ID": "scorecard-1"})

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Correlation-ID"] == "scorecard-1"


def test_a_store_that_fails_is_a_503_in_the_api_and_nothing_is_made_up(measured: Estate) -> None:
    with measured.store.db.write() as connection:
        connection.execute(text("drop table summary"))
    answer = measured.client().get("/api/v1/services")

    assert answer.status_code == 503
    assert answer.json["type"] == "/api/docs#problem-not-ready"
    assert answer.headers["Retry-After"]


def test_a_badge_after_a_measurement_and_readiness_agree_on_the_instant(measured: Estate) -> None:
    measured.measure(PAYMENTS, endpoints())

    assert "2026-11-23" in measured.client().get("/badge/payments.svg").text
