"""The strict reader: YAML 1.2 values, the line of every key, and everything that it refuses."""

from __future__ import annotations

import math
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.strict_yaml import OWN_FILES, Limits, Tagged, Tags, YamlError, load, load_all, load_each


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0o17", 15),
        ("0x1F", 31),
        ("-12", -12),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", math.inf),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("! 5", "5"),
        ("<<", "<<"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("-", [None]),
        ("10.0.0.0/8", "10.0.0.0/8"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    read = load(text, name="f").value
    assert read == value
    assert type(read) is type(value)


def test_the_key_on_stays_a_key() -> None:
    assert load("on: {push: {}}", name="ci.yml").value == {"on": {"push": {}}}


TEXT = """\
# a comment
metadata:
  name: payments
  links:
    - title: On call
      url: x
    - {title: Wiki, url: y}
"""


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ((), (2, 1)),
        (("metadata",), (2, 1)),
        (("metadata", "name"), (3, 3)),
        (("metadata", "links", 0), (5, 7)),
        (("metadata", "links", 0, "url"), (6, 7)),
        (("metadata", "links", 1), (7, 7)),
        (("metadata", "links", 1, "url"), (7, 21)),
        (("metadata", "absent", "deeper"), (2, 1)),
        (("metadata", "links", 9), (4, 3)),
        (("metadata", "name", "deeper"), (3, 3)),
    ],
)
def test_every_key_and_item_knows_its_line_and_column(path: tuple[str | int, ...], position: tuple[int, int]) -> None:
    assert load(TEXT, name="f").position(path) == position


def test_what_an_alias_brings_in_is_found_where_it_was_written() -> None:
    document = load("a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  own: 2\n", name="f")
    assert document.value == {"a": {"k": 1}, "b": {"k": 1}, "c": {"own": 2, "k": 1}}
    assert document.where(("b", "k")) == "f:1"
    assert document.where(("c", "k")) == "f:1"
    assert document.where(("c", "own")) == "f:5"


def test_a_merge_key_never_overrides_what_the_mapping_says_and_the_first_source_wins() -> None:
    text = "a: &a {k: 1, l: 1}\nb: &b {k: 2, m: 2}\nc: {<<: [*a, *b], l: 3}\n"
    assert load(text, name="f").value["c"] == {"k": 1, "l": 3, "m": 2}


REFUSED = [
    ("a: 1\nb: 2\na: 3\n", 3, "'a' stands twice; the first is in line 1"),
    ("multi_az: true\nmulti_az: false\n", 2, "stands twice"),
    ("1: a\ntrue: b\n", 2, "stands twice"),
    ("a: 1\n[x]: 2\n", 2, "cannot be a key"),
    ("a: 1\n{x: 1}: 2\n", 2, "cannot be a key"),
    ("a: &x\n  b: *x\n", 2, "within itself"),
    ("a: *x\n", 1, "no anchor"),
    ("a: 1\nb: !Ref x\n", 2, "tag !Ref"),
    ("a: !!python/object:os.system {}\n", 1, "python/object"),
    ("a: !!set {x}\n", 1, "not read"),
    ("a: !!int x\n", 1, "!!int"),
    ("a:\n\tb: 1\n", 2, "a tab cannot indent"),
    ("a: [1, 2\n", 2, "did not find expected ',' or ']'"),
    ("a: 'x\n", 2, "quoted scalar"),
    ("a: b: c\n", 1, "mapping values are not allowed"),
    ("a: 1\n b: 2\n", 2, "mapping values are not allowed"),
    ("a: 1\nb: \x07\n", 2, "control characters"),
    ('a: "\\ud800"\n', 1, "invalid Unicode"),
    ("a: \ud800\n", 1, "lone surrogate"),
    ("a: @b\n", 1, "cannot start any token"),
    ("<<: 5\n", 1, "<< takes a mapping"),
    ("x: &x [1]\n<<: *x\n", 2, "<< takes a mapping"),
    ("a: 1\nb: " + "9" * 101 + "\n", 2, "a number of 101 digits"),
    ("%TAG ! tag:x,2000:\n---\na: !b c\n", 1, "%TAG"),
    ("---\na: 1\n---\nb: 1\n", 4, "a second document"),
    ("? ? ? a\n", 1, "cannot be a key"),
]


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_what_hides_a_mistake_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlError) as caught:
        load(text, name="services/a.yaml")
    assert message in caught.value.message
    assert caught.value.line == line
    assert str(caught.value).startswith(f"services/a.yaml:{line}:")


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    with pytest.raises(YamlError, match=r"f:2:1: byte 0xff is not UTF-8"):
        load(b"a: 1\nb: \xff\n", name="f")


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    document = load("\ufeffa: 1\r\nb: |\r\n  x\r\nc: 3\r".encode(), name="f")
    assert document.value == {"a": 1, "b": "x\n", "c": 3}
    assert document.position(("c",)) == (4, 1)


