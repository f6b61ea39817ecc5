"""A scorecard on a real store in a temporary file, with services that were really judged, asked over HTTP."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from scorecard import api, metrics
from scorecard.config import load_config
from scorecard.evidence import ControlPath, Endpoint, Evidence, HealthEndpoints, Observation, Reply, Sample, Window
from scorecard.judge import Seen
from scorecard.logging import RequestLog
from scorecard.model import Cadence, Service, ServiceKey, Team
from scorecard.registry import Registry, installed
from scorecard.run import Asked, Runner
from scorecard.serving import Deps
from scorecard.store import Store, open_store
from scorecard.telemetry import Telemetry

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Outcome:
    """What a reload says."""

    successful: bool = True
    problems: tuple[str, ...] = ()


def endpoints(status: int = 200, *, milliseconds: float = 12.5, days: float | None = 60.0) -> HealthEndpoints:
    """Liveness and readiness that answer `status`."""

    def one(path: str) -> Endpoint:
        return Endpoint(
            url=f"https://payments.example.net{path}",
            reply=Reply.ANSWERED,
            status=status,
            milliseconds=milliseconds,
            well_formed=True,
            certificate_expires_in=days,
            reached_before=True,
        )

    return HealthEndpoints(liveness=one("/livez"), readiness=one("/readyz"))


def control() -> ControlPath:
    return ControlPath(endpoints=(Endpoint(url="https://payments.example.net/x", reply=Reply.ANSWERED, status=404),))


@dataclass
class Estate:
    """Everything behind one scorecard."""

    store: Store
    registry: Registry
    now: datetime = NOW
    telemetry: Telemetry = field(default_factory=lambda: Telemetry("9.9.9"))
    problems: tuple[str, ...] = ()
    outcome: Outcome = field(default_factory=Outcome)
    facts: dict[str, Any] = field(default_factory=dict)
    measured: list[tuple[ServiceKey, str | None, str]] = field(default_factory=list)
    overrides: dict[str, str] = field(default_factory=dict)
    _ticks: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.runner = Runner((), clock=lambda: self.now, telemetry=self.telemetry)
        self.runner.probed = frozenset({HealthEndpoints, ControlPath})
        self.config = load_config(None, {}, directory=Path("/nowhere"))
        self.flask = self._flask()

    def configure(self, **environ: str) -> None:
        """Take up a configuration from the environment."""
        self.config = load_config(None, environ, directory=Path("/nowhere"))

    def sync(self, *services: Service, teams: tuple[Team, ...] = ()) -> None:
        """Register as the catalogue does."""
        self.store.sync(services, teams, self.now)

    def measure(self, service: Service, *seen: Evidence, samples: int = 3) -> None:
        """Observe, judge and record, as a run does."""
        planned = self.store.plan(Cadence.LIVE, next(self._ticks), ("one",), self.now)
        assert planned is not None
        new = tuple(Observation(type(value), self.now, value) for value in seen)
        windows = {
            type(value): Window(
                tuple(Sample(self.now - timedelta(seconds=samples - each - 1), value) for each in range(samples))
            )
            for value in seen
            if type(value).window
        }
        asked = Asked(Seen({each.kind: each for each in new}, windows, self.runner.probed), new)
        registered = self.store.registered([service.key])
        whole = self.store.outdated(registered, self.now)[service.key]
        result = self.runner.result(service, self.store.checklists_of(service), asked, self.now, whole)
        assert self.store.record(planned.id, "one", [result], self.now, self.now)
        self.store.forget()

    def client(self) -> FlaskClient:
        return self.flask.test_client()

    @contextmanager
    def serving(self) -> Iterator[int]:
        """A real server on loopback; its port."""
        server = make_server("127.0.0.1", 0, self.flask, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _plan(self, key: ServiceKey, row: str | None, who: str) -> int:
        self.measured.append((key, row, who))
        return self.store.plan_on_demand((f"service:{key}",), self.now, who, {"service": str(key), "row": row or ""})

    def _reload(self) -> Outcome:
        return self.outcome

    def _flask(self) -> Flask:
        deps = Deps(
            store=self.store,
            registry=self.registry,
            config=lambda: self.config,
            clock=lambda: self.now,
            measure=self._plan,
            reload=self._reload,
            problems=lambda: self.problems,
            version="9.9.9",
            facts=lambda: self.facts,
            telemetry=self.telemetry,
        )
        flask = Flask("scorecard", static_folder=None)
        for part in (api, metrics):
            flask.register_blueprint(part.blueprint(deps))
        flask.wsgi_app = RequestLog(flask.wsgi_app)  # type: ignore[method-assign]
        return flask


PAYMENTS = Service(name="payments", team="payments-platform", tier="tier-1", origin="services/payments.yaml:4")
LEDGER = Service(name="ledger", team="ledger-team")


def opened(directory: Path, periods: dict[Cadence, timedelta] | None = None) -> Estate:
    """An estate with an empty store in a directory; close its store."""
    registry = installed()
    lists = {name: registry.checklist(name, directory) for name in ("production-readiness", "delivery-practices")}
    store = open_store(
        f"sqlite:///{directory}/scorecard.db",
        checklists=lists,
        policies={},
        periods=periods or {Cadence.LIVE: timedelta(seconds=60)},
    )
    store.db.own()
    store.migrate()
    return Estate(store, registry)
