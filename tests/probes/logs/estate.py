"""Services that log in many ways, log stores that answer in many ways, and the probes asked about them."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from scorecard.config import load_config
from scorecard.evidence import Answer, CorrelationSearch, Evidence, LogSample, Observation, Search
from scorecard.evidence.logs import LogSystem
from scorecard.model import (
    Correlation,
    ElasticsearchLogs,
    FileLogs,
    Logs,
    LokiLogs,
    Service,
    ServiceKey,
    ServiceType,
    Spec,
)
from scorecard.probes import Context, Probe, Upstream
from scorecard.probes.logs import CorrelationProbe, LogSampleProbe
from scorecard.probes.logs import probes as make_probes

Write = Callable[[str], None]
Style = Callable[["App", Request], None]
FAST = {LogSystem.FILE: 0.6, LogSystem.LOKI: 0.8, LogSystem.ELASTICSEARCH: 0.8, LogSystem.CLOUDWATCH: 1.2}
"""Lag limits for tests; the true ones would have each test wait as long."""


def utc() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the applications under test have clocks of their own


def stamp(at: datetime | None = None) -> str:
    return (at or utc()).isoformat().replace("+00:00", "Z")


def line(message: str = "GET /v1/ping", **more: object) -> str:
    return json.dumps({"timestamp": stamp(), "level": "info", "message": message, **more})


class _Quiet(WSGIRequestHandler):
    def log(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(answer: Callable[[Request], Response]) -> Iterator[str]:
    """A real HTTP server on loopback; its address."""
    application = Request.application(answer)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class App:
    """A service that logs each request in its own style."""

    write: Write
    style: Style
    status: int = 200
    echo: bool = True
    requests: list[Mapping[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(headers)
        self.style(self, request)
        response = Response("{}", status=self.status, content_type="application/json")
        if self.echo and (found := headers.get("x-correlation-id")):
            response.headers["X-Correlation-ID"] = found
        return response


# --- how services log a request --------------------------------------------------------------------------------------


def good(app: App, request: Request) -> None:
    app.write(line(f"GET {request.path}", correlation_id=request.headers["X-Correlation-ID"]))


def by_trace(app: App, request: Request) -> None:
    app.write(line(correlation_id=request.headers["traceparent"].split("-")[1]))


def without_id(app: App, request: Request) -> None:
    app.write(line("request", path=request.path, status=200))


def in_message(app: App, request: Request) -> None:
    app.write(line(f"handled {request.headers['X-Correlation-ID']}"))


def in_plain_text(app: App, request: Request) -> None:
    app.write(f"{stamp()} INFO [{request.headers['X-Correlation-ID']}] GET {request.path}")


def access_log(app: App, request: Request) -> None:
    app.write(f'127.0.0.1 - - [{utc():%d/%b/%Y:%H:%M:%S +0000}] "GET {request.path} HTTP/1.1" 200 2')


def other_key(app: App, request: Request) -> None:
    app.write(line(request_id=request.headers["X-Request-ID"]))


def nested(app: App, request: Request) -> None:
    app.write(line(context={"ids": [{"correlation_id": request.headers["X-Correlation-ID"]}]}))


def unlogged(app: App, _request: Request) -> None:
    app.write(line("tick"))


def silent(_app: App, _request: Request) -> None:
    """Log nothing."""


def later(seconds: float, style: Style = good) -> Style:
    """The line comes after the answer."""

    def log(app: App, request: Request) -> None:
        threading.Timer(seconds, style, (app, request)).start()

    return log


# --- log stores ------------------------------------------------------------------------------------------------------


@dataclass
class Loki:
    """What `query_range` of Loki does, and what a broken one does instead.

    https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
    """

    entries: list[tuple[int, str]] = field(default_factory=list)
    fault: str = ""
    seen: list[dict[str, str]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    delay: float = 0.0
    fails: Callable[[str], bool] = lambda _query: False
    """Queries that it does not answer."""

    def write(self, text: str) -> None:
        self.entries.append((time.time_ns(), text))

    def __call__(self, request: Request) -> Response:
        if request.path != "/loki/api/v1/query_range":
            return Response("404 page not found\n", 404)
        asked = request.args.to_dict()
        self.seen.append(asked)
        self.headers.append(dict(request.headers.items()))
        time.sleep(self.delay)
        fault = "error" if self.fails(asked["query"]) else self.fault
        if fault in _STATUSES:
            return Response(_STATUSES[fault][1], _STATUSES[fault][0])
        found = re.fullmatch(r'(\{[^}]*\})(?: \|= "([^"]*)")?', asked["query"])
        if not found:
            return Response("parse error at line 1, col 1: syntax error", 400)
        needle = found.group(2) or ""
        start, end, limit = int(asked["start"]), int(asked["end"]), int(asked.get("limit", 100))
        if self.fault == "everything":
            values = list(self.entries)
        elif self.fault == "nothing":
            values = []
        elif self.fault == "invents":
            values = [(time.time_ns(), line(correlation_id=needle))] if needle else []
        else:
            values = [(at, text) for at, text in self.entries if start <= at < end and needle in text]
        values.sort(reverse=asked.get("direction", "backward") == "backward")
        streams = [{"stream": {"app": "payments"}, "values": [[str(at), text] for at, text in values[:limit]]}]
        body: dict[str, Any] = {
            "status": "success",
            "data": {"resultType": "streams", "result": streams if values else [], "stats": {}},
        }
        if self.fault == "half a document":
            return Response(json.dumps(body)[:-20], content_type="application/json")
        if self.fault == "matrix":
            body["data"] = {"resultType": "matrix", "result": [{"metric": {}, "values": [[1588889221, "137.95"]]}]}
        if self.fault == "odd values":
            body["data"]["result"] = [{"stream": {}, "values": [["now", 3]]}]
        return Response(json.dumps(body), content_type="application/json")


@dataclass
class Elasticsearch:
    """What `_search` of Elasticsearch and OpenSearch does, and what a broken one does instead."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    fault: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    index: str = "logs-payments"

    def write(self, text: str) -> None:
        """A document as a JSON-reading agent stores it."""
        try:
            document = json.loads(text)
        except ValueError:
            document = {"message": text, "agent": {"type": "filebeat"}, "log": {"file": {"path": "/x"}, "offset": 1}}
        self.documents.append({"@timestamp": stamp(), **document})

    def __call__(self, request: Request) -> Response:
        asked = request.get_json()
        self.seen.append(asked)
        self.headers.append(dict(request.headers.items()))
        if self.fault in _STATUSES:
            return Response(_STATUSES[self.fault][1], _STATUSES[self.fault][0])
        if request.path != f"/{self.index}/_search":
            error = {"error": {"type": "index_not_found_exception", "reason": "no such index"}, "status": 404}
            return Response(json.dumps(error), 404, content_type="application/json")
        filters = asked["query"].get("bool", {}).get("filter", [])
        since = next((part["range"]["@timestamp"]["gte"] for part in filters if "range" in part), "")
        needle = next((part["multi_match"]["query"] for part in filters if "multi_match" in part), "")
        found = [
            document
            for document in self.documents
            if self.fault == "everything"
            or (
                (not since or datetime.fromisoformat(document["@timestamp"]) >= datetime.fromisoformat(since))
                and needle in json.dumps(document)
            )
        ]
        if self.fault == "invents":
            found = [{"@timestamp": stamp(), "correlation_id": needle}] if needle else []
        newest_first = asked["sort"][0]["@timestamp"]["order"] == "desc"
        found.sort(key=lambda document: document["@timestamp"], reverse=newest_first)
        hits = [
            {"_index": self.index, "_id": str(number), "_score": None, "_source": document, "sort": [number]}
            for number, document in enumerate(found[: asked["size"]])
        ]
        shards = {"total": 2, "successful": 2, "skipped": 0, "failed": 0}
        body: dict[str, Any] = {
            "took": 5,
            "timed_out": self.fault == "timed out",
            "_shards": shards,
            "hits": {"total": {"value": len(found), "relation": "eq"}, "max_score": None, "hits": hits},
        }
        if self.fault == "a shard failed":
            shards |= {"successful": 1, "failed": 1}
            body["hits"]["hits"] = []
        if self.fault == "no hits":
            del body["hits"]
        if self.fault == "no shards":
            shards |= {"total": 0, "successful": 0}
        if self.fault == "a cluster was skipped":
            body["_clusters"] = {"total": 2, "successful": 1, "skipped": 1}
        return Response(json.dumps(body), content_type="application/json")


