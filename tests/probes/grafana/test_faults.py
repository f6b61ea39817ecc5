"""A Grafana or a Prometheus that does not answer, or answers something else: unknown, bounded, never a verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from werkzeug.wrappers import Request, Response

from checks.dashboards import Limits, exists, golden_signals, panels_have_data
from scorecard.demo.pages import free_port
from scorecard.evidence import Unavailable
from scorecard.evidence.dashboards import Dashboards, PanelData, PanelState
from scorecard.model import Cause, Status
from tests.probes.grafana import estate
from tests.probes.grafana.estate import GOLDEN, Asked, Grafana, classic, panel, said, service, shown, source

Serve = Callable[[Grafana], str]
Ask = Callable[..., Asked]

FAULTS = {
    "forbidden": Cause.ACCESS_DENIED,
    "too many": Cause.RATE_LIMITED,
    "error": Cause.BAD_RESPONSE,
    "unavailable": Cause.UNREACHABLE,
    "slow": Cause.TIMEOUT,
    "garbage": Cause.BAD_RESPONSE,
    "a login page": Cause.BAD_RESPONSE,
    "another document": Cause.BAD_RESPONSE,
    "null": Cause.BAD_RESPONSE,
    "gone": Cause.BAD_RESPONSE,
}


@pytest.mark.parametrize(("fault", "cause"), FAULTS.items())
def test_a_grafana_that_gives_no_dashboard_makes_it_unknown(serve: Serve, ask: Ask, fault: str, cause: Cause) -> None:
    grafana = Grafana(dashboards={"golden": GOLDEN}, faults={"/api/dashboards": fault})
    found, data = ask(grafana=serve(grafana)).run(service("payments", "golden"))["payments"]
    assert isinstance(found, Dashboards)
    [one] = found.declared
    assert isinstance(one.seen, Unavailable)
    assert one.seen.cause is cause
    assert isinstance(data, Unavailable)
    assert exists(found).status is Status.UNKNOWN


@pytest.mark.parametrize("path", ["/api/datasources", "/api/datasources/proxy"])
@pytest.mark.parametrize("fault", FAULTS)
def test_data_sources_that_do_not_answer_make_panels_unknown_and_never_empty(
    serve: Serve, ask: Ask, fault: str, path: str
) -> None:
    grafana = Grafana(dashboards={"golden": GOLDEN}, faults={path: fault})
    grafana.faults["/api/frontend"] = "forbidden"
    data = ask(grafana=serve(grafana)).run(service("payments", "golden"))["payments"][1]
    assert isinstance(data, PanelData)
    assert {one.state for one in data.panels} == {PanelState.UNKNOWN}
    assert panels_have_data(data, Limits()).status is Status.UNKNOWN
    assert golden_signals(data).status is Status.UNKNOWN


def test_the_wrong_token_is_access_denied_and_nothing_more_is_asked(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    grafana = Grafana(dashboards={f"b{number}": GOLDEN for number in range(50)})
    asked = ask(grafana=serve(grafana))
    (tmp_path / "token").write_text("another")
    answers = asked.run(*(service(f"s{number}", f"b{number}") for number in range(50)))
    causes = {one.seen.cause for found, _ in answers.values() for one in found.declared}  # type: ignore[union-attr]
    assert causes == {Cause.ACCESS_DENIED}
    assert len(grafana.asked) <= 16


def test_nobody_at_the_address_is_unreachable_and_given_up_soon(ask: Ask) -> None:
    asked = ask(grafana=f"http://127.0.0.1:{free_port()}")
    answers = asked.run(*(service(f"s{number}", f"b{number}") for number in range(100)))
    causes = {one.seen.cause for found, _ in answers.values() for one in found.declared}  # type: ignore[union-attr]
    assert causes == {Cause.UNREACHABLE}
    assert asked.dashboards.calls <= 20


def test_a_slow_prometheus_costs_a_few_timeouts_and_not_one_for_each_query(serve: Serve, ask: Ask) -> None:
    asleep = threading.Event()

    def answer(_request: Request) -> Response:
        asleep.wait(20)
        return said(200, status="success", data={"resultType": "vector", "result": []})

    with estate.serving(answer) as slow:
        boards = {f"b{number}": classic(panel("P", f"queue_depth > {number}")) for number in range(200)}
        grafana = Grafana(slow, dashboards=boards)
        asked = ask(grafana=serve(grafana), prometheus=slow)
        started = time.monotonic()
        answers = asked.run(*(service(f"s{number}", f"b{number}") for number in range(200)))
        took = time.monotonic() - started
        asleep.set()
    states = {one.unknown.cause for name in answers for one in shown(answers, name).values()}
    assert states == {Cause.TIMEOUT}
    assert asked.panels.calls <= 1 + 12
    assert took < 30


def test_one_data_source_that_hangs_costs_no_panel_of_another(serve: Serve, ask: Ask) -> None:
    def empty(_request: Request) -> Response:
        return said(200, status="success", data={"resultType": "scalar", "result": [1, "1"]})

    with estate.serving(empty) as healthy:
        grafana = Grafana(healthy, dashboards={})
        grafana.sources.append(source("dead", "Dead", f"http://127.0.0.1:{free_port()}"))
        dead = [panel(f"Dead {number}", f"up > {number}", datasource={"uid": "dead"}) for number in range(20)]
        alive = [panel(f"Alive {number}", f"up > {number}", datasource={"uid": "prom"}) for number in range(20)]
        grafana.dashboards["mixed"] = classic(*dead, *alive)
        found = shown(ask(grafana=serve(grafana)).run(service("payments", "mixed")))
    assert {name.split()[0]: one.state.value for name, one in found.items()} == {"Dead": "unknown", "Alive": "data"}
    assert found["Dead 1"].unknown.cause is Cause.UNREACHABLE


ANSWERS = {
    "partial": (200, {"status": "success", "data": {"resultType": "vector", "result": []}, "warnings": ["store gone"]}),
    "timed out": (503, {"status": "error", "errorType": "timeout", "error": "query timed out"}),
    "overloaded": (422, {"status": "error", "errorType": "execution", "error": "would load too many samples"}),
    "internal": (500, {"status": "error", "errorType": "internal", "error": "tsdb: block gone"}),
    "no status": (200, {"data": {"resultType": "vector", "result": []}}),
    "no result": (200, {"status": "success", "data": {"resultType": "vector"}}),
    "streams": (200, {"status": "success", "data": {"resultType": "streams", "result": []}}),
    "grafana's error": (400, {"message": "bad request data", "traceID": ""}),
    "a list": (200, []),
}  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_none_makes_the_panel_unknown(serve: Serve, ask: Ask, answer: str) -> None:
    code, body = ANSWERS[answer]
    with estate.serving(lambda _: said(code, body)) as prometheus:
        grafana = Grafana(prometheus, dashboards={"one": classic(panel("P", "up"))})
        found = shown(ask(grafana=serve(grafana), prometheus=prometheus).run(service("payments", "one")))
    assert found["P"].state is PanelState.UNKNOWN, found["P"].words


def test_notes_of_prometheus_3_on_a_query_are_no_missing_part(serve: Serve, ask: Ask) -> None:
    body = {"status": "success", "data": {"resultType": "vector", "result": []}, "warnings": ["PromQL warning: x"]}
    with estate.serving(lambda _: said(200, body)) as prometheus:
        grafana = Grafana(prometheus, dashboards={"one": classic(panel("P", "up"))})
        data = ask(grafana=serve(grafana), prometheus=prometheus).run(service("payments", "one"))["payments"][1]
    assert isinstance(data, PanelData)
    # Its list of metrics is no list, so that nothing tells whether it has any.
    assert data.panels[0].state is PanelState.EMPTY


def test_a_prometheus_without_a_single_series_says_nothing_about_a_service(serve: Serve, ask: Ask) -> None:
    def answer(request: Request) -> Response:
        if request.path.endswith("/values"):
            return said(200, status="success", data=[])
        return said(200, status="success", data={"resultType": "vector", "result": []})

    with estate.serving(answer) as prometheus:
        grafana = Grafana(prometheus, dashboards={"one": classic(panel("P", "up"))})
        found = shown(ask(grafana=serve(grafana), prometheus=prometheus).run(service("payments", "one")))
    assert (found["P"].state, found["P"].unknown.cause) == (PanelState.UNKNOWN, Cause.NO_DATA)


@pytest.mark.prometheus
def test_a_prometheus_that_is_stopped_and_started_again_is_unknown_and_then_as_before(
    serve: Serve, ask: Ask, program: Callable[[str], str], tmp_path: Path
) -> None:
    folder, port = tmp_path / "own", free_port()
    folder.mkdir()
    grafana = Grafana(f"http://127.0.0.1:{port}", dashboards={"golden": GOLDEN})
    asked = ask(grafana=serve(grafana), prometheus=f"http://127.0.0.1:{port}")

    def states() -> set[str]:
        return {one.state.value for one in shown(asked.run(service("payments", "golden"))).values()}

    with estate.prometheus(program("prometheus"), folder, port=port):
        assert states() == {"data"}
    assert states() == {"unknown"}
    with estate.started(program("prometheus"), folder, port):
        assert states() == {"data"}


def test_a_prometheus_that_stood_still_before_it_was_started_is_in_doubt(serve: Serve, ask: Ask) -> None:
    begun = estate.utc()

    def answer(request: Request) -> Response:
        bodies: dict[str, object] = {
            "runtimeinfo": {"startTime": begun.isoformat().replace("+00:00", "123Z")},
            "tsdb": {"headStats": {"minTime": int(begun.timestamp() * 1000) - 7_200_000}},
            "values": ["up"],
        }
        last = request.path.rpartition("/")[2]
        return said(200, status="success", data=bodies.get(last, {"resultType": "vector", "result": []}))

    with estate.serving(answer) as prometheus:
        grafana = Grafana(prometheus, dashboards={"one": classic(panel("P", "up"))})
        found = shown(ask(grafana=serve(grafana), prometheus=prometheus).run(service("payments", "one")))
        assert requests.get(f"{prometheus}/api/v1/status/tsdb", timeout=5).ok
    assert (found["P"].state, "started again" in found["P"].words) == (PanelState.UNKNOWN, True)


def test_nothing_configured_is_said_with_the_lines_to_write(ask: Ask) -> None:
    found, data = ask().run(service("payments"))["payments"]
    for answer in (found, data):
        assert isinstance(answer, Unavailable)
        assert (answer.cause, "dashboards:" in answer.lines) == (Cause.NOT_CONFIGURED, True)
