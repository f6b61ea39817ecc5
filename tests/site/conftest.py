"""A scorecard on a real store, with services that the real runner measured and recorded, behind the real blueprint.

Only the outside world is made up: each probe answers with the evidence that a test gives it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from scorecard.app import make_flask
from scorecard.config import load_config
from scorecard.document import Document
from scorecard.evidence import (
    Absent,
    AlertRule,
    AlertRunbook,
    Alerts,
    AlertSource,
    Answer,
    ControlPath,
    DecisionRecord,
    DecisionRecords,
    Endpoint,
    Evidence,
    Exhibit,
    HealthEndpoints,
    LiveAlerts,
    RecordState,
    Reply,
    RunbookFound,
    RunbookPage,
    RunbookPages,
    Runbooks,
    Unavailable,
)
from scorecard.model import (
    Cadence,
    Cause,
    Exemption,
    GatePolicy,
    Level,
    Lifecycle,
    Service,
    ServiceKey,
    ServiceType,
    Spec,
    Team,
    Waiver,
)
from scorecard.probes import Upstream
from scorecard.registry import installed
from scorecard.run import Runner
from scorecard.serving import Deps
from scorecard.store import Planned, Store, open_store
from scorecard.store.views import Change, DayScore
from scorecard.telemetry import Telemetry
from scorecard.work import Worker, items

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KINDS = (HealthEndpoints, ControlPath, Alerts, LiveAlerts, Runbooks, RunbookPages, DecisionRecords)
PERIODS = {
    Cadence.LIVE: timedelta(seconds=60),
    Cadence.PLATFORM: timedelta(minutes=15),
    Cadence.SOURCE: timedelta(hours=24),
}


def exhibit(request: str, excerpt: str = "", **facts: str | float | bool | None) -> Exhibit:
    return Exhibit(source="http", request=request, facts=facts, excerpt=excerpt)


def endpoints(
    name: str = "payments", liveness: int = 200, readiness: int = 200, *, excerpt: str = "ok"
) -> HealthEndpoints:
    """What both endpoints answered."""

    def one(path: str, status: int) -> Endpoint:
        return Endpoint(
            url=f"https://{name}.example.net{path}",
            reply=Reply.ANSWERED,
            status=status,
            milliseconds=12.5,
            well_formed=True,
            reached_before=True,
        )

    return HealthEndpoints(
        liveness=one("/livez", liveness),
        readiness=one("/readyz", readiness),
        exhibits=(
            exhibit(f"curl -si https://{name}.example.net/livez", excerpt, status=liveness, milliseconds=12.5),
            exhibit(f"curl -si https://{name}.example.net/readyz", '{"status": "up"}', status=readiness),
        ),
    )


def control(status: int = 404) -> ControlPath:
    url = "https://payments.example.net/3f2a9c-no-such-page"
    return ControlPath(
        endpoints=(Endpoint(url=url, reply=Reply.ANSWERED, status=status, well_formed=True),),
        exhibits=(exhibit(f"curl -si {url}", status=status),),
    )


def alerts(*names: str, severity: str = "critical", runbook: bool = True) -> Alerts:
    return Alerts(
        rules=tuple(
            AlertRule(
                name=name,
                where=f"deploy/alerts.yaml:{10 * index}",
                source=AlertSource.FILE,
                severity=severity,
                runbook_url=f"runbooks/{name.lower()}.md" if runbook else "",
                expression="up == 0",
                for_seconds=300,
                labels={"severity": severity},
            )
            for index, name in enumerate(names, start=1)
        ),
        files=("deploy/alerts.yaml",),
        severities={"page": ("critical", "page"), "ticket": ("warning", "ticket"), "info": ("info",)},
        exhibits=(Exhibit(source="git", request="git show 3f2a9c1:deploy/alerts.yaml", facts={"alerts": len(names)}),),
    )


def runbooks(
    *names: str, sections: Sequence[str] = ("meaning", "impact", "diagnosis", "mitigation", "escalation")
) -> Runbooks:
    return Runbooks(
        links=tuple(
            AlertRunbook(
                name=name,
                where="deploy/alerts.yaml:10",
                url=f"runbooks/{name.lower()}.md",
                found=RunbookFound.FOUND,
                page=RunbookPage(
                    name=f"runbooks/{name.lower()}.md",
                    title=name,
                    names_alerts=(name,),
                    sections=dict.fromkeys(sections, 60),
                    steps=True,
                    placeholders=(),
                    reviewed_on=NOW.date() - timedelta(days=20),
                ),
            )
            for name in names
        ),
        exhibits=(Exhibit(source="git", request="git ls-tree -r 3f2a9c1 runbooks/", facts={"pages": len(names)}),),
    )


def decisions(accepted: int = 4) -> DecisionRecords:
    return DecisionRecords(
        folders=("adr",),
        records=tuple(
            DecisionRecord(
                name=f"adr/{number:04}-choice.md",
                number=f"{number:04}",
                title=f"Choice {number}",
                state=RecordState.ACCEPTED,
                decided_on=date(2026, 10, number),
                changed_on=date(2026, 10, number),
                sections={"context": 80, "decision": 60, "consequences": 70},
            )
            for number in range(1, accepted + 1)
        ),
        structure_changed_on=None,
        exhibits=(Exhibit(source="git", request="git ls-tree -r 3f2a9c1 adr/", facts={"records": accepted}),),
    )


class Clock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **delta: float) -> None:
        self.at += timedelta(**delta)


@dataclass
class Told:
    """A probe that answers what it was told to."""

    answers: type[Evidence]
    known: Mapping[tuple[ServiceKey, type[Evidence]], Answer]
    needs: tuple[type[Evidence], ...] = ()

    @property
    def name(self) -> str:
        return self.answers.kind()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        del upstream
        nothing = Unavailable(
            Cause.NOT_CONFIGURED,
            "the service file names no such place",
            lines="spec:\n  url: https://payments.example.net\n",
        )
        for service in services:
            yield service.key, self.known.get((service.key, self.answers), nothing)


@dataclass
class Estate:
    """Everything behind one site."""

    store: Store
    clock: Clock
    answers: dict[tuple[ServiceKey, type[Evidence]], Answer] = field(default_factory=dict)
    services: dict[ServiceKey, Service] = field(default_factory=dict)
    teams: tuple[Team, ...] = ()
    asked: list[tuple[ServiceKey, str | None, str]] = field(default_factory=list)
    problems: tuple[Any, ...] = ()
    base: Path = Path("/nowhere")

    def __post_init__(self) -> None:
        telemetry = Telemetry("9.9.9")
        runner = Runner(
            [Told(kind, self.answers) for kind in KINDS], clock=self.clock, telemetry=telemetry, pause=lambda _: None
        )
        self.worker = Worker(self.store, lambda: runner, self.clock, telemetry)
        self.deps = Deps(
            store=self.store,
            registry=installed(),
            config=lambda: load_config(None, {}, directory=self.base),
            clock=self.clock,
            measure=self._measure,
            reload=dict,
            problems=lambda: self.problems,
            version="9.9.9",
            telemetry=telemetry,
            facts=lambda: {"pending_items": 0},
        )
        self.flask = make_flask(self.deps)

    def add(self, service: Service, *seen: Evidence | tuple[type[Evidence], Unavailable | Absent]) -> Service:
        """Register a service, and what there is to be seen of it."""
        self.services[service.key] = service
        for item in seen:
            kind, answer = item if isinstance(item, tuple) else (type(item), item)
            self.answers[service.key, kind] = answer
            # A service that names rule files alone has no live alerts, and no page of theirs.
            if kind is Alerts:
                for other in (LiveAlerts, RunbookPages):
                    self.answers.setdefault((service.key, other), Absent("the service names rule files alone"))
        return service

    def sync(self) -> None:
        self.store.sync(self.services.values(), self.teams, self.clock())

    def measure(self, *cadences: Cadence) -> None:
        """One full run of the cadences, or of all of them: plan, probe, judge, record."""
        self.sync()
        for cadence in cadences or tuple(Cadence):
            tick = self.store.last_tick(cadence) + 1
            planned = self.store.plan(cadence, tick, ("0/1",), self.clock())
            assert planned is not None
            self.finish(planned)
        self.store.roll_up(self.clock())
        self.store.forget()

    def document(self, name: str) -> Document:
        """The scorecard document of a production service now."""
        doc = self.store.document(ServiceKey(name), "production-readiness", self.clock())
        assert doc is not None
        return doc

    def finish(self, planned: Planned) -> None:
        """Run what is left of a planned cycle, as the dispatcher would."""
        for item in items(planned):
            assert self.worker.run(item)

    def client(self) -> FlaskClient:
        return self.flask.test_client()

    def text(self, path: str, *, status: int = 200) -> str:
        """A page's HTML, after seeing its status."""
        answer = self.client().get(path)
        assert answer.status_code == status, (answer.status_code, path)
        return answer.get_data(as_text=True)

    def _measure(self, key: ServiceKey, row: str | None, who: str) -> int:
        self.asked.append((key, row, who))
        return self.store.plan_on_demand(
            (f"service:{key}",), self.clock(), who, {"service": str(key), "row": row or ""}
        )


