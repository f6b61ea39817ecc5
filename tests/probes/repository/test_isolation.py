"""The child that reads hostile input: what it may use, what becomes of it, and that nothing in a repository is run."""

from __future__ import annotations

import json
import os
import socket
import sys
import textwrap
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Any, Protocol

import pytest

from scorecard.evidence import DecisionRecords
from scorecard.model import Cause, Repository, Service, Spec
from scorecard.probes import Upstream
from scorecard.probes.repository import DecisionRecordsProbe, Repositories
from scorecard.probes.repository.isolation import ChildLimits, Worker
from scorecard.probes.repository.questions import (
    File,
    ListFiles,
    Listing,
    Locate,
    Located,
    ParsedPage,
    ParsedRules,
    ReadPage,
    ReadRules,
    ReadSitePage,
    Source,
    UnreadableError,
)

# A child of the same kind that does whatever a parser that was led astray could do.
BEHAVIOURS = """
    import ctypes, os, socket, time
    from dataclasses import dataclass
    from scorecard.probes.repository.child import serve
    from scorecard.probes.repository.questions import Text

    @dataclass(frozen=True)
    class Behave:
        how: str
        what: str = ""

    def behave(question):
        match question.how:
            case "answer":
                return Text(question.what)
            case "sleep":
                time.sleep(60)
            case "spin":
                while True:
                    pass
            case "allocate":
                return Text(str(len(bytearray(1 << 30))))
            case "recurse":
                def deeper(): return deeper() + 1
                deeper()
            case "crash":
                ctypes.string_at(0)
            case "leave":
                os._exit(3)
            case "raise":
                raise SystemError("inside")
            case "nonsense":
                return 7
            case "much":
                return Text("x" * (40 << 20))
            case "print":
                print("noise", flush=True)
                os.write(1, b"noise")
                return Text("quiet")
            case "write":
                os.write(os.open(question.what, os.O_CREAT | os.O_WRONLY), b"x")
            case "connect":
                host, port = question.what.split(":")
                socket.create_connection((host, int(port)), timeout=2).close()
                return Text("connected")
            case "environment":
                return Text(repr(sorted(os.environ)))
            case "privileges":
                return Text(open("/proc/self/status").read().split("NoNewPrivs:")[1].split()[0])
        return Text("done")

    def main():
        serve({"Behave": (Behave, behave)})
"""


@dataclass(frozen=True)
class Behave:
    how: str
    what: str = ""


@dataclass(frozen=True)
class Text:
    text: str


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    (tmp_path / "behaving_child.py").write_text(textwrap.dedent(BEHAVIOURS))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    made = Worker("behaving_child", limits=ChildLimits(cpu=1, wall=60.0))
    yield made
    made.close()


Asked = Callable[..., Any]


class GitRepository(Protocol):
    """The fixture's work tree."""

    path: Path

    def git(self, *arguments: str, at: str = ..., **more: str) -> str: ...
    def write(self, files: Mapping[str, str | bytes]) -> None: ...
    def commit(self, files: Mapping[str, str | bytes], *, at: str = ...) -> str: ...


