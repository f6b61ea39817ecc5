"""`LogSample`: what the newest lines of each log are like, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scorecard.evidence import Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.logs import LogSample
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.logs.exhibits import source_of
from scorecard.probes.logs.lanes import Lanes
from scorecard.probes.logs.lines import FieldNames, Line, first_of, lacking, rfc_3339, service_of
from scorecard.probes.logs.others import Others, Registered
from scorecard.probes.logs.places import Places
from scorecard.probes.logs.source import Source, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = 500


@dataclass(slots=True)
class LogSampleProbe:
    """Reads the newest lines of every service's log, each log once."""

    places: Places
    names: FieldNames
    clock: Callable[[], datetime]

    name = "logs"
    answers: type[Evidence] = LogSample
    needs: tuple[type[Evidence], ...] = ()
    due_every: timedelta | None = None
    """Every run."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """One question for each log; answers come as they are found."""
        sources: dict[ServiceKey, Source] = {}
        for service in services:
            source = self.places.of(service)
            if isinstance(source, Unavailable):
                yield service.key, source
            else:
                sources[service.key] = source
        registered = Registered(frozenset(service.name for service in services), upstream.find)
        now = self.clock()
        with Lanes({source.lane for source in sources.values()}) as lanes:
            asked: dict[Future[Answer], ServiceKey] = {}
            for key, source in sources.items():
                asked[lanes.submit(source, self._question(source, Others(registered, key), now))] = key
            for done in as_completed(asked):
                yield asked[done], answer_of(done)

    def _question(self, source: Source, others: Container[str], now: datetime) -> Callable[[], Answer]:
        return lambda: count(source, source.sample(LINES, now).lines, self.names, others)


def answer_of(done: Future[Answer]) -> Answer:
    """The answer; a bug in one question is that one's."""
    try:
        return done.result()
    except SourceError as error:
        return error.unavailable
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever one log makes us raise must not end the others
        return Unavailable(Cause.PROBE_ERROR, f"a bug in the log probe: {type(error).__name__}: {str(error)[:200]}")


def count(source: Source, lines: Sequence[Line], names: FieldNames, others: Container[str]) -> Answer:
    """Count what the lines are like. Nothing of them is kept.

    Args:
        source: whose lines they are.
        lines: the newest ones.
        names: the keys of the fields.
        others: services whose lines are theirs, where a log holds several services'.
    """
    lines = [line for line in lines if line.text.strip()]
    objects = complete = bad_timestamps = foreign = 0
    missing: Counter[str] = Counter()
    newest = max((line.at for line in lines if line.at), default=None)
    for line in lines:
        entry = line.entry()
        if entry is None:
            continue
        if service_of(entry, names) in others:
            foreign += 1
            continue
        objects += 1
        lacks = lacking(entry, names)
        missing.update(lacks)
        stamp = first_of(entry, names.timestamp)
        at = rfc_3339(stamp)
        bad_timestamps += stamp is not None and at is None
        complete += not lacks and at is not None
        newest = max((each for each in (newest, at) if each), default=None)
    mine = len(lines) - foreign
    if not mine:
        words = f"all {foreign} lines say they are of other services" if foreign else "the log holds no line"
        return Unavailable(Cause.NO_DATA, f"{source.name}: {words}")
    exhibit = Exhibit(
        source=source_of(source),
        request=source.repeat("", ""),
        facts={
            "lines": mine,
            "json_objects": objects,
            "complete": complete,
            "bad_timestamps": bad_timestamps,
            "newest": newest.isoformat() if newest else None,
            **{f"without_{name}": number for name, number in sorted(missing.items())},
            **({"of_other_services": foreign} if foreign else {}),
        },
    )
    return LogSample(
        system=source.system,
        lines=mine,
        json_objects=objects,
        complete=complete,
        lacking=dict(sorted(missing.items())),
        bad_timestamps=bad_timestamps,
        foreign=foreign,
        exhibits=(exhibit,),
    )
