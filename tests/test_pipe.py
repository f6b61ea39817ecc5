"""The whole pipe, probes to stored documents: a bug, a silence or an oddity costs what it is about and nothing else.

Random fleets go through the real runner, worker and store. What each service's document says is compared with an oracle
that computes that service alone, from a table of what its probes said of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from scorecard.check import Finding, passed
from scorecard.checklist import Checklist
from scorecard.evidence import Absent, Answer, Evidence, Unavailable
from scorecard.model import Cadence, Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.run import Runner
from scorecard.store import Store, open_store
from tests.conftest import Clock
from tests.store.fleet import LISTS, PERIODS, POLICY, Build, Fleet, Ping, Spread
from tests.test_run import BUGS

KINDS: tuple[type[Evidence], ...] = (Ping, Spread, Build)
CHECK_OF = {Ping: ("alive", "answers"), Spread: ("spread", "zones"), Build: ("built", "steps")}
few = settings(max_examples=25, deadline=None)

# Texts that a hostile target leaves in what is stored: no NUL, no half of a pair, no escape breaks a neighbour.
texts = st.sampled_from(["why", "", "a\0b", "\ud800", "\x1b[31m", "=1+1", "<script>", "\U0001f600" * 50, "\ufeff"])

values: dict[type[Evidence], st.SearchStrategy[Answer]] = {
    Ping: st.builds(Ping, ok=st.booleans(), milliseconds=st.floats(0, 1e9)),
    Spread: st.builds(Spread, zones=st.integers(-1, 3)),
    Build: st.builds(Build, steps=st.integers(0, 4), note=texts),
}
missing: st.SearchStrategy[Answer] = st.builds(Unavailable, st.sampled_from(list(Cause)), texts) | st.builds(
    Absent, texts.filter(bool)
)


@dataclass(frozen=True)
class Script:
    """What one probe does in a run: answers in an order of its own, until it breaks or is silent."""

    said: dict[ServiceKey, Answer]
    order: tuple[ServiceKey, ...]
    dropped: frozenset[ServiceKey]
    bug: BaseException | None
    after: int
    """Answers before the bug."""

    def heard(self) -> dict[ServiceKey, Answer | None]:
        """What a service is entitled to; None for `unknown: probe_error`."""
        given_ = [key for key in self.order if key not in self.dropped]
        if self.bug is not None:
            given_ = given_[: self.after]
        return {key: self.said[key] if key in given_ else None for key in self.order}


class Player:
    """A probe that plays a script."""

    needs: tuple[type[Evidence], ...] = ()

    def __init__(self, kind: type[Evidence], script: Script) -> None:
        self.answers, self.name, self._script = kind, kind.__name__.lower(), script

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        del upstream
        asked = {service.key for service in services}
        told = [key for key in self._script.order if key in asked and key not in self._script.dropped]
        for number, key in enumerate(told):
            if self._script.bug is not None and number >= self._script.after:
                raise self._script.bug
            yield key, self._script.said[key]
        if self._script.bug is not None:
            raise self._script.bug


@st.composite
def scripts(draw: st.DrawFn, kind: type[Evidence], keys: tuple[ServiceKey, ...]) -> Script:
    """A probe of one kind over these services."""
    said = {key: draw(values[kind] | missing) for key in keys}
    return Script(
        said,
        tuple(draw(st.permutations(keys))),
        draw(st.frozensets(st.sampled_from(keys), max_size=2)) if draw(st.booleans()) else frozenset(),
        draw(st.none() | st.sampled_from(BUGS)),
        draw(st.integers(0, len(keys))),
    )


@st.composite
def fleets(draw: st.DrawFn) -> tuple[tuple[ServiceKey, ...], dict[type[Evidence], Script]]:
    """Some services, and a script for each probe."""
    keys = tuple(ServiceKey(f"s{number}") for number in range(draw(st.integers(1, 4))))
    return keys, {kind: draw(scripts(kind, keys)) for kind in KINDS}


def with_bug(checklist: Checklist, bug: BaseException, steps: int) -> Checklist:
    """The checklist with a check that raises for some services: those with so many steps."""

    def noted(seen: Build) -> Finding:
        if seen.steps == steps:
            raise bug
        return passed("noted")

    rows = tuple(
        dataclasses.replace(
            row,
            checks=tuple(
                dataclasses.replace(check, function=noted) if check.id == "noted" else check for check in row.checks
            ),
        )
        for row in checklist.rows
    )
    return dataclasses.replace(checklist, rows=rows, digest=f"{checklist.digest}-bug")


def store_in(file: Path, checklist: Checklist) -> Store:
    """A store in a file of SQLite."""
    return open_store(
        f"sqlite:///{file}", checklists={"main": checklist}, policies={"default": POLICY}, periods=PERIODS
    )


@cache
def with_tables() -> bytes:
    """A database with the store's tables: making them takes longer than a run."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "scorecard.db"
        store = store_in(file, LISTS["main"])
        store.db.own()
        store.migrate()
        store.close()
        return file.read_bytes()


