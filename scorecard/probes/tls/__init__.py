"""Encryption on the wire, asked of each service's own address (`spec.url`) by handshakes of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
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
from scorecard.evidence.tls import TransportSecurity
from scorecard.model import Cause, Service, ServiceKey, ServiceType
from scorecard.probes import Context, Probe, Upstream
from scorecard.probes.tls.contexts import Contexts, contexts
from scorecard.probes.tls.line import Dialled
from scorecard.probes.tls.look import Look

__all__ = ["TlsProbe", "probes"]

THREADS = 48
"""Looks that are under way at once; most of a look is waiting."""


@dataclass
class TlsProbe:
    """Looks at each distinct address once, however many services share it."""

    policy: AddressPolicy
    resolver: Resolver
    deadline: float
    """Seconds for one connection; a whole look ends within three times that."""
    clock: Callable[[], datetime]
    ca_file: str | None = None
    threads: int = THREADS
    offered: frozenset[str] | None = None
    """The versions that this OpenSSL offers; found out by shaking hands with ourselves unless given."""
    name: str = "tls"
    answers: type[Evidence] = TransportSecurity
    needs: tuple[type[Evidence], ...] = ()
    _dialled: Dialled = field(init=False)

    def __post_init__(self) -> None:
        """One dialler for all threads: its bounds belong to the thread that sets them."""
        bounds = Bounds()
        self._dialled = Dialled(Dialler(self.policy, self.resolver, bounds), bounds)

    @cached_property
    def contexts(self) -> Contexts:
        """The TLS contexts; made by the first question, for `scorecard --help` must not wait for them."""
        return contexts(self.ca_file, self.offered)

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:  # noqa: ARG002 - nothing before it matters
        """One sweep; answers come as they are found."""
        shared: dict[Target, list[ServiceKey]] = {}
        for service in services:
            target = _target(service)
            if isinstance(target, Target):
                shared.setdefault(target, []).append(service.key)
            else:
                yield service.key, target
        if not shared:
            return
        made = self.contexts
        pool = ThreadPoolExecutor(max_workers=min(self.threads, len(shared)), thread_name_prefix="tls")
        try:
            under_way = {pool.submit(self._look, target, made): keys for target, keys in shared.items()}
            for done in as_completed(under_way):
                answer = _answer_of(done)
                for key in under_way[done]:
                    yield key, answer
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, target: Target, made: Contexts) -> TransportSecurity | Unavailable:
        return Look(target, self._dialled, made, self.deadline, self.clock()).take()


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
