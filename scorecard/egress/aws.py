"""Clients of AWS: botocore signs and reads, our own session carries, under the address policy like everything else.

Credentials come from the environment, a file, a web identity or a container, never from the instance metadata service,
and a role is taken anew before it ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from scorecard.egress.errors import EgressError
from scorecard.egress.session import PolicySession, policy_session
from scorecard.evidence import Unavailable
from scorecard.model import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorecard.egress.policy import AddressPolicy
    from scorecard.egress.resolver import Resolver

SESSION_SECONDS = 3600
"""How long a role is taken for: the most that a role taken by a role may be."""
_RENEWED_AFTER = 0.8
CALLS_A_SECOND = 12.0
"""Of one account and region to one service; RDS takes no more (`quality.md`)."""
ATTEMPTS = 4
"""Of one call, the first included; in between botocore waits by its own adaptive clock."""
_WORDS = 300

THROTTLED = frozenset(
    {
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
        "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException", "BandwidthLimitExceeded",
        "ProvisionedThroughputExceededException", "SlowDown", "PriorRequestNotComplete",
    }
)  # fmt: skip
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
DENIED = EXPIRED | frozenset(
    {
        "AccessDenied", "AccessDeniedException", "AuthFailure", "AuthorizationError", "IncompleteSignature",
        "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken",
        "NotAuthorized", "OptInRequired", "SignatureDoesNotMatch", "UnauthorizedOperation", "UnauthorizedException",
        "UnrecognizedClientException",
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
    """Seconds for one attempt of one call, names and all."""

    @classmethod
    def of(cls, instance: Any, account: str) -> Account:  # noqa: ANN401 - `scorecard.config`'s AwsInstance
        """The instance, with the account put into its role."""
        return cls(
            name=instance.name,
            regions=instance.regions,
            account=account,
            role=(instance.role or "").replace("{account}", account),
            external_id=instance.external_id or "",
            endpoint_url=instance.endpoint_url,
            ca_file=str(instance.ca_file) if instance.ca_file else None,
            proxy=instance.proxy,
            timeout=instance.timeout.total_seconds(),
        )

    @property
    def label(self) -> str:
        """`aws/main/111122223333`."""
        return "/".join(word for word in ("aws", self.name, self.account) if word)


class AwsError(Exception):
    """A call that brought no answer, with its cause."""

    def __init__(self, cause: Cause, detail: str, *, code: str = "") -> None:
        super().__init__(detail)
        self.unavailable = Unavailable(cause, detail)
        self.code = code
        """AWS's own word for it, such as `AccessDenied`; empty where AWS said nothing."""


@dataclass
class Pace:
    """At most so many attempts a second; whoever is early waits."""

    rate: float
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        """Until it is this attempt's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + 1 / self.rate
        if turn > now:
            time.sleep(turn - now)


@dataclass(frozen=True, slots=True)
class _Taken:
    """Credentials for one account; None where botocore's own chain has them."""

    until: datetime
    keys: Mapping[str, str] | None


@cache
def models() -> Any:  # noqa: ANN401 - botocore has no types
    """What reads botocore's descriptions of AWS, which are megabytes: each is read once, for all sessions.

    For clients alone: botocore rewrites what was loaded, S3's addresses among it, when it makes one.
    """
    import botocore.loaders

    return botocore.loaders.create_loader()


