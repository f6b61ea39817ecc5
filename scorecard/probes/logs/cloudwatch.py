"""CloudWatch Logs: `logs:FilterLogEvents` with a quoted term.

JSON filter patterns and Insights are not used: a stand-in ignores them and answers with everything, and Insights costs.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from scorecard.evidence.logs import LogSystem
from scorecard.model import Cause
from scorecard.probes.logs.lines import Line, Unwrapper
from scorecard.probes.logs.source import BEFORE, MOST_LINES, Lines, SourceError, moment, part

_MOST_PAGES = 30
"""An empty page with a token is legal: the service stops looking after a while, not at the end."""
_WINDOWS = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=24))
"""A sample looks further back until it has enough; events come oldest first."""
_SESSION_SECONDS = 3600
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ATTEMPTS = 2

_THROTTLED = frozenset({"ThrottlingException", "Throttling", "LimitExceededException", "RequestLimitExceeded"})
_DENIED = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId",
        "ExpiredToken", "ExpiredTokenException", "SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure",
        "UnauthorizedOperation", "MissingAuthenticationToken", "IncompleteSignature", "OptInRequired",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """One instance of `integrations.aws` as it is asked about one account."""

    name: str
    regions: tuple[str, ...]
    account: str = ""
    role: str = ""
    """With the account filled in; empty for the process's own credentials."""
    external_id: str = ""
    endpoint_url: str | None = None
    ca_file: str | None = None
    proxy: str | None = None
    timeout: float = 10.0


