"""One run: probes in the order of what they need, bugs that stop nothing else, first looks, periods of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from scorecard.evidence import Absent, Evidence, Observation, Unavailable, Window
from scorecard.judge import Seen
from scorecard.model import Cadence, Cause, Service, ServiceKey
from scorecard.probes import Probe, Upstream
from scorecard.run import FIRST_SAMPLES, Runner, measure
from scorecard.telemetry import Telemetry
from tests.conftest import START, Clock
from tests.store.fleet import LISTS, Build, Ping, Spread, Told

A, B, C = (Service(name=name) for name in ("a", "b", "c"))
KINDS: frozenset[type[Evidence]] = frozenset({Ping, Spread, Build})


class Scripted:
    """A probe that runs a function of a test."""

    needs: tuple[type[Evidence], ...] = ()

    def __init__(
        self,
        kind: type[Evidence],
        ask: Callable[[Sequence[Service], Upstream], Iterable[Any]],
        needs: tuple[type[Evidence], ...] = (),
    ) -> None:
        self.answers = kind
        self.name = kind.__name__.lower()
        self.needs = needs
        self.ask: Any = ask


def runner(*probes: Any, clock: Callable[[], Any] | None = None, pauses: list[float] | None = None) -> Runner:  # noqa: ANN401 - anything like a probe
    return Runner(
        probes, clock=clock or Clock(), telemetry=Telemetry(), pause=(pauses if pauses is not None else []).append
    )


def counted(run: Runner, probe: str, outcome: str) -> float | None:
    return run._telemetry.registry.get_sample_value("scorecard_probes_total", {"probe": probe, "outcome": outcome})


def all_well() -> tuple[Probe, ...]:
    return tuple(
        Told(kind, {service.key: value for service in (A, B, C)})
        for kind, value in ((Ping, Ping(ok=True)), (Spread, Spread(zones=2)), (Build, Build(steps=3)))
    )


# --- order -----------------------------------------------------------------------------------------------------------


def test_a_probe_is_asked_after_what_it_needs_and_is_given_it() -> None:
    given: dict[str, Any] = {}

    def spread(services: Sequence[Service], upstream: Upstream) -> Iterator[Any]:
        given["build"] = upstream.answer(A.key, Build)
        yield services[0].key, Spread(zones=2)

    def build(services: Sequence[Service], upstream: Upstream) -> Iterator[Any]:
        given["before"] = upstream.last(A.key, Spread)
        yield services[0].key, Build(steps=3)

    run = runner(Scripted(Spread, spread, needs=(Build,)), Scripted(Build, build))
    run.ask([A], {}, frozenset({Spread, Build}))

    assert given == {"build": Build(steps=3), "before": None}


def test_probes_that_wait_for_one_another_are_refused() -> None:
    def nothing(*_: object) -> tuple[()]:
        return ()

    with pytest.raises(ValueError, match=r"probes wait for one another: .* needs "):
        runner(Scripted(Spread, nothing, needs=(Build,)), Scripted(Build, nothing, needs=(Spread,)))


def test_two_probes_for_one_question_are_refused() -> None:
    with pytest.raises(ValueError, match="Build is answered by build and build"):
        runner(Told(Build, {}), Told(Build, {}))


def test_only_the_kinds_of_a_cadence_are_asked() -> None:
    run = runner(*all_well())

    asked = run.ask([A], {}, run.kinds(Cadence.PLATFORM))

    assert [each.kind for each in asked[A.key].new] == [Spread]
    assert run.kinds(None) == KINDS


# --- bugs ------------------------------------------------------------------------------------------------------------


class Unspeakable(Exception):  # noqa: N818 - it is none of ours
    """An exception whose own text raises."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Odd(BaseException):
    """No Exception at all."""


