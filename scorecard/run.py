"""One run: which evidence is due, probe once, judge, hand over; for a scheduled shard and `scorecard check` alike."""

from __future__ import annotations

import dataclasses
import graphlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scorecard.checklist import Checklist, claims_no_state, rests_on
from scorecard.evidence import Absent, Answer, Evidence, Observation, Sample, Unavailable, Window
from scorecard.evidence.aws import Resources
from scorecard.judge import Judged, Seen, Snapshot, judge, judge_check
from scorecard.logging import get_logger
from scorecard.model import Cadence, Cause, Scope, Service, ServiceKey
from scorecard.probes import Probe, Upstream
from scorecard.redact import without_secrets
from scorecard.store import ServiceResult
from scorecard.telemetry import Telemetry

log = get_logger(__name__)

FIRST_SAMPLES = 3
"""Looks that a service gets at its first measurement, so that hysteresis has something to decide from."""
SAMPLE_PAUSE = 1.0
"""Seconds between them."""

Progress = Callable[[str, int, int], None]
"""(what is asked, answers so far, answers expected)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run saw of one service."""

    seen: Seen
    """Everything known, old and new."""
    new: tuple[Observation, ...]
    """What this run observed."""
    kept: frozenset[type[Evidence]] = frozenset()
    """Kinds that were this run's to ask and not due yet. What rests on them is judged again all the same: another run
    may have observed something beside them meanwhile, and judged without them."""


