"""Grafana's HTTP API: search, dashboards of all three models, library panels, data sources.

https://grafana.com/docs/grafana/latest/developers/http_api/ (`/api`), and the resources of
`/apis/dashboard.grafana.app` that Grafana 12 brought. What a token may not see is said, and never taken for absent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from scorecard.evidence import Unavailable
from scorecard.evidence.dashboards import Dashboard
from scorecard.model import Cause
from scorecard.probes.grafana.lane import Lane, NoAnswerError, Reply, document_of, refused, told
from scorecard.probes.grafana.models import read_dashboard
from scorecard.probes.grafana.reading import listing, mapping, text, truth

_PAGE = 1000
"""Dashboards of a page of the search; what every version answers."""
_MOST_PAGES = 50
_GROUP = "/apis/dashboard.grafana.app"
_MOST_PLACES = 8
_PLACE = re.compile(r"/apis/dashboard\.grafana\.app/(v\d\w{0,20})/namespaces/([\w-]{1,80})/dashboards/([\w-]{1,80})")
"""Where Grafana says that a dashboard is which its older API cannot write down."""
_MISSES = 3
"""After so many a version is not asked for again: an old Grafana has none of them."""
_VERSIONS = ("v1", "v1beta1", "v2", "v2beta1", "v2alpha1")
"""Versions of the resource that are read, in the order in which they are asked for."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data source that Grafana knows."""

    uid: str
    name: str
    type: str
    url: str = ""
    """Its address; empty where the token may not see it."""
    default: bool = False
    interval: str = ""
    """The scrape interval that it is configured with."""


