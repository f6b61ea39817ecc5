"""The TLS probe against loopback servers of every kind."""

from __future__ import annotations

import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.target import read_target
from scorecard.evidence import Absent, Answer, Observation, Unavailable
from scorecard.evidence.tls import (
    BrokenTls,
    Certificate,
    Hsts,
    PlainAnswer,
    PlainReply,
    TransportSecurity,
    VersionReply,
)
from scorecard.model import Cause, Service, ServiceType, Spec
from scorecard.probes import Upstream
from scorecard.probes.tls import TlsProbe
from scorecard.probes.tls.certificates import covers
from scorecard.probes.tls.contexts import VERSIONS, proven
from scorecard.probes.tls.look import Look
from scorecard.store.codec import decode_answer, encode_answer

if TYPE_CHECKING:
    from tests.probes.tls.conftest import Authority, Issued, Server, Start

Serving = Callable[..., "Server"]
Issuing = Callable[..., "Issued"]


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


@pytest.fixture
def probe(authority: Authority) -> TlsProbe:
    return tls_probe(authority)


def tls_probe(authority: Authority, *, seconds: float = 5, offered: frozenset[str] | None = None) -> TlsProbe:
    return TlsProbe(
        AddressPolicy.of(["127.0.0.1"]),
        Resolver(lookup=lambda _: ("127.0.0.1",), deadline=seconds),
        seconds,
        now,
        ca_file=str(authority.ca_file),
        offered=offered,
    )


def ask(probe: TlsProbe, url: str | None, kind: ServiceType = ServiceType.WEB) -> Answer:
    service = Service(name="payments", type=kind, spec=Spec(url=url))
    ((key, answer),) = probe.ask([service], Upstream())
    assert key == service.key
    return answer


def look(probe: TlsProbe, port: int, scheme: str = "https", host: str = "127.0.0.1") -> TransportSecurity:
    answer = ask(probe, f"{scheme}://{host}:{port}/")
    assert isinstance(answer, TransportSecurity), answer
    return answer


def certificate(seen: TransportSecurity) -> Certificate:
    assert isinstance(seen.certificate, Certificate), seen.certificate
    return seen.certificate


def faults(seen: TransportSecurity) -> list[str]:
    return [fault.kind.value for fault in certificate(seen).faults]


def accepted(seen: TransportSecurity) -> list[str]:
    assert [one.name for one in seen.versions] == list(VERSIONS)
    return [one.name for one in seen.versions if one.reply is VersionReply.ACCEPTED]


# --- certificates ----------------------------------------------------------------------------------------------------


def test_a_good_server_is_seen_whole(probe: TlsProbe, serving: Serving) -> None:
    server = serving()
    seen = look(probe, server.port)
    assert faults(seen) == []
    assert certificate(seen).names == ("payments.test", "127.0.0.1")
    assert certificate(seen).key == "EC secp256r1"
    assert accepted(seen) == ["TLS 1.2", "TLS 1.3"]
    assert seen.hsts == Hsts(header="max-age=31536000", max_age=31_536_000)
    assert isinstance(seen.plain, PlainAnswer)
    assert (seen.plain.reply, seen.plain.status) == (PlainReply.ANSWERED, 400)
    assert seen.address == f"127.0.0.1:{server.port}"
    assert server.connections == 5, "one for each version and one in plain, no more"


def test_a_name_is_verified_as_a_name(probe: TlsProbe, serving: Serving) -> None:
    assert faults(look(probe, serving().port, host="payments.test")) == []
    assert faults(look(probe, serving().port, host="ledger.test")) == ["wrong-host"]