class Runner:
    """Asks probes in the order of what they need, and judges."""

    def __init__(
        self,
        probes: Sequence[Probe],
        *,
        clock: Callable[[], datetime],
        telemetry: Telemetry,
        pause: Callable[[float], None] = time.sleep,
        find: Callable[[ServiceKey], Service | None] = lambda _: None,
    ) -> None:
        """Sort the probes.

        `find` looks up a registered service that a run is not about, such as a declared downstream.

        Raises:
            ValueError: two probes answer one question, or they need one another in a circle.
        """
        self._probes = _sorted(probes)
        self._clock = clock
        self._telemetry = telemetry
        for probe in self._probes:
            telemetry.suspect(probe.name, 0)
        self._pause = pause
        self._find = find
        self.probed: frozenset[type[Evidence]] = frozenset(probe.answers for probe in self._probes)

    def kinds(self, cadence: Cadence | None) -> frozenset[type[Evidence]]:
        """The evidence that a cadence asks for; every kind without one."""
        return frozenset(kind for kind in self.probed if cadence is None or kind.cadence is cadence)

    def upstream_of(self, kinds: Iterable[type[Evidence]]) -> frozenset[type[Evidence]]:
        """What probes of these kinds, and checks that mix them with others, read besides."""
        wanted = set(kinds)
        return frozenset(need for probe in self._probes if probe.answers in wanted for need in probe.needs)

    def ask(
        self,
        services: Sequence[Service],
        known: Mapping[ServiceKey, Seen],
        kinds: frozenset[type[Evidence]],
        *,
        progress: Progress | None = None,
        at_once: bool = False,
        again: bool = False,
    ) -> dict[ServiceKey, Asked]:
        """Ask for kinds of evidence of services.

        Args:
            services: whom.
            known: what is known of them already.
            kinds: which evidence.
            progress: told of every answer.
            at_once: also what is not due yet by the probe's own period, and wait for what takes time: somebody asked.
            again: look for the answers to what an earlier run asked, and ask nothing anew.
        """
        state = {
            service.key: _State(known.get(service.key, Seen(probed=self.probed)), self.probed) for service in services
        }
        for probe in self._probes:
            if probe.answers not in kinds:
                continue
            due = [service for service in services if at_once or self._due(probe, state[service.key])]
            for service in services if len(due) < len(services) else ():
                state[service.key].kept.add(probe.answers)
            if not due:
                continue
            self._sample(probe, due, state, progress, patient=at_once, again=again)
            fresh = [service for service in due if probe.answers.window and _short_of(state[service.key], probe)]
            for _ in range(FIRST_SAMPLES - 1):
                if fresh:
                    self._pause(SAMPLE_PAUSE)
                    self._sample(probe, fresh, state, progress, patient=at_once, again=again)
        return {key: Asked(each.seen(), tuple(each.new.values()), frozenset(each.kept)) for key, each in state.items()}

    def _due(self, probe: Probe, state: _State) -> bool:
        every: timedelta | None = getattr(probe, "due_every", None)
        last = state.observations.get(probe.answers)
        if every is None or last is None or isinstance(last.value, Unavailable):
            return True
        # What was missing may be there by now, and what it was made from may be newer.
        newer = (state.observations[need].at > last.at for need in probe.needs if _elsewhere(need, probe, state))
        partial = isinstance(last.value, Evidence) and bool(last.value.missing)
        return partial or any(newer) or self._clock() - last.at >= every

    def _sample(
        self,
        probe: Probe,
        services: Sequence[Service],
        state: dict[ServiceKey, _State],
        progress: Progress | None,
        *,
        patient: bool,
        again: bool,
    ) -> None:
        waiting = {service.key for service in services}

        def tell(words: str) -> None:
            if progress:
                progress(f"{probe.name}, {words}", len(services) - len(waiting), len(services))

        def blame(words: str) -> None:
            self._telemetry.suspect(probe.name)
            log.error("this run is suspect, the fault is our own", probe=probe.name, error=words)

        upstream = Upstream(
            {(key, kind): seen for key, each in state.items() for kind, seen in each.observations.items()},
            {(key, kind): window for key, each in state.items() for kind, window in each.windows.items()},
            patient=patient,
            again=again,
            find=self._find,
            tell=tell,
            blame=blame,
            called=self._telemetry.called,
        )
        for key, value in self._guarded(probe, services, upstream):
            if key in waiting:
                waiting.discard(key)
                self._telemetry.probe(probe.name, self._taken(probe, key, value, state[key]))
                if progress:
                    progress(probe.name, len(services) - len(waiting), len(services))
        for key in waiting:
            missing = Unavailable(Cause.PROBE_ERROR, f"the probe {probe.name} gave no answer for {key}")
            state[key].take(Observation(probe.answers, self._clock(), missing))
            self._telemetry.probe(probe.name, Cause.PROBE_ERROR.value)

    def _taken(self, probe: Probe, key: ServiceKey, value: Answer, state: _State) -> str:
        """Take an answer, or in its place that it cannot be taken, which is this service's trouble; how it counts."""
        try:
            outcome = _outcome(value)
            state.take(Observation(probe.answers, self._clock(), value))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            words = _words(error)
            log.exception("answer not taken", probe=probe.name, service=str(key), error=words, exc_info=error)
            missing = Unavailable(Cause.PROBE_ERROR, f"what the probe {probe.name} answered cannot be kept: {words}")
            state.take(Observation(probe.answers, self._clock(), missing))
            return missing.cause.value
        return outcome

    def _guarded(
        self, probe: Probe, services: Sequence[Service], upstream: Upstream
    ) -> Iterator[tuple[ServiceKey, Answer]]:
        """The probe's answers; a bug in it costs the answers it had not given yet, and nothing else."""
        given: set[ServiceKey] = set()
        try:
            for key, value in probe.ask(services, upstream):
                _check_answer(probe, value)
                given.add(key)
                yield key, value
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            words = _words(error)
            log.exception("probe failed", probe=probe.name, error=words, exc_info=error)
            for service in services:
                if service.key not in given:
                    detail = f"a bug in the probe {probe.name}: {words}"
                    yield service.key, Unavailable(Cause.PROBE_ERROR, detail)

    def judge_new(
        self, service: Service, checklist: Checklist, asked: Asked, now: datetime, *, whole: bool
    ) -> tuple[tuple[tuple[str, Judged], ...], Snapshot | None]:
        """Judge the checks that rest on what was observed, or all of them.

        Returns (row, finding) pairs, and the snapshot where everything was judged.
        """
        seen = dataclasses.replace(asked.seen, probed=self.probed)
        if whole:
            snapshot = judge(service, checklist, seen, now)
            return tuple((row.id, judged) for row in snapshot.rows for judged in row.checks), snapshot
        touched = {observation.kind for observation in asked.new} | asked.kept
        pairs: list[tuple[str, Judged]] = []
        for row in checklist.rows:
            if row.exclusion(service, now.date()):
                continue
            claim = claims_no_state(row, service)
            pairs += [
                (row.id, judge_check(row, check, service, seen, now))
                for check in row.checks
                if (claim or service.type in check.types)
                and not touched.isdisjoint(rests_on(row, check) if claim else check.kinds)
            ]
        return tuple(pairs), None

    def result(
        self,
        service: Service,
        checklists: Mapping[str, Checklist],
        asked: Asked,
        now: datetime,
        whole: frozenset[str],
    ) -> ServiceResult:
        """Everything that the store keeps of a run over one service."""
        judged, excluded = {}, {}
        for name, checklist in checklists.items():
            judged[name], snapshot = self.judge_new(service, checklist, asked, now, whole=name in whole)
            if snapshot is not None:
                # What its findings exclude is stored as these findings, and ends with them.
                excluded[name] = tuple(
                    (row.id, row.exclusion) for row in snapshot.rows if row.exclusion is not None and not row.checks
                )
        for name, pairs in judged.items():
            for row_id, finding in pairs:
                if finding.cause is Cause.PROBE_ERROR:
                    log.error(
                        "check failed", service=str(service.key), checklist=name, row=row_id, error=finding.message
                    )
        kinds = {observation.kind for observation in asked.new}
        return ServiceResult(
            key=service.key,
            observations=asked.new,
            windows={kind: window for kind, window in asked.seen.windows.items() if kind in kinds},
            judged=judged,
            judged_from={kind.kind(): seen.at for kind, seen in asked.seen.observations.items()},
            excluded=excluded,
            complete=whole,
        )


