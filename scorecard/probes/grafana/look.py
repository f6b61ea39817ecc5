"""One dashboard with the values of one service: each panel's queries, asked now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from scorecard.evidence import Exhibit, Unavailable
from scorecard.evidence.dashboards import (
    Dashboard,
    Panel,
    PanelQuery,
    PanelSeen,
    PanelState,
    Signal,
    Variable,
)
from scorecard.model import Cause
from scorecard.probes.grafana import signals, times
from scorecard.probes.grafana.api import DataSource
from scorecard.probes.grafana.diagnosis import diagnose
from scorecard.probes.grafana.interpolate import Value, interpolate
from scorecard.probes.grafana.lane import NoAnswerError
from scorecard.probes.grafana.prometheus import PromSource, QueryError, Result, label_values, series_name
from scorecard.probes.grafana.promql import Matcher, with_filters, without_constant
from scorecard.probes.grafana.sources import EXPRESSION, Missing, Sources
from scorecard.probes.grafana.variables import Resolver
from scorecard.redact import redact_text

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one query."""

    state: PanelState
    words: str
    signals: tuple[Signal, ...] = ()
    unknown: Unavailable | None = None
    source: PromSource | None = None
    asked: str = ""
    """The query as it was asked."""
    back: timedelta = timedelta()
    series: int = 0


