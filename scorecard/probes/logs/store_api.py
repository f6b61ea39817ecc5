"""One question to the HTTP API of a log store, and everything that may come back instead of an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from scorecard.egress.errors import EgressError
from scorecard.egress.session import PolicySession, json_of
from scorecard.probes.logs.source import SourceError

_WORDS = 300
"""Characters of an error's body that are told."""
_DEPTH = 48
"""An answer nests a document, which nests at most 32 deep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """How one instance is asked."""

    name: str
    url: str
    session: PolicySession
    headers: Callable[[], Mapping[str, str]]
    """Read at each question, for a rotated token counts at once; raises `SourceError`."""
    timeout: float

    def ask(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - a JSON document
        """One request; the JSON document that came back.

        Raises:
            SourceError: anything else came back, or nothing.
        """
        url = f"{self.url.rstrip('/')}{path}"
        try:
            response = self.session.request(method, url, headers=dict(self.headers()), timeout=self.timeout, **options)
        except EgressError as error:
            raise SourceError(error.cause, _without_query(error.message)) from None
        try:
            return json_of(response, depth=_DEPTH)
        except EgressError as error:
            raise SourceError(error.cause, f"{_without_query(error.message)}{_said(response)}") from None


def _without_query(message: str) -> str:
    """`GET ADDRESS?QUERY: words` without the query, which is long and stands in the evidence."""
    method, _, rest = message.partition(" ")
    address, colon, words = rest.partition(": ")
    return f"{method} {address.partition('?')[0]}{colon}{words}"


def _said(response: requests.Response) -> str:
    """What the store says of an error; a text, or a document."""
    if response.ok:
        return ""
    body = " ".join(response.content[:_WORDS].decode("utf-8", "replace").split())
    return f": {body}" if body else ""
