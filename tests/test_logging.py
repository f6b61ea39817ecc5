"""Log lines are what our own row `structured-logs` asks for, and hold no secret."""

import io
import json
import logging
import re
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from werkzeug.serving import make_server

from scorecard.logging import RequestLog, bound, configure, get_logger, trace, warn_on_stderr


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level, settings = root.handlers[:], root.level, structlog.get_config()
    text = io.StringIO()
    configure(stream=text)
    yield text
    root.handlers[:] = before
    root.setLevel(level)
    structlog.configure(**settings)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_is_one_json_object_with_timestamp_level_and_message(stream: io.StringIO) -> None:
    get_logger("scorecard.run").info("run ended", cadence="live", seconds=2.5)

    (line,) = lines(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])
    assert line["level"] == "info"
    assert line["message"] == "run ended"
    assert line["service"] == "readiness-scorecard"
    assert line["cadence"] == "live"
    assert line["seconds"] == 2.5


def test_a_librarys_own_log_line_is_json_too(stream: io.StringIO) -> None:
    logging.getLogger("some.library").warning("retrying %s", "GET /x", extra={"attempt": 2})

    (line,) = lines(stream)
    assert line["message"] == "retrying GET /x"
    assert line["level"] == "warning"
    assert line["attempt"] == 2
    assert line["service"] == "readiness-scorecard"


def test_a_traceback_stays_on_its_line_and_loses_its_secrets(stream: io.StringIO) -> None:
    def connect() -> None:
        raise ValueError("cannot connect to postgresql://app:hunter2@db/x")

    try:
        connect()
    except ValueError:
        get_logger("scorecard").exception("store is away")

    (line,) = lines(stream)
    assert "ValueError" in line["exception"]
    assert "hunter2" not in json.dumps(line)


def test_a_secret_is_gone_by_key_and_by_value_at_any_depth(stream: io.StringIO) -> None:
    get_logger("scorecard").info(
        "asked with Authorization: Bearer canary-1234567890",
        password="canary-plain",
        request={"headers": [{"api_key": "canary-key"}], "url": "https://u:canary-url@example.net/"},
        raw=b"token=canary-bytes",
    )

    assert "canary" not in stream.getvalue()


def test_a_lone_surrogate_or_a_newline_does_not_break_the_line(stream: io.StringIO) -> None:
    get_logger("scorecard").info("odd \udc80 text\nwith a second line", name="\ud800")

    (line,) = lines(stream)
    assert line["message"] == "odd \\udc80 text\nwith a second line"


def test_lines_within_a_block_carry_what_is_bound_and_later_ones_do_not(stream: io.StringIO) -> None:
    with bound(correlation_id="run-7"):
        get_logger("scorecard").info("within")
    get_logger("scorecard").info("after")

    within, after = lines(stream)
    assert within["correlation_id"] == "run-7"
    assert "correlation_id" not in after


def test_ids_that_a_caller_sends_are_kept() -> None:
    ids = trace(
        correlation_id="scorecard-1",
        request_id="r-2",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )

    assert ids.correlation_id == "scorecard-1"
    assert ids.request_id == "r-2"
    assert ids.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert ids.span_id != "b7ad6b7169203331"


@pytest.mark.parametrize("hostile", ["", "a\r\nSet-Cookie: x", "x" * 129, '"quoted"', "<script>", "é"])
def test_an_id_that_is_not_fit_for_a_header_is_replaced(hostile: str) -> None:
    ids = trace(correlation_id=hostile, request_id=hostile, traceparent=hostile)

    assert hostile not in {ids.correlation_id, ids.request_id}
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", ids.traceparent)


def test_an_all_zero_traceparent_is_invalid_and_replaced() -> None:
    assert set(trace(traceparent=f"00-{'0' * 32}-{'0' * 16}-01").trace_id) != {"0"}


def test_a_request_is_logged_once_with_its_ids_and_they_are_returned(stream: io.StringIO) -> None:
    app = Flask("t")

    @app.get("/v1/ping")
    def ping() -> str:
        get_logger("t").info("inside")
        return "pong"

    server = make_server("127.0.0.1", 0, RequestLog(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.server_port}/v1/ping?token=canary", headers={"X-Correlation-ID": "scorecard-9"}
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            headers = answer.headers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    ours = [line for line in lines(stream) if line["logger"] in {"t", "scorecard.http"}]
    inside, access = ours
    assert headers["X-Correlation-ID"] == "scorecard-9"
    assert headers["X-Request-ID"] == access["request_id"]
    assert inside["correlation_id"] == access["correlation_id"] == "scorecard-9"
    assert access["status"] == 200
    assert access["path"] == "/v1/ping"
    assert "canary" not in json.dumps(ours)


def test_a_request_whose_handler_raises_is_logged_as_500(stream: io.StringIO) -> None:
    def broken(_environ: object, _start: object) -> list[bytes]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        RequestLog(broken)({"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}, lambda *_: None)  # type: ignore[arg-type]

    assert lines(stream)[-1]["status"] == 500


def test_a_command_warns_on_standard_error_and_leaves_standard_output_to_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = structlog.get_config()
    try:
        warn_on_stderr()
        log = get_logger("scorecard.run")
        log.error("probe failed", probe="http", token="s3cret", exc_info=_failure(hidden="a local variable"))
        log.info("nothing that a person asked for")
    finally:
        structlog.configure(**before)
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = [json.loads(each) for each in err.splitlines()]
    assert (line["level"], line["message"], line["probe"]) == ("error", "probe failed", "http")
    assert "ValueError: invalid literal" in line["exception"]
    assert "a local variable" not in err
    assert "s3cret" not in err


def _failure(hidden: str) -> Exception:
    try:
        int(hidden[:0])
    except ValueError as error:
        return error
    raise AssertionError(hidden)
