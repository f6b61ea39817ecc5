"""What stands in `scorecard.yaml`, but for the integrations: one frozen model per section, every key once.

The attribute docstrings are the descriptions in the JSON Schema; `docs/reference/configuration.md` is compared with it.
"""

from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scorecard.config.fields import (
    CleanText,
    EnvironmentSecret,
    LabelText,
    LocalPath,
    ProbeNetwork,
    Secret,
    Texts,
    WebAddress,
)
from scorecard.model import Duration
from scorecard.strict_yaml import YamlError, load


class SecretUnavailable(Exception):  # noqa: N818 - said as it is
    """A secret's file cannot be read, or is empty; the message names the key and the file, never the content."""


class Section(BaseModel):
    """A mapping in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def read_secret(self, name: str) -> Secret | None:
        """The secret `name`, from the environment or from `NAME_file`; None when neither is set.

        The file is read at each call, so that a rotated secret counts at once.

        Raises:
            SecretUnavailable: when the file cannot be read, is empty, or is not text.
        """
        given: Secret | None = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        if given is not None or path is None:
            return given
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise SecretUnavailable(f"{name}_file {path}: {reason}") from None
        if not text:
            raise SecretUnavailable(f"{name}_file {path}: empty")
        return Secret(text)


class Http(Section):
    """How an HTTP API of the organisation is reached."""

    url: WebAddress
    """Its base address."""
    token_file: LocalPath | None = None
    """A file that holds the token."""
    token: EnvironmentSecret = None
    """The token itself, from the environment only."""
    username: CleanText | None = None
    """The user of basic authentication."""
    password_file: LocalPath | None = None
    """A file that holds the user's password."""
    password: EnvironmentSecret = None
    """The password itself, from the environment only."""
    headers_file: LocalPath | None = None
    """A YAML file of further request headers, which may be secret."""
    ca_file: LocalPath | None = None
    """A PEM file of the authorities that are trusted, instead of the system's."""
    proxy: CleanText | None = None
    """The address of a proxy; none unless given, the environment's is not used."""
    timeout: Duration = timedelta(seconds=10)
    """Total time of one request."""

    def headers(self, *, name: str = "Authorization", prefix: str = "Bearer ") -> dict[str, str]:
        """The headers of a request: the token under `name`, or basic authentication, and those of `headers_file`.

        Raises:
            SecretUnavailable: when a file cannot be read, or the headers' file is not a mapping of texts.
        """
        headers = self._headers_of_file()
        token, password = self.read_secret("token"), self.read_secret("password")
        if token is not None:
            headers[name] = f"{prefix}{token.reveal()}"
        elif self.username is not None:
            pair = f"{self.username}:{password.reveal() if password is not None else ''}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return headers

    def _headers_of_file(self) -> dict[str, str]:
        if self.headers_file is None:
            return {}
        try:
            value = load(self.headers_file.read_bytes(), name="headers_file").value
        except OSError as error:
            raise SecretUnavailable(f"headers_file {self.headers_file}: {error.strerror}") from None
        except YamlError as error:
            # The message of a syntax error may quote a header's value; the line is enough.
            raise SecretUnavailable(f"headers_file {self.headers_file}: not YAML in line {error.line}") from None
        if not isinstance(value, dict) or not all(isinstance(part, str) for pair in value.items() for part in pair):
            raise SecretUnavailable(f"headers_file {self.headers_file}: a mapping of header names to texts is expected")
        return value


class BackstageSource(Http):
    """A Backstage catalogue that is read over HTTP."""

    namespace: CleanText | None = None
    """Only entities of this namespace; all unless given."""


class CatalogEntry(Section):
    """Where services are registered; one of these keys."""

    files: CleanText | None = None
    """A glob of files, relative to this file: our own documents, or Backstage's catalog-info.yaml."""
    backstage: BackstageSource | None = None
    """A Backstage catalogue."""
    installed: Annotated[dict[str, Any], Field(json_schema_extra={"environmentOnly": True})] = {}
    """Options by name of sources that other packages bring (entry point group `scorecard.catalogs`)."""