def run(keys: Sequence[ServiceKey], players: dict[type[Evidence], Script], checklist: Checklist) -> dict[str, Any]:
    """One whole run of all cadences through runner, worker and store; documents by service."""
    clock = Clock()
    with TemporaryDirectory() as folder, capture_logs():  # a traceback in colour takes longer than a run
        file = Path(folder) / "scorecard.db"
        file.write_bytes(with_tables())
        store = store_in(file, checklist)
        try:
            store.db.own()
            fleet = Fleet(store, clock)
            fleet.services = [Service(name=key.name, team="crew", tier="tier-1") for key in keys]
            fleet.sync()
            fleet.runner = Runner(
                [Player(kind, script) for kind, script in players.items()],
                clock=clock,
                telemetry=fleet.telemetry,
                pause=lambda _: None,
            )
            fleet.run(*Cadence)
            return {str(key): plain(store.document(key, "main", clock())) for key in keys}
        finally:
            store.close()


def plain(document: Any) -> Any:  # noqa: ANN401 - a document
    """A document without what names the service or the run."""
    assert document is not None
    return {key: value for key, value in document.items() if key not in {"service", "run"}}


def alone(script: Script, key: ServiceKey) -> Script:
    """What a probe says of one service, were it the only one, and without a bug."""
    heard = script.heard()[key]
    said = Unavailable(Cause.PROBE_ERROR, "") if heard is None else heard
    return Script({key: said}, (key,), frozenset(), None, 0)


def _check(check: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a check of a document
    words = "" if check["cause"] == Cause.PROBE_ERROR.value else check["message"]
    return (*(check[name] for name in ("id", "status", "cause", "code", "expires_at")), words)


def verdicts(document: Any) -> Any:  # noqa: ANN401 - a document
    """Everything that a bug of another may not change; the words of a bug of one's own are not foreseen."""
    rows = [(row["id"], row["status"], row["credit"], tuple(map(_check, row["checks"]))) for row in document["rows"]]
    totals = ("score", "score_upper", "coverage", "level", "taken_at")
    return rows, [document[name] for name in totals], document["gate"]["verdict"]


@few
@given(fleet=fleets(), bug=st.sampled_from(BUGS), steps=st.integers(0, 4))
def test_each_service_is_judged_as_if_it_were_alone(
    fleet: tuple[tuple[ServiceKey, ...], dict[type[Evidence], Script]], bug: BaseException, steps: int
) -> None:
    keys, players = fleet
    checklist = with_bug(LISTS["main"], bug, steps)

    together = run(keys, players, checklist)

    for key in keys:
        by_itself = run([key], {kind: alone(script, key) for kind, script in players.items()}, checklist)
        assert verdicts(together[str(key)]) == verdicts(by_itself[str(key)]), key


@few
@given(fleet=fleets())
def test_each_check_says_what_its_probe_said_or_that_it_is_our_own_bug(
    fleet: tuple[tuple[ServiceKey, ...], dict[type[Evidence], Script]],
) -> None:
    keys, players = fleet

    documents = run(keys, players, LISTS["main"])

    for kind, script in players.items():
        row_id, check_id = CHECK_OF[kind]
        for key, heard in script.heard().items():
            [row] = [row for row in documents[str(key)]["rows"] if row["id"] == row_id]
            [check] = [check for check in row["checks"] if check["id"] == check_id]
            assert (check["status"], check["cause"]) == expected(kind, heard), (kind, key)


def expected(kind: type[Evidence], heard: Answer | None) -> tuple[str, str | None]:
    """Status and cause of a kind's required check, by what was heard."""
    if heard is None:
        return "unknown", Cause.PROBE_ERROR.value
    if isinstance(heard, Unavailable):
        # The fleet's rule about pings raises on a sample that is none; what is not configured never comes to it.
        raises = kind is Ping and heard.cause is not Cause.NOT_CONFIGURED
        return "unknown", (Cause.PROBE_ERROR if raises else heard.cause).value
    if isinstance(heard, Absent):
        return "not_applicable", None
    if isinstance(heard, Ping):
        good = heard.ok
    else:
        good = heard.zones > 1 if isinstance(heard, Spread) else getattr(heard, "steps", 0) >= 2
    return ("pass" if good else "fail"), None


@few
@given(fleet=fleets(), lost=st.sets(st.tuples(st.sampled_from(KINDS), st.integers(0, 4))), cause=st.sampled_from(Cause))
def test_evidence_that_is_lost_raises_no_document(
    fleet: tuple[tuple[ServiceKey, ...], dict[type[Evidence], Script]],
    lost: set[tuple[type[Evidence], int]],
    cause: Cause,
) -> None:
    keys, players = fleet
    less = {
        kind: dataclasses.replace(
            script,
            said={
                key: Unavailable(cause, "lost") if (kind, number) in lost else script.said[key]
                for number, key in enumerate(keys)
            },
        )
        for kind, script in players.items()
    }

    before, after = run(keys, players, LISTS["main"]), run(keys, less, LISTS["main"])

    for number, key in enumerate(keys):
        old, new = before[str(key)], after[str(key)]
        if not any((kind, number) in lost for kind in KINDS):
            assert new == old, "nothing of this service was lost"
        assert (new["score"] or 0) <= (old["score"] or 0)
        assert (new["coverage"] or 0) <= (old["coverage"] or 0)
        assert not (new["level"] == "ready" and old["level"] != "ready")
        assert not (new["gate"]["verdict"] == "go" and old["gate"]["verdict"] != "go")
