"""Drill reports as objects of S3, read by the limited child as those in a repository are.

    backups: [{resource: payments, drill: "s3://drills/payments-*.json"}]

They are declared: whoever may write into the bucket can say anything.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scorecard.drill.evidence import restore_of, why_no_report
from scorecard.drill.report import ReportError, read_report
from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Fact, Unavailable
from scorecard.evidence.backups import BucketDrills, Restore, drill_globs
from scorecard.isolation import UnreadableError, Worker
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.aws.dumps import LISTING, Pattern, each_service, first_lane, read_pattern
from scorecard.probes.aws.lane import Item, Lane
from scorecard.probes.aws.objects import Fetched, Place, fetch
from scorecard.probes.aws.places import Places

MOST_REPORTS = 50
"""Of one pattern, those that were written last: none of the others can tell of a later restore."""
LIMIT = 1 << 20
"""Bytes of a report."""
_KEPT = 2_000
"""Reports that are kept as they were read, so that an object is fetched once."""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """A question: the restore that a report tells of; the answer is a `Restore`."""

    data: str
    """The object, in base 64."""
    name: str


def read(question: ReadReport) -> Restore:
    """The restore.

    Raises:
        UnreadableError: it is no drill report.
    """
    try:
        return restore_of(read_report(base64.b64decode(question.data), name=question.name), name=question.name)
    except ReportError as error:
        raise UnreadableError(Cause.BAD_RESPONSE, why_no_report(error)) from None


ANSWERS: Mapping[str, tuple[type[Any], Callable[[Any], object]]] = {"ReadReport": (ReadReport, read)}


def main() -> None:
    """What the limited child runs."""
    from scorecard.isolation.child import serve

    serve(ANSWERS)


@dataclass(slots=True)
class _Found:
    """What is gathered over the patterns of one service."""

    drills: list[Restore] = field(default_factory=list)
    missing: list[Unavailable] = field(default_factory=list)
    exhibits: list[Exhibit] = field(default_factory=list)


@dataclass
class BucketDrillsProbe:
    """Reads the newest reports that an `s3://` pattern under `drill` of the service's `backups` matches."""

    places: Places
    child: Worker = field(default_factory=lambda: Worker("scorecard.probes.aws.reports"))
    name: str = "bucket-drills"
    answers: type[Evidence] = BucketDrills
    needs: tuple[type[Evidence], ...] = ()
    _known: dict[tuple[str, str, str], Restore] = field(default_factory=dict)
    """By account, place and the version's tag."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """An answer for each service."""
        return each_service(self.places, services, upstream, self._answer)

    def _answer(self, service: Service) -> Answer:
        globs = tuple(glob for glob in drill_globs(service) if glob.startswith("s3://"))
        if not globs:
            return Absent("the service names no drill reports in S3")
        lane = first_lane(self.places, service)
        if isinstance(lane, Unavailable):
            return lane
        found = _Found()
        for glob in globs:
            pattern = read_pattern(glob)
            if pattern is None:
                words = f"{glob} names no bucket; it is s3://bucket/reports/NAME-*.json"
                found.missing.append(Unavailable(Cause.NOT_CONFIGURED, words))
            else:
                self._look(lane, glob, pattern, found)
        return BucketDrills(drills=tuple(found.drills), missing=tuple(found.missing), exhibits=tuple(found.exhibits))

    def _look(self, lane: Lane, glob: str, pattern: Pattern, found: _Found) -> None:
        swept = pattern.listed(lane)
        if swept.missing or swept.nothing:
            words = f"{lane.label}, {LISTING.name}: there is no bucket {pattern.bucket}"
            found.missing.append(swept.missing or Unavailable(Cause.NO_DATA, words))
            return
        reports = [one for one in swept.items if pattern.fits(one["Key"]) and not one["Key"].endswith("/")]
        reports.sort(key=lambda one: (one["LastModified"], one["Key"]), reverse=True)
        read = [self._read(lane, pattern, one) for one in reports[:MOST_REPORTS]]
        drills = [replace(one, found_by=glob) for one in read if isinstance(one, Restore)]
        found.drills += drills
        found.missing += [one for one in read if isinstance(one, Unavailable)]
        newest = max(drills, key=lambda one: one.finished.timestamp() if one.finished else 0.0, default=None)
        facts: dict[str, Fact] = {
            "objects": len(reports),
            "read": len(drills),
            "newest": newest.name if newest else "",
            "outcome": newest.outcome.value if newest else "",
        }
        found.exhibits.append(Exhibit(source="aws", request=pattern.command, facts=facts))

    def _read(self, lane: Lane, pattern: Pattern, listed: Item) -> Restore | Unavailable:
        place = Place(pattern.bucket, listed["Key"])
        key = lane.account.label, place.text, f"{listed.get('ETag', '')} {listed['LastModified']}"
        if key in self._known:
            return self._known[key]
        if listed.get("Size", 0) > LIMIT:
            return Unavailable(
                Cause.NOT_SUPPORTED, f"{place.text}: it has {listed['Size']:,} bytes, and a report has up to {LIMIT:,}"
            )
        fetched = fetch(lane, place, LIMIT)
        if isinstance(fetched, Unavailable):
            return fetched
        made = self._asked(place, fetched)
        if isinstance(made, Restore) and listed.get("ETag"):
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = made
        return made

    def _asked(self, place: Place, fetched: Fetched) -> Restore | Unavailable:
        data = base64.b64encode(fetched.data).decode("ascii")
        try:
            return self.child.ask(ReadReport(data, place.text), Restore)
        except UnreadableError as error:
            return Unavailable(error.cause, f"{place.text}: {error.detail}")
