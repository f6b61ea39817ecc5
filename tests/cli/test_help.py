from __future__ import annotations

import subprocess
import sys

import click
import pytest

from scorecard import __version__
from scorecard.cli import root

from .conftest import Call

HEAVY = (
    "flask",
    "sqlalchemy",
    "pydantic",
    "requests",
    "rich",
    "pycurl",
    "boto3",
    "gunicorn",
    "dulwich",
    "cryptography",
)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


def test_help_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys; from scorecard.cli.main import run; run(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"
    assert "Commands:" in done.stdout


def test_help_names_every_command_with_a_sentence(scorecard: Call) -> None:
    shown = scorecard("--help")
    assert shown.code == 0
    for name in root.list_commands(click.Context(root)):
        line = next(line for line in shown.out.splitlines() if line.split()[:1] == [name])
        assert line.endswith("."), line


@pytest.mark.parametrize("path", commands(root), ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...], scorecard: Call) -> None:
    shown = scorecard(*path, "--help")
    assert shown.code == 0
    assert shown.out.startswith(f"Usage: scorecard {' '.join(path)}")
    assert scorecard(*path, "-h").out == shown.out


def test_the_version_is_the_packages(scorecard: Call) -> None:
    assert scorecard("--version").out == f"scorecard {__version__}\n"


def test_an_unknown_command_is_a_usage_error_that_names_the_nearest(scorecard: Call) -> None:
    refused = scorecard("chek", "payments")
    assert (refused.code, refused.out) == (2, "")
    assert "did you mean check?" in refused.err


def test_an_unknown_option_is_a_usage_error(scorecard: Call) -> None:
    refused = scorecard("check", ".", "--rwo", "adrs")
    assert refused.code == 2
    assert "--rwo" in refused.err
    assert "Traceback" not in refused.err


def test_a_module_call_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scorecard.cli", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"scorecard {__version__}\n"


def test_a_reader_that_hangs_up_costs_no_traceback() -> None:
    command = f"{sys.executable} -m scorecard.cli schema service | head -c 10"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("{")
    assert done.stderr == ""
