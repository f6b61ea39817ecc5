"""The child's side of the seam: takes limits, then questions one after the other until its input ends."""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import resource
import sys
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from scorecard.isolation.refusal import UnreadableError
from scorecard.model import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HEADER = 4
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_NO_NEW_PRIVS = 38


def serve(answers: Mapping[str, tuple[type[Any], Callable[[Any], object]]]) -> None:
    """Answer until the input ends. `answers` holds, for each kind of question, its type and what answers it."""
    channel = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    readers = {name: TypeAdapter(kind) for name, (kind, _) in answers.items()}
    first = _frame()
    if first is None:
        return
    limits = json.loads(first)
    offline = _confine(limits)
    _reply(channel, json.dumps({"offline": offline}).encode())
    while (frame := _frame()) is not None:
        _budget(limits["cpu"])
        request = json.loads(frame)
        name = request["question"]
        question = readers[name].validate_python(request["values"])
        body, whole = _answered(answers[name][1], question)
        _reply(channel, body)
        if not whole:
            return


def _answered(answer: Callable[[Any], object], question: object) -> tuple[bytes, bool]:
    """The frame of an answer, and whether this process can go on. What goes wrong here was caused by what is read."""
    try:
        value = answer(question)
        return b"+" + TypeAdapter(type(value)).dump_json(value), True
    except UnreadableError as error:
        return _refusal(error.cause, error.detail), True
    except MemoryError:
        # What is remembered here may be what fills the memory: another process begins anew.
        detail = "reading was stopped: it needs more memory than is given"
        return b"!" + _refusal(Cause.BAD_RESPONSE, detail)[1:], False
    except RecursionError:
        return _refusal(Cause.BAD_RESPONSE, "reading was stopped: nested too deep"), True
    except Exception as error:  # noqa: BLE001 - the other side decides what becomes of it
        return _refusal(Cause.BAD_RESPONSE, f"cannot be read: {type(error).__name__}"), True


def _refusal(cause: Cause, detail: str) -> bytes:
    clean = detail.encode("utf-8", "backslashreplace").decode()
    return b"-" + json.dumps({"cause": cause.value, "detail": clean}).encode()


def _frame() -> bytes | None:
    header = sys.stdin.buffer.read(_HEADER)
    if len(header) < _HEADER:
        return None
    return sys.stdin.buffer.read(int.from_bytes(header, "big"))


def _reply(channel: int, body: bytes) -> None:
    data = memoryview(len(body).to_bytes(_HEADER, "big") + body)
    while data:
        data = data[os.write(channel, data) :]


def _confine(limits: Mapping[str, Any]) -> bool:
    """Take the limits on; whether the network is gone."""
    libc = ctypes.CDLL(None, use_errno=True)
    offline = False
    if not limits["network"] and hasattr(libc, "unshare"):
        # Root keeps its rights over files with the network alone; others need a user namespace for it.
        offline = libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, limits["file_size"])
    _limit(resource.RLIMIT_AS, limits["memory"])
    if limits["processes"] is not None:
        _limit(resource.RLIMIT_NPROC, limits["processes"])
    return offline


def _limit(kind: int, value: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, value))


def _budget(seconds: int) -> None:
    """Give the next question its seconds of CPU; the kernel counts them over the life of the process."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used) + seconds, hard))
