"""GitHub's workflow commands: annotations on the run and on the files of a pull request."""

from __future__ import annotations

from scorecard.cli.report import Line, Place, Report, Severity, loudest_first
from scorecard.cli.text import visible

_SHOWN = 10
"""GitHub shows ten annotations of each type and step, and drops the rest without a word."""
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def github(report: Report) -> str:
    """Render a report; of each type at most ten, the last of which says how many there are more."""
    found = loudest_first(report.lines)
    output = []
    for severity, command in _COMMANDS.items():
        lines = [line for line in found if line.severity is severity]
        shown = lines if len(lines) <= _SHOWN else lines[: _SHOWN - 1]
        output += [_command(command, _place(line), f"{line.service}: {line.id}", line.said) for line in shown]
        if len(lines) > _SHOWN:
            hidden = lines[_SHOWN - 1 :]
            names = ", ".join(line.id for line in hidden)
            output.append(_command(command, hidden[0].place, f"and {len(hidden)} more", names))
    output += [f"{key}: {said}" for key, said in _verdicts(report)]
    return "".join(f"{line}\n" for line in output)


def _verdicts(report: Report) -> list[tuple[str, str]]:
    gates = [(str(answer.service), answer.decision.verdict.word) for answer in report.gates]
    documents = [(document["service"], document["gate"]) for document in report.documents]
    return gates + [(name, gate["verdict"].replace("-", " ")) for name, gate in documents if gate]


def _place(line: Line) -> Place:
    return next((part.place for part in line.parts if part.place and part.status is line.status), line.place)


def _command(command: str, place: Place, title: str, message: str) -> str:
    properties = f"file={_property(place.file)},line={place.line},title={_property(title)}"
    return f"::{command} {properties}::{_data(visible(message))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")
