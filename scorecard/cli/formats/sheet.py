"""CSV for a spreadsheet. A cell that a spreadsheet would take for a formula is quoted with an apostrophe."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from scorecard.cli.report import Report

_COLUMNS = (
    "service",
    "environment",
    "row",
    "check",
    "requirement",
    "risk",
    "status",
    "cause",
    "message",
    "points",
    "observed_at",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sheet(report: Report) -> str:
    """Render a report: a line per check, or per reason of the gate."""
    return table(
        _COLUMNS,
        (
            (
                line.service.name,
                line.service.environment,
                line.row,
                line.check,
                line.requirement.value,
                line.risk,
                line.status.value,
                line.cause,
                line.message,
                line.points or "",
                line.observed_at,
            )
            for line in report.lines
        ),
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV of RFC 4180 with one line feed a line and formulas made harmless."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def cell(value: object) -> object:
    """A value as it may stand in a spreadsheet."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
