"""`scorecard check`: probe now, print the checklist, and say with the exit code what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorecard.cli.output import CHECK_FORMATS, OutputType, Target, chosen, write_report
from scorecard.cli.problems import Refused
from scorecard.cli.workspace import config_option

if TYPE_CHECKING:
    from scorecard.cli.report import Line, Report
    from scorecard.cli.subject import Subject
    from scorecard.document import Document
    from scorecard.gate import Decision
    from scorecard.judge import Snapshot
    from scorecard.model import GatePolicy


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: these rows and this scope, of this checklist."""

    rows: tuple[str, ...]
    scope: str | None
    checklist: str | None


@click.command(short_help="Probe now and print the checklist.")
@click.argument("subject", metavar="SERVICE|FILE|DIR")
@click.option("--row", "rows", multiple=True, metavar="ID", help="Only this row; may be repeated.")
@click.option("--scope", type=click.Choice(["repository", "live", "platform"]), help="Only checks of this scope.")
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
@click.option("--report-only", is_flag=True, help="Exit 0 in place of 1; 2 and 3 stay.")
@config_option
def check(
    subject: str,
    rows: tuple[str, ...],
    scope: str | None,
    environment: str | None,
    checklist: str | None,
    targets: tuple[Target, ...],
    report_only: bool,  # noqa: FBT001 - click hands flags over by name
    config_file: Path | None,
) -> int:
    """Probe now and print the checklist. Needs no server and no store.

    The subject is a registered SERVICE, a FILE of services, or a DIRECTORY, which means scope repository.

    The exit code answers for the rows that were asked: 1 when a blocking one of them failed or they are under the
    tier's bar, 3 when a blocking one is unknown, 0 otherwise. A row that is named with --row blocks by itself.
    """
    from scorecard.cli.subject import find_subject

    outputs = chosen(targets)
    found = find_subject(subject, config_file, environment)
    report = measured(found, Question(rows, scope, checklist))
    write_report(report, outputs)
    return 0 if report_only and report.exit_code == 1 else report.exit_code


def measured(subject: Subject, question: Question) -> Report:
    """Probe the subject's services and judge them.

    Raises:
        Refused: a row or a checklist that does not exist.
    """
    from scorecard.cli.measure import measure_now
    from scorecard.cli.report import Report, check_lines, exit_code
    from scorecard.document import document
    from scorecard.model import Scope, Verdict
    from scorecard.score import score

    workspace = subject.workspace
    wanted = question.scope or subject.scope
    scope = Scope(wanted) if wanted else None
    checklists = {service.key: workspace.checklist(question.checklist, service) for service in subject.services}
    _known_rows(question.rows, [row.id for one in checklists.values() for row in one.rows])
    results = measure_now(
        workspace,
        subject.services,
        lambda service: checklists[service.key],
        scope=scope,
        rows=frozenset(question.rows) or None,
    )
    documents: list[Document] = []
    decisions: list[Decision] = []
    lines: list[Line] = []
    for snapshot, observations in results:
        policy = workspace.config.policy(snapshot.service.tier)
        decision = decide_asked(snapshot, policy, frozenset(question.rows))
        counted = score(
            snapshot.rows,
            bar=policy.minimum_score,
            required_rows=snapshot.checklist.required_rows,
            nearly_within=snapshot.checklist.nearly_within,
        )
        made = document(snapshot, counted, decision, observations)
        documents.append(made)
        decisions.append(decision)
        lines += check_lines(made, subject.origins[snapshot.service.key], subject.files)
    return Report(
        documents=tuple(documents),
        lines=tuple(lines),
        several=subject.several,
        exit_code=exit_code(Verdict(decision.verdict) for decision in decisions),
    )


def decide_asked(snapshot: Snapshot, policy: GatePolicy, named: frozenset[str]) -> Decision:
    """The gate's decision over the rows that were asked, and no others.

    Rows that were named are the blocking ones, and each answers for itself: the bar of the whole checklist says
    nothing about them. Otherwise the checklist's blocking rows block, and the bar is that of the tier, taken over the
    rows that were asked. Waivers and a limit on them belong to launches and not to a check.
    """
    import dataclasses

    from scorecard.gate import cannot_tell, decide

    asked = frozenset(row.id for row in snapshot.rows)
    if not asked:
        return cannot_tell("no row of the checklist can be asked in this scope")
    if snapshot.taken_at is None:
        return cannot_tell("nothing was measured: no installed probe answers these rows")
    blocking = named & asked or snapshot.checklist.required_rows & asked
    part = dataclasses.replace(
        snapshot,
        rows=tuple(dataclasses.replace(row, not_asked=()) for row in snapshot.rows),
        not_asked=(),
        checklist=dataclasses.replace(snapshot.checklist, required_rows=blocking),
    )
    bar = dataclasses.replace(policy, minimum_score=0, minimum_coverage=0) if named else policy
    return decide(part, bar, (), snapshot.taken_at)


def _known_rows(rows: tuple[str, ...], known: list[str]) -> None:
    from scorecard.problems import nearest

    for row in rows:
        if row not in known:
            near = nearest(row, known)
            hint = f"; did you mean {near}?" if near else f"; known: {', '.join(dict.fromkeys(known))}"
            raise Refused(f"--row: the checklist has no row {row!r}{hint}")
