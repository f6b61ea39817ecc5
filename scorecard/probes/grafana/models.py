"""A dashboard in any of Grafana's three models, told apart by its shape and not by where it came from."""

from __future__ import annotations

from collections.abc import Mapping

from scorecard.evidence.dashboards import Dashboard, Model
from scorecard.probes.grafana import classic, library, v2
from scorecard.probes.grafana.library import Library
from scorecard.probes.grafana.reading import mapping, text


def read_dashboard(document: object, *, base: str = "", uid: str = "", panels: Library = library.nothing) -> Dashboard:
    """Read the answer of `/api/dashboards/uid/UID`, a resource of `/apis/dashboard.grafana.app`, or what is in them.

    Args:
        document: any JSON value; whatever is not as expected is left out.
        base: Grafana's address, for the dashboard's own.
        uid: as it was asked for, where the document does not say it.
        panels: gives the models of library panels.
    """
    body = mapping(document)
    path = text(body, "meta", "url")
    if isinstance(body.get("dashboard"), Mapping):
        body = mapping(body, "dashboard")
    model = Model.CLASSIC
    name = text(body, "uid")
    if isinstance(body.get("spec"), Mapping):
        name = text(body, "metadata", "name") or name
        path = path or text(body, "access", "url")
        model = Model.V1
        body = mapping(body, "spec")
    if isinstance(body.get("elements"), Mapping):
        model = Model.V2
    name = name or uid
    one = v2 if model is Model.V2 else classic
    times = mapping(body, "timeSettings") if model is Model.V2 else mapping(body, "time")
    found = classic.imports(body)
    return Dashboard(
        uid=name,
        title=" ".join(text(body, "title").split())[:200] or name,
        url=f"{base.rstrip('/')}{path if path.startswith('/') else f'/d/{name}'}" if base else "",
        model=model,
        panels=one.panels(body, panels),
        variables=one.variables(body),
        time_from=text(times, "from") or "now-6h",
        time_to=text(times, "to") or "now",
        imports=found or None,
    )
