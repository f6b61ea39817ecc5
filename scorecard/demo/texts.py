"""The files of the demo's repositories: alert rules, runbooks, decision records, as a good team writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

FORGE = "https://github.com/example"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule."""

    name: str
    expression: str
    severity: str
    summary: str
    runbook: str
    """The runbook's file name, or its name in the wiki; empty for an alert without one."""
    wait: str = "5m"


def web_alerts(service: str) -> tuple[Alert, ...]:
    """What a service that answers requests is watched for."""
    word = _camel(service)
    return (
        Alert(
            f"{word}ErrorRate",
            f'sum(rate(http_requests_total{{service="{service}",status=~"5.."}}[5m]))'
            f' / sum(rate(http_requests_total{{service="{service}"}}[5m])) > 0.02',
            "critical",
            f"More than 2 % of the requests to {service} fail.",
            "error-rate.md",
        ),
        Alert(
            f"{word}Slow",
            "histogram_quantile(0.95, sum by (le) "
            f'(rate(http_request_duration_seconds_bucket{{service="{service}"}}[5m]))) > 0.5',
            "warning",
            f"The 95th percentile of {service} is over half a second.",
            "latency.md",
        ),
    )


def absence_alert(service: str) -> Alert:
    """What a service without endpoints is watched for: that it falls silent."""
    return Alert(
        f"{_camel(service)}Silent",
        f'absent_over_time(worker_last_success_timestamp_seconds{{service="{service}"}}[15m])',
        "critical",
        f"{service} has not finished anything for a quarter of an hour.",
        "silent.md",
    )


def backlog_alert(service: str) -> Alert:
    """A queue that grows."""
    return Alert(
        f"{_camel(service)}Backlog",
        f'max(queue_messages_waiting{{service="{service}"}}) > 1000',
        "critical",
        f"Over a thousand messages wait for {service}.",
        "backlog.md",
    )


def ambiguous_alert(service: str) -> Alert:
    """A rule that parses, and whose evaluation fails: a share of requests, and the divisor has many series of each."""
    return Alert(
        f"{_camel(service)}ErrorShare",
        f'http_requests_total{{service="{service}",status=~"5.."}}'
        f' / on (service) http_requests_total{{service="{service}"}} > 0.02',
        "warning",
        f"More than 2 % of all requests to {service} failed.",
        "error-share.md",
    )


CACHES = Alert(
    "CacheUseless",
    'sum by (service) (rate(cache_requests_total{outcome="miss"}[5m]))'
    " / sum by (service) (rate(cache_requests_total[5m])) > 0.5",
    "critical",
    "More than half of what a cache is asked for is not in it.",
    "cache-useless",
    wait="10m",
)
"""One rule for every service that has a cache; no service stands in it."""


def rule_file(name: str, alerts: tuple[Alert, ...], link: Callable[[Alert], str], *, service: str = "") -> str:
    """A Prometheus rule file.

    Args:
        name: of its group.
        alerts: its rules.
        link: where the runbook of an alert is.
        service: the service that each alert is labelled with; none in a file for all of them.
    """
    lines = ["groups:", f"  - name: {name}", "    rules:"]
    for alert in alerts:
        labels = f"severity: {alert.severity}" + (f", service: {service}" if service else "")
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {alert.expression}",
            f"        for: {alert.wait}",
            f"        labels: {{{labels}}}",
            "        annotations:",
            f'          summary: "{alert.summary}"',
        ]
        if alert.runbook:
            lines.append(f"          runbook_url: {link(alert)}")
    return "\n".join(lines) + "\n"


def runbook_url(service: str, file: str, folder: str = "") -> str:
    """Where the forge shows a runbook; in a repository of many services it stands in the service's folder."""
    repository = "shop-web" if folder else service
    return f"{FORGE}/{repository}/blob/main/{folder}runbooks/{file}"


def runbook(service: str, alert: Alert, reviewed: date, *, names_alert: bool = True, unfinished: bool = False) -> str:
    """A page that an on-call engineer can work from; or one that names another alert, or was never finished."""
    name = alert.name if names_alert else f"{_camel(service)}Unhealthy"
    mitigation = (
        "TODO: write down what we did last time."
        if unfinished
        else f"""1. Roll back to the revision before: `make rollback SERVICE={service}`.
2. If the error rate stays up, take the instance out of the load balancer.
3. Confirm that the alert has cleared within ten minutes."""
    )
    return f"""---
last_reviewed: {reviewed}
---
# {name}

## Meaning

{alert.summary} The alert fires after {alert.wait}, so short peaks do not wake anyone.

## Impact

Customers notice: requests that reach {service} in this state are retried or given up by the caller.

## Diagnosis

Look at what changed last, then at what the service waits for:

```sh
kubectl -n {service} rollout history deployment/{service}
kubectl -n {service} logs deployment/{service} --since=15m | jq 'select(.level == "error")'
```

## Mitigation

{mitigation}

## Escalation

The owning team answers in its on-call channel; after thirty minutes without progress call the incident manager.
"""


def wiki_sections(subject: str, summary: str) -> Mapping[str, str]:
    """The parts of a runbook, for a page of the wiki."""
    return {
        "Meaning": f"{summary} Short peaks do not fire the alert.",
        "Impact": f"Customers wait longer for {subject}, and some of them give up.",
        "Diagnosis": f"Look at what changed last.\n$ kubectl -n {subject} rollout history deployment/{subject}",
        "Mitigation": f"Roll back, and see the alert clear within ten minutes.\n$ make rollback SERVICE={subject}",
        "Escalation": "Call the incident manager after thirty minutes without progress.",
    }


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision record."""

    number: int
    slug: str
    title: str
    context: str
    decision: str
    consequences: str
    age: int
    """Days ago."""


DECISIONS = (
    Decision(
        1,
        "record-architecture-decisions",
        "Record architecture decisions",
        "New people ask why things are as they are, and the answer leaves with whoever remembers it.",
        "We write one short record for each decision that is expensive to turn round, in this folder.",
        "Reading the folder takes an hour; the review of a design change asks for its record.",
        320,
    ),
    Decision(
        2,
        "keep-state-in-postgresql",
        "Keep state in PostgreSQL",
        "We need transactions over several rows, and the platform team already runs PostgreSQL for others.",
        "All state lives in one PostgreSQL database of our own; caches may be lost at any time.",
        "We take part in the quarterly restore drill, and a schema change is a migration that can be rolled back.",
        210,
    ),
    Decision(
        3,
        "answer-health-from-two-endpoints",
        "Answer health from two endpoints",
        "One endpoint for everything restarted every instance when the database was away for a minute.",
        "Liveness asks only the process; readiness asks what the service needs, with a deadline of its own.",
        "An instance that is not ready gets no traffic and is left alone until its dependencies are back.",
        95,
    ),
    Decision(
        4,
        "send-a-correlation-id-everywhere",
        "Send a correlation id everywhere",
        "An incident last spring took four hours because nobody could follow one request over three services.",
        "Every request carries a correlation id, every log line writes it, and every client hands it on.",
        "A library does it for most of us; the two services in another language do it by hand.",
        40,
    ),
)


def decision_record(decision: Decision, decided: date) -> str:
    """A record in MADR's shape."""
    return f"""---
status: accepted
date: {decided}
---
# {decision.title}

## Context and Problem Statement

{decision.context}

## Decision Outcome

{decision.decision}

## Consequences

{decision.consequences}
"""


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