def test_each_fault_is_a_reason_of_its_own(
    probe: TlsProbe, serving: Serving, issuing: Issuing, authority: Authority
) -> None:
    root = authority.issued
    kinds = {
        "expired": issuing(by=root, days=-0.5, starts=-30),
        "not-yet-valid": issuing(by=root, starts=2),
        "wrong-host": issuing(("127.0.0.2", "ledger.test"), by=root),
        "no-san": issuing((), by=root, common_name="127.0.0.1"),
        "self-signed": issuing(),
        "untrusted": issuing(by=issuing((), authority=True, common_name="Nobody's authority")),
        "weak-key": issuing(by=root, key=rsa.generate_private_key(65537, 1024)),  # noqa: S505 - the point
    }
    for kind, issued in kinds.items():
        seen = look(probe, serving(issued).port)
        assert faults(seen) == [kind], certificate(seen).faults


def test_a_signature_of_sha1_is_weak(
    probe: TlsProbe, serving: Serving, issuing: Issuing, authority: Authority, tmp_path: Path
) -> None:
    """This cryptography refuses to sign with SHA-1, so OpenSSL does, as an authority of old would have."""
    leaf = issuing(by=authority.issued)
    root, request, made = tmp_path / "root.pem", tmp_path / "leaf.csr", tmp_path / "leaf.pem"
    root.write_bytes(authority.issued.pem())
    key = tmp_path / "key.pem"
    key.write_bytes(leaf.pem())
    extensions = tmp_path / "san.cnf"
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    subprocess.run(
        ["openssl", "req", "-new", "-key", key, "-subj", "/CN=payments.test", "-out", request],
        check=True,
        capture_output=True,
    )
    sign = ["openssl", "x509", "-req", "-sha1", "-days", "30", "-in", request, "-out", made]
    authority_options = ["-CA", root, "-CAkey", root, "-CAcreateserial", "-extfile", extensions]
    subprocess.run([*sign, *authority_options], check=True, capture_output=True)
    served = type(leaf)(x509.load_pem_x509_certificate(made.read_bytes()), leaf.key)
    assert faults(look(probe, serving(served).port)) == ["weak-signature"]


def test_several_faults_are_all_named(probe: TlsProbe, serving: Serving, issuing: Issuing) -> None:
    seen = look(probe, serving(issuing(("ledger.test",), days=-1, starts=-9)).port)
    assert set(faults(seen)) == {"expired", "wrong-host", "self-signed"}


def test_a_chain_that_is_not_sent_whole_is_untrusted(
    probe: TlsProbe, serving: Serving, issuing: Issuing, authority: Authority
) -> None:
    between = issuing((), by=authority.issued, authority=True, common_name="Intermediate")
    leaf = issuing(by=between)
    assert faults(look(probe, serving(leaf).port)) == ["untrusted"]
    assert faults(look(probe, serving(leaf, chain=(between,)).port)) == []


def test_an_expired_certificate_within_the_chain_is_told(
    probe: TlsProbe, serving: Serving, issuing: Issuing, authority: Authority
) -> None:
    between = issuing((), by=authority.issued, authority=True, days=-1, starts=-9, common_name="Intermediate")
    seen = look(probe, serving(issuing(by=between), chain=(between,)).port)
    assert faults(seen) == ["expired"]
    assert "of its chain" in certificate(seen).faults[0].words


@pytest.mark.parametrize(
    ("name", "host", "fits"),
    [
        ("payments.test", "payments.test", True),
        ("Payments.Test.", "payments.test", True),
        ("*.example.net", "payments.example.net", True),
        ("*.example.net", "a.payments.example.net", False),
        ("*.example.net", "example.net", False),
        ("*.net", "example.net", False),
        ("*", "localhost", False),
        ("pay*.example.net", "payments.example.net", False),
        ("ledger.test", "payments.test", False),
    ],
)
def test_a_star_stands_for_one_whole_label(name: str, host: str, fits: bool) -> None:
    assert covers(name, host) is fits


# --- versions --------------------------------------------------------------------------------------------------------


def test_this_machine_can_offer_every_version_or_says_which_it_cannot() -> None:
    assert {"TLS 1.2", "TLS 1.3"} <= proven() <= set(VERSIONS)


