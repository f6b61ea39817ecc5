"""The strict reader of JSON."""

from __future__ import annotations

import contextlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.egress.strict_json import BadJsonError, read_json


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[" * 100_000, "nested"),
        (b"[" * 100_000 + b"]" * 100_000, "nested"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested"),
        (b"[" * 33 + b"]" * 33, "nested"),
        (b"1" * 1_000_000, "digits"),
        (b"-" + b"1" * 1_000_000, "digits"),
        (b"1" * 1_000_000 + b".5", "past"),
        (b"1e999", "past"),
        (b"NaN", "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b"-Infinity", "Infinity"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"b": {"a": 1, "\\u0061": 2}}', "twice"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udc00x": 1}', "surrogate"),
        (b"\xff", "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b"", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b"[1,]", "not JSON"),
        (b"01", "not JSON"),
    ],
)
def test_what_two_readers_could_take_differently_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(BadJsonError, match=words):
        read_json(data)


def test_a_sound_document_is_read() -> None:
    assert read_json(b'\xef\xbb\xbf{"status": "ok", "n": [1, 2.5, -3e2, null, "\\ud83d\\ude00"]}') == {
        "status": "ok",
        "n": [1, 2.5, -300.0, None, "\U0001f600"],
    }
    assert read_json(b"[" * 32 + b"]" * 32)


@pytest.mark.faults
def test_a_hundred_thousand_broken_documents_raise_nothing_else() -> None:
    rng = random.Random(32)  # noqa: S311 - a seed, so that a failure can be repeated
    seeds = [
        b'{"status": "ok", "checks": [{"name": "db", "ms": 1.5e3, "up": true}, null], "v": "\\u00e9\\ud83d\\ude00"}',
        b"[" * 40 + b"1" + b"]" * 40,
        '{"\u00fc": [1, -2.5, {"a": {"b": []}}], "text": "\\"\\\\ \u20ac"}'.encode(),
    ]
    pieces = [
        b"NaN",
        b"\\ud800",
        b"\xff",
        b"1" * 500,
        b"e999",
        b'"a":1,"a":2',
        b"\x00",
        b"-",
        b"[",
        b"}",
        b'"',
        b"\xed\xa0\x80",
    ]
    refused = 0
    for _ in range(100_000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data) + 1)
            data[at : at + rng.randrange(3)] = rng.choice(pieces) if rng.random() < 0.5 else rng.randbytes(1)
        try:
            read_json(bytes(data))
        except BadJsonError:
            refused += 1
    assert 50_000 < refused < 100_000, "the generator reaches both verdicts"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_whatever_json_writes_is_read_back(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:\\u0123456789abdefnNaI.-+e ', max_size=80).map(str.encode))
def test_nothing_but_bad_json_escapes(data: bytes) -> None:
    with contextlib.suppress(BadJsonError):
        json.dumps(read_json(data), allow_nan=False, ensure_ascii=False).encode()
