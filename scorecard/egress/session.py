"""The one `requests` session of integrations, catalogue sources, notifications and the command line's client.

Under it: one total deadline and one byte budget inside the socket, the resolved address judged and dialled,
certificates verified with a context that is built once, no environment, no cookies, no redirects unless asked.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3 import PoolManager, ProxyManager

from scorecard import __version__
from scorecard.egress.body import BadBodyError, decode, refuse_framing
from scorecard.egress.bounds import Bounds
from scorecard.egress.dial import Dialler, pool_classes
from scorecard.egress.errors import EgressError, mapped, was_dropped
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.strict_json import DEPTH, BadJsonError, read_json
from scorecard.egress.target import BadTargetError, Target, read_target
from scorecard.model import Cause

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_LAST_STATUS = 599
_CHUNK = 65_536
_SAFE = frozenset({"GET", "HEAD"})
_SECRET_FREE = ("Accept", "Accept-Encoding", "User-Agent")
"""Headers that go along to another origin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What one integration is asked with."""

    deadline: float = 10.0
    """Seconds for one request in all, redirects and names included."""
    budget: int = 16 << 20
    """Bytes of one answer, on the wire and decoded."""
    redirects: int = 0
    """How many are followed, at most 3."""
    headers: Mapping[str, str] | None = None
    """Sent with every request to the origin that was asked for; left out after a redirect to another."""
    ca_file: str | None = None
    """Certificates of a private authority, PEM, in place of Mozilla's."""
    proxy: str | None = None
    """A proxy that the operator named. It resolves names itself, so the address of the target is not judged."""


