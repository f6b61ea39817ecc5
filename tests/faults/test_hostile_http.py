"""Broken and hostile targets: each ends in time, within memory, as what it is, and none passes that should not."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scorecard.egress.answer import Get, Got
from scorecard.egress.body import read_content
from scorecard.egress.errors import EgressError
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.prober import Prober, ProberSettings
from scorecard.egress.resolver import Resolver
from scorecard.egress.session import policy_session
from scorecard.evidence import Sample, Window
from scorecard.evidence.health import Endpoint, HealthEndpoints, Reply
from scorecard.model import Cause, Health, Service, ServiceKey, Spec
from scorecard.probes import Upstream
from scorecard.probes.http import HealthProbe
from tests.faults.hostile_certificates import DAYS, HOST
from tests.faults.hostile_http import Behaviour, corpus

ROOT = Path(__file__).parents[2]
DEADLINE = 1.0
LATE = 0.3
"""Seconds past the deadline by which everything must have ended."""
CORPUS = {one.name: one for one in corpus()}
SAMPLE = (
    "hang-before-status",
    "hang-in-body",
    "drip-header",
    "drip-100",
    "endless-body",
    "endless-headers",
    "gzip-bomb",
    "bomb-in-a-redirect",
    "redirect-to-metadata",
    "status-999",
    "http-0.9",
    "early-hints-last",
    "length-and-chunked",
    "json-deep",
    "certificate-no-san",
    "certificate-expired",
    "plain-ok",
)


def lookup(name: str) -> tuple[str, ...]:
    if name == "hang.test":
        time.sleep(15)
    return ("127.0.0.1",)


def prober(ca_file: str | None = None, *, allow: Iterable[str] = ("127.0.0.1",), seconds: float = DEADLINE) -> Prober:
    settings = ProberSettings(timeout=timedelta(seconds=seconds), ca_file=ca_file)
    now = datetime.now(UTC)  # noqa: TID251 - the certificates are made by the machine's clock
    return Prober(AddressPolicy.of(allow), Resolver(lookup=lookup, deadline=seconds), settings, lambda: now)


@pytest.fixture(scope="module")
def hostile() -> Iterator[dict[str, Any]]:
    """The corpus, served by a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.hostile_http"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        yield json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait(10)


def url_of(name: str, port: int) -> str:
    encrypted = name in CORPUS and CORPUS[name].certificate
    return f"https://{HOST}:{port}/livez" if encrypted else f"http://127.0.0.1:{port}/livez"


def sweep(hostile: dict[str, Any], names: Iterable[str]) -> dict[str, Got]:
    gets = [Get(key=name, url=url_of(name, hostile["ports"][name])) for name in names]
    return {str(got.key): got for got in prober(hostile["ca"]).get_many(gets)}


def passes(got: Got) -> bool:
    """What the row counts as good: 2xx, and no page for people to sign in."""
    content = read_content(got.body, got.header("content-type"))
    return got.reply is Reply.ANSWERED and 200 <= got.status < 300 and not content.login_page


def verify(behaviour: Behaviour, got: Got) -> None:
    assert got.reply.value in behaviour.replies, (behaviour.name, got)
    assert behaviour.reason in got.detail, (behaviour.name, got)
    assert passes(got) is behaviour.passes, (behaviour.name, got)
    assert len(got.body) <= 65_536


def test_a_sample_of_hostile_targets_keeps_its_promises(hostile: dict[str, Any]) -> None:
    answers = sweep(hostile, SAMPLE)
    assert set(answers) == set(SAMPLE)
    for name, got in answers.items():
        verify(CORPUS[name], got)


@pytest.mark.faults
def test_every_hostile_target_keeps_its_promise_and_none_is_late(hostile: dict[str, Any]) -> None:
    assert len(CORPUS) >= 90
    start = time.monotonic()
    answers = sweep(hostile, hostile["ports"])
    took = time.monotonic() - start
    assert took < DEADLINE + LATE + 0.2, "all of them, and the start of the sweep"
    for name, behaviour in CORPUS.items():
        verify(behaviour, answers[name])
        assert answers[name].milliseconds <= (DEADLINE + LATE) * 1000, name
    connect = answers["hang-in-connect"]
    assert (connect.reply, connect.detail) == (Reply.TIMED_OUT, "no connection within 1 s")


