"""Several named instances, each reached its own way: private CA, token, further headers, proxy."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from scorecard.config.integrations import Integrations
from scorecard.demo.certificates import Authority
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import LiveAlerts, Observation, Routing, Unavailable
from scorecard.model import AlertsRef, Cause, PrometheusAlerts, Service, Spec
from scorecard.probes import Upstream
from scorecard.probes.alerting.lane import Instances
from scorecard.probes.alerting.routing import RoutingProbe

from .conftest import alerts_of, ask, clock, live
from .fake import groups, rule, vector

TREE = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


@dataclass
class Server:
    """A Prometheus and an Alertmanager in one, or a proxy; keeps what it was sent."""

    certificate: Path | None = None
    needs: dict[str, str] = field(default_factory=dict)
    """Headers without which it refuses."""
    alert: str = "Down"
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        self.asked.append((path, headers))
        if any(headers.get(name.lower()) != value for name, value in self.needs.items()):
            return 401, {"status": "error"}
        bare = path.removeprefix("http://127.0.0.1:1").partition("?")[0]
        known = {
            "/api/v1/rules": groups(rule(self.alert, 'up{service="payments"} == 0')),
            "/api/v1/query": vector(),
            "/api/v1/status/config": {"status": "success", "data": {"yaml": "global: {}"}},
            "/api/v1/alertmanagers": {"status": "success", "data": {"activeAlertmanagers": [{"url": "http://x"}]}},
            "/api/v2/status": {"config": {"original": json.dumps(TREE)}},
        }
        return (200, known[bare]) if bare in known else (404, {})


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, value = server.answer(self.path, {name.lower(): value for name, value in self.headers.items()})
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that refuses our certificate is quiet."""


@pytest.fixture
def serve() -> Iterator[Callable[[Server], Server]]:
    with ExitStack() as stack:

        def start(server: Server) -> Server:
            listener = _Listener(("127.0.0.1", 0), _handler(server))
            if server.certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(server.certificate)
                listener.socket = context.wrap_socket(listener.socket, server_side=True)
            thread = Thread(target=listener.serve_forever, args=(0.05,))
            thread.start()
            stack.callback(listener.server_close)
            stack.callback(thread.join)
            stack.callback(listener.shutdown)
            server.url = f"http{'s' if server.certificate else ''}://127.0.0.1:{listener.server_address[1]}"
            return server

        yield start


def configured(**kinds: list[dict[str, object]]) -> Instances:
    whole = {kind: [{"timeout": "3s", **one} for one in found] for kind, found in kinds.items()}
    policy = AddressPolicy.of(["127.0.0.1"], never=())
    return Instances(Integrations.model_validate(whole), policy, Resolver(deadline=2.0))


def watched(instance: str | None = None) -> Service:
    ref = AlertsRef(prometheus=PrometheusAlerts(instance=instance, matchers={"service": "payments"}))
    return Service(name="payments", spec=Spec(alerts=(ref,)))


def routing(found: Instances, service: Service) -> object:
    answers = dict(live(found).ask([service], Upstream()))
    seen = {(key, LiveAlerts): Observation(LiveAlerts, clock(), answer) for key, answer in answers.items()}
    return ask(RoutingProbe(found), service, upstream=Upstream(seen, {}))["payments"]


Serve = Callable[[Server], Server]


def test_a_private_authority_is_trusted_by_the_instance_that_names_it_alone(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path, clock())
    server = serve(Server(authority.issue("loopback", 30.0)))
    trusting = {"name": "trusting", "url": server.url, "ca_file": str(tmp_path / "ca.pem")}
    found = configured(prometheus=[{"name": "main", "url": server.url}, trusting], alertmanager=[trusting])

    assert list(alerts_of(ask(live(found), watched("trusting"))["payments"])) == ["Down"]
    assert isinstance(routing(found, watched("trusting")), Routing)
    refused = ask(live(found), watched())["payments"]
    assert isinstance(refused, Unavailable)
    assert refused.cause is Cause.UNREACHABLE
    assert "certificate" in refused.detail.lower()


def test_each_instance_is_sent_its_own_token_and_headers_and_no_other_is(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "headers.yaml").write_text("X-Scope-OrgID: payments\n")
    mine = serve(Server(needs={"Authorization": "Bearer s3cret", "X-Scope-OrgID": "payments"}))
    other = serve(Server(alert="Other"))
    guarded = {"token_file": str(tmp_path / "token"), "headers_file": str(tmp_path / "headers.yaml")}
    found = configured(
        prometheus=[{"name": "open", "url": other.url}, {"name": "guarded", "url": mine.url, **guarded}],
        alertmanager=[{"name": "open", "url": other.url}, {"name": "guarded", "url": mine.url, **guarded}],
    )

    answer = routing(found, watched("guarded"))
    assert isinstance(answer, Routing)
    assert answer.alerts[0].by == "alertmanager/guarded"
    assert list(alerts_of(ask(live(found), watched())["payments"])) == ["Other"]
    assert not [headers for _, headers in other.asked if "authorization" in headers or "x-scope-orgid" in headers]


def test_a_token_is_read_again_at_each_question(serve: Serve, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    server = serve(Server(needs={"Authorization": "Bearer new"}))
    found = configured(prometheus=[{"name": "main", "url": server.url, "token_file": str(token)}])

    before = ask(live(found), watched())["payments"]
    token.write_text("new")

    assert isinstance(before, Unavailable)
    assert before.cause is Cause.ACCESS_DENIED
    assert list(alerts_of(ask(live(found), watched())["payments"])) == ["Down"]


def test_a_proxy_is_used_by_the_instance_that_names_it_alone(serve: Serve) -> None:
    proxy, direct = serve(Server(alert="ByProxy")), serve(Server(alert="Direct"))
    found = configured(
        prometheus=[
            {"name": "far", "url": "http://127.0.0.1:1", "proxy": proxy.url},
            {"name": "near", "url": direct.url},
        ]
    )

    assert list(alerts_of(ask(live(found), watched())["payments"])) == ["ByProxy"]
    assert proxy.asked[0][0].startswith("http://127.0.0.1:1/api/v1/rules")
    assert list(alerts_of(ask(live(found), watched("near"))["payments"])) == ["Direct"]


def test_an_alertmanager_of_the_same_name_is_asked_else_the_first(serve: Serve) -> None:
    server = serve(Server())
    both = [{"name": "eu", "url": server.url}, {"name": "us", "url": server.url}]
    found = configured(prometheus=[*both, {"name": "asia", "url": server.url}], alertmanager=both)

    by = {}
    for name in ("us", "asia"):
        answer = routing(found, watched(name))
        assert isinstance(answer, Routing)
        by[name] = answer.alerts[0].by
    assert by == {"us": "alertmanager/us", "asia": "alertmanager/eu"}


def test_an_instance_that_nobody_configured_is_told_by_its_name(serve: Serve) -> None:
    found = configured(prometheus=[{"name": "eu", "url": serve(Server()).url}])
    answer = ask(live(found), watched("mars"))["payments"]
    assert isinstance(answer, Unavailable)
    assert (answer.cause, "'mars'" in answer.detail) == (Cause.NOT_CONFIGURED, True)
