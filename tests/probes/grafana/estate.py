"""A Grafana as its documentation describes it, in front of a real Prometheus, and the probes asked about them.

Shapes: https://grafana.com/docs/grafana/latest/developers/http_api/ (`/api`), and of the resources of Grafana 12 and 13
(`/apis/dashboard.grafana.app`).
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from scorecard.config import load_config
from scorecard.demo.pages import free_port
from scorecard.evidence import Answer, Observation
from scorecard.evidence.dashboards import Dashboards, PanelData
from scorecard.model import DashboardRef, Service, ServiceType, Spec
from scorecard.probes import Context, Upstream
from scorecard.probes.grafana import DashboardsProbe, PanelsProbe, probes

TOKEN = "glsa_TestTestTestTestTestTest"


def utc() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a real Prometheus has the wall clock


class _Quiet(WSGIRequestHandler):
    def log(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(answer: Callable[[Request], Response]) -> Iterator[str]:
    """A real HTTP server on loopback; its address."""
    server = make_server("127.0.0.1", 0, Request.application(answer), threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- a Prometheus with series ----------------------------------------------------------------------------------------


def series() -> str:
    """What the exporter says: counters that grow by the second."""
    at = time.time()
    lines = []
    for service, rate in (("payments", 5), ("ledger", 3)):
        for status, part in (("200", 0.98), ("500", 0.02)):
            lines.append(f'http_requests_total{{service="{service}",status="{status}"}} {at * rate * part:.3f}')
        for bound, part in (("0.1", 0.5), ("0.5", 0.9), ("1", 0.99), ("+Inf", 1.0)):
            labels = f'service="{service}",le="{bound}"'
            lines.append(f"http_request_duration_seconds_bucket{{{labels}}} {at * rate * part:.3f}")
        lines.append(f'http_request_duration_seconds_sum{{service="{service}"}} {at * rate * 0.2:.3f}')
        lines.append(f'http_request_duration_seconds_count{{service="{service}"}} {at * rate:.3f}')
        lines.append(f'queue_depth{{service="{service}",env="prod"}} 3')
    lines.append('idle_connections{service="payments"} 0')
    return "\n".join(lines) + "\n"


@contextmanager
def prometheus(binary: str, folder: Path, *, port: int | None = None) -> Iterator[str]:
    """A real Prometheus that scrapes the exporter twice a second; its address."""

    def metrics(_request: Request) -> Response:
        return Response(series(), content_type="text/plain; version=0.0.4")

    with serving(metrics) as exporter:
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 500ms}\nscrape_configs:\n- {job_name: app, static_configs: "
            f"[{{targets: ['{exporter.removeprefix('http://')}']}}]}}\n"
        )
        with started(binary, folder, port or free_port()) as url:
            wait_for(url, 'count(rate(http_requests_total{service="ledger"}[1m]))')
            yield url


@contextmanager
def started(binary: str, folder: Path, port: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    command = [
        binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(url, "vector(1)")
            yield url
        finally:
            process.terminate()


def wait_for(url: str, query: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            answer = requests.get(f"{url}/api/v1/query", params={"query": query}, timeout=5)
            if answer.ok and answer.json()["data"]["result"]:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} did not come to answer {query}")


# --- a Grafana -------------------------------------------------------------------------------------------------------


@dataclass
class Grafana:
    """What Grafana's API does, and what a broken one does instead."""

    prometheus: str = "http://127.0.0.1:1"
    """Where the data source `prom` leads."""
    dashboards: dict[str, Any] = field(default_factory=dict)
    """uid to a classic dashboard."""
    resources: dict[tuple[str, str], Any] = field(default_factory=dict)
    """(version, name) to the spec of a dashboard that only `/apis` has."""
    library: dict[str, Any] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    role: str = "Admin"
    """A Viewer may query data sources and not list them."""
    faults: dict[str, str] = field(default_factory=dict)
    """Beginning of a path to what goes wrong there."""
    served: tuple[str, ...] = ()
    """The versions of the dashboard resource, as `/apis/dashboard.grafana.app` lists them."""
    namespace: str = "default"
    asked: list[str] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not self.sources:
            self.sources = [
                source("prom", "Prometheus", self.prometheus, default=True),
                source("loki", "Loki", "http://127.0.0.1:1", kind="loki"),
            ]

    @property
    def calls(self) -> Counter[str]:
        """Path to how often it was asked for."""
        return Counter(self.asked)

    def __call__(self, request: Request) -> Response:
        self.asked.append(request.path)
        self.authorizations.add(request.headers.get("Authorization", ""))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return said(401, message="Unauthorized", messageId="session.token.rotate")
        for prefix, fault in self.faults.items():
            if request.path.startswith(prefix):
                return broken(fault)
        head, _, rest = request.path.removeprefix("/api/").partition("/")
        if request.path.startswith("/apis/"):
            return self._resource(request.path)
        answers: Mapping[str, Callable[[str, Request], Response]] = {
            "search": self._search,
            "dashboards": self._dashboard,
            "library-elements": self._library,
            "datasources": self._sources,
            "frontend": self._settings,
            "health": lambda *_: said(200, database="ok", version="12.1.0"),
            "access-control": self._permissions,
        }
        return answers.get(head, lambda *_: said(404, message="Not found"))(rest, request)

    def _search(self, _rest: str, request: Request) -> Response:
        page, limit = int(request.args.get("page", 1)), int(request.args.get("limit", 1000))
        hits = [
            {"id": number, "uid": uid, "title": one.get("title", uid), "type": "dash-db", "tags": one.get("tags", [])}
            for number, (uid, one) in enumerate(self.dashboards.items())
        ]
        return said(200, hits[(page - 1) * limit : page * limit])

    def _dashboard(self, rest: str, _request: Request) -> Response:
        uid = rest.removeprefix("uid/")
        if uid in self.dashboards:
            meta = {"isStarred": False, "url": f"/d/{uid}/slug", "folderUid": "", "slug": "slug"}
            return said(200, {"dashboard": {"uid": uid, **self.dashboards[uid]}, "meta": meta})
        if any(version.startswith("v2") and name == uid for version, name in self.resources):
            version = next(version for version, name in self.resources if name == uid)
            place = f"/apis/dashboard.grafana.app/{version}/namespaces/{self.namespace}/dashboards/{uid}"
            return said(406, message=f"dashboard api version not supported, use {place} instead")
        return said(404, message="Dashboard not found", status="not-found")

    def _resource(self, path: str) -> Response:
        parts = path.strip("/").split("/")
        if parts[:2] != ["apis", "dashboard.grafana.app"] or not self.served:
            return Response("404 page not found\n", 404)
        if len(parts) == 2:
            versions = [{"groupVersion": f"dashboard.grafana.app/{one}", "version": one} for one in self.served]
            return said(200, kind="APIGroup", name="dashboard.grafana.app", versions=versions)
        version, namespace, name = parts[2], parts[4], parts[-1]
        if version not in self.served:
            return Response("404 page not found\n", 404)
        if namespace != self.namespace:
            return said(403, kind="Status", status="Failure", reason="Forbidden", code=403, message="namespace")
        return self._stored(version, name)

    def _stored(self, version: str, name: str) -> Response:
        stored = {had: spec for (had, named), spec in self.resources.items() if named == name}
        if not stored:
            return said(404, kind="Status", status="Failure", reason="NotFound", code=404, details={"name": name})
        body: dict[str, Any] = {
            "kind": "Dashboard",
            "apiVersion": f"dashboard.grafana.app/{version}",
            "metadata": {"name": name, "namespace": self.namespace, "annotations": {"grafana.app/folder": ""}},
        }
        if version in stored:
            return said(200, {**body, "spec": stored[version]})
        conversion = {"failed": True, "storedVersion": next(iter(stored)), "error": "cannot be converted"}
        return said(200, {**body, "spec": {"title": ""}, "status": {"conversion": conversion}})

    def _library(self, uid: str, _request: Request) -> Response:
        if uid not in self.library:
            return said(404, message="library element could not be found")
        return said(200, result={"uid": uid, "kind": 1, "name": uid, "model": self.library[uid]})

    def _sources(self, rest: str, request: Request) -> Response:
        if rest.startswith("proxy/uid/"):
            uid, _, path = rest.removeprefix("proxy/uid/").partition("/")
            found = next((one for one in self.sources if one["uid"] == uid), None)
            if found is None:
                return said(404, message="Unable to find datasource")
            return forwarded(f"{found['url']}/{path}", request)
        if self.role == "Viewer":
            return said(403, message="You'll need additional permissions: datasources:read", accessErrorId="ACE1")
        if not rest:
            return said(200, self.sources)
        kind, _, value = rest.partition("/")
        found = next((one for one in self.sources if one.get(kind) == value), None)
        return said(200, found) if found else said(404, message="Data source not found")

    def _settings(self, rest: str, _request: Request) -> Response:
        if rest != "settings":
            return said(404, message="Not found")
        shown = {one["name"]: {**one, "url": f"/api/datasources/proxy/uid/{one['uid']}"} for one in self.sources}
        default = next((one["name"] for one in self.sources if one["isDefault"]), "")
        return said(200, namespace=self.namespace, defaultDatasource=default, datasources=shown)

    def _permissions(self, _rest: str, _request: Request) -> Response:
        allowed: dict[str, list[str]] = {"dashboards:read": ["dashboards:*"], "datasources:query": ["datasources:*"]}
        if self.role == "Admin":
            allowed["datasources:read"] = ["datasources:*"]
        return said(200, allowed)