class Match(Section):
    """Which services are meant: all conditions hold; within one, any value does. `*` and `?` stand for any text."""

    name: Texts = ()
    """Names of services."""
    team: Texts = ()
    """Their teams."""
    tier: Texts = ()
    """Their tiers."""
    type: Texts = ()
    """Their types."""
    lifecycle: Texts = ()
    """Their lifecycles."""
    environment: Texts = ()
    """The environments."""


class DefaultsEntry(Section):
    """What is merged under every matching service; a later entry wins."""

    match: Match = Match()
    """Which services; all unless given."""
    spec: dict[str, Any] = Field(default_factory=dict)
    """Keys of a service's spec. {name}, {team}, {tier}, {type} and {environment} are filled in."""


class Cadences(Section):
    """How often evidence is asked for."""

    live: Duration = timedelta(seconds=60)
    """Health endpoints, certificates."""
    platform: Duration = timedelta(minutes=15)
    """Prometheus, Grafana, AWS, Kubernetes, log stores."""
    source: Duration = timedelta(hours=24)
    """Repositories and forges."""


class ControlTarget(Section):
    """An address of our own that is up whenever our network is."""

    url: WebAddress
    """Its address."""


class Probing(Section):
    """How services are probed."""

    timeout: Duration = timedelta(seconds=5)
    """Total time of one probe, from DNS to the last byte."""
    concurrency: int = Field(default=200, ge=1, le=10_000)
    """Probes that are under way at once."""
    allow: tuple[ProbeNetwork, ...] = ()
    """Networks and exact addresses that may be probed besides public ones. Loopback counts by exact address only."""
    ca_file: LocalPath | None = None
    """A PEM file of the authorities that services' certificates are verified by, instead of Mozilla's."""
    control_targets: tuple[ControlTarget, ...] = ()
    """When one of these fails together with many services, the scorecard blames its own network."""


class ChecklistUse(Section):
    """A checklist, and whom it applies to."""

    use: CleanText
    """A shipped checklist's name, or the path of a YAML file, relative to this file."""
    match: Match = Match()
    """Which services; all unless given."""


class Severities(Section):
    """The severities that the organisation's alerts carry, by what they do to a person."""

    page: Texts = ("critical", "page")
    """Someone is woken."""
    ticket: Texts = ("warning", "ticket")
    """Someone looks at it in working hours."""
    info: Texts = ("info",)
    """Nobody is told."""


class LogFields(Section):
    """The keys under which a log line may carry what every line needs, the first found counts."""

    timestamp: Texts = ("timestamp", "ts", "time", "@timestamp")
    """RFC 3339 time."""
    level: Texts = ("level", "severity", "log.level")
    """How bad it is."""
    message: Texts = ("message", "msg", "event")
    """What happened."""
    service: Texts = ("service", "service.name")
    """Who says so."""


class Signals(Section):
    """Parts of metric names by which a panel is seen to show a golden signal."""

    latency: Texts = ("duration", "latency", "response_time", "request_time", "_seconds_bucket")
    """How long requests take."""
    traffic: Texts = ("requests_total", "request_count", "requestcount", "throughput", "messages_total", "rps")
    """How much is asked."""
    errors: Texts = ("error", "failure", "failed", "exception", "5xx", "rejected")
    """How much of it fails."""
    saturation: Texts = ("cpu", "memory", "utilization", "saturation", "queue", "connections", "disk", "usage")
    """How full it is."""


class Vocabulary(Section):
    """The organisation's words."""

    severities: Severities = Severities()
    """Severities of alerts."""
    log_fields: LogFields = LogFields()
    """Keys of log lines."""
    signals: Signals = Signals()
    """The golden signals."""


class Retention(Section):
    """How long what was measured is kept."""

    samples: Duration = timedelta(days=2)
    """Single samples of live probes."""
    evidence: Duration = timedelta(days=90)
    """Evidence that no frozen review refers to."""
    history: Duration = timedelta(days=400)
    """Changes and daily scores."""
    reviews: Duration = timedelta(days=7 * 365)
    """Frozen launch reviews and their evidence."""


