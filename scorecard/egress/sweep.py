"""One sweep of GETs: names first, then transfers, each ending by its own deadline."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pycurl

from scorecard.egress.answer import Get, Got
from scorecard.egress.chain import Chain, Names, chains
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.poller import Poller
from scorecard.egress.resolver import NameState, Resolution, Resolver
from scorecard.egress.target import BadTargetError, Target, read_target
from scorecard.egress.transfer import Plan, Transfer, crashed
from scorecard.evidence.health import Reply
from scorecard.model import Cause

_PATIENCE = 0.1
"""Seconds after which a GET without an end gives its place among the beginners away."""
_PARTING = 0.3
"""Seconds after which the GET that waits for its connection is sent over another one. Both at most D/16."""
_BUSY = 0.003
"""Seconds of work between two looks at the sockets beyond which nothing new is begun: what comes in would lie here."""
_STANDSTILL = 0.5
"""Seconds for which this process did not run, after which a timeout says nothing about the target."""
_SPARE_DESCRIPTORS = 256
_HELD_ANSWERS = 25_000
_HELD_BYTES = 32 << 20
"""Answers, and bytes of their bodies, that are kept back while targets answer."""
_ADMITTED = 16
"""GETs that begin in one turn; so few that answers do not lie here while we send."""
_ADMITTED_BESIDE = 4
"""Of those that were silent last time, while others wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a sweep may use."""

    deadline: float
    """Seconds for one GET, from the lookup of its name to the last byte."""
    starting: int
    """GETs under way in the first moment of their life."""
    waiting: int
    """GETs under way in all."""
    ca_file: str


@dataclass(slots=True, eq=False)
class _Flight:
    """A GET under way."""

    chain: Chain
    transfer: Transfer
    get: Get
    began: float
    young: bool
    """It holds one of the places for beginners."""
    ended: bool = False


class Sweep:
    """Runs once, in one thread."""

    def __init__(
        self,
        multi: Any,  # noqa: ANN401 - pycurl.CurlMulti
        policy: AddressPolicy,
        resolver: Resolver,
        limits: Limits,
        clock: Callable[[], datetime],
        free: list[Transfer],
    ) -> None:
        """Take what a sweep works with; nothing is sent yet."""
        self._multi = multi
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._patience = min(_PATIENCE, limits.deadline / 16)
        self._parting = min(_PARTING, limits.deadline / 16)
        self._most = max(1, min(limits.waiting, _descriptors() - _SPARE_DESCRIPTORS))
        self._poller = Poller()
        self._names = Names(resolver, limits.deadline, self._poller.wake)
        self._lanes: dict[bool, deque[Chain]] = {False: deque(), True: deque()}
        self._flights: dict[Any, _Flight] = {}
        self._young: deque[_Flight] = deque()
        self._awaited: deque[_Flight] = deque()
        self._starting = 0
        self._sharing: set[tuple[str, str, int]] = set()
        self._free = free
        self._answers: list[Got] = []
        self._held = 0
        self._timer: float | None = None
        self._last_turn = 0.0
        self._busy = 0.0
        self._stood_still = 0.0
        self._cancelled = False
        self.clean = True
        """No connection is left over in the multi handle."""

    def cancel(self) -> None:
        """End soon; what is under way is dropped. May be called from any thread, more than once."""
        self._cancelled = True
        self._poller.wake()

    def run(self, gets: Sequence[Get], put: Callable[[list[Got]], None]) -> None:
        """Send all, and hand over answers in batches as they come."""
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        try:
            for chain in chains(self._readable(gets)):
                self._sort_in(chain)
            self._last_turn = time.monotonic()
            while not self._cancelled:
                self._send()
                if self._answers and (self._quiet() or self._full()):
                    put(self._answers)
                    self._answers, self._held = [], 0
                if not (self._flights or self._names or self._lanes[False] or self._lanes[True]):
                    return
                self._receive()
        finally:
            self._close()

    # --- before anything is sent

    def _readable(self, gets: Sequence[Get]) -> Iterator[tuple[Get, Target]]:
        for get in gets:
            try:
                yield get, read_target(get.url)
            except BadTargetError as error:
                self._answers.append(_not_sent(get, get.url, str(error), Cause.NOT_CONFIGURED))
            except Exception as error:  # noqa: BLE001 - one target's trouble is its own
                self._answers.append(crashed(get, error))

    def _sort_in(self, chain: Chain) -> None:
        if not chain.target.literal:
            self._names.add(chain)
        else:
            self._judge(chain, (chain.target.host,))

    def _judge(self, chain: Chain, addresses: tuple[str, ...]) -> None:
        """Let a chain go on if every address of its name may be connected to. The socket's own is judged once more."""
        for address in addresses:
            try:
                refusal = self._policy.refuses(address, chain.target.port)
            except Exception as error:  # noqa: BLE001 - one name's trouble is its own
                self._answers += [crashed(get, error) for get, _ in chain.gets]
                chain.gets.clear()
                return
            if refusal:
                name = "" if chain.target.literal else f"{chain.target.host} leads to {address}: "
                self._end_chain(chain, Reply.NOT_SENT, name + refusal, Cause.NOT_CONFIGURED)
                return
        self._lanes[chain.slow].append(chain)

    def _resolved(self, chain: Chain, answer: Resolution) -> None:
        if answer.state is NameState.FOUND:
            self._judge(chain, answer.addresses)
        elif answer.state is NameState.MISSING:
            self._end_chain(chain, Reply.NAME_FAILED, answer.detail, None)
        else:
            self._end_chain(chain, Reply.NOT_SENT, answer.detail, Cause.SCORECARD_FAULT)

    def _end_chain(self, chain: Chain, reply: Reply, detail: str, cause: Cause | None) -> None:
        while chain.gets:
            get, target = chain.gets.popleft()
            self._answers.append(replace(_not_sent(get, target.url, detail, cause), reply=reply))

    # --- the loop

    def _send(self) -> None:
        """Begin what may begin now."""
        for chain, answer in self._names.turn(self._last_turn):
            self._resolved(chain, answer)
        self._lose_patience()
        self._part()
        # Those that were silent first: they cost nothing while they are silent again, and then end with the others.
        self._admit(_ADMITTED_BESIDE if self._lanes[False] else _ADMITTED, slow=True)
        self._admit(_ADMITTED, slow=False)

    def _receive(self) -> None:
        """Wait for sockets and the clock, let libcurl act on them, and take what has ended."""
        allowed = self._pause()
        events = self._poller.poll(allowed)
        now = time.monotonic()
        if now - self._last_turn > allowed + _STANDSTILL:
            self._stood_still = now
        self._last_turn = now
        act = self._multi.socket_action
        for descriptor, mask in events:
            act(descriptor, mask)
        if self._timer is not None and now >= self._timer:
            self._timer = None
            act(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()
        self._busy = time.monotonic() - now

    def _quiet(self) -> bool:
        """Whether only those are under way, or wait in their lane, that take long.

        Answers are handed over then, since the caller's work on them would hold the interpreter while targets answer.
        """
        return not (self._starting or self._lanes[False])

    def _full(self) -> bool:
        return len(self._answers) >= _HELD_ANSWERS or self._held >= _HELD_BYTES

    def _pause(self) -> float:
        """Seconds to sleep unless a socket wakes us."""
        now = time.monotonic()
        pause = 1.0 if self._timer is None else self._timer - now
        if self._young:
            pause = min(pause, self._young[0].began + self._patience - now)
        if self._awaited:
            pause = min(pause, self._awaited[0].began + self._parting - now)
        if self._names:
            due = self._names.next_due(now)
            pause = min(pause, 0.05 if due is None else due)
        if self._can_begin(slow=False) or self._can_begin(slow=True):
            pause = 0.0
        return max(0.0, pause)

    def _can_begin(self, *, slow: bool) -> bool:
        if not self._lanes[slow]:
            return False
        if slow:
            return len(self._flights) < self._most - self._limits.starting
        return self._starting < self._limits.starting and len(self._flights) < self._most

    def _admit(self, most: int, *, slow: bool) -> None:
        if self._busy > _BUSY:
            return
        for _ in range(most):
            if not self._can_begin(slow=slow):
                return
            self._begin_next(self._lanes[slow].popleft())

    def _lose_patience(self) -> None:
        """Let those that take long give their place away."""
        limit = self._last_turn - self._patience
        while self._young and self._young[0].began <= limit:
            flight = self._young.popleft()
            if flight.young:
                flight.young = False
                self._starting -= 1
            if not flight.ended and flight.chain.gets:
                self._awaited.append(flight)

    def _part(self) -> None:
        """Send what waits for the connection of one that takes very long over another one."""
        limit = self._last_turn - self._parting
        while self._awaited and self._awaited[0].began <= limit:
            flight = self._awaited.popleft()
            chain = flight.chain
            if not flight.ended and chain.gets:
                # The connection that comes free belongs to nobody now: no other group may find it in this sweep.
                chain.parted = True
                self.clean = False
                rest = Chain(chain.gets, chain.addresses, begun=True)
                chain.gets = deque()
                self._lanes[rest.slow].appendleft(rest)

    def _begin_next(self, chain: Chain) -> None:
        """Send the next GET of a chain."""
        get, target = chain.gets.popleft()
        if not chain.begun and chain.gets and target.origin not in self._sharing:
            chain.shares = target.origin
            self._sharing.add(target.origin)
        plan = Plan(
            target,
            chain.addresses,
            timeout=self._limits.deadline - chain.spent,
            reuse=chain.shares is not None and chain.begun,
            keep=chain.shares is not None and bool(chain.gets),
        )
        chain.begun, chain.spent = True, 0.0
        transfer = self._free.pop() if self._free else Transfer(self._policy, self._limits.ca_file)
        try:
            transfer.begin(get, plan)
            self._multi.add_handle(transfer.easy)
        except BaseException as error:  # noqa: BLE001 - one target's trouble is its own
            transfer.close()
            self._answers.append(crashed(get, error))
            self._go_on(chain)
            return
        flight = _Flight(chain, transfer, get, time.monotonic(), young=not get.slow)
        self._flights[transfer.easy] = flight
        if flight.young:
            self._young.append(flight)
            self._starting += 1

    def _go_on(self, chain: Chain) -> None:
        """After one GET of a chain: send the next at once, or let others share connections to the origin again."""
        if chain.gets:
            self._begin_next(chain)
        elif chain.shares is not None and not chain.parted:
            self._sharing.discard(chain.shares)

    def _collect(self) -> None:
        """Take the transfers that have ended."""
        left = 1
        while left:
            left, ended, failed = self._multi.info_read()
            for easy in ended:
                self._end(easy, 0, "")
            for easy, code, message in failed:
                self._end(easy, code, message)

    def _end(self, easy: Any, code: int, message: str) -> None:  # noqa: ANN401 - pycurl.Curl
        flight = self._flights.pop(easy)
        flight.ended = True
        if flight.young:
            flight.young = False
            self._starting -= 1
        chain, transfer = flight.chain, flight.transfer
        try:
            got = transfer.finish(code, message, self._clock(), chain.certificate)
            if got.reply is Reply.TIMED_OUT and flight.began <= self._stood_still:
                got = replace(got, reply=Reply.NOT_SENT, detail="this process stood still", cause=Cause.SCORECARD_FAULT)
            chain.certificate = got.certificate_expires_in
        except BaseException as error:  # noqa: BLE001 - one target's trouble is its own
            got = crashed(flight.get, error)
        self._answers.append(got)
        self._held += len(got.body)
        self._multi.remove_handle(easy)
        self._free.append(transfer)
        self._go_on(chain)

    # --- libcurl's callbacks

    def _on_socket(self, what: int, descriptor: int, _multi: Any, _data: Any) -> None:  # noqa: ANN401 - pycurl's
        self._poller.watch(descriptor, what)

    def _on_timer(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _close(self) -> None:
        for easy, flight in self._flights.items():
            self._multi.remove_handle(easy)
            flight.transfer.close()
            self.clean = False
        self._flights.clear()
        self._poller.close()


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def _not_sent(get: Get, url: str, detail: str, cause: Cause | None) -> Got:
    return Got(key=get.key, url=url, reply=Reply.NOT_SENT, detail=detail, cause=cause)
