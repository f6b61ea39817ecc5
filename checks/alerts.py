"""Alerts with severity levels and runbooks: someone is woken when it matters, and knows what to do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Now,
    Risk,
    Row,
    each,
    failed,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import (
    Absent,
    AlertRule,
    Alerts,
    LiveAlert,
    LiveAlerts,
    RoutedAlert,
    Routing,
    RuleHealth,
    Series,
    Unavailable,
)
from scorecard.evidence.repository import plain_name, told_apart
from scorecard.model import Status
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

_ALERTNAME = re.compile(r"\$labels\.alertname\b")
_NONE = failed("none", "the service has no alert")
_NONE_EVALUATED = failed("none", "no alert of the service is evaluated")

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


@dataclass(frozen=True, slots=True)
class _Known:
    """The service's alerts, from wherever they were read."""

    rules: tuple[AlertRule, ...]
    missing: tuple[Unavailable, ...]
    severities: Mapping[str, tuple[str, ...]]
    files: int

    def urgency(self, rule: AlertRule) -> str:
        """`page`, `ticket` or `info`, or another name of the vocabulary; empty for a word that is not in it."""
        word = rule.severity.strip().lower()
        return next((name for name, words in self.severities.items() if word in map(str.lower, words)), "")


def _known(files: Alerts | Unavailable | Absent, live: LiveAlerts | Unavailable | Absent) -> _Known:
    """Both sources as one: an alert that is evaluated stands for the rule of the file that it was loaded from."""
    alerts: tuple[LiveAlert, ...] = live.alerts if isinstance(live, LiveAlerts) else ()
    seen = {_identity(alert) for alert in alerts}
    rules = files.rules if isinstance(files, Alerts) else ()
    missing: list[Unavailable] = []
    for source in (files, live):
        if isinstance(source, Unavailable):
            missing.append(source)
        elif not isinstance(source, Absent):
            missing += source.missing
    if isinstance(files, Absent) and isinstance(live, Absent):
        missing.append(Unavailable(Cause.NOT_CONFIGURED, "the service names no alerts", lines=_LINES))
    severities = next((one.severities for one in (live, files) if isinstance(one, Alerts | LiveAlerts)), {})
    kept = tuple(rule for rule in rules if _identity(rule) not in seen)
    return _Known((*alerts, *kept), tuple(missing), severities, len(files.files) if isinstance(files, Alerts) else 0)


def _identity(rule: AlertRule) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """What a rule has in common with itself elsewhere; the severity too, which a template may have filled in."""
    return plain_name(rule.name), rule.severity, tuple(sorted(rule.labels.items()))


_LINES = "spec:\n  alerts:\n    - prometheus: {matchers: {service: SERVICE}}\n    - files: deploy/alerts/*.yaml"


@row.required(remedy="Write one alert on what customers notice, and let it page:\n" + _REMEDY, version=2)
def exist(files: Alerts | Unavailable | Absent, live: LiveAlerts | Unavailable | Absent) -> Finding:
    """At least one alert of paging severity exists that can be evaluated."""
    known = _known(files, live)
    paging = [rule for rule in known.rules if known.urgency(rule) == "page"]
    working = [rule for rule in paging if not rule.problem]
    if working:
        return passed(
            f"{len(working)} of {len(known.rules)} alerts page, such as {working[0].name} ({working[0].where})"
        )
    if known.missing:
        return unavailable(known.missing[0])
    if paging:
        first = paging[0]
        return failed(
            "broken", f"the only alerts that page cannot be evaluated: {first.name}: {first.problem} ({first.where})"
        )
    words = " or ".join(known.severities.get("page", ())) or "page"
    if not known.rules:
        return failed("none", _nowhere(known, live))
    return failed("none-pages", f"none of the {len(known.rules)} alerts has the severity {words}")


def _nowhere(known: _Known, live: LiveAlerts | Unavailable | Absent) -> str:
    if isinstance(live, LiveAlerts):
        return f"none of the {live.rules_seen} rules that are evaluated belongs to the service"
    if known.files:
        return f"the {known.files} rule files named hold no alert"
    return "no rule file is where the service says"