class ScheduledDrill(Section):
    """A restore drill that the server carries out by itself."""

    spec: LocalPath
    """The file that describes the drill, relative to this file."""
    every: Duration = timedelta(days=7)
    """How often; an hour or more."""


class Oidc(Section):
    """An OpenID Connect provider."""

    issuer: WebAddress
    """Its issuer address, from which the rest is discovered."""
    client_id: CleanText
    """The client that it knows us as."""
    client_secret_file: LocalPath | None = None
    """A file that holds the client's secret."""
    client_secret: EnvironmentSecret = None
    """The client's secret itself, from the environment only."""
    groups_claim: CleanText = "groups"
    """The claim that lists a person's groups."""
    name_claim: CleanText = "email"
    """The claim that a person is known by in waivers and sign-offs."""


class TrustedProxy(Section):
    """A proxy in front of us that signs people in."""

    trusted: tuple[ProbeNetwork, ...]
    """The addresses that the proxy connects from; a header from any other is ignored."""
    user_header: CleanText = "X-Forwarded-User"
    """The header that names the person."""
    groups_header: CleanText = "X-Forwarded-Groups"
    """The header that lists the person's groups, separated by commas."""


class Roles(Section):
    """Groups of people by what they may do beyond reading; owners are the groups of the teams."""

    reviewer: Texts = ()
    """Groups that approve waivers and sign launch reviews."""
    admin: Texts = ()
    """Groups that may do everything."""


class Auth(Section):
    """Who may read and write."""

    mode: Literal["none", "token", "oidc", "proxy"] = "none"
    """none (loopback only), token, oidc or proxy."""
    oidc: Oidc | None = None
    """For mode oidc."""
    proxy: TrustedProxy | None = None
    """For mode proxy."""
    roles: Roles = Roles()
    """Who reviews and who administers."""
    public_badges: bool = False
    """True: badges are shown without sign-in."""
    metrics_token_file: LocalPath | None = None
    """A file that holds the token that `/metrics` asks for."""
    metrics_token: EnvironmentSecret = None
    """That token itself, from the environment only."""
    session_key_file: LocalPath | None = None
    """A file with the key that signs sessions (new at each start unless given) and fingerprints literal secrets."""
    session_key: EnvironmentSecret = None
    """That key itself, from the environment only."""


class Notification(Section):
    """Whom to tell about what."""

    webhook: WebAddress | None = None
    """An address that receives a JSON document by POST."""
    webhook_file: LocalPath | None = None
    """A file that holds that address, where the address itself is a secret."""
    secret_file: LocalPath | None = None
    """A file that holds the key with which the body is signed (HMAC-SHA256)."""
    secret: EnvironmentSecret = None
    """That key itself, from the environment only."""
    on: tuple[
        Literal[
            "regression", "recovery", "waiver-requested", "waiver-ending", "review", "break-glass", "scorecard-fault"
        ],
        ...,
    ] = ("regression", "waiver-ending", "break-glass", "scorecard-fault")
    """The events that are told."""
    teams: Texts = ()
    """Only services of these teams; all unless given."""


class Server(Section):
    """Where the site, the API and the metrics are served."""

    listen: CleanText = "127.0.0.1:8080"
    """Address and port."""
    public_url: WebAddress | None = None
    """The address that people use, for links in notifications."""


__all__ = [
    "Auth",
    "BackstageSource",
    "Cadences",
    "CatalogEntry",
    "ChecklistUse",
    "ControlTarget",
    "DefaultsEntry",
    "Http",
    "LabelText",
    "LogFields",
    "Match",
    "Notification",
    "Oidc",
    "Probing",
    "Retention",
    "Roles",
    "ScheduledDrill",
    "SecretUnavailable",
    "Section",
    "Server",
    "Severities",
    "Signals",
    "TrustedProxy",
    "Vocabulary",
]
