"""One libcurl transfer: its options, what it may receive, and what its end means.

libcurl 8 does most of what is promised here. What it lets through is refused by us: status codes outside 100 to 599,
status lines of other protocols, hundreds of headers, contradictory framing, a certificate without a subject alternative
name.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pycurl

from scorecard import __version__
from scorecard.egress.answer import Get, Got
from scorecard.egress.body import BadBodyError, decode, refuse_framing
from scorecard.egress.handshake import shown_certificate, tls_reason
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.target import Target
from scorecard.evidence.health import Reply
from scorecard.model import Cause

HEADER_BUDGET = 32_768
"""Bytes of all heads of one answer, 1xx and trailers included."""
HEADER_LINES = 100
USER_AGENT = f"readiness-scorecard/{__version__} (health probe)"

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\r?\n")
_FIELDS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r?\n)*")
_FIXED_HEADERS = [f"User-Agent: {USER_AGENT}", "Accept: */*", "Accept-Encoding: identity"]
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a transfer is to connect."""

    target: Target
    addresses: tuple[str, ...]
    """Judged addresses of a name; empty for a literal."""
    timeout: float
    """Seconds that are left of the deadline."""
    reuse: bool = False
    """The connection of the request before it is taken."""
    keep: bool = False
    """The connection is left for the request after it."""


