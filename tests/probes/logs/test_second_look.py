"""The run of its own that looks for what was sent, once the lag limit is over, and sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from scorecard.evidence import CorrelationSearch, Trace, Unavailable
from scorecard.evidence.logs import LAG_LIMITS
from scorecard.model import Cause, Service
from tests.probes.logs.estate import (
    LOKI_LOGS,
    App,
    Asked,
    Loki,
    Style,
    backdated,
    by_trace,
    file_logs,
    good,
    in_message,
    line,
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
    write = to_file(tmp_path / "app.log")
    write(line("started"))
    return App(write, good)


@contextmanager
def one(app: App, **more: object) -> Iterator[Service]:
    """The service, running."""
    with serving(app) as url:
        yield service(url=url, logs=file_logs(), **more)


def of(answer: object) -> CorrelationSearch:
    assert isinstance(answer, CorrelationSearch), answer
    return answer


@pytest.mark.parametrize(
    ("style", "trace"),
    [
        (good, Trace.IN_FIELD),
        (by_trace, Trace.IN_FIELD),
        (other_key, Trace.UNDER_ANOTHER_KEY),
        (in_message, Trace.IN_TEXT),
        (without_id, Trace.WITHOUT_ID),
    ],
)
def test_what_is_there_at_the_lag_limit_is_the_result_and_nothing_is_sent(
    ask: Ask, app: App, style: Style, trace: Trace
) -> None:
    app.style = style
    asked = ask(limits=LAG_LIMITS)
    with one(app) as payments:
        sent = of(asked.run(payments)["payments"]).pending
        backdated(asked, 0)
        asked.correlation.clock = lambda: utc() + timedelta(seconds=3.2)
        found = of(asked.again(payments)["payments"])
    assert searched(found).trace is trace
    assert found.sent == sent
    assert (found.pending, found.answered_at) == (None, None)
    assert len(app.requests) == 1


def test_the_evidence_says_when_its_answer_can_be_looked_for(ask: Ask, app: App) -> None:
    with one(app) as payments, serving(Loki()) as store:
        asked = ask(limits=LAG_LIMITS, loki=store)
        of_a_file = of(asked.run(payments)["payments"])
        of_a_loki = of(asked.run(service("ledger", payments.spec.url or "", LOKI_LOGS))["ledger"])
    assert of_a_file.pending
    assert of_a_loki.pending
    assert of_a_file.answered_at == of_a_file.pending.sent_at + timedelta(seconds=3)
    assert of_a_loki.answered_at == of_a_loki.pending.sent_at + timedelta(seconds=30)


def test_before_the_lag_limit_everything_stays_as_it_is(ask: Ask, app: App) -> None:
    asked = ask(limits=LAG_LIMITS)
    with one(app) as payments:
        assert asked.run(payments) == asked.again(payments)


@pytest.mark.parametrize("style", [silent, unlogged])
def test_what_is_not_there_is_looked_for_once_more_before_it_is_said_that_there_is_none(
    ask: Ask, app: App, style: Style
) -> None:
    app.style = style
    asked = ask()
    with one(app) as payments:
        asked.run(payments)
        backdated(asked, 10)
        looked = of(asked.again(payments)["payments"])
        assert looked.result is None
        assert looked.pending
        assert 10 <= looked.pending.not_there["payments"] < 60
        assert looked.answered_at is None
        backdated(asked, 900)
        found = of(asked.run(payments)["payments"])
    assert searched(found).trace in {Trace.NO_LINE, Trace.NOTHING_NEWER}
    assert found.pending
    assert found.pending.not_there == {}


def test_a_line_that_comes_between_the_two_looks_is_late_whatever_time_it_says(ask: Ask, app: App) -> None:
    lines: list[str] = []
    app.style = lambda _app, request: lines.append(line(correlation_id=request.headers["X-Correlation-ID"]))
    asked = ask()
    with one(app) as payments:
        asked.run(payments)
        backdated(asked, 5)
        asked.again(payments)
        app.write(lines[0])
        found = searched(asked.run(payments)["payments"])
    assert found.trace is Trace.IN_FIELD
    assert found.lag_at_least is not None
    assert found.lag_at_least >= 5


def test_a_clock_that_is_ahead_makes_no_line_late(ask: Ask, app: App) -> None:
    def ahead(app: App, request: object) -> None:
        at = stamp(utc() + timedelta(seconds=100))
        app.write(line(timestamp=at, correlation_id=request.headers["X-Correlation-ID"]))  # type: ignore[attr-defined]

    app.style = ahead
    asked = ask()
    with one(app) as payments:
        asked.run(payments)
        asked.correlation.clock = lambda: utc() + timedelta(seconds=4)
        found = searched(asked.again(payments)["payments"])
    assert (found.trace, found.lag, found.lag_at_least) == (Trace.IN_FIELD, None, 0.0)
    assert found.skew is not None
    assert 99 < found.skew < 102


def test_a_line_without_any_time_says_nothing_of_how_late_it_is(ask: Ask, app: App) -> None:
    app.style = lambda app, request: app.write(
        f'{{"level":"info","message":"x","correlation_id":"{request.headers["X-Correlation-ID"]}"}}'
    )
    asked = ask()
    with one(app) as payments:
        asked.run(payments)
        backdated(asked, 900)
        found = searched(asked.again(payments)["payments"])
    assert (found.trace, found.lag, found.lacking) == (Trace.IN_FIELD, None, ("timestamp",))


@pytest.mark.parametrize(("fault", "settled"), [("forbidden", True), ("error", False), ("too many", False)])
def test_a_store_that_is_in_trouble_gets_a_second_chance_and_one_that_refuses_us_none(
    ask: Ask, fault: str, settled: bool
) -> None:
    loki = Loki()
    with serving(App(loki.write, good)) as url, serving(loki) as store:
        asked = ask(loki=store)
        payments = service(url=url, logs=LOKI_LOGS)
        asked.run(payments)
        backdated(asked, 60)
        loki.fault = fault
        looked = of(asked.again(payments)["payments"])
        loki.fault = ""
        found = of(asked.run(payments)["payments"])
    assert isinstance(looked.result, Unavailable) is settled
    assert looked.pending is None or looked.pending.not_there == {}
    if not settled:
        assert searched(found).trace is Trace.IN_FIELD
        assert searched(found).lag_at_least == searched(found).lag


def test_a_log_that_had_the_line_at_once_is_not_late_because_another_had_it_not(
    ask: Ask, app: App, tmp_path: Path
) -> None:
    below = to_file(tmp_path / "ledger.log")
    below(line("started"))
    ledger = service("ledger", logs=file_logs("ledger.log"))
    asked = ask()
    with one(app, downstream=("ledger",)) as payments:
        asked.run(payments, ledger)
        asked.correlation.clock = lambda: utc() + timedelta(seconds=10)
        looked = of(asked.again(payments, ledger)["payments"])
        assert looked.pending
        assert set(looked.pending.not_there) == {"ledger"}
        below(line(correlation_id=looked.pending.correlation_id))
        asked.correlation.clock = lambda: utc() + timedelta(seconds=20)
        found = of(asked.run(payments, ledger)["payments"])
    (part,) = found.downstream
    assert not isinstance(part.result, Unavailable)
    assert (searched(found).trace, part.result.trace) == (Trace.IN_FIELD, Trace.IN_FIELD)
    assert searched(found).lag_at_least is not None
    assert part.result.lag_at_least is not None
    assert searched(found).lag_at_least < 5
    assert part.result.lag_at_least >= 10


def test_a_service_that_nobody_asked_yet_is_unknown(ask: Ask, app: App) -> None:
    with one(app) as payments:
        answer = ask().again(payments)["payments"]
    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.NO_DATA
    assert app.requests == []


def test_a_request_that_nobody_took_is_known_to_be_so_at_once(ask: Ask, app: App) -> None:
    asked = ask()
    with one(app) as payments:
        pass
    asked.run(payments)
    backdated(asked, 10)
    found = of(asked.again(payments)["payments"])
    assert isinstance(found.result, Unavailable)
    assert found.result.cause is Cause.UNREACHABLE
