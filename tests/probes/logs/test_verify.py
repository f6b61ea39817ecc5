"""Looking for our request in lines that anybody may have written."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.evidence import LogSystem, Reply, Sent, Trace
from scorecard.probes.logs.lines import FieldNames, Line
from scorecard.probes.logs.verify import Wanted, look, request_seen

AT = datetime(2026, 11, 24, 15, 18, 33, tzinfo=UTC)
SENT = Sent(
    sent_at=AT,
    url="http://payments.example.net/v1/ping?verbose=1",
    header="X-Correlation-ID",
    correlation_id="scorecard-0c5e7f3a-6c4b-4d0e-9a51-30e0d7a1f0aa",
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    control_id="scorecard-5f0e1d2c-0000-4d0e-9a51-30e0d7a1f0bb",
    reply=Reply.ANSWERED,
    status=200,
    milliseconds=20,
)
WANTED = Wanted(
    sent=SENT,
    system=LogSystem.FILE,
    service="payments",
    others=frozenset({"ledger", "payments-worker"}),
    declared_field="correlation_id",
    names=FieldNames(),
)


def entry(**keys: object) -> Line:
    return Line(text=json.dumps(keys))


@pytest.mark.parametrize("value", [SENT.correlation_id, SENT.trace_id, SENT.traceparent])
def test_each_of_the_ids_suffices(value: str) -> None:
    assert look([entry(correlation_id=value)], WANTED, cut=False).trace is Trace.IN_FIELD


@pytest.mark.parametrize(
    "value",
    [f" {SENT.correlation_id}", f"{SENT.correlation_id}-1", f"{SENT.correlation_id},other", SENT.trace_id + "0"],
)
def test_a_longer_text_is_not_the_id(value: str) -> None:
    assert look([entry(correlation_id=value)], WANTED, cut=False).trace is Trace.IN_TEXT


def test_the_id_as_a_key_is_not_the_id() -> None:
    assert look([entry(**{SENT.correlation_id: "x"})], WANTED, cut=False).trace is Trace.IN_TEXT


def test_the_best_line_counts_wherever_it_stands() -> None:
    lines = [Line(text=f"text {SENT.correlation_id}"), entry(rid=SENT.correlation_id)]
    assert look(lines, WANTED, cut=False).trace is Trace.UNDER_ANOTHER_KEY
    lines = [*lines, entry(correlation_id=SENT.correlation_id), *lines]
    assert look(lines, WANTED, cut=False).trace is Trace.IN_FIELD


def test_the_control_id_anywhere_makes_every_find_worthless() -> None:
    lines = [entry(correlation_id=SENT.correlation_id), Line(text=f'query="{SENT.control_id}"')]
    assert look(lines, WANTED, cut=False).trace is Trace.INVENTED


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("payments", True),
        ("Payments", True),
        ("payments-api", True),
        ("payments_api", True),
        ("payments-worker", False),
        ("ledger", False),
        ("gateway", False),
    ],
)
def test_the_service_that_a_line_names_is_ours_or_not(said: str, ours: bool) -> None:
    assert (WANTED.whose({"service": said}) == "") is ours


@pytest.mark.parametrize(
    "text",
    [
        '1.2.3.4 - - [24/Nov/2026:15:18:33 +0000] "GET /v1/ping?verbose=1 HTTP/1.1" 200 2',
        '1.2.3.4 - - [25/Nov/2026:01:18:34 +1000] "GET /v1/ping HTTP/1.1" 200 2',
        "2026-11-25 01:18:34,120 INFO GET /v1/ping 200",
        "2026-11-24 20:48:32 GET http://payments.example.net/v1/ping",
        json.dumps({"timestamp": "2026-11-24T15:18:33.5Z", "uri": "/v1/ping"}),
        json.dumps({"timestamp": "2026-11-24T15:18:33.5Z", "uri": "/v1/ping"}).replace("/", "\\/"),
    ],
)
def test_the_line_of_the_request_is_told_by_its_path_and_its_time(text: str) -> None:
    assert request_seen([Line(text=text)], WANTED)


@pytest.mark.parametrize(
    "text",
    [
        "GET /v1/ping",
        "2026-11-24T15:18:40Z GET /v1/ping",
        "2026-11-24 15:20:33 GET /v1/ping",
        "2026-11-24T15:18:33Z GET /v1/pings",
        "2026-11-24T15:18:33Z GET /api/v1/ping",
        "2026-11-24T15:18:33Z GET /v1/ping/deep",
        json.dumps({"timestamp": "2026-11-24T15:18:33Z", "service": "ledger", "uri": "/v1/ping"}),
        json.dumps({"timestamp": "2026-11-24T15:18:33Z", "service": "gateway", "uri": "/v1/ping"}),
    ],
)
def test_another_line_is_not_the_request_s(text: str) -> None:
    assert request_seen([Line(text=text)], WANTED) is None


def test_the_store_s_time_counts_where_the_line_tells_none() -> None:
    zone = timezone(timedelta(hours=10))
    assert request_seen([Line(text="GET /v1/ping", at=AT.astimezone(zone))], WANTED)
    assert request_seen([Line(text="GET /v1/ping", at=AT + timedelta(seconds=9))], WANTED) is None


hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(SENT.correlation_id),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["correlation_id", "level", "service", "log", "x"]), hostile), max_size=5)
)
def test_no_line_gets_out_of_hand_and_none_passes_without_the_id_in_its_field(entries: list[dict[str, object]]) -> None:
    found = look([entry(**one) for one in entries], WANTED, cut=False)
    request_seen([entry(**one) for one in entries], WANTED)
    has = any(one.get("correlation_id") == SENT.correlation_id for one in entries)
    if found.trace is Trace.IN_FIELD:
        assert any(SENT.correlation_id in json.dumps(one) for one in entries)
    if has and not any(isinstance(one.get("service"), str) and one["service"] for one in entries):
        assert found.trace in {Trace.IN_FIELD, Trace.IN_TEXT}
