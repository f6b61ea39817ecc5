"""One system that is asked over HTTP for the length of a run.

One that does not answer costs a few questions and no more, and holds up no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from scorecard.config import SecretUnavailable
from scorecard.egress.errors import EgressError
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.session import PolicySession, policy_session
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.redact import redact_text

CAUSES = {
    401: Cause.ACCESS_DENIED,
    403: Cause.ACCESS_DENIED,
    407: Cause.ACCESS_DENIED,
    408: Cause.TIMEOUT,
    429: Cause.RATE_LIMITED,
    502: Cause.UNREACHABLE,
    503: Cause.UNREACHABLE,
    504: Cause.TIMEOUT,
}
"""Why a status is no answer; `bad_response` for the others."""
_FINAL = frozenset({401, 407, 429})
"""The next question would have the same answer."""
_SILENT = frozenset({408, 502, 503, 504})
"""It was something in between that spoke."""
T = TypeVar("T")


class NoAnswerError(Exception):
    """The system did not say; carries why. `status` is that of the answer, 0 where none came."""

    def __init__(self, cause: Cause, detail: str, status: int = 0) -> None:
        super().__init__(detail)
        self.unavailable = Unavailable(cause, detail)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """How one configured system is reached; kept between runs."""

    kind: str
    """`prometheus`, `alertmanager`, `grafana`, `kubernetes`."""
    name: str
    url: str
    session: PolicySession
    headers: Callable[[], Mapping[str, str]]
    """Read at each question, for a rotated token counts at once."""
    timeout: float
    token: bool = False
    """Whether a token or a password goes along, so that whoever repeats it needs one too."""

    @property
    def label(self) -> str:
        """`prometheus/main`."""
        return f"{self.kind}/{self.name}"


def connect(
    kind: str,
    found: Any,  # noqa: ANN401 - one of `integrations`
    policy: AddressPolicy,
    resolver: Resolver,
    *,
    budget: int = 16 << 20,
) -> Instance | Unavailable:
    """The instance that the configuration describes; `budget` is the bytes of one answer."""
    seconds = found.timeout.total_seconds()
    try:
        session = policy_session(
            policy,
            resolver,
            ca_file=str(found.ca_file) if found.ca_file else None,
            proxy=found.proxy,
            deadline=seconds,
            budget=budget,
        )
    except OSError as error:
        return Unavailable(Cause.NOT_CONFIGURED, f"integrations.{kind} {found.name}: ca_file: {error}")
    return Instance(
        kind=kind,
        name=found.name,
        url=found.url,
        session=session,
        headers=found.headers,
        timeout=seconds,
        token=bool(found.token_file or found.token or found.username),
    )


@dataclass(frozen=True, slots=True)
class Raw:
    """What came back."""

    status: int
    body: bytes
    request: str
    """`GET ADDRESS`, without its query."""


@dataclass
class Lane:
    """Questions to one place in one run."""

    instance: Instance
    label: str = ""
    """Whose fault it is when nothing comes: the instance's, unless it only passes questions on."""
    seconds: float = 240.0
    """How long the place is asked in a run; the next run comes after 15 minutes."""
    patience: int = 3
    """Questions in a row without an answer, after which nothing more is asked of it in this run."""
    calls: int = 0
    """Requests that were sent."""
    _failures: int = 0
    _gone: Unavailable | None = None
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: dict[object, Future[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A place is its instance unless it was said to be another."""
        self.label = self.label or self.instance.label

    def once(self, key: object, make: Callable[[], T]) -> T:
        """The result of a question that is asked once in a run, by whoever comes first; others wait for it."""
        with self._lock:
            future = self._asked.get(key)
            mine = future is None
            if future is None:
                future = self._asked[key] = Future()
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:  # noqa: BLE001 - told to everybody who waits
                future.set_exception(error)
        return future.result()  # type: ignore[no-any-return] # what `make` returned

    def send(
        self,
        method: str,
        path: str,
        *,
        request: str = "",
        accept: str = "application/json",
        **options: Any,  # noqa: ANN401 - requests' own
    ) -> Raw:
        """Ask; any status is an answer, and whoever reads it says so by `answered` or `refused`.

        Args:
            method: `GET` or `POST`.
            path: behind the instance's address, with a query or without one.
            request: how an error names the question; `GET ADDRESS` unless given.
            accept: the media types that are understood.
            options: `params`, `data`.

        Raises:
            NoAnswerError: nothing came back, or the place is not asked any more.
        """
        self._begin()
        url = f"{self.instance.url.rstrip('/')}{path}"
        request = request or f"{method} {url.partition('?')[0]}"
        try:
            headers = {"Accept": accept, **self.instance.headers()}
            response = self.instance.session.request(
                method, url, headers=headers, timeout=self.instance.timeout, **options
            )
        except SecretUnavailable as error:
            raise self.give_up(Cause.NOT_CONFIGURED, f"{self.label}: {error}") from None
        except EgressError as error:
            raise self.failed(error.cause, f"{request}: {redact_text(_after_address(error.message))}") from None
        return Raw(response.status_code, response.content, request)

    def answered(self) -> None:
        """The place spoke: questions without an answer are counted from here again."""
        with self._lock:
            self._failures = 0

    def refused(self, status: int, detail: str) -> NoAnswerError:
        """The error of a status that is no success; what it means for further questions is noted."""
        cause = CAUSES.get(status, Cause.BAD_RESPONSE)
        if status in _FINAL:
            return self.give_up(cause, detail, status)
        if status in _SILENT:
            return self.failed(cause, detail, status)
        return NoAnswerError(cause, detail, status)

    def failed(self, cause: Cause, detail: str, status: int = 0) -> NoAnswerError:
        """The error of a question without an answer; the last that patience allows ends them all."""
        with self._lock:
            self._failures += 1
            if self._failures >= self.patience and self._gone is None:
                words = f"{detail}; after {self._failures} questions without an answer {self.label} was not asked more"
                self._gone = Unavailable(cause, words)
        return NoAnswerError(cause, detail, status)

    def give_up(self, cause: Cause, detail: str, status: int = 0) -> NoAnswerError:
        """The error after which nothing more is asked."""
        with self._lock:
            self._gone = self._gone or Unavailable(cause, detail)
        return NoAnswerError(cause, detail, status)

    def _begin(self) -> None:
        with self._lock:
            if self._gone is None and time.monotonic() - self._started > self.seconds:
                words = f"{self.label} was asked for {self.seconds:.0f} s in this run, and for no longer"
                self._gone = Unavailable(Cause.TIMEOUT, words)
            if self._gone is not None:
                raise NoAnswerError(self._gone.cause, self._gone.detail)
            self.calls += 1


def _after_address(message: str) -> str:
    """What an egress error says, without the method and address that it begins with."""
    head, colon, rest = message.partition(": ")
    return rest if colon and "://" in head else message
