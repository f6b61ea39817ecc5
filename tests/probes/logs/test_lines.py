"""One line of a log: envelopes, JSON, fields, times."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.probes.logs.lines import (
    LONGEST_LINE,
    FieldNames,
    Line,
    Unwrapper,
    first_of,
    lacking,
    read_object,
    rfc_3339,
    some_time,
    texts_of,
    value_of,
)

INNER = '{"level":"info","message":"paid"}'


def unwrapped(*texts: str) -> list[str]:
    return [line.text for line in Unwrapper().lines(texts)]


def docker(text: str, stream: str = "stdout") -> str:
    return json.dumps({"log": text, "stream": stream, "time": "2026-11-24T15:18:33.123456789Z"})


def test_a_line_comes_out_of_the_envelope_of_docker_with_its_time() -> None:
    (line,) = Unwrapper().lines([docker(INNER + "\n")])
    assert line == Line(text=INNER, at=datetime(2026, 11, 24, 15, 18, 33, 123456, tzinfo=UTC))


def test_a_line_comes_out_of_the_envelope_of_cri_with_its_time() -> None:
    (line,) = Unwrapper().lines([f"2026-11-24T15:18:33.123456789+10:00 stdout F {INNER}"])
    assert line == Line(text=INNER, at=datetime(2026, 11, 24, 5, 18, 33, 123456, tzinfo=UTC))


@pytest.mark.parametrize(
    "texts",
    [
        [docker(INNER[:9]), docker("another\n", "stderr"), docker(INNER[9:] + "\n")],
        [
            f"2026-11-24T15:18:33.1Z stdout P {INNER[:9]}",
            "2026-11-24T15:18:33.1Z stderr F another",
            f"2026-11-24T15:18:33.2Z stdout F {INNER[9:]}",
        ],
    ],
    ids=["docker", "cri"],
)
def test_the_parts_of_a_long_line_are_joined_though_the_other_stream_speaks_between(texts: list[str]) -> None:
    assert sorted(unwrapped(*texts)) == ["another", INNER]


def test_a_service_that_logs_a_key_called_log_is_in_no_envelope() -> None:
    own = '{"log":"written","level":"info"}'
    assert unwrapped(own) == [own]


def test_a_line_that_only_looks_like_cri_stays_as_it_is() -> None:
    assert unwrapped("2026-13-45T99:18:33.1Z stdout F text") == ["2026-13-45T99:18:33.1Z stdout F text"]


def test_endless_parts_end_at_the_longest_line() -> None:
    part = f"2026-11-24T15:18:33.1Z stdout P {'x' * 100_000}"
    (text,) = unwrapped(*[part] * 30, "2026-11-24T15:18:33.2Z stdout F end")
    assert len(text) == LONGEST_LINE


def test_empty_lines_are_none() -> None:
    assert unwrapped("", "  ", docker("\n")) == []


@pytest.mark.parametrize(
    "text",
    [
        "text", "[1]", "3", '"text"', "{", '{"a":1', '{"a":NaN}', '{"a":Infinity}', '{"a":' * 3000 + "1" + "}" * 3000,
        "{'a':1}", "", '{"a":1}{"b":2}', '{"a":1} trailing',
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_none(text: str) -> None:
    assert read_object(text) is None


def test_a_key_that_stands_twice_is_let_through_as_log_stores_do() -> None:
    assert read_object('{"message":"a","message":"b"}') == {"message": "b"}


def test_an_object_that_an_agent_put_into_text_is_read() -> None:
    line = Line(text=json.dumps({"date": 1.5, "log": INNER, "kubernetes": {"pod_name": "x"}}))
    assert value_of(line.entry() or {}, "message") == "paid"


def test_a_message_that_is_json_of_a_service_that_logs_json_stays_a_message() -> None:
    line = Line(text=json.dumps({"level": "info", "message": INNER}))
    assert (line.entry() or {})["message"] == INNER


@pytest.mark.parametrize(
    ("document", "structured"),
    [
        ({"@timestamp": "x", "message": "plain text", "agent": {"type": "filebeat"}, "host": {"name": "h"}}, False),
        ({"@timestamp": "x", "message": "plain", "log": {"file": {"path": "/x"}, "offset": 3}}, False),
        ({"@timestamp": "x", "message": "m", "log": {"level": "info"}, "ecs": {"version": "8"}}, True),
        ({"@timestamp": "x", "message": "m", "level": "info", "agent": {}}, True),
        ({"@timestamp": "x", "message": INNER, "agent": {}}, True),
    ],
)
def test_a_stored_document_counts_as_json_only_where_the_service_wrote_json(
    document: dict[str, object], structured: bool
) -> None:
    assert (Line(text=json.dumps(document), document=document).entry() is not None) is structured


def test_fields_are_found_under_flat_and_nested_keys_by_their_aliases() -> None:
    names = FieldNames()
    assert lacking({"@timestamp": "x", "log": {"level": "info"}, "msg": "m"}, names) == ()
    assert lacking({"ts": "x", "log.level": "info", "event": "m"}, names) == ()
    assert lacking({"time": "", "level": None, "text": "m"}, names) == ("timestamp", "level", "message")
    assert first_of({"level": 30}, names.level) == 30


def test_every_text_of_an_object_is_found_with_its_path() -> None:
    entry = {"a": "1", "b": {"c": ["2", {"d": "3"}]}, "e": 4}
    assert list(texts_of(entry)) == [("a", "1"), ("b.c", "2"), ("b.c.d", "3")]


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T15:18:33Z", "2026-11-24t15:18:33.5z", "2026-11-24 15:18:33.123456789+10:00",
        "2016-12-31T23:59:60Z",
    ],
)  # fmt: skip
def test_an_rfc_3339_time_is_read(text: str) -> None:
    assert rfc_3339(text) is not None


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-24T15:18:33", "2026-11-24T15:18:33+1000", "2026-11-24", "24/Nov/2026:15:18:33 +0000", 1795533513,
        "1795533513", None, "", "2026-13-24T15:18:33Z", "2026-11-24T25:18:33Z", "0001-01-01T00:00:00+23:59",
        "\uff12026-11-24T15:18:33Z",
    ],
)  # fmt: skip
def test_what_is_no_rfc_3339_time_is_none(value: object) -> None:
    assert rfc_3339(value) is None


@pytest.mark.parametrize(
    ("text", "zoned"),
    [
        ('1.2.3.4 - - [24/Nov/2026:15:18:33 +0000] "GET / HTTP/1.1" 200', True),
        ("2026-11-24T15:18:33.0Z INFO started", True),
        ("2026-11-25 01:18:33,000+1000 started", True),
        ("2026-11-24 15:18:33,000 started", False),
    ],
)
def test_a_time_is_found_in_a_text(text: str, zoned: bool) -> None:
    assert some_time(text) == (datetime(2026, 11, 24, 15, 18, 33, tzinfo=UTC), zoned)


@given(st.text() | st.text(alphabet='{}[]":,\\ulogstreamtime0123456789. FP'))
def test_no_text_gets_out_of_hand(text: str) -> None:
    for line in Unwrapper().lines(text.split("\n")):
        entry = line.entry()
        if entry is not None:
            lacking(entry, FieldNames())
            list(texts_of(entry))
    some_time(text)