def source(uid: str, name: str, url: str, *, kind: str = "prometheus", default: bool = False) -> dict[str, Any]:
    return {
        "id": 1, "uid": uid, "name": name, "type": kind, "url": url, "access": "proxy", "isDefault": default,
        "jsonData": {},
    }  # fmt: skip


def said(code: int, body: Any = None, /, **more: Any) -> Response:  # noqa: ANN401 - any JSON
    return Response(json.dumps(more if body is None else body), status=code, content_type="application/json")


def broken(fault: str) -> Response:
    if fault == "slow":
        time.sleep(2.6)
    statuses = {"forbidden": 403, "too many": 429, "error": 500, "unavailable": 503, "bad gateway": 502, "gone": 404}
    if fault in statuses:
        return said(statuses[fault], message=f"{fault}, says Grafana")
    bodies = {
        "garbage": b"\x00\x01{",
        "a login page": b"<!doctype html><title>Sign in</title>",
        "another document": b'{"hello": "world"}',
        "null": b"null",
        "slow": b"{}",
    }
    return Response(bodies[fault], content_type="application/json")


def forwarded(url: str, request: Request) -> Response:
    try:
        answer = requests.request(
            request.method, url, params=list(request.args.items(multi=True)), data=request.form.to_dict(), timeout=20
        )
    except requests.RequestException:
        return said(502, message="Bad Gateway")
    return Response(answer.content, answer.status_code, content_type=answer.headers.get("Content-Type"))


