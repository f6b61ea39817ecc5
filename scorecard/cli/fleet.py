"""`scorecard list`: the services with their scores, lowest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from scorecard.cli.output import LIST_FORMATS, write
from scorecard.cli.problems import Refused
from scorecard.cli.sources import server_option, source
from scorecard.cli.workspace import config_option

_COLUMNS = (
    "name",
    "environment",
    "team",
    "tier",
    "score",
    "score_upper",
    "coverage",
    "level",
    "verdict",
    "taken_at",
    "stale",
)
_SORTS = ("score", "name", "team", "tier", "coverage", "age")


@click.command("list", short_help="List the services, the lowest score first.")
@server_option
@click.option("--q", metavar="TEXT", help="Part of a service's or a team's name.")
@click.option("--team", metavar="TEAM", help="Only services of this team.")
@click.option("--tier", metavar="TIER", help="Only services of this tier.")
@click.option("--environment", metavar="E", help="Only this environment; every one unless given.")
@click.option(
    "--lifecycle", type=click.Choice(["experimental", "production", "deprecated"]), help="Only this lifecycle."
)
@click.option("--row", metavar="ROW", help="With --status: services in which this row has it.")
@click.option(
    "--status",
    type=click.Choice(["pass", "warn", "fail", "unknown", "not_applicable"]),
    help="Of --row, or of any row.",
)
@click.option(
    "--level",
    type=click.Choice(["ready", "nearly", "not-ready", "unknown", "below"]),
    help="Only this level; below is measured and not ready.",
)
@click.option("--score", metavar="RANGE", help="Such as 50-60, 80- or -50; half-open.")
@click.option(
    "--measured/--unmeasured", default=None, help="Only services that were looked at within a day, or were not."
)
@click.option("--stale/--fresh", default=None, help="Only services whose live answers are too old, or are not.")
@click.option(
    "--sort",
    type=click.Choice([*_SORTS, *(f"-{word}" for word in _SORTS)]),
    default="score",
    metavar="KEY",
    help=f"{', '.join(_SORTS)}; a leading - turns it round.",
)
@click.option("--checklist", metavar="NAME", help="Scores on this checklist; the first configured one unless given.")
@click.option("-o", "--output", "form", type=click.Choice(LIST_FORMATS), default="table", help="Output.")
@config_option
def list_services(server: str | None, form: str, config_file: Path | None, **filters: Any) -> int:  # noqa: ANN401 - the filters, as click has read them
    """List the services with score, range, coverage and level, the lowest score first."""
    from pydantic import ValidationError

    from scorecard.cli.formats.listing import listing
    from scorecard.cli.problems import CannotTell

    given = {name: value for name, value in filters.items() if value is not None} | {"limit": 200}
    for name in ("stale", "measured"):
        if name in given:
            given[name] = "true" if given[name] else "false"
    try:
        found = list(source(server, config_file).services(given))
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"--{first['loc'][0]}: {first['input']!r}: {first['msg'].lower()}") from error
    try:
        rows = (
            found if form in {"json", "ndjson"} else [{column: item[column] for column in _COLUMNS} for item in found]
        )
    except (KeyError, TypeError) as error:
        raise CannotTell(f"an item of the server's list has no {error}; is it a scorecard?") from error
    write(listing(form, _COLUMNS, rows))
    return 0
