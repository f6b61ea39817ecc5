"""The words of the product as frozen values: services, statuses, causes, risks, gate policies, waivers.

Nothing here does I/O. The catalogue's dataclasses are also its file format: `scorecard.catalog` validates YAML straight
into them and prints their JSON Schema, so a key exists exactly once. The attribute docstrings are the schema's
descriptions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, NamedTuple


class Status(StrEnum):
    """What a check, a subject or a row came to."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"

    @property
    def word(self) -> str:
        """The status as a person reads it."""
        return self.value.replace("_", " ")


class Cause(StrEnum):
    """Why something is unknown. Never a reason to fail a service."""

    NOT_CONFIGURED = "not_configured"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    ACCESS_DENIED = "access_denied"
    RATE_LIMITED = "rate_limited"
    BAD_RESPONSE = "bad_response"
    NO_DATA = "no_data"
    EXPIRED = "expired"
    PROBE_ERROR = "probe_error"
    SCORECARD_FAULT = "scorecard_fault"
    NOT_SUPPORTED = "not_supported"

    @property
    def word(self) -> str:
        """The cause as a person reads it."""
        return self.value.replace("_", " ")


class Risk(StrEnum):
    """How bad it is to run in production without the row."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def weight(self) -> int:
        """The row's weight in the score."""
        return _WEIGHTS[self]


_WEIGHTS = {Risk.CRITICAL: 10, Risk.HIGH: 7, Risk.MEDIUM: 4, Risk.LOW: 2}


class Category(StrEnum):
    """Where a row stands in the article's table."""

    DEPLOYMENT = "deployment"
    MONITORING = "monitoring"
    LOGGING = "logging"
    SECURITY = "security"
    RELIABILITY = "reliability"
    DOCUMENTATION = "documentation"


class Requirement(StrEnum):
    """Whether a check decides its row, or only colours it."""

    REQUIRED = "required"
    ADVISORY = "advisory"


class Level(StrEnum):
    """One word for a scorecard, best first. `unknown` stands below `not-ready`."""

    READY = "ready"
    NEARLY = "nearly"
    NOT_READY = "not-ready"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """Higher is better."""
        return {Level.READY: 3, Level.NEARLY: 2, Level.NOT_READY: 1, Level.UNKNOWN: 0}[self]

    @property
    def word(self) -> str:
        """The level as a person reads it."""
        return self.value.replace("-", " ")


class Verdict(StrEnum):
    """What the gate says."""

    GO = "go"
    NO_GO = "no-go"
    CANNOT_TELL = "cannot-tell"

    @property
    def exit_code(self) -> int:
        """Exit code of `scorecard gate`: 0 go, 1 no go, 3 cannot tell."""
        return {Verdict.GO: 0, Verdict.NO_GO: 1, Verdict.CANNOT_TELL: 3}[self]

    @property
    def word(self) -> str:
        """The verdict as a person reads it."""
        return self.value.replace("-", " ")


class Provenance(StrEnum):
    """How a fact reached us, strongest first. A finding is only as strong as its weakest evidence."""

    PROBED = "probed"
    CONFIGURED = "configured"
    REPORTED = "reported"
    DECLARED = "declared"
    ATTESTED = "attested"

    @property
    def verified(self) -> bool:
        """Whether a machine saw it; the others count as unknown in `verified_only`."""
        return self not in {Provenance.DECLARED, Provenance.ATTESTED}

    @property
    def rank(self) -> int:
        """Position in the order above: 0 is the strongest."""
        return list(Provenance).index(self)


class Visibility(StrEnum):
    """Who may read an excerpt."""

    OPEN = "open"
    TEAM = "team"
    RESTRICTED = "restricted"


class Cadence(StrEnum):
    """How often evidence is due."""

    LIVE = "live"
    PLATFORM = "platform"
    SOURCE = "source"

    @property
    def max_age(self) -> timedelta:
        """Past this observation age a finding is `unknown: expired`, unless the evidence type says otherwise."""
        return _MAX_AGES[self]


