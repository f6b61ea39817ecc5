"""The request that we send and find again: every outcome on a real log, at once and in two runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from scorecard.evidence import Absent, CorrelationSearch, Reply, Trace, Unavailable
from scorecard.evidence.logs import LAG_LIMITS, LogSystem
from scorecard.model import Cause, Correlation, Health, Service, ServiceType
from scorecard.store.codec import decode_answer, encode_answer
from tests.probes.logs.estate import (
    FAST,
    LOKI_LOGS,
    App,
    Asked,
    Loki,
    Style,
    access_log,
    backdated,
    by_trace,
    file_logs,
    good,
    in_message,
    in_plain_text,
    later,
    line,
    nested,
    other_key,
    searched,
    service,
    serving,
    silent,
    stamp,
    to_file,
    unlogged,
    utc,
    without_id,
)

Ask = Callable[..., Asked]


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A service that logs well, into `app.log`."""
    log = tmp_path / "app.log"
    log.write_text(line("started") + "\n")
    return App(to_file(log), good)


@contextmanager
def one(app: App, **more: object) -> Iterator[Service]:
    """The service, running."""
    with serving(app) as url:
        yield service(url=url, logs=file_logs(), **more)


# --- at once, as on the command line ---------------------------------------------------------------------------------


def both(app: App, request: object) -> None:
    access_log(app, request)  # type: ignore[arg-type]
    good(app, request)  # type: ignore[arg-type]


def of_another(app: App, request: object) -> None:
    headers = request.headers  # type: ignore[attr-defined]
    app.write(line(service="ledger", correlation_id=headers["X-Correlation-ID"]))


@pytest.mark.parametrize(
    ("style", "trace", "key"),
    [
        (good, Trace.IN_FIELD, "correlation_id"),
        (by_trace, Trace.IN_FIELD, "correlation_id"),
        (both, Trace.IN_FIELD, "correlation_id"),
        (later(0.2), Trace.IN_FIELD, "correlation_id"),
        (other_key, Trace.UNDER_ANOTHER_KEY, "request_id"),
        (nested, Trace.UNDER_ANOTHER_KEY, "context.ids.correlation_id"),
        (in_message, Trace.IN_TEXT, ""),
        (in_plain_text, Trace.IN_TEXT, ""),
        (without_id, Trace.WITHOUT_ID, ""),
        (access_log, Trace.WITHOUT_ID, ""),
        (unlogged, Trace.NO_LINE, ""),
        (silent, Trace.NOTHING_NEWER, ""),
        (later(2.0), Trace.NOTHING_NEWER, ""),
    ],
)
def test_what_a_service_logs_of_our_request_is_told_apart(
    ask: Ask, app: App, style: Style, trace: Trace, key: str
) -> None:
    app.style = style
    with one(app) as payments:
        found = searched(ask().wait_for(payments)["payments"])
    assert (found.trace, found.key) == (trace, key)


def test_a_line_that_says_it_is_of_a_downstream_service_shows_nothing_of_this_one(ask: Ask, app: App) -> None:
    app.style = of_another
    with one(app, downstream=("ledger",)) as payments:
        found = searched(ask().wait_for(payments)["payments"])
    assert (found.trace, found.says_service, found.line) == (Trace.ANOTHER_SERVICE, "ledger", "")


def test_a_line_that_names_an_unknown_service_is_found_and_says_so(ask: Ask, app: App) -> None:
    app.style = of_another
    with one(app) as payments:
        found = searched(ask().wait_for(payments)["payments"])
    assert (found.trace, found.says_service) == (Trace.IN_FIELD, "ledger")


