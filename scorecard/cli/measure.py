"""Probing from the command line: the installed probes, a cache that is removed again, progress on a terminal."""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from scorecard.cli.workspace import Workspace, clock

if TYPE_CHECKING:
    from scorecard.checklist import Checklist
    from scorecard.evidence import Observation
    from scorecard.evidence.pushed import Pushed, PushedKind
    from scorecard.judge import Snapshot
    from scorecard.model import Provenance, Scope, Service, ServiceKey
    from scorecard.probes import Probe, PushedReader
    from scorecard.store import Store


def measure_now(
    workspace: Workspace,
    services: Sequence[Service],
    checklist: Callable[[Service], Checklist],
    *,
    scope: Scope | None,
    rows: frozenset[str] | None,
) -> list[tuple[Snapshot, Mapping[str, Observation]]]:
    """Probe and judge, without a store."""
    from scorecard.run import Runner, measure
    from scorecard.telemetry import Telemetry

    @functools.cache
    def registered() -> Mapping[ServiceKey, Service]:
        return {service.key: service for service in (*workspace.catalog().services, *services)}

    with tempfile.TemporaryDirectory(prefix="scorecard-") as cache, Progress() as progress:
        runner = Runner(
            installed_probes(workspace, Path(cache)),
            clock=clock,
            telemetry=Telemetry(),
            find=lambda key: registered().get(key),
        )
        return measure(runner, services, checklist, clock, scope=scope, rows=rows, progress=progress)


def installed_probes(workspace: Workspace, cache: Path) -> tuple[Probe, ...]:
    """Every probe behind the entry point group `scorecard.probes`; without the server, whose imports take longer.

    Args:
        workspace: its configuration names the integrations.
        cache: a directory of ours for clones.
    """
    from scorecard.probes import Context
    from scorecard.registry import load_points

    context = Context(
        config=workspace.config, clock=clock, cache=cache, base=workspace.config.directory, pushed=_pushed(workspace)
    )
    return tuple(probe for factory in load_points("scorecard.probes") for probe in factory(context))


def _pushed(workspace: Workspace) -> PushedReader:
    """What was pushed into the store of this configuration; where the server never ran, nothing was."""
    from scorecard.config import SecretUnavailable
    from scorecard.probes import NotReadableError

    @functools.cache
    def opened() -> Store | None:
        from scorecard.store import StoreError

        try:
            store = workspace.open_store()
        except (StoreError, SecretUnavailable) as error:
            raise NotReadableError(str(error)) from error
        if store.db.path is not None and not store.db.path.is_file():
            return None
        reason = store.ready()
        if reason:
            raise NotReadableError(reason)
        return store

    def read(key: ServiceKey, kind: PushedKind, provenance: Provenance) -> tuple[Pushed, ...]:
        from scorecard.app import pushed_in

        store = opened()
        return () if store is None else pushed_in(store)(key, kind, provenance)

    return read


class Progress:
    """One line on standard error that is written over, while a person looks on; silent in a pipeline."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __call__(self, what: str, answered: int, expected: int) -> None:
        """Tell of an answer."""
        if self._shown:
            click.echo(f"\r\x1b[K{what}: {answered} of {expected}", nl=False, err=True)

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
