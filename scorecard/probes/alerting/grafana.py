"""Grafana's alerting: rules by its provisioning API, their state by the API that Prometheus' clients know.

https://grafana.com/docs/grafana/latest/developers/http_api/alerting_provisioning/ (`/api/v1/provisioning/alert-rules`)
holds the definitions and says which are paused; `/api/prometheus/grafana/api/v1/rules` holds health, errors and firing
instances. A real Grafana could not be asked when this was written: shapes are from its documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scorecard.evidence import AlertSource, Unavailable
from scorecard.evidence.alerting import LiveAlert, RuleHealth, Series
from scorecard.model import Cause, parse_duration
from scorecard.probes.alerting.belonging import Index, Wanted
from scorecard.probes.alerting.lane import Lane, NoAnswerError
from scorecard.probes.alerting.prometheus import read_time
from scorecard.probes.alerting.watched import Part
from scorecard.promql import Expression, PromqlError, Selector, Shape, read

_WEEK = timedelta(days=7)
_MOST_CHANGES = 5_000
"""Changes of state that are asked for; the most that Grafana gives at once."""
_DEPTH = 64
ADDRESSES = (
    ("rules", "/api/v1/provisioning/alert-rules", "alert.provisioning:read"),
    ("states", "/api/prometheus/grafana/api/v1/rules", "alert.rules:read"),
    ("changes", "/api/annotations?type=alert&limit=1", "annotations:read"),
    ("routes", "/api/v1/provisioning/policies", "alert.provisioning:read"),
    ("routes", "/api/v1/provisioning/contact-points", "alert.provisioning:read"),
)
"""What is asked, for what, and the permission that it takes."""


@dataclass(frozen=True, slots=True)
class _State:
    """What the ruler says of one rule."""

    health: RuleHealth
    no_data: bool
    error: str
    firing: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What was asked besides the rules."""

    states: Mapping[str, _State] | Unavailable
    firings: Mapping[str, int] | Unavailable
    """Rule id to how often it began to fire within the week."""


def watched_by_grafana(lane: Lane, wanted: Sequence[Wanted], now: datetime) -> dict[object, Part]:
    """Each service's alerts, by its key."""
    try:
        rules = _list(lane.get("/api/v1/provisioning/alert-rules", depth=_DEPTH), "alert-rules", lane)
    except NoAnswerError as error:
        return {one.key: Part(missing=(error.unavailable,)) for one in wanted}
    known = _Known(_asked(lambda: _states(lane)), _asked(lambda: _firings(lane, now)))
    index = Index(tuple(wanted))
    mine: dict[int, list[LiveAlert]] = {}
    missing: list[Unavailable] = []
    for rule in rules:
        if not isinstance(rule, Mapping) or not isinstance(rule.get("title"), str):
            missing.append(Unavailable(Cause.BAD_RESPONSE, f"{lane.instance.label}: a rule without a title", count=1))
            continue
        if rule.get("record"):
            continue
        for service, why in index.named(_texts(rule.get("labels")), _expression(rule)).items():
            mine.setdefault(service, []).append(_alert(lane.instance.label, rule, why, known, now))
    return {
        one.key: Part(tuple(mine.get(number, ())), tuple(missing), rules_seen=len(rules))
        for number, one in enumerate(wanted)
    }


def _asked(ask: Any) -> Any:  # noqa: ANN401 - what it returns
    try:
        return ask()
    except NoAnswerError as error:
        return error.unavailable


def _states(lane: Lane) -> dict[str, _State]:
    document = lane.get("/api/prometheus/grafana/api/v1/rules", depth=_DEPTH)
    data = document.get("data") if isinstance(document, Mapping) else None
    groups = _list(data.get("groups") if isinstance(data, Mapping) else None, "rules", lane)
    found: dict[str, _State] = {}
    for group in groups:
        for rule in group.get("rules") or () if isinstance(group, Mapping) else ():
            if isinstance(rule, Mapping):
                state = _state(rule)
                place = f"{group.get('folderUid', '')}/{group.get('name', '')}/{rule.get('name', '')}"
                found[place] = state
                if rule.get("uid"):
                    found[str(rule["uid"])] = state
    return found


def _state(rule: Mapping[str, Any]) -> _State:
    health = str(rule.get("health", "")).lower()
    known = {"ok": RuleHealth.OK, "nodata": RuleHealth.OK, "error": RuleHealth.ERROR, "err": RuleHealth.ERROR}
    instances = [one for one in rule.get("alerts") or () if isinstance(one, Mapping)]
    return _State(
        health=known.get(health, RuleHealth.UNKNOWN),
        no_data=health == "nodata",
        error=str(rule.get("lastError") or "")[:500],
        firing=tuple(one for one in instances if str(one.get("state", "")).lower().startswith(("alerting", "firing"))),
    )


def _firings(lane: Lane, now: datetime) -> dict[str, int]:
    """From Grafana's annotations, one for each change of state."""
    since, until = (int(at.timestamp() * 1000) for at in (now - _WEEK, now))
    params = {"type": "alert", "from": str(since), "to": str(until), "limit": str(_MOST_CHANGES)}
    changes = _list(lane.get("/api/annotations", params, depth=_DEPTH), "annotations", lane)
    if len(changes) >= _MOST_CHANGES:
        words = f"{lane.instance.label}: over {_MOST_CHANGES} changes of state within a week"
        raise NoAnswerError(Cause.NO_DATA, words)
    found: dict[str, int] = {}
    for one in changes:
        if not isinstance(one, Mapping):
            continue
        new, old = (str(one.get(key, "")).lower() for key in ("newState", "prevState"))
        if new.startswith("alerting") and not old.startswith("alerting"):
            found[str(one.get("alertId", ""))] = found.get(str(one.get("alertId", "")), 0) + 1
    return found


