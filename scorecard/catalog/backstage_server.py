"""A Backstage server: `GET /api/catalog/entities`, page by page, read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from scorecard.catalog.documents import Found
from scorecard.config import BackstageSource, SecretUnavailable
from scorecard.egress.errors import EgressError
from scorecard.egress.strict_json import BadJsonError, read_json
from scorecard.problems import Problem
from scorecard.strict_yaml import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorecard.catalog.sources import Surroundings

_PAGE = 500
_MAX_PAGES = 400


class ServerSource:
    """`- backstage: {url: https://…}`."""

    def __init__(self, options: object, surroundings: Surroundings) -> None:
        if not isinstance(options, BackstageSource):
            raise TypeError(f"the options of a Backstage server are expected, not {type(options).__name__}")
        self._options = options
        self._surroundings = surroundings
        self._address = options.url.rstrip("/")

    def read(self) -> Iterator[Found | Problem]:
        """Every Component and Group; a problem when a page does not come, with what came before it."""
        try:
            with self._surroundings.open_session(self._options) as session:
                yield from self._pages(session)
        except (EgressError, requests.RequestException, SecretUnavailable, _BadPageError) as error:
            yield Problem(self._address, 0, "", f"GET /api/catalog/entities: {error}")

    def _pages(self, session: requests.Session) -> Iterator[Found]:
        namespace = f",metadata.namespace={self._options.namespace}" if self._options.namespace else ""
        kinds = [f"kind={kind}{namespace}" for kind in ("component", "group")]
        for page in range(_MAX_PAGES):
            parameters = {"filter": kinds, "limit": _PAGE, "offset": page * _PAGE}
            entities = self._page(session, parameters)
            for entity in entities:
                yield Found(Document.of(entity, name=f"{self._address}#{_entity_reference(entity)}"), local=False)
            if len(entities) < _PAGE:
                return
        raise _BadPageError(f"more than {_MAX_PAGES} pages")

    def _page(self, session: requests.Session, parameters: dict[str, Any]) -> list[Any]:
        answer = session.get(
            f"{self._address}/api/catalog/entities",
            params=parameters,
            timeout=self._options.timeout.total_seconds(),
            allow_redirects=False,
        )
        if answer.status_code != requests.codes.ok:
            raise _BadPageError(f"answered {answer.status_code}")
        try:
            entities = read_json(answer.content)
        except BadJsonError as error:
            raise _BadPageError(f"the answer is not JSON: {error}") from None
        if not isinstance(entities, list):
            raise _BadPageError("a list of entities is expected")
        return entities


class _BadPageError(Exception):
    """An answer that is not a page of entities."""


def _entity_reference(entity: object) -> str:
    """`component:default/payments`, as Backstage writes it."""
    if not isinstance(entity, dict):
        return "?"
    metadata = entity.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    return f"{str(entity.get('kind', '?')).lower()}:{named.get('namespace', 'default')}/{named.get('name', '?')}"
