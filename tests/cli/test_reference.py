"""`docs/reference/cli.md` and the program say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scorecard.cli import root
from scorecard.cli.output import CHECK_FORMATS, LIST_FORMATS
from scorecard.cli.schema import KINDS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
HEADING = re.compile(r"^#{2,3} (scorecard [a-z -]+)$", re.MULTILINE)
OPTION = re.compile(r"`(-{1,2}[a-z][a-z-]*)")


def walk(group: click.Group, path: str = "scorecard") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from walk(command, f"{path} {name}")


COMMANDS = dict(walk(root))


def sections() -> dict[str, str]:
    text = REFERENCE.read_text(encoding="utf-8")
    found = list(HEADING.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return {match[1]: text[match.end() : end] for match, end in zip(found, ends, strict=True)}


def documented(section: str) -> set[str]:
    """The options that the section's list entries begin with."""
    entries = [line.partition(": ")[0] for line in section.splitlines() if line.startswith("- `-")]
    return {option for entry in entries for option in OPTION.findall(entry)}


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_and_every_documented_option_exists(name: str) -> None:
    options = {
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert documented(sections()[name]) == options


def test_every_option_explains_itself() -> None:
    for name, command in COMMANDS.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.name}"


def test_every_format_and_schema_is_documented() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for word in (*CHECK_FORMATS, *LIST_FORMATS, *KINDS):
        assert f"`{word}`" in text
