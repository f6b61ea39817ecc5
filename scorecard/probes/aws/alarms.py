"""Alarms of CloudWatch as alerts: one sweep of each account and region for all services.

    alerts: [{cloudwatch: {prefix: payments-}}]

Every alarm is described once, with a week of its history, the subscriptions of the topics that it tells and its tags.
`cloudwatch:ListMetrics` is asked only about what an alarm's state does not prove.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scorecard.evidence import Absent, AlertSource, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.alerting import LiveAlert, RoutedAlert, RuleHealth, Series, Way
from scorecard.evidence.cloudwatch import CloudWatchAlerts
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.aws.alarm import Alarm, read_alarms
from scorecard.probes.aws.calls import sweep
from scorecard.probes.aws.lane import Lane
from scorecard.probes.aws.metrics import METRICS, Known, known
from scorecard.probes.aws.places import Places

ALARMS = sweep(
    "cloudwatch", "DescribeAlarms", "", AlarmTypes=["MetricAlarm", "CompositeAlarm", "LogAlarm"], MaxRecords=100
)
HISTORY = sweep(
    "cloudwatch",
    "DescribeAlarmHistory",
    "AlarmHistoryItems",
    AlarmTypes=["MetricAlarm", "CompositeAlarm", "LogAlarm"],
    HistoryItemType="StateUpdate",
    MaxRecords=100,
)
TAGS = sweep(
    "resourcegroupstaggingapi",
    "GetResources",
    "ResourceTagMappingList",
    ResourceTypeFilters=["cloudwatch"],
    ResourcesPerPage=100,
)
SUBSCRIPTIONS = sweep("sns", "ListSubscriptions", "Subscriptions")
CALLS = (ALARMS, HISTORY, TAGS, SUBSCRIPTIONS, METRICS)
_NONE = Absent("the service names no alarms in CloudWatch")
_WEEK = timedelta(days=7)
_YOUNG = timedelta(minutes=15)
"""An alarm may be without data so long after it was made or changed; CloudWatch lists a new metric within that time."""
_SHOWN = 50


@dataclass
class CloudWatchAlertsProbe:
    """Asks each account and region once, for all services that name alarms there."""

    places: Places
    severities: Collection[str]
    """Every word of `vocabulary.severities`."""
    clock: Callable[[], datetime]
    name: str = "cloudwatch-alarms"
    answers: type[Evidence] = CloudWatchAlerts
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Answer for each service."""
        self.places.begin(patient=upstream.patient)
        now = self.clock()
        asking = {service.key: _prefixes(service) for service in services}
        lanes = {service.key: self.places.lanes(service) for service in services if asking[service.key]}
        distinct = {id(lane): lane for found in lanes.values() if not isinstance(found, Unavailable) for lane in found}
        looks = self.places.each_lane(list(distinct.values()), lambda lane: _look(lane, now))
        by_lane = dict(zip(distinct, looks, strict=True))
        for service in services:
            found = lanes.get(service.key)
            if found is None or isinstance(found, Unavailable):
                yield service.key, found or _NONE
                continue
            yield service.key, self._answer(asking[service.key], [by_lane[id(lane)] for lane in found], now)
        self.places.count(upstream)

    def _answer(self, prefixes: tuple[str, ...], looks: Sequence[_Look], now: datetime) -> Answer:
        missing = [look.missing for look in looks if look.missing]
        seen = sum(len(look.alarms) for look in looks)
        if missing and not seen:
            return missing[0]
        alerts: list[LiveAlert] = []
        routed: list[RoutedAlert] = []
        unrouted: list[Unavailable] = []
        for look in looks:
            for alarm in look.alarms.values():
                prefix = next((one for one in prefixes if alarm.name.startswith(one)), None)
                if prefix is None:
                    continue
                severity, by_name = alarm.severity(self.severities, prefix)
                if by_name and look.tags_missing:
                    # Its tags could say another severity than its name, or the one that it seems not to have.
                    missing.append(look.tags_missing)
                    continue
                alerts.append(_alert(look, alarm, severity, prefix, now))
                way = _routed(look, alarm)
                (unrouted if isinstance(way, Unavailable) else routed).append(way)  # type: ignore[arg-type] # by its type
        return CloudWatchAlerts(
            alerts=tuple(alerts),
            alarms_seen=seen,
            routed=tuple(routed),
            unrouted=tuple(dict.fromkeys(unrouted)),
            missing=tuple(dict.fromkeys(missing)),
            exhibits=tuple(_exhibit(look, prefixes) for look in looks),
        )