@pytest.mark.parametrize("name", ["TLS 1.0", "TLS 1.1"])
def test_an_old_version_that_is_accepted_is_seen(probe: TlsProbe, serving: Serving, name: str) -> None:
    server = serving(lowest=VERSIONS[name])
    expected = list(VERSIONS)[list(VERSIONS).index(name) :]
    if name in proven():
        assert accepted(look(probe, server.port)) == expected


def test_a_server_of_the_last_century_shows_its_certificate_too(probe: TlsProbe, serving: Serving) -> None:
    seen = look(probe, serving(lowest=ssl.TLSVersion.TLSv1, highest=ssl.TLSVersion.TLSv1).port)
    if "TLS 1.0" in proven():
        assert accepted(seen) == ["TLS 1.0"]
        assert faults(seen) == []


def test_a_version_that_this_openssl_cannot_offer_is_never_read_as_refused(
    authority: Authority, serving: Serving
) -> None:
    probe = tls_probe(authority, offered=frozenset({"TLS 1.2", "TLS 1.3"}))
    seen = look(probe, serving(lowest=ssl.TLSVersion.TLSv1).port)
    assert [(one.name, one.cause) for one in seen.versions if one.reply is VersionReply.UNKNOWN] == [
        ("TLS 1.0", Cause.NOT_SUPPORTED),
        ("TLS 1.1", Cause.NOT_SUPPORTED),
    ]


def test_a_version_is_accepted_although_a_client_certificate_is_wanted(
    probe: TlsProbe, serving: Serving, authority: Authority
) -> None:
    server = serving(lowest=ssl.TLSVersion.TLSv1, client_ca=authority.ca_file)
    assert "TLS 1.2" in accepted(look(probe, server.port))
    if "TLS 1.0" in proven():
        assert "TLS 1.0" in accepted(look(probe, server.port))


# --- HSTS and plain HTTP ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "header", "age"),
    [
        (
            b"Strict-Transport-Security: max-age=63072000; includeSubDomains",
            "max-age=63072000; includeSubDomains",
            63072000,
        ),
        (b'strict-transport-security: includeSubDomains; MAX-AGE="300"', 'includeSubDomains; MAX-AGE="300"', 300),
        (b"Strict-Transport-Security: max-age=0", "max-age=0", 0),
        (b"Strict-Transport-Security: yes", "yes", None),
        (b"X-Other: 1", "", None),
    ],
)
def test_the_header_is_read_as_it_stands(
    probe: TlsProbe, serving: Serving, line: bytes, header: str, age: int | None
) -> None:
    page = b"HTTP/1.1 204 No Content\r\n" + line + b"\r\n\r\n"
    assert look(probe, serving(page=page).port).hsts == Hsts(header=header, max_age=age)


def test_what_is_no_http_has_no_header(probe: TlsProbe, serving: Serving) -> None:
    seen = look(probe, serving(page=b"220 mail.example.net ESMTP\r\n\r\n").port)
    assert isinstance(seen.hsts, Unavailable)
    assert seen.hsts.cause is Cause.BAD_RESPONSE


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 301 Moved Permanently\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def test_a_plain_address_that_redirects_is_looked_at_where_it_leads(
    probe: TlsProbe, serving: Serving, start: Start
) -> None:
    server = serving()
    gate = start(plain=redirect(f"https://127.0.0.1:{server.port}/"))
    seen = look(probe, gate.port, scheme="http")
    assert seen.address == f"127.0.0.1:{server.port}"
    assert faults(seen) == []
    assert isinstance(seen.plain, PlainAnswer)
    assert seen.plain.location == f"https://127.0.0.1:{server.port}/"


def test_a_plain_address_without_redirect_has_no_certificate(probe: TlsProbe, start: Start) -> None:
    seen = look(probe, start(plain=b"HTTP/1.1 200 OK\r\n\r\nhello").port, scheme="http")
    assert isinstance(seen.plain, PlainAnswer)
    assert (seen.plain.status, seen.plain.location) == (200, "")
    assert isinstance(seen.certificate, Absent)
    assert (seen.versions, seen.address) == ((), "")