@dataclass
class Look:
    """Looks at one dashboard."""

    dashboard: Dashboard
    given: Mapping[str, str]
    sources: Sources
    words: signals.Words
    _values: dict[str, Value | Unavailable] = field(default_factory=dict)

    def panels(self) -> tuple[tuple[PanelSeen, tuple[Exhibit, ...]], ...]:
        """Each panel with what repeats its queries."""
        resolver = Resolver(self.dashboard, self.given, self._options, self.sources.of_variable)
        self._values = resolver.all() | self._built_in()
        taken: dict[str, int] = {}
        found = []
        for panel in self.dashboard.panels:
            name = f"{self.dashboard.uid} / {panel.name}"
            taken[name] = taken.get(name, 0) + 1
            found.append(self._panel(panel, name if taken[name] == 1 else f"{name}, the {taken[name]}. of that name"))
        return tuple(found)

    def _built_in(self) -> dict[str, Value | Unavailable]:
        span = timedelta(seconds=times.span(self.dashboard.time_from, self.dashboard.time_to))
        now = self.sources.now
        return {
            "__from": Value((f"{(now - span).timestamp() * 1000:.0f}",)),
            "__to": Value((f"{now.timestamp() * 1000:.0f}",)),
            "__dashboard": Value((self.dashboard.title,)),
        }

    def _panel(self, panel: Panel, name: str) -> tuple[PanelSeen, tuple[Exhibit, ...]]:
        if panel.unread is not None:
            words = panel.unread.detail
            seen = PanelSeen(
                name=name, state=PanelState.UNKNOWN, words=words, unknown=panel.unread, possible=tuple(Signal)
            )
            return seen, ()
        if panel.fault:
            return PanelSeen(name=name, state=PanelState.BROKEN, words=panel.fault), ()
        outcomes = [self._ask(panel, query) for query in self._queries(panel)]
        exhibits = tuple(_exhibit(name, one) for one in outcomes if one.source is not None)
        return self._seen(panel, name, outcomes), exhibits

    def _queries(self, panel: Panel, depth: int = 0) -> list[PanelQuery]:
        """What a panel shows: its queries that are not hidden; those behind its arithmetic where all are."""
        queries: list[PanelQuery] = []
        for query in panel.queries:
            if query.panel is None:
                queries.append(query)
                continue
            other = next((one for one in self.dashboard.panels if one.id == query.panel), None)
            if other is not None and depth < 2:  # noqa: PLR2004 - a panel that takes over from one that takes over
                queries += self._queries(other, depth + 1)
        plain = [one for one in queries if EXPRESSION not in {one.source.uid, one.source.type}]
        shown = [one for one in plain if not one.hidden]
        return shown or (plain if len(plain) < len(queries) else [])

    def _ask(self, panel: Panel, query: PanelQuery) -> Outcome:
        found = self.sources.find(query.source, self.dashboard, self._values)
        if isinstance(found, Missing):
            return Outcome(PanelState.BROKEN, found.words)
        source = found if isinstance(found, Unavailable) else self.sources.prometheus(found)
        possible = signals.shown(_plain(query.expression), self.words)
        if isinstance(source, Unavailable):
            return _unknown(source, possible or tuple(Signal))
        if not query.expression:
            return Outcome(PanelState.BROKEN, f"its query {query.ref} is empty")
        assert isinstance(found, DataSource)  # noqa: S101 - only a data source is asked
        values = {**self._macros(panel, found), **self._values}
        expression = interpolate(query.expression, values)
        if isinstance(expression, Unavailable):
            return _unknown(expression, possible or tuple(Signal))
        expression = with_filters(expression, self._filters(found))
        back = timedelta(seconds=times.seconds(str(interpolate(panel.time_shift, values))) or 0)
        try:
            return self._asked(source, expression, back)
        except NoAnswerError as error:
            shown = signals.shown(expression, self.words)
            return replace(_unknown(error.unavailable, shown), source=source, asked=expression, back=back)

    def _asked(self, source: PromSource, expression: str, back: timedelta) -> Outcome:
        result = source.query(expression, back)
        shown = signals.shown(expression, self.words)
        if isinstance(result, QueryError):
            words = f"{source.lane.label} refuses its query: {result.words}"
            return Outcome(PanelState.BROKEN, words, source=source, asked=expression, back=back)
        if not result.series:
            return Outcome(PanelState.EMPTY, "no series", source=source, asked=expression, back=back)
        state, words = PanelState.DATA, _counted(result)
        left = without_constant(expression) if result.series == 1 and not any(result.labels) else ""
        if left:
            inner = source.query(left, back)
            if isinstance(inner, Result) and not inner.series:
                state, words, shown = PanelState.CONSTANT, "only the constant in its query, no series behind it", ()
        return Outcome(state, words, shown, source=source, asked=expression, back=back, series=result.series)

    def _seen(self, panel: Panel, name: str, outcomes: list[Outcome]) -> PanelSeen:
        if not outcomes:
            return PanelSeen(name=name, state=PanelState.BROKEN, words="it has no query")
        best = min(outcomes, key=lambda one: _ORDER.index(one.state))
        seen = tuple(
            dict.fromkeys(signal for one in outcomes if one.state is PanelState.DATA for signal in one.signals)
        )
        possible = tuple(dict.fromkeys(signal for one in outcomes if one.unknown for signal in one.signals))
        if panel.signals:
            seen = panel.signals if best.state is PanelState.DATA else ()
            possible = panel.signals if best.state is PanelState.UNKNOWN else ()
        made = PanelSeen(
            name=name,
            state=best.state,
            words=best.words,
            may_be_empty=panel.may_be_empty,
            signals=seen,
            possible=possible,
            unknown=best.unknown,
        )
        # Why a panel is empty that says it may be changes nothing, and would be asked in every run.
        return _explained(made, best) if best.state is PanelState.EMPTY and not panel.may_be_empty else made

    def _macros(self, panel: Panel, source: DataSource) -> dict[str, Value | Unavailable]:
        own = times.seconds(panel.time_from) if panel.time_from else None
        span = own or times.span(self.dashboard.time_from, self.dashboard.time_to)
        minimum = interpolate(panel.interval, self._values)
        made = times.macros(span, minimum if isinstance(minimum, str) else "", source.interval)
        return {name: Value((value,)) for name, value in made.items()}

    def _filters(self, source: DataSource) -> tuple[Matcher, ...]:
        """The ad hoc filters that are saved for this data source."""
        found: list[Matcher] = []
        for variable in self.dashboard.variables:
            if variable.type == "adhoc" and variable.filters:
                own = self.sources.find(variable.source, self.dashboard, self._values)
                if isinstance(own, DataSource) and own.uid == source.uid:
                    found += [
                        Matcher(one.key, one.operator, one.value)
                        for one in variable.filters
                        if one.operator in {"=", "!=", "=~", "!~"}
                    ]
        return tuple(found)

    def _options(
        self, variable: Variable, query: str, known: Mapping[str, Value | Unavailable]
    ) -> tuple[str, ...] | Unavailable:
        """The values of a query variable, from its data source."""
        found = self.sources.find(variable.source, self.dashboard, known)
        if isinstance(found, Missing):
            return Unavailable(Cause.NO_DATA, f"the variable {variable.name}: {found.words}")
        source = found if isinstance(found, Unavailable) else self.sources.prometheus(found)
        if isinstance(source, Unavailable):
            return replace(source, detail=f"the variable {variable.name}: {source.detail}")
        span = timedelta(seconds=times.span(self.dashboard.time_from, self.dashboard.time_to))
        try:
            return _values(source, query, max(span, _DAY))
        except NoAnswerError as error:
            return error.unavailable


