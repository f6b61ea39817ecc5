"""Output formats of `check` and `gate`: a report in, a text out. Pure; the exit code was decided before."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from scorecard.cli.formats.github import github
from scorecard.cli.formats.junit import junit
from scorecard.cli.formats.markdown import markdown
from scorecard.cli.formats.sarif import sarif
from scorecard.cli.formats.sheet import sheet
from scorecard.cli.report import GateAnswer, Report

Format = Callable[[Report], str]


def as_json(report: Report) -> str:
    """The scorecard document, or a list of them; for the gate `{service, environment, verdict, reasons, exit_code}`."""
    found: list[Any] = [gate_json(answer, report.notes) for answer in report.gates] or list(report.documents)
    return json.dumps(found if report.several else found[0], indent=2, ensure_ascii=False) + "\n"


def gate_json(answer: GateAnswer, notes: Mapping[str, str]) -> dict[str, Any]:
    """The gate's answer as the API has it, with the service it is about."""
    return {
        "service": answer.service.name,
        "environment": answer.service.environment,
        "verdict": answer.decision.verdict.value,
        "reasons": list(answer.decision.reasons),
        "exit_code": answer.decision.exit_code,
        **notes,
    }


MACHINE: Mapping[str, Format] = {
    "json": as_json,
    "junit": junit,
    "sarif": sarif,
    "markdown": markdown,
    "github": github,
    "csv": sheet,
}
"""Every format but `table`, which needs to know the width of what it is printed on."""

NAMES = ("table", *MACHINE)
