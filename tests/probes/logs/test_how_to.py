"""The page on how to pass: its Python example is a service that passes, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scorecard.evidence import CorrelationSearch, Trace
from tests.probes.logs.estate import Asked, file_logs, sampled, searched, service

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "structured-logs.md"

SERVED = """

from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log(self, *arguments: object) -> None:
        pass


server = make_server("127.0.0.1", 0, app, request_handler=Quiet)
print(server.server_port, file=sys.stderr, flush=True)
server.serve_forever()
"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    program = tmp_path / "example.py"
    program.write_text("import sys\n" + example + SERVED)
    with (
        (tmp_path / "app.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-u", str(program)], stdout=log, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr
        try:
            yield f"http://127.0.0.1:{int(process.stderr.readline())}"
        finally:
            process.kill()


def test_the_python_example_passes(ask: Callable[..., Asked], url: str) -> None:
    payments = service(url=url, logs=file_logs())
    asked = ask()
    answer = asked.wait_for(payments)["payments"]
    found = searched(answer)
    assert (found.trace, found.lacking, found.says_service) == (Trace.IN_FIELD, (), "")
    assert isinstance(answer, CorrelationSearch)
    assert answer.sent
    assert answer.sent.echoed == "x-correlation-id"
    assert answer.sent.status == 200
    sample = sampled(asked.sample(payments)["payments"])
    assert sample.lines == sample.complete == 1


@pytest.mark.parametrize("framework", ["Python: structlog", "Java: Logback", "Node: pino", "Go: slog", ".NET: Serilog"])
def test_every_framework_has_a_part_of_its_own(framework: str) -> None:
    assert f"\n## {framework}\n" in PAGE.read_text(encoding="utf-8")