_STATUSES = {
    "unauthorized": (401, "no org id"),
    "forbidden": (403, '{"message":"no permissions"}'),
    "too many": (429, "Maximum active stream limit exceeded"),
    "error": (500, "context canceled"),
    "unavailable": (503, "Service Unavailable"),
}


# --- the probes ------------------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """The probes of one configuration, and what they remember between runs."""

    probes: tuple[Probe, ...]
    context: Context
    past: dict[tuple[ServiceKey, type[Evidence]], Observation] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @property
    def correlation(self) -> CorrelationProbe:
        probe = self.probes[0]
        assert isinstance(probe, CorrelationProbe)
        return probe

    def wait_for(self, *services: Service) -> dict[str, Answer]:
        """As on the command line."""
        known = {service.key: service for service in services}
        upstream = Upstream(self.past, patient=True, find=known.get, tell=self.told.append)
        return {key.name: answer for key, answer in self.correlation.ask(services, upstream)}

    def run(self, *services: Service) -> dict[str, Answer]:
        """One scheduled run, which remembers."""
        answers = dict(self.correlation.ask(services, Upstream(dict(self.past))))
        for key, answer in answers.items():
            self.past[key, CorrelationSearch] = Observation(CorrelationSearch, self.context.clock(), answer)
        return {key.name: answer for key, answer in answers.items()}

    def again(self, *services: Service) -> dict[str, Answer]:
        """The run that only looks, once the lag limit is over."""
        answers = dict(self.correlation.ask(services, Upstream(dict(self.past), again=True)))
        for key, answer in answers.items():
            self.past[key, CorrelationSearch] = Observation(CorrelationSearch, self.context.clock(), answer)
        return {key.name: answer for key, answer in answers.items()}

    def sample(self, *services: Service, registered: tuple[Service, ...] = ()) -> dict[str, Answer]:
        probe = self.probes[1]
        assert isinstance(probe, LogSampleProbe)
        return {
            key.name: answer
            for key, answer in probe.ask(services, Upstream(find={each.key: each for each in registered}.get))
        }