class TestTheChild:
    @pytest.mark.parametrize(
        ("how", "says"),
        [
            ("spin", "more than 1 s of CPU"),
            ("allocate", "needs more memory than is given"),
            ("recurse", "nested too deep"),
            ("crash", "SIGSEGV"),
            ("leave", "exit 3"),
            ("raise", "SystemError"),
            ("nonsense", "nonsense"),
            ("write", "OSError"),
        ],
    )
    def test_whatever_it_does_the_question_ends_as_a_bad_response_and_the_next_is_answered(
        self, child: Worker, tmp_path: Path, how: str, says: str
    ) -> None:
        assert child.ask(Behave("answer", "before"), Text).text == "before"
        started = time.monotonic()
        with pytest.raises(UnreadableError, match=says) as caught:
            child.ask(Behave(how, str(tmp_path / "written")), Text)
        assert time.monotonic() - started < 60
        assert caught.value.cause is Cause.BAD_RESPONSE
        assert child.ask(Behave("answer", "after"), Text).text == "after"

    def test_it_is_killed_by_our_clock_when_it_only_waits(self, child: Worker) -> None:
        child._limits = ChildLimits(wall=0.5)
        started = time.monotonic()
        with pytest.raises(UnreadableError, match=r"not done within 0\.5 s") as caught:
            child.ask(Behave("sleep"), Text)
        assert caught.value.cause is Cause.BAD_RESPONSE
        assert time.monotonic() - started < 20
        child._limits = ChildLimits(wall=60.0)
        assert child.ask(Behave("answer", "after"), Text).text == "after"

    def test_an_answer_that_is_too_large_is_not_taken(self, child: Worker) -> None:
        with pytest.raises(UnreadableError):
            child.ask(Behave("much"), Text)
        assert child.deaths == 1

    def test_what_it_prints_does_not_disturb_its_answers(self, child: Worker) -> None:
        assert child.ask(Behave("print"), Text).text == "quiet"

    def test_a_budget_of_cpu_is_for_each_question_and_not_for_its_life(self, child: Worker) -> None:
        for _ in range(2):
            with pytest.raises(UnreadableError, match="CPU"):
                child.ask(Behave("spin"), Text)
        assert child.ask(Behave("answer", "x"), Text).text == "x"

    def test_it_sees_none_of_our_environment(self, child: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
        assert child.ask(Behave("environment"), Text).text == "['LANG', 'PYTHONUTF8']"

    @pytest.mark.skipif(sys.platform != "linux", reason="network namespaces and no_new_privs are Linux's")
    def test_it_has_no_network_and_gains_no_privileges(self, child: Worker) -> None:
        assert child.ask(Behave("privileges"), Text).text == "1"
        with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(UnreadableError, match="Error"):
            child.ask(Behave("connect", f"127.0.0.1:{server.getsockname()[1]}"), Text)

    def test_it_ends_with_its_owner(self, child: Worker) -> None:
        child.ask(Behave("answer"), Text)
        process = child._child
        assert process is not None
        child.close()
        assert process.returncode is not None

    def test_a_module_that_does_not_start_is_our_own_fault(self) -> None:
        broken = Worker("no.such.module")
        with pytest.raises(UnreadableError) as caught:
            broken.ask(Behave("answer"), Text)
        assert caught.value.cause is Cause.SCORECARD_FAULT


# --- bombs -----------------------------------------------------------------------------------------------------------

_ALIASES = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 30)
)
_MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{level}: &a{level} {{<<: [{','.join([f'*a{level - 1}'] * 9)}], k{level}: v}}\n" for level in range(1, 30)
)