def open_estate(folder: Path) -> Estate:
    registry = installed()
    lists = {name: registry.checklist(name, folder) for name in ("production-readiness", "delivery-practices")}
    store = open_store(
        f"sqlite:///{folder}/scorecard.db",
        checklists=lists,
        policies={"tier-1": GatePolicy(minimum_score=90, minimum_coverage=90), "default": GatePolicy()},
        periods=PERIODS,
    )
    store.db.own()
    store.migrate()
    return Estate(store, Clock(), base=folder)


PAYMENTS = Service(
    name="payments",
    formerly=("card-payments",),
    team="payments-platform",
    tier="tier-1",
    description="Takes card payments.",
    spec=Spec(
        exempt={
            "multi-az": Exemption(
                reason="a cold standby is accepted for this tier",
                declared_by="payments-lead",
                approved_by="platform-lead",
                until=date(2027, 3, 1),
            )
        }
    ),
)


def furnish(estate: Estate, *, more: int = 0) -> Estate:
    """A small organisation with something of everything: good, bad, unknown, not applicable, exempt, unmeasured."""
    estate.teams = (
        Team(name="payments-platform", parent="payments", channel="#payments-ops", timezone="Australia/Brisbane"),
        Team(name="payments"),
    )
    timeout = Unavailable(Cause.TIMEOUT, "GET https://ledger.example.net/livez: timed out after 5 s")
    names = ("PaymentsDown", "PaymentsSlow", "QueueGrows")
    bad = replace(
        alerts(*names, severity="critical"),
        rules=(*alerts(*names).rules[:2], replace(alerts("QueueGrows", severity="urgent", runbook=False).rules[0])),
    )
    estate.add(PAYMENTS, endpoints(), control(), bad, runbooks(*names[:2], sections=("meaning", "impact")), decisions())
    staging = replace(PAYMENTS, environment="staging", spec=Spec())
    estate.add(staging, endpoints("payments.staging", 200, 503), control())
    estate.add(
        Service(name="ledger", team="ledger-team", tier="tier-1"),
        (HealthEndpoints, timeout),
        (ControlPath, timeout),
        decisions(2),
    )
    estate.add(
        Service(name="search", team="search-team", tier="tier-2"),
        endpoints("search", 500, 500),
        control(200),
        alerts("SearchDown"),
        runbooks("SearchDown"),
        decisions(),
    )
    estate.add(
        Service(name="mailer", team="payments-platform", type=ServiceType.WORKER),
        alerts("MailerDown"),
        runbooks("MailerDown"),
        decisions(),
    )
    estate.add(
        Service(name="docs", team="", type=ServiceType.STATIC, stateless=True, lifecycle=Lifecycle.EXPERIMENTAL),
        endpoints("docs"),
        control(),
    )
    for number in range(more):
        service = Service(name=f"svc-{number:03}", team=f"team-{number % 7}", tier=f"tier-{number % 3 + 1}")
        broken = number % 4 == 0
        estate.add(
            service,
            endpoints(service.name, 500 if broken else 200),
            control(),
            alerts("Down", "Slow", runbook=number % 3 != 0),
            runbooks("Down", "Slow"),
            decisions(number % 6),
        )
    for _ in range(3):
        estate.measure()
        estate.clock.forward(seconds=60)
    estate.add(Service(name="newcomer", team="search-team"))
    estate.sync()
    return estate