def test_a_redirect_to_another_host_is_not_followed(probe: TlsProbe, start: Start) -> None:
    seen = look(probe, start(plain=redirect("https://elsewhere.test/")).port, scheme="http")
    assert isinstance(seen.certificate, Absent)


def test_an_interim_answer_is_not_the_answer(probe: TlsProbe, start: Start) -> None:
    plain = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    seen = look(probe, start(plain=plain).port, scheme="http")
    assert isinstance(seen.plain, PlainAnswer)
    assert seen.plain.status == 200


def test_a_connection_closed_without_an_answer_is_refused(probe: TlsProbe, serving: Serving) -> None:
    seen = look(probe, serving(plain=None).port)
    assert isinstance(seen.plain, PlainAnswer)
    assert seen.plain.reply is PlainReply.REFUSED


@pytest.mark.parametrize(
    "said",
    [
        b"<html>all is here</html>",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/2 200 OK\r\n\r\nok",
        b"HTTP/1.1 2000 OK\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20,
        b"220 mail.example.net ESMTP\r\n",
    ],
)
def test_what_breaks_http_without_tls_was_not_refused(
    probe: TlsProbe, serving: Serving, start: Start, said: bytes
) -> None:
    for seen in (look(probe, serving(plain=said).port), look(probe, start(plain=said).port, scheme="http")):
        assert isinstance(seen.plain, PlainAnswer)
        assert seen.plain.reply is PlainReply.BROKEN


def test_a_port_that_answers_plain_http_with_an_alert_of_tls_refuses_it(probe: TlsProbe, serving: Serving) -> None:
    seen = look(probe, serving(plain=b"\x15\x03\x01\x00\x02\x02\x46").port)
    assert isinstance(seen.plain, PlainAnswer)
    assert (seen.plain.reply, seen.plain.words) == (PlainReply.REFUSED, "the port speaks TLS only")


def test_only_a_get_of_the_declared_address_is_sent(probe: TlsProbe, serving: Serving) -> None:
    server = serving()
    ask(probe, f"https://127.0.0.1:{server.port}/home?x=1")
    sent = [request for request in server.requests if request]
    assert len(sent) == 2
    assert all(request.startswith(b"GET /home?x=1 HTTP/1.1\r\nHost: 127.0.0.1") for request in sent)


# --- what was never reached ------------------------------------------------------------------------------------------


def test_a_closed_port_is_unreachable(probe: TlsProbe, closed_port: int) -> None:
    for scheme in ("https", "http"):
        answer = ask(probe, f"{scheme}://127.0.0.1:{closed_port}/")
        assert isinstance(answer, Unavailable)
        assert answer.cause is Cause.UNREACHABLE


def test_a_port_that_says_nothing_is_a_timeout_within_the_deadline(authority: Authority, silent: int) -> None:
    began = time.monotonic()
    answer = ask(tls_probe(authority, seconds=0.3), f"https://127.0.0.1:{silent}/")
    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.TIMEOUT
    assert time.monotonic() - began < 5, "one deadline of 0.3 s, with room for a busy machine"


def look_of(probe: TlsProbe, url: str, clock: Callable[[], float] = time.monotonic) -> Look:
    """A look as the probe makes it, on a clock of the test's."""
    dialled = probe._dialled[False]
    return Look(read_target(url), dialled, probe.contexts, probe.deadline, now(), clock)


