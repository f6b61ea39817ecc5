"""The row `structured-logs`: what a sample, and a request that was searched for, come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.structured_logs import row
from scorecard.evidence import (
    CorrelationSearch,
    Downstream,
    LogSample,
    LogSystem,
    Reply,
    Search,
    Sent,
    Trace,
    Unavailable,
)
from scorecard.judge import Judged
from scorecard.model import Cause, Service, ServiceType, Spec, Status
from tests.checks.conftest import NOW

Ask = Callable[..., Judged]
DENIED = Unavailable(Cause.ACCESS_DENIED, "loki/main: answered 403")
EARLIER = NOW - timedelta(minutes=15)


def sample(lines: int = 500, objects: int | None = None, complete: int | None = None, **more: object) -> LogSample:
    objects = lines if objects is None else objects
    complete = objects if complete is None else complete
    return LogSample(system=LogSystem.FILE, lines=lines, json_objects=objects, complete=complete, **more)


SENT = Sent(
    sent_at=EARLIER,
    url="http://payments.example.net/v1/ping",
    header="X-Correlation-ID",
    correlation_id="scorecard-1",
    trace_id="2" * 32,
    span_id="3" * 16,
    control_id="scorecard-4",
    reply=Reply.ANSWERED,
    status=200,
    echoed="x-correlation-id",
)


def result(trace: Trace = Trace.IN_FIELD, **more: object) -> Search:
    return Search(system=LogSystem.FILE, trace=trace, key="correlation_id", lines=3, **more)


def search(found: Search | Unavailable | None = None, **more: object) -> CorrelationSearch:
    return CorrelationSearch(
        **{"sent": SENT, "searched_at": NOW, "result": found if found is not None else result(), **more}
    )


# --- the lines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objects", "status"),
    [(500, "pass"), (495, "pass"), (494, "warn"), (450, "warn"), (449, "fail"), (0, "fail")],
)
def test_the_share_of_json_objects_decides(ask: Ask, objects: int, status: str) -> None:
    judged = ask(row, "json", sample(objects=objects))
    assert judged.status.value == status
    assert "500 lines" in judged.message


@pytest.mark.parametrize(("complete", "status"), [(500, "pass"), (475, "pass"), (474, "fail")])
def test_the_share_of_lines_with_every_field_decides(ask: Ask, complete: int, status: str) -> None:
    judged = ask(row, "fields", sample(complete=complete, lacking={"level": 26}, bad_timestamps=2))
    assert judged.status.value == status
    if status == "fail":
        assert "26 without level, 2 with a timestamp that is not RFC 3339" in judged.message


@pytest.mark.parametrize("check", ["json", "fields"])
def test_a_log_without_a_line_says_nothing(ask: Ask, check: str) -> None:
    assert ask(row, check, sample(lines=0)).cause is Cause.NO_DATA


# --- the request -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "status", "code"),
    [
        (result(), "pass", "ok"),
        (result(lag=1.0, lag_at_least=0.5), "pass", "ok"),
        (result(lag=2.9, lag_at_least=1.0), "pass", "ok"),
        (result(lag=2.9, lag_at_least=2.0), "warn", "slow"),
        (result(lag=4.0, lag_at_least=3.5), "warn", "late"),
        (result(lacking=("level",)), "warn", "incomplete-line"),
        (result(skew=-301.0), "warn", "clock"),
        (result(skew=299.0), "pass", "ok"),
        (result(says_service="ledger"), "warn", "other-name"),
        (result(Trace.UNDER_ANOTHER_KEY), "warn", "other-key"),
        (result(Trace.IN_TEXT), "fail", "in-text"),
        (result(Trace.WITHOUT_ID), "fail", "without-id"),
        (result(Trace.NO_LINE), "unknown", "no-data"),
        (result(Trace.NOTHING_NEWER), "unknown", "no-data"),
        (result(Trace.ANOTHER_SERVICE, says_service="ledger"), "unknown", "no-data"),
        (result(Trace.INVENTED), "unknown", "bad-response"),
        (DENIED, "unknown", "access-denied"),
    ],
)
def test_what_was_found_decides(ask: Ask, found: Search | Unavailable, status: str, code: str) -> None:
    judged = ask(row, "correlation-id", search(found))
    assert (judged.status.value, judged.code) == (status, code)


@pytest.mark.parametrize(("system", "cause"), [(LogSystem.FILE, Cause.NO_DATA), (LogSystem.LOKI, Cause.BAD_RESPONSE)])
def test_a_log_with_more_lines_than_were_looked_at_proves_nothing(ask: Ask, system: LogSystem, cause: Cause) -> None:
    found = replace(result(Trace.NO_LINE, cut=True), system=system)
    assert ask(row, "correlation-id", search(found)).cause is cause


@pytest.mark.parametrize(
    ("system", "in_time", "too_late"),
    [
        (LogSystem.FILE, 1.4, 3.1),
        (LogSystem.LOKI, 14.0, 31.0),
        (LogSystem.ELASTICSEARCH, 29.0, 61.0),
        (LogSystem.CLOUDWATCH, 59.0, 121.0),
    ],
)
def test_each_kind_of_log_has_a_lag_limit(ask: Ask, system: LogSystem, in_time: float, too_late: float) -> None:
    def judged(lag: float) -> str:
        found = replace(result(lag=lag, lag_at_least=lag), system=system)
        return ask(row, "correlation-id", search(found)).code

    assert (judged(in_time), judged(too_late)) == ("ok", "late")


def test_a_request_that_waits_for_its_search_is_unknown_and_says_when_it_was_sent(ask: Ask) -> None:
    judged = ask(row, "correlation-id", CorrelationSearch(pending=SENT))
    assert judged.cause is Cause.NO_DATA
    assert "sent at 11:45:00 UTC, not searched for yet" in judged.message


def test_a_result_grows_old_from_its_search_though_newer_requests_are_sent(ask: Ask) -> None:
    judged = ask(row, "correlation-id", search(searched_at=EARLIER, pending=SENT))
    assert judged.observed_at == EARLIER
    assert judged.expires_at == EARLIER + timedelta(hours=2)


def test_the_message_for_another_key_has_the_line_to_declare(ask: Ask) -> None:
    found = replace(result(Trace.UNDER_ANOTHER_KEY), key="ctx.request_id")
    assert "spec.correlation.field: ctx.request_id" in ask(row, "correlation-id", search(found)).message


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (SENT, "pass"),
        (replace(SENT, echoed=""), "fail"),
        (replace(SENT, echoed="", reply=Reply.TIMED_OUT), "unknown"),
        (None, "unknown"),
    ],
)
def test_the_newest_response_decides_whether_the_id_is_echoed(ask: Ask, sent: Sent | None, status: str) -> None:
    older = replace(SENT, echoed="") if status == "pass" else SENT
    seen = CorrelationSearch(sent=older if sent else None, pending=sent)
    assert ask(row, "echoed", seen).status.value == status


@pytest.mark.parametrize(
    ("below", "status"),
    [
        (result(), "pass"),
        (result(Trace.UNDER_ANOTHER_KEY), "warn"),
        (result(Trace.IN_TEXT), "fail"),
        (result(Trace.NO_LINE), "fail"),
        (result(Trace.NO_LINE, cut=True), "unknown"),
        (result(Trace.NOTHING_NEWER), "unknown"),
        (DENIED, "unknown"),
        (None, "unknown"),
    ],
)
def test_each_declared_downstream_service_is_judged(ask: Ask, below: Search | Unavailable | None, status: str) -> None:
    payments = Service(name="payments", spec=Spec(downstream=("ledger",)))
    parts = (Downstream(name="ledger", result=below),) if below else ()
    judged = ask(row, "reaches-downstream", search(downstream=parts), service=payments)
    assert judged.status.value == status
    assert judged.subjects[0].name == "ledger"


def test_without_declared_downstream_services_there_is_nothing_to_reach(ask: Ask) -> None:
    assert ask(row, "reaches-downstream", search()).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("kind", [ServiceType.WORKER, ServiceType.JOB, ServiceType.STATIC])
def test_who_takes_no_requests_is_not_asked_for_correlation(ask: Ask, kind: ServiceType) -> None:
    worker = Service(name="payments", type=kind)
    for check in ("correlation-id", "echoed", "reaches-downstream"):
        assert ask(row, check, search(), service=worker).status is Status.NOT_APPLICABLE
    assert ask(row, "json", sample(), service=worker).status is Status.PASS


# --- the Law ---------------------------------------------------------------------------------------------------------

CREDIT = {"pass": 1.0, "warn": 0.5, "fail": 0.0, "unknown": 0.0}
searches = st.builds(
    result,
    st.sampled_from(Trace),
    lag=st.none() | st.floats(0, 200),
    lag_at_least=st.none() | st.floats(0, 200),
    lacking=st.sampled_from([(), ("level",)]),
    skew=st.none() | st.floats(-1000, 1000),
    says_service=st.sampled_from(["", "ledger"]),
    cut=st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    own=searches,
    below=searches,
    lost=st.sampled_from(["result", "downstream", "both", "never searched", "sent"]),
    cause=st.sampled_from(Cause),
)
def test_losing_any_part_of_a_search_never_raises_a_verdict(
    ask: Ask, own: Search, below: Search, lost: str, cause: Cause
) -> None:
    payments = Service(name="payments", spec=Spec(downstream=("ledger",)))
    gone = Unavailable(cause, "gone")
    whole = search(own, downstream=(Downstream(name="ledger", result=below),))
    part = {
        "result": replace(whole, result=gone),
        "downstream": replace(whole, downstream=(Downstream(name="ledger", result=gone),)),
        "both": replace(whole, result=gone, downstream=()),
        "never searched": CorrelationSearch(pending=SENT),
        "sent": replace(whole, sent=None),
    }[lost]
    for check in ("correlation-id", "echoed", "reaches-downstream"):
        before = ask(row, check, whole, service=payments)
        after = ask(row, check, part, service=payments)
        assert CREDIT[after.status.value] <= CREDIT[before.status.value]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("json", "last 500 lines at most 1% are no JSON objects, and never over 10%"),
        ("fields", "95% of the lines"),
        ("correlation-id", "3 s in a file, 30 s in Loki, 60 s in Elasticsearch, 120 s in CloudWatch"),
    ],
)
def test_a_rule_shows_the_threshold_in_force(check: str, words: str) -> None:
    assert words in row.check(check).rule(row.default_limits())


def test_the_remedy_gives_the_line_to_write() -> None:
    assert "X-Correlation-ID" in row.check("correlation-id").remedy
