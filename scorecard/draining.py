"""gunicorn's threaded worker, which at SIGTERM also answers those who are connected and were not accepted yet.

While gunicorn drains it accepts nothing, but the kernel goes on completing connections for as long as the socket
listens, and resets them when it is closed in the end: a client that came meanwhile was connected and is dropped. So the
backlog is taken over whole first, and then nobody listens any more: who comes now is refused, and asks somebody else.
"""

from __future__ import annotations

import select

from gunicorn.workers.gthread import ThreadWorker


class DrainingWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """A worker that drops no connection when it ends."""

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 - gunicorn's signature
        """See gunicorn: called when the number of connections crosses its limit, and at the beginning of the end."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            while select.select([listener], [], [], 0)[0]:
                self.accept(listener)
            listener.close()