@pytest.mark.faults
def test_every_json_of_the_corpus_is_refused_by_the_strict_reader(hostile: dict[str, Any]) -> None:
    names = [name for name in CORPUS if name.startswith("json-")]
    for name, got in sweep(hostile, names).items():
        assert not read_content(got.body, got.header("content-type")).well_formed, name


@pytest.mark.faults
def test_the_days_that_a_certificate_has_left_are_told_even_where_it_is_refused(hostile: dict[str, Any]) -> None:
    answers = sweep(
        hostile, ["certificate-good", "certificate-expired", "certificate-wrong-host", "certificate-no-san"]
    )
    assert answers["certificate-good"].certificate_expires_in == pytest.approx(DAYS, abs=0.1)
    assert answers["certificate-expired"].certificate_expires_in == pytest.approx(-DAYS, abs=0.1)
    assert answers["certificate-wrong-host"].certificate_expires_in == pytest.approx(DAYS, abs=0.1)
    assert answers["certificate-no-san"].certificate_expires_in == pytest.approx(DAYS, abs=0.1)


@pytest.mark.faults
def test_the_whole_corpus_takes_fifty_megabytes_at_most(hostile: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.probe_child", json.dumps(hostile)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["answers"] == 3 * len(hostile["ports"])
    assert told["grew"] < 50 * 1024


@pytest.mark.faults
def test_the_session_of_integrations_ends_in_time_and_lets_no_bad_answer_through(hostile: dict[str, Any]) -> None:
    with policy_session(
        AddressPolicy.of(["127.0.0.1"]),
        Resolver(lookup=lookup),
        deadline=DEADLINE,
        budget=65_536,
        ca_file=hostile["ca"],
    ) as session:

        def ask(name: str) -> tuple[str, float, str]:
            start = time.monotonic()
            try:
                session.get_json(url_of(name, hostile["ports"][name]))
            except EgressError as error:
                return name, time.monotonic() - start, error.cause.value
            return name, time.monotonic() - start, ""

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, hostile["ports"]))
    late = [(name, round(took, 2)) for name, took, _ in answers if took > DEADLINE + LATE]
    assert late == []
    assert [name for name, _, cause in answers if not cause] == [], "none of the corpus is strict JSON"


def test_a_name_that_hangs_ends_by_the_deadline() -> None:
    start = time.monotonic()
    [got] = prober().get_many([Get(key=1, url="http://hang.test/")])
    assert time.monotonic() - start < DEADLINE + 6
    assert got.reply is Reply.NOT_SENT
    assert got.detail == "the resolver said nothing about hang.test within 1 s"


def test_a_lookup_that_answers_nonsense_costs_its_own_name_only() -> None:
    def garbled(name: str) -> tuple[Any, ...]:
        return (None,) if name == "garbled.test" else ("127.0.0.1",)

    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    careful = Prober(AddressPolicy.of(["127.0.0.1"]), Resolver(lookup=garbled), ProberSettings(), _clock)
    hosts = ("garbled.test", "sound.test", "127.0.0.1")
    answers = {got.key: got for got in careful.get_many([Get(key=h, url=f"http://{h}:{port}/") for h in hosts])}
    assert answers["garbled.test"].cause is Cause.PROBE_ERROR
    assert [answers[host].reply for host in hosts[1:]] == [Reply.REFUSED] * 2


# --- addresses -------------------------------------------------------------------------------------------------------

# {port} is that of a listener on every loopback address of ours; none of these may reach it, or anything.
SPELLINGS = (
    "127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "127.000.000.001", "0x7f.1.", "0177.0.0.1", "0177.0.0.01",
    "017700000001", "0x7f.0.0.1", "0x7f.0x0.0x0.0x1", "0X7F.1", "0x7f000001", "0x7F000001", "2130706433",
    "0177.1", "00000177.1", "127.0x1", "127.0.0x0.1", "127.0.0.01", "127.65535", "0", "0.0.0.0", "00", "0x0",
    "0.0", "localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]",
    "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::1]", "[::1%25lo]", "[::1%25]",
    "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]",
    "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "127\u30020\u30020\u30021",
    "127\uff0e0\uff0e0\uff0e1", "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54", "user@127.0.0.1",
    "example.net@127.0.0.1", "example.net:80@127.0.0.1", "127.0.0.1#@example.net", "127.0.0.1\\@example.net",
    "example.net\\@127.0.0.1", "%31%32%37.0.0.1", "127.0.0.1%00.example.net", "127.0.0.1\t", " 127.0.0.1",
    "169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.43518", "0251.0376.0251.0376", "10.0.0.1", "0x0a000001",
    "192.168.0.1", "172.16.0.1", "100.64.0.1", "168.63.129.16", "198.18.0.1", "224.0.0.1", "255.255.255.255",
)  # fmt: skip