_ORDER = (PanelState.DATA, PanelState.CONSTANT, PanelState.UNKNOWN, PanelState.BROKEN, PanelState.EMPTY)
"""Which of several queries decides on the panel: one that returns something, else one of which nothing is known."""


def _unknown(why: Unavailable, possible: tuple[Signal, ...]) -> Outcome:
    return Outcome(PanelState.UNKNOWN, why.detail, possible, unknown=why)


def _plain(expression: str) -> str:
    """The expression with something in place of its macros, to be read while its variables are not known."""
    times_ = {name: Value((value,)) for name, value in times.macros(3600, "", "").items()}
    put = interpolate(expression, times_)
    return put if isinstance(put, str) else expression


def _explained(seen: PanelSeen, best: Outcome) -> PanelSeen:
    """An empty panel with its reason; unknown where the data source itself is in doubt."""
    assert best.source is not None  # noqa: S101 - only an answer is empty
    try:
        doubt = best.source.doubt()
        if doubt is not None:
            possible = tuple(Signal)
            return replace(seen, state=PanelState.UNKNOWN, words=doubt.detail, unknown=doubt, possible=possible)
        found = diagnose(best.source, best.asked, best.back)
    except NoAnswerError:
        return replace(seen, words="no series; its data source answered no more when it was asked why")
    return replace(seen, words=found.words, emptiness=found.emptiness)


def _counted(result: Result) -> str:
    more = ", all 0" if result.zero else ", none of them a number" if result.nan else ""
    return f"{result.series} series{more}"


def _values(source: PromSource, query: str, since: timedelta) -> tuple[str, ...] | Unavailable:
    asked = label_values(query)
    if asked is not None:
        return source.values(asked[1], asked[0], since)
    if query.strip() == "label_names()":
        return source.label_names()
    name, _, rest = query.strip().partition("(")
    inside = rest.rpartition(")")[0].strip()
    if name == "metrics" and inside:
        return source.values("__name__", f'{{__name__=~".*(?:{inside}).*"}}', since)
    if name == "query_result" and inside:
        result = source.query(inside)
        if isinstance(result, QueryError):
            return Unavailable(Cause.BAD_RESPONSE, f"{query}: {result.words}")
        return tuple(series_name(labels) for labels in result.labels)
    return Unavailable(Cause.NOT_SUPPORTED, f"the query of a variable is not understood: {query[:100]}")


def _exhibit(panel: str, one: Outcome) -> Exhibit:
    assert one.source is not None  # noqa: S101 - the caller looked
    facts: dict[str, str | int | float | bool | None] = {"panel": panel, "state": one.state.value}
    if one.series:
        facts["series"] = one.series
    return Exhibit(
        source=one.source.lane.label, request=one.source.repeat(redact_text(one.asked), one.back), facts=facts
    )
