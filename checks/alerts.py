"""Alerts with severity levels and runbooks: someone is woken when it matters, and knows what to do."""

from dataclasses import dataclass

from scorecard.check import (
    Category,
    Finding,
    Item,
    Now,
    Requirement,
    Risk,
    Row,
    each,
    failed,
    passed,
    unavailable,
    warned,
)
from scorecard.evidence import AlertRule, Alerts, AlertSource
from scorecard.evidence.repository import plain_name, told_apart
from scorecard.silencing import heed


@dataclass(frozen=True, slots=True)
class Limits:
    """What makes an alert steady and worth acting on."""

    for_seconds: int = 60
    """An alert waits this long before it fires, so that one bad scrape wakes nobody."""
    at_once: tuple[str, ...] = ()
    """Names of alerts that may fire at once."""
    firing_days: int = 7
    """An alert that fires longer than this is furniture."""
    firings_a_week: int = 20


row = Row(
    title="Alerts with severity levels and runbooks",
    category=Category.MONITORING,
    risk=Risk.HIGH,
    why="Without an alert customers report the outage; without severity and runbook whoever is woken loses an hour.",
    limits=Limits,
    links=("https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/",),
)

_NONE = failed("none", "the service has no alert")

_REMEDY = """
```yaml
groups:
  - name: payments
    rules:
      - alert: PaymentsErrorsHigh
        expr: |
          sum(rate(http_requests_total{service="payments",code=~"5.."}[5m]))
            / sum(rate(http_requests_total{service="payments"}[5m])) > 0.05
        for: 5m
        labels:
          severity: critical
        annotations:
          summary: More than 5 % of payments fail
          runbook_url: https://github.com/example/payments/blob/main/runbooks/PaymentsErrorsHigh.md
```
"""


def _placed(item: Item, rule: AlertRule, check: str, now: Now) -> Item:
    """The verdict with the rule's place, and with what silences it."""
    return heed(
        Item(item.status, item.code, f"{item.message} ({rule.where})", item.cause),
        rule.silences,
        f"alerts/{check}",
        now,
    )


@row.required(remedy="Write one alert on what customers notice, and let it page:\n" + _REMEDY)
def exist(seen: Alerts) -> Finding:
    """At least one alert of paging severity exists that can be evaluated."""
    paging = [rule for rule in seen.rules if seen.urgency(rule) == "page"]
    working = [rule for rule in paging if not rule.problem]
    if working:
        return passed(
            f"{len(working)} of {len(seen.rules)} alerts page, such as {working[0].name} ({working[0].where})"
        )
    if seen.missing:
        return unavailable(seen.missing[0])
    if paging:
        first = paging[0]
        return failed(
            "broken", f"the only alerts that page cannot be evaluated: {first.name}: {first.problem} ({first.where})"
        )
    words = " or ".join(seen.severities.get("page", ())) or "page"
    if not seen.rules:
        files = (
            f"the {len(seen.files)} rule files named hold no alert"
            if seen.files
            else "no rule file is where the service says"
        )
        return failed("none", files)
    return failed("none-pages", f"none of the {len(seen.rules)} alerts has the severity {words}")


@row.required(
    remedy="Add the label `severity` to each alert, in one of your organisation's words (`vocabulary.severities`):\n"
    + _REMEDY
)
def severity(seen: Alerts, now: Now) -> Finding:
    """Every alert has one of the organisation's severities."""
    known = ", ".join(word for words in seen.severities.values() for word in words)

    def judge(rule: AlertRule) -> Item:
        if not rule.severity:
            item: Item = failed("no-severity", "has no label `severity`")
        elif not seen.urgency(rule):
            item = failed("other-severity", f"severity {rule.severity!r} is none of {known}")
        else:
            item = passed(f"{rule.severity}, which is {seen.urgency(rule)}")
        return _placed(item, rule, "severity", now)

    return each(told_apart(seen.rules), judge, missing=seen.missing, empty=_NONE, things="alerts")


@row.required(
    remedy="Add the annotation `runbook_url` to each alert. `{{ $labels.alertname }}` may stand in it:\n" + _REMEDY
)
def runbook_link(seen: Alerts, now: Now) -> Finding:
    """Every alert has a `runbook_url`."""

    def judge(rule: AlertRule) -> Item:
        url = rule.rendered_runbook_url or rule.runbook_url
        if not url:
            item: Item = failed("no-runbook", "has no annotation `runbook_url`")
        elif "{{" in url:
            item = warned(
                "template", f"runbook_url {url} is only known when the alert fires, and it was not seen firing"
            )
        else:
            item = passed(f"runbook_url {url}")
        return _placed(item, rule, "runbook-link", now)

    return each(told_apart(seen.rules), judge, missing=seen.missing, empty=_NONE, things="alerts")


@row.advisory(
    remedy="Run `promtool check rules FILE` in the pipeline, and give each alert `for: 1m` or longer; what must fire "
    "at once is named in the threshold `at_once` of the checklist."
)
def healthy(seen: Alerts, limits: Limits, now: Now) -> Finding:
    """Every alert evaluates without error and waits {for_seconds} seconds before it fires, unless it is listed."""

    def judge(rule: AlertRule) -> Item:
        if rule.problem:
            item: Item = failed("broken", rule.problem)
        elif rule.for_seconds < limits.for_seconds and not rule.absence and plain_name(rule.name) not in limits.at_once:
            item = warned("fires-at-once", f"`for` is {rule.for_seconds:g} s; {limits.for_seconds} s or more is steady")
        elif rule.source is AlertSource.FILE:
            item = warned("not-seen", "it parses; no Prometheus was seen evaluating it")
        else:
            item = passed("evaluates without error")
        return _placed(item, rule, "healthy", now)

    return each(told_apart(seen.rules), judge, missing=seen.missing, empty=_NONE, things="alerts")


row.awaits(
    "routed",
    Requirement.ADVISORY,
    rule="Every alert is routed to a receiver that has a configuration; CloudWatch alarms have their actions enabled.",
    remedy="""
    ```yaml
    route:
      receiver: tickets
      routes:
        - matchers: [service="payments", severity="critical"]
          receiver: payments-on-call
    ```

    `amtool config routes test service=payments severity=critical` says where an alert goes.
    """,
    awaits="the Alertmanager probe",
)

row.awaits(
    "can-fire",
    Requirement.ADVISORY,
    rule="The series that an alert's expression needs exist, or it asks for their absence.",
    remedy="Run the expression without its threshold: `promtool query instant URL EXPRESSION`. When it returns "
    "nothing, the metric or a label is misspelt, or nobody exports it.",
    awaits="the Prometheus probe",
)

row.awaits(
    "actionable",
    Requirement.ADVISORY,
    rule="No alert fires for more than {firing_days} days or more than {firings_a_week} times a week.",
    remedy="Raise the threshold, lengthen `for`, or delete the alert: what nobody acts on hides what somebody must.",
    awaits="the Prometheus probe",
)