@row.required(
    remedy="Add the label `severity` to each alert, in one of your organisation's words (`vocabulary.severities`):\n"
    + _REMEDY,
    version=2,
)
def severity(files: Alerts | Unavailable | Absent, live: LiveAlerts | Unavailable | Absent, now: Now) -> Finding:
    """Every alert has one of the organisation's severities."""
    seen = _known(files, live)
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
    remedy="Add the annotation `runbook_url` to each alert, with its address written out: `$labels` there are those of "
    "the series, and neither `$labels.alertname` nor a label of the rule is among them.\n" + _REMEDY,
    version=3,
)
def runbook_link(files: Alerts | Unavailable | Absent, live: LiveAlerts | Unavailable | Absent, now: Now) -> Finding:
    """Every alert has a `runbook_url`."""
    seen = _known(files, live)

    def judge(rule: AlertRule) -> Item:
        url = rule.rendered_runbook_url or rule.runbook_url
        if not url:
            item: Item = failed("no-runbook", "has no annotation `runbook_url`")
        elif "{{" in url:
            empty = "; `$labels.alertname` is empty in Prometheus' annotations" if _ALERTNAME.search(url) else ""
            item = warned(
                "template", f"runbook_url {url} is only known when the alert fires, and it was not seen firing{empty}"
            )
        elif rule.runbook_url and url != rule.runbook_url:
            item = passed(f"runbook_url {url}, as it is filled in")
        else:
            item = passed(f"runbook_url {url}")
        return _placed(item, rule, "runbook-link", now)

    return each(told_apart(seen.rules), judge, missing=seen.missing, empty=_NONE, things="alerts")


@row.advisory(
    remedy="Run `promtool check rules FILE` in the pipeline, and give each alert `for: 1m` or longer; what must fire "
    "at once is named in the threshold `at_once` of the checklist. An error of evaluation stands on Prometheus' page "
    "/rules.",
    version=2,
)
def healthy(
    files: Alerts | Unavailable | Absent, live: LiveAlerts | Unavailable | Absent, limits: Limits, now: Now
) -> Finding:
    """Every alert evaluates without error, is not paused, and waits {for_seconds} seconds unless it is listed."""
    seen = _known(files, live)
    broken = {_identity(rule): rule for rule in (files.rules if isinstance(files, Alerts) else ()) if rule.problem}

    def judge(rule: AlertRule) -> Item:
        item = _health(rule, limits)
        twin = broken.get(_identity(rule))
        # Where nobody says how it is evaluated, what is wrong in its file is still wrong.
        if item.status is Status.UNKNOWN and twin is not None:
            rule, item = twin, _health(twin, limits)
        return _placed(item, rule, "healthy", now)

    return each(told_apart(seen.rules), judge, missing=seen.missing, empty=_NONE, things="alerts")


def _health(rule: AlertRule, limits: Limits) -> Item:
    if rule.problem:
        return failed("broken", rule.problem)
    if trouble := _trouble(rule):
        return trouble
    if rule.for_seconds < limits.for_seconds and not rule.absence and plain_name(rule.name) not in limits.at_once:
        return warned("fires-at-once", f"`for` is {rule.for_seconds:g} s; {limits.for_seconds} s or more is steady")
    if not isinstance(rule, LiveAlert):
        return warned("not-seen", "it parses; nothing was seen evaluating it")
    return passed(f"{rule.instance} evaluates it without error")


def _trouble(rule: AlertRule) -> Item | None:
    """What was seen to be wrong with its evaluation."""
    if not isinstance(rule, LiveAlert):
        return None
    if rule.health is RuleHealth.ERROR:
        return failed("error", f"its evaluation fails: {rule.last_error or 'no reason is given'}")
    if rule.paused:
        return failed("paused", "it is paused: it is not evaluated")
    if rule.health is RuleHealth.UNKNOWN:
        why = rule.last_error or "it was not evaluated yet, as after a restart"
        return unknown(Cause.NO_DATA, f"{rule.instance} does not say how it is: {why}")
    return None


