"""Where the reading commands get their answers: the store of this directory, or a running server. The same shapes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from scorecard.cli.client import Client, member, part
from scorecard.cli.problems import CannotTell, Refused
from scorecard.cli.workspace import clock, open_workspace

if TYPE_CHECKING:
    from scorecard.document import Document
    from scorecard.gate import Decision
    from scorecard.model import Service, ServiceKey
    from scorecard.store import Store

_PAGE = 200
_CHANGES = 1000

server_option = click.option(
    "--server", metavar="URL", help="Ask this server; the store of this directory unless given."
)


class Source(Protocol):
    """What can be read."""

    name: str
    """For people: `the store` or the server's address."""

    def scorecard(self, key: ServiceKey, checklist: str | None, at: datetime | None) -> Document:
        """The scorecard document, now or at a past instant."""
        ...

    def decision(self, key: ServiceKey) -> Decision:
        """The launch decision, made now."""
        ...

    def services(self, filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Items of the list of services that pass the filters, of every page."""
        ...

    def history(self, key: ServiceKey, checklist: str | None, days: int) -> dict[str, Any]:
        """Days and changes."""
        ...

    def changes(self, key: ServiceKey, checklist: str | None, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Transitions between two instants, newest first."""
        ...


def source(server: str | None, config_file: Path | None) -> Source:
    """The server where one is named, else the configured store."""
    return ServerSource(Client(server)) if server else StoreSource(config_file)


class StoreSource:
    """Reads the store; writes nothing, and applies expiry at the instant of the question."""

    name = "the store"

    def __init__(self, config_file: Path | None) -> None:
        self._workspace = open_workspace(config_file)
        self._store = self._workspace.store()

    def scorecard(self, key: ServiceKey, checklist: str | None, at: datetime | None) -> Document:
        """See `Source`."""
        service = self._service(key)
        name = checklist or self._workspace.checklist(None, service).name
        self._known(name)
        found = self._store.document(service.key, name, clock(), at)
        if found is None:
            raise CannotTell(
                f"{key} had not been measured on {name} at {at:%Y-%m-%d %H:%M} UTC"
                if at
                else f"{key} was never measured on {name}"
            )
        return found

    def decision(self, key: ServiceKey) -> Decision:
        """See `Source`."""
        return self._store.decision(self._service(key).key, clock())

    def services(self, filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """See `Source`."""
        from scorecard.api import shown
        from scorecard.api.parameters import ServicesParameters
        from scorecard.store import QueryError

        asked = ServicesParameters.model_validate(filters)
        name = asked.checklist or next(iter(self._store.checklists))
        self._known(name)
        query = asked.as_query(name)
        while True:
            try:
                page = self._store.summaries(query, clock())
            except QueryError as error:
                raise Refused(str(error)) from error
            for found in page.items:
                yield shown.item(found).model_dump(mode="json")
            if not page.next:
                return
            query = dataclasses.replace(query, after=page.next)

    def history(self, key: ServiceKey, checklist: str | None, days: int) -> dict[str, Any]:
        """See `Source`."""
        from scorecard.api import shown

        service = self._service(key)
        name = checklist or self._workspace.checklist(None, service).name
        self._known(name)
        scores = self._store.history([service.key], name, days, clock())[service.key]
        changes = self._store.changes(checklist=name, key=service.key, limit=_CHANGES)
        return {
            "service": service.name,
            "environment": service.environment,
            "checklist": name,
            "days": [shown.day(day).model_dump(mode="json") for day in scores],
            "items": [shown.change(change).model_dump(mode="json") for change in changes],
        }

    def changes(self, key: ServiceKey, checklist: str | None, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """See `Source`."""
        from scorecard.api import shown

        service = self._service(key)
        name = checklist or self._workspace.checklist(None, service).name
        found = self._store.changes(checklist=name, key=service.key, since=since, until=until, limit=_CHANGES)
        return [shown.change(change).model_dump(mode="json") for change in found]

    def waivers(self, key: ServiceKey) -> tuple[Any, ...]:
        """The waivers of a service, for a decision over what was measured just now."""
        return self._store.waivers(key)

    def _known(self, checklist: str) -> None:
        if checklist not in self._store.checklists:
            raise Refused(f"--checklist: {checklist} is not one of {', '.join(self._store.checklists)}")

    def _service(self, key: ServiceKey) -> Service:
        from scorecard.problems import nearest

        found = self._store.service(key)
        if found is None:
            near = nearest(key.name, [service.name for service in self._store.services()])
            raise CannotTell(
                f"{key} is not registered in {_place(self._store)}" + (f"; did you mean {near}?" if near else "")
            )
        return found


def _place(store: Store) -> str:
    return str(store.db.path or store.db.url)


class ServerSource:
    """Asks a running server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.name = client.base

    def scorecard(self, key: ServiceKey, checklist: str | None, at: datetime | None) -> Document:
        """See `Source`."""
        body = self._client.get(
            f"{_path(key)}/scorecard", environment=key.environment, checklist=checklist, at=_instant(at)
        )
        member(body, "rows", list)
        found: Document = body
        return found

    def decision(self, key: ServiceKey) -> Decision:
        """See `Source`; an answer that is not one of the three verdicts is none."""
        from scorecard.gate import Decision
        from scorecard.model import Verdict

        body = self._client.get(f"{_path(key)}/gate", environment=key.environment)
        word, reasons = member(body, "verdict", str), member(body, "reasons", list)
        if word not in set(Verdict) or Verdict(word).exit_code != member(body, "exit_code", int):
            raise CannotTell(f"{self.name} answered the verdict {word!r}, which is none of the gate's")
        return Decision(verdict=Verdict(word), reasons=tuple(str(reason) for reason in reasons))

    def measure(self, key: ServiceKey) -> None:
        """Have the server measure a service now, and wait for it."""
        self._client.run_to_end(self._client.post(f"{_path(key)}/measure", environment=key.environment))

    def services(self, filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """See `Source`."""
        after = ""
        while True:
            body = self._client.get("/services", **{**filters, "after": after or None})
            yield from member(body, "items", list)
            after = body.get("next") or ""
            if not after:
                return

    def history(self, key: ServiceKey, checklist: str | None, days: int) -> dict[str, Any]:
        """See `Source`."""
        query = {"environment": key.environment, "checklist": checklist, "days": days, "limit": _PAGE}
        body: dict[str, Any] = self._client.get(f"{_path(key)}/history", **query)
        member(body, "days", list)
        member(body, "items", list)
        return body

    def changes(self, key: ServiceKey, checklist: str | None, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """See `Source`."""
        body = self._client.get(
            f"{_path(key)}/diff",
            environment=key.environment,
            checklist=checklist,
            from_=_instant(since),
            to=_instant(until),
        )
        found: list[dict[str, Any]] = member(body, "changes", list)
        return found


def _path(key: ServiceKey) -> str:
    return f"/services/{part(key.name)}"


def _instant(at: datetime | None) -> str | None:
    from scorecard.document import rfc3339

    return rfc3339(at)
