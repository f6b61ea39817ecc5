"""The table that a person reads: the checklist in its order, what was seen, and what to fix first."""

from __future__ import annotations

import io
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scorecard.cli.report import Line, Report, first_fixes
from scorecard.cli.text import STYLES, VERDICT_STYLES, Icons, hint, number, visible
from scorecard.document import Document
from scorecard.gate import Decision
from scorecard.model import Cause, Level, Requirement, Status, Verdict

_FIXES = 3
_REASONS = 8
_PARTS = 5
_NARROW = 60


@dataclass(frozen=True, slots=True)
class Look:
    """What the table is printed on."""

    width: int
    colour: bool
    icons: Icons


def table(report: Report, look: Look) -> str:
    """Render a report for a screen of `look.width` columns, or for a pipe, without colours."""
    text = io.StringIO()
    console = Console(
        file=text,
        width=max(look.width, _NARROW),
        force_terminal=look.colour,
        color_system="standard" if look.colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for index, document in enumerate(report.documents):
        if index:
            console.print()
        _service(console, document, report, look)
    for answer in report.gates:
        console.print(Text(f"{answer.service}  decided by {answer.source}", style="bold"))
        _decision(console, answer.decision)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _service(console: Console, document: Document, report: Report, look: Look) -> None:
    facts = (document["environment"], document["team"], document["tier"], document["type"])
    checklist = document["checklist"]
    console.print(
        Text.assemble(
            (visible(document["service"]), "bold"),
            f"  {' · '.join(visible(fact) for fact in facts if fact)}  ",
            (f"{checklist['name']} version {checklist['version']}", "dim"),
        ),
        soft_wrap=False,
    )
    console.print()
    grid = Table(box=None, show_header=True, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False, expand=False)
    grid.add_column("", no_wrap=True)
    grid.add_column("Row")
    grid.add_column("Points", justify="right", no_wrap=True)
    for row in document["rows"]:
        _row(grid, row, look)
    console.print(grid)
    _not_asked(console, document, look)
    console.print()
    _summary(console, document)
    lines = [line for line in report.lines if line.service == (document["service"], document["environment"])]
    _fixes(console, lines)


def _row(grid: Table, row: Document, look: Look) -> None:
    status = Status(row["status"])
    cell = Text.assemble((visible(row["title"]), "bold" if status is Status.FAIL else ""), (f"  {row['id']}", "dim"))
    if row["waiver"]:
        cell.append(f"\nwaived: {visible(row['waiver'])}", "cyan")
    if row["not_applicable"]:
        cell.append(f"\n{_exclusion(row['not_applicable'])}", "dim")
    for text, style in _told(row, look):
        cell.append(f"\n{text}", style)
    points = f"+{row['points']:.1f}" if status in {Status.FAIL, Status.WARN, Status.UNKNOWN} else ""
    grid.add_row(_state(status, look), cell, points)


def _exclusion(reason: Document) -> str:
    declared = f" (declared by {reason['declared_by']}, until {reason['until']})" if reason["declared_by"] else ""
    return visible(f"{reason['reason']}{declared}")


def _state(status: Status, look: Look) -> Text:
    return Text(f"{look.icons.statuses[status]} {status.word}", style=STYLES[status])


def _told(row: Document, look: Look) -> list[tuple[str, str]]:
    """A line per check that has something to say; checks that nothing can measure yet share one line."""
    lines: list[tuple[str, str]] = []
    for checks in _alike(row):
        check, status = checks[0], Status(checks[0]["status"])
        names = ", ".join(f"{one['id']}{_advice(one)}" for one in checks)
        cause = f"{check['cause'].replace('_', ' ')}: " if check["cause"] else ""
        sign = look.icons.statuses[status]
        message, parts = _parts(check, look)
        lines.append((f"{sign} {names}: {cause}{message}", _muted(status)))
        lines += parts
    waiting = [check["id"] for check in row["checks"] if check["cause"] == "not_supported"]
    if waiting:
        lines.append((f"{look.icons.statuses[Status.UNKNOWN]} not supported: {', '.join(waiting)}", "dim"))
    if row["not_asked"]:
        lines.append((f"{look.icons.not_asked} not asked: {', '.join(row['not_asked'])}", "dim"))
    return lines


def _alike(row: Document) -> list[list[Document]]:
    """The checks that have something to say; those that say the same stand together."""
    groups: dict[tuple[str, str], list[Document]] = {}
    for check in row["checks"]:
        silent = Status(check["status"]) in {Status.PASS, Status.NOT_APPLICABLE}
        if not silent and check["cause"] != Cause.NOT_SUPPORTED:
            groups.setdefault((check["status"], check["message"]), []).append(check)
    return list(groups.values())


def _advice(check: Document) -> str:
    return "" if check["requirement"] == Requirement.REQUIRED else " (advisory)"


def _muted(status: Status) -> str:
    return STYLES[status].replace("bold ", "")


def _parts(check: Document, look: Look) -> tuple[str, list[tuple[str, str]]]:
    """The message and a line per subject, where the message counts several and would only string them together."""
    status = check["status"]
    parts = [part for part in check["subjects"] if part["status"] == status]
    message = visible(check["message"])
    head, colon, _ = message.partition(": ")
    if not colon or len(parts) < 2 or not head.startswith(f"{len(parts)} of {len(check['subjects'])} "):  # noqa: PLR2004 - one subject needs no list
        return message, []
    sign = look.icons.statuses[Status(status)]
    lines = [(f"  {sign} {visible(part['name'])}: {visible(part['message'])}", "") for part in parts[:_PARTS]]
    return head, lines if len(parts) <= _PARTS else [*lines, (f"  and {len(parts) - _PARTS} more", "dim")]


def _not_asked(console: Console, document: Document, look: Look) -> None:
    if document["not_asked"]:
        rows = ", ".join(document["not_asked"])
        console.print(Text(f"{look.icons.not_asked} not asked: {rows}", style="dim"))


def _summary(console: Console, document: Document) -> None:
    if document["score"] is None:
        console.print(Text("not measured", style="magenta"))
    else:
        console.print(
            Text.assemble(
                ("score ", "dim"),
                (number(document["score"]), "bold"),
                f" (up to {number(document['score_upper'])})  ",
                ("coverage ", "dim"),
                f"{number(document['coverage'])} %  ",
                ("level ", "dim"),
                Level(document["level"]).word,
            )
        )
    gate = document["gate"]
    if gate:
        _decision(console, Decision(verdict=Verdict(gate["verdict"]), reasons=tuple(gate["reasons"])))


def _decision(console: Console, decision: Decision) -> None:
    console.print(Text.assemble(("gate ", "dim"), (decision.verdict.word, VERDICT_STYLES[decision.verdict])))
    reasons, waiting = _folded(decision.reasons)
    for reason in reasons[:_REASONS]:
        console.print(Padding(Text(visible(reason)), (0, 0, 0, 2)))
    if len(reasons) > _REASONS:
        console.print(Padding(Text(f"and {len(reasons) - _REASONS} more reasons"), (0, 0, 0, 2)))
    if waiting:
        told = f"{len(waiting)} required checks are not supported by this version: {', '.join(dict.fromkeys(waiting))}"
        console.print(Padding(Text(told), (0, 0, 0, 2)))


def _folded(reasons: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The reasons that somebody can act on, and the rows of those that wait for a later version."""
    told, waiting = [], []
    for reason in reasons:
        subject, _, rest = reason.partition(": ")
        if "/" in subject and rest.startswith(f"{Cause.NOT_SUPPORTED.word}: "):
            waiting.append(subject.partition("/")[0])
        else:
            told.append(reason)
    return told, waiting


def _fixes(console: Console, lines: list[Line]) -> None:
    found = first_fixes(lines)
    if not found:
        return
    console.print()
    console.print(Text("Fix first", style="bold"))
    for count, line in enumerate(found[:_FIXES], 1):
        text = Text.assemble(
            f"{count}. {line.id} ", (f"+{line.points:.1f}", "bold"), f"  {visible(hint(line.remedy) or line.rule)}"
        )
        console.print(Padding(text, (0, 0, 0, 2)))
        console.print(Padding(Text(f"scorecard explain {line.id}", style="cyan"), (0, 0, 0, 5)))