@row.advisory(
    remedy="""
    ```yaml
    route:
      receiver: tickets
      routes:
        - matchers: [service="payments", severity="critical"]
          receiver: payments-on-call
    receivers:
      - name: payments-on-call
        pagerduty_configs: [{routing_key_file: /run/secrets/pagerduty}]
    ```

    `amtool config routes test service=payments severity=critical` says where an alert goes. A receiver without a
    configuration tells nobody. In `scorecard.yaml`: `integrations: {alertmanager: [{name: main, url: ...}]}`.
    """
)
def routed(seen: Routing) -> Finding:
    """Every alert is routed to a receiver that has a configuration."""
    return each(told_apart(seen.alerts), _routed, missing=seen.missing, things="alerts")


def _routed(alert: RoutedAlert) -> Item:
    if alert.unsent:
        return failed("unsent", alert.unsent)
    lost = [way for way in alert.ways if not way.reaches]
    if lost and len(lost) == len(alert.ways):
        names = ", ".join(dict.fromkeys(name for way in lost for name in way.silent))
        return failed("black-hole", f"{alert.by} sends it to {names}, which tells nobody")
    if lost:
        first = lost[0]
        where = ", ".join(first.silent)
        return warned("may-be-lost", f"{alert.by} sends it to {where}, which tells nobody, when {first.when}")
    names = ", ".join(dict.fromkeys(name for way in alert.ways for name in way.receivers))
    muted = ", ".join(dict.fromkeys(name for way in alert.ways for name in way.muted))
    return passed(f"{alert.by} sends it to {names}{f'; by time intervals {muted}' if muted else ''}")


@row.advisory(
    remedy="Run the expression without its threshold: `promtool query instant URL EXPRESSION`. When it returns "
    "nothing, the metric or a label is misspelt, or nobody exports it. What is misspelt is named in the finding."
)
def can_fire(live: LiveAlerts, now: Now) -> Finding:
    """The series that an alert's expression needs exist, or it asks for their absence."""

    def judge(alert: LiveAlert) -> Item:
        return _placed(_fires(alert), alert, "can-fire", now)

    return each(told_apart(live.alerts), judge, missing=live.missing, empty=_NONE_EVALUATED, things="alerts")


def _fires(alert: LiveAlert) -> Item:
    match alert.series:
        case Series.FOUND:
            return passed(alert.series_detail or "its expression finds series")
        case Series.ABSENCE:
            return passed("it asks for what is not there")
        case Series.NONE:
            return failed("no-series", alert.series_detail)
        case Series.NO_LABELS:
            return warned("no-labels", alert.series_detail)
        case Series.NOTHING_LEFT:
            return warned("nothing-left", alert.series_detail)
        case _:
            return unknown(alert.series_cause or Cause.NO_DATA, f"nobody could be asked: {alert.series_detail}")


@row.advisory(
    remedy="Raise the threshold, lengthen `for`, or delete the alert: what nobody acts on hides what somebody must."
)
def actionable(live: LiveAlerts, limits: Limits, now: Now) -> Finding:
    """No alert fires for more than {firing_days} days or more than {firings_a_week} times a week."""

    def judge(alert: LiveAlert) -> Item:
        return _placed(_acted_on(alert, limits), alert, "actionable", now)

    return each(told_apart(live.alerts), judge, missing=live.missing, empty=_NONE_EVALUATED, things="alerts")


def _acted_on(alert: LiveAlert, limits: Limits) -> Item:
    days = alert.firing_seconds / 86_400
    if days > limits.firing_days:
        return failed("furniture", f"it has been firing for {days:.1f} days")
    if alert.firings is not None and alert.firings > limits.firings_a_week:
        return failed("flapping", f"it began to fire {alert.firings} times within a week")
    if alert.firings_unknown is not None:
        return unavailable(alert.firings_unknown)
    if alert.firings is None:
        return unknown(Cause.NO_DATA, f"{alert.instance} does not say how often it fired")
    return passed(f"it began to fire {alert.firings} times within a week")
