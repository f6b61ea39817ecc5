"""How a test of a row asks a check: values in, verdict out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from scorecard.check import Row
from scorecard.checklist import ChecklistRow
from scorecard.evidence import Absent, Evidence, Observation, Sample, Unavailable, Window
from scorecard.judge import Judged, Seen, judge_check
from scorecard.model import Service, ServiceType

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Ask = Callable[..., Judged]


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def ask() -> Ask:
    """`ask(row, "check", evidence, ..., window=(oldest, ..., newest), kind=T, service=..., limit=...)`."""

    def ask_check(
        row: Row,
        check_id: str,
        *seen: Evidence,
        window: tuple[Evidence | Unavailable | Absent, ...] = (),
        kind: type[Evidence] | None = None,
        absent: tuple[type[Evidence], ...] = (),
        service: Service | None = None,
        **limits: object,
    ) -> Judged:
        observations = {type(value): Observation(type(value), NOW, value) for value in seen}
        observations |= {one: Observation(one, NOW, Absent("there is none")) for one in absent}
        windows = {}
        if window and kind:
            start = NOW - timedelta(minutes=len(window) - 1)
            samples = tuple(Sample(start + timedelta(minutes=index), value) for index, value in enumerate(window))
            windows[kind] = Window(samples)
            observations[kind] = Observation(kind, samples[-1].at, samples[-1].value)
        chosen = row.default_limits()
        bound = ChecklistRow(
            id=row.id,
            row=row,
            risk=row.risk,
            types=row.types,
            needs_state=row.needs_state,
            limits=dataclasses.replace(chosen, **limits) if limits else chosen,  # type: ignore[type-var]
            checks=row.checks,
        )
        payments = service or Service(name="payments", type=ServiceType.WEB)
        return judge_check(bound, row.check(check_id), payments, Seen(observations, windows), NOW)

    return ask_check


@pytest.fixture
def waits(ask: Ask) -> Callable[[Row, str], str]:
    """What a check of a row waits for, after seeing that it says so and is unknown: not_supported."""

    def waiting(row: Row, check_id: str) -> str:
        judged = ask(row, check_id)
        assert (judged.status.value, judged.cause and judged.cause.value) == ("unknown", "not_supported")
        awaits = row.check(check_id).awaits
        assert awaits in judged.message
        return awaits

    return waiting
