"""The demo's Grafana: no Grafana, but what its API answers about the demo's dashboards and its one data source."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlencode

from scorecard.demo.dashboards import LIBRARY, Screen, classic, workers
from scorecard.demo.pages import Asked, Page, document

_GROUP = "/apis/dashboard.grafana.app"
_PROXY = "/api/datasources/proxy/uid/prom"


class Grafana:
    """Answers as Grafana 12 does: classic dashboards under `/api`, the one in the v2 model under `/apis`."""

    def __init__(self, screens: Mapping[str, Screen], prometheus: str) -> None:
        """Store the dashboards.

        Args:
            screens: service to its dashboard.
            prometheus: the address of the data source.
        """
        self._classic = classic(screens)
        self._name, self._tags, self._spec = workers(screens)
        self._prometheus = prometheus

    def __call__(self, asked: Asked) -> Page:
        """One request."""
        path = asked.path
        if path.startswith(f"{_PROXY}/"):
            return self._forward(path.removeprefix(_PROXY), asked)
        if path.startswith("/api/dashboards/uid/"):
            return self._dashboard(path.removeprefix("/api/dashboards/uid/"))
        if path.startswith("/api/library-elements/"):
            return self._library(path.removeprefix("/api/library-elements/"))
        if path.startswith(_GROUP):
            return self._resource(path.removeprefix(_GROUP))
        pages = {
            "/api/health": {"database": "ok", "version": "12.1.0"},
            "/api/search": self._found() if asked.parameters.get("page", "1") == "1" else [],
            "/api/datasources": [self._source()],
            "/api/access-control/user/permissions": {
                "dashboards:read": ["dashboards:*"],
                "datasources:read": ["datasources:*"],
                "datasources:query": ["datasources:*"],
            },
            "/api/frontend/settings": {"namespace": "default", "defaultDatasource": "Prometheus"},
        }
        return document(pages[path]) if path in pages else document({"message": "Not found"}, 404)

    def _found(self) -> list[dict[str, object]]:
        boards = {uid: one["tags"] for uid, one in self._classic.items()} | {self._name: self._tags}
        titles = {uid: one["title"] for uid, one in self._classic.items()} | {self._name: self._spec["title"]}
        return [
            {"id": number, "uid": uid, "title": titles[uid], "type": "dash-db", "tags": tags, "url": f"/d/{uid}"}
            for number, (uid, tags) in enumerate(boards.items(), 1)
        ]

    def _source(self) -> dict[str, object]:
        return {
            "id": 1,
            "uid": "prom",
            "name": "Prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": self._prometheus,
            "isDefault": True,
            "jsonData": {"timeInterval": "15s"},
        }

    def _dashboard(self, uid: str) -> Page:
        if uid in self._classic:
            meta = {"url": f"/d/{uid}", "slug": uid, "isStarred": False, "folderUid": ""}
            return document({"dashboard": {"uid": uid, **self._classic[uid]}, "meta": meta})
        if uid == self._name:
            return document({"message": "dashboard api version not supported, use /apis/… instead"}, 406)
        return document({"message": "Dashboard not found"}, 404)

    def _library(self, uid: str) -> Page:
        if uid in LIBRARY:
            return document({"result": {"uid": uid, "kind": 1, "name": uid, "model": LIBRARY[uid]}})
        return document({"message": "library element could not be found"}, 404)

    def _resource(self, path: str) -> Page:
        if path in {"", "/"}:
            versions = [
                {"groupVersion": f"dashboard.grafana.app/{one}", "version": one} for one in ("v1beta1", "v2beta1")
            ]
            return document({"kind": "APIGroup", "name": "dashboard.grafana.app", "versions": versions})
        if path == f"/v2beta1/namespaces/default/dashboards/{self._name}":
            return document(
                {
                    "kind": "Dashboard",
                    "apiVersion": "dashboard.grafana.app/v2beta1",
                    "metadata": {"name": self._name, "namespace": "default"},
                    "spec": self._spec,
                }
            )
        return document({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}, 404)

    def _forward(self, path: str, asked: Asked) -> Page:
        url = f"{self._prometheus}{path}?{urlencode(asked.parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own loopback
                return Page(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return Page(error.code, error.read())
        except OSError:
            return document({"message": "Bad Gateway"}, 502)
