"""`scorecard doctor` on Grafana: address, token, data sources, and the checks that would be unknown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scorecard.cli.doctor_grafana import examine
from scorecard.config import load_config
from scorecard.demo.pages import free_port
from tests.probes.grafana import estate
from tests.probes.grafana.estate import GOLDEN, TOKEN, Grafana, said, service, source

Examined = Callable[..., dict[str, tuple[str, bool | None]]]


@pytest.fixture
def examined(tmp_path: Path) -> Examined:
    """Subject to what is told of it."""

    def look(grafana: str = "", prometheus: str = "", token: str = TOKEN) -> dict[str, tuple[str, bool | None]]:
        (tmp_path / "token").write_text(token)
        lines = ["probing: {allow: [127.0.0.1]}", "integrations:"]
        if grafana:
            lines.append(f"  grafana: [{{name: main, url: '{grafana}', token_file: token, timeout: 2s}}]")
        lines.append(f"  prometheus: [{{name: main, url: '{prometheus or 'http://127.0.0.1:1'}', timeout: 2s}}]")
        file = tmp_path / "scorecard.yaml"
        file.write_text("\n".join(lines) + "\n")
        services = (service("payments", "golden"), service("ledger"), service("orders"))
        told = examine(load_config(file, {}), services, estate.utc())
        return {subject: (message, good) for subject, message, good in told}

    return look


def one_value(_request: object) -> object:
    return said(200, status="success", data={"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]})


def test_a_grafana_that_can_be_asked_says_how_each_data_source_is(examined: Examined) -> None:
    with estate.serving(one_value) as prometheus:  # type: ignore[arg-type]
        board = {**GOLDEN, "tags": ["service:orders"]}
        grafana = Grafana(prometheus, dashboards={"golden": board})
        grafana.sources.append(source("gone", "Gone", f"http://127.0.0.1:{free_port()}"))
        with estate.serving(grafana) as url:
            told = examined(url, prometheus)
    assert told["grafana/main"] == ("its token sees dashboards", True)
    assert told["grafana/main Prometheus"] == ("is asked directly, as prometheus/main, and answers", True)
    assert told["grafana/main Gone"][1] is False
    assert told["grafana/main Loki"][1] is None
    assert "dashboards/golden-signals" in told["ledger"][0]
    assert "orders" not in told
    assert "payments" not in told


def test_a_viewers_token_is_told_that_the_proxy_is_used(examined: Examined) -> None:
    with estate.serving(one_value) as prometheus:  # type: ignore[arg-type]
        grafana = Grafana(prometheus, dashboards={"golden": GOLDEN}, role="Viewer")
        with estate.serving(grafana) as url:
            told = examined(url, prometheus)
    assert told["grafana/main Prometheus"] == ("is asked by Grafana's proxy, and answers", True)


@pytest.mark.parametrize(
    ("fault", "token", "words"),
    [("", "wrong", "answered 401"), ("forbidden", TOKEN, "answered 403"), ("a login page", TOKEN, "answered 200")],
)
def test_a_token_that_may_not_search_is_broken_and_names_the_checks(
    examined: Examined, fault: str, token: str, words: str
) -> None:
    grafana = Grafana(faults={"/api/": fault} if fault else {})
    with estate.serving(grafana) as url:
        message, good = examined(url, token=token)["grafana/main"]
    assert (good, words in message, "dashboards/exists" in message) == (False, True, True)


def test_a_token_that_sees_nothing_is_told_what_it_lacks(examined: Examined) -> None:
    with estate.serving(Grafana()) as url:
        message, good = examined(url)["grafana/main"]
    assert (good, "dashboards:read" in message) == (None, True)


def test_without_a_grafana_each_service_that_names_no_dashboard_is_told(examined: Examined) -> None:
    assert set(examined()) == {"ledger", "orders"}
