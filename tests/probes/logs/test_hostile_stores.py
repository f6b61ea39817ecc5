"""Log stores that answer anything: elsewhere, too much, drop by drop, with others' lines, or with a part."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from werkzeug.wrappers import Request, Response

from scorecard.evidence import CorrelationSearch, Trace, Unavailable
from scorecard.evidence.logs import LogSystem
from scorecard.model import Cause, Logs
from scorecard.store.codec import encode_answer
from tests.probes.logs.estate import (
    ELASTICSEARCH_LOGS,
    LOKI_LOGS,
    App,
    Asked,
    Elasticsearch,
    Loki,
    good,
    line,
    service,
    serving,
    stamp,
    utc,
)

Ask = Callable[..., Asked]
SOON = dict.fromkeys(LogSystem, 0.1)
KINDS: dict[str, Logs] = {"loki": LOKI_LOGS, "elasticsearch": ELASTICSEARCH_LOGS}


def streams(*lines: str, **more: object) -> dict[str, object]:
    at = str(time.time_ns())
    values = [[at, each] for each in lines]
    return {
        "status": "success",
        "data": {"resultType": "streams", "result": [{"stream": {}, "values": values}]},
        **more,
    }


def hits(*documents: dict[str, object], **more: object) -> dict[str, object]:
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    return {"timed_out": False, "_shards": shards, "hits": {"hits": [{"_source": each} for each in documents]}, **more}


def result_of(ask: Ask, kind: str, answer: Callable[[Request], Response]) -> tuple[CorrelationSearch, App]:
    app = App(lambda _text: None, good)
    with serving(answer) as store, serving(app) as url:
        found = ask(limits=SOON, **{kind: store}).wait_for(service(url=url, logs=KINDS[kind]))["payments"]
    assert isinstance(found, CorrelationSearch)
    return found, app


def as_json(body: object) -> Callable[[Request], Response]:
    return lambda _request: Response(json.dumps(body), content_type="application/json")


def elsewhere(request: Request) -> Response:
    if "elsewhere" in request.path:
        return Response(json.dumps(streams() if "loki" in request.path else hits()), content_type="application/json")
    return Response("", 302, headers={"Location": f"/elsewhere{request.path}"})


def endless(_request: Request) -> Response:
    def drops() -> Iterator[bytes]:
        yield b'{"status": "success", "data": "'
        while True:
            yield b"x" * 65_536

    return Response(drops(), content_type="application/json")


def drop_by_drop(_request: Request) -> Response:
    def drops() -> Iterator[bytes]:
        for _ in range(200):
            yield b" "
            time.sleep(0.05)

    return Response(drops(), content_type="application/json")


def deep(_request: Request) -> Response:
    return Response('{"a":' * 100_000 + "1" + "}" * 100_000, content_type="application/json")


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (elsewhere, Cause.BAD_RESPONSE),
        (endless, Cause.BAD_RESPONSE),
        (drop_by_drop, Cause.TIMEOUT),
        (deep, Cause.BAD_RESPONSE),
        (as_json([]), Cause.BAD_RESPONSE),
        (as_json("nothing"), Cause.BAD_RESPONSE),
        (as_json({}), Cause.BAD_RESPONSE),
        (as_json(None), Cause.BAD_RESPONSE),
        (lambda _request: Response("<html>Sign in</html>", content_type="text/html"), Cause.BAD_RESPONSE),
        (lambda _request: Response("", 204), Cause.BAD_RESPONSE),
    ],
    ids=["elsewhere", "endless", "drop by drop", "deep", "list", "text", "empty", "null", "sign-in page", "no content"],
)
def test_an_answer_that_is_none_says_nothing_of_the_service(
    ask: Ask, kind: str, answer: Callable[[Request], Response], cause: Cause
) -> None:
    found, _ = result_of(ask, kind, answer)
    assert isinstance(found.result, Unavailable)
    assert found.result.cause is cause


@pytest.mark.parametrize("kind", list(KINDS))
def test_lines_with_ids_of_other_requests_are_not_ours_and_none_of_them_is_kept(ask: Ask, kind: str) -> None:
    other = "scorecard-00000000-0000-4000-8000-000000000000"
    document = {"@timestamp": stamp(), "level": "info", "message": "GET /v1/ping", "correlation_id": other}
    body = streams(json.dumps(document)) if kind == "loki" else hits(document)
    found, _ = result_of(ask, kind, as_json(body))
    assert not isinstance(found.result, Unavailable)
    assert found.result
    assert found.result.trace is Trace.NO_LINE
    assert other not in encode_answer(found)


def test_a_document_of_any_shape_is_no_evidence_and_no_bug(ask: Ask) -> None:
    for source in (None, [], "text", 3):
        body = {**hits(), "hits": {"hits": [{"_source": source}]}}
        found, _ = result_of(ask, "elasticsearch", as_json(body))
        assert isinstance(found.result, Unavailable)
        assert found.result.cause is Cause.BAD_RESPONSE


@pytest.mark.parametrize(
    "values",
    [
        [["1", "x", {"a": "b"}]],
        [["99999999999999999999999999", "x"]],
        [["-1", "x"]],
        [[None, "x"]],
        [["1"]],
        ["1"],
        [3],
    ],
)
def test_a_value_of_any_shape_is_no_evidence_and_no_bug(ask: Ask, values: list[object]) -> None:
    body = {"status": "success", "data": {"resultType": "streams", "result": [{"stream": {}, "values": values}]}}
    found, _ = result_of(ask, "loki", as_json(body))
    assert found.result
    if isinstance(found.result, Unavailable):
        assert found.result.cause is Cause.BAD_RESPONSE
    else:
        assert found.result.trace in {Trace.NO_LINE, Trace.NOTHING_NEWER}


def test_a_store_that_forgets_some_shards_later_cannot_make_a_missing_line_a_failure(ask: Ask) -> None:
    store = Elasticsearch()
    store.write(line("started"))

    def partly(request: Request) -> Response:
        asked = request.get_json()
        if "multi_match" in json.dumps(asked):
            return store(request)
        body = hits({"@timestamp": stamp(utc()), "level": "info", "message": "GET /v1/ping"})
        return Response(
            json.dumps(body | {"_shards": {"total": 2, "successful": 1, "failed": 1}}), content_type="application/json"
        )

    found, _ = result_of(ask, "elasticsearch", partly)
    assert isinstance(found.result, Unavailable)


def test_a_loki_that_warns_of_a_partial_answer_does_not_make_a_missing_line_a_failure(ask: Ask) -> None:
    loki = Loki()

    def partly(request: Request) -> Response:
        if "|=" in request.args["query"]:
            return as_json(streams(warnings=["maximum of series reached"]))(request)
        return as_json(streams(line("GET /v1/ping")))(request)

    loki.write(line("x"))
    found, _ = result_of(ask, "loki", partly)
    assert found.result
    assert not isinstance(found.result, Unavailable)
    assert (found.result.trace, found.result.cut) == (Trace.NO_LINE, True)
