"""Each alert fires when it should and not before, has its runbook, and our own checks have nothing against it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/scorecard.rules.yaml"
SPEC = yaml.safe_load(RULES.read_text())
ALERTS: list[dict[str, Any]] = [rule for group in SPEC["groups"] for rule in group["rules"] if "alert" in rule]
BASE = "https://github.com/readiness-scorecard/readiness-scorecard/blob/main/runbooks/"
WHO = 'service="payments",environment="production"'
ITSELF = 'instance="a",job="scorecard"'

CASES: dict[str, tuple[dict[str, str], str, str]] = {
    "ScorecardDown": ({f"up{{{ITSELF}}}": "1x10 0x30"}, "9m", "17m"),
    "ScorecardRunLate": (
        {
            f'scorecard_run_last_success_timestamp_seconds{{{ITSELF},cadence="live"}}': "0+60x10 600x60",
            f'scorecard_run_period_seconds{{{ITSELF},cadence="live"}}': "60x80",
        },
        "13m",
        "17m",
    ),
    "ScorecardNeverRan": ({f'scorecard_run_period_seconds{{{ITSELF},cadence="live"}}': "60x60"}, "14m", "16m"),
    "ScorecardBlind": (
        {
            f'scorecard_unknown_findings{{{ITSELF},cause="scorecard_fault"}}': "0x10 150x60",
            f'scorecard_unknown_findings{{{ITSELF},cause="not_configured"}}': "800x70",
            f"scorecard_findings{{{ITSELF}}}": "1000x70",
        },
        "20m",
        "22m",
    ),
    "ScorecardSuspect": ({f'scorecard_suspect_runs_total{{{ITSELF},probe="http"}}': "0x10 1+1x20"}, "10m", "14m"),
    "ScorecardConfigReloadFailed": (
        {f"scorecard_config_last_reload_successful{{{ITSELF}}}": "1x10 0x60"},
        "20m",
        "22m",
    ),
    "ScorecardQueueLag": ({f"scorecard_queue_lag_seconds{{{ITSELF}}}": "0+60x120"}, "1h15m", "1h17m"),
    "ScorecardIntegrationUnreadable": (
        {
            f'scorecard_unknown_findings{{{ITSELF},cause="access_denied"}}': "0x10 60x120",
            f"scorecard_findings{{{ITSELF}}}": "1000x130",
        },
        "1h10m",
        "1h12m",
    ),
    "ScorecardServiceScoreDropped": (
        {
            f'scorecard_service_score_ratio{{{WHO},checklist="c"}}': "0.9x60 0.7x120",
            f'scorecard_service_coverage_ratio{{{WHO},checklist="c"}}': "1x180",
            # Less was measured: nobody is told.
            'scorecard_service_score_ratio{service="ledger",environment="production",checklist="c"}': "0.9x60 0.2x120",
            'scorecard_service_coverage_ratio{service="ledger",environment="production",checklist="c"}': "1x60 0.3x120",
        },
        "1h30m",
        "1h32m",
    ),
    "ScorecardRowRegressed": (
        {
            f'scorecard_row_status{{{WHO},checklist="c",row="adrs",status="pass"}}': "1x60",
            f'scorecard_row_status{{{WHO},checklist="c",row="adrs",status="fail"}}': "_x61 1x120",
            f'scorecard_row_status{{{WHO},checklist="c",row="secrets",status="fail"}}': "1x180",
        },
        "1h30m",
        "1h33m",
    ),
    "ScorecardGateClosed": (
        {
            f'scorecard_gate_verdict{{{WHO},verdict="go"}}': "1x60 0x120",
            f'scorecard_gate_verdict{{{WHO},verdict="no-go"}}': "0x60 1x120",
        },
        "1h30m",
        "1h32m",
    ),
    "ScorecardCertificateExpiring": (
        {
            f'scorecard_certificate_expiry_timestamp_seconds{{{WHO},endpoint="liveness"}}': f"{13 * 86400}x120",
            f'scorecard_certificate_expiry_timestamp_seconds{{{WHO},endpoint="readiness"}}': f"{30 * 86400}x120",
        },
        "59m",
        "61m",
    ),
    "ScorecardWaiverEnding": (
        {
            f'scorecard_waiver_expiry_timestamp_seconds{{{WHO},row="adrs"}}': f"{5 * 86400}x120",
            f'scorecard_waiver_expiry_timestamp_seconds{{{WHO},row="secrets"}}': f"{30 * 86400}x120",
        },
        "59m",
        "61m",
    ),
    "ScorecardRowNeverProven": (
        {
            f'scorecard_row_last_proven_timestamp_seconds{{{WHO},row="adrs"}}': f"-{8 * 86400}x120",
            f'scorecard_row_status{{{WHO},checklist="c",row="adrs",status="unknown"}}': "1x120",
            f'scorecard_row_last_proven_timestamp_seconds{{{WHO},row="secrets"}}': f"-{8 * 86400}x120",
        },
        "59m",
        "61m",
    ),
}
"""Alert: (series by minute, an instant at which it does not fire, one at which it fires, once)."""


def test_the_rules_are_valid(program: Callable[[str], str]) -> None:
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(RULES)], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


def test_every_alert_has_a_case() -> None:
    assert set(CASES) == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize("alert", sorted(CASES))
def test_an_alert_fires_once_it_should_and_not_before(
    alert: str, tmp_path: Path, program: Callable[[str], str]
) -> None:
    series, quiet, loud = CASES[alert]
    file = tmp_path / "case.yaml"

    def run(instant: str) -> str:
        file.write_text(
            json.dumps(
                {
                    "rule_files": [str(RULES)],
                    "tests": [
                        {
                            "interval": "1m",
                            "input_series": [{"series": name, "values": values} for name, values in series.items()],
                            "alert_rule_test": [{"alertname": alert, "eval_time": instant, "exp_alerts": []}],
                        }
                    ],
                }
            )
        )
        done = subprocess.run(
            [program("promtool"), "test", "rules", str(file)], capture_output=True, text=True, timeout=30, check=False
        )
        return done.stdout + done.stderr

    assert "SUCCESS" in run(quiet)
    fired = run(loud)
    # promtool prints what fired beside what was expected, which is nothing.
    assert "FAILED" in fired
    assert fired.count(f'alertname="{alert}"') == 1, fired
    assert "{{" not in fired
    assert "no value" not in fired


def test_a_service_that_only_became_unknown_raises_no_alert_about_itself() -> None:
    about_services = [rule for rule in ALERTS if rule["labels"]["severity"] == "ticket" and "service" in rule["expr"]]
    unknown = [rule["alert"] for rule in about_services if 'status="unknown"' in rule["expr"]]

    assert unknown == ["ScorecardRowNeverProven"]


def test_only_the_scorecards_own_faults_page() -> None:
    paging = {rule["alert"] for rule in ALERTS if rule["labels"]["severity"] == "page"}

    assert paging == {"ScorecardDown", "ScorecardRunLate", "ScorecardNeverRan", "ScorecardBlind", "ScorecardSuspect"}
    assert all(rule["labels"]["severity"] in {"page", "ticket"} for rule in ALERTS)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_it_is_and_leads_to_a_page_of_its_own(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    page = ROOT / "runbooks" / notes["runbook_url"].removeprefix(BASE)
    text = page.read_text()
    heading = re.compile(r"^## (\w+)$", re.MULTILINE)

    assert notes["summary"]
    assert len(notes["description"]) > 40
    assert "for" in rule
    assert f"# {rule['alert']}\n" in text
    assert heading.findall(text) == ["Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation"]
    assert "```sh" in text
    front = yaml.safe_load(text.split("---")[1])
    assert front["alert"] == rule["alert"]
    assert front["severity"] == rule["labels"]["severity"]
    assert isinstance(front["last_reviewed"], date)


def test_every_runbook_has_its_alert_and_its_links_resolve() -> None:
    linked = {rule["annotations"]["runbook_url"].removeprefix(BASE) for rule in ALERTS}
    pages = {page.name: page.read_text() for page in (ROOT / "runbooks").glob("scorecard-*.md")}

    assert linked == set(pages)
    for text in pages.values():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            assert (ROOT / "runbooks" / target).is_file(), target


def test_every_metric_that_a_rule_or_a_panel_reads_is_one_that_is_told() -> None:
    documented = set(re.findall(r"`(\w+)`", (ROOT / "docs/reference/metrics.md").read_text()))
    dashboard = json.loads((ROOT / "deploy/grafana/scorecard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    read = {
        name.removesuffix("_bucket")
        for text in (*queries, *(rule["expr"] for group in SPEC["groups"] for rule in group["rules"]))
        for name in re.findall(r"\b(?:scorecard|process)_\w+", text)
    }

    assert len(queries) > 20
    assert read - {"scorecard_fault"} <= documented  # a cause, not a metric


def test_the_dashboard_covers_the_golden_signals_and_every_panel_says_what_it_asks() -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/scorecard.json").read_text())
    titles = " ".join(panel["title"] for panel in dashboard["panels"])

    for signal in ("Latency", "Traffic", "Errors", "Saturation"):
        assert signal in titles
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            assert panel["targets"], panel["title"]
            assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_scrape_configurations_keep_our_labels() -> None:
    example = yaml.safe_load((ROOT / "deploy/prometheus/scrape.example.yaml").read_text())
    monitor = yaml.safe_load((ROOT / "deploy/prometheus/servicemonitor.yaml").read_text())

    assert all(job["honor_labels"] is True for job in example["scrape_configs"])
    assert all(endpoint["honorLabels"] is True for endpoint in monitor["spec"]["endpoints"])


def test_the_example_is_a_configuration_that_prometheus_takes(tmp_path: Path, program: Callable[[str], str]) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text((ROOT / "deploy/prometheus/scrape.example.yaml").read_text())
    (tmp_path / RULES.name).write_text(RULES.read_text())
    done = subprocess.run(
        [program("promtool"), "check", "config", str(file)], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
