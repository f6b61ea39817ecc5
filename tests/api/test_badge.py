"""The badge prints score, level and date, goes grey when it is stale, and is never cached without asking."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest

from scorecard.model import Service
from tests.api.estate import Estate

GREY = "#5a5f66"


def test_it_prints_score_level_and_date(measured: Estate) -> None:
    answer = measured.client().get("/badge/payments.svg")

    assert answer.mimetype == "image/svg+xml"
    assert ">11 unknown · 2026-11-23<" in answer.text
    assert "<title>payments: 11 unknown" in answer.text


def test_past_its_age_it_is_grey_and_says_stale(measured: Estate) -> None:
    measured.now += timedelta(minutes=16)
    answer = measured.client().get("/badge/payments.svg")

    assert ">stale · 0 unknown · 2026-11-23<" in answer.text
    assert f'height="20" rx="3" fill="{GREY}"' in answer.text


def test_a_service_never_measured_has_a_grey_badge(measured: Estate) -> None:
    answer = measured.client().get("/badge/ledger.svg")

    assert answer.status_code == 200
    assert ">not measured<" in answer.text
    assert GREY in answer.text


@pytest.mark.parametrize("name", ["nobody", "%3Cscript%3E", "a" * 200, "..%2f", "x&amp;y"])
def test_a_name_that_nobody_registered_has_a_grey_badge_and_is_not_found(measured: Estate, name: str) -> None:
    answer = measured.client().get(f"/badge/{name}.svg")

    assert answer.status_code == 404
    if answer.mimetype == "image/svg+xml":
        assert ">not registered<" in answer.text
        assert "<script" not in answer.text
        ET.fromstring(answer.data)  # noqa: S314 - our own


def test_it_is_asked_for_again_each_time_and_answered_with_304(measured: Estate) -> None:
    client = measured.client()
    first = client.get("/badge/payments.svg")
    again = client.get("/badge/payments.svg", headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "no-cache"
    assert (again.status_code, again.data) == (304, b"")
    measured.now += timedelta(minutes=16)
    changed = client.get("/badge/payments.svg", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


def test_another_environment_has_a_badge_of_its_own(measured: Estate) -> None:
    measured.sync(Service(name="payments"), Service(name="payments", environment="staging"))
    client = measured.client()

    assert ">not measured<" in client.get("/badge/payments.svg?environment=staging").text
    assert client.get("/badge/payments.svg?environment=moon").status_code == 404


def test_it_asks_nothing_of_another_host(measured: Estate) -> None:
    text = measured.client().get("/badge/payments.svg").text

    assert text.count("http") == 1
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
