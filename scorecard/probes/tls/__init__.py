"""Encryption on the wire, asked of each service's own address (`spec.url`) by handshakes of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from scorecard.egress.bounds import Bounds
from scorecard.egress.dial import Dialler
from scorecard.egress.own import configured_policy
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.target import BadTargetError, Target, read_target
from scorecard.evidence import Absent, Answer, Evidence, Unavailable
from scorecard.evidence.tls import PlainAnswer, PlainReply, TransportSecurity
from scorecard.model import Cause, Service, ServiceKey, ServiceType
from scorecard.probes import Context, Probe, Upstream
from scorecard.probes.tls.contexts import Contexts, contexts
from scorecard.probes.tls.lanes import Lanes
from scorecard.probes.tls.line import Dialled
from scorecard.probes.tls.look import Look

__all__ = ["TlsProbe", "probes"]

THREADS = 48
"""Looks that begin at once."""
_WAITING = 200
"""Looks under way in each of the two lanes; they wait for an address that does not answer."""
_PATIENCE = 0.5
"""Seconds after which a look gives its place among the beginners away."""
_SLOW = 0.5
"""The share of the deadline from which on a look is sent to the lane of the slow ones next time."""


@dataclass
class TlsProbe:
    """Looks at each distinct address once, however many services share it."""

    policy: AddressPolicy
    resolver: Resolver
    deadline: float
    """Seconds for one look, the lookup of the name and all of its connections included."""
    clock: Callable[[], datetime]
    ca_file: str | None = None
    threads: int = THREADS
    offered: frozenset[str] | None = None
    """The versions that this OpenSSL offers; found out by shaking hands with ourselves unless given."""
    name: str = "tls"
    answers: type[Evidence] = TransportSecurity
    needs: tuple[type[Evidence], ...] = ()
    slow_resolver: Resolver | None = None
    """For the lane of the slow ones, whose names may be what hangs; one like the other unless given."""
    _dialled: dict[bool, Dialled] = field(init=False)
    _slow: set[Target] = field(default_factory=set)
    """Those whose last look took long."""

    def __post_init__(self) -> None:
        """One dialler for all threads of a lane: its bounds belong to the thread that sets them."""
        bounds = Bounds()
        resolvers = {False: self.resolver, True: self.slow_resolver or Resolver(deadline=self.deadline)}
        self._dialled = {
            slow: Dialled(Dialler(self.policy, resolver, bounds), bounds) for slow, resolver in resolvers.items()
        }

    @cached_property
    def contexts(self) -> Contexts:
        """The TLS contexts; made by the first question, for `scorecard --help` must not wait for them."""
        return contexts(self.ca_file, self.offered)

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """One sweep; answers come as they are found."""
        shared: dict[Target, list[ServiceKey]] = {}
        slow = set()
        for service in services:
            target = _target(service)
            if isinstance(target, Target):
                shared.setdefault(target, []).append(service.key)
                if target in self._slow or _was_slow(upstream, service.key):
                    slow.add(target)
            else:
                yield service.key, target
        if not shared:
            return
        made = self.contexts

        def look(target: Target) -> TransportSecurity | Unavailable:
            return Look(target, self._dialled[target in slow], made, self.deadline, self.clock()).take()

        lanes = Lanes(look, self.threads, max(self.threads, _WAITING), min(_PATIENCE, self.deadline / 4))
        for target, done, seconds in lanes.run((each for each in shared if each not in slow), slow):
            if seconds >= _SLOW * self.deadline:
                self._slow.add(target)
            else:
                self._slow.discard(target)
            answer = _answer_of(done)
            for key in shared[target]:
                yield key, answer


def _was_slow(upstream: Upstream, key: ServiceKey) -> bool:
    """Whether the last look at a service, in this process or another, waited for what did not come."""
    last = upstream.last(key, TransportSecurity)
    if last is None:
        return False
    if isinstance(last.value, TransportSecurity):
        plain = last.value.plain
        return plain.reply is PlainReply.SILENT if isinstance(plain, PlainAnswer) else plain.cause is Cause.TIMEOUT
    return isinstance(last.value, Unavailable) and last.value.cause is Cause.TIMEOUT


def _target(service: Service) -> Target | Unavailable | Absent:
    if service.type in {ServiceType.WORKER, ServiceType.JOB}:
        return Absent(f"a {service.type} serves no address")
    if not service.spec.url:
        return Unavailable(Cause.NOT_CONFIGURED, "spec.url is not given", "spec:\n  url: https://HOST")
    try:
        return read_target(service.spec.url)
    except BadTargetError as error:
        return Unavailable(Cause.NOT_CONFIGURED, str(error), "spec:\n  url: https://HOST")


def _answer_of(done: Future[TransportSecurity | Unavailable]) -> TransportSecurity | Unavailable:
    """The look's answer; a bug in one look is that one's."""
    try:
        return done.result()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever is raised in one look must not end the sweep
        return Unavailable(Cause.PROBE_ERROR, f"a bug in the TLS probe: {type(error).__name__}: {str(error)[:200]}")


def probes(context: Context) -> tuple[Probe, ...]:
    """The probe of this system."""
    probing = context.config.probing
    resolver = Resolver(deadline=probing.timeout.total_seconds())
    policy = configured_policy(
        probing.allow,
        store=context.config.store_address().reveal(),
        listen=context.config.server.listen,
        resolver=resolver,
    )
    return (
        TlsProbe(
            policy,
            resolver,
            probing.timeout.total_seconds(),
            context.clock,
            ca_file=str(probing.ca_file) if probing.ca_file else None,
        ),
    )
