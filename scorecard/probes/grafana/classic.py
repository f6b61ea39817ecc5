"""The classic dashboard, as `/api/dashboards/uid/…` and the `spec` of a v1 resource have it, of any age.

Rows are panels that hold panels while they are collapsed; before schema version 16 they were a list of their own.
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scorecard.evidence.dashboards import Filter, Panel, PanelQuery, SourceRef, Variable
from scorecard.probes.grafana import declarations
from scorecard.probes.grafana.kinds import shows_data
from scorecard.probes.grafana.library import Library, Lost, resolved
from scorecard.probes.grafana.reading import listing, mapping, number, text, truth

MOST_PANELS = 1000
MOST_QUERIES = 60
_SHARED = "-- Dashboard --"
_MIXED = "-- Mixed --"


def panels(spec: Mapping[str, Any], library: Library) -> tuple[Panel, ...]:
    """The data panels, in the order in which they are written."""
    found: list[Panel] = []
    for raw in _flat(spec):
        panel = _panel(raw, library)
        if panel is not None:
            found.append(panel)
        if len(found) == MOST_PANELS:
            break
    return tuple(found)


def variables(spec: Mapping[str, Any]) -> tuple[Variable, ...]:
    """The variables of `templating.list`."""
    return tuple(_variable(raw) for raw in listing(spec, "templating", "list") if text(raw, "name"))


def imports(spec: Mapping[str, Any]) -> dict[str, str]:
    """Data sources that an exported dashboard asks for at import (`__inputs`): name to plugin."""
    return {
        text(raw, "name"): text(raw, "pluginId")
        for raw in listing(spec, "__inputs")
        if text(raw, "type") == "datasource" and text(raw, "name")
    }


def source_ref(value: object) -> SourceRef:
    """A data source as a panel names it: an object of uid and type, or a name alone in an old one."""
    if isinstance(value, str):
        named = text(value)
        return SourceRef(uid="" if named == "default" else named)
    return SourceRef(uid=text(value, "uid"), type=text(value, "type"))


def _flat(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Panels out of their rows, without recursion: a hostile document nests them deep."""
    todo: list[Any] = [*listing(spec, "panels")]
    for row in listing(spec, "rows"):
        todo += listing(row, "panels")
    todo.reverse()
    while todo:
        raw = mapping(todo.pop())
        todo += reversed(listing(raw, "panels"))
        # A repeated copy that was saved along: Grafana drops it and repeats the first one anew.
        if raw and raw.get("repeatPanelId") is None:
            yield raw


def _panel(raw: Mapping[str, Any], library: Library) -> Panel | None:
    shared = text(raw, "libraryPanel", "uid")
    body = resolved(shared, library) if shared and not listing(raw, "targets") else raw
    identity = number(raw, "id")
    title = text(raw, "title") or text(raw, "libraryPanel", "name")
    if isinstance(body, Lost):
        name = panel_name(title, identity)
        return Panel(name=name, kind="", queries=(), id=identity, unread=body.unread, fault=body.fault)
    kind = text(body, "type")
    queries = _queries(body)
    if not shows_data(kind, asks=bool(queries)):
        return None
    description = text(body, "description")
    return Panel(
        name=panel_name(title or text(body, "title"), identity),
        kind=kind,
        queries=queries,
        id=identity,
        interval=text(body, "interval"),
        time_from=text(body, "timeFrom"),
        time_shift=text(body, "timeShift"),
        may_be_empty=declarations.may_be_empty(description),
        signals=declarations.signals(description),
    )


def panel_name(title: str, identity: int | None) -> str:
    """Title and id."""
    shown = " ".join(title.split())[:120] or "untitled"
    return shown if identity is None else f"{shown} (panel {identity})"


def _queries(raw: Mapping[str, Any]) -> tuple[PanelQuery, ...]:
    own = source_ref(raw.get("datasource"))
    found = []
    for target in listing(raw, "targets")[:MOST_QUERIES]:
        # The panel's data source counts for all of its queries, unless it is mixed or left open.
        given = source_ref(mapping(target).get("datasource"))
        taken = own.uid == _MIXED or (not own.uid and bool(given.uid or given.type))
        source = given if taken else own
        shared = source.uid == _SHARED
        found.append(
            PanelQuery(
                ref=text(target, "refId"),
                expression=text(target, "expr").strip(),
                source=source,
                hidden=truth(target, "hide"),
                panel=number(target, "panelId") if shared else None,
            )
        )
    return tuple(found)


def _variable(raw: object) -> Variable:
    kind = text(raw, "type")
    given = mapping(raw).get("query")
    query = text(given) if not isinstance(given, Mapping) else text(given, "query") or text(raw, "definition")
    return Variable(
        name=text(raw, "name"),
        type=kind,
        query=query,
        source=source_ref(mapping(raw).get("datasource")),
        current=values(mapping(raw, "current").get("value")),
        options=tuple(text(one, "value") for one in listing(raw, "options") if text(one, "value") != "$__all")[:2000],
        regex=text(raw, "regex"),
        sort=number(raw, "sort") or 0,
        multi=truth(raw, "multi"),
        include_all=truth(raw, "includeAll"),
        all_value=text(raw, "allValue"),
        refresh=bool(number(raw, "refresh")) or truth(raw, "refresh"),
        filters=filters(listing(raw, "filters")),
    )


def values(value: object) -> tuple[str, ...]:
    """The value of a variable as saved: one, or several; an empty text counts where it is one."""
    if isinstance(value, list):
        return tuple(text(one) for one in value if isinstance(one, str | int | float))
    return (text(value),) if isinstance(value, str | int | float) else ()


def filters(raw: list[Any]) -> tuple[Filter, ...]:
    """Ad hoc filters that say something."""
    return tuple(
        Filter(key=text(one, "key"), operator=text(one, "operator") or "=", value=text(one, "value"))
        for one in raw
        if text(one, "key")
    )
