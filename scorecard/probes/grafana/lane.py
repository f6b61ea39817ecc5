"""One place that is asked, for the length of one run: each question once, and no more when it does not answer.

A Grafana is a lane, and so is each data source behind it: one that hangs costs its own questions and no other's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from scorecard.egress.strict_json import BadJsonError, read_json
from scorecard.model import Cause
from scorecard.probes import lane
from scorecard.probes.grafana.reading import clean, text
from scorecard.probes.lane import CAUSES, Instance, NoAnswerError, Raw
from scorecard.redact import redact_text

__all__ = ["Instance", "Lane", "NoAnswerError", "Reply", "document_of", "refused", "told"]

_DEPTH = 120
"""A dashboard nests rows in tabs in rows, each of them five levels."""
_LONGEST_GET = 1800
"""Characters of a query that goes into an address; a longer one is posted."""
_WORDS = 300
_NO_WORD_OF_ITS_OWN = frozenset({401, 407, 408, 429, 502, 503, 504})
"""Statuses that say nothing of the question, but of who asks or of what stands in between."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    document: Any
    """The JSON document; None where it is none."""
    said: str
    """What the answer says of itself, for an error."""
    request: str
    """`GET ADDRESS`, without its query."""


@dataclass
class Lane(lane.Lane):
    """Questions to one place in one run; an answer is a reply, whatever its status."""

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Reply:
        """GET; any status is a reply.

        Raises:
            NoAnswerError: nothing came back, or the place is not asked any more.
        """
        return self._reply("GET", path, params=dict(params or {}))

    def query(self, path: str, params: Mapping[str, str]) -> Reply:
        """Ask a query: by GET while it fits into an address, else by POST."""
        if sum(map(len, params.values())) <= _LONGEST_GET:
            return self._reply("GET", path, params=dict(params))
        return self._reply("POST", path, data=dict(params))

    def _reply(self, method: str, path: str, **options: Any) -> Reply:  # noqa: ANN401 - requests' own
        reply = _reply(self.send(method, path, **options))
        if reply.status in _NO_WORD_OF_ITS_OWN:
            raise self.refused(reply.status, told(reply))
        self.answered()
        return reply


def _reply(raw: Raw) -> Reply:
    status, body = raw.status, raw.body
    try:
        document = read_json(body, depth=_DEPTH) if body else None
    except BadJsonError:
        document = None
    said = text(document, "error") or text(document, "message") or text(document, "title")
    if not said and document is None and body.lstrip()[:1] != b"<":
        said = " ".join(clean(body[:_WORDS].decode("utf-8", "replace")).split())
    return Reply(status, document, redact_text(" ".join(said.split())[:_WORDS]), raw.request)


def told(reply: Reply) -> str:
    """What was asked and what came of it."""
    return f"{reply.request}: answered {reply.status}{f': {reply.said}' if reply.said else ''}"


def refused(reply: Reply) -> NoAnswerError:
    """A reply that is no answer to what was asked."""
    if 200 <= reply.status < 300:  # noqa: PLR2004 - success
        what = "no JSON" if reply.document is None else "another document than was asked for"
        return NoAnswerError(Cause.BAD_RESPONSE, f"{reply.request}: answered {what}")
    return NoAnswerError(CAUSES.get(reply.status, Cause.BAD_RESPONSE), told(reply))


def document_of(reply: Reply, kind: type[T]) -> T:
    """The document of a successful reply.

    Raises:
        NoAnswerError: it is not of that kind, or the status is not 2xx.
    """
    if 200 <= reply.status < 300 and isinstance(reply.document, kind):  # noqa: PLR2004 - success
        return reply.document
    raise refused(reply)
