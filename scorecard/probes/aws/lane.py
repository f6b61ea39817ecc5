"""One account and region, asked: each question once for all services, and kept for the few minutes of a cycle.

A cycle comes in shards of services, each with all of the probes, and all of them need the same sweep. What one of them
asked serves the others; what fails costs the questions that need it.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from scorecard.egress.aws import Account, AwsError, Clients, models
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.aws.calls import Call

REUSED = 300.0
"""Seconds for which an answer serves other shards of the cycle; a third of the platform's cadence."""
FRESH = 30.0
"""Seconds for which it serves somebody who asked to measure now: one run's probes ask soon after one another."""
THREADS = 4
"""Calls under way in one account and region."""
GIVE_UP_AFTER = 3
"""Calls in a row without any answer, after which the lane is not asked more for a while."""

T = TypeVar("T")
Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep brought: all of it, or what came before it broke off."""

    items: tuple[Item, ...]
    missing: Unavailable | None = None
    """Why the rest is not there."""
    nothing: str = ""
    """AWS's word for it where the answer was that there is none: `NoSuchBucketPolicy`."""

    @property
    def first(self) -> Item:
        """The one item, where there is one; else empty."""
        return self.items[0] if self.items else {}


@dataclass
class Lane:
    """One account and region."""

    clients: Clients
    account: Account
    region: str
    patience: Callable[[], float] = lambda: REUSED
    """How old an answer may be, in seconds."""
    _asked: dict[object, tuple[float, Future[Any]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _silent: dict[str, int] = field(default_factory=dict)
    _gone: dict[str, tuple[float, Unavailable]] = field(default_factory=dict)
    """By AWS's service: S3 that hangs costs no question to RDS."""

    @property
    def label(self) -> str:
        """`aws/main/111122223333/eu-west-1`."""
        return f"{self.account.label}/{self.region}"

    def all(self, call: Call, **more: Any) -> Swept:  # noqa: ANN401 - the operation's parameters
        """Every item of a sweep, over all pages."""
        return self._once((call.name, call.fixed, more), lambda: self._pages(call, {**call.fixed, **more}))

    def of(self, call: Call, ids: Iterable[str], **more: Any) -> Swept:  # noqa: ANN401 - as above
        """The items of those ids, in as few calls as they need; an id that does not exist brings none."""
        wanted = sorted(set(ids))
        parts = [wanted[at : at + call.size] for at in range(0, len(wanted), call.size)]
        found = self._each(parts, lambda part: self.all(call, **more, **{call.parameter: part}))
        missing = next((swept.missing for swept in found if swept.missing), None)
        return Swept(tuple(item for swept in found for item in swept.items), missing)

    def one(self, call: Call, ids: Iterable[str], **more: Any) -> Mapping[str, Swept]:  # noqa: ANN401 - as above
        """One call for each id; where the call names no list, the whole answer is the one item."""
        wanted = sorted(set(ids))
        found = self._each(wanted, lambda one: self.all(call, **more, **{call.parameter: one}))
        return dict(zip(wanted, found, strict=True))

    def _each(self, things: Sequence[T], ask: Callable[[T], Swept]) -> list[Swept]:
        if len(things) <= 1:
            return [ask(thing) for thing in things]
        with ThreadPoolExecutor(THREADS, f"aws-{self.region}") as pool:
            return list(pool.map(ask, things))

    def _once(self, key: object, make: Callable[[], Swept]) -> Swept:
        """The answer of whoever asked first; others wait for it."""
        known, now = repr(key), time.monotonic()
        with self._lock:
            at, future = self._asked.get(known, (0.0, None))
            mine = future is None or now - at > self.patience()
            if mine:
                future = Future()
                self._asked[known] = now, future
        assert future is not None  # noqa: S101 - made above
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:  # noqa: BLE001 - told to everybody who waits
                future.set_exception(error)
        result: Swept = future.result()
        return result

    def forget(self) -> None:
        """What is too old to serve anybody."""
        limit = time.monotonic() - REUSED
        with self._lock:
            self._asked = {key: kept for key, kept in self._asked.items() if kept[0] >= limit}

    def _pages(self, call: Call, parameters: dict[str, Any]) -> Swept:
        found: list[Item] = []
        try:
            tokens = _tokens(call)
            while True:
                answer = self._call(call, parameters)
                found += _items(answer, call)
                given = {name: _dig(answer, source) for name, source in tokens}
                if not any(given.values()):
                    return Swept(tuple(found))
                if call.most and len(found) >= call.most:
                    words = f"{self.label}, {call.name}: there are more than the {call.most:,} that are looked through"
                    return Swept(tuple(found), Unavailable(Cause.NOT_SUPPORTED, words))
                if all(parameters.get(name) == value for name, value in given.items()):
                    words = f"{self.label}, {call.name}: the next page is the same page"
                    return Swept(tuple(found), Unavailable(Cause.BAD_RESPONSE, words))
                parameters = parameters | {name: value for name, value in given.items() if value}
        except AwsError as error:
            if error.code in call.nothing:
                return Swept(tuple(found), nothing=error.code)
            return Swept(tuple(found), error.unavailable)

    def _call(self, call: Call, parameters: Mapping[str, Any]) -> Item:
        with self._lock:
            at, why = self._gone.get(call.service, (0.0, None))
        if why is not None and time.monotonic() - at <= self.patience():
            raise AwsError(why.cause, why.detail)
        try:
            answer = self.clients.call(self.account, self.region, call.service, call.operation, **parameters)
        except AwsError as error:
            self._note(call, error)
            raise
        with self._lock:
            self._silent[call.service] = 0
        return answer

    def _note(self, call: Call, error: AwsError) -> None:
        """A service that says nothing at all, three times in a row, is not asked for all the rest as well."""
        with self._lock:
            silent = 0 if error.code else self._silent.get(call.service, 0) + 1
            if silent >= GIVE_UP_AFTER:
                why = error.unavailable
                words = f"{why.detail}; after {silent} calls without an answer nothing more was asked of {call.service}"
                self._gone[call.service] = time.monotonic(), Unavailable(why.cause, words)
                silent = 0
            self._silent[call.service] = silent


def _tokens(call: Call) -> tuple[tuple[str, str], ...]:
    """(parameter, path in the answer) of what leads to the next page, by botocore's own description."""
    with _PAGINATORS_LOCK:
        if call.service not in _PAGINATORS:
            _PAGINATORS[call.service] = models().load_service_model(call.service, "paginators-1")["pagination"]
        found = _PAGINATORS[call.service].get(call.operation)
    if found is None:
        return _plain_tokens(call.service, call.operation)
    inputs, outputs = found["input_token"], found["output_token"]
    if isinstance(inputs, str):
        inputs, outputs = [inputs], [outputs]
    # `NextMarker || Contents[-1].Key`: what comes first is the token itself.
    return tuple((name, source.partition(" ")[0]) for name, source in zip(inputs, outputs, strict=True))


@functools.cache
def _plain_tokens(service: str, operation: str) -> tuple[tuple[str, str], ...]:
    """Of an operation that has pages and no paginator in botocore's data, such as `ecs:ListServiceDeployments`."""
    from botocore.model import ServiceModel

    model = ServiceModel(models().load_service_model(service, "service-2"), service).operation_model(operation)
    shapes = (model.input_shape, model.output_shape)
    both = all(shape is not None and "nextToken" in shape.members for shape in shapes)
    return (("nextToken", "nextToken"),) if both else ()


_PAGINATORS: dict[str, Mapping[str, Any]] = {}
_PAGINATORS_LOCK = threading.Lock()


def _items(answer: Item, call: Call) -> list[Item]:
    if not call.items:
        return [{name: value for name, value in answer.items() if name != "ResponseMetadata"}]
    found: list[Any] = [answer]
    for name in call.items.split("."):
        found = [inner for one in found for inner in ((one.get(name) or ()) if isinstance(one, dict) else ())]
    return [one if isinstance(one, dict) else {"": one} for one in found]


def _dig(answer: Item, path: str) -> Any:  # noqa: ANN401 - a token
    value: Any = answer
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