@dataclass(slots=True)
class Clients:
    """boto3's clients, made once for each account and region, with credentials that are renewed before they end."""

    clock: Callable[[], datetime]
    _made: dict[tuple[Account, str], tuple[datetime, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def logs(self, account: Account, region: str) -> Any:  # noqa: ANN401 - boto3 has no types
        """The client; raises `SourceError` where the role cannot be taken."""
        now = self.clock()
        with self._lock:
            until, client = self._made.get((account, region), (now, None))
        if client is None or now >= until:
            # Not under the lock, for taking a role is a question to another machine.
            client = self._make(account, region)
            with self._lock:
                self._made[account, region] = (now + timedelta(seconds=_SESSION_SECONDS * 0.8), client)
        return client

    def _make(self, account: Account, region: str) -> Any:  # noqa: ANN401 - as above
        import boto3
        from botocore.config import Config

        options = {
            "region_name": region,
            "endpoint_url": account.endpoint_url,
            "verify": account.ca_file,
            "config": Config(
                connect_timeout=account.timeout,
                read_timeout=account.timeout,
                retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
                # An empty mapping, for None would mean the environment's.
                proxies={"http": account.proxy, "https": account.proxy} if account.proxy else {},
                max_pool_connections=4,
            ),
        }
        with _mapped(f"aws/{account.name}"):
            session = boto3.Session()
            if not account.role:
                return session.client("logs", **options)
            extra = {"ExternalId": account.external_id} if account.external_id else {}
            answer = session.client("sts", **options).assume_role(
                RoleArn=account.role,
                RoleSessionName="readiness-scorecard",
                DurationSeconds=_SESSION_SECONDS,
                **extra,
            )
            taken = answer["Credentials"]
            return session.client(
                "logs",
                aws_access_key_id=taken["AccessKeyId"],
                aws_secret_access_key=taken["SecretAccessKey"],
                aws_session_token=taken["SessionToken"],
                **options,
            )


@dataclass(frozen=True, slots=True)
class CloudWatchSource:
    """One log group, in the first of the account's regions that has it."""

    clients: Clients
    account: Account
    group: str

    system = LogSystem.CLOUDWATCH

    @property
    def name(self) -> str:
        """Account and group."""
        return f"{self.lane} {self.group}"

    @property
    def lane(self) -> str:
        """The instance and the account; a rate limit counts by account and region."""
        return "/".join(word for word in ("aws", self.account.name, self.account.account) if word)

    def mark(self, at: datetime) -> str:
        """A moment before the request."""
        return (at - BEFORE).isoformat()

    def sample(self, count: int, now: datetime) -> Lines:
        """About so many lines of the last minutes, hour or day."""
        found = Lines()
        for window in _WINDOWS:
            found = self._events("", now - window, now, most=max(count * 4, MOST_LINES))
            if len(found.lines) >= count:
                break
        return Lines(lines=found.lines[-count:], cut=found.cut)

    def find(self, needles: Sequence[str], mark: str, until: datetime) -> Lines:
        """One question for each text."""
        start = moment(mark)
        found = [self._events(needle, start, until, most=MOST_LINES) for needle in needles or ("",)]
        return Lines(
            lines=tuple(line for lines in found for line in lines.lines), cut=any(lines.cut for lines in found)
        )

    def repeat(self, needle: str, mark: str) -> str:
        """By the AWS command line."""
        words = ["aws", "logs", "filter-log-events", "--region", self.account.regions[0]]
        words += ["--log-group-name", self.group]
        if mark:
            words += ["--start-time", str(_milliseconds(moment(mark)))]
        if needle:
            words += ["--filter-pattern", f'"{needle}"']
        return shlex.join(words)

    def _events(self, needle: str, start: datetime, end: datetime, *, most: int) -> Lines:
        for region in self.account.regions:
            events = self._pages(region, needle, start, end, most)
            if events is not None:
                return events
        regions = ", ".join(self.account.regions)
        raise SourceError(Cause.NO_DATA, f"{self.lane}: there is no log group {self.group} in {regions}")

    def _pages(self, region: str, needle: str, start: datetime, end: datetime, most: int) -> Lines | None:
        """The events of one region; None where the group is not there."""
        options: dict[str, Any] = {
            "logGroupName": self.group,
            "startTime": _milliseconds(start),
            "endTime": _milliseconds(end) + 1000,
            "limit": min(most, 10_000),
        }
        if needle:
            options["filterPattern"] = f'"{needle}"'
        where = f"{self.lane}, logs:FilterLogEvents {self.group} in {region}"
        client = self.clients.logs(self.account, region)
        found: list[tuple[datetime, str, Line]] = []
        for _ in range(_MOST_PAGES):
            with _mapped(where) as attempt:
                answer = client.filter_log_events(**options)
            if attempt.not_found:
                return None
            found += [_event(event, where) for event in part(answer, "events", kind=list, where=where)]
            token = answer.get("nextToken")
            if not token or token == options.get("nextToken"):
                return Lines(lines=tuple(_unwrapped(found)))
            if len(found) >= most:
                break
            options["nextToken"] = token
        return Lines(lines=tuple(_unwrapped(found)), cut=True)


def _event(event: object, where: str) -> tuple[datetime, str, Line]:
    at = _time(part(event, "timestamp", kind=int, where=where), where)
    ingested = event.get("ingestionTime") if isinstance(event, dict) else None
    line = Line(
        text=part(event, "message", kind=str, where=where),
        at=at,
        ingested_at=_time(ingested, where) if isinstance(ingested, int) else None,
    )
    stream = event.get("logStreamName") if isinstance(event, dict) else ""
    return at, stream if isinstance(stream, str) else "", line


def _unwrapped(found: Sequence[tuple[datetime, str, Line]]) -> Iterator[Line]:
    """Lines without the envelopes that agents leave on, by stream, in the order of time."""
    unwrappers: dict[str, Unwrapper] = {}
    for at, stream, line in sorted(found, key=lambda one: one[0]):
        for inner in unwrappers.setdefault(stream, Unwrapper()).lines([line.text.rstrip("\n")], at=at):
            yield Line(text=inner.text, at=inner.at, ingested_at=line.ingested_at)


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _time(value: int, where: str) -> datetime:
    try:
        return _EPOCH + value * _MILLISECOND
    except OverflowError:
        raise SourceError(Cause.BAD_RESPONSE, f"{where}: the time of an event is out of range") from None


class _mapped:  # noqa: N801 - used as a function is
    """Maps whatever boto3 raises; a resource that does not exist is no error but `not_found`."""

    __slots__ = ("_where", "not_found")

    def __init__(self, where: str) -> None:
        self._where = where
        self.not_found = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code == "ResourceNotFoundException":
                self.not_found = True
                return True
            raise SourceError(_cause_of(code, error), f"{self._where}: {error}") from None
        if isinstance(error, ReadTimeoutError | ConnectTimeoutError):
            raise SourceError(Cause.TIMEOUT, f"{self._where}: no answer in time") from None
        if isinstance(error, NoCredentialsError):
            raise SourceError(Cause.NOT_CONFIGURED, f"{self._where}: there are no AWS credentials here") from None
        if isinstance(error, BotoConnectionError | HTTPClientError):
            raise SourceError(Cause.UNREACHABLE, f"{self._where}: {error}") from None
        if isinstance(error, BotoCoreError | ValueError):
            raise SourceError(Cause.BAD_RESPONSE, f"{self._where}: {type(error).__name__}: {error}") from None
        return False


def _cause_of(code: str, error: ClientError) -> Cause:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == 429:  # noqa: PLR2004 - too many requests
        return Cause.RATE_LIMITED
    if code in _DENIED or status in {401, 403}:
        return Cause.ACCESS_DENIED
    return Cause.BAD_RESPONSE
