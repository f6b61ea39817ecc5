"""The temporary folder of a drill: removed with it, and by the next drill where this one was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "scorecard-drill-"
_LOCK = "lock"


@contextmanager
def temporary_folder(place: Path | None) -> Iterator[Path]:
    """A folder that nobody else may read. It is locked while the drill lives: one without a living owner is removed."""
    _sweep(place or Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as name:
        # Not handed to children: a lock ends with the last process that has it.
        descriptor = os.open(Path(name) / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(descriptor)


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # another's, or one that is just being made
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # its drill lives
        finally:
            os.close(descriptor)