def _prefixes(service: Service) -> tuple[str, ...]:
    return tuple(ref.cloudwatch.prefix for ref in service.spec.alerts if ref.cloudwatch is not None)


# --- one account and region ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Look:
    """What an account and region has."""

    lane: Lane
    alarms: Mapping[str, Alarm]
    missing: Unavailable | None
    tags_missing: Unavailable | None
    firings: Mapping[str, int]
    firings_missing: Unavailable | None
    topics: Mapping[str, int]
    """Topics to how many confirmed subscriptions they have."""
    topics_missing: Unavailable | None


def _look(lane: Lane, now: datetime) -> _Look:
    described, tagged = lane.all(ALARMS), lane.all(TAGS)
    tags = {
        str(one.get("ResourceARN")): {str(tag["Key"]).lower(): str(tag.get("Value", "")) for tag in one.get("Tags", ())}
        for one in tagged.items
    }
    # To the hour, so that the shards of a cycle ask the same question.
    start = now.replace(minute=0, second=0, microsecond=0) - _WEEK
    history = lane.all(HISTORY, StartDate=start)
    firings = Counter(
        str(one.get("AlarmName"))
        for one in history.items
        if str(one.get("HistorySummary", "")).rstrip().endswith("to ALARM") and one["Timestamp"] >= now - _WEEK
    )
    alarms = read_alarms(described.items, tags)
    tells = any(":sns:" in action for alarm in alarms.values() for action in alarm.actions)
    subscribed = lane.all(SUBSCRIPTIONS) if tells else None
    topics = Counter(
        str(one.get("TopicArn"))
        for one in (subscribed.items if subscribed else ())
        if str(one.get("SubscriptionArn", "")).startswith("arn:")
    )
    return _Look(
        lane, alarms, described.missing, tagged.missing, firings, history.missing, topics,
        subscribed.missing if subscribed else None,
    )  # fmt: skip


def _alert(look: _Look, alarm: Alarm, severity: str, prefix: str, now: datetime) -> LiveAlert:
    since, firing = alarm.since, alarm.state == "ALARM"
    series, detail, cause = _series(look, alarm, now)
    health, error = _health(alarm)
    return LiveAlert(
        name=alarm.name,
        where=alarm.arn,
        source=AlertSource.CLOUDWATCH,
        severity=severity,
        runbook_url=alarm.runbook_url,
        expression=alarm.expression,
        for_seconds=alarm.seconds(look.alarms),
        summary=alarm.description[:500],
        absence=alarm.missing_data == "breaching",
        labels={"severity": severity} if severity else {},
        instance=look.lane.label,
        belongs=f"its name begins with {prefix}",
        health=health,
        last_error=error,
        state="firing" if firing else "inactive",
        firing_seconds=max(0.0, (now - since).total_seconds()) if firing and since else 0.0,
        firings=None if look.firings_missing else look.firings.get(alarm.name, 0),
        firings_unknown=look.firings_missing,
        series=series,
        series_detail=detail,
        series_cause=cause,
    )


def _health(alarm: Alarm) -> tuple[RuleHealth, str]:
    evaluated, reason = str(alarm.item.get("EvaluationState") or ""), str(alarm.item.get("StateReason") or "")
    if evaluated.startswith("EVALUATION_"):
        return RuleHealth.ERROR, f"{evaluated}: {reason}"
    if evaluated:
        return RuleHealth.UNKNOWN, f"{evaluated}: {reason}"
    if alarm.state == "INSUFFICIENT_DATA" and reason.startswith("Unchecked"):
        return RuleHealth.UNKNOWN, reason
    return RuleHealth.OK, ""


