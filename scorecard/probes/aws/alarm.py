"""One alarm of CloudWatch, read: its severity and runbook, what it asks, whom it tells. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scorecard.probes.aws.lane import Item
from scorecard.probes.aws.metrics import Metric

_SEVERITY = re.compile(r"(?im)(?:^|[\s{,;(\"'*|])(?:severity|sev)[\"'*]*\s*[:=]\s*[\"'*]*([\w-]+)")
_RUNBOOK = re.compile(r"(?i)runbook(?:[_ -]?url)?[\"'*]*\s*[:=]?\s*<?[\"'(]?(https?://[^\s\"'<>)|]+)")
_LINK = re.compile(r"(?i)\[[^\]]*runbook[^\]]*\]\((https?://[^\s)]+)\)")
_PATH = re.compile(r"(?i)https?://[^\s\"'<>)|]*runbook[^\s\"'<>)|]*")
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_CHILD = re.compile(r"(?i)\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"([^\"]+)\"|'([^']+)'|([^)\s]+))\s*\)")
_SCALING = (":autoscaling:", ":application-autoscaling:")
_COMPARED = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}
_ALL = ("MetricAlarms", "CompositeAlarms", "LogAlarms")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as CloudWatch describes it."""

    item: Item
    tags: Mapping[str, str]
    """Keys in lower case."""

    @property
    def name(self) -> str:
        """Its name, unique in an account and region."""
        return str(self.item["AlarmName"])

    @property
    def arn(self) -> str:
        """Its ARN."""
        return str(self.item.get("AlarmArn") or self.name)

    @property
    def description(self) -> str:
        """What its author wrote beside it."""
        return str(self.item.get("AlarmDescription") or "")

    @property
    def actions(self) -> tuple[str, ...]:
        """What is done when it goes off, by ARN; empty where its actions are disabled."""
        return tuple(map(str, self.item.get("AlarmActions") or ())) if self.item.get("ActionsEnabled", True) else ()

    @property
    def scales(self) -> bool:
        """It only makes something bigger or smaller, and is nobody's alert."""
        given = [*(self.item.get("AlarmActions") or ()), *(self.item.get("OKActions") or ())]
        return bool(given) and all(any(word in str(one) for word in _SCALING) for one in given)

    @property
    def rule(self) -> str:
        """A composite alarm's rule."""
        return str(self.item.get("AlarmRule") or "")

    @property
    def children(self) -> tuple[str, ...]:
        """Names of the alarms that its rule asks."""
        found = ("".join(groups).rpartition(":alarm:")[2] for groups in _CHILD.findall(self.rule))
        return tuple(dict.fromkeys(found))

    @property
    def missing_data(self) -> str:
        """`missing`, `ignore`, `breaching`, `notBreaching`."""
        return str(self.item.get("TreatMissingData") or "missing")

    @property
    def state(self) -> str:
        """OK, ALARM or INSUFFICIENT_DATA."""
        return str(self.item.get("StateValue") or "")

    @property
    def since(self) -> datetime | None:
        """Since when it has been in its state."""
        return self.item.get("StateTransitionedTimestamp") or self.item.get("StateUpdatedTimestamp")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it is computed from."""
        if self.item.get("MetricName"):
            return (Metric.of(self.item),)
        stats = (one.get("MetricStat") for one in self.item.get("Metrics") or ())
        return tuple(Metric.of(stat["Metric"]) for stat in stats if stat)

    @property
    def expression(self) -> str:
        """What it asks, for a person."""
        if self.rule:
            return self.rule
        stats = [f"{self.item.get('Statistic') or self.item.get('ExtendedStatistic') or ''} {one}".strip()
                 for one in self.metrics]  # fmt: skip
        stats += [str(one["Expression"]) for one in self.item.get("Metrics") or () if one.get("Expression")]
        compared = str(self.item.get("ComparisonOperator") or "")
        return f"{'; '.join(stats)} {_COMPARED.get(compared, compared)} {self.item.get('Threshold', '')}".strip()

    def seconds(self, alarms: Mapping[str, Alarm]) -> float:
        """How long what it asks must hold; a composite alarm waits as long as the quickest that it asks."""
        if self.rule:
            # A circle is not possible: CloudWatch refuses one; a rule of constants has no child and waits for nothing.
            below = [alarms[name] for name in self.children if name in alarms and not alarms[name].rule]
            return min((child.seconds(alarms) for child in below), default=0.0)
        periods = [self.item.get("Period"), *_periods(self.item.get("Metrics") or ())]
        period = max((float(str(one)) for one in periods if one), default=60.0)
        return period * float(self.item.get("DatapointsToAlarm") or self.item.get("EvaluationPeriods") or 1)

    def severity(self, words: Collection[str], prefix: str) -> tuple[str, bool]:
        """Its severity, and whether only its tags could tell another.

        What the description says counts first, then the tag `severity`; then a word of the vocabulary that stands
        alone at the end or the beginning of what follows the prefix in its name.
        """
        if found := _SEVERITY.search(self.description):
            return found[1], False
        if told := self.tags.get("severity"):
            return told, False
        parts = [part.lower() for part in _WORD.findall(self.name.removeprefix(prefix))]
        known = {word.lower() for word in words}
        return next((part for part in (*parts[-1:], *parts[:1]) if part in known), ""), True

    @property
    def runbook_url(self) -> str:
        """What its description calls a runbook: `runbook: URL`, a link of that name, an address with the word in it."""
        for pattern in (_LINK, _RUNBOOK):
            if found := pattern.search(self.description):
                return found[1].rstrip(".,;")
        found = _PATH.search(self.description)
        return found[0].rstrip(".,;") if found else ""


def _periods(queries: Sequence[Mapping[str, Any]]) -> Iterator[object]:
    for one in queries:
        yield one.get("Period") or (one.get("MetricStat") or {}).get("Period")


def read_alarms(pages: Sequence[Item], tags: Mapping[str, Mapping[str, str]]) -> dict[str, Alarm]:
    """Every alarm of an account and region, by name."""
    found = (Alarm(one, tags.get(str(one.get("AlarmArn")), {})) for page in pages for kind in _ALL
             for one in page.get(kind) or ())  # fmt: skip
    return {alarm.name: alarm for alarm in found if not alarm.scales}
