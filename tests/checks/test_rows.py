"""Every row and check of the specification's checklist exists, under its name, with its requirement, in its place."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import checks
from scorecard.check import Row
from scorecard.model import ServiceType
from scorecard.registry import installed

ROOT = Path(__file__).parents[2]

# The specification's checklist as data: row, category, risk, title, required checks, advisory checks.
EXPECTED = {
    "ci-cd-pipeline": (
        "deployment",
        "high",
        "CI/CD pipeline with automated tests",
        """pipeline-defined tests-on-every-change failure-stops-the-line tests-passed merge-needs-tests
        revision-from-pipeline""",
        "workflow-hardened",
    ),
    "rollback": ("deployment", "high", "Rollback procedure tested and documented", "automatic tested documented", ""),
    "health-endpoints": (
        "monitoring",
        "critical",
        "Health check endpoints (liveness + readiness)",
        "liveness readiness not-a-catch-all heartbeat",
        "distinct fast orchestrator-agrees",
    ),
    "dashboards": ("monitoring", "medium", "Dashboards for key metrics", "exists panels-have-data", "golden-signals"),
    "alerts": (
        "monitoring",
        "high",
        "Alerts with severity levels and runbooks",
        "exist severity runbook-link",
        "healthy routed can-fire actionable",
    ),
    "structured-logs": (
        "logging",
        "medium",
        "Structured JSON logs with correlation IDs",
        "json fields correlation-id",
        "echoed reaches-downstream",
    ),
    "secrets": (
        "security",
        "critical",
        "No secrets in code or environment variables",
        "repository history environment",
        "",
    ),
    "encryption": (
        "security",
        "critical",
        "HTTPS everywhere, encryption at rest",
        "https certificate tls-version load-balancer in-transit-to-data at-rest",
        "hsts",
    ),
    "multi-az": ("reliability", "high", "Multi-AZ deployment", "placement database", "configuration nat"),
    "backups": ("reliability", "critical", "Automated backups with tested restore", "automated restore-tested", ""),
    "runbooks": (
        "documentation",
        "medium",
        "Runbooks for every alert",
        "resolve name-the-alert sections",
        "fresh links",
    ),
    "adrs": ("documentation", "low", "Architecture decision records (ADRs)", "present well-formed", "alive"),
    "delivery-pipeline": (
        "deployment",
        "high",
        None,
        "change-reviewed staging-before-production approval-before-production deploy-verified",
        "test-kinds artifact-traceable e2e-on-staging environments-alike",
    ),
    "infrastructure-as-code": (
        "deployment",
        "high",
        None,
        "defined remote-state-locked no-drift",
        "managed plan-in-review policy-scan",
    ),
    "deployment-strategy": (
        "deployment",
        "medium",
        None,
        "zero-downtime health-gated draining",
        "canary-watched fits-tier",
    ),
    "secrets-management": ("security", "high", None, "level rotation", "access"),
    "migrations": ("deployment", "high", None, "no-unplanned-breaking", "lock-safe reversible"),
}
PRODUCTION_READINESS = list(EXPECTED)[:12]
DELIVERY_PRACTICES = list(EXPECTED)[12:]


def modules() -> dict[str, Row]:
    found = {}
    for info in pkgutil.iter_modules(checks.__path__):
        found[info.name] = importlib.import_module(f"checks.{info.name}").row
    return found


def every_check() -> list[tuple[str, str]]:
    return [(row.id, check.id) for row in modules().values() for check in row.checks]


def test_every_file_of_the_package_is_a_row_of_the_checklist_and_the_other_way_round() -> None:
    assert {name.replace("_", "-") for name in modules()} == set(EXPECTED)


@pytest.mark.parametrize("row_id", EXPECTED)
def test_a_row_is_what_the_checklist_says(row_id: str) -> None:
    row = modules()[row_id.replace("-", "_")]
    category, risk, title, required, advisory = EXPECTED[row_id]
    assert row.id == row_id
    assert (row.category.value, row.risk.value) == (category, risk)
    assert title in {None, row.title}
    assert {check.id for check in row.checks if check.requirement.value == "required"} == set(required.split())
    assert {check.id for check in row.checks if check.requirement.value == "advisory"} == set(advisory.split())


@pytest.mark.parametrize("row_id", EXPECTED)
def test_a_row_has_a_test_file_of_its_name(row_id: str) -> None:
    assert (ROOT / "tests" / "checks" / f"test_{row_id.replace('-', '_')}.py").is_file()


@pytest.mark.parametrize(("row_id", "check_id"), every_check())
def test_a_rule_is_one_sentence_with_its_limits_filled_in(row_id: str, check_id: str) -> None:
    row = modules()[row_id.replace("-", "_")]
    rule = row.check(check_id).rule(row.default_limits())
    assert rule.endswith(".")
    assert rule[0].isupper() or rule[0].isdigit()
    assert not re.search(r"[.!?] +[A-Z]", rule), rule
    assert "{" not in rule
    assert "\n" not in rule


@pytest.mark.parametrize(("row_id", "check_id"), every_check())
def test_a_remedy_has_lines_to_write(row_id: str, check_id: str) -> None:
    remedy = modules()[row_id.replace("-", "_")].check(check_id).remedy
    assert "`" in remedy, "a remedy shows a command, a setting or a file"
    assert not remedy.startswith((" ", "\n"))
    assert len(re.findall(r"^```", remedy, re.MULTILINE)) % 2 == 0, "every fence is closed"


def test_the_reasons_are_one_sentence_each() -> None:
    for row in modules().values():
        assert row.why.endswith("."), row.id
        assert not re.search(r"[.!?] +[A-Z]", row.why), row.id


def test_rows_about_data_do_not_apply_to_a_service_that_keeps_none() -> None:
    assert {row.id for row in modules().values() if row.needs_state} == {"backups", "migrations"}


def test_every_row_applies_to_every_type_and_each_type_is_asked_a_required_check_of_it() -> None:
    for row in modules().values():
        assert row.types == frozenset(ServiceType), row.id
        for kind in ServiceType:
            required = [c for c in row.checks if c.requirement.value == "required" and kind in c.types]
            assert required, f"{row.id} asks nothing required of a {kind} service"


@pytest.mark.parametrize(
    ("name", "rows"), [("production-readiness", PRODUCTION_READINESS), ("delivery-practices", DELIVERY_PRACTICES)]
)
def test_a_shipped_checklist_holds_its_rows_in_order(name: str, rows: list[str]) -> None:
    checklist = installed().checklist(name, ROOT)
    assert [row.id for row in checklist.rows] == rows
    assert checklist.required_rows == {row for row in rows if EXPECTED[row][1] in {"critical", "high"}}
    assert checklist.digest.startswith("sha256:")


def test_nothing_else_is_shipped_as_a_checklist() -> None:
    assert set(installed().shipped) == {"production-readiness", "delivery-practices"}


def test_what_other_tools_judge_in_another_way_is_told_of_a_check_that_is_there() -> None:
    told = {(row.id, peer.check) for row in modules().values() for peer in row.peers}

    assert ("multi-az", "database") in told
    assert told <= set(every_check())
