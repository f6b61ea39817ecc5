"""The composition root: configuration, catalogue, store, probes, scheduler and pages are put together here only.

The clock and the clients are made here, or on the command line, and handed on.
"""

from __future__ import annotations

import resource
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from sqlalchemy.exc import SQLAlchemyError

from scorecard import __version__, api, logging, metrics, site
from scorecard.catalog import Catalog, Live, Outcome, load_catalog
from scorecard.catalog.layers import matches
from scorecard.checklist import Checklist
from scorecard.config import Config, ConfigError
from scorecard.draining import DrainingWorker
from scorecard.drill_schedule import DrillSchedule, Scheduled
from scorecard.evidence.pushed import Pushed, PushedKind
from scorecard.model import Cadence, Provenance, Service, ServiceKey
from scorecard.probes import Context, NotReadableError, Probe, PushedReader
from scorecard.problems import Problem
from scorecard.registry import Registry, RegistryError, installed, load_points
from scorecard.run import Runner
from scorecard.schedule import Planner, Retention, Scheduler
from scorecard.serving import Deps
from scorecard.store import Store, open_store
from scorecard.store.engine import problem as what_is_wrong
from scorecard.telemetry import Telemetry
from scorecard.work import InProcess, Worker

DRAIN_SECONDS = 20.0
"""Work under way at SIGTERM may take this long; gunicorn gives requests and this 25 s together."""
GRACE_SECONDS = 25
THREADS = 8
_OPEN_FILES = 65_536

log = logging.get_logger(__name__)


def utc_now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the composition root is where the clock is made


def checklists(config: Config, registry: Registry) -> dict[str, Checklist]:
    """The checklists that a configuration uses, in its order.

    Raises:
        ConfigError: one cannot be read; with file and line.
    """
    found: dict[str, Checklist] = {}
    for index, use in enumerate(config.checklists):
        try:
            checklist = registry.checklist(use.use, config.directory)
        except RegistryError as error:
            file, line = config.locate(("checklists", index, "use"))
            raise ConfigError((Problem(file, line, f"checklists[{index}].use", str(error)),)) from error
        found[checklist.name] = checklist
    return found


def refuse_unsupported(config: Config) -> None:
    """Refuse what this version would not enforce: a server that only seems to ask who is there is worse than none.

    Raises:
        ConfigError: a sign-in is configured.
    """
    if config.auth.mode != "none":
        file, line = config.locate(("auth", "mode"))
        message = f"{config.auth.mode}: this version has no sign-in; it serves loopback only, with mode none"
        raise ConfigError((Problem(file, line, "auth.mode", message),))


def applies(config: Config, used: Mapping[str, Checklist]) -> Callable[[str, Service], bool]:
    """Whether a configuration measures a service against a checklist."""
    match_of = dict(zip(used, (use.match for use in config.checklists), strict=True))

    def decide(checklist: str, service: Service) -> bool:
        facts = {
            "name": service.name,
            "team": service.team,
            "tier": service.tier,
            "type": service.type.value,
            "lifecycle": service.lifecycle.value,
            "environment": service.environment,
        }
        return checklist in match_of and matches(match_of[checklist], facts)

    return decide


def installed_probes(
    config: Config, cache: Path, clock: Callable[[], datetime] = utc_now, store: Store | None = None
) -> tuple[Probe, ...]:
    """Every probe behind the entry point group `scorecard.probes`, made for a configuration."""
    kept = {} if store is None else {"pushed": pushed_in(store)}
    context = Context(config=config, clock=clock, cache=cache, base=config.directory, **kept)
    return tuple(probe for factory in load_points("scorecard.probes") for probe in factory(context))


def pushed_in(store: Store) -> PushedReader:
    """What pipelines pushed into a store, for the probes, which know no database."""

    def read(key: ServiceKey, kind: PushedKind, provenance: Provenance) -> tuple[Pushed, ...]:
        try:
            return store.pushed(key, kind, provenance=provenance)
        except SQLAlchemyError as error:
            raise NotReadableError(what_is_wrong(error)) from error

    return read


def store_of(config: Config, used: Mapping[str, Checklist]) -> Store:
    """The store that a configuration names; nothing is written.

    Raises:
        StoreError: not an address of a store, or its driver is not installed.
    """
    return open_store(
        config.store_address().reveal(),
        checklists=used,
        policies=config.gate,
        periods={cadence: getattr(config.cadence, cadence.value) for cadence in Cadence},
        applies=applies(config, used),
        base=config.directory,
    )


