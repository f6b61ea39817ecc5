"""How the demo backs up and restores: dumps in a directory, drill reports in the repository, and one that is pushed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

_DUMPS = 9
_SIZE = 48_000
_STALE = 210
_RECENT = 12
_LINES = b"-- a dump of the demo; a drill would restore it\n"


class Keeping(StrEnum):
    """What a service does for its backups."""

    DECLARED = "a dump a day, and a drill report in its repository"
    PUSHED = "a dump a day, and a drill whose report its pipeline pushes"
    HALVED = "the newest dump has lost most of its size"
    NEVER = "a dump a day, and never a restore"
    FAILED = "the newest drill failed"
    STALE = "the last drill is seven months ago"


def spec(name: str, keeping: Keeping) -> list[dict[str, str]]:
    """The service's `backups` in the catalogue."""
    entry = {"resource": f"{name}-db", "dumps": f"./dumps/{name}", "recovery_time": "1h", "recovery_point": "26h"}
    return [entry] if keeping is Keeping.NEVER else [{**entry, "drill": f"drills/{name}-*.json"}]


def write_dumps(folder: Path, name: str, keeping: Keeping, now: datetime) -> None:
    """A dump a day, the newest of some hours ago."""
    place = folder / name
    place.mkdir(parents=True)
    for day in range(_DUMPS):
        size = _SIZE - 150 * day
        if day == 0 and keeping is Keeping.HALVED:
            size //= 5
        at = now - timedelta(days=day, hours=3)
        file = place / f"{name}-{at:%Y-%m-%d}.dump"
        file.write_bytes((_LINES * (size // len(_LINES) + 1))[:size])
        os.utime(file, (at.timestamp(), at.timestamp()))


def reports(name: str, keeping: Keeping, now: datetime) -> Mapping[str, str]:
    """Drill reports in the repository: path to text."""
    if keeping is Keeping.NEVER:
        return {}
    days = _STALE if keeping is Keeping.STALE else 40
    made = {days: report(name, now - timedelta(days=days))}
    if keeping is Keeping.FAILED:
        made[_RECENT] = report(name, now - timedelta(days=_RECENT), failed=True)
    return {
        f"drills/{name}-{now - timedelta(days=ago):%Y-%m-%d}.json": json.dumps(one, indent=2) + "\n"
        for ago, one in made.items()
    }


def report(name: str, at: datetime, *, failed: bool = False) -> dict[str, Any]:
    """What a drill of the service's newest dump wrote."""
    started = at.astimezone(UTC).replace(microsecond=0)
    verification = {
        "name": "rows",
        "query": "select count(*) from orders",
        "expected": ">= 10000",
        "actual": "12840",
        "ok": True,
    }
    end = {"result": "success", "verifications": [verification]}
    if failed:
        words = "pg_restore: error: could not read from input file: end of file"
        end = {"result": "failure", "code": "truncated", "message": words, "verifications": []}
    return {
        "schema": 1,
        "service": name,
        "resource": f"{name}-db",
        "kind": "postgres-dump",
        "backup": {"id": f"{name}.dump", "created_at": _text(started - timedelta(hours=2)), "size": _SIZE},
        "started_at": _text(started),
        "finished_at": _text(started + timedelta(minutes=11)),
        "steps": [{"name": "restore", "ok": not failed, "seconds": 412.0}],
        "tool": {"name": "scorecard"},
        **end,
    }


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
