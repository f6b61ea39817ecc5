"""`scorecard drill`: restores a backup into a scratch place, verifies it, and writes the report."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorecard.cli.output import OutputType, Target, chosen, say, write
from scorecard.cli.problems import CANNOT_TELL, INTERRUPTED, USAGE, Refused
from scorecard.cli.workspace import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorecard.drill.report import DrillReport
    from scorecard.drill.spec import DrillSpec

DRILL_FORMATS = ("table", "json")
_REFUSED = frozenset({"production"})
"""Reasons that are the spec's fault: exit 2."""


@click.group()
def drill() -> None:
    """Prove that a backup can be restored: restore it into a scratch place, verify it, drop it, write the report."""


@drill.command(short_help="Restore a PostgreSQL dump or an RDS snapshot, and verify it.")
@click.argument("spec_file", metavar="SPEC", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing: nothing is connected to.")
@click.option(
    "-o",
    "--output",
    "targets",
    type=OutputType(DRILL_FORMATS),
    multiple=True,
    help="table or json, to standard output or a file; may be repeated.",
)
@click.option(
    "--passfile",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="PGPASSFILE",
    help="A password file of PostgreSQL's for the scratch server; the variable PGPASSFILE unless given.",
)
@click.option("--run-url", default="", metavar="URL", help="The pipeline's run, for the report.")
@click.option("--commit", default="", metavar="SHA", help="The revision that the pipeline runs for, for the report.")
def restore(
    spec_file: Path,
    dry_run: bool,  # noqa: FBT001 - click hands it over by name
    targets: tuple[Target, ...],
    passfile: Path | None,
    run_url: str,
    commit: str,
) -> int:
    """Carry out the drill that the file SPEC describes (`scorecard schema drill`).

    The dump is restored into a database of the drill's own on the scratch server, as a role that can do nothing else,
    is verified, and is dropped again, whatever happens. 0 when the backup is good; 1 when it is not; 2 when SPEC is
    wrong or names production; 3 when the drill could not be carried out, which says nothing about the backup; 130 when
    it was interrupted. The report is written in each case but that of a SPEC that cannot be read.
    """
    from scorecard.drill.spec import SpecError, read_spec

    wanted = chosen(targets)
    try:
        spec = read_spec(spec_file)
    except SpecError as error:
        raise Refused(str(error)) from error
    if dry_run:
        return _dry_run(spec)
    report = carry_out(spec, passfile=passfile, run_url=run_url, commit=commit)
    write_drill(report, wanted)
    return exit_code(report)


def carry_out(spec: DrillSpec, *, passfile: Path | None = None, run_url: str = "", commit: str = "") -> DrillReport:
    """Carry out the drill of a spec, with progress on a terminal; an interrupt ends it when all is dropped."""
    from scorecard import __version__
    from scorecard.drill.restore import Setting
    from scorecard.drill.run import run_drill

    progress = _Progress()
    with _stopped_by_signals() as stop:
        setting = Setting(
            clock=clock,
            stop=stop,
            version=__version__,
            passfile=passfile,
            run_url=run_url,
            commit=commit,
            tell=progress.tell,
        )
        report = run_drill(spec, setting)
    progress.end()
    return report


def write_drill(report: DrillReport, targets: tuple[Target, ...]) -> None:
    """Write a report in each format, and its verdict to standard error."""
    from scorecard.drill.report import write_report

    for target in targets:
        write(write_report(report) if target.name == "json" else drill_table(report), target.file)
    say(verdict(report))


def exit_code(report: DrillReport) -> int:
    """The exit code that a report comes to."""
    from scorecard.drill.report import Result

    if report.result is Result.SUCCESS:
        return 0
    if report.result is Result.FAILURE:
        return 1
    if report.code == "interrupted":
        return INTERRUPTED
    return USAGE if report.code in _REFUSED else CANNOT_TELL


def verdict(report: DrillReport) -> str:
    """The drill in one sentence."""
    from scorecard.drill.report import Result

    name = report.backup.id or report.resource
    if report.result is Result.SUCCESS:
        held = len(report.verifications)
        return f"{name} was restored in {report.recovery_seconds:.1f} s, and all {held} verifications hold"
    said = "the drill failed" if report.result is Result.FAILURE else "the drill could not be carried out"
    return f"{name}: {said} ({report.code}): {report.message}"


def drill_table(report: DrillReport) -> str:
    """The report for a person."""
    lines = [
        f"{report.service}: drill of {report.resource}, {report.started_at:%Y-%m-%d %H:%M:%S} UTC",
        f"backup   {_backup(report)}",
        "",
    ]
    lines += [f"{_mark(one.ok)} {one.name:<18} {one.seconds:8.2f} s  {one.detail}".rstrip() for one in report.steps]
    if report.verifications:
        lines.append("")
    for one in report.verifications:
        hint = "  (an empty database would pass this too)" if one.vacuous else ""
        lines.append(f"{_mark(one.ok)} {one.name}: {one.actual}; expected: {one.expected}{hint}")
    lines += ["", f"result   {report.result.value}" + (f" ({report.code}): {report.message}" if report.code else "")]
    return "\n".join([*lines, ""])


def _backup(report: DrillReport) -> str:
    backup = report.backup
    parts = [
        backup.id or "none was found",
        f"made {backup.created_at:%Y-%m-%d %H:%M} UTC" if backup.created_at else "",
        f"{backup.size:,} bytes" if backup.size is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _mark(ok: bool) -> str:  # noqa: FBT001 - the one thing that it marks
    return "ok    " if ok else "FAILED"


def _dry_run(spec: DrillSpec) -> int:
    from scorecard.drill.plan import plan

    for line in plan(spec):
        click.echo(line)
    return 0


class _Progress:
    """One line on a terminal that says what is being done; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def tell(self, message: str) -> None:
        if self._shown:
            click.echo(f"\r\x1b[K{message} …", nl=False, err=True)

    def end(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that an interrupt or an end request sets: the drill then drops its database and ends by itself."""
    stop = threading.Event()

    def asked(_number: int, _frame: object) -> None:
        stop.set()

    before: dict[signal.Signals, Callable[..., object] | int | None] = {}
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        before[one] = signal.signal(one, asked)
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
