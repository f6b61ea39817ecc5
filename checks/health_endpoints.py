"""Health check endpoints (liveness + readiness): asked once a run, judged over a window of samples.

One sample never decides. A status falls after three samples in a row that are not good, to `fail` if the service itself
answered badly each time and to `unknown` otherwise, and rises to `pass` after two good ones. Turning any sample into
one that we could not take therefore never raises a status.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Risk,
    Row,
    each,
    failed,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import (
    Absent,
    Alerts,
    ControlPath,
    Endpoint,
    HealthEndpoints,
    LiveAlerts,
    Reply,
    Sample,
    Unavailable,
    Window,
)
from scorecard.evidence.aws import Unseen
from scorecard.evidence.orchestrator import OwnCheck, PodChecks, TargetChecks
from scorecard.evidence.samples import SampleKind, SeriesState, settle
from scorecard.model import Service, ServiceType

_ASKED = (ServiceType.WEB, ServiceType.GRPC)
_SERVES = (*_ASKED, ServiceType.STATIC)
_RUNS_ALONE = (ServiceType.WORKER, ServiceType.JOB)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many samples decide, and how long an answer may take."""

    samples_to_fall: int = 3
    """Samples in a row, none of them good, after which a status is `fail` or `unknown`."""
    samples_to_rise: int = 2
    """Good samples in a row after which it is `pass`."""
    fast_seconds: float = 1.0
    fast_percent: int = 95
    """Of the answers that must come within `fast_seconds`."""


row = Row(
    title="Health check endpoints (liveness + readiness)",
    category=Category.MONITORING,
    risk=Risk.CRITICAL,
    why="What cannot be asked how it is gets traffic while it is broken, and is not restarted when it hangs.",
    limits=Limits,
)


# --- one answer ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Look:
    """One sample of one endpoint."""

    kind: SampleKind
    words: str
    """What it did: `answered 503`; for an unclear one, what stood in the way."""
    sample: Sample[HealthEndpoints]
    url: str = ""
    ready: bool = True
    """False for a readiness endpoint that is there and says that the service is not ready."""
    cause: Cause = Cause.NO_DATA


Pick = Callable[[HealthEndpoints], Endpoint | Unavailable]
_BAD = {Reply.BROKEN: "broke the protocol", Reply.TLS_FAILED: "failed the TLS handshake"}
_SILENT = {
    Reply.REFUSED: (Cause.UNREACHABLE, "refused the connection"),
    Reply.TIMED_OUT: (Cause.TIMEOUT, "did not answer in time"),
}
_NOT_REACHED = {
    Reply.NAME_FAILED: (Cause.UNREACHABLE, "its name does not resolve"),
    Reply.NOT_SENT: (Cause.SCORECARD_FAULT, "was not asked"),
}


def _look(sample: Sample[HealthEndpoints], pick: Pick, *, may_be_unready: bool) -> _Look:
    """Say what one sample says of one endpoint."""
    if not isinstance(sample.value, HealthEndpoints):
        missing = sample.value if isinstance(sample.value, Unavailable) else None
        cause = missing.cause if missing else Cause.NO_DATA
        return _Look(SampleKind.UNCLEAR, missing.detail if missing else "was not there", sample, cause=cause)
    endpoint = pick(sample.value)
    if isinstance(endpoint, Unavailable):
        return _Look(SampleKind.UNCLEAR, endpoint.detail, sample, cause=endpoint.cause)
    if endpoint.reply is Reply.ANSWERED:
        return _answered(endpoint, sample, may_be_unready=may_be_unready)
    return _unanswered(endpoint, sample)


def _unanswered(endpoint: Endpoint, sample: Sample[HealthEndpoints]) -> _Look:
    """Silence is the service's own bad answer only where it was reached before: we may stand in the wrong network."""
    detail = f": {endpoint.detail}" if endpoint.detail else ""
    if endpoint.reply in _BAD:
        return _Look(SampleKind.BAD, f"{_BAD[endpoint.reply]}{detail}", sample, endpoint.url)
    if endpoint.reply in _SILENT:
        cause, words = _SILENT[endpoint.reply]
        if endpoint.reached_before:
            return _Look(SampleKind.BAD, f"{words}{detail}", sample, endpoint.url)
        words = f"{words} and was never reached from here{detail}"
    else:
        cause, words = _NOT_REACHED[endpoint.reply]
        words = f"{words}{detail}"
    return _Look(SampleKind.UNCLEAR, words, sample, endpoint.url, cause=cause)