class Clients:
    """A client for each account, service and region, made once; attempts are paced and counted."""

    def __init__(
        self,
        policy: AddressPolicy,
        resolver: Resolver,
        clock: Callable[[], datetime],
        *,
        rate: float = CALLS_A_SECOND,
        attempts: int = ATTEMPTS,
    ) -> None:
        """Nothing is asked and nothing is made before somebody needs it."""
        self._policy, self._resolver, self._clock = policy, resolver, clock
        self._rate, self._attempts = rate, attempts
        self._lock = threading.Lock()
        self._made: dict[tuple[Account, str, str], tuple[_Taken, Any]] = {}
        self._taken: dict[Account, _Taken] = {}
        self._taking: dict[Account, threading.Lock] = {}
        self._paces: dict[tuple[Account, str, str], Pace] = {}
        self._sessions: dict[tuple[str | None, str | None, float], PolicySession] = {}
        self._counted: dict[tuple[str, str], int] = {}
        self._denied: dict[tuple[str, str, str], str] = {}
        self._own: Any = None

    def call(self, account: Account, region: str, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - the operation's
        """The answer of one operation, `DescribeDBInstances` of `rds`; once more where credentials had expired.

        Raises:
            AwsError: there is no answer.
        """
        where = f"{account.label}, {service}:{operation} in {region}"
        try:
            return self._once(account, region, service, operation, parameters, where)
        except AwsError as error:
            if error.code not in EXPIRED:
                raise self._noted(account, region, f"{service}:{operation}", error) from None
            self.renew(account)
            return self._once(account, region, service, operation, parameters, where)

    def renew(self, account: Account) -> None:
        """Forget the account's credentials: AWS says that they have expired."""
        with self._lock:
            self._taken.pop(account, None)

    def counted(self) -> dict[tuple[str, str], int]:
        """Attempts since the last question, by (account's label, region)."""
        with self._lock:
            counted, self._counted = self._counted, {}
        return counted

    def denied(self) -> dict[tuple[str, str, str], str]:
        """What was denied since the last question, in words, by (account, region, `rds:DescribeDBInstances`)."""
        with self._lock:
            denied, self._denied = self._denied, {}
        return denied

    def _noted(self, account: Account, region: str, name: str, error: AwsError) -> AwsError:
        if error.unavailable.cause is Cause.ACCESS_DENIED:
            with self._lock:
                self._denied[account.label, region, name] = error.unavailable.detail
        return error

    def _once(
        self, account: Account, region: str, service: str, operation: str, parameters: Mapping[str, Any], where: str
    ) -> dict[str, Any]:
        try:
            client = self._client(account, service, region, where)
            answer: dict[str, Any] = getattr(client, _method(operation))(**parameters)
        except AwsError:
            raise
        except Exception as error:  # noqa: BLE001 - botocore raises ValueError, KeyError and others besides its own
            raise _mapped(error, where) from None
        return answer

    def _client(self, account: Account, service: str, region: str, where: str) -> Any:  # noqa: ANN401 - botocore has no types
        taken = self._credentials(account, region, where)
        with self._lock:
            made = self._made.get((account, service, region))
            if made is None or made[0] is not taken:
                made = (taken, self._make(account, service, region, taken.keys or {}))
                self._made[account, service, region] = made
            return made[1]

    def _credentials(self, account: Account, region: str, where: str) -> _Taken:
        with self._lock:
            taking = self._taking.setdefault(account, threading.Lock())
        # Not under the one lock of all accounts, for taking a role is a question to another machine.
        with taking:
            now = self._clock()
            taken = self._taken.get(account)
            if taken is None or now >= taken.until:
                keys = self._take(account, region, where) if account.role else None
                taken = _Taken(now + timedelta(seconds=SESSION_SECONDS * _RENEWED_AFTER), keys)
                with self._lock:
                    if not account.role:
                        self._own = None
                    self._taken[account] = taken
            return taken

    def _take(self, account: Account, region: str, where: str) -> Mapping[str, str]:
        extra = {"ExternalId": account.external_id} if account.external_id else {}
        with self._lock:
            client = self._make(account, "sts", region, {})
        try:
            answer = client.assume_role(
                RoleArn=account.role,
                RoleSessionName="readiness-scorecard",
                DurationSeconds=SESSION_SECONDS,
                **extra,
            )
            keys = answer["Credentials"]
            return {
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"],
            }
        except Exception as error:  # noqa: BLE001 - as above
            raise _mapped(error, f"{where}: taking the role {account.role}") from None

    def _make(self, account: Account, service: str, region: str, keys: Mapping[str, str]) -> Any:  # noqa: ANN401 - as above
        """Under the lock: a session of botocore is not made for threads, its clients are."""
        from botocore.config import Config

        client = self._botocore().create_client(
            service,
            region_name=region,
            endpoint_url=account.endpoint_url,
            config=Config(
                retries={"total_max_attempts": self._attempts, "mode": "adaptive"},
                # `auto` would ask the instance metadata service where we are.
                defaults_mode="legacy",
                s3={"addressing_style": "path"} if account.endpoint_url else None,
                user_agent_extra="readiness-scorecard",
            ),
            **keys,
        )
        pace = self._paces.setdefault((account, service, region), Pace(self._rate))
        carrier = _Carrier(self._session(account), pace, lambda: self._count(account, region))
        client.meta.events.register("before-send", carrier)
        return client

    def _botocore(self) -> Any:  # noqa: ANN401 - as above
        if self._own is None:
            import botocore.session

            # Two ways lead there: the chain's last link, and a profile that names it. An answer from there holds
            # the credentials of the machine, which are not ours.
            os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
            self._own = botocore.session.Session()
            self._own.register_component("data_loader", models())
            self._own.get_component("credential_provider").remove("iam-role")
        return self._own

    def _session(self, account: Account) -> PolicySession:
        key = (account.ca_file, account.proxy, account.timeout)
        if key not in self._sessions:
            try:
                self._sessions[key] = policy_session(
                    self._policy,
                    self._resolver,
                    ca_file=account.ca_file,
                    proxy=account.proxy,
                    deadline=account.timeout,
                )
            except OSError as error:
                words = f"integrations.aws {account.name}: ca_file: {error}"
                raise AwsError(Cause.NOT_CONFIGURED, words) from None
        return self._sessions[key]

    def _count(self, account: Account, region: str) -> None:
        with self._lock:
            key = (account.label, region)
            self._counted[key] = self._counted.get(key, 0) + 1


class _Carrier:
    """Sends what botocore has signed; its event `before-send` takes an answer in place of its own transport's."""

    def __init__(self, session: PolicySession, pace: Pace, count: Callable[[], None]) -> None:
        self._session, self._pace, self._count = session, pace, count

    def __call__(self, request: Any, **_: Any) -> Any:  # noqa: ANN401 - botocore's AWSPreparedRequest and AWSResponse
        from botocore.awsrequest import AWSResponse
        from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

        self._pace.wait()
        self._count()
        headers = {name: _text(value) for name, value in request.headers.items()}
        # Our session has its own word on length and encoding; the signature does not cover them.
        headers.pop("Content-Length", None)
        try:
            answer = self._session.request(request.method, request.url, headers=headers, data=_body(request.body))
        except EgressError as error:
            # Only these are tried again by botocore; the address that the policy refuses is not.
            if error.cause is Cause.TIMEOUT:
                raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
            if error.cause is Cause.UNREACHABLE and "closed" in error.message:
                raise ConnectionClosedError(endpoint_url=request.url, error=error) from error
            if error.cause is Cause.UNREACHABLE:
                raise EndpointConnectionError(endpoint_url=request.url, error=error) from error
            raise
        kept = {name: value for name, value in answer.headers.items() if name.lower() != "content-encoding"}
        return AWSResponse(request.url, answer.status_code, kept, _Raw(answer.content))


@dataclass(frozen=True, slots=True)
class _Raw:
    """A body that was read already, as botocore reads bodies."""

    content: bytes

    def stream(self, **_: Any) -> Iterator[bytes]:  # noqa: ANN401 - urllib3's
        """The whole of it."""
        yield self.content

    def read(self, _amount: int | None = None, **_: Any) -> bytes:  # noqa: ANN401 - as above
        """The whole of it, too."""
        return self.content


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _body(body: Any) -> Any:  # noqa: ANN401 - bytes, text or a file
    return body.read() if hasattr(body, "read") else body


def _method(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))


