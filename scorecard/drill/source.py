"""Where the backup is: a file, the newest of a directory, or an object of S3, brought to where it can be read."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scorecard.drill.outcome import BackupFailed, NotCarriedOut
from scorecard.drill.spec import Source

_BLOCK = 1 << 20
_BESIDE = (".sha256", ".md5", ".part", ".tmp", ".json", ".yaml", ".log", ".asc", ".sig")
"""Ends of names that stand beside a dump and are none."""
_SUM = re.compile(r"^([0-9a-fA-F]{64})\b")
_TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class Found:
    """A dump that can be read."""

    path: Path
    id: str
    modified_at: datetime
    size: int
    expected_sha256: str = ""


def find(source: Source, folder: Path, check: Callable[[], None]) -> Found:
    """The dump that the spec means; what is far away is brought into `folder`.

    Raises:
        BackupFailed: there is none, or it did not arrive whole.
        NotCarriedOut: the place cannot be looked at.
    """
    if source.s3 is not None:
        return _from_s3(source, source.s3, folder, check)
    assert source.path is not None  # noqa: S101 - the spec has exactly one
    try:
        return _from_path(source.path, source.pattern)
    except OSError as error:
        raise NotCarriedOut("no-source", f"{source.path}: {error.strerror}") from None


def checksum(path: Path, check: Callable[[], None]) -> str:
    """The SHA-256 of a file; of a directory that of its files' checksums, sorted by name.

    Raises:
        NotCarriedOut: it cannot be read.
    """
    try:
        if path.is_file():
            return _sum(path, check)
        lines = [f"{_sum(file, check)}  {file.name}\n" for file in sorted(path.iterdir()) if file.is_file()]
    except OSError as error:
        raise NotCarriedOut("no-source", f"{path}: {error.strerror}") from None
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def free_bytes(folder: Path) -> int | None:
    """What is free in a folder of this machine; None where it cannot be looked at."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _from_path(path: Path, pattern: str) -> Found:
    if not path.exists():
        raise BackupFailed("no-backup", f"{path} is not there")
    if path.is_file() or (path / "toc.dat").exists():
        return _found(path)
    dumps = [
        one
        for one in path.iterdir()
        if fnmatch.fnmatchcase(one.name, pattern) and _is_dump(one.name) and (one.is_file() or _is_directory_dump(one))
    ]
    if not dumps:
        raise BackupFailed("no-backup", f"{path} has no dump that is called {pattern}")
    return _found(max(dumps, key=lambda one: (one.stat().st_mtime, one.name)))


def _is_directory_dump(path: Path) -> bool:
    return (path / "toc.dat").exists() or any(path.glob("*.dat*"))


def _is_dump(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_BESIDE)


def _found(path: Path) -> Found:
    files = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
    sums = [path.with_name(path.name + ".sha256")]
    expected = next((_expected(file.read_text(errors="replace"), str(file)) for file in sums if file.is_file()), "")
    # Of a directory the table of contents is written last.
    told = path if path.is_file() or not (path / "toc.dat").exists() else path / "toc.dat"
    return Found(
        path.absolute(),
        path.name,
        datetime.fromtimestamp(told.stat().st_mtime, UTC),
        sum(file.stat().st_size for file in files),
        expected,
    )


def _expected(text: str, where: str) -> str:
    found = _SUM.match(text.strip())
    if found is None:
        raise BackupFailed("checksum-mismatch", f"{where} holds no SHA-256")
    return found[1].lower()


