"""Waiting for many sockets: epoll where there is one, poll elsewhere; never select, which ends at descriptor 1023."""

from __future__ import annotations

import contextlib
import os
import select
from typing import Any

import pycurl

# The values of EPOLLIN, EPOLLOUT and so on are those of POLLIN, POLLOUT.
_READ, _WRITE, _ERROR = select.POLLIN, select.POLLOUT, select.POLLERR | select.POLLHUP
_MASKS = {pycurl.POLL_IN: _READ, pycurl.POLL_OUT: _WRITE, pycurl.POLL_INOUT: _READ | _WRITE, pycurl.POLL_NONE: 0}


class Poller:
    """What libcurl's socket callback fills, and a way to be woken from another thread."""

    def __init__(self) -> None:
        self._epoll = hasattr(select, "epoll")
        self._poll: Any = select.epoll() if self._epoll else select.poll()
        self._known: set[int] = set()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._poll.register(self._wake_read, _READ)

    def wake(self) -> None:
        """Let `poll` return now, or the next time at once. For any thread, also after `close`."""
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")

    def watch(self, descriptor: int, what: int) -> None:
        """Do what libcurl's CURLMOPT_SOCKETFUNCTION asks for.

        After `close` nothing: libcurl says goodbye on TLS connections when its handle is closed, long after the sweep.
        """
        if self._wake_write < 0:
            return
        if what == pycurl.POLL_REMOVE:
            self._known.discard(descriptor)
            # A socket that is closed already is gone from epoll too.
            with contextlib.suppress(OSError, KeyError, ValueError):
                self._poll.unregister(descriptor)
        elif descriptor in self._known:
            self._poll.modify(descriptor, _MASKS[what])
        else:
            self._known.add(descriptor)
            self._poll.register(descriptor, _MASKS[what])

    def poll(self, seconds: float) -> list[tuple[int, int]]:
        """Wait, and return descriptors with the mask for `socket_action`."""
        # Rounded up to the next millisecond, for both take whole ones and zero would spin.
        events = self._poll.poll(seconds if self._epoll else int(seconds * 1000 + 0.999))
        return [(descriptor, _action(mask)) for descriptor, mask in events if not self._woken(descriptor)]

    def _woken(self, descriptor: int) -> bool:
        if descriptor != self._wake_read:
            return False
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass
        return True

    def close(self) -> None:
        """Give the descriptors back."""
        if self._wake_write < 0:
            return
        write, self._wake_write = self._wake_write, -1
        os.close(write)
        os.close(self._wake_read)
        if self._epoll:
            self._poll.close()


def _action(mask: int) -> int:
    """Which of CURL_CSELECT_IN, _OUT, _ERR the kernel's mask means."""
    return (
        (pycurl.CSELECT_IN if mask & _READ else 0)
        | (pycurl.CSELECT_OUT if mask & _WRITE else 0)
        | (pycurl.CSELECT_ERR if mask & _ERROR else 0)
    )
