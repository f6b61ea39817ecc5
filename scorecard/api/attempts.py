"""Who shows a token: known or not, of this service or another, and how often an address was wrong."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Lock

from flask import Request

from scorecard.api.problems import problem
from scorecard.logging import get_logger
from scorecard.model import ServiceKey
from scorecard.store import Store, Token

WRONG_AT_MOST = 10
"""Wrong tokens of one address within `WITHIN`; then it is not listened to for a while."""
WITHIN = timedelta(minutes=1)
_ADDRESSES = 10_000

log = get_logger(__name__)


class Attempts:
    """The wrong tokens that were shown in the last minute, by address. Kept in this process."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = Lock()

    def token(self, store: Store, request: Request, path: Mapping[str, str], now: datetime) -> Token:
        """The token that came with a request about a service.

        Raises:
            Problem: none came, it is not known or ended, it is of another service, or too many were wrong.
        """
        address = request.remote_addr or ""
        self._refuse_many(address, now)
        scheme, _, shown = request.headers.get("Authorization", "").strip().partition(" ")
        if not shown or scheme.lower() != "bearer":
            raise problem(
                "sign-in-required",
                "a token of the service is needed: Authorization: Bearer …; scorecard token create makes one",
                headers={"WWW-Authenticate": 'Bearer realm="scorecard"'},
            )
        token = store.token_of(shown.strip(), now)
        if token is None:
            self._note(address, now)
            log.warning("a token was refused", address=address, path=request.path)
            raise problem(
                "sign-in-required",
                "this token is not known here, was revoked or has ended",
                headers={"WWW-Authenticate": 'Bearer realm="scorecard", error="invalid_token"'},
            )
        if not _is_of(store, token, path.get("name", "")):
            raise problem("wrong-token", f"this token is for {token.service}, not for {path.get('name', '')[:63]!a}")
        return token

    def _refuse_many(self, address: str, now: datetime) -> None:
        with self._lock:
            seen = self._wrong.get(address)
            while seen and now - seen[0] >= WITHIN:
                seen.popleft()
            if seen and len(seen) >= WRONG_AT_MOST:
                wait = max(1, round((seen[0] + WITHIN - now).total_seconds()))
                detail = f"{len(seen)} wrong tokens came from {address} within a minute; wait {wait} s"
                raise problem("too-many", detail, headers={"Retry-After": str(wait)})

    def _note(self, address: str, now: datetime) -> None:
        with self._lock:
            self._wrong.setdefault(address, deque(maxlen=WRONG_AT_MOST)).append(now)
            self._wrong.move_to_end(address)
            if len(self._wrong) > _ADDRESSES:
                self._wrong.popitem(last=False)


def _is_of(store: Store, token: Token, name: str) -> bool:
    """Whether the token is for the service of that name, by the name it has now or had when the token was made."""
    if token.service == name:
        return True
    mine = store.service(ServiceKey(token.service))
    asked = store.service(ServiceKey(name))
    return mine is not None and asked is not None and mine.name == asked.name