class _Lent:
    """A new socket for pycurl, which duplicates it and drops this at once.

    Closed then and not later: while it is open, epoll would go on to report a connection that libcurl has closed.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def __del__(self) -> None:
        os.close(self._descriptor)


class Transfer:
    """An easy handle that is used for one GET after another."""

    def __init__(self, policy: AddressPolicy, ca_file: str) -> None:
        """Set what all GETs have in common."""
        self._policy = policy
        self.easy: Any = pycurl.Curl()
        self._headers: tuple[tuple[str, str], ...] = ()
        self._resolving = False
        self._set_fixed(ca_file)
        self._clear()

    def _set_fixed(self, ca_file: str) -> None:
        set_ = self.easy.setopt
        for option, value in (
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.REDIR_PROTOCOLS, 0),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.HTTP09_ALLOWED, 0),
            (pycurl.PROXY, ""),
            (pycurl.NOPROXY, "*"),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.NOSIGNAL, 1),
            (pycurl.PATH_AS_IS, 1),
            (pycurl.DNS_CACHE_TIMEOUT, 0),
            (pycurl.BUFFERSIZE, 16_384),
            (pycurl.CAINFO, ca_file),
            (pycurl.SSL_VERIFYPEER, 1),
            (pycurl.SSL_VERIFYHOST, 2),
            (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
            # A resumed session is not verified again.
            (pycurl.SSL_SESSIONID_CACHE, 0),
            (pycurl.HTTPHEADER, _FIXED_HEADERS),
            (pycurl.WRITEFUNCTION, self._on_body),
            (pycurl.HEADERFUNCTION, self._on_header),
            (pycurl.OPENSOCKETFUNCTION, self._on_socket),
        ):
            set_(option, value)

    def _clear(self) -> None:
        self.get: Get | None = None
        self.plan: Plan | None = None
        self.address = ""
        self._chunks: list[bytes] = []
        self._size = 0
        self._lines: list[bytes] = []
        self._head_ended = False
        self._header_bytes = 0
        self._header_lines = 0
        self._broken = ""
        self._refused = ""
        self._redirect = False
        self._crash: BaseException | None = None
        self._days: float | None = None

    def begin(self, get: Get, plan: Plan) -> None:
        """Take the options of one GET; the caller adds `easy` to its multi handle."""
        self._clear()
        self.get, self.plan = get, plan
        set_ = self.easy.setopt
        set_(pycurl.URL, plan.target.url)
        set_(pycurl.TIMEOUT_MS, max(1, int(plan.timeout * 1000)))
        set_(pycurl.FRESH_CONNECT, not plan.reuse)
        set_(pycurl.FORBID_REUSE, not plan.keep)
        if plan.target.scheme == "https":
            set_(pycurl.OPT_CERTINFO, not plan.reuse)
        if plan.addresses:
            joined = ",".join(f"[{one}]" if ":" in one else one for one in plan.addresses)
            set_(pycurl.RESOLVE, [f"{plan.target.host}:{plan.target.port}:{joined}"])
            self._resolving = True
        elif self._resolving:
            self.easy.unsetopt(pycurl.RESOLVE)
            self._resolving = False
        if get.headers != self._headers:
            set_(pycurl.HTTPHEADER, [*_FIXED_HEADERS, *(f"{name}: {value}" for name, value in get.headers)])
            self._headers = get.headers

    # --- libcurl's callbacks: whatever is raised in one of them belongs to this transfer alone

    def _on_socket(self, _purpose: int, address: Any) -> Any:  # noqa: ANN401 - pycurl's tuple
        try:
            family, kind, protocol, place = address
            host = f"{place[0]}%{place[3]}" if len(place) > 3 and place[3] else place[0]  # noqa: PLR2004 - AF_INET6
            if refusal := self._policy.refuses(host, place[1]):
                self._refused = refusal
                return pycurl.SOCKET_BAD
            self.address = host
            return _Lent(socket.socket(family, kind, protocol).detach())
        except BaseException as error:  # noqa: BLE001 - see above
            self._crash = error
            return pycurl.SOCKET_BAD

    def _on_header(self, line: bytes) -> int:
        try:
            return self._take_header(line)
        except BaseException as error:  # noqa: BLE001 - see above
            self._crash = error
            return -1

    def _take_header(self, line: bytes) -> int:
        self._header_bytes += len(line)
        self._header_lines += 1
        if self._header_bytes > HEADER_BUDGET:
            self._broken = f"the headers are over {HEADER_BUDGET} bytes"
        elif self._header_lines > HEADER_LINES:
            self._broken = f"the headers are over {HEADER_LINES} lines"
        if self._broken:
            return -1
        if self._head_ended:
            # Only after a 1xx does another head follow; behind a final one stand trailers, whatever they look like.
            if line.startswith(b"HTTP/") and self._lines and self._lines[0][9:10] == b"1":
                self._head_ended = False
                self._lines = [line]
            return len(line)
        if line in {b"\r\n", b"\n"}:
            self._head_ended = True
            status = self._lines[0][9:12] if self._lines else b""
            if status[:1] == b"3":
                self._redirect = True
                return -1
            return len(line)
        self._lines.append(line)
        return len(line)

    def _on_body(self, data: bytes) -> int:
        try:
            self._size += len(data)
            if self.get is not None and self._size > self.get.budget:
                self._broken = f"the body is over {self.get.budget} bytes"
                return -1
            self._chunks.append(data)
            return len(data)
        except BaseException as error:  # noqa: BLE001 - see above
            self._crash = error
            return -1

    # --- the end

    def finish(self, code: int, message: str, now: datetime, certificate: float | None) -> Got:
        """What the transfer came to.

        Args:
            code: libcurl's, 0 for success.
            message: libcurl's words.
            now: for the days that a certificate has left.
            certificate: days left, from the request before it on the same connection.
        """
        get, plan = self.get, self.plan
        if get is None or plan is None:
            raise RuntimeError("finish() without begin()")
        if self._crash is not None:
            return _crashed(get, self._crash)
        self._days = certificate
        if plan.target.scheme == "https" and (seen := shown_certificate(self.easy)):
            self._days = (seen.expires - now).total_seconds() / _DAY
            if not seen.named:
                return self._ended(Reply.TLS_FAILED, "the certificate has no subject alternative name")
        if self._broken:
            return self._ended(Reply.BROKEN, self._broken)
        if code and not self._redirect:
            return self._failed(plan, code, message)
        return self._answered(get)

    def _ended(self, reply: Reply, detail: str = "", cause: Cause | None = None, **answer: Any) -> Got:  # noqa: ANN401 - the answer's fields
        get, plan = self.get, self.plan
        if get is None or plan is None:
            raise RuntimeError("ended without begin()")
        return Got(
            key=get.key,
            url=plan.target.url,
            reply=reply,
            milliseconds=self.easy.getinfo(pycurl.TOTAL_TIME) * 1000,
            detail=detail,
            cause=cause,
            address=self.address or self.easy.getinfo(pycurl.PRIMARY_IP) or "",
            certificate_expires_in=self._days,
            **answer,
        )

    def _answered(self, get: Get) -> Got:
        """A complete answer by libcurl's measure, held to ours."""
        if trouble := self._head_trouble():
            return self._ended(Reply.BROKEN, trouble)
        headers = tuple(_field(line) for line in b"".join(self._lines[1:]).decode("latin-1").splitlines())
        encodings = ", ".join(value for name, value in headers if name == "content-encoding")
        try:
            refuse_framing(headers, self._lines[0][5:8])
            body = decode(b"".join(self._chunks), encodings, get.budget)
        except BadBodyError as error:
            return self._ended(Reply.BROKEN, str(error), headers=headers)
        return self._ended(Reply.ANSWERED, headers=headers, status=int(self._lines[0][9:12]), body=body)

    def _head_trouble(self) -> str:
        """What is wrong with the status line and the header lines; empty when they are sound."""
        first = self._lines[0] if self._lines else b""
        if not _STATUS_LINE.fullmatch(first):
            return f"the status line is {_shown(first)}"
        if not self._head_ended:
            return "the connection was closed within the headers"
        if first[9:10] == b"1":
            return f"the last answer is {_shown(first)}, which is not a final one"
        if _FIELDS.fullmatch(b"".join(self._lines[1:])):
            return ""
        bad = next((line for line in self._lines[1:] if not _FIELDS.fullmatch(line)), b"")
        return f"a header line is {_shown(bad)}"

    def _failed(self, plan: Plan, code: int, message: str) -> Got:
        """What one of libcurl's errors says about the target, or about us."""
        if self._refused:
            return self._ended(Reply.NOT_SENT, self._refused, Cause.NOT_CONFIGURED)
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return self._ended(Reply.TIMED_OUT, self._stage(plan))
        if code in _TLS_ERRORS:
            return self._tls_failed(message)
        if code == pycurl.E_COULDNT_CONNECT:
            return self._not_connected(self.easy.getinfo(pycurl.OS_ERRNO), message)
        return self._broke_off(code, message or f"libcurl error {code}")

    def _broke_off(self, code: int, words: str) -> Got:
        """After the connection was made, or before for a reason of ours."""
        if code in {pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR} and self._was_reset():
            return self._ended(Reply.REFUSED, "connection reset")
        if code in _OURS or not (self.address or self.easy.getinfo(pycurl.PRIMARY_IP)):
            return self._ended(Reply.NOT_SENT, words, Cause.SCORECARD_FAULT)
        return self._ended(Reply.BROKEN, words)

    def _was_reset(self) -> bool:
        return self.easy.getinfo(pycurl.OS_ERRNO) in {errno.ECONNRESET, errno.EPIPE}

    def _tls_failed(self, message: str) -> Got:
        if self._was_reset():
            return self._ended(Reply.REFUSED, "connection reset in the TLS handshake")
        return self._ended(Reply.TLS_FAILED, tls_reason(message))

    def _not_connected(self, number: int, message: str) -> Got:
        if number in _NO_ROUTE:
            return self._ended(Reply.NOT_SENT, _NO_ROUTE[number], Cause.SCORECARD_FAULT)
        if number == errno.ETIMEDOUT:
            return self._ended(Reply.TIMED_OUT, "the system gave up connecting")
        return self._ended(Reply.REFUSED, _REFUSALS.get(number, message or "not connected"))

    def _stage(self, plan: Plan) -> str:
        """How far a transfer came that ran out of time."""
        limit = f"within {plan.timeout:.2g} s"
        fresh = not plan.reuse
        if fresh and not self.easy.getinfo(pycurl.CONNECT_TIME):
            words = "no connection"
        elif fresh and plan.target.scheme == "https" and not self.easy.getinfo(pycurl.APPCONNECT_TIME):
            words = "the TLS handshake was not complete"
        elif not self._lines:
            words = "no status line"
        elif not self._head_ended:
            words = "the headers were not complete"
        elif self._lines[0][9:10] == b"1":
            words = f"nothing after {_shown(self._lines[0])}"
        else:
            return f"the body was not complete {limit}, after {self._size} bytes"
        return f"{words} {limit}"

    def close(self) -> None:
        """Free the handle and the circle of callbacks."""
        self.easy.close()