@pytest.mark.parametrize("hangs_after", [0, 1, 2, 3, 4])
def test_whatever_hangs_the_whole_look_ends_by_one_deadline(
    authority: Authority, serving: Serving, hangs_after: int
) -> None:
    probe = tls_probe(authority, seconds=1)
    server = serving(silent_after=hangs_after)
    ask(probe, f"https://127.0.0.1:{server.port}/")  # the contexts are made, which is no part of it
    server.connections = 0
    began = time.monotonic()
    answer = look_of(probe, f"https://127.0.0.1:{server.port}/").take()
    took = time.monotonic() - began
    assert took < 2.5, f"{took:.2f} s for one deadline of 1 s, with room for a busy machine"
    if hangs_after == 0:
        assert isinstance(answer, Unavailable)
        assert answer.cause is Cause.TIMEOUT
    else:
        assert isinstance(answer, TransportSecurity)
        assert faults(answer) == []
        assert isinstance(answer.plain, Unavailable) or answer.plain.reply is PlainReply.SILENT


def test_a_name_whose_lookup_hangs_takes_its_share_of_the_one_deadline(authority: Authority, serving: Serving) -> None:
    released = threading.Event()
    resolver = Resolver(lookup=lambda _: (str(released.wait(20)),), deadline=0.3)
    probe = TlsProbe(AddressPolicy.of(["127.0.0.1"]), resolver, 0.3, now, ca_file=str(authority.ca_file))
    try:
        began = time.monotonic()
        assert isinstance(look_of(probe, f"https://payments.test:{serving().port}/").take(), Unavailable)
        assert time.monotonic() - began < 3
    finally:
        released.set()


def test_a_plain_port_is_silent_only_if_it_was_given_the_time_to_speak(authority: Authority, serving: Serving) -> None:
    server = serving(silent_after=4)
    seen = look(tls_probe(authority, seconds=2), server.port)
    assert isinstance(seen.plain, PlainAnswer)
    assert (seen.plain.reply, seen.plain.words[:20]) == (PlainReply.SILENT, "nothing came within ")
    late = serving(silent_after=1)
    seen = look(tls_probe(authority, seconds=1), late.port)
    assert isinstance(seen.plain, Unavailable)
    assert seen.plain.cause is Cause.TIMEOUT
    assert [one.cause for one in seen.versions if one.reply is VersionReply.UNKNOWN] == [Cause.TIMEOUT] * 3


def test_a_port_that_speaks_something_else_has_broken_tls(probe: TlsProbe, start: Start) -> None:
    seen = look(probe, start(plain=b"HTTP/1.1 400 Bad Request\r\n\r\n").port)
    assert isinstance(seen.certificate, BrokenTls)
    assert accepted(seen) == []


def test_an_address_outside_the_policy_is_not_connected_to(authority: Authority, serving: Serving) -> None:
    server = serving()
    probe = TlsProbe(AddressPolicy.of([]), Resolver(deadline=1), 1, now, ca_file=str(authority.ca_file))
    for scheme in ("https", "http"):
        answer = ask(probe, f"{scheme}://127.0.0.1:{server.port}/")
        assert isinstance(answer, Unavailable)
        assert answer.cause is Cause.NOT_CONFIGURED
        assert "probing.allow" in answer.detail
    assert server.connections == 0


def test_a_service_without_an_address_says_which_line_to_add(probe: TlsProbe) -> None:
    answer = ask(probe, None)
    assert isinstance(answer, Unavailable)
    assert (answer.cause, answer.lines) == (Cause.NOT_CONFIGURED, "spec:\n  url: https://HOST")
    assert isinstance(ask(probe, "ftp://files.test/"), Unavailable)
    assert isinstance(ask(probe, None, ServiceType.WORKER), Absent)


# --- many ------------------------------------------------------------------------------------------------------------


def test_services_that_share_an_address_share_a_look_and_each_is_answered(
    probe: TlsProbe, serving: Serving, silent: int, closed_port: int
) -> None:
    server = serving()
    urls = [f"https://127.0.0.1:{server.port}/"] * 40 + [f"https://127.0.0.1:{closed_port}/"] * 5 + [None] * 3
    services = [Service(name=f"s{index}", spec=Spec(url=url)) for index, url in enumerate(urls)]
    answers = dict(probe.ask(services, Upstream()))
    assert set(answers) == {service.key for service in services}
    assert sum(isinstance(answer, TransportSecurity) for answer in answers.values()) == 40
    assert server.connections == 5
    assert silent


