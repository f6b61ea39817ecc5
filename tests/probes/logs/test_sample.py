"""What the newest lines are like, in counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scorecard.evidence import Unavailable
from scorecard.model import Cause, Service, ServiceKey, ServiceType
from scorecard.probes.logs.others import Others, Registered
from tests.probes.logs.estate import Asked, file_logs, line, sampled, service, stamp

Ask = Callable[..., Asked]
PAYMENTS = service(logs=file_logs())


def write(path: Path, *lines: str) -> None:
    (path / "app.log").write_text("".join(text + "\n" for text in lines))


def test_lines_are_counted_by_what_they_are(ask: Ask, tmp_path: Path) -> None:
    write(
        tmp_path,
        line(),
        line(),
        "plain text",
        "",
        json.dumps({"level": "info", "message": "no time"}),
        json.dumps({"timestamp": 1795533513, "level": "info", "message": "a number"}),
        json.dumps({"timestamp": stamp(), "message": "no level"}),
        json.dumps([1]),
    )
    sample = sampled(ask().sample(PAYMENTS)["payments"])
    assert (sample.lines, sample.json_objects, sample.complete, sample.bad_timestamps) == (7, 5, 2, 1)
    assert sample.lacking == {"level": 1, "timestamp": 1}


def test_only_the_last_five_hundred_lines_count(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path, *["plain text"] * 300, *[line()] * 500)
    sample = sampled(ask().sample(PAYMENTS)["payments"])
    assert (sample.lines, sample.json_objects) == (500, 500)


def test_the_organisation_s_own_keys_count(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path, json.dumps({"@t": stamp(), "@l": "Information", "@m": "paid"}))
    assert sampled(ask().sample(PAYMENTS)["payments"]).complete == 0
    yaml = "vocabulary: {log_fields: {timestamp: ['@t'], level: ['@l'], message: ['@m']}}\n"
    assert sampled(ask(yaml=yaml).sample(PAYMENTS)["payments"]).complete == 1


def test_lines_of_another_service_in_the_same_log_are_left_out(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path, *[line(service="ledger")] * 8, line(service="payments"), line())
    both = ask().sample(PAYMENTS, service("ledger", logs=file_logs()))
    assert (sampled(both["payments"]).lines, sampled(both["payments"]).foreign) == (2, 8)
    assert (sampled(both["ledger"]).lines, sampled(both["ledger"]).foreign) == (9, 1)


def test_a_log_that_holds_only_lines_of_others_says_nothing_of_this_service(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path, *[line(service="ledger")] * 8)
    answer = ask().sample(PAYMENTS, service("ledger", logs=file_logs("none.log")))["payments"]
    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.NO_DATA


def test_an_empty_log_is_unknown(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path)
    answer = ask().sample(PAYMENTS)["payments"]
    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.NO_DATA


@pytest.mark.parametrize("kind", list(ServiceType))
def test_services_of_every_type_have_logs(ask: Ask, tmp_path: Path, kind: ServiceType) -> None:
    write(tmp_path, line())
    one = Service(name="payments", type=kind, spec=PAYMENTS.spec)
    assert sampled(ask().sample(one)["payments"]).lines == 1


def test_a_service_without_a_log_is_told_what_to_add(ask: Ask) -> None:
    answer = ask().sample(service())["payments"]
    assert isinstance(answer, Unavailable)
    assert (answer.cause, "logs:" in answer.lines) == (Cause.NOT_CONFIGURED, True)
    assert "payments.log" in answer.lines


def test_nothing_of_a_line_is_kept(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path, line("card 4111111111111111"), "text 4111111111111111", json.dumps({"4111111111111111": 1}))
    assert "4111111111111111" not in repr(ask().sample(PAYMENTS)["payments"])


def test_a_line_of_a_registered_service_is_its_own_though_this_run_is_about_another(ask: Ask, tmp_path: Path) -> None:
    write(tmp_path, line(), line(service="ledger"), line(service="a name of ours that nobody registered"))

    alone = sampled(ask().sample(PAYMENTS)["payments"])
    beside = sampled(ask().sample(PAYMENTS, registered=(service("ledger"),))["payments"])

    assert (alone.lines, alone.foreign) == (3, 0)
    assert (beside.lines, beside.foreign) == (2, 1)


def test_names_are_looked_up_once_and_not_without_end() -> None:
    asked: list[str] = []
    others = Others(Registered(frozenset(), lambda key: asked.append(key.name)), ServiceKey("payments"))
    for number in range(1000):
        assert f"s{number}" not in others
        assert "ledger" not in others
    for name in ("", "payments", "\0", "\ud800", "x" * 1000, None, 3):
        assert name not in others
    assert len(asked) == 200
    assert asked.count("ledger") == 1
