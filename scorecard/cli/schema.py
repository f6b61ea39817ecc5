"""`scorecard schema` and `scorecard openapi`: the formats, as machines read them."""

from __future__ import annotations

import json
from typing import Any

import click

from scorecard.cli.output import write

KINDS = ("config", "service", "checklist", "scorecard", "drill", "drill-report")


@click.command(short_help="Print a JSON Schema.")
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
def schema(kind: str) -> int:
    """Print the JSON Schema (2020-12) of KIND: config, service, checklist, scorecard, drill or drill-report."""
    write(json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n")
    return 0


def json_schema(kind: str) -> dict[str, Any]:
    """The schema of one of `KINDS`."""
    if kind == "config":
        from scorecard.config import config_schema

        return config_schema()
    if kind == "service":
        from scorecard.catalog import service_schema

        return service_schema()
    if kind == "checklist":
        from scorecard.json_schema import titled
        from scorecard.registry import ChecklistFile

        return titled(ChecklistFile.model_json_schema(), "A checklist")
    if kind == "drill":
        from scorecard.drill.spec import drill_schema

        return drill_schema()
    if kind == "drill-report":
        from scorecard.drill.report import report_schema

        return report_schema()
    from scorecard.api.schemas import scorecard_schema

    return scorecard_schema()


@click.command(short_help="Print the OpenAPI document of the HTTP API.")
def openapi() -> int:
    """Print the OpenAPI 3.1 description of the HTTP API."""
    from scorecard import __version__
    from scorecard.api import openapi_document

    write(json.dumps(openapi_document(__version__), indent=2, ensure_ascii=False) + "\n")
    return 0