BUGS: list[BaseException] = [
    *[ValueError("bad"), TypeError(), KeyError("k"), IndexError(), AttributeError("a"), ZeroDivisionError()],
    *[OSError(5, "io"), RuntimeError("r"), RecursionError(), MemoryError(), SystemExit(3), StopAsyncIteration()],
    *[UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), AssertionError(), NotImplementedError(), LookupError("\ud800")],
    *[ExceptionGroup("g", [ValueError()]), TimeoutError(), asyncio.CancelledError(), Unspeakable(), Odd("odd")],
    *[ConnectionError(), ImportError("gone"), StopIteration(1)],
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
@pytest.mark.parametrize("after", [0, 1], ids=["at once", "after the first answer"])
def test_a_bug_in_a_probe_costs_the_answers_it_had_not_given(bug: BaseException, after: int) -> None:
    def ask(services: Sequence[Service], _: Upstream) -> Iterator[Any]:
        for number, service in enumerate(services):
            if number == after:
                raise bug
            yield service.key, Spread(zones=2)

    run = runner(Scripted(Spread, ask), Told(Build, {A.key: Build(steps=3), B.key: Build(steps=3)}))

    asked = run.ask([A, B], {}, frozenset({Spread, Build}))

    values = [asked[service.key].seen.observations[Spread].value for service in (A, B)]
    assert values[:after] == [Spread(zones=2)] * after
    for value in values[after:]:
        assert isinstance(value, Unavailable)
        assert value.cause is Cause.PROBE_ERROR
        assert value.detail.startswith("a bug in the probe spread: ")
    assert [asked[service.key].seen.observations[Build].value for service in (A, B)] == [Build(steps=3)] * 2
    assert counted(run, "spread", "probe_error") == 2 - after


@pytest.mark.parametrize(
    "said",
    [
        (),
        [("nobody", Spread(zones=2))],
        [(["unhashable"], Spread(zones=2))],
        [(ServiceKey("a"), None)],
        [(ServiceKey("a"), "yes")],
        [(ServiceKey("a"), Build(steps=1))],
        [ServiceKey("a")],
        [None],
        [(1, 2, 3)],
        None,
        7,
    ],
    ids=repr,
)
def test_a_probe_that_gives_no_answer_or_none_that_is_one_leaves_unknown_and_the_run_goes_on(said: Any) -> None:  # noqa: ANN401 - garbage
    run = runner(Scripted(Spread, lambda *_: said), Told(Build, {A.key: Build(steps=3)}))

    asked = run.ask([A], {}, frozenset({Spread, Build}))[A.key]

    value = asked.seen.observations[Spread].value
    assert isinstance(value, Unavailable)
    assert value.cause is Cause.PROBE_ERROR
    assert asked.seen.observations[Build].value == Build(steps=3)


def test_a_probe_that_answers_twice_or_for_strangers_is_heard_once_and_for_those_it_was_asked_for() -> None:
    def ask(*_: object) -> Iterator[Any]:
        yield A.key, Spread(zones=2)
        yield A.key, Spread(zones=1)
        yield C.key, Spread(zones=1)
        yield B.key, Absent("there is none")

    asked = runner(Scripted(Spread, ask)).ask([A, B], {}, frozenset({Spread}))

    assert asked.keys() == {A.key, B.key}
    assert asked[A.key].seen.observations[Spread].value == Spread(zones=2)
    assert asked[B.key].seen.observations[Spread].value == Absent("there is none")