_TLS_ERRORS = frozenset(
    {
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_SSL_INVALIDCERTSTATUS,
        pycurl.E_SSL_ISSUER_ERROR,
    }
)
_OURS = frozenset(
    {
        pycurl.E_OUT_OF_MEMORY,
        pycurl.E_FAILED_INIT,
        pycurl.E_URL_MALFORMAT,
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ENGINE_INITFAILED,
        pycurl.E_ABORTED_BY_CALLBACK,
        pycurl.E_BAD_FUNCTION_ARGUMENT,
        pycurl.E_INTERFACE_FAILED,
    }
)
_NO_ROUTE = {
    errno.ENETUNREACH: "no route from here to that network",
    errno.ENETDOWN: "our network is down",
    errno.EADDRNOTAVAIL: "no local port is free",
    errno.EACCES: "our own firewall refused the connection",
    errno.EPERM: "our own firewall refused the connection",
}


_REFUSALS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "no route to host",
}


def _crashed(get: Get, error: BaseException) -> Got:
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        return Got(
            key=get.key,
            url=get.url,
            reply=Reply.NOT_SENT,
            detail="no file descriptor is left in this process",
            cause=Cause.SCORECARD_FAULT,
        )
    return crashed(get, error)


def crashed(get: Get, error: BaseException) -> Got:
    """The end of a GET in which our own code raised."""
    detail = f"{type(error).__name__} while it was probed"
    return Got(key=get.key, url=get.url, reply=Reply.NOT_SENT, detail=detail, cause=Cause.PROBE_ERROR)


def _shown(line: bytes) -> str:
    return repr(line[:80].decode("latin-1").rstrip("\r\n"))


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()
