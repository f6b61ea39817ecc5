"""A secret in the definitions of AWS is found, and shows up nowhere: not in the store, the logs, the site, the API."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from scorecard.app import Running
from scorecard.demo.aws import Endpoint, serving
from scorecard.logging import configure
from tests.probes.aws import estate
from tests.probes.aws.estate import ACCOUNT, Clock, arn
from tests.test_canary import measured, stored

CANARY = "hunter2-C4naryQ7xZ9"
SERVICE, FUNCTION = arn("ecs", "service/production/shop"), arn("lambda", "function:shop")
BROKEN = arn("ecs", "service/production/broken")


def filled(endpoint: Endpoint) -> None:
    """One canary under each name and in each place that is read."""
    estate.tagged(endpoint, {one: {"Service": "shop"} for one in (SERVICE, FUNCTION, BROKEN)})
    services = [
        {"serviceArn": name, "serviceName": name[-4:], "status": "ACTIVE", "taskDefinition": f"{name}:1"}
        for name in (SERVICE, BROKEN)
    ]
    endpoint.on(ACCOUNT, "ecs:DescribeServices", {"services": services})
    environment = {
        "DB_PASSWORD": CANARY,
        "DATABASE_URL": f"postgres://shop:{CANARY}@db.example.net/shop",
        "PLAIN": CANARY,
        "SECRET_ARN": arn("secretsmanager", "secret:shop/db-AbCdEf"),
    }
    pairs = [{"name": name, "value": value} for name, value in environment.items()]
    container = {
        "name": "app",
        "environment": pairs,
        "command": ["serve", f"--password={CANARY}"],
        "logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": CANARY}},
    }
    endpoint.on(
        ACCOUNT, "ecs:DescribeTaskDefinition", lambda _given: {"taskDefinition": {"containerDefinitions": [container]}}
    )
    variables = {"API_TOKEN": CANARY, "OTHER": CANARY}
    one = {"FunctionName": "shop", "FunctionArn": FUNCTION, "Environment": {"Variables": variables}}
    endpoint.list(ACCOUNT, "lambda:ListFunctions", "Functions", [one])


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, io.StringIO, Path]]:
    estate.credentials(monkeypatch)
    endpoint = Endpoint(Clock())
    filled(endpoint)
    lines = io.StringIO()
    before = logging.getLogger().handlers[:]
    configure(stream=lines)
    with serving(endpoint) as url:
        (tmp_path / "key").write_text("a key of this installation, long enough to keep")
        (tmp_path / "services").mkdir()
        (tmp_path / "services" / "shop.yaml").write_text(
            f'metadata: {{name: shop}}\nspec: {{aws: {{account: "{ACCOUNT}", tags: {{Service: shop}}}}}}\n'
        )
        (tmp_path / "scorecard.yaml").write_text(
            f"probing: {{allow: [127.0.0.1/32], timeout: 2s}}\nauth: {{session_key_file: key}}\n"
            f"integrations: {{aws: [{{name: main, regions: [eu-west-1], endpoint_url: {url},"
            f' role: "arn:aws:iam::{{account}}:role/scorecard"}}]}}\n'
        )
        scorecard = Running(tmp_path / "scorecard.yaml", {})
        yield scorecard, lines, tmp_path
        scorecard.stop()
    logging.getLogger().handlers[:] = before


def test_a_secret_in_aws_is_found_by_its_name_and_its_value_is_in_no_store_page_or_log(
    running: tuple[Running, io.StringIO, Path],
) -> None:
    scorecard, lines, folder = running
    assert scorecard.live.outcome.problems == ()
    measured(scorecard)
    client = scorecard.flask.test_client()
    pages = (
        "/", "/services/shop", "/rows/secrets", "/rows/secrets-management", "/health", "/runs", "/services.csv",
        "/metrics",
        "/api/v1/services/shop", "/api/v1/services/shop/scorecard", "/api/v1/services/shop/history",
        "/api/v1/services/shop/scorecard?checklist=delivery-practices", "/services/shop?checklist=delivery-practices",
    )  # fmt: skip
    seen = {page: client.get(page, headers={"Host": "127.0.0.1"}).get_data(as_text=True) for page in pages}
    seen["the store"] = stored(folder / "scorecard.db")
    seen["the logs"] = lines.getvalue()

    # It was in reach, and was found: by name, place, kind and fingerprint.
    document = seen["/api/v1/services/shop/scorecard"]
    subjects = ("DB_PASSWORD, in ", "DATABASE_URL, in ", "API_TOKEN, in ", "splunk-token, in ")
    for words in (*subjects, "a password in plain text in ", "fingerprint"):
        assert words in document, words
    assert "DB_PASSWORD, in " in seen["/services/shop"]
    assert "splunk-token [redacted]" not in document
    delivery = seen["/services/shop?checklist=delivery-practices"]
    assert "level 1, plain variable: a literal password in task definition" in delivery
    assert "level 2, Secrets Manager: fetched at run time by SECRET_ARN" in delivery
    assert {place for place, text in seen.items() if CANARY in text} == set()
