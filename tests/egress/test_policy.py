"""The address policy, against an oracle that is written from IANA's registries with integers and nothing of ours."""

from __future__ import annotations

import random
import socket

import pytest

from scorecard.egress.policy import AddressPolicy

# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry, with multicast, as
# (first address, prefix length). Written in another notation than the implementation's on purpose.
IPV4 = [
    ((0, 0, 0, 0), 8),
    ((10, 0, 0, 0), 8),
    ((100, 64, 0, 0), 10),
    ((127, 0, 0, 0), 8),
    ((169, 254, 0, 0), 16),
    ((172, 16, 0, 0), 12),
    ((192, 0, 0, 0), 24),
    ((192, 0, 2, 0), 24),
    ((192, 31, 196, 0), 24),
    ((192, 52, 193, 0), 24),
    ((192, 88, 99, 0), 24),
    ((192, 168, 0, 0), 16),
    ((192, 175, 48, 0), 24),
    ((198, 18, 0, 0), 15),
    ((198, 51, 100, 0), 24),
    ((203, 0, 113, 0), 24),
    ((224, 0, 0, 0), 4),
    ((240, 0, 0, 0), 4),
    ((255, 255, 255, 255), 32),
]
IPV6 = [
    ("00000000000000000000000000000000", 128),
    ("00000000000000000000000000000001", 128),
    ("00000000000000000000ffff00000000", 96),
    ("0064ff9b000000000000000000000000", 96),
    ("0064ff9b000100000000000000000000", 48),
    ("01000000000000000000000000000000", 64),
    ("01000000000000010000000000000000", 64),
    ("20010000000000000000000000000000", 23),
    ("20010db8000000000000000000000000", 32),
    ("20020000000000000000000000000000", 16),
    ("2620004f800000000000000000000000", 48),
    ("3fff0000000000000000000000000000", 20),
    ("5f000000000000000000000000000000", 16),
    ("fc000000000000000000000000000000", 7),
    ("fe800000000000000000000000000000", 10),
    ("ff000000000000000000000000000000", 8),
]
ALLOWED_V4 = [((10, 0, 0, 0), 8), ((192, 168, 7, 0), 24), ((169, 254, 0, 0), 16), ((127, 0, 0, 0), 8)]
ALLOWED_V6 = [("fd000000000000000000000000000000", 8), ("0064ff9b000000000000000000000000", 96)]
ALLOW = [
    "10.0.0.0/8",
    "192.168.7.0/24",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "fd00::/8",
    "64:ff9b::/96",
    "127.0.0.9",
    "::1",
]


def number(octets: tuple[int, ...]) -> int:
    return int.from_bytes(bytes(octets))


def within(value: int, first: int, length: int, width: int) -> bool:
    return value >> (width - length) == first >> (width - length)


def oracle_v4(value: int) -> bool:
    if within(value, number((169, 254, 0, 0)), 16, 32) or value == number((168, 63, 129, 16)):
        return False
    if value >> 24 == 127:
        return value == number((127, 0, 0, 9))
    special = any(within(value, number(first), length, 32) for first, length in IPV4)
    return not special or any(within(value, number(first), length, 32) for first, length in ALLOWED_V4)


def oracle_v6(value: int) -> bool:
    if within(value, 0xFD00_0EC2 << 96, 32, 128):
        return False
    if value == 1:
        return True
    special = value >> 125 != 1 or any(within(value, int(first, 16), length, 128) for first, length in IPV6)
    if special and not any(within(value, int(first, 16), length, 128) for first, length in ALLOWED_V6):
        return False
    # Of what is left only the NAT64 prefix wraps an IPv4 address; 6to4, Teredo and the rest are not allowed here.
    return oracle_v4(value & 0xFFFFFFFF) if within(value, 0x0064FF9B << 96, 96, 128) else True


def v4_text(value: int) -> str:
    return socket.inet_ntop(socket.AF_INET, value.to_bytes(4))


def v6_text(value: int) -> str:
    return socket.inet_ntop(socket.AF_INET6, value.to_bytes(16))


def near(rng: random.Random, first: int, length: int, width: int) -> int:
    """An address in a network, at one of its ends, or just outside."""
    size = 1 << (width - length)
    inside = first + rng.randrange(size)
    return rng.choice([inside, first, first + size - 1, first - 1, first + size]) % (1 << width)


