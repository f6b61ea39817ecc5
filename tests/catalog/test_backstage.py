"""Backstage: entities from files and from a server on loopback, and what our own annotations add to them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scorecard.catalog import Catalog, Live, load_catalog
from scorecard.config import load_config
from scorecard.model import Lifecycle, ServiceKey, ServiceType

NOW = datetime(2026, 11, 24, tzinfo=UTC)

ENTITY = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: Order_Service
  description: Takes orders.
  annotations:
    github.com/project-slug: example/orders
    scorecard.readiness/tier: tier-1
    scorecard.readiness/type: worker
    scorecard.readiness/stateless: "true"
    scorecard.readiness/url: https://orders.example.org
    scorecard.readiness/health.liveness: /livez
    scorecard.readiness/aws.account: "111122223333"
    scorecard.readiness/alerts: '[{prometheus: {matchers: {service: orders}}}]'
    scorecard.readiness/environments: '{staging: {url: "https://orders.staging.example.org"}}'
  links: [{url: https://wiki.example.org/orders, icon: docs}, {url: https://x.example.org, title: X}]
spec:
  type: service
  lifecycle: production
  owner: group:default/Orders_Team
  system: shop
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata:
  name: Orders_Team
  annotations: {scorecard.readiness/timezone: Europe/Berlin, scorecard.readiness/channel: "#orders"}
spec: {type: team, parent: group:default/shop, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata: {name: shop}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: some-library}
spec: {type: library, lifecycle: production, owner: orders-team}
"""


def load_files(directory: Path, text: str) -> Catalog:
    (directory / "repos/orders").mkdir(parents=True)
    (directory / "repos/orders/catalog-info.yaml").write_text(text)
    (directory / "scorecard.yaml").write_text("catalog: [{files: 'repos/**/catalog-info.yaml'}]\n")
    return load_catalog(load_config(directory / "scorecard.yaml", {}), now=NOW)


def test_a_component_becomes_a_service_and_a_group_a_team(tmp_path: Path) -> None:
    catalog = load_files(tmp_path, ENTITY)
    assert catalog.problems == ()
    service, staging = catalog.services
    assert (service.name, service.team, service.tier) == ("order-service", "orders-team", "tier-1")
    assert (service.type, service.stateless, service.lifecycle) == (ServiceType.WORKER, True, Lifecycle.PRODUCTION)
    assert [link.title for link in service.links] == ["https://wiki.example.org/orders", "X"]
    assert (service.spec.url, service.spec.health.liveness) == ("https://orders.example.org", "/livez")
    assert service.spec.aws is not None
    assert service.spec.aws.account == "111122223333"
    assert service.spec.alerts[0].prometheus is not None
    assert staging.key == ServiceKey("order-service", "staging")
    (team,) = catalog.teams
    assert (team.name, team.parent, team.timezone, team.channel) == ("orders-team", "shop", "Europe/Berlin", "#orders")


def test_a_value_says_the_line_of_its_annotation_as_its_origin(tmp_path: Path) -> None:
    effective = load_files(tmp_path, ENTITY).effective(ServiceKey("order-service"))
    assert effective is not None
    origins = {setting.key: setting.origin.rpartition(":")[2] for setting in effective.settings()}
    assert (origins["metadata.name"], origins["metadata.team"]) == ("4", "20")
    assert (origins["metadata.tier"], origins["spec.health.liveness"], origins["spec.alerts"]) == ("8", "12", "14")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("scorecard.readiness/teir: a", "7: metadata.annotations.scorecard.readiness/teir: unknown key"),
        ("scorecard.readiness/type: wbe", "`wbe` is not one of web"),
        ("scorecard.readiness/url: nowhere", "scorecard.readiness/url: an absolute http"),
        ("scorecard.readiness/alerts: '['", "scorecard.readiness/alerts: not YAML"),
        ("scorecard.readiness/aws: '{account: 111122223333}'", "aws.account: text is expected"),
        ("scorecard.readiness/health: text", "scorecard.readiness/health: a mapping is expected"),
    ],
)
def test_a_bad_annotation_is_said_at_its_line(tmp_path: Path, line: str, said: str) -> None:
    text = (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: a\n  title: A\n  annotations:\n"
        f"    {line}\nspec: {{type: service, lifecycle: production, owner: t}}\n"
    )
    catalog = load_files(tmp_path, text)
    assert catalog.services == ()
    assert catalog.problems[0].line == 7
    assert said in str(catalog.problems[0])


def test_a_lifecycle_of_ones_own_is_said_at_its_line(tmp_path: Path) -> None:
    text = ENTITY.replace("lifecycle: production\n", "lifecycle: producton\n")
    assert "19: spec.lifecycle: `producton` is not one of" in str(load_files(tmp_path, text).problems[0])