def test_tags_of_other_formats_are_kept_when_asked_for() -> None:
    document = load("a: !Ref X\nb: !Sub [x, {y: 1}]\nc: {<<: &k {d: 1}}\n", name="f", tags=Tags.KEEP)
    assert document.value == {"a": Tagged("!Ref", "X"), "b": Tagged("!Sub", ["x", {"y": 1}]), "c": {"d": 1}}
    assert document.position(("b", 1, "y")) == (2, 14)


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def _merge_bomb(levels: int) -> str:
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


BOMBS = {
    "flow lists": "[" * 100_000,
    "flow mappings": "{a: " * 100_000,
    "block lists": "- " * 100_000,
    "explicit keys": "? " * 100_000,
    "block mappings": "\n".join(" " * n + "a:" for n in range(1000)),
    "laughs": _laughs(12),
    "merge keys": _merge_bomb(40),
    "a chain of aliases": "\n".join(["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 500)]),
    "a chain of merges": "\n".join(
        ["a0: &a0 {k0: [x]}"] + [f"a{n}: &a{n} {{k: {{<<: *a{n - 1}}}}}" for n in range(1, 500)]
    ),
    "items": "[" + "1," * 300_000 + "]",
    "size": "a: " + "x" * (1 << 20),
    "documents": "---\na\n" * 1_001,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_every_bomb_ends_as_an_error_before_memory_is_spent(bomb: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(YamlError):
            load_all(BOMBS[bomb], name="bomb")
        assert tracemalloc.get_traced_memory()[1] < 120 << 20
    finally:
        tracemalloc.stop()


def test_deep_nesting_does_not_end_the_process() -> None:
    program = (
        "from scorecard.strict_yaml import load, YamlError\n"
        "for text in ('[' * 900000, '{a: ' * 200000, '- ' * 400000):\n"
        "    try:\n        load(text, name='x')\n    except YamlError as error:\n        print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) == 3


def test_a_bad_document_does_not_hide_the_ones_after_it() -> None:
    text = "a: 1\n---\nb: [\n---\nc: 3\nc: 4\n---\n# fine\nd: 4\n"
    found = list(load_each(text, name="f"))
    assert [getattr(item, "value", None) for item in found] == [{"a": 1}, None, None, {"d": 4}]
    assert [item.line for item in found] == [1, 4, 6, 9]
    assert found[3].position(("d",)) == (9, 1)  # type: ignore[union-attr]


def test_reading_gives_up_after_a_hundred_bad_documents() -> None:
    assert len(list(load_each("---\na: [\n" * 5000, name="f", limits=OWN_FILES))) == 100


def test_an_empty_text_is_no_document() -> None:
    assert load_all("# nothing\n", name="f") == ()
    assert load("", name="f").value is None


@given(st.text(alphabet=st.sampled_from(list("ab:-[]{}&*!<?|>'\"#%@,\n\t \\0.~\u20ac\x00\ud800")), max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for found in load_each(text, name="f", limits=Limits(depth=8, nodes=50), tags=Tags.KEEP):
        assert found.line >= 0


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    for found in load_each(data, name="f"):
        assert found.line >= 0
