"""Answers to a repeated POST with the same `Idempotency-Key` what the first one was answered.

Kept in this process, for 24 hours, the newest thousand: a client retries within seconds of a lost answer. A retry that
reaches another process, or comes after a restart, is done again, which costs one measurement and changes no result.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from scorecard.api.problems import problem

KEPT_FOR = timedelta(hours=24)
KEPT = 1000


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given."""

    at: datetime
    request: str
    """Digest of method, path, query and body."""
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Idempotency:
    """The answers that were given, by key. Two requests of one key at once are done one after the other."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = Lock()

    def once(self, key: str, request: bytes, now: datetime, answer: Callable[[], Kept]) -> Kept:
        """The kept answer, or that of `answer`, which is then kept if it succeeded.

        Raises:
            Problem: the key was used for another request.
        """
        asked = hashlib.sha256(request).hexdigest()
        with self._lock:
            self._forget(now)
            kept = self._kept.get(key)
            if kept is None:
                kept = answer()
                if kept.status < 400:  # noqa: PLR2004 - a refusal may be tried again
                    self._kept[key] = Kept(now, asked, kept.status, kept.headers, kept.body)
            elif kept.request != asked:
                raise problem("key-reused", "this Idempotency-Key was sent with another request within 24 hours")
            return kept

    def _forget(self, now: datetime) -> None:
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if len(self._kept) <= KEPT and now - oldest.at < KEPT_FOR:
                break
            del self._kept[key]
