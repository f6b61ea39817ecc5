"""The two probes of HTTP health, against loopback servers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import Absent, Answer, Sample, Unavailable, Window
from scorecard.evidence.health import ControlPath, Endpoint, HealthEndpoints, Reply
from scorecard.model import Cause, Health, Service, ServiceKey, ServiceType, Spec
from scorecard.probes import Upstream
from scorecard.probes.http import ControlPathProbe, HealthProbe, Prober, ProberSettings

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
Page = tuple[int, str, bytes]


class Farm(ThreadingHTTPServer):
    """Answers by path, and remembers what was asked over which connection."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, pages: dict[str, Page], host: str = "127.0.0.1") -> None:
        self.pages = pages
        self.asked: list[tuple[str, tuple[str, int]]] = []
        super().__init__((host, 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A prober that goes away from a page that hangs is what is tested."""

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Farm

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.client_address))
        status, kind, body = self.server.pages.get(self.path, (404, "text/plain", b"no"))
        if self.path == "/hang":
            time.sleep(5)
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "https://login.example.net/")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def farm(pages: dict[str, Page], host: str = "127.0.0.1") -> Iterator[Farm]:
    server = Farm(pages, host)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server() -> Iterator[Farm]:
    pages = {
        "/livez": (200, "application/json", b'{"status": "ok"}'),
        "/readyz": (503, "application/json", b'{"status": "starting"}'),
        "/login": (200, "text/html", b"<!doctype html><title>Sign in</title><input type='password'>"),
        "/moved": (302, "text/html", b"x" * 100),
        "/secret": (200, "text/plain", b"password=hunter2hunter2"),
    }
    with farm(pages) as running:
        yield running


def lookup(name: str) -> tuple[str, ...]:
    if name == "nowhere.test":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return ("127.0.0.1",)


def prober(
    *, seconds: float = 2, allow: tuple[str, ...] = ("127.0.0.1",), look: Callable[[str], tuple[str, ...]] = lookup
) -> Prober:
    settings = ProberSettings(timeout=timedelta(seconds=seconds), concurrency=50)
    return Prober(AddressPolicy.of(allow), Resolver(lookup=look, deadline=seconds), settings, lambda: NOW)


def service(
    name: str = "payments",
    *,
    url: str | None = None,
    live: str | None = None,
    ready: str | None = None,
    kind: ServiceType = ServiceType.WEB,
) -> Service:
    return Service(name=name, type=kind, spec=Spec(url=url, health=Health(liveness=live, readiness=ready)))


def ask(one: Service, probe: HealthProbe | None = None, upstream: Upstream | None = None) -> Answer:
    answers = list((probe or HealthProbe(prober())).ask([one], upstream or Upstream()))
    assert [key for key, _ in answers] == [one.key]
    return answers[0][1]


def health(answer: Answer) -> tuple[Endpoint, Endpoint]:
    assert isinstance(answer, HealthEndpoints)
    assert isinstance(answer.liveness, Endpoint)
    assert isinstance(answer.readiness, Endpoint)
    return answer.liveness, answer.readiness


def test_both_endpoints_are_asked_over_one_fresh_connection(server: Farm) -> None:
    probe = HealthProbe(prober())
    live, ready = health(ask(service(url=server.url, live="/livez", ready="/readyz"), probe))
    assert (live.reply, live.status, live.well_formed, live.html) == (Reply.ANSWERED, 200, True, False)
    assert (ready.reply, ready.status, ready.well_formed) == (Reply.ANSWERED, 503, True)
    assert live.milliseconds > 0
    ask(service(url=server.url, live="/livez", ready="/readyz"), probe)
    connections = [address for _, address in server.asked]
    assert connections[0] == connections[1]
    assert connections[2] == connections[3]
    assert connections[0] != connections[2], "the next run opens a connection of its own"


def test_two_services_on_one_address_share_no_connection(server: Farm) -> None:
    both = [service(name, url=server.url, live="/livez", ready="/readyz") for name in ("a", "b", "c", "d")]
    answers = dict(HealthProbe(prober()).ask(both, Upstream()))
    assert len(answers) == 4
    paths: dict[tuple[str, int], list[str]] = {}
    for path, connection in server.asked:
        paths.setdefault(connection, []).append(path)
    assert all(seen in (["/livez", "/readyz"], ["/livez"], ["/readyz"]) for seen in paths.values()), paths


def test_the_exhibit_repeats_the_request_and_holds_no_secret(server: Farm) -> None:
    answer = ask(service(url=server.url, live="/secret", ready="/moved"))
    assert isinstance(answer, HealthEndpoints)
    first, second = answer.exhibits
    assert first.request == f"curl -sS -i --max-time 2 {server.url}/secret"
    assert first.facts["status"] == 200
    assert "hunter2" not in first.excerpt
    assert second.facts["location"] == "https://login.example.net/"
    assert second.excerpt == ""


def test_a_redirect_is_not_followed_and_a_login_page_is_seen(server: Farm) -> None:
    live, ready = health(ask(service(url=server.url, live="/moved", ready="/login")))
    assert (live.reply, live.status, live.location) == (Reply.ANSWERED, 302, "https://login.example.net/")
    assert (ready.html, ready.login_page, ready.well_formed) == (True, True, False)


def test_an_endpoint_that_is_not_declared_says_which_line_to_add(server: Farm) -> None:
    answer = ask(service(url=server.url, live="/livez"))
    assert isinstance(answer, HealthEndpoints)
    assert isinstance(answer.readiness, Unavailable)
    assert answer.readiness.cause is Cause.NOT_CONFIGURED
    assert answer.readiness.lines == "spec:\n  health: {readiness: /readyz}"


def test_no_endpoint_at_all_and_a_path_without_an_address_are_not_configured() -> None:
    nothing = ask(service(url="http://127.0.0.1:9"))
    assert isinstance(nothing, Unavailable)
    assert (nothing.cause, nothing.lines) == (
        Cause.NOT_CONFIGURED,
        "spec:\n  health: {liveness: /livez, readiness: /readyz}",
    )
    path = ask(service(live="/livez", ready="/readyz"))
    assert isinstance(path, Unavailable)
    assert (path.cause, path.lines) == (Cause.NOT_CONFIGURED, "spec:\n  url: https://HOST")


@pytest.mark.parametrize("kind", [ServiceType.WORKER, ServiceType.JOB])
def test_a_worker_and_a_job_have_no_endpoints(kind: ServiceType) -> None:
    assert ask(service(kind=kind, url="http://127.0.0.1:9", live="/livez")) == Absent(f"a {kind} has no HTTP endpoints")


def test_the_grpc_health_protocol_is_not_supported() -> None:
    answer = ask(service(kind=ServiceType.GRPC, url="http://127.0.0.1:9", live="/livez"))
    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.NOT_SUPPORTED


def test_silence_counts_against_a_target_only_when_it_was_reached_before(server: Farm) -> None:
    one = service(url=server.url, live="/livez", ready="/readyz")
    seen = ask(one)
    server.shutdown()
    server.server_close()
    live, _ = health(ask(one))
    assert (live.reply, live.reached_before) == (Reply.REFUSED, False)
    window = Window((Sample(NOW, seen), Sample(NOW, Unavailable(Cause.SCORECARD_FAULT, "ours"))))
    now = ask(one, upstream=Upstream(windows={(one.key, HealthEndpoints): window}))
    live, ready = health(now)
    assert (live.reached_before, ready.reached_before) == (True, True)
    later = Window((Sample(NOW, now),))
    live, _ = health(ask(one, upstream=Upstream(windows={(one.key, HealthEndpoints): later})))
    assert live.reached_before, "it is carried from sample to sample"


def test_each_way_to_fail_has_its_own_reply() -> None:
    live, ready = health(ask(service(live="http://nowhere.test/livez", ready="http://10.0.0.1/readyz")))
    assert (live.reply, live.detail) == (Reply.NAME_FAILED, "nowhere.test: Name or service not known")
    assert ready.reply is Reply.NOT_SENT
    assert "probing.allow" in ready.detail


def test_a_hanging_target_ends_by_the_deadline_and_holds_nobody_up(server: Farm) -> None:
    start = time.monotonic()
    services = [service("hangs", url=server.url, live="/hang", ready="/hang")]
    services += [service(f"well-{number}", url=server.url, live="/livez", ready="/livez") for number in range(20)]
    arrived = [
        (key.name, time.monotonic() - start) for key, _ in HealthProbe(prober(seconds=1.5)).ask(services, Upstream())
    ]
    assert arrived[-1][0] == "hangs"
    assert arrived[-2][1] < arrived[-1][1] - 0.1, "the others do not wait for it"
    assert arrived[-1][1] < 2.9, "both of its endpoints hang at the same time: one after the other takes 3 s"


def test_a_resolver_that_is_silent_holds_no_literal_up(server: Farm) -> None:
    release = threading.Event()

    def silent(_name: str) -> tuple[str, ...]:
        release.wait(10)
        return ("127.0.0.1",)

    services = [service(f"name-{number}", live=f"http://host-{number}.test/livez") for number in range(80)]
    services.append(service("literal", url=server.url, live="/livez"))
    start = time.monotonic()
    answers = dict(HealthProbe(prober(seconds=0.5, look=silent)).ask(services, Upstream()))
    took = time.monotonic() - start
    release.set()
    assert took < 8, "the lookups take 10 s"
    literal = answers[ServiceKey("literal")]
    assert isinstance(literal, HealthEndpoints)
    assert isinstance(literal.liveness, Endpoint)
    assert literal.liveness.status == 200
    for key, answer in answers.items():
        if key.name.startswith("name"):
            assert isinstance(answer, HealthEndpoints)
            assert isinstance(answer.liveness, Endpoint)
            assert answer.liveness.reply is Reply.NOT_SENT


def test_a_name_is_looked_up_once_in_a_sweep(server: Farm) -> None:
    asked: list[str] = []

    def count(name: str) -> tuple[str, ...]:
        asked.append(name)
        return ("127.0.0.1",)

    url = f"http://shared.test:{server.server_port}"
    services = [service(f"s-{number}", url=url, live="/livez", ready="/readyz") for number in range(50)]
    answers = dict(HealthProbe(prober(look=count)).ask(services, Upstream()))
    assert len(answers) == 50
    assert asked == ["shared.test"]


def test_one_bad_address_condemns_the_whole_name(server: Farm) -> None:
    def mixed(_name: str) -> tuple[str, ...]:
        return ("127.0.0.1", "169.254.169.254")

    url = f"http://mixed.test:{server.server_port}"
    live, _ = health(ask(service(url=url, live="/livez", ready="/readyz"), HealthProbe(prober(look=mixed))))
    assert live.reply is Reply.NOT_SENT
    assert "169.254.169.254" in live.detail
    assert server.asked == []


def test_the_control_path_is_made_up_and_stands_beside_the_endpoint(server: Farm) -> None:
    one = service(url=f"{server.url}/base", live="/livez", ready=f"{server.url}/readyz")
    [(key, answer)] = ControlPathProbe(prober()).ask([one], Upstream())
    assert key == one.key
    assert isinstance(answer, ControlPath)
    [endpoint] = answer.endpoints
    assert endpoint.status == 404
    assert endpoint.url.startswith(f"{server.url}/base/scorecard-control-")
    [(_, again)] = ControlPathProbe(prober()).ask([one], Upstream())
    assert isinstance(again, ControlPath)
    assert again.endpoints[0].url != endpoint.url


def test_each_host_has_a_control_path_of_its_own(server: Farm) -> None:
    with farm({}, "127.0.0.2") as other:
        one = service(live=f"{server.url}/livez", ready=f"{other.url}/readyz")
        probe = ControlPathProbe(prober(allow=("127.0.0.1", "127.0.0.2")))
        [(_, answer)] = probe.ask([one], Upstream())
    assert isinstance(answer, ControlPath)
    assert [endpoint.status for endpoint in answer.endpoints] == [404, 404]
    assert probe.due_every == timedelta(hours=24)


def dead_services(count: int) -> list[Service]:
    return [service(f"dead-{n}", live=f"http://127.0.{n % 5}.{n + 10}:9/livez") for n in range(count)]


def dead_prober(count: int) -> Prober:
    return prober(allow=("127.0.0.1", *(f"127.0.{n % 5}.{n + 10}" for n in range(count))))


def test_a_control_target_that_fails_with_many_targets_makes_the_run_suspect(server: Farm) -> None:
    probe = HealthProbe(dead_prober(12), ("http://127.0.0.1:9/",))
    well = service("well", url=server.url, live="/livez", ready="/readyz")
    answers = dict(probe.ask([*dead_services(12), well], Upstream()))
    assert probe.suspicion is not None
    assert (probe.suspicion.targets, probe.suspicion.hosts) == (12, 12)
    assert isinstance(answers[well.key], HealthEndpoints)
    for one in dead_services(12):
        answer = answers[one.key]
        assert isinstance(answer, Unavailable)
        assert answer.cause is Cause.SCORECARD_FAULT
        assert "127.0.0.1:9" in answer.detail


def test_a_suspect_run_is_told_once_and_stays_so_while_another_sweep_of_the_same_probe_finds_nothing(
    server: Farm,
) -> None:
    told: list[str] = []
    probe = HealthProbe(dead_prober(12), ("http://127.0.0.1:9/",))
    well = service("well", url=server.url, live="/livez", ready="/readyz")
    answers = probe.ask(dead_services(12), Upstream(blame=told.append))
    causes = [next(answers)[1]]
    ask(well, probe)  # another shard, in another thread, between two answers of this one
    causes += [answer for _, answer in answers]

    assert [getattr(answer, "cause", None) for answer in causes] == [Cause.SCORECARD_FAULT] * 12
    assert len(told) == 1
    assert "127.0.0.1:9" in told[0]


def test_a_true_outage_with_the_control_target_up_is_reported_as_such(server: Farm) -> None:
    probe = HealthProbe(dead_prober(12), (f"{server.url}/livez",))
    answers = dict(probe.ask(dead_services(12), Upstream()))
    assert probe.suspicion is None
    for answer in answers.values():
        assert isinstance(answer, HealthEndpoints)
        assert isinstance(answer.liveness, Endpoint)
        assert answer.liveness.reply is Reply.REFUSED


def test_a_control_target_that_fails_with_few_targets_blames_nobody() -> None:
    probe = HealthProbe(dead_prober(9), ("http://127.0.0.1:9/",))
    answers = dict(probe.ask(dead_services(9), Upstream()))
    assert probe.suspicion is None
    assert all(isinstance(answer, HealthEndpoints) for answer in answers.values())