@dataclass(frozen=True, slots=True)
class GrafanaApi:
    """One Grafana in one run."""

    lane: Lane
    misses: Counter[str] = field(default_factory=Counter)
    """How often a version of the resource was nothing that this Grafana knows."""

    def tagged(self) -> Mapping[str, tuple[str, ...]]:
        """Tag to the uids of the dashboards that carry it, from one search over all of them.

        Raises:
            NoAnswerError: the search did not come to its end.
        """
        return self.lane.once("search", self._search)

    def _search(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for page in range(1, _MOST_PAGES + 1):
            params = {"type": "dash-db", "limit": str(_PAGE), "page": str(page)}
            hits = document_of(self.lane.get("/api/search", params), list)
            for hit in hits:
                for tag in listing(hit, "tags"):
                    if text(hit, "uid"):
                        found.setdefault(text(tag), {})[text(hit, "uid")] = None
            if len(hits) < _PAGE:
                return {tag: tuple(uids) for tag, uids in found.items()}
        raise NoAnswerError(
            Cause.BAD_RESPONSE, f"{self.lane.label}: the search has more than {_MOST_PAGES * _PAGE} dashboards"
        )

    def dashboard(self, uid: str) -> Dashboard | Unavailable | None:
        """The dashboard of that uid; None where Grafana says that there is none."""

        def ask() -> Dashboard | Unavailable | None:
            try:
                document = self._document(uid)
            except NoAnswerError as error:
                return error.unavailable
            if document is None:
                return None
            return read_dashboard(document, base=self.lane.instance.url, uid=uid, panels=self.library)

        return self.lane.once(("dashboard", uid), ask)

    def _document(self, uid: str) -> Mapping[str, Any] | None:
        reply = self.lane.get(f"/api/dashboards/uid/{quote(uid, safe='')}")
        if reply.status == 200:  # noqa: PLR2004 - found
            document: Mapping[str, Any] = document_of(reply, dict)
            if not _is_dashboard(document):
                raise refused(reply)
            return document
        if reply.status not in {404, 406, 410}:
            raise refused(reply)
        return self._resource(uid, reply)

    def _resource(self, uid: str, classic: Reply) -> Mapping[str, Any] | None:
        """The dashboard as a resource: the classic path does not have it, or (406) cannot write it down."""
        absent = classic.status == 404 and "dashboard" in text(classic.document, "message").lower()  # noqa: PLR2004
        todo = self._places(uid, classic)
        for _ in range(_MOST_PLACES):
            if not todo:
                break
            version, path = todo.pop(0)
            reply = self.lane.get(path)
            if reply.status == 404:  # noqa: PLR2004 - not found
                if text(reply.document, "kind") == "Status":
                    return None
                self.misses[version] += 1
                continue
            self.misses[version] = -_MISSES
            document: Mapping[str, Any] = document_of(reply, dict)
            stored = text(document, "status", "conversion", "storedVersion")
            if truth(document, "status", "conversion", "failed") and stored not in {"", version}:
                todo.insert(0, (stored, self._place(stored, uid)))
                continue
            if not _is_dashboard(document):
                raise refused(reply)
            return document
        if absent:
            return None
        raise NoAnswerError(Cause.BAD_RESPONSE, told(classic))

    def _places(self, uid: str, classic: Reply) -> list[tuple[str, str]]:
        """Where the resource may be: where the refusal says, else in each version that is served."""
        told_place = _PLACE.search(text(classic.document, "message"))
        if told_place is not None and told_place.group(3) == uid:
            return [(told_place.group(1), told_place.group(0))]
        versions = self.lane.once("versions", self._versions) or _VERSIONS
        chosen = [one for one in versions if self.misses[one] < _MISSES]
        if classic.status == 406:  # noqa: PLR2004 - it is stored in the newer model
            chosen.sort(key=lambda one: not one.startswith("v2"))
        return [(one, self._place(one, uid)) for one in chosen]

    def _place(self, version: str, uid: str) -> str:
        name = quote(uid, safe="")
        return f"{_GROUP}/{quote(version, safe='')}/namespaces/{self._namespace()}/dashboards/{name}"

    def _versions(self) -> tuple[str, ...]:
        """The versions of the resource that this Grafana serves and we read; empty where it does not say."""
        reply = self.lane.get(_GROUP)
        served = {text(one, "version") for one in listing(reply.document, "versions")}
        return tuple(one for one in _VERSIONS if one in served)

    def _namespace(self) -> str:
        """`default`, `org-2` or `stacks-17`, as Grafana's own pages are told it."""
        try:
            found = text(self.lane.once("settings", self._settings), "namespace")
            return quote(found, safe="") or "default"
        except NoAnswerError:
            return "default"

    def _settings(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = document_of(self.lane.get("/api/frontend/settings"), dict)
        return found

    def library(self, uid: str) -> Mapping[str, Any] | Unavailable | None:
        """The model of a library panel."""

        def ask() -> Mapping[str, Any] | Unavailable | None:
            try:
                reply = self.lane.get(f"/api/library-elements/{quote(uid, safe='')}")
                if reply.status == 404 and text(reply.document, "message").lower() not in {"", "not found"}:  # noqa: PLR2004
                    return None
                model = mapping(document_of(reply, dict), "result", "model")
                return model or refused(reply).unavailable
            except NoAnswerError as error:
                return error.unavailable

        return self.lane.once(("library", uid), ask)

    def sources(self) -> tuple[DataSource, ...]:
        """The data sources; from what Grafana tells its own pages where the token may not list them.

        Raises:
            NoAnswerError: neither was answered.
        """
        return self.lane.once("sources", self._sources)

    def _sources(self) -> tuple[DataSource, ...]:
        reply = self.lane.get("/api/datasources")
        if reply.status == 403:  # noqa: PLR2004 - a Viewer may query them, and not list them
            settings = self.lane.once("settings", self._settings)
            default = text(settings, "defaultDatasource")
            return tuple(
                DataSource(
                    uid=text(raw, "uid"),
                    name=name,
                    type=text(raw, "type"),
                    default=name == default or truth(raw, "isDefault"),
                    interval=text(raw, "jsonData", "timeInterval"),
                )
                for name, raw in mapping(settings, "datasources").items()
            )
        return tuple(
            DataSource(
                uid=text(raw, "uid"),
                name=text(raw, "name"),
                type=text(raw, "type"),
                url=text(raw, "url"),
                default=truth(raw, "isDefault"),
                interval=text(raw, "jsonData", "timeInterval"),
            )
            for raw in document_of(reply, list)
        )

    def has_source(self, uid: str) -> bool:
        """Whether a data source that the list does not have exists after all.

        Raises:
            NoAnswerError: the token may not see it, or nothing was answered.
        """

        def ask() -> bool:
            for path in (f"/api/datasources/uid/{quote(uid, safe='')}", f"/api/datasources/name/{quote(uid, safe='')}"):
                reply = self.lane.get(path)
                if reply.status != 404:  # noqa: PLR2004 - not found
                    document_of(reply, dict)
                    return True
            return False

        return self.lane.once(("source", uid), ask)


def _is_dashboard(document: Mapping[str, Any]) -> bool:
    """Whether the document holds a dashboard at all: a proxy's page of its own does not."""
    body = mapping(document, "dashboard") or mapping(document, "spec")
    keys = ("panels", "rows", "elements", "title", "schemaVersion")
    return any(key in body for key in keys)
