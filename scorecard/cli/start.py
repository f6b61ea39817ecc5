"""`scorecard init`: the first two files."""

from __future__ import annotations

import re
from pathlib import Path

import click

from scorecard.cli.output import say, write
from scorecard.cli.problems import Refused


@click.command(short_help="Write scorecard.yaml and a first service file.")
@click.argument("directory", required=False, default=".", type=click.Path(path_type=Path), metavar="[DIR]")
@click.option("--name", metavar="NAME", help="The first service's name; the directory's unless given.")
def init(directory: Path, name: str | None) -> int:
    """Write scorecard.yaml and a first service file, services/NAME.yaml. A file that is there is left as it is."""
    from scorecard.catalog import starter_files

    chosen = name or service_name(directory)
    try:
        files = starter_files(chosen)
    except ValueError as error:
        raise Refused(f"--name: {error}") from error
    for path, text in files.items():
        file = directory / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as handle:
                handle.write(text)
        except FileExistsError:
            say(f"{file} is there already and was left as it is")
        except OSError as error:
            raise Refused(f"{file}: {error.strerror}") from error
        else:
            write(f"{file}\n")
    say(f"Next: scorecard check {directory}")
    return 0


def service_name(directory: Path) -> str:
    """The name that a service gets from its directory: `My_App` is `my-app`; `service` where nothing is left."""
    words = re.findall(r"[a-z0-9]+", directory.resolve().name.lower())
    return "-".join(words)[:63].strip("-") or "service"
