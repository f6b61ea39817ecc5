"""Restore drills by schedule: one at a time, in a thread of its own, and never two of one spec.

When a drill is due is told by the reports that the store keeps, so that a restart neither repeats nor forgets one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from scorecard.drill.report import DrillReport, ReportError, report_of, report_value
from scorecard.drill.restore import Setting
from scorecard.drill.run import run_drill
from scorecard.drill.spec import DrillSpec, SpecError, read_spec
from scorecard.evidence.pushed import PushedKind
from scorecard.logging import get_logger
from scorecard.model import Provenance, ServiceKey
from scorecard.store import Store, StoreError
from scorecard.strict_yaml import Document

log = get_logger(__name__)

_AGAIN_SECONDS = 300.0
"""After which a spec that could not be read, or a store that did not answer, is looked at again."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One drill of the configuration."""

    spec: Path
    every: timedelta


class DrillSchedule:
    """Begins the drills that are due. `tick` may be called any number of times."""

    def __init__(
        self,
        store: Store,
        drills: Callable[[], Sequence[Scheduled]],
        *,
        clock: Callable[[], datetime],
        measure: Callable[[ServiceKey, str | None, str], int],
        version: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the store, what the configuration says now, both clocks, and how a row is measured again."""
        self._store = store
        self._drills = drills
        self._clock = clock
        self._measure = measure
        self._version = version
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._looked: dict[Path, float] = {}
        """Spec to when, on the monotonic clock, it is looked at next."""
        self._running: dict[Path, Future[None]] = {}
        self._said: dict[Path, str] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="drill")

    def tick(self) -> None:
        """Begin what is due. Never raises for a spec or the store."""
        for drill in self._drills():
            under_way = self._running.get(drill.spec)
            if self._stop.is_set() or (under_way is not None and not under_way.done()):
                continue
            if self._monotonic() < self._looked.get(drill.spec, 0.0):
                continue
            self._look(drill)

    def stop(self, timeout: float) -> bool:
        """Begin nothing more, and end what runs: it drops what it made. False where that took longer."""
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        return not wait_for(list(self._running.values()), timeout).not_done

    def facts(self) -> list[dict[str, str]]:
        """How each drill stands."""
        return [{"spec": drill.spec.name, "said": self._said.get(drill.spec, "waits")} for drill in self._drills()]

    def _look(self, drill: Scheduled) -> None:
        try:
            spec = read_spec(drill.spec)
            left = self._due_in(spec, drill.every)
        except (SpecError, SQLAlchemyError, StoreError) as error:
            self._looked[drill.spec] = self._monotonic() + _AGAIN_SECONDS
            self._say(drill.spec, f"cannot be planned: {error}")
            return
        self._looked[drill.spec] = self._monotonic() + (left or min(_AGAIN_SECONDS, drill.every.total_seconds()))
        if not left:
            self._running[drill.spec] = self._pool.submit(self._run, drill.spec, spec)

    def _due_in(self, spec: DrillSpec, every: timedelta) -> float:
        """Seconds until the drill is due, at most the time after which it is asked again; 0 where it is due."""
        newest = self._newest(spec)
        if newest is None:
            return 0.0
        left = (newest.started_at + every - self._clock()).total_seconds()
        # A clock that was set back would wait for longer than a period.
        return min(max(0.0, left), _AGAIN_SECONDS) if left <= every.total_seconds() else 0.0

    def _newest(self, spec: DrillSpec) -> DrillReport | None:
        for one in self._store.pushed(ServiceKey(spec.service), PushedKind.DRILL, provenance=Provenance.PROBED):
            try:
                report = report_of(Document.of(dict(one.document), name=f"drill {one.id}"))
            except ReportError:
                continue
            if report.resource == spec.resource:
                return report
        return None

    def _run(self, path: Path, spec: DrillSpec) -> None:
        setting = Setting(
            clock=self._clock, stop=self._stop, version=self._version, tell=lambda said: self._tell(path, said)
        )
        try:
            report = run_drill(spec, setting)
        except Exception as error:
            # Nobody waits for the thread's result: what is not said here is said nowhere.
            log.exception("restore drill failed", spec=path.name, exc_info=error)
            self._say(path, f"a bug ended it: {type(error).__name__}: {error}")
            return
        if report.code == "interrupted":
            self._say(path, "was interrupted; it begins again after the restart")
            return
        key = ServiceKey(spec.service)
        try:
            self._store.push(
                key,
                PushedKind.DRILL,
                report_value(report),
                self._clock(),
                pushed_by="schedule",
                provenance=Provenance.PROBED,
            )
            self._measure(key, "backups", "drill")
        except (LookupError, SQLAlchemyError, StoreError) as error:
            self._say(path, f"its report could not be kept: {error}")
            return
        self._say(path, f"{report.result.value} {report.code}".strip())

    def _tell(self, path: Path, said: str) -> None:
        self._said[path] = f"runs: {said}"

    def _say(self, path: Path, said: str) -> None:
        if self._said.get(path) != said:
            log.info("restore drill", spec=path.name, said=said)
        self._said[path] = said
