"""The metrics that are made from the store: name, type and help. `docs/reference/metrics.md` is compared with this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """One metric."""

    name: str
    help: str

    @property
    def header(self) -> str:
        """The lines before its samples. All of them are gauges: they can go either way."""
        return f"# HELP {self.name} {self.help}\n# TYPE {self.name} gauge\n"


INFO = Family("scorecard_service_info", "Always 1; the labels say whose the service is, for joins.")
SCORE = Family("scorecard_service_score_ratio", "Weight that is earned, 0 to 1; unknown earns nothing.")
SCORE_UPPER = Family("scorecard_service_score_upper_ratio", "The score if every unknown passed, 0 to 1.")
COVERAGE = Family("scorecard_service_coverage_ratio", "Weight of rows that are not unknown, 0 to 1.")
ROW_STATUS = Family("scorecard_row_status", "1 for the current status of a row, and for no other.")
LAST_PROVEN = Family(
    "scorecard_row_last_proven_timestamp_seconds", "The last time that a row was not unknown, in Unix time."
)
VERDICT = Family("scorecard_gate_verdict", "1 for what the launch gate says now, 0 for what it does not.")
WAIVER = Family("scorecard_waiver_expiry_timestamp_seconds", "When a row's first active waiver ends, in Unix time.")
PROBE_UP = Family("scorecard_probe_up", "1 where the newest probe of a health endpoint was answered with 2xx.")
PROBE_DURATION = Family(
    "scorecard_probe_duration_seconds", "How long that answer took, from the first byte sent to the last received."
)
CERTIFICATE = Family(
    "scorecard_certificate_expiry_timestamp_seconds", "When the certificate of an endpoint ends, in Unix time."
)

PER_SERVICE = (
    INFO,
    SCORE,
    SCORE_UPPER,
    COVERAGE,
    ROW_STATUS,
    LAST_PROVEN,
    VERDICT,
    WAIVER,
    PROBE_UP,
    PROBE_DURATION,
    CERTIFICATE,
)
"""Left out with `metrics: fleet`."""

SERVICES = Family("scorecard_services", "Services in production, by the level of their primary checklist.")
ROWS = Family("scorecard_rows", "Services in production, by the status of a row.")
FLEET = (SERVICES, ROWS)

LAST_SUCCESS = Family(
    "scorecard_run_last_success_timestamp_seconds", "When the newest complete run of a cadence ended, in Unix time."
)
PERIOD = Family("scorecard_run_period_seconds", "How often a cadence is due.")
FINDINGS = Family("scorecard_findings", "Findings that are stored now, over all services and checklists.")
UNKNOWN = Family("scorecard_unknown_findings", "Findings that are unknown now, by cause.")
QUEUE_LAG = Family("scorecard_queue_lag_seconds", "Age of the oldest run that has not ended.")
ITSELF = (LAST_SUCCESS, PERIOD, FINDINGS, UNKNOWN, QUEUE_LAG)
