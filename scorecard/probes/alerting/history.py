"""How often alerts fired within the last week, from the series `ALERTS` that a Prometheus writes of its own rules."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes.alerting.lane import NoAnswerError
from scorecard.probes.alerting.prometheus import Prometheus, Sample

_WEEK = 604_800.0
_SLACK = 7_200.0
"""Seconds that the look back may fall short of a week: it is taken in steps of an hour."""
_FINEST = 60
"""Seconds: how long an alert fires, or is quiet, to be told apart from the time before."""


@dataclass(frozen=True, slots=True)
class History:
    """How often instances began to fire, by the labels of the alert."""

    by_name: Mapping[str, tuple[Sample, ...]]
    unknown: Unavailable | None
    """Why nothing is known, or not of the whole week; what was counted is true all the same."""
    counted: bool = True

    def of(self, name: str) -> tuple[Sample, ...]:
        """What there is of the alerts of a name."""
        return self.by_name.get(name, ())


def history(prometheus: Prometheus, labels: Iterable[str], interval: float) -> History:
    """Two queries for all alerts.

    Args:
        prometheus: who is asked.
        labels: the labels by which alerts are told apart.
        interval: seconds between the evaluations of the slowest rule.
    """
    try:
        samples = prometheus.query(query(labels, interval))
    except NoAnswerError as error:
        return History({}, error.unavailable, counted=False)
    by_name: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_name[sample.labels.get("alertname", "")].append(sample)
    return History({name: tuple(found) for name, found in by_name.items()}, remembers(prometheus))


def query(labels: Iterable[str], interval: float) -> str:
    """The number of times that instances began to fire: they fire in one step and did not in the step before."""
    step = max(_FINEST, math.ceil(interval * 1.25))
    firing = f'last_over_time(ALERTS{{alertstate="firing"}}[{step}s]'
    by = ", ".join(dict.fromkeys(("alertname", *sorted(labels))))
    return f"sum by ({by}) (count_over_time(({firing}) unless {firing} offset {step}s))[1w:{step}s]))"


def remembers(prometheus: Prometheus) -> Unavailable | None:
    """Why what it remembers does not reach back a week; None where it does."""
    where = prometheus.lane.instance.label
    try:
        found = prometheus.query("time() - min(min_over_time(timestamp(up)[1w:1h]))")
    except NoAnswerError as error:
        return error.unavailable
    reach = found[0].value if found else 0.0
    if reach >= _WEEK - _SLACK:
        return None
    hours = reach / 3600
    return Unavailable(Cause.NO_DATA, f"{where} remembers {hours:.1f} h; how often an alert fires is told after a week")
