"""Dumps as objects of S3: which there are, how old, how large. None is opened; whether one restores is the drill's.

    backups: [{resource: payments, dumps: "s3://payments-dumps/nightly/*.dump"}]

A prefix is listed once for all services that name it with the same account.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.backups import (
    BESIDE,
    CONTENTS,
    UNFINISHED,
    Backup,
    BackupKind,
    BackupTarget,
    BucketDumps,
    Dump,
    backup_of_dumps,
    backup_targets,
)
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.aws.calls import Call
from scorecard.probes.aws.lane import Item, Lane, Swept
from scorecard.probes.aws.places import Places

LISTING = Call(
    "s3",
    "ListObjectsV2",
    "Contents",
    nothing=frozenset({"NoSuchBucket"}),
    actions=("s3:ListBucket",),
    most=20_000,
)
"""A nightly dump over fifty years, or twenty pages."""
_THREADS = 4
_WILD = re.compile(r"[*?\[]")
_PART = re.compile(r"(?:blob_)?\d+\.dat(?:\.[a-z0-9]+)?|blobs(?:_\d+)?\.toc")
"""A table's data in a dump of the directory format, whose contents are written last."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """`s3://bucket/key`, whose key is that of an object, a folder, or has `*`, `?` and `[…]` in its parts."""

    bucket: str
    key: str

    @property
    def prefix(self) -> str:
        """What every object that fits begins with."""
        return _WILD.split(self.key, maxsplit=1)[0]

    @property
    def wild(self) -> bool:
        """Whether it has a part that is no plain name."""
        return self.prefix != self.key

    def fits(self, key: str) -> bool:
        """Whether it names this object; a plain one names what is in its folder, too."""
        if not self.wild:
            folder = self.key.rstrip("/")
            return key == folder or not folder or key.startswith(f"{folder}/")
        parts, wanted = key.split("/"), self.key.split("/")
        return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))

    def listed(self, lane: Lane) -> Swept:
        """Every object that begins like it, each with its `Key` and `LastModified`."""
        swept = lane.all(LISTING, Bucket=self.bucket, Prefix=self.prefix)
        if all("Key" in one and isinstance(one.get("LastModified"), datetime) for one in swept.items):
            return swept
        words = f"{lane.label}, {LISTING.name} s3://{self.bucket}/{self.prefix}: objects without a name or a time"
        return Swept((), Unavailable(Cause.BAD_RESPONSE, words))

    @property
    def command(self) -> str:
        """What lists the same."""
        prefix = f" --prefix {shlex.quote(self.prefix)}" if self.prefix else ""
        return f"aws s3api list-objects-v2 --bucket {shlex.quote(self.bucket)}{prefix}"


def read_pattern(text: str) -> Pattern | None:
    """The pattern that an address has; None where it is none of S3."""
    bucket, _, key = text.removeprefix("s3://").partition("/")
    return Pattern(bucket, key) if text.startswith("s3://") and bucket and not _WILD.search(bucket) else None


def dumps_of(pattern: Pattern, objects: Iterable[Item]) -> list[Dump]:
    """The dumps among objects; a folder of `pg_dump --format=directory` is one, as old as its table of contents."""
    found = [one for one in objects if not one["Key"].endswith("/")]
    folders = {folder for folder, last in (_split(one["Key"]) for one in found) if last == CONTENTS and folder}
    inside: dict[str, list[Item]] = defaultdict(list)
    dumps: list[Dump] = []
    for one in found:
        folder, last = _split(one["Key"])
        if folder in folders:
            inside[folder].append(one)
        elif _is_dump(pattern, one["Key"]) and (pattern.wild or not _PART.fullmatch(last)):
            dumps.append(Dump(one["Key"], one["LastModified"].astimezone(UTC), one.get("Size", 0)))
    for folder, parts in inside.items():
        if _is_dump(pattern, folder):
            at = next(one["LastModified"] for one in parts if one["Key"] == f"{folder}/{CONTENTS}")
            dumps.append(Dump(folder, at.astimezone(UTC), sum(one.get("Size", 0) for one in parts)))
    return dumps


def _split(key: str) -> tuple[str, str]:
    folder, _, last = key.rpartition("/")
    return folder, last


def _is_dump(pattern: Pattern, key: str) -> bool:
    named = pattern.wild or key == pattern.key
    below = key[pattern.prefix.rfind("/") + 1 :].split("/")
    if any(part.startswith(".") or part.endswith(UNFINISHED) for part in below):
        return False
    return pattern.fits(key) and (named or not key.endswith(BESIDE))


@dataclass
class BucketDumpsProbe:
    """Lists the dumps under the `s3://` prefixes that the services' `backups` name."""

    places: Places
    name: str = "bucket-dumps"
    answers: type[Evidence] = BucketDumps
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """An answer for each service."""
        return each_service(self.places, services, upstream, self._answer)

    def _answer(self, service: Service) -> Answer:
        targets = [target for target in backup_targets(service) if target.in_bucket]
        if not targets:
            return Absent("the service names no dumps in S3")
        lane = first_lane(self.places, service)
        backups = tuple(_looked_at(target, lane) for target in targets)
        return BucketDumps(backups=backups, exhibits=tuple(map(_exhibit, targets, backups)))


def each_service(
    places: Places, services: Sequence[Service], upstream: Upstream, answer: Callable[[Service], Answer]
) -> Iterator[tuple[ServiceKey, Answer]]:
    """An answer for each service, a few at once; what they ask is counted."""
    places.begin(patient=upstream.patient)
    with ThreadPoolExecutor(_THREADS, "aws-s3") as pool:
        answers = list(pool.map(answer, services))
    yield from ((service.key, one) for service, one in zip(services, answers, strict=True))
    places.count(upstream)


def first_lane(places: Places, service: Service) -> Lane | Unavailable:
    """Who asks for a service's buckets, which are found from every region."""
    lanes = places.lanes(service)
    return lanes if isinstance(lanes, Unavailable) else lanes[0]


def _looked_at(target: BackupTarget, lane: Lane | Unavailable) -> Backup:
    pattern = read_pattern(target.dumps)
    if pattern is None:
        why = Unavailable(Cause.NOT_CONFIGURED, f"{target.dumps} names no bucket; it is s3://bucket/prefix")
        return Backup(name=target.name, kind=BackupKind.BUCKET, unread=why)
    if isinstance(lane, Unavailable):
        return Backup(name=target.name, kind=BackupKind.BUCKET, unread=lane)
    swept = pattern.listed(lane)
    if swept.missing is not None:
        # The newest may be on a page that did not come.
        return Backup(name=target.name, kind=BackupKind.BUCKET, unread=swept.missing)
    if swept.nothing:
        return Backup(name=target.name, kind=BackupKind.BUCKET, lacking=f"there is no bucket {pattern.bucket}")
    return backup_of_dumps(target, BackupKind.BUCKET, dumps_of(pattern, swept.items), protected_by="dumps in S3")


def _exhibit(target: BackupTarget, backup: Backup) -> Exhibit:
    pattern = read_pattern(target.dumps)
    facts = {
        "resource": target.name,
        "dumps": backup.copies,
        "newest": backup.newest,
        "newest at": backup.newest_at.isoformat() if backup.newest_at else None,
        "bytes": backup.size,
        "kept days": backup.retention_days,
    }
    return Exhibit(source="aws", request=pattern.command if pattern else target.dumps, facts=facts)
