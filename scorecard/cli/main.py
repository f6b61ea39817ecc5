"""The root command, and the one place where an exception becomes an exit code."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from scorecard import __version__
from scorecard.cli.problems import CANNOT_TELL, INTERRUPTED, USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {
    "demo": ("scorecard.cli.serve", "demo"),
    "init": ("scorecard.cli.start", "init"),
    "serve": ("scorecard.cli.serve", "serve"),
    "check": ("scorecard.cli.check", "check"),
    "gate": ("scorecard.cli.gate", "gate"),
    "show": ("scorecard.cli.read", "show"),
    "list": ("scorecard.cli.fleet", "list_services"),
    "history": ("scorecard.cli.read", "history"),
    "diff": ("scorecard.cli.read", "diff"),
    "explain": ("scorecard.cli.explain", "explain"),
    "services": ("scorecard.cli.services", "services"),
    "doctor": ("scorecard.cli.doctor", "doctor"),
    "schema": ("scorecard.cli.schema", "schema"),
    "openapi": ("scorecard.cli.schema", "openapi"),
    "iam-policy": ("scorecard.cli.iam_policy", "iam_policy"),
    "drill": ("scorecard.cli.drill", "drill"),
    "push": ("scorecard.cli.push", "push"),
    "token": ("scorecard.cli.push", "token"),
    "db": ("scorecard.cli.database", "db"),
}
"""Every command, in the order in which a newcomer meets them: module and attribute."""


class Commands(click.Group):
    """The commands, each imported when it is asked for; their order is the one above."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of that name."""
        import importlib

        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or a usage error that names the nearest one."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from scorecard.problems import nearest

            near = nearest(args[0], _COMMANDS)
            hint = f"; did you mean {near}?" if near else "; scorecard --help lists them"
            ctx.fail(f"there is no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="scorecard", message="%(prog)s %(version)s")
def root() -> None:
    """Production readiness, measured: which lines of the checklist are proven, per service and at any moment.

    Data goes to standard output, messages to standard error. Exit codes: 0 go, 1 no go, 2 usage or configuration
    error, 3 cannot tell, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code.

    An exception that nobody foresaw is 3: the scorecard could not tell. 1 would say that a service failed.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot write a character gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = root.main(
            args=None if arguments is None else list(arguments), prog_name="scorecard", standalone_mode=False
        )
        sys.stdout.flush()
    except click.UsageError as error:
        return _usage(error)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return _broken_pipe()
    except Exception as error:  # noqa: BLE001 - the last resort of a command line
        click.echo(_unforeseen(error), err=True)
        return CANNOT_TELL
    return code if isinstance(code, int) else 0


def _usage(error: click.UsageError) -> int:
    """The message first, then how the command is called."""
    click.echo(error.format_message(), err=True)
    if error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help'.", err=True)
    return USAGE


def _broken_pipe() -> int:
    """Whoever read our output has gone, as `| head` does; Python would complain once more at its end."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def _unforeseen(error: Exception) -> str:
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename.rpartition('/scorecard/')[2] or frame.filename}:{frame.lineno}"
    return f"scorecard itself failed and decided nothing: {type(error).__name__}: {_first(error)} ({where})"


def _first(error: Any) -> str:  # noqa: ANN401 - any exception
    return str(error).strip().split("\n", maxsplit=1)[0][:300]
