"""Keeps the page of a large fleet near to the store between scrapes, so that a scrape has little left to read.

A live run of 10,000 services changes all of them every minute; reading that takes most of a second, which the scrape
would wait for. Here it is read in small parts while the run goes on. A scrape still takes up what is newer, so this
changes how long it takes and never what it answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from scorecard.metrics.page import ServicePage
from scorecard.store import StoreError

EVERY_SECONDS = 5.0
LARGE = 500
"""Services that changed between two scrapes from which on it is worth a thread."""
ITSELF_SECONDS = 30.0
"""Counting 800,000 findings takes as long as the rest of a scrape."""
FORGOTTEN_SECONDS = 300.0
"""Without a scrape for this long nobody needs it."""


class Warm:
    """At most one thread, which ends by itself."""

    def __init__(
        self,
        page: ServicePage,
        clock: Callable[[], datetime],
        itself: Callable[[datetime], str],
        every: float = EVERY_SECONDS,
    ) -> None:
        """Take what is read: the services, and what the store tells of the scorecard itself."""
        self._page = page
        self._clock = clock
        self._itself = itself
        self._told: tuple[float, str] | None = None
        self._every = every
        self._scraped = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def scraped(self, changed: int) -> None:
        """A scrape had to read so many services."""
        self._scraped = time.monotonic()
        with self._lock:
            if changed >= LARGE and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
                self._thread.start()

    def itself(self, now: datetime) -> str:
        """What the store tells of the scorecard: at most half a minute old while the thread is there, else made now."""
        told = self._told
        if self.running and told is not None and time.monotonic() - told[0] < ITSELF_SECONDS:
            return told[1]
        return self._itself(now)

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        while True:
            time.sleep(self._every)
            if time.monotonic() - self._scraped > FORGOTTEN_SECONDS:
                return
            now = self._clock()
            try:
                self._page.refresh(now)
                if self._told is None or time.monotonic() - self._told[0] > ITSELF_SECONDS / 2:
                    self._told = time.monotonic(), self._itself(now)
            except (SQLAlchemyError, StoreError, OSError):
                # The store is away or closed; the next scrape says so, and begins anew.
                return
