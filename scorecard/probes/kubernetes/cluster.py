"""One API server, asked: lists page by page, each of them once in a cycle.

https://kubernetes.io/docs/reference/using-api/api-concepts/: `limit` and `continue` for pages, 410 where the pages are
of a time that the server does not keep any more, `Status` for what is refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

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

PAGE = 250
"""Items of a page: a pod has some 20 KB, and an answer may have 16 MiB."""
_MOST_PAGES = 400
RUN_SECONDS = 240.0
"""How long one cluster is asked in a run; the next one comes after 15 minutes."""
GIVE_UP_AFTER = 3
"""Questions in a row without any answer, after which a cluster is not asked more in a run."""
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Names and labels alone: a node's status has a list of its images."""
_GONE = 410
_WORDS = 300
_CAUSES = {
    401: Cause.ACCESS_DENIED, 403: Cause.ACCESS_DENIED, 407: Cause.ACCESS_DENIED, 408: Cause.TIMEOUT,
    429: Cause.RATE_LIMITED, 500: Cause.UNREACHABLE, 502: Cause.UNREACHABLE, 503: Cause.UNREACHABLE,
    504: Cause.TIMEOUT,
}  # fmt: skip

REUSED = 300.0
"""Seconds for which a list serves other shards of a cycle; a third of the platform's cadence."""
FRESH = 30.0
"""Seconds for which it serves somebody who asked to measure now: one run's probes ask soon after one another."""

Item = Mapping[str, Any]
Slim = Callable[[Item], Item]
"""What is kept of an item; lists are held for minutes, and pods have environments."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list brought: all of it, or what came before it broke off."""

    items: tuple[Item, ...]
    missing: Unavailable | None = None


class _RefusedError(Exception):
    """An answer that is none."""

    def __init__(self, cause: Cause, detail: str, status: int = 0) -> None:
        super().__init__(detail)
        self.unavailable = Unavailable(cause, detail)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How a cluster's API is reached; kept between runs."""

    name: str
    url: str
    session: PolicySession
    headers: Callable[[], Mapping[str, str]]
    """Read at each question: a service account's token is renewed every hour."""
    timeout: float

    @property
    def label(self) -> str:
        """`kubernetes/main`."""
        return f"kubernetes/{self.name}"


@dataclass
class Cluster:
    """Questions to one cluster in one cycle."""

    server: Server
    _calls: int = 0
    _failures: int = 0
    _gone: Unavailable | None = None
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: dict[object, Future[Listed]] = field(default_factory=dict)

    def counted(self) -> int:
        """Requests since the last question."""
        with self._lock:
            counted, self._calls = self._calls, 0
        return counted

    def list(self, path: str, kind: str, slim: Slim, *, selector: str = "", metadata: bool = False) -> Listed:
        """All items of a list.

        Args:
            path: `/api/v1/nodes`.
            kind: what the answer must be, such as `PodList`.
            slim: what is kept of an item.
            selector: of labels.
            metadata: names and labels suffice.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: an item is not as its API says.
        """
        key = (path, selector)
        with self._lock:
            future = self._asked.get(key)
            mine = future is None
            if future is None:
                future = self._asked[key] = Future()
        if mine:
            try:
                future.set_result(self._all(path, kind, slim, selector, metadata=metadata))
            except BaseException as error:  # noqa: BLE001 - told to everybody who waits
                future.set_exception(error)
        return future.result()

    def _all(self, path: str, kind: str, slim: Slim, selector: str, *, metadata: bool) -> Listed:
        """Once more from the beginning where the pages got too old in between."""
        first = self._pages(path, kind, slim, selector, metadata=metadata)
        if isinstance(first, Listed):
            return first
        again = self._pages(path, kind, slim, selector, metadata=metadata)
        return again if isinstance(again, Listed) else Listed((), again.unavailable)

    def _pages(self, path: str, kind: str, slim: Slim, selector: str, *, metadata: bool) -> Listed | _RefusedError:
        items: list[Item] = []
        token = ""
        for _ in range(_MOST_PAGES):
            params = {"limit": str(PAGE)}
            params |= {"labelSelector": selector} if selector else {}
            params |= {"continue": token} if token else {}
            try:
                document = self._get(path, params, kind, metadata=metadata)
            except _RefusedError as error:
                if error.status == _GONE and token:
                    return error
                return Listed(tuple(items), error.unavailable)
            items += map(slim, document["items"])
            before, token = token, str((document.get("metadata") or {}).get("continue") or "")
            if not token:
                return Listed(tuple(items))
            if token == before:
                break
        words = f"{self.server.label}, GET {path}: the pages have no end"
        return Listed(tuple(items), Unavailable(Cause.BAD_RESPONSE, words))

    def _get(self, path: str, params: Mapping[str, str], kind: str, *, metadata: bool) -> dict[str, Any]:
        subject = f"{self.server.label}, GET {path}"
        self._begin()
        accept = f"{METADATA},application/json" if metadata else "application/json"
        try:
            response = self.server.session.get(
                f"{self.server.url.rstrip('/')}{path}",
                params=dict(params),
                headers={"Accept": accept, **self.server.headers()},
                timeout=self.server.timeout,
            )
        except SecretUnavailable as error:
            raise self._give_up(Cause.NOT_CONFIGURED, f"{self.server.label}: {error}") from None
        except EgressError as error:
            words = redact_text(error.message.rpartition(": ")[2])
            raise self._failed(error.cause, f"{subject}: {words}") from None
        status, document = response.status_code, _document(response.content)
        if status in {401, 407}:
            raise self._give_up(Cause.ACCESS_DENIED, _told(subject, status, document))
        if not 200 <= status < 300:  # noqa: PLR2004 - success
            cause = _CAUSES.get(status, Cause.BAD_RESPONSE)
            error_ = _RefusedError(cause, _told(subject, status, document), status)
            if status in {408, 500, 502, 503, 504}:
                raise self._failed(cause, error_.unavailable.detail)
            raise error_
        with self._lock:
            self._failures = 0
        kinds = {kind, "PartialObjectMetadataList"} if metadata else {kind}
        if (
            not isinstance(document, dict)
            or document.get("kind") not in kinds
            or not _are_objects(document.get("items"))
        ):
            raise _RefusedError(Cause.BAD_RESPONSE, f"{subject}: answered another document than a {kind}")
        return {**document, "items": document.get("items") or []}

    def _begin(self) -> None:
        with self._lock:
            if self._gone is None and time.monotonic() - self._started > RUN_SECONDS:
                words = f"{self.server.label} was asked for {RUN_SECONDS:.0f} s in this run, and for no longer"
                self._gone = Unavailable(Cause.TIMEOUT, words)
            if self._gone is not None:
                raise _RefusedError(self._gone.cause, self._gone.detail)
            self._calls += 1

    def _failed(self, cause: Cause, detail: str) -> _RefusedError:
        with self._lock:
            self._failures += 1
            if self._failures >= GIVE_UP_AFTER and self._gone is None:
                words = f"{detail}; after {self._failures} questions without an answer it was not asked more"
                self._gone = Unavailable(cause, words)
        return _RefusedError(cause, detail)

    def _give_up(self, cause: Cause, detail: str) -> _RefusedError:
        with self._lock:
            self._gone = self._gone or Unavailable(cause, detail)
        return _RefusedError(cause, detail)


