"""What Prometheus is told: exact names and labels, absent where never measured, the same numbers as the API."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from sqlalchemy import text as sql

from scorecard.evidence import Endpoint, HealthEndpoints, Reply
from scorecard.metrics.families import FLEET, ITSELF, PER_SERVICE
from scorecard.metrics.page import ServicePage, Shard
from scorecard.metrics.text import fragments, value
from scorecard.metrics.warm import LARGE, Warm
from scorecard.model import Service, ServiceKey, Verdict, Waiver
from scorecard.store.views import MetricRow
from tests.api.estate import LEDGER, NOW, PAYMENTS, Estate, control, endpoints

ROOT = Path(__file__).parents[2]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(estate: Estate, query: str = "", **headers: str) -> str:
    answer = estate.client().get(f"/metrics{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in parse_text(text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, f"{key} stands there twice"
            found[key] = sample.value
    return found


def one(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def named(found: Samples, name: str) -> list[dict[str, str]]:
    return [dict(labels) for sample, labels in found if sample == name]


# --- what is told ----------------------------------------------------------------------------------------------------


def test_scores_are_those_of_the_api_as_shares_of_one(measured: Estate) -> None:
    found = samples(scrape(measured))
    labels = {"service": "payments", "environment": "production", "checklist": "production-readiness"}

    assert one(found, "scorecard_service_score_ratio", **labels) == 0.113
    assert one(found, "scorecard_service_score_upper_ratio", **labels) == 1.0
    assert one(found, "scorecard_service_coverage_ratio", **labels) == 0.121


def test_every_service_has_its_labels_for_joins(measured: Estate) -> None:
    info = named(samples(scrape(measured)), "scorecard_service_info")

    assert {
        "service": "payments",
        "environment": "production",
        "team": "payments-platform",
        "tier": "tier-1",
        "type": "web",
    } in info
    assert [labels["service"] for labels in info].count("ledger") == 1


def test_only_the_current_status_of_a_row_is_there(measured: Estate) -> None:
    found = samples(scrape(measured))
    rows = [labels for labels in named(found, "scorecard_row_status") if labels["checklist"] == "production-readiness"]

    assert len(rows) == 12
    assert {labels["status"] for labels in rows if labels["row"] == "health-endpoints"} == {"warn"}
    assert set(rows[0]) == {"service", "environment", "checklist", "row", "status"}


def test_what_was_never_measured_is_absent(measured: Estate) -> None:
    found = samples(scrape(measured))

    for name in (
        "scorecard_service_score_ratio",
        "scorecard_row_status",
        "scorecard_gate_verdict",
        "scorecard_probe_up",
    ):
        assert named(found, name)
        assert all(labels["service"] != "ledger" for labels in named(found, name)), name


def test_what_was_measured_and_is_all_unknown_now_has_score_0_and_coverage_0(measured: Estate) -> None:
    scrape(measured)
    measured.now += timedelta(hours=49)
    found = samples(scrape(measured))
    labels = {"service": "payments", "environment": "production", "checklist": "production-readiness"}

    assert one(found, "scorecard_service_score_ratio", **labels) == 0.0
    assert one(found, "scorecard_service_coverage_ratio", **labels) == 0.0
    proven = one(
        found,
        "scorecard_row_last_proven_timestamp_seconds",
        service="payments",
        environment="production",
        row="health-endpoints",
    )
    assert proven == NOW.timestamp()
    assert not named(found, "scorecard_probe_up")


def test_the_gate_is_one_hot(measured: Estate) -> None:
    found = samples(scrape(measured))
    said = {
        verdict: one(found, "scorecard_gate_verdict", service="payments", environment="production", verdict=verdict)
        for verdict in Verdict
    }

    assert said == {"go": 0, "no-go": 0, "cannot-tell": 1}


def test_health_endpoints_are_told_from_the_newest_probe(measured: Estate) -> None:
    who = {"service": "payments", "environment": "production", "endpoint": "readiness"}
    before = samples(scrape(measured))
    measured.now += timedelta(minutes=1)
    measured.measure(PAYMENTS, endpoints(503, milliseconds=250.0, days=3.0), control())
    after = samples(scrape(measured))

    assert one(before, "scorecard_probe_up", **who) == 1
    assert one(before, "scorecard_probe_duration_seconds", **who) == 0.0125
    assert (
        one(before, "scorecard_certificate_expiry_timestamp_seconds", **who) == (NOW + timedelta(days=60)).timestamp()
    )
    assert one(after, "scorecard_probe_up", **who) == 0
    assert one(after, "scorecard_probe_duration_seconds", **who) == 0.25
    assert (
        one(after, "scorecard_certificate_expiry_timestamp_seconds", **who)
        == (measured.now + timedelta(days=3)).timestamp()
    )


def test_an_endpoint_that_was_never_asked_is_absent(measured: Estate) -> None:
    refused = Endpoint(url="http://169.254.169.254/", reply=Reply.NOT_SENT, detail="never probed")
    measured.now += timedelta(minutes=1)
    measured.measure(PAYMENTS, HealthEndpoints(liveness=refused, readiness=refused), control())
    found = samples(scrape(measured))

    assert not named(found, "scorecard_probe_up")
    assert not named(found, "scorecard_probe_duration_seconds")


def test_an_active_waiver_is_told_with_its_end_until_it_ends(measured: Estate) -> None:
    ends = NOW + timedelta(days=3)
    measured.store.grant(
        Waiver(
            id=0,
            service=ServiceKey("payments"),
            row="multi-az",
            check="placement",
            fingerprint="sha256:x",
            reason="moves this week",
            requested_by="ana",
            approved_by="ben",
            approved_at=NOW,
            expires_at=ends,
        )
    )
    who = {"service": "payments", "environment": "production", "row": "multi-az"}
    measured.now += timedelta(minutes=1)
    measured.measure(PAYMENTS, endpoints())

    assert one(samples(scrape(measured)), "scorecard_waiver_expiry_timestamp_seconds", **who) == ends.timestamp()
    measured.now = ends + timedelta(minutes=1)
    measured.measure(PAYMENTS, endpoints())
    assert not named(samples(scrape(measured)), "scorecard_waiver_expiry_timestamp_seconds")


def test_the_fleet_counts_production_services_and_follows_their_changes(measured: Estate) -> None:
    before = samples(scrape(measured))
    for _ in range(3):
        measured.now += timedelta(minutes=1)
        measured.measure(PAYMENTS, endpoints(500), control())
    after = samples(scrape(measured))
    row = {"checklist": "production-readiness", "row": "health-endpoints"}

    assert one(before, "scorecard_services", team="ledger-team", tier="default", level="unknown") == 1
    assert one(before, "scorecard_rows", status="warn", **row) == 1
    assert one(after, "scorecard_rows", status="fail", **row) == 1
    assert ("scorecard_rows", frozenset({**row, "status": "warn"}.items())) not in after
    assert one(after, "scorecard_services", team="payments-platform", tier="tier-1", level="not-ready") == 1


def test_a_service_that_is_gone_is_gone_and_one_that_is_renamed_is_renamed(measured: Estate) -> None:
    scrape(measured)
    measured.now += timedelta(minutes=1)
    measured.sync(Service(name="money", formerly=("payments",), team="payments-platform"))
    info = named(samples(scrape(measured)), "scorecard_service_info")

    assert [labels["service"] for labels in info] == ["money"]


def test_the_scorecard_tells_of_itself(measured: Estate) -> None:
    measured.telemetry.probe("http", "ok", 3)
    measured.telemetry.probe("http", "timeout")
    measured.telemetry.run("live", 2.0)
    measured.telemetry.skipped("live")
    measured.telemetry.reloaded(successful=False)
    found = samples(scrape(measured))

    assert one(found, "scorecard_probes_total", probe="http", outcome="ok") == 3
    assert one(found, "scorecard_probes_total", probe="http", outcome="timeout") == 1
    assert one(found, "scorecard_run_duration_seconds_count", cadence="live") == 1
    assert one(found, "scorecard_run_duration_seconds_sum", cadence="live") == 2.0
    assert one(found, "scorecard_runs_skipped_total", cadence="live") == 1
    assert one(found, "scorecard_config_last_reload_successful") == 0
    assert one(found, "scorecard_build_info", version="9.9.9") == 1
    assert one(found, "scorecard_run_last_success_timestamp_seconds", cadence="live") == NOW.timestamp()
    assert one(found, "scorecard_run_period_seconds", cadence="live") == 60
    assert one(found, "scorecard_unknown_findings", cause="not_supported") > 0
    assert one(found, "scorecard_unknown_findings", cause="timeout") == 0
    assert one(found, "scorecard_findings") > one(found, "scorecard_unknown_findings", cause="not_supported")
    assert one(found, "scorecard_queue_lag_seconds") == 0


def test_a_clock_that_went_back_leaves_nothing_stale(measured: Estate) -> None:
    measured.now += timedelta(hours=2)
    scrape(measured)
    measured.now -= timedelta(hours=2)
    measured.sync(LEDGER)

    assert [labels["service"] for labels in named(samples(scrape(measured)), "scorecard_service_info")] == ["ledger"]


# --- how it is told --------------------------------------------------------------------------------------------------


def test_text_is_the_usual_answer_and_openmetrics_the_one_for_who_asks(measured: Estate) -> None:
    client = measured.client()
    wish = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    for accept, kind in (
        (None, "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", "text/plain; version=0.0.4; charset=utf-8"),
        (wish, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ):
        answer = client.get("/metrics", headers={"Accept": accept} if accept else {})
        assert answer.headers["Content-Type"] == kind, accept


def test_openmetrics_is_read_by_the_strict_parser_and_says_the_same(measured: Estate) -> None:
    measured.telemetry.probe("http", "ok")
    text = scrape(measured, Accept="application/openmetrics-text")
    families = list(parse_openmetrics(text))
    plain = samples(scrape(measured))

    assert text.endswith("# EOF\n")
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }
    ours = {key: number for key, number in found.items() if key[0].startswith("scorecard_")}
    assert ours == {key: number for key, number in plain.items() if key[0].startswith("scorecard_")}


def test_gzip_is_sent_to_who_takes_it(measured: Estate) -> None:
    client = measured.client()
    packed = client.get("/metrics", headers={"Accept-Encoding": "gzip"})
    refused = client.get("/metrics", headers={"Accept-Encoding": "gzip;q=0, identity"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data).startswith(b"# HELP scorecard_service_info")
    assert "Content-Encoding" not in refused.headers
    assert refused.data.startswith(b"# HELP")


def test_shards_share_the_services_out_and_the_rest_stands_in_the_first(estate: Estate) -> None:
    estate.sync(*(Service(name=f"service-{number}") for number in range(40)))
    parts = [samples(scrape(estate, f"?shard={number}/4")) for number in (1, 2, 3, 4)]
    names = [{labels["service"] for labels in named(part, "scorecard_service_info")} for part in parts]

    assert set().union(*names) == {f"service-{number}" for number in range(40)}
    assert sum(len(each) for each in names) == 40
    assert all(names)
    assert [bool(named(part, "scorecard_build_info")) for part in parts] == [True, False, False, False]
    assert scrape(estate, "?shard=2/4", Accept="application/openmetrics-text").endswith("# EOF\n")


def test_all_environments_of_a_service_are_in_one_shard() -> None:
    for name in ("payments", "ledger", "checkout"):
        held = [number for number in range(1, 9) if Shard(number, 8).has(ServiceKey(name))]
        assert held == [number for number in range(1, 9) if Shard(number, 8).has(ServiceKey(name, "staging"))]
        assert len(held) == 1


@pytest.mark.parametrize("shard", ["0/8", "9/8", "1", "a/b", "1/0", "-1/8", "1/99999"])
def test_a_shard_that_is_none_is_refused(measured: Estate, shard: str) -> None:
    assert measured.client().get("/metrics", query_string={"shard": shard}).status_code == 422


def test_fleet_only_leaves_the_services_out(measured: Estate) -> None:
    measured.configure(SCORECARD__METRICS="fleet")
    found = samples(scrape(measured))

    assert not {name for name, _ in found} & {family.name for family in PER_SERVICE}
    assert named(found, "scorecard_services")
    assert named(found, "scorecard_rows")


def test_its_own_token_is_asked_for_where_one_is_set(measured: Estate, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("canary-token\n")
    measured.configure(SCORECARD__AUTH__METRICS_TOKEN_FILE=str(token))
    client = measured.client()

    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer other"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer canary-token"}).status_code == 200
    token.unlink()
    answer = client.get("/metrics", headers={"Authorization": "Bearer canary-token"})
    assert answer.status_code == 503
    assert "canary" not in answer.text


@pytest.mark.parametrize(
    "hostile", ['quo"te', "new\nline", "back\\slash", "sur\udc80rogate", "nul\x00", "emoji\U0001f525", '"} 1\nup 0']
)
def test_a_label_can_hold_anything_and_breaks_nothing(hostile: str) -> None:
    row = MetricRow(
        key=ServiceKey(hostile, hostile),
        team=hostile,
        tier=hostile,
        type="web",
        verdict=Verdict.GO,
        summaries=(),
        last_proven=(),
        waivers=((hostile, NOW),),
        endpoints=(),
    )
    text = "".join(family.header + part for family, part in zip(PER_SERVICE, fragments(row), strict=True) if part)
    encoded = text.encode("utf-8").decode()
    found = samples(encoded)

    assert {dict(labels)["service"] for _, labels in found} == {hostile.replace("\udc80", "\ufffd\ufffd\ufffd")}
    assert len(found) == 1 + 3 + 1
    assert "\n" not in value(hostile)


# --- a large fleet ---------------------------------------------------------------------------------------------------


def until(condition: Callable[[], bool]) -> bool:
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_large_fleet_is_read_between_scrapes_and_a_scrape_still_tells_what_is_newest(measured: Estate) -> None:
    page = ServicePage(measured.store)
    warm = Warm(page, lambda: measured.now, lambda now: f"told at {now:%H:%M}\n", every=0.02)
    warm.scraped(LARGE - 1)
    assert not warm.running
    assert warm.itself(measured.now) == "told at 12:00\n"

    warm.scraped(LARGE)
    assert until(lambda: "payments" in "".join(page.services(Shard())))
    measured.now += timedelta(minutes=10)
    assert warm.itself(measured.now) == "told at 12:00\n"
    measured.measure(PAYMENTS, endpoints(503), control())
    page.refresh(measured.now)
    assert 'scorecard_probe_up{service="payments",environment="production",endpoint="liveness"} 0' in "".join(
        page.services(Shard())
    )
    with measured.store.db.write() as connection:
        connection.execute(sql("drop table summary"))
    assert until(lambda: not warm.running)


# --- what others say about it ----------------------------------------------------------------------------------------


def test_promtool_has_nothing_to_say(measured: Estate, program: Callable[[str], str]) -> None:
    measured.telemetry.probe("http", "ok")
    measured.telemetry.run("live", 1.0)
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=scrape(measured),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_metric_and_alert_is_documented_and_nothing_else_is() -> None:
    text = (ROOT / "docs/reference/metrics.md").read_text()
    rules = (ROOT / "deploy/prometheus/scorecard.rules.yaml").read_text()
    written = {
        *(family.name for family in (*PER_SERVICE, *FLEET, *ITSELF)),
        "scorecard_run_duration_seconds",
        "scorecard_runs_skipped_total",
        "scorecard_probes_total",
        "scorecard_suspect_runs_total",
        "scorecard_calls_total",
        "scorecard_config_last_reload_successful",
        "scorecard_build_info",
    }
    documented = set(re.findall(r"^\| `(scorecard_\w+)`", text, re.MULTILINE))
    alerts = set(re.findall(r"- alert: (\w+)", rules))

    assert documented == written
    assert set(re.findall(r"^\| \[`(Scorecard\w+)`\]", text, re.MULTILINE)) == alerts
    assert set(re.findall(r"^\| `([\w:]+:[\w:]+)`", text, re.MULTILINE)) == set(re.findall(r"- record: (\S+)", rules))


def test_a_new_family_cannot_be_forgotten(measured: Estate) -> None:
    measured.telemetry.probe("http", "ok")
    text = scrape(measured)
    headed = set(re.findall(r"^# TYPE (scorecard_\w+)", text, re.MULTILINE))
    documented = set(re.findall(r"`(scorecard_\w+)`", (ROOT / "docs/reference/metrics.md").read_text()))

    assert headed <= documented


@pytest.fixture
def prometheus(
    measured: Estate, tmp_path: Path, program: Callable[[str], str]
) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """A real Prometheus that scrapes the estate with the shipped rules; ask it a query."""
    measured.telemetry.probe("http", "ok")
    # Prometheus counts by the real clock: what the estate says must be fresh for it.
    binary = program("prometheus")
    with measured.serving() as port:
        config = tmp_path / "prometheus.yml"
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(ROOT / "deploy/prometheus/scorecard.rules.yaml")],
                    "scrape_configs": [
                        {
                            "job_name": "scorecard",
                            "honor_labels": True,
                            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
                        }
                    ],
                }
            )
        )
        with subprocess.Popen(
            [
                binary,
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                "--web.listen-address=127.0.0.1:0",
                "--log.level=info",
            ],
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stderr is not None
                listening = re.compile(r'msg="Listening on" address=127\.0\.0\.1:(\d+)')
                own = next(found[1] for line in process.stderr if (found := listening.search(line)))

                def ask(query: str) -> list[dict[str, Any]]:
                    address = f"http://127.0.0.1:{own}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
                    for _ in range(60):
                        try:
                            with urllib.request.urlopen(address, timeout=5) as answer:
                                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                        except urllib.error.URLError:
                            result = []
                        if result:
                            return result
                        time.sleep(0.25)
                    return []

                yield ask
            finally:
                process.terminate()


@pytest.mark.prometheus
def test_a_real_prometheus_scrapes_it_and_answers(prometheus: Callable[[str], list[dict[str, Any]]]) -> None:
    (score,) = prometheus('scorecard_service_score_ratio{checklist="production-readiness"}')
    (joined,) = prometheus(
        'scorecard_row_status{row="health-endpoints"} * on (service, environment) '
        "group_left (team) scorecard_service_info"
    )
    (recorded,) = prometheus('team_checklist:scorecard_service_score_ratio:avg{checklist="production-readiness"}')

    assert score["metric"]["service"] == "payments"
    assert score["value"][1] == "0.113"
    assert joined["metric"]["team"] == "payments-platform"
    assert recorded["metric"]["team"] == "payments-platform"
    assert float(recorded["value"][1]) == pytest.approx(0.113)
