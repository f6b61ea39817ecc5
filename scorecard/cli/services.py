"""`scorecard services`: what is registered, as it is looked at, and what is wrong with the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorecard.cli.output import LIST_FORMATS, say, write
from scorecard.cli.problems import Negative, Refused
from scorecard.cli.workspace import config_option, find_service, open_workspace, warn_of

if TYPE_CHECKING:
    from scorecard.catalog import Catalog
    from scorecard.model import Service

_COLUMNS = ("service", "environment", "team", "tier", "type", "lifecycle", "description", "origin")


@click.group()
def services() -> None:
    """The catalogue: list, show and validate the registered services."""


@services.command("list")
@click.option("--format", "-o", "form", type=click.Choice(LIST_FORMATS), default="table", help="Output.")
@config_option
def list_registered(form: str, config_file: Path | None) -> int:
    """List the registered services. What is wrong with other documents is told on standard error."""
    from scorecard.cli.formats.listing import listing

    catalog = open_workspace(config_file).catalog()
    warn_of(catalog.problems)
    rows = [dict(zip(_COLUMNS, _facts(service), strict=True)) for service in catalog.services]
    write(listing(form, _COLUMNS, rows))
    return 0


def _facts(service: Service) -> tuple[str, ...]:
    return (
        service.name,
        service.environment,
        service.team,
        service.tier,
        service.type.value,
        service.lifecycle.value,
        service.description,
        service.origin,
    )


@services.command()
@click.argument("name")
@click.option("--environment", metavar="E", help="The environment; production unless given.")
@click.option(
    "--effective", is_flag=True, help="With defaults and environment merged in, and where each value came from."
)
@click.option("--format", "-o", "form", type=click.Choice(["text", "json"]), default="text", help="Output.")
@config_option
def show(name: str, environment: str | None, effective: bool, form: str, config_file: Path | None) -> int:  # noqa: FBT001 - click hands flags over by name
    """Show a service as its file states it; with --effective as it is looked at, with the origin of each value."""
    from scorecard.cli.subject import service_key

    catalog = open_workspace(config_file).catalog()
    service = find_service(catalog, service_key(name, environment))
    found = catalog.effective(service.key)
    if found is None:
        raise Refused(f"{service.key}: nothing is known of how it was registered")
    settings = [one for one in found.settings() if effective or _is_own(one.origin, service)]
    if form == "json":
        whole = {one.key: {"value": one.value, "origin": one.origin} for one in settings}
        write(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
        return 0
    width = max((len(f"{one.key}: {_value(one.value)}") for one in settings), default=0)
    width = min(width, 76)
    lines = [f"{f'{one.key}: {_value(one.value)}':<{width}}  # {one.origin}" for one in settings]
    write("\n".join([f"# {service.key}", *lines]) + "\n")
    return 0


def _is_own(origin: str, service: Service) -> bool:
    """Whether a value stands in the service's own file."""
    return origin.rpartition(":")[0] == service.origin.rpartition(":")[0] != ""


def _value(value: Any) -> str:  # noqa: ANN401 - any value of YAML
    from scorecard.cli.text import visible

    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return visible(text)


@services.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@config_option
def validate(files: tuple[Path, ...], config_file: Path | None) -> int:
    """Check service files, or the whole catalogue. Exits 1 and names file, line and key when something is wrong."""
    from scorecard.catalog import build_catalog, read_files
    from scorecard.cli.workspace import clock

    workspace = open_workspace(config_file)
    if files:
        found = read_files(files)
        catalog = build_catalog(found, workspace.config, today=clock().date(), rows=workspace.row_ids)
    else:
        catalog = workspace.catalog()
    if catalog.problems:
        raise Negative("\n".join(str(problem) for problem in catalog.problems))
    say(f"{_count(catalog)}, nothing wrong")
    return 0


def _count(catalog: Catalog) -> str:
    names = {service.name for service in catalog.services}
    return f"{_plural(len(names), 'service')} and {_plural(len(catalog.teams), 'team')}"


def _plural(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