def _rules(expression: str) -> str:
    return json.dumps({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": expression}]}]})


YAML_BOMBS = {
    "aliases": _ALIASES + "groups: [{name: g, rules: [{alert: A, expr: *a29}]}]\n",
    "merge keys": _MERGES + "groups: [{name: g, rules: [{alert: A}]}]\n",
    "nested lists": "alert: " + "[" * 100_000,
    "nested maps": "alert: " + "{a: " * 100_000,
    "an anchor in itself": "alert: &a [*a]\n",
    "a million documents": "alert:\n" + "---\n" * 200_000,
    "a number of a million digits": "alert: " + "9" * 1_000_000,
    "deep expression": _rules("(" * 30 + "1" + ")" * 30),
    "minus signs": _rules("-" * 100_000 + "1"),
    "a long sum": _rules("+".join(["1"] * 100_000)),
    "a long chain of functions": _rules("abs(" * 5_000 + "up" + ")" * 5_000),
    "many matchers": _rules("up{" + ",".join(f'a{index}=~".*"' for index in range(20_000)) + "}"),
    "a repetition in a regex": _rules('up{a=~"((a{1,100}){1,100}){1,100}"}'),
}
PAGE_BOMBS = {
    "brackets": "[" * 100_000,
    "open links": "[a](" * 50_000,
    "quotes in quotes": ">" * 100_000 + "a",
    "lists in lists": "".join("  " * depth + "- a\n" for depth in range(700)),
    "emphasis": "*a **a " * 60_000,
    "backticks": "".join("`" * count + " " for count in range(1, 1_300)),
    "tables": "|" * 100_000 + "\n" + "|-" * 100_000 + "\n",
    "images": "![" * 80_000,
    "html": "<a " * 200_000,
    "entities": "&" * 500_000,
    "references": "[a]: b\n" * 100_000 + "[a]" * 50_000,
    "headings": "# a\n" * 200_000,
    "front matter": "---\n" + _ALIASES + "---\n# A\n",
    "one word": "x" * 1_000_000,
    "words": "a " * 500_000,
    "braces": "{" * 500_000,
    "a comment that does not end": "<!--" * 200_000,
}

HTML_BOMBS = {
    "open elements": "<div>" * 200_000,
    "open formatting": "<b><i><a>" * 60_000,
    "tables in tables": "<table><tr><td>" * 60_000,
    "attributes": "<p " + "".join(f"a{number}=b " for number in range(80_000)) + ">",
    "an attribute that does not end": '<p title="' + "x" * 900_000,
    "comments": "<!--" * 200_000 + "-->" * 200_000,
    "declarations": "<!" * 400_000,
    "character references": "&#" + "9" * 500_000 + ";",
    "processing": "<?" * 400_000,
    "templates": "<template>" * 80_000,
    "headings in headings": "<h1><h2>" * 100_000,
    "plain text": "<plaintext>" + "<h1>" * 200_000,
    "a script that does not end": "<script>" + "</scrip" * 100_000,
    "ids": "".join(f"<p id=a{number}>" for number in range(60_000)),
    "nul bytes": "\0" * 900_000,
    "closing alone": "</p>" * 200_000,
}
RAW_BOMBS = {
    "nul bytes": b"alert: \0" + b"\0" * 1_000_000,
    "utf-16": ("alert: \ufeffx\n" * 60_000).encode("utf-16"),
    "utf-32": ("alert: x\n" * 20_000).encode("utf-32"),
    "marks of byte order": b"\xef\xbb\xbf" * 300_000 + b"alert: x",
    "overlong": b"alert: " + b"\xc0\xaf" * 400_000,
    "surrogates": b"alert: " + b"\xed\xa0\x80" * 300_000,
    "one line": b"alert: " + b"x" * 1_040_000,
    "carriage returns": b"alert: x\r" * 110_000,
    "control characters": b"alert: " + bytes(range(1, 32)) * 30_000,
    "duplicate keys": b"alert: {" + b"a: 1, " * 160_000 + b"}",
    "tags": b"alert: " + b"!!python/object/apply:os.system " * 30_000,
    "directives": b"%YAML 1.1\n" * 90_000 + b"alert: x",
    "complex keys": b"alert:\n" + b"? " * 400_000,
    "anchors": b"alert: [" + b"".join(b"&a%d x, " % number for number in range(80_000)) + b"]",
    "block scalars": b"alert: |\n" + b" \n" * 500_000,
    "indents": b"alert:\n" + b"".join(b" " * depth + b"a:\n" for depth in range(1_400)),
}


LONG = frozenset({"a long sum", "headings", "processing"})
"""They take the seconds that a question has; `make faults` sets them off, `make test` the others."""


def each(bombs: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.faults if name in LONG else ()) for name in bombs]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class TestBombs:
    """Each ends within the deadline, as a value or as a refusal, and costs this process next to nothing."""

    @staticmethod
    def detonate(ask: Callable[[], object]) -> str:
        grown = []
        for _ in range(2):
            before, started = _resident(), time.monotonic()
            try:
                ask()
                outcome = "read"
            except UnreadableError as error:
                outcome = error.cause
            assert outcome in {"read", Cause.BAD_RESPONSE, Cause.NOT_SUPPORTED}
            assert time.monotonic() - started < 20, "5 s are promised on a machine of one's own"
            grown.append(_resident() - before)
            if grown[-1] < 5 << 20:
                return outcome
        # What is kept grows each time; a page of the interpreter's own is taken once.
        raise AssertionError(f"this process grew by {grown} bytes")

    @pytest.mark.parametrize("name", each(YAML_BOMBS))
    def test_a_rule_file(self, worker: Worker, tmp_path: Path, name: str) -> None:
        (tmp_path / "a.yaml").write_text(YAML_BOMBS[name])
        worker.ask(Locate("/"), Located)
        file = File(Source(str(tmp_path)), "a.yaml")
        self.detonate(lambda: worker.ask(ReadRules(file), ParsedRules))
        assert worker.ask(ListFiles(Source(str(tmp_path))), Listing).files

    @pytest.mark.parametrize("name", each(PAGE_BOMBS))
    def test_a_page(self, worker: Worker, tmp_path: Path, name: str) -> None:
        (tmp_path / "a.md").write_text(PAGE_BOMBS[name])
        worker.ask(Locate("/"), Located)
        file = File(Source(str(tmp_path)), "a.md")
        self.detonate(lambda: worker.ask(ReadPage(file, "x", ("Alert",)), ParsedPage))
        assert worker.ask(ListFiles(Source(str(tmp_path))), Listing).files

    @pytest.mark.parametrize("name", each(HTML_BOMBS))
    def test_a_page_of_a_site(self, worker: Worker, tmp_path: Path, name: str) -> None:
        worker.ask(Locate("/"), Located)
        page = ReadSitePage(HTML_BOMBS[name], "https://wiki.example.net/a", html=True, fragment="x", alerts=("Alert",))
        self.detonate(lambda: worker.ask(page, ParsedPage))
        assert worker.ask(Locate(str(tmp_path)), Located)

    @pytest.mark.parametrize("name", each(RAW_BOMBS))
    def test_bytes_that_are_hardly_yaml(self, worker: Worker, tmp_path: Path, name: str) -> None:
        (tmp_path / "a.yaml").write_bytes(RAW_BOMBS[name])
        worker.ask(Locate("/"), Located)
        file = File(Source(str(tmp_path)), "a.yaml")
        self.detonate(lambda: worker.ask(ReadRules(file), ParsedRules))
        assert worker.ask(ListFiles(Source(str(tmp_path))), Listing).files

    def test_an_object_of_a_gigabyte_in_a_megabyte(self, worker: Worker, repository: GitRepository) -> None:
        repository.commit({"a.md": "x"})
        blob = _loose_zeros(repository.path / ".git" / "objects", 1 << 30)
        located = worker.ask(Locate(str(repository.path)), Located)
        outcome = self.detonate(lambda: worker.ask(ReadPage(File(located.source, "a.md", blob)), ParsedPage))
        assert outcome != "read"


def _loose_zeros(objects: Path, size: int) -> str:
    """A loose object of zeros under the id that its content has."""
    header = f"blob {size}\0".encode()
    digest, squeeze, parts = sha1(header, usedforsecurity=False), zlib.compressobj(1), []
    parts.append(squeeze.compress(header))
    chunk = bytes(16 << 20)
    for _ in range(size // len(chunk)):
        digest.update(chunk)
        parts.append(squeeze.compress(chunk))
    parts.append(squeeze.flush())
    name = digest.hexdigest()
    (objects / name[:2]).mkdir(exist_ok=True)
    (objects / name[:2] / name[2:]).write_bytes(b"".join(parts))
    return name


# --- nothing is run --------------------------------------------------------------------------------------------------

CONFIG = """
[core]
    fsmonitor = {run}
    sshCommand = {run}
    pager = {run}
    editor = {run}
    askPass = {run}
    gitProxy = {run}
    hooksPath = {hooks}
    alternateRefsCommand = {run}
    worktree = {top}
[alias]
    log = !{run}
[diff]
    external = {run}
[diff "md"]
    textconv = {run}
    command = {run}
[filter "run"]
    smudge = {run}
    clean = {run}
    process = {run}
    required = true
[merge "run"]
    driver = {run}
[credential]
    helper = !{run}
[uploadpack]
    packObjectsHook = {run}
[remote "origin"]
    url = ext::{run}
    uploadpack = {run}
    vcs = {run}
[submodule "lib"]
    url = ext::{run}
    update = !{run}
[gpg]
    program = {run}
[sequence]
    editor = {run}
[trace2]
    eventTarget = {marker}
[include]
    path = {included}
"""


def test_nothing_in_a_hostile_work_tree_is_run(
    repository: GitRepository, records: Asked, alerts: Asked, runbooks: Asked, head: Asked, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    run = tmp_path / "run.sh"
    run.write_text(f"#!/bin/sh\ntouch {marker}\n")
    run.chmod(0o755)
    record = "# 1. A\n\nDate: 2026-01-01\n\n## Status\n\nAccepted\n"
    repository.commit(
        {
            "docs/adr/0001-a.md": record,
            "alerts/a.yaml": _rules("up == 0"),
            "runbooks/A.md": "# A\n",
            ".gitattributes": "* filter=run diff=md merge=run\n",
            ".gitmodules": f'[submodule "lib"]\n  path = lib\n  url = ext::{run}\n  update = !{run}\n',
        }
    )
    hooks = repository.path / ".git" / "hooks"
    for name in ("post-checkout", "pre-commit", "post-merge", "reference-transaction", "post-index-change", "update"):
        (hooks / name).write_text(run.read_text())
        (hooks / name).chmod(0o755)
    (tmp_path / "included").write_text(f"[core]\n  fsmonitor = {run}\n")
    places = {"run": run, "hooks": hooks, "top": repository.path, "marker": marker, "included": tmp_path / "included"}
    with (repository.path / ".git" / "config").open("a") as config:
        config.write(CONFIG.format(**places))
    assert len(records().records) == 1
    assert len(alerts().rules) == 1
    assert len(runbooks().links) == 1
    assert head().files == 5
    assert not marker.exists()


def test_a_bomb_among_records_is_missing_and_the_others_are_read(repository: GitRepository, records: Asked) -> None:
    good = "# 1. A\n\nDate: 2026-01-01\n\n## Status\n\nAccepted\n"
    repository.commit(
        {"adr/0001-a.md": good, "adr/0002-b.md": "x" * (2 << 20), "adr/0003-c.md": good.encode() + b"\xff"}
    )
    found: DecisionRecords = records()
    assert [item.name for item in found.records] == ["adr/0001-a.md"]
    assert sorted(part.detail for part in found.missing) == [
        "payments: adr/0002-b.md: 2,097,152 bytes; at most 1,048,576 are read of a file",
        "payments: adr/0003-c.md: byte 46 is not UTF-8",
    ]
    assert {part.cause for part in found.missing} == {Cause.BAD_RESPONSE}


def test_a_repository_that_stops_the_reader_again_and_again_is_left_alone(
    repository: GitRepository, records: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scorecard.probes.repository.checkouts._MAX_DEATHS", 0)
    repository.commit({"adr/0001-a.md": "# A\n"})
    assert "stopped the reader" in records().missing[0].detail


def test_a_repository_that_takes_too_long_altogether_is_left_alone(
    repository: GitRepository, records: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"adr/0001-a.md": "# A\n"})
    monkeypatch.setattr("scorecard.probes.repository.checkouts._MAX_SECONDS", -9.0)
    assert "the rest is left unread" in records().missing[0].detail


def test_a_file_of_forty_thousand_alerts_is_refused(worker: Worker, tmp_path: Path) -> None:
    many = ",".join('{"alert":"A","expr":"a"}' for _ in range(30_000))
    (tmp_path / "a.yaml").write_text(f'{{"groups":[{{"name":"g","rules":[{many}]}}]}}')
    with pytest.raises(UnreadableError):
        worker.ask(ReadRules(File(Source(str(tmp_path)), "a.yaml")), ParsedRules)


def test_a_file_that_was_refused_is_not_tried_again_in_the_same_run(
    repository: GitRepository, repositories: Repositories
) -> None:
    repository.commit({"adr/0001-a.md": "x" * (2 << 20)})
    asked: list[object] = []
    ask = repositories._worker.ask

    class Counting(Worker):
        deaths = 0

        def ask(self, question: Any, answer: Any) -> Any:  # noqa: ANN401 - as the real one
            asked.append(type(question).__name__)
            return ask(question, answer)

    repositories._worker = Counting()
    service = Service(name="payments", spec=Spec(repositories=(Repository(url="payments"),)))
    for _ in range(2):
        ((_, answer),) = DecisionRecordsProbe(repositories).ask([service], Upstream())
        assert isinstance(answer, DecisionRecords)
        assert [part.cause for part in answer.missing] == [Cause.BAD_RESPONSE]
    assert asked.count("ReadRecord") == 1