# --- dashboards ------------------------------------------------------------------------------------------------------


def panel(title: str, *queries: str, number: int = 1, kind: str = "timeseries", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as Grafana has it
    targets = [{"refId": chr(65 + index), "expr": query} for index, query in enumerate(queries)]
    return {"id": number, "title": title, "type": kind, "targets": targets, **more}


def classic(*panels: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as Grafana has it
    numbered = [{**one, "id": index} if one.get("id") == 1 else one for index, one in enumerate(panels, 1)]
    return {"title": "Overview", "schemaVersion": 39, "panels": numbered, **more}


GOLDEN = classic(
    panel(
        "Latency",
        "histogram_quantile(0.95, sum by (le) "
        '(rate(http_request_duration_seconds_bucket{service="payments"}[$__rate_interval])))',
    ),
    panel("Traffic", 'sum(rate(http_requests_total{service="payments"}[1m]))'),
    panel("Errors", 'sum(rate(http_requests_total{service="payments",status=~"5.."}[1m]))'),
    panel("Queue", 'queue_depth{service="payments"}', kind="gauge"),
    panel("Notes", kind="text"),
)  # fmt: skip


# --- the probes ------------------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """The two probes of one configuration."""

    dashboards: DashboardsProbe
    panels: PanelsProbe

    def run(self, *services: Service) -> dict[str, tuple[Answer, Answer]]:
        """As the runner asks: dashboards first, panels with what was found."""
        found = dict(self.dashboards.ask(services, Upstream()))
        seen = {(key, Dashboards): Observation(Dashboards, utc(), answer) for key, answer in found.items()}
        shown = dict(self.panels.ask(services, Upstream(seen)))
        return {key.name: (found[key], shown[key]) for key in found}


def asked(folder: Path, *, yaml: str = "", **integrations: str) -> Asked:
    """The probes under a configuration in this directory; `grafana=URL` names an integration."""
    (folder / "token").write_text(TOKEN)
    parts = []
    for kind, url in integrations.items():
        token = ", token_file: token" if kind == "grafana" else ""
        parts.append(f"  {kind}: [{{name: main, url: '{url}', timeout: 2s{token}}}]")
    text = "probing: {allow: [127.0.0.1], timeout: 2s}\n"
    text += "integrations:\n" + "\n".join(parts) + "\n" if parts else ""
    config_file = folder / "scorecard.yaml"
    config_file.write_text(text + yaml)
    context = Context(config=load_config(config_file, {}), clock=utc, cache=folder / "cache", base=folder)
    dashboards, panels = probes(context)
    assert isinstance(dashboards, DashboardsProbe)
    assert isinstance(panels, PanelsProbe)
    return Asked(dashboards, panels)


def service(name: str = "payments", *uids: str, **variables: str) -> Service:
    refs = tuple(DashboardRef(grafana=uid, variables=variables) for uid in uids)
    return Service(name=name, type=ServiceType.WEB, spec=Spec(dashboards=refs))


def shown(answers: Mapping[str, tuple[Answer, Answer]], name: str = "payments") -> dict[str, Any]:
    """Title of a panel to what was seen of it."""
    data = answers[name][1]
    assert isinstance(data, PanelData), data
    return {one.name.partition(" / ")[2].partition(" (panel")[0]: one for one in data.panels}
