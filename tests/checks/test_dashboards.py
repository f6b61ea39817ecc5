"""The row `dashboards`: what was seen of dashboards and panels, as a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.dashboards import Limits as Bounds
from checks.dashboards import golden_signals, panels_have_data, row
from scorecard.check import Finding
from scorecard.evidence import Unavailable
from scorecard.evidence.dashboards import (
    Dashboard,
    Dashboards,
    DeclaredDashboard,
    Emptiness,
    Model,
    Panel,
    PanelData,
    PanelSeen,
    PanelState,
    Signal,
)
from scorecard.judge import Judged
from scorecard.model import Cause, Status

Ask = Callable[..., Judged]
DENIED = Unavailable(Cause.ACCESS_DENIED, "GET https://grafana.example.net/api/dashboards/uid/x: answered 403")
GOLDEN = (Signal.LATENCY, Signal.TRAFFIC, Signal.ERRORS, Signal.SATURATION)


def panel(number: int = 1, state: PanelState = PanelState.DATA, **more: object) -> PanelSeen:
    unknown = DENIED if state is PanelState.UNKNOWN else None
    emptiness = Emptiness.UNKNOWN_METRIC if state is PanelState.EMPTY else None
    given: dict[str, object] = {"unknown": unknown, "emptiness": emptiness, **more}
    return PanelSeen(name=f"golden / Panel (panel {number})", state=state, words="1 series", **given)  # type: ignore[arg-type]


def several(**counts: int) -> tuple[PanelSeen, ...]:
    """`several(data=4, empty=1)`."""
    states = [PanelState(name) for name, count in counts.items() for _ in range(count)]
    return tuple(panel(number, state) for number, state in enumerate(states, 1))


def data(*panels: PanelSeen, missing: tuple[Unavailable, ...] = ()) -> PanelData:
    return PanelData(panels=panels, dashboards=1, missing=missing)


def declared(seen: Dashboard | Unavailable | None, name: str = "grafana/main golden") -> DeclaredDashboard:
    return DeclaredDashboard(name=name, seen=seen, variables={}, instance="main")


FOUND = Dashboard(
    uid="golden",
    title="Payments",
    url="",
    model=Model.V2,
    panels=(Panel(name="Traffic (panel 1)", kind="stat", queries=()),),
)


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        ((FOUND,), "pass", "'Payments' has 1 data panels (v2 model)"),
        ((None,), "fail", "there is no such dashboard"),
        ((DENIED,), "unknown", "answered 403"),
        ((FOUND, DENIED), "unknown", "answered 403"),
        ((None, DENIED), "fail", "there is no such dashboard"),
    ],
)
def test_each_declared_dashboard_has_to_be_found(
    ask: Ask, seen: tuple[Dashboard | Unavailable | None, ...], status: str, words: str
) -> None:
    names = [f"grafana/main {number}" for number in range(len(seen))]
    judged = ask(row, "exists", Dashboards(declared=tuple(map(declared, seen, names))))
    assert (judged.status.value, words in judged.message) == (status, True), judged.message


@pytest.mark.parametrize(
    ("panels", "status"),
    [
        (several(data=4, empty=1), "pass"),
        (several(data=3, empty=1), "fail"),
        (several(data=3, constant=1, broken=1), "pass"),
        (several(data=3, broken=2), "fail"),
        (several(data=4, unknown=1), "pass"),
        (several(data=3, unknown=1, empty=1), "unknown"),
        (several(data=1, unknown=1, empty=3), "fail"),
        (several(unknown=2), "unknown"),
    ],
)
def test_four_panels_in_five_need_data_however_the_unknown_ones_turn_out(
    ask: Ask, panels: tuple[PanelSeen, ...], status: str
) -> None:
    assert ask(row, "panels-have-data", data(*panels)).status.value == status


def test_a_dashboard_that_was_not_read_may_hold_any_number_of_empty_panels(ask: Ask) -> None:
    judged = ask(row, "panels-have-data", data(*several(data=9), missing=(DENIED,)))
    assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.ACCESS_DENIED)


def test_an_empty_panel_that_says_it_may_be_is_not_counted(ask: Ask) -> None:
    maybe = panel(9, PanelState.EMPTY, may_be_empty=True)
    judged = ask(row, "panels-have-data", data(*several(data=3), maybe))
    assert judged.status is Status.PASS
    assert judged.message.startswith("3 of 3 panels")


def test_a_panel_that_may_be_empty_may_not_be_broken(ask: Ask) -> None:
    broken = panel(9, PanelState.BROKEN, may_be_empty=True)
    assert ask(row, "panels-have-data", data(*several(data=1), broken)).status is Status.FAIL


def test_panels_that_all_say_they_may_be_empty_prove_nothing(ask: Ask) -> None:
    judged = ask(row, "panels-have-data", data(panel(1, PanelState.EMPTY, may_be_empty=True)))
    assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.NO_DATA)


def test_a_dashboard_without_a_data_panel_fails(ask: Ask) -> None:
    assert ask(row, "panels-have-data", data()).code == "no-panels"


def test_each_panel_has_a_line_with_its_reason(ask: Ask) -> None:
    judged = ask(row, "panels-have-data", data(panel(1), panel(2, PanelState.EMPTY)))
    assert [(one.name[-9:-1], one.status.value, one.code) for one in judged.subjects] == [
        ("(panel 1", "pass", "ok"),
        ("(panel 2", "fail", "unknown-metric"),
    ]


def test_the_share_is_a_limit_of_the_checklist(ask: Ask) -> None:
    seen = data(*several(data=1, empty=1))
    assert ask(row, "panels-have-data", seen).status is Status.FAIL
    assert ask(row, "panels-have-data", seen, panels_with_data=0.5).status is Status.PASS


@pytest.mark.parametrize("left_out", GOLDEN)
def test_each_golden_signal_needs_a_panel_with_data(ask: Ask, left_out: Signal) -> None:
    there = tuple(signal for signal in GOLDEN if signal is not left_out)
    assert ask(row, "golden-signals", data(panel(signals=GOLDEN))).status is Status.PASS
    judged = ask(row, "golden-signals", data(panel(signals=there)))
    assert (judged.status, judged.subjects[GOLDEN.index(left_out)].code) == (Status.FAIL, "not-shown")


def test_a_signal_that_only_an_unknown_panel_could_show_is_unknown(ask: Ask) -> None:
    shown = panel(1, signals=GOLDEN[:3])
    unclear = panel(2, PanelState.UNKNOWN, possible=(Signal.SATURATION,))
    judged = ask(row, "golden-signals", data(shown, unclear))
    assert (judged.status, judged.cause) == (Status.UNKNOWN, Cause.ACCESS_DENIED)


def test_a_signal_that_is_not_shown_is_unknown_while_a_dashboard_was_not_read(ask: Ask) -> None:
    judged = ask(row, "golden-signals", data(panel(signals=GOLDEN[:3]), missing=(DENIED,)))
    assert judged.status is Status.UNKNOWN


panels = st.builds(
    panel,
    st.integers(1, 30),
    st.sampled_from(list(PanelState)),
    may_be_empty=st.booleans(),
    signals=st.sets(st.sampled_from(GOLDEN)).map(tuple),
)
CREDIT = {Status.PASS: 2, Status.WARN: 1, Status.NOT_APPLICABLE: 2}


def credit(finding: Finding) -> int:
    return CREDIT.get(finding.status, 0)


@settings(max_examples=300, deadline=None)
@given(st.lists(panels, min_size=1, max_size=12), st.data())
def test_a_panel_that_turns_unknown_never_helps(seen: list[PanelSeen], draw: st.DataObject) -> None:
    chosen = draw.draw(st.integers(0, len(seen) - 1))
    blind = dataclasses.replace(
        seen[chosen], state=PanelState.UNKNOWN, unknown=DENIED, possible=GOLDEN, signals=(), emptiness=None
    )
    before, after = data(*seen), data(*seen[:chosen], blind, *seen[chosen + 1 :])
    assert credit(panels_have_data(after, Bounds())) <= credit(panels_have_data(before, Bounds()))
    assert credit(golden_signals(after)) <= credit(golden_signals(before))


def test_the_remedies_give_the_lines_to_write() -> None:
    assert "dashboards:" in row.check("exists").remedy
    assert "scorecard: may be empty" in row.check("panels-have-data").remedy
    assert "At least 80%" in row.check("panels-have-data").rule(row.default_limits())