class PolicySession(requests.Session):
    """A session whose every method raises `EgressError` and nothing else for what the other side does."""

    def __init__(self, policy: AddressPolicy, resolver: Resolver, settings: SessionSettings | None = None) -> None:
        """Build the TLS context and the connection pools once; a session is made per integration and kept."""
        super().__init__()
        self.settings = settings or SessionSettings()
        self.trust_env = False
        self.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self.max_redirects = 0
        self._bounds = Bounds()
        adapter = _Adapter(Dialler(policy, resolver, self._bounds), self.settings)
        self.adapters.clear()
        self.mount("http://", adapter)
        self.mount("https://", adapter)
        self.headers["User-Agent"] = f"readiness-scorecard/{__version__}"
        self.headers["Accept-Encoding"] = "gzip"
        del self.headers["Connection"]
        self.headers.update(self.settings.headers or {})

    def request(self, method: str | bytes, url: str | bytes, *arguments: Any, **options: Any) -> requests.Response:  # noqa: ANN401 - requests'
        """Prepare and send, with the address read by us first: two readers of it could take it for two addresses."""
        target = _target(url if isinstance(url, str) else url.decode("latin-1"))
        try:
            return super().request(method, target.url, *arguments, **options)
        except EgressError:
            raise
        except Exception as error:  # headers and parameters that requests does not take
            raise EgressError(Cause.NOT_CONFIGURED, f"{target.url}: {type(error).__name__}: {error}") from error

    def get_json(self, url: str, *, depth: int = DEPTH, **options: Any) -> Any:  # noqa: ANN401 - whatever it holds
        """GET a JSON document.

        Raises:
            EgressError: the request failed, the status is not 2xx (`error.status` tells which), or the body is not
                strict JSON.
        """
        return json_of(self.get(url, **options), depth=depth)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send, follow what may be followed, and read the whole body, within the deadline and the budget."""
        deadline = options.get("timeout")
        seconds = float(deadline) if isinstance(deadline, int | float) else self.settings.deadline
        hops = min(self.settings.redirects, _MOST_REDIRECTS) if request.method in _SAFE else 0
        subject = f"{request.method} {request.url}"
        try:
            with self._bounds.set(seconds, self.settings.budget):
                return self._follow(request, hops)
        except EgressError:
            raise
        except Exception as error:  # urllib3 and http.client raise ValueError, UnicodeError and others
            raise mapped(subject, error, seconds) from error

    def _follow(self, request: requests.PreparedRequest, hops: int) -> requests.Response:
        while True:
            target = _target(request.url or "")
            request.url = target.url
            response = self._once(request)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not hops or not location:
                return response
            request = _redirected(request, target, location)
            hops -= 1

    def _once(self, request: requests.PreparedRequest) -> requests.Response:
        adapter = self.get_adapter(request.url or "")
        response: requests.Response | None
        try:
            response = adapter.send(request, stream=True)
        except requests.ConnectionError as error:
            # A connection that was kept may have been closed by the other side in this very moment.
            if request.method not in _SAFE or not was_dropped(error):
                raise
            response = None
        if response is None:  # a Response of 4xx is false
            response = adapter.send(request, stream=True)
        subject = f"{request.method} {request.url}"
        try:
            response._content = self._body(response, subject)  # noqa: SLF001 - requests has no other way to hand in a body
            response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        except BaseException:
            response.raw.close()
            raise
        return response

    def _body(self, response: requests.Response, subject: str) -> bytes:
        status = response.status_code
        headers = tuple((name.lower(), value) for name, value in response.raw.headers.items())
        if not 200 <= status <= _LAST_STATUS:  # noqa: PLR2004 - 1xx is never the last answer
            raise EgressError(Cause.BAD_RESPONSE, f"{subject}: the last answer is {status}")
        if 300 <= status < 400:  # noqa: PLR2004 - a redirect's body is never read
            response.raw.close()
            return b""
        try:
            refuse_framing(headers)
            data = b"".join(response.raw.stream(_CHUNK, decode_content=False))
            body = decode(data, response.headers.get("Content-Encoding", ""), self.settings.budget)
        except BadBodyError as error:
            raise EgressError(Cause.BAD_RESPONSE, f"{subject}: {error}") from None
        response.raw.release_conn()
        return body


def policy_session(policy: AddressPolicy, resolver: Resolver, **settings: Any) -> PolicySession:  # noqa: ANN401
    """A session under a policy; the keywords are those of `SessionSettings`."""
    return PolicySession(policy, resolver, replace(SessionSettings(), **settings))


def json_of(response: requests.Response, *, depth: int = DEPTH) -> Any:  # noqa: ANN401 - whatever it holds
    """The document in an answer.

    Raises:
        EgressError: the status is not 2xx, or the body is not strict JSON.
    """
    subject = f"{response.request.method} {response.url}"
    refuse_status(response)
    try:
        return read_json(response.content, depth=depth)
    except BadJsonError as error:
        raise EgressError(Cause.BAD_RESPONSE, f"{subject}: {error}", status=response.status_code) from None


def refuse_status(response: requests.Response) -> None:
    """Raise an `EgressError` with its cause unless the status is 2xx."""
    status = response.status_code
    if 200 <= status < 300:  # noqa: PLR2004 - success
        return
    causes = {401: Cause.ACCESS_DENIED, 403: Cause.ACCESS_DENIED, 407: Cause.ACCESS_DENIED, 429: Cause.RATE_LIMITED}
    causes |= {502: Cause.UNREACHABLE, 503: Cause.UNREACHABLE, 504: Cause.TIMEOUT}
    cause = causes.get(status, Cause.BAD_RESPONSE)
    raise EgressError(cause, f"{response.request.method} {response.url}: answered {status}", status=status)


def _target(url: str) -> Target:
    try:
        return read_target(url)
    except BadTargetError as error:
        raise EgressError(Cause.NOT_CONFIGURED, str(error)) from None


def _redirected(request: requests.PreparedRequest, origin: Target, location: str) -> requests.PreparedRequest:
    """The request that a redirect leads to; without our headers where it leads to another origin."""
    subject = f"{request.method} {request.url}"
    try:
        target = read_target(urljoin(origin.url, location))
    except (BadTargetError, ValueError) as error:
        raise EgressError(
            Cause.BAD_RESPONSE, f"{subject}: redirected to an address that is not followed: {error}"
        ) from None
    if origin.scheme == "https" and target.scheme == "http":
        raise EgressError(Cause.BAD_RESPONSE, f"{subject}: redirected from https to http")
    followed = request.copy()
    followed.url = target.url
    if target.origin != origin.origin:
        for name in [name for name in followed.headers if name not in _SECRET_FREE]:
            del followed.headers[name]
    return followed


class _Adapter(HTTPAdapter):
    """Connections that are dialled by us, with one TLS context."""

    def __init__(self, dialler: Dialler, settings: SessionSettings) -> None:
        self._classes = pool_classes(dialler)
        self._context = _context(settings, dialler)
        self._proxy = settings.proxy
        super().__init__(pool_connections=8, pool_maxsize=8, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_options: Any) -> None:  # noqa: ANN401, FBT001, FBT002 - requests' signature
        """Make the pools; requests calls this."""
        options = {"num_pools": connections, "maxsize": maxsize, "block": block, "ssl_context": self._context}
        if self._proxy:
            self.poolmanager = ProxyManager(self._proxy, proxy_ssl_context=self._context, **options)  # type: ignore[arg-type]
        else:
            self.poolmanager = PoolManager(**options)  # type: ignore[arg-type]
        self.poolmanager.pool_classes_by_scheme = self._classes

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *_a: Any, **_k: Any) -> Any:  # noqa: ANN401
        """The pool of the request's origin; the TLS context is the pool manager's."""
        return self.poolmanager.connection_from_url(request.url)

    def cert_verify(self, *_arguments: Any, **_options: Any) -> None:  # noqa: ANN401
        """Leave the connection alone: requests would have the CA file read again for each (20 ms)."""

    def request_url(self, request: requests.PreparedRequest, _proxies: Any) -> str:  # noqa: ANN401
        """The path, or through a proxy the whole address of a plain request."""
        url = request.url or ""
        return url if self._proxy and url.startswith("http:") else request.path_url


def _context(settings: SessionSettings, dialler: Dialler) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file or certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.sslsocket_class = dialler.tls_socket
    return context
