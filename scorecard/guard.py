"""Who may ask at all, while there is no sign-in: this machine, under a name of ours, and no page of another site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WILDCARDS = frozenset({"", "0.0.0.0", "::", "*"})  # noqa: S104 - compared with, not bound to
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    kind: str
    """`unknown-host` (421) or `forbidden-origin` (403)."""
    status: int
    detail: str


def allowed_hosts(config: Any) -> frozenset[str]:  # noqa: ANN401 - scorecard.config.Config
    """The names under which we may be asked without sign-in: loopback, where we listen, and our public address."""
    server = config.server
    listening = _name(str(server.listen))
    public = urlsplit(server.public_url).hostname if server.public_url else None
    extra = getattr(config.auth, "hosts", ())
    return frozenset({*_LOOPBACK, *({listening} - _WILDCARDS), *({public} if public else ()), *extra})


def refusal(config: Any, method: str, headers: Headers) -> Refusal | None:  # noqa: ANN401 - as above
    """Why this request is not answered; None when it is.

    A page of another site can make a browser ask us: by rebinding its own name to 127.0.0.1, which the Host header
    tells, or by sending a form or a script's request, which the Origin header tells.
    """
    host = headers.get("Host", "")
    if config.auth.mode == "none" and _name(host) not in allowed_hosts(config):
        shown = f"{host[:80]!a} is not a name of this server; without sign-in it answers to its own"
        return Refusal("unknown-host", 421, shown)
    if method in _SAFE or _ours(headers, host):
        return None
    return Refusal("forbidden-origin", 403, "a page of another site may not change anything here")


def _ours(headers: Headers, host: str) -> bool:
    if headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = headers.get("Origin")
    if origin is None:
        return True
    return urlsplit(origin).netloc.lower() == host.lower() if _is_url(origin) else False


def _is_url(text: str) -> bool:
    try:
        return urlsplit(text).scheme in {"http", "https"}
    except ValueError:
        return False


def _name(host: str) -> str:
    """The name in `name`, `name:port` or `[::1]:port`, in lower case."""
    text = host.strip().lower()
    if text.startswith("["):
        name, closed, _ = text[1:].partition("]")
        return name if closed else text
    return text.rpartition(":")[0] if text.count(":") == 1 else text