def test_the_request_carries_fresh_ids_in_three_headers_and_names_the_scorecard(ask: Ask, app: App) -> None:
    asked = ask()
    with one(app) as payments:
        asked.wait_for(payments)
        answer = asked.wait_for(payments)["payments"]
    first, second = app.requests
    assert isinstance(answer, CorrelationSearch)
    assert answer.sent
    assert second["x-correlation-id"] == second["x-request-id"] == answer.sent.correlation_id
    assert second["traceparent"] == answer.sent.traceparent
    assert second["user-agent"].startswith("readiness-scorecard/")
    assert {first["x-correlation-id"], first["traceparent"]}.isdisjoint(second.values())


def test_the_declared_header_and_field_are_the_ones_that_count(ask: Ask, app: App) -> None:
    def own(app: App, request: object) -> None:
        app.write(line(ids={"ticket": request.headers["X-Ticket"]}))  # type: ignore[attr-defined]

    app.style = own
    with one(app, correlation=Correlation(path="/v1/ping", header="X-Ticket", field="ids.ticket")) as payments:
        found = searched(ask().wait_for(payments)["payments"])
    assert (found.trace, found.key) == (Trace.IN_FIELD, "ids.ticket")


def test_the_readiness_path_is_asked_where_no_other_is_declared(ask: Ask, app: App) -> None:
    with one(app, correlation=Correlation(), health=Health(readiness="/readyz")) as payments:
        answer = ask().wait_for(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert answer.sent
    assert answer.sent.url.endswith("/readyz")


def test_the_evidence_shows_the_request_the_search_and_our_line_without_its_secrets(ask: Ask, app: App) -> None:
    def leaky(app: App, request: object) -> None:
        app.write(line("somebody else's line, with a card number 4111111111111111"))
        app.write(line(correlation_id=request.headers["X-Correlation-ID"], password="hunter2"))  # type: ignore[attr-defined]

    app.style = leaky
    with one(app) as payments:
        answer = ask().wait_for(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert answer.sent
    request, search = answer.exhibits
    assert "curl" in request.request
    assert answer.sent.correlation_id in request.request
    assert search.request.startswith("grep")
    assert answer.sent.correlation_id in search.excerpt
    assert search.facts["control_found"] is False
    kept = encode_answer(answer)
    assert "hunter2" not in kept
    assert "4111111111111111" not in kept


def test_a_line_without_the_id_is_never_kept_for_it_may_be_of_somebody_else(ask: Ask, app: App) -> None:
    app.style = without_id
    with one(app) as payments:
        answer = ask().wait_for(payments)["payments"]
    assert searched(answer).line == ""
    assert '"path": "/v1/ping"' not in encode_answer(answer)


@pytest.mark.parametrize("wrap", ["docker", "cri"])
def test_an_envelope_is_taken_off_before_the_line_is_judged(ask: Ask, app: App, wrap: str) -> None:
    plain = app.write

    def wrapped(text: str) -> None:
        docker = json.dumps({"log": text + "\n", "stream": "stdout", "time": stamp()})
        plain(docker if wrap == "docker" else f"{stamp()} stdout F {text}")

    app.write = wrapped
    with one(app) as payments:
        assert searched(ask().wait_for(payments)["payments"]).trace is Trace.IN_FIELD


def test_a_rotation_while_we_wait_loses_nothing(ask: Ask, app: App, tmp_path: Path) -> None:
    def rotating(app: App, request: object) -> None:
        good(app, request)  # type: ignore[arg-type]
        (tmp_path / "app.log").rename(tmp_path / "app.log.1")
        app.write(line("new file"))

    app.style = rotating
    with one(app) as payments:
        assert searched(ask().wait_for(payments)["payments"]).trace is Trace.IN_FIELD


def test_the_time_until_the_line_was_there_is_measured(ask: Ask, app: App) -> None:
    app.style = later(0.4)
    with one(app) as payments:
        found = searched(ask().wait_for(payments)["payments"])
    assert found.lag is not None
    assert found.lag_at_least is not None
    assert found.lag >= 0.35
    assert 0.1 <= found.lag_at_least <= found.lag


@pytest.mark.parametrize("echo", [True, False])
def test_it_is_seen_whether_the_response_carries_the_id(ask: Ask, app: App, echo: bool) -> None:
    app.echo = echo
    with one(app) as payments:
        answer = ask().wait_for(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert answer.sent
    assert bool(answer.sent.echoed) is echo


def test_a_service_that_answers_500_is_searched_for_all_the_same(ask: Ask, app: App) -> None:
    app.status = 500
    with one(app) as payments:
        assert searched(ask().wait_for(payments)["payments"]).trace is Trace.IN_FIELD


def test_a_request_that_nobody_took_is_unknown(ask: Ask, app: App) -> None:
    with one(app) as payments:
        pass
    answer = ask().wait_for(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert isinstance(answer.result, Unavailable)
    assert answer.result.cause is Cause.UNREACHABLE
    assert answer.sent
    assert answer.sent.reply is Reply.REFUSED


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"type": ServiceType.GRPC}, Cause.NOT_SUPPORTED),
        ({"correlation": Correlation()}, Cause.NOT_CONFIGURED),
    ],
)
def test_what_cannot_be_asked_is_unknown(ask: Ask, app: App, changed: dict[str, object], cause: Cause) -> None:
    with one(app, **changed) as payments:
        answer = ask().wait_for(payments)["payments"]
    assert isinstance(answer, Unavailable)
    assert answer.cause is cause


