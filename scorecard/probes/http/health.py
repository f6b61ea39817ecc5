"""`HealthEndpoints`: liveness and readiness of every service, one GET each, every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from scorecard.egress.answer import Get, Got
from scorecard.egress.prober import Prober
from scorecard.evidence import Answer, Evidence, Unavailable
from scorecard.evidence.health import Endpoint, HealthEndpoints, Reply
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.http.blame import Controls, Suspicion, doubtful, many
from scorecard.probes.http.declared import Declared, declared, outside
from scorecard.probes.http.past import Past, past
from scorecard.probes.http.seen import endpoint, exhibit


@dataclass(frozen=True, slots=True)
class _Part:
    """The key of one GET: which endpoint of which service."""

    service: ServiceKey
    role: str


@dataclass(slots=True)
class _Open:
    """A service whose endpoints are being asked."""

    parts: tuple[Declared, Declared]
    past: Past
    answers: dict[str, Got] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.answers) == sum(1 for part in self.parts if part.url)


@dataclass(slots=True)
class HealthProbe:
    """Asks both endpoints of each service, over one fresh connection where they share an origin."""

    prober: Prober
    control_targets: tuple[str, ...] = ()
    suspicion: Suspicion | None = None
    """Of the last sweep: why the run is suspect."""

    name = "http"
    answers: type[Evidence] = HealthEndpoints
    needs: tuple[type[Evidence], ...] = ()
    due_every: timedelta | None = None
    """Every run."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """One sweep over all endpoints: the more services at once the better, for it lasts as long as one deadline."""
        opened: dict[ServiceKey, _Open] = {}
        for service in services:
            if (answer := outside(service)) is not None:
                yield service.key, answer
                continue
            one = _Open(declared(service), past(upstream.window(service.key, HealthEndpoints)))
            if any(part.url for part in one.parts):
                opened[service.key] = one
            else:
                yield service.key, _nothing(one.parts)
        yield from self._sweep(opened, upstream.blame)

    def _sweep(
        self, opened: dict[ServiceKey, _Open], blame: Callable[[str], None]
    ) -> Iterator[tuple[ServiceKey, Answer]]:
        """Yield sound answers as they come; what may be our own fault waits for the control targets."""
        controls = Controls(self.control_targets)
        doubted: dict[ServiceKey, None] = {}
        for got in self.prober.get_many(controls.among(_gets(opened))):
            if controls.take(got) or not isinstance(got.key, _Part):
                continue
            one = opened[got.key.service]
            one.answers[got.key.role] = got
            if _failed(got):
                doubted[got.key.service] = None
            if one.complete and got.key.service not in doubted:
                yield got.key.service, self._answer(opened.pop(got.key.service), None)
        failed = [got for key in doubted for got in opened[key].answers.values() if _failed(got)]
        if many(failed):
            for got in self.prober.get_many(controls.again()):
                controls.take(got)
        self.suspicion = suspicion = controls.suspicion(failed)
        if suspicion is not None:
            blame(suspicion.words)
        for key in doubted:
            yield key, self._answer(opened[key], suspicion)

    def _answer(self, one: _Open, suspicion: Suspicion | None) -> Answer:
        """The evidence about one service."""
        seen = {part.role: self._part(one, part, suspicion) for part in one.parts}
        unavailable = [part for part in seen.values() if isinstance(part, Unavailable)]
        if len(unavailable) == len(seen):
            return next((part for part in unavailable if part.cause is not Cause.NOT_CONFIGURED), unavailable[0])
        return HealthEndpoints(
            liveness=seen["liveness"],
            readiness=seen["readiness"],
            exhibits=tuple(
                exhibit(one.answers[part.role], self.prober.settings)
                for part in one.parts
                if part.role in one.answers and isinstance(seen[part.role], Endpoint)
            ),
        )

    def _part(self, one: _Open, part: Declared, suspicion: Suspicion | None) -> Endpoint | Unavailable:
        if part.missing is not None:
            return part.missing
        got = one.answers[part.role]
        if suspicion and (doubtful(got) or (suspicion.tls and got.reply is Reply.TLS_FAILED)):
            return Unavailable(Cause.SCORECARD_FAULT, f"GET {got.url}: {got.detail}, but {suspicion.words}")
        return endpoint(got, reached_before=got.url in one.past.reached)


def _failed(got: Got) -> bool:
    return doubtful(got) or got.reply is Reply.TLS_FAILED


def _gets(opened: dict[ServiceKey, _Open]) -> Iterator[Get]:
    for key, one in opened.items():
        for part in one.parts:
            if part.url:
                yield Get(key=_Part(key, part.role), url=part.url, group=key, slow=one.past.was_silent(part.url))


def _nothing(parts: tuple[Declared, Declared]) -> Unavailable:
    """What is said of a service with no endpoint to ask."""
    missing = [part.missing for part in parts if part.missing]
    lines = "\n".join(dict.fromkeys(one.lines for one in missing))
    if all("url" not in one.lines for one in missing):
        lines = "spec:\n  health: {liveness: /livez, readiness: /readyz}"
    return Unavailable(Cause.NOT_CONFIGURED, "; ".join(one.detail for one in missing), lines)