Answer = Callable[[dict[str, list[str]]], tuple[int, bytes]]


class Server:
    """A Backstage server on loopback whose answers a test sets."""

    def __init__(self) -> None:
        self.entities: list[Any] = []
        self.answer: Answer = self._page
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                outer.asked.append((parts.path, query, self.headers.get("Authorization", "")))
                status, body = outer.answer(query)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if status == 302:
                    self.send_header("Location", "/login")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _page(self, query: dict[str, list[str]]) -> tuple[int, bytes]:
        start, size = int(query["offset"][0]), int(query["limit"][0])
        return 200, json.dumps(self.entities[start : start + size]).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def component(name: str, **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": "x",
            "etag": "y",
            "annotations": {f"scorecard.readiness/{key}": value for key, value in annotations.items()},
        },
        "spec": {"type": "service", "lifecycle": "production", "owner": "core"},
        "relations": [],
    }


def live_of(server: Server, directory: Path) -> Live:
    (directory / "token").write_text("CANARY\n")
    text = (
        f"catalog: [{{backstage: {{url: {server.url}, token_file: token, timeout: 2s}}}}]\n"
        "probing: {allow: [127.0.0.1]}\n"
    )
    (directory / "scorecard.yaml").write_text(text)
    read = load_catalog
    return Live(directory / "scorecard.yaml", {}, read=lambda config, now: read(config, now=now), now=NOW)


def test_every_page_of_a_server_is_read_with_its_token(server: Server, tmp_path: Path) -> None:
    server.entities = [component(f"s-{number}") for number in range(1001)]
    live = live_of(server, tmp_path)
    assert live.outcome.problems == ()
    assert len(live.catalog.services) == 1001
    assert [query["offset"] for _, query, _ in server.asked] == [["0"], ["500"], ["1000"]]
    assert server.asked[0][0] == "/api/catalog/entities"
    assert server.asked[0][1]["filter"] == ["kind=component", "kind=group"]
    assert {token for _, _, token in server.asked} == {"Bearer CANARY"}


def test_what_a_server_registers_cannot_make_the_scorecard_read_its_own_files(server: Server, tmp_path: Path) -> None:
    server.entities = [
        component("a", repositories="[{url: /etc}]"),
        component("b", logs="{file: {path: /etc/passwd}}"),
        component("c", backups="[{resource: /var/backups}]"),
        component("d", infrastructure="{state: /root/x.tfstate}"),
        component("e", repositories="[{url: 'file:///etc'}]"),
        component("good", repositories="[{url: 'https://github.com/a/b'}]"),
    ]
    live = live_of(server, tmp_path)
    assert [service.name for service in live.catalog.services] == ["good"]
    assert len(live.outcome.problems) == 5
    assert all("its own catalogue files only" in problem.message for problem in live.outcome.problems)
    assert live.outcome.problems[0].file == f"{server.url}#component:default/a"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, b"{}"), "answered 500"),
        ((401, b"{}"), "answered 401"),
        ((302, b""), "answered 302"),
        ((200, b"<html>"), "not JSON"),
        ((200, b'{"items": []}'), "a list of entities is expected"),
        ((200, b"[" * 100_000), "not JSON"),
    ],
)
def test_a_server_that_does_not_answer_well_keeps_its_services_as_they_were(
    server: Server, tmp_path: Path, answer: tuple[int, bytes], said: str
) -> None:
    server.entities = [component("a")]
    live = live_of(server, tmp_path)
    server.answer = lambda _query: answer
    outcome = live.reload(NOW)
    assert said in outcome.problems[0].message
    assert outcome.problems[0].file == server.url
    assert "CANARY" not in str(outcome)
    assert [service.name for service in live.catalog.services] == ["a"]


def test_a_server_that_is_gone_keeps_its_services_as_they_were(tmp_path: Path) -> None:
    server = Server()
    server.entities = [component("a")]
    live = live_of(server, tmp_path)
    server.close()
    outcome = live.reload(NOW)
    assert not outcome.successful
    assert outcome.kept == (ServiceKey("a"),)


def test_a_server_in_a_network_that_is_not_allowed_is_never_asked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "scorecard.yaml").write_text(f"catalog: [{{backstage: {{url: {server.url}}}}}]\n")
    catalog = load_catalog(load_config(tmp_path / "scorecard.yaml", {}), now=NOW)
    assert server.asked == []
    assert "probing.allow" in catalog.problems[0].message


def test_a_missing_token_is_said_by_the_name_of_its_file(server: Server, tmp_path: Path) -> None:
    live = live_of(server, tmp_path)
    (tmp_path / "token").unlink()
    assert "token: No such file" in live.reload(NOW).problems[0].message
