"""The services of the demo: who owns each, how it behaves, and the one lesson it is there for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from scorecard.demo import behaviours
from scorecard.demo.backups import Keeping
from scorecard.demo.behaviours import Behaviour
from scorecard.demo.cloud import Stage
from scorecard.demo.dashboards import Screen
from scorecard.demo.journal import Habit
from scorecard.demo.texts import Alert, absence_alert, ambiguous_alert, backlog_alert, web_alerts
from scorecard.demo.wiki import Part

PATHS: Mapping[str, str] = {"liveness": "/livez", "readiness": "/readyz"}


class Pages(StrEnum):
    """What the runbooks of a service are like."""

    GOOD = "good"
    NAMES_ANOTHER_ALERT = "names another alert"
    UNFINISHED = "unfinished"
    MISSING = "not written"


class Rules(StrEnum):
    """Where the rules of a service's alerts are."""

    DEPLOYED = "in its repository, and in Prometheus"
    NOT_DEPLOYED = "in its repository alone"
    SHARED = "in Prometheus, for all services that have a cache"


class Tls(StrEnum):
    """How a service is reached."""

    GOOD = "a certificate with half a year left"
    ENDING = "a certificate that ends within the week"
    PLAIN = "plain HTTP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One service."""

    name: str
    team: str
    lesson: str
    """What it shows, in a sentence; its description in the catalogue."""
    tier: str = "tier-2"
    type: str = "web"
    lifecycle: str = "production"
    stateless: bool = False
    behaviour: Behaviour | None = behaviours.healthy
    """None for one that has no endpoint, or cannot be reached."""
    reached: bool = True
    tls: Tls = Tls.GOOD
    habit: Habit = Habit.GOOD
    """How it logs."""
    screen: Screen = Screen.SHARED
    """Its dashboard."""
    health: Mapping[str, str] = field(default_factory=lambda: dict(PATHS))
    alerts: tuple[Alert, ...] = ()
    pages: Pages = Pages.GOOD
    site: Part | None = None
    """The part of the wiki that its runbooks are in; None for files of its repository."""
    rules: Rules = Rules.DEPLOYED
    heard: bool = True
    """Whether the receiver of its alerts has a configuration."""
    caches: bool = False
    """Whether it has a cache, and what is measured of one."""
    records: int = 4
    """Decision records, at most four."""
    folder: str = ""
    """Its folder in the repository that it shares with others; with a slash at its end."""
    keeping: Keeping = Keeping.DECLARED
    """What it does for its backups."""
    stage: Stage | None = None
    """How it stands in AWS; None for one that names no account, of which AWS is not asked."""
    exempt: Mapping[str, str] = field(default_factory=dict)
    """Row to the reason of an exemption."""
    expected: Mapping[str, str] = field(default_factory=dict)
    """Status of each check (`row/check`) that does not pass, beyond `UNIFORM`; the others that are measured pass."""

    @property
    def repository(self) -> str:
        """The repository that it is in."""
        return "shop-web" if self.folder else self.name


def _web(name: str, team: str, lesson: str, **more: object) -> Lesson:
    made = Lesson(name=name, team=team, lesson=lesson, alerts=web_alerts(name))
    return replace(made, **more)  # type: ignore[arg-type] # fields of the class, by name


UNIFORM: Mapping[str, str] = {
    "alerts/actionable": "unknown",
    "backups/restore-tested": "warn",
}
"""What every service has in common: its Prometheus was started a moment ago and remembers no week; its drills are told
by a report in the repository, which anybody could have written."""

_ASKED_OF_AWS = (
    "rollback/automatic", "rollback/tested", "secrets/environment", "health-endpoints/orchestrator-agrees",
    "encryption/load-balancer", "encryption/in-transit-to-data", "encryption/at-rest",
    "multi-az/placement", "multi-az/database", "multi-az/configuration", "multi-az/nat",
    "deployment-strategy/zero-downtime", "deployment-strategy/health-gated", "deployment-strategy/draining",
    "deployment-strategy/canary-watched", "deployment-strategy/fits-tier",
    "secrets-management/level", "secrets-management/rotation",
)  # fmt: skip
IN_AWS: Mapping[str, str] = dict.fromkeys(_ASKED_OF_AWS, "pass")
"""What is seen of a service that names its account: it passes unless its lesson says otherwise."""
OUTSIDE_AWS: Mapping[str, str] = dict.fromkeys(_ASKED_OF_AWS, "unknown") | {
    "infrastructure-as-code/no-drift": "unknown",
    "infrastructure-as-code/managed": "unknown",
}
"""What is not seen of one that names none; no service of the demo names a state of Terraform."""

