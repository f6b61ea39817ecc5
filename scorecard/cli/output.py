"""`-o FORMAT[=FILE]`: which formats are written, and where to. Data goes to standard output, nothing else does."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorecard.cli.formats.table import Look
    from scorecard.cli.report import Report

CHECK_FORMATS = ("table", "json", "junit", "sarif", "markdown", "github", "csv")
LIST_FORMATS = ("table", "json", "csv", "ndjson")
_PIPE_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Target:
    """One format, and the file it goes to; None means standard output."""

    name: str
    file: Path | None


class OutputType(click.ParamType[Target]):
    """`FORMAT` or `FORMAT=FILE`."""

    name = "format"

    def __init__(self, formats: Sequence[str]) -> None:
        self.formats = tuple(formats)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """What `--help` shows."""
        return "FORMAT[=FILE]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:  # noqa: ANN401 - click's signature
        """Read it; an unknown format, or a file whose directory is not there, is a usage error."""
        if isinstance(value, Target):
            return value
        name, equals, file = str(value).partition("=")
        if name not in self.formats:
            self.fail(f"{name!r} is not one of {', '.join(self.formats)}", param, ctx)
        if not equals or file == "-":
            return Target(name, None)
        if not file:
            self.fail(f"{value!r} names no file after the equals sign", param, ctx)
        path = Path(file)
        if path.is_dir() or not path.parent.is_dir():
            self.fail(f"{file}: {'is a directory' if path.is_dir() else 'its directory does not exist'}", param, ctx)
        return Target(name, path)


def chosen(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets, a table on standard output unless others were given.

    Raises:
        UsageError: two formats for standard output, or for one file.
    """
    files = [target.file for target in targets]
    for file in files:
        if files.count(file) > 1:
            where = "standard output" if file is None else str(file)
            raise click.UsageError(f"-o: two formats cannot share {where}; write -o FORMAT=FILE for one of them")
    return targets or (Target("table", None),)


def write_report(report: Report, targets: tuple[Target, ...]) -> None:
    """Render a report in each format and write it.

    Raises:
        ClickException: a file could not be written.
    """
    from scorecard.cli.formats import MACHINE
    from scorecard.cli.formats.table import table

    for target in targets:
        text = MACHINE[target.name](report) if target.name in MACHINE else table(report, look_of(target.file))
        write(text, target.file)


def write(text: str, file: Path | None = None) -> None:
    """Write data to standard output or a file.

    Raises:
        ClickException: the file could not be written.
    """
    if file is None:
        click.echo(text, nl=False, color=True)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        from scorecard.cli.problems import Refused

        raise Refused(f"{file}: {error.strerror}") from error


def look_of(file: Path | None) -> Look:
    """How wide, colourful and expressive the place is that a table goes to."""
    from scorecard.cli.formats.table import Look
    from scorecard.cli.text import icons

    if file is not None:
        return Look(_PIPE_WIDTH, colour=False, icons=icons("utf-8"))
    encoding = getattr(sys.stdout, "encoding", None)
    if not sys.stdout.isatty():
        return Look(_PIPE_WIDTH, colour=False, icons=icons(encoding))
    # NO_COLOR and COLUMNS are how every terminal program is told; they are no settings of ours.
    width = shutil.get_terminal_size((80, 24)).columns
    return Look(width, colour="NO_COLOR" not in os.environ, icons=icons(encoding))


def say(message: str) -> None:
    """A message for the person, on standard error."""
    click.echo(message, err=True)
