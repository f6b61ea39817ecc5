"""What `/metrics` shows of all services: kept as text, brought up to date at each scrape with what changed since."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from scorecard.metrics.families import FLEET, PER_SERVICE, ROWS, SERVICES
from scorecard.metrics.text import Fragments, fragments, labels, sample
from scorecard.model import Level, ServiceKey
from scorecard.store import Store
from scorecard.store.views import MetricRow

_ANEW = timedelta(hours=1)
"""Everything is read again this often: what no change announces comes right then."""
_BATCH = 500
"""Services whose text is joined at once: the page is never whole in memory."""

Counted = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `of`, from 1. A service is in the same part at every scrape, with all its environments."""

    number: int = 1
    of: int = 1

    def has(self, key: ServiceKey) -> bool:
        """Whether the service is in this part."""
        return self.of == 1 or zlib.crc32(key.name.encode()) % self.of == self.number - 1


class ServicePage:
    """The text of every service. One for each process; any number of threads may scrape."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._texts: dict[ServiceKey, Fragments] = {}
        self._counted: dict[ServiceKey, Counted] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._seq = 0
        self._read_at: datetime | None = None
        self._anew_at: datetime | None = None
        self._checklists: tuple[str, ...] = ()

    def refresh(self, now: datetime) -> int:
        """Take up what changed since the time before; returns how many services that were."""
        with self._lock:
            checklists = tuple(checklist.digest for checklist in self._store.checklists.values())
            changes = self._store.metric_rows(now, 0 if self._must_begin_anew(now, checklists) else self._seq)
            if changes.complete:
                self._texts, self._counted, self._counts = {}, {}, Counter()
                self._anew_at, self._checklists = now, checklists
            for key in changes.gone:
                self._forget(key)
            for row in changes.rows:
                self._forget(row.key)
                self._texts[row.key] = fragments(row)
                self._counted[row.key] = _counted(row)
                self._counts.update(self._counted[row.key])
            self._seq, self._read_at = changes.seq, now
        return len(changes.rows)

    def services(self, shard: Shard) -> Iterator[str]:
        """The families of each service."""
        with self._lock:
            texts = [text for key, text in self._texts.items() if shard.has(key)]
        for index, family in enumerate(PER_SERVICE):
            header = family.header
            for start in range(0, len(texts), _BATCH):
                part = "".join([text[index] for text in texts[start : start + _BATCH]])
                if part:
                    yield header + part
                    header = ""

    def fleet(self) -> str:
        """The families of the whole fleet."""
        with self._lock:
            counts = sorted(self._counts.items())
        names = {SERVICES.name: ("team", "tier", "level"), ROWS.name: ("checklist", "row", "status")}
        text = ""
        for family in FLEET:
            lines = [
                sample(family, labels(**dict(zip(names[family.name], key[1:], strict=True))), number)
                for key, number in counts
                if key[0] == family.name and number
            ]
            text += family.header + "".join(lines) if lines else ""
        return text

    def _must_begin_anew(self, now: datetime, checklists: tuple[str, ...]) -> bool:
        if self._read_at is None or self._anew_at is None or checklists != self._checklists:
            return True
        # A clock that went back makes "changed since" meaningless.
        return now < self._read_at or now - self._anew_at >= _ANEW

    def _forget(self, key: ServiceKey) -> None:
        self._texts.pop(key, None)
        self._counts.subtract(self._counted.pop(key, ()))


def _counted(row: MetricRow) -> Counted:
    """What a service adds to the fleet: production only, since the fleet's families have no environment."""
    if row.key.environment != "production":
        return ()
    level = row.summaries[0].level if row.summaries else Level.UNKNOWN
    return (
        (SERVICES.name, row.team, row.tier, level.value),
        *(
            (ROWS.name, summary.checklist, name, status.value)
            for summary in row.summaries
            for name, status in summary.rows
        ),
    )