class Running:
    """A scorecard in this process: build, start, stop."""

    def __init__(
        self,
        path: Path | None,
        environ: Mapping[str, str],
        *,
        directory: Path | None = None,
        clock: Callable[[], datetime] = utc_now,
        prepare: Callable[[Service], Service] = lambda service: service,
    ) -> None:
        """Read the configuration, open the store, make the tables, register the catalogue.

        Args:
            path: `scorecard.yaml`; None for the defaults.
            environ: the environment, for overrides and secrets.
            directory: what paths are relative to without a file.
            clock: the wall clock.
            prepare: what is done to each service before it is registered; the demo marks its own.

        Raises:
            ConfigError: a bad configuration, with every problem.
            StoreError: the store cannot be used, or another process writes to it.
        """
        self.clock = clock
        self.registry = installed()
        self._prepare = prepare
        self._stopping = threading.Event()
        self._winding_down = threading.Lock()
        self._cache = tempfile.TemporaryDirectory(prefix="scorecard-clones-")
        row_ids = frozenset(self.registry.rows)

        def read(config: Config, now: datetime) -> Catalog:
            return load_catalog(config, now=now, rows=row_ids)

        self.live = Live(path, environ, read=read, now=clock(), directory=directory)
        refuse_unsupported(self.live.config)
        self.telemetry = Telemetry(__version__)
        used = checklists(self.live.config, self.registry)
        self.store = store_of(self.live.config, used)
        self.store.db.own()
        self.store.migrate()
        self._runner = self._make_runner()
        worker = Worker(
            self.store,
            lambda: self._runner,
            clock,
            self.telemetry,
            later=lambda item, after: self.dispatcher.submit(item, after=after),
        )
        self.dispatcher = InProcess(worker.run)
        self.planner = Planner(
            self.store, self.dispatcher, retention=self._retention, clock=clock, telemetry=self.telemetry
        )
        self.drills = DrillSchedule(self.store, self._drills, clock=clock, measure=self.measure, version=__version__)
        self.scheduler = Scheduler(self._tick)
        self._register(self.live.catalog)
        self.flask = self._make_flask()

    def start(self) -> None:
        """Begin to measure."""
        self.scheduler.start()

    def stop(self, timeout: float = DRAIN_SECONDS) -> bool:
        """Measure no more: not ready, claim nothing, let what runs finish. False where it did not within `timeout`."""
        self._stopping.set()
        drained = self._wind_down(timeout)
        self.store.close()
        self._cache.cleanup()
        return drained

    def reload(self) -> Outcome:
        """Take up a changed configuration and catalogue; a bad one is refused and the last good one stays."""

        def accept(config: Config) -> None:
            refuse_unsupported(config)
            checklists(config, self.registry)

        before = self.live.config
        outcome = self.live.reload(self.clock(), accept=accept)
        self.telemetry.reloaded(successful=outcome.successful)
        for problem in outcome.problems:
            log.warning("configuration problem", problem=str(problem))
        config = self.live.config
        if config is not before:
            used = checklists(config, self.registry)
            self.store.configure(
                checklists=used,
                policies=config.gate,
                periods={cadence: getattr(config.cadence, cadence.value) for cadence in Cadence},
                applies=applies(config, used),
            )
            self._runner = self._make_runner()
        self._register(self.live.catalog)
        self.planner.soon()
        return outcome

    @property
    def stopping(self) -> bool:
        """Whether the process was told to end."""
        return self._stopping.is_set()

    def begin_to_stop(self) -> None:
        """Be not ready any more and claim nothing more, while requests and work under way go on to their end."""
        if not self._stopping.is_set():
            self._stopping.set()
            threading.Thread(target=self._wind_down, args=(DRAIN_SECONDS,), name="wind-down", daemon=True).start()

    def _wind_down(self, timeout: float) -> bool:
        with self._winding_down:
            self.scheduler.stop()
            # A drill that runs drops its database before we end.
            ended = self.drills.stop(timeout)
            return self.dispatcher.drain(timeout) and ended

    def _tick(self) -> None:
        self.planner.tick()
        self.drills.tick()

    def _drills(self) -> list[Scheduled]:
        return [Scheduled(one.spec, one.every) for one in self.live.config.drills]

    def measure(self, key: ServiceKey, row: str | None, requested_by: str) -> int:
        """Plan a measurement of one service now; returns the cycle."""
        return self.planner.measure(key, row, requested_by)

    def _register(self, catalog: Catalog) -> None:
        self.store.sync([self._prepare(service) for service in catalog.services], catalog.teams, self.clock())

    def _make_runner(self) -> Runner:
        probes = installed_probes(self.live.config, Path(self._cache.name), self.clock, self.store)
        return Runner(probes, clock=self.clock, telemetry=self.telemetry, find=self.store.service)

    def _retention(self) -> Retention:
        keep = self.live.config.retention
        return Retention(samples=keep.samples, history=keep.history, evidence=keep.evidence)

    def _calls(self) -> dict[str, str]:
        # One run of the usual cadence; where it is shorter, some runs make none, since answers are kept for a while.
        within = max(self.store.periods[Cadence.PLATFORM], timedelta(minutes=15))
        minutes = round(within.total_seconds() / 60)
        return {
            f"calls_to_{system}_in_{minutes}_minutes": told for system, told in self.telemetry.calls(within).items()
        }

    def _facts(self) -> dict[str, Any]:
        return {
            "stopping": self.stopping,
            "beat_seconds_ago": round(self.scheduler.silent_for, 1),
            "store_error": self.planner.last_error,
            "drills": self.drills.facts(),
            **self._calls(),
            "pending_items": self.dispatcher.pending(),
            "next_run_in_seconds": {
                cadence.value: round(self.planner.next_run(cadence).total_seconds()) for cadence in self.store.periods
            },
        }

    def _make_flask(self) -> Flask:
        deps = Deps(
            store=self.store,
            registry=self.registry,
            config=lambda: self.live.config,
            clock=self.clock,
            measure=self.measure,
            reload=self.reload,
            problems=lambda: self.live.outcome.problems,
            version=__version__,
            facts=self._facts,
            telemetry=self.telemetry,
        )
        return make_flask(deps)