class Listener:
    """Counts who connects, on every address of this machine."""

    def __init__(self) -> None:
        self.reached: list[object] = []
        family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
        self._socket = socket.create_server(("", 0), family=family, dualstack_ipv6=family == socket.AF_INET6)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                client, address = self._socket.accept()
            except OSError:
                return
            self.reached.append(address)
            client.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def test_no_spelling_of_an_internal_address_reaches_anything(listener: Listener) -> None:
    assert len(SPELLINGS) >= 60
    urls = [f"{scheme}://{host}:{listener.port}/" for host in SPELLINGS for scheme in ("http", "https")]
    strict = Prober(AddressPolicy.of(), Resolver(lookup=lookup), ProberSettings(timeout=timedelta(seconds=2)), _clock)
    answers = list(strict.get_many([Get(key=url, url=url) for url in urls]))
    assert len(answers) == len(urls)
    assert [got for got in answers if got.reply not in {Reply.NOT_SENT, Reply.NAME_FAILED}] == []
    with policy_session(AddressPolicy.of(), Resolver(lookup=lookup), deadline=2.0) as session:
        for url in urls:
            with pytest.raises(EgressError):
                session.get_json(url)
    time.sleep(0.05)
    assert listener.reached == []


def test_allowing_networks_opens_neither_loopback_nor_metadata(listener: Listener) -> None:
    wide = AddressPolicy.of(["0.0.0.0/0", "::/0"])
    inside = [host for host in SPELLINGS if not host.startswith(("10.", "192.", "172.", "100.", "198.", "2", "0x0a"))]
    loopback = [host for host in inside if host not in {"0", "0.0.0.0", "00", "0x0", "0.0", "[::]"}]
    unreachable = ("127.", "local", "[::1", "[0", "user", "[::ffff:7f", "0x7f", "0177")
    urls = [f"http://{host}:{listener.port}/" for host in loopback if host.lower().startswith(unreachable)]
    assert len(urls) > 20
    answers = list(
        Prober(wide, Resolver(lookup=lookup), ProberSettings(), _clock).get_many([Get(key=u, url=u) for u in urls])
    )
    assert [got for got in answers if got.reply not in {Reply.NOT_SENT, Reply.NAME_FAILED}] == []
    assert listener.reached == []


def test_a_name_that_changes_its_answer_is_dialled_at_the_judged_address_only(listener: Listener) -> None:
    turns: list[int] = []

    def rebinding(_name: str) -> tuple[str, ...]:
        turns.append(1)
        return ("127.0.0.77",) if len(turns) == 1 else ("127.0.0.1",)

    policy = AddressPolicy.of(["127.0.0.77"])
    prober = Prober(policy, Resolver(lookup=rebinding), ProberSettings(timeout=timedelta(seconds=1)), _clock)
    [got] = prober.get_many([Get(key=1, url=f"http://rebinding.test:{listener.port}/")])
    assert got.address == "127.0.0.77", "what was judged is what was dialled"
    [got] = prober.get_many([Get(key=2, url=f"http://rebinding.test:{listener.port}/")])
    assert (got.reply, got.address) == (Reply.NOT_SENT, "")
    assert len(turns) == 2, "a name is looked up once a sweep, by us and by nobody else"


def _clock() -> datetime:
    return datetime(2026, 11, 24, tzinfo=UTC)


# --- leaks -----------------------------------------------------------------------------------------------------------


