"""Loki, Elasticsearch and CloudWatch: found, not found, and every way in which an answer proves nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from scorecard.egress.aws import Account, Clients
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.evidence import CorrelationSearch, LogSample, Observation, Trace, Unavailable
from scorecard.judge import Judged, Seen, judge_check
from scorecard.model import AwsRef, Cause, CloudWatchLogs, Logs, Service
from scorecard.probes.logs.cloudwatch import CloudWatchSource
from scorecard.probes.logs.source import SourceError
from scorecard.registry import installed
from tests.probes.logs.estate import (
    ELASTICSEARCH_LOGS,
    LOKI_LOGS,
    App,
    Asked,
    Elasticsearch,
    Loki,
    Style,
    access_log,
    good,
    in_message,
    in_plain_text,
    later,
    line,
    other_key,
    sampled,
    searched,
    service,
    serving,
    silent,
    unlogged,
    utc,
    without_id,
)

Ask = Callable[..., Asked]
Store = Loki | Elasticsearch
STORES = {"loki": (Loki, LOKI_LOGS), "elasticsearch": (Elasticsearch, ELASTICSEARCH_LOGS)}


@contextmanager
def running(ask: Ask, kind: str, store: Store, app: App, yaml: str = "") -> Iterator[tuple[Asked, Service]]:
    with serving(store) as url, serving(app) as address:
        yield ask(yaml=yaml, **{kind: url}), service(url=address, logs=STORES[kind][1])


@pytest.fixture(params=list(STORES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str) -> Store:
    made = STORES[kind][0]()
    made.write(line("started"))
    return made


OUTCOMES = [
    (good, Trace.IN_FIELD),
    (later(0.3), Trace.IN_FIELD),
    (other_key, Trace.UNDER_ANOTHER_KEY),
    (in_message, Trace.IN_TEXT),
    (in_plain_text, Trace.IN_TEXT),
    (without_id, Trace.WITHOUT_ID),
    (access_log, Trace.WITHOUT_ID),
    (unlogged, Trace.NO_LINE),
]


@pytest.mark.parametrize(("style", "trace"), OUTCOMES)
def test_what_a_service_logs_of_our_request_is_told_apart(
    ask: Ask, kind: str, store: Store, style: Style, trace: Trace
) -> None:
    with running(ask, kind, store, App(store.write, style)) as (asked, payments):
        assert searched(asked.wait_for(payments)["payments"]).trace is trace


def test_nothing_newer_than_the_request_is_no_line_of_it(ask: Ask, kind: str) -> None:
    store = STORES[kind][0]()
    with running(ask, kind, store, App(store.write, silent)) as (asked, payments):
        assert searched(asked.wait_for(payments)["payments"]).trace is Trace.NOTHING_NEWER


@pytest.mark.parametrize(("style", "trace"), [(good, Trace.IN_FIELD), (unlogged, Trace.NO_LINE)])
def test_a_store_that_gives_everything_whatever_was_asked_proves_nothing_by_it(
    ask: Ask, kind: str, store: Store, style: Style, trace: Trace
) -> None:
    store.fault = "everything"
    with running(ask, kind, store, App(store.write, style)) as (asked, payments):
        assert searched(asked.wait_for(payments)["payments"]).trace is trace


def test_a_store_that_gives_more_than_we_read_is_no_proof_that_the_line_is_not_there(
    ask: Ask, kind: str, store: Store
) -> None:
    store.fault = "everything"
    for number in range(1200):
        store.write(line(f"old {number}"))
    with running(ask, kind, store, App(store.write, without_id)) as (asked, payments):
        found = searched(asked.wait_for(payments)["payments"])
    assert (found.trace, found.cut) == (Trace.NO_LINE, True)


def test_a_store_that_finds_an_id_that_was_never_sent_proves_nothing(ask: Ask, kind: str, store: Store) -> None:
    store.fault = "invents"
    with running(ask, kind, store, App(store.write, good)) as (asked, payments):
        assert searched(asked.wait_for(payments)["payments"]).trace is Trace.INVENTED


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("unauthorized", Cause.ACCESS_DENIED),
        ("forbidden", Cause.ACCESS_DENIED),
        ("too many", Cause.RATE_LIMITED),
        ("error", Cause.BAD_RESPONSE),
        ("unavailable", Cause.UNREACHABLE),
    ],
)
def test_a_store_that_refuses_makes_unknown_with_its_cause(
    ask: Ask, kind: str, store: Store, fault: str, cause: Cause
) -> None:
    store.fault = fault
    with running(ask, kind, store, App(store.write, good)) as (asked, payments):
        answer = asked.wait_for(payments)["payments"]
        sample = asked.sample(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert isinstance(answer.result, Unavailable)
    assert isinstance(sample, Unavailable)
    assert (answer.result.cause, sample.cause) == (cause, cause)


@pytest.mark.parametrize(
    ("of", "fault", "cause"),
    [
        ("loki", "half a document", Cause.BAD_RESPONSE),
        ("loki", "matrix", Cause.BAD_RESPONSE),
        ("loki", "odd values", Cause.BAD_RESPONSE),
        ("elasticsearch", "timed out", Cause.TIMEOUT),
        ("elasticsearch", "a shard failed", Cause.BAD_RESPONSE),
        ("elasticsearch", "a cluster was skipped", Cause.BAD_RESPONSE),
        ("elasticsearch", "no shards", Cause.NO_DATA),
        ("elasticsearch", "no hits", Cause.BAD_RESPONSE),
    ],
)
def test_an_answer_that_is_partial_or_breaks_its_contract_is_unknown(
    ask: Ask, of: str, fault: str, cause: Cause
) -> None:
    store = STORES[of][0](fault=fault)
    with running(ask, of, store, App(store.write, good)) as (asked, payments):
        answer = asked.wait_for(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert isinstance(answer.result, Unavailable)
    assert answer.result.cause is cause


def test_a_fault_that_passes_while_we_wait_does_no_harm(ask: Ask) -> None:
    loki = Loki(fault="error")

    def recovers(app: App, request: object) -> None:
        good(app, request)  # type: ignore[arg-type]
        later(0.3, lambda _app, _request: setattr(loki, "fault", ""))(app, request)  # type: ignore[arg-type]

    with running(ask, "loki", loki, App(loki.write, recovers)) as (asked, payments):
        assert searched(asked.wait_for(payments)["payments"]).trace is Trace.IN_FIELD


def test_a_store_that_is_not_there_is_unreachable(ask: Ask, kind: str, store: Store) -> None:
    with serving(store) as url:
        pass
    with serving(App(store.write, good)) as address:
        answer = ask(**{kind: url}).wait_for(service(url=address, logs=STORES[kind][1]))["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert isinstance(answer.result, Unavailable)
    assert answer.result.cause is Cause.UNREACHABLE


def test_an_integration_that_is_not_configured_says_what_to_add(ask: Ask, kind: str) -> None:
    answer = ask().sample(service(logs=STORES[kind][1]))["payments"]
    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.NOT_CONFIGURED
    assert f"integrations: {{{kind}:" in answer.detail


def test_a_loki_is_asked_with_its_tenant_and_its_token(ask: Ask, tmp_path: object) -> None:
    loki = Loki()
    loki.write(line())
    token = tmp_path / "token"  # type: ignore[operator]
    token.write_text("glsa_canary\n")
    with serving(loki) as url:
        yaml = f"integrations:\n  loki: [{{name: main, url: '{url}', tenant: team-a, token_file: '{token}'}}]\n"
        sampled(ask(yaml=yaml).sample(service(logs=LOKI_LOGS))["payments"])
    assert loki.headers[0]["X-Scope-Orgid"] == "team-a"
    assert loki.headers[0]["Authorization"] == "Bearer glsa_canary"


def test_an_elasticsearch_is_asked_with_an_api_key(ask: Ask, tmp_path: object) -> None:
    store = Elasticsearch()
    store.write(line())
    token = tmp_path / "token"  # type: ignore[operator]
    token.write_text("canary\n")
    with serving(store) as url:
        yaml = f"integrations:\n  elasticsearch: [{{name: main, url: '{url}', token_file: '{token}'}}]\n"
        sampled(ask(yaml=yaml).sample(service(logs=ELASTICSEARCH_LOGS))["payments"])
    assert store.headers[0]["Authorization"] == "ApiKey canary"


def test_the_search_can_be_repeated_by_hand(ask: Ask, kind: str, store: Store) -> None:
    with running(ask, kind, store, App(store.write, good)) as (asked, payments):
        answer = asked.wait_for(payments)["payments"]
    assert isinstance(answer, CorrelationSearch)
    assert answer.sent
    assert answer.exhibits[1].source == f"{kind}/main"
    assert answer.exhibits[1].request.startswith("curl")
    assert answer.sent.correlation_id in answer.exhibits[1].request


def test_documents_that_an_agent_shipped_as_text_are_no_json(ask: Ask) -> None:
    store = Elasticsearch()
    for number in range(10):
        store.write(line(str(number)) if number < 8 else f"plain text {number}")
    with serving(store) as url:
        sample = sampled(ask(elasticsearch=url).sample(service(logs=ELASTICSEARCH_LOGS))["payments"])
    assert (sample.lines, sample.json_objects) == (10, 8)


def test_the_sample_of_a_loki_is_its_newest_lines(ask: Ask) -> None:
    loki = Loki()
    for number in range(700):
        loki.entries.append((time.time_ns() - (700 - number) * 1_000_000, line() if number >= 200 else "old text"))
    with serving(loki) as url:
        sample = sampled(ask(loki=url).sample(service(logs=LOKI_LOGS))["payments"])
    assert (sample.lines, sample.json_objects) == (500, 500)


FAILURES: dict[str, Callable[[str], bool]] = {
    "every question": lambda _query: True,
    "the question for an id": lambda query: "scorecard-" in query,
    "the question for a trace": lambda query: "|=" in query and "scorecard-" not in query,
    "the question for what is there instead": lambda query: "|=" not in query,
}


@pytest.mark.parametrize("failing", FAILURES)
@pytest.mark.parametrize(("style", "trace"), OUTCOMES)
def test_no_question_that_fails_ever_helps(ask: Ask, style: Style, trace: Trace, failing: str) -> None:
    def credit(answer: object) -> float:
        return CREDIT[judged("structured-logs", "correlation-id", answer).status.value]

    loki = Loki(fails=FAILURES[failing])
    loki.write(line("started"))
    with running(ask, "loki", loki, App(loki.write, style)) as (asked, payments):
        broken = asked.wait_for(payments)["payments"]
        loki.fails = lambda _query: False
        sound = asked.wait_for(payments)["payments"]
    assert searched(sound).trace is trace
    assert credit(broken) <= credit(sound)
    if failing == "every question":
        assert credit(broken) == 0


CREDIT = {"pass": 1.0, "warn": 0.5, "fail": 0.0, "unknown": 0.0}


def judged(row_id: str, check_id: str, answer: object) -> Judged:
    row = next(row for row in installed().checklist("production-readiness", Path()).rows if row.id == row_id)
    check = next(check for check in row.checks if check.id == check_id)
    seen = Seen({CorrelationSearch: Observation(CorrelationSearch, utc(), answer)})  # type: ignore[arg-type]
    return judge_check(row, check, service(), seen, utc())


# --- CloudWatch ------------------------------------------------------------------------------------------------------

REGION = "eu-west-1"
GROUP = "/ecs/payments"


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """The server of moto: it honours a quoted term, and nothing else that a filter pattern may be."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


