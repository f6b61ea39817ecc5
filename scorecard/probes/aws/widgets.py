"""Dashboards of CloudWatch: each metric widget asked now by `cloudwatch:GetMetricData`, as the console asks it.

    dashboards: [{cloudwatch: NAME}]

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scorecard.evidence import Absent, Answer, Evidence, Exhibit, Unavailable
from scorecard.evidence.cloudwatch import CloudWatchDashboards
from scorecard.evidence.dashboards import (
    Dashboard,
    DeclaredDashboard,
    Emptiness,
    Model,
    Panel,
    PanelQuery,
    PanelSeen,
    PanelState,
    Signal,
    SourceRef,
)
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.aws.calls import single, sweep
from scorecard.probes.aws.lane import Lane, Swept
from scorecard.probes.aws.metrics import Known, Metric, known
from scorecard.probes.aws.places import Places

DASHBOARD = single(
    "cloudwatch", "GetDashboard", "DashboardName", nothing={"ResourceNotFound", "DashboardNotFoundError"}
)
DATA = sweep("cloudwatch", "GetMetricData", "MetricDataResults", ScanBy="TimestampDescending", MaxDatapoints=100_800)
CALLS = (DASHBOARD, DATA)
"""Without `metrics.METRICS`, which alarms need: here it only explains what is empty."""
_NONE = Absent("the service names no dashboards in CloudWatch")
_SINCE = re.compile(r"-?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$")
_RANGE = timedelta(hours=3)
"""What the console shows unless the dashboard says."""
_FINE = timedelta(days=15)
"""Older than this, CloudWatch keeps five minutes at the finest; the console widens the period by itself."""
_DATA_WIDGETS = frozenset({"metric", "log", "explorer", "custom", "metrics"})
_MOST = 500
"""Queries of one call."""
Words = Mapping[Signal, tuple[str, ...]]
_OWN_WORDS: Words = {
    Signal.LATENCY: ("latency", "duration", "responsetime"),
    Signal.TRAFFIC: ("requestcount", "requests", "invocations", "processedbytes", "numberofmessages", "incoming"),
    Signal.ERRORS: ("5xx", "4xx", "error", "fault", "failed", "rejected", "deadletter", "unhealthyhost"),
    Signal.SATURATION: (
        "utilization", "throttle", "connections", "queuedepth", "freeablememory", "freestorage", "concurrentexecutions",
        "approximatenumberofmessagesvisible", "ageofoldest", "evictions", "burstbalance", "creditbalance",
    ),
}  # fmt: skip
"""Parts of AWS's own metric names, in lower case."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a widget's `metrics`: a metric, or an expression over others."""

    id: str
    metric: Metric | None
    expression: str
    stat: str
    period: int
    account: str
    visible: bool


@dataclass(frozen=True, slots=True)
class Widget:
    """One widget that shows data."""

    name: str
    region: str
    lines: tuple[Line, ...]
    unread: Unavailable | None = None


# --- the document ----------------------------------------------------------------------------------------------------


def read_widgets(name: str, body: Mapping[str, Any]) -> tuple[Widget, ...]:
    """The widgets that show data; text and alarm widgets show none."""
    found: list[Widget] = []
    for number, one in enumerate(body.get("widgets") or (), start=1):
        kind, properties = str(one.get("type", "")), one.get("properties") or {}
        alarms = (
            properties.get("annotations", {}).get("alarms") if isinstance(properties.get("annotations"), dict) else None
        )
        if kind not in _DATA_WIDGETS or (alarms and not properties.get("metrics")):
            continue
        title = f"{name} / {properties.get('title') or kind} (#{number})"
        region = str(properties.get("region") or "")
        if kind != "metric":
            words = f"{title}: a widget of type {kind} is not asked: it takes a query that costs, or runs a function"
            found.append(Widget(title, region, (), Unavailable(Cause.NOT_SUPPORTED, words)))
            continue
        found.append(Widget(title, region, tuple(_lines(properties))))
    return tuple(found)


def _lines(properties: Mapping[str, Any]) -> Iterator[Line]:
    before: list[str] = []
    for number, entry in enumerate(properties.get("metrics") or ()):
        options = entry[-1] if entry and isinstance(entry[-1], dict) else {}
        words = _expanded([str(one) for one in entry if not isinstance(one, dict)], before)
        before = words or before
        expression = str(options.get("expression") or "")
        pairs = tuple(sorted(zip(words[2::2], words[3::2], strict=False)))
        yield Line(
            id=str(options.get("id") or f"scorecard{number}"),
            metric=None if expression else Metric(words[0], words[1], pairs),
            expression=expression,
            stat=str(options.get("stat") or properties.get("stat") or "Average"),
            period=int(options.get("period") or properties.get("period") or 300),
            account=str(options.get("accountId") or ""),
            visible=options.get("visible", True) is not False,
        )


def _expanded(words: list[str], before: Sequence[str]) -> list[str]:
    """`.` repeats what stands there in the entry above, `...` all that is left of it."""
    if "..." in words:
        at = words.index("...")
        rest = words[at + 1 :]
        words = [*words[:at], *before[at : len(before) - len(rest)], *rest]
    return [before[at] if word == "." and at < len(before) else word for at, word in enumerate(words)]


def _range(body: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """What the dashboard shows when it is opened, to the five minutes, so that one question serves all shards."""
    end = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    text = str(body.get("start") or "")
    found = _SINCE.match(text)
    if found and any(found.groups()):
        weeks, days, hours, minutes = (int(group or 0) for group in found.groups())
        return end - timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes), end
    try:
        start = datetime.fromisoformat(text)
        return (
            (start, datetime.fromisoformat(str(body["end"])) if body.get("end") else end)
            if start.tzinfo
            else (end - _RANGE, end)
        )
    except ValueError:
        return end - _RANGE, end


# --- what it shows ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Look:
    """One dashboard of one account."""

    lanes: Mapping[str, Lane]
    """By region."""
    words: Words

    def widget(self, widget: Widget, between: tuple[datetime, datetime]) -> PanelSeen:
        """What it shows now."""
        if not widget.lines and not widget.unread:
            return PanelSeen(name=widget.name, state=PanelState.BROKEN, words="it asks for no metric")
        lane = self._lane(widget)
        if isinstance(lane, Unavailable):
            return _unknown(widget, lane)
        start, end = between
        swept = lane.all(DATA, MetricDataQueries=_queries(widget, end - start), StartTime=start, EndTime=end)
        if swept.missing and "ValidationError" in swept.missing.detail:
            return PanelSeen(
                name=widget.name, state=PanelState.BROKEN, words=swept.missing.detail, possible=self._signals(widget)
            )
        if swept.missing:
            return _unknown(widget, swept.missing, self._signals(widget))
        return self._shown(widget, lane, swept)

    def _lane(self, widget: Widget) -> Lane | Unavailable:
        if widget.unread:
            return widget.unread
        if len(widget.lines) > _MOST:
            return Unavailable(Cause.NOT_SUPPORTED, f"it asks for {len(widget.lines)} metrics")
        words = f"it asks {widget.region}, which integrations.aws does not name in regions"
        found = self.lanes.get(widget.region or next(iter(self.lanes)))
        return found or Unavailable(Cause.NOT_CONFIGURED, words)

    def _shown(self, widget: Widget, lane: Lane, swept: Swept) -> PanelSeen:
        refused = [one for one in swept.items if one.get("StatusCode") in {"Forbidden", "InternalError"}]
        data = {str(one.get("Id")): len(one.get("Values") or ()) for one in swept.items}
        full = tuple(line for line in widget.lines if data.get(line.id) and line.visible)
        points = sum(data.values())
        if full:
            words = f"{len(full)} of {len(widget.lines)} metrics return {points} points"
            signals = self._signals(widget, {line.id for line in full})
            return PanelSeen(name=widget.name, state=PanelState.DATA, words=words, signals=signals)
        if refused:
            cause = Cause.ACCESS_DENIED if refused[0]["StatusCode"] == "Forbidden" else Cause.UNREACHABLE
            words = f"{lane.label}, cloudwatch:GetMetricData: {refused[0]['StatusCode']}"
            return _unknown(widget, Unavailable(cause, words), self._signals(widget))
        return self._empty(widget, lane)

    def _empty(self, widget: Widget, lane: Lane) -> PanelSeen:
        """Why: the first metric that CloudWatch does not know as it is asked for."""
        words, why = "its expressions return no point", Emptiness.UNEXPLAINED
        for metric in dict.fromkeys(line.metric for line in widget.lines if line.metric):
            found = known(lane, metric)
            if isinstance(found, Unavailable):
                words = f"no point; why is not known: {found.detail}"
                continue
            there, words = found
            why = {
                Known.THERE: Emptiness.NO_SAMPLE,
                Known.ELSEWHERE: Emptiness.LABEL_MISMATCH,
                Known.NOWHERE: Emptiness.UNKNOWN_METRIC,
            }[there]
            if there is not Known.THERE:
                break
        return PanelSeen(name=widget.name, state=PanelState.EMPTY, words=f"no point now: {words}", emptiness=why)

    def _signals(self, widget: Widget, ids: set[str] | None = None) -> tuple[Signal, ...]:
        """By the metrics' names; an expression shows what it is made of."""
        asked: set[str] = set()
        for line in widget.lines:
            if ids is not None and line.id not in ids:
                continue
            own = [line.metric] if line.metric else [one.metric for one in widget.lines if one.id in line.expression]
            asked |= {metric.name.lower().replace("_", "") for metric in own if metric}
        found = []
        for signal in Signal:
            parts = {word.lower().replace("_", "") for word in (*self.words[signal], *_OWN_WORDS[signal])}
            if any(part in name for part in parts for name in asked):
                found.append(signal)
        return tuple(found)


