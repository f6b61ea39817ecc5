"""The row `health-endpoints`: what a window of samples, a control path and an alert on absence come to."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.health_endpoints import row
from scorecard.evidence import (
    AlertRule,
    Alerts,
    AlertSource,
    ControlPath,
    Endpoint,
    HealthEndpoints,
    LiveAlert,
    LiveAlerts,
    Reply,
    RuleHealth,
    Unavailable,
)
from scorecard.judge import Judged
from scorecard.model import Cause, Service, ServiceType, Status

BASE = "http://payments.example.net"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OURS = Unavailable(Cause.SCORECARD_FAULT, "our own network was down")
Ask = Callable[..., Judged]


def endpoint(path: str, status: int = 200, **more: object) -> Endpoint:
    reply = more.pop("reply", Reply.ANSWERED)
    return Endpoint(
        url=BASE + path,
        reply=reply,
        status=status if reply is Reply.ANSWERED else 0,
        milliseconds=more.pop("milliseconds", 10.0),
        **more,
    )


def sample(status: int = 200, **more: object) -> HealthEndpoints:
    """A sample whose two endpoints did the same."""
    return HealthEndpoints(liveness=endpoint("/livez", status, **more), readiness=endpoint("/readyz", status, **more))


def refused(*, reached_before: bool) -> HealthEndpoints:
    return sample(reply=Reply.REFUSED, detail="connection refused", reached_before=reached_before)


GOOD = sample()
NOT_READY = HealthEndpoints(
    liveness=endpoint("/livez"), readiness=endpoint("/readyz", 503, well_formed=True, content_type="application/json")
)
BAD = {
    "500": sample(500),
    "404": sample(404),
    "302": sample(302, location="https://login.example.net/"),
    "sign-in page": sample(200, html=True, login_page=True),
    "broken": sample(reply=Reply.BROKEN, detail="two lengths"),
    "tls": sample(reply=Reply.TLS_FAILED, detail="certificate expired"),
    "refused after it answered": refused(reached_before=True),
    "silent after it answered": sample(reply=Reply.TIMED_OUT, reached_before=True),
    "503 in HTML": sample(503, html=True),
    "503 with nothing": sample(503),
}
UNCLEAR = {
    "never reached": (refused(reached_before=False), "unreachable"),
    "never answered": (sample(reply=Reply.TIMED_OUT), "timeout"),
    "no such name": (sample(reply=Reply.NAME_FAILED), "unreachable"),
    "not sent": (sample(reply=Reply.NOT_SENT, detail="the resolver is full"), "scorecard_fault"),
    "our own fault": (OURS, "scorecard_fault"),
}


def judged(ask: Ask, check: str, *window: HealthEndpoints | Unavailable, **more: object) -> Judged:
    return ask(row, check, window=window, kind=HealthEndpoints, **more)


# --- liveness and readiness ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", ["liveness", "readiness"])
def test_two_good_samples_pass(ask: Ask, check: str) -> None:
    found = judged(ask, check, GOOD, GOOD)
    assert found.status is Status.PASS
    assert "answered 200 in all 2 samples" in found.message


@pytest.mark.parametrize("check", ["liveness", "readiness"])
@pytest.mark.parametrize("kind", BAD)
def test_three_bad_samples_fail_and_two_do_not(ask: Ask, check: str, kind: str) -> None:
    bad = BAD[kind]
    assert judged(ask, check, GOOD, GOOD, bad, bad).status is Status.PASS
    found = judged(ask, check, GOOD, GOOD, bad, bad, bad)
    assert (found.status, found.code) == (Status.FAIL, "bad-answer")
    assert found.fingerprint


@pytest.mark.parametrize("check", ["liveness", "readiness"])
@pytest.mark.parametrize("kind", UNCLEAR)
def test_what_was_never_reached_is_unknown_with_its_cause(ask: Ask, check: str, kind: str) -> None:
    lost, cause = UNCLEAR[kind]
    found = judged(ask, check, lost, lost, lost)
    assert (found.status.value, found.cause and found.cause.value) == ("unknown", cause)


def test_a_first_refusal_says_at_once_that_it_was_never_reached(ask: Ask) -> None:
    found = judged(ask, "liveness", refused(reached_before=False))
    assert found.cause is Cause.UNREACHABLE
    assert found.message.startswith(f"liveness {BASE}/livez refused the connection")


def test_the_message_names_the_endpoint_the_answer_and_the_count(ask: Ask) -> None:
    window = [GOOD] * 17 + [sample(503)] * 3
    found = judged(ask, "readiness", *window)
    assert found.message.startswith(f"readiness {BASE}/readyz answered 503")
    assert found.message.endswith("in the last 3 of 20 samples")


def test_a_redirect_says_where_it_points(ask: Ask) -> None:
    found = judged(ask, "liveness", *[BAD["302"]] * 3)
    assert "answered 302 to https://login.example.net/" in found.message


def test_one_good_sample_after_a_failure_does_not_pass_and_two_do(ask: Ask) -> None:
    down = [GOOD, GOOD, *[BAD["500"]] * 3]
    assert judged(ask, "liveness", *down, GOOD).status is Status.FAIL
    assert "not good 2 times in a row since" in judged(ask, "liveness", *down, GOOD).message
    assert judged(ask, "liveness", *down, GOOD, GOOD).status is Status.PASS


def test_three_samples_that_are_not_good_and_not_all_bad_are_unknown(ask: Ask) -> None:
    found = judged(ask, "liveness", GOOD, GOOD, BAD["500"], OURS, BAD["500"])
    assert (found.status, found.cause) == (Status.UNKNOWN, Cause.SCORECARD_FAULT)
    assert "our own network was down" in found.message


@pytest.mark.parametrize("window", [(GOOD,), (BAD["500"],), (GOOD, BAD["500"])])
def test_one_or_two_samples_that_decide_nothing_are_counted(ask: Ask, window: tuple[HealthEndpoints, ...]) -> None:
    found = judged(ask, "liveness", *window)
    assert (found.status, found.cause) == (Status.UNKNOWN, Cause.NO_DATA)
    assert f"{len(window)} of 3 samples" in found.message


def test_a_window_that_goes_to_and_fro_is_unknown_with_its_numbers(ask: Ask) -> None:
    found = judged(ask, "liveness", *[GOOD, BAD["500"]] * 10)
    assert (found.status, found.cause) == (Status.UNKNOWN, Cause.NO_DATA)
    assert "10 of 20 samples are good" in found.message


@pytest.mark.parametrize(
    ("window", "newest"),
    [
        ((GOOD, GOOD, BAD["500"]), 1),
        ((GOOD, GOOD, OURS, OURS), 1),
        ((BAD["500"], BAD["500"], BAD["500"], GOOD), 2),
        ((OURS, OURS, OURS, GOOD), 2),
    ],
)
def test_the_age_counts_from_the_last_sample_that_agrees(
    ask: Ask, window: tuple[HealthEndpoints | Unavailable, ...], newest: int
) -> None:
    found = judged(ask, "liveness", *window)
    at = NOW - timedelta(minutes=len(window) - 1 - newest)
    assert found.observed_at == at
    assert found.expires_at == at + timedelta(minutes=15)


def test_samples_that_are_too_old_have_expired(ask: Ask) -> None:
    found = judged(ask, "liveness", GOOD, GOOD)
    assert found.at(NOW + timedelta(minutes=14)).status is Status.PASS
    assert found.at(NOW + timedelta(minutes=15)).cause is Cause.EXPIRED


def test_the_limits_of_a_checklist_are_what_counts(ask: Ask) -> None:
    five = [GOOD, GOOD, *[BAD["500"]] * 4]
    assert judged(ask, "liveness", *five).status is Status.FAIL
    assert judged(ask, "liveness", *five, samples_to_fall=5).status is Status.PASS


# --- readiness that says "not ready" ---------------------------------------------------------------------------------


def test_a_readiness_that_says_not_ready_exists_and_warns(ask: Ask) -> None:
    found = judged(ask, "readiness", *[NOT_READY] * 3)
    assert (found.status, found.code) == (Status.WARN, "not-ready")
    assert "answered 503, not ready in all 3 samples" in found.message


def test_one_sample_that_says_not_ready_is_told_and_does_not_decide(ask: Ask) -> None:
    found = judged(ask, "readiness", GOOD, GOOD, GOOD, NOT_READY)
    assert found.status is Status.PASS
    assert "the newest says not ready" in found.message


def test_readiness_is_back_after_two_samples_that_say_ready(ask: Ask) -> None:
    assert judged(ask, "readiness", *[NOT_READY] * 3, GOOD).status is Status.WARN
    assert judged(ask, "readiness", *[NOT_READY] * 3, GOOD, GOOD).status is Status.PASS


def test_liveness_that_answers_503_is_bad_whatever_its_body(ask: Ask) -> None:
    assert judged(ask, "liveness", *[sample(503, well_formed=True)] * 3).status is Status.FAIL


# --- not configured --------------------------------------------------------------------------------------------------

MISSING = Unavailable(Cause.NOT_CONFIGURED, "no readiness endpoint is named", lines="spec: {health: {readiness: /r}}")


def test_an_endpoint_that_is_not_named_is_unknown_with_the_lines_to_add(ask: Ask) -> None:
    only_liveness = HealthEndpoints(liveness=endpoint("/livez"), readiness=MISSING)
    window = [GOOD, GOOD, only_liveness]
    found = judged(ask, "readiness", *window)
    assert (found.cause, found.message, found.lines) == (Cause.NOT_CONFIGURED, MISSING.detail, MISSING.lines)
    assert judged(ask, "liveness", *window).status is Status.PASS


def test_what_was_good_before_it_was_not_named_does_not_count_when_we_look_away(ask: Ask) -> None:
    assert judged(ask, "readiness", GOOD, GOOD, MISSING, OURS).status is Status.UNKNOWN
    assert judged(ask, "readiness", GOOD, GOOD, MISSING, GOOD).status is Status.UNKNOWN
    assert judged(ask, "readiness", MISSING, GOOD, GOOD).status is Status.PASS


# --- the Law ---------------------------------------------------------------------------------------------------------

LAW = {Status.UNKNOWN: 0, Status.FAIL: 1, Status.WARN: 2, Status.PASS: 3}
endpoints = st.builds(
    Endpoint,
    url=st.sampled_from([f"{BASE}/livez", f"{BASE}/readyz"]),
    reply=st.sampled_from([*[Reply.ANSWERED] * 8, *Reply]),
    status=st.sampled_from([200, 200, 200, 200, 204, 302, 404, 500, 503]),
    milliseconds=st.sampled_from([3.0, 3.0, 3.0, 999.0, 1000.0, 4000.0]),
    login_page=st.sampled_from([False, False, False, True]),
    html=st.booleans(),
    well_formed=st.booleans(),
    reached_before=st.booleans(),
)
lost_parts = st.builds(
    Unavailable,
    st.sampled_from([Cause.SCORECARD_FAULT, Cause.TIMEOUT, Cause.PROBE_ERROR, Cause.RATE_LIMITED]),
    st.just("lost"),
)
samples = st.builds(HealthEndpoints, liveness=endpoints | lost_parts, readiness=endpoints | lost_parts) | lost_parts


def lose(value: HealthEndpoints | Unavailable, part: str) -> HealthEndpoints | Unavailable:
    if part == "all" or isinstance(value, Unavailable):
        return OURS
    return dataclasses.replace(value, **{part: OURS})


@given(
    window=st.lists(samples, min_size=1, max_size=20),
    data=st.data(),
    check=st.sampled_from(["liveness", "readiness", "distinct", "fast"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
def test_losing_any_part_of_any_sample_never_raises_a_check(
    ask: Ask, window: list[HealthEndpoints | Unavailable], data: st.DataObject, check: str
) -> None:
    before = judged(ask, check, *window)
    losses = data.draw(
        st.dictionaries(st.integers(0, len(window) - 1), st.sampled_from(["all", "liveness", "readiness"]))
    )
    after = judged(ask, check, *[lose(v, losses[i]) if i in losses else v for i, v in enumerate(window)])
    assert LAW[after.status] <= LAW[before.status]
    if after.status is before.status is not Status.UNKNOWN:
        assert (after.expires_at or NOW) <= (before.expires_at or NOW), "what is lost does not live longer"


@given(st.lists(samples, min_size=1, max_size=20), st.sampled_from(["liveness", "readiness", "distinct", "fast"]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_window_makes_a_check_stumble(ask: Ask, window: list[HealthEndpoints | Unavailable], check: str) -> None:
    assert "a bug in" not in judged(ask, check, *window).message


def test_every_way_of_replying_is_judged(ask: Ask) -> None:
    for reply, reached in itertools.product(Reply, (False, True)):
        found = judged(ask, "readiness", *[sample(reply=reply, reached_before=reached)] * 3)
        assert "a bug in" not in found.message, reply


# --- not a catch-all -------------------------------------------------------------------------------------------------


def control(status: int = 404, **more: object) -> ControlPath:
    return ControlPath(endpoints=(endpoint("/no-such-path-4711", status, **more),))


@pytest.mark.parametrize(
    ("seen", "status", "code"),
    [
        (control(404), "pass", "ok"),
        (control(401), "pass", "ok"),
        (control(301, location="/no-such-path-4711/"), "pass", "ok"),
        (control(302, location=f"{BASE}/home"), "pass", "ok"),
        (control(200), "fail", "catch-all"),
        (control(204), "fail", "catch-all"),
        (control(200, html=True, login_page=True), "fail", "catch-all"),
        (control(403, html=True, login_page=True), "fail", "sign-in-page"),
        (control(302, location="https://sso.example.net/login"), "fail", "other-host"),
        (control(302, location="//sso.example.net/login"), "fail", "other-host"),
        (control(502), "unknown", "no-data"),
        (control(reply=Reply.REFUSED), "unknown", "unreachable"),
        (control(reply=Reply.TIMED_OUT), "unknown", "timeout"),
        (control(reply=Reply.BROKEN), "unknown", "bad-response"),
        (control(reply=Reply.NOT_SENT), "unknown", "scorecard-fault"),
        (ControlPath(endpoints=()), "unknown", "no-data"),
        (ControlPath(endpoints=(), missing=(OURS,)), "unknown", "scorecard-fault"),
    ],
)
def test_a_path_that_cannot_exist_must_not_be_there(ask: Ask, seen: ControlPath, status: str, code: str) -> None:
    found = ask(row, "not-a-catch-all", seen)
    assert (found.status.value, found.code) == (status, code)


def test_each_host_of_the_endpoints_is_judged(ask: Ask) -> None:
    seen = ControlPath(endpoints=(endpoint("/x", 404), endpoint("/y", 200)))
    found = ask(row, "not-a-catch-all", seen)
    assert [(s.name, s.status.value) for s in found.subjects] == [(f"{BASE}/x", "pass"), (f"{BASE}/y", "fail")]


# --- heartbeat -------------------------------------------------------------------------------------------------------

WORKER = Service(name="payments-worker", type=ServiceType.WORKER)


def alert(name: str = "WorkerSilent", **more: object) -> AlertRule:
    return AlertRule(
        name=name, where="alerts.yaml:3", source=AlertSource.FILE, severity="critical", runbook_url="", **more
    )


@pytest.mark.parametrize(
    ("alerts", "status"),
    [
        (Alerts(rules=(alert(absence=True),)), "pass"),
        (Alerts(rules=(alert(absence=True),), missing=(OURS,)), "pass"),
        (Alerts(rules=(alert(),)), "fail"),
        (Alerts(rules=()), "fail"),
        (Alerts(rules=(alert(absence=True, problem="unclosed left parenthesis"),)), "fail"),
        (Alerts(rules=(alert(),), missing=(OURS,)), "unknown"),
    ],
)
def test_a_worker_needs_an_alert_that_fires_when_it_falls_silent(ask: Ask, alerts: Alerts, status: str) -> None:
    assert ask(row, "heartbeat", alerts, absent=(LiveAlerts,), service=WORKER).status.value == status


def test_an_alert_that_a_prometheus_evaluates_is_a_heartbeat_too(ask: Ask) -> None:
    silent = {"instance": "prometheus/main", "belongs": "its label", "health": RuleHealth.OK}
    whole = alert(absence=True)
    fields = {field.name: getattr(whole, field.name) for field in dataclasses.fields(whole)}
    live = LiveAlerts(alerts=(LiveAlert(**{**fields, **silent}),))
    assert ask(row, "heartbeat", live, absent=(Alerts,), service=WORKER).status is Status.PASS
    assert ask(row, "heartbeat", LiveAlerts(alerts=()), absent=(Alerts,), service=WORKER).status is Status.FAIL
    assert ask(row, "heartbeat", absent=(Alerts, LiveAlerts), service=WORKER).status is Status.UNKNOWN
    assert ask(row, "heartbeat", Alerts(rules=()), service=WORKER).status is Status.UNKNOWN, "live is not known"


def test_a_worker_is_not_asked_for_endpoints_and_a_web_service_not_for_a_heartbeat(ask: Ask) -> None:
    for check in ("liveness", "readiness", "not-a-catch-all", "distinct", "fast", "orchestrator-agrees"):
        assert ask(row, check, service=WORKER).status is Status.NOT_APPLICABLE
    assert ask(row, "heartbeat", Alerts(rules=())).status is Status.NOT_APPLICABLE


def test_a_static_site_is_asked_whether_it_lives_and_how_fast() -> None:
    asked = {check.id for check in row.checks if ServiceType.STATIC in check.types}
    assert asked == {"liveness", "fast"}


# --- advisories ------------------------------------------------------------------------------------------------------


def test_one_path_for_both_is_told(ask: Ask) -> None:
    same = HealthEndpoints(liveness=endpoint("/health"), readiness=endpoint("/health"))
    found = judged(ask, "distinct", *[same] * 3)
    assert (found.status, found.code) == (Status.FAIL, "one-endpoint")
    assert f"{BASE}/health" in found.message
    assert judged(ask, "distinct", GOOD, GOOD).status is Status.PASS
    assert judged(ask, "distinct", GOOD).cause is Cause.NO_DATA
    assert judged(ask, "distinct", GOOD, GOOD, OURS).status is Status.PASS


def test_nineteen_fast_answers_of_twenty_are_enough(ask: Ask) -> None:
    slow = sample(milliseconds=1500.0)
    assert judged(ask, "fast", *[GOOD] * 20).status is Status.PASS
    assert judged(ask, "fast", *[GOOD] * 19, slow).status is Status.PASS
    found = judged(ask, "fast", *[GOOD] * 18, slow, slow)
    assert (found.status, found.code) == (Status.FAIL, "slow")
    assert "4 of 40 answers took 1 s or more; the slowest was 1.5 s" in found.message


def test_a_second_sharp_is_not_under_a_second(ask: Ask) -> None:
    assert judged(ask, "fast", *[sample(milliseconds=1000.0)] * 3).status is Status.FAIL
    assert judged(ask, "fast", *[sample(milliseconds=999.9)] * 3).status is Status.PASS


def test_requests_that_were_lost_may_have_been_slow(ask: Ask) -> None:
    assert judged(ask, "fast", *[GOOD] * 19, OURS).status is Status.PASS
    found = judged(ask, "fast", *[GOOD] * 18, OURS, OURS)
    assert (found.status, found.cause) == (Status.UNKNOWN, Cause.SCORECARD_FAULT)


def test_an_endpoint_that_is_not_named_is_not_a_lost_request(ask: Ask) -> None:
    only_liveness = HealthEndpoints(liveness=endpoint("/livez"), readiness=MISSING)
    assert judged(ask, "fast", *[only_liveness] * 20).status is Status.PASS
