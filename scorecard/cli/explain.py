"""`scorecard explain`: the rule, the evidence it rests on, and how to fix what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scorecard.cli.output import write
from scorecard.cli.problems import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorecard.check import Check, Row
    from scorecard.checklist import Checklist


@click.command(short_help="Explain a row or a check, and how to fix it.")
@click.argument("topic", required=False, metavar="[ROW[/CHECK]]")
@click.option("--checklist", metavar="NAME", help="Rows and thresholds of this checklist; by default of every one.")
def explain(topic: str | None, checklist: str | None) -> int:
    """Explain a row or a check: its rule, its evidence, how to fix it. Without a name, list the rows."""
    from scorecard.cli.workspace import checklists_named

    chosen = checklists_named(checklist)
    if topic is None:
        write("\n".join(_index(chosen)) + "\n")
        return 0
    row_id, _, check_id = topic.partition("/")
    found = [(each, entry) for each in chosen for entry in each.rows if entry.id == row_id]
    if not found:
        raise Refused(_unknown(row_id, [entry.id for each in chosen for entry in each.rows], "row"))
    _, entry = found[0]
    known = [check.id for check in entry.checks]
    if check_id and check_id not in known:
        raise Refused(_unknown(check_id, known, f"check of {row_id}"))
    checks = [check for check in entry.checks if check_id in {"", check.id}]
    parts = [_row(entry.row, entry.id, entry.risk.value, entry.weight, [each.name for each, _ in found])]
    parts += [_check(check, entry.id, entry.limits) for check in checks]
    write("\n\n".join(parts) + "\n")
    return 0


def _unknown(name: str, known: list[str], what: str) -> str:
    from scorecard.problems import nearest

    near = nearest(name, known)
    return f"there is no {what} {name!r}" + (f"; did you mean {near}?" if near else f"; known: {', '.join(known)}")


def _index(checklists: tuple[Checklist, ...]) -> Iterator[str]:
    """The rows of each checklist, with their checks: required ones plain, advisory ones in brackets."""
    for index, checklist in enumerate(checklists):
        if index:
            yield ""
        yield f"{checklist.name} version {checklist.version}: {checklist.title}"
        width = max(len(entry.id) for entry in checklist.rows)
        for entry in checklist.rows:
            yield f"  {entry.id:<{width}}  {entry.risk.value:<8}  {entry.row.title}"
            checks = [check.id if check.requirement == "required" else f"[{check.id}]" for check in entry.checks]
            yield f"  {'':<{width}}  {'':<8}  {', '.join(checks)}"


def _row(row: Row, row_id: str, risk: str, weight: int, checklists: list[str]) -> str:
    facts = f"{row.category.value} · {risk} risk, weight {weight} · {', '.join(checklists)}"
    links = "".join(f"\n  {link}" for link in row.links)
    return f"{row_id}: {row.title}\n{facts}\n{row.why}{links}"


def _check(check: Check, row_id: str, limits: object) -> str:
    lines = [
        f"{row_id}/{check.id} ({check.requirement.value}, rule version {check.version})",
        f"  Rule: {check.rule(limits)}",
        f"  Evidence: {_evidence(check)}",
    ]
    if check.attests:
        lines.append("  A signed statement may stand in where no machine can see.")
    lines += ["  How to fix:", *(f"    {line}".rstrip() for line in check.remedy.strip().splitlines())]
    return "\n".join(lines)


def _evidence(check: Check) -> str:
    if check.function is None:
        return f"not collected by this version: it waits for {check.awaits}"
    from scorecard.model import format_duration

    kinds = []
    for want in check.wants:
        about = (want.kind.__doc__ or "").strip().split("\n")[0].rstrip(".")
        age = format_duration(want.kind.oldest())
        kinds.append(f"{want.kind.kind()}: {about} (asked at the {want.kind.cadence} cadence, counts for {age})")
    return "; ".join(kinds)
