"""Where each service's log is, by the catalogue and the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from scorecard.config import SecretUnavailable
from scorecard.config.integrations import AwsInstance, Instance, LokiInstance, instance
from scorecard.egress.aws import Account, Clients
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.session import PolicySession, policy_session
from scorecard.evidence import Unavailable
from scorecard.model import Cause, Service
from scorecard.probes.logs.cloudwatch import ATTEMPTS, CloudWatchSource
from scorecard.probes.logs.elasticsearch import ElasticsearchSource
from scorecard.probes.logs.files import FileSource
from scorecard.probes.logs.loki import LokiSource
from scorecard.probes.logs.source import Source, SourceError
from scorecard.probes.logs.store_api import Api

_LINES = """spec:
  logs: {file: {path: /var/log/SERVICE.log}}
  # or loki: {selector}, elasticsearch: {index}, cloudwatch: {group}"""


@dataclass(slots=True)
class Places:
    """Makes a source of a service's `spec.logs`; sessions and clients are kept."""

    integrations: Any
    """`scorecard.config.integrations.Integrations`."""
    base: Path
    """What relative paths are relative to: the directory of `scorecard.yaml`."""
    policy: AddressPolicy
    resolver: Resolver
    clock: Callable[[], datetime]
    _sessions: dict[tuple[str, str], PolicySession] = field(default_factory=dict)
    _clients: Clients = field(init=False)

    def __post_init__(self) -> None:
        """One set of clients for all accounts."""
        self._clients = Clients(self.policy, self.resolver, self.clock, attempts=ATTEMPTS)

    def of(self, service: Service) -> Source | Unavailable:
        """The service's log, or what is missing to read it."""
        logs = service.spec.logs
        try:
            if logs.file:
                return FileSource(Path(self.base, logs.file.path).absolute())
            if logs.loki:
                return self._loki(logs.loki.selector, logs.loki.instance)
            if logs.elasticsearch:
                return self._elasticsearch(logs.elasticsearch.index, logs.elasticsearch.instance)
            if logs.cloudwatch:
                return self._cloudwatch(service, logs.cloudwatch.group)
        except SourceError as error:
            return error.unavailable
        return Unavailable(Cause.NOT_CONFIGURED, "spec.logs is not given", _LINES.replace("SERVICE", service.name))

    def _loki(self, selector: str, name: str | None) -> LokiSource:
        found: LokiInstance = _configured(self.integrations.loki, name, "loki", "http://loki:3100")
        tenant = {"X-Scope-OrgID": found.tenant} if found.tenant else {}
        return LokiSource(self._api("loki", found, {}, tenant), selector)

    def _elasticsearch(self, index: str, name: str | None) -> ElasticsearchSource:
        found: Instance = _configured(self.integrations.elasticsearch, name, "elasticsearch", "https://search:9200")
        return ElasticsearchSource(self._api("elasticsearch", found, {"prefix": "ApiKey "}, {}), index)

    def _api(self, kind: str, found: Instance, token: Mapping[str, str], more: Mapping[str, str]) -> Api:
        session = self._sessions.get((kind, found.name))
        if session is None:
            try:
                session = policy_session(
                    self.policy,
                    self.resolver,
                    ca_file=str(found.ca_file) if found.ca_file else None,
                    proxy=found.proxy,
                    deadline=found.timeout.total_seconds(),
                )
            except OSError as error:
                raise SourceError(Cause.NOT_CONFIGURED, f"integrations.{kind} {found.name}: ca_file: {error}") from None
            self._sessions[kind, found.name] = session

        def headers() -> Mapping[str, str]:
            try:
                return {**more, **found.headers(**token)}
            except SecretUnavailable as error:
                raise SourceError(Cause.NOT_CONFIGURED, f"integrations.{kind} {found.name}: {error}") from None

        return Api(
            name=found.name, url=found.url, session=session, headers=headers, timeout=found.timeout.total_seconds()
        )

    def _cloudwatch(self, service: Service, group: str) -> CloudWatchSource:
        about = service.spec.aws
        found: AwsInstance = _configured(self.integrations.aws, about.instance if about else None, "aws", "")
        account = (about.account if about else None) or ""
        if found.role and "{account}" in found.role and not account:
            raise SourceError(
                Cause.NOT_CONFIGURED,
                "spec.aws.account is not given, and the role to take needs it",
                'spec:\n  aws: {account: "111122223333"}',
            )
        return CloudWatchSource(self._clients, Account.of(found, account), group)


def _configured(instances: tuple[Any, ...], name: str | None, kind: str, url: str) -> Any:  # noqa: ANN401 - one of several models
    found = instance(instances, name)
    if found is not None:
        return found
    asked = f"an instance {name!r}" if name else "an instance"
    example = f"{{name: {name or 'main'}, url: {url}}}" if url else "{name: main, regions: [eu-west-1]}"
    raise SourceError(
        Cause.NOT_CONFIGURED,
        f"scorecard.yaml does not name {asked} of {kind}; add: integrations: {{{kind}: [{example}]}}",
    )