def test_a_worker_is_not_sent_requests(ask: Ask, app: App) -> None:
    with one(app, type=ServiceType.WORKER) as payments:
        assert isinstance(ask().wait_for(payments)["payments"], Absent)
    assert app.requests == []


def test_without_a_log_the_echo_is_still_seen_and_the_lines_to_add_are_told(ask: Ask, app: App) -> None:
    with serving(app) as url:
        answer = ask().wait_for(service(url=url))["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert isinstance(answer.result, Unavailable)
    assert (answer.result.cause, "file:" in answer.result.lines) == (Cause.NOT_CONFIGURED, True)
    assert answer.newest
    assert answer.newest.echoed


def test_progress_is_told_while_we_wait(ask: Ask, app: App) -> None:
    app.style = silent
    asked = ask(limits={**FAST, LogSystem.FILE: 1.5})
    with one(app) as payments:
        asked.wait_for(payments)
    assert any("waiting for 1 log line, " in words for words in asked.told)


# --- downstream ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("passes_on", "trace"), [(True, Trace.IN_FIELD), (False, Trace.NO_LINE)])
def test_a_downstream_service_is_seen_to_log_the_same_id_or_not(
    ask: Ask, app: App, tmp_path: Path, passes_on: bool, trace: Trace
) -> None:
    below = to_file(tmp_path / "ledger.log")
    below(line("started"))

    def calls(app: App, request: object) -> None:
        good(app, request)  # type: ignore[arg-type]
        headers = request.headers  # type: ignore[attr-defined]
        below(line(correlation_id=headers["X-Correlation-ID"] if passes_on else "another"))

    app.style = calls
    ledger = service("ledger", logs=file_logs("ledger.log"))
    with one(app, downstream=("ledger",)) as payments:
        answer = ask().wait_for(payments, ledger)["payments"]
    assert isinstance(answer, CorrelationSearch)
    (part,) = answer.downstream
    assert searched(replace(answer, result=part.result)).trace is trace
    assert searched(answer).trace is Trace.IN_FIELD


def test_a_downstream_service_that_nobody_registered_is_unknown(ask: Ask, app: App) -> None:
    with one(app, downstream=("ledger",)) as payments:
        answer = ask().wait_for(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert isinstance(answer.downstream[0].result, Unavailable)


# --- in two runs -----------------------------------------------------------------------------------------------------


def test_one_run_sends_and_a_later_one_finds(ask: Ask, app: App) -> None:
    asked = ask()
    with one(app) as payments:
        first = asked.run(payments)["payments"]
        assert isinstance(first, CorrelationSearch)
        assert (first.result, bool(first.pending)) == (None, True)
        backdated(asked, 900)
        second = asked.run(payments)["payments"]
    assert isinstance(second, CorrelationSearch)
    assert second.sent
    assert second.pending
    assert first.pending
    assert second.sent.correlation_id == first.pending.correlation_id
    assert second.pending.correlation_id != first.pending.correlation_id
    assert searched(second).trace is Trace.IN_FIELD


def test_no_run_waits(ask: Ask, app: App) -> None:
    app.style = silent
    asked = ask(limits=LAG_LIMITS)
    with one(app) as payments:
        asked.run(payments)
        backdated(asked, 900)
        began = time.monotonic()
        assert searched(asked.run(payments)["payments"]).trace is Trace.NOTHING_NEWER
    assert time.monotonic() - began < 2.5


def test_what_was_sent_survives_the_store_so_that_any_process_can_search(ask: Ask, app: App) -> None:
    asked = ask()
    with one(app) as payments:
        first = asked.run(payments)["payments"]
        stored = decode_answer(CorrelationSearch, encode_answer(first))
        assert stored == first
        key = (payments.key, CorrelationSearch)
        asked.past[key] = replace(asked.past[key], value=stored)
        backdated(asked, 900)
        second = asked.run(payments)["payments"]
        assert decode_answer(CorrelationSearch, encode_answer(second)) == second
    assert searched(second).trace is Trace.IN_FIELD


def test_a_run_that_comes_before_the_lag_limit_leaves_the_request_pending(ask: Ask, app: App) -> None:
    asked = ask(limits=LAG_LIMITS)
    with one(app) as payments:
        first = asked.run(payments)["payments"]
        assert asked.run(payments)["payments"] == first
    assert len(app.requests) == 1


def test_a_request_that_is_too_old_is_not_searched_for_any_more(ask: Ask, app: App) -> None:
    asked = ask()
    with one(app) as payments:
        asked.run(payments)
        backdated(asked, 3 * 3600)
        answer = asked.run(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert answer.result is None


def test_a_log_that_is_another_one_now_is_not_searched(ask: Ask, app: App, tmp_path: Path) -> None:
    asked = ask()
    (tmp_path / "other.log").write_text(line() + "\n")
    with one(app) as payments:
        asked.run(payments)
        backdated(asked, 900)
        moved = replace(payments, spec=replace(payments.spec, logs=file_logs("other.log")))
        answer = asked.run(moved)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert isinstance(answer.result, Unavailable)
    assert answer.result.cause is Cause.NO_DATA


def test_a_line_that_came_too_late_says_how_late(ask: Ask, app: App) -> None:
    def late(app: App, request: object) -> None:
        headers = request.headers  # type: ignore[attr-defined]
        at = stamp(utc() + timedelta(seconds=20))
        app.write(line(correlation_id=headers["X-Correlation-ID"], timestamp=at))

    app.style = late
    asked = ask()
    with one(app) as payments:
        asked.run(payments)
        key = (payments.key, CorrelationSearch)
        seen = asked.past[key]
        # The run after it comes a minute later.
        asked.correlation.clock = lambda: utc() + timedelta(seconds=60)
        assert isinstance(seen.value, CorrelationSearch)
        found = searched(asked.run(payments)["payments"])
    assert found.lag is not None
    assert 19 < found.lag < 22


@pytest.mark.parametrize("style", [without_id, access_log])
def test_the_line_of_the_request_is_told_by_path_and_time_a_quarter_of_an_hour_later(
    ask: Ask, app: App, style: Style
) -> None:
    app.style = style
    asked = ask()
    with one(app) as payments:
        asked.run(payments)
        asked.correlation.clock = lambda: utc() + timedelta(seconds=900)
        assert searched(asked.run(payments)["payments"]).trace is Trace.WITHOUT_ID


def test_a_line_of_another_time_is_not_the_request_s(ask: Ask, app: App) -> None:
    def long_ago(app: App, request: object) -> None:
        app.write(line(f"GET {request.path}", timestamp=stamp(utc() - timedelta(seconds=60))))  # type: ignore[attr-defined]

    app.style = long_ago
    with one(app) as payments:
        assert searched(ask().wait_for(payments)["payments"]).trace is Trace.NO_LINE


def test_a_longer_path_is_another_path(ask: Ask, app: App) -> None:
    app.style = lambda app, _request: app.write(line("GET /v1/ping/other and /api/v1/pingpong"))
    with one(app) as payments:
        assert searched(ask().wait_for(payments)["payments"]).trace is Trace.NO_LINE


def test_a_log_that_goes_away_is_unknown_and_the_next_request_is_sent_all_the_same(
    ask: Ask, app: App, tmp_path: Path
) -> None:
    app.style = silent
    asked = ask()
    with one(app) as payments:
        asked.run(payments)
        (tmp_path / "app.log").unlink()
        backdated(asked, 900)
        answer = asked.run(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert isinstance(answer.result, Unavailable)
    assert (answer.result.cause, answer.pending) == (Cause.NO_DATA, None)
    assert len(app.requests) == 2


# --- many, and some that do not answer -------------------------------------------------------------------------------


def test_a_thousand_services_are_asked_without_a_thread_for_each(ask: Ask, app: App, tmp_path: Path) -> None:
    most = 0
    stop = threading.Event()

    def watch() -> None:
        nonlocal most
        while not stop.wait(0.01):
            most = max(most, threading.active_count())

    logs = [to_file(tmp_path / f"{number}.log") for number in range(1000)]
    for write in logs:
        write(line("started"))

    def each(_app: App, request: object) -> None:
        number = int(request.path.rpartition("/")[2])  # type: ignore[attr-defined]
        logs[number](line(correlation_id=request.headers["X-Correlation-ID"]))  # type: ignore[attr-defined]

    app.style = each
    asked = ask()
    before = threading.active_count()
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with serving(app) as url:
            services = [
                service(f"s{number}", url, file_logs(f"{number}.log"), correlation=Correlation(path=f"/v1/{number}"))
                for number in range(1000)
            ]
            served = threading.active_count()
            asked.run(*services)
            backdated(asked, 900)
            most = 0
            answers = asked.run(*services)
    finally:
        stop.set()
        watching.join()
    assert sum(searched(answer).trace is Trace.IN_FIELD for answer in answers.values()) == 1000
    # The farm has a thread for each request under way, 200 of them; ours are those besides.
    assert most - served - 200 - 10 < 30, (most, served, before)


def test_a_loki_that_does_not_answer_keeps_no_other_log_waiting(ask: Ask, app: App) -> None:
    loki = Loki(delay=30)
    with serving(loki) as store, serving(app) as url:
        asked = ask(loki=store)
        hanging = [service(f"slow-{number}", url, LOKI_LOGS) for number in range(30)]
        quick = service(url=url, logs=file_logs())
        asked.run(*hanging, quick)
        backdated(asked, 900)
        began = time.monotonic()
        answers: dict[str, tuple[float, object]] = {}
        from scorecard.probes import Upstream

        for key, answer in asked.correlation.ask([*hanging, quick], Upstream(dict(asked.past))):
            answers[key.name] = (time.monotonic() - began, answer)
    when, answer = answers["payments"]
    assert searched(answer).trace is Trace.IN_FIELD  # type: ignore[arg-type]
    assert when < min(at for name, (at, _) in answers.items() if name != "payments")
    causes = {answer.result.cause for name, (_, answer) in answers.items() if name != "payments"}  # type: ignore[attr-defined]
    assert causes == {Cause.TIMEOUT}
    # Three questions in a row without an answer are enough to know: 30 services do not take 30 timeouts.
    assert len(loki.seen) <= 12