def test_ten_thousand_generated_addresses_are_judged_as_the_registries_say() -> None:
    rng = random.Random(20261124)  # noqa: S311 - a seed, so that a failure can be repeated
    policy = AddressPolicy.of(ALLOW)
    networks_v4 = [(number(first), length) for first, length in [*IPV4, *ALLOWED_V4]]
    networks_v6 = [(int(first, 16), length) for first, length in [*IPV6, *ALLOWED_V6, ("fd000ec2" + "0" * 24, 32)]]
    verdicts = []
    for turn in range(10_000):
        if turn % 2:
            value = rng.getrandbits(32) if turn % 3 == 0 else near(rng, *rng.choice(networks_v4), 32)
            text, expected = v4_text(value), oracle_v4(value)
        else:
            kind = turn % 5
            if kind == 0:
                value = rng.getrandbits(128)
            elif kind == 1:
                value = 1 << 125 | rng.getrandbits(125)
            elif kind == 2:
                wrapped = near(rng, *rng.choice(networks_v4), 32)
                value = rng.choice([0, 0xFFFF << 32, 0x0064FF9B << 96, 0xFFFF << 48]) | wrapped
            else:
                value = near(rng, *rng.choice(networks_v6), 128)
            text, expected = v6_text(value), oracle_v6(value)
        assert (policy.refuses(text, 80) == "") is expected, text
        verdicts.append(expected)
    assert 2_000 < sum(verdicts) < 8_000, "the generator reaches both verdicts often"


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:0:102:304::5601:5601",
        "::169.254.169.254",
        "::ffff:0:a9fe:a9fe",
    ],
)
def test_nothing_that_is_allowed_opens_a_metadata_service(address: str) -> None:
    everything = AddressPolicy.of(["0.0.0.0/0", "::/0", "169.254.169.254", "fd00:ec2::254", "168.63.129.16"])
    assert everything.refuses(address, 80)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_is_open_by_its_exact_address_only(address: str) -> None:
    assert "loopback" in AddressPolicy.of(["127.0.0.0/8", "::/0", "0.0.0.0/0"]).refuses(address, 80)
    assert not AddressPolicy.of([address]).refuses(address, 80)


def test_an_exact_address_may_name_its_port() -> None:
    policy = AddressPolicy.of(["127.0.0.1:8080", "[::1]:9090", "[fd12::1]:443"])
    assert not policy.refuses("127.0.0.1", 8080)
    assert policy.refuses("127.0.0.1", 8081)
    assert not policy.refuses("::1", 9090)
    assert policy.refuses("::1", 80)
    assert not policy.refuses("fd12::1", 443)


def test_our_own_database_is_never_reached_on_its_port() -> None:
    policy = AddressPolicy.of(["10.0.0.0/8", "10.0.0.5"], never=["10.0.0.5:5432"])
    assert "database" in policy.refuses("10.0.0.5", 5432)
    assert not policy.refuses("10.0.0.5", 8080)


def test_our_own_listener_is_open_by_its_exact_address_only() -> None:
    own = ["10.1.2.3:8080"]
    assert "listener" in AddressPolicy.of(["10.0.0.0/8"], own=own).refuses("10.1.2.3", 8080)
    assert not AddressPolicy.of(["10.0.0.0/8"], own=own).refuses("10.1.2.3", 9000)
    assert not AddressPolicy.of(["10.0.0.0/8", "10.1.2.3"], own=own).refuses("10.1.2.3", 8080)


def test_a_wrapped_address_needs_both_itself_and_what_is_in_it() -> None:
    assert AddressPolicy.of(["10.0.0.0/8"]).refuses("::ffff:10.0.0.1", 80)
    assert AddressPolicy.of(["::ffff:0:0/96"]).refuses("::ffff:10.0.0.1", 80)
    assert not AddressPolicy.of(["::ffff:0:0/96", "10.0.0.0/8"]).refuses("::ffff:10.0.0.1", 80)
    assert not AddressPolicy.of(["2002::/16"]).refuses("2002:808:808::1", 80)


def test_a_zone_needs_a_link_local_address_that_is_listed() -> None:
    assert AddressPolicy.of().refuses("fe80::1%eth0", 80)
    assert not AddressPolicy.of(["fe80::/10"]).refuses("fe80::1%2", 80)
    assert "zone" in AddressPolicy.of(["::/0"]).refuses("2606:4700::1%eth0", 80)


@pytest.mark.parametrize(
    "text", ["localhost", "10.0.0.0/8:80", "10.0.0.1/8", "127.0.0.1:0", "127.0.0.1:x", "", "1.2.3"]
)
def test_an_entry_that_is_no_place_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a|a port goes"):
        AddressPolicy.of([text])


def test_what_is_not_an_address_is_refused() -> None:
    assert AddressPolicy.of(["0.0.0.0/0"]).refuses("example.net", 80)