def _sum(path: Path, check: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            check()
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Object:
    key: str
    size: int
    modified_at: datetime


def _from_s3(source: Source, address: str, folder: Path, check: Callable[[], None]) -> Found:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, key = address.removeprefix("s3://").partition("/")
    try:
        client = _client(source)
        objects = list(_objects(client, bucket, key, check))
        name, chosen = _choose(objects, key, source.pattern, address)
        free = free_bytes(folder)
        size = sum(one.size for one in chosen)
        if free is not None and size > free:
            raise NotCarriedOut("disk-full", f"{address} has {size:,} bytes, and {free:,} are free here to fetch them")
        path = folder / "fetched" / Path(name).name
        for one in chosen:
            inside = one.key.removeprefix(name).lstrip("/")
            _fetch(client, bucket, one, path / inside if inside else path, check)
        expected = _s3_sum(client, bucket, name, objects)
    except ClientError as error:
        raise NotCarriedOut("no-source", f"{address}: {_said(error)}") from None
    except BotoCoreError as error:
        raise NotCarriedOut("no-source", f"{address}: {error}") from None
    return Found(path, name, max(one.modified_at for one in chosen), size, expected)


def _client(source: Source) -> Any:  # noqa: ANN401 - boto3 has no types
    import boto3
    from botocore.config import Config

    return boto3.Session().client(
        "s3",
        region_name=source.region,
        endpoint_url=source.endpoint_url,
        config=Config(
            connect_timeout=_TIMEOUT,
            read_timeout=_TIMEOUT,
            retries={"total_max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"} if source.endpoint_url else {},
        ),
    )


def _objects(client: Any, bucket: str, prefix: str, check: Callable[[], None]) -> Iterator[_Object]:  # noqa: ANN401 - as above
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        check()
        for one in page.get("Contents", ()):
            yield _Object(one["Key"], one["Size"], one["LastModified"].astimezone(UTC))


def _choose(objects: list[_Object], key: str, pattern: str, address: str) -> tuple[str, list[_Object]]:
    """The key of the dump, or of its folder, and its objects."""
    exact = [one for one in objects if one.key == key]
    if exact:
        return key, exact
    prefix = key if key.endswith("/") or not key else f"{key}/"
    if any(one.key == f"{prefix}toc.dat" for one in objects):
        return prefix.rstrip("/"), [one for one in objects if one.key.startswith(prefix)]
    folders: dict[str, list[_Object]] = {}
    for one in objects:
        if one.key.startswith(key):
            rest = one.key[len(prefix) :] if one.key.startswith(prefix) else one.key.rpartition("/")[2]
            top = rest.partition("/")[0]
            if top and fnmatch.fnmatchcase(top, pattern) and _is_dump(top):
                folders.setdefault(one.key[: len(one.key) - len(rest)] + top, []).append(one)
    if not folders:
        raise BackupFailed("no-backup", f"{address} has no dump that is called {pattern}")
    newest = max(folders, key=lambda name: (max(one.modified_at for one in folders[name]), name))
    return newest, folders[newest]


def _fetch(client: Any, bucket: str, one: _Object, path: Path, check: Callable[[], None]) -> None:  # noqa: ANN401 - as above
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.resolve().is_relative_to(path.parent.parent.resolve()):
        raise BackupFailed("corrupt", f"the key {one.key} leads out of its folder")
    body = client.get_object(Bucket=bucket, Key=one.key)["Body"]
    written = 0
    try:
        with path.open("wb") as file:
            for block in body.iter_chunks(_BLOCK):
                check()
                file.write(block)
                written += len(block)
    except OSError as error:
        raise NotCarriedOut("disk-full", f"{one.key} cannot be written here: {error.strerror}") from None
    if written != one.size:
        raise NotCarriedOut("no-source", f"{one.key}: {written:,} of {one.size:,} bytes came")


def _s3_sum(client: Any, bucket: str, name: str, objects: list[_Object]) -> str:  # noqa: ANN401 - as above
    beside = f"{name}.sha256"
    if not any(one.key == beside for one in objects):
        return ""
    body = client.get_object(Bucket=bucket, Key=beside)["Body"].read(4096)
    return _expected(body.decode("utf-8", "replace"), f"s3://{bucket}/{beside}")


def _said(error: Any) -> str:  # noqa: ANN401 - botocore has no types
    told = error.response.get("Error", {})
    return f"{error.operation_name}: {told.get('Code', 'unknown')}: {told.get('Message', '')}"[:300]