_NO_ANSWER = {
    "health-endpoints/liveness": "unknown",
    "health-endpoints/readiness": "unknown",
    "health-endpoints/not-a-catch-all": "unknown",
    "health-endpoints/fast": "unknown",
}
_NO_CONNECTION = {f"encryption/{check}": "unknown" for check in ("https", "certificate", "tls-version", "hsts")} | {
    f"structured-logs/{check}": "unknown" for check in ("correlation-id", "echoed")
}

LESSONS: tuple[Lesson, ...] = (
    _web(
        "checkout",
        "payments-platform",
        "Every check that is measured passes: what good looks like.",
        tier="tier-1",
        keeping=Keeping.PUSHED,
        expected={"backups/restore-tested": "pass"},
        stage=Stage(blue_green=True),
    ),
    _web(
        "payments",
        "payments-platform",
        "Readiness answers 503: the endpoint is there and says so, shown apart from the verdict.",
        tier="tier-1",
        behaviour=behaviours.not_ready,
        expected={"health-endpoints/readiness": "warn"},
    ),
    _web(
        "ledger",
        "payments-platform",
        "No liveness endpoint: the path in the catalogue answers 404.",
        tier="tier-1",
        behaviour=behaviours.without_liveness,
        keeping=Keeping.HALVED,
        expected={"health-endpoints/liveness": "fail", "backups/automated": "fail"},
    ),
    _web(
        "identity",
        "identity",
        "A sign-in page answers 200 to everything, and is not taken for health.",
        tier="tier-1",
        behaviour=behaviours.login_page,
        expected={
            "health-endpoints/liveness": "fail",
            "health-endpoints/readiness": "fail",
            "health-endpoints/not-a-catch-all": "fail",
        },
    ),
    _web(
        "product-catalogue",
        "storefront",
        "Readiness takes over a second: it passes, and the row says that it is slow.",
        behaviour=behaviours.slow,
        expected={"health-endpoints/fast": "fail"},
    ),
    _web(
        "inventory",
        "orders",
        "Readiness hangs: it answered once, and since then takes the connection and says nothing.",
        tier="tier-1",
        behaviour=behaviours.hanging,
        expected={"health-endpoints/readiness": "fail"},
    ),
    _web(
        "storefront",
        "storefront",
        "A catch-all answers 200 to any path, so its 200 on a health path would prove nothing.",
        stateless=True,
        behaviour=behaviours.catch_all,
        expected={"health-endpoints/not-a-catch-all": "fail"},
    ),
    _web(
        "recommendations",
        "storefront",
        "Readiness answers 500; a waiver lets it launch until it ends, and the score does not move.",
        behaviour=behaviours.erroring,
        expected={"health-endpoints/readiness": "fail"},
    ),
    Lesson(
        name="notifications",
        team="orders",
        lesson="An alert without a runbook: whoever is woken has nothing to follow.",
        alerts=(*web_alerts("notifications")[:1], replace(web_alerts("notifications")[1], runbook="")),
        expected={"alerts/runbook-link": "fail", "runbooks/resolve": "fail"},
    ),
    _web(
        "shipping",
        "orders",
        "A runbook that does not name its alert: the link leads to a page about something else.",
        pages=Pages.NAMES_ANOTHER_ALERT,
        keeping=Keeping.NEVER,
        expected={"runbooks/name-the-alert": "fail", "backups/restore-tested": "fail"},
    ),
    _web(
        "pricing",
        "storefront",
        "No architecture decision records: nobody can say why it is built as it is.",
        records=0,
        keeping=Keeping.FAILED,
        expected={
            "adrs/present": "fail",
            "adrs/alive": "fail",
            "backups/restore-tested": "fail",
            "multi-az/placement": "fail",
            "multi-az/database": "fail",
            "multi-az/configuration": "fail",
        },
        stage=Stage(zones=1),
    ),
    Lesson(
        name="reviews",
        team="storefront",
        lesson="An alert with a severity that nobody knows: it pages no one, and no one is told.",
        alerts=(web_alerts("reviews")[0], replace(web_alerts("reviews")[1], severity="sev-unclear")),
        keeping=Keeping.STALE,
        expected={"alerts/severity": "fail", "backups/restore-tested": "fail"},
    ),
    _web(
        "gift-cards",
        "storefront",
        "Plain HTTP: whoever stands in between reads what is sent.",
        tls=Tls.PLAIN,
        expected={"encryption/https": "fail", "encryption/load-balancer": "fail"},
        stage=Stage(redirects=False),
    ),
    _web(
        "loyalty",
        "storefront",
        "A certificate that ends in five days, and nobody renews it.",
        tls=Tls.ENDING,
        expected={"encryption/certificate": "fail", "rollback/automatic": "fail"},
        stage=Stage(breaker=False),
    ),
    _web(
        "wallet",
        "payments-platform",
        "JSON logs in which no line carries the id of its request: nothing can be followed.",
        habit=Habit.WITHOUT_ID,
        expected={
            "structured-logs/correlation-id": "fail",
            "secrets/environment": "fail",
        },
        stage=Stage(literal=True),
    ),
    _web(
        "coupons",
        "storefront",
        "Logs in plain text: nobody can search them by field.",
        habit=Habit.TEXT,
        expected={f"structured-logs/{check}": "fail" for check in ("json", "fields", "correlation-id")},
    ),
    _web(
        "refunds",
        "payments-platform",
        "The id of the request stands within the message: a person finds it, a search by field does not.",
        habit=Habit.IN_MESSAGE,
        expected={"structured-logs/correlation-id": "fail"},
    ),
    _web(
        "addresses",
        "storefront",
        "The id is logged under another key than the catalogue says: it counts half, and the row says which key.",
        habit=Habit.OTHER_KEY,
        expected={"structured-logs/correlation-id": "warn"},
    ),
    _web(
        "returns",
        "orders",
        "Requests are not logged at all: unknown, for nothing was seen that could fail.",
        habit=Habit.SILENT,
        expected={"structured-logs/correlation-id": "unknown"},
    ),
    _web(
        "warehouse",
        "orders",
        "Log lines come five seconds late: found in the end, and later than somebody who is woken waits.",
        habit=Habit.LATE,
        expected={"structured-logs/correlation-id": "warn"},
    ),
    _web(
        "parcel-tracking",
        "orders",
        "A dashboard that was deleted: the catalogue names it, and Grafana has none of that name.",
        screen=Screen.DELETED,
        expected={
            "dashboards/exists": "fail",
            "dashboards/panels-have-data": "unknown",
            "dashboards/golden-signals": "unknown",
        },
    ),
    _web(
        "fraud",
        "payments-platform",
        "Panels that ask for the service by the name that it once had: the series are there under another label.",
        screen=Screen.OTHER_LABELS,
        expected={"dashboards/panels-have-data": "fail", "dashboards/golden-signals": "fail"},
    ),
    _web(
        "tax",
        "payments-platform",
        "Metrics that were renamed: the dashboard still asks for the old ones, which Prometheus does not know.",
        screen=Screen.RENAMED_METRICS,
        expected={
            "encryption/at-rest": "fail",
            "dashboards/panels-have-data": "fail",
            "dashboards/golden-signals": "fail",
        },
        stage=Stage(encrypted=False),
    ),
    _web(
        "delivery-slots",
        "orders",
        "A dashboard of orders and baskets: nobody sees on it whether the service is slow, failing or full.",
        screen=Screen.ORDERS_ONLY,
        expected={"dashboards/golden-signals": "fail"},
    ),
    _web(
        "subscriptions",
        "payments-platform",
        "Alerts that are sent to a receiver without a configuration: they fire, and nobody is told.",
        heard=False,
        expected={"alerts/routed": "fail"},
    ),
    _web(
        "newsletter",
        "storefront",
        "Alert rules that were written and never deployed: they parse, and no Prometheus evaluates them.",
        rules=Rules.NOT_DEPLOYED,
        expected={"alerts/healthy": "warn", "alerts/can-fire": "fail", "alerts/actionable": "fail"},
    ),
    Lesson(
        name="exchange-rates",
        team="payments-platform",
        lesson="A rule whose evaluation fails: promtool accepts it, and Prometheus says each time why not.",
        alerts=(web_alerts("exchange-rates")[1], web_alerts("exchange-rates")[0], ambiguous_alert("exchange-rates")),
        expected={"alerts/healthy": "fail", "alerts/can-fire": "unknown"},
    ),
    Lesson(
        name="thumbnails",
        team="storefront",
        lesson="No rule of its own: one rule for all caches returns a series of it, and so it is watched.",
        rules=Rules.SHARED,
        caches=True,
    ),
    _web(
        "product-images",
        "storefront",
        "Its own alerts, and the one for all caches, which is judged here as well.",
        caches=True,
    ),
    _web(
        "packing",
        "orders",
        "Runbooks in the wiki: read there, and judged as those of a repository are.",
        site=Part.WIKI,
    ),
    _web(
        "gift-wrapping",
        "orders",
        "A runbook link to a page of the wiki that does not exist.",
        site=Part.WIKI,
        pages=Pages.MISSING,
        expected={"runbooks/resolve": "fail"},
    ),
    _web(
        "stock-alerts",
        "orders",
        "A runbook link into a portal that answers 200 to anything: the page that it shows is no runbook.",
        site=Part.PORTAL,
        pages=Pages.MISSING,
        expected={"runbooks/resolve": "fail"},
    ),
    _web(
        "back-office",
        "orders",
        "A runbook behind a sign-in: nobody read it, so it is unknown, and whoever is woken has to sign in first.",
        site=Part.HANDBOOK,
        pages=Pages.MISSING,
        expected={
            f"runbooks/{check}": "unknown" for check in ("resolve", "name-the-alert", "sections", "fresh", "links")
        },
    ),
    _web(
        "price-watch",
        "storefront",
        "A page of the wiki that never names the alert: whoever searches the wiki for it finds nothing.",
        site=Part.WIKI,
        pages=Pages.NAMES_ANOTHER_ALERT,
        expected={"runbooks/name-the-alert": "fail"},
    ),
    Lesson(
        name="invoice-worker",
        team="payments-platform",
        lesson="A worker without endpoints: an alert that fires when it falls silent stands in for them.",
        type="worker",
        behaviour=None,
        screen=Screen.WORKERS,
        health={},
        alerts=(absence_alert("invoice-worker"), backlog_alert("invoice-worker")),
    ),
    Lesson(
        name="nightly-export",
        team="orders",
        lesson="A job that nobody would miss: no alert fires when it does not run.",
        type="job",
        behaviour=None,
        screen=Screen.WORKERS,
        health={},
        alerts=(backlog_alert("nightly-export"),),
        expected={"health-endpoints/heartbeat": "fail"},
    ),
    _web(
        "cart",
        "storefront",
        "One of two services in one repository: each is read from its own folder.",
        folder="services/cart/",
    ),
    _web(
        "wishlist",
        "storefront",
        "The other of the two: its runbooks were never finished.",
        folder="services/wishlist/",
        pages=Pages.UNFINISHED,
        expected={"runbooks/sections": "fail"},
    ),
    _web(
        "partner-gateway",
        "orders",
        "Never reached from here: unknown, and neither pass nor fail, since we may stand in the wrong network.",
        behaviour=None,
        reached=False,
        expected={**_NO_ANSWER, **_NO_CONNECTION},
    ),
    _web(
        "search",
        "storefront",
        "No health endpoints in the catalogue: unknown, with the lines to add.",
        health={},
        expected={**_NO_ANSWER, "health-endpoints/distinct": "unknown"},
    ),
    _web(
        "legacy-portal",
        "identity",
        "Liveness breaks off in the middle of its answer; exempt from Multi-AZ, by name and until a day.",
        tier="tier-3",
        lifecycle="deprecated",
        behaviour=behaviours.broken_protocol,
        exempt={"multi-az": "A cold standby is accepted until it is switched off."},
        expected={"health-endpoints/liveness": "fail"},
    ),
)

TEAMS: Mapping[str, str] = {
    "commerce": "",
    "payments-platform": "commerce",
    "orders": "commerce",
    "storefront": "commerce",
    "identity": "",
}
"""Team to the team that it is part of."""