class Sealed(str):
    """A text that raises when it is read, as a value of a third party's probe might."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise SystemExit(3)

    __hash__ = str.__hash__

    def encode(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - as str's
        raise SystemExit(3)


def nested(levels: int) -> Any:  # noqa: ANN401 - a tuple in a tuple in a tuple
    value: Any = ()
    for _ in range(levels):
        value = (value,)
    return value


@dataclass(frozen=True)
class StrangeSpread(Spread):
    """Evidence with more in it than its kind says."""

    more: Any = None


@pytest.mark.parametrize(
    "answer",
    [
        StrangeSpread(zones=2, more=nested(100_000)),
        StrangeSpread(zones=2, more=(Sealed("x"), "token=abcdefghijklmnop0123456789")),
        Unavailable("no cause", "x"),  # type: ignore[arg-type]
    ],
    ids=["endless", "sealed", "no cause"],
)
def test_an_answer_that_cannot_be_taken_is_unknown_for_its_service_alone(answer: Any) -> None:  # noqa: ANN401 - garbage

    def ask(*_: object) -> Iterator[Any]:
        yield A.key, answer
        yield B.key, Spread(zones=2)

    run = runner(Scripted(Spread, ask))
    asked = run.ask([A, B], {}, frozenset({Spread}))

    assert asked[B.key].seen.observations[Spread].value == Spread(zones=2)
    value = asked[A.key].seen.observations[Spread].value
    assert isinstance(value, Unavailable)
    assert value.cause is Cause.PROBE_ERROR
    assert counted(run, "spread", "probe_error") == 1
    assert counted(run, "spread", "ok") == 1


def test_keyboard_interrupt_ends_the_run() -> None:
    def ask(*_: object) -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        runner(Scripted(Spread, ask)).ask([A], {}, frozenset({Spread}))


# --- samples and periods ---------------------------------------------------------------------------------------------


def test_a_service_that_is_new_gets_three_looks_and_another_one_each_run(clock: Clock) -> None:
    pauses: list[float] = []
    probe = Told(Ping, {A.key: Ping(ok=True)})
    run = runner(probe, clock=clock, pauses=pauses)

    first = run.ask([A], {}, frozenset({Ping}))[A.key].seen
    assert (len(first.windows[Ping].samples), probe.asked, pauses) == (FIRST_SAMPLES, 3, [1.0, 1.0])
    again = run.ask([A], {A.key: first}, frozenset({Ping}))[A.key].seen
    assert (len(again.windows[Ping].samples), probe.asked) == (4, 4)


def test_a_window_keeps_as_many_samples_as_its_kind_says(clock: Clock) -> None:
    run = runner(Told(Ping, {A.key: Ping(ok=True)}), clock=clock)
    seen = Seen()
    for _ in range(10):
        seen = run.ask([A], {A.key: seen}, frozenset({Ping}))[A.key].seen

    assert len(seen.windows[Ping].samples) == Ping.window


def test_only_new_services_that_can_be_asked_are_looked_at_again() -> None:
    probe = Told(Ping, {A.key: Ping(ok=True), B.key: Unavailable(Cause.NOT_CONFIGURED, "no url")})

    runner(probe).ask([A, B], {}, frozenset({Ping}))

    assert probe.asked == 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily(Evidence):
    """Asked once a day."""

    cadence: ClassVar[Cadence] = Cadence.LIVE
    max_age: ClassVar[timedelta | None] = timedelta(hours=48)


class DailyProbe(Told):
    """A probe with a period of its own."""

    due_every = timedelta(hours=24)


def test_a_probe_with_a_period_of_its_own_is_asked_when_that_is_over_or_it_did_not_answer(clock: Clock) -> None:
    said: dict[ServiceKey, Any] = {A.key: Daily()}
    probe = DailyProbe(Daily, said)
    run = runner(probe, clock=clock)
    kinds: frozenset[type[Evidence]] = frozenset({Daily})
    seen = run.ask([A], {}, kinds)[A.key].seen
    clock.forward(hours=23)
    assert run.ask([A], {A.key: seen}, kinds)[A.key].new == ()
    assert len(run.ask([A], {A.key: seen}, kinds, at_once=True)[A.key].new) == 1
    clock.forward(hours=1)
    said[A.key] = Unavailable(Cause.TIMEOUT, "slow")
    missed = run.ask([A], {A.key: seen}, kinds)[A.key].seen
    clock.forward(minutes=1)

    assert probe.asked == 3
    assert len(run.ask([A], {A.key: missed}, kinds)[A.key].new) == 1


def test_a_period_is_cut_short_where_something_was_missing(clock: Clock) -> None:
    lost = Unavailable(Cause.TIMEOUT, "one of two was slow")
    run = runner(DailyProbe(Daily, {A.key: Daily(missing=(lost,))}), clock=clock)
    seen = run.ask([A], {}, frozenset({Daily}))[A.key].seen
    clock.forward(minutes=1)

    assert len(run.ask([A], {A.key: seen}, frozenset({Daily}))[A.key].new) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Files(Evidence):
    """What another cadence observes."""

    cadence: ClassVar[Cadence] = Cadence.SOURCE


def test_a_period_is_cut_short_where_another_cadence_observed_what_it_is_made_from(clock: Clock) -> None:
    daily = DailyProbe(Daily, {A.key: Daily()})
    daily.needs = (Files,)
    run = runner(daily, Told(Files, {A.key: Files()}), clock=clock)
    seen = run.ask([A], {}, frozenset({Files, Daily}))[A.key].seen
    clock.forward(minutes=1)
    assert run.ask([A], {A.key: seen}, frozenset({Daily}))[A.key].new == ()
    newer = run.ask([A], {A.key: seen}, frozenset({Files}))[A.key].seen

    assert [one.kind for one in run.ask([A], {A.key: newer}, frozenset({Daily}))[A.key].new] == [Daily]


def test_what_is_not_due_is_judged_again_for_another_run_may_have_judged_without_it(clock: Clock) -> None:
    run = runner(DailyProbe(Ping, {A.key: Ping(ok=True)}), clock=clock)
    seen = run.ask([A], {}, frozenset({Ping}))[A.key].seen
    clock.forward(minutes=1)
    later = run.ask([A], {A.key: seen}, frozenset({Ping}))[A.key]

    pairs, _ = run.judge_new(A, LISTS["main"], later, clock(), whole=False)

    assert later.new == ()
    assert [(row, judged.id) for row, judged in pairs] == [("alive", "answers")]


# --- judging ---------------------------------------------------------------------------------------------------------


def test_checks_that_mix_new_and_old_evidence_are_judged_with_both(clock: Clock) -> None:
    run = runner(*all_well(), clock=clock)
    asked = run.ask([A], {}, KINDS)[A.key]
    later = run.ask([A], {A.key: asked.seen}, frozenset({Ping}))[A.key]

    pairs, snapshot = run.judge_new(A, LISTS["main"], later, START, whole=False)

    assert [(row, judged.id) for row, judged in pairs] == [("alive", "answers")]
    assert snapshot is None
    pairs, snapshot = run.judge_new(A, LISTS["main"], later, START, whole=True)
    assert snapshot is not None
    assert len(pairs) == 5


def test_measuring_without_a_store_gives_the_snapshot_and_the_evidence_behind_it(clock: Clock) -> None:
    told: list[tuple[str, int, int]] = []

    results = measure(
        runner(*all_well(), clock=clock),
        [A, B],
        lambda _: LISTS["main"],
        clock,
        rows=frozenset({"spread"}),
        progress=lambda *words: told.append(words),
    )

    assert [[row.status.value for row in snapshot.rows] for snapshot, _ in results] == [["pass"], ["pass"]]
    assert [set(evidence) for _, evidence in results] == [{"Spread"}, {"Spread"}]
    assert told == [("spread", 1, 2), ("spread", 2, 2)]


def test_an_observation_is_dated_by_the_clock_that_was_handed_in(clock: Clock) -> None:
    asked = runner(*all_well(), clock=clock).ask([A], {}, frozenset({Spread}))

    assert asked[A.key].new == (Observation(Spread, START, Spread(zones=2)),)
    assert isinstance(asked[A.key].seen.windows.get(Ping), Window | None)


def test_a_probe_that_blames_ourselves_is_counted_and_told_from_one_that_does_not() -> None:
    def ask(services: Sequence[Service], upstream: Upstream) -> Iterator[Any]:
        upstream.blame("our own control target failed")
        for service in services:
            yield service.key, Unavailable(Cause.SCORECARD_FAULT, "no network here")

    run = runner(Scripted(Spread, ask), Told(Build, {A.key: Build(steps=3)}))
    run.ask([A], {}, frozenset({Spread, Build}))

    def suspect(probe: str) -> float | None:
        return run._telemetry.registry.get_sample_value("scorecard_suspect_runs_total", {"probe": probe})

    assert (suspect("spread"), suspect("build")) == (1, 0)