def make_flask(deps: Deps) -> Flask:
    """Site, API and metrics over a store."""
    flask = Flask("scorecard", static_folder=None)
    for part in (site, api, metrics):
        flask.register_blueprint(part.blueprint(deps))
    flask.wsgi_app = logging.RequestLog(flask.wsgi_app)  # type: ignore[method-assign] # Flask's documented way
    return flask


class _Master(Arbiter):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's master process, in which SIGHUP means: read the configuration again, in the worker that has it."""

    def handle_hup(self) -> None:
        """Hand SIGHUP on instead of starting new workers, who would have to own the store that the old one has."""
        self.kill_workers(signal.SIGHUP)


def raise_open_files() -> None:
    """Let this process hold as many sockets as the system permits; a burst of probes wants one each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else _OPEN_FILES
    if soft < min(wanted, _OPEN_FILES):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, _OPEN_FILES), hard))


class Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn with one worker process: it drains on SIGTERM, and SQLite has one writing process."""

    def __init__(self, make: Callable[[], Running], host: str, port: int, *, schedule: bool) -> None:
        """Take how a scorecard is made; it is made in the worker."""
        self._make = make
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._schedule = schedule
        self.running: Running | None = None
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn is to do."""
        settings = {
            "bind": [self._address],
            "workers": 1,
            "worker_class": DrainingWorker,
            "threads": THREADS,
            "graceful_timeout": GRACE_SECONDS,
            "timeout": 60,
            "accesslog": None,
            "loglevel": "warning",
            "post_worker_init": self._started,
            "worker_exit": self._ended,
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the scorecard; called in the worker."""
        self.running = self._make()
        return self.running.flask

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        raise_open_files()
        _Master(self).run()

    def _started(self, _worker: object) -> None:
        running = self.running
        if running is None:
            return
        if self._schedule:
            running.start()
        handlers: Sequence[int] = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
        for number in handlers:
            previous = signal.getsignal(number)

            def end(signum: int, frame: object, previous: Any = previous) -> None:  # noqa: ANN401 - a signal handler
                running.begin_to_stop()
                if callable(previous):
                    previous(signum, frame)

            signal.signal(number, end)
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=running.reload, name="reload").start())

    def _ended(self, _server: object, _worker: object) -> None:
        if self.running is not None:
            self.running.stop()
