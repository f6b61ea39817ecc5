"""`scorecard serve` and `scorecard demo`: site, API, metrics and scheduler in one process."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorecard.cli.output import say
from scorecard.cli.problems import Refused
from scorecard.cli.workspace import CONFIG_FILE, clock, config_option, open_workspace

if TYPE_CHECKING:
    from scorecard.app import Running

_LISTEN = "SCORECARD__SERVER__LISTEN"


@click.command(short_help="Serve site, API and metrics, and measure.")
@click.option("--no-schedule", is_flag=True, help="Measure nothing by itself; serve what is stored.")
@config_option
@click.option("--host", metavar="ADDRESS", help="Where to listen; that of server.listen unless given.")
@click.option("--port", type=click.IntRange(1, 65_535), metavar="N", help="Its port.")
def serve(no_schedule: bool, config_file: Path | None, host: str | None, port: int | None) -> int:  # noqa: FBT001 - click hands flags over by name
    """Serve the site, the API and the metrics, and measure at the configured cadence."""
    environ = dict(os.environ)
    address, number = _listen(open_workspace(config_file).config.server.listen)
    address, number = host or address, port or number
    if host or port:
        environ[_LISTEN] = f"[{address}]:{number}" if ":" in address else f"{address}:{number}"
    path = config_file or (Path(CONFIG_FILE) if Path(CONFIG_FILE).is_file() else None)
    _ready_to_serve(path, environ, address, number)

    def make() -> Running:
        from scorecard.app import Running

        return Running(path, environ)

    _run(make, address, number, schedule=not no_schedule, level="INFO")
    return 0


@click.command(short_help="Run a demo fleet, with everything on.")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8080, show_default=True, metavar="N", help="The site's port."
)
@click.option("--keep", is_flag=True, help="Leave the demo's directory when it ends, and say where it is.")
def demo(port: int, keep: bool) -> int:  # noqa: FBT001 - click hands flags over by name
    """Run a fleet of small services with one deliberate defect each, and everything on."""
    from scorecard.demo import LESSONS, Fleet

    host = "127.0.0.1"
    _free(host, port)
    with Fleet(clock=clock, listen=f"{host}:{port}", keep=keep) as fleet:
        say(f"{len(LESSONS)} demo services; the site is on http://{host}:{port} (Ctrl+C ends it)")
        if keep:
            say(f"scorecard.yaml, services and repositories are in {fleet.directory}")
        _run(_demo_maker(fleet.config_file), host, port, schedule=True, level="WARNING")
    return 0


def _demo_maker(config_file: Path) -> Callable[[], Running]:
    """What makes the demo's scorecard: its services are marked, and so is the history that is seeded for them."""
    import dataclasses

    def make() -> Running:
        from scorecard.app import Running
        from scorecard.demo import seed

        running = Running(config_file, {}, prepare=lambda service: dataclasses.replace(service, demo=True))
        seed(running.store, clock())
        return running

    return make


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _ready_to_serve(path: Path | None, environ: Mapping[str, str], host: str, port: int) -> None:
    """Refuse here, with a message, what would otherwise end a worker process with a traceback.

    Raises:
        Refused: bad configuration, a store that cannot be used, an address that cannot be listened on.
    """
    from scorecard.app import checklists, refuse_unsupported, store_of
    from scorecard.config import ConfigError, SecretUnavailable, load_config
    from scorecard.registry import RegistryError, installed
    from scorecard.store import StoreError

    try:
        config = load_config(path, environ, directory=Path())
        refuse_unsupported(config)
        store = store_of(config, checklists(config, installed()))
        store.db.own()
        store.migrate()
        store.close()
    except (ConfigError, RegistryError, StoreError, SecretUnavailable) as error:
        raise Refused(str(error)) from error
    _free(host, port)


def _free(host: str, port: int) -> None:
    """Whether the address can be listened on.

    Raises:
        Refused: somebody listens there, or it is none of ours.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise Refused(f"{host}:{port}: {error.strerror or error}; choose another with --port") from error


def _run(make: Callable[[], Running], host: str, port: int, *, schedule: bool, level: str) -> None:
    from scorecard import logging
    from scorecard.app import Server

    logging.configure(level=level)
    try:
        Server(make, host, port, schedule=schedule).run()
    except SystemExit as ended:
        # gunicorn ends its process this way; anything but 0 is passed on.
        if ended.code:
            raise
