"""The row `encryption`: plain HTTP, certificate, versions and HSTS as a verdict; listeners and stores."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.encryption import row
from scorecard.check import Named
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.aws import DataAtRest, DataInTransit, Encryption, Gone, Listener, Listeners, Unseen
from scorecard.evidence.tls import (
    BrokenTls,
    Certificate,
    CertificateFault,
    Fault,
    Hsts,
    PlainAnswer,
    PlainReply,
    TransportSecurity,
    VersionReply,
    VersionSeen,
)
from scorecard.judge import Judged
from scorecard.model import Cause, Service, ServiceType, Status

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NAMES = ("TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3")
LOST = Unavailable(Cause.TIMEOUT, "payments.example.net:443: nothing within 5 s")
NONE = Absent("http://payments.example.net/ is plain HTTP and leads to no HTTPS address of its host")
Ask = Callable[..., Judged]


def certificate(days: float = 60, *faults: CertificateFault) -> Certificate:
    return Certificate(
        subject="CN=payments.example.net",
        issuer="CN=R11,O=Let's Encrypt",
        names=("payments.example.net",),
        not_before=NOW - timedelta(days=30),
        not_after=NOW + timedelta(days=days),
        key="EC secp256r1",
        signature="sha256",
        faults=tuple(Fault(kind=kind, words=f"it is {kind.value}") for kind in faults),
    )


def versions(replies: str) -> tuple[VersionSeen, ...]:
    """`rraa`: 1.0 and 1.1 refused, 1.2 and 1.3 accepted; `u` for unknown."""
    kinds = {"a": VersionReply.ACCEPTED, "r": VersionReply.REFUSED, "u": VersionReply.UNKNOWN}
    return tuple(
        VersionSeen(name=name, reply=kinds[letter], words="w", cause=Cause.NOT_SUPPORTED if letter == "u" else None)
        for name, letter in zip(NAMES, replies, strict=True)
    )


def plain(reply: PlainReply = PlainReply.ANSWERED, status: int = 0, location: str = "", words: str = "") -> PlainAnswer:
    return PlainAnswer(url="http://payments.example.net/", reply=reply, status=status, location=location, words=words)


REFUSED = plain(PlainReply.REFUSED, words="connection refused")
GOOD = TransportSecurity(
    address="payments.example.net:443",
    plain=REFUSED,
    certificate=certificate(),
    versions=versions("rraa"),
    hsts=Hsts(header="max-age=31536000", max_age=31_536_000),
)


def seen(**parts: object) -> TransportSecurity:
    return dataclasses.replace(GOOD, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (REFUSED, "pass", "ok"),
        (plain(status=301, location="https://payments.example.net/"), "pass", "ok"),
        (plain(status=308, location="https://PAYMENTS.example.net:443/x"), "pass", "ok"),
        (plain(status=400), "pass", "ok"),
        (plain(status=426), "pass", "ok"),
        (plain(status=200), "fail", "plain-http"),
        (plain(status=404), "fail", "plain-http"),
        (plain(status=401), "fail", "plain-http"),
        (plain(status=301), "fail", "plain-http"),
        (plain(status=302, location="http://payments.example.net/home"), "fail", "redirect-to-http"),
        (plain(status=301, location="https://www.example.net/"), "fail", "redirect-to-another-host"),
        (plain(status=301, location="https://[broken/"), "fail", "redirect-to-http"),
        (plain(status=503), "unknown", "no-data"),
        (plain(PlainReply.SILENT, words="nothing came"), "warn", "silent"),
        (plain(PlainReply.BROKEN, words="what came is no HTTP"), "fail", "plain-and-broken"),
        (LOST, "unknown", "timeout"),
    ],
)
def test_plain_http_redirects_or_is_refused(
    ask: Ask, answer: PlainAnswer | Unavailable, status: str, code: str
) -> None:
    found = ask(row, "https", seen(plain=answer))
    assert (found.status.value, found.code) == (status, code)


def test_an_address_in_plain_http_alone_fails_and_has_no_certificate(ask: Ask) -> None:
    only_plain = seen(address="", plain=plain(status=200), certificate=NONE, versions=(), hsts=NONE)
    assert ask(row, "https", only_plain).message == (
        "http://payments.example.net/ answered 200 without TLS, and no redirect"
    )
    for check in ("certificate", "tls-version", "hsts"):
        found = ask(row, check, only_plain)
        assert (found.status, found.message) == (Status.NOT_APPLICABLE, NONE.reason)


@pytest.mark.parametrize(
    ("served", "status", "code"),
    [
        (certificate(60), "pass", "ok"),
        (certificate(21), "pass", "ok"),
        (certificate(20.9), "warn", "ends-soon"),
        (certificate(7.1), "warn", "ends-soon"),
        (certificate(7), "fail", "ends-now"),
        (certificate(0.5), "fail", "ends-now"),
        (certificate(-0.5), "fail", "expired"),
        *[(certificate(60, kind), "fail", kind.value) for kind in CertificateFault],
        (certificate(60, CertificateFault.EXPIRED, CertificateFault.WRONG_HOST), "fail", "several"),
        (BrokenTls(words="payments.example.net:443 answers, and no TLS handshake succeeds"), "fail", "no-tls"),
        (LOST, "unknown", "timeout"),
    ],
)
def test_a_certificate_is_judged_by_its_faults_and_its_days(
    ask: Ask, served: Certificate | BrokenTls | Unavailable, status: str, code: str
) -> None:
    found = ask(row, "certificate", seen(certificate=served))
    assert (found.status.value, found.code) == (status, code)


def test_a_certificate_that_runs_out_is_told_with_day_and_number(ask: Ask) -> None:
    assert ask(row, "certificate", seen(certificate=certificate(10))).message == (
        "the certificate of payments.example.net:443 is valid until 2026-12-03, for 10 days more; 21 are better"
    )


def test_days_of_a_checklist_are_what_counts(ask: Ask) -> None:
    assert ask(row, "certificate", seen(certificate=certificate(40)), days_left_soon=60.0).status is Status.WARN


@pytest.mark.parametrize(
    ("replies", "status", "code"),
    [
        ("rraa", "pass", "ok"),
        ("rrra", "pass", "ok"),
        ("rrar", "pass", "ok"),
        ("rrau", "pass", "ok"),
        ("rrru", "unknown", "not-supported"),
        ("araa", "fail", "old-version"),
        ("raaa", "fail", "old-version"),
        ("auaa", "fail", "old-version"),
        ("uraa", "unknown", "not-supported"),
        ("ruaa", "unknown", "not-supported"),
        ("rrrr", "fail", "no-version"),
    ],
)
def test_only_new_versions_may_be_accepted(ask: Ask, replies: str, status: str, code: str) -> None:
    found = ask(row, "tls-version", seen(versions=versions(replies)))
    assert (found.status.value, found.code) == (status, code)


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (Hsts(header="max-age=31536000", max_age=31_536_000), "pass", "ok"),
        (Hsts(header="max-age=15552000", max_age=15_552_000), "pass", "ok"),
        (Hsts(header="max-age=300", max_age=300), "warn", "short"),
        (Hsts(header="max-age=0", max_age=0), "fail", "no-age"),
        (Hsts(header="yes"), "fail", "no-age"),
        (Hsts(header=""), "fail", "no-header"),
        (LOST, "unknown", "timeout"),
    ],
)
def test_the_header_must_hold_for_half_a_year(ask: Ask, header: Hsts | Unavailable, status: str, code: str) -> None:
    found = ask(row, "hsts", seen(hsts=header))
    assert (found.status.value, found.code) == (status, code)


RANK = {Status.UNKNOWN: 0, Status.FAIL: 1, Status.WARN: 2, Status.PASS: 3}
lost_versions = st.lists(st.sampled_from("arau"), min_size=4, max_size=4).map("".join)


@given(
    replies=lost_versions,
    lost=st.sets(st.integers(0, 3)),
    answer=st.sampled_from([REFUSED, plain(status=200), plain(status=503), plain(PlainReply.SILENT), LOST]),
    days=st.sampled_from([60.0, 10.0, 1.0]),
    part=st.sampled_from(["plain", "certificate", "hsts", "all"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_could_not_be_seen_never_raises_a_check(
    ask: Ask, replies: str, lost: set[int], answer: PlainAnswer | Unavailable, days: float, part: str
) -> None:
    before = seen(plain=answer, certificate=certificate(days), versions=versions(replies))
    fewer = versions("".join("u" if index in lost else letter for index, letter in enumerate(replies)))
    parts = ("plain", "certificate", "hsts") if part == "all" else (part,)
    after = dataclasses.replace(before, versions=fewer, **dict.fromkeys(parts, LOST))
    for check in ("https", "certificate", "tls-version", "hsts"):
        assert RANK[ask(row, check, after).status] <= RANK[ask(row, check, before).status]


def test_a_worker_is_not_asked_what_it_serves(ask: Ask) -> None:
    worker = Service(name="worker", type=ServiceType.WORKER)
    for check in ("https", "certificate", "tls-version", "hsts"):
        assert ask(row, check, service=worker).status is Status.NOT_APPLICABLE


DENIED = Unavailable(Cause.ACCESS_DENIED, "s3:GetBucketPolicy in eu-west-1: AccessDenied")
KINDS: dict[str, Any] = {"load-balancer": Listeners, "in-transit-to-data": DataInTransit, "at-rest": DataAtRest}
TLS12 = ("TLSv1.2", "TLSv1.3")


def listener(protocol: str, versions: tuple[str, ...] = (), **more: object) -> Listener:
    return Listener(name="arn:l", where=f"{protocol}:443 of edge", protocol=protocol, versions=versions, **more)


def store(*, encrypted: bool | None, **more: object) -> Encryption:
    return Encryption(name="arn:s", kind="RDS instance", encrypted=encrypted, words="as it is set", **more)


OF_AWS: list[tuple[str, str, Any, Status, str]] = [
    ("https", "load-balancer", listener("HTTPS", TLS12, policy="new"), Status.PASS, "TLSv1.2 and TLSv1.3 only"),
    ("tls", "load-balancer", listener("TLS", ("TLSv1.3",), policy="new"), Status.PASS, "TLSv1.3 only"),
    (
        "old",
        "load-balancer",
        listener("HTTPS", ("TLSv1.1", *TLS12), policy="o"),
        Status.FAIL,
        "policy o, accepts TLSv1.1",
    ),
    ("no policy", "load-balancer", listener("HTTPS", policy="mine"), Status.UNKNOWN, "does not say which versions"),
    ("redirect", "load-balancer", listener("HTTP", redirects=True), Status.PASS, "redirects to HTTPS"),
    ("plain", "load-balancer", listener("HTTP"), Status.FAIL, "HTTP:443 of edge forwards plain HTTP"),
    ("tcp", "load-balancer", listener("TCP"), Status.WARN, "nobody was seen encrypting"),
    ("appliance", "load-balancer", listener("GENEVE"), Status.NOT_APPLICABLE, "appliances"),
    ("unseen", "load-balancer", Unseen("arn:l", DENIED), Status.UNKNOWN, "AccessDenied"),
    ("gone", "load-balancer", Gone("arn:l"), Status.FAIL, "AWS does not have it"),
    ("forced", "in-transit-to-data", store(encrypted=True), Status.PASS, "RDS instance: as it is set"),
    ("plain", "in-transit-to-data", store(encrypted=False), Status.FAIL, "as it is set"),
    (
        "restart",
        "in-transit-to-data",
        store(encrypted=True, pending="g is pending-reboot"),
        Status.WARN,
        "not in force",
    ),
    ("plain still", "in-transit-to-data", store(encrypted=False, pending="g is applying"), Status.FAIL, "as it is set"),
    ("no such question", "in-transit-to-data", store(encrypted=None), Status.NOT_APPLICABLE, "as it is set"),
    ("two", "in-transit-to-data", store(encrypted=True, claimed_by=("ledger",)), Status.PASS, "claimed by ledger too"),
    ("encrypted", "at-rest", store(encrypted=True), Status.PASS, "as it is set"),
    ("open", "at-rest", store(encrypted=False, claimed_by=("a", "b")), Status.FAIL, "claimed by a and b too"),
    ("unseen", "at-rest", Unseen("arn:s", DENIED), Status.UNKNOWN, "AccessDenied"),
    ("gone", "at-rest", Gone("arn:s"), Status.FAIL, "AWS does not have it"),
]


@pytest.mark.parametrize(
    ("check", "item", "status", "words"), [case[1:] for case in OF_AWS], ids=[f"{c[1]}: {c[0]}" for c in OF_AWS]
)
def test_what_aws_says_of_one_thing_is_judged_as_the_rule_says(
    ask: Ask, check: str, item: Named, status: Status, words: str
) -> None:
    judged = ask(row, check, KINDS[check](items=(item,)))

    assert (judged.status, words in judged.message) == (status, True), judged.message


@pytest.mark.parametrize("check", KINDS)
def test_what_may_be_elsewhere_leaves_no_pass_and_what_is_nowhere_is_not_asked(ask: Ask, check: str) -> None:
    good = listener("HTTPS", TLS12) if check == "load-balancer" else store(encrypted=True)
    lost = ask(row, check, KINDS[check](items=(good,), missing=(DENIED,)))

    assert (lost.status, lost.cause) == (Status.UNKNOWN, Cause.ACCESS_DENIED)
    assert ask(row, check, absent=(KINDS[check],)).status is Status.NOT_APPLICABLE