_MAX_AGES = {
    Cadence.LIVE: timedelta(minutes=15),
    Cadence.PLATFORM: timedelta(hours=2),
    Cadence.SOURCE: timedelta(hours=48),
}


class Scope(StrEnum):
    """What `scorecard check --scope` can ask: a directory answers only what a repository can."""

    REPOSITORY = "repository"
    LIVE = "live"
    PLATFORM = "platform"


class ServiceType(StrEnum):
    """Decides which rows and checks apply."""

    WEB = "web"
    GRPC = "grpc"
    WORKER = "worker"
    JOB = "job"
    STATIC = "static"


class Lifecycle(StrEnum):
    """Where a service is in its life."""

    EXPERIMENTAL = "experimental"
    PRODUCTION = "production"
    DEPRECATED = "deprecated"


class RepositoryRole(StrEnum):
    """What a repository is for."""

    SOURCE = "source"
    INFRASTRUCTURE = "infrastructure"
    DEPLOY = "deploy"
    DOCS = "docs"


_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `15m`, `24h`, `30d`, `7y` or `1h30m`, Prometheus' notation.

    Raises:
        ValueError: for anything else.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m, 24h, 30d or 1h30m")
    try:
        return sum((int(number) * _UNITS[unit] for number, unit in parts), timedelta())
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any clock counts") from None


def format_duration(value: timedelta) -> str:
    """Write a duration in the notation that `parse_duration` reads."""
    left = value
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


class _DurationText:
    """Lets pydantic read a duration in text where a dataclass says `Duration`; the module needs no pydantic."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> Any:  # noqa: ANN401 - pydantic's hook
        from pydantic_core import core_schema as cs

        def read(value: object) -> timedelta:
            if isinstance(value, timedelta):
                return value
            if isinstance(value, str):
                return parse_duration(value)
            raise ValueError("a duration is written as text, such as 90s, 15m, 24h or 30d")

        return cs.no_info_plain_validator_function(
            read,
            serialization=cs.plain_serializer_function_ser_schema(format_duration, return_schema=cs.str_schema()),
            json_schema_input_schema=cs.str_schema(pattern=r"^(\d+(ms|s|m|h|d|w|y))+$"),
        )


Duration = Annotated[timedelta, _DurationText()]


# --- catalogue -------------------------------------------------------------------------------------------------------


class _Strict:
    """A catalogue mapping in which an unknown key is an error."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "use_attribute_docstrings": True}


