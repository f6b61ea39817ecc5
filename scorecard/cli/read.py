"""`show`, `history` and `diff`: one service, from the store or a server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorecard.cli.output import CHECK_FORMATS, LIST_FORMATS, OutputType, Target, chosen, write, write_report
from scorecard.cli.problems import Refused
from scorecard.cli.sources import server_option, source
from scorecard.cli.workspace import clock, config_option

if TYPE_CHECKING:
    from scorecard.document import Document

_DAY_COLUMNS = ("day", "score", "score_upper", "coverage", "level")
_CHANGE_COLUMNS = ("at", "row", "check", "before", "after", "cause", "message")


class Instant(click.ParamType[datetime]):
    """An instant: RFC 3339, or a day, which is its midnight UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 - click's signature
        """Read it."""
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-11-23T04:10:00Z, nor a day such as 2026-11-23", param, ctx)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


@click.command(short_help="Show a scorecard as it was last measured.")
@click.argument("name", metavar="SERVICE")
@server_option
@click.option("--at", type=Instant(), metavar="TIME", help="As it stood then.")
@click.option("--environment", metavar="E", help="The environment; production unless given.")
@click.option("--checklist", metavar="NAME", help="This checklist; the service's primary one unless given.")
@click.option(
    "-o",
    "--output",
    "targets",
    multiple=True,
    type=OutputType(CHECK_FORMATS),
    help=f"Output: {', '.join(CHECK_FORMATS)}; may be repeated with files.",
)
@config_option
def show(
    name: str,
    server: str | None,
    at: datetime | None,
    environment: str | None,
    checklist: str | None,
    targets: tuple[Target, ...],
    config_file: Path | None,
) -> int:
    """Show the scorecard of SERVICE as it was last measured. Always exits 0 when there is one to show."""
    from scorecard.cli.report import Place, Report, check_lines
    from scorecard.cli.subject import service_key

    outputs = chosen(targets)
    key = service_key(name, environment)
    document = source(server, config_file).scorecard(key, checklist, at)
    lines = check_lines(document, Place(f"services/{key.name}.yaml", 1))
    write_report(Report(documents=(document,), lines=lines), outputs)
    return 0


@click.command(short_help="Show the score of a service by day.")
@click.argument("name", metavar="SERVICE")
@server_option
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="How far back.")
@click.option("--environment", metavar="E", help="The environment; production unless given.")
@click.option("--checklist", metavar="NAME", help="This checklist; the service's primary one unless given.")
@click.option("--changes", is_flag=True, help="The changes with their causes, in place of the scores by day.")
@click.option("-o", "--output", "form", type=click.Choice(LIST_FORMATS), default="table", help="Output.")
@config_option
def history(
    name: str,
    server: str | None,
    days: int,
    environment: str | None,
    checklist: str | None,
    changes: bool,  # noqa: FBT001 - click hands flags over by name
    form: str,
    config_file: Path | None,
) -> int:
    """Show the score of SERVICE by day, oldest first; a day on which nothing was measured is missing."""
    from scorecard.cli.formats.listing import listing
    from scorecard.cli.subject import service_key

    found = source(server, config_file).history(service_key(name, environment), checklist, days)
    columns, rows = (_CHANGE_COLUMNS, found["items"]) if changes else (_DAY_COLUMNS, found["days"])
    write(listing(form, columns, [{column: row.get(column) for column in columns} for row in rows]))
    return 0


@click.command(short_help="Show what changed between two instants, and why.")
@click.argument("name", metavar="SERVICE")
@click.argument("first", metavar="A", type=Instant())
@click.argument("last", metavar="B", type=Instant(), required=False)
@server_option
@click.option("--environment", metavar="E", help="The environment; production unless given.")
@click.option("--checklist", metavar="NAME", help="This checklist; the service's primary one unless given.")
@click.option("-o", "--output", "form", type=click.Choice(["table", "json"]), default="table", help="Output.")
@config_option
def diff(
    name: str,
    first: datetime,
    last: datetime | None,
    server: str | None,
    environment: str | None,
    checklist: str | None,
    form: str,
    config_file: Path | None,
) -> int:
    """Show what changed for SERVICE between the instants A and B (now unless given), and why."""
    from scorecard.cli.subject import service_key

    now = clock()
    until = min(last or now, now)
    if first >= until:
        raise Refused(f"A ({first:%Y-%m-%d %H:%M} UTC) does not lie before B ({until:%Y-%m-%d %H:%M} UTC)")
    key, asked = service_key(name, environment), source(server, config_file)
    before = asked.scorecard(key, checklist, first)
    after = asked.scorecard(key, checklist, until if last else None)
    changes = asked.changes(key, checklist, first, until)
    if form == "json":
        whole = {
            "service": key.name,
            "environment": key.environment,
            "from": _side(before, first),
            "to": _side(after, until),
            "rows": _rows_that_differ(before, after),
            "changes": changes,
        }
        write(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
        return 0
    write("\n".join(_told(before, after, changes)) + "\n")
    return 0


def _side(document: Document, at: datetime) -> dict[str, Any]:
    from scorecard.document import rfc3339

    return {"at": rfc3339(at), **{name: document[name] for name in ("score", "score_upper", "coverage", "level")}}


def _rows_that_differ(before: Document, after: Document) -> list[dict[str, Any]]:
    old = {row["id"]: row["status"] for row in before["rows"]}
    new = {row["id"]: row["status"] for row in after["rows"]}
    return [
        {"row": row, "before": old.get(row), "after": new.get(row)}
        for row in dict.fromkeys([*new, *old])
        if old.get(row) != new.get(row)
    ]


def _told(before: Document, after: Document, changes: list[dict[str, Any]]) -> list[str]:
    from scorecard.cli.formats.listing import plain
    from scorecard.cli.text import number

    said = (
        f"score {number(before['score'])} to {number(after['score'])}, "
        f"coverage {number(before['coverage'])} to {number(after['coverage'])} %, "
        f"level {before['level']} to {after['level']}"
    )
    lines = [said]
    rows = _rows_that_differ(before, after)
    lines += ["", plain(("row", "before", "after"), rows).rstrip()] if rows else ["no row changed"]
    if changes:
        shown = [{column: change.get(column) for column in _CHANGE_COLUMNS} for change in changes]
        lines += ["", plain(_CHANGE_COLUMNS, shown).rstrip()]
    return lines
