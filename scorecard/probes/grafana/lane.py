"""One place that is asked, for the length of one run: each question once, and no more when it does not answer.

A Grafana is a lane, and so is each data source behind it: one that hangs costs its own questions and no other's.
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
from scorecard.egress.session import PolicySession
from scorecard.egress.strict_json import BadJsonError, read_json
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.grafana.reading import clean, text
from scorecard.redact import redact_text

GIVE_UP_AFTER = 3
"""Questions in a row without an answer, after which nothing more is asked of a place in this run."""
RUN_SECONDS = 240.0
"""How long one place is asked in a run; the next run comes after 15 minutes."""
_DEPTH = 120
"""A dashboard nests rows in tabs in rows, each of them five levels."""
_LONGEST_GET = 1800
"""Characters of a query that goes into an address; a longer one is posted."""
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

T = TypeVar("T")


class NoAnswerError(Exception):
    """The place did not say; carries why."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.unavailable = Unavailable(cause, detail)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    document: Any
    """The JSON document; None where it is none."""
    said: str
    """What the answer says of itself, for an error."""
    request: str
    """`GET ADDRESS`, without its query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """How one instance is reached; kept between runs."""

    kind: str
    """`grafana` or `prometheus`."""
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
        """`grafana/main`."""
        return f"{self.kind}/{self.name}"


@dataclass
class Lane:
    """Questions to one place in one run."""

    instance: Instance
    label: str
    """Whose fault it is when nothing comes."""
    seconds: float = RUN_SECONDS
    calls: int = 0
    """Requests that were sent."""
    _failures: int = 0
    _gone: Unavailable | None = None
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: dict[object, Future[Any]] = field(default_factory=dict)

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

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        """GET; any status is a reply.

        Raises:
            NoAnswerError: nothing came back, or the place is not asked any more.
        """
        return self._send("GET", path, params=dict(params or {}))

    def query(self, path: str, params: Mapping[str, str]) -> Reply:
        """Ask a query: by GET while it fits into an address, else by POST."""
        if sum(map(len, params.values())) <= _LONGEST_GET:
            return self._send("GET", path, params=dict(params))
        return self._send("POST", path, data=dict(params))

    def _send(self, method: str, path: str, **options: Any) -> Reply:  # noqa: ANN401 - requests' own
        with self._lock:
            if self._gone is None and time.monotonic() - self._started > self.seconds:
                words = f"{self.label} was asked for {self.seconds:.0f} s in this run, and for no longer"
                self._gone = Unavailable(Cause.TIMEOUT, words)
            if self._gone is not None:
                raise NoAnswerError(self._gone.cause, self._gone.detail)
            self.calls += 1
        url = f"{self.instance.url.rstrip('/')}{path}"
        request = f"{method} {url}"
        try:
            headers = {"Accept": "application/json", **self.instance.headers()}
            response = self.instance.session.request(
                method, url, headers=headers, timeout=self.instance.timeout, **options
            )
        except SecretUnavailable as error:
            raise self._give_up(Cause.NOT_CONFIGURED, f"{self.label}: {error}") from None
        except EgressError as error:
            words = error.message.rpartition(": ")[2] if "?" in error.message else error.message
            detail = f"{request}: {words}" if "?" in error.message else words
            raise self._failed(error.cause, redact_text(detail)) from None
        reply = _reply(response.status_code, response.content, request)
        if reply.status in {401, 407}:
            raise self._give_up(Cause.ACCESS_DENIED, told(reply))
        if reply.status == 429:  # noqa: PLR2004 - too many requests
            raise self._give_up(Cause.RATE_LIMITED, told(reply))
        if reply.status in {408, 502, 503, 504}:
            raise self._failed(_CAUSES[reply.status], told(reply))
        with self._lock:
            self._failures = 0
        return reply

    def _failed(self, cause: Cause, detail: str) -> NoAnswerError:
        with self._lock:
            self._failures += 1
            if self._failures >= GIVE_UP_AFTER and self._gone is None:
                words = f"{detail}; after {self._failures} questions without an answer {self.label} was not asked more"
                self._gone = Unavailable(cause, words)
        return NoAnswerError(cause, detail)

    def _give_up(self, cause: Cause, detail: str) -> NoAnswerError:
        with self._lock:
            self._gone = self._gone or Unavailable(cause, detail)
        return NoAnswerError(cause, detail)


def _reply(status: int, body: bytes, request: str) -> Reply:
    try:
        document = read_json(body, depth=_DEPTH) if body else None
    except BadJsonError:
        document = None
    said = text(document, "error") or text(document, "message") or text(document, "title")
    if not said and document is None and body.lstrip()[:1] != b"<":
        said = " ".join(clean(body[:_WORDS].decode("utf-8", "replace")).split())
    return Reply(status, document, redact_text(" ".join(said.split())[:_WORDS]), request)


def told(reply: Reply) -> str:
    """What was asked and what came of it."""
    return f"{reply.request}: answered {reply.status}{f': {reply.said}' if reply.said else ''}"


def refused(reply: Reply) -> NoAnswerError:
    """A reply that is no answer to what was asked."""
    if 200 <= reply.status < 300:  # noqa: PLR2004 - success
        what = "no JSON" if reply.document is None else "another document than was asked for"
        return NoAnswerError(Cause.BAD_RESPONSE, f"{reply.request}: answered {what}")
    return NoAnswerError(_CAUSES.get(reply.status, Cause.BAD_RESPONSE), told(reply))


def document_of(reply: Reply, kind: type[T]) -> T:
    """The document of a successful reply.

    Raises:
        NoAnswerError: it is not of that kind, or the status is not 2xx.
    """
    if 200 <= reply.status < 300 and isinstance(reply.document, kind):  # noqa: PLR2004 - success
        return reply.document
    raise refused(reply)
