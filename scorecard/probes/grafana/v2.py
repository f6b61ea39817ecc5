"""The v2 dashboard (`dashboard.grafana.app/v2…`): elements in a mapping, and a layout that shows them.

A query's plugin and data source moved between versions: in v2alpha1 the plugin is the query's `kind` and the data
source stands beside it, later the `kind` is `DataQuery`, the plugin its `group`, and the data source within it.
https://grafana.com/docs/grafana/latest/as-code/observability-as-code/schema-v2/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scorecard.evidence.dashboards import Panel, PanelQuery, SourceRef, Variable
from scorecard.probes.grafana import classic, declarations
from scorecard.probes.grafana.kinds import shows_data
from scorecard.probes.grafana.library import Library, Lost, resolved
from scorecard.probes.grafana.reading import clean, listing, mapping, number, text, truth

_TYPES = {
    "QueryVariable": "query",
    "CustomVariable": "custom",
    "ConstantVariable": "constant",
    "TextVariable": "textbox",
    "IntervalVariable": "interval",
    "DatasourceVariable": "datasource",
    "AdhocVariable": "adhoc",
    "GroupByVariable": "groupby",
    "SwitchVariable": "switch",
}
_SORTS = (
    "disabled", "alphabeticalAsc", "alphabeticalDesc", "numericalAsc", "numericalDesc",
    "alphabeticalCaseInsensitiveAsc", "alphabeticalCaseInsensitiveDesc", "naturalAsc", "naturalDesc",
)  # fmt: skip
_MOST_NODES = 20_000


def panels(spec: Mapping[str, Any], library: Library) -> tuple[Panel, ...]:
    """The data panels that the layout shows, in its order; all of them where it names none."""
    elements = mapping(spec, "elements")
    shown = [name for name in _shown(spec.get("layout")) if name in elements] or list(elements)
    found = []
    for name in list(dict.fromkeys(shown))[: classic.MOST_PANELS]:
        panel = _panel(name, mapping(elements, name), library)
        if panel is not None:
            found.append(panel)
    return tuple(found)


def variables(spec: Mapping[str, Any]) -> tuple[Variable, ...]:
    """The variables of `variables`."""
    return tuple(_variable(raw) for raw in listing(spec, "variables") if text(raw, "spec", "name"))


def _shown(layout: object) -> list[str]:
    """The names in all `ElementReference`s of a layout, however rows, tabs and grids are nested."""
    found: list[str] = []
    todo: list[Any] = [layout]
    for _ in range(_MOST_NODES):
        if not todo:
            break
        node = todo.pop()
        if isinstance(node, list):
            todo += reversed(node)
        elif isinstance(node, Mapping):
            if node.get("kind") == "ElementReference" and isinstance(node.get("name"), str):
                found.append(node["name"])
            todo += reversed(list(node.values()))
    return found


def _panel(name: str, element: Mapping[str, Any], library: Library) -> Panel | None:
    spec = mapping(element, "spec")
    identity = number(spec, "id")
    title = text(spec, "title")
    if text(element, "kind") == "LibraryPanel":
        uid = text(spec, "libraryPanel", "uid")
        model = resolved(uid, library)
        shown = title or text(spec, "libraryPanel", "name")
        if isinstance(model, Lost):
            named = classic.panel_name(shown, identity)
            return Panel(name=named, kind="", queries=(), id=identity, unread=model.unread, fault=model.fault)
        found = classic.panels({"panels": [{**model, "id": identity, "title": shown}]}, library)
        return found[0] if found else None
    if text(element, "kind") not in {"Panel", ""}:
        return None
    config = mapping(spec, "vizConfig")
    kind = text(config, "group") or text(config, "kind")
    data = mapping(spec, "data", "spec")
    queries = tuple(_query(raw) for raw in listing(data, "queries")[: classic.MOST_QUERIES])
    if not shows_data(kind, asks=bool(queries)):
        return None
    description = text(spec, "description")
    return Panel(
        name=classic.panel_name(title or clean(name), identity),
        kind=kind,
        queries=queries,
        id=identity,
        interval=text(data, "queryOptions", "interval"),
        time_from=text(data, "queryOptions", "timeFrom"),
        time_shift=text(data, "queryOptions", "timeShift"),
        may_be_empty=declarations.may_be_empty(description),
        signals=declarations.signals(description),
    )


def _source(owner: object, query: object) -> SourceRef:
    """The data source of a query, from wherever this version has it."""
    beside, within = mapping(owner, "datasource"), mapping(query, "datasource")
    kind = text(query, "kind")
    plugin = text(query, "group") or ("" if kind == "DataQuery" else kind)
    uid = text(within, "name") or text(within, "uid") or text(beside, "uid") or text(beside, "name")
    return SourceRef(uid=uid, type=text(beside, "type") or plugin)


def _query(raw: object) -> PanelQuery:
    spec = mapping(raw, "spec")
    query = mapping(spec, "query")
    return PanelQuery(
        ref=text(spec, "refId"),
        expression=text(query, "spec", "expr").strip(),
        source=_source(spec, query),
        hidden=truth(spec, "hidden"),
        panel=number(query, "spec", "panelId"),
    )


def _variable(raw: object) -> Variable:
    spec = mapping(raw, "spec")
    kind = _TYPES.get(text(raw, "kind"), text(raw, "kind"))
    given = spec.get("query")
    body = mapping(given, "spec")
    # Ad hoc and grouping variables have their data source beside `spec` or in it, by version.
    owner = raw if mapping(raw, "datasource") else spec
    plugin = text(raw, "group")
    if isinstance(given, Mapping):
        query = text(body, "query") or text(body, "__legacyStringValue") or text(spec, "definition")
        source = _source(spec, given)
    else:
        query = text(given)
        source = SourceRef(uid=text(owner, "datasource", "name") or text(owner, "datasource", "uid"), type=plugin)
    if kind == "datasource":
        query = text(spec, "pluginId")
    if kind == "switch":
        current = classic.values(spec.get("current"))
    else:
        current = classic.values(mapping(spec, "current").get("value"))
    sort = text(spec, "sort")
    return Variable(
        name=text(spec, "name"),
        type=kind,
        query=query,
        source=source,
        current=current,
        options=tuple(text(one, "value") for one in listing(spec, "options") if text(one, "value") != "$__all")[:2000],
        regex=text(spec, "regex"),
        sort=_SORTS.index(sort) if sort in _SORTS else 0,
        multi=truth(spec, "multi"),
        include_all=truth(spec, "includeAll"),
        all_value=text(spec, "allValue"),
        refresh=text(spec, "refresh") in {"onDashboardLoad", "onTimeRangeChanged"},
        filters=classic.filters([*listing(spec, "filters"), *listing(spec, "baseFilters")]),
    )
