"""One API server, asked: lists page by page, each of them once in a cycle.

https://kubernetes.io/docs/reference/using-api/api-concepts/: `limit` and `continue` for pages, 410 where the pages are
of a time that the server does not keep any more, `Status` for what is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scorecard.config.integrations import instance
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.strict_json import BadJsonError, read_json
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.lane import Instance, Lane, NoAnswerError, connect
from scorecard.redact import redact_text

PAGE = 250
"""Items of a page: a pod has some 20 KB, and an answer may have 16 MiB."""
_MOST_PAGES = 400
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Names and labels alone: a node's status has a list of its images."""
_GONE, _BUSY, _BROKEN = 410, 429, 500
_WORDS = 300

REUSED = 300.0
"""Seconds for which a list serves other shards of a cycle; a third of the platform's cadence."""
FRESH = 30.0
"""Seconds for which it serves somebody who asked to measure now: one run's probes ask soon after one another."""

Item = Mapping[str, Any]
Slim = Callable[[Item], Item]
"""What is kept of an item; lists are held for minutes, and pods have environments."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list brought: all of it, or what came before it broke off."""

    items: tuple[Item, ...]
    missing: Unavailable | None = None


@dataclass
class Cluster:
    """Questions to one cluster in one cycle."""

    server: Instance
    lane: Lane = field(init=False)
    _told: int = 0

    def __post_init__(self) -> None:
        """What is asked of it is asked in one lane."""
        self.lane = Lane(self.server)

    def counted(self) -> int:
        """Requests since the last question."""
        calls, told = self.lane.calls, self._told
        self._told = calls
        return calls - told

    def list(self, path: str, kind: str, slim: Slim, *, selector: str = "", metadata: bool = False) -> Listed:
        """All items of a list.

        Args:
            path: `/api/v1/nodes`.
            kind: what the answer must be, such as `PodList`.
            slim: what is kept of an item.
            selector: of labels.
            metadata: names and labels suffice.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: an item is not as its API says.
        """
        return self.lane.once((path, selector), lambda: self._all(path, kind, slim, selector, metadata=metadata))

    def _all(self, path: str, kind: str, slim: Slim, selector: str, *, metadata: bool) -> Listed:
        """Once more from the beginning where the pages got too old in between."""
        first = self._pages(path, kind, slim, selector, metadata=metadata)
        if isinstance(first, Listed):
            return first
        again = self._pages(path, kind, slim, selector, metadata=metadata)
        return again if isinstance(again, Listed) else Listed((), again.unavailable)

    def _pages(self, path: str, kind: str, slim: Slim, selector: str, *, metadata: bool) -> Listed | NoAnswerError:
        items: list[Item] = []
        token = ""
        for _ in range(_MOST_PAGES):
            params = {"limit": str(PAGE)}
            params |= {"labelSelector": selector} if selector else {}
            params |= {"continue": token} if token else {}
            try:
                document = self._get(path, params, kind, metadata=metadata)
            except NoAnswerError as error:
                if error.status == _GONE and token:
                    return error
                return Listed(tuple(items), error.unavailable)
            items += map(slim, document["items"])
            before, token = token, str((document.get("metadata") or {}).get("continue") or "")
            if not token:
                return Listed(tuple(items))
            if token == before:
                break
        words = f"{self.server.label}, GET {path}: the pages have no end"
        return Listed(tuple(items), Unavailable(Cause.BAD_RESPONSE, words))

    def _get(self, path: str, params: Mapping[str, str], kind: str, *, metadata: bool) -> dict[str, Any]:
        subject = f"{self.server.label}, GET {path}"
        accept = f"{METADATA},application/json" if metadata else "application/json"
        raw = self.lane.send("GET", path, request=subject, accept=accept, params=dict(params))
        document = _document(raw.body)
        if not 200 <= raw.status < 300:  # noqa: PLR2004 - success
            raise self._refused(raw.status, _told(subject, raw.status, document))
        self.lane.answered()
        kinds = {kind, "PartialObjectMetadataList"} if metadata else {kind}
        if (
            not isinstance(document, dict)
            or document.get("kind") not in kinds
            or not _are_objects(document.get("items"))
        ):
            raise NoAnswerError(Cause.BAD_RESPONSE, f"{subject}: answered another document than a {kind}")
        return {**document, "items": document.get("items") or []}

    def _refused(self, status: int, detail: str) -> NoAnswerError:
        if status == _BUSY:  # one list too many: the next may be taken
            return NoAnswerError(Cause.RATE_LIMITED, detail, status)
        if status == _BROKEN:
            return self.lane.failed(Cause.UNREACHABLE, detail, status)
        return self.lane.refused(status, detail)


def _document(body: bytes) -> Any:  # noqa: ANN401 - whatever it holds
    try:
        return read_json(body)
    except BadJsonError:
        return None


def _are_objects(items: object) -> bool:
    """Whether it is a list of objects; Go writes an empty one as null."""
    return items is None or (
        isinstance(items, list)
        and all(isinstance(one, dict) and isinstance(one.get("metadata"), dict) for one in items)
    )


def _told(subject: str, status: int, document: object) -> str:
    """What was asked and what the server says about it."""
    said = document.get("message") if isinstance(document, dict) and document.get("kind") == "Status" else ""
    words = redact_text(" ".join(said.split())[:_WORDS]) if isinstance(said, str) else ""
    return f"{subject}: answered {status}{f': {words}' if words else ''}"


@dataclass(slots=True)
class Clusters:
    """Makes a `Instance` of what the configuration names."""

    integrations: Any
    """`scorecard.config.integrations.Integrations`."""
    policy: AddressPolicy
    resolver: Resolver
    _made: dict[str, Instance] = field(default_factory=dict)
    _asked: dict[str, tuple[float, Cluster]] = field(default_factory=dict)

    def cluster(self, server: Instance, *, patient: bool) -> Cluster:
        """What was asked of it already, unless that is too old; of `patient` where somebody waits for the answer."""
        now = time.monotonic()
        self._asked = {name: kept for name, kept in self._asked.items() if now - kept[0] <= REUSED}
        at, found = self._asked.get(server.name, (now, None))
        if found is None or (patient and now - at > FRESH):
            found = Cluster(server)
            self._asked[server.name] = now, found
        return found

    def server(self, name: str | None) -> Instance | Unavailable:
        """The cluster of that name, or the first."""
        found = instance(self.integrations.kubernetes, name)
        if found is None:
            asked = f"a cluster {name!r}" if name else "a cluster"
            example = f"integrations: {{kubernetes: [{{name: {name or 'main'}, url: https://k8s.example.net, ...}}]}}"
            return Unavailable(
                Cause.NOT_CONFIGURED, f"scorecard.yaml does not name {asked} of kubernetes; add: {example}"
            )
        if found.name not in self._made:
            made = connect("kubernetes", found, self.policy, self.resolver)
            if isinstance(made, Unavailable):
                return made
            self._made[found.name] = made
        return self._made[found.name]
