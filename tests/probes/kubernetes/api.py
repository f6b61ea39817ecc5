"""A Kubernetes API server on loopback: lists by its own rules, with pages, selectors, RBAC and `Status`.

Shapes by https://kubernetes.io/docs/reference/using-api/api-concepts/ and the API reference: `v1` PodList and NodeList,
`apps/v1` DeploymentList and StatefulSetList, PartialObjectMetadataList where it is asked for.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ZONE = "topology.kubernetes.io/zone"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.scorecard"
USER = "system:serviceaccount:scorecard:scorecard"
_PATH = re.compile(r"/(?:api/v1|apis/apps/v1)(?:/namespaces/([a-z0-9-]+))?/([a-z]+)")
_KINDS = {
    "pods": ("v1", "PodList"),
    "nodes": ("v1", "NodeList"),
    "deployments": ("apps/v1", "DeploymentList"),
    "statefulsets": ("apps/v1", "StatefulSetList"),
}
_TERM = re.compile(r"([\w./-]+)\s*(?:(=|==|!=)\s*([\w.-]*)|in\s*\(([^)]*)\))")

Answer = tuple[int, object]


@dataclass
class Api:
    """A cluster. Objects are added, then it is asked."""

    objects: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in _KINDS})
    forbidden: set[str] = field(default_factory=set)
    """Resources that the user may not list."""
    asked: list[str] = field(default_factory=list)
    """Paths with their queries."""
    accepted: list[str] = field(default_factory=list)
    before: Callable[[str, Mapping[str, str]], Answer | bytes | None] = lambda _path, _query: None
    """(path, query) to what is answered in place of the list."""
    page: int = 500
    """The most of a page."""

    def add(self, resource: str, name: str, **more: Any) -> None:  # noqa: ANN401 - JSON
        metadata = {"name": name, "uid": f"{resource}-{name}", "resourceVersion": "7", **more.pop("metadata", {})}
        self.objects[resource].append({"metadata": metadata, **more})

    def node(self, name: str, zone: str | None, *, label: str = ZONE) -> None:
        labels = {"kubernetes.io/hostname": name, **({label: zone} if zone else {})}
        images = [{"names": ["registry.example.net/x"], "sizeBytes": 1}]
        self.add("nodes", name, metadata={"labels": labels}, spec={}, status={"images": images})

    def pod(
        self,
        name: str,
        node: str | None,
        *,
        owner: tuple[str, str] | None = ("ReplicaSet", "web-5d59d67564"),
        ready: bool = True,
        phase: str = "Running",
        namespace: str = "shop",
        labels: Mapping[str, str] | None = None,
        deleted: bool = False,
    ) -> None:
        made = {"app": "web"} | ({"pod-template-hash": "5d59d67564"} if owner and owner[0] == "ReplicaSet" else {})
        metadata: dict[str, Any] = {"namespace": namespace, "labels": made | dict(labels or {})}
        if owner:
            reference = {"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1], "uid": "1", "controller": True}
            metadata["ownerReferences"] = [reference]
        if deleted:
            metadata["deletionTimestamp"] = "2026-11-23T11:59:00Z"
        conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready)}]
        env = [{"name": "DB_PASSWORD", "value": "tok3nC4naryQ7xZ9"}]
        spec = {"containers": [{"name": "web", "image": "web:1", "env": env}], **({"nodeName": node} if node else {})}
        self.add("pods", name, metadata=metadata, spec=spec, status={"phase": phase, "conditions": conditions})

    def deployment(
        self, name: str, *, replicas: int | None = 2, resource: str = "deployments", **template: object
    ) -> None:
        spec = {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {}, "spec": dict(template)}}
        metadata = {"namespace": "shop", "labels": {"app": name}}
        self.add(resource, name, metadata=metadata, spec=spec | ({} if replicas is None else {"replicas": replicas}))

    def answer(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer | bytes:
        self.asked.append(path)
        self.accepted.append(headers.get("accept", ""))
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, status(401, "Unauthorized", "Unauthorized")
        instead = self.before(path, query)
        if instead is not None:
            return instead
        match = _PATH.fullmatch(path)
        if match is None or match[2] not in _KINDS:
            return 404, status(404, "NotFound", "the server could not find the requested resource")
        namespace, resource = match[1], match[2]
        if resource in self.forbidden:
            where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
            words = f'{resource} is forbidden: User "{USER}" cannot list resource "{resource}" in API group "" {where}'
            return 403, status(403, "Forbidden", words)
        return self._listed(resource, namespace, query, headers)

    def _listed(
        self, resource: str, namespace: str | None, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Answer:
        try:
            chosen = _selector(query.get("labelSelector", ""))
        except ValueError:
            return 400, status(400, "BadRequest", "unable to parse requirement")
        found = [
            one
            for one in self.objects[resource]
            if namespace in {None, one["metadata"].get("namespace")} and chosen(one["metadata"].get("labels", {}))
        ]
        start = int(query.get("continue") or 0)
        limit = min(int(query.get("limit") or self.page), self.page)
        part = found[start : start + limit]
        metadata: dict[str, Any] = {"resourceVersion": "4711"}
        if start + limit < len(found):
            metadata |= {"continue": str(start + limit), "remainingItemCount": len(found) - start - limit}
        version, kind = _KINDS[resource]
        if "as=PartialObjectMetadataList" in headers.get("accept", ""):
            version, kind = "meta.k8s.io/v1", "PartialObjectMetadataList"
            partial = {"kind": "PartialObjectMetadata", "apiVersion": version}
            part = [{**partial, "metadata": one["metadata"]} for one in part]
        return 200, {"kind": kind, "apiVersion": version, "metadata": metadata, "items": part}


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code,
    }  # fmt: skip


def _selector(text: str) -> Callable[[Mapping[str, str]], bool]:
    """The equality and set rules of a label selector."""
    tests: list[tuple[str, bool, set[str]]] = []
    at = 0
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None:
            raise ValueError(text)
        values = {term[3]} if term[2] else {one.strip() for one in term[4].split(",")}
        tests.append((term[1], term[2] != "!=", values))
        at = term.end() + (1 if text[term.end() : term.end() + 1] == "," else 0)
        if term.end() < len(text) and text[term.end()] != ",":
            raise ValueError(text)
    return lambda labels: all((labels.get(key) in values) is positive for key, positive, values in tests)


@contextmanager
def serving(api: Api, certificate: Path | None = None) -> Iterator[str]:
    """The API on a free port of loopback, by TLS where a certificate is given; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            found = api.answer(parts.path, query, {key.lower(): value for key, value in self.headers.items()})
            code, document = (200, found) if isinstance(found, bytes) else found
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
