"""Markdown for a pull request's comment or a pipeline's summary."""

from __future__ import annotations

import re

from scorecard.cli.report import Line, Report, first_fixes
from scorecard.cli.text import hint, number, visible
from scorecard.document import Document
from scorecard.gate import Decision
from scorecard.model import Status, Verdict

_MARKS = {
    Status.PASS: "✅ pass",
    Status.WARN: "⚠️ warn",
    Status.FAIL: "❌ fail",
    Status.UNKNOWN: "❔ unknown",
    Status.NOT_APPLICABLE: "▫️ not applicable",
}
_VERDICTS = {Verdict.GO: "✅ go", Verdict.NO_GO: "❌ no go", Verdict.CANNOT_TELL: "❔ cannot tell"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&@])")
_FIXES = 5


def markdown(report: Report) -> str:
    """Render a report: per service the verdict, the score with its range, a table of rows, and what to fix first."""
    parts = [_service(document, report) for document in report.documents]
    parts += [_gate(str(answer.service), answer.decision) for answer in report.gates]
    return "\n".join(parts)


def escaped(text: str) -> str:
    """Other people's words as words: no markup, no HTML, no mention, no table cell that ends early."""
    return _SPECIAL.sub(r"\\\1", visible(text)).replace("\\@", "&#64;")


def _service(document: Document, report: Report) -> str:
    gate = document["gate"]
    name = document["service"]
    head = [f"### {escaped(name)}: {_VERDICTS[Verdict(gate['verdict'])] if gate else document['level']}", ""]
    head += [
        _sentence(document),
        "",
        "| | Row | What was seen | Points |",
        "|---|---|---|---:|",
    ]
    rows = [_row(row) for row in document["rows"]]
    rows += [f"| · not asked | {escaped(row)} | | |" for row in document["not_asked"]]
    lines = [line for line in report.lines if line.service.name == name]
    return "\n".join([*head, *rows, "", *_reasons(gate["reasons"] if gate else ()), *_fixes(lines)])


def _sentence(document: Document) -> str:
    checklist = document["checklist"]
    return (
        f"Score **{number(document['score'])}** (up to {number(document['score_upper'])}), coverage "
        f"{number(document['coverage'])} %, {checklist['name']} version {checklist['version']}, "
        f"{document['taken_at'] or 'never measured'}."
    )


def _row(row: Document) -> str:
    status = Status(row["status"])
    points = f"+{row['points']}" if status in {Status.FAIL, Status.WARN, Status.UNKNOWN} else ""
    return f"| {_MARKS[status]} | {escaped(row['title'])} | {_seen(row)} | {points} |"


def _seen(row: Document) -> str:
    if row["not_applicable"]:
        return escaped(row["not_applicable"]["reason"])
    told = [check for check in row["checks"] if check["status"] not in {Status.PASS, Status.NOT_APPLICABLE}]
    return "<br>".join(f"**{escaped(check['id'])}** {escaped(check['message'])}" for check in told)


def _reasons(reasons: tuple[str, ...]) -> list[str]:
    return [*(f"- {escaped(reason)}" for reason in reasons), ""] if reasons else []


def _fixes(lines: list[Line]) -> list[str]:
    found = [line for line in first_fixes(lines) if line.remedy]
    if not found:
        return []
    fixes = [
        f"{count}. `{line.id}`: {escaped(hint(line.remedy))} (`scorecard explain {line.id}`)"
        for count, line in enumerate(found[:_FIXES], 1)
    ]
    return ["Fix first:", "", *fixes, ""]


def _gate(name: str, decision: Decision) -> str:
    return "\n".join([f"### {escaped(name)}: {_VERDICTS[decision.verdict]}", "", *_reasons(decision.reasons)])