class ServiceKey(NamedTuple):
    """What a scorecard is of: a service in one environment, written `payments` or `payments@staging`."""

    name: str
    environment: str = "production"

    def __str__(self) -> str:
        return self.name if self.environment == "production" else f"{self.name}@{self.environment}"

    @classmethod
    def parse(cls, text: str) -> ServiceKey:
        """Read what `str` writes."""
        name, _, environment = text.partition("@")
        return cls(name, environment or "production")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(_Strict):
    title: str
    """What the link leads to."""
    url: str
    """An absolute http or https address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(_Strict):
    liveness: str | None = None
    """A path under `url`, or an absolute address."""
    readiness: str | None = None
    """A path under `url`, or an absolute address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation(_Strict):
    path: str | None = None
    """A safe GET that the service logs; the readiness path unless given."""
    header: str = "X-Correlation-ID"
    """The request header that carries the id."""
    field: str = "correlation_id"
    """The key under which the log line carries it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLogs(_Strict):
    path: str
    """A file or a directory of JSON lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchLogs(_Strict):
    group: str
    """The log group's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiLogs(_Strict):
    selector: str
    """A LogQL stream selector, such as `{app="payments"}`."""
    instance: str | None = None
    """Which `integrations.loki` instance; the first unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchLogs(_Strict):
    index: str
    """An index, alias or data stream; wildcards are allowed."""
    instance: str | None = None
    """Which `integrations.elasticsearch` instance; the first unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs(_Strict):
    """Where the service's log lines can be read; one of these."""

    file: FileLogs | None = None
    """Files of JSON lines that the scorecard can read."""
    cloudwatch: CloudWatchLogs | None = None
    """A CloudWatch Logs group."""
    loki: LokiLogs | None = None
    """A Loki stream selector."""
    elasticsearch: ElasticsearchLogs | None = None
    """An Elasticsearch or OpenSearch index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository(_Strict):
    url: str
    """Where it is cloned from: https, ssh, or a directory (`file:` or an absolute path)."""
    path: str = "."
    """The service's folder in it."""
    role: RepositoryRole = RepositoryRole.SOURCE
    """source, infrastructure, deploy or docs."""
    default_branch: str | None = None
    """The branch that is read; the remote's HEAD unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardRef(_Strict):
    grafana: str | None = None
    """A Grafana dashboard's uid."""
    cloudwatch: str | None = None
    """A CloudWatch dashboard's name."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values for the dashboard's variables, for one that many services share."""
    instance: str | None = None
    """Which `integrations.grafana` instance; the first unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusAlerts(_Strict):
    matchers: Mapping[str, str] = field(default_factory=dict)
    """Labels that a rule's labels or selectors carry when it is the service's."""
    instance: str | None = None
    """Which `integrations.prometheus` instance; the first unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrafanaAlerts(_Strict):
    matchers: Mapping[str, str] = field(default_factory=dict)
    """Labels that a rule carries when it is the service's."""
    instance: str | None = None
    """Which `integrations.grafana` instance; the first unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchAlarms(_Strict):
    prefix: str
    """What the names of the service's alarms begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsRef(_Strict):
    prometheus: PrometheusAlerts | None = None
    """Rules that a Prometheus evaluates."""
    files: str | None = None
    """A glob of rule files in the service's repositories."""
    grafana: GrafanaAlerts | None = None
    """Rules of Grafana alerting."""
    cloudwatch: CloudWatchAlarms | None = None
    """CloudWatch alarms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRef(_Strict):
    account: str | None = None
    """The twelve digits of the account."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The tags that the service's resources carry."""
    resources: tuple[str, ...] = ()
    """ARNs of resources that carry no tag."""
    instance: str | None = None
    """Which `integrations.aws` instance; the first unless given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRef(_Strict):
    resource: str | None = None
    """The ARN, dump directory or s3:// prefix that is backed up; any name where `dumps` says where its dumps are."""
    dumps: str | None = None
    """Where dumps of the resource are: a directory or an s3:// prefix, whose last part may be a pattern."""
    drill: str | None = None
    """A glob of drill reports in the service's repositories, or an s3:// pattern; beside `resource`, of that one."""
    recovery_time: Duration | None = None
    """How long a restore may take."""
    recovery_point: Duration | None = None
    """How old the newest backup may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations(_Strict):
    paths: tuple[str, ...] = ()
    """Folders of migrations in the repository."""
    dialect: str = "postgres"
    """The database they are for."""
    baseline: date | None = None
    """Migrations up to this day are not judged."""
    maintenance_windows: tuple[str, ...] = ()
    """Migrations that ran in a declared window, by file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Infrastructure(_Strict):
    state: str | None = None
    """Where the Terraform state is read: `s3://bucket/key`."""
    plan: str | None = None
    """Where the pipeline publishes its plan as JSON: `s3://bucket/key`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime(_Strict):
    version: str | None = None
    """A path under `url`, or an address, that answers with the running revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesRef(_Strict):
    cluster: str | None = None
    """Which `integrations.kubernetes` instance; the first unless given."""
    namespace: str
    """The namespace of the service's pods."""
    selector: str
    """A label selector for the service's pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedSecret(_Strict):
    secret: str
    """`path@commit` of a secret that was once committed."""
    on: date
    """The day on which it was rotated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption(_Strict):
    reason: str
    """Why the row does not apply."""
    declared_by: str
    """Who says so."""
    approved_by: str
    """Who agreed; another person."""
    until: date
    """The last day; at most a year ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec(_Strict):
    """How a service is looked at. Everything is optional; what is absent is `unknown: not_configured`."""

    url: str | None = None
    """The service's base address."""
    health: Health = Health()
    """The liveness and readiness endpoints."""
    correlation: Correlation = Correlation()
    """How the correlation id is sent and found again."""
    logs: Logs = Logs()
    """Where log lines are read."""
    repositories: tuple[Repository, ...] = ()
    """Source, infrastructure, deployment and documentation."""
    dashboards: tuple[DashboardRef, ...] = ()
    """Grafana and CloudWatch dashboards."""
    alerts: tuple[AlertsRef, ...] = ()
    """Where the service's alert rules are."""
    runbooks: tuple[str, ...] = ()
    """Folders in the repositories, or base addresses, that hold the runbooks."""
    aws: AwsRef | None = None
    """The service's resources in AWS."""
    backups: tuple[BackupRef, ...] = ()
    """What is backed up, and how fast it must be back."""
    migrations: Migrations | None = None
    """Database migrations."""
    infrastructure: Infrastructure | None = None
    """Terraform state and plan."""
    runtime: Runtime = Runtime()
    """Where the running revision is told."""
    kubernetes: KubernetesRef | None = None
    """The service's pods."""
    downstream: tuple[str, ...] = ()
    """Services that must log the same correlation id."""
    rotated: tuple[RotatedSecret, ...] = ()
    """Secrets in history that were rotated."""
    exempt: Mapping[str, Exemption] = field(default_factory=dict)
    """Rows that do not apply, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(_Strict):
    """A registered service in one environment, with defaults and environment merged in."""

    name: str
    """Lower-case letters, digits and hyphens, at most 63; unique; the id everywhere."""
    environment: str = "production"
    """The environment that this scorecard is of."""
    team: str = ""
    """The team that owns it."""
    tier: str = "default"
    """How much depends on it; a label that chooses the launch bar."""
    type: ServiceType = ServiceType.WEB
    """web, grpc, worker, job or static: decides which rows apply."""
    stateless: bool = False
    """True: rows about data do not apply. A datastore that a probe finds voids the claim."""
    lifecycle: Lifecycle = Lifecycle.PRODUCTION
    """experimental, production or deprecated."""
    description: str = ""
    """What it does, in a sentence."""
    formerly: tuple[str, ...] = ()
    """Names it had before; its history follows."""
    links: tuple[Link, ...] = ()
    """Where people go for more."""
    spec: Spec = Spec()
    """How it is looked at in this environment."""
    origin: str = ""
    """`path:line` of its definition."""
    demo: bool = False
    """True for the services of `scorecard demo`, whose history is seeded."""

    @property
    def key(self) -> ServiceKey:
        """Its identity everywhere."""
        return ServiceKey(self.name, self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team(_Strict):
    """A team that owns services."""

    name: str
    """Lower-case letters, digits and hyphens; what services name as their team."""
    parent: str = ""
    """The team that it is part of."""
    channel: str = ""
    """Where its people are reached."""
    timezone: str = "UTC"
    """An IANA time zone, such as Australia/Brisbane."""
    oidc_group: str = ""
    """The group of the identity provider whose members own the team's services."""
    origin: str = ""
    """`path:line` of its definition."""


# --- gate ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy(_Strict):
    """The launch bar of one tier."""

    checklist: str = "production-readiness"
    """The checklist that decides."""
    minimum_score: float = 80
    """Under this there is no go."""
    minimum_coverage: float = 80
    """Under this share of measured weight nobody can tell."""
    measured_within: Duration = timedelta(hours=48)
    """Required findings older than this cannot carry a go."""
    maximum_waivers: int = 3
    """More approved waivers than this is a no."""
    maximum_exempt_rows: int = 3
    """More exempt rows than this is a no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An approved, expiring permission to launch in spite of one failing finding.

    It changes the gate, never the score.
    """

    id: int
    service: ServiceKey
    row: str
    check: str
    fingerprint: str
    reason: str
    requested_by: str
    approved_by: str
    approved_at: datetime
    expires_at: datetime
    revoked: bool = False

    def active(self, now: datetime) -> bool:
        """Whether it counts at `now`: approved by another person, not revoked, not ended."""
        return (
            not self.revoked
            and bool(self.approved_by)
            and self.approved_by != self.requested_by
            and self.approved_at <= now < self.expires_at
        )
