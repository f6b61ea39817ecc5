"""SARIF 2.1.0, as GitHub and GitLab take it: every result has a location, or the whole file is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from scorecard import __version__
from scorecard.cli.report import Line, Place, Report, Severity
from scorecard.model import Status

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(report: Report) -> str:
    """Render a report: a result for each check, or each subject of it, that fails, warns or is unknown.

    A result points at the file and line of its subject, where that is a file of the checked directory, else at the
    line of the service's definition. Unknown is a warning, never a note without level.
    """
    said = [line for line in report.lines if line.severity is not None]
    rules = list(dict.fromkeys(line.id for line in said))
    first = {line.id: line for line in reversed(said)}
    run = {
        "tool": {
            "driver": {
                "name": "Readiness Scorecard",
                "semanticVersion": __version__,
                "rules": [_rule(first[rule]) for rule in rules],
            }
        },
        "results": [result for line in said for result in _results(line, rules.index(line.id))],
        "columnKind": "utf16CodeUnits",
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(line: Line) -> dict[str, Any]:
    remedy = line.remedy or "See the reasons."
    return {
        "id": line.id,
        "name": "".join(word.capitalize() for word in line.id.replace("/", "-").split("-")),
        "shortDescription": {"text": f"{line.title}: {line.check or line.row}"},
        "fullDescription": {"text": line.rule},
        "help": {"text": remedy, "markdown": remedy},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["production-readiness", line.row], "requirement": line.requirement.value},
    }


def _results(line: Line, index: int) -> list[dict[str, Any]]:
    placed = [part for part in line.parts if part.place and part.status is line.status]
    if not placed:
        return [_result(line, index, line.place, f"{line.service}: {line.said}", "")]
    return [
        _result(line, index, part.place or line.place, f"{line.service}: {part.name}: {part.message}", part.name)
        for part in placed
    ]


def _result(line: Line, index: int, place: Place, message: str, subject: str) -> dict[str, Any]:
    identity = "\x1f".join([str(line.service), line.id, line.code, subject])
    return {
        "ruleId": line.id,
        "ruleIndex": index,
        "kind": "fail",
        "level": (line.severity or Severity.NOTE).value,
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(place.file), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": max(place.line, 1)},
                }
            }
        ],
        "partialFingerprints": {"scorecardFinding/v1": hashlib.sha256(identity.encode()).hexdigest()},
        "properties": {
            "status": line.status.value,
            "cause": line.cause or None,
            "points": line.points,
            "measured": line.status is not Status.UNKNOWN,
        },
    }
