"""How a command ends without an answer: one message on standard error and the right exit code, never a traceback."""

from __future__ import annotations

from typing import IO, Any

import click

USAGE = 2
CANNOT_TELL = 3
INTERRUPTED = 130


class Refused(click.ClickException):
    """A usage or configuration error: exit 2."""

    exit_code = USAGE

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message as it is; it names the file, the line and the key itself."""
        click.echo(self.message, file=file, err=file is None)


class CannotTell(Refused):
    """There is nothing to decide from: exit 3."""

    exit_code = CANNOT_TELL


class Negative(Refused):
    """A command that judges files said no: exit 1."""

    exit_code = 1
