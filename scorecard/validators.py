"""The validators of our values: each is made once, when it is first needed, and one at a time.

Making one reads the docstrings of a class, and Python 3.11's parser raises `SystemError: AST constructor recursion
depth mismatch` where two threads parse at once (https://github.com/python/cpython/issues/106905).
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

_made: dict[tuple[str, str], TypeAdapter[Any]] = {}
_lock = threading.RLock()


def validator(kind: type[T]) -> TypeAdapter[T]:
    """Reads a class from JSON and writes it; a command that needs none pays for none."""
    name = kind.__module__, kind.__qualname__
    found = _made.get(name)
    if found is None:
        with _lock:
            found = _made.get(name)
            if found is None:
                found = _made[name] = TypeAdapter(kind)
    return found
