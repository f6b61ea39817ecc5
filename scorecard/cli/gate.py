"""`scorecard gate`: the launch decision, from what was measured."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorecard.cli.output import CHECK_FORMATS, OutputType, Target, chosen, say, write_report
from scorecard.cli.problems import CannotTell, Refused
from scorecard.cli.sources import ServerSource, StoreSource, server_option, source
from scorecard.cli.workspace import clock, config_option, find_service, open_workspace

if TYPE_CHECKING:
    from scorecard.gate import Decision
    from scorecard.model import ServiceKey

RECORD = "break-glass.jsonl"
"""Where a launch in spite of the gate is written down, beside the configuration: a JSON object a line."""


@click.command(short_help="Decide whether a service may launch.")
@click.argument("name", metavar="SERVICE")
@server_option
@click.option("--environment", metavar="E", help="The environment; production unless given.")
@click.option("--measure", is_flag=True, help="First measure again.")
@click.option("--report-only", is_flag=True, help="Exit 0 in place of 1; 2 and 3 stay.")
@click.option("--break-glass", metavar="REASON", help="Exit 0 whatever the gate says; who did it and why is recorded.")
@click.option(
    "-o",
    "--output",
    "targets",
    multiple=True,
    type=OutputType(CHECK_FORMATS),
    help=f"Output: {', '.join(CHECK_FORMATS)}; may be repeated with files.",
)
@config_option
def gate(
    name: str,
    server: str | None,
    environment: str | None,
    measure: bool,  # noqa: FBT001 - click hands flags over by name
    report_only: bool,  # noqa: FBT001 - as above
    break_glass: str | None,
    targets: tuple[Target, ...],
    config_file: Path | None,
) -> int:
    """Decide whether SERVICE may launch: go (0), no go (1) or cannot tell (3).

    A server that does not answer, a service that is not registered and an answer that makes no sense are 3.
    """
    from scorecard.cli.report import GateAnswer, Place, Report, gate_lines
    from scorecard.cli.subject import service_key

    outputs = chosen(targets)
    if break_glass is not None and not break_glass.strip():
        raise Refused("--break-glass: say why; the reason is recorded")
    key = service_key(name, environment)
    try:
        decision, where = _decide(key, server, config_file, measure=measure)
    except CannotTell as problem:
        from scorecard.gate import cannot_tell

        decision, where = cannot_tell(problem.message), server or "the store"
    code = decision.exit_code
    notes: dict[str, str] = {}
    if break_glass is not None:
        notes = _broken_glass(key, decision, break_glass.strip(), config_file)
        code = 0
    elif report_only and code == 1:
        notes, code = {"report_only": "exits 0 in place of 1"}, 0
    answer = GateAnswer(service=key, decision=decision, place=Place(f"services/{key.name}.yaml", 1), source=where)
    report = Report(gates=(answer,), lines=gate_lines(answer), exit_code=code, notes=notes)
    write_report(report, outputs)
    return report.exit_code


def _decide(key: ServiceKey, server: str | None, config_file: Path | None, *, measure: bool) -> tuple[Decision, str]:
    """The decision, and where it was made."""
    if not measure:
        found = source(server, config_file)
        return found.decision(key), found.name
    if server is None:
        return _measured(key, config_file), "what was measured just now"
    asked = source(server, config_file)
    if isinstance(asked, ServerSource):
        asked.measure(key)
    return asked.decision(key), asked.name


def _measured(key: ServiceKey, config_file: Path | None) -> Decision:
    """Probe everything now and decide from that, with the waivers of the store where there is one.

    Nothing is stored: one process writes to a store, and that is the server.
    """
    from scorecard.cli.measure import measure_now
    from scorecard.gate import decide

    workspace = open_workspace(config_file)
    service = find_service(workspace.catalog(), key)
    policy = workspace.config.policy(service.tier)
    checklist = workspace.checklist(policy.checklist, service)
    try:
        waivers = StoreSource(config_file).waivers(service.key)
    except CannotTell:
        waivers = ()
    [(snapshot, _)] = measure_now(workspace, (service,), lambda _: checklist, scope=None, rows=None)
    return decide(snapshot, policy, waivers, clock())


def _broken_glass(key: ServiceKey, decision: Decision, reason: str, config_file: Path | None) -> dict[str, str]:
    """Write down who launched in spite of the gate, and say so.

    Raises:
        Refused: the record cannot be written; then nothing is let through.
    """
    from scorecard.document import rfc3339

    person, at = _person(), rfc3339(clock()) or ""
    record = {
        "at": at,
        "person": person,
        "service": key.name,
        "environment": key.environment,
        "verdict": decision.verdict.value,
        "reasons": list(decision.reasons),
        "reason": reason,
    }
    file = (config_file.parent if config_file else Path()) / RECORD
    try:
        with file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")
    except OSError as error:
        raise Refused(f"--break-glass: {file}: {error.strerror}; without a record nothing is let through") from error
    say(f"glass broken: {key} was {decision.verdict.word}, and {person} lets it through at {at}: {reason}")
    say(f"recorded in {file}")
    return {"break_glass": reason, "break_glass_by": person, "break_glass_at": at}


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "an unknown user"