def asked(directory: Path, *, limits: Mapping[LogSystem, float] = FAST, yaml: str = "", **urls: str) -> Asked:
    """The probes under a configuration in this directory; `loki=URL` names an integration."""
    parts = [f"  {kind}: [{{name: main, url: '{url}', timeout: 1s}}]" for kind, url in urls.items()]
    text = "probing: {allow: [127.0.0.1], timeout: 2s}\n"
    text += "integrations:\n" + "\n".join(parts) + "\n" if parts else ""
    config_file = directory / "scorecard.yaml"
    config_file.write_text(text + yaml)
    context = Context(config=load_config(config_file, {}), clock=utc, cache=directory / "cache", base=directory)
    correlation, sample = make_probes(context)
    assert isinstance(correlation, CorrelationProbe)
    correlation.limits = limits
    return Asked((correlation, sample), context)


def to_file(path: Path) -> Write:
    """Append a line, as one process with an unbuffered handler does."""
    lock = threading.Lock()

    def write(text: str) -> None:
        with lock, path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    return write


def service(name: str = "payments", url: str = "", logs: Logs | None = None, **more: object) -> Service:
    spec: dict[str, Any] = {"correlation": Correlation(path="/v1/ping"), **more}
    kind = spec.pop("type", ServiceType.WEB)
    return Service(name=name, type=kind, spec=Spec(url=url or None, logs=logs or Logs(), **spec))


def file_logs(path: str = "app.log") -> Logs:
    return Logs(file=FileLogs(path=path))


LOKI_LOGS = Logs(loki=LokiLogs(selector='{app="payments"}'))
ELASTICSEARCH_LOGS = Logs(elasticsearch=ElasticsearchLogs(index="logs-payments"))


def searched(answer: Answer) -> Search:
    assert isinstance(answer, CorrelationSearch), answer
    assert isinstance(answer.result, Search), answer.result
    return answer.result


def sampled(answer: Answer) -> LogSample:
    assert isinstance(answer, LogSample), answer
    return answer


def backdated(asked: Asked, seconds: float) -> None:
    """Let what was sent be so much older, as if the next run came that much later."""
    from dataclasses import replace

    for key, seen in list(asked.past.items()):
        value = seen.value
        if isinstance(value, CorrelationSearch) and value.pending is not None:
            pending = replace(value.pending, sent_at=value.pending.sent_at - timedelta(seconds=seconds))
            asked.past[key] = replace(seen, value=replace(value, pending=pending))