def _unknown(widget: Widget, why: Unavailable, possible: tuple[Signal, ...] = tuple(Signal)) -> PanelSeen:
    return PanelSeen(name=widget.name, state=PanelState.UNKNOWN, words=why.detail, unknown=why, possible=possible)


def _queries(widget: Widget, span: timedelta) -> list[dict[str, Any]]:
    queries: list[dict[str, Any]] = []
    for line in widget.lines:
        period = max(line.period, 300) if span > _FINE else line.period
        query: dict[str, Any] = {"Id": line.id, "ReturnData": True}
        if line.account:
            query["AccountId"] = line.account
        if line.metric:
            dimensions = [{"Name": name, "Value": value} for name, value in line.metric.dimensions]
            metric = {"Namespace": line.metric.namespace, "MetricName": line.metric.name, "Dimensions": dimensions}
            query["MetricStat"] = {"Metric": metric, "Period": period, "Stat": line.stat}
        else:
            query |= {"Expression": line.expression, "Period": period}
        queries.append(query)
    return queries


# --- the probe -------------------------------------------------------------------------------------------------------


@dataclass
class CloudWatchDashboardsProbe:
    """Asks for each dashboard of each account once."""

    places: Places
    words: Words
    clock: Callable[[], datetime]
    name: str = "cloudwatch-dashboards"
    answers: type[Evidence] = CloudWatchDashboards
    needs: tuple[type[Evidence], ...] = ()

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Answer for each service."""
        self.places.begin(patient=upstream.patient)
        now = self.clock()
        for service in services:
            names = tuple(ref.cloudwatch for ref in service.spec.dashboards if ref.cloudwatch)
            lanes = self.places.lanes(service) if names else ()
            if not names or isinstance(lanes, Unavailable):
                yield service.key, lanes if isinstance(lanes, Unavailable) else _NONE
            else:
                yield service.key, self._answer(names, lanes, now)
        self.places.count(upstream)

    def _answer(self, names: Sequence[str], lanes: Sequence[Lane], now: datetime) -> CloudWatchDashboards:
        look = _Look({lane.region: lane for lane in lanes}, self.words)
        declared: list[DeclaredDashboard] = []
        panels: list[PanelSeen] = []
        exhibits: list[Exhibit] = []
        for name in names:
            swept = lanes[0].one(DASHBOARD, [name])[name]
            seen, shown = self._seen(name, swept, look, lanes[0], now)
            declared.append(
                DeclaredDashboard(name=f"cloudwatch {name}", seen=seen, variables={}, instance=lanes[0].account.label)
            )
            panels += shown
            exhibits += [_exhibit(name, lanes[0], panel) for panel in shown]
        return CloudWatchDashboards(declared=tuple(declared), panels=tuple(panels), exhibits=tuple(exhibits))

    def _seen(
        self, name: str, swept: Swept, look: _Look, lane: Lane, now: datetime
    ) -> tuple[Dashboard | Unavailable | None, tuple[PanelSeen, ...]]:
        if swept.missing:
            return swept.missing, ()
        if swept.nothing:
            return None, ()
        try:
            body = json.loads(str(swept.first.get("DashboardBody", "")))
            widgets = read_widgets(name, body)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            words = (
                f"{lane.label}, cloudwatch:GetDashboard {name}: its body is not read: {type(error).__name__}: {error}"
            )
            return Unavailable(Cause.BAD_RESPONSE, words), ()
        panels = tuple(look.widget(widget, _range(body, now)) for widget in widgets)
        url = f"https://console.aws.amazon.com/cloudwatch/home?region={lane.region}#dashboards/dashboard/{name}"
        return Dashboard(
            uid=name, title=name, url=url, model=Model.CLOUDWATCH, panels=tuple(_panel(widget) for widget in widgets)
        ), panels


def _panel(widget: Widget) -> Panel:
    queries = tuple(
        PanelQuery(ref=line.id, expression=line.expression or str(line.metric), source=SourceRef(type="cloudwatch"))
        for line in widget.lines
    )
    return Panel(name=widget.name, kind="metric", queries=queries, unread=widget.unread)


def _exhibit(name: str, lane: Lane, panel: PanelSeen) -> Exhibit:
    return Exhibit(
        source=lane.account.label,
        request=f"aws cloudwatch get-dashboard --region {lane.region} --dashboard-name {name}",
        facts={"widget": panel.name, "state": panel.state.value, "seen": panel.words},
    )
