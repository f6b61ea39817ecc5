"""What went wrong on the way out, mapped once from whatever urllib3, http.client and ssl raise."""

from __future__ import annotations

import ssl
from http.client import RemoteDisconnected

from scorecard.egress.bounds import OverBudgetError
from scorecard.model import Cause


class EgressError(Exception):
    """A request that brought no usable answer; says nothing about a service, only that we do not know.

    The message names the request: `GET https://…: connection refused`.
    """

    def __init__(self, cause: Cause, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.status = status
        """The HTTP status, where there was an answer."""


class RefusedAddressError(OSError):
    """The address policy says no."""


class NoAddressError(OSError):
    """The name led nowhere."""


def mapped(subject: str, error: BaseException, seconds: float) -> EgressError:
    """Find the reason in the chain of an exception that a request raised which had so many seconds."""
    chain = _chain(error)
    for kind, cause, words in _KINDS:
        for inner in chain:
            if isinstance(inner, kind):
                return EgressError(cause, f"{subject}: {words.format(error=inner, seconds=seconds)}")
    for inner in chain:
        if isinstance(inner, OSError) and inner.errno:
            return EgressError(Cause.UNREACHABLE, f"{subject}: {inner.strerror or inner}")
    return EgressError(Cause.BAD_RESPONSE, f"{subject}: {type(error).__name__}: {str(error)[:200]}")


def _chain(error: BaseException) -> list[BaseException]:
    """The exception, its reasons and causes, innermost first."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < 20:  # noqa: PLR2004 - a chain that is longer is a circle
        one = todo.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found[::-1]


def was_dropped(error: BaseException) -> bool:
    """Whether the other side closed the connection before a byte of an answer came."""
    return any(
        isinstance(inner, RemoteDisconnected | ConnectionResetError | BrokenPipeError) for inner in _chain(error)
    )


# In this order: each class stands before those that it derives from.
_KINDS: tuple[tuple[type[BaseException], Cause, str], ...] = (
    (RefusedAddressError, Cause.NOT_CONFIGURED, "{error}"),
    (NoAddressError, Cause.UNREACHABLE, "{error}"),
    (OverBudgetError, Cause.BAD_RESPONSE, "{error}"),
    (TimeoutError, Cause.TIMEOUT, "not complete within {seconds:g} s"),
    (ssl.SSLCertVerificationError, Cause.UNREACHABLE, "its certificate is refused: {error.verify_message}"),
    (ssl.SSLError, Cause.UNREACHABLE, "the TLS handshake failed: {error.reason}"),
    (RemoteDisconnected, Cause.UNREACHABLE, "the connection was closed without an answer"),
    (ConnectionRefusedError, Cause.UNREACHABLE, "connection refused"),
    (ConnectionError, Cause.UNREACHABLE, "connection reset"),
)
