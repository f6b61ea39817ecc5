"""One Prometheus, Alertmanager or Grafana that is asked, for the length of one run.

An instance that does not answer costs a few questions and no more, and holds up no other instance.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from scorecard.config import SecretUnavailable
from scorecard.config.integrations import instance
from scorecard.egress.errors import EgressError
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.session import PolicySession, policy_session
from scorecard.egress.strict_json import BadJsonError, read_json
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.redact import redact_text

BUDGET = 64 << 20
"""Bytes of one answer: 10,000 rules with their texts come to some 15 MB."""
RUN_SECONDS = 180.0
"""How long one instance is asked in a run; the next run comes after 15 minutes."""
GIVE_UP_AFTER = 2
"""Questions in a row without an answer, after which nothing more is asked of an instance in this run."""
LONGEST_GET = 3_000
"""Characters of a query that goes into an address, of which the policy takes 4,096; a longer one is posted."""
_WORDS = 300
_CAUSES = {
    401: Cause.ACCESS_DENIED,
    403: Cause.ACCESS_DENIED,
    407: Cause.ACCESS_DENIED,
    408: Cause.TIMEOUT,
    429: Cause.RATE_LIMITED,
    502: Cause.UNREACHABLE,
    503: Cause.UNREACHABLE,
    504: Cause.TIMEOUT,
}


class NoAnswerError(Exception):
    """The instance did not say; carries why. `status` is that of the answer, 0 where none came."""

    def __init__(self, cause: Cause, detail: str, status: int = 0) -> None:
        super().__init__(detail)
        self.unavailable = Unavailable(cause, detail)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """How one instance is reached; kept between runs."""

    kind: str
    """`prometheus`, `alertmanager` or `grafana`."""
    name: str
    url: str
    session: PolicySession
    headers: Callable[[], Mapping[str, str]]
    """Read at each question, for a rotated token counts at once."""
    timeout: float

    @property
    def label(self) -> str:
        """`prometheus/main`."""
        return f"{self.kind}/{self.name}"


@dataclass(slots=True)
class Instances:
    """Makes an `Instance` of what the configuration names; sessions are kept."""

    integrations: Any
    """`scorecard.config.integrations.Integrations`."""
    policy: AddressPolicy
    resolver: Resolver
    _made: dict[tuple[str, str], Instance] = field(default_factory=dict)

    def find(self, kind: str, name: str | None) -> Instance | Unavailable:
        """The instance of that name, or the first of its kind."""
        found = instance(getattr(self.integrations, kind), name)
        if found is None:
            asked = f"an instance {name!r}" if name else "an instance"
            example = f"integrations: {{{kind}: [{{name: {name or 'main'}, url: https://{kind}.example.net}}]}}"
            return Unavailable(
                Cause.NOT_CONFIGURED, f"scorecard.yaml does not name {asked} of {kind}; add: {example}", lines=example
            )
        return self._instance(kind, found)

    def beside(self, kind: str, name: str) -> Instance | Unavailable:
        """The instance of that name where there is one, else the first of its kind."""
        same = instance(getattr(self.integrations, kind), name)
        return self.find(kind, name if same is not None else None)

    def _instance(self, kind: str, found: Any) -> Instance | Unavailable:  # noqa: ANN401 - a configured instance
        if (kind, found.name) not in self._made:
            seconds = found.timeout.total_seconds()
            try:
                session = policy_session(
                    self.policy,
                    self.resolver,
                    ca_file=str(found.ca_file) if found.ca_file else None,
                    proxy=found.proxy,
                    deadline=seconds,
                    budget=BUDGET,
                )
            except OSError as error:
                return Unavailable(Cause.NOT_CONFIGURED, f"integrations.{kind} {found.name}: ca_file: {error}")
            self._made[kind, found.name] = Instance(
                kind=kind, name=found.name, url=found.url, session=session, headers=found.headers, timeout=seconds
            )
        return self._made[kind, found.name]


@dataclass
class Lane:
    """Questions to one instance in one run."""

    instance: Instance
    seconds: float = RUN_SECONDS
    calls: int = 0
    """Requests that were sent."""
    _failures: int = 0
    _gone: Unavailable | None = None
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, path: str, params: Mapping[str, str] | None = None, *, depth: int = 32) -> Any:  # noqa: ANN401 - JSON
        """GET a JSON document.

        Raises:
            NoAnswerError: anything else came back, or nothing, or the instance is not asked any more.
        """
        query = f"?{urlencode(params)}" if params else ""
        return self._send("GET", f"{path}{query}", depth)

    def query(self, path: str, params: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """Ask a query: by GET while it fits into an address, else by POST."""
        if len(urlencode(params)) <= LONGEST_GET:
            return self.get(path, params)
        return self._send("POST", path, 32, data=dict(params))

    def _send(self, method: str, path: str, depth: int, **options: Any) -> Any:  # noqa: ANN401 - requests' own, JSON
        label = self.instance.label
        with self._lock:
            if self._gone is None and time.monotonic() - self._started > self.seconds:
                words = f"{label} was asked for {self.seconds:.0f} s in this run, and for no longer"
                self._gone = Unavailable(Cause.TIMEOUT, words)
            if self._gone is not None:
                raise NoAnswerError(self._gone.cause, self._gone.detail)
            self.calls += 1
        url = f"{self.instance.url.rstrip('/')}{path}"
        request = f"{method} {url.partition('?')[0]}"
        try:
            headers = {"Accept": "application/json", **self.instance.headers()}
            response = self.instance.session.request(
                method, url, headers=headers, timeout=self.instance.timeout, **options
            )
        except SecretUnavailable as error:
            raise self._give_up(Cause.NOT_CONFIGURED, f"{label}: {error}") from None
        except EgressError as error:
            raise self._failed(error.cause, f"{request}: {redact_text(_after_address(error.message))}") from None
        return self._document(response.status_code, response.content, request, depth)

    def _document(self, status: int, body: bytes, request: str, depth: int) -> Any:  # noqa: ANN401 - JSON
        try:
            document, trouble = read_json(body, depth=depth), ""
        except BadJsonError as error:
            document, trouble = None, str(error)
        if 200 <= status < 300:  # noqa: PLR2004 - success
            if trouble:
                raise self._failed(Cause.BAD_RESPONSE, f"{request}: {trouble}")
            with self._lock:
                self._failures = 0
            return document
        said = ""
        if isinstance(document, dict):
            said = str(document.get("error") or document.get("message") or "")
        elif body.lstrip()[:1] != b"<":
            said = body[:_WORDS].decode("utf-8", "replace")
        words = f": {' '.join(redact_text(said).split())[:_WORDS]}" if said.strip() else ""
        cause = _CAUSES.get(status, Cause.BAD_RESPONSE)
        detail = f"{request}: answered {status}{words}"
        if status in {401, 407, 429}:
            raise self._give_up(cause, detail, status)
        if status in {408, 502, 503, 504}:
            raise self._failed(cause, detail, status)
        raise NoAnswerError(cause, detail, status)

    def _failed(self, cause: Cause, detail: str, status: int = 0) -> NoAnswerError:
        with self._lock:
            self._failures += 1
            if self._failures >= GIVE_UP_AFTER and self._gone is None:
                words = f"{detail}; after {self._failures} questions without an answer it was not asked more"
                self._gone = Unavailable(cause, words)
        return NoAnswerError(cause, detail, status)

    def _give_up(self, cause: Cause, detail: str, status: int = 0) -> NoAnswerError:
        with self._lock:
            self._gone = self._gone or Unavailable(cause, detail)
        return NoAnswerError(cause, detail, status)


def _after_address(message: str) -> str:
    """What an egress error says, without the method and address that it begins with."""
    head, colon, rest = message.partition(": ")
    return rest if colon and "://" in head else message