def _mapped(error: Exception, where: str) -> AwsError:
    """What botocore raised, as a cause."""
    from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError, ReadTimeoutError

    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, EgressError):
        inner = inner.__cause__ or inner.__context__
    if isinstance(inner, EgressError):
        words = inner.message.rpartition(": ")[2] if "?" in inner.message else inner.message
        return AwsError(inner.cause, f"{where}: {words}")
    if isinstance(error, ClientError):
        return _said(error, where)
    if isinstance(error, ReadTimeoutError):
        return AwsError(Cause.TIMEOUT, f"{where}: no answer in time")
    if isinstance(error, NoCredentialsError):
        return AwsError(Cause.NOT_CONFIGURED, f"{where}: there are no AWS credentials here")
    if isinstance(error, HTTPClientError):
        return AwsError(Cause.UNREACHABLE, f"{where}: {error}")
    return AwsError(Cause.BAD_RESPONSE, f"{where}: {type(error).__name__}: {str(error)[:_WORDS]}")


def _said(error: Any, where: str) -> AwsError:  # noqa: ANN401 - botocore's ClientError
    told = error.response.get("Error", {})
    code, status = str(told.get("Code", "")), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    words = f"{where}: {code}: {' '.join(str(told.get('Message', '')).split())[:_WORDS]}".rstrip(": ")
    if code in THROTTLED or status == 429:  # noqa: PLR2004 - too many requests
        return AwsError(Cause.RATE_LIMITED, words, code=code)
    if code in DENIED or status in {401, 403}:
        return AwsError(Cause.ACCESS_DENIED, words, code=code)
    if status >= 500:  # noqa: PLR2004 - 5xx
        return AwsError(Cause.UNREACHABLE, words, code=code)
    return AwsError(Cause.BAD_RESPONSE, words, code=code)


__all__ = ["Account", "AwsError", "Clients", "Pace"]
