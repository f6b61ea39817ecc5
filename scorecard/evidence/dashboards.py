"""Which dashboards a service has, what their panels ask, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from scorecard.evidence.base import Evidence, Unavailable
from scorecard.model import Cadence, Scope


class Model(StrEnum):
    """How a dashboard is written down."""

    CLASSIC = "classic"
    """`/api/dashboards/uid/…`: panels in a list, rows among them."""
    V1 = "v1"
    """`/apis/dashboard.grafana.app/v1…`: a resource whose `spec` is the classic dashboard."""
    V2 = "v2"
    """`/apis/dashboard.grafana.app/v2…`: a resource of elements and a layout."""
    CLOUDWATCH = "cloudwatch"
    """A body of widgets, as CloudWatch has it."""


class Signal(StrEnum):
    """The four golden signals."""

    LATENCY = "latency"
    TRAFFIC = "traffic"
    ERRORS = "errors"
    SATURATION = "saturation"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRef:
    """A data source as a dashboard names it; all empty means Grafana's default."""

    uid: str = ""
    """Its uid or name, or a variable such as `${datasource}`."""
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelQuery:
    """One query of a panel, before its variables are put in."""

    ref: str
    expression: str
    """PromQL; empty where the query is of another kind."""
    source: SourceRef
    hidden: bool = False
    panel: int | None = None
    """The panel whose result it takes over (data source `-- Dashboard --`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel that shows data."""

    name: str
    """Title and id: what a person finds again on the dashboard."""
    kind: str
    """The visualisation's plugin, such as `timeseries`."""
    queries: tuple[PanelQuery, ...]
    id: int | None = None
    interval: str = ""
    """The panel's minimum interval."""
    time_from: str = ""
    """A range of its own, such as `7d`."""
    time_shift: str = ""
    """How far it looks back, such as `1d`."""
    may_be_empty: bool = False
    """Its description says `scorecard: may be empty`."""
    signals: tuple[Signal, ...] = ()
    """What its description says it shows: `scorecard: signal errors`."""
    unread: Unavailable | None = None
    """Why its queries are not known."""
    fault: str = ""
    """What is wrong with it in Grafana itself, such as a library panel that does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One ad hoc filter, or one matcher."""

    key: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of a dashboard, as it was saved."""

    name: str
    type: str
    """query, custom, constant, textbox, interval, datasource, adhoc, groupby, switch."""
    query: str = ""
    """What gives its values: PromQL's `label_values(…)`, a list, a plugin's id."""
    source: SourceRef = SourceRef()
    current: tuple[str, ...] = ()
    """The saved values; `$__all` for all."""
    options: tuple[str, ...] = ()
    """The saved options, without All."""
    regex: str = ""
    sort: int = 0
    """0 as they come, then alphabetical, numerical, without case, natural; odd ascending, even descending."""
    multi: bool = False
    include_all: bool = False
    all_value: str = ""
    refresh: bool = False
    """Whether Grafana asks for its values again when the dashboard is opened."""
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard, read."""

    uid: str
    title: str
    url: str
    """Where a person opens it."""
    model: Model
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()
    time_from: str = "now-6h"
    time_to: str = "now"
    imports: Mapping[str, str] | None = None
    """Data source variables of an export (`__inputs`) to their plugin, where it was never imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredDashboard:
    """One dashboard of a service: declared by uid, or found by its tag."""

    name: str
    """The declaration: `grafana/main payments-overview`, `cloudwatch payments`."""
    seen: Dashboard | Unavailable | None
    """None: the source answered that there is no such dashboard."""
    variables: Mapping[str, str]
    """The values that the service gives."""
    instance: str = ""
    """The Grafana that has it."""
    tagged: bool = False
    """Found by the tag `service:NAME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboards(Evidence):
    """The dashboards of a service, as they are saved in Grafana."""

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    declared: tuple[DeclaredDashboard, ...]


class PanelState(StrEnum):
    """What a panel showed."""

    DATA = "data"
    CONSTANT = "constant"
    """A series, and only the constant that stands in for one: `… or vector(0)`."""
    EMPTY = "empty"
    BROKEN = "broken"
    """The data source refuses the query, or the panel cannot ask at all."""
    UNKNOWN = "unknown"


class Emptiness(StrEnum):
    """Why a panel is empty."""

    UNKNOWN_METRIC = "unknown-metric"
    """The data source does not know the metric."""
    NO_SAMPLE = "no-sample"
    """The metric was there once, and has no sample now."""
    LABEL_MISMATCH = "label-mismatch"
    """The metric is there, and not with these labels."""
    BEYOND_RETENTION = "beyond-retention"
    """It looks back further than the data source remembers."""
    NOTHING_LEFT = "nothing-left"
    """All series are there, and the expression leaves none of them: a comparison, a join."""
    UNEXPLAINED = "unexplained"
    """It was not looked into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSeen:
    """One panel, asked now with its variables put in."""

    name: str
    """Dashboard and panel."""
    state: PanelState
    words: str
    """What was seen, with its number."""
    emptiness: Emptiness | None = None
    may_be_empty: bool = False
    signals: tuple[Signal, ...] = ()
    """What its queries show that returned something."""
    possible: tuple[Signal, ...] = ()
    """What those show of which nothing is known."""
    unknown: Unavailable | None = None
    """Why nothing is known of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelData(Evidence):
    """Whether each panel of a service's dashboards returns a series now.

    `missing` are dashboards that were not read.
    """

    cadence: ClassVar[Cadence] = Cadence.PLATFORM
    scope: ClassVar[Scope] = Scope.PLATFORM

    panels: tuple[PanelSeen, ...]
    dashboards: int
    """How many of them were read."""
