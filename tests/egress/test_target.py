"""One reading of an address: every spelling ends at the same host, or is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.egress.target import BadTargetError, read_target

LOOPBACK = [
    "http://127.0.0.1",
    "http://2130706433",
    "http://0x7f000001/",
    "http://0x7F.1",
    "http://017700000001",
    "http://0177.0.0.1",
    "http://0177.0.0.01",
    "http://127.1",
    "http://127.0.1",
    "http://127.0.0.1.",
    "http://127.0x0.0.1",
    "http://\uff11\uff12\uff17.0.0.1",
    "http://127\u30020\u30020\u30021",
    "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "HTTP://127.0.0.1:80",
]


@pytest.mark.parametrize("url", LOOPBACK)
def test_every_spelling_of_an_ipv4_address_is_read_as_that_address(url: str) -> None:
    target = read_target(url)
    assert (target.host, target.port, target.literal, target.url) == ("127.0.0.1", 80, True, "http://127.0.0.1/")


def test_an_ipv6_literal_gets_its_canonical_spelling() -> None:
    assert read_target("https://[2001:DB8:0:0::1]:8443/x").url == "https://[2001:db8::1]:8443/x"
    assert read_target("http://[::ffff:127.0.0.1]").host == "::ffff:7f00:1"


def test_a_name_is_lower_case_ascii_and_the_fragment_is_left_out() -> None:
    target = read_target("https://B\u00fccher.Example.NET./a%20b/\u00fc?q=1&r=%26#top")
    assert target.url == "https://xn--bcher-kva.example.net/a%20b/%C3%BC?q=1&r=%26"
    assert not target.literal


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/livez",
        "ftp://example.net",
        "file:///etc/passwd",
        "gopher://example.net",
        "http://",
        "http:///x",
        "http://user@example.net",
        "http://user:password@example.net",
        "http://example.net:99999",
        "http://example.net:0",
        "http://example.net:x",
        "http://example.net\\@127.0.0.1",
        "http://example.net /x",
        "http://example.net\t/x",
        "http://example.net/\r\nX: y",
        "http://example.net/\x00",
        "http://[fe80::1%25eth0]/",
        "http://[::1",
        "http://[::1]x/",
        "http://[v1.x]/",
        "http://ex%61mple.net",
        "http://exa<mple.net",
        "http://a..b",
        "http://-a.net",
        "http://1.2.3.4.5",
        "http://256.1.1.1",
        "http://0x7g.1.1.1.9999999999",
        "http://" + "a" * 300,
        "http://example.net/" + "a" * 5000,
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(url: str) -> None:
    with pytest.raises(BadTargetError):
        read_target(url)


@given(st.text(max_size=60))
def test_nothing_but_bad_target_escapes(text: str) -> None:
    for url in (text, f"http://{text}", f"https://example.net/{text}"):
        try:
            target = read_target(url)
        except BadTargetError:
            continue
        assert target.url.isascii()
        assert read_target(target.url) == target, "the canonical spelling is read as itself"