def _series(look: _Look, alarm: Alarm, now: datetime) -> tuple[Series, str, Cause | None]:
    """Whether what it asks can be true: by its state where that proves data, else by what CloudWatch knows."""
    if alarm.rule:
        return _by_children(look, alarm)
    if alarm.missing_data == "breaching":
        return Series.ABSENCE, "", None
    if alarm.missing_data == "missing" and alarm.state in {"OK", "ALARM"}:
        return Series.FOUND, f"its state is {alarm.state}, which it would not be without data", None
    changed = alarm.item.get("AlarmConfigurationUpdatedTimestamp")
    if changed is not None and now - changed < _YOUNG:
        minutes = (now - changed).total_seconds() / 60
        return Series.UNKNOWN, f"it was made or changed {minutes:.0f} minutes ago", Cause.NO_DATA
    if not alarm.metrics:
        words = f"its state is {alarm.state}, and what an expression finds is not looked into"
        return Series.UNKNOWN, words, Cause.NOT_SUPPORTED
    return _by_metrics(look, alarm)


def _by_children(look: _Look, alarm: Alarm) -> tuple[Series, str, Cause | None]:
    gone = [name for name in alarm.children if name not in look.alarms]
    if not gone:
        return Series.FOUND, f"its rule asks {len(alarm.children)} alarms that exist", None
    if look.missing:
        return Series.UNKNOWN, look.missing.detail, look.missing.cause
    words = f"its rule asks alarms that do not exist: {', '.join(gone)}"
    return (Series.NONE if len(gone) == len(alarm.children) else Series.NOTHING_LEFT), words, None


def _by_metrics(look: _Look, alarm: Alarm) -> tuple[Series, str, Cause | None]:
    words = ""
    for metric in alarm.metrics:
        found = known(look.lane, metric)
        if isinstance(found, Unavailable):
            return Series.UNKNOWN, found.detail, found.cause
        there, words = found
        if there is Known.THERE:
            continue
        if alarm.missing_data == "notBreaching":
            # As of 5xx, which AWS only counts when there is one: its author says that no data is good news.
            return Series.UNKNOWN, f"{words}; missing data is notBreaching, so that may be good news", Cause.NO_DATA
        return (Series.NONE if there is Known.NOWHERE else Series.NO_LABELS), words, None
    return Series.FOUND, words, None


# --- whom it tells ---------------------------------------------------------------------------------------------------


def _routed(look: _Look, alarm: Alarm) -> RoutedAlert | Unavailable:
    """By its own actions, or those of a composite alarm that asks it."""
    by = look.lane.label
    above = [one for one in look.alarms.values() if alarm.name in one.children and one.actions]
    actions = alarm.actions or tuple(action for one in above for action in one.actions)
    if not actions and look.missing:
        return look.missing
    if not actions:
        why = "its actions are disabled" if not alarm.item.get("ActionsEnabled", True) else "it has no AlarmActions"
        words = f"{why}, and no composite alarm with actions asks it: nobody is told"
        return RoutedAlert(name=alarm.name, where=alarm.arn, ways=(), by=by, unsent=words)
    # A topic of another account or region is not listed here, and counts as what it looks like.
    here = ":".join(alarm.arn.split(":")[3:5])
    topics = [action for action in actions if action.split(":")[2:5] == ["sns", *here.split(":")]]
    if topics and look.topics_missing and not any(look.topics.get(topic) for topic in topics):
        return look.topics_missing
    silent = tuple(topic for topic in topics if not look.topics.get(topic))
    when = "" if alarm.actions else f"the composite alarm {above[0].name} goes off"
    return RoutedAlert(
        name=alarm.name, where=alarm.arn, ways=(Way(receivers=actions, silent=silent, when=when),), by=by
    )


def _exhibit(look: _Look, prefixes: tuple[str, ...]) -> Exhibit:
    mine = [alarm for alarm in look.alarms.values() if alarm.name.startswith(prefixes)]
    states = Counter(alarm.state for alarm in mine)
    return Exhibit(
        source=look.lane.label,
        request=f"aws cloudwatch describe-alarms --region {look.lane.region} --alarm-types MetricAlarm CompositeAlarm "
        f"--alarm-name-prefix {prefixes[0]}",
        facts={"alarms": len(look.alarms), "alarms of the service": len(mine), **dict(states)},
        excerpt="\n".join(f"{one.name}: {one.state}: {one.expression}" for one in mine[:_SHOWN])[:4000],
    )