def _answered(endpoint: Endpoint, sample: Sample[HealthEndpoints], *, may_be_unready: bool) -> _Look:
    status = endpoint.status
    if endpoint.login_page:
        return _Look(SampleKind.BAD, f"answered {status} with a sign-in page", sample, endpoint.url)
    if 200 <= status < 300:  # noqa: PLR2004 - 2xx
        return _Look(SampleKind.GOOD, f"answered {status}", sample, endpoint.url)
    if status == 503 and may_be_unready:  # noqa: PLR2004 - Service Unavailable
        if endpoint.well_formed and not endpoint.html:
            return _Look(SampleKind.GOOD, "answered 503, not ready", sample, endpoint.url, ready=False)
        return _Look(SampleKind.BAD, "answered 503 without a body that says so", sample, endpoint.url)
    if 300 <= status < 400:  # noqa: PLR2004 - 3xx
        return _Look(SampleKind.BAD, f"answered {status} to {endpoint.location or 'nowhere'}", sample, endpoint.url)
    return _Look(SampleKind.BAD, f"answered {status}", sample, endpoint.url)


def _since_configured(looks: tuple[_Look, ...]) -> tuple[_Look, ...]:
    """The samples after the last one that had nothing to ask; that one alone where it is the newest."""
    for index in range(len(looks) - 1, -1, -1):
        if looks[index].cause is Cause.NOT_CONFIGURED:
            return looks[index + 1 :] or looks[index:]
    return looks


# --- the window of one endpoint --------------------------------------------------------------------------------------


def _judge(name: str, seen: Window[HealthEndpoints], pick: Pick, limits: Limits, *, may_be_unready: bool) -> Finding:
    every = tuple(_look(sample, pick, may_be_unready=may_be_unready) for sample in seen.samples)
    looks = _since_configured(every)
    if looks[-1].cause is Cause.NOT_CONFIGURED:
        return unavailable(_missing(looks[-1].sample, pick))
    state = _settle(looks, limits)
    if state is SeriesState.DOWN:
        return _down(name, looks, limits)
    if state is SeriesState.UP:
        return _up(name, looks, limits)
    return _unsettled(name, looks, state, limits)


def _missing(sample: Sample[HealthEndpoints], pick: Pick) -> Unavailable:
    value = pick(sample.value) if isinstance(sample.value, HealthEndpoints) else sample.value
    return value if isinstance(value, Unavailable) else Unavailable(Cause.NO_DATA, "nothing was seen")


def _settle(looks: tuple[_Look, ...], limits: Limits) -> SeriesState:
    return settle([look.kind for look in looks], fall=limits.samples_to_fall, rise=limits.samples_to_rise)


def _up(name: str, looks: tuple[_Look, ...], limits: Limits) -> Finding:
    good = [look for look in looks if look.kind is SampleKind.GOOD]
    last = good[-1]
    subject = f"{name} {last.url}"
    # Being ready has a hysteresis of its own: in it, "not ready" is as far from ready as a sample that was lost.
    ready = [SampleKind.GOOD if look.kind is SampleKind.GOOD and look.ready else SampleKind.UNCLEAR for look in looks]
    if settle(ready, fall=limits.samples_to_fall, rise=limits.samples_to_rise) is SeriesState.UP:
        said = next(look for look in reversed(good) if look.ready)
        now = "" if last.ready else "; the newest says not ready"
        return passed(f"{subject} {said.words} in {_count(good, looks)} samples{now}").at(said.sample.at)
    unready = [look for look in good if not look.ready]
    counted = f"{unready[-1].words} in {_count(unready, looks)} samples"
    return warned("not-ready", f"{subject} {counted}: it exists and says so").at(last.sample.at)


def _down(name: str, looks: tuple[_Look, ...], limits: Limits) -> Finding:
    bad = [look for look in looks if look.kind is SampleKind.BAD]
    last = bad[-1]
    run = next((index for index, look in enumerate(reversed(looks)) if look.kind is not SampleKind.BAD), len(looks))
    if run:
        where = f"in the last {run} of {len(looks)} samples"
    else:
        where = f"in {len(bad)} of {len(looks)} samples, and was not good {limits.samples_to_rise} times in a row since"
    return failed("bad-answer", f"{name} {last.url} {last.words} {where}").at(last.sample.at)


