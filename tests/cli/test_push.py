"""`scorecard push` and `scorecard token`, asked of a real server on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.estate import LEDGER, PAYMENTS, Estate, opened
from tests.api.test_pushing import report

Call = Callable[..., Any]


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    found = opened(tmp_path)
    found.sync(PAYMENTS, LEDGER)
    yield found
    found.store.close()


@pytest.fixture
def server(estate: Estate) -> Iterator[str]:
    with estate.serving() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report()))
    return path


def make(scorecard: Call, server: str, *more: str) -> str:
    done = scorecard("token", "create", "--service", "payments", "--server", server, *more)
    assert done.code == 0, done.err
    return str(done.out.strip())


def test_a_token_is_made_used_listed_and_revoked(
    scorecard: Call, server: str, estate: Estate, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make(scorecard, server, "--name", "payments-ci", "--expires", "7d")
    assert token.startswith("rsc_")
    monkeypatch.setenv("SCORECARD_TOKEN", token)
    done = scorecard("push", "drill", str(file), "--server", server)
    assert (done.code, done.out) == (0, "")
    assert "drill of payments, as payments-ci" in done.err
    assert estate.store.pushed(PAYMENTS.key)[0].document["resource"] == "ledger"

    listed = scorecard("token", "list", "--server", server, "-o", "json")
    (one,) = listed.json
    assert (one["name"], one["kinds"], one["active"]) == ("payments-ci", ["drill"], True)
    assert token.split("_", 2)[2] not in listed.out
    assert "payments-ci" in scorecard("token", "list", "--server", server).out

    assert scorecard("token", "revoke", one["id"], "--server", server).code == 0
    refused = scorecard("push", "drill", str(file), "--server", server)
    assert (refused.code, refused.out) == (2, "")
    assert "was revoked or has ended" in refused.err
    assert token not in refused.err


def test_a_token_comes_from_a_file_and_a_report_may_be_yaml(
    scorecard: Call, server: str, estate: Estate, tmp_path: Path
) -> None:
    secret, text = tmp_path / "token", tmp_path / "r.yaml"
    secret.write_text(make(scorecard, server, "--for", "test-report", "--for", "drill") + "\n")
    text.write_text("tests: 9\n")
    junit = tmp_path / "junit.xml"
    junit.write_text("<testsuite tests='9'/>")
    for path in (text, junit):
        arguments = ("--service", "payments", "--token-file", str(secret), "--server", server)
        assert scorecard("push", "test-report", str(path), *arguments).code == 0
    texts = [one.document for one in estate.store.pushed(PAYMENTS.key)]
    assert texts == ["<testsuite tests='9'/>", {"tests": 9}]


def test_everything_that_is_wrong_with_a_report_is_told(
    scorecard: Call, server: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORECARD_TOKEN", make(scorecard, server))
    file.write_text(json.dumps(report(result="sucess", started_at="yesterday")))
    done = scorecard("push", "drill", str(file), "--server", server)
    assert done.code == 2
    assert "body.document.result" in done.err
    assert "body.document.started_at" in done.err


def test_what_cannot_be_pushed_is_said_before_anything_is_asked(
    scorecard: Call, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCORECARD_TOKEN", raising=False)
    nowhere = "http://127.0.0.1:9"
    assert "SCORECARD_TOKEN" in scorecard("push", "drill", str(file), "--server", nowhere).err
    monkeypatch.setenv("SCORECARD_TOKEN", "rsc_x")
    assert scorecard("push", "drill", str(tmp_path / "none.json"), "--server", nowhere).code == 2
    (tmp_path / "large.json").write_text('"' + "x" * 300_000 + '"')
    assert "more than 256 KiB" in scorecard("push", "drill", str(tmp_path / "large.json")).err
    (tmp_path / "a.json").write_text("{}")
    assert "--service: name the service" in scorecard("push", "drill", str(tmp_path / "a.json")).err


def test_a_server_that_does_not_answer_is_cannot_tell(
    scorecard: Call, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORECARD_TOKEN", "rsc_x")
    assert scorecard("push", "drill", str(file), "--server", "http://127.0.0.1:9").code == 3


def test_a_token_for_nobody_is_refused(scorecard: Call, server: str) -> None:
    done = scorecard("token", "create", "--service", "nobody", "--server", server)
    assert (done.code, done.out) == (2, "")
    assert "nobody is not registered" in done.err
    assert scorecard("token", "revoke", "000000000000", "--server", server).code == 2