def test_no_proxy_netrc_or_cookie_is_used(
    hostile: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login secret password secret\n", encoding="ascii")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    seen: list[bytes] = []

    def record(client: socket.socket) -> None:
        with client:
            seen.append(client.recv(65_536))
            client.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok")
            seen.append(client.recv(65_536))
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: record(server.accept()[0]), daemon=True).start()
        port = server.getsockname()[1]
        gets = [Get(key=n, url=f"http://127.0.0.1:{port}/{n}", group="one") for n in range(2)]
        answers = list(prober().get_many(gets))
    assert [got.status for got in answers] == [200, 200]
    assert len(seen) == 2
    for request in seen:
        assert b"authorization" not in request.lower()
        assert b"cookie" not in request.lower()
        assert b"\r\nHost: 127.0.0.1" in request
        assert b"Accept-Encoding: identity" in request
    got = sweep(hostile, ["asks-for-a-password"])["asks-for-a-password"]
    assert got.status == 401


# --- our own faults --------------------------------------------------------------------------------------------------


class Lossy:
    """A network that loses a share of the connections: those are reset before a byte, whoever they are for."""

    def __init__(self, hosts: Iterable[str], loses: Callable[[str], bool]) -> None:
        self._loses = loses
        self._sockets = [socket.create_server((host, 0), backlog=512) for host in hosts]
        self.urls = [f"http://{one.getsockname()[0]}:{one.getsockname()[1]}/livez" for one in self._sockets]
        for one in self._sockets:
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        host = listener.getsockname()[0]
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                if self._loses(host):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                    continue
                client.settimeout(2)
                client.recv(65_536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    def close(self) -> None:
        for one in self._sockets:
            one.shutdown(socket.SHUT_RDWR)
            one.close()


def rounds(probe: HealthProbe, services: list[Service], count: int) -> dict[ServiceKey, list[Reply | None]]:
    """How each service's liveness ended, run after run; None for `unknown`."""
    windows: dict[tuple[ServiceKey, Any], Window[Any]] = {}
    replies: dict[ServiceKey, list[Reply | None]] = {one.key: [] for one in services}
    for turn in range(count):
        for key, answer in probe.ask(services, Upstream(windows=dict(windows))):
            sample = Sample(_clock() + timedelta(minutes=turn), answer)
            before = windows.get((key, HealthEndpoints), Window(()))
            windows[key, HealthEndpoints] = before.append(sample, HealthEndpoints.window)
            seen = answer.liveness if isinstance(answer, HealthEndpoints) else None
            replies[key].append(seen.reply if isinstance(seen, Endpoint) else None)
    return replies


def flips(replies: dict[ServiceKey, list[Reply | None]]) -> int:
    """Services with three bad samples in a row."""
    bad = {Reply.REFUSED, Reply.TIMED_OUT, Reply.BROKEN}
    return sum(
        any(all(reply in bad for reply in series[at : at + 3]) for at in range(len(series) - 2))
        for series in replies.values()
    )


@pytest.mark.faults
@pytest.mark.parametrize("loss", [0.1, 0.3, 0.6])
def test_no_service_flips_when_our_own_network_loses_connections(loss: float) -> None:
    rng = random.Random(7)  # noqa: S311 - a seed, so that a failure can be repeated
    hosts = [f"127.0.9.{number}" for number in range(1, 9)]
    network = Lossy([*hosts, "127.0.9.99"], lambda _host: rng.random() < loss)
    services = [
        Service(name=f"s-{number}", spec=Spec(health=Health(liveness=network.urls[number % 8])))
        for number in range(120)
    ]
    probe = HealthProbe(prober(allow=[*hosts, "127.0.9.99"]), (network.urls[8],))
    replies = rounds(probe, services, 12)
    network.close()
    assert flips(replies) == 0
    assert any(reply is None for series in replies.values() for reply in series), "the fault was seen, and was ours"


@pytest.mark.faults
def test_an_outage_of_sixty_percent_with_the_control_target_up_is_reported() -> None:
    hosts = [f"127.0.8.{number}" for number in range(1, 11)]
    down = set(hosts[:6])
    network = Lossy([*hosts, "127.0.8.99"], lambda host: host in down)
    services = [
        Service(name=f"s-{number}", spec=Spec(health=Health(liveness=network.urls[number % 10])))
        for number in range(50)
    ]
    probe = HealthProbe(prober(allow=[*hosts, "127.0.8.99"]), (network.urls[10],))
    replies = rounds(probe, services, 4)
    network.close()
    assert probe.suspicion is None
    assert flips(replies) == 30