def _unsettled(name: str, looks: tuple[_Look, ...], state: SeriesState, limits: Limits) -> Finding:
    unclear = [look for look in looks if look.kind is SampleKind.UNCLEAR]
    if state is SeriesState.UNCLEAR or (unclear and len(unclear) == len(looks)):
        last = unclear[-1]
        subject = f"{name} {last.url} {last.words}" if last.url else f"{name}: {last.words}"
        return unknown(last.cause, f"{subject}, in {_count(unclear, looks)} samples").at(last.sample.at)
    if len(looks) < limits.samples_to_fall:
        return unknown(Cause.NO_DATA, f"{name}: {len(looks)} of {limits.samples_to_fall} samples")
    good = sum(look.kind is SampleKind.GOOD for look in looks)
    return unknown(
        Cause.NO_DATA,
        f"{name} {looks[-1].url} goes to and fro: {good} of {len(looks)} samples are good, never "
        f"{limits.samples_to_rise} in a row, and never {limits.samples_to_fall} in a row that are not",
    )


def _count(some: Sequence[_Look], every: Sequence[_Look]) -> str:
    return f"all {len(every)}" if len(some) == len(every) else f"{len(some)} of {len(every)}"


# --- the checks ------------------------------------------------------------------------------------------------------


@row.required(
    remedy="""
    Answer 200 while the process itself works, without asking the database. Flask:

    ```python
    @app.get("/livez")
    def livez() -> dict[str, str]:
        return {"status": "alive"}
    ```

    and say where it is, in the service file (a path under `url`, or an absolute address):

    ```yaml
    spec:
      url: https://payments.example.net
      health: {liveness: /livez, readiness: /readyz}
    ```
    """,
    types=_SERVES,
)
def liveness(seen: Window[HealthEndpoints], limits: Limits) -> Finding:
    """Liveness answers 2xx; {samples_to_fall} bad samples in a row fail, {samples_to_rise} good ones pass."""
    return _judge("liveness", seen, lambda health: health.liveness, limits, may_be_unready=False)


@row.required(
    remedy="""
    Answer 200 when the service can do its work, and 503 with a body that says why when it cannot. Flask:

    ```python
    @app.get("/readyz")
    def readyz() -> tuple[dict[str, str], int]:
        try:
            database.execute("SELECT 1")
        except DatabaseError:
            return {"status": "not ready", "database": "unreachable"}, 503
        return {"status": "ready"}, 200
    ```

    ```yaml
    spec:
      health: {liveness: /livez, readiness: /readyz}
    ```
    """,
    types=_ASKED,
)
def readiness(seen: Window[HealthEndpoints], limits: Limits) -> Finding:
    """Readiness answers 2xx, or 503 with a body that says so; {samples_to_fall} bad samples in a row fail."""
    return _judge("readiness", seen, lambda health: health.readiness, limits, may_be_unready=True)