def remember(estate: Estate, service: Service, days: int = 200, *, checklist: str = "production-readiness") -> None:
    """History that was not measured, marked as demo data: a score that falls and rises, with a week missing."""
    today = estate.clock().date()
    scores = []
    for back in range(days, 0, -1):
        if 60 <= back < 67:
            continue
        score = 25.0 + (back * 7 % 13) + (18 if back < 90 else 0) - (8 if back < 20 else 0)
        scores.append(
            DayScore(
                day=today - timedelta(days=back),
                score=score,
                score_upper=min(100.0, score + 45),
                coverage=55.0,
                level=Level.NOT_READY,
            )
        )
    causes = (("rule", "health-endpoints", "liveness", "fail", "pass"), ("checklist", "", "", "48.1", "41.0"))
    changes = [
        Change(
            id=0,
            key=service.key,
            checklist=checklist,
            at=estate.clock() - timedelta(days=19 + 35 * index),
            row=row,
            check=check,
            before=before,
            after=after,
            cause=cause,
            message="the rule counts three samples now",
            demo=True,
        )
        for index, (cause, row, check, before, after) in enumerate(causes)
    ]
    estate.store.seed(service.key, checklist, scores, changes)


def waive(estate: Estate, key: ServiceKey, *, days: float = 9) -> Waiver:
    """Grant a waiver of the first failing finding of a service."""
    doc = estate.document(key.name)
    row, check = next(
        (row, check)
        for row in doc["rows"]
        for check in row["checks"]
        if check["status"] == "fail" and check["fingerprint"]
    )
    waiver = Waiver(
        id=0,
        service=key,
        row=row["id"],
        check=check["id"],
        fingerprint=check["fingerprint"],
        reason="the rule file moves next week",
        requested_by="dev",
        approved_by="lead",
        approved_at=estate.clock() - timedelta(days=1),
        expires_at=estate.clock() + timedelta(days=days),
    )
    estate.store.grant(waiver)
    return waiver


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    """An empty store behind the site."""
    estate = open_estate(tmp_path)
    yield estate
    estate.store.close()


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """The small organisation, with history and a waiver; tests read it and change nothing."""
    estate = furnish(open_estate(tmp_path_factory.mktemp("furnished")), more=52)
    remember(estate, PAYMENTS)
    waive(estate, PAYMENTS.key)
    estate.store.forget()
    yield estate
    estate.store.close()


@pytest.fixture(scope="session")
def served(furnished: Estate) -> Iterator[str]:
    """The address of the small organisation's site, on a free port of loopback."""
    server = make_server("127.0.0.1", 0, furnished.flask, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(name="endpoints")
def make_endpoints() -> Callable[..., HealthEndpoints]:
    return endpoints


@pytest.fixture(name="alerts")
def make_alerts() -> Callable[..., Alerts]:
    return alerts


@pytest.fixture
def form_of() -> Callable[[FlaskClient, str], dict[str, str]]:
    """The hidden fields of a service page's form; the client keeps its cookie."""

    def read(client: FlaskClient, path: str) -> dict[str, str]:
        text = client.get(path).get_data(as_text=True)
        form = text[text.index('<form method="post"') :]
        return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[: form.index("</form>")]))

    return read
