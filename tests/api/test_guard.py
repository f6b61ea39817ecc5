"""Without sign-in only this machine is answered, under its own names, and no page of another site changes anything."""

from __future__ import annotations

import pytest

from tests.api.estate import Estate

PATHS = ["/api/v1/services", "/metrics", "/livez", "/badge/payments.svg", "/api/docs"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:9", "[::1]:8080", "[::1]"])
@pytest.mark.parametrize("path", PATHS)
def test_loopback_names_are_answered(measured: Estate, host: str, path: str) -> None:
    assert measured.client().get(path, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "10.0.0.1", "0.0.0.0", "[::1"]
)
@pytest.mark.parametrize("path", PATHS)
def test_a_rebound_name_is_refused(measured: Estate, host: str, path: str) -> None:
    assert measured.client().get(path, headers={"Host": host}).status_code == 421


def test_the_public_address_and_the_listening_name_are_ours(measured: Estate) -> None:
    measured.configure(
        SCORECARD__SERVER__PUBLIC_URL="https://scorecard.example.net",
        SCORECARD__SERVER__LISTEN="127.0.0.2:8080",
    )
    client = measured.client()

    for host, status in (("scorecard.example.net", 200), ("127.0.0.2:8080", 200), ("other.example.net", 421)):
        assert client.get("/api/v1/services", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "http://[bad"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(measured: Estate, headers: dict[str, str]) -> None:
    client = measured.client()

    for answer in (
        client.post("/api/v1/services/payments/measure", headers=headers),
        client.post("/api/v1/reload", headers=headers),
        client.delete("/api/v1/services/payments", headers=headers),
    ):
        assert answer.status_code == 403
        assert answer.json["type"] == "/api/docs#problem-forbidden-origin"
    assert not measured.measured


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]
)
def test_a_program_and_our_own_page_may(measured: Estate, headers: dict[str, str]) -> None:
    assert measured.client().post("/api/v1/services/payments/measure", headers=headers).status_code == 202


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
def test_what_a_form_can_send_needs_a_header_that_a_form_cannot(measured: Estate, kind: str) -> None:
    client, address = measured.client(), "/api/v1/services/payments/measure"

    assert client.post(address, content_type=kind, data=b"x").status_code == 415
    assert client.post(address, content_type=kind, data=b"x", headers={"X-Requested-With": "us"}).status_code == 202