@row.required(
    remedy="""
    Answer 404 to a path that does not exist, and keep sign-in and the single page application's fallback away from the
    health host. nginx:

    ```nginx
    location = /livez  { proxy_pass http://app; }
    location = /readyz { proxy_pass http://app; }
    location /         { try_files $uri =404; }
    ```

    `curl -si https://payments.example.net/no-such-path-4711 | head -1` must not say 200.
    """,
    types=_ASKED,
)
def not_a_catch_all(control: ControlPath) -> Finding:
    """A path that cannot exist answers neither 2xx nor a sign-in page, and leads to no other host."""
    return each(
        [_Asked(endpoint.url, endpoint) for endpoint in control.endpoints],
        _judge_control,
        missing=control.missing,
        empty=unknown(Cause.NO_DATA, "no control path was asked"),
        things="hosts",
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    endpoint: Endpoint


_NO_ANSWER = {
    Reply.TIMED_OUT: Cause.TIMEOUT,
    Reply.BROKEN: Cause.BAD_RESPONSE,
    Reply.TLS_FAILED: Cause.BAD_RESPONSE,
    Reply.NOT_SENT: Cause.SCORECARD_FAULT,
}


def _judge_control(asked: _Asked) -> Item:
    endpoint = asked.endpoint
    if endpoint.reply is not Reply.ANSWERED:
        cause = _NO_ANSWER.get(endpoint.reply, Cause.UNREACHABLE)
        return unknown(cause, endpoint.detail or f"{endpoint.reply.replace('_', ' ')}")
    host = _host(endpoint.location)
    if 200 <= endpoint.status < 300:  # noqa: PLR2004 - 2xx
        return failed("catch-all", f"a path that cannot exist answered {endpoint.status}")
    if endpoint.login_page:
        return failed("sign-in-page", f"a path that cannot exist answered {endpoint.status} with a sign-in page")
    if host and host != _host(endpoint.url):
        return failed("other-host", f"a path that cannot exist was sent on to {host} ({endpoint.status})")
    if endpoint.status >= 500:  # noqa: PLR2004 - 5xx
        return unknown(Cause.NO_DATA, f"answered {endpoint.status}, which says nothing about paths that do not exist")
    return passed(f"a path that cannot exist answered {endpoint.status}")


def _host(url: str) -> str:
    """Host and port of an absolute address; empty for a relative one, or one that nobody can read."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


_NO_ALERTS = "spec:\n  alerts:\n    - prometheus: {matchers: {service: SERVICE}}\n    - files: deploy/alerts/*.yaml"


@row.required(
    remedy="""
    Let the service say that it is alive, and alert when it stops saying so:

    ```yaml
    groups:
      - name: payments-worker
        rules:
          - alert: PaymentsWorkerSilent
            expr: absent_over_time(worker_last_success_timestamp_seconds{service="payments-worker"}[15m])
            for: 5m
            labels: {severity: critical, service: payments-worker}
            annotations: {runbook_url: https://github.com/example/payments/blob/main/runbooks/worker-silent.md}
    ```

    and name the file in the service file: `spec: {alerts: [{files: deploy/alerts/*.yaml}]}`.
    """,
    types=_RUNS_ALONE,
)
def heartbeat(files: Alerts | Unavailable | Absent, live: LiveAlerts | Unavailable | Absent) -> Finding:
    """A service without endpoints has an alert that fires when it falls silent."""
    evaluated = live.alerts if isinstance(live, LiveAlerts) else ()
    rules = (*evaluated, *(files.rules if isinstance(files, Alerts) else ()))
    watching = [rule for rule in rules if rule.absence and not rule.problem]
    if watching:
        return passed(f"{watching[0].name} ({watching[0].where}) fires when the service falls silent")
    for source in (files, live):
        if isinstance(source, Unavailable):
            return unavailable(source)
        if not isinstance(source, Absent) and source.missing:
            return unavailable(source.missing[0])
    if isinstance(files, Absent) and isinstance(live, Absent):
        return unknown(Cause.NOT_CONFIGURED, "the service names no alerts", lines=_NO_ALERTS)
    return failed("no-heartbeat", f"none of {len(rules)} alerts fires when the service falls silent")


@row.advisory(
    remedy="""
    Liveness asks whether to restart the process, readiness whether to send it traffic; one path for both restarts every
    instance when the database is away:

    ```yaml
    spec:
      health: {liveness: /livez, readiness: /readyz}
    ```
    """,
    types=_ASKED,
)
def distinct(seen: Window[HealthEndpoints], limits: Limits) -> Finding:
    """Liveness and readiness are two endpoints."""
    looks = _since_configured(tuple(_compare(sample) for sample in seen.samples))
    state = _settle(looks, limits)
    last = looks[-1]
    if state is SeriesState.UP:
        return passed("liveness and readiness are two endpoints").at(_newest(looks, SampleKind.GOOD).sample.at)
    if state is SeriesState.DOWN:
        same = _newest(looks, SampleKind.BAD)
        return failed("one-endpoint", f"liveness and readiness are both {same.url}").at(same.sample.at)
    if state is SeriesState.UNDECIDED and last.kind is not SampleKind.UNCLEAR:
        return unknown(Cause.NO_DATA, f"{len(looks)} of {limits.samples_to_fall} samples")
    return unknown(last.cause, last.words)


def _newest(looks: tuple[_Look, ...], kind: SampleKind) -> _Look:
    return next(look for look in reversed(looks) if look.kind is kind)


def _compare(sample: Sample[HealthEndpoints]) -> _Look:
    if not isinstance(sample.value, HealthEndpoints):
        return _look(sample, lambda health: health.liveness, may_be_unready=False)
    first, second = sample.value.liveness, sample.value.readiness
    for endpoint in (first, second):
        if isinstance(endpoint, Unavailable):
            return _Look(SampleKind.UNCLEAR, endpoint.detail, sample, cause=endpoint.cause)
    if isinstance(first, Endpoint) and isinstance(second, Endpoint) and first.url == second.url:
        return _Look(SampleKind.BAD, "is asked for both", sample, first.url)
    return _Look(SampleKind.GOOD, "are two", sample)


@row.advisory(
    remedy="""
    Find out what the endpoint waits for; a readiness check asks its dependencies with a time limit of its own, and
    remembers the answer for a second:

    ```python
    @ttl_cache(seconds=1)
    def database_answers() -> bool:
        return database.ping(timeout=0.5)
    ```

    `curl -so /dev/null -w '%{time_total}\\n' https://payments.example.net/readyz` measures it by hand.
    """,
    types=_SERVES,
)
def fast(seen: Window[HealthEndpoints], limits: Limits) -> Finding:
    """{fast_percent} % of the answers within the window come in under {fast_seconds:g} s."""
    endpoints, missing = _requests(seen)
    answered = [endpoint for endpoint in endpoints if endpoint.reply is Reply.ANSWERED]
    if len(seen.samples) < limits.samples_to_fall:
        return unknown(Cause.NO_DATA, f"{len(seen.samples)} of {limits.samples_to_fall} samples")
    if not answered:
        return unknown(missing[0].cause if missing else Cause.NO_DATA, "no request of the window was answered")
    slow = [endpoint for endpoint in answered if endpoint.milliseconds >= 1000 * limits.fast_seconds]
    total = len(answered) + len(missing)
    # A request that was lost on our side may have been a slow one: it counts against a pass, and not for a failure.
    if (total - len(slow) - len(missing)) * 100 >= limits.fast_percent * total:
        return passed(
            f"{_share(len(answered) - len(slow), len(answered))} answers came in under {limits.fast_seconds:g} s"
        )
    if (total - len(slow)) * 100 >= limits.fast_percent * total:
        return unknown(
            missing[0].cause,
            f"{len(slow)} of {len(answered)} answers took {limits.fast_seconds:g} s or more, and {len(missing)} "
            "requests were lost on our side",
        )
    slowest = max(slow, key=lambda endpoint: endpoint.milliseconds)
    return failed(
        "slow",
        f"{len(slow)} of {len(answered)} answers took {limits.fast_seconds:g} s or more; the slowest was "
        f"{slowest.milliseconds / 1000:.1f} s, of {slowest.url}",
    )


def _share(some: int, every: int) -> str:
    return "all" if some == every else f"{some} of {every}"


def _requests(seen: Window[HealthEndpoints]) -> tuple[list[Endpoint], list[Unavailable]]:
    """The requests of the window, and those that were lost on our side; what is not configured was never sent."""
    endpoints: list[Endpoint] = []
    missing: list[Unavailable] = []
    for sample in seen.samples:
        value = sample.value
        parts = (value.liveness, value.readiness) if isinstance(value, HealthEndpoints) else (value, value)
        for part in parts:
            if isinstance(part, Endpoint):
                endpoints.append(part)
            elif not isinstance(part, Unavailable) or part.cause is not Cause.NOT_CONFIGURED:
                missing.append(part if isinstance(part, Unavailable) else Unavailable(Cause.NO_DATA, "was not there"))
    return endpoints, missing


@row.advisory(
    remedy="""
    ```hcl
    resource "aws_lb_target_group" "payments" {
      health_check { path = "/readyz" }
    }
    ```

    ```yaml
    livenessProbe: {httpGet: {path: /livez, port: 8080}}
    readinessProbe: {httpGet: {path: /readyz, port: 8080}}
    ```
    """,
    types=_ASKED,
)
def orchestrator_agrees(
    service: Service, targets: TargetChecks | Unavailable | Absent, pods: PodChecks | Unavailable | Absent
) -> Finding:
    """The target groups and the Kubernetes probes ask a path that is declared as liveness or readiness."""
    declared = {_path(one) for one in (service.spec.health.liveness, service.spec.health.readiness) if one}
    if not declared:
        return unknown(Cause.NOT_CONFIGURED, "spec.health names no path", lines=_HEALTH_LINES)
    # One that runs in Kubernetes alone is not looked for in AWS.
    sources: list[TargetChecks | PodChecks | Unavailable | Absent] = [pods] if service.spec.kubernetes else []
    if service.spec.aws or not service.spec.kubernetes:
        sources.append(targets)
    missing = [one for one in sources if isinstance(one, Unavailable)]
    seen = [one for one in sources if isinstance(one, TargetChecks | PodChecks)]
    missing += [part for one in seen for part in one.missing]

    def judge(one: OwnCheck | Unseen) -> Item:
        if isinstance(one, Unseen):
            return unavailable(one.why)
        agreed = [path for path in one.paths if _path(path) in declared]
        if agreed:
            return passed(f"the {one.kind} asks {', '.join(agreed)}")
        if not one.paths:
            return failed("no-path", f"the {one.kind} asks no path ({one.words}), and {_names(declared)} is declared")
        return failed("another-path", f"the {one.kind} asks {', '.join(one.paths)}, and {_names(declared)} is declared")

    return each((item for one in seen for item in one.items), judge, missing=missing, things="health checks")


_HEALTH_LINES = """spec:
  health: {liveness: /livez, readiness: /readyz}"""


def _path(address: str) -> str:
    """The path of a path or an address, as two of them are compared."""
    return urlsplit(address).path.rstrip("/") or "/"


def _names(paths: set[str]) -> str:
    return " or ".join(sorted(paths))
