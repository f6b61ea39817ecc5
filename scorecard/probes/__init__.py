"""Probes: the only code that asks the outside world. One module per system asked; none imports another.

A probe answers one question (one evidence type) for many services at once, so that one sweep, one clone, one call to a
Prometheus serves all of them. It declares the evidence it needs first; the runner sorts the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from scorecard.evidence import Absent, Answer, Evidence, Observation, Unavailable, Window
from scorecard.evidence.pushed import Pushed, PushedKind
from scorecard.model import Cause, Provenance, Service, ServiceKey


class Probe(Protocol):
    """Asks one question of the outside world for many services."""

    @property
    def name(self) -> str:
        """Stable and short: the label `probe` of `scorecard_probes_total`."""
        ...

    @property
    def answers(self) -> type[Evidence]:
        """The evidence it returns."""
        ...

    @property
    def needs(self) -> tuple[type[Evidence], ...]:
        """Evidence that must be asked before; it is in `upstream`."""
        ...

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Answer for each service once, in any order, as answers arrive.

        A service without an answer becomes `unknown: probe_error`. `Absent` only after a complete look. Raises nothing
        for what a target or an integration does: that is an `Unavailable` with its cause.
        """
        ...


def _nobody(_key: ServiceKey) -> Service | None:
    return None


def _nothing(_words: str) -> None:
    """Nobody looks on."""


def _uncounted(_system: str, _place: str, _count: int) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """What is known already: answers of this run that a probe needs, and the last windows of what it asks itself."""

    answers: Mapping[tuple[ServiceKey, type[Evidence]], Observation] = field(default_factory=dict)
    windows: Mapping[tuple[ServiceKey, type[Evidence]], Window[Any]] = field(default_factory=dict)
    patient: bool = False
    """Somebody waits for the answer, and no later run will bring it: a question that takes time is waited for."""
    again: bool = False
    """An earlier run asked, and its answer is looked for; nothing is asked anew."""
    find: Callable[[ServiceKey], Service | None] = _nobody
    """A registered service that is not asked about itself, such as a declared downstream."""
    tell: Callable[[str], None] = _nothing
    """Progress of a long wait, in words, for whoever looks on."""
    blame: Callable[[str], None] = _nothing
    """Told in words when a probe finds that the fault is our own: for the metric and the alert about ourselves."""
    called: Callable[[str, str, int], None] = _uncounted
    """Told how many calls were made: of which system (`aws`), of which place (`main/111122223333/eu-west-1`)."""

    def answer(self, key: ServiceKey, kind: type[Evidence]) -> Answer:
        """The newest answer; `unknown: no_data` where there is none."""
        seen = self.answers.get((key, kind))
        return seen.value if seen else Unavailable(Cause.NO_DATA, f"{kind.kind()} was not asked in this run")

    def last(self, key: ServiceKey, kind: type[Evidence]) -> Observation | None:
        """The newest observation, of an earlier run as well."""
        return self.answers.get((key, kind))

    def window(self, key: ServiceKey, kind: type[Evidence]) -> Window[Any] | None:
        """The last samples, for a kind that keeps a window."""
        return self.windows.get((key, kind))


class NotReadableError(Exception):
    """What was pushed cannot be read now: the store does not answer."""


PushedReader = Callable[[ServiceKey, PushedKind, Provenance], tuple[Pushed, ...]]
"""(service, kind, provenance) -> the newest documents of that provenance, newest first, whatever else was pushed since.

Raises NotReadableError and nothing else.
"""


def _no_store(_key: ServiceKey, _kind: PushedKind, _provenance: Provenance) -> tuple[Pushed, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a probe factory is given: configuration, clock and places. Clients are made from it once."""

    config: Any
    """`scorecard.config.Config`."""
    clock: Callable[[], datetime]
    """The wall clock, in UTC."""
    cache: Path
    """A directory of our own for clones."""
    base: Path
    """What relative paths in the catalogue are relative to."""
    pushed: PushedReader = _no_store
    """What pipelines pushed into the store; where there is no store, nothing was."""


__all__ = ["Absent", "Answer", "Context", "NotReadableError", "Probe", "PushedReader", "Unavailable", "Upstream"]