def _document(body: bytes) -> Any:  # noqa: ANN401 - whatever it holds
    try:
        return read_json(body)
    except BadJsonError:
        return None


def _are_objects(items: object) -> bool:
    """Whether it is a list of objects; Go writes an empty one as null."""
    return items is None or (
        isinstance(items, list)
        and all(isinstance(one, dict) and isinstance(one.get("metadata"), dict) for one in items)
    )


def _told(subject: str, status: int, document: object) -> str:
    """What was asked and what the server says about it."""
    said = document.get("message") if isinstance(document, dict) and document.get("kind") == "Status" else ""
    words = redact_text(" ".join(said.split())[:_WORDS]) if isinstance(said, str) else ""
    return f"{subject}: answered {status}{f': {words}' if words else ''}"


@dataclass(slots=True)
class Clusters:
    """Makes a `Server` of what the configuration names."""

    integrations: Any
    """`scorecard.config.integrations.Integrations`."""
    policy: AddressPolicy
    resolver: Resolver
    _made: dict[str, Server] = field(default_factory=dict)
    _asked: dict[str, tuple[float, Cluster]] = field(default_factory=dict)

    def cluster(self, server: Server, *, patient: bool) -> Cluster:
        """What was asked of it already, unless that is too old; of `patient` where somebody waits for the answer."""
        now = time.monotonic()
        self._asked = {name: kept for name, kept in self._asked.items() if now - kept[0] <= REUSED}
        at, found = self._asked.get(server.name, (now, None))
        if found is None or (patient and now - at > FRESH):
            found = Cluster(server)
            self._asked[server.name] = now, found
        return found

    def server(self, name: str | None) -> Server | Unavailable:
        """The cluster of that name, or the first."""
        found = instance(self.integrations.kubernetes, name)
        if found is None:
            asked = f"a cluster {name!r}" if name else "a cluster"
            example = f"integrations: {{kubernetes: [{{name: {name or 'main'}, url: https://k8s.example.net, ...}}]}}"
            return Unavailable(
                Cause.NOT_CONFIGURED, f"scorecard.yaml does not name {asked} of kubernetes; add: {example}"
            )
        if found.name not in self._made:
            seconds = found.timeout.total_seconds()
            try:
                session = policy_session(
                    self.policy,
                    self.resolver,
                    ca_file=str(found.ca_file) if found.ca_file else None,
                    proxy=found.proxy,
                    deadline=seconds,
                )
            except OSError as error:
                return Unavailable(Cause.NOT_CONFIGURED, f"integrations.kubernetes {found.name}: ca_file: {error}")
            self._made[found.name] = Server(
                name=found.name, url=found.url, session=session, headers=found.headers, timeout=seconds
            )
        return self._made[found.name]
