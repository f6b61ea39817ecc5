"""Whether CloudWatch knows a metric: `cloudwatch:ListMetrics` names what had data within the last two weeks.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from scorecard.evidence import Unavailable
from scorecard.probes.aws.calls import sweep
from scorecard.probes.aws.lane import Lane

METRICS = sweep("cloudwatch", "ListMetrics", "Metrics")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric by its name and dimensions."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Metric:
        """As an answer of CloudWatch has it."""
        pairs = document.get("Dimensions") or ()
        return cls(
            str(document.get("Namespace", "")),
            str(document.get("MetricName", "")),
            tuple(sorted((str(pair["Name"]), str(pair["Value"])) for pair in pairs)),
        )

    def __str__(self) -> str:
        """`AWS/RDS CPUUtilization {DBInstanceIdentifier=payments}`."""
        inner = ", ".join(f"{name}={value}" for name, value in self.dimensions)
        return f"{self.namespace} {self.name}" + (f" {{{inner}}}" if inner else "")


class Known(Enum):
    """What CloudWatch has under a metric's name."""

    THERE = auto()
    """It had data within two weeks."""
    ELSEWHERE = auto()
    """The metric had, and not with these dimensions."""
    NOWHERE = auto()


def known(lane: Lane, metric: Metric) -> tuple[Known, str] | Unavailable:
    """Whether it had data within two weeks, and that in words."""
    swept = lane.all(METRICS, Namespace=metric.namespace, MetricName=metric.name)
    found = [Metric.of(one) for one in swept.items]
    if metric in found:
        return Known.THERE, f"{metric} had data within two weeks"
    if swept.missing:
        return swept.missing
    if not found:
        return Known.NOWHERE, f"{metric.namespace} {metric.name} had no data within two weeks, whatever its dimensions"
    inner = ("; ".join(str(one).partition(" {")[2].rstrip("}") or "no dimension" for one in found[:_SHOWN])).strip()
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return Known.ELSEWHERE, f"{metric} had no data within two weeks; there is {metric.name} with {inner}{more}"