def _alert(label: str, rule: Mapping[str, Any], why: str, known: _Known, now: datetime) -> LiveAlert:
    uid, folder, group = (str(rule.get(key) or "") for key in ("uid", "folderUID", "ruleGroup"))
    labels, annotations = _texts(rule.get("labels")), _texts(rule.get("annotations"))
    state: _State | Unavailable | None = known.states if isinstance(known.states, Unavailable) else None
    if not isinstance(known.states, Unavailable):
        state = known.states.get(uid) or known.states.get(f"{folder}/{group}/{rule['title']}")
    seen = state if isinstance(state, _State) else None
    firing = seen.firing if seen else ()
    expression = _expression(rule)
    firings, firings_unknown = _counted(rule, known)
    series, detail = _series(seen)
    url = annotations.get("runbook_url", "").strip()
    rendered = (
        next((_texts(one.get("annotations")).get("runbook_url", "") for one in firing), "") if "{{" in url else ""
    )
    return LiveAlert(
        name=str(rule["title"]),
        where=f"{label} {uid or f'{folder}/{group}'}",
        source=AlertSource.GRAFANA,
        severity=labels.get("severity", ""),
        runbook_url=url,
        rendered_runbook_url=rendered,
        expression="; ".join(_queries(rule)),
        for_seconds=_seconds(rule.get("for")),
        summary=annotations.get("summary", "") or annotations.get("description", ""),
        absence=str(rule.get("noDataState", "")) == "Alerting",
        labels=labels,
        instance=label,
        belongs=why,
        health=seen.health if seen else RuleHealth.UNKNOWN,
        last_error=seen.error if seen else state.detail if isinstance(state, Unavailable) else "",
        paused=rule.get("isPaused") is True,
        state="firing" if firing else "inactive",
        firing_seconds=max((_firing_for(one, now) for one in firing), default=0.0),
        firings=firings,
        firings_unknown=firings_unknown,
        series=series,
        series_detail=detail,
        series_cause=None if seen else (state.cause if isinstance(state, Unavailable) else Cause.NO_DATA),
        fixed_labels={**_constant(labels), "alertname": str(rule["title"]), **_places(rule)},
        open_labels=("*",) if expression is None or expression.shape.open else tuple(sorted(expression.shape.maybe)),
    )


def _counted(rule: Mapping[str, Any], known: _Known) -> tuple[int | None, Unavailable | None]:
    if isinstance(known.firings, Unavailable):
        return None, known.firings
    if rule.get("id") is None:
        return None, Unavailable(Cause.NO_DATA, "Grafana does not say the rule's id, by which it dates its firings")
    return known.firings.get(str(rule["id"]), 0), None


def _series(state: _State | None) -> tuple[Series, str]:
    if state is None:
        return Series.UNKNOWN, "Grafana does not say how the rule was evaluated"
    if state.no_data:
        return Series.NONE, "its query returns no data, Grafana says"
    if state.health is RuleHealth.OK:
        return Series.FOUND, ""
    return Series.UNKNOWN, "it was not evaluated"


def _places(rule: Mapping[str, Any]) -> dict[str, str]:
    """The labels that Grafana adds to what it routes, and the contact point that a rule names itself."""
    settings = rule.get("notification_settings")
    receiver = settings.get("receiver") if isinstance(settings, Mapping) else None
    return {"__receiver__": receiver} if isinstance(receiver, str) and receiver else {}


def _constant(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if "{{" not in value}


def _queries(rule: Mapping[str, Any]) -> Iterator[str]:
    for one in rule.get("data") or ():
        model = one.get("model") if isinstance(one, Mapping) else None
        text = model.get("expr") if isinstance(model, Mapping) else None
        if isinstance(text, str) and text.strip():
            yield text


def _expression(rule: Mapping[str, Any]) -> Expression | None:
    """The selectors of all of a rule's PromQL queries; None where it has none that is read."""
    selectors: list[Selector] = []
    shape: Shape | None = None
    for text in _queries(rule):
        try:
            one = read(text)
        except PromqlError:
            continue
        selectors += one.selectors
        shape = one.shape if shape is None else shape.either(one.shape)
    return None if shape is None else Expression("", tuple(selectors), "", absence=False, gone=False, shape=shape)


def _seconds(value: object) -> float:
    try:
        return parse_duration(value).total_seconds() if isinstance(value, str) and value not in {"", "0"} else 0.0
    except ValueError:
        return 0.0


def _firing_for(instance: Mapping[str, Any], now: datetime) -> float:
    began = read_time(instance.get("activeAt"))
    return max(0.0, (now - began).total_seconds()) if began else 0.0


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, Mapping) else {}


def _list(value: object, what: str, lane: Lane) -> list[Any]:
    if not isinstance(value, list):
        raise NoAnswerError(Cause.BAD_RESPONSE, f"{lane.instance.label}: the answer holds no list of {what}")
    return value