def test_a_hanging_address_does_not_hold_up_another(authority: Authority, serving: Serving, silent: int) -> None:
    probe = tls_probe(authority, seconds=1)
    services = [
        Service(name="hangs", spec=Spec(url=f"https://127.0.0.1:{silent}/")),
        Service(name="fine", spec=Spec(url=f"https://127.0.0.1:{serving().port}/")),
    ]
    assert [key.name for key, _ in probe.ask(services, Upstream())] == ["fine", "hangs"]


def services_at(*ports: int) -> list[Service]:
    return [Service(name=f"s{port}", spec=Spec(url=f"https://127.0.0.1:{port}/")) for port in ports]


def test_those_that_hung_last_time_wait_in_a_lane_of_their_own(authority: Authority, serving: Serving) -> None:
    """As many hang as may begin: without lanes nobody else would be looked at before the deadline."""
    probe = tls_probe(authority, seconds=2)
    probe.threads = 2
    hanging = [serving(silent_after=0).port for _ in range(4)]
    list(probe.ask(services_at(*hanging), Upstream()))
    assert len(probe._slow) == 4
    ended: list[tuple[str, float]] = []
    began = time.monotonic()
    healthy = [serving().port for _ in range(6)]
    for key, _ in probe.ask(services_at(*hanging, *healthy), Upstream()):
        ended.append((key.name, time.monotonic() - began))
    assert {name for name, _ in ended[:6]} == {f"s{port}" for port in healthy}
    assert ended[5][1] < 2, "all healthy ones are done before any deadline has passed"


def test_one_that_hangs_for_the_first_time_gives_its_place_away(authority: Authority, serving: Serving) -> None:
    probe = tls_probe(authority, seconds=2)
    probe.threads = 2
    hanging, healthy = [serving(silent_after=0).port for _ in range(4)], [serving().port for _ in range(6)]
    names = [key.name for key, _ in probe.ask(services_at(*hanging, *healthy), Upstream())]
    assert set(names[:6]) == {f"s{port}" for port in healthy}


def test_a_target_that_answers_again_leaves_the_lane(authority: Authority, serving: Serving) -> None:
    probe = tls_probe(authority, seconds=0.3)
    server = serving(silent_after=0)
    list(probe.ask(services_at(server.port), Upstream()))
    assert len(probe._slow) == 1
    server.silent_after, probe.deadline = None, 30
    list(probe.ask(services_at(server.port), Upstream()))
    assert not probe._slow


def test_what_another_process_saw_hang_is_slow_here_too(authority: Authority, serving: Serving) -> None:
    probe = tls_probe(authority, seconds=2)
    probe.threads = 1
    hanging, healthy = services_at(serving(silent_after=0).port), services_at(serving().port, serving().port)
    missing = Observation(TransportSecurity, now(), Unavailable(Cause.TIMEOUT, "it hung"))
    upstream = Upstream({(hanging[0].key, TransportSecurity): missing})
    assert [key for key, _ in probe.ask([*hanging, *healthy], upstream)][-1] == hanging[0].key


def test_the_evidence_is_stored_and_read_back(
    probe: TlsProbe, serving: Serving, start: Start, issuing: Issuing
) -> None:
    answers = [
        look(probe, serving(issuing()).port),
        look(probe, start(plain=b"HTTP/1.1 200 OK\r\n\r\n").port, scheme="http"),
        look(probe, start(plain=b"HTTP/1.1 400 Bad Request\r\n\r\n").port),
    ]
    for answer in answers:
        assert decode_answer(TransportSecurity, encode_answer(answer)) == answer


def test_days_are_counted_from_what_was_served(
    probe: TlsProbe, serving: Serving, issuing: Issuing, authority: Authority
) -> None:
    seen = look(probe, serving(issuing(by=authority.issued, days=10)).port)
    assert timedelta(days=9.9) < certificate(seen).not_after - now() < timedelta(days=10.1)