class _State:
    """What is known of one service while a run goes on."""

    __slots__ = ("kept", "new", "observations", "probed", "windows")

    def __init__(self, seen: Seen, probed: frozenset[type[Evidence]]) -> None:
        self.observations = dict(seen.observations)
        self.windows: dict[type[Evidence], Window[Any]] = dict(seen.windows)
        self.new: dict[type[Evidence], Observation] = {}
        self.kept: set[type[Evidence]] = set()
        self.probed = probed

    def take(self, observation: Observation) -> None:
        kind = observation.kind
        if not kind.window:
            # The one way into everything that is kept or shown. Live probes, asked every minute, redact on their own.
            observation = dataclasses.replace(observation, value=without_secrets(observation.value))
        self.observations[kind] = observation
        self.new[kind] = observation
        if kind.window:
            sample: Sample[Any] = Sample(observation.at, observation.value)
            before = self.windows.get(kind)
            self.windows[kind] = before.append(sample, kind.window) if before else Window((sample,))

    def seen(self) -> Seen:
        return Seen(self.observations, self.windows, self.probed)


def measure(
    runner: Runner,
    services: Sequence[Service],
    checklist: Callable[[Service], Checklist],
    now: Callable[[], datetime],
    *,
    scope: Scope | None = None,
    rows: frozenset[str] | None = None,
    progress: Progress | None = None,
) -> list[tuple[Snapshot, Mapping[str, Observation]]]:
    """Probe and judge without a store, for `scorecard check`: snapshots with the evidence behind them, by kind."""
    kinds = set()
    for service in services:
        for row in checklist(service).rows:
            if rows is None or row.id in rows:
                kinds |= {kind for check in row.checks if check.in_scope(scope) for kind in check.asked_in(scope)}
                if claims_no_state(row, service):
                    kinds |= {Resources} if scope in {None, Resources.scope} else set()
    todo = set(kinds)
    while todo:
        todo = {kind for kind in runner.upstream_of(todo) if scope is None or kind.scope is scope} - kinds
        kinds |= todo
    asked = runner.ask(services, {}, frozenset(kinds) & runner.probed, progress=progress, at_once=True)
    results: list[tuple[Snapshot, Mapping[str, Observation]]] = []
    run = str(uuid.uuid4())
    for service in services:
        seen = asked[service.key].seen
        snapshot = judge(service, checklist(service), seen, now(), run=run, scope=scope, rows=rows)
        results.append((snapshot, {kind.kind(): found for kind, found in seen.observations.items()}))
    return results


def _sorted(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    by_kind: dict[type[Evidence], Probe] = {}
    for probe in probes:
        if probe.answers in by_kind:
            raise ValueError(f"{probe.answers.kind()} is answered by {by_kind[probe.answers].name} and {probe.name}")
        by_kind[probe.answers] = probe
    graph = {kind: [need for need in probe.needs if need in by_kind] for kind, probe in by_kind.items()}
    try:
        order = tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        circle = " needs ".join(kind.kind() for kind in error.args[1])
        raise ValueError(f"probes wait for one another: {circle}") from error
    return tuple(by_kind[kind] for kind in order)


def _elsewhere(need: type[Evidence], probe: Probe, state: _State) -> bool:
    """Whether other runs than the probe's own observe what it needs: those of its own cadence do so each time."""
    return need in state.observations and need.cadence is not probe.answers.cadence


def _short_of(state: _State, probe: Probe) -> bool:
    """Whether a window is too short for hysteresis, of a service that could be asked at all."""
    window = state.windows.get(probe.answers)
    last = state.observations[probe.answers].value
    return window is not None and len(window.samples) < FIRST_SAMPLES and isinstance(last, Evidence)


def _check_answer(probe: Probe, value: object) -> None:
    """Refuse what is no answer to the probe's question, before the store meets it."""
    if not isinstance(value, Unavailable | Absent | probe.answers):
        raise TypeError(f"answered with {type(value).__name__}, not with {probe.answers.kind()}")


def _words(error: BaseException) -> str:
    """What an exception says; its type alone where even that raises."""
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException:  # noqa: BLE001 - an exception whose own text is broken stops nothing else
        return type(error).__name__


def _outcome(value: Answer) -> str:
    if isinstance(value, Unavailable):
        return value.cause.value
    return "ok" if isinstance(value, Evidence) else "absent"
