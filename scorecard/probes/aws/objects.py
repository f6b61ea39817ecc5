"""Objects of S3 that are read whole, in parts: each within the time and the bytes of one call, all of one version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scorecard.egress.aws import AwsError
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.aws.calls import single
from scorecard.probes.aws.lane import Lane

OBJECT = single("s3", "GetObject", "Bucket", actions=("s3:GetObject",))
PART = 8 << 20
"""Bytes of one call; an answer may have 16 MiB and take the instance's timeout."""
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")
_GONE = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
_CHANGED = frozenset({"PreconditionFailed", "412"})


@dataclass(frozen=True, slots=True)
class Place:
    """`s3://bucket/key`."""

    bucket: str
    key: str

    @property
    def text(self) -> str:
        """As a person writes it."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object."""

    data: bytes
    modified_at: datetime


def read_place(text: str) -> Place | None:
    """The place that an address names; None where it is none of S3."""
    bucket, _, key = text.removeprefix("s3://").partition("/")
    return Place(bucket, key) if text.startswith("s3://") and bucket and key else None


def fetch(lane: Lane, place: Place, limit: int) -> Fetched | Unavailable:
    """The object, or why it is not known; of one that is written meanwhile, the newer version.

    Args:
        lane: the account that asks; the bucket may be another's that lets it in.
        place: which object.
        limit: bytes that it may have.
    """
    where = f"{lane.label}, s3:GetObject {place.text}"
    for _ in range(2):
        try:
            return _whole(lane, place, limit, where)
        except AwsError as error:
            if error.code not in _CHANGED:
                return _why(error, where)
    return Unavailable(Cause.BAD_RESPONSE, f"{where}: it was written again while it was read, twice")


def _why(error: AwsError, where: str) -> Unavailable:
    if error.code in _GONE:
        return Unavailable(Cause.NO_DATA, f"{where}: it does not exist ({error.code})")
    if error.code in {"InvalidRange", "416"}:
        return Unavailable(Cause.BAD_RESPONSE, f"{where}: it is empty")
    return error.unavailable


def _whole(lane: Lane, place: Place, limit: int, where: str) -> Fetched | Unavailable:
    parts: list[bytes] = []
    have, size = 0, 1
    tag: dict[str, str] = {}
    modified: Any = None
    while have < size:
        answer = _part(lane, place, have, tag)
        data, size, modified = answer["Body"], _size(answer, have), answer.get("LastModified")
        if size > limit:
            return Unavailable(
                Cause.NOT_SUPPORTED, f"{where}: it has {size:,} bytes, and up to {limit >> 20} MiB are read"
            )
        if not data or have + len(data) > size:
            return Unavailable(Cause.BAD_RESPONSE, f"{where}: {have + len(data):,} of {size:,} bytes came")
        parts.append(data)
        have += len(data)
        tag = {"IfMatch": answer["ETag"]} if answer.get("ETag") else {}
    if not isinstance(modified, datetime):
        return Unavailable(Cause.BAD_RESPONSE, f"{where}: it does not say when it was written")
    return Fetched(b"".join(parts), modified.astimezone(UTC))


def _part(lane: Lane, place: Place, start: int, tag: Mapping[str, str]) -> dict[str, Any]:
    """One part, its body read."""
    answer = lane.clients.call(
        lane.account,
        lane.region,
        OBJECT.service,
        OBJECT.operation,
        Bucket=place.bucket,
        Key=place.key,
        Range=f"bytes={start}-{start + PART - 1}",
        **tag,
    )
    try:
        return {**answer, "Body": answer["Body"].read()}
    except Exception as error:  # noqa: BLE001 - botocore raises its own and urllib3's, and ours has read it all before
        words = f"{lane.label}, s3:GetObject {place.text}: {type(error).__name__}"
        raise AwsError(Cause.BAD_RESPONSE, words) from None


def _size(answer: Mapping[str, Any], start: int) -> int:
    """Bytes of the whole object; what is stored there may answer the whole of it at once."""
    told = _RANGE.fullmatch(str(answer.get("ContentRange", "")))
    if told is not None and int(told[1]) == start:
        return int(told[3])
    if start:
        raise AwsError(Cause.BAD_RESPONSE, "s3:GetObject: another part than was asked for")
    return len(answer["Body"])