class Group:
    """A log group that a service writes to."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.name = name
        self._client = boto3.client("logs", endpoint_url=endpoint, region_name=REGION)
        self._client.create_log_group(logGroupName=name)
        self._client.create_log_stream(logGroupName=name, logStreamName="task")

    def write(self, text: str) -> None:
        event = {"timestamp": int(time.time() * 1000), "message": text}
        self._client.put_log_events(logGroupName=self.name, logStreamName="task", logEvents=[event])


def cloudwatch(group: str) -> Logs:
    return Logs(cloudwatch=CloudWatchLogs(group=group))


def integration(endpoint: str, more: str = "") -> str:
    return f"integrations:\n  aws: [{{name: main, regions: [{REGION}], endpoint_url: '{endpoint}'{more}}}]\n"


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(("style", "trace"), OUTCOMES)
def test_a_line_in_cloudwatch_is_found_by_a_quoted_term(
    ask: Ask, aws: str, style: Style, trace: Trace, request: pytest.FixtureRequest
) -> None:
    group = Group(aws, f"/ecs/{len(request.node.name)}-{time.time_ns()}")
    group.write(line("started"))
    with serving(App(group.write, style)) as url:
        answer = ask(yaml=integration(aws)).wait_for(service(url=url, logs=cloudwatch(group.name)))["payments"]
    assert searched(answer).trace is trace
    assert "aws logs filter-log-events" in answer.exhibits[1].request  # type: ignore[union-attr]


@pytest.mark.usefixtures("credentials")
def test_the_role_of_the_service_s_account_is_taken(ask: Ask, aws: str) -> None:
    # moto keeps the accounts apart: the group is only where the role leads.
    role = boto3.client("sts", endpoint_url=aws, region_name=REGION).assume_role(
        RoleArn="arn:aws:iam::222233334444:role/scorecard", RoleSessionName="test"
    )["Credentials"]
    there = boto3.client(
        "logs",
        endpoint_url=aws,
        region_name=REGION,
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )
    there.create_log_group(logGroupName=GROUP)
    there.create_log_stream(logGroupName=GROUP, logStreamName="task")
    event = {"timestamp": int(time.time() * 1000), "message": line()}
    there.put_log_events(logGroupName=GROUP, logStreamName="task", logEvents=[event])
    asked = ask(yaml=integration(aws, ", role: 'arn:aws:iam::{account}:role/scorecard'"))
    found = service(logs=cloudwatch(GROUP), aws=AwsRef(account="222233334444"))
    assert sampled(asked.sample(found)["payments"]).lines == 1
    without = asked.sample(service(logs=cloudwatch(GROUP)))["payments"]
    assert isinstance(without, Unavailable)
    assert (without.cause, "account" in without.lines) == (Cause.NOT_CONFIGURED, True)


@pytest.mark.usefixtures("credentials")
def test_a_group_that_does_not_exist_is_unknown_and_named(ask: Ask, aws: str) -> None:
    answer = ask(yaml=integration(aws)).sample(service(logs=cloudwatch("/ecs/missing")))["payments"]
    assert isinstance(answer, Unavailable)
    assert (answer.cause, "/ecs/missing" in answer.detail) == (Cause.NO_DATA, True)


def aws_error(code: str, status: int) -> Callable[[object], object]:
    from werkzeug.wrappers import Response

    def answer(_request: object) -> Response:
        return Response(
            json.dumps({"__type": code, "message": "no"}), status, content_type="application/x-amz-json-1.1"
        )

    return answer


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        ("ThrottlingException", 400, Cause.RATE_LIMITED),
        ("AccessDeniedException", 400, Cause.ACCESS_DENIED),
        ("ExpiredTokenException", 400, Cause.ACCESS_DENIED),
        ("InvalidParameterException", 400, Cause.BAD_RESPONSE),
        ("ServiceUnavailableException", 503, Cause.UNREACHABLE),
    ],
)
def test_what_aws_refuses_is_unknown_with_its_cause(ask: Ask, code: str, status: int, cause: Cause) -> None:
    with serving(aws_error(code, status)) as url:  # type: ignore[arg-type]
        answer = ask(yaml=integration(url)).sample(service(logs=cloudwatch(GROUP)))["payments"]
    assert isinstance(answer, Unavailable)
    assert answer.cause is cause


@pytest.mark.usefixtures("credentials")
def test_the_address_policy_holds_for_cloudwatch(ask: Ask) -> None:
    answer = ask(yaml=integration("http://127.0.0.7:4566")).sample(service(logs=cloudwatch(GROUP)))["payments"]
    assert isinstance(answer, Unavailable)
    assert (answer.cause, "127.0.0.7" in answer.detail) == (Cause.NOT_CONFIGURED, True)


@pytest.mark.usefixtures("credentials")
def test_an_endpoint_that_is_not_there_is_unreachable(ask: Ask) -> None:
    with serving(aws_error("none", 500)) as url:  # type: ignore[arg-type]
        pass
    answer = ask(yaml=integration(url)).sample(service(logs=cloudwatch(GROUP)))["payments"]
    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.UNREACHABLE


@pytest.mark.usefixtures("credentials")
def test_empty_pages_with_a_token_are_turned_and_an_endless_row_of_them_is_cut(tmp_path: object) -> None:
    from werkzeug.wrappers import Request, Response

    pages: list[dict[str, object]] = []
    asked: list[dict[str, object]] = []

    def answer(request: Request) -> Response:
        asked.append(json.loads(request.get_data()))
        body = pages.pop(0) if pages else {"events": [], "nextToken": f"token-{len(asked)}"}
        return Response(json.dumps(body), content_type="application/x-amz-json-1.1")

    assert tmp_path
    clients = Clients(AddressPolicy.of(["127.0.0.1"]), Resolver(), utc, rate=1000)
    with serving(answer) as url:
        source = CloudWatchSource(clients, Account("main", (REGION,), endpoint_url=url), GROUP)
        event = {"timestamp": 1, "ingestionTime": 4001, "message": "found", "logStreamName": "a"}
        pages += [{"events": [], "nextToken": "one"}, {"events": [], "nextToken": "two"}, {"events": [event]}]
        lines = source.find(("needle",), source.mark(utc()), utc())
        assert ([one.text for one in lines.lines], lines.cut) == (["found"], False)
        (found,) = lines.lines
        assert found.ingested_at is not None
        assert found.at is not None
        assert (found.ingested_at - found.at).total_seconds() == 4
        assert [page.get("nextToken") for page in asked] == [None, "one", "two"]
        assert asked[0]["filterPattern"] == '"needle"'
        assert source.find(("needle",), source.mark(utc()), utc()).cut
        pages += [{"events": [{"timestamp": "now", "message": 3}]}]
        with pytest.raises(SourceError):
            source.find(("needle",), source.mark(utc()), utc())


def test_without_credentials_it_is_not_configured(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    with serving(aws_error("none", 500)) as url:  # type: ignore[arg-type]
        answer = ask(yaml=integration(url)).sample(service(logs=cloudwatch(GROUP)))["payments"]
    assert isinstance(answer, Unavailable)
    assert answer.cause is Cause.NOT_CONFIGURED


def test_the_evidence_of_a_sample_holds_counts_and_no_line(ask: Ask, kind: str, store: Store) -> None:
    store.write(line("a line with a card number 4111111111111111"))
    with serving(store) as url:
        sample = ask(**{kind: url}).sample(service(logs=STORES[kind][1]))["payments"]
    assert isinstance(sample, LogSample)
    assert "4111111111111111" not in repr(sample)
