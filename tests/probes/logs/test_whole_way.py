"""The whole way: from a request to the row, as the command line goes it and as the server does, run after run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scorecard.checklist import Checklist
from scorecard.evidence import CorrelationSearch, LogSample
from scorecard.judge import RowResult
from scorecard.model import Service, ServiceKey, Status
from scorecard.registry import installed
from scorecard.run import Runner, measure
from scorecard.telemetry import Telemetry
from tests.probes.logs.estate import (
    App,
    Asked,
    Style,
    file_logs,
    good,
    in_plain_text,
    line,
    other_key,
    service,
    serving,
    silent,
    to_file,
    utc,
    without_id,
)

Ask = Callable[..., Asked]


@pytest.fixture
def checklist() -> Checklist:
    return installed().checklist("production-readiness", Path())


def row_of(rows: tuple[RowResult, ...]) -> Mapping[str, str]:
    (row,) = [row for row in rows if row.id == "structured-logs"]
    return {"row": row.status.value, **{check.id: check.status.value for check in row.checks}}


@pytest.mark.parametrize(
    ("style", "row", "correlation"),
    [
        (good, "pass", "pass"),
        (other_key, "warn", "warn"),
        (without_id, "fail", "fail"),
        (in_plain_text, "fail", "fail"),
        (silent, "unknown", "unknown"),
    ],
)
def test_the_command_line_waits_and_shows_progress(
    ask: Ask, tmp_path: Path, checklist: Checklist, style: Style, row: str, correlation: str
) -> None:
    log = to_file(tmp_path / "app.log")
    log(line("started"))
    told: list[str] = []
    runner = Runner(ask().probes, clock=utc, telemetry=Telemetry())
    with serving(App(log, style)) as url:
        payments = service(url=url, logs=file_logs())
        ((snapshot, _),) = measure(
            runner,
            [payments],
            lambda _: checklist,
            utc,
            rows=frozenset({"structured-logs"}),
            progress=lambda what, *_: told.append(what),
        )
    found = row_of(snapshot.rows)
    assert (found["row"], found["correlation-id"]) == (row, correlation)
    assert any(words.startswith("correlation, ") for words in told)


def test_a_downstream_service_is_looked_up_though_the_run_is_about_one(
    ask: Ask, tmp_path: Path, checklist: Checklist
) -> None:
    log, below = to_file(tmp_path / "app.log"), to_file(tmp_path / "ledger.log")
    log(line("started"))
    below(line("started"))

    def calls(app: App, request: object) -> None:
        good(app, request)  # type: ignore[arg-type]
        below(line(correlation_id=request.headers["X-Correlation-ID"]))  # type: ignore[attr-defined]

    ledger = service("ledger", logs=file_logs("ledger.log"))
    registered: dict[ServiceKey, Service] = {ledger.key: ledger}
    runner = Runner(ask().probes, clock=utc, telemetry=Telemetry(), find=registered.get)
    with serving(App(log, calls)) as url:
        payments = service(url=url, logs=file_logs(), downstream=("ledger",))
        ((snapshot, _),) = measure(runner, [payments], lambda _: checklist, utc, rows=frozenset({"structured-logs"}))
    assert row_of(snapshot.rows)["reaches-downstream"] == "pass"


def test_the_server_sends_in_one_run_and_judges_in_the_next(ask: Ask, tmp_path: Path, checklist: Checklist) -> None:
    log = to_file(tmp_path / "app.log")
    log(line("started"))
    asked = ask()
    runner = Runner(asked.probes, clock=utc, telemetry=Telemetry())
    kinds = frozenset({CorrelationSearch, LogSample})

    def status(seen: object) -> Status:
        judged, _ = runner.judge_new(payments, checklist, seen, utc(), whole=False)  # type: ignore[arg-type]
        return next(finding.status for row, finding in judged if finding.id == "correlation-id")

    with serving(App(log, good)) as url:
        payments = service(url=url, logs=file_logs())
        first = runner.ask([payments], {}, kinds)[payments.key]
        assert status(first) is Status.UNKNOWN
        asked.correlation.limits = dict.fromkeys(asked.correlation.limits, 0.0)  # as if the lag limit were over
        second = runner.ask([payments], {payments.key: first.seen}, kinds)[payments.key]
    assert status(second) is Status.PASS
